//! Texts of the command line and of metadata: what is read is written so that it is read the same.

use std::fmt::Display;
use std::str::FromStr;

use bitquilt::latent::MAX_BITS;
use bitquilt::{Anchor, FixedBits, Geometry, Ids, Shape, Window};

use crate::files::says_something;

/// Reads a text, which must be read again from what it is written as.
fn read<T>(bytes: &[u8]) -> Option<T>
where
    T: FromStr<Err: std::error::Error> + Display + PartialEq,
{
    let text = std::str::from_utf8(bytes).ok()?;
    match text.parse::<T>() {
        Ok(value) => {
            let again = value.to_string().parse::<T>();
            assert!(
                again.is_ok_and(|again| again == value),
                "{value} is read otherwise"
            );
            Some(value)
        }
        Err(error) => {
            says_something(&error);
            None
        }
    }
}

/// Sets of latent ids.
pub fn ids(bytes: &[u8]) {
    let Some(ids) = read::<Ids>(bytes) else {
        return;
    };
    assert!(!ids.is_empty() && ids.len() > 0);
    let last = ids.last().expect("an id");
    assert!(ids.contains(last) && last.checked_add(1).is_none_or(|next| !ids.contains(next)));
    assert_eq!(ids.union(&ids), ids);
    assert!(ids.ranges().windows(2).all(|two| two[0].end < two[1].start));
    if ids.len() <= 1000 {
        assert_eq!(ids.iter().count() as u64, ids.len());
        assert!(ids.iter().all(|id| ids.contains(id)));
    }
}

/// Windows, laid on grids.
pub fn window(bytes: &[u8]) {
    let Some(window) = read::<Window>(bytes) else {
        return;
    };
    for (height, width, channels) in [(1, 1, 1), (4, 7, 3), (1, 300, 1), (64, 64, 1)] {
        let shape = Shape::new(height, width, channels).expect("a shape");
        for anchor in [Anchor::None, Anchor::Site] {
            match Geometry::new(window, anchor, shape) {
                Ok(geometry) => {
                    let last = shape.bits() - 1;
                    assert!(geometry.context(last).map(|run| run.len()).sum::<usize>() <= last);
                    assert!((1..=32).contains(&geometry.key_bytes()));
                }
                Err(error) => says_something(&error),
            }
        }
    }
}

/// Shapes.
pub fn shape(bytes: &[u8]) {
    let Some(shape) = read::<Shape>(bytes) else {
        return;
    };
    assert!((1..=MAX_BITS).contains(&shape.bits()));
    for position in [0, shape.bits() / 2, shape.bits() - 1] {
        let (row, col, channel) = shape.place(position);
        let level = shape.level_of(position);
        assert_eq!(level.position(row, col, channel), position);
    }
}

/// Fixed bits: a line with a shape, and then either a line for each thing to fix or a pattern.
pub fn fix(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (first, rest) = text.split_once('\n').unwrap_or_default();
    let Ok(shape) = first.parse::<Shape>() else {
        return;
    };
    if shape.bits() > 1 << 12 {
        return;
    }
    let mut by_lines = FixedBits::none();
    let lines = rest.lines().map(|line| by_lines.fix_text(line, shape));
    let all = lines
        .filter_map(Result::err)
        .map(|error| says_something(&error));
    all.for_each(drop);
    is_written(&by_lines, shape);
    let mut pattern = FixedBits::none();
    match pattern.fix_pattern(rest, shape) {
        Ok(()) => is_written(&pattern, shape),
        Err(error) => says_something(&error),
    }
}

/// What is fixed can be said either way, and is on the grid.
fn is_written(fixed: &FixedBits, shape: Shape) {
    let mut by_lines = FixedBits::none();
    let mut pattern = vec!['?'; shape.bits()];
    for (position, bit) in fixed.iter() {
        assert!(position < shape.bits());
        let (row, col, channel) = shape.place(position);
        let bit = u8::from(bit);
        let level = shape.level_of(position).number();
        let text = format!("{level}:{row},{col},{channel}={bit}");
        by_lines.fix_text(&text, shape).expect("a bit of the grid");
        pattern[position] = char::from(b'0' + bit);
    }
    assert_eq!(&by_lines, fixed);
    // A pattern is one of the finest level.
    let finest = shape.finest().positions();
    if fixed
        .iter()
        .any(|(position, _)| !finest.contains(&position))
    {
        return;
    }
    let rows = pattern[finest].chunks(shape.width() * shape.channels());
    let rows: Vec<String> = rows.map(|row| row.iter().collect()).collect();
    let mut by_pattern = FixedBits::none();
    by_pattern
        .fix_pattern(&rows.join("\n"), shape)
        .expect("a pattern of the grid");
    assert_eq!(&by_pattern, fixed);
}
