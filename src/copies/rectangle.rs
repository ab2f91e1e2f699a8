//! The rectangle of a grid whose sites gain most.

use crate::provenance::Rectangle;

/// Finds rectangles, keeping what it works with.
#[derive(Default)]
pub(super) struct Rectangles {
    columns: Vec<f32>,
}

impl Rectangles {
    /// Returns the rectangle whose gains, row by row, sum to most, and their sum; the first in order of top, bottom and right
    /// edge among equals. `None` for a grid in which no site gains anything.
    ///
    /// All pairs of rows, and for each the best run of columns (Kadane): O(height² · width).
    pub(super) fn best(
        &mut self,
        gains: &[f32],
        (height, width): (usize, usize),
    ) -> Option<(Rectangle, f32)> {
        let (mut best, mut place) = (0.0, None);
        for top in 0..height {
            self.columns.clear();
            self.columns.resize(width, 0.0);
            for bottom in top..height {
                let row = &gains[bottom * width..(bottom + 1) * width];
                for (sum, gain) in self.columns.iter_mut().zip(row) {
                    *sum += gain;
                }
                let (mut run, mut start) = (0.0f32, 0);
                for (col, gain) in self.columns.iter().enumerate() {
                    if run <= 0.0 {
                        (run, start) = (0.0, col);
                    }
                    run += gain;
                    if run > best {
                        best = run;
                        place = Some((top, bottom, start, col));
                    }
                }
            }
        }
        place.map(|(top, bottom, left, right)| {
            let rectangle = Rectangle {
                rows: top..bottom + 1,
                columns: left..right + 1,
            };
            (rectangle, best)
        })
    }
}

/// Returns the rectangle of most gain of those whose last row is the one before `end`, and its gain: the least high of equals. `rows` are
/// the gains of the rows' sites, from that one upwards. `None` where none gains anything. O(rows · width).
pub(super) fn ending_below(
    end: usize,
    rows: impl Iterator<Item = Vec<i64>>,
) -> Option<(Rectangle, i64)> {
    let mut columns: Vec<i64> = Vec::new();
    let (mut best, mut place) = (0, None);
    for (height, row) in (1..).zip(rows) {
        columns.resize(row.len(), 0);
        let (mut run, mut start) = (0, 0);
        for (col, (sum, gain)) in columns.iter_mut().zip(row).enumerate() {
            *sum += gain;
            if run <= 0 {
                (run, start) = (0, col);
            }
            run += *sum;
            if run > best {
                (best, place) = (run, Some((height, start..col + 1)));
            }
        }
    }
    place.map(|(height, columns)| {
        let rows = end - height..end;
        (Rectangle { rows, columns }, best)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_rectangle_gains_more(
            (height, width) in (1..6usize, 1..6usize),
            gains in prop::collection::vec(-5..6i32, 25),
        ) {
            // Whole numbers: sums of them are exact.
            let gains: Vec<f32> = gains[..height * width].iter().map(|gain| *gain as f32).collect();
            let mut most = 0.0;
            for top in 0..height {
                for bottom in top..height {
                    for left in 0..width {
                        for right in left..width {
                            let rows = top..=bottom;
                            let sum = rows.flat_map(|row| (left..=right).map(move |col| (row, col)));
                            let sum: f32 = sum.map(|(row, col)| gains[row * width + col]).sum();
                            most = f32::max(most, sum);
                        }
                    }
                }
            }
            let found = Rectangles::default().best(&gains, (height, width));
            match found {
                None => prop_assert_eq!(most, 0.0),
                Some((rectangle, gain)) => {
                    prop_assert_eq!(gain, most);
                    let sites = rectangle.rows.clone().flat_map(|row| {
                        rectangle.columns.clone().map(move |col| (row, col))
                    });
                    let sum: f32 = sites.map(|(row, col)| gains[row * width + col]).sum();
                    prop_assert_eq!(sum, gain);
                }
            }
            // The best of those that end in each row is the best.
            let ending = (0..height).filter_map(|bottom| {
                let rows = (0..=bottom).rev().map(|row| gains[row * width..(row + 1) * width].iter());
                let (rectangle, gain) = ending_below(bottom + 1, rows.map(|row| row.map(|gain| *gain as i64).collect()))?;
                assert_eq!(rectangle.rows.end, bottom + 1);
                let sites = rectangle.rows.flat_map(|row| rectangle.columns.clone().map(move |col| (row, col)));
                let sum: f32 = sites.map(|(row, col)| gains[row * width + col]).sum();
                assert_eq!(sum as i64, gain);
                Some(gain)
            });
            prop_assert_eq!(ending.max().unwrap_or(0), most as i64);
        }
    }
}
