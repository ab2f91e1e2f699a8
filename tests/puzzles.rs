//! Tasks small enough to try every latent, and what a search finds for them.

use std::collections::{BTreeMap, BTreeSet};

use bitquilt::{
    Anchor, Budget, Constraint, Counters, FixedBits, Given, Index, Method, Rung, Search,
    SearchOptions, Status, Taken, Task, Unobserved, Window, WindowIndex,
};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::labels::{built_with_labels, some_labels};
use crate::oracle::{Completions, Grid, Latent, Oracle, Rules};
use crate::search::{METHODS, unlimited};
use crate::support::*;

/// A training set and what its samples must satisfy.
#[derive(Clone, Debug)]
pub struct Puzzle {
    pub training: Sample,
    pub labels: Option<Vec<i64>>,
    /// Largest first.
    pub windows: Vec<Window>,
    pub anchor: Anchor,
    pub fixed: BTreeMap<usize, bool>,
    /// The label of the samples.
    pub label: Option<i64>,
    pub min_count: u64,
    pub novel: bool,
}

/// How much of a puzzle is drawn and not left plain.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub windows: usize,
    pub labels: bool,
    pub min_count: u64,
    pub novel: bool,
    pub max_free: usize,
}

impl Kind {
    /// One window and nothing else.
    pub const PLAIN: Self = Self {
        windows: 1,
        labels: false,
        min_count: 1,
        novel: false,
        max_free: 11,
    };
}

/// Puzzles on grids up to 4x4x2. Bits are fixed until few enough are free.
pub fn puzzles(kind: Kind) -> impl Strategy<Value = Puzzle> {
    let grid = (1..=4usize, 1..=4usize, 1..=2usize).prop_map(|(height, width, channels)| Grid {
        height,
        width,
        channels,
    });
    let windows = move |grid| {
        let all = windows_that_fit(grid);
        let max = all.len().min(kind.windows);
        let min = max.min(2);
        prop::sample::subsequence(all, min..=max)
    };
    grid.prop_flat_map(move |grid| (latents(grid, 8), windows(grid), anchors(), any::<u64>()))
        .prop_map(move |(training, mut windows, anchor, seed)| {
            windows.reverse();
            let mut random = Random(seed);
            let bits = training.grid.bits();
            let fixed = some_fixed(&training, &mut random, kind.max_free.min(bits));
            let labels = kind
                .labels
                .then(|| some_labels(training.latents.len(), &mut random));
            let label = labels
                .as_ref()
                .map(|labels| labels[random.below(labels.len() as u64) as usize]);
            Puzzle {
                training,
                labels,
                windows,
                anchor,
                fixed,
                label,
                min_count: kind.min_count,
                novel: kind.novel,
            }
        })
}

/// Nothing, a beginning, or bits anywhere, as a training latent or nobody has them.
fn some_fixed(training: &Sample, random: &mut Random, max_free: usize) -> BTreeMap<usize, bool> {
    let bits = training.grid.bits();
    let donor: Latent = match random.below(3) {
        0 => (0..bits).map(|_| random.bit()).collect(),
        _ => training.latents[random.below(training.latents.len() as u64) as usize].clone(),
    };
    let mut places: BTreeSet<usize> = match random.below(4) {
        0 | 1 => BTreeSet::new(),
        2 => (0..random.below(bits as u64 / 2 + 1) as usize).collect(),
        _ => (0..bits).filter(|_| random.below(4) == 0).collect(),
    };
    while bits - places.len() > max_free {
        places.insert(random.below(bits as u64) as usize);
    }
    places
        .into_iter()
        .map(|place| (place, donor[place]))
        .collect()
}

/// An index of a puzzle, with what its tasks borrow.
pub struct Board {
    _folder: TempDir,
    pub index: Index,
    windows: Vec<Window>,
    fixed: FixedBits,
    training: Option<Taken>,
    given: Given,
    min_count: u64,
}

impl Puzzle {
    pub fn board(&self) -> Board {
        let (folder, index) = match &self.labels {
            Some(labels) => built_with_labels(&self.training, labels, &self.windows, self.anchor),
            None => built(&self.training.set(), &self.windows, self.anchor),
        };
        let mut fixed = FixedBits::none();
        for (position, bit) in &self.fixed {
            fixed.fix(*position, *bit).unwrap();
        }
        let given = index.given(self.label).unwrap();
        let training = self
            .novel
            .then(|| Taken::training(&index, &[0], Budget::of_machine(), &Unobserved).unwrap());
        Board {
            _folder: folder,
            index,
            windows: self.windows.clone(),
            fixed,
            training,
            given,
            min_count: self.min_count,
        }
    }

    pub fn rules(&self) -> Rules {
        let Sample { grid, latents } = &self.training;
        let oracles = self.windows.iter().map(|window| {
            let anchored = self.anchor == Anchor::Site;
            let labels = self.labels.as_deref();
            let mut oracle = Oracle::labelled(*grid, *window, anchored, latents, labels);
            oracle.label = self.label;
            oracle
        });
        Rules {
            oracles: oracles.collect(),
            min_count: self.min_count,
            fixed: self.fixed.clone(),
            taken: if self.novel {
                latents.clone()
            } else {
                Vec::new()
            },
        }
    }

    pub fn free(&self) -> usize {
        self.training.grid.bits() - self.fixed.len()
    }
}

impl Board {
    /// Gives `work` the task with these options.
    pub fn with<T>(&self, options: SearchOptions, work: impl FnOnce(&Task<'_>) -> T) -> T {
        let held: Vec<WindowIndex<'_>> = self
            .windows
            .iter()
            .map(|window| self.index.window(*window).unwrap())
            .collect();
        let rungs = held.iter().map(|held| Rung {
            geometry: held.geometry(),
            counts: held,
        });
        let mut constraints: Vec<&dyn Constraint> = vec![&self.fixed];
        if let Some(training) = &self.training {
            constraints.push(training);
        }
        work(&Task {
            rungs: rungs.collect(),
            constraints,
            given: self.given,
            options: SearchOptions {
                min_count: self.min_count.into(),
                ..options
            },
            fallbacks: Vec::new(),
        })
    }
}

/// Everything that a search without a budget finds, and what it did.
pub fn all_found(task: &Task<'_>) -> (Completions, Counters) {
    let bits = task.shape().unwrap().bits();
    let mut search = Search::new(task, 0).unwrap();
    let mut found = Completions::new();
    loop {
        match search.advance(&|| false).unwrap() {
            Status::Sample => {
                let before = found.insert(unpacked(&search.to_packed(), bits), search.answered());
                assert_eq!(before, None, "found twice");
            }
            Status::NoneExists => return (found, search.counters()),
            other => panic!("{other} without a budget"),
        }
    }
}

/// Every way to search: the three methods, and rows with other restarts and in segments.
pub fn searches(seed: u64) -> Vec<SearchOptions> {
    let rows = [None, Some(1), Some(3)].into_iter().flat_map(|restart| {
        [2, 3, 1 << 14].map(|max_states| SearchOptions {
            restart,
            max_states,
            ..unlimited(Method::Row, seed)
        })
    });
    METHODS
        .map(|method| unlimited(method, seed))
        .into_iter()
        .chain(rows)
        .collect()
}
