//! How often each value comes, as bars.

use maud::{Markup, html};

/// Sides of a chart, in its own units.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 150.0;
const FOOT: f64 = 22.0;

/// Returns the bars of shares between 0 and 1, `bins` of them, and a line at how many there would be if each share were as likely.
pub(super) fn shares(values: &[f64], bins: usize, says: &str) -> Markup {
    let mut counts = vec![0usize; bins];
    for value in values {
        let bin = ((value * bins as f64).ceil() as usize).clamp(1, bins) - 1;
        counts[bin] += 1;
    }
    let expected = values.len() as f64 / bins as f64;
    let most = counts.iter().copied().max().unwrap_or(0);
    let top = (most as f64).max(expected).max(1.0);
    let high = |count: f64| count / top * (HEIGHT - FOOT - 10.0);
    let each = WIDTH / bins as f64;
    html! {
        svg role="img" aria-label=(says) viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } {
            title { (says) }
            @for (bin, count) in counts.iter().enumerate() {
                @let bar = high(*count as f64);
                rect x=(bin as f64 * each + 1.0) y=(HEIGHT - FOOT - bar) width=(each - 2.0) height=(bar) fill="var(--fill)" {
                    title { (count) " samples, p " (format!("{:.2} to {:.2}", bin as f64 / bins as f64, (bin + 1) as f64 / bins as f64)) }
                }
            }
            line x1="0" x2=(WIDTH) y1=(HEIGHT - FOOT - high(expected)) y2=(HEIGHT - FOOT - high(expected))
                stroke="var(--ink)" stroke-dasharray="5 4" {}
            line x1="0" x2=(WIDTH) y1=(HEIGHT - FOOT) y2=(HEIGHT - FOOT) stroke="var(--ink)" {}
            text x="0" y=(HEIGHT - 6.0) font-size="12" fill="var(--soft)" { "p = 0" }
            text x=(WIDTH) y=(HEIGHT - 6.0) font-size="12" fill="var(--soft)" text-anchor="end" { "1" }
            text x=(WIDTH) y=(HEIGHT - FOOT - high(expected) - 5.0) font-size="12" fill="var(--soft)" text-anchor="end" { "honest samples" }
        }
    }
}
