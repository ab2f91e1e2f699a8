//! The project's own files: latents, samples, manifest, blocks, directory records, context keys.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use bitquilt::index::fuzzing::{
    MANIFEST_NAME, read_block, read_listed, read_manifest, rewritten, sealed, write_block,
};
use bitquilt::{
    Anchor, Budget, Condition, ContextKey, Frame, Geometry, Given, Index, IndexError, LatentSet,
    SampleSet, Shape, Unobserved, Window, verify_from_index, verify_from_latents,
};

use crate::files::{golden, golden_index, is_sound, place, says_something, written};

/// Memory for the blocks of an index of a few kilobytes.
const CACHE: usize = 1 << 20;
/// Bits of the samples that are verified, so that an input takes milliseconds.
const MAX_BITS: usize = 1 << 12;

/// Latents files.
pub fn latents(bytes: &[u8]) {
    match LatentSet::read(&written("input", bytes)) {
        Ok(set) => is_sound(&set),
        Err(error) => says_something(&error),
    }
}

struct Training {
    index: PathBuf,
    opened: Index,
    set: LatentSet,
}

static TRAINING: LazyLock<Training> = LazyLock::new(|| {
    let index = golden_index("windows.index");
    Training {
        opened: Index::open_with_cache(&index, CACHE).expect("a golden index"),
        set: LatentSet::read(&golden("codes.safetensors")).expect("golden latents"),
        index,
    }
});

/// Samples files: read, and verified from the index and from the latents, which must come to the same.
pub fn samples(bytes: &[u8]) {
    let path = written("input", bytes);
    let latents = LatentSet::read(&path);
    let samples = match SampleSet::read(&path) {
        Ok(samples) => samples,
        Err(error) => return says_something(&error),
    };
    // Samples are latents to who knows no better.
    assert!(latents.is_ok_and(|latents| latents == samples.latents));
    let bits = samples.latents.len() * samples.latents.shape().bits();
    if let Some(answered) = &samples.answered_by {
        assert_eq!(answered.len(), bits);
        let windows = samples.windows.len();
        assert!(
            answered
                .iter()
                .all(|by| *by == u8::MAX || usize::from(*by) <= windows)
        );
    }
    assert!(
        samples.min_count.all(|count| count > 0),
        "nothing is supported by no occurrence"
    );
    if bits > MAX_BITS || samples.windows.len() > 8 {
        return;
    }
    let training = &*TRAINING;
    let otherwise = samples
        .windows
        .first()
        .copied()
        .unwrap_or(Window::Square { radius: 1 });
    let by_index = verify_from_index(&training.opened, &samples, otherwise, &Unobserved);
    let anchor = Anchor::None;
    let by_latents = verify_from_latents(
        &training.set,
        anchor,
        Condition::None,
        &samples,
        otherwise,
        &Unobserved,
    );
    match (by_index, by_latents) {
        (Ok(by_index), Ok(by_latents)) => assert_eq!(by_index, by_latents),
        // A window that the index does not hold, or a grid that it cannot be laid on.
        (Err(error), _) => says_something(&error),
        (Ok(report), Err(error)) => panic!("{report:?} from the index, {error} from the latents"),
    }
    if !samples.without.is_empty() {
        let opened = Index::open_with_cache(&training.index, CACHE).expect("a golden index");
        match opened.without(&samples.without, Budget::of_machine()) {
            Ok(rest) => assert_eq!(
                rest.latents() + samples.without.len(),
                training.opened.latents()
            ),
            Err(error) => says_something(&error),
        }
    }
}

/// Manifests before a sound database, as they are and with the checksum made right.
pub fn manifest(bytes: &[u8]) {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| golden_index("windows.index"));
    let ask = |bytes: &[u8]| {
        fs::write(FOLDER.join(MANIFEST_NAME), bytes).expect("room for a file");
        let read = match read_manifest(&FOLDER) {
            Ok(read) => read,
            Err(error) => return says_something(&error),
        };
        let again = place("manifest");
        fs::create_dir_all(&again).expect("a folder");
        assert!(rewritten(&read, &again).is_ok_and(|again| again == read));
        match Index::open_with_cache(&FOLDER, CACHE) {
            Ok(index) => answers(&index),
            Err(error) => says_something(&error),
        }
    };
    ask(bytes);
    if let Some(sealed) = sealed(bytes) {
        ask(&sealed);
    }
}

/// An index that may lie is asked for everything: any answer or an error, and the same verdict each time.
fn answers(index: &Index) {
    let everything = || -> Result<u64, IndexError> {
        let mut postings = 0;
        for window in index.windows() {
            for entry in window.contexts()? {
                let (key, _) = entry?;
                for bit in [false, true] {
                    for posting in window.postings(&key, bit)? {
                        postings += posting?.latent;
                    }
                }
            }
        }
        for latent in index.scan_latents()? {
            latent?;
        }
        Ok(postings)
    };
    if let Err(error) = everything() {
        says_something(&error);
    }
    let verdicts = [(); 2].map(|()| {
        index
            .verify(Budget::of_machine(), &Unobserved)
            .map_err(|error| error.to_string())
    });
    assert_eq!(verdicts[0], verdicts[1]);
}

/// Blocks of an array: eight bytes of how many occurrences there are, then the block.
pub fn block(bytes: &[u8]) {
    let Some((total, bytes)) = bytes.split_first_chunk::<8>() else {
        return;
    };
    // Below 2⁵², as of every index.
    let total = (u64::from_le_bytes(*total) >> 12).max(1);
    let Some(groups) = read_block(bytes, total) else {
        return;
    };
    for (_, group) in &groups {
        assert!(group.is_sorted_by(|a, b| a < b));
        assert!(group.iter().all(|occurrence| *occurrence < total));
    }
    let written = write_block(&groups, total);
    assert_eq!(read_block(&written, total), Some(groups));
}

/// Records of a directory.
pub fn listed(bytes: &[u8]) {
    let Some((blocks, written)) = read_listed(bytes) else {
        return;
    };
    // Numbers can be written at more length than is needed.
    assert!(written.len() <= bytes.len());
    let again = read_listed(&written);
    assert_eq!(again, Some((blocks, written)));
}

/// Context keys: a line with shape, window, anchor, labels, label and position, then the bits of a latent.
pub fn key(bytes: &[u8]) {
    let Some((latent, geometry, label, position)) = context(bytes) else {
        return;
    };
    let shape = geometry.shape();
    let mut frame = Frame::new(shape, &[&geometry]);
    let mut key_of = |latent: &[u8]| {
        frame.load(latent, Given::label(label));
        geometry.key(&mut frame, position)
    };
    let key = key_of(&latent);
    assert_eq!(key.as_bytes().len(), geometry.key_bytes());
    assert_eq!(ContextKey::new(key.as_bytes()), Some(key));
    for flipped in 0..shape.bits() {
        let mut other = latent.clone();
        other[flipped / 8] ^= 1 << (flipped % 8);
        let sees = geometry.context(position).any(|run| run.contains(&flipped));
        assert_eq!(key_of(&other) != key, sees, "bit {flipped}");
    }
}

/// A latent, a window on its grid, and where to look.
fn context(bytes: &[u8]) -> Option<(Vec<u8>, Geometry, u64, usize)> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(&bytes[..end]).ok()?;
    let words: Vec<_> = line.split(' ').collect();
    let [shape, window, anchor, labels, label, position] = words[..] else {
        return None;
    };
    let shape = shape
        .parse::<Shape>()
        .ok()
        .filter(|shape| shape.bits() <= 512)?;
    let geometry = Geometry::new(window.parse().ok()?, anchor.parse().ok()?, shape).ok()?;
    let labels = labels.parse().ok()?;
    let geometry = geometry.with_labels(labels).ok()?;
    let label = label.parse::<u64>().ok()? % labels.max(1);
    let position = position.parse::<usize>().ok()? % shape.bits();
    let mut latent = bytes[end + 1..].to_vec();
    latent.resize(shape.packed_bytes(), 0);
    if let (Some(last), 1..) = (latent.last_mut(), shape.bits() % 8) {
        *last &= (1 << (shape.bits() % 8)) - 1;
    }
    Some((latent, geometry, label, position))
}
