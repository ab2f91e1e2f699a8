//! Connected pieces of a board, and which of them tells most.

use super::Information;
use super::board::{Board, BoardLayout, get};

/// What the sites of a grid weigh, as running sums over the bits of a board: a run of sites is two reads.
pub(crate) struct Weights {
    information: Vec<u64>,
    supported: Vec<u32>,
}

impl Weights {
    /// Weighs each site, row by row, by its information and whether any of its bits is supported.
    pub(crate) fn new(
        layout: BoardLayout,
        information: &[Information],
        supported: &[bool],
    ) -> Self {
        let bits = layout.words() * 64;
        let mut weights = Self {
            information: vec![0; bits + 1],
            supported: vec![0; bits + 1],
        };
        for row in 0..layout.height {
            for col in 0..layout.width {
                let (at, site) = (layout.at(row, col), row * layout.width + col);
                weights.information[at + 1] = information[site].units();
                weights.supported[at + 1] = u32::from(supported[site]);
            }
        }
        for at in 0..bits {
            weights.information[at + 1] += weights.information[at];
            weights.supported[at + 1] += weights.supported[at];
        }
        weights
    }
}

/// Sites side by side in one row, as bits of a board: from the first to behind the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// What a piece tells, and how large it is: the order in which pieces are preferred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Gain {
    pub(crate) information: Information,
    pub(crate) sites: u32,
}

/// Finds connected pieces: sites are neighbours when they share a side.
#[derive(Default)]
pub(crate) struct Components {
    runs: Vec<Run>,
    /// The run that stands for each run's piece: itself, or an earlier one of the same piece.
    parent: Vec<usize>,
    gains: Vec<Gain>,
    supported: Vec<u32>,
}

impl Components {
    /// Finds the piece of a board that tells most, among those with a supported bit; the first in scan order among
    /// equals. `None` when there is no such piece. O(words + runs).
    pub(crate) fn best(
        &mut self,
        board: &Board,
        layout: BoardLayout,
        weights: &Weights,
    ) -> Option<(Gain, usize)> {
        self.find_runs(board);
        self.join(layout.stride());
        self.gains.clear();
        self.gains.resize(self.runs.len(), Gain::default());
        self.supported.clear();
        self.supported.resize(self.runs.len(), 0);
        for number in 0..self.runs.len() {
            let root = self.root(number);
            let Run { start, end } = self.runs[number];
            let told = weights.information[end] - weights.information[start];
            self.gains[root].information += Information::from_units(told);
            // A board has fewer than 2³² sites: at most 2²⁰ and their margins.
            self.gains[root].sites += (end - start) as u32;
            self.supported[root] += weights.supported[end] - weights.supported[start];
        }
        let roots = (0..self.runs.len()).filter(|number| self.supported[*number] > 0);
        roots
            .map(|root| (self.gains[root], root))
            .reduce(|best, other| if other.0 > best.0 { other } else { best })
    }

    /// Returns the runs of a piece that [`Components::best`] just found.
    pub(crate) fn runs_of(&mut self, root: usize) -> Vec<Run> {
        let mut runs = Vec::new();
        for number in root..self.runs.len() {
            if self.root(number) == root {
                runs.push(self.runs[number]);
            }
        }
        runs
    }

    /// Runs never go on in the next row: a margin lies between.
    fn find_runs(&mut self, board: &Board) {
        self.runs.clear();
        let mut open = None;
        for (i, word) in board.iter().copied().enumerate() {
            let mut at = 0;
            loop {
                let rest = word >> at;
                let same = match open {
                    None => rest.trailing_zeros(),
                    Some(_) => rest.trailing_ones(),
                };
                at += same;
                if at >= 64 {
                    break;
                }
                let bit = i * 64 + at as usize;
                open = match open {
                    None => Some(bit),
                    Some(start) => {
                        self.runs.push(Run { start, end: bit });
                        None
                    }
                };
            }
        }
        debug_assert!(open.is_none() && !get(board, board.len() * 64 - 1));
    }

    fn join(&mut self, stride: usize) {
        self.parent.clear();
        self.parent.extend(0..self.runs.len());
        let mut above = 0;
        for number in 0..self.runs.len() {
            let Run { start, end } = self.runs[number];
            while self.runs[above].end + stride <= start {
                above += 1;
            }
            let mut other = above;
            while other < number && self.runs[other].start + stride < end {
                let (a, b) = (self.root(other), self.root(number));
                self.parent[a.max(b)] = a.min(b);
                other += 1;
            }
        }
    }

    fn root(&mut self, number: usize) -> usize {
        let mut root = number;
        while self.parent[root] != root {
            self.parent[root] = self.parent[self.parent[root]];
            root = self.parent[root];
        }
        root
    }
}
