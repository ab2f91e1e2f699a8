//! Transparent pictures: what one sees over the background is what comes in.

use std::io::Write;

use bitquilt::Unobserved;
use bitquilt::images::import::{ImportOptions, import};
use flate2::{Compression, Crc, write::ZlibEncoder};
use image::{DynamicImage, ImageBuffer, LumaA, Rgba};

use crate::support::desk::{Desk, bits, npy, shape};
use crate::support::files::{cifar, colour, gray, idx, noise};

/// Whether half of white is reached by `sample` at `alpha` over `behind`, all of `white` at most: in integers.
fn is_light(sample: u32, alpha: u32, behind: u32, white: u32) -> bool {
    let [sample, alpha, behind, white] = [sample, alpha, behind, white].map(u64::from);
    2 * (sample * alpha + behind * (white - alpha)) >= white * white
}

const BACKGROUNDS: [(&str, [u8; 3]); 4] = [
    ("", [0, 0, 0]),
    ("--background black", [0, 0, 0]),
    ("--background white", [255, 255, 255]),
    ("--background #8040C0", [0x80, 0x40, 0xc0]),
];

#[test]
fn transparent_colours_are_laid_over_the_background() {
    let desk = Desk::new();
    let bytes = noise(9 * 7 * 4, 3);
    let words: Vec<u16> = noise(9 * 7 * 8, 4)
        .as_chunks::<2>()
        .0
        .iter()
        .map(|two| u16::from_be_bytes(*two))
        .collect();
    let image = ImageBuffer::<Rgba<u8>, _>::from_raw(9, 7, bytes.clone()).unwrap();
    desk.draw("8.png", image.clone());
    desk.draw("8.webp", image);
    let deep = ImageBuffer::<Rgba<u16>, _>::from_raw(9, 7, words.clone()).unwrap();
    desk.draw("16.png", deep);
    for (option, background) in BACKGROUNDS {
        let over = |samples: &[u32], white: u32| -> Vec<bool> {
            let pixels = samples.chunks(4).flat_map(|pixel| {
                (0..3).map(|k| {
                    let behind = u32::from(background[k]) * white / 255;
                    is_light(pixel[k], pixel[3], behind, white)
                })
            });
            pixels.collect()
        };
        let bytes: Vec<u32> = bytes.iter().map(|sample| u32::from(*sample)).collect();
        let words: Vec<u32> = words.iter().map(|sample| u32::from(*sample)).collect();
        for (file, expected) in [
            ("8.png", over(&bytes, 255)),
            ("8.webp", over(&bytes, 255)),
            ("16.png", over(&words, 65_535)),
        ] {
            let (set, outcome) = desk.import(&format!("{file} {option}"));
            assert_eq!(
                (set.shape(), bits(&set)),
                (shape(7, 9, 3), expected),
                "{file} {option}"
            );
            let name = match option.split_once(' ') {
                Some((_, name)) => name.to_lowercase(),
                None => "black (--background COLOUR".to_owned(),
            };
            let note = format!("note: 1 image with transparency composited over {name}");
            assert!(outcome.stderr.contains(&note), "{outcome:?}");
        }
    }
    let (set, _) = desk.import("8.png --background #8040c0 --channel green");
    assert_eq!(
        set.source(),
        "8.png, green channel, over #8040c0, threshold 0.5"
    );
}

#[test]
fn transparent_grays_are_laid_over_a_gray_background() {
    let desk = Desk::new();
    let bytes = noise(9 * 7 * 2, 5);
    let words: Vec<u16> = bytes
        .iter()
        .map(|sample| u16::from(*sample) * 251 + 7)
        .collect();
    let image = ImageBuffer::<LumaA<u8>, _>::from_raw(9, 7, bytes.clone()).unwrap();
    desk.draw("8.png", image);
    let deep = ImageBuffer::<LumaA<u16>, _>::from_raw(9, 7, words.clone()).unwrap();
    desk.draw("16.png", deep);
    for (option, background) in &BACKGROUNDS[..3] {
        let behind = u32::from(background[0]);
        let eight = bytes
            .chunks(2)
            .map(|p| is_light(p[0].into(), p[1].into(), behind, 255));
        let deep = words.chunks(2);
        let sixteen = deep.map(|p| is_light(p[0].into(), p[1].into(), behind * 257, 65_535));
        let (set, _) = desk.import(&format!("8.png {option}"));
        assert_eq!(
            (set.shape(), bits(&set)),
            (shape(7, 9, 1), eight.collect()),
            "{option}"
        );
        let (set, _) = desk.import(&format!("16.png {option}"));
        assert_eq!(bits(&set), sixteen.collect::<Vec<_>>(), "{option}");
    }
    desk.refused_import(
        "8.png --background #ff0000",
        &["8.png", "a gray background", "#ff0000", "--gray"],
    );
    // Its luma, 0.2126 of white: in ten thousandths.
    let (set, _) = desk.import("8.png --background #ff0000 --gray");
    let red = bytes.chunks(2).map(|p| {
        let (sample, alpha) = (u64::from(p[0]) * 10_000, u64::from(p[1]));
        2 * (sample * alpha + 2126 * 255 * (255 - alpha)) >= 10_000 * 255 * 255
    });
    assert_eq!(bits(&set), red.collect::<Vec<_>>());
    let (set, _) = desk.import("8.png --background #ff0000 --channel red");
    let red = bytes
        .chunks(2)
        .map(|p| is_light(p[0].into(), p[1].into(), 255, 255));
    assert_eq!(bits(&set), red.collect::<Vec<_>>());
}

#[test]
fn a_shape_cut_out_by_transparency_is_seen() {
    let desk = Desk::new();
    // White everywhere, and opaque in a square only.
    let icon = ImageBuffer::from_fn(6, 6, |x, y| {
        let inside = (2..4).contains(&x) && (1..3).contains(&y);
        LumaA([255u8, if inside { 255 } else { 0 }])
    });
    desk.draw("icon.png", icon);
    let square = |at: usize| (2..4).contains(&(at % 6)) && (1..3).contains(&(at / 6));
    let (set, _) = desk.import("icon.png");
    assert_eq!(bits(&set), (0..36).map(square).collect::<Vec<_>>());
    let (set, outcome) = desk.import("icon.png --background white");
    assert!(bits(&set).iter().all(|bit| *bit));
    assert!(outcome.stderr.contains("every bit is 1"), "{outcome:?}");
}

/// A PNG of one row, bit depth 8, with a palette or in gray, and a tRNS chunk.
fn png(width: u32, colour_type: u8, palette: &[u8], transparency: &[u8], row: &[u8]) -> Vec<u8> {
    let chunk = |name: &[u8], data: &[u8]| {
        let mut crc = Crc::new();
        crc.update(name);
        crc.update(data);
        let length = (data.len() as u32).to_be_bytes();
        [&length[..], name, data, &crc.sum().to_be_bytes()].concat()
    };
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(&[&[0], row].concat()).unwrap();
    let header = [
        &width.to_be_bytes()[..],
        &[0, 0, 0, 1, 8, colour_type, 0, 0, 0],
    ]
    .concat();
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    file.extend(chunk(b"IHDR", &header));
    if !palette.is_empty() {
        file.extend(chunk(b"PLTE", palette));
    }
    file.extend(chunk(b"tRNS", transparency));
    file.extend(chunk(b"IDAT", &zlib.finish().unwrap()));
    file.extend(chunk(b"IEND", &[]));
    file
}

#[test]
fn a_palette_with_transparency_is_laid_over_the_background() {
    let desk = Desk::new();
    let palette = [255, 255, 255, 200, 100, 0, 0, 0, 0];
    // The third colour has no alpha of its own: opaque.
    desk.write("p.png", png(4, 3, &palette, &[0, 160], &[0, 1, 2, 1]));
    let over = |background: u32| -> Vec<bool> {
        let alphas = [0, 160, 255];
        let pixels = [0usize, 1, 2, 1].into_iter().flat_map(|entry| {
            (0..3).map(move |k| {
                is_light(
                    u32::from(palette[entry * 3 + k]),
                    alphas[entry],
                    background,
                    255,
                )
            })
        });
        pixels.collect()
    };
    assert_eq!(bits(&desk.import("p.png").0), over(0));
    assert_eq!(bits(&desk.import("p.png --background white").0), over(255));
    assert_ne!(over(0), over(255));
    // In gray, one value is transparent.
    desk.write("g.png", png(4, 0, &[], &[0, 250], &[250, 251, 3, 250]));
    let (set, outcome) = desk.import("g.png");
    assert_eq!(bits(&set), [false, true, false, false]);
    assert!(
        outcome.stderr.contains("1 image with transparency"),
        "{outcome:?}"
    );
    assert_eq!(
        bits(&desk.import("g.png --background white").0),
        [true, true, false, true]
    );
}

#[test]
fn alpha_that_hides_nothing_changes_nothing() {
    let desk = Desk::new();
    let picture = colour(5, 4, 1);
    let opaque = DynamicImage::from(picture.clone()).into_rgba8();
    desk.draw("plain.png", picture);
    desk.draw("alpha.png", opaque);
    // Every threshold of a byte: to the last bit.
    for min in 1..=255u8 {
        let options = ImportOptions {
            threshold: Some(f32::from(min) / 255.0),
            ..ImportOptions::default()
        };
        let read = |name| import(&[desk.path(name)], &options, &Unobserved).unwrap();
        let (plain, alpha) = (read("plain.png"), read("alpha.png"));
        assert_eq!(bits(&plain.set), bits(&alpha.set), "{min}");
        assert!(alpha.notes.is_empty(), "{:?}", alpha.notes);
    }
    assert_eq!(
        desk.import("alpha.png --background white").1.stderr,
        "",
        "nothing of it is seen"
    );
}

#[test]
fn what_was_laid_over_a_background_is_counted_once() {
    let desk = Desk::new();
    for (at, alpha) in [255u8, 0, 255, 254].into_iter().enumerate() {
        let image = ImageBuffer::from_pixel(3, 3, LumaA([255u8, alpha]));
        desk.draw(&format!("f/{at}.png"), image);
    }
    desk.draw("f/4.png", gray(3, 3, 1));
    let (_, outcome) = desk.import("f");
    let note =
        "note: 2 images with transparency composited over black (--background COLOUR for another)";
    assert_eq!(outcome.stderr.matches(note).count(), 1, "{outcome:?}");
}

#[test]
fn a_background_that_fits_no_input_or_is_no_colour_is_refused() {
    let desk = Desk::new();
    desk.write("i", idx(&[1, 2, 2], &[0; 4]));
    desk.write("a.bin", cifar(&[1], 1));
    desk.write("c.npy", npy("'|u1'", false, "(1, 2, 2)", &[1; 4]));
    desk.draw("a.png", gray(2, 2, 1));
    for input in ["i", "a.bin", "c.npy"] {
        desk.refused_import(
            &format!("{input} --background white"),
            &["--background", "leave"],
        );
    }
    for background in ["grey", "#fff", "#gggggg", "#+fffff", "ffffff", "#ffffffff"] {
        desk.refused_import(
            &format!("a.png --background {background}"),
            &["black, white or #rrggbb"],
        );
    }
}
