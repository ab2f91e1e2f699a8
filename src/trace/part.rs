//! Part of a trace file: some samples of a set, traced by themselves, until all are put together.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::document::Entries;
use super::{Header, SetSummaries, TraceWriter, Traced, Tracer};

const FORMAT: &str = "bitquilt.trace-part";
const VERSION: u32 = 1;

/// Some samples of a set that follow one another, as the trace file tells of them, and what their figures add up to. As JSON it
/// goes from one process to another; what it looks like is between those two.
#[derive(Debug, Serialize, Deserialize)]
pub struct TracePart {
    format: String,
    version: u32,
    /// The header of the trace file, without names of files: the same in every part of it.
    header: String,
    /// The number of the first sample.
    first: usize,
    samples: Vec<Box<RawValue>>,
    figures: SetSummaries,
    /// Whether each is called a copy, where that was judged.
    copies: Vec<bool>,
}

impl TracePart {
    /// Begins a part with sample number `first`.
    ///
    /// # Errors
    /// [`io::Error`] for a header that JSON cannot write.
    pub fn new(header: &Header, first: usize) -> io::Result<Self> {
        Ok(Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            header: serde_json::to_string(header)?,
            first,
            samples: Vec::new(),
            figures: SetSummaries::default(),
            copies: Vec::new(),
        })
    }

    /// Reads a part; `None` for JSON that is none.
    pub fn read(text: &str) -> Option<Self> {
        let part: Self = serde_json::from_str(text).ok()?;
        let is_one = part.format == FORMAT && part.version == VERSION;
        let judged = part.copies.len() == part.samples.len() || part.copies.is_empty();
        (is_one && judged).then_some(part)
    }

    /// Adds a sample; `top` as of [`TraceWriter::new`].
    ///
    /// # Errors
    /// [`io::Error`] for figures that JSON cannot write.
    pub fn add(
        &mut self,
        traced: &Traced<'_>,
        tracer: &Tracer<'_>,
        top: Option<usize>,
    ) -> io::Result<()> {
        let entry = Entries::new(tracer, top).of(traced);
        self.samples.push(serde_json::value::to_raw_value(&entry)?);
        self.figures.add(traced.trace, traced.summary.clone());
        self.copies
            .extend(traced.verdict.map(|verdict| verdict.copy));
        Ok(())
    }

    /// Returns the number of its first sample.
    pub fn first(&self) -> usize {
        self.first
    }

    /// Returns how many samples it holds.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Returns whether it holds no sample.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Returns whether its samples were judged, and how many of them are called copies.
    pub fn copies(&self) -> (bool, u64) {
        let copies = self.copies.iter().filter(|copy| **copy).count();
        (!self.copies.is_empty(), copies as u64)
    }

    /// Returns whether it is of the trace file of this header.
    ///
    /// # Errors
    /// [`io::Error`] for a header that JSON cannot write.
    pub fn is_of(&self, header: &Header) -> io::Result<bool> {
        Ok(serde_json::to_string(header)? == self.header)
    }

    /// Writes its samples behind those of the parts before it, and adds their figures to those.
    ///
    /// # Errors
    /// Whatever the file reports.
    pub fn write<W: Write>(
        self,
        writer: &mut TraceWriter<W>,
        figures: &mut SetSummaries,
    ) -> io::Result<()> {
        for sample in &self.samples {
            writer.add_entry(sample)?;
        }
        figures.append(self.figures);
        Ok(())
    }
}
