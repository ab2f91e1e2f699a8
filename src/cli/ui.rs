//! What every verb needs of the terminal: progress bars, messages, Ctrl-C, and the refusal to
//! overwrite.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::flags::as_flags;
use bitquilt::base::Observer;

/// Set by the first Ctrl-C; the second one ends the process at once.
static STOP: AtomicBool = AtomicBool::new(false);

/// Whether work is under way that looks at `STOP`; without any, the first Ctrl-C ends the process.
static WATCHED: AtomicBool = AtomicBool::new(false);

/// Whether Ctrl-C is how the work is meant to end, in a moment: then nothing is said of it.
static STOPS_AT_ONCE: AtomicBool = AtomicBool::new(false);

/// How much is said beside results and errors.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// Nothing.
    Quiet,
    /// Progress on a terminal, and notes.
    Usual,
    /// What each stage took, too.
    Verbose,
}

/// The terminal as a verb sees it.
pub(crate) struct Ui {
    bar: Mutex<Option<ProgressBar>>,
    /// The stage under work and when it began.
    stage: Mutex<Option<(String, Instant)>>,
    verbosity: Verbosity,
    started: Instant,
}

impl Ui {
    /// Installs the Ctrl-C handler and looks at the terminal.
    pub(crate) fn new(verbosity: Verbosity) -> Self {
        static HANDLER: OnceLock<()> = OnceLock::new();
        HANDLER.get_or_init(|| {
            let stop = || {
                if STOP.load(Ordering::Relaxed) || !WATCHED.load(Ordering::Relaxed) {
                    // At once: after the destructors of statics a thread that still opens RocksDB reports damage (of 1,353
                    // signals to an opening index one did).
                    signal_hook::low_level::exit(130);
                }
                let message = b"\nstopping at the next safe point; Ctrl-C again stops at once\n";
                if !STOPS_AT_ONCE.load(Ordering::Relaxed) {
                    let _ = std::io::stderr().write_all(message);
                }
                // Only now: what is told at the safe point must not come before this.
                STOP.store(true, Ordering::Relaxed);
            };
            // A process that already has a handler keeps it: Ctrl-C then ends it at once.
            let _ = ctrlc::set_handler(stop);
        });
        Self {
            bar: Mutex::new(None),
            stage: Mutex::new(None),
            verbosity,
            started: Instant::now(),
        }
    }

    /// Writes one line to stderr, above any progress bar; options of the library are named as flags.
    pub(crate) fn note(&self, message: impl AsRef<str>) {
        if self.verbosity == Verbosity::Quiet {
            return;
        }
        let message = as_flags(message.as_ref());
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        match &*bar {
            Some(bar) => bar.suspend(|| eprintln!("{message}")),
            None => eprintln!("{message}"),
        }
    }

    /// Takes the progress bar away, and says what the stage took where that is wanted.
    pub(crate) fn finish(&self) {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((name, started)) = stage.take() {
            let seconds = started.elapsed().as_secs_f64();
            self.note(format!("{name}: {seconds:.2} s"));
        }
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Says that somebody looks whether Ctrl-C was pressed, and ends when it was.
    #[cfg(feature = "serve")]
    pub(crate) fn runs_until_stopped(&self) {
        STOPS_AT_ONCE.store(true, Ordering::Relaxed);
        WATCHED.store(true, Ordering::Relaxed);
    }

    /// Returns the time since the verb started.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Observer for Ui {
    fn stage(&self, name: &str, total: u64, unit: &str) {
        WATCHED.store(true, Ordering::Relaxed);
        self.finish();
        if self.verbosity == Verbosity::Verbose {
            let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
            *stage = Some((name.to_owned(), Instant::now()));
        }
        if self.verbosity == Verbosity::Quiet || !std::io::stderr().is_terminal() {
            return;
        }
        let template = if total == 0 {
            format!("{{spinner}} {name}: {{human_pos}} {unit} ({{rate}}) {{msg}}")
        } else {
            format!(
                "{name} {{wide_bar}} {{human_pos}}/{{human_len}} {unit} ({{rate}}, {{eta}} left) {{msg}}"
            )
        };
        // The template is ours; should indicatif refuse it, its own default style is still a bar.
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("rate", write_rate);
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(8));
        bar.set_style(style);
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    fn advance(&self, done: u64) {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = &*bar {
            bar.inc(done);
        }
    }

    fn detail(&self, text: &str) {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = &*bar {
            bar.set_message(text.to_owned());
        }
    }

    fn stop_requested(&self) -> bool {
        STOP.load(Ordering::Relaxed)
    }
}

/// Writes "1,234/s", or "2.5/s" where whole numbers would say little.
fn write_rate(state: &ProgressState, out: &mut dyn std::fmt::Write) {
    let rate = state.per_sec();
    // A closed terminal is no reason to stop.
    let _ = if rate < 10.0 {
        write!(out, "{rate:.1}/s")
    } else {
        write!(out, "{}/s", HumanCount(rate as u64))
    };
}

/// Refuses an output that exists, unless `force`, or is no file; and an output in a folder that does not exist.
pub(crate) fn check_output(path: &Path, force: bool) -> anyhow::Result<()> {
    check_place(path, force)?;
    // Results take a name by being renamed to it, which would replace a device or a folder too.
    if path.exists() && !path.is_file() {
        anyhow::bail!(
            "{}: expected the name of a file to write, found something else: choose another name",
            path.display()
        );
    }
    Ok(())
}

/// Refuses an output that exists, unless `force`; and an output in a folder that does not exist.
pub(crate) fn check_place(path: &Path, force: bool) -> anyhow::Result<()> {
    if path.exists() && !force {
        anyhow::bail!(
            "{}: exists already: choose another name, or pass --force to replace it",
            path.display()
        );
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        anyhow::bail!(
            "{}: expected a folder to write into, found none: create it first",
            folder.display()
        );
    }
    Ok(())
}
