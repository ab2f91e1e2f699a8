//! The proof of promise P2 for samples: each bit that is not fixed is supported at the window that
//! answered it; bits that the network answered are marked as such and counted. From the index, or from the
//! training latents alone.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::{ANSWERED_FIXED, ANSWERED_INTERPOLATED, SampleSet, SamplesError};
use crate::base::Observer;
use crate::index::{Histogram, Index, IndexError, WindowIndex};
use crate::latent::{Bits, LatentSet, Level, Shape};
use crate::window::{Anchor, Condition, Frame, Geometry, Window};

/// A bit that nothing in the training set supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unsupported {
    /// Row of the samples file.
    pub sample: usize,
    /// Position of the bit.
    pub position: usize,
    /// The window that should support it.
    pub window: Window,
}

/// What a verification of samples found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SupportReport {
    /// Bits that were checked.
    pub checked: u64,
    /// Bits that the user fixed, which nothing needs to support.
    pub fixed: u64,
    /// Bits that the network answered, which are marked and not supported by anything.
    pub interpolated: u64,
    /// Bits without support, in order.
    pub unsupported: Vec<Unsupported>,
}

/// Who answers for a bit of a sample.
#[derive(Clone, Copy, PartialEq)]
enum By {
    User,
    Network,
    Window(Window),
}

/// Who answers for the bits of some samples.
struct Answering<'a> {
    samples: &'a SampleSet,
    /// For samples that do not say it, the window of each bit; else nothing.
    otherwise: Vec<By>,
}

impl<'a> Answering<'a> {
    /// Takes samples; those that do not say what answered are to be supported at `otherwise`, a window for each level.
    fn new(samples: &'a SampleSet, otherwise: &[Window]) -> Result<Self, SamplesError> {
        let shape = samples.latents.shape();
        let mut by = Vec::new();
        if let Some(answered) = &samples.answered_by {
            let windows = samples.windows.len();
            let windowed = answered.iter().filter(|by| **by != ANSWERED_INTERPOLATED);
            let most = windowed.max().copied().map_or(0, usize::from);
            return match most <= windows {
                true => Ok(Self {
                    samples,
                    otherwise: by,
                }),
                false => Err(SamplesError::Answered {
                    number: most,
                    windows,
                }),
            };
        }
        for level in shape.levels() {
            let of_level = |window: &&Window| window.level() == level.number();
            let own: Vec<&Window> = otherwise.iter().filter(of_level).collect();
            let [window] = own[..] else {
                let names: Vec<String> = otherwise.iter().map(Window::to_string).collect();
                return Err(SamplesError::Level {
                    level: level.number(),
                    found: if names.is_empty() {
                        "none".to_owned()
                    } else {
                        names.join(", ")
                    },
                });
            };
            by.extend(level.positions().map(|_| By::Window(*window)));
        }
        Ok(Self {
            samples,
            otherwise: by,
        })
    }

    /// Returns who answers for each bit of one sample.
    fn of(&self, sample: usize) -> Vec<By> {
        let bits = self.samples.latents.shape().bits();
        let Some(answered) = &self.samples.answered_by else {
            return self.otherwise.clone();
        };
        let answered = answered[sample * bits..(sample + 1) * bits].iter();
        let by = answered.map(|by| match *by {
            ANSWERED_FIXED => By::User,
            ANSWERED_INTERPOLATED => By::Network,
            number => By::Window(self.samples.windows[usize::from(number) - 1]),
        });
        by.collect()
    }

    /// Returns the windows that answer, each once.
    fn windows(&self) -> Vec<Window> {
        let named = match &self.samples.answered_by {
            Some(_) => self.samples.windows.clone(),
            None => {
                let by = self.otherwise.iter();
                let windows = by.filter_map(|by| match by {
                    By::Window(window) => Some(*window),
                    By::User | By::Network => None,
                });
                windows.collect()
            }
        };
        let mut once = HashSet::new();
        named
            .into_iter()
            .filter(|window| once.insert(*window))
            .collect()
    }
}

/// The samples, in an error.
const SAMPLES: &str = "the samples";

/// Returns the labels that contexts of a set are bound to: one for each latent, `None` without the condition.
fn labels_of<'a>(
    set: &'a LatentSet,
    condition: Condition,
    which: &'static str,
) -> Result<Option<&'a [i64]>, SamplesError> {
    match condition {
        Condition::None => Ok(None),
        Condition::Label => match set.labels() {
            Some(labels) => Ok(Some(labels)),
            None => Err(SamplesError::Unlabelled { which }),
        },
    }
}

/// Looks up every bit of every sample. Bits of a file without `answered_by` must be supported at `otherwise`, of
/// pyramids a window for each level. Where the index binds contexts to labels, a sample of a label that no training
/// latent has is supported nowhere.
///
/// ```
/// use bitquilt::{Ids, SampleSet, Window, verify_from_index};
/// # use bitquilt::{BuildOptions, Index, LatentSet, Shape, Unobserved, build};
/// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
/// # for bits in ["101100", "111010"] {
/// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
/// # }
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("index");
/// # build(&set, &path, &BuildOptions::new("seq:3".parse()?), &Unobserved)?;
/// # let index = Index::open(&path)?;
/// // In 101100 and 111010, 111 is never followed by 1.
/// let mut latents = LatentSet::new(Shape::new(1, 6, 1)?);
/// latents.push_bits([1, 1, 1, 1, 0, 0].map(|bit| bit == 1))?;
/// let samples =
///     SampleSet { latents, answered_by: None, windows: Vec::new(), min_count: 1.into(), without: Ids::default() };
/// let window: Window = "seq:3".parse()?;
/// let report = verify_from_index(&index, &samples, window, &Unobserved)?;
/// assert_eq!((report.checked, report.unsupported.len()), (6, 1));
/// assert_eq!(report.unsupported[0].position, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`SamplesError::Unlabelled`] for samples without labels where contexts are bound to them,
/// [`SamplesError::Index`] for a window that the index does not hold or that cannot be laid on the samples'
/// grid.
pub fn verify_from_index(
    index: &Index,
    samples: &SampleSet,
    otherwise: impl AsRef<[Window]>,
    observer: &dyn Observer,
) -> Result<SupportReport, SamplesError> {
    let shape = samples.latents.shape();
    let answering = Answering::new(samples, otherwise.as_ref())?;
    let labels = labels_of(&samples.latents, index.condition(), SAMPLES)?;
    let mut windows: Vec<(WindowIndex<'_>, Geometry)> = Vec::new();
    for window in answering.windows() {
        let held = index.window(window)?;
        windows.push((held, held.geometry_on(shape)?));
    }
    let geometries: Vec<_> = windows.iter().map(|(_, geometry)| geometry).collect();
    observer.stage("support", samples.latents.len() as u64, "samples");
    let rows = 0..samples.latents.len();
    let reports = rows.into_par_iter().map(|sample| {
        observer.check().map_err(IndexError::from)?;
        let mut frame = Frame::new(shape, &geometries);
        let given = index.given_if_seen(labels.map(|labels| labels[sample]))?;
        frame.load(
            samples.latents.packed_latent(sample),
            given.unwrap_or_default(),
        );
        let mut report = SupportReport::default();
        let asked = answering.of(sample);
        for (position, window) in asked.into_iter().enumerate() {
            let window = match window {
                By::User => {
                    report.fixed += 1;
                    continue;
                }
                By::Network => {
                    report.interpolated += 1;
                    continue;
                }
                By::Window(window) => window,
            };
            let held = windows.iter().find(|(_, held)| held.window() == window);
            // Contexts of a label that no training latent has never occurred.
            let held = held.filter(|_| given.is_some());
            let histogram = match held {
                Some((held, geometry)) => held.lookup(&geometry.lay_out(&frame, position))?,
                None => None,
            };
            let count = histogram.unwrap_or_default().count(frame.get(position));
            report.note(
                sample,
                position,
                window,
                count >= samples.min_count.of(window.level()),
            );
        }
        observer.advance(1);
        Ok(report)
    });
    let reports: Vec<_> = reports.collect::<Result<_, SamplesError>>()?;
    Ok(SupportReport::merged(reports))
}

/// Finds every bit's support by reading the training latents, bit by bit as the definition of a
/// context has it: no key, no index, no code shared with either. Time O(training bits × context
/// bits).
///
/// ```
/// use bitquilt::{Anchor, Condition, Ids, SampleSet, Window, verify_from_latents};
/// # use bitquilt::{LatentSet, Shape, Unobserved};
/// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
/// # for bits in ["101100", "111010"] {
/// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
/// # }
/// // In 101100 and 111010, 111 is never followed by 1.
/// let mut latents = LatentSet::new(Shape::new(1, 6, 1)?);
/// latents.push_bits([1, 1, 1, 1, 0, 0].map(|bit| bit == 1))?;
/// let samples =
///     SampleSet { latents, answered_by: None, windows: Vec::new(), min_count: 1.into(), without: Ids::default() };
/// let window: Window = "seq:3".parse()?;
/// let (anchor, condition) = (Anchor::None, Condition::None);
/// let report = verify_from_latents(&set, anchor, condition, &samples, window, &Unobserved)?;
/// assert_eq!((report.checked, report.unsupported.len()), (6, 1));
/// assert_eq!(report.unsupported[0].position, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`SamplesError::Shape`] for samples of another shape, [`SamplesError::Unlabelled`] for latents without
/// labels with [`Condition::Label`], [`SamplesError::Index`] for a window that does not fit the grid.
pub fn verify_from_latents(
    training: &LatentSet,
    anchor: Anchor,
    condition: Condition,
    samples: &SampleSet,
    otherwise: impl AsRef<[Window]>,
    observer: &dyn Observer,
) -> Result<SupportReport, SamplesError> {
    let (shape, on) = (training.shape(), samples.latents.shape());
    let answering = Answering::new(samples, otherwise.as_ref())?;
    let labels = labels_of(training, condition, "the training latents")?;
    let sample_labels = labels_of(&samples.latents, condition, SAMPLES)?;
    let mut reports = Vec::new();
    for window in answering.windows() {
        // Refuses a window that does not fit; nothing else of it is used.
        for shape in [shape, on] {
            Geometry::new(window, anchor, shape).map_err(crate::index::IndexError::from)?;
        }
        let placed = anchor == Anchor::Site || window.sees_everything();
        if on != shape && (placed || !on.lies_like(&shape)) {
            return Err(SamplesError::Shape {
                expected: shape.into(),
                found: on.into(),
            });
        }
        let (bits, mut report) = bits_at((window, anchor), &answering, sample_labels);
        let wanted: HashSet<&Wanted> = bits.iter().map(|(.., wanted)| wanted).collect();
        let counted = count_wanted((window, anchor), training, labels, &wanted, observer);
        observer.check().map_err(IndexError::from)?;
        for (sample, position, context) in &bits {
            let histogram = counted.get(context).copied().unwrap_or_default();
            let count = histogram.count(samples.latents.latent(*sample)[*position]);
            report.note(
                *sample,
                *position,
                window,
                count >= samples.min_count.of(window.level()),
            );
        }
        reports.push(report);
    }
    // Every window has counted the same fixed and interpolated bits.
    let first = reports.first();
    let (fixed, interpolated) = first.map_or((0, 0), |report| (report.fixed, report.interpolated));
    let mut merged = SupportReport::merged(reports);
    merged.fixed = fixed;
    merged.interpolated = interpolated;
    merged.unsupported.sort();
    Ok(merged)
}

/// A context as plain bits, with the label that it is bound to.
type Wanted = (Option<i64>, PlainContext);

/// Returns the bits of samples that a window answered, each with its context; and how many the user fixed and a network
/// answered.
fn bits_at(
    (window, anchor): (Window, Anchor),
    answering: &Answering<'_>,
    labels: Option<&[i64]>,
) -> (Vec<(usize, usize, Wanted)>, SupportReport) {
    let samples = answering.samples;
    let shape = samples.latents.shape();
    let mut bits = Vec::new();
    let mut report = SupportReport::default();
    for sample in 0..samples.latents.len() {
        let latent = samples.latents.latent(sample);
        let label = labels.map(|labels| labels[sample]);
        let asked = answering.of(sample);
        for (position, by) in asked.into_iter().enumerate() {
            match by {
                By::Window(own) if own == window => {
                    let plain = plain_context(shape, latent, window, anchor, position);
                    bits.push((sample, position, (label, plain)));
                }
                By::Window(_) => {}
                By::User => report.fixed += 1,
                By::Network => report.interpolated += 1,
            }
        }
    }
    (bits, report)
}

/// Counts what followed some contexts in the training latents; those that never occurred are not in it.
fn count_wanted(
    (window, anchor): (Window, Anchor),
    training: &LatentSet,
    labels: Option<&[i64]>,
    wanted: &HashSet<&Wanted>,
    observer: &dyn Observer,
) -> HashMap<Wanted, Histogram> {
    let shape = training.shape();
    observer.stage(&format!("{window}: read"), training.len() as u64, "latents");
    let counted = (0..training.len()).into_par_iter().fold(
        HashMap::new,
        |mut counted: HashMap<Wanted, Histogram>, id| {
            // Whoever asked for it looks whether the work was stopped.
            if observer.stop_requested() {
                return counted;
            }
            let latent = training.latent(id);
            let label = labels.map(|labels| labels[id]);
            let level = shape.level(window.level());
            for position in level.map_or(0..0, Level::positions) {
                let plain = plain_context(shape, latent, window, anchor, position);
                let context = (label, plain);
                if wanted.contains(&context) {
                    let histogram = counted.entry(context).or_default();
                    if latent[position] {
                        histogram.n1 += 1;
                    } else {
                        histogram.n0 += 1;
                    }
                }
            }
            observer.advance(1);
            counted
        },
    );
    counted.reduce(HashMap::new, |mut sum, part| {
        for (context, histogram) in part {
            let entry: &mut Histogram = sum.entry(context).or_default();
            entry.n0 += histogram.n0;
            entry.n1 += histogram.n1;
        }
        sum
    })
}

impl SupportReport {
    fn note(&mut self, sample: usize, position: usize, window: Window, supported: bool) {
        self.checked += 1;
        if !supported {
            self.unsupported.push(Unsupported {
                sample,
                position,
                window,
            });
        }
    }

    fn merged(reports: Vec<Self>) -> Self {
        reports
            .into_iter()
            .fold(Self::default(), |mut all, report| {
                all.checked += report.checked;
                all.fixed += report.fixed;
                all.interpolated += report.interpolated;
                all.unsupported.extend(report.unsupported);
                all
            })
    }
}

/// A context as the definition has it: channel, border class and site as far as they are part of it,
/// and its symbols in a fixed order: 0, 1, or 2 for absent.
type PlainContext = (Vec<usize>, Vec<u8>);

/// Returns a fraction in its lowest terms.
fn fraction(part: usize, whole: usize) -> [usize; 2] {
    let common = (1..=whole)
        .rev()
        .find(|by| part.is_multiple_of(*by) && whole.is_multiple_of(*by));
    [part, whole].map(|side| side / common.unwrap_or(1))
}

/// Returns the context of `position`, one site at a time.
fn plain_context(
    shape: Shape,
    latent: &Bits,
    window: Window,
    anchor: Anchor,
    position: usize,
) -> PlainContext {
    let level = shape.level_of(position);
    let (row, col, channel) = level.place(position);
    let mut place = vec![channel];
    if anchor == Anchor::Site {
        place.extend([row, col]);
    }
    let symbols = match window {
        Window::Sequence { length } => (1..=length)
            .map(|back| {
                position
                    .checked_sub(back)
                    .map_or(2, |p| u8::from(latent[p]))
            })
            .collect(),
        Window::Global => (0..position).map(|p| u8::from(latent[p])).collect(),
        // Ring by ring, as schemas/context-array.md has it.
        Window::Sites { count } => {
            let mut nearest = Vec::new();
            for ring in (1..).take_while(|ring| 2 * ring * (ring - 1) < count as isize) {
                nearest.push((0, -ring));
                nearest.extend((1..ring).flat_map(|up| [(-up, -ring), (-up, ring)]));
                nearest.extend((-ring..=ring).rev().map(|right| (-ring, right)));
            }
            nearest.truncate(count);
            let reach = nearest.last().map_or(0, |(down, right)| {
                usize::max(isize::unsigned_abs(*down), isize::unsigned_abs(*right))
            });
            let cut = [row, col, level.width() - 1 - col];
            place.extend(cut.map(|sites| sites.min(reach)));
            let of_site = |(down, right): &(isize, isize)| {
                let site = (
                    row.checked_add_signed(*down),
                    col.checked_add_signed(*right),
                );
                let bit = |k| match site {
                    (Some(r), Some(c)) if c < level.width() => {
                        u8::from(latent[level.position(r, c, k)])
                    }
                    _ => 2,
                };
                (0..level.channels()).map(bit).collect::<Vec<_>>()
            };
            let own = (0..channel).map(|k| u8::from(latent[level.position(row, col, k)]));
            own.chain(nearest.iter().flat_map(of_site)).collect()
        }
        Window::Square { radius } | Window::Level { radius, .. } => {
            let cut = [row, col, level.width() - 1 - col];
            place.extend(cut.map(|sites| sites.min(radius)));
            let radius = radius as isize;
            let mut symbols = Vec::new();
            for down in -radius..=0 {
                for right in -radius..=radius {
                    let site = (row.checked_add_signed(down), col.checked_add_signed(right));
                    let earlier = down < 0 || right < 0;
                    for k in 0..level.channels() {
                        if !earlier && (right > 0 || k >= channel) {
                            continue;
                        }
                        symbols.push(match site {
                            (Some(r), Some(c)) if c < level.width() => {
                                u8::from(latent[level.position(r, c, k)])
                            }
                            _ => 2,
                        });
                    }
                }
            }
            if let Window::Level {
                parent: Some(square),
                ..
            } = window
            {
                let coarse = shape.levels()[level.number() - 1];
                let (down, right) = (row * coarse.height(), col * coarse.width());
                // Where in its parent the site lies, as fractions of its sides.
                place.extend(fraction(down % level.height(), level.height()));
                place.extend(fraction(right % level.width(), level.width()));
                let (parent_row, parent_col) = (down / level.height(), right / level.width());
                let square = square as isize;
                for down in -square..=square {
                    for right in -square..=square {
                        let row = parent_row.checked_add_signed(down);
                        let col = parent_col.checked_add_signed(right);
                        let row = row.filter(|row| *row < coarse.height());
                        let site = row.zip(col.filter(|col| *col < coarse.width()));
                        for k in 0..coarse.channels() {
                            symbols.push(match site {
                                Some((row, col)) => u8::from(latent[coarse.position(row, col, k)]),
                                None => 2,
                            });
                        }
                    }
                }
            }
            symbols
        }
    };
    (place, symbols)
}
