//! What the rows above tell of a context: whether any was seen under them.

use std::collections::BTreeSet;

use bitquilt::{Anchor, Counts, Frame, LatentSet, Window};
use proptest::prelude::*;

use crate::labels::{built_with_labels, some_labels};
use crate::oracle::{Grid, Latent, Symbol};
use crate::support::*;

/// A context as far as the rows above its site hold it: label, border class, site if anchored, symbols.
type Upper = (Option<i64>, Vec<usize>, Option<(usize, usize)>, Vec<Symbol>);

/// By definition; `None` where there is nothing to ask.
fn upper(
    grid: Grid,
    radius: usize,
    anchored: bool,
    label: Option<i64>,
    latent: &Latent,
    position: usize,
) -> Option<Upper> {
    let (site, channel) = (position / grid.channels, position % grid.channels);
    let (row, col) = (site / grid.width, site % grid.width);
    if row == 0 || channel > 0 {
        return None;
    }
    let window = Window::Square { radius };
    let symbols = grid
        .selected(window, position)
        .into_iter()
        .filter(|selected| selected.is_none_or(|at| at / grid.channels / grid.width < row))
        .map(|selected| match selected.map(|at| latent[at]) {
            Some(false) => Symbol::Zero,
            Some(true) => Symbol::One,
            None => Symbol::Absent,
        });
    Some((
        label,
        grid.border(window, position),
        anchored.then_some((row, col)),
        symbols.collect(),
    ))
}

/// Squares of every radius whose keys are exact: their upper bits end on a byte and off one.
fn wide_grids() -> impl Strategy<Value = Grid> {
    (2..=6usize, 1..=8usize, 1..=4usize).prop_map(|(height, width, channels)| Grid {
        height,
        width,
        channels,
    })
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn an_upper_part_is_known_exactly_when_some_context_has_it(
        training in wide_grids().prop_flat_map(|grid| latents(grid, 8)),
        anchor in anchors(),
        seed: u64,
    ) {
        let grid = training.grid;
        let mut random = Random(seed);
        let labels = random.bit().then(|| some_labels(training.latents.len(), &mut random));
        let most = grid.height.max(grid.width) as u64 - 1;
        let radius = 1 + random.below(most) as usize;
        let window = Window::Square { radius };
        let (_folder, index) = match &labels {
            Some(labels) => built_with_labels(&training, labels, &[window], anchor),
            None => built(&training.set(), &[window], anchor),
        };
        let held = index.window(window).unwrap();
        let anchored = anchor == Anchor::Site;
        let label_of = |id: usize| labels.as_ref().map(|labels| labels[id]);
        let mut known = BTreeSet::new();
        for (id, latent) in training.latents.iter().enumerate() {
            known.extend((0..grid.bits()).filter_map(|p| upper(grid, radius, anchored, label_of(id), latent, p)));
        }
        // Training latents, some with a few bits changed, under labels that need not be theirs.
        for number in 0..6 {
            let id = random.below(training.latents.len() as u64) as usize;
            let mut latent = training.latents[id].clone();
            for _ in 0..number {
                let place = random.below(grid.bits() as u64) as usize;
                latent[place] = !latent[place];
            }
            let of = if random.bit() { id } else { 0 };
            let mut frame = Frame::new(shape_of(grid), &[held.geometry()]);
            let mut set = LatentSet::new(shape_of(grid));
            set.push_bits(latent.iter().copied()).unwrap();
            frame.load(set.packed_latent(0), index.given(label_of(of)).unwrap());
            for position in 0..grid.bits() {
                let key = held.geometry().upper_key(&mut frame, position);
                let expected = upper(grid, radius, anchored, label_of(of), &latent, position);
                let exact = held.geometry().key_rule() == bitquilt::window::KeyRule::Exact;
                prop_assert_eq!(key.is_some(), expected.is_some() && exact);
                if let (Some(key), Some(expected)) = (key, expected) {
                    let is_known = known.contains(&expected);
                    let question = held.upper_question(held.geometry(), &mut frame, position).unwrap();
                    prop_assert_eq!(held.has_upper(&question).unwrap(), is_known, "{:?} at {}", window, position);
                    // What lies in the site's own row and below makes no difference.
                    let start = position / (grid.width * grid.channels) * grid.width * grid.channels;
                    let mut other = frame.clone();
                    for later in start..grid.bits() {
                        other.set(later, random.bit());
                    }
                    prop_assert_eq!(held.geometry().upper_key(&mut other, position), Some(key));
                }
            }
        }
    }

    /// The upper part of a context that occurred is the one that its position asks for.
    #[test]
    fn contexts_have_the_upper_part_of_their_position(
        training in wide_grids().prop_flat_map(|grid| latents(grid, 4)),
        anchor in anchors(),
        choice: u64,
    ) {
        let grid = training.grid;
        let radius = 1 + choice as usize % (grid.height.max(grid.width) - 1);
        let geometry = bitquilt::Geometry::new(Window::Square { radius }, anchor, shape_of(grid)).unwrap();
        for latent in &training.latents {
            let mut frame = Frame::new(shape_of(grid), &[&geometry]);
            for (position, bit) in latent.iter().enumerate() {
                frame.set(position, *bit);
            }
            for position in 0..grid.bits() {
                let key = geometry.key(&mut frame, position);
                let of = geometry.upper_of(&key);
                let Some(upper) = geometry.upper_key(&mut frame, position) else {
                    // A later channel has none; a first row has one that no other row can ask for.
                    prop_assert!(of.is_none() || position % grid.channels == 0);
                    continue;
                };
                prop_assert_eq!(of, Some(upper));
                prop_assert!(upper.matches(key.as_bytes()));
                prop_assert!(key.as_bytes().starts_with(upper.prefix()));
            }
        }
    }
}

/// Upper bits that end on a byte (3x3 with 8 channels: 24; 7x7: 21, and the 8th of its third byte is the
/// site's own) and off one, in keys whose other bits are all ones.
#[test]
fn an_upper_part_may_end_within_a_byte() {
    for (side, channels) in [
        (3, 1),
        (3, 2),
        (3, 5),
        (3, 8),
        (5, 1),
        (5, 4),
        (7, 1),
        (7, 4),
    ] {
        let grid = Grid {
            height: 4,
            width: 8,
            channels,
        };
        let radius = side / 2;
        let window = Window::Square { radius };
        let full: Latent = vec![true; grid.bits()];
        let (_folder, index) = built(
            &set_of(grid, std::slice::from_ref(&full)),
            &[window],
            Anchor::None,
        );
        let held = index.window(window).unwrap();
        // Every bit of the rows above matters, the first and the last included; no other does.
        let position = (3 * grid.width + 4) * channels;
        for changed in 0..grid.bits() {
            let mut latent = full.clone();
            latent[changed] = false;
            let mut frame = Frame::new(shape_of(grid), &[held.geometry()]);
            for (position, bit) in latent.iter().enumerate() {
                frame.set(position, *bit);
            }
            let question = held
                .upper_question(held.geometry(), &mut frame, position)
                .unwrap();
            let above = grid.selected(window, position).contains(&Some(changed))
                && changed < 3 * grid.width * channels;
            assert_eq!(
                held.has_upper(&question).unwrap(),
                !above,
                "{side}x{side}x{channels}, bit {changed}"
            );
        }
    }
}
