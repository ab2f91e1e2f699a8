//! Contexts as numbers, for networks: −1 for a 0, 1 for a 1, 0 for what is absent.

use super::{Anchor, Frame, Geometry, Place, Window};

/// Contexts of one window, one after the other, as a network reads them.
///
/// Each has a number for every bit that the window can select, by its displacement whatever the position: what a
/// network learns of a bit two sites up holds at every site, under `global` too, whose place is told apart. Bits
/// outside the grid, and later channels of the site itself, are 0. A square's have one number more for each column to
/// the right, 1 where it is on the grid: in the first row no bit tells; nearest sites have another for their farthest
/// row. At a finer level of a pyramid those of the coarser one's bits come last, and the place tells where in its parent a
/// site lies. So the numbers, the place and the label say exactly what a [`ContextKey`](super::ContextKey) says, and nothing more.
///
/// ```
/// use bitquilt::{Anchor, Contexts, Frame, Geometry, Given, Shape};
///
/// let shape = Shape::new(1, 6, 1)?;
/// let geometry = Geometry::new("seq:3".parse()?, Anchor::None, shape)?;
/// let mut frame = Frame::new(shape, &[&geometry]);
/// frame.load(&[0b001101], Given::NOTHING); // 101100, lowest bit first
/// let mut contexts = Contexts::default();
/// contexts.push(&geometry, &frame, 3);
/// contexts.push(&geometry, &frame, 1);
/// assert_eq!(contexts.symbols, [1.0, -1.0, 1.0, 0.0, 0.0, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contexts {
    /// N × [`Geometry::symbols`].
    pub symbols: Vec<f32>,
    /// For each, its channel, and where in its parent its site lies, or its position in its level where that is part of the
    /// key: below [`Geometry::places`].
    pub places: Vec<u32>,
    /// For each, the number of its label; 0 where contexts are bound to none.
    pub labels: Vec<u32>,
}

impl Contexts {
    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Removes all contexts and keeps the memory.
    pub fn clear(&mut self) {
        self.symbols.clear();
        self.places.clear();
        self.labels.clear();
    }

    /// Adds the context of `position`. Reads only bits before it. O([`Geometry::symbols`]).
    ///
    /// `frame` must be of the geometry's shape.
    pub fn push(&mut self, geometry: &Geometry, frame: &Frame, position: usize) {
        let level = geometry.level();
        let (row, col, channel) = level.place(position);
        let start = self.symbols.len();
        self.symbols.resize(start + geometry.symbols(), 0.0);
        let symbols = &mut self.symbols[start..];
        let symbol = |position| if frame.get(position) { 1.0 } else { -1.0 };
        match geometry.window() {
            // The latest bit last, so that a context cut off by the beginning keeps its end in place.
            Window::Sequence { length } => {
                let seen = position.min(length);
                for back in 1..=seen {
                    symbols[length - back] = symbol(position - back);
                }
            }
            Window::Sites { .. } => {
                let channels = level.channels();
                let (up_reach, reach) = geometry.extent();
                let across = (2 * reach + 1) * channels;
                for run in geometry.context(position) {
                    let (above, first, _) = level.place(run.start);
                    let at = (up_reach + above - row) * across + (reach + first - col) * channels;
                    for bit in 0..run.len() {
                        symbols[at + bit] = symbol(run.start + bit);
                    }
                }
                let right = (col + reach + 1).min(level.width());
                symbols[geometry.own_bits()..][..right - col - 1].fill(1.0);
                // No bit tells of the farthest row where none of it is selected.
                let far = symbols.len() - 1;
                symbols[far] = f32::from(u8::from(row >= up_reach));
            }
            Window::Global | Window::Square { .. } | Window::Level { .. } => {
                let channels = level.channels();
                let (up_reach, reach) = geometry.extent();
                let across = (2 * reach + 1) * channels;
                let left = col.saturating_sub(reach);
                let right = (col + reach + 1).min(level.width());
                for up in 1..=up_reach.min(row) {
                    let first = level.position(row - up, left, 0);
                    let at = (up_reach - up) * across + (reach + left - col) * channels;
                    for bit in 0..(right - left) * channels {
                        symbols[at + bit] = symbol(first + bit);
                    }
                }
                let first = level.position(row, left, 0);
                let at = up_reach * across + (reach + left - col) * channels;
                for bit in 0..position - first {
                    symbols[at + bit] = symbol(first + bit);
                }
                if geometry.window() != Window::Global {
                    symbols[geometry.own_bits()..][..right - col - 1].fill(1.0);
                }
                let own = geometry.own_bits() + reach;
                for (at, bit) in geometry.parent_places(row, col) {
                    symbols[own + at] = symbol(bit);
                }
            }
        }
        let place = if geometry.is_placed() {
            position - level.start()
        } else {
            match geometry.phases() {
                1 => channel,
                phases => channel * phases + Place::of(&geometry.shape(), position).phase(),
            }
        };
        self.places.push(place as u32);
        self.labels.push(geometry.label_of(frame) as u32);
    }
}

impl Geometry {
    /// Returns whether the position is part of the key.
    pub fn is_placed(&self) -> bool {
        self.anchor() == Anchor::Site || self.window() == Window::Global
    }

    /// Returns how many numbers a context has in [`Contexts`]: first those of its own level's bits.
    pub fn symbols(&self) -> usize {
        let up = matches!(self.window(), Window::Sites { .. });
        self.own_bits() + self.window().reach() + usize::from(up) + self.parent_bits()
    }

    /// Returns how many numbers of a context stand for bits, absent ones included.
    pub fn symbol_bits(&self) -> usize {
        self.own_bits() + self.parent_bits()
    }

    /// Returns how many numbers of a context stand for bits of its own level.
    fn own_bits(&self) -> usize {
        if let Window::Sequence { length } = self.window() {
            return length;
        }
        let (up, side) = self.extent();
        let sites = up * (2 * side + 1) + side;
        (sites + 1) * self.level().channels() - 1
    }

    /// Returns how many rows up and columns to each side a square or `global` reaches.
    fn extent(&self) -> (usize, usize) {
        match self.window() {
            Window::Square { .. } | Window::Sites { .. } | Window::Level { .. } => {
                let reach = self.window().reach();
                (reach, reach)
            }
            Window::Sequence { .. } | Window::Global => {
                (self.level().height() - 1, self.level().width() - 1)
            }
        }
    }

    /// Returns how many places [`Contexts`] of this window tell apart beside what they see: positions of its level where they
    /// are part of the key, else channels, and of each where its site may lie in its parent.
    pub fn places(&self) -> usize {
        if self.is_placed() {
            self.positions().len()
        } else {
            self.level().channels() * self.phases()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::latent::Shape;
    use crate::window::Given;

    /// Numbers and place are equal exactly where keys are, over all latents of a small grid.
    #[test]
    fn contexts_as_numbers_say_what_keys_say() {
        for (shape, windows) in [
            (
                "3x3",
                vec!["3x3", "5x5", "sites:3", "sites:9", "seq:2", "global"],
            ),
            (
                "2x3x2",
                vec!["3x3", "sites:1", "sites:7", "seq:3", "global"],
            ),
            (
                "1x2+2x4",
                vec!["1:3x3", "1:3x3^1x1", "1:1x1^3x3", "1:5x5^3x3"],
            ),
            ("1x2+2x3x1+2x3", vec!["1:3x3^1x1", "1:1x1^3x3"]),
            ("2x2+2x3", vec!["global", "1:3x3^1x1", "1:1x1^3x3"]),
        ] {
            let shape: Shape = shape.parse().unwrap();
            for window in windows {
                for anchor in [Anchor::None, Anchor::Site] {
                    let geometry = Geometry::new(window.parse().unwrap(), anchor, shape).unwrap();
                    let mut frame = Frame::new(shape, &[&geometry]);
                    let (mut by_key, mut by_numbers) = (HashMap::new(), HashMap::new());
                    for latent in 0..1u32 << shape.bits() {
                        let packed = &latent.to_le_bytes()[..shape.packed_bytes()];
                        frame.load(packed, Given::NOTHING);
                        for position in geometry.positions() {
                            let key = geometry.key(&mut frame, position);
                            let mut contexts = Contexts::default();
                            contexts.push(&geometry, &frame, position);
                            let numbers: Vec<_> =
                                contexts.symbols.iter().map(|s| *s as i8).collect();
                            let numbers = (contexts.places[0], numbers);
                            assert!((numbers.0 as usize) < geometry.places());
                            assert_eq!(
                                by_key.entry(key).or_insert_with(|| numbers.clone()),
                                &numbers
                            );
                            assert_eq!(by_numbers.entry(numbers).or_insert(key), &key);
                        }
                    }
                    let counts = (by_key.len(), by_numbers.len());
                    assert!(
                        counts.0 > 4 && counts.0 == counts.1,
                        "{shape} {window:?} {counts:?}"
                    );
                }
            }
        }
    }
}
