//! The report of an audit.

use maud::{Markup, html};

use super::chart;
use super::frame::page;
use super::image::{Marks, latent};
use crate::audit::Number;
use crate::copies::Copied;
use crate::engine::{Audit, AuditReport, Exhibit};
use crate::latent::{LatentError, Level};
use crate::picture::Picture;

/// Bars of the chart of p-values.
const BARS: usize = 50;

/// Returns an audit as a page. `image` draws a level of a latent, of that number: its grid and its packed bits.
///
/// # Errors
/// Whatever `image` returns.
pub fn audit_page<E: From<LatentError>>(
    audit: &Audit,
    image: impl Fn(&Level, &[u8]) -> Result<Picture, E>,
) -> Result<String, E> {
    let report = &audit.report;
    let exhibits = audit
        .exhibits
        .iter()
        .map(|exhibit| card(exhibit, report, &image));
    let exhibits = exhibits.collect::<Result<Vec<_>, _>>()?;
    let lenders = lenders(audit, &image)?;
    let title = format!("Copying in {}", report.samples_file);
    let body = html! {
        h1 { (title) }
        p.soft { (count(report.copies.samples)) " samples " (report.shape) ", audited against the " (count(report.latents)) " training latents of " (report.index) }
        (verdict(report))
        h2 { "The samples that look most like copies" }
        p {
            "Left the sample, right the training latent that it is told as a copy of. The outline is what was copied; a spot is a site that differs. "
            "p is the share of held-out latents, and the sample itself, that look as much like a copy."
        }
        div.cards { @for exhibit in &exhibits { (exhibit) } }
        (lenders)
        (numbers(&report.numbers, report))
        (method(report))
    };
    Ok(page(&title, body))
}

fn count(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups = groups.map(|group| String::from_utf8_lossy(group).into_owned());
    groups.collect::<Vec<_>>().join(",")
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// Returns the verdict on the set: how many are called copies, and how many honest ones would be.
fn verdict(report: &AuditReport) -> Markup {
    let copies = &report.copies;
    let [low, high] = copies.interval;
    let shares: Vec<f64> = report.verdicts.iter().map(|verdict| verdict.p).collect();
    let beyond = low > copies.false_alarms;
    html! {
        p.big { (count(copies.copies)) " of " (count(copies.samples)) " called copies" }
        p {
            "Of as many honest samples " (format!("{:.1}", copies.expected)) " would be called so (" (percent(copies.false_alarms)) " false alarms). "
            "Of all samples that might have been drawn, " (percent(low)) " to " (percent(high)) " would be, at 95 % confidence. "
            @if beyond {
                span.mark { "That is more than chance: these samples copy." }
            } @else if copies.copies == 0 {
                "Nothing here looks more like a copy than honest data does."
            } @else {
                "That is no more than honest data would show."
            }
        }
        (chart::shares(&shares, BARS, "How many samples have each p; honest ones would be spread evenly"))
        p.soft { "p-values of all samples. Those of honest samples are spread evenly, as the dashed line; copies stand at the left." }
    }
}

/// Says what is copied, in words.
fn in_words(copied: &Copied, levels: usize) -> String {
    let (what, moved) = (copied.what(levels), copied.moved());
    let stroke = match copied.stroke {
        Some(stroke) => format!(", strokes {stroke}"),
        None => String::new(),
    };
    format!(
        "{what}, {moved}{stroke}: {} of {} bits differ",
        copied.errors, copied.bits
    )
}

/// Returns a sample beside its source.
fn card<E: From<LatentError>>(
    exhibit: &Exhibit,
    report: &AuditReport,
    image: &impl Fn(&Level, &[u8]) -> Result<Picture, E>,
) -> Result<Markup, E> {
    let copied = &exhibit.judged.copied;
    let [own, source] = &exhibit.bits;
    let grid = exhibit.level.shape();
    let here = Marks {
        outlined: Some((copied.rows.clone(), copied.columns.clone())),
        spots: &exhibit.differing,
    };
    let there = Marks {
        outlined: Some(copied.source_sites()),
        spots: &[],
    };
    let sample = latent(
        grid,
        &image(&exhibit.level, own)?,
        &here,
        &format!("sample {}", exhibit.sample),
    )?;
    let says = format!("training latent {}", copied.latent);
    let under = latent(grid, &image(&exhibit.level, source)?, &there, &says)?;
    let verdict = report.verdicts.get(exhibit.sample);
    let levels = report
        .worst
        .first()
        .map_or(1, |worst| worst.verdict.levels.len());
    Ok(html! {
        div.card {
            h3 {
                "sample " (exhibit.sample)
                @if let Some(verdict) = verdict {
                    @if let Some(label) = verdict.label { ", label " (label) }
                    " · p = " (format!("{:.4}", verdict.p))
                    @if verdict.copy { " · " span.mark { "copy" } }
                }
            }
            div.pair {
                figure { (sample) figcaption { "sample " (exhibit.sample) } }
                figure { (under) figcaption { "training latent " (copied.latent) } }
            }
            p { (in_words(copied, levels)) }
            p.soft {
                "Saves " (format!("{:.1}", copied.gain)) " bits"
                @if let (Some(margin), Some(rival)) = (copied.margin, copied.rival) {
                    ", " (format!("{margin:.1}")) " more than latent " (rival) ", the next best"
                }
                "."
                @if !copied.duplicates.is_empty() {
                    " " (count(copied.duplicates.len() as u64)) " duplicates of the source."
                }
            }
        }
    })
}

/// Returns the training latents that lent most.
fn lenders<E: From<LatentError>>(
    audit: &Audit,
    image: &impl Fn(&Level, &[u8]) -> Result<Picture, E>,
) -> Result<Markup, E> {
    let credits = &audit.report.credits;
    if credits.is_empty() {
        return Ok(html! {});
    }
    let mut figures = Vec::new();
    for (lent, bits) in credits.iter().zip(&audit.lenders) {
        let level = &audit.finest;
        let says = format!("training latent {}", lent.latent);
        let drawn = latent(
            level.shape(),
            &image(level, bits)?,
            &Marks::default(),
            &says,
        )?;
        figures.push(html! {
            figure {
                (drawn)
                figcaption { "latent " (lent.latent) br; (format!("{:.0}", lent.gain)) " bits, " (lent.samples) " sample" @if lent.samples != 1 { "s" } }
            }
        });
    }
    Ok(html! {
        h2 { "Who lent most" }
        p { "Training latents by the bits that telling samples as copies of them saves, over all samples that are called copies." }
        div.small { @for figure in &figures { (figure) } }
    })
}

/// Returns the table of the field's own numbers.
fn numbers(numbers: &[Number], report: &AuditReport) -> Markup {
    let told =
        |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
    html! {
        h2 { "The field's own numbers" }
        p { "On the same samples. None of them says what is copied from where; each has a trap." }
        div.scroll {
            table {
                thead { tr { th { "number" } th.n { "samples" } th.n { "held out" } th.n { "called" } th { "what it is" } th { "its trap" } } }
                tbody {
                    @for number in numbers {
                        tr {
                            td { (number.name) }
                            td.n { (told(number.samples)) }
                            td.n { (told(number.held_out)) }
                            td.n { @match number.called { Some(called) => (count(called)), None => "" } }
                            td { (number.meaning) }
                            td.soft { (number.trap) }
                        }
                    }
                }
            }
        }
        p.soft { "Called: samples that a number would call copies where it calls " (percent(report.copies.false_alarms)) " of held-out latents so." }
    }
}

/// Returns how the verdict came about.
fn method(report: &AuditReport) -> Markup {
    let held_out = &report.copies.held_out;
    html! {
        h2 { "How this was judged" }
        p {
            "Each sample, and each of its parts, is told as a copy of one training latent at one displacement, with errors. What that saves, "
            "beyond a model of honest data that does not know that latent and beyond the next best latent, speaks for a copy. "
            (count(held_out.latents)) " held-out latents (" (held_out.name) ") say how much speaks for one in honest data: a sample of which more "
            "does than of all but " (percent(report.copies.false_alarms)) " of them is called a copy. The rate holds whatever the measure, if held-out "
            "and training latents were drawn alike."
        }
        @if held_out.duplicates > 0 {
            p.mark { (count(held_out.duplicates)) " of the held-out latents equal a training latent: copies look the more honest for each." }
        }
        p.soft { "Held-out latents: XXH3-128 " (held_out.xxh3_128) "." }
    }
}
