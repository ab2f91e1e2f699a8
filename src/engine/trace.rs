//! Where samples come from.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_with::{DisplayFromStr, serde_as};

use super::{EngineError, Judged, Preload, Session, WindowChoice};
use crate::base::Observer;
use crate::copies::{Calibration, CopyCount, Verdict};
use crate::index::{Index, Resident};
use crate::latent::Shape;
use crate::provenance::Corpus;
use crate::samples::{ANSWERED_INTERPOLATED, SampleSet};
use crate::trace::{
    Background, Header, Remembered, SampleSummary, SetSummaries, SetSummary, Trace, TraceOptions,
    TracePart, TraceWriter, Traced, Tracer, summarize,
};
use crate::window::Window;

/// How samples are traced.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TraceRequest {
    /// Windows of the quilt. With none, those that answered for the samples (whole squares alone, if some are); else all of the
    /// index but the smallest. `longest`, alone, stands for every whole window of the deepest array, of each level.
    #[serde_as(as = "Vec<DisplayFromStr>")]
    pub windows: Vec<WindowChoice>,
    /// Numbers of the samples to trace; numbers that no sample has are left out.
    pub samples: Range<usize>,
    /// Postings to list for each bit.
    pub top: usize,
    /// Occurrences to follow for each bit; contexts that occur more often count as background.
    pub reach: usize,
    /// Nearest training latents to list for each sample.
    pub nearest: usize,
    /// Most reused training latents to list.
    pub credits: usize,
    /// Whether to trace to every training latent, also to those that the samples were generated without.
    pub all_latents: bool,
    /// Which windows to hold in memory.
    pub preload: Preload,
}

impl Default for TraceRequest {
    fn default() -> Self {
        let options = TraceOptions::default();
        Self {
            windows: Vec::new(),
            samples: 0..usize::MAX,
            top: options.top,
            reach: options.reach,
            nearest: options.nearest,
            credits: 10,
            all_latents: false,
            preload: Preload::Auto,
        }
    }
}

impl TraceRequest {
    /// Returns the numbers of those of some samples that are asked for.
    pub(super) fn range(&self, samples: &SampleSet) -> Range<usize> {
        let end = self.samples.end.min(samples.latents.len());
        self.samples.start.min(end)..end
    }
}

/// Samples ready to be traced: with the training latents, the windows and the background in memory.
///
/// ```
/// use bitquilt::engine::TraceRequest;
/// # use bitquilt::engine::{Session, SessionOptions};
/// # use bitquilt::{Ids, SampleSet};
/// # use bitquilt::{BuildOptions, LatentSet, Shape, Unobserved, build};
/// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
/// # for bits in ["101100", "111010"] {
/// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
/// # }
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("index");
/// # build(&set, &path, &BuildOptions::new("seq:3".parse()?), &Unobserved)?;
/// # let session = Session::open(&path, &SessionOptions::default())?;
/// // 111011 is new; 101100 and 111010 are the training latents.
/// let mut latents = LatentSet::new(Shape::new(1, 6, 1)?);
/// latents.push_bits([1, 1, 1, 0, 1, 1].map(|bit| bit == 1))?;
/// # let samples =
/// #     SampleSet { latents, answered_by: None, windows: Vec::new(), min_count: 1.into(), without: Ids::default() };
/// let tracing = session.tracing(&samples, &TraceRequest::default(), &Unobserved)?;
/// let summary = tracing.trace(&Unobserved, |traced| {
///     let nearest = &traced.trace.near.as_ref().expect("the grids are the same").nearest[0];
///     assert_eq!((nearest.latent, nearest.distance), (1, 1));
///     assert_eq!(traced.trace.quilt.regions[0].latent, 1);
///     Ok(())
/// })?;
/// assert_eq!((summary.samples, summary.exact_copies), (1, Some(0)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Tracing<'s> {
    index: Arc<Index>,
    corpus: Arc<Corpus>,
    tables: Vec<Option<Arc<Resident>>>,
    background: Arc<Background>,
    options: TraceOptions,
    range: Range<usize>,
    credits: usize,
    samples: &'s SampleSet,
    remembered: Option<Arc<Remembered>>,
}

/// What a trace file says of where things are.
#[derive(Clone, Debug, Default)]
pub struct TraceNames {
    /// The index.
    pub index: String,
    /// The samples.
    pub samples: String,
}

/// One sample, traced.
#[derive(Clone)]
pub struct TracedSample<'a> {
    /// Its number in the samples file.
    pub sample: usize,
    /// Its label, where the file has labels.
    pub label: Option<i64>,
    /// Its bits, packed.
    pub packed: &'a [u8],
    /// Where it comes from.
    pub trace: Trace,
    /// Its figures.
    pub summary: SampleSummary,
    /// How each bit was answered, where the samples file says so.
    pub answered_by: Option<&'a [u8]>,
    /// Whether a network answered each of its bits; empty where the samples file does not say.
    pub interpolated: Vec<bool>,
    /// Whether it is a copy, where whoever takes it has that judged ([`Copying::judge`](super::Copying::judge)).
    pub verdict: Option<Verdict>,
}

impl Session {
    /// Prepares to trace samples: of this search or any other latents of as many channels.
    ///
    /// # Errors
    /// [`EngineError::NoSamples`], [`EngineError::Without`]; [`EngineError::Request`] for a window that is named twice;
    /// [`EngineError::Trace`] for samples that do not fit the index; [`EngineError::Provenance`].
    pub fn tracing<'s>(
        &self,
        samples: &'s SampleSet,
        request: &TraceRequest,
        observer: &dyn Observer,
    ) -> Result<Tracing<'s>, EngineError> {
        let other = match request.all_latents {
            true => None,
            false => self.as_generated(samples)?,
        };
        let session = other.as_ref().unwrap_or(self);
        if samples.latents.is_empty() {
            return Err(EngineError::NoSamples);
        }
        let options = TraceOptions {
            windows: session.quilt_windows(request, samples)?,
            top: request.top,
            reach: request.reach,
            nearest: request.nearest,
        };
        let range = request.range(samples);
        let shape = samples.latents.shape();
        let windows = Tracer::windows_of(&session.index, &options)?;
        let lookups = range.len() as u64 * shape.bits() as u64;
        // First what there is no trace without: windows in memory only save time.
        let corpus = session.corpus(observer)?;
        let tables = session.tables(&windows, request.preload, |_| lookups, 0, observer)?;
        let mut tracing = Tracing {
            index: session.index.clone(),
            corpus,
            tables,
            background: Arc::default(),
            options,
            range,
            credits: request.credits,
            samples,
            remembered: None,
        };
        // Refuses what does not fit, before the background is looked for.
        tracing.tracer()?;
        tracing.background = session.background(&tracing.corpus, observer)?;
        Ok(tracing)
    }

    /// Holds the windows of a trace in memory where they fit, as for any number of samples: for whoever traces one after the other and does not
    /// know how many there will be.
    ///
    /// # Errors
    /// As [`Session::tracing`].
    pub fn hold_for_traces(
        &self,
        samples: &SampleSet,
        request: &TraceRequest,
        observer: &dyn Observer,
    ) -> Result<(), EngineError> {
        let options = TraceOptions {
            windows: self.quilt_windows(request, samples)?,
            ..TraceOptions::default()
        };
        // The training latents first, as a trace has it.
        self.corpus(observer)?;
        let windows = Tracer::windows_of(&self.index, &options)?;
        self.tables(&windows, request.preload, |_| u64::MAX, 0, observer)?;
        Ok(())
    }

    /// Returns the windows that were asked for; else those that answered for the samples, if the index holds them.
    fn quilt_windows(
        &self,
        request: &TraceRequest,
        samples: &SampleSet,
    ) -> Result<Vec<Window>, EngineError> {
        let windows = WindowChoice::windows(&request.windows, || {
            let shape = samples.latents.shape();
            Ok(self.fitting(self.whole_parts()?, shape))
        })?;
        for (number, window) in windows.iter().enumerate() {
            if windows[..number].contains(window) {
                return Err(EngineError::Request {
                    part: "the windows",
                    why: format!("window {window} is named twice: expected each once"),
                });
            }
        }
        if !windows.is_empty() {
            return Ok(windows);
        }
        let mut own = samples.windows.clone();
        let is_whole = |window: &Window| window.whole() == *window;
        if own.iter().any(is_whole) {
            own.retain(is_whole);
        }
        let held = own.iter().all(|window| self.index.window(*window).is_ok());
        Ok(if held { own } else { Vec::new() })
    }
}

impl<'s> Tracing<'s> {
    /// Makes the tracer of the samples.
    ///
    /// # Errors
    /// As [`Tracer::new`].
    pub fn tracer(&self) -> Result<Tracer<'_>, EngineError> {
        let tables = self.tables.iter().map(Option::as_deref).collect();
        let shape = self.samples.latents.shape();
        let options = self.options.clone();
        let tracer = Tracer::new(&self.index, &self.corpus, tables, shape, options)?;
        Ok(match &self.remembered {
            Some(remembered) => tracer.remembering(remembered),
            None => tracer,
        })
    }

    /// Remembers what earlier traces of this session did, and for later ones.
    #[must_use]
    pub fn remembering(mut self, remembered: &Arc<Remembered>) -> Self {
        self.remembered = Some(remembered.clone());
        self
    }

    /// Makes the header of a trace file; names of files are the caller's to fill in.
    ///
    /// # Errors
    /// As [`Tracing::tracer`].
    pub fn header(&self) -> Result<Header, EngineError> {
        let without = self.index.left_out();
        let windows = self.samples.windows.iter();
        Ok(Header {
            without: (!without.is_empty()).then(|| without.to_string()),
            answered_windows: windows.map(Window::to_string).collect(),
            ..Header::of(&self.tracer()?)
        })
    }

    /// Returns the number of samples to trace.
    pub fn count(&self) -> usize {
        self.range.len()
    }

    /// Returns the shape of the samples.
    pub fn shape(&self) -> Shape {
        self.samples.latents.shape()
    }

    /// Returns the share of the bits of these samples that a network answered; `None` where the samples file does not
    /// say, or none was.
    pub fn interpolated(&self) -> Option<f64> {
        let bits = self.shape().bits();
        let answered = self.samples.answered_by.as_deref()?;
        let answered = &answered[self.range.start * bits..self.range.end * bits];
        let marked = answered.iter().filter(|by| **by == ANSWERED_INTERPOLATED);
        let share = marked.count() as f64 / answered.len().max(1) as f64;
        (share > 0.0).then_some(share)
    }

    /// Traces the samples into a trace file, with their verdicts where they were judged, hands each to `take`, in order, and gives
    /// the figures of all. With `top`, that many postings of each bit are listed; without, nothing is said of single bits.
    ///
    /// # Errors
    /// [`EngineError::Stopped`]: what was written is not whole; [`EngineError::Io`] for what `out` reports; whatever the index
    /// reports, or `take` returns.
    pub fn write(
        &self,
        out: impl Write,
        names: &TraceNames,
        top: Option<usize>,
        judged: Option<&Judged>,
        observer: &dyn Observer,
        mut take: impl FnMut(TracedSample<'s>) -> Result<(), EngineError>,
    ) -> Result<SetSummary, EngineError> {
        let mut writer = TraceWriter::new(out, &self.named(names)?, &self.tracer()?, top)?;
        let summary = self.summed(judged, observer, |traced| {
            writer.add(&traced.entry())?;
            take(traced)
        })?;
        observer.check()?;
        writer.finish(&summary, judged.map(|judged| &judged.count))?;
        Ok(summary)
    }

    /// Traces the samples, hands each to `take`, in order, and gives the figures of all. When the observer asks to stop, of
    /// those that were traced.
    ///
    /// # Errors
    /// Whatever the index reports, or `take` returns.
    pub fn trace(
        &self,
        observer: &dyn Observer,
        take: impl FnMut(TracedSample<'s>) -> Result<(), EngineError>,
    ) -> Result<SetSummary, EngineError> {
        self.summed(None, observer, take)
    }

    fn summed(
        &self,
        judged: Option<&Judged>,
        observer: &dyn Observer,
        mut take: impl FnMut(TracedSample<'s>) -> Result<(), EngineError>,
    ) -> Result<SetSummary, EngineError> {
        let mut summaries = SetSummaries::default();
        self.trace_each(judged, observer, |traced| {
            summaries.add(&traced.trace, traced.summary.clone());
            take(traced)
        })?;
        Ok(summaries.finish(&self.tracer()?, &self.background, self.credits))
    }

    /// Traces some samples of a set whose others are traced elsewhere: [`Tracing::join`] puts the parts together.
    ///
    /// # Errors
    /// [`EngineError::Stopped`]; whatever the index reports.
    pub fn part(
        &self,
        top: Option<usize>,
        judged: Option<&Judged>,
        observer: &dyn Observer,
    ) -> Result<TracePart, EngineError> {
        let tracer = self.tracer()?;
        let mut part = TracePart::new(&self.header()?, self.range.start)?;
        self.trace_each(judged, observer, |traced| {
            Ok(part.add(&traced.entry(), &tracer, top)?)
        })?;
        observer.check()?;
        Ok(part)
    }

    /// Writes the trace file of which `parts` are all parts, in any order: the one that [`Tracing::write`] writes of these samples. With
    /// a calibration, by which all of them were judged at a rate of false alarms.
    ///
    /// # Errors
    /// [`EngineError::Request`] for parts of other samples, of other options or of another index, and where some are missing;
    /// [`EngineError::Io`] for what `out` reports.
    pub fn join(
        &self,
        out: impl Write,
        names: &TraceNames,
        mut parts: Vec<TracePart>,
        judged: Option<(&Calibration, f64)>,
    ) -> Result<SetSummary, EngineError> {
        let wrong = |why: String| EngineError::Request {
            part: "the parts of a trace",
            why,
        };
        parts.sort_by_key(TracePart::first);
        let header = self.header()?;
        let mut next = self.range.start;
        let mut copies = 0;
        for part in &parts {
            if !part.is_of(&header)? {
                let why =
                    "one of other samples, options or another index: expected parts of this trace";
                return Err(wrong(why.to_owned()));
            }
            let (was_judged, own) = part.copies();
            if part.first() != next || was_judged != (judged.is_some() && !part.is_empty()) {
                return Err(wrong(format!(
                    "expected one from sample {next} on, judged as the others, found one from sample {} on",
                    part.first()
                )));
            }
            next += part.len();
            copies += own;
        }
        if next != self.range.end {
            let end = self.range.end;
            return Err(wrong(format!(
                "expected samples up to {end}, found those up to {next}"
            )));
        }
        let tracer = self.tracer()?;
        let mut writer = TraceWriter::new(out, &self.named(names)?, &tracer, None)?;
        let mut figures = SetSummaries::default();
        for part in parts {
            part.write(&mut writer, &mut figures)?;
        }
        let summary = figures.finish(&tracer, &self.background, self.credits);
        let count = judged.map(|(calibration, false_alarms)| {
            CopyCount::of(calibration, false_alarms, self.range.len() as u64, copies)
        });
        writer.finish(&summary, count.as_ref())?;
        Ok(summary)
    }

    fn named(&self, names: &TraceNames) -> Result<Header, EngineError> {
        Ok(Header {
            index: names.index.clone(),
            samples_file: names.samples.clone(),
            ..self.header()?
        })
    }

    /// Traces the samples and hands each to `take`, in order, with its verdict where they were judged.
    fn trace_each(
        &self,
        judged: Option<&Judged>,
        observer: &dyn Observer,
        mut take: impl FnMut(TracedSample<'s>) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let tracer = self.tracer()?;
        let samples = self.samples;
        let latents = &samples.latents;
        let bits = latents.shape().bits();
        tracer.trace_all(latents, self.range.clone(), observer, |sample, trace| {
            let summary = summarize(&trace, &tracer, &self.background);
            let answered_by = samples.answered_by.as_deref();
            let answered_by = answered_by.map(|all| &all[sample * bits..(sample + 1) * bits]);
            let marks = |by: &[u8]| by.iter().map(|by| *by == ANSWERED_INTERPOLATED).collect();
            take(TracedSample {
                sample,
                label: latents.labels().map(|labels| labels[sample]),
                packed: latents.packed_latent(sample),
                trace,
                summary,
                answered_by,
                interpolated: answered_by.map(marks).unwrap_or_default(),
                verdict: judged.and_then(|judged| judged.of(sample).cloned()),
            })
        })
    }
}

impl TracedSample<'_> {
    /// Returns it as a trace file tells of it.
    fn entry(&self) -> Traced<'_> {
        let marked = self.interpolated.iter().filter(|marked| **marked);
        Traced {
            sample: self.sample,
            label: self.label,
            summary: &self.summary,
            trace: &self.trace,
            verdict: self.verdict.as_ref(),
            answered_by: self.answered_by,
            interpolated: self.answered_by.map(|_| marked.count()),
        }
    }
}
