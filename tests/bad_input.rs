//! Bad files and folders: exit code 2, and a message that names the file, what was expected and what
//! to do.

use std::path::Path;

use crate::oracle::Grid;
use crate::support::*;

/// Every way a latents file is read, with `file` as that file.
fn readers(file: &str) -> [Vec<&str>; 3] {
    [
        vec!["build", file, "-o", "new", "-w", "seq:3"],
        vec!["verify", "index", file],
        vec![
            "query", "index", "--latent", "0", "--of", file, "--at", "0,1",
        ],
    ]
}

/// Every way an index is read, with `index` as that index.
fn openers(index: &str) -> [Vec<&str>; 5] {
    [
        vec!["info", index],
        vec!["query", index, "--latent", "0", "--at", "0,1"],
        vec!["generate", index, "-o", "new.safetensors"],
        vec!["verify", index],
        vec!["verify", index, "samples.safetensors"],
    ]
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    fs_err::write(folder.join(name), bytes).unwrap();
}

#[test]
fn a_file_that_holds_no_latents_is_refused() {
    let folder = house();
    write(folder.path(), "words.txt", b"not a latents file at all");
    write(folder.path(), "nothing", b"");
    for file in ["words.txt", "nothing"] {
        for arguments in readers(file) {
            let words = [
                file,
                "expected a safetensors file",
                "bitquilt import",
                "found",
            ];
            refuses(folder.path(), &arguments, 2, &words);
        }
    }
    // What another program keeps in the same container.
    let header = br#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
    let length = (header.len() as u64).to_le_bytes();
    write(
        folder.path(),
        "weights.safetensors",
        &[&length[..], header, b"\0"].concat(),
    );
    for arguments in readers("weights.safetensors") {
        let words = [
            "weights.safetensors",
            "expected a latents file",
            "bitquilt import",
            "(none)",
        ];
        refuses(folder.path(), &arguments, 2, &words);
    }
    for arguments in readers("missing.safetensors") {
        refuses(
            folder.path(),
            &arguments,
            2,
            &["missing.safetensors", "nothing of that name"],
        );
    }
    assert!(!folder.path().join("new").exists());
}

#[test]
fn a_truncated_latents_file_is_refused() {
    let folder = house();
    let whole = fs_err::read(folder.path().join("latents.safetensors")).unwrap();
    for length in [4, 30, whole.len() - 1] {
        write(folder.path(), "short.safetensors", &whole[..length]);
        for arguments in readers("short.safetensors") {
            refuses(
                folder.path(),
                &arguments,
                2,
                &["short.safetensors", "expected", "found"],
            );
        }
    }
}

#[test]
fn a_latents_file_of_a_newer_version_is_refused() {
    let folder = house();
    let whole = fs_err::read(folder.path().join("latents.safetensors")).unwrap();
    let (old, new) = (br#""version":"1""#, br#""version":"3""#);
    let at = whole
        .windows(old.len())
        .position(|part| part == old)
        .unwrap();
    let newer = [&whole[..at], new, &whole[at + new.len()..]].concat();
    write(folder.path(), "newer.safetensors", &newer);
    for arguments in readers("newer.safetensors") {
        refuses(
            folder.path(),
            &arguments,
            2,
            &["newer.safetensors", "version 3", "newer bitquilt"],
        );
    }
}

#[test]
fn an_index_of_a_newer_version_is_refused() {
    let folder = house();
    let path = folder.path().join("index/manifest.json");
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
    let fields = manifest.as_object_mut().unwrap();
    fields.remove("checksum");
    // The rule of the checksum first, so that the one of version 3 is known to be right.
    for version in [2, 3] {
        fields["version"] = version.into();
        let checksum = xxhash_rust::xxh3::xxh3_128(&serde_json::to_vec(fields).unwrap());
        fields.insert("checksum".to_owned(), format!("{checksum:032x}").into());
        fs_err::write(&path, serde_json::to_vec(fields).unwrap()).unwrap();
        fields.remove("checksum");
        if version == 2 {
            succeeds(folder.path(), &["info", "index"]);
        }
    }
    for arguments in openers("index") {
        let words = [
            "index/manifest.json",
            "version 3",
            "reads version 2",
            "needs the newer bitquilt",
        ];
        refuses(folder.path(), &arguments, 2, &words);
    }
}

#[test]
fn a_set_of_no_latents_is_refused() {
    let folder = house();
    let grid = Grid {
        height: 1,
        width: 6,
        channels: 1,
    };
    set_of(grid, &[])
        .write(&folder.path().join("empty.safetensors"))
        .unwrap();
    let [build, verify, query] = readers("empty.safetensors");
    refuses(
        folder.path(),
        &verify,
        2,
        &["empty.safetensors", "expected at least one"],
    );
    refuses(
        folder.path(),
        &query,
        2,
        &["empty.safetensors", "0 latents"],
    );
    refuses(
        folder.path(),
        &build,
        2,
        &["empty", "expected at least one latent"],
    );
    refuses(folder.path(), &build, 2, &["empty.safetensors"]);
    assert!(!folder.path().join("new").exists());
}

#[test]
fn sets_of_different_shapes_are_not_built_together() {
    let folder = house();
    let grid = Grid {
        height: 6,
        width: 1,
        channels: 1,
    };
    let other = set_of(grid, &[bits("101100")]);
    other
        .write(&folder.path().join("other.safetensors"))
        .unwrap();
    let arguments = split("build latents.safetensors other.safetensors -o new -w seq:3");
    refuses(
        folder.path(),
        &arguments,
        2,
        &["other.safetensors", "1x6x1", "6x1x1"],
    );
}

#[test]
fn latents_of_another_shape_are_refused() {
    let folder = house();
    let grid = Grid {
        height: 1,
        width: 3,
        channels: 2,
    };
    let other = set_of(grid, &[bits("101101")]);
    other
        .write(&folder.path().join("other.safetensors"))
        .unwrap();
    let [_, verify, query] = readers("other.safetensors");
    for arguments in [verify, query] {
        let words = ["other.safetensors", "1x6x1", "1x3x2"];
        refuses(folder.path(), &arguments, 2, &words);
    }
}

#[test]
fn what_is_no_index_is_refused() {
    let folder = house();
    fs_err::create_dir(folder.path().join("empty")).unwrap();
    fs_err::create_dir_all(folder.path().join("stopped/building")).unwrap();
    for (name, words) in [
        ("empty", &["bitquilt build"][..]),
        ("missing", &["nothing of that name"]),
        ("latents.safetensors", &["found a file"]),
        ("stopped", &["an unfinished build", "run the same", "go on"]),
    ] {
        for arguments in openers(name) {
            let words = [&[name, "expected an index", "manifest.json"], words].concat();
            refuses(folder.path(), &arguments, 2, &words);
        }
    }
}

#[test]
fn outputs_are_not_overwritten_without_force() {
    let folder = house();
    let path = folder.path();
    let before = files_of(path);
    let build = ["build", "latents.safetensors", "-o", "index", "-w", "seq:2"];
    refuses(
        path,
        &build,
        2,
        &["index", "holds an index already", "--force"],
    );
    let onto_file = split("build latents.safetensors -o samples.safetensors -w seq:2");
    refuses(path, &onto_file, 2, &["samples.safetensors", "is a file"]);
    refuses(
        path,
        &[&onto_file[..], &["--force"]].concat(),
        2,
        &["samples.safetensors", "is a file"],
    );
    let generate = ["generate", "index", "-n", "5", "-o", "samples.safetensors"];
    refuses(
        path,
        &generate,
        2,
        &["samples.safetensors", "exists already", "--force"],
    );
    let nowhere = ["generate", "index", "-o", "no/where.safetensors"];
    refuses(
        path,
        &nowhere,
        2,
        &["no", "expected a folder", "create it first"],
    );
    let nowhere = split("build latents.safetensors -o no/where -w seq:2");
    refuses(path, &nowhere, 2, &["no/where"]);
    assert!(files_of(path) == before, "a refusal changed something");

    succeeds(path, &[&build[..], &["--force"]].concat());
    assert!(succeeds(path, &["info", "index"]).contains("seq:2"));
    succeeds(path, &[&generate[..], &["--force"]].concat());
    assert!(succeeds(path, &["verify", "index", "samples.safetensors"]).contains("5 samples"));
}

#[test]
fn a_build_does_not_touch_a_foreign_folder() {
    let folder = house();
    let path = folder.path();
    fs_err::create_dir_all(path.join("foreign/db")).unwrap();
    write(path, "foreign/db/thesis.tex", b"years of work");
    write(path, "foreign/thesis.tex", b"years of work");
    let before = files_of(path);
    let build = split("build latents.safetensors -o foreign -w seq:2");
    for arguments in [build.to_vec(), [&build[..], &["--force"]].concat()] {
        refuses(
            path,
            &arguments,
            2,
            &["foreign", "neither empty nor an index", "another name"],
        );
    }
    assert!(files_of(path) == before);
}
