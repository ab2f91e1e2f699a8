//! The colours of a map.

use crate::picture::canvas::{Colour, WHITE, mix};

pub(super) const FRAME: Colour = [196, 198, 204];
pub(crate) const BACKGROUND: Colour = [138, 140, 148];
pub(crate) const UNSUPPORTED: Colour = [214, 30, 48];
pub(super) const INTERPOLATED: Colour = WHITE;
pub(crate) const DIFFERS: Colour = [255, 96, 32];
/// Colours of the first sources, told apart by people who see few colours too (Okabe and Ito 2008).
const PALETTE: [Colour; 7] = [
    [230, 159, 0],
    [86, 180, 233],
    [0, 158, 115],
    [240, 228, 66],
    [204, 121, 167],
    [213, 94, 0],
    [60, 110, 220],
];

/// Returns the colour of a source by its rank: one of the palette for the first, a paler one around the circle of hues
/// for the others.
pub(super) fn of_rank(rank: usize) -> Colour {
    if let Some(colour) = PALETTE.get(rank) {
        return *colour;
    }
    // Steps of the golden angle: neighbours in rank are far apart in hue, whatever their number.
    let turn = (rank as f32 * 0.618_034).fract() * 6.0;
    let wave = |shift: f32| {
        let distance = ((turn + shift) % 6.0 - 3.0).abs() - 1.0;
        (distance.clamp(0.0, 1.0) * 255.0) as u8
    };
    let hue = [wave(0.0), wave(4.0), wave(2.0)];
    mix(hue, [190, 190, 195], 0.35)
}

/// Returns how light a colour is, from 0 for black to 1 for white.
pub(super) fn light([red, green, blue]: Colour) -> f32 {
    (0.2126 * f32::from(red) + 0.7152 * f32::from(green) + 0.0722 * f32::from(blue)) / 255.0
}
