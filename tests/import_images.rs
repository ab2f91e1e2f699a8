//! Images as cameras and data sets write them: turned, on their side.

use bitquilt::Unobserved;
use bitquilt::images::{ImageOptions, ImageSet};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, GrayImage, ImageBuffer, Luma, LumaA, Rgb};

use crate::support::desk::{Desk, bits, npy, shape};
use crate::support::files::{cifar, cifar100, colour, gray, idx, noise};

// Orientation

/// A JPEG of flat 8×8 blocks, with an Exif segment after its beginning.
fn jpeg(picture: &GrayImage, exif: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (width, height) = picture.dimensions();
    JpegEncoder::new_with_quality(&mut bytes, 100)
        .encode(picture.as_raw(), width, height, ExtendedColorType::L8)
        .unwrap();
    let segment = [b"Exif\0\0", exif].concat();
    let length = (segment.len() as u16 + 2).to_be_bytes();
    let app1 = [&[0xff, 0xe1], &length[..], &segment].concat();
    [&bytes[..2], &app1, &bytes[2..]].concat()
}

/// A TIFF header and one directory with an orientation, in either byte order.
fn exif(orientation: u16, big_endian: bool) -> Vec<u8> {
    let short = |value: u16| {
        if big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    };
    let long = |value: u32| {
        if big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    };
    let mut bytes = if big_endian {
        b"MM".to_vec()
    } else {
        b"II".to_vec()
    };
    bytes.extend(short(42));
    bytes.extend(long(8));
    bytes.extend(short(1));
    // Tag, type, count, value and its padding; no further directory.
    bytes.extend([short(0x112), short(3)].concat());
    bytes.extend(long(1));
    bytes.extend([short(orientation), short(0)].concat());
    bytes.extend(long(0));
    bytes
}

/// Where in the file the pixel (row, col) of the upright picture is, by the meaning that EXIF gives to the
/// stored first row and column: "row 0 is the visual top, column 0 the visual right", and so on.
fn stored(
    orientation: u16,
    (row, col): (usize, usize),
    (height, width): (usize, usize),
) -> (usize, usize) {
    match orientation {
        1 => (row, col),
        2 => (row, width - 1 - col),
        3 => (height - 1 - row, width - 1 - col),
        4 => (height - 1 - row, col),
        5 => (col, row),
        6 => (height - 1 - col, row),
        7 => (height - 1 - col, width - 1 - row),
        8 => (col, width - 1 - row),
        _ => unreachable!(),
    }
}

/// Blocks of black and white, 16 rows of 24 columns, no two ways of turning it the same.
fn blocks() -> GrayImage {
    let light = [[true, true, false], [true, false, false]];
    GrayImage::from_fn(24, 16, |x, y| {
        Luma([255 * u8::from(light[y as usize / 8][x as usize / 8])])
    })
}

#[test]
fn a_picture_stands_upright_whatever_its_orientation() {
    let desk = Desk::new();
    let picture = blocks();
    let (height, width) = (16, 24);
    let mut all = std::collections::HashSet::new();
    for orientation in 1..=8 {
        let turned = orientation > 4;
        let (rows, cols) = if turned {
            (width, height)
        } else {
            (height, width)
        };
        let expected: Vec<bool> = (0..rows * cols)
            .map(|at| {
                let (row, col) = stored(orientation, (at / cols, at % cols), (height, width));
                picture.get_pixel(col as u32, row as u32).0 == [255]
            })
            .collect();
        for big_endian in [false, true] {
            desk.write("a.jpg", jpeg(&picture, &exif(orientation, big_endian)));
            let (set, outcome) = desk.import("a.jpg");
            assert_eq!(set.shape(), shape(rows, cols, 1), "{orientation}");
            assert_eq!(bits(&set), expected, "{orientation}");
            let note = "note: 1 image turned as EXIF says";
            assert_eq!(
                outcome.stderr.contains(note),
                orientation != 1,
                "{outcome:?}"
            );
        }
        all.insert((rows, expected));
    }
    assert_eq!(all.len(), 8);
}

#[test]
fn sizes_are_compared_upright() {
    let desk = Desk::new();
    let picture = blocks();
    desk.write("f/a.jpg", jpeg(&picture, &exif(6, true)));
    desk.write("f/b.jpg", jpeg(&picture, &exif(8, false)));
    desk.draw("f/c.png", gray(16, 24, 1));
    let (set, outcome) = desk.import("f");
    assert_eq!((set.len(), set.shape()), (3, shape(24, 16, 1)));
    assert!(outcome.stderr.contains("2 images turned"), "{outcome:?}");
    desk.write("f/d.jpg", jpeg(&picture, &exif(1, true)));
    desk.refused_import("f", &["d.jpg", "24x16 pixels", "found 16x24"]);
    // The size to scale to is the upright one: rows of one picture are columns of the other.
    let (set, _) = desk.import("f/a.jpg f/d.jpg --resize 6x6");
    let latent = |id| set.latent(id).iter().map(|bit| *bit).collect::<Vec<_>>();
    let (lying, standing) = (latent(1), latent(0));
    let turned: Vec<bool> = (0..36).map(|at| lying[(5 - at % 6) * 6 + at / 6]).collect();
    assert_eq!(standing, turned);
}

#[test]
fn an_orientation_that_says_nothing_leaves_the_picture_as_it_is() {
    let desk = Desk::new();
    let picture = blocks();
    let expected: Vec<bool> = picture.as_raw().iter().map(|value| *value == 255).collect();
    for exif in [
        exif(0, true),
        exif(9, false),
        exif(6, true)[..12].to_vec(),
        Vec::new(),
    ] {
        desk.write("a.jpg", jpeg(&picture, &exif));
        let (set, outcome) = desk.import("a.jpg");
        assert_eq!((bits(&set), &outcome.stderr[..]), (expected.clone(), ""));
    }
}

// Transposition

#[test]
fn transposed_images_have_their_rows_for_columns() {
    let desk = Desk::new();
    let pixels = noise(2 * 3 * 5, 8);
    desk.write("i", idx(&[2, 3, 5], &pixels));
    let (set, _) = desk.import("i --transpose");
    let at = |n: usize, row: usize, col: usize| pixels[(n * 3 + row) * 5 + col] >= 128;
    let expected =
        (0..2).flat_map(|n| (0..5).flat_map(move |row| (0..3).map(move |col| (n, row, col))));
    let expected: Vec<bool> = expected.map(|(n, row, col)| at(n, col, row)).collect();
    assert_eq!((set.shape(), bits(&set)), (shape(5, 3, 1), expected));
    assert_eq!(set.source(), "i, transposed, threshold 0.5");

    let picture = colour(5, 3, 2);
    desk.draw("f/a.png", picture.clone());
    let (set, _) = desk.import("f --transpose");
    let expected = (0..5).flat_map(|row| (0..3).map(move |col| (row, col)));
    let expected =
        expected.flat_map(|(row, col)| picture.get_pixel(row, col).0.map(|value| value >= 128));
    assert_eq!(
        (set.shape(), bits(&set)),
        (shape(5, 3, 3), expected.collect())
    );

    let records = cifar(&[4, 2], 9);
    desk.write("a.bin", &records);
    let (set, _) = desk.import("a.bin --transpose --channel blue");
    let expected = records
        .chunks(3073)
        .flat_map(|record| (0..1024).map(|at| record[1 + 2048 + at % 32 * 32 + at / 32] >= 128));
    assert_eq!(bits(&set), expected.collect::<Vec<_>>());

    // First transposed, then scaled: sides that are asked for are those that come out.
    let halves = GrayImage::from_fn(8, 4, |x, _| Luma([255 * u8::from(x >= 4)]));
    desk.draw("h.png", halves);
    let (set, _) = desk.import("h.png --transpose --resize 2x1");
    assert_eq!(
        (set.shape(), bits(&set)),
        (shape(2, 1, 1), vec![false, true])
    );
    assert_eq!(
        set.source(),
        "h.png, transposed, resized to 2x1, threshold 0.5"
    );
    desk.write("c.npy", npy("'|u1'", false, "(1, 2, 2)", &[1; 4]));
    desk.refused_import("c.npy --transpose", &["--transpose", "leave"]);
}

#[test]
fn emnist_is_said_to_lie_on_its_side() {
    let desk = Desk::new();
    for name in ["emnist-letters-train-images-idx3-ubyte", "EMNIST.idx"] {
        desk.write(name, idx(&[1, 2, 2], &[0, 255, 0, 0]));
        let (set, outcome) = desk.import(name);
        assert!(outcome.stderr.contains("--transpose"), "{outcome:?}");
        assert_eq!(bits(&set), [false, true, false, false]);
        let (set, outcome) = desk.import(&format!("{name} --transpose"));
        assert!(!outcome.stderr.contains("--transpose"), "{outcome:?}");
        assert_eq!(bits(&set), [false, false, true, false]);
    }
    desk.write("mnist", idx(&[1, 2, 2], &[0; 4]));
    assert!(!desk.import("mnist").1.stderr.contains("--transpose"));
}

// Whole images

#[test]
fn whole_images_are_upright_opaque_and_transposed_too() {
    let desk = Desk::new();
    let read = |name: &str, options: &ImageOptions| {
        ImageSet::read(&[desk.path(name)], options, &Unobserved).unwrap()
    };
    desk.draw(
        "a.png",
        ImageBuffer::from_fn(2, 1, |x, _| LumaA([200u8, [0, 255][x as usize]])),
    );
    let images = read("a.png", &ImageOptions::default());
    assert_eq!(images.pixels(), [0, 200]);
    let note = "1 image with transparency composited over black (background=COLOUR for another)";
    assert_eq!(images.notes(), [note]);
    let options = ImageOptions {
        background: Some([77; 3]),
        transpose: true,
        ..ImageOptions::default()
    };
    let images = read("a.png", &options);
    assert_eq!(
        (images.height(), images.width(), images.pixels()),
        (2, 1, &[77, 200][..])
    );
    assert_eq!(images.source(), "a.png, over #4d4d4d, transposed");

    desk.write("a.jpg", jpeg(&blocks(), &exif(6, true)));
    let images = read("a.jpg", &ImageOptions::default());
    assert_eq!((images.height(), images.width()), (24, 16));
    assert_eq!(images.pixels()[0], blocks().get_pixel(0, 15).0[0]);
    assert_eq!(
        images.notes(),
        ["1 image turned as EXIF says, to stand upright"]
    );

    desk.write("c/train.bin", cifar100(&[[19, 99], [3, 12]], 40));
    let images = read("c", &ImageOptions::default());
    assert_eq!((images.len(), images.labels()), (2, Some(&[99, 12][..])));
    let plane = &noise(3072, 40);
    assert_eq!(images.pixels()[..3], [plane[0], plane[1024], plane[2048]]);

    desk.write("i", idx(&[1, 1, 1], &[9]));
    let refused = ImageSet::read(&[desk.path("i")], &options, &Unobserved).unwrap_err();
    assert!(refused.to_string().contains("`background`"), "{refused}");
}

#[test]
fn sides_are_those_of_the_upright_picture_before_it_is_decoded() {
    let desk = Desk::new();
    // More pixels than a latent may have bits, found out from the header.
    let wide = GrayImage::new(2048, 1024);
    desk.write("a.jpg", jpeg(&wide, &exif(6, false)));
    desk.refused_import("a.jpg", &["1048576 bits", "found 2048x1024x1"]);
    let rgb = ImageBuffer::from_pixel(3, 2, Rgb([255u8, 0, 255]));
    desk.draw("b.png", rgb);
    assert_eq!(desk.import("b.png --transpose").0.shape(), shape(3, 2, 3));
}
