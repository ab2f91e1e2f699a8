//! The kinds of window and how they are written: `seq:C`, `CxC`, `sites:N`, `global`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::WindowError;
use crate::base::choice;
use crate::latent::Shape;

choice! {
    "lowercase",
    /// Which way an order ([`Order`](super::Order)) goes from a site.
    #[derive(PartialOrd, Ord)]
    pub enum Direction {
        /// Ring by ring: `CxC` windows are its prefixes, and `global` is its end.
        #[strum(message = "Ring by ring around the site")]
        Rings,
        /// Back in scan order: `seq:C` windows are its prefixes.
        #[strum(message = "Back in scan order")]
        Line,
    }
}

/// The geometry of a context: which earlier bits it selects.
///
/// ```
/// # use bitquilt::Window;
/// assert_eq!("7x7".parse::<Window>().unwrap(), Window::Square { radius: 3 });
/// assert_eq!(Window::Sequence { length: 3 }.to_string(), "seq:3");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Window {
    /// `seq:C`: the C bits before bit i in scan order (Eqn 14).
    Sequence {
        /// C, at least 1.
        length: usize,
    },
    /// `CxC`, C odd: all sites of the C×C square centred on the site that come before it in raster
    /// order, plus the earlier channels of the site itself.
    Square {
        /// R = (C−1)/2, at least 1.
        radius: usize,
    },
    /// `sites:N`: the N sites that are nearest, in the order of squares ([`Order`](super::Order)), plus the earlier channels of
    /// the site itself: something between two squares. It has the border of the square that holds it. As many sites as a
    /// square has are that square.
    Sites {
        /// N.
        count: usize,
    },
    /// `global`: every earlier bit (Eqn 12).
    Global,
}

impl Window {
    /// Returns how many sites a square reaches to each side, R; `None` for a window that is no square.
    pub fn radius(self) -> Option<usize> {
        match self {
            Self::Square { radius } => Some(radius),
            Self::Sequence { .. } | Self::Sites { .. } | Self::Global => None,
        }
    }

    /// Returns the window of the `count` nearest sites: a square where they fill one.
    pub fn of_sites(count: usize) -> Self {
        match rings_of(count) {
            (radius @ 1.., 0) => Self::Square { radius },
            _ => Self::Sites { count },
        }
    }

    /// Returns how many sites a square, or some nearest sites, have beside their own; `None` for a window of no such number.
    pub fn sites(self) -> Option<usize> {
        match self {
            Self::Square { radius } => Some(
                radius
                    .saturating_add(1)
                    .saturating_mul(radius)
                    .saturating_mul(2),
            ),
            Self::Sites { count } => Some(count),
            Self::Sequence { .. } | Self::Global => None,
        }
    }

    /// Returns how many whole rings it has, and how many sites of the next one; none for a window of no rings.
    fn rings(self) -> (usize, usize) {
        match self {
            Self::Square { radius } => (radius, 0),
            Self::Sites { count } => rings_of(count),
            Self::Sequence { .. } | Self::Global => (0, 0),
        }
    }

    /// Returns the largest square within it; `None` where it holds none.
    pub fn inner(self) -> Option<Self> {
        let (radius, _) = self.rings();
        (radius > 0).then_some(Self::Square { radius })
    }

    /// Returns the columns, from its own one, that a square or some nearest sites have in the row `up` rows above; of its own row
    /// those to the left.
    pub(crate) fn columns(self, up: usize) -> Range<isize> {
        let (rings, more) = self.rings();
        let inner = rings as isize;
        // Of the next ring the left of the own row comes first, then left and right row by row, then the row above from the right.
        let sides = 2 * rings + 1;
        match up {
            0 => -(inner + isize::from(more > 0))..0,
            up if up <= rings => {
                let left = inner + isize::from(more >= 2 * up);
                -left..inner + 1 + isize::from(more > 2 * up)
            }
            up if up == rings + 1 => {
                let above = more.saturating_sub(sides) as isize;
                inner + 2 - above..inner + 2
            }
            _ => 0..0,
        }
    }

    /// Returns how many sites a square, or some nearest sites, reach up and to each side; 0 for others.
    pub(crate) fn reach(self) -> usize {
        let (rings, more) = self.rings();
        rings + usize::from(more > 0)
    }

    /// Returns the smallest window of whole rings that holds it: itself unless it is `sites:N`.
    pub fn whole(self) -> Self {
        match self {
            Self::Sites { .. } => Self::Square {
                radius: self.reach().max(1),
            },
            other => other,
        }
    }

    /// Returns how many bits before its own a window reads in scan order, whatever rows they lie in, on latents of
    /// `shape`; `None` for a window that is laid on the grid.
    pub fn line_length(self, shape: Shape) -> Option<usize> {
        match self {
            Self::Square { .. } | Self::Sites { .. } => None,
            Self::Sequence { length } => Some(length),
            Self::Global => Some(shape.bits() - 1),
        }
    }

    /// Returns the direction of the order that it is a prefix of.
    pub fn direction(self) -> Direction {
        match self {
            Self::Square { .. } | Self::Sites { .. } | Self::Global => Direction::Rings,
            Self::Sequence { .. } => Direction::Line,
        }
    }

    /// Returns whether every earlier bit is part of a context, so that its place is too.
    pub fn sees_everything(self) -> bool {
        self == Self::Global
    }

    /// Returns whether each of its contexts is a part of `other`'s: then a match of `other` is one of it too.
    pub fn nests_in(self, other: Self) -> bool {
        match (self, other) {
            (_, Self::Global) => true,
            (Self::Sequence { length: own }, Self::Sequence { length }) => own <= length,
            _ => {
                let both = self.sites().zip(other.sites());
                both.is_some_and(|(own, sites)| own <= sites)
            }
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence { length } => f.pad(&format!("seq:{length}")),
            Self::Square { radius } => f.pad(&format!("{0}x{0}", 2 * radius + 1)),
            Self::Sites { count } => f.pad(&format!("sites:{count}")),
            Self::Global => f.pad("global"),
        }
    }
}

impl FromStr for Window {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let wrong = || WindowError::Parse {
            found: text.to_owned(),
        };
        if text == "global" {
            return Ok(Self::Global);
        }
        if let Some(length) = text.strip_prefix("seq:") {
            return match length.parse() {
                Ok(length) if length > 0 => Ok(Self::Sequence { length }),
                _ => Err(wrong()),
            };
        }
        if let Some(count) = text.strip_prefix("sites:") {
            return count.parse().map(Self::of_sites).map_err(|_| wrong());
        }
        let (height, width) = text.split_once('x').ok_or_else(wrong)?;
        match (height.parse::<usize>(), width.parse::<usize>()) {
            (Ok(height), Ok(width)) if height == width && height % 2 == 1 && height > 1 => {
                Ok(Self::Square {
                    radius: (height - 1) / 2,
                })
            }
            _ => Err(wrong()),
        }
    }
}

/// Returns how many whole rings some nearest sites fill, and how many sites of the next one are left: d rings have 2d(d + 1).
pub(super) fn rings_of(sites: usize) -> (usize, usize) {
    let mut rings = (sites / 2).isqrt();
    if 2 * rings * (rings + 1) > sites {
        rings -= 1;
    }
    (rings, sites - 2 * rings * (rings + 1))
}

/// As written on the command line.
impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

choice! {
    "lowercase",
    /// Whether the absolute site is part of the context.
    #[derive(Default)]
    pub enum Anchor {
        /// Translation-invariant, as in the paper's worked example.
        #[default]
        #[strum(message = "A context may occur anywhere")]
        None,
        /// (row, col) is part of the key.
        #[strum(message = "A context is bound to its row and column")]
        Site,
    }
}

choice! {
    "lowercase",
    /// Whether the latent's label is part of the context.
    #[derive(Default)]
    pub enum Condition {
        /// Contexts of all latents are the same, as in the paper.
        #[default]
        #[strum(message = "Contexts of all latents are the same")]
        None,
        /// The label is part of the key.
        #[strum(message = "Each label has contexts of its own")]
        Label,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::{Anchor, Geometry};

    /// By the bits that they select.
    #[test]
    fn a_window_nests_in_those_that_select_all_of_its_bits() {
        let shape = Shape::new(5, 5, 1).unwrap();
        let windows = [
            "3x3", "5x5", "7x7", "sites:0", "sites:3", "sites:11", "sites:12", "sites:20", "seq:1",
            "seq:4", "seq:19", "global",
        ];
        let selected = |window: Window, position| -> Vec<usize> {
            let geometry = Geometry::new(window, Anchor::None, shape).unwrap();
            geometry.context(position).flatten().collect()
        };
        for own in windows.map(|text| text.parse::<Window>().unwrap()) {
            for other in windows.map(|text| text.parse::<Window>().unwrap()) {
                let within = (0..25).all(|position| {
                    let other = selected(other, position);
                    selected(own, position)
                        .iter()
                        .all(|bit| other.contains(bit))
                });
                // A square and a sequence do not, though the bits of a small grid may.
                let kinds = own.sites().is_some() == other.sites().is_some();
                let comparable = kinds || other.sees_everything();
                assert_eq!(own.nests_in(other), within && comparable, "{own} {other}");
            }
        }
    }

    #[test]
    fn every_window_is_read_as_it_is_written() {
        for text in [
            "seq:1", "seq:40", "3x3", "101x101", "sites:0", "sites:13", "global",
        ] {
            assert_eq!(text.parse::<Window>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "sites:",
            "sites:-1",
            "sites:99999999999999999999",
            "seq:0",
            "seq:",
            "seq:-1",
            "4x4",
            "1x1",
            "3x5",
            "3",
            "x",
            "0x0",
            "Global",
        ] {
            assert!(text.parse::<Window>().is_err(), "{text}");
        }
        for (text, square) in [("sites:4", "3x3"), ("sites:12", "5x5"), ("sites:24", "7x7")] {
            assert_eq!(text.parse::<Window>().unwrap(), square.parse().unwrap());
        }
    }
}
