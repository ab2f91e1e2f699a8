//! No sample that exists already: as a training latent, or as an earlier sample of the run.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use xxhash_rust::xxh3::xxh3_128;

use super::constraint::Constraint;
use crate::base::{Budget, Observer};
use crate::index::{Index, IndexError};
use crate::latent::{Level, Shape};
use crate::window::Frame;

/// Which levels of a sample equal those of no training latent, as text `finest`, `every` or the number of one.
///
/// ```
/// use bitquilt::Novel;
///
/// let shape = "2x2+4x4".parse()?;
/// assert_eq!("finest".parse::<Novel>()?.levels(&shape), Some(vec![1]));
/// assert_eq!(Novel::Every.levels(&shape), Some(vec![0, 1]));
/// assert_eq!(Novel::Level(2).levels(&shape), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Novel {
    /// The finest, which is what a picture shows; of a grid, all there is.
    Finest,
    /// Each of them.
    Every,
    /// The one of this number.
    Level(usize),
}

impl Novel {
    /// Returns the numbers of the levels; `None` where latents of `shape` have no such level.
    pub fn levels(self, shape: &Shape) -> Option<Vec<usize>> {
        let finest = shape.finest().number();
        match self {
            Self::Finest => Some(vec![finest]),
            Self::Every => Some((0..=finest).collect()),
            Self::Level(number) => (number <= finest).then(|| vec![number]),
        }
    }
}

impl FromStr for Novel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "finest" => Ok(Self::Finest),
            "every" => Ok(Self::Every),
            number => number
                .parse()
                .map(Self::Level)
                .map_err(|_| format!("'{text}': expected finest, every or the number of a level")),
        }
    }
}

impl fmt::Display for Novel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finest => f.write_str("finest"),
            Self::Every => f.write_str("every"),
            Self::Level(number) => number.fmt(f),
        }
    }
}

/// Latents that a sample must not be, or levels of latents that it must not have. Kept as XXH3-128 digests of 16 bytes: none
/// of them gets through, and another is taken for one of n with probability n/2¹²⁸.
///
/// ```
/// use bitquilt::{Shape, Taken};
///
/// let mut taken = Taken::none(Shape::new(1, 6, 1)?);
/// assert!(taken.add(&[0b010111]));
/// assert!(!taken.add(&[0b010111]), "it was taken before");
/// assert!(taken.contains(&[0b010111]) && !taken.contains(&[0b110111]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Taken {
    shape: Shape,
    parts: Vec<Part>,
}

/// What of a latent is compared.
#[derive(Clone, Debug)]
struct Part {
    /// The level; `None` for the whole latent.
    level: Option<Level>,
    digests: HashSet<u128>,
}

impl Part {
    fn digest(&self, packed: &[u8]) -> u128 {
        match self.level {
            None => xxh3_128(packed),
            Some(level) => xxh3_128(&level.bits_of(packed)),
        }
    }
}

impl Taken {
    /// Makes an empty set of whole latents: nothing is taken yet.
    pub fn none(shape: Shape) -> Self {
        let digests = HashSet::new();
        Self {
            shape,
            parts: vec![Part {
                level: None,
                digests,
            }],
        }
    }

    /// Rules out each of the named levels of every training latent of an index; numbers of levels that there are not count for
    /// nothing.
    ///
    /// # Errors
    /// [`IndexError::Memory`] when they take more than the budget, [`IndexError::Stopped`], and
    /// whatever keeps them from being read.
    pub fn training(
        index: &Index,
        levels: &[usize],
        budget: Budget,
        observer: &dyn Observer,
    ) -> Result<Self, IndexError> {
        let shape = index.shape();
        let of_shape = shape.levels().iter();
        let parts = of_shape.filter(|level| levels.contains(&level.number()));
        let parts = parts.map(|level| Part {
            level: shape.is_pyramid().then_some(*level),
            digests: HashSet::new(),
        });
        let parts: Vec<Part> = parts.collect();
        // 16 bytes and a control byte each, at most half of the places empty, twice that while it grows.
        let needed = index.latents().saturating_mul(17 * 3 * parts.len() as u64);
        let what = format!(
            "{}: digests of {} latents",
            index.path().display(),
            index.latents()
        );
        budget.check(needed, what)?;
        observer.stage("training latents", index.latents(), "latents");
        let mut taken = Self { shape, parts };
        for latent in index.scan_latents()? {
            let (id, latent) = latent?;
            taken.add(latent.packed());
            if id % 4096 == 0 {
                observer.check()?;
                observer.advance(4096);
            }
        }
        Ok(taken)
    }

    /// Memory held, about: the digests and a control byte each, in tables that are never more than 7/8 full.
    pub fn bytes(&self) -> u64 {
        let capacity: usize = self.parts.iter().map(|part| part.digests.capacity()).sum();
        (capacity as u64).saturating_mul(17 * 8) / 7
    }

    /// Returns the levels that are compared; none where whole latents are.
    pub fn levels(&self) -> Vec<usize> {
        let levels = self.parts.iter().filter_map(|part| part.level);
        levels.map(|level| level.number()).collect()
    }

    /// Whether a latent, or a level of it, is taken. `packed` is a row of a latent set.
    pub fn contains(&self, packed: &[u8]) -> bool {
        let mut parts = self.parts.iter();
        parts.any(|part| part.digests.contains(&part.digest(packed)))
    }

    /// Takes one more; `false` when nothing of it is new. `packed` is a row of a latent set.
    pub fn add(&mut self, packed: &[u8]) -> bool {
        let mut new = false;
        for part in &mut self.parts {
            let digest = part.digest(packed);
            new |= part.digests.insert(digest);
        }
        new
    }
}

impl Constraint for Taken {
    fn refuted(&self, frame: &Frame, decided: usize) -> Option<Vec<Range<usize>>> {
        // A latent of another grid is not one of these.
        if frame.shape() != self.shape {
            return None;
        }
        let bits = self.shape.bits();
        let mut parts = self.parts.iter();
        parts.find_map(|part| {
            let positions = part.level.map_or(0..bits, |level| level.positions());
            let known = positions.end <= decided;
            let taken = known && part.digests.contains(&part.digest(&frame.to_packed()));
            taken.then(|| vec![positions])
        })
    }
}
