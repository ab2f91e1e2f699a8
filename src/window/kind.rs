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
    /// `global`: every earlier bit (Eqn 12); of a pyramid, of its coarsest level.
    Global,
    /// `L:CxC^PxP`: a square at level L of a pyramid, with the whole P×P square of the next coarser level around the parent of
    /// its site. Windows of the coarsest level are the others.
    Level {
        /// L, at least 1.
        level: usize,
        /// (C−1)/2. Of 1x1 nothing is left but the earlier channels of the site.
        radius: usize,
        /// (P−1)/2; `None` where nothing of the coarser level is seen.
        parent: Option<usize>,
    },
}

impl Window {
    /// Returns the level of a pyramid that it is laid on.
    pub fn level(self) -> usize {
        match self {
            Self::Level { level, .. } => level,
            _ => 0,
        }
    }

    /// Returns how many rings of its own level, and which square of the coarser one, a window of a finer level has.
    pub(crate) fn of_level(self) -> Option<(usize, Option<usize>)> {
        match self {
            Self::Level { radius, parent, .. } => Some((radius, parent)),
            _ => None,
        }
    }

    /// Returns how many sites a square reaches to each side, R; `None` for a window that is no square.
    pub fn radius(self) -> Option<usize> {
        match self {
            Self::Square { radius } => Some(radius),
            _ => None,
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
            Self::Sequence { .. } | Self::Global | Self::Level { .. } => None,
        }
    }

    /// Returns how many whole rings it has, and how many sites of the next one; none for a window of no rings.
    fn rings(self) -> (usize, usize) {
        match self {
            Self::Square { radius } | Self::Level { radius, .. } => (radius, 0),
            Self::Sites { count } => rings_of(count),
            Self::Sequence { .. } | Self::Global => (0, 0),
        }
    }

    /// Returns the largest square within it; `None` where it holds none.
    pub fn inner(self) -> Option<Self> {
        let (radius, _) = self.rings();
        match self {
            Self::Level { .. } => Some(self),
            _ => (radius > 0).then_some(Self::Square { radius }),
        }
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
            Self::Square { .. } | Self::Sites { .. } | Self::Level { .. } => None,
            Self::Sequence { length } => Some(length),
            Self::Global => Some(shape.levels()[0].bits() - 1),
        }
    }

    /// Returns the direction of the order that it is a prefix of.
    pub fn direction(self) -> Direction {
        match self {
            Self::Square { .. } | Self::Sites { .. } | Self::Global | Self::Level { .. } => {
                Direction::Rings
            }
            Self::Sequence { .. } => Direction::Line,
        }
    }

    /// Returns whether every earlier bit of its level is part of a context, so that its place is too.
    pub fn sees_everything(self) -> bool {
        self == Self::Global
    }

    /// Returns whether each of its contexts is a part of `other`'s: then a match of `other` is one of it too.
    pub fn nests_in(self, other: Self) -> bool {
        match (self, other) {
            (Self::Level { level, .. }, _) | (_, Self::Level { level, .. }) => {
                let both = self.of_level().zip(other.of_level());
                level == self.level()
                    && level == other.level()
                    && both.is_some_and(|((own, parent), (radius, square))| {
                        own <= radius && parent <= square
                    })
            }
            (_, Self::Global) => true,
            (Self::Sequence { length: own }, Self::Sequence { length }) => own <= length,
            _ => {
                let both = self.sites().zip(other.sites());
                both.is_some_and(|(own, sites)| own <= sites)
            }
        }
    }
}

/// One window, where several may be named.
impl AsRef<[Self]> for Window {
    fn as_ref(&self) -> &[Self] {
        std::slice::from_ref(self)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence { length } => f.pad(&format!("seq:{length}")),
            Self::Square { radius } => f.pad(&format!("{0}x{0}", 2 * radius + 1)),
            Self::Sites { count } => f.pad(&format!("sites:{count}")),
            Self::Global => f.pad("global"),
            Self::Level {
                level,
                radius,
                parent,
            } => {
                let own = format!("{level}:{0}x{0}", 2 * radius + 1);
                let parent = parent.map(|radius| format!("^{0}x{0}", 2 * radius + 1));
                f.pad(&(own + &parent.unwrap_or_default()))
            }
        }
    }
}

impl FromStr for Window {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let wrong = || WindowError::Parse {
            found: text.to_owned(),
        };
        match text.split_once(':') {
            Some((level, window)) if level.bytes().all(|byte| byte.is_ascii_digit()) => {
                match level.parse().map_err(|_| wrong())? {
                    0 => coarsest(window),
                    level => finer(level, window),
                }
            }
            _ => coarsest(text),
        }
        .ok_or_else(wrong)
    }
}

/// Reads a window of the coarsest level.
fn coarsest(text: &str) -> Option<Window> {
    if text == "global" {
        return Some(Window::Global);
    }
    if let Some(length) = text.strip_prefix("seq:") {
        let length = length.parse().ok().filter(|length| *length > 0)?;
        return Some(Window::Sequence { length });
    }
    if let Some(count) = text.strip_prefix("sites:") {
        return count.parse().ok().map(Window::of_sites);
    }
    let radius = square(text).filter(|radius| *radius > 0)?;
    Some(Window::Square { radius })
}

/// Reads a window of a finer level.
fn finer(level: usize, text: &str) -> Option<Window> {
    let (own, parent) = match text.split_once('^') {
        Some((own, parent)) => (own, Some(square(parent)?)),
        None => (text, None),
    };
    let radius = square(own)?;
    Some(Window::Level {
        level,
        radius,
        parent,
    })
}

/// Reads the radius of `CxC`, C odd.
fn square(text: &str) -> Option<usize> {
    let (height, width) = text.split_once('x')?;
    match (height.parse::<usize>(), width.parse::<usize>()) {
        (Ok(height), Ok(width)) if height == width && height % 2 == 1 => Some((height - 1) / 2),
        _ => None,
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
            "seq:1",
            "seq:40",
            "3x3",
            "101x101",
            "sites:0",
            "sites:13",
            "global",
            "1:1x1",
            "2:7x7^3x3",
            "1:1x1^1x1",
            "15:5x5",
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
            "1:global",
            "1:seq:3",
            "1:4x4",
            "1:3x3^",
            "1:3x3^2x2",
            "0:3x3^3x3",
            "3x3^3x3",
            "-1:3x3",
            "1:",
            ":3x3",
        ] {
            assert!(text.parse::<Window>().is_err(), "{text}");
        }
        for (text, plain) in [
            ("0:3x3", "3x3"),
            ("0:global", "global"),
            ("0:seq:4", "seq:4"),
        ] {
            assert_eq!(text.parse::<Window>().unwrap().to_string(), plain);
        }
        for (text, square) in [("sites:4", "3x3"), ("sites:12", "5x5"), ("sites:24", "7x7")] {
            assert_eq!(text.parse::<Window>().unwrap(), square.parse().unwrap());
        }
    }
}
