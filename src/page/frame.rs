//! What every page has: its head and its style.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use xxhash_rust::xxh3::xxh3_128;

/// Light or dark as the reader's machine is; no colour alone says anything.
pub(crate) const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1b1d; --paper: #fff; --soft: #6b6b70; --line: #d9d9de; --mark: #b3400f; --fill: #3b6ea5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8ea; --paper: #17171a; --soft: #9a9aa1; --line: #3a3a40; --mark: #ff9f6b; --fill: #7fb0e6; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
p { max-width: 46rem; } .soft { color: var(--soft); } .mark { color: var(--mark); font-weight: 600; }
.big { font-size: 2.6rem; font-weight: 700; line-height: 1.1; margin: 1rem 0 .2rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.scroll { overflow-x: auto; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1rem; }
.card { border: 1px solid var(--line); border-radius: .4rem; padding: .8rem; }
.card h3 { font-size: 1rem; margin: 0 0 .4rem; } .card p { font-size: .85rem; margin: .4rem 0 0; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .6rem; } figure { margin: 0; } figcaption { font-size: .8rem; color: var(--soft); }
svg { width: 100%; height: auto; display: block; } svg image { image-rendering: pixelated; }
.small { display: grid; grid-template-columns: repeat(auto-fill, minmax(6.5rem, 1fr)); gap: .8rem; }
@media print { body { max-width: none; } .card { break-inside: avoid; } }
";

/// A report holds what others sent: nothing in it is fetched or run.
const ALLOWED: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// What runs in a page, and the data that it reads.
pub(super) struct Script<'a> {
    pub(super) code: &'a str,
    /// JSON without any `<`.
    pub(super) data: &'a str,
}

/// Returns a page without a script.
pub(super) fn page(title: &str, body: Markup) -> String {
    whole(title, ALLOWED, "", body)
}

/// Returns a page with a style and a script of its own.
pub(super) fn scripted(title: &str, style: &str, script: &Script<'_>, body: Markup) -> String {
    debug_assert!(!script.data.contains('<'));
    // This script alone: whoever writes the names and labels in the data cannot know the word, which depends on all of it.
    let word = format!("{:032x}", xxh3_128(script.data.as_bytes()));
    let allowed = format!("{ALLOWED}; script-src 'nonce-{word}'");
    let body = html! {
        (body)
        script type="application/json" id="data" { (PreEscaped(script.data)) }
        script nonce=(word) { (PreEscaped(script.code)) }
    };
    whole(title, &allowed, style, body)
}

fn whole(title: &str, allowed: &str, style: &str, body: Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(allowed);
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(style)) }
            }
            body { (body) }
        }
    };
    page.into_string()
}
