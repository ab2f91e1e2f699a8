//! What the right answers are, written straight from the definitions: slow, plain, and without a line
//! of the code that it checks. Of the library it knows only the names of the windows.

use std::collections::BTreeMap;

use bitquilt::Window;

/// A latent as plain bits, in position order.
pub type Latent = Vec<bool>;

/// Height, width and channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

/// One symbol of a context. Absent is a symbol of its own, never 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Symbol {
    Zero,
    One,
    Absent,
}

/// A context: the symbols a window selects, with channel, border class and, if anchored, the site, and,
/// if bound to labels, the label of the latent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Context {
    label: Option<i64>,
    channel: usize,
    border: Vec<usize>,
    site: Option<(usize, usize)>,
    symbols: Vec<Symbol>,
}

impl Grid {
    pub fn bits(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Row, column and channel of a position.
    fn place(self, position: usize) -> (usize, usize, usize) {
        let site = position / self.channels;
        (
            site / self.width,
            site % self.width,
            position % self.channels,
        )
    }

    /// What the window selects at a position, in a fixed order: positions, or `None` outside the grid.
    pub fn selected(self, window: Window, position: usize) -> Vec<Option<usize>> {
        let (row, col, channel) = self.place(position);
        match window {
            Window::Sequence { length } => (1..=length)
                .rev()
                .map(|back| position.checked_sub(back))
                .collect(),
            Window::Global => (0..position).map(Some).collect(),
            Window::Square { radius } => {
                let (row, col, radius) = (row as i64, col as i64, radius as i64);
                let mut selected = Vec::new();
                for r in row - radius..=row {
                    for c in col - radius..=col + radius {
                        for k in 0..self.channels {
                            // Earlier in raster order, or the site itself and an earlier channel.
                            if (r, c, k) >= (row, col, channel) {
                                continue;
                            }
                            let inside = (0..self.height as i64).contains(&r)
                                && (0..self.width as i64).contains(&c);
                            let there = (r as usize * self.width + c as usize) * self.channels + k;
                            selected.push(inside.then_some(there));
                        }
                    }
                }
                selected
            }
        }
    }

    /// How far the edges of the grid cut the window.
    pub fn border(self, window: Window, position: usize) -> Vec<usize> {
        let (row, col, _) = self.place(position);
        match window {
            Window::Sequence { length } => vec![position.min(length)],
            Window::Global => vec![position],
            Window::Square { radius } => vec![
                row.min(radius),
                col.min(radius),
                (self.width - 1 - col).min(radius),
            ],
        }
    }

    /// The context at a position of a latent.
    pub fn context(
        self,
        window: Window,
        anchored: bool,
        latent: &[bool],
        position: usize,
    ) -> Context {
        let (row, col, channel) = self.place(position);
        let symbol = |selected: Option<usize>| match selected.map(|at| latent[at]) {
            Some(false) => Symbol::Zero,
            Some(true) => Symbol::One,
            None => Symbol::Absent,
        };
        Context {
            label: None,
            channel,
            border: self.border(window, position),
            site: anchored.then_some((row, col)),
            symbols: self
                .selected(window, position)
                .into_iter()
                .map(symbol)
                .collect(),
        }
    }
}

/// Every occurrence of every context of one window, by brute force.
pub struct Oracle {
    pub grid: Grid,
    pub window: Window,
    pub anchored: bool,
    /// The label of the latents that are asked about, where contexts are bound to labels.
    pub label: Option<i64>,
    /// For each context, the (latent, position) it was followed by 0 and by 1 at, ascending.
    pub occurrences: BTreeMap<Context, [Vec<(u64, usize)>; 2]>,
}

impl Oracle {
    pub fn new(grid: Grid, window: Window, anchored: bool, latents: &[Latent]) -> Self {
        Self::labelled(grid, window, anchored, latents, None)
    }

    /// With one label for each latent, contexts are bound to labels.
    pub fn labelled(
        grid: Grid,
        window: Window,
        anchored: bool,
        latents: &[Latent],
        labels: Option<&[i64]>,
    ) -> Self {
        let mut occurrences: BTreeMap<Context, [Vec<(u64, usize)>; 2]> = BTreeMap::new();
        for (id, latent) in latents.iter().enumerate() {
            for position in 0..grid.bits() {
                let context = Context {
                    label: labels.map(|labels| labels[id]),
                    ..grid.context(window, anchored, latent, position)
                };
                let lists = occurrences.entry(context).or_default();
                lists[usize::from(latent[position])].push((id as u64, position));
            }
        }
        Self {
            grid,
            window,
            anchored,
            label: None,
            occurrences,
        }
    }

    pub fn context(&self, latent: &[bool], position: usize) -> Context {
        Context {
            label: self.label,
            ..self
                .grid
                .context(self.window, self.anchored, latent, position)
        }
    }

    /// How often 0 and 1 followed the context at a position; `None` when it never occurred.
    pub fn histogram(&self, latent: &[bool], position: usize) -> Option<(u64, u64)> {
        let lists = self.occurrences.get(&self.context(latent, position))?;
        Some((lists[0].len() as u64, lists[1].len() as u64))
    }

    /// Contexts that were followed by both 0 and 1.
    pub fn ambiguous(&self) -> u64 {
        let lists = self.occurrences.values();
        lists
            .filter(|lists| lists.iter().all(|list| !list.is_empty()))
            .count() as u64
    }

    /// Whether the bit at a position ever followed its context.
    pub fn supports(&self, latent: &[bool], position: usize) -> bool {
        let lists = self.occurrences.get(&self.context(latent, position));
        lists.is_some_and(|lists| !lists[usize::from(latent[position])].is_empty())
    }

    /// Every latent with the fixed bits in which each other bit is supported: all 2^free are tried.
    pub fn completions(&self, fixed: &BTreeMap<usize, bool>) -> Vec<Latent> {
        let bits = self.grid.bits();
        let free: Vec<_> = (0..bits).filter(|p| !fixed.contains_key(p)).collect();
        let mut found = Vec::new();
        for number in 0..1u32 << free.len() {
            let mut latent: Latent = (0..bits).map(|p| fixed.get(&p) == Some(&true)).collect();
            for (i, position) in free.iter().enumerate() {
                latent[*position] = number >> i & 1 == 1;
            }
            if free
                .iter()
                .all(|position| self.supports(&latent, *position))
            {
                found.push(latent);
            }
        }
        found
    }
}
