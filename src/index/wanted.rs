//! What an index is to answer: by the windows that are asked for, or by its latents where none is.

use super::{BuildOptions, IndexError};
use crate::latent::{Level, Shape};
use crate::window::{Order, Window};

/// Bits of the coarsest level of a pyramid that are seen whole where no window is asked for: a layout.
const MAX_LAYOUT_BITS: usize = 256;

/// What an index is to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The windows that are meant where none is named.
    pub(super) windows: Vec<Window>,
    /// The windows that the order of each array goes through, smallest first.
    pub(super) paths: Vec<Vec<Window>>,
}

impl Wanted {
    /// Returns what an index of `latents` latents is to answer, and the order of each array; contexts are bound to so many
    /// labels.
    pub(super) fn of(
        options: &BuildOptions,
        shape: Shape,
        latents: u64,
        labels: u64,
    ) -> Result<(Self, Vec<Order>), IndexError> {
        let mut wanted = Self::asked(options, shape, latents);
        let orders = wanted
            .paths
            .iter()
            .map(|path| Ok(Order::through(path, options.anchor, labels, shape)?));
        let orders = orders.collect::<Result<Vec<_>, IndexError>>()?;
        if wanted.windows.is_empty() {
            wanted.windows = orders.iter().flat_map(Order::windows).collect();
        }
        Ok((wanted, orders))
    }

    /// Returns the windows of an order whose contexts are counted, smallest first: those that it tells, and those that are
    /// named.
    pub(super) fn windows_of(&self, order: &Order) -> Vec<Window> {
        let mut windows = order.windows();
        let named = self.windows.iter();
        windows.extend(named.filter(|window| order.prefix(**window).is_some()));
        // `global` and the largest square select the same: the square comes first, as it does among the order's.
        windows.sort_by_key(|window| (order.prefix(*window), window.sees_everything()));
        windows.dedup();
        windows
    }

    fn asked(options: &BuildOptions, shape: Shape, latents: u64) -> Self {
        let mut windows = options.windows.clone();
        let mut asked: Vec<Window> = windows.iter().chain(&options.depth).copied().collect();
        let levels = shape.levels().iter().skip(1);
        for level in levels {
            let own = |window: &&Window| window.level() == level.number();
            if windows.iter().any(|window| own(&window)) {
                continue;
            }
            // A level of which no window is named has one that is meant: as deep as it is to go.
            let deepest = options.depth.as_ref().filter(own).copied();
            let window = deepest.unwrap_or_else(|| default_of_level(shape, level));
            windows.push(window);
            asked.push(window);
        }
        // Of finer levels the wider ones last, so that each finds what it holds.
        asked.sort_by_key(|window| window.of_level());
        let mut paths: Vec<Vec<Window>> = Vec::new();
        for window in asked {
            // An array ends with a whole ring.
            let whole = window.whole();
            let kind = (window.direction(), window.level());
            let fits = |path: &&mut Vec<Window>| {
                let last = path
                    .last()
                    .filter(|last| (last.direction(), last.level()) == kind);
                last.is_some_and(|last| window.level() == 0 || last.nests_in(whole))
            };
            match paths.iter_mut().find(fits) {
                // At the coarsest level smaller windows are prefixes anyway.
                Some(path) if window.level() == 0 => {
                    if path.iter().all(|last| last.nests_in(whole)) {
                        *path = vec![whole];
                    }
                }
                Some(path) if path.contains(&whole) => {}
                Some(path) => path.push(whole),
                None => paths.push(vec![whole]),
            }
        }
        if !paths.iter().flatten().any(|window| window.level() == 0) {
            let small = shape.is_pyramid() && shape.levels()[0].bits() <= MAX_LAYOUT_BITS;
            let depth = match small {
                true => Window::Global,
                false => default_depth(shape, latents),
            };
            paths.insert(0, vec![depth]);
        }
        // Where other levels have windows that are meant, the coarsest has too.
        if !windows.is_empty() && windows.iter().all(|window| window.level() > 0) {
            windows.insert(0, paths[0][0]);
        }
        Self { windows, paths }
    }
}

/// Returns the window to which contexts are sorted where none is asked for: the smallest square whose contexts have four times
/// as many bits as it takes to tell all occurrences apart, so that nearly all of those of larger ones would be unique; at most the whole grid.
pub fn default_depth(shape: Shape, latents: u64) -> Window {
    let level = shape.levels()[0];
    let occurrences = latents.saturating_mul(level.bits() as u64).max(2);
    let wanted = 4 * occurrences.ilog2() as usize;
    let whole = level.height().max(level.width()) - 1;
    let bits = |radius: &usize| 2 * radius * (radius + 1) * level.channels();
    match (1..=whole).find(|radius| bits(radius) >= wanted) {
        Some(radius) if radius < whole => Window::Square { radius },
        _ => Window::Global,
    }
}

/// Returns the window of a finer level where none is asked for: the layout two sites around the parent, and strokes.
fn default_of_level(shape: Shape, level: &Level) -> Window {
    let max = |level: &Level| level.height().max(level.width()) - 1;
    let coarser = level.number().checked_sub(1);
    let coarser = coarser.and_then(|number| shape.level(number).map(max));
    Window::Level {
        level: level.number(),
        radius: 2.min(max(level)),
        parent: coarser.map(|max| 1.min(max)),
    }
}
