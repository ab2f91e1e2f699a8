//! Draws a panel's picture and the marks on its sites.

use super::colours::{self, light};
use super::painter::Painter;
use super::panel::{Marks, QuiltMarks};
use crate::picture::Picture;
use crate::picture::canvas::{BLACK, WHITE, mix};

/// Draws a picture with its marks.
pub(super) fn draw(painter: &mut Painter<'_>, picture: &Picture, marks: &Marks) {
    match marks {
        Marks::None => painter.picture(picture, |_, colour| colour),
        Marks::Quilt(quilt) => draw_quilt(painter, picture, quilt),
        Marks::Copied { rank, sites } => draw_copied(painter, picture, *rank, sites),
        Marks::Differing(sites) => {
            painter.picture(picture, |_, colour| colour);
            painter.spots(|site| holds(sites, site), colours::DIFFERS);
        }
    }
}

fn draw_quilt(painter: &mut Painter<'_>, picture: &Picture, quilt: &QuiltMarks) {
    let region_of = |site: usize| quilt.region_of.get(site).copied().flatten();
    let colour_of = |region: usize| {
        let rank = quilt.ranks.get(region).copied().flatten();
        rank.map_or(colours::BACKGROUND, colours::of_rank)
    };
    painter.picture(picture, |site, colour| {
        let Some(region) = region_of(site) else {
            return colour;
        };
        let tint = mix(colour_of(region), WHITE, 0.92);
        mix(tint, BLACK, 0.38 + 0.62 * light(colour))
    });
    let unsupported = |site| holds(&quilt.unsupported, site);
    painter.stripes(unsupported, 0, colours::UNSUPPORTED);
    let interpolated = |site| holds(&quilt.interpolated, site);
    painter.stripes(interpolated, 2, colours::INTERPOLATED);
    painter.seams(|site, other| region_of(site) != region_of(other), BLACK);
}

fn draw_copied(painter: &mut Painter<'_>, picture: &Picture, rank: usize, sites: &[bool]) {
    let tint = colours::of_rank(rank);
    painter.picture(picture, |site, colour| match holds(sites, site) {
        true => mix(mix(tint, WHITE, 0.5), BLACK, 0.2 + 0.8 * light(colour)),
        false => mix(colour, [96, 96, 96], 0.4),
    });
    let thickness = (painter.cell / 3).clamp(2, 3);
    painter.outline(|site| holds(sites, site), thickness, tint);
}

fn holds(sites: &[bool], site: usize) -> bool {
    sites.get(site).copied().unwrap_or(false)
}
