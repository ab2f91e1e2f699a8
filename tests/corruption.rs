//! Damage: reported, or without any effect on what is answered. Never a panic, never a wrong answer.

use std::path::{Path, PathBuf};

use bitquilt::samples::Run;
use bitquilt::{
    Anchor, Budget, FixedBits, Index, IndexError, LatentSet, SampleSet, SearchOptions, Unobserved,
    Window, generate,
};
use proptest::prelude::*;

use crate::levels::Pyramids;
use crate::oracle::Grid;
use crate::support::*;

/// A small index of several blocks: long groups, single occurrences, contexts of many words.
fn small_index() -> (tempfile::TempDir, PathBuf) {
    let grid = Grid {
        height: 3,
        width: 40,
        channels: 1,
    };
    let mut random = Random(4);
    let mut latents: Vec<Vec<bool>> = vec![(0..120).map(|i| i % 3 == 0).collect(); 9];
    for latent in &mut latents[3..] {
        let at = random.below(120) as usize;
        latent[at] ^= true;
    }
    let windows: [Window; 2] = ["3x3", "23x23"].map(|text| text.parse().unwrap());
    let set = set_of(grid, &latents)
        .with_labels((0..9).collect())
        .unwrap();
    let (folder, index) = built(&set, &windows, Anchor::None);
    assert!(index.manifest().arrays[0].blocks > 1);
    let path = folder.path().join("index");
    (folder, path)
}

/// A small index of pyramids: an array for each level, and one more.
fn small_index_of_pyramids() -> (tempfile::TempDir, PathBuf) {
    let mut random = Random(6);
    let latents = (0..40).map(|_| {
        let row = random.below(6) as usize;
        let fine: Vec<bool> = (0..36)
            .map(|at| at / 6 == row || random.below(12) == 0)
            .collect();
        let coarse = (0..9).map(|at| fine[at / 3 * 12 + at % 3 * 2]);
        coarse.collect::<Vec<_>>().into_iter().chain(fine).collect()
    });
    let all = Pyramids {
        sides: vec![(3, 3, 1), (6, 6, 1)],
        latents: latents.collect(),
        windows: ["global", "1:3x3^3x3", "1:5x5^1x1"]
            .map(|text| text.parse().unwrap())
            .to_vec(),
        anchor: Anchor::None,
        labels: None,
    };
    let (folder, index) = all.built();
    assert_eq!(index.manifest().arrays.len(), 3);
    drop(index);
    let path = folder.path().join("index");
    (folder, path)
}

/// Everything that an index says: contexts, counts, postings, latents. Each context is also looked up
/// for itself.
type Everything = (Vec<Vec<Answer>>, Vec<(Vec<u8>, Option<i64>)>);

fn everything(index: &Index, known: Option<&Everything>) -> Result<Everything, IndexError> {
    let mut windows = Vec::new();
    for (number, window) in index.windows().enumerate() {
        if let Some(known) = known {
            for (key, n0, n1, postings) in &known.0[number] {
                let found = window.lookup(key)?.map(|h| (h.n0, h.n1));
                assert_eq!(found, Some((*n0, *n1)), "a wrong count");
                for (bit, expected) in [false, true].into_iter().zip(postings) {
                    let found = window.postings(key, bit)?;
                    let mut found = found.collect::<Result<Vec<_>, _>>()?;
                    found.sort_unstable();
                    let found = found
                        .iter()
                        .map(|posting| (posting.latent, posting.position));
                    assert!(found.eq(expected.iter().copied()), "a wrong posting");
                }
            }
        }
        windows.push(answers(&window)?);
    }
    let mut latents = Vec::new();
    for id in 0..index.latents() {
        let latent = index.latent(id)?;
        latents.push(latent.map_or((Vec::new(), None), |l| (l.packed().to_vec(), l.label())));
    }
    Ok((windows, latents))
}

/// What became of a damaged index.
#[derive(Debug, PartialEq)]
enum Found {
    NotOpened,
    Reported,
    NotReported,
}

/// Opens and asks; panics at a wrong answer.
fn ask(path: &Path, expected: &Everything) -> Found {
    let Ok(index) = Index::open_with_cache(path, 1 << 20) else {
        return Found::NotOpened;
    };
    if let Ok(found) = everything(&index, Some(expected)) {
        assert!(found == *expected, "a wrong answer");
    }
    match index.verify(Budget::of_machine(), &Unobserved) {
        Ok(()) => Found::NotReported,
        Err(_) => Found::Reported,
    }
}

/// Every file of the index, with whether the manifest lists it.
fn files(path: &Path) -> Vec<(PathBuf, bool)> {
    let index = open(path);
    let listed: Vec<_> = index
        .manifest()
        .files
        .iter()
        .map(|f| path.join(&f.name))
        .collect();
    let files = files_of(path).into_keys();
    files
        .map(|file| (file.clone(), listed.contains(&file)))
        .collect()
}

/// Runs `ask` and says what was done when it panics.
fn ask_about(what: &str, path: &Path, expected: &Everything) -> Found {
    let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ask(path, expected)));
    asked.unwrap_or_else(|_| panic!("{what}: a panic or a wrong answer"))
}

#[test]
fn a_flipped_byte_is_reported_or_changes_no_answer() {
    check_flips(small_index());
}

#[test]
fn a_flipped_byte_of_an_index_of_pyramids_is_reported_or_changes_no_answer() {
    check_flips(small_index_of_pyramids());
}

fn check_flips((_folder, path): (tempfile::TempDir, PathBuf)) {
    let expected = everything(&open(&path), None).unwrap();
    let mut random = Random(8);
    for (file, listed) in files(&path) {
        let whole = fs_err::read(&file).unwrap();
        // Every byte takes minutes; and most bytes are RocksDB's options, which no reader asks for.
        let flips = if long() { 8_000 } else { 200 };
        let step = (whole.len() as u64 / flips).max(1);
        let mut at = random.below(step);
        while at < whole.len() as u64 {
            let mut bytes = whole.clone();
            bytes[at as usize] ^= 1 << random.below(8);
            fs_err::write(&file, bytes).unwrap();
            let what = format!("{} flipped at {at}", file.display());
            let found = ask_about(&what, &path, &expected);
            assert!(
                !listed || found != Found::NotReported,
                "{what}: not reported"
            );
            at += 1 + random.below(2 * step - 1);
        }
        fs_err::write(&file, whole).unwrap();
    }
    assert_eq!(ask(&path, &expected), Found::NotReported);
}

#[test]
fn a_shortened_lengthened_or_missing_file_is_reported() {
    let (_folder, path) = small_index();
    let expected = everything(&open(&path), None).unwrap();
    for (file, listed) in files(&path) {
        let whole = fs_err::read(&file).unwrap();
        let check = |bytes: Option<Vec<u8>>, what: &str| {
            if bytes.as_deref() == Some(&whole) {
                return;
            }
            // A manifest without its last newline says all it said.
            let same = bytes
                .as_ref()
                .is_some_and(|b| b.trim_ascii() == whole.trim_ascii());
            match bytes {
                Some(bytes) => fs_err::write(&file, bytes).unwrap(),
                None => fs_err::remove_file(&file).unwrap(),
            }
            let what = format!("{} {what}", file.display());
            let found = ask_about(&what, &path, &expected);
            // Of what no manifest lists, RocksDB's empty lock file, only the answers matter.
            let must = listed || file.ends_with("manifest.json") && !same;
            assert!(!must || found == Found::NotOpened, "{what}: {found:?}");
        };
        for length in [0, whole.len() / 2, whole.len().saturating_sub(1)] {
            check(Some(whole[..length].to_vec()), "shortened");
        }
        for tail in [&b"\0"[..], b"tail", &whole] {
            check(Some([&whole, tail].concat()), "lengthened");
        }
        check(None, "removed");
        fs_err::write(&file, whole).unwrap();
    }
    assert_eq!(ask(&path, &expected), Found::NotReported);
}

/// Two sound files of the same length in each other's place: every block's own checksum is right.
#[test]
fn exchanged_files_are_reported() {
    let (_a, a) = small_index();
    let (folder, index) = {
        let mut set = LatentSet::new(open(&a).shape());
        for entry in open(&a).scan_latents().unwrap() {
            set.push_bits(entry.unwrap().1.bits().iter().map(|bit| !*bit))
                .unwrap();
        }
        let set = set.with_labels((0..9).collect()).unwrap();
        let windows = open(&a).manifest().windows();
        built(&set, &windows, Anchor::None)
    };
    drop(index);
    let b = folder.path().join("index");
    let expected = everything(&open(&a), None).unwrap();
    let mut exchanged = 0;
    for (file, listed) in files(&a) {
        let other = b.join(file.strip_prefix(&a).unwrap());
        let Ok(foreign) = fs_err::read(other) else {
            continue;
        };
        let own = fs_err::read(&file).unwrap();
        if !listed || own == foreign {
            continue;
        }
        exchanged += 1;
        fs_err::write(&file, foreign).unwrap();
        // A wrong answer cannot be kept away without reading every file at every opening; but `verify`
        // finds it.
        let verified = Index::open_with_cache(&a, 1 << 20)
            .and_then(|index| index.verify(Budget::of_machine(), &Unobserved));
        assert!(verified.is_err(), "{}", file.display());
        fs_err::write(&file, own).unwrap();
    }
    assert!(exchanged >= 3, "only {exchanged} files differ");
    assert_eq!(ask(&a, &expected), Found::NotReported);
}

#[test]
fn the_command_names_the_damaged_file() {
    let (folder, path) = small_index();
    for (file, listed) in files(&path) {
        let whole = fs_err::read(&file).unwrap();
        if !listed || whole.is_empty() {
            continue;
        }
        let mut bytes = whole.clone();
        let at = bytes.len() / 2;
        bytes[at] ^= 4;
        fs_err::write(&file, bytes).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        for arguments in [&["verify", "index"][..], &["verify", "index", "--json"]] {
            let output = bitquilt(folder.path(), arguments);
            let stdout = String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(1), "{name}: {stdout}");
            assert!(stdout.contains(name), "{name}: {stdout}");
        }
        fs_err::write(&file, whole).unwrap();
    }
    succeeds(folder.path(), &["verify", "index"]);
}

/// RocksDB's log reader never comes back from a record whose type became that of a recycled log
/// (facebook/rocksdb#13333): one flipped bit. The command is asked, since it can be ended.
#[test]
fn a_damaged_list_of_files_is_no_endless_loop() {
    let (folder, path) = small_index();
    let mut files = files_of(&path.join("db")).into_iter();
    let is_list = |name: &Path| name.to_string_lossy().contains("/MANIFEST-");
    let (file, whole) = files.find(|(name, _)| is_list(name)).unwrap();
    // A record is a checksum (4 bytes), a length (2), a type (1) and that many bytes.
    let second = 7 + usize::from(u16::from_le_bytes([whole[4], whole[5]]));
    let mut bytes = whole;
    assert_eq!(bytes[second + 6], 1);
    bytes[second + 6] = 5;
    fs_err::write(&file, bytes).unwrap();
    let output = bitquilt(folder.path(), &["info", "index"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{}: {stderr}", output.status);
    assert!(stderr.contains("index/db"), "{stderr}");
}

/// A latents file and a samples file, both sound.
fn sound_files(folder: &Path) -> [Vec<u8>; 2] {
    let training = worked_example();
    let window: Window = "seq:3".parse().unwrap();
    let (_index, index) = built(&training.set(), &[window], Anchor::None);
    let held = index.window(window).unwrap();
    let fixed = FixedBits::prefix([true]);
    let options = SearchOptions::default();
    let task = crate::search::task(&held, &fixed, options);
    let attempts = generate(&task, 3, false, &Unobserved).unwrap();
    let run = Run {
        shape: index.shape(),
        codecs: vec![bitquilt::Codec::Codes],
        source: String::new(),
        windows: &[window],
        label: None,
        settings: &task.settings("", ""),
        attempts: &attempts,
        without: bitquilt::Ids::default(),
    };
    let (latents, samples) = (folder.join("latents"), folder.join("samples"));
    run.write(&samples).unwrap();
    training
        .set()
        .with_labels(vec![1, 2])
        .unwrap()
        .write(&latents)
        .unwrap();
    [latents, samples].map(|path| fs_err::read(path).unwrap())
}

/// Reads a file both ways: an answer or an error, and in the answer nothing out of range.
fn read_both_ways(path: &Path, bytes: &[u8]) {
    fs_err::write(path, bytes).unwrap();
    match LatentSet::read(path) {
        Ok(set) => {
            assert_eq!(set.packed().len(), set.len() * set.shape().packed_bytes());
            assert!(set.labels().is_none_or(|labels| labels.len() == set.len()));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(samples) = SampleSet::read(path) {
        let bits = samples.latents.len() * samples.latents.shape().bits();
        if let Some(answered) = samples.answered_by {
            assert_eq!(answered.len(), bits);
            assert!(
                answered
                    .iter()
                    .all(|by| usize::from(*by) <= samples.windows.len())
            );
        }
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a_file_of_anything_is_an_error_and_no_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
        headed: bool,
    ) {
        let folder = small_folder();
        if headed && bytes.len() > 8 {
            // A header length that is true takes the reader further.
            let length = (bytes.len() - 8) as u64;
            bytes[..8].copy_from_slice(&length.to_le_bytes());
        }
        let path = folder.path().join("any");
        read_both_ways(&path, &bytes);
        prop_assert!(LatentSet::read(&path).is_err());
        prop_assert!(SampleSet::read(&path).is_err());
    }
}

#[test]
fn a_garbled_latents_or_samples_file_is_no_panic() {
    let folder = small_folder();
    let mut random = Random(6);
    let path = folder.path().join("garbled");
    for whole in sound_files(folder.path()) {
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                read_both_ways(&path, &bytes);
            }
            // Digits for digits: headers that still are JSON, with other sizes.
            if whole[at].is_ascii_digit() {
                let mut bytes = whole.clone();
                bytes[at] = b'0' + random.below(10) as u8;
                read_both_ways(&path, &bytes);
            }
        }
    }
}

#[test]
fn a_shortened_latents_or_samples_file_is_an_error() {
    let folder = small_folder();
    let path = folder.path().join("short");
    for whole in sound_files(folder.path()) {
        for length in 0..whole.len() {
            fs_err::write(&path, &whole[..length]).unwrap();
            let error = LatentSet::read(&path).unwrap_err().to_string();
            assert!(error.contains("short"), "does not name the file: {error}");
            assert!(SampleSet::read(&path).is_err());
        }
        let mut longer = whole.clone();
        longer.push(0);
        fs_err::write(&path, longer).unwrap();
        assert!(LatentSet::read(&path).is_err());
    }
}
