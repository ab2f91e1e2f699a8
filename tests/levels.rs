//! Pyramids told plainly: their contexts spelt out from the definitions, and some that are drawn at random.

use std::collections::BTreeMap;

use bitquilt::{Anchor, BuildOptions, Condition, Index, LatentSet, Shape, Window};
use proptest::prelude::*;

use crate::oracle::Grid;
use crate::support::*;

pub type Latent = Vec<bool>;

/// Height, width and channels of each level, coarse to fine.
pub type Sides = Vec<(usize, usize, usize)>;

/// What a context is, told plainly.
pub type Context = (Option<i64>, Vec<usize>, Vec<Option<bool>>);

/// Latents of a pyramid, and the windows of an index of them.
#[derive(Clone, Debug)]
pub struct Pyramids {
    pub sides: Sides,
    pub latents: Vec<Latent>,
    pub windows: Vec<Window>,
    pub anchor: Anchor,
    pub labels: Option<Vec<i64>>,
}

impl Pyramids {
    pub fn shape(&self) -> Shape {
        let levels = self.sides.iter();
        let levels =
            levels.map(|(height, width, channels)| Shape::new(*height, *width, *channels).unwrap());
        Shape::pyramid(&levels.collect::<Vec<_>>()).unwrap()
    }

    pub fn set(&self) -> LatentSet {
        let mut set = LatentSet::new(self.shape());
        for latent in &self.latents {
            set.push_bits(latent.iter().copied()).unwrap();
        }
        match &self.labels {
            Some(labels) => set.with_labels(labels.clone()).unwrap(),
            None => set,
        }
    }

    pub fn options(&self) -> BuildOptions {
        BuildOptions {
            windows: self.windows.clone(),
            anchor: self.anchor,
            condition: match self.labels {
                Some(_) => Condition::Label,
                None => Condition::None,
            },
            ..BuildOptions::default()
        }
    }

    pub fn built(&self) -> (tempfile::TempDir, Index) {
        built_with(&self.set(), &self.options())
    }

    pub fn bits(&self) -> usize {
        self.sides.iter().map(|(h, w, k)| h * w * k).sum()
    }

    /// The first position of a level.
    pub fn start(&self, level: usize) -> usize {
        self.sides[..level].iter().map(|(h, w, k)| h * w * k).sum()
    }

    /// The level, row, column and channel of a position.
    pub fn place(&self, position: usize) -> (usize, usize, usize, usize) {
        let level = (0..self.sides.len()).rfind(|level| self.start(*level) <= position);
        let level = level.unwrap();
        let (own, (_, width, channels)) = (position - self.start(level), self.sides[level]);
        let site = own / channels;
        (level, site / width, site % width, own % channels)
    }

    /// A bit of a level; `None` off its grid.
    pub fn bit(&self, latent: &[bool], level: usize, row: i64, col: i64, k: usize) -> Option<bool> {
        let (height, width, channels) = self.sides[level];
        let inside = (0..height as i64).contains(&row) && (0..width as i64).contains(&col);
        inside.then(|| {
            let site = row as usize * width + col as usize;
            latent[self.start(level) + site * channels + k]
        })
    }

    /// The context at a position, which must be of the window's level.
    pub fn context(
        &self,
        window: Window,
        latent: &[bool],
        label: Option<i64>,
        position: usize,
    ) -> Context {
        let (level, row, col, channel) = self.place(position);
        assert_eq!(level, window.level());
        let (height, width, channels) = self.sides[level];
        let (r, c) = (row as i64, col as i64);
        let mut place = vec![channel];
        if self.anchor == Anchor::Site {
            place.extend([row, col]);
        }
        let mut seen: Vec<_> = (0..channel)
            .map(|k| self.bit(latent, level, r, c, k))
            .collect();
        let (radius, parent) = match window {
            Window::Global => {
                let own = self.start(level)..position;
                place.extend([row, col]);
                seen.extend(latent[own].iter().map(|bit| Some(*bit)));
                (0, None)
            }
            Window::Square { radius } => (radius, None),
            Window::Level { radius, parent, .. } => (radius, parent),
            Window::Sites { count } => {
                let grid = Grid {
                    height,
                    width,
                    channels,
                };
                let sites = grid.nearest(count);
                for (up, right) in &sites {
                    let bits = (0..channels).map(|k| self.bit(latent, level, r - up, c + right, k));
                    seen.extend(bits);
                }
                let far = sites.iter().map(|(up, right)| *up.max(&right.abs()));
                let reach = far.max().unwrap_or(0) as usize;
                place.extend([row.min(reach), col.min(reach), (width - 1 - col).min(reach)]);
                return (label, place, seen);
            }
            _ => unreachable!("no other window is drawn"),
        };
        place.extend([
            row.min(radius),
            col.min(radius),
            (width - 1 - col).min(radius),
        ]);
        let reach = radius as i64;
        for up in (0..=reach).rev() {
            for right in -reach..=reach {
                if up > 0 || right < 0 {
                    seen.extend(
                        (0..channels).map(|k| self.bit(latent, level, r - up, c + right, k)),
                    );
                }
            }
        }
        if let Some(square) = parent {
            let (coarse_height, coarse_width, coarse_channels) = self.sides[level - 1];
            // In units of 1/height of the coarser level's height: the parent, and where in it the site begins.
            let (down, right) = (row * coarse_height, col * coarse_width);
            place.extend([down % height, right % width]);
            let (parent_row, parent_col) = ((down / height) as i64, (right / width) as i64);
            let square = square as i64;
            for row in parent_row - square..=parent_row + square {
                for col in parent_col - square..=parent_col + square {
                    let bits =
                        (0..coarse_channels).map(|k| self.bit(latent, level - 1, row, col, k));
                    seen.extend(bits);
                }
            }
        }
        (label, place, seen)
    }

    /// How often each bit followed each context of a window, and where.
    pub fn occurrences(&self, window: Window) -> BTreeMap<Context, [Vec<(u64, usize)>; 2]> {
        let mut found: BTreeMap<Context, [Vec<_>; 2]> = BTreeMap::new();
        let level = window.level();
        let (height, width, channels) = self.sides[level];
        let own = self.start(level)..self.start(level) + height * width * channels;
        for (id, latent) in self.latents.iter().enumerate() {
            let label = self.labels.as_ref().map(|labels| labels[id]);
            for position in own.clone() {
                let context = self.context(window, latent, label, position);
                let lists = found.entry(context).or_default();
                lists[usize::from(latent[position])].push((id as u64, position));
            }
        }
        found
    }
}

/// Pyramids of two or three levels, of at most so many bits, whose sizes need not divide each other.
pub fn sides(max_bits: usize) -> impl Strategy<Value = Sides> {
    let level = (1..=3usize, 1..=4usize, 1..=2usize);
    prop::collection::vec(level, 2..=3)
        .prop_map(|mut levels| {
            // Rows and columns grow.
            let (mut height, mut width) = (1, 1);
            for level in &mut levels {
                height = height.max(level.0);
                width = width.max(level.1);
                *level = (height, width, level.2);
            }
            levels
        })
        .prop_filter("too many bits", move |levels| {
            levels.iter().map(|(h, w, k)| h * w * k).sum::<usize>() <= max_bits
        })
}

/// Every window of a level, whole squares of both levels.
pub fn windows_of(sides: &Sides, level: usize) -> Vec<Window> {
    let max = |(height, width, _): (usize, usize, usize)| height.max(width) - 1;
    if level == 0 {
        let squares = (1..=max(sides[0])).map(|radius| Window::Square { radius });
        return squares.chain([Window::Global]).collect();
    }
    let parents = [None]
        .into_iter()
        .chain((0..=max(sides[level - 1])).map(Some));
    let windows = parents.flat_map(|parent| {
        (0..=max(sides[level])).map(move |radius| Window::Level {
            level,
            radius,
            parent,
        })
    });
    windows.collect()
}

pub fn pyramids(max_bits: usize, max_windows: usize) -> impl Strategy<Value = Pyramids> {
    sides(max_bits).prop_flat_map(move |sides| {
        let bits: usize = sides.iter().map(|(h, w, k)| h * w * k).sum();
        let windows: Vec<_> = (0..sides.len())
            .map(|level| {
                let all = windows_of(&sides, level);
                let max = max_windows.min(all.len());
                prop::sample::subsequence(all, 1..=max)
            })
            .collect();
        let few = prop::collection::vec(prop::collection::vec(any::<bool>(), bits), 1..=3);
        let more =
            prop::collection::vec((any::<prop::sample::Index>(), 0..bits, any::<bool>()), 0..6);
        let labels =
            prop_oneof![2 => Just(None), 1 => prop::collection::vec(0..2i64, 9).prop_map(Some)];
        (Just(sides), few, more, windows, anchors(), labels).prop_map(
            |(sides, few, more, windows, anchor, labels)| {
                let mut latents = few.clone();
                for (pick, at, flip) in more {
                    let mut latent = few[pick.index(few.len())].clone();
                    latent[at] ^= flip;
                    latents.push(latent);
                }
                let labels = labels.map(|labels| labels[..latents.len()].to_vec());
                Pyramids {
                    sides,
                    latents,
                    windows: windows.into_iter().flatten().collect(),
                    anchor,
                    labels,
                }
            },
        )
    })
}
