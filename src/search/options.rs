//! What a search is asked for, and how it ended.

use std::time::Duration;

use crate::base::choice;
use crate::latent::PerLevel;

choice! {
    "kebab-case",
    /// What a search does at a dead end.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum Method {
        /// Return to the bit before (the paper).
        #[strum(message = "Return to the bit before")]
        Chronological,
        /// Return to the latest bit that is responsible: conflict-directed backjumping (Prosser 1993). A
        /// dead end blames the bits of its context and no others, and the bit it returns to inherits the
        /// blame.
        #[strum(message = "Return to the latest bit that is responsible")]
        Backjump,
        /// Draw whole rows from their exact conditional distribution, so that no dead end lies inside one,
        /// and backtrack over rows.
        #[default]
        #[strum(
            message = "Draw whole rows so that no dead end lies inside one, return to the latest row responsible"
        )]
        Row,
    }
}

choice! {
    "kebab-case",
    /// When the next smaller window answers for a bit.
    ///
    /// ```
    /// use bitquilt::{FixedBits, Rung, Search, SearchOptions, Status, Task};
    /// # use bitquilt::{BuildOptions, Index, LatentSet, Shape, Unobserved, build};
    /// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
    /// # for bits in ["101100", "111010"] {
    /// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
    /// # }
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("index");
    /// # let windows = vec!["seq:3".parse()?, "seq:1".parse()?];
    /// # let options = BuildOptions { windows, ..BuildOptions::new("seq:3".parse()?) };
    /// # build(&set, &path, &options, &Unobserved)?;
    /// # let index = Index::open(&path)?;
    /// # let (large, small) = (index.window("seq:3".parse()?)?, index.window("seq:1".parse()?)?);
    /// // Nothing follows 100 in 101100 and 111010; 0 alone is followed by both bits.
    /// let prefix = FixedBits::prefix([true, false, false]);
    /// let mut task = Task::new(
    ///     Rung { geometry: large.geometry(), counts: &large },
    ///     SearchOptions::default(),
    /// )
    /// .with(&prefix);
    /// task.rungs.push(Rung { geometry: small.geometry(), counts: &small });
    /// let mut search = Search::new(&task, 0)?;
    /// assert_eq!(search.advance(&|| false)?, Status::Sample);
    /// assert_eq!(search.answered()[3], Some(1), "the smaller window answers bit 3");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[derive(Default)]
    #[non_exhaustive]
    pub enum Backoff {
        /// Where the larger one has no match. Each bit is then supported at the largest window that has a match
        /// for its context; what that window does not support is never taken.
        #[default]
        #[strum(
            message = "Where the larger one has no match: each bit is supported at the largest that has one"
        )]
        OnNoMatch,
        /// Where a row would be dead otherwise, in the columns that kill it and nowhere else. Each bit is then
        /// supported at the largest window, except in intervals through which it leaves no way; rows above are
        /// not changed to avoid a smaller window. For [`Method::Row`] only.
        #[strum(
            message = "Where a row has no completion otherwise, and only in the columns that kill it"
        )]
        OnDeadEnd,
    }
}

/// How to search, constraints aside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchOptions {
    /// What to do at a dead end.
    pub method: Method,
    /// Sample j depends on the index's content, these options, the seed and j, and nothing else.
    pub seed: u64,
    /// Dead ends after which a search gives up; `None` for never.
    pub max_backtracks: Option<u64>,
    /// Time after which a search gives up; `None` for never. With a limit, which samples succeed
    /// depends on the machine's speed.
    pub timeout: Option<Duration>,
    /// States of a row followed at once by [`Method::Row`], at least 2; a row that needs more is searched
    /// in segments.
    pub max_states: usize,
    /// Dead ends after which [`Method::Row`] starts afresh, with what it has learned; then after twice as
    /// many, and so on. `None` for never.
    pub restart: Option<u64>,
    /// Occurrences that a (context, bit) needs to be supported, at least 1, by level.
    pub min_count: PerLevel<u64>,
    /// Values are drawn with probability ∝ n^(1/temperature): 1 as counted, less sharper, more flatter.
    /// Above 0, by level. A supported value never gets less than 2⁻⁵² of the other's probability.
    pub temperature: PerLevel<f64>,
    /// When a smaller window answers, if there are several.
    pub backoff: Backoff,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self {
            method: Method::default(),
            seed: 0,
            max_backtracks: Some(20_000),
            timeout: None,
            max_states: 1 << 14,
            restart: Some(50),
            min_count: 1.into(),
            temperature: 1.0.into(),
            backoff: Backoff::default(),
        }
    }
}
