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
            Window::Sites { count } => {
                let own = (0..channel).map(|k| Some(position - channel + k));
                let nearest = self.nearest(count).into_iter().flat_map(|(up, right)| {
                    let (r, c) = (row as i64 - up, col as i64 + right);
                    let inside = r >= 0 && (0..self.width as i64).contains(&c);
                    let first =
                        inside.then(|| (r as usize * self.width + c as usize) * self.channels);
                    (0..self.channels).map(move |k| first.map(|first| first + k))
                });
                own.chain(nearest).collect()
            }
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
                            // Outside the grid a side may be negative.
                            selected.push(inside.then(|| {
                                (r as usize * self.width + c as usize) * self.channels + k
                            }));
                        }
                    }
                }
                selected
            }
            Window::Level { .. } => unreachable!("tests/pyramids.rs has those of finer levels"),
        }
    }

    /// The nearest `count` sites before another, as rows up and columns to the right: by distance, rows or columns, whichever
    /// is more; then, from below, the one to the left before the one to the right; and the row farthest up from the right.
    pub fn nearest(self, count: usize) -> Vec<(i64, i64)> {
        let far = self.height.max(self.width) as i64;
        let mut sites = Vec::new();
        for up in 0..=far {
            for right in -far..=far {
                if up > 0 || right < 0 {
                    sites.push((up, right));
                }
            }
        }
        sites.sort_by_key(|(up, right)| {
            let distance = *up.max(&right.abs());
            let within = if *up < distance {
                i64::from(*right > 0)
            } else {
                -right
            };
            (distance, *up, within)
        });
        sites.truncate(count);
        sites
    }

    /// How far the edges of the grid cut the window.
    pub fn border(self, window: Window, position: usize) -> Vec<usize> {
        let (row, col, _) = self.place(position);
        match window {
            Window::Sequence { length } => vec![position.min(length)],
            Window::Global => vec![position],
            Window::Square { .. } | Window::Sites { .. } | Window::Level { .. } => {
                let reach = match window {
                    Window::Square { radius } => radius,
                    Window::Sites { count } => {
                        let sites = self.nearest(count);
                        let far = sites.iter().map(|(up, right)| *up.max(&right.abs()));
                        far.max().unwrap_or(0) as usize
                    }
                    _ => 0,
                };
                vec![
                    row.min(reach),
                    col.min(reach),
                    (self.width - 1 - col).min(reach),
                ]
            }
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

/// Latents that satisfy some rules, with the number of the window that answered for each bit; `None` for a
/// fixed one.
pub type Completions = BTreeMap<Latent, Vec<Option<u8>>>;

/// A latent as far as it is decided, and who answered.
type Part = (Latent, Vec<Option<u8>>);

/// What a sample must satisfy: support at one of several windows, fixed bits, no latent that is taken.
pub struct Rules {
    /// In the order in which they are asked, all on one grid.
    pub oracles: Vec<Oracle>,
    pub min_count: u64,
    pub fixed: BTreeMap<usize, bool>,
    pub taken: Vec<Latent>,
}

impl Rules {
    pub fn grid(&self) -> Grid {
        self.oracles[0].grid
    }

    /// Which values are supported at a window, behind the bits before a position.
    fn supported(&self, window: usize, latent: &[bool], position: usize) -> [bool; 2] {
        let histogram = self.oracles[window].histogram(latent, position);
        let (n0, n1) = histogram.unwrap_or_default();
        [n0 >= self.min_count, n1 >= self.min_count]
    }

    /// Whether the bit at a position is supported at a window.
    pub fn supports_at(&self, window: usize, latent: &[bool], position: usize) -> bool {
        self.supported(window, latent, position)[usize::from(latent[position])]
    }

    /// The largest window that supports a value there.
    fn window_with_a_match(&self, latent: &[bool], position: usize) -> Option<usize> {
        (0..self.oracles.len())
            .find(|window| self.supported(*window, latent, position).contains(&true))
    }

    /// The ways to decide one more bit, at the window that `ask` names.
    fn longer(&self, part: &Part, ask: impl Fn(&[bool], usize) -> Option<usize>) -> Vec<Part> {
        let (latent, answered) = part;
        let position = latent.len();
        let (values, by) = match self.fixed.get(&position) {
            Some(value) => ([!value, *value], None),
            None => match ask(latent, position) {
                None => ([false, false], None),
                Some(window) => (self.supported(window, latent, position), Some(window as u8)),
            },
        };
        let values = [false, true].into_iter().zip(values);
        let taken = values
            .filter(|(_, possible)| *possible)
            .map(|(value, _)| value);
        taken
            .map(|value| {
                (
                    [&latent[..], &[value]].concat(),
                    [&answered[..], &[by]].concat(),
                )
            })
            .collect()
    }

    fn untaken(&self, parts: Vec<Part>) -> Completions {
        let free = parts
            .into_iter()
            .filter(|(latent, _)| !self.taken.contains(latent));
        free.collect()
    }

    /// Every sample where each bit is supported at the largest window with a match.
    pub fn completions(&self) -> Completions {
        let mut parts = vec![Part::default()];
        for _ in 0..self.grid().bits() {
            let ask = |latent: &[bool], position| self.window_with_a_match(latent, position);
            parts = parts
                .iter()
                .flat_map(|part| self.longer(part, ask))
                .collect();
        }
        self.untaken(parts)
    }

    /// Every sample where a smaller window is asked only in the columns that kill a row otherwise: row by
    /// row, as often as a row is dead, one window on in all of its shortest dead interval that ends first.
    pub fn completions_on_dead_end(&self) -> Completions {
        let mut rows = vec![Part::default()];
        for _ in 0..self.grid().height {
            let below = rows
                .iter()
                .flat_map(|above| match self.windows_of_row(above) {
                    None => Vec::new(),
                    Some(windows) => {
                        let end = above.0.len() + windows.len();
                        self.ways(above.clone(), above.0.len(), &windows, end)
                    }
                });
            rows = below.collect();
        }
        self.untaken(rows)
    }

    /// Every way to go on to `end` in a row that begins at `start` and asks `windows` in its columns.
    fn ways(&self, part: Part, start: usize, windows: &[usize], end: usize) -> Vec<Part> {
        let mut parts = vec![part];
        while parts.first().is_some_and(|(latent, _)| latent.len() < end) {
            let ask = |_: &[bool], position: usize| Some(windows[position - start]);
            parts = parts
                .iter()
                .flat_map(|part| self.longer(part, ask))
                .collect();
        }
        parts
    }

    /// The window to ask in each column of the row below; `None` when it is dead with any.
    fn windows_of_row(&self, above: &Part) -> Option<Vec<usize>> {
        let start = above.0.len();
        let mut windows = vec![0; self.grid().width * self.grid().channels];
        loop {
            let positions = start..start + windows.len();
            let is_dead = |end: &usize| {
                self.ways(above.clone(), start, &windows, end + 1)
                    .is_empty()
            };
            let Some(end) = positions.clone().find(is_dead) else {
                return Some(windows);
            };
            // Whatever stands in the row before it.
            let is_enough = |from: &usize| {
                (0..1u32 << (from - start)).all(|number| {
                    let before = (0..from - start).map(|i| number >> i & 1 == 1);
                    let latent = above.0.iter().copied().chain(before).collect();
                    self.ways((latent, vec![None; *from]), start, &windows, end + 1)
                        .is_empty()
                })
            };
            let from = (start..=end).rev().find(is_enough).unwrap_or(start);
            let dead = &mut windows[from - start..=end - start];
            let last = self.oracles.len() - 1;
            if dead.iter().all(|window| *window == last) {
                return None;
            }
            dead.iter_mut()
                .for_each(|window| *window = last.min(*window + 1));
        }
    }
}
