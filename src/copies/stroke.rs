//! Samples with thinner and with thicker strokes: what undoes a copy whose strokes were made thicker, or thinner.

use serde::Serialize;

use crate::latent::{Codec, Level, Shape};

/// How the strokes of a copy differ from its source's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
#[non_exhaustive]
pub enum Stroke {
    /// They are a site thicker on each side: the sample was made thinner before it was compared.
    Thicker,
    /// They are a site thinner on each side: the sample was made thicker before it was compared.
    Thinner,
}

impl Stroke {
    pub(super) const ALL: [Self; 2] = [Self::Thicker, Self::Thinner];

    /// Undoes it in every level that shows pixels: each bit becomes the least of itself and its neighbours above, below and beside
    /// it in its channel, or the most of them. Sites outside of the grid have no say.
    pub(super) fn undone(self, shape: Shape, codecs: &[Codec], packed: &[u8]) -> Vec<u8> {
        let mut undone = packed.to_vec();
        let bit = |position: usize| packed[position / 8] >> (position % 8) & 1 == 1;
        for (level, _) in shape
            .levels()
            .iter()
            .zip(codecs)
            .filter(|(_, codec)| shows_pixels(codec))
        {
            for position in level.positions() {
                let mut around = neighbours(level, position);
                let value = match self {
                    Self::Thicker => bit(position) && around.all(bit),
                    Self::Thinner => bit(position) || around.any(bit),
                };
                let byte = &mut undone[position / 8];
                *byte = *byte & !(1 << (position % 8)) | u8::from(value) << (position % 8);
            }
        }
        undone
    }
}

/// Returns whether strokes of a level have a thickness.
pub(super) fn shows_pixels(codec: &Codec) -> bool {
    matches!(codec, Codec::Threshold | Codec::Thermometer { .. })
}

fn neighbours(level: &Level, position: usize) -> impl Iterator<Item = usize> + use<> {
    let (row, col, channel) = level.place(position);
    let (height, width, level) = (level.height(), level.width(), *level);
    let places = [
        (row.wrapping_sub(1), col),
        (row + 1, col),
        (row, col.wrapping_sub(1)),
        (row, col + 1),
    ];
    let inside = places
        .into_iter()
        .filter(move |(row, col)| *row < height && *col < width);
    inside.map(move |(row, col)| level.position(row, col, channel))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packs rows of `#` and `.`.
    fn packed(rows: [&str; 4]) -> Vec<u8> {
        let bits: Vec<bool> = rows.concat().chars().map(|site| site == '#').collect();
        let bytes = bits.chunks(8);
        bytes
            .map(|bits| {
                bits.iter()
                    .rev()
                    .fold(0, |byte, bit| byte << 1 | u8::from(*bit))
            })
            .collect()
    }

    #[test]
    fn strokes_are_made_thinner_and_thicker_by_a_site() {
        let shape = Shape::new(4, 6, 1).unwrap();
        let sample = packed(["......", ".####.", ".####.", "######"]);
        let codecs = [Codec::Threshold];
        // At the edge nothing is taken away for what is not there.
        let thinner = packed(["......", "......", "..##..", ".####."]);
        let thicker = packed([".####.", "######", "######", "######"]);
        assert_eq!(Stroke::Thicker.undone(shape, &codecs, &sample), thinner);
        assert_eq!(Stroke::Thinner.undone(shape, &codecs, &sample), thicker);
        assert_eq!(
            Stroke::Thinner.undone(shape, &[Codec::Codes], &sample),
            sample
        );
    }
}
