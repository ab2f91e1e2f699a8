//! The trace file: JSON, written sample by sample. Its schema is `schemas/trace.schema.json`.

use std::io::{self, Write};

use serde::Serialize;

use super::{Quilt, SampleSummary, SetSummary, Trace, Tracer};
use crate::copies::{CopyCount, Verdict};
use crate::latent::Shape;

/// The version that this program writes.
pub const TRACE_VERSION: u32 = 1;

/// What was traced to what, and how.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Header {
    /// `bitquilt.trace`.
    pub format: &'static str,
    /// [`TRACE_VERSION`].
    pub version: u32,
    /// Where the index is.
    pub index: String,
    /// Where the samples are.
    pub samples_file: String,
    /// Height, width and channels of a sample, of its finest level.
    pub shape: [usize; 3],
    /// Its levels, coarse to fine: one for a latent of one level.
    pub levels: Vec<LevelHeader>,
    /// Training latents.
    pub training_latents: u64,
    /// Windows of the index, in its order.
    pub windows: Vec<String>,
    /// Windows of the quilt, level by level, largest first.
    pub quilt_windows: Vec<String>,
    /// The window that information is measured at, in the finest level.
    pub information_window: Option<String>,
    /// The information that a region must exceed to be a copy, in bits.
    pub copy_line: f64,
    /// Occurrences of a bit that were followed.
    pub reach: usize,
    /// Windows that answered for the samples, in the order in which they were asked; empty where the samples file does
    /// not say.
    pub answered_windows: Vec<String>,
    /// Training latents that were left out, in words; `None` when none were.
    pub without: Option<String>,
}

/// One level of a sample.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LevelHeader {
    /// Height, width and channels.
    pub shape: [usize; 3],
    /// The number of its first bit among those of the sample.
    pub first: usize,
    /// The window that information is measured at.
    pub information_window: Option<String>,
}

impl Header {
    /// Makes the header of a tracer's traces; names of files are the caller's to fill in.
    pub fn of(tracer: &Tracer<'_>) -> Self {
        let shape = tracer.shape();
        let quilt_windows = tracer.quilt_windows().iter();
        let yardsticks = tracer.yardsticks();
        let levels = shape.levels().iter().map(|level| {
            let mut own = yardsticks.iter();
            let own = own.find(|window| window.level() == level.number());
            LevelHeader {
                shape: [level.height(), level.width(), level.channels()],
                first: level.start(),
                information_window: own.map(ToString::to_string),
            }
        });
        Self {
            format: "bitquilt.trace",
            version: TRACE_VERSION,
            index: String::new(),
            samples_file: String::new(),
            shape: [shape.height(), shape.width(), shape.channels()],
            levels: levels.collect(),
            training_latents: tracer.training().latents() as u64,
            windows: tracer.windows().map(|window| window.to_string()).collect(),
            quilt_windows: quilt_windows.map(ToString::to_string).collect(),
            information_window: yardsticks.last().map(ToString::to_string),
            copy_line: tracer.copy_line(),
            reach: tracer.options().reach,
            answered_windows: Vec::new(),
            without: None,
        }
    }
}

#[derive(Serialize)]
struct RegionEntry {
    level: u32,
    latent: u32,
    down: i32,
    right: i32,
    row: usize,
    col: usize,
    sites: u32,
    bits: u32,
    information: f64,
    copied: bool,
}

#[derive(Serialize)]
struct BitsEntry<'a> {
    answered_by: Option<&'a [u8]>,
    support: &'a [Vec<u64>],
    window: &'a [Option<u8>],
    count: Vec<u64>,
    postings: Vec<Vec<(u64, usize)>>,
    region: &'a [Option<u32>],
}

#[derive(Serialize)]
struct SampleEntry<'a> {
    sample: usize,
    label: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interpolated: Option<usize>,
    summary: &'a SampleSummary,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'a Verdict>,
    regions: Vec<RegionEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bits: Option<BitsEntry<'a>>,
}

#[expect(clippy::expect_used, reason = "a quilt makes no region without a bit")]
fn regions_of(quilt: &Quilt, shape: Shape, line: f64) -> Vec<RegionEntry> {
    let mut first = vec![None; quilt.regions.len()];
    for (position, region) in quilt.region_of.iter().enumerate().rev() {
        if let Some(region) = region {
            first[*region as usize] = Some(position);
        }
    }
    let regions = quilt.regions.iter().zip(first);
    regions
        .map(|(region, first)| {
            let (row, col, _) = shape.place(first.expect("a region has a bit"));
            RegionEntry {
                level: region.level,
                latent: region.latent,
                down: region.down,
                right: region.right,
                row,
                col,
                sites: region.sites,
                bits: region.bits,
                information: region.information.in_bits(),
                copied: region.information.in_bits() > line,
            }
        })
        .collect()
}

#[derive(Serialize)]
struct Figures<'a> {
    #[serde(flatten)]
    summary: &'a SetSummary,
    #[serde(skip_serializing_if = "Option::is_none")]
    copies: Option<&'a CopyCount>,
}

/// A sample as it is written.
pub struct Traced<'a> {
    /// Its number in the samples file.
    pub sample: usize,
    /// Its label, where the file has labels.
    pub label: Option<i64>,
    /// Its figures.
    pub summary: &'a SampleSummary,
    /// Its trace.
    pub trace: &'a Trace,
    /// Whether it copies, where that was judged.
    pub verdict: Option<&'a Verdict>,
    /// How each bit was answered, where the samples file says so: 0 for a fixed bit, 255 for one by a
    /// network, or 1 + the number of the window in [`Header::answered_windows`].
    pub answered_by: Option<&'a [u8]>,
    /// How many of its bits a network answered, where the samples file says so.
    pub interpolated: Option<usize>,
}

/// Writes a trace file, sample by sample.
///
/// ```
/// use bitquilt::trace::{Traced, TraceWriter};
/// # use bitquilt::engine::{Session, SessionOptions, TraceRequest};
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
/// # let latents = LatentSet::from_packed(set.shape(), vec![0b110111])?;
/// # let samples =
/// #     SampleSet { latents, answered_by: None, windows: Vec::new(), min_count: 1.into(), without: Ids::default() };
/// let tracing = session.tracing(&samples, &TraceRequest::default(), &Unobserved)?;
/// let mut file = Vec::new();
/// let mut writer = TraceWriter::new(&mut file, &tracing.header()?, &tracing.tracer()?, None)?;
/// let summary = tracing.trace(&Unobserved, |traced| {
///     Ok(writer.add(&Traced {
///         sample: traced.sample,
///         label: traced.label,
///         summary: &traced.summary,
///         trace: &traced.trace,
///         verdict: None,
///         answered_by: traced.answered_by,
///         interpolated: None,
///     })?)
/// })?;
/// writer.finish(&summary, None)?;
/// let document: serde_json::Value = serde_json::from_slice(&file)?;
/// assert_eq!(document["samples"][0]["summary"]["supported"], 6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TraceWriter<W> {
    out: W,
    entries: Entries,
    written: usize,
}

/// What is told of a sample.
#[derive(Clone, Copy)]
pub(super) struct Entries {
    shape: Shape,
    line: f64,
    /// Postings of each bit; `None` leaves the bits out.
    top: Option<usize>,
}

impl Entries {
    pub(super) fn new(tracer: &Tracer<'_>, top: Option<usize>) -> Self {
        Self {
            shape: tracer.shape(),
            line: tracer.copy_line(),
            top,
        }
    }

    /// Returns what is written of a sample.
    pub(super) fn of<'t>(&self, traced: &Traced<'t>) -> impl Serialize + use<'t> {
        let support = &traced.trace.support;
        let bits = self.top.map(|top| BitsEntry {
            answered_by: traced.answered_by,
            support: &support.counts,
            window: &support.at,
            count: support.occurrences.iter().map(|told| told.count).collect(),
            postings: support
                .occurrences
                .iter()
                .map(|told| {
                    let first = told.postings.iter().take(top);
                    first.map(|p| (p.latent, p.position)).collect()
                })
                .collect(),
            region: &traced.trace.quilt.region_of,
        });
        SampleEntry {
            sample: traced.sample,
            label: traced.label,
            interpolated: traced.interpolated,
            summary: traced.summary,
            verdict: traced.verdict,
            regions: regions_of(&traced.trace.quilt, self.shape, self.line),
            bits,
        }
    }
}

impl<W: Write> TraceWriter<W> {
    /// Begins a file. With `top`, that many postings of each bit are listed; without, nothing is said of single bits.
    ///
    /// # Errors
    /// Whatever `out` reports.
    pub fn new(
        mut out: W,
        header: &Header,
        tracer: &Tracer<'_>,
        top: Option<usize>,
    ) -> io::Result<Self> {
        let header = serde_json::to_string(header)?;
        // The header's own closing brace comes last.
        let open = header.strip_suffix('}').unwrap_or(&header);
        write!(out, "{open},\n\"samples\":[")?;
        Ok(Self {
            out,
            entries: Entries::new(tracer, top),
            written: 0,
        })
    }

    /// Adds a sample.
    ///
    /// # Errors
    /// Whatever `out` reports.
    pub fn add(&mut self, traced: &Traced<'_>) -> io::Result<()> {
        let entry = self.entries.of(traced);
        self.add_entry(&entry)
    }

    /// Adds what is told of a sample.
    pub(super) fn add_entry(&mut self, entry: &impl Serialize) -> io::Result<()> {
        let between = if self.written == 0 { "\n" } else { ",\n" };
        self.out.write_all(between.as_bytes())?;
        serde_json::to_writer(&mut self.out, entry)?;
        self.written += 1;
        Ok(())
    }

    /// Ends the file with the figures of the set, and how many of it copy where that was judged.
    ///
    /// # Errors
    /// Whatever `out` reports.
    pub fn finish(mut self, summary: &SetSummary, copies: Option<&CopyCount>) -> io::Result<()> {
        self.out.write_all(b"\n],\n\"summary\":")?;
        serde_json::to_writer(&mut self.out, &Figures { summary, copies })?;
        self.out.write_all(b"}\n")?;
        self.out.flush()
    }
}
