//! The samples file: a latents file with, per bit, how it was answered, and per attempt how the
//! search went. Its page is `schemas/samples.md`.

use std::path::Path;

use super::{Attempt, INTERPOLATED, SamplesError};
use crate::base::Budget;
use crate::latent::tensors::{Tensor, TensorFile};
use crate::latent::{Codec, Ids, LatentSet, PerLevel, Shape};
use crate::window::Window;

/// `answered_by` of a bit that the user fixed.
pub const ANSWERED_FIXED: u8 = 0;

/// `answered_by` of a bit that the network answered.
pub const ANSWERED_INTERPOLATED: u8 = INTERPOLATED + 1;

/// The version that this program reads and writes.
const VERSION: &str = "1";

/// The setting that is read again.
const MIN_COUNT: &str = "min_count";

/// Samples, and what answered each of their bits as far as the search knows it.
///
/// ```
/// use bitquilt::SampleSet;
/// use bitquilt::engine::GenerateRequest;
/// use bitquilt::samples::ANSWERED_FIXED;
/// # use bitquilt::FixedBits;
/// # use bitquilt::engine::{Session, SessionOptions};
/// # use bitquilt::{BuildOptions, LatentSet, Shape, Unobserved, build};
/// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
/// # for bits in ["101100", "111010"] {
/// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
/// # }
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("index");
/// # build(&set, &path, &BuildOptions::new("seq:3".parse()?), &Unobserved)?;
/// # let session = Session::open(&path, &SessionOptions::default())?;
/// # let file = folder.path().join("samples.safetensors");
/// // One sample whose first three bits are fixed.
/// # let fixed = FixedBits::prefix([true, true, true]);
/// let request = GenerateRequest { samples: 0..1, fixed, ..GenerateRequest::default() };
/// session.generate(&request, &[], &Unobserved)?.write(&file)?;
///
/// let samples = SampleSet::read(&file)?;
/// assert_eq!(samples.latents.len(), 1);
/// assert_eq!(samples.windows, ["seq:3".parse()?]);
/// let fixed = ANSWERED_FIXED;
/// assert_eq!(samples.answered_by, Some(vec![fixed, fixed, fixed, 1, 1, 1]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleSet {
    /// The samples.
    pub latents: LatentSet,
    /// Per sample and bit: [`ANSWERED_FIXED`], [`ANSWERED_INTERPOLATED`], or 1 + the number of the window that
    /// answered in `windows`. N × HWK; `None` in a latents file that no search wrote.
    pub answered_by: Option<Vec<u8>>,
    /// The windows of the search, in the order in which they were asked.
    pub windows: Vec<Window>,
    /// Occurrences that each bit needed to be supported, by level.
    pub min_count: PerLevel<u64>,
    /// Training latents that had been left out of the index.
    pub without: Ids,
}

/// A run as it is written.
pub struct Run<'a> {
    /// Shape of every sample.
    pub shape: Shape,
    /// How the index's bits become an image.
    pub codecs: Vec<Codec>,
    /// Name of the index.
    pub source: String,
    /// The windows of the search, in the order in which they were asked.
    pub windows: &'a [Window],
    /// The label of every sample, where contexts are bound to one.
    pub label: Option<i64>,
    /// Training latents that were left out of the index.
    pub without: Ids,
    /// How it was searched, by name: written as metadata `samples.<name>`. `min_count` is the one that is read again.
    pub settings: &'a [(&'static str, String)],
    /// Its attempts, in order.
    pub attempts: &'a [Attempt],
}

impl Run<'_> {
    /// Returns the samples, without the attempts that found none.
    ///
    /// # Errors
    /// [`SamplesError::Latent`] when a sample is not of the run's shape.
    pub fn latents(&self) -> Result<LatentSet, SamplesError> {
        let rows = self
            .attempts
            .iter()
            .filter_map(|attempt| attempt.packed.as_deref());
        let mut set = LatentSet::from_packed(self.shape, rows.flatten().copied().collect())?;
        if let Some(label) = self.label {
            let labels = vec![label; set.len()];
            set = set.with_labels(labels)?;
        }
        Ok(set
            .with_codecs(self.codecs.clone())
            .with_source(self.source.clone()))
    }

    /// Returns for each bit of each sample what answered, as [`SampleSet::answered_by`] has it.
    fn answered_by(&self) -> Vec<u8> {
        let answered = self.attempts.iter().flat_map(|attempt| &attempt.answered);
        let answered = answered.map(|rung| rung.map_or(ANSWERED_FIXED, |rung| rung + 1));
        answered.collect()
    }

    /// Returns the samples as they are read from the file that [`Run::write`] writes.
    ///
    /// # Errors
    /// As [`Run::latents`].
    pub fn samples(&self) -> Result<SampleSet, SamplesError> {
        let mut settings = self.settings.iter();
        let min_count = settings.find(|(name, _)| *name == MIN_COUNT);
        let min_count = min_count.and_then(|(_, text)| text.parse().ok());
        Ok(SampleSet {
            latents: self.latents()?,
            answered_by: Some(self.answered_by()),
            windows: self.windows.to_vec(),
            // What a file that does not say it is read as.
            min_count: min_count.unwrap_or_else(|| 1.into()),
            without: self.without.clone(),
        })
    }

    /// Writes the samples file, whole or not at all. The same run gives the same bytes.
    ///
    /// # Errors
    /// [`SamplesError::Latent`].
    pub fn write(&self, path: &Path) -> Result<(), SamplesError> {
        let latents = self.latents()?;
        let mut file = latents.to_tensors();
        let mut add = |name: &str, tensor| file.tensors.insert(name.to_owned(), tensor);

        let bits = self.shape.bits();
        let shape = vec![latents.len(), bits];
        add("answered_by", Tensor::of_u8(shape, self.answered_by()));
        let found = self
            .attempts
            .iter()
            .filter(|attempt| attempt.packed.is_some());
        let numbers: Vec<_> = found.map(|attempt| attempt.index).collect();
        add("sample", Tensor::of_u64(&numbers));

        let of_attempts = |value: &dyn Fn(&Attempt) -> u64| {
            Tensor::of_u64(&self.attempts.iter().map(value).collect::<Vec<_>>())
        };
        add("attempt.index", of_attempts(&|a| a.index));
        add("attempt.status", of_attempts(&|a| a.status.number()));
        add("attempt.lookups", of_attempts(&|a| a.counters.lookups));
        add(
            "attempt.backtracks",
            of_attempts(&|a| a.counters.backtracks),
        );
        add(
            "attempt.longest_jump",
            of_attempts(&|a| a.counters.longest_jump),
        );
        add("attempt.deepest", of_attempts(&|a| a.counters.deepest));

        let windows: Vec<_> = self.windows.iter().map(Window::to_string).collect();
        let mut note = |name: &str, value: String| {
            file.metadata.insert(format!("samples.{name}"), value);
        };
        note("version", VERSION.to_owned());
        note("windows", windows.join(" "));
        for (name, value) in self.settings {
            note(name, value.clone());
        }
        if !self.without.is_empty() {
            let ids = self.without.to_string();
            file.metadata.insert("samples.without".to_owned(), ids);
        }
        Ok(file.write(path)?)
    }
}

impl From<LatentSet> for SampleSet {
    /// Takes latents that no search wrote.
    fn from(latents: LatentSet) -> Self {
        Self {
            latents,
            answered_by: None,
            windows: Vec::new(),
            min_count: 1.into(),
            without: Ids::default(),
        }
    }
}

impl SampleSet {
    /// Reads a samples file within what memory the machine can give: [`SampleSet::read_within`].
    ///
    /// # Errors
    /// As that has.
    pub fn read(path: &Path) -> Result<Self, SamplesError> {
        Self::read_within(path, Budget::of_machine())
    }

    /// Reads a samples file, or any latents file as samples whose bits nobody accounts for yet. Takes twice the file's
    /// length in memory while it reads.
    ///
    /// # Errors
    /// [`SamplesError::Format`]; [`SamplesError::Latent`], for a file that takes more than `memory` too.
    pub fn read_within(path: &Path, memory: Budget) -> Result<Self, SamplesError> {
        let mut file = TensorFile::read(path, memory)?;
        let answered_by = file.tensors.remove("answered_by");
        let windows = file.metadata.remove("samples.windows");
        let version = file.metadata.remove("samples.version");
        let min_count = file.metadata.remove(&format!("samples.{MIN_COUNT}"));
        let without = file.metadata.remove("samples.without");
        let latents = LatentSet::from_tensors(file, path)?;
        let wrong = |expected: String, found: String| SamplesError::Format {
            path: path.to_owned(),
            expected,
            found,
        };
        if let Some(version) = version.filter(|version| version != VERSION) {
            return Err(wrong(
                format!("samples.version {VERSION}: a newer file needs a newer bitquilt"),
                version,
            ));
        }
        let min_count = match &min_count {
            None => 1.into(),
            // By 0 occurrences anything would be supported.
            Some(text) => text
                .parse()
                .ok()
                .filter(|counts: &PerLevel<u64>| counts.all(|count| count > 0))
                .ok_or_else(|| {
                    wrong(
                        "a number of at least 1 in samples.min_count, and LEVEL:N for levels that differ"
                            .to_owned(),
                        text.clone(),
                    )
                })?,
        };
        let without = match &without {
            None => Ids::default(),
            Some(text) => text
                .parse()
                .map_err(|_| wrong("latent ids in samples.without".to_owned(), text.clone()))?,
        };
        let windows = windows.unwrap_or_default();
        let windows = windows.split_whitespace().map(|window| {
            let read = window.parse::<Window>();
            read.map_err(|error| wrong("windows in samples.windows".to_owned(), error.to_string()))
        });
        let windows = windows.collect::<Result<Vec<_>, _>>()?;
        let shape = latents.shape();
        let bits = shape.bits();
        let answered_by = answered_by.map(|tensor| {
            let whole =
                tensor.shape == [latents.len(), bits] && tensor.bytes.len() == latents.len() * bits;
            let windows_only = tensor.bytes.iter().filter(|by| **by != ANSWERED_INTERPOLATED);
            let worst = windows_only.max().copied().unwrap_or_default();
            if whole && usize::from(worst) <= windows.len() {
                return match of_other_level(&tensor.bytes, &shape, &windows) {
                    None => Ok(tensor.bytes),
                    Some((position, window)) => Err(wrong(
                        "bits answered by windows of their level".to_owned(),
                        format!("position {position} answered by {window}"),
                    )),
                };
            }
            Err(wrong(
                format!(
                    "tensor answered_by U8 [{}, {bits}] with values up to {}, one for each window, or \
                     {ANSWERED_INTERPOLATED}",
                    latents.len(),
                    windows.len()
                ),
                format!(
                    "{:?} {:?} with values up to {worst}",
                    tensor.dtype, tensor.shape
                ),
            ))
        });
        Ok(Self {
            answered_by: answered_by.transpose()?,
            latents,
            windows,
            min_count,
            without,
        })
    }
}

/// Returns a bit that a window of another level is said to have answered, if there is one.
fn of_other_level(answered: &[u8], shape: &Shape, windows: &[Window]) -> Option<(usize, Window)> {
    if !shape.is_pyramid() && windows.iter().all(|window| window.level() == 0) {
        return None;
    }
    let levels = shape.levels().iter();
    let levels: Vec<usize> = levels
        .flat_map(|level| level.positions().map(|_| level.number()))
        .collect();
    answered.chunks_exact(levels.len()).find_map(|row| {
        let bits = row.iter().zip(&levels).enumerate();
        let mut wrong = bits.filter_map(|(position, (by, level))| {
            let window = windows.get(usize::from(*by).checked_sub(1)?)?;
            (window.level() != *level).then_some((position, *window))
        });
        wrong.next()
    })
}
