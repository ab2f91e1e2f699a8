//! Files of every format version open for ever: small ones, made once by the program of that version and kept in
//! `tests/golden`, are read, asked, verified, traced and written again as they were. Its README says what is in them.

use std::path::{Path, PathBuf};

use bitquilt::samples::{ANSWERED_FIXED, ANSWERED_INTERPOLATED};
use bitquilt::{Budget, Index, IndexError, LatentSet, SampleSet, Unobserved, Window};
use serde_json::Value;

use crate::support::*;

const COMMANDS: &str = include_str!("golden/commands.txt");

/// The golden files of a format version.
fn folder_of(version: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    folder.join(version)
}

/// A golden file of the newest version that has it.
fn kept(name: impl AsRef<Path>) -> PathBuf {
    let newest = folder_of("v2").join(&name);
    if newest.exists() {
        newest
    } else {
        folder_of("v1").join(name)
    }
}

/// What a golden file is to the command that made it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Trains,
    Builds,
    Writes,
    Prints,
}

/// A line of `commands.txt`.
pub struct Line {
    pub neural: bool,
    pub kind: Kind,
    pub file: &'static str,
    pub command: &'static str,
}

impl Line {
    /// The words of the command, with a name in the file's place.
    fn words(&self, name: &str) -> Vec<String> {
        let words = self.command.split_whitespace();
        words.map(|word| word.replace("{}", name)).collect()
    }
}

pub fn lines() -> Vec<Line> {
    let lines = COMMANDS.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let lines = lines.map(|line| {
        let (needs, rest) = line.split_once(' ').unwrap();
        let (kind, rest) = rest.trim().split_once(' ').unwrap();
        let (file, command) = rest.trim().split_once(' ').unwrap();
        Line {
            neural: match needs {
                "-" => false,
                "neural" => true,
                other => panic!("{other} is neither - nor neural"),
            },
            kind: match kind {
                "trains" => Kind::Trains,
                "builds" => Kind::Builds,
                "writes" => Kind::Writes,
                "prints" => Kind::Prints,
                other => panic!("{other} is no kind of line"),
            },
            file,
            command: command.trim(),
        }
    });
    lines.collect()
}

/// A copy to work in: RocksDB may write into a folder that it opens, and commands write beside the files.
pub fn copied() -> tempfile::TempDir {
    let folder = small_folder();
    copy_folder(&folder_of("v1"), folder.path());
    for line in of_version_1() {
        fs_err::remove_dir_all(folder.path().join(line.file)).unwrap();
    }
    copy_folder(&folder_of("v2"), folder.path());
    folder
}

fn json(path: &Path) -> Value {
    let text = fs_err::read(path).unwrap();
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whether everything that was recorded is still said: fields may be new, and logarithms differ in their last bits
/// from one machine to the next.
fn still_says(golden: &Value, found: &Value, at: &str) -> Result<(), String> {
    let differs = || Err(format!("{at}: {golden} has become {found}"));
    match (golden, found) {
        (Value::Object(golden), Value::Object(found)) => {
            for (name, value) in golden.iter().filter(|(name, _)| *name != "seconds") {
                let at = format!("{at}.{name}");
                let found = found.get(name).ok_or(format!("{at} is gone"))?;
                still_says(value, found, &at)?;
            }
            Ok(())
        }
        (Value::Array(golden), Value::Array(found)) if golden.len() == found.len() => {
            for (number, (golden, found)) in golden.iter().zip(found).enumerate() {
                still_says(golden, found, &format!("{at}[{number}]"))?;
            }
            Ok(())
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            if (a - b).abs() <= 1e-9 * a.abs().max(1.0) {
                Ok(())
            } else {
                differs()
            }
        }
        _ if golden == found => Ok(()),
        _ => differs(),
    }
}

/// A picture is as it was; one by a network within one level, where another processor rounds the other way.
fn is_same_picture(golden: &Path, found: &Path, tolerance: u8) {
    let [golden, again] = [golden, found].map(|path| image::open(path).unwrap().to_rgb8());
    assert_eq!(golden.dimensions(), again.dimensions());
    for (place, (a, b)) in golden.iter().zip(again.iter()).enumerate() {
        let value = format!("{}: value {place} {a} has become {b}", found.display());
        assert!(a.abs_diff(*b) <= tolerance, "{value}");
    }
}

/// Runs every line of a kind in a copy of the golden files; what comes of it must be what is kept.
pub fn run_again(neural: bool, kind: Kind) {
    let folder = copied();
    let path = folder.path();
    let mut ran = 0;
    for line in lines() {
        if line.neural != neural || line.kind != kind {
            continue;
        }
        ran += 1;
        let again = format!("again-{}", line.file);
        let words = line.words(&again);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let printed = succeeds(path, &words);
        let (golden, found) = match kind {
            Kind::Prints => (kept(Path::new("expected").join(line.file)), None),
            _ => (kept(line.file), Some(path.join(&again))),
        };
        match (golden.extension().unwrap().to_str().unwrap(), found) {
            ("json", found) => {
                let found = match found {
                    Some(found) => json(&found),
                    None => serde_json::from_str(&printed).unwrap(),
                };
                let said = still_says(&json(&golden), &found, line.file);
                said.unwrap_or_else(|error| panic!("bitquilt {}: {error}", line.command));
            }
            ("png", Some(found)) => is_same_picture(&golden, &found, u8::from(neural)),
            (_, Some(found)) => {
                let same = fs_err::read(golden).unwrap() == fs_err::read(found).unwrap();
                assert!(same, "bitquilt {}: other bytes", line.command);
            }
            (other, None) => panic!("{other} is not compared with what is printed"),
        }
    }
    assert!(ran > 0, "no line of kind {kind:?}");
}

#[test]
fn the_program_says_of_golden_files_what_it_said_when_they_were_made() {
    run_again(false, Kind::Prints);
}

#[test]
fn the_program_writes_golden_files_again_as_they_are() {
    run_again(false, Kind::Writes);
}

/// The golden indexes by name.
fn indexes() -> Vec<Line> {
    let lines = lines();
    lines
        .into_iter()
        .filter(|line| line.kind == Kind::Builds)
        .collect()
}

/// Those that a program of version 1 made too.
fn of_version_1() -> impl Iterator<Item = Line> {
    let made = |line: &Line| folder_of("v1").join(line.file).exists();
    indexes().into_iter().filter(made)
}

#[test]
fn a_golden_index_is_proved_from_its_latents_and_one_built_today_answers_the_same() {
    let folder = copied();
    let path = folder.path();
    for line in indexes() {
        let built_of = line.command.split_whitespace().nth(1).unwrap();
        let codes = LatentSet::read(&path.join(built_of)).unwrap();
        assert_eq!(codes.labels().map(<[i64]>::len), Some(24));
        let golden = path.join(line.file);
        let index = open(&golden);
        index.verify(Budget::of_machine(), &Unobserved).unwrap();
        index
            .verify_by_recount(Budget::of_machine(), &Unobserved)
            .unwrap();
        for (id, latent) in index.scan_latents().unwrap().map(Result::unwrap) {
            assert_eq!(latent.packed(), codes.packed_latent(id as usize));
            assert_eq!(latent.label(), codes.labels().map(|l| l[id as usize]));
        }
        let identity = index.identity();
        drop(index);
        let words = line.words("today");
        succeeds(path, &words.iter().map(String::as_str).collect::<Vec<_>>());
        let today = path.join("today");
        assert_eq!(all_answers(&golden), all_answers(&today), "{}", line.file);
        assert_eq!(open(&today).identity(), identity);
        fs_err::remove_dir_all(&today).unwrap();
    }
    assert_eq!(indexes().len(), 3);
}

/// An index of a version that is no longer read is refused by name, with what to do, and nothing of it is changed.
#[test]
fn an_index_of_format_version_1_is_refused_with_what_rebuilds_it() {
    let folder = small_folder();
    let path = folder.path();
    copy_folder(&folder_of("v1"), path);
    assert_eq!(of_version_1().count(), 2);
    for line in of_version_1() {
        let before = files_of(&path.join(line.file));
        let opened = Index::open(&path.join(line.file)).map(|_| ());
        let Err(IndexError::Version {
            found, supported, ..
        }) = opened
        else {
            panic!("{}: {opened:?}", line.file);
        };
        assert_eq!((&found[..], supported), ("1", 2));
        for verb in [&["info"][..], &["verify"], &["generate", "-o", "samples"]] {
            let arguments = [&verb[..1], &[line.file], &verb[1..]].concat();
            refuses(path, &arguments, 2, &[]);
        }
        let words = [line.file, "version 1", "codes.safetensors", "--force"];
        refuses(path, &["info", line.file], 2, &words);
        assert!(files_of(&path.join(line.file)) == before);
        // It is an index: a rebuild may take its place.
        let mut arguments = line.words(line.file);
        arguments.push("--force".to_owned());
        succeeds(
            path,
            &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        succeeds(path, &["info", line.file]);
    }
}

/// Opening is no writing: a folder of files that nobody may change can be asked.
#[test]
fn opening_a_golden_index_changes_none_of_its_files() {
    let folder = copied();
    for line in indexes() {
        let path = folder.path().join(line.file);
        let before = files_of(&path);
        let index = Index::open(&path).unwrap();
        index.verify(Budget::of_machine(), &Unobserved).unwrap();
        drop(index);
        assert!(files_of(&path) == before, "{}", line.file);
    }
}

#[test]
fn golden_latents_and_samples_are_read_as_what_they_were() {
    let pixels = LatentSet::read(&kept("pixels.safetensors")).unwrap();
    let unlabelled = LatentSet::read(&kept("unlabelled.safetensors")).unwrap();
    assert_eq!((pixels.len(), unlabelled.len()), (24, 24));
    assert_eq!(pixels.shape().to_string(), "8x8x1");
    assert_eq!(pixels.codec().to_string(), "threshold");
    assert!(pixels.labels().is_some() && unlabelled.labels().is_none());

    let windows = |text: &str| -> Vec<Window> {
        let words = text.split_whitespace();
        words.map(|window| window.parse().unwrap()).collect()
    };
    const FIXED: u8 = ANSWERED_FIXED;
    const NETWORK: u8 = ANSWERED_INTERPOLATED;
    for (name, count, asked, answered, without) in [
        ("plain", 4, "3x3", vec![1], ""),
        ("backoff", 4, "5x5 3x3", vec![1, 2], ""),
        ("dead-end", 3, "5x5 seq:4", vec![FIXED, 1, 2], ""),
        ("without", 3, "3x3", vec![1], "0..3,7"),
        ("fixed", 3, "3x3", vec![FIXED, 1], ""),
        ("label", 3, "3x3", vec![1], ""),
        ("fallback", 3, "5x5", vec![FIXED, 1, NETWORK], ""),
        ("always", 2, "3x3", vec![NETWORK], ""),
    ] {
        let samples = SampleSet::read(&kept(format!("{name}.safetensors"))).unwrap();
        assert_eq!(samples.latents.len(), count, "{name}");
        assert_eq!(samples.latents.shape().to_string(), "4x4x2", "{name}");
        assert_eq!(samples.windows, windows(asked), "{name}");
        assert_eq!(samples.min_count, 1.into(), "{name}");
        assert_eq!(samples.without.to_string(), without, "{name}");
        let mut by = samples.answered_by.unwrap();
        assert_eq!(by.len(), count * 32, "{name}");
        by.sort_unstable();
        by.dedup();
        assert_eq!(by, answered, "{name}");
        let labels = samples.latents.labels().map(<[i64]>::to_vec);
        assert_eq!(labels, (name == "label").then(|| vec![2; count]), "{name}");
    }
}

#[test]
fn golden_pyramids_are_read_as_what_they_were() {
    let pyramids = LatentSet::read(&kept("pyramids.safetensors")).unwrap();
    assert_eq!(
        (pyramids.len(), pyramids.shape().to_string()),
        (24, "2x2x2+4x4x1+8x8x1".to_owned())
    );
    let pixels = LatentSet::read(&kept("pixels.safetensors")).unwrap();
    assert_eq!(pyramids.level(2).unwrap().packed(), pixels.packed());
    let codecs: Vec<String> = pyramids
        .codecs()
        .iter()
        .map(|codec| codec.to_string())
        .collect();
    assert_eq!(codecs, ["thermometer:2", "threshold", "threshold"]);
    for (name, count, min_count, answered) in [
        ("levels", 4, "2 0:1", vec![1, 2, 3, 4, 5]),
        ("layout", 3, "1", vec![ANSWERED_FIXED, 2, 3]),
    ] {
        let samples = SampleSet::read(&kept(format!("{name}.safetensors"))).unwrap();
        assert_eq!(
            (samples.latents.len(), samples.latents.shape()),
            (count, pyramids.shape()),
            "{name}"
        );
        assert_eq!(samples.min_count, min_count.parse().unwrap(), "{name}");
        let mut by = samples.answered_by.unwrap();
        by.sort_unstable();
        by.dedup();
        assert_eq!(by, answered, "{name}");
    }
}

/// What Python programs were written against still describes what they were written for.
#[test]
fn golden_documents_are_what_todays_schemas_say() {
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let mut documents = vec![
        ("manifest", kept("windows.index/manifest.json")),
        ("manifest", kept("labelled.index/manifest.json")),
    ];
    for line in lines().iter().filter(|line| line.file.ends_with(".json")) {
        let name = match line.kind {
            Kind::Prints => Path::new("expected").join(line.file),
            _ => line.file.into(),
        };
        let verb = line.command.split_whitespace().next().unwrap();
        documents.push((verb, kept(name)));
    }
    assert!(documents.len() > 20);
    for (name, path) in documents {
        let schema = json(&schemas.join(format!("{name}.schema.json")));
        let validator = jsonschema::validator_for(&schema).unwrap();
        let document = json(&path);
        let wrong: Vec<_> = validator
            .iter_errors(&document)
            .map(|error| error.to_string())
            .collect();
        assert!(wrong.is_empty(), "{}: {wrong:#?}", path.display());
    }
}

/// The comparison that the tests above stand on.
#[test]
fn what_is_no_longer_said_is_noticed() {
    let golden = serde_json::json!({"n": 3, "share": 0.25, "seconds": 1, "list": [1, [2, null]]});
    let says = |found: Value| still_says(&golden, &found, "it").is_ok();
    let changed = |change: fn(&mut Value)| {
        let mut found = golden.clone();
        change(&mut found);
        found
    };
    assert!(says(changed(|it| it["seconds"] = 2.into())));
    assert!(says(changed(|it| it["more"] = 2.into())));
    assert!(says(changed(|it| it["share"] = (0.25 + 1e-12).into())));
    assert!(!says(changed(|it| it["share"] = 0.2501.into())));
    assert!(!says(changed(|it| it["n"] = 4.into())));
    assert!(!says(changed(|it| it["list"][1][1] = 0.into())));
    assert!(!says(changed(|it| it["list"] = serde_json::json!([1]))));
    let gone = |it: &mut Value| drop(it.as_object_mut().unwrap().remove("n"));
    assert!(!says(changed(gone)));
}

/// A golden file that no command names would be kept for nothing, and one that is missing would prove nothing.
#[test]
fn every_golden_file_has_its_line() {
    let mut named: Vec<_> = lines()
        .iter()
        .map(|line| match line.kind {
            Kind::Prints => Path::new("expected").join(line.file),
            _ => line.file.into(),
        })
        .chain(["images-idx3-ubyte", "labels-idx1-ubyte"].map(PathBuf::from))
        .collect();
    let mut found: Vec<PathBuf> = Vec::new();
    for kept in ["v1", "v2"].map(folder_of) {
        for file in files_of(&kept).into_keys() {
            let mut parts = file.strip_prefix(&kept).unwrap().components();
            let first = PathBuf::from(parts.next().unwrap().as_os_str());
            let is_index = first.extension().is_some_and(|end| end == "index");
            found.push(if is_index {
                first
            } else {
                file.strip_prefix(&kept).unwrap().to_owned()
            });
        }
    }
    named.sort();
    found.sort();
    found.dedup();
    assert_eq!(found, named);
}
