//! What the right quilt is, written straight from its definition: every training latent at every
//! displacement is tried before each region is taken.

use std::collections::{BTreeMap, BTreeSet};

use crate::oracle::{Grid, Latent, Oracle};

/// A region as plain data.
#[derive(Clone, Debug, PartialEq)]
pub struct PlainRegion {
    pub latent: u64,
    pub down: i64,
    pub right: i64,
    pub bits: BTreeSet<usize>,
    pub units: u64,
}

pub type Site = (i64, i64);
pub type Source = (u64, i64, i64);

pub struct Quilts<'a> {
    pub training: Grid,
    pub grid: Grid,
    pub sample: &'a Latent,
    /// Quilt windows, largest first.
    pub windows: &'a [Oracle],
    /// The smallest window of the index.
    pub yardstick: &'a Oracle,
    pub label: Option<i64>,
}

pub fn place(grid: Grid, position: usize) -> (i64, i64, usize) {
    let site = position / grid.channels;
    let (row, col) = (site / grid.width, site % grid.width);
    (row as i64, col as i64, position % grid.channels)
}

impl Quilts<'_> {
    fn site(&self, position: usize) -> Site {
        let (row, col, _) = place(self.grid, position);
        (row, col)
    }

    fn bits_of(&self, site: Site) -> std::ops::Range<usize> {
        let first = (site.0 as usize * self.grid.width + site.1 as usize) * self.grid.channels;
        first..first + self.grid.channels
    }

    /// Where the bit at a position followed its context.
    pub fn occurrences(&self, oracle: &Oracle, position: usize) -> Vec<(u64, usize)> {
        let on_grid = Oracle {
            grid: self.grid,
            window: oracle.window,
            anchored: oracle.anchored,
            label: self.label,
            occurrences: BTreeMap::new(),
        };
        let context = on_grid.context(self.sample, position);
        let lists = oracle.occurrences.get(&context);
        lists.map_or(Vec::new(), |lists| {
            lists[usize::from(self.sample[position])].clone()
        })
    }

    /// The largest window that supports each bit.
    pub fn at(&self) -> Vec<Option<usize>> {
        let supports = |position: usize| {
            let supported = |window: &Oracle| !self.occurrences(window, position).is_empty();
            self.windows.iter().position(supported)
        };
        (0..self.grid.bits()).map(supports).collect()
    }

    /// In units of 2⁻²⁰ bits.
    pub fn units(&self) -> Vec<u64> {
        let of = |position: usize| {
            let mut other = self.sample.clone();
            other[position] = !other[position];
            let same = self.occurrences(self.yardstick, position).len() as f64;
            let other = Quilts {
                sample: &other,
                ..*self
            };
            let different = other.occurrences(self.yardstick, position).len() as f64;
            let share = (same + 0.5) / (same + different + 1.0);
            (-share.log2() * 1_048_576.0).round() as u64
        };
        (0..self.grid.bits()).map(of).collect()
    }

    /// For every training latent at every displacement that a window vouches for, the sites that it does.
    fn footprints(&self, at: &[Option<usize>]) -> BTreeMap<Source, BTreeSet<Site>> {
        let mut footprints: BTreeMap<Source, BTreeSet<Site>> = BTreeMap::new();
        for (number, window) in self.windows.iter().enumerate() {
            let mut vouched: BTreeMap<Source, BTreeSet<usize>> = BTreeMap::new();
            for position in (0..self.grid.bits()).filter(|position| at[*position] == Some(number)) {
                let (row, col, _) = place(self.grid, position);
                for (latent, under) in self.occurrences(window, position) {
                    let (down, right, _) = place(self.training, under);
                    let source = (latent, down - row, right - col);
                    let bits = vouched.entry(source).or_default();
                    bits.insert(position);
                    // Context bits pair up in their order; a pair counts where it is moved like the bit.
                    let seen = self.grid.selected(window.window, position);
                    let there = self.training.selected(window.window, under);
                    for (seen, there) in seen.into_iter().zip(there) {
                        let (Some(seen), Some(there)) = (seen, there) else {
                            continue;
                        };
                        let (r, c, _) = place(self.grid, seen);
                        let (rr, cc, _) = place(self.training, there);
                        if (rr - r, cc - c) == (source.1, source.2) {
                            bits.insert(seen);
                        }
                    }
                }
            }
            for (source, bits) in vouched {
                let sites: BTreeSet<_> = bits.iter().map(|position| self.site(*position)).collect();
                let whole = |site: &Site| self.bits_of(*site).all(|bit| bits.contains(&bit));
                let sites = sites.into_iter().filter(whole);
                footprints.entry(source).or_default().extend(sites);
            }
        }
        footprints
    }

    pub fn quilt(&self) -> Vec<PlainRegion> {
        let (at, units) = (self.at(), self.units());
        let parts = (0..self.grid.bits()).map(|position| {
            let window = &self.windows[at[position]?];
            let (latent, under) = self.occurrences(window, position)[0];
            let (row, col, _) = place(self.grid, position);
            let (down, right, _) = place(self.training, under);
            let seen = self.grid.selected(window.window, position);
            let seen = seen.into_iter().flatten().chain([position]);
            let own = seen.filter(|bit| self.site(*bit) == (row, col)).collect();
            Some(((latent, down - row, right - col), own))
        });
        let parts: Vec<Option<Part>> = parts.collect();
        cut(self.grid, &parts, &units, &self.footprints(&at))
    }
}

/// What a supported bit has of itself where no source has its whole site: its first occurrence, and the bits of its site that its
/// context sees, itself included.
pub type Part = (Source, BTreeSet<usize>);

/// Cuts a grid. `parts` has each supported bit, `units` what each tells, `footprints` the sites that every source has.
pub fn cut(
    grid: Grid,
    parts: &[Option<Part>],
    units: &[u64],
    footprints: &BTreeMap<Source, BTreeSet<Site>>,
) -> Vec<PlainRegion> {
    let site_of = |position| {
        let (row, col, _) = place(grid, position);
        (row, col)
    };
    let bits_of = |site: &Site| {
        let first = (site.0 as usize * grid.width + site.1 as usize) * grid.channels;
        first..first + grid.channels
    };
    let mut free: BTreeSet<Site> = (0..grid.bits()).map(site_of).collect();
    let sum = |bits: &BTreeSet<usize>| bits.iter().map(|bit| units[*bit]).sum::<u64>();
    let mut regions = Vec::new();
    loop {
        let mut best: Option<(u64, usize, Source, BTreeSet<Site>)> = None;
        for (source, footprint) in footprints {
            let left = footprint.intersection(&free).copied().collect();
            for piece in pieces(left) {
                let mut bits = piece.iter().flat_map(bits_of);
                if !bits.clone().any(|bit| parts[bit].is_some()) {
                    continue;
                }
                let told = sum(&bits.by_ref().collect());
                let rank =
                    |(latent, down, right): Source| (latent, down.abs() + right.abs(), down, right);
                let better = best.as_ref().is_none_or(|(max, sites, other, _)| {
                    (told, piece.len()) > (*max, *sites)
                        || (told, piece.len()) == (*max, *sites) && rank(*source) < rank(*other)
                });
                if better {
                    best = Some((told, piece.len(), *source, piece));
                }
            }
        }
        let Some((units, _, (latent, down, right), piece)) = best else {
            break;
        };
        free.retain(|site| !piece.contains(site));
        let bits = piece.iter().flat_map(bits_of).collect();
        regions.push(PlainRegion {
            latent,
            down,
            right,
            bits,
            units,
        });
    }
    // What no source has as a whole site.
    let mut open: BTreeSet<usize> = free.iter().flat_map(bits_of).collect();
    for position in (0..grid.bits()).rev() {
        let (Some(((latent, down, right), own)), true) =
            (&parts[position], open.contains(&position))
        else {
            continue;
        };
        let bits: BTreeSet<_> = own.intersection(&open).copied().collect();
        open.retain(|bit| !bits.contains(bit));
        regions.push(PlainRegion {
            latent: *latent,
            down: *down,
            right: *right,
            units: sum(&bits),
            bits,
        });
    }
    regions.sort_by_key(|region| {
        let size = (region.units, region.bits.len());
        let moved = region.down.abs() + region.right.abs();
        let rank = (region.latent, moved, region.down, region.right);
        (std::cmp::Reverse(size), rank, region.bits.first().copied())
    });
    regions
}

/// The connected pieces of some sites, the one with the first site first. Sites are neighbours when they
/// share a side.
pub fn pieces(mut sites: BTreeSet<Site>) -> Vec<BTreeSet<Site>> {
    let mut pieces = Vec::new();
    while let Some(first) = sites.pop_first() {
        let (mut piece, mut edge) = (BTreeSet::from([first]), vec![first]);
        while let Some((row, col)) = edge.pop() {
            for near in [
                (row - 1, col),
                (row + 1, col),
                (row, col - 1),
                (row, col + 1),
            ] {
                if sites.remove(&near) {
                    piece.insert(near);
                    edge.push(near);
                }
            }
        }
        pieces.push(piece);
    }
    pieces
}
