//! What a map shows, pixel by pixel against the trace.

use proptest::prelude::*;

use super::*;
use crate::base::Unobserved;
use crate::engine::{Session, SessionOptions, TraceRequest};
use crate::index::{BuildOptions, build};
use crate::latent::{Ids, LatentSet};
use crate::picture::PictureError;
use crate::picture::canvas::{Colour, WHITE, mix};
use crate::picture::map::colours::{BACKGROUND as BACKGROUND_COLOUR, DIFFERS, UNSUPPORTED};
use crate::picture::map::layout::{CAPTION, GAP, HEADER, SIDE};
use crate::samples::SampleSet;

const OUTSIDE: Colour = [160; 3];

/// A map of one sample, with white images: what is seen is what was drawn over them.
fn map_of(
    training: &LatentSet,
    sample: &[u8],
    look: impl FnOnce(&Tracing<'_>, &TracedSample<'_>, &Picture),
) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let mut options = BuildOptions::new("3x3".parse().unwrap());
    options.windows.push("5x5".parse().unwrap());
    build(training, &path, &options, &Unobserved).unwrap();
    let session = Session::open(&path, &SessionOptions::default()).unwrap();
    let samples = SampleSet {
        latents: LatentSet::from_packed(training.shape(), sample.to_vec()).unwrap(),
        answered_by: None,
        windows: Vec::new(),
        min_count: 1.into(),
        without: Ids::default(),
    };
    let tracing = session.tracing(&samples, &TraceRequest::default(), &Unobserved);
    let tracing = tracing.unwrap();
    let mut traced = Vec::new();
    let take = |sample| {
        traced.push(sample);
        Ok(())
    };
    tracing.trace(&Unobserved, take).unwrap();
    let white = |shape: Shape, _: &[u8]| {
        let (height, width) = (shape.height(), shape.width());
        Ok::<_, EngineError>(Picture::of_colours(
            height,
            width,
            vec![255; height * width * 3],
        ))
    };
    let map = tracing.draw_map(&traced, 3, None, white).unwrap();
    look(&tracing, &traced[0], &map);
}

/// The colour in the middle of a site of a panel: no line runs there.
fn at(map: &Picture, shape: Shape, panel: usize, (row, col): (usize, usize)) -> Colour {
    let cell = SIDE / shape.height().max(shape.width());
    let pitch = GAP + SIDE;
    map.colour(
        HEADER + CAPTION + row * cell + cell / 2,
        GAP + panel * pitch + col * cell + cell / 2,
    )
}

fn is_red(colour: Colour) -> bool {
    colour == UNSUPPORTED
}

fn sites(shape: Shape) -> impl Iterator<Item = (usize, usize)> {
    (0..shape.height()).flat_map(move |row| (0..shape.width()).map(move |col| (row, col)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_map_shows_which_source_each_site_was_copied_from(
        latents in prop::collection::vec(prop::collection::vec(any::<u8>(), 16), 2..4),
        cut in 0..=16usize,
        noise in prop::option::of(0..128usize),
    ) {
        let shape = Shape::new(8, 8, 2).unwrap();
        let training = LatentSet::from_packed(shape, latents.concat()).unwrap();
        let mut sample = [&latents[0][..cut], &latents[1][cut..]].concat();
        if let Some(bit) = noise {
            sample[bit / 8] ^= 1 << (bit % 8);
        }
        map_of(&training, &sample, |tracing, row, map| {
            let regions = &row.trace.quilt.regions;
            let mut colours: HashMap<u32, Colour> = HashMap::new();
            let mut ranked: Vec<u32> = Vec::new();
            for region in regions {
                if !ranked.contains(&region.latent) {
                    ranked.push(region.latent);
                }
            }
            let mut marked = vec![vec![false; 64]; ranked.len()];
            for site in sites(shape) {
                assert_eq!(at(map, shape, 0, site), WHITE);
                let position = shape.position(site.0, site.1, 0);
                let own = [position, position + 1];
                if own.iter().any(|bit| row.trace.support.at[*bit].is_none()) {
                    continue;
                }
                let number = row.trace.quilt.region_of[position].unwrap() as usize;
                let region = &regions[number];
                let colour = at(map, shape, 1, site);
                assert!(!is_red(colour));
                if region.information.in_bits() < 1.0 {
                    assert_eq!(colour, mix(BACKGROUND_COLOUR, WHITE, 0.92));
                } else {
                    let known = *colours.entry(region.latent).or_insert(colour);
                    assert_eq!(known, colour, "one colour a source");
                }
                let source = ranked.iter().position(|latent| *latent == region.latent).unwrap();
                let place = |at: usize, by: i32| usize::try_from(at as i64 + i64::from(by)).unwrap();
                marked[source][place(site.0, region.down) * 8 + place(site.1, region.right)] = true;
            }
            let distinct: std::collections::HashSet<_> = colours.values().collect();
            assert_eq!(distinct.len(), colours.len(), "two sources of one colour");
            // Bits of sites that are not supported as a whole may be outlined too.
            let whole = row.trace.support.at.iter().all(Option::is_some);
            for (source, marked) in marked.iter().enumerate().take(3) {
                for (site, is_marked) in sites(shape).zip(marked) {
                    let shown = at(map, shape, 2 + source, site) != OUTSIDE;
                    assert!(shown || !is_marked, "{site:?} of source {source}");
                    assert!(!whole || shown == *is_marked, "{site:?} of source {source}");
                }
            }
            let nearest = row.trace.near.as_ref().unwrap().nearest[0].latent;
            let other = tracing.tracer().unwrap().index().latent(nearest.into()).unwrap().unwrap();
            let differs = |position: usize| {
                (other.packed()[position / 8] ^ row.packed[position / 8]) >> (position % 8) & 1 == 1
            };
            for site in sites(shape) {
                let position = shape.position(site.0, site.1, 0);
                let expected = differs(position) || differs(position + 1);
                assert_eq!(at(map, shape, 5, site) == DIFFERS, expected);
            }
        });
    }
}

#[test]
fn what_no_training_latent_has_is_striped_red() {
    let shape = Shape::new(8, 8, 2).unwrap();
    let training = LatentSet::from_packed(shape, vec![0; 32]).unwrap();
    map_of(&training, &[0xff; 16], |_, _, map| {
        let cell = SIDE / 8;
        let row = HEADER + CAPTION + cell / 2;
        let left = GAP + GAP + SIDE;
        let red = (left..left + cell)
            .filter(|col| is_red(map.colour(row, *col)))
            .count();
        assert!(
            (cell / 2 - 1..=cell / 2 + 1).contains(&red),
            "{red} of {cell}"
        );
    });
}

#[test]
fn what_a_network_answered_is_striped_white_and_nothing_else() {
    let shape = Shape::new(8, 8, 2).unwrap();
    let training = LatentSet::from_packed(shape, vec![0; 32]).unwrap();
    map_of(&training, &[0; 16], |tracing, row, _| {
        let mut row = row.clone();
        row.interpolated = vec![false; 128];
        // The second channel of site (2, 5).
        row.interpolated[2 * 16 + 5 * 2 + 1] = true;
        // Gray images, so that white is the stripes alone.
        let gray = |shape: Shape, _: &[u8]| {
            let count = shape.height() * shape.width() * 3;
            let picture = Picture::of_colours(shape.height(), shape.width(), vec![90; count]);
            Ok::<_, EngineError>(picture)
        };
        let map = tracing.draw_map(&[row], 1, None, gray).unwrap();
        let cell = SIDE / 8;
        for (y, x) in sites(shape) {
            let (top, left) = (HEADER + CAPTION + y * cell, GAP + GAP + SIDE + x * cell);
            let white = (0..cell).filter(|col| map.colour(top + cell / 2, left + col) == WHITE);
            let white = white.count();
            if (y, x) == (2, 5) {
                assert!(
                    (cell / 2 - 1..=cell / 2 + 1).contains(&white),
                    "{white} of {cell}"
                );
            } else {
                assert_eq!(white, 0, "{y}, {x}");
            }
        }
    });
}

#[test]
fn a_map_that_nobody_could_look_at_is_refused_before_it_is_drawn() {
    let shape = Shape::new(8, 8, 2).unwrap();
    let training = LatentSet::from_packed(shape, vec![0; 16]).unwrap();
    map_of(&training, &[0; 16], |tracing, row, _| {
        let rows = vec![row.clone(); 1 << 10];
        let never = |_: Shape, _: &[u8]| -> Result<Picture, EngineError> { unreachable!("drawn") };
        let refused = tracing.draw_map(&rows, 3000, None, never);
        assert!(matches!(
            refused,
            Err(EngineError::Picture(PictureError::Map { .. }))
        ));
    });
}

#[test]
fn a_map_with_verdicts_outlines_what_a_copy_was_copied_from() {
    // Stripes that are all different, and one of them moved down by a row.
    let shape = Shape::new(12, 12, 1).unwrap();
    let mut random = 1u64;
    let mut latents = LatentSet::new(shape);
    for _ in 0..60 {
        let bits = (0..144).map(|_| {
            random = random
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            random >> 63 == 1
        });
        latents.push_bits(bits).unwrap();
    }
    let held_out = latents.only(&"30..60".parse().unwrap());
    let training = latents.only(&"0..30".parse().unwrap());
    let moved =
        |id: usize| (0..144).map(move |at: usize| at >= 12 && training_bit(&latents, id, at - 12));
    let mut samples = LatentSet::new(shape);
    samples.push_bits(moved(7)).unwrap();
    samples
        .push_bits(held_out.latent(3).iter().map(|bit| !*bit))
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let options = BuildOptions::new("5x5".parse().unwrap());
    build(&training, &path, &options, &Unobserved).unwrap();
    let session = Session::open(&path, &SessionOptions::default()).unwrap();
    let copying = session.copying(40, &Unobserved).unwrap();
    let calibration = copying
        .calibrate(&held_out, "held out".as_ref(), &Unobserved)
        .unwrap();
    let request = crate::engine::CopyRequest {
        false_alarms: 0.07,
        ..crate::engine::CopyRequest::default()
    };
    let verdicts = copying
        .judge(&samples, 0..2, &calibration, &request, &Unobserved)
        .unwrap();
    assert!(verdicts[0].copy && !verdicts[1].copy);
    let samples = SampleSet {
        latents: samples,
        answered_by: None,
        windows: Vec::new(),
        min_count: 1.into(),
        without: Ids::default(),
    };
    let tracing = session
        .tracing(&samples, &TraceRequest::default(), &Unobserved)
        .unwrap();
    let mut traced = Vec::new();
    let take = |sample| {
        traced.push(sample);
        Ok(())
    };
    tracing.trace(&Unobserved, take).unwrap();
    for sample in &mut traced {
        sample.verdict = Some(verdicts[sample.sample].clone());
    }
    let white = |shape: Shape, _: &[u8]| {
        let (height, width) = (shape.height(), shape.width());
        Ok::<_, EngineError>(Picture::of_colours(
            height,
            width,
            vec![255; height * width * 3],
        ))
    };
    let map = tracing.draw_map(&traced, 1, None, white).unwrap();
    // Copied: rows 0 to 10 of latent 7, all columns. Its last row is under no site of the sample.
    for (row, col) in sites(shape) {
        let copied = at(&map, shape, 1, (row, col)) != OUTSIDE;
        assert_eq!(copied, row < 11, "{row} {col}");
    }
    assert_eq!(verdicts[0].most_likely().unwrap().copied.latent, 7);
    // The sample that is none has its panel too, with nothing on it.
    let second = HEADER + CAPTION + SIDE + GAP + CAPTION + SIDE / 2;
    assert_eq!(map.colour(second, GAP + GAP + SIDE + SIDE / 2), WHITE);
}

fn training_bit(latents: &LatentSet, id: usize, at: usize) -> bool {
    latents.latent(id)[at]
}
