//! Images as cameras, editors and data sets write them: what one sees is what comes in.

use std::fs;
use std::io::Write;

use bitquilt::Unobserved;
use bitquilt::latent::images::{ImageOptions, ImageSet};
use flate2::{Compression, Crc, write::ZlibEncoder};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ExtendedColorType, GrayImage, ImageBuffer, Luma, LumaA, Rgb, Rgba};

use crate::support::desk::{Desk, bits, npy, shape};
use crate::support::files::{cifar, colour, gray, idx, noise};

// Transparency

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
    for least in (1..=255).step_by(2) {
        let threshold = f32::from(least as u8) / 255.0;
        let (plain, _) = desk.import(&format!("plain.png --threshold {threshold}"));
        let (alpha, outcome) = desk.import(&format!(
            "alpha.png --background white --threshold {threshold}"
        ));
        assert_eq!(bits(&plain), bits(&alpha));
        assert!(!outcome.stderr.contains("transparency"), "{outcome:?}");
    }
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

// CIFAR-100

/// Records with these coarse and fine labels and noise for pixels.
fn cifar100(labels: &[[u8; 2]], seed: u32) -> Vec<u8> {
    let records = (0..)
        .zip(labels)
        .flat_map(|(index, labels)| [&labels[..], &noise(3072, seed + index)].concat());
    records.collect()
}

fn pixels_of(records: &[u8], record: usize) -> Vec<bool> {
    let each = records.chunks(record).flat_map(|one| {
        let planes = &one[record - 3072..];
        (0..3072).map(|at| planes[at % 3 * 1024 + at / 3] >= 128)
    });
    each.collect()
}

#[test]
fn cifar_100_comes_with_its_fine_or_its_coarse_labels() {
    let desk = Desk::new();
    let records = cifar100(&[[19, 99], [0, 0], [3, 12]], 40);
    desk.write("cifar-100-binary/train.bin", &records);
    desk.write("cifar-100-binary/test.bin", cifar100(&[[7, 70]], 50));
    desk.write("cifar-100-binary/fine_label_names.txt", "apple\n");
    for (input, labels) in [
        ("cifar-100-binary", [99, 0, 12]),
        ("cifar-100-binary/train.bin", [99, 0, 12]),
        ("cifar-100-binary --labels fine", [99, 0, 12]),
        ("cifar-100-binary --labels coarse", [19, 0, 3]),
    ] {
        let (set, outcome) = desk.import(input);
        assert_eq!((set.len(), set.shape()), (3, shape(32, 32, 3)));
        assert_eq!(bits(&set), pixels_of(&records, 3074), "{input}");
        assert_eq!(set.labels().unwrap(), labels, "{input}");
        assert_eq!(set.source(), "train.bin, threshold 0.5");
        let told = outcome
            .stderr
            .contains("fine labels, 0 to 99 (--labels coarse");
        assert_eq!(told, !input.contains("--labels"), "{outcome:?}");
    }
    let (set, _) = desk.import("cifar-100-binary/test.bin cifar-100-binary/train.bin --gray");
    assert_eq!(set.labels().unwrap(), [70, 99, 0, 12]);
    assert_eq!(desk.import("cifar-100-binary --no-labels").0.labels(), None);
    // A file of that name is a file when it is given as one.
    desk.write("fine", idx(&[3], &[5, 6, 7]));
    assert_eq!(
        desk.import("cifar-100-binary --labels fine")
            .0
            .labels()
            .unwrap(),
        [99, 0, 12]
    );
    assert_eq!(
        desk.import("cifar-100-binary --labels ./fine")
            .0
            .labels()
            .unwrap(),
        [5, 6, 7]
    );
    // For another input it is nothing but a file.
    desk.write("i", idx(&[3, 2, 2], &[0; 12]));
    assert_eq!(
        desk.import("i --labels fine").0.labels().unwrap(),
        [5, 6, 7]
    );
    desk.refused_import(
        "i --labels coarse",
        &["coarse", "CIFAR-100", "no file of that name"],
    );
    desk.write("a.bin", cifar(&[1, 2, 3], 1));
    desk.refused_import("a.bin --labels coarse", &["coarse", "CIFAR-100"]);
    desk.refused_import("cifar-100-binary/train.bin a.bin", &["a.bin", "one input"]);
}

#[test]
fn what_is_no_cifar_100_batch_is_refused() {
    let desk = Desk::new();
    let good = cifar100(&[[1, 2], [3, 4]], 60);
    desk.write("fine.bin", cifar100(&[[1, 2], [3, 100]], 60));
    desk.refused_import(
        "fine.bin",
        &["fine.bin", "CIFAR-100", "label 100 in record 1"],
    );
    desk.write("coarse.bin", cifar100(&[[1, 2], [20, 4]], 60));
    desk.refused_import("coarse.bin", &["label 20 in record 1"]);
    desk.write("f/train.bin", &good[..5000]);
    desk.write("f/fine_label_names.txt", "");
    desk.refused_import(
        "f",
        &["train.bin", "CIFAR-100 records of 3074", "1926 left over"],
    );
    desk.write("g/train.bin", "");
    desk.write("g/fine_label_names.txt", "");
    desk.refused_import("g", &["train.bin", "empty"]);
    // A folder with some other train.bin is no CIFAR-100.
    desk.write("h/train.bin", "weights");
    desk.refused_import("h", &["h: expected images"]);
}

#[test]
fn a_length_that_fits_both_data_sets_is_told_apart_by_all_labels() {
    let desk = Desk::new();
    // 3,074 records of CIFAR-10 are as long as 3,073 of CIFAR-100.
    let ten = cifar(&[5; 3074], 1);
    let hundred = cifar100(&[[5, 55]; 3073], 1);
    assert_eq!(ten.len(), hundred.len());
    desk.write("ten.bin", &ten);
    desk.write("hundred.bin", &hundred);
    let (set, _) = desk.import("ten.bin");
    assert_eq!((set.len(), bits(&set)), (3074, pixels_of(&ten, 3073)));
    assert_eq!(set.labels().unwrap(), [5; 3074]);
    let (set, _) = desk.import("hundred.bin");
    assert_eq!((set.len(), bits(&set)), (3073, pixels_of(&hundred, 3074)));
    assert_eq!(set.labels().unwrap(), [55; 3073]);
    // Nothing but 0 may be either, unless its name tells.
    for (name, latents) in [("data_batch_1.bin", 3074), ("test.bin", 3073)] {
        desk.write(name, vec![0; ten.len()]);
        assert_eq!(desk.import(name).0.len(), latents);
    }
    desk.write("black.bin", vec![0; ten.len()]);
    desk.refused_import("black.bin", &["CIFAR-10 or of CIFAR-100", "either"]);
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
    let note = "1 image with transparency composited over black (--background COLOUR for another)";
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

    fs::create_dir(desk.path("c")).unwrap();
    desk.write("c/train.bin", cifar100(&[[19, 99], [3, 12]], 40));
    let images = read("c", &ImageOptions::default());
    assert_eq!((images.len(), images.labels()), (2, Some(&[99, 12][..])));
    let plane = &noise(3072, 40);
    assert_eq!(images.pixels()[..3], [plane[0], plane[1024], plane[2048]]);

    desk.write("i", idx(&[1, 1, 1], &[9]));
    let refused = ImageSet::read(&[desk.path("i")], &options, &Unobserved).unwrap_err();
    assert!(refused.to_string().contains("--background"), "{refused}");
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
