//! One search, whichever way it walks.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::SearchError;
use super::options::{Counters, FixedBits, Method, SearchOptions, Status};
use super::rows::RowSearch;
use super::tree::BitSearch;
use crate::index::Counts;
use crate::window::{Frame, Geometry};

/// A search for the completions of some fixed bits, one after the other.
pub struct Search<'a, C>(Walk<'a, C>);

enum Walk<'a, C> {
    Bits(BitSearch<'a, C>),
    Rows(RowSearch<'a, C>),
}

impl<'a, C: Counts> Search<'a, C> {
    /// A search for sample `sample` of a run. Bits of `fixed` have their value; every other bit gets
    /// one that is supported.
    ///
    /// # Errors
    /// [`SearchError::OffGrid`] for a fixed position that the geometry's grid does not have,
    /// [`SearchError::TooLarge`] when backjumping would need more memory for blame than it may have.
    pub fn new(
        geometry: &'a Geometry,
        counts: &'a C,
        fixed: &FixedBits,
        options: SearchOptions,
        sample: u64,
    ) -> Result<Self, SearchError> {
        let shape = geometry.shape();
        let mut frame = Frame::new(shape, &[geometry]);
        for (position, bit) in fixed.iter() {
            if position >= shape.bits() {
                return Err(SearchError::OffGrid { position, shape });
            }
            frame.set(position, bit);
        }
        let seed = xxh3_64_with_seed(&sample.to_le_bytes(), options.seed);
        Ok(Self(match options.method {
            Method::Row => Walk::Rows(RowSearch::new(
                geometry, counts, fixed, options, seed, frame,
            )),
            Method::Chronological | Method::Backjump => Walk::Bits(BitSearch::new(
                geometry, counts, fixed, options, seed, frame,
            )?),
        }))
    }

    /// What the search has done so far.
    pub fn counters(&self) -> Counters {
        match &self.0 {
            Walk::Bits(search) => search.counters(),
            Walk::Rows(search) => search.counters(),
        }
    }

    /// The latent as it stands: the sample, after [`Status::Sample`]. Packed as a row of a latent set.
    pub fn to_packed(&self) -> Vec<u8> {
        match &self.0 {
            Walk::Bits(search) => search.frame().to_packed(),
            Walk::Rows(search) => search.frame().to_packed(),
        }
    }

    /// Goes on to the next completion; each is found once. `stop` is asked now and then.
    ///
    /// After [`Status::Sample`], [`Search::to_packed`] is the completion and the search can go on.
    /// [`Status::NoneExists`] proves that there is no further one. Budgets count from the first call.
    ///
    /// # Errors
    /// Whatever the index reports.
    pub fn advance(&mut self, stop: &dyn Fn() -> bool) -> Result<Status, SearchError> {
        match &mut self.0 {
            Walk::Bits(search) => search.advance(stop),
            Walk::Rows(search) => search.advance(stop),
        }
    }
}
