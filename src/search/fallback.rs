//! Where no window has an answer, and the user allows it: a network's.

use super::SearchError;
use crate::base::choice;
use crate::window::Interpolator;
use crate::window::{Contexts, Frame, Geometry};

/// The least probability that a network gives a value: it never rules one out, so a bit that it may answer is
/// never a dead end.
pub const MIN_PROBABILITY: f64 = 1.0 / (1 << 20) as f64;

choice! {
    "kebab-case",
    /// When the network answers.
    #[non_exhaustive]
    pub enum Policy {
        /// For every bit whose context no window has a match for, instead of a dead end; found bit by bit.
        #[strum(
            message = "Where no window has a match, instead of a dead end; bits are then found one by one"
        )]
        OnNoMatch,
        /// When a search without it has proved that no sample exists, or spent its budget: then one that lets it in
        /// where a row would be dead otherwise, one column at a time.
        #[strum(
            message = "When a search without it has proved that there is no sample, or spent its budget"
        )]
        OnDeadEnd,
        /// For every free bit; no window is asked.
        #[strum(message = "For every free bit; no window is asked")]
        Always,
    }
}

/// A network that may answer.
///
/// ```
/// use bitquilt::samples::INTERPOLATED;
/// use bitquilt::search::Policy;
/// use bitquilt::{Contexts, Fallback, Interpolator, Rung, Search, SearchOptions, Task, Window};
/// # use bitquilt::FixedBits;
/// # use bitquilt::{BuildOptions, Index, LatentSet, Shape, Unobserved, build};
/// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
/// # for bits in ["101100", "111010"] {
/// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
/// # }
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("index");
/// # build(&set, &path, &BuildOptions::new("seq:3".parse()?), &Unobserved)?;
/// # let index = Index::open(&path)?;
/// # let window = index.window("seq:3".parse()?)?;
/// /// Gives both bits the same chance, whatever comes before.
/// struct Coin;
///
/// impl Interpolator for Coin {
///     fn window(&self) -> Window {
///         Window::Sequence { length: 3 }
///     }
///
///     fn probabilities(&self, contexts: &Contexts, found: &mut Vec<f32>) {
///         found.extend(vec![0.5; contexts.len()]);
///     }
/// }
///
/// // Nothing follows 100 in 101100 and 111010.
/// let prefix = FixedBits::prefix([true, false, false]);
/// let geometry = window.geometry();
/// let task = Task::new(Rung { geometry, counts: &window }, SearchOptions::default())
///     .with(&prefix)
///     .falling_back(Fallback { geometry, network: &Coin, policy: Policy::OnNoMatch, max_interpolated: None });
/// let mut search = Search::new(&task, 0)?;
/// search.advance(&|| false)?;
/// assert_eq!(search.answered()[3], Some(INTERPOLATED));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Fallback<'a> {
    /// Its window, laid on the grid of the samples.
    pub geometry: &'a Geometry,
    /// The network itself.
    pub network: &'a dyn Interpolator,
    /// When it is asked.
    pub policy: Policy,
    /// Most bits of a sample that it may answer; a sample that needs more ends as
    /// [`Status::CapReached`](crate::samples::Status::CapReached).
    pub max_interpolated: Option<u64>,
}

impl Fallback<'_> {
    /// Asks for the probabilities of a 0 and a 1 for each context.
    pub(super) fn ask(
        &self,
        contexts: &Contexts,
        chances: &mut Vec<[f64; 2]>,
    ) -> Result<(), SearchError> {
        let mut found = Vec::with_capacity(contexts.len());
        self.network.probabilities(contexts, &mut found);
        if found.len() != contexts.len() {
            return Err(SearchError::Interpolator {
                found: format!("{} answers to {} contexts", found.len(), contexts.len()),
            });
        }
        chances.clear();
        for one in found {
            if !(0.0..=1.0).contains(&one) {
                return Err(SearchError::Interpolator {
                    found: format!("a probability of {one}"),
                });
            }
            let one = f64::from(one).clamp(MIN_PROBABILITY, 1.0 - MIN_PROBABILITY);
            chances.push([1.0 - one, one]);
        }
        Ok(())
    }

    /// Adds the context of a position to those that are asked.
    pub(super) fn push(&self, frame: &Frame, position: usize, contexts: &mut Contexts) {
        contexts.push(self.geometry, frame, position);
    }
}
