//! Contexts bound to labels, through the real program: what it says, what it refuses, and indexes from
//! before there was a choice.

use std::path::Path;

use bitquilt::{
    Anchor, BuildOptions, Condition, Index, IndexError, LatentSet, Unobserved, Window, build,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::*;

/// Labels for some latents: few, so that most occur more than once, and not the numbers 0, 1, 2, …
pub fn some_labels(latents: usize, random: &mut Random) -> Vec<i64> {
    let values = [i64::MIN, -1, 0, 7, i64::MAX];
    let most = 1 + random.below(values.len() as u64);
    let labels = (0..latents).map(|_| values[random.below(most) as usize]);
    labels.collect()
}

/// Builds an index of labelled latents, contexts bound to the labels, in a folder of its own.
pub fn built_with_labels(
    sample: &Sample,
    labels: &[i64],
    windows: &[Window],
    anchor: Anchor,
) -> (TempDir, Index) {
    let options = BuildOptions {
        windows: windows.to_vec(),
        anchor,
        condition: Condition::Label,
        ..BuildOptions::new(Window::Global)
    };
    let set = sample.set().with_labels(labels.to_vec()).unwrap();
    built_with(&set, &options)
}

/// The worked example with these labels.
fn labelled(labels: [i64; 2]) -> LatentSet {
    worked_example().set().with_labels(labels.to_vec()).unwrap()
}

/// A folder with the worked example under labels 5 and −2, as `latents.safetensors` and `index`, the
/// same latents under each other's labels, under 5 and one that the index does not hold, and without.
fn labelled_house() -> TempDir {
    let folder = small_folder();
    let path = |name: &str| folder.path().join(name);
    for (name, labels) in [
        ("latents.safetensors", [5, -2]),
        ("swapped.safetensors", [-2, 5]),
        ("unknown.safetensors", [5, 11]),
    ] {
        labelled(labels).write(&path(name)).unwrap();
    }
    let plain = worked_example().set();
    plain.write(&path("plain.safetensors")).unwrap();
    let build = split("build latents.safetensors -o index -w seq:3 --condition label");
    succeeds(folder.path(), &build);
    folder
}

fn json_of(folder: &Path, command: &str, code: i32) -> Value {
    let output = bitquilt(folder, &split(command));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{command}: {stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn info_says_to_what_contexts_are_bound() {
    let folder = labelled_house();
    let info = succeeds(folder.path(), &["info", "index"]);
    for words in ["condition label", "contexts of labels -2, 5\n"] {
        assert!(info.contains(words), "no '{words}' in {info}");
    }
    succeeds(
        folder.path(),
        &split("build latents.safetensors -o none -w seq:3 --condition none"),
    );
    let info = succeeds(folder.path(), &["info", "none"]);
    assert!(
        info.contains("with labels") && info.contains("condition none"),
        "{info}"
    );
    assert!(!info.contains("contexts of labels"), "{info}");
}

#[test]
fn a_query_is_under_the_label_of_the_latent() {
    let folder = labelled_house();
    // 101 was followed by 1 in latent 0 at 3 (label 5), by 0 in latent 1 at 5 (label −2).
    for (command, label, postings) in [
        ("--latent 0 --at 0,3", 5, json!([[0, 3]])),
        ("--latent 1 --at 0,5", -2, json!([[1, 5]])),
        (
            "--of swapped.safetensors --latent 0 --at 0,3",
            -2,
            json!([[1, 5]]),
        ),
        (
            "--of swapped.safetensors --latent 1 --at 0,5",
            5,
            json!([[0, 3]]),
        ),
    ] {
        let command = format!("query index {command}");
        let found = json_of(folder.path(), &format!("{command} --json"), 0);
        assert_eq!(found["label"], label, "{command}");
        assert_eq!(found["postings"], postings, "{command}");
        assert_eq!(
            (found["n0"].as_u64(), found["n1"].as_u64()),
            if label == 5 {
                (Some(0), Some(1))
            } else {
                (Some(1), Some(0))
            }
        );
        let text = succeeds(folder.path(), &split(&command));
        assert!(
            text.contains(&format!("label {label}, channel 0")),
            "{text}"
        );
    }
    // 011 occurred under label 5 only, 111 under −2 only.
    for command in ["--latent 0 --at 0,4", "--latent 1 --at 0,3"] {
        let command = format!("query index --of swapped.safetensors {command} --json");
        json_of(folder.path(), &command, 1);
    }
}

#[test]
fn samples_are_verified_under_their_labels() {
    let folder = labelled_house();
    for how in ["", "--brute-force"] {
        succeeds(folder.path(), &split(&format!("verify index {how}")));
        let verify = |file: &str, code| {
            let command = format!("verify index {file} --json {how}");
            json_of(folder.path(), &command, code)
        };
        assert_eq!(verify("latents.safetensors", 0)["verified"], true);
        let unsupported = |found: &Value| {
            let bits = found["unsupported"].as_array().unwrap().iter();
            bits.map(|bit| {
                (
                    bit["sample"].as_u64().unwrap(),
                    bit["position"].as_u64().unwrap(),
                )
            })
            .collect::<Vec<_>>()
        };
        // Both begin with 1. No other bit of the one followed its context in the other.
        let swapped = unsupported(&verify("swapped.safetensors", 1));
        assert_eq!(
            swapped,
            [
                (0, 1),
                (0, 2),
                (0, 3),
                (0, 4),
                (0, 5),
                (1, 1),
                (1, 2),
                (1, 3),
                (1, 4),
                (1, 5)
            ]
        );
        // Nothing is known of a label that never occurred.
        let unknown = unsupported(&verify("unknown.safetensors", 1));
        assert_eq!(unknown, [(1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (1, 5)]);
    }
}

#[test]
fn files_without_labels_are_refused_where_contexts_are_bound_to_them() {
    let folder = labelled_house();
    let refuses = |command: &str, words: &[&str]| refuses(folder.path(), &split(command), 2, words);
    for files in ["plain.safetensors", "latents.safetensors plain.safetensors"] {
        let words = [
            "plain.safetensors: holds no labels",
            "--condition label",
            "leave --condition out",
        ];
        refuses(
            &format!("build {files} -o new -w seq:3 --condition label"),
            &words,
        );
        assert!(!folder.path().join("new").exists());
    }
    let words = [
        "plain.safetensors",
        "samples have no labels",
        "bound to labels",
    ];
    refuses("verify index plain.safetensors", &words);
    refuses("verify index plain.safetensors --brute-force", &words);
    refuses(
        "query index --of plain.safetensors --latent 0 --at 0,3",
        &[
            "plain.safetensors: holds no labels",
            "index",
            "bound to labels",
        ],
    );

    // Without the file's name where there is no file.
    let options = BuildOptions {
        condition: Condition::Label,
        ..BuildOptions::new(Window::Global)
    };
    let output = folder.path().join("new");
    let plain = worked_example().set();
    let error = build(&plain, &output, &options, &Unobserved).unwrap_err();
    assert!(error.to_string().contains("have no labels"), "{error}");
    assert!(!output.exists());
}

#[test]
fn labels_and_conditions_that_are_not_are_refused() {
    let folder = labelled_house();
    let refuses = |command: &str, words: &[&str]| refuses(folder.path(), &split(command), 2, words);
    refuses(
        "query index --of unknown.safetensors --latent 1 --at 0,3",
        &["index: holds no latent with label 11, only -2, 5"],
    );
    for condition in ["labels", "Label", "5"] {
        let command = format!("build latents.safetensors -o new -w seq:3 --condition {condition}");
        refuses(
            &command,
            &[condition, "--condition", "[possible values: none, label]"],
        );
    }
    assert!(!folder.path().join("new").exists());
}

#[test]
fn labels_have_numbers_and_errors_name_the_labels_held() {
    let sample = repetitive(EIGHT, 30, 5);
    let labels: Vec<_> = (0..30).map(|id| (id * 7) % 13 - 4).collect();
    let window = Window::Square { radius: 1 };
    let (folder, index) = built_with_labels(&sample, &labels, &[window], Anchor::None);
    assert_eq!(index.condition(), Condition::Label);
    assert_eq!(index.labels(), (-4..9).collect::<Vec<_>>());
    assert_eq!(index.window(window).unwrap().geometry().labels(), 13);
    for (number, label) in (-4..9).enumerate() {
        assert_eq!(index.label_number(label).unwrap(), number as u64);
    }
    let path = folder.path().join("index");
    for asked in [-5, 9, i64::MIN, i64::MAX] {
        match index.label_number(asked) {
            Err(IndexError::NoSuchLabel {
                path: named,
                asked: same,
                held,
            }) => {
                assert_eq!((named, same), (path.clone(), asked));
                assert_eq!(held, "-4, -3, -2, -1, 0, 1, 2, 3, 4, 5 and 3 more");
            }
            other => panic!("{asked}: {other:?}"),
        }
    }

    // Labels that contexts are not bound to have no number.
    let set = sample.set().with_labels(labels).unwrap();
    let (folder, index) = built_with(&set, &BuildOptions::new(window));
    assert_eq!(index.condition(), Condition::None);
    assert!(index.labels().is_empty());
    assert_eq!(index.window(window).unwrap().geometry().labels(), 0);
    let error = index.label_number(0).unwrap_err();
    assert!(
        matches!(error, IndexError::NotLabelled { asked: 0, .. }),
        "{error}"
    );
    let path = folder.path().join("index").display().to_string();
    for words in [&path[..], "condition=label"] {
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// What an index says does not depend on labels that it does not bind contexts to.
#[test]
fn labels_without_condition_change_no_answer() {
    let sample = repetitive(EIGHT, 30, 5);
    let window = Window::Square { radius: 1 };
    let (folder, _) = built(&sample.set(), &[window], Anchor::None);
    let plain = all_answers(&folder.path().join("index"));
    let labels = some_labels(30, &mut Random(1));
    let set = sample.set().with_labels(labels).unwrap();
    let (folder, _) = built(&set, &[window], Anchor::None);
    assert!(all_answers(&folder.path().join("index")) == plain);
    // One label for all is no condition either.
    let (folder, _) = built_with_labels(&sample, &[9; 30], &[window], Anchor::None);
    assert!(all_answers(&folder.path().join("index")) == plain);
    let (folder, _) = built_with_labels(
        &sample,
        &[[1; 15], [2; 15]].concat(),
        &[window],
        Anchor::None,
    );
    assert!(all_answers(&folder.path().join("index")) != plain);
}

/// Writes a manifest with some of its fields changed and the right checksum.
pub fn rewrite_manifest(index: &Path, change: impl Fn(&mut serde_json::Map<String, Value>)) {
    let path = index.join("manifest.json");
    let mut document: Value = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
    let fields = document.as_object_mut().unwrap();
    fields.remove("checksum");
    change(fields);
    let checksum = xxhash_rust::xxh3::xxh3_128(&serde_json::to_vec(fields).unwrap());
    fields.insert("checksum".to_owned(), format!("{checksum:032x}").into());
    fs_err::write(&path, serde_json::to_vec_pretty(fields).unwrap()).unwrap();
}

#[test]
fn a_manifest_that_contradicts_itself_about_labels_is_refused() {
    let folder = labelled_house();
    let sound = folder.path().join("index");
    let path = folder.path().join("lie");
    type Change = fn(&mut serde_json::Map<String, Value>);
    let lies: [(&str, Change); 8] = [
        ("no labels", |fields| fields["label_values"] = json!([])),
        ("labels left out", |fields| {
            fields.remove("label_values");
        }),
        ("descending", |fields| {
            fields["label_values"] = json!([5, -2])
        }),
        ("twice", |fields| fields["label_values"] = json!([5, 5])),
        ("latents without", |fields| fields["labels"] = json!(false)),
        ("no condition", |fields| fields["condition"] = json!("none")),
        ("another condition", |fields| {
            fields["condition"] = json!("mood")
        }),
        ("not integers", |fields| {
            fields["label_values"] = json!(["a"])
        }),
    ];
    for (name, lie) in lies {
        copy_folder(&sound, &path);
        rewrite_manifest(&path, |_| ());
        succeeds(folder.path(), &["info", "lie"]);
        rewrite_manifest(&path, lie);
        let output = bitquilt(folder.path(), &["info", "lie"]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        fs_err::remove_dir_all(&path).unwrap();
    }
}
