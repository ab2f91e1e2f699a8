//! Arrays of bfloat16, and files of tensors: what PyTorch users have.

use bitquilt::images::import::{ImportOptions, import};
use bitquilt::{LatentError, Unobserved};

use crate::support::arrays::{as_bits, codes, digits, tensors, widened, with_header};
use crate::support::desk::{Desk, bits, npy, npz, shape};

// bfloat16

/// The upper half of a float.
fn bfloat(value: f32) -> [u8; 2] {
    ((value.to_bits() >> 16) as u16).to_le_bytes()
}

#[test]
fn a_bfloat16_array_is_read_as_numpy_saves_it() {
    let desk = Desk::new();
    let data = codes(2 * 3 * 3);
    for zero in [0.0, -1.0, -0.0] {
        let each = data
            .iter()
            .flat_map(|bit| bfloat(if *bit == 1 { 1.0 } else { zero }));
        let stored: Vec<u8> = each.collect();
        for descr in ["'<V2'", "'|V2'"] {
            desk.write("c.npy", npy(descr, false, "(2, 3, 3)", &stored));
            let (set, _) = desk.import("c.npy --layout nhw");
            assert_eq!(bits(&set), as_bits(&data), "{descr} {zero}");
        }
        desk.write(
            "c.npz",
            npz(&[("codes", npy("'<V2'", false, "(2, 3, 3)", &stored))]),
        );
        assert_eq!(bits(&desk.import("c.npz").0), as_bits(&data));
    }
    for (value, word) in [
        (f32::NAN, "NaN at [0, 0, 1]"),
        (f32::INFINITY, "inf at"),
        (0.5, "0.5 at [0, 0, 1]"),
    ] {
        let stored = [bfloat(1.0), bfloat(value)].concat();
        desk.write("v.npy", npy("'<V2'", false, "(1, 1, 2)", &stored));
        desk.refused_import("v.npy", &[word]);
    }
    for descr in ["'<V1'", "'|V3'", "'|V4'"] {
        desk.write("v.npy", npy(descr, false, "(1, 1, 2)", &[0; 8]));
        desk.refused_import("v.npy", &["dtype", "V", "bfloat16"]);
    }
}

// Safetensors

#[test]
fn tensors_of_every_type_are_the_same_bits() {
    let desk = Desk::new();
    let data = codes(2 * 2 * 3 * 2);
    let of = |each: &dyn Fn(bool) -> Vec<u8>| -> Vec<u8> {
        data.iter().flat_map(|bit| each(*bit == 1)).collect()
    };
    let one = |bit: bool| i8::from(bit);
    let sign = |bit: bool| if bit { 1.0f32 } else { -1.0 };
    let half = |bit: bool| if bit { 0x3c00u16 } else { 0xbc00 };
    let all: Vec<(&str, Vec<u8>)> = vec![
        ("BOOL", data.clone()),
        ("U8", data.clone()),
        ("I8", of(&|bit| (2 * one(bit) - 1).to_le_bytes().to_vec())),
        ("U16", of(&|bit| u16::from(bit).to_le_bytes().to_vec())),
        (
            "I16",
            of(&|bit| i16::from(2 * one(bit) - 1).to_le_bytes().to_vec()),
        ),
        ("U32", of(&|bit| u32::from(bit).to_le_bytes().to_vec())),
        (
            "I32",
            of(&|bit| i32::from(2 * one(bit) - 1).to_le_bytes().to_vec()),
        ),
        ("U64", of(&|bit| u64::from(bit).to_le_bytes().to_vec())),
        (
            "I64",
            of(&|bit| i64::from(2 * one(bit) - 1).to_le_bytes().to_vec()),
        ),
        ("F16", of(&|bit| half(bit).to_le_bytes().to_vec())),
        ("BF16", of(&|bit| bfloat(sign(bit)).to_vec())),
        ("F32", of(&|bit| sign(bit).to_le_bytes().to_vec())),
        (
            "F64",
            of(&|bit| f64::from(sign(bit)).to_le_bytes().to_vec()),
        ),
    ];
    for (dtype, bytes) in all {
        let labels = [7i64, -3].map(i64::to_le_bytes).concat();
        let file = tensors(
            "{\"format\":\"pt\"}",
            &[
                ("first", "F32", &[1], &[0; 4]),
                ("z", dtype, &[2, 2, 3, 2], &bytes),
                ("labels", "I64", &[2], &labels),
            ],
        );
        desk.write("t.safetensors", file);
        let (set, outcome) = desk.import("t.safetensors --layout nhwc");
        assert_eq!(
            (set.shape(), bits(&set)),
            (shape(2, 3, 2), as_bits(&data)),
            "{dtype}"
        );
        assert_eq!(set.labels(), Some(&[7, -3][..]));
        assert_eq!(set.source(), "t.safetensors array z, layout nhwc");
        assert!(
            outcome.stderr.contains("labels from the array 'labels'"),
            "{outcome:?}"
        );
        assert_eq!(
            desk.import("t.safetensors --layout nhwc --no-labels")
                .0
                .labels(),
            None
        );
    }
}

#[test]
fn a_file_of_tensors_follows_the_rules_of_arrays() {
    let desk = Desk::new();
    let data = codes(2 * 6 * 3);
    let indices = widened(&[1, 2, 3, 4, 5, 6, 7, 0], 8);
    desk.write(
        "t",
        tensors(
            "",
            &[
                ("codes", "U8", &[2, 6, 3], &data),
                ("indices", "I64", &[2, 4], &indices),
                ("c", "C64", &[1], &[0; 8]),
                ("images", "U8", &[2, 3, 3], &[0; 18]),
            ],
        ),
    );
    let (set, outcome) = desk.import("t --grid 3x2");
    assert_eq!((set.shape(), bits(&set)), (shape(3, 2, 3), as_bits(&data)));
    assert!(
        outcome.stderr.contains("codes from the array 'codes'"),
        "{outcome:?}"
    );
    desk.refused_import("t", &["t/codes", "--layout nlk", "[N, 6, 3]"]);
    let (set, _) = desk.import("t --array indices --index-bits 3 --lsb-first --grid 2x2");
    let expected = (1..9u64).flat_map(|value| digits(value % 8, 3, false));
    assert_eq!(bits(&set), expected.collect::<Vec<_>>());
    desk.refused_import("t --array c", &["t/c", "C64", "BF16"]);
    desk.refused_import(
        "t --array d",
        &["array 'd'", "codes [2, 6, 3]", "c (not numbers)"],
    );
    desk.refused_import("t --threshold 0.5", &["--threshold", "leave"]);
    desk.refused_import("t --array images --labels fine", &["fine", "CIFAR-100"]);
    // The only array of codes is one with two axes.
    desk.write(
        "two",
        tensors(
            "",
            &[("x", "I64", &[2, 4], &indices), ("y", "U8", &[2], &[1, 2])],
        ),
    );
    let (set, _) = desk.import("two --index-bits 3 --msb-first");
    assert_eq!(
        (set.shape(), set.labels()),
        (shape(1, 4, 3), Some(&[1, 2][..]))
    );
    desk.write("none", tensors("", &[("y", "U8", &[2], &[1, 2])]));
    desk.refused_import("none", &["2, 3 or 4 axes", "y [2]"]);
    desk.write(
        "many",
        tensors(
            "",
            &[("a", "U8", &[1, 1, 1], &[1]), ("b", "U8", &[1, 1, 1], &[0])],
        ),
    );
    desk.refused_import("many", &["--array NAME", "a [1, 1, 1], b [1, 1, 1]"]);
    desk.write("empty", tensors("", &[("a", "U8", &[0, 2, 2], &[])]));
    desk.refused_import("empty", &["empty/a", "empty"]);
    desk.write("flat", tensors("", &[("a", "U8", &[2, 0, 2], &[])]));
    desk.refused_import("flat", &["flat/a", "at least 1"]);
    let three = tensors(
        "",
        &[
            ("a", "U8", &[2, 2, 2], &[1; 8]),
            ("y", "U8", &[3], &[1, 2, 3]),
        ],
    );
    desk.write("three", three);
    desk.refused_import("three", &["three/y", "found 3 labels", "--no-labels"]);
}

#[test]
fn a_file_of_tensors_that_is_not_what_its_header_says_is_refused() {
    let desk = Desk::new();
    let refused = |bytes: &[u8], words: &[&str]| {
        desk.write("t", bytes);
        desk.refused_import("t", &[&["t: expected"][..], words].concat());
    };
    let good = tensors("", &[("a", "U8", &[2, 2, 2], &[1; 8])]);
    refused(
        &good[..good.len() - 1],
        &["whole safetensors file", "bytes"],
    );
    refused(&[&good[..], &[0]].concat(), &["whole safetensors file"]);
    refused(&good[..20], &["20 bytes, and a header of"]);
    // A header as long as no memory is.
    let mut lie = good.clone();
    lie[..8].copy_from_slice(&99_000_000u64.to_le_bytes());
    refused(&lie, &["a header of 99000000"]);
    refused(
        &with_header("{\"a\":1}", &[]),
        &["header of a safetensors file"],
    );
    refused(
        &with_header("{\"a\":", &[]),
        &["header of a safetensors file"],
    );
    let nested = format!("{{\"a\":{}", "[".repeat(9000));
    refused(
        &with_header(&nested, &[]),
        &["header of a safetensors file"],
    );
    let sides = "[4294967296,4294967296,9]";
    let huge = format!("{{\"a\":{{\"dtype\":\"U8\",\"shape\":{sides},\"data_offsets\":[0,8]}}}}");
    refused(
        &with_header(&huge, &[0; 8]),
        &["header of a safetensors file"],
    );
    let overlap = "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1],\"data_offsets\":[5,6]}}";
    refused(
        &with_header(overlap, &[0; 6]),
        &["header of a safetensors file"],
    );
    let wide = tensors("", &[("a", "U8", &[1, 1024, 1025], &vec![0; 1024 * 1025])]);
    desk.write("w", wide);
    desk.refused_import("w --layout nhw", &["w/a", "1048576 bits"]);
}

#[test]
fn a_file_that_bitquilt_wrote_is_not_imported_again() {
    let desk = Desk::new();
    desk.write("c.npy", npy("'|u1'", false, "(2, 3, 3)", &codes(18)));
    desk.import("c.npy");
    std::fs::rename(desk.path("out"), desk.path("latents.safetensors")).unwrap();
    desk.refused_import(
        "latents.safetensors",
        &["bitquilt.latents", "imported already"],
    );
    let path = [desk.path("latents.safetensors")];
    let options = ImportOptions {
        array: Some("bits".into()),
        ..ImportOptions::default()
    };
    let refused = import(&path, &options, &Unobserved);
    assert!(
        matches!(refused, Err(LatentError::Format { .. })),
        "{refused:?}"
    );
}
