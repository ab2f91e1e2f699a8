//! One training latent.

use serde::Serialize;

use super::{EngineError, Session};
use crate::base::Observer;
use crate::latent::Level;

/// A training latent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LatentReport {
    /// Its id.
    pub latent: u64,
    /// Its label, where the index has labels.
    pub label: Option<i64>,
    /// Its bits in scan order as 0 and 1, a text for each level, coarse to fine.
    pub bits: Vec<String>,
    /// Ids of the other training latents that equal it, ascending.
    pub duplicates: Vec<u32>,
    /// The id before it that the index holds.
    pub before: Option<u32>,
    /// The id behind it that the index holds.
    pub next: Option<u32>,
}

/// Returns the bits of each level of a packed latent in scan order, as 0 and 1.
pub fn bits_in_words(levels: &[Level], packed: &[u8]) -> Vec<String> {
    let bit = |position: usize| match packed[position / 8] >> (position % 8) & 1 {
        0 => '0',
        _ => '1',
    };
    let levels = levels.iter();
    levels
        .map(|level| level.positions().map(bit).collect())
        .collect()
}

impl Session {
    /// Returns the first id that the index holds.
    ///
    /// # Errors
    /// [`EngineError::Memory`]; whatever the index reports.
    pub fn first_latent(&self, observer: &dyn Observer) -> Result<u32, EngineError> {
        Ok(self.corpus(observer)?.first())
    }

    /// Returns a training latent.
    ///
    /// ```
    /// # use bitquilt::engine::{Session, SessionOptions};
    /// # use bitquilt::{BuildOptions, LatentSet, Shape, Unobserved, build};
    /// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
    /// # for bits in ["101100", "111010", "101100"] {
    /// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
    /// # }
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("index");
    /// # build(&set, &path, &BuildOptions::new("seq:3".parse()?), &Unobserved)?;
    /// # let session = Session::open(&path, &SessionOptions::default())?;
    /// // Of 101100, 111010 and 101100 again:
    /// let latent = session.latent(2, &Unobserved)?;
    /// assert_eq!((latent.bits, latent.duplicates), (vec!["101100".to_owned()], vec![0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EngineError::Index`] for a latent that the index does not hold; [`EngineError::Memory`].
    pub fn latent(&self, id: u64, observer: &dyn Observer) -> Result<LatentReport, EngineError> {
        let held = self.index.held_latent(id)?;
        let corpus = self.corpus(observer)?;
        // An id that is held is below 2³².
        let id_held = id as u32;
        let [before, next] = corpus.beside(id_held);
        Ok(LatentReport {
            latent: id,
            label: held.label(),
            bits: bits_in_words(self.index.shape().levels(), held.packed()),
            duplicates: corpus.equal_to(id_held),
            before,
            next,
        })
    }
}
