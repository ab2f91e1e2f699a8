//! Import and decode, through the real binary: what goes in comes out bit for bit, and what cannot
//! be right is refused with its reason.

use std::fs;
use std::path::Path;

use bitquilt::images::import::{ImportOptions, import};
use bitquilt::{Codec, LatentError, LatentSet, Observer, Shape, Unobserved};
use image::{DynamicImage, GrayImage, ImageBuffer, Luma, Rgb};
use proptest::prelude::*;

use crate::support::desk::{Desk, bits, npy, npy_of_header, npz, shape};
use crate::support::files::{cifar, colour, gray, gzip, idx, noise};

// IDX

#[test]
fn idx_images_come_out_bit_for_bit_with_the_labels_beside_them() {
    let images = noise(6 * 5 * 7, 1);
    let labels = [3, 1, 4, 1, 5, 9];
    let expected: Vec<bool> = images.iter().map(|value| *value >= 128).collect();
    let (images, labels_file) = (idx(&[6, 5, 7], &images), idx(&[6], &labels));
    for (images_name, labels_name) in [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
        ("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"),
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz"),
    ] {
        let desk = Desk::new();
        for (name, bytes) in [(images_name, &images), (labels_name, &labels_file)] {
            let packed = if name.ends_with(".gz") {
                gzip(bytes)
            } else {
                bytes.clone()
            };
            desk.write(name, packed);
        }
        let (set, outcome) = desk.import(images_name);
        assert_eq!(set.shape(), shape(5, 7, 1));
        assert_eq!(bits(&set), expected, "{images_name}");
        assert_eq!(set.labels().unwrap(), labels.map(i64::from));
        assert_eq!(*set.codec(), Codec::Threshold);
        assert_eq!(set.source(), format!("{images_name}, threshold 0.5"));
        assert!(outcome.stderr.contains(labels_name), "{outcome:?}");
        assert!(
            outcome
                .stdout
                .starts_with("6 latents 5x7x1, labels 5 classes, "),
            "{outcome:?}"
        );

        assert_eq!(
            desk.import(&format!("{images_name} --no-labels"))
                .0
                .labels(),
            None
        );
        desk.write("mine", idx(&[6], &[0; 6]));
        let (set, outcome) = desk.import(&format!("{images_name} --labels mine"));
        assert_eq!(set.labels().unwrap(), [0; 6]);
        assert_eq!(outcome.stderr, "");
    }
}

#[test]
fn a_bit_is_1_from_the_threshold_on() {
    let desk = Desk::new();
    desk.write("i", idx(&[1, 16, 16], &(0..=255).collect::<Vec<u8>>()));
    for (threshold, first) in [
        ("0.2", 51),
        ("0.4", 102),
        ("0.5", 128),
        ("0.8", 204),
        ("1", 255),
    ] {
        let (set, _) = desk.import(&format!("i --threshold {threshold}"));
        assert_eq!(
            bits(&set).iter().position(|bit| *bit),
            Some(first),
            "{threshold}"
        );
        assert!(set.source().ends_with(&format!("threshold {threshold}")));
    }
    for threshold in ["0", "1.01", "-1", "nan", "dark"] {
        desk.refused_import(
            &format!("i --threshold={threshold}"),
            &["above 0 and at most 1"],
        );
    }
}

#[test]
fn an_idx_file_that_is_not_what_its_header_says_is_refused() {
    let desk = Desk::new();
    let good = idx(&[3, 4, 5], &noise(60, 2));
    let refused = |name: &str, bytes: &[u8], words: &[&str]| {
        desk.write(name, bytes);
        let words: Vec<_> = [&[name][..], words].concat();
        desk.refused_import(name, &words);
    };
    refused("short", &good[..70], &["76 bytes", "found 70", "truncated"]);
    refused("header", &good[..10], &["truncated"]);
    refused(
        "long",
        &[&good[..], &[0]].concat(),
        &["76 bytes", "1 too many"],
    );
    refused(
        "short.gz",
        &gzip(&good[..70]),
        &["image 2 of 3", "after 70 bytes", "truncated"],
    );
    refused(
        "long.gz",
        &gzip(&[&good[..], &[0]].concat()),
        &["the end after 76 bytes"],
    );
    let packed = gzip(&good);
    refused("cut.gz", &packed[..packed.len() - 6], &["fetch it again"]);
    refused("none", &idx(&[0, 28, 28], &[]), &["empty"]);
    refused("flat", &idx(&[3, 0, 5], &[]), &["at least 1"]);
    refused(
        "huge",
        &idx(&[u32::MAX; 3], &[0; 99]),
        &["the header is wrong"],
    );
    refused(
        "wide",
        &idx(&[1, 1 << 10, 1 << 11], &vec![0; 1 << 21]),
        &["1048576 bits"],
    );
    refused("lie", &idx(&[1 << 31, 28, 28], &[0; 99]), &["truncated"]);
    refused(
        "lie.gz",
        &gzip(&idx(&[1 << 31, 28, 28], &[0; 99])),
        &["2147483648 images"],
    );
    refused("labels", &idx(&[3], &[1, 2, 3]), &["these are labels"]);
    refused("four", &idx(&[1, 1, 1, 1], &[1]), &["4 axes"]);
    refused("floats", &[0, 0, 0x0d, 3, 0, 0, 0, 1], &["32-bit floats"]);
    refused("empty", &[], &["empty file"]);
    refused("text", b"hello, world", &["68 65 6c 6c 6f"]);
    refused("text.gz", &gzip(b"hello, world"), &["inside the gzip"]);
    desk.refused_import("missing", &["missing", "nothing of that name"]);
}

#[test]
fn labels_that_do_not_belong_to_the_images_are_refused() {
    let desk = Desk::new();
    desk.write("a-images-idx3-ubyte", idx(&[3, 4, 5], &noise(60, 2)));
    let two_or = &[
        "a-labels-idx1-ubyte",
        "3 labels",
        "found 2 labels",
        "--no-labels",
    ];
    desk.write("a-labels-idx1-ubyte", idx(&[2], &[1, 2]));
    desk.refused_import("a-images-idx3-ubyte", two_or);
    for (bytes, word) in [
        (idx(&[3], &[1, 2]), "truncated"),
        (idx(&[3], &[1, 2, 3, 4]), "1 too many"),
        (gzip(&idx(&[3], &[1, 2])), "truncated"),
        (gzip(&idx(&[3], &[1, 2, 3, 4])), "more bytes"),
        (gzip(&idx(&[u32::MAX], &[1, 2])), "the header is wrong"),
        (b"cat, dog".to_vec(), "63 61 74"),
        (
            npy("'<f4'", false, "(3,)", &[0; 12]),
            "integers with one axis",
        ),
        (
            npy("'<u8'", false, "(3,)", &[0xff; 24]),
            "18446744073709551615 at [0]",
        ),
        (npy("'|u1'", false, "(2,)", &[0; 2]), "found 2 labels"),
    ] {
        desk.write("l", bytes);
        desk.refused_import("a-images-idx3-ubyte --labels l", &["l: expected", word]);
    }
}

// CIFAR-10

#[test]
fn cifar_batches_keep_three_colours_or_the_one_that_is_asked_for() {
    let desk = Desk::new();
    let records = cifar(&[0, 9, 5], 10);
    desk.write("a.bin", &records);
    let plane = |record: usize, channel: usize, site: usize| {
        records[record * 3073 + 1 + channel * 1024 + site]
    };
    let each_site = |of: &dyn Fn(usize, usize) -> Vec<bool>| -> Vec<bool> {
        (0..3)
            .flat_map(|record| (0..1024).flat_map(move |site| of(record, site)))
            .collect()
    };
    let (set, outcome) = desk.import("a.bin");
    assert_eq!(set.shape(), shape(32, 32, 3));
    let expected =
        each_site(&|record, site| (0..3).map(|k| plane(record, k, site) >= 128).collect());
    assert_eq!(bits(&set), expected);
    assert_eq!(set.labels().unwrap(), [0, 9, 5]);
    assert_eq!(set.source(), "a.bin, threshold 0.5");
    assert!(outcome.stdout.contains("labels 3 classes"));

    for (channel, colour) in ["red", "green", "blue"].into_iter().enumerate() {
        let (set, _) = desk.import(&format!("a.bin --channel {colour} --threshold 0.2"));
        assert_eq!(set.shape(), shape(32, 32, 1));
        let expected = each_site(&|record, site| vec![plane(record, channel, site) >= 51]);
        assert_eq!(bits(&set), expected, "{colour}");
        assert_eq!(
            set.source(),
            format!("a.bin, {colour} channel, threshold 0.2")
        );
    }
    let (set, _) = desk.import("a.bin --gray");
    let expected = each_site(&|record, site| {
        let [r, g, b] = [0, 1, 2].map(|k| u32::from(plane(record, k, site)));
        // Half of white is 127.5: the luma in ten thousandths, against it.
        vec![2126 * r + 7152 * g + 722 * b >= 1_275_000]
    });
    assert_eq!(bits(&set), expected);
}

#[test]
fn cifar_batches_are_read_one_after_the_other_and_a_folder_gives_the_training_ones() {
    let desk = Desk::new();
    for (name, label) in [
        ("data_batch_2.bin", 2),
        ("data_batch_1.bin", 1),
        ("test_batch.bin", 7),
    ] {
        desk.write(&format!("batches/{name}"), cifar(&[label, 3], label.into()));
    }
    let (folder, _) = desk.import("batches");
    assert_eq!(folder.labels().unwrap(), [1, 3, 2, 3]);
    let (files, _) = desk.import("batches/data_batch_1.bin batches/data_batch_2.bin");
    assert_eq!(folder, files);
    let (files, _) = desk.import("batches/test_batch.bin batches/data_batch_1.bin");
    assert_eq!(files.labels().unwrap(), [7, 3, 1, 3]);
    assert_eq!(
        files.source(),
        "test_batch.bin + data_batch_1.bin, threshold 0.5"
    );
}

#[test]
fn what_is_no_cifar_batch_is_refused() {
    let desk = Desk::new();
    let good = cifar(&[1, 2, 3], 4);
    desk.write("label.bin", cifar(&[1, 10], 4));
    desk.refused_import("label.bin", &["label.bin", "label 10 in record 1"]);
    desk.write("data_batch_1.bin", &good[..5000]);
    desk.refused_import(".", &["data_batch_1.bin", "1927 left over"]);
    desk.write("good.bin", &good);
    desk.write("idx", idx(&[1, 1, 1], &[0]));
    desk.refused_import("good.bin idx", &["idx", "one input"]);
    desk.refused_import("idx idx", &["one input"]);
}

// Folders of images

#[test]
fn a_folder_of_classes_gives_latents_in_the_order_of_paths_and_labels_by_sorted_name() {
    let desk = Desk::new();
    let images = [
        ("dog/b.png", 1),
        ("dog/a.pgm", 2),
        ("cat/z.png", 3),
        ("ape/1.png", 4),
    ];
    for (name, seed) in images {
        desk.draw(&format!("photos/{name}"), gray(9, 6, seed));
    }
    desk.write("photos/dog/readme.txt", "BMX and P1 are no images");
    desk.write("photos/.hidden", "");
    let (set, outcome) = desk.import("photos");
    assert_eq!(set.shape(), shape(6, 9, 1));
    assert_eq!(set.labels().unwrap(), [0, 1, 2, 2]);
    let expected: Vec<bool> = [4, 3, 2, 1]
        .into_iter()
        .flat_map(|seed| noise(54, seed))
        .map(|value| value >= 128)
        .collect();
    assert_eq!(bits(&set), expected);
    assert_eq!(set.source(), "photos, threshold 0.5");
    assert!(
        outcome.stderr.contains("0 ape, 1 cat, 2 dog"),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("2 files skipped"), "{outcome:?}");

    let (flat, outcome) = desk.import("photos/dog");
    assert_eq!(flat.labels(), None);
    assert_eq!(bits(&flat), expected[108..]);
    assert!(outcome.stdout.contains("no labels"), "{outcome:?}");
    let (files, _) = desk.import("photos/dog/a.pgm photos/dog/b.png");
    assert_eq!(bits(&files), expected[108..]);
    assert_eq!(files.source(), "a.pgm and 1 more images, threshold 0.5");
}

#[test]
fn an_image_is_told_by_its_content_not_by_its_name() {
    let desk = Desk::new();
    desk.draw("x.png", gray(4, 4, 1));
    fs::create_dir(desk.path("f")).unwrap();
    fs::rename(desk.path("x.png"), desk.path("f/portrait")).unwrap();
    assert_eq!(desk.import("f").0.len(), 1);
    desk.write("f/broken.png", "no image");
    desk.refused_import("f", &["broken.png", "as its name says"]);
    let whole = fs::read(desk.path("f/portrait")).unwrap();
    desk.write("f/broken.png", &whole[..whole.len() / 2]);
    desk.refused_import("f", &["broken.png", "undamaged"]);
    desk.write("f/broken.png", b"GIF89a and so on, for some bytes more");
    desk.refused_import("f", &["broken.png", "Gif"]);
}

#[test]
fn images_of_two_sizes_are_refused_until_resized() {
    let desk = Desk::new();
    desk.draw("f/a.png", gray(8, 6, 1));
    desk.draw("f/b.png", gray(6, 8, 1));
    desk.refused_import("f", &["a.png", "b.png", "6x8", "8x6", "--resize"]);
    let (set, _) = desk.import("f --resize 3x5");
    assert_eq!((set.len(), set.shape()), (2, shape(3, 5, 1)));
    assert_eq!(set.source(), "f, resized to 3x5, threshold 0.5");
    for size in ["3", "0x5", "3x", "axb", "3x5x7"] {
        desk.refused_import(&format!("f --resize {size}"), &["HEIGHTxWIDTH"]);
    }
    desk.refused_import("f --resize 5000x5000", &["1048576 bits"]);
}

#[test]
fn resizing_averages_what_it_shrinks() {
    let desk = Desk::new();
    // Black and white halves keep their place at any size; a checkerboard becomes even gray.
    let halves = GrayImage::from_fn(16, 16, |x, _| Luma([if x < 8 { 0 } else { 255 }]));
    let board = GrayImage::from_fn(16, 16, |x, y| {
        Luma([if (x + y) % 2 == 0 { 0 } else { 255 }])
    });
    desk.draw("halves.png", halves);
    desk.draw("board.png", board);
    let (set, _) = desk.import("halves.png --resize 2x4");
    assert_eq!(bits(&set), [false, false, true, true].repeat(2));
    assert!(
        bits(&desk.import("board.png --resize 4x4 --threshold 0.4").0)
            .iter()
            .all(|bit| *bit)
    );
    let (set, outcome) = desk.import("board.png --resize 4x4 --threshold 0.6");
    assert!(bits(&set).iter().all(|bit| !*bit));
    assert!(outcome.stderr.contains("every bit is 0"), "{outcome:?}");
    let white = GrayImage::from_pixel(17, 13, Luma([255]));
    desk.draw("white.png", white);
    let (set, outcome) = desk.import("white.png --resize 5x7 --threshold 1");
    assert!(bits(&set).iter().all(|bit| *bit));
    assert!(outcome.stderr.contains("every bit is 1"), "{outcome:?}");
}

#[test]
fn colour_images_keep_three_bits_and_do_not_mix_with_gray_ones() {
    let desk = Desk::new();
    desk.draw("f/a.png", colour(5, 4, 1));
    let (set, _) = desk.import("f");
    assert_eq!(set.shape(), shape(4, 5, 3));
    let expected: Vec<bool> = noise(60, 1).iter().map(|value| *value >= 128).collect();
    assert_eq!(bits(&set), expected);

    desk.draw("f/b.png", gray(5, 4, 2));
    desk.refused_import("f", &["a.png", "b.png", "--gray"]);
    let (set, _) = desk.import("f --gray");
    assert_eq!((set.len(), set.shape()), (2, shape(4, 5, 1)));
    let (set, _) = desk.import("f --channel blue");
    let blue = noise(60, 1)
        .into_iter()
        .skip(2)
        .step_by(3)
        .chain(noise(20, 2));
    assert_eq!(
        bits(&set),
        blue.map(|value| value >= 128).collect::<Vec<_>>()
    );
}

#[test]
fn samples_of_16_bits_are_scaled() {
    let desk = Desk::new();
    let deep = [0u16, 32_767, 32_768, 65_535];
    desk.draw(
        "b.png",
        ImageBuffer::from_fn(4, 1, |x, _| Luma([deep[x as usize]])),
    );
    assert_eq!(bits(&desk.import("b.png").0), [false, false, true, true]);
    desk.draw(
        "c.png",
        ImageBuffer::from_fn(1, 1, |_, _| Rgb([65_535u16, 32_767, 32_768])),
    );
    assert_eq!(bits(&desk.import("c.png").0), [true, false, true]);
}

#[test]
fn a_folder_that_cannot_be_one_set_is_refused() {
    let desk = Desk::new();
    fs::create_dir(desk.path("empty")).unwrap();
    desk.refused_import("empty", &["empty", "expected images"]);
    desk.write("texts/a.txt", "a");
    desk.refused_import("texts", &["1 other files"]);
    desk.draw("both/a.png", gray(2, 2, 1));
    desk.draw("both/class/a.png", gray(2, 2, 1));
    desk.refused_import("both", &["both: a.png and class/"]);
    desk.draw("deep/class/more/a.png", gray(2, 2, 1));
    desk.refused_import("deep", &["deep/class", "more/"]);
}

// Codes

/// Codes of shape [n, h, w, k] as 0 and 1, in C order.
fn codes(n: usize, h: usize, w: usize, k: usize) -> Vec<u8> {
    noise(n * h * w * k, 77)
        .iter()
        .map(|value| value & 1)
        .collect()
}

/// The elements of a C-order array in the order of another arrangement of its axes. `axes` names,
/// slowest first, which axis of `sides` comes when.
fn rearranged(data: &[u8], sides: [usize; 4], axes: [usize; 4]) -> Vec<u8> {
    let mut out = Vec::new();
    let stride = |axis: usize| sides[axis + 1..].iter().product::<usize>();
    let of = axes.map(|axis| (sides[axis], stride(axis)));
    for a in 0..of[0].0 {
        for b in 0..of[1].0 {
            for c in 0..of[2].0 {
                for d in 0..of[3].0 {
                    out.push(data[a * of[0].1 + b * of[1].1 + c * of[2].1 + d * of[3].1]);
                }
            }
        }
    }
    out
}

#[test]
fn codes_come_out_bit_for_bit_from_either_layout_and_either_order() {
    let desk = Desk::new();
    let sides = [3, 4, 5, 2];
    let data = codes(3, 4, 5, 2);
    let expected: Vec<bool> = data.iter().map(|value| *value == 1).collect();
    for (layout, fortran, shape_text, axes) in [
        ("nhwc", false, "(3, 4, 5, 2)", [0, 1, 2, 3]),
        ("nchw", false, "(3, 2, 4, 5)", [0, 3, 1, 2]),
        ("nhwc", true, "(3, 4, 5, 2)", [3, 2, 1, 0]),
        ("nchw", true, "(3, 2, 4, 5)", [2, 1, 3, 0]),
    ] {
        let stored = rearranged(&data, sides, axes);
        desk.write("c.npy", npy("'|u1'", fortran, shape_text, &stored));
        let (set, outcome) = desk.import(&format!("c.npy --layout {layout}"));
        assert_eq!(set.shape(), shape(4, 5, 2));
        assert_eq!(bits(&set), expected, "{layout} {fortran}");
        assert_eq!(*set.codec(), Codec::Codes);
        assert_eq!(set.source(), format!("c.npy, layout {layout}"));
        assert!(outcome.stdout.starts_with("3 latents 4x5x2, no labels, "));
    }
}

#[test]
fn codes_of_every_numeric_type_are_the_same_bits() {
    let desk = Desk::new();
    let data = codes(2, 3, 3, 1);
    let expected: Vec<bool> = data.iter().map(|value| *value == 1).collect();
    let half = |bit: u8, zero: u16| if bit == 1 { 0x3c00 } else { zero };
    let single = |bit: u8, zero: f32| if bit == 1 { 1.0 } else { zero };
    let double = |bit: u8, zero: f64| if bit == 1 { 1.0 } else { zero };
    let each = |of: &dyn Fn(u8) -> Vec<u8>| data.iter().flat_map(|bit| of(*bit)).collect();
    let signed = |bit: u8| if bit == 1 { 1i8 } else { -1 };
    let arrays: Vec<(&str, Vec<u8>)> = vec![
        ("|b1", data.clone()),
        ("|u1", data.clone()),
        ("|i1", each(&|bit| signed(bit).to_le_bytes().to_vec())),
        ("<u2", each(&|bit| u16::from(bit).to_le_bytes().to_vec())),
        (">u2", each(&|bit| u16::from(bit).to_be_bytes().to_vec())),
        (
            "<i2",
            each(&|bit| i16::from(signed(bit)).to_le_bytes().to_vec()),
        ),
        (
            ">i4",
            each(&|bit| i32::from(signed(bit)).to_be_bytes().to_vec()),
        ),
        ("<u8", each(&|bit| u64::from(bit).to_le_bytes().to_vec())),
        (
            "<i8",
            each(&|bit| i64::from(signed(bit)).to_le_bytes().to_vec()),
        ),
        ("<f2", each(&|bit| half(bit, 0).to_le_bytes().to_vec())),
        (">f2", each(&|bit| half(bit, 0xbc00).to_be_bytes().to_vec())),
        ("<f4", each(&|bit| single(bit, -0.0).to_le_bytes().to_vec())),
        (">f4", each(&|bit| single(bit, -1.0).to_be_bytes().to_vec())),
        ("<f8", each(&|bit| double(bit, 0.0).to_le_bytes().to_vec())),
        (">f8", each(&|bit| double(bit, -1.0).to_be_bytes().to_vec())),
    ];
    for (dtype, bytes) in arrays {
        desk.write(
            "c.npy",
            npy(&format!("'{dtype}'"), false, "(2, 3, 3)", &bytes),
        );
        let (set, _) = desk.import("c.npy");
        assert_eq!(set.shape(), shape(3, 3, 1));
        assert_eq!(bits(&set), expected, "{dtype}");
    }
}

#[test]
fn a_value_that_is_no_code_is_refused_with_its_index() {
    let desk = Desk::new();
    let mut data = codes(3, 4, 5, 2);
    // [1, 2, 3, 1]
    data[((4 + 2) * 5 + 3) * 2 + 1] = 7;
    desk.write("c.npy", npy("'|u1'", false, "(3, 4, 5, 2)", &data));
    desk.refused_import(
        "c.npy --layout nhwc",
        &["c.npy", "7 at [1, 2, 3, 1]", "0 or 1"],
    );
    let stored = rearranged(&data, [3, 4, 5, 2], [3, 2, 1, 0]);
    desk.write("f.npy", npy("'|u1'", true, "(3, 4, 5, 2)", &stored));
    desk.refused_import("f.npy --layout nhwc", &["7 at [1, 2, 3, 1]"]);

    let three = |values: [f32; 3]| {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        npy("'<f4'", false, "(1, 1, 3)", &bytes)
    };
    for (values, words) in [
        ([1.0, 0.5, 0.0], "0.5 at [0, 0, 1]"),
        ([1.0, 0.0, f32::NAN], "NaN at [0, 0, 2]"),
        ([0.0, 1.0, -1.0], "both: 0 at [0, 0, 0] and -1 at [0, 0, 2]"),
        ([-1.0, 1.0, 0.0], "both: -1 at [0, 0, 0] and 0 at [0, 0, 2]"),
    ] {
        desk.write("v.npy", three(values));
        desk.refused_import("v.npy", &[words]);
    }
    desk.write("v.npy", three([1.0; 3]));
    let (set, outcome) = desk.import("v.npy");
    assert_eq!(bits(&set), [true; 3]);
    assert!(outcome.stderr.contains("every bit is 1"), "{outcome:?}");
}

#[test]
fn four_axes_without_a_layout_are_refused_and_a_layout_without_four_axes_too() {
    let desk = Desk::new();
    desk.write(
        "4.npy",
        npy("'|u1'", false, "(3, 4, 5, 2)", &codes(3, 4, 5, 2)),
    );
    desk.refused_import(
        "4.npy",
        &["--layout nhwc", "--layout nchw", "garbage", "[3, 4, 5, 2]"],
    );
    desk.write(
        "3.npy",
        npy("'|u1'", false, "(3, 4, 10)", &codes(3, 4, 10, 1)),
    );
    desk.refused_import("3.npy --layout nhwc", &["three axes"]);
    let one = npy("'|u1'", false, "(40,)", &codes(40, 1, 1, 1));
    desk.write("1.npy", one);
    desk.refused_import("1.npy", &["1 axes"]);
    desk.refused_import("4.npy --layout hwcn", &["nhwc", "nchw"]);
}

#[test]
fn an_array_that_is_no_array_of_codes_is_refused() {
    let desk = Desk::new();
    let refused = |bytes: Vec<u8>, words: &[&str]| {
        desk.write("a.npy", bytes);
        desk.refused_import("a.npy", &[&["a.npy"][..], words].concat());
    };
    let good = npy("'|u1'", false, "(2, 3, 3)", &[1; 18]);
    refused(good[..good.len() - 1].to_vec(), &["truncated"]);
    refused([&good[..], &[1]].concat(), &["1 too many"]);
    refused(good[..7].to_vec(), &["fetch it again"]);
    refused(good[..20].to_vec(), &["fetch it again"]);
    refused(npy("'|u1'", false, "(0, 3, 3)", &[]), &["empty"]);
    refused(npy("'|u1'", false, "(3, 0, 3)", &[]), &["at least 1"]);
    refused(npy("'<c8'", false, "(1, 1, 1)", &[0; 8]), &["dtype", "c8"]);
    refused(
        npy("'<f16'", false, "(1, 1, 1)", &[0; 16]),
        &["dtype", "f16"],
    );
    refused(npy("'|O'", false, "(1, 1, 1)", &[0; 8]), &["dtype", "|O"]);
    refused(npy("'<U2'", false, "(1, 1, 1)", &[0; 8]), &["dtype", "U2"]);
    refused(
        npy("[('a', '<f4')]", false, "(1, 1, 1)", &[0; 4]),
        &["dtype", "'a'"],
    );
    refused(
        npy("'|u1'", false, "(4294967296, 4294967296, 9)", &[]),
        &["no array can have"],
    );
    refused(
        npy("'<u8'", false, "(4294967296, 1073741824, 1)", &[]),
        &["the header is wrong"],
    );
    refused(
        npy("'|u1'", false, "(99999999999999999999, 1, 1)", &[]),
        &["no array can have"],
    );
    refused(
        npy("'|u1'", false, "(-1, 1, 1)", &[]),
        &["no array can have"],
    );
    refused(
        npy_of_header(&"{".repeat(9000), &[]),
        &["nested too deeply"],
    );
    refused(npy_of_header(&" ".repeat(60_000), &[]), &["60000 bytes"]);
    refused(
        npy_of_header("{'shape': (1, 1, 1)}", &[0]),
        &["header of an .npy array"],
    );
}

#[test]
fn an_archive_gives_the_array_that_must_be_meant_or_the_one_that_is_named() {
    let desk = Desk::new();
    let of = |value: u8| npy("'|u1'", false, "(2, 3, 3)", &[value; 18]);
    let labels = || npy("'>i2'", false, "(2,)", &[0, 4, 1, 0]);
    let only = npz(&[
        ("anything", of(1)),
        ("labels", labels()),
        ("mean", npy("'<f4'", false, "()", &[0; 4])),
    ]);
    desk.write("only.npz", only);
    let (set, outcome) = desk.import("only.npz");
    assert_eq!(set.labels().unwrap(), [4, 256]);
    assert_eq!(set.source(), "only.npz array anything");
    assert!(
        outcome.stderr.contains("labels from the array 'labels'"),
        "{outcome:?}"
    );
    assert_eq!(desk.import("only.npz --no-labels").0.labels(), None);
    desk.write("mine.npy", npy("'|u1'", false, "(2,)", &[8, 9]));
    assert_eq!(
        desk.import("only.npz --labels mine.npy")
            .0
            .labels()
            .unwrap(),
        [8, 9]
    );

    desk.write(
        "two.npz",
        npz(&[("images", of(0)), ("codes", of(1)), ("y", labels())]),
    );
    let (set, outcome) = desk.import("two.npz");
    assert!(bits(&set).iter().all(|bit| *bit));
    assert_eq!(set.labels().unwrap(), [4, 256]);
    assert!(
        outcome.stderr.contains("codes from the array 'codes'"),
        "{outcome:?}"
    );
    assert!(
        bits(&desk.import("two.npz --array images").0)
            .iter()
            .all(|bit| !*bit)
    );
    desk.refused_import(
        "two.npz --array nothing",
        &["two.npz", "nothing", "images [2, 3, 3]"],
    );

    desk.write("which.npz", npz(&[("a", of(0)), ("b", of(1))]));
    desk.refused_import("which.npz", &["--array", "a [2, 3, 3]", "b [2, 3, 3]"]);
    desk.write("flat.npz", npz(&[("a", labels())]));
    desk.refused_import("flat.npz", &["3 or 4 axes", "a [2]"]);
    desk.write("none.npz", npz(&[]));
    desk.refused_import("none.npz", &["no arrays"]);
    let three = npy("'|u1'", false, "(3,)", &[1, 2, 3]);
    desk.write("wrong.npz", npz(&[("codes", of(1)), ("labels", three)]));
    desk.refused_import("wrong.npz", &["labels", "found 3 labels", "--no-labels"]);
    let objects = npy("'|O'", false, "(2, 3, 3)", &[0; 9]);
    desk.write("objects.npz", npz(&[("codes", of(1)), ("names", objects)]));
    assert_eq!(desk.import("objects.npz").0.len(), 2);
    desk.refused_import("objects.npz --array names", &["objects.npz/names", "dtype"]);
    desk.write("short.npz", npz(&[("codes", of(1)[..90].to_vec())]));
    desk.refused_import("short.npz", &["short.npz/codes", "damaged"]);
    let whole = fs::read(desk.path("two.npz")).unwrap();
    desk.write("cut.npz", &whole[..whole.len() / 2]);
    desk.refused_import("cut.npz", &["cut.npz"]);
}

// The command

#[test]
fn an_option_that_does_not_fit_the_input_is_refused() {
    let desk = Desk::new();
    desk.write("i", idx(&[3, 4, 5], &noise(60, 2)));
    desk.write("c.npy", npy("'|u1'", false, "(2, 3, 3)", &[1; 18]));
    for (arguments, option) in [
        ("c.npy --threshold 0.5", "--threshold"),
        ("c.npy --resize 2x2", "--resize"),
        ("c.npy --gray", "--gray"),
        ("c.npy --channel red", "--channel"),
        ("c.npy --array codes", "--array"),
        ("i --layout nhwc", "--layout"),
        ("i --array codes", "--array"),
        ("i --channel red", "--channel"),
    ] {
        desk.refused_import(arguments, &[option, "leave"]);
    }
    desk.refused_import("i --gray --channel red", &["cannot be used with"]);
    desk.refused_import("i --labels l --no-labels", &["cannot be used with"]);
}

#[test]
fn an_output_is_never_replaced_unasked_and_a_failed_import_leaves_it_alone() {
    let desk = Desk::new();
    desk.write("i", idx(&[3, 4, 5], &noise(60, 2)));
    desk.write("taken", "mine");
    let outcome = desk.run("import i -o taken");
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("--force"), "{outcome:?}");
    desk.write("broken", idx(&[3, 4, 5], &noise(59, 2)));
    assert_eq!(desk.run("import broken -o taken --force").code, 2);
    assert_eq!(fs::read(desk.path("taken")).unwrap(), b"mine");
    assert_eq!(desk.run("import i -o taken --force").code, 0);
    assert_eq!(LatentSet::read(&desk.path("taken")).unwrap().len(), 3);
    desk.refused("import i -o nowhere/out", &["nowhere", "create it first"]);
    // What is imported already says so.
    desk.refused_import("taken", &["taken", "imported already"]);
}

#[test]
fn the_json_report_has_the_documented_fields() {
    let desk = Desk::new();
    desk.write("i", idx(&[2, 1, 4], &[0, 255, 255, 255, 255, 0, 0, 0]));
    let (_, outcome) = desk.import("i --json");
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let expected = serde_json::json!({
        "latents": 2, "height": 1, "width": 4, "channels": 1, "shape": "1x4x1", "labels": false,
        "ones": 0.5, "source": "i, threshold 0.5", "output": "out",
    });
    assert_eq!(report, expected);
}

#[test]
fn an_import_that_is_asked_to_stop_ends_as_interrupted() {
    struct Stop;
    impl Observer for Stop {
        fn stage(&self, _name: &str, _total: u64, _unit: &str) {}
        fn advance(&self, _done: u64) {}
        fn stop_requested(&self) -> bool {
            true
        }
    }
    let desk = Desk::new();
    desk.write("i", idx(&[3, 4, 5], &noise(60, 2)));
    desk.write("c.npy", npy("'|u1'", false, "(2, 3, 3)", &[1; 18]));
    desk.write("a.bin", cifar(&[1], 3));
    desk.draw("f/a.png", gray(3, 3, 1));
    for input in ["i", "c.npy", "a.bin", "f"] {
        let stopped = import(&[desk.path(input)], &ImportOptions::default(), &Stop);
        match stopped {
            Err(LatentError::Stopped(_)) => {}
            other => panic!("{input}: {other:?}"),
        }
    }
}

#[test]
fn help_shows_examples() {
    let desk = Desk::new();
    for verb in ["import", "decode"] {
        let outcome = desk.run(&format!("{verb} --help"));
        assert_eq!(outcome.code, 0);
        assert!(
            outcome.stdout.contains(&format!("  bitquilt {verb} ")),
            "{outcome:?}"
        );
    }
}

// Decode

/// Saves latents of these bits.
fn save(path: &Path, shape: Shape, codec: Codec, latents: &[&[u8]]) {
    let mut set = LatentSet::new(shape).with_codec(codec);
    for latent in latents {
        set.push_bits(latent.iter().map(|bit| *bit == 1)).unwrap();
    }
    set.write(path).unwrap();
}

#[test]
fn a_grid_shows_every_bit_where_it_belongs() {
    let desk = Desk::new();
    let latents: [&[u8]; 3] = [
        &[0, 1, 1, 0, 0, 1],
        &[1, 1, 1, 0, 0, 0],
        &[0, 0, 0, 1, 0, 1],
    ];
    save(&desk.path("s"), shape(2, 3, 1), Codec::Threshold, &latents);
    assert_eq!(desk.run("decode s -o g.png --scale 1").code, 0);
    let picture = image::open(desk.path("g.png")).unwrap();
    assert!(!picture.color().has_color());
    // Two columns, two rows, a gap of two pixels, the fourth place empty.
    let (o, g, w) = (0, 128, 255);
    let expected = [
        [o, w, w, g, g, w, w, w],
        [o, o, w, g, g, o, o, o],
        [g, g, g, g, g, g, g, g],
        [g, g, g, g, g, g, g, g],
        [o, o, o, g, g, g, g, g],
        [w, o, w, g, g, g, g, g],
    ];
    assert_eq!(picture.to_luma8().into_raw(), expected.concat());

    assert_eq!(
        desk.run("decode s -o row.png --scale 5 --columns 9 --limit 2")
            .code,
        0
    );
    let picture = image::open(desk.path("row.png")).unwrap().to_luma8();
    assert_eq!(picture.dimensions(), (2 * 15 + 2, 10));
    for (x, y, pixel) in picture.enumerate_pixels() {
        let expected = match x {
            15 | 16 => g,
            x => {
                let (id, x) = if x < 15 { (0, x) } else { (1, x - 17) };
                latents[id][(y / 5 * 3 + x / 5) as usize] * 255
            }
        };
        assert_eq!(pixel.0, [expected], "{x} {y}");
    }
}

#[test]
fn three_channels_are_colours_and_planes_are_black_and_white() {
    let desk = Desk::new();
    save(
        &desk.path("s"),
        shape(1, 2, 3),
        Codec::Threshold,
        &[&[1, 0, 0, 0, 1, 1]],
    );
    assert_eq!(desk.run("decode s -o g.png --scale 1").code, 0);
    let picture = image::open(desk.path("g.png")).unwrap();
    assert_eq!(picture.to_rgb8().into_raw(), [255, 0, 0, 0, 255, 255]);
    assert_eq!(desk.run("decode s -o p.png --scale 1 --planes").code, 0);
    let picture = image::open(desk.path("p.png")).unwrap();
    assert!(!picture.color().has_color());
    assert_eq!(
        picture.to_luma8().into_raw(),
        [255, 0, 128, 0, 255, 128, 0, 255]
    );
}

#[test]
fn codes_are_not_passed_off_as_images() {
    let desk = Desk::new();
    save(
        &desk.path("codes"),
        shape(1, 2, 2),
        Codec::Codes,
        &[&[1, 0, 0, 1]],
    );
    save(
        &desk.path("four"),
        shape(1, 1, 4),
        Codec::Threshold,
        &[&[1, 0, 0, 1]],
    );
    desk.refused("decode codes -o out.png", &["codes", "model", "--planes"]);
    desk.refused("decode codes -o folder", &["codes", "model", "--planes"]);
    desk.refused("decode four -o out.png", &["4 channels", "--planes"]);
    assert!(!desk.path("out.png").exists() && !desk.path("folder").exists());
    assert_eq!(
        desk.run("decode codes -o out.png --planes --scale 1").code,
        0
    );
    let picture = image::open(desk.path("out.png")).unwrap().to_luma8();
    assert_eq!(picture.into_raw(), [255, 0, 128, 0, 255]);
}

#[test]
fn a_folder_gets_one_picture_for_each_latent() {
    let desk = Desk::new();
    let latents: [&[u8]; 3] = [&[0, 1], &[1, 0], &[1, 1]];
    save(&desk.path("s"), shape(1, 2, 1), Codec::Threshold, &latents);
    let outcome = desk.run("decode s -o f --scale 1 --limit 2 --json");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(
        report,
        serde_json::json!({"latents": 2, "pictures": 2, "output": "f"})
    );
    for (id, latent) in latents.iter().enumerate().take(2) {
        let picture = image::open(desk.path(&format!("f/{id:05}.png")))
            .unwrap()
            .to_luma8();
        assert_eq!(
            picture.into_raw(),
            latent.iter().map(|bit| bit * 255).collect::<Vec<_>>()
        );
    }
    assert!(!desk.path("f/00002.png").exists());
    desk.refused("decode s -o f", &["f: the folder is not empty", "--force"]);
    assert_eq!(desk.run("decode s -o f --force").code, 0);
    assert!(desk.path("f/00002.png").exists());
    desk.refused("decode s -o g --columns 2", &["--columns"]);
    desk.refused("decode s -o s --force", &["found a file"]);
}

#[test]
fn a_picture_that_nobody_could_look_at_is_refused() {
    let desk = Desk::new();
    let one: &[u8] = &[1];
    save(
        &desk.path("many"),
        shape(1, 1, 1),
        Codec::Threshold,
        &vec![one; 10_001],
    );
    desk.refused("decode many -o out.png", &["many", "--limit"]);
    desk.refused(
        "decode many -o out.png --limit 1 --scale 9000",
        &["67108864 pixels", "--scale"],
    );
    let most = usize::MAX.to_string();
    desk.refused(
        &format!("decode many -o out.png --limit 9 --scale {most}"),
        &["67108864 pixels"],
    );
    desk.refused("decode many -o out.png --scale 0", &["at least 1"]);
    desk.write("text", "no latents");
    desk.refused(
        "decode text -o out.png",
        &["text: expected a safetensors file"],
    );
    assert_eq!(
        desk.run("decode many -o out.png --limit 10000 --scale 1")
            .code,
        0
    );
    let outcome = desk.run("decode many -o out.png --limit 9");
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("--force"), "{outcome:?}");
}

// Damage

/// Whole files of every format, small.
fn specimens() -> Vec<Vec<u8>> {
    let array = npy("'<i2'", false, "(2, 3, 3)", &[1, 0].repeat(18));
    let mut png = std::io::Cursor::new(Vec::new());
    DynamicImage::from(colour(5, 5, 1))
        .write_to(&mut png, image::ImageFormat::Png)
        .unwrap();
    let mut bmp = std::io::Cursor::new(Vec::new());
    DynamicImage::from(colour(5, 5, 1))
        .write_to(&mut bmp, image::ImageFormat::Bmp)
        .unwrap();
    vec![
        idx(&[3, 4, 5], &noise(60, 1)),
        gzip(&idx(&[3, 4, 5], &noise(60, 1))),
        npz(&[
            ("codes", array.clone()),
            ("y", npy("'|u1'", true, "(2,)", &[1, 2])),
        ]),
        array,
        cifar(&[1, 2], 5),
        [&[1, 2], &noise(3072, 5)[..]].concat(),
        png.into_inner(),
        bmp.into_inner(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_damaged_file_is_read_or_refused_but_never_a_panic(
        which in 0..8usize,
        cut in prop::option::of(0.0..1.0f64),
        changes in prop::collection::vec((0.0..1.0f64, any::<u8>()), 0..4),
        in_header in any::<bool>(),
    ) {
        let mut bytes = specimens().swap_remove(which);
        // Most of what can go wrong lies in the first bytes.
        let reach = if in_header { bytes.len().min(96) } else { bytes.len() } as f64;
        for (at, value) in changes {
            bytes[(at * reach) as usize] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate((cut * bytes.len() as f64) as usize);
        }
        let desk = Desk::new();
        desk.write("x", &bytes);
        if let Ok(imported) = import(&[desk.path("x")], &ImportOptions::default(), &Unobserved) {
            prop_assert!(!imported.set.is_empty());
        }
    }
}
