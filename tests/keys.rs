//! Context keys are the bytes that `schemas/context-key.md` describes: written here from that page,
//! with nothing of the code that it describes.

use bitquilt::{Anchor, Frame, Geometry, Given, Window, WindowError};
use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_128;

use crate::oracle::{Grid, Latent};
use crate::support::*;

/// Class number and number of classes.
fn class(grid: Grid, window: Window, anchored: bool, position: usize) -> (u128, u128) {
    let channels = grid.channels as u128;
    let channel = position as u128 % channels;
    let border = grid.border(window, position);
    let border: Vec<_> = border.into_iter().map(|part| part as u128).collect();
    match window {
        Window::Square { radius } if !anchored => {
            let base = radius as u128 + 1;
            let number = (border[0] * base + border[1]) * base + border[2];
            (number * channels + channel, base.pow(3) * channels)
        }
        Window::Sequence { length } if !anchored => (
            border[0] * channels + channel,
            (length as u128 + 1) * channels,
        ),
        _ => (position as u128, grid.bits() as u128),
    }
}

/// The context's bits, in the order of the page, and how long the longest context is.
fn context_bits(grid: Grid, window: Window, latent: &[bool], position: usize) -> (Latent, usize) {
    let selected = grid.selected(window, position).into_iter();
    match window {
        Window::Square { radius } => {
            let symbols = selected.map(|at| at.is_some_and(|at| latent[at]));
            let sites = (2 * radius + 1) * radius + radius;
            (symbols.collect(), sites * grid.channels + grid.channels - 1)
        }
        Window::Sequence { length } => (selected.flatten().map(|at| latent[at]).collect(), length),
        Window::Global => (latent[..position].to_vec(), grid.bits() - 1),
        Window::Sites { .. } | Window::Level { .. } => unreachable!("its keys are laid out"),
    }
}

/// The key of some nearest sites: the context as schemas/context-array.md lays it out.
fn laid_out_key(
    grid: Grid,
    count: usize,
    anchored: bool,
    label: Option<(u64, u64)>,
    latent: &[bool],
    position: usize,
) -> Vec<u8> {
    let site = position / grid.channels;
    let (row, col, channel) = (
        site / grid.width,
        site % grid.width,
        position % grid.channels,
    );
    let mut bits = Vec::new();
    let mut number = |number: u64, below: u64| {
        let length = (0..).find(|length| 1u64 << length >= below).unwrap();
        bits.extend((0..length).rev().map(|bit| number >> bit & 1 == 1));
    };
    if let Some((label, labels)) = label {
        number(label, labels);
    }
    if anchored {
        number(site as u64, (grid.height * grid.width) as u64);
    }
    number(channel as u64, grid.channels as u64);
    let own = (0..grid.channels - 1).rev();
    bits.extend(own.map(|k| k < channel && latent[site * grid.channels + k]));
    let mut ring = 0;
    for (up, right) in grid.nearest(count) {
        let distance = up.max(right.abs());
        if distance > ring {
            ring = distance;
            let sides = [row, col, grid.width - 1 - col];
            bits.extend(sides.map(|side| (side as i64) < ring));
        }
        let (r, c) = (row as i64 - up, col as i64 + right);
        let inside = r >= 0 && (0..grid.width as i64).contains(&c);
        let at = |k| (r as usize * grid.width + c as usize) * grid.channels + k;
        bits.extend((0..grid.channels).rev().map(|k| inside && latent[at(k)]));
    }
    let mut key = vec![0; bits.len().div_ceil(8).max(1)];
    for (at, bit) in bits.into_iter().enumerate() {
        key[at / 8] |= u8::from(bit) << (7 - at % 8);
    }
    if key.len() > 32 {
        return xxh3_128(&key).to_be_bytes().to_vec();
    }
    key
}

/// A key by the page. `label` is the number of the label and how many there are.
fn key_by_the_page(
    grid: Grid,
    window: Window,
    anchored: bool,
    label: Option<(u64, u64)>,
    latent: &[bool],
    position: usize,
) -> Vec<u8> {
    if let Window::Sites { count } = window {
        return laid_out_key(grid, count, anchored, label, latent, position);
    }
    let (mut class, mut classes) = class(grid, window, anchored, position);
    if let Some((number, labels)) = label {
        class += u128::from(number) * classes;
        classes *= u128::from(labels);
    }
    let class_bytes = (1..).find(|bytes| classes <= 1 << (8 * bytes)).unwrap();
    let mut key = class.to_be_bytes()[16 - class_bytes..].to_vec();
    let (bits, longest) = context_bits(grid, window, latent, position);
    let mut packed = vec![0; longest.div_ceil(8)];
    for (at, bit) in bits.into_iter().enumerate() {
        packed[at / 8] |= u8::from(bit) << (at % 8);
    }
    key.extend(packed);
    if key.len() > 32 {
        return xxh3_128(&key).to_be_bytes().to_vec();
    }
    key
}

/// No labels, few, and so many that class numbers grow by up to three bytes; with one of them.
fn labels() -> impl Strategy<Value = Option<(u64, u64)>> {
    let count = prop_oneof![Just(1), 2..20u64, 200..300u64, 1..=1u64 << 20];
    let label = count.prop_flat_map(|count| (prop_oneof![0..count, Just(count - 1)], Just(count)));
    prop::option::of(label)
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn a_key_is_what_its_page_says(
        (sample, windows) in grids().prop_flat_map(|grid| (latents(grid, 3), some_windows(grid))),
        anchor in anchors(),
        label in labels(),
    ) {
        let set = sample.set();
        for window in windows {
            let geometry = Geometry::new(window, anchor, set.shape()).unwrap();
            let (number, count) = label.unwrap_or_default();
            let geometry = geometry.with_labels(count).unwrap();
            let mut frame = Frame::new(set.shape(), &[&geometry]);
            // Without labels nobody reads it.
            let given = Given::label(if label.is_some() { number } else { 12345 });
            for (id, latent) in sample.latents.iter().enumerate() {
                frame.load(set.packed_latent(id), given);
                for position in 0..sample.grid.bits() {
                    let anchored = anchor == Anchor::Site;
                    let expected = key_by_the_page(sample.grid, window, anchored, label, latent, position);
                    let found = geometry.key(&mut frame, position);
                    prop_assert_eq!(found.as_bytes(), &expected[..], "{} {:?} {}", window, label, position);
                    prop_assert_eq!(found.as_bytes().len(), geometry.key_bytes());
                }
            }
        }
    }

    /// Where the site is no part of it, a key does not know how high and wide the grid is.
    #[test]
    fn keys_of_a_grid_are_those_of_a_smaller_one_inside_it(
        (sample, windows) in grids().prop_flat_map(|grid| (latents(grid, 2), some_windows(grid))),
        label in labels(),
    ) {
        let grid = sample.grid;
        let (number, count) = label.unwrap_or_default();
        for window in windows.into_iter().filter(|window| *window != Window::Global) {
            // Rows below change no context, so the larger grid has those of the smaller one.
            let larger = Grid { height: grid.height + 3, ..grid };
            let mut keys = Vec::new();
            for grid in [grid, larger] {
                let mut latents = sample.latents.clone();
                latents[0].resize(grid.bits(), true);
                let set = set_of(grid, &latents[..1]);
                let geometry = Geometry::new(window, Anchor::None, set.shape()).unwrap();
                let geometry = geometry.with_labels(count).unwrap();
                let mut frame = Frame::new(set.shape(), &[&geometry]);
                frame.load(set.packed_latent(0), Given::label(number));
                let own = (0..sample.grid.bits()).map(|position| geometry.key(&mut frame, position));
                keys.push(own.collect::<Vec<_>>());
            }
            prop_assert_eq!(&keys[0], &keys[1], "{}", window);
        }
    }
}

/// By hand: 101 before bit 3 of the worked example is class 3 of 4 and the bits 101.
#[test]
fn keys_of_the_worked_example_are_these_bytes() {
    let sample = worked_example();
    let set = sample.set();
    let geometry = Geometry::new("seq:3".parse().unwrap(), Anchor::None, set.shape()).unwrap();
    for (label, labels, expected) in [
        (0, 0, &[3, 0b101][..]),
        (9, 0, &[3, 0b101]),
        (0, 1, &[3, 0b101]),
        (1, 2, &[7, 0b101]),
        (63, 64, &[255, 0b101]),
        (0, 65, &[0, 3, 0b101]),
        (69, 70, &[1, 23, 0b101]),
    ] {
        let geometry = geometry.clone().with_labels(labels).unwrap();
        assert_eq!(geometry.labels(), labels);
        let mut frame = Frame::new(set.shape(), &[&geometry]);
        frame.load(set.packed_latent(0), Given::label(label));
        let key = geometry.key(&mut frame, 3);
        assert_eq!(key.as_bytes(), expected, "label {label} of {labels}");
    }
}

#[test]
fn more_labels_than_class_numbers_can_hold_are_refused() {
    let shape = worked_example().set().shape();
    let geometry = Geometry::new(Window::Global, Anchor::None, shape).unwrap();
    assert!(geometry.clone().with_labels(1 << 20).is_ok());
    for labels in [(1 << 20) + 1, u64::MAX] {
        let error = geometry.clone().with_labels(labels).unwrap_err();
        assert!(
            matches!(error, WindowError::TooManyLabels { .. }),
            "{error}"
        );
    }
}
