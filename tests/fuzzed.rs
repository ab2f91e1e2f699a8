//! What the fuzzers in `fuzz/` found, each input with the promise that it broke.

use std::path::Path;

use bitquilt::search::ANSWERED_INTERPOLATED;
use bitquilt::{
    Anchor, Condition, SampleSet, Unobserved, Window, verify_from_index, verify_from_latents,
};

use crate::support::*;

/// The samples of an index by an index and by its latents.
fn verdicts(samples: &SampleSet, windows: &[Window]) -> [bitquilt::search::SupportReport; 2] {
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
