//! What the fuzzers in `fuzz/` found, each input with the promise that it broke.

use std::io::{Cursor, Write};
use std::path::Path;

use bitquilt::samples::ANSWERED_INTERPOLATED;
use bitquilt::{
    Anchor, Condition, SampleSet, Unobserved, Window, verify_from_index, verify_from_latents,
};
use npyz::zip::write::FileOptions;
use npyz::zip::{CompressionMethod, ZipWriter};

use crate::support::*;

/// An `.npz` of one array whose header and archive announce `latents` latents of 3x4, of which two are there.
fn boastful(latents: u32, method: CompressionMethod) -> Vec<u8> {
    let header =
        format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({latents}, 3, 4), }}\n");
    let mut array = b"\x93NUMPY\x01\x00".to_vec();
    array.extend((header.len() as u16).to_le_bytes());
    array.extend(header.as_bytes());
    array.extend([0; 24]);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = FileOptions::default().compression_method(method);
    zip.start_file("codes.npy", options).unwrap();
    zip.write_all(&array).unwrap();
    let archive = zip.finish().unwrap().into_inner();
    let held = (array.len() as u32).to_le_bytes();
    let announced = (array.len() as u32 - 24 + latents * 12).to_le_bytes();
    let mut boastful = Vec::new();
    let mut rest = &archive[..];
    while let Some(at) = rest.windows(4).position(|word| word == held) {
        boastful.extend(&rest[..at]);
        boastful.extend(announced);
        rest = &rest[at + 4..];
    }
    boastful.extend(rest);
    boastful
}

/// 200 bytes that asked for 600 MB: memory is taken by what an archive holds, not by what it announces.
#[test]
fn an_archive_that_announces_more_than_it_can_hold_is_refused_before_memory_is_taken() {
    let folder = small_folder();
    for method in [
        CompressionMethod::Stored,
        CompressionMethod::Deflated,
        CompressionMethod::Bzip2,
    ] {
        fs_err::write(
            folder.path().join("codes.npz"),
            boastful(300_000_000, method),
        )
        .unwrap();
        let words = ["codes.npz", "3600000", "can hold at most"];
        refuses(
            folder.path(),
            &split("import codes.npz -o out --force --layout nhw"),
            2,
            &words,
        );
        fs_err::write(folder.path().join("codes.npz"), boastful(2, method)).unwrap();
        succeeds(
            folder.path(),
            &split("import codes.npz -o out --force --layout nhw"),
        );
    }
}

/// The samples of an index by an index and by its latents.
fn verdicts(samples: &SampleSet, windows: &[Window]) -> [bitquilt::samples::SupportReport; 2] {
    let training = worked_example().set();
    let (_folder, index) = built(&training, windows, Anchor::None);
    let by_index = verify_from_index(&index, samples, windows[0], &Unobserved).unwrap();
    let conditions = (Anchor::None, Condition::None);
    let by_latents = verify_from_latents(
        &training,
        conditions.0,
        conditions.1,
        samples,
        windows[0],
        &Unobserved,
    );
    [by_index, by_latents.unwrap()]
}

#[test]
fn a_window_that_a_samples_file_names_twice_is_checked_once_by_either_proof() {
    let folder = house();
    let strangers = folder.path().join("strangers.safetensors");
    write_strangers(&strangers);
    let mut samples = SampleSet::read(&strangers).unwrap();
    let windows: [Window; 2] = ["seq:3", "seq:2"].map(|text| text.parse().unwrap());
    let bits = samples.latents.len() * samples.latents.shape().bits();
    let by = [1, 2, 3, 0, ANSWERED_INTERPOLATED, 1].into_iter().cycle();
    samples.answered_by = Some(by.take(bits).collect());
    samples.windows = vec![windows[0], windows[1], windows[0]];
    let [by_index, by_latents] = verdicts(&samples, &windows);
    assert_eq!(by_index, by_latents);
    assert_eq!(
        (by_index.checked, by_index.fixed, by_index.interpolated),
        (12, 3, 3)
    );
    assert!(!by_index.unsupported.is_empty());
}

/// By no occurrence at all anything would be supported.
#[test]
fn samples_that_ask_for_no_occurrence_prove_nothing() {
    let folder = house();
    let path = folder.path().join("samples.safetensors");
    let change = |path: &Path, from: &[u8], to: &[u8]| {
        let mut bytes = fs_err::read(path).unwrap();
        let at = bytes
            .windows(from.len())
            .position(|part| part == from)
            .unwrap();
        bytes[at..at + from.len()].copy_from_slice(to);
        fs_err::write(path, bytes).unwrap();
    };
    let count = |n: u8| format!("\"samples.min_count\":\"{n}\"").into_bytes();
    succeeds(folder.path(), &split("verify index samples.safetensors"));
    change(&path, &count(1), &count(0));
    let words = [
        "samples.safetensors",
        "at least 1",
        "samples.min_count",
        "found 0",
    ];
    for verb in [
        "verify index samples.safetensors",
        "trace index samples.safetensors",
    ] {
        refuses(folder.path(), &split(verb), 2, &words);
    }
}

/// A side of 0 hid the product of the others from the check before the parser, which multiplies them unchecked; and so did
/// a shape before the one that the parser takes.
#[test]
fn a_header_of_an_array_has_one_shape_whose_sides_can_be_multiplied() {
    let folder = small_folder();
    let huge = "4294967296, 4294967296";
    for shapes in [
        format!("'shape': (0, {huge})"),
        format!("'shape': ({huge}, 0)"),
        format!("'shape': (2, 3, 4), 'shape': ({huge})"),
        format!("'shape': (2, 3, 4), \"shape\": ({huge})"),
    ] {
        let header = format!("{{'descr': '|u1', 'fortran_order': False, {shapes}, }}\n");
        let mut array = b"\x93NUMPY\x01\x00".to_vec();
        array.extend((header.len() as u16).to_le_bytes());
        array.extend(header.as_bytes());
        fs_err::write(folder.path().join("codes.npy"), array).unwrap();
        let words = ["codes.npy", "which no array can have"];
        refuses(folder.path(), &split("import codes.npy -o out"), 2, &words);
    }
}
