//! Maps drawn from plain data alone, pixel by pixel.

use super::colours::{BACKGROUND, DIFFERS, UNSUPPORTED, of_rank};
use super::layout::{CAPTION, GAP, HEADER, SIDE};
use super::*;
use crate::latent::Shape;
use crate::picture::canvas::{BLACK, Colour, WHITE, mix};
use crate::picture::{Picture, PictureError};

const CELL: usize = SIDE / 4;

fn shape() -> Shape {
    Shape::new(2, 4, 1).unwrap()
}

fn panel(picture: &Picture, marks: Marks) -> Panel<'_> {
    Panel {
        shape: shape(),
        caption: ["title".to_owned(), "below".to_owned()],
        picture,
        marks,
    }
}

fn empty() -> Map {
    Map::new(&Heading::default(), &[shape()], (1, 1)).unwrap()
}

/// A map of one white panel.
fn map_of(marks: Marks) -> Picture {
    let mut map = empty();
    map.draw((0, 0), &panel(&Picture::of_code(shape(), &[0xff]), marks));
    map.into_picture()
}

/// The colour of a pixel of a site.
fn at(map: &Picture, site: usize, (row, col): (usize, usize)) -> Colour {
    map.colour(
        HEADER + CAPTION + site / 4 * CELL + row,
        GAP + site % 4 * CELL + col,
    )
}

fn middle(map: &Picture, site: usize) -> Colour {
    at(map, site, (CELL / 2, CELL / 2))
}

#[test]
fn a_quilt_has_the_colours_of_its_sources_and_a_seam_between_regions() {
    let map = map_of(Marks::Quilt(QuiltMarks {
        region_of: vec![Some(0), Some(0), Some(1), Some(2)],
        ranks: vec![Some(1), None, Some(0)],
        unsupported: vec![false, false, false, false, true],
        interpolated: Vec::new(),
    }));
    let expected = [of_rank(1), of_rank(1), BACKGROUND, of_rank(0)];
    for (site, colour) in expected.into_iter().enumerate() {
        assert_eq!(middle(&map, site), mix(colour, WHITE, 0.92), "{site}");
    }
    for site in 5..8 {
        assert_eq!(middle(&map, site), WHITE, "{site}");
    }
    // Sites 0 and 1 are of one region; no line runs along the sides of the grid.
    let left_of = |site| at(&map, site, (CELL / 2, 0)) == BLACK;
    assert_eq!([0, 1, 2, 3].map(left_of), [false, false, true, true]);
    let above = |site| at(&map, site, (0, CELL / 2)) == BLACK;
    assert_eq!([0, 3, 4, 7].map(above), [false, false, true, true]);
    let red = (0..CELL).filter(|col| at(&map, 4, (CELL / 2, *col)) == UNSUPPORTED);
    assert!((CELL / 2 - 1..=CELL / 2 + 1).contains(&red.count()));
}

#[test]
fn what_was_copied_is_outlined_in_the_colour_of_its_rank() {
    let sites = vec![false, true, true, false, false, false, true, false];
    let copied = sites.clone();
    let map = map_of(Marks::Copied {
        rank: 2,
        sites: copied,
    });
    for (site, is_copied) in sites.iter().enumerate() {
        let inside = mix(of_rank(2), WHITE, 0.5);
        assert_eq!(middle(&map, site) == inside, *is_copied, "{site}");
    }
    let (half, last) = (CELL / 2, CELL - 1);
    // Above, left, below, right.
    let edges = [(0, half), (half, 0), (last, half), (half, last)];
    let outlined = |site| edges.map(|pixel| at(&map, site, pixel) == of_rank(2));
    assert_eq!(outlined(0), [false; 4]);
    assert_eq!(outlined(1), [true, true, true, false]);
    assert_eq!(outlined(2), [true, false, false, true]);
    assert_eq!(outlined(6), [false, true, true, true]);
}

#[test]
fn what_differs_has_a_spot_and_sites_behind_the_list_have_none() {
    let map = map_of(Marks::Differing(vec![false, true]));
    for site in 0..8 {
        let expected = if site == 1 { DIFFERS } else { WHITE };
        assert_eq!(middle(&map, site), expected, "{site}");
        assert_eq!(at(&map, site, (1, 1)), WHITE, "{site}");
    }
}

#[test]
fn a_panel_beside_the_map_is_not_drawn() {
    let picture = Picture::of_code(shape(), &[0]);
    let blank = empty().into_picture();
    for place in [(1, 0), (0, 1), (usize::MAX, usize::MAX)] {
        let mut map = empty();
        map.draw(place, &panel(&picture, Marks::None));
        assert_eq!(map.into_picture(), blank, "{place:?}");
    }
    let mut map = empty();
    map.draw((0, 0), &panel(&picture, Marks::None));
    assert_ne!(map.into_picture(), blank);
}

#[test]
fn a_map_of_too_many_panels_is_refused_whatever_their_number() {
    for panels in [(1 << 20, 1), (1, 1 << 20), (usize::MAX, usize::MAX)] {
        let refused = Map::new(&Heading::default(), &[shape()], panels);
        assert!(
            matches!(refused, Err(PictureError::Map { .. })),
            "{panels:?}"
        );
    }
}
