//! `bitquilt trace`

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

use super::copies::{self, CopyArgs};
use super::drawer::{Drawer, ModelArgs};
use super::ids::WithoutArgs;
use super::level::level_to_draw;
use super::limit::{Top, at_least_1};
use super::preload::PreloadArgs;
use super::ui::{Ui, check_output};
use super::{NO, grouped, line, print};
use bitquilt::Observer;
use bitquilt::base::{Stopped, files};
use bitquilt::copies::worst_first;
use bitquilt::engine::{
    Judged, Session, TraceNames, TraceRequest, TracedSample, Tracing, WindowChoice,
};
use bitquilt::latent::{Level, Shape};
use bitquilt::page::trace_page;
use bitquilt::picture::Picture;
use bitquilt::samples::SampleSet;
use bitquilt::trace::{NamedSpread, SetSummary, Spread, TraceOptions, Tracer};

/// Tell which training patches samples reuse
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bitquilt trace mnist.index samples.safetensors\n  \
    bitquilt trace mnist.index samples.safetensors -o trace.json --png map.png\n  \
    bitquilt trace mnist.index samples.safetensors --html trace.html\n  \
    bitquilt trace mnist.index others.safetensors --window 7x7 --brief -o trace.json\n  \
    bitquilt trace mnist.index samples.safetensors --limit 1 --top 3 --json\n  \
    bitquilt trace mnist.index samples.safetensors --against held-out.safetensors\n\n\
    Each sample is cut into regions, each copied bit for bit from one training latent at one displacement, the\n\
    most informative first. A region's information is what its bits tell at the smallest window of the index:\n\
    blank background tells next to nothing. A region of more than log2(latents x bits) bits is no chance, but no\n\
    verdict either. --against gives one: latents that were not indexed say what honest ones look like, and samples that look more like\n\
    a copy, with errors, than all but a share of these are called copies. Samples may come from anywhere: bits that no training latent supports are told as such. --png draws\n\
    the first samples, each with its quilt, its sources and the nearest training latent.")]
pub(super) struct TraceArgs {
    /// The index
    index: PathBuf,

    /// Samples, or any latents of the same channels
    samples: PathBuf,

    /// Write the trace file, JSON, here
    #[arg(short, long, value_name = "TRACE.json")]
    output: Option<PathBuf>,

    /// Draw a map of the first samples here: each with what it is most likely a copy of, where that is judged; its quilt coloured by
    /// source; the sources that tell most with what was copied outlined; and the nearest training latent with what differs
    #[arg(long, value_name = "MAP.png")]
    png: Option<PathBuf>,

    /// Write a page to look at, mail or publish: the first 200 samples, each beside the training latents that it comes from, in one file
    /// that fetches nothing
    #[arg(long, value_name = "PAGE.html")]
    html: Option<PathBuf>,

    /// Samples of the map
    #[arg(long, value_name = "N", default_value_t = 8, requires = "png", value_parser = at_least_1)]
    png_limit: usize,

    /// The level of the map, of pyramids: 0 the coarsest [default: the finest]
    #[arg(long, value_name = "L", requires = "png")]
    level: Option<usize>,

    /// Sources of each sample in the map
    #[arg(long, value_name = "N", default_value_t = 5, requires = "png", value_parser = at_least_1)]
    png_sources: usize,

    /// A window of the quilt; again for each smaller one to turn to where no larger one supports a bit. longest: every whole
    /// window of the index, of each level
    /// [default: those that answered for the samples; else all of the index but the smallest]
    #[arg(short, long = "window", value_name = "WINDOW")]
    windows: Vec<WindowChoice>,

    /// Trace the first N samples
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,

    /// Postings to tell of each bit, or all
    #[arg(long, value_name = "N|all", default_value = "10")]
    top: Top,

    /// Leave single bits out of the trace file: regions and figures only
    #[arg(long, conflicts_with = "top")]
    brief: bool,

    /// Occurrences of each bit to follow; contexts that occur more often count as background
    #[arg(long, value_name = "N", default_value_t = TraceOptions::default().reach,
          value_parser = at_least_1)]
    reach: usize,

    /// Nearest training latents to tell of each sample
    #[arg(long, value_name = "N", default_value_t = TraceOptions::default().nearest,
          value_parser = at_least_1)]
    nearest: usize,

    /// Most reused training latents to tell
    #[arg(long, value_name = "N", default_value_t = 10)]
    credits: usize,

    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    without: WithoutArgs,

    /// Trace to every training latent, those that the samples were generated without too
    #[arg(long)]
    all_latents: bool,

    #[command(flatten)]
    copies: CopyArgs,

    #[command(flatten)]
    preload: PreloadArgs,

    /// Replace output files that exist
    #[arg(long)]
    force: bool,

    /// Print the trace file instead of a summary
    #[arg(long)]
    json: bool,
}

impl TraceArgs {
    /// Returns the request.
    fn request(&self) -> TraceRequest {
        // A limit above what memory can count is no limit.
        let limit = self.limit.map_or(usize::MAX, |limit| {
            usize::try_from(limit).unwrap_or(usize::MAX)
        });
        TraceRequest {
            windows: self.windows.clone(),
            samples: 0..limit,
            top: self.postings_listed().unwrap_or(0),
            reach: self.reach,
            nearest: self.nearest,
            credits: self.credits,
            all_latents: self.all_latents,
            preload: self.preload.preload(),
        }
    }

    /// Gives the verdicts, where there is something to judge by.
    fn judge(
        &self,
        session: &Session,
        samples: &SampleSet,
        ui: &Ui,
    ) -> anyhow::Result<Option<Judged>> {
        let held_out = self.copies.by.read_held_out()?;
        let by = self.copies.by.by(held_out.as_ref());
        let judged = by.map(|by| {
            session
                .judge(samples, &self.request(), by, &self.copies.by.request(), ui)
                .with_context(|| format!("{}{}", self.samples.display(), self.copies.by.words()))
        });
        judged.transpose()
    }

    /// Returns the number of postings to list for each bit; `None` when single bits are not listed.
    fn postings_listed(&self) -> Option<usize> {
        let document = self.json || self.output.is_some();
        let top = self.top.0.unwrap_or(usize::MAX);
        (document && !self.brief).then_some(top)
    }

    /// Says what is left when the verb is stopped: a file is whole or not there, but what was printed was printed.
    pub(super) fn when_stopped(&self) -> &'static str {
        if self.json && self.output.is_none() {
            "the JSON that was printed is not whole"
        } else if self.output.is_some() && (self.png.is_some() || self.html.is_some()) {
            // They are drawn when the trace file is there.
            "what was not finished is not written"
        } else {
            "nothing is written"
        }
    }
}

pub(super) fn run(args: &TraceArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    args.copies.check(args.force)?;
    let outputs = [&args.output, &args.png, &args.html];
    for output in outputs.into_iter().flatten() {
        check_output(output, args.force)?;
    }
    if args.model.is_given() && args.png.is_none() && args.html.is_none() {
        bail!(
            "--model: draws the map or the page: name one with --png or --html, or leave --model out"
        );
    }
    for (number, (option, output)) in [("--png", &args.png), ("--html", &args.html)]
        .into_iter()
        .enumerate()
    {
        if output.is_some() && outputs[..=number].contains(&output) {
            bail!("{option}: names another output too: choose another name");
        }
    }
    let samples = SampleSet::read(&args.samples)?;
    let session = args.without.open(&args.index, args.preload.options())?;
    // Before anything is traced: another model's codes are refused.
    let drawer = match &args.png {
        Some(_) => {
            let index = session.index();
            let shape = index.shape();
            let level = level_to_draw(args.level, shape, &args.index)?;
            let codec = &index.manifest().codecs()[level.number()];
            Some(args.model.drawer(&args.index, level.shape(), codec)?)
        }
        None => None,
    };
    let index = session.index();
    let drawers = match &args.html {
        Some(_) => {
            let codecs = index.manifest().codecs();
            args.model
                .drawers(&args.index, index.shape().levels(), &codecs)?
        }
        None => Vec::new(),
    };
    let judged = args.judge(&session, &samples, ui)?;
    let tracing = session
        .tracing(&samples, &args.request(), ui)
        .with_context(|| args.samples.display().to_string())?;
    let job = Job {
        args,
        samples: &samples,
        tracing: &tracing,
        judged,
        ui,
    };
    let mut drawn = Vec::new();
    let summary = match &args.output {
        Some(path) => files::write_whole(path, |out| job.trace_into(out, &mut drawn))?,
        None if args.json => job.trace_into(io::stdout().lock(), &mut drawn)?,
        None => job.trace_into(io::sink(), &mut drawn)?,
    };
    if let (Some(png), Some(drawer)) = (&args.png, &drawer) {
        job.draw(&drawn, drawer, png)?;
    }
    if let Some(html) = &args.html {
        job.write_page(&session, &drawers, html)?;
    }
    ui.finish();
    match (args.json, &args.output) {
        (true, Some(path)) => {
            let mut file = fs_err::File::open(path)?;
            io::copy(&mut file, &mut io::stdout().lock())?;
        }
        (true, None) => {}
        (false, _) => report(&job, &summary)?,
    }
    let count = job.judged.as_ref().map(|judged| &judged.count);
    Ok(match args.copies.denies(count) {
        true => ExitCode::from(NO),
        false => ExitCode::SUCCESS,
    })
}

struct Job<'a> {
    args: &'a TraceArgs,
    samples: &'a SampleSet,
    tracing: &'a Tracing<'a>,
    judged: Option<Judged>,
    ui: &'a Ui,
}

impl<'a> Job<'a> {
    /// Writes the trace file; the samples that a map is of come back in `drawn`.
    fn trace_into(
        &self,
        out: impl Write,
        drawn: &mut Vec<TracedSample<'a>>,
    ) -> anyhow::Result<SetSummary> {
        let names = self.names();
        let max_drawn = self.args.png.as_ref().map_or(0, |_| self.args.png_limit);
        let keep = |traced: TracedSample<'a>| {
            if drawn.len() < max_drawn {
                drawn.push(traced);
            }
            Ok(())
        };
        let out = io::BufWriter::new(out);
        let (top, judged) = (self.args.postings_listed(), self.judged.as_ref());
        let summary = self.tracing.write(out, &names, top, judged, self.ui, keep);
        if self.ui.stop_requested() {
            self.ui.finish();
            return Err(Stopped.into());
        }
        summary.with_context(|| self.args.samples.display().to_string())
    }

    /// Writes the page.
    fn write_page(&self, session: &Session, drawers: &[Drawer], path: &Path) -> anyhow::Result<()> {
        let image = |level: &Level, packed: &[u8]| -> anyhow::Result<Picture> {
            drawers[level.number()].one(level.shape(), packed, path)
        };
        let (request, judged) = (self.args.request(), self.judged.as_ref());
        let page = trace_page(
            session,
            self.samples,
            &request,
            &self.names(),
            judged,
            self.ui,
            image,
        )
        .with_context(|| format!("--html {}", path.display()))?;
        Ok(files::write_whole(path, |out| {
            out.write_all(page.as_bytes())
        })?)
    }

    fn names(&self) -> TraceNames {
        TraceNames {
            index: self.args.index.display().to_string(),
            samples: self.args.samples.display().to_string(),
        }
    }

    fn draw(
        &self,
        samples: &[TracedSample<'_>],
        drawer: &Drawer,
        png: &Path,
    ) -> anyhow::Result<()> {
        self.ui.stage("draw", samples.len() as u64, "samples");
        let image = |shape: Shape, packed: &[u8]| drawer.one(shape, packed, png);
        let sources = self.args.png_sources;
        let map = self
            .tracing
            .draw_map(samples, sources, self.args.level, image);
        map.with_context(|| format!("--png {}", png.display()))?
            .write_png(png)?;
        Ok(())
    }
}

/// Prints the figures of the set, for people.
fn report(job: &Job<'_>, summary: &SetSummary) -> anyhow::Result<()> {
    let tracer = job.tracing.tracer()?;
    report_support(job, &tracer, summary)?;
    report_regions(&tracer, summary)?;
    report_levels(&tracer, summary)?;
    report_distances(summary)?;
    report_credits(&tracer, summary)?;
    report_copies(job)?;
    tell_notes(job, &tracer);
    let outputs = [&job.args.output, &job.args.png, &job.args.html];
    for output in outputs.into_iter().flatten() {
        print(format!("→ {}", output.display()))?;
    }
    Ok(())
}

/// Prints what was traced to what, and how much of it is supported.
fn report_support(job: &Job<'_>, tracer: &Tracer<'_>, summary: &SetSummary) -> anyhow::Result<()> {
    let names = tracer.quilt_windows().iter().map(ToString::to_string);
    print(format!(
        "{} samples {}, traced to {} training latents at {} ({:.1} s)",
        grouped(summary.samples),
        tracer.shape(),
        grouped(tracer.training().latents() as u64),
        names.collect::<Vec<_>>().join(", "),
        job.ui.elapsed().as_secs_f64()
    ))?;
    let at = summary.supported_at.iter();
    let at = at.map(|at| format!("{} {}", at.window, percent(at.share)));
    line(
        "supported bits",
        percent(summary.supported),
        &format!("(by window: {})", at.collect::<Vec<_>>().join(", ")),
    )?;
    match job.tracing.interpolated() {
        Some(share) => line("interpolated", percent(share), "of the bits, by a network"),
        None => Ok(()),
    }
}

/// Prints how the quilts are cut.
fn report_regions(tracer: &Tracer<'_>, summary: &SetSummary) -> anyhow::Result<()> {
    let of = |name| spread_of(&summary.spread, name);
    let yardstick = yardstick(tracer);
    spread_line("regions", of("regions"), "a sample", 0)?;
    spread_line("sources", of("sources"), "training latents a sample", 0)?;
    spread_line("median region", of("median_region"), "sites", 0)?;
    let largest = of("largest").map(in_percent);
    spread_line("largest region", largest, "% of the bits", 0)?;
    let told = format!("bits of information at {yardstick}, copied by one region");
    spread_line("reuse", of("most_informative"), &told, 1)?;
    let informative = format!(
        "of {} samples have a region of more than {:.1} bits; unseen data has them too",
        grouped(summary.samples),
        tracer.copy_line()
    );
    line("informative", grouped(summary.copied), &informative)
}

/// Prints a table of the levels of pyramids.
fn report_levels(tracer: &Tracer<'_>, summary: &SetSummary) -> anyhow::Result<()> {
    if summary.levels.is_empty() {
        return Ok(());
    }
    let yardsticks = tracer.yardsticks();
    let told = |value: Option<f64>, digits: usize, unit: &str| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}{unit}"))
    };
    print("by level, medians:")?;
    print(format!(
        "  {:<12} {:>10} {:>10} {:>14} {:>14} {:>12} {:>12}  measured at",
        "level", "supported", "regions", "largest", "reuse", "same source", "distance"
    ))?;
    for (number, level) in summary.levels.iter().enumerate() {
        let of = |name: &str| spread_of(&level.spread, name).map(|spread| spread.median);
        let share = |name: &str| of(name).map(|share| 100.0 * share);
        let mut own = yardsticks.iter().filter(|window| window.level() == number);
        print(format!(
            "  {:<12} {:>10} {:>10} {:>14} {:>14} {:>12} {:>12}  {}",
            format!("{number}: {}", level.shape),
            percent(level.supported),
            told(of("regions"), 0, ""),
            told(share("largest"), 0, " % of bits"),
            told(of("most_informative"), 1, " bits"),
            told(share("same_source"), 0, " %"),
            told(of("distance"), 0, " bits"),
            own.next().map(ToString::to_string).unwrap_or_default()
        ))?;
    }
    Ok(())
}

/// Prints how near the training latents are; nothing on another grid than theirs.
fn report_distances(summary: &SetSummary) -> anyhow::Result<()> {
    let (Some(exact), Some(memorized), Some(authentic)) =
        (summary.exact_copies, summary.memorized, summary.authentic)
    else {
        return Ok(());
    };
    line("exact copies", grouped(exact), "equal a training latent")?;
    let distance = spread_of(&summary.spread, "distance");
    spread_line(
        "distance",
        distance,
        "bits to the nearest training latent",
        0,
    )?;
    spread_line("", summary.background, "between training latents", 0)?;
    line("memorized", grouped(memorized), "by the rule of a third")?;
    let farther = "farther from the nearest than that from its own";
    line("authentic", grouped(authentic), farther)
}

/// Prints how many training latents were used, and which most.
fn report_credits(tracer: &Tracer<'_>, summary: &SetSummary) -> anyhow::Result<()> {
    let used = format!(
        "of {} training latents ({})",
        grouped(tracer.training().latents() as u64),
        percent(summary.used_share)
    );
    line("used", grouped(summary.used), &used)?;
    for (number, credit) in summary.credits.iter().enumerate() {
        let what = format!(
            "latent {}: {} bits in {}, {:.1} bits of information",
            credit.latent,
            grouped(credit.bits),
            match credit.samples {
                1 => "1 sample".to_owned(),
                samples => format!("{} samples", grouped(samples)),
            },
            credit.information
        );
        let name = if number == 0 { "most reused" } else { "" };
        line(name, String::new(), &what)?;
    }
    Ok(())
}

/// Prints how many samples are copies, and the worst of them.
fn report_copies(job: &Job<'_>) -> anyhow::Result<()> {
    let Some(Judged {
        calibration,
        each,
        count,
        ..
    }) = &job.judged
    else {
        job.ui.note(
            "note: no verdict on copying: that needs latents that were not indexed, to say what honest ones look like (--against)",
        );
        return Ok(());
    };
    let worst = worst_first(each).into_iter();
    let worst: Vec<_> = worst.map(|number| (number, &each[number])).collect();
    copies::report(count, &worst)?;
    for note in copies::notes(calibration, count.false_alarms) {
        job.ui.note(note);
    }
    Ok(())
}

/// Tells what a reader of the figures should know beside them.
fn tell_notes(job: &Job<'_>, tracer: &Tracer<'_>) {
    let args = job.args;
    let without = &job.samples.without;
    if !without.is_empty() && args.all_latents {
        job.ui.note(format!(
            "note: generated without {without}, traced to all latents of the index"
        ));
    } else if !without.is_empty() {
        job.ui.note(format!(
            "note: traced without {without}, as the samples were generated (--all-latents for all)"
        ));
    }
    if tracer.windows().count() == tracer.yardsticks().len() {
        let [only, smaller] = match tracer.shape().is_pyramid() {
            true => [
                "the only window of each level",
                "a smaller window of each level",
            ],
            false => ["its only window", "--window 3x3"],
        };
        job.ui.note(format!(
            "note: {}: information is measured at {}, {only}, where most bits are certain: build with {smaller} as well \
             to tell background from shapes",
            args.index.display(),
            yardstick(tracer)
        ));
    }
}

/// Returns the window that information is measured at.
fn yardstick(tracer: &Tracer<'_>) -> String {
    let windows = tracer.yardsticks();
    let windows: Vec<_> = windows.iter().map(ToString::to_string).collect();
    windows.join(", ")
}

fn spread_of(spreads: &[NamedSpread], name: &str) -> Option<Spread> {
    let mut all = spreads.iter();
    all.find(|named| named.name == name)
        .map(|named| named.spread)
}

/// Prints "median (10 % .. 90 %) what".
fn spread_line(
    name: &str,
    spread: Option<Spread>,
    what: &str,
    digits: usize,
) -> anyhow::Result<()> {
    let Some(Spread {
        p10, median, p90, ..
    }) = spread
    else {
        return Ok(());
    };
    let value = format!("{median:.digits$} ({p10:.digits$} .. {p90:.digits$})");
    line(name, value, what)
}

fn in_percent(spread: Spread) -> Spread {
    let Spread {
        min,
        p10,
        median,
        p90,
        max,
        mean,
    } = spread;
    Spread {
        min: 100.0 * min,
        p10: 100.0 * p10,
        median: 100.0 * median,
        p90: 100.0 * p90,
        max: 100.0 * max,
        mean: 100.0 * mean,
    }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}
