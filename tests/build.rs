//! P7 through the library: a build that ended early leaves nothing that looks whole, and can go on.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use bitquilt::{
    Anchor, Budget, BuildOptions, BuildReport, Condition, Index, IndexError, LatentSet, Observer,
    Unobserved, Window, build,
};

use crate::support::*;

/// Does something at the start of every stage of a build.
struct AtStage<F>(F);

impl<F: Fn(&str) + Sync> Observer for AtStage<F> {
    fn stage(&self, name: &str, _total: u64, _unit: &str) {
        self.0(name);
    }

    fn advance(&self, _done: u64) {}

    fn stop_requested(&self) -> bool {
        false
    }
}

/// Asks to stop from the stage of that name on.
struct StopAt(&'static str, Mutex<bool>);

impl Observer for StopAt {
    fn stage(&self, name: &str, _total: u64, _unit: &str) {
        *self.1.lock().unwrap() |= name == self.0;
    }

    fn advance(&self, _done: u64) {}

    fn stop_requested(&self) -> bool {
        *self.1.lock().unwrap()
    }
}

/// A small set, and options that give its build little memory.
fn frugal() -> (LatentSet, BuildOptions) {
    let set = repetitive(EIGHT, 40, 3).set();
    let options = build_options(&["3x3", "seq:5"]);
    let memory = min_memory(&set, &options);
    (set, BuildOptions { memory, ..options })
}

/// Builds, and keeps a copy of the folder as a kill at the start of each stage would leave it.
fn copies_at_every_stage(set: &LatentSet, output: &Path, options: &BuildOptions) -> Vec<PathBuf> {
    let copies = Mutex::new(Vec::new());
    let observer = AtStage(|_: &str| {
        let mut copies = copies.lock().unwrap();
        let copy = output.with_extension(copies.len().to_string());
        copy_folder(output, &copy);
        copies.push(copy);
    });
    build(set, output, options, &observer).unwrap();
    copies.into_inner().unwrap()
}

fn is_unfinished(path: &Path) {
    match Index::open(path).map(|_| ()) {
        Err(IndexError::NotAnIndex { found, .. }) => {
            assert!(found.contains("unfinished"), "{found}")
        }
        other => panic!("{}: {other:?}", path.display()),
    }
}

#[test]
fn a_build_killed_at_any_stage_opens_as_nothing_and_can_go_on() {
    let (set, options) = frugal();
    let folder = small_folder();
    let output = folder.path().join("index");
    let copies = copies_at_every_stage(&set, &output, &options);
    let expected = all_answers(&output);
    assert!(copies.len() > 6, "only {} stages", copies.len());
    for copy in copies {
        is_unfinished(&copy);
        build(&set, &copy, &options, &Unobserved).unwrap();
        assert!(!copy.join("building").exists());
        open(&copy)
            .verify(Budget::of_machine(), &Unobserved)
            .unwrap();
        assert!(all_answers(&copy) == expected);
    }
}

#[test]
fn a_rebuild_killed_at_any_stage_leaves_the_old_index() {
    let (set, options) = frugal();
    let folder = small_folder();
    let output = folder.path().join("index");
    let old = repetitive(EIGHT, 30, 4).set();
    build(&old, &output, &options, &Unobserved).unwrap();
    let before = all_answers(&output);
    let force = BuildOptions {
        force: true,
        ..options
    };
    let copies = copies_at_every_stage(&set, &output, &force);
    let after = all_answers(&output);
    assert!(before != after);
    for copy in copies {
        open(&copy)
            .verify(Budget::of_machine(), &Unobserved)
            .unwrap();
        assert!(all_answers(&copy) == before);
        build(&set, &copy, &force, &Unobserved).unwrap();
        assert!(!copy.join("building").exists());
        assert!(all_answers(&copy) == after);
    }
}

/// What is in a folder, by name.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// A rebuild commits by one rename: killed before it the index is the old one, and going on takes no more than that
/// rename; killed after it the index is the new one.
#[test]
fn a_rebuild_killed_while_it_moves_into_place_is_the_old_index_or_the_new_one() {
    let (set, options) = frugal();
    let folder = small_folder();
    let output = folder.path().join("index");
    build(
        &repetitive(EIGHT, 30, 4).set(),
        &output,
        &options,
        &Unobserved,
    )
    .unwrap();
    let (old_folder, before) = (folder.path().join("old"), all_answers(&output));
    copy_folder(&output, &old_folder);
    let force = BuildOptions {
        force: true,
        ..options
    };
    let copies = copies_at_every_stage(&set, &output, &force);
    let after = all_answers(&output);
    assert_eq!(names_in(&output), ["db-1", "manifest.json"]);
    let ingested = copies.last().unwrap();

    // The new manifest is written, nothing is moved.
    let written = folder.path().join("written");
    copy_folder(ingested, &written);
    fs_err::copy(
        output.join("manifest.json"),
        written.join("building/manifest.json"),
    )
    .unwrap();
    // The new database is in its place.
    let moved = folder.path().join("moved");
    copy_folder(&written, &moved);
    fs_err::rename(moved.join("building/db-1"), moved.join("db-1")).unwrap();
    for state in [&written, &moved] {
        open(state)
            .verify(Budget::of_machine(), &Unobserved)
            .unwrap();
        assert!(all_answers(state) == before);
        // Another build clears what was left; the old index stays until it is done.
        let other = folder.path().join("other");
        copy_folder(state, &other);
        let changed = BuildOptions {
            excluded: "0".parse().unwrap(),
            ..force.clone()
        };
        build(&set, &other, &changed, &Unobserved).unwrap();
        assert_eq!(names_in(&other).len(), 2);
        fs_err::remove_dir_all(&other).unwrap();

        let report = build(&set, state, &force, &Unobserved).unwrap();
        assert!(report.arrays.iter().all(|array| array.resumed));
        assert!(all_answers(state) == after);
        assert_eq!(names_in(state), ["db-1", "manifest.json"]);
    }

    // The manifest is in its place; the old database and the stage are still there, or a part of them.
    let committed = folder.path().join("committed");
    copy_folder(&output, &committed);
    copy_folder(&old_folder.join("db"), &committed.join("db"));
    copy_folder(&ingested.join("building"), &committed.join("building"));
    fs_err::remove_dir_all(committed.join("building/db-1")).unwrap();
    let half_gone = folder.path().join("half-gone");
    copy_folder(&output, &half_gone);
    fs_err::create_dir(half_gone.join("db")).unwrap();
    fs_err::copy(old_folder.join("db/CURRENT"), half_gone.join("db/CURRENT")).unwrap();
    for state in [&committed, &half_gone] {
        open(state)
            .verify(Budget::of_machine(), &Unobserved)
            .unwrap();
        assert!(all_answers(state) == after);
        build(&set, state, &force, &Unobserved).unwrap();
        assert!(all_answers(state) == after);
        assert_eq!(names_in(state), ["db-2", "manifest.json"]);
    }
}

/// Readers that open an index while it is rebuilt see the old one or the new one.
#[test]
fn an_index_opens_at_any_instant_of_its_rebuilds() {
    let (set, options) = frugal();
    let folder = small_folder();
    let output = folder.path().join("index");
    build(&set, &output, &options, &Unobserved).unwrap();
    let force = BuildOptions {
        force: true,
        ..options
    };
    let other = repetitive(EIGHT, 30, 4).set();
    let expected = [set.len() as u64, other.len() as u64];
    let rebuilding = AtomicBool::new(true);
    let mut opened = 0;
    std::thread::scope(|scope| {
        let (output, rebuilding) = (&output, &rebuilding);
        let (set, other, force) = (&set, &other, &force);
        scope.spawn(move || {
            for number in 0..if long() { 200 } else { 8 } {
                let set = if number % 2 == 0 { other } else { set };
                let built = build(set, output, force, &Unobserved);
                if built.is_err() {
                    rebuilding.store(false, Ordering::Relaxed);
                }
                built.unwrap();
            }
            rebuilding.store(false, Ordering::Relaxed);
        });
        while rebuilding.load(Ordering::Relaxed) {
            assert!(expected.contains(&open(output).latents()));
            opened += 1;
        }
    });
    assert!(opened > 0);
}

/// The last steps are a few renames, too quick to be hit by chance: their states are made by hand.
#[test]
fn a_build_killed_while_it_moves_into_place_can_go_on() {
    let (set, options) = frugal();
    let folder = small_folder();
    let output = folder.path().join("index");
    let copies = copies_at_every_stage(&set, &output, &options);
    let expected = all_answers(&output);
    let ingested = copies.last().unwrap();
    assert!(
        ingested.join("building/db/CURRENT").exists(),
        "the last stage comes before the ingest"
    );
    let finished = &output;

    // The old manifest is gone, the old database half gone, the new one not yet in its place.
    let half_gone = folder.path().join("half-gone");
    copy_folder(ingested, &half_gone);
    copy_folder(&finished.join("db"), &half_gone.join("db"));
    fs_err::remove_file(half_gone.join("db/CURRENT")).unwrap();
    // The manifest is half written.
    let half_manifest = folder.path().join("half-manifest");
    copy_folder(ingested, &half_manifest);
    fs_err::write(half_manifest.join("building/.bitquilt-a1B2c3"), "{").unwrap();
    // The new database is in its place, its manifest not yet.
    let no_manifest = folder.path().join("no-manifest");
    copy_folder(ingested, &no_manifest);
    fs_err::rename(no_manifest.join("building/db"), no_manifest.join("db")).unwrap();
    fs_err::copy(
        finished.join("manifest.json"),
        no_manifest.join("building/manifest.json"),
    )
    .unwrap();
    for state in [half_gone, half_manifest, no_manifest] {
        is_unfinished(&state);
        build(&set, &state, &options, &Unobserved).unwrap();
        assert!(!state.join("building").exists());
        assert!(all_answers(&state) == expected);
    }

    // All is in place, but the folder it was made in is still there.
    let left_over = folder.path().join("left-over");
    copy_folder(finished, &left_over);
    copy_folder(&ingested.join("building"), &left_over.join("building"));
    assert!(all_answers(&left_over) == expected);
    let force = BuildOptions {
        force: true,
        ..options
    };
    build(&set, &left_over, &force, &Unobserved).unwrap();
    assert!(!left_over.join("building").exists());
    assert!(all_answers(&left_over) == expected);
}

#[test]
fn a_stopped_build_goes_on_after_its_last_finished_array() {
    let (set, options) = frugal();
    let folder = small_folder();
    let output = folder.path().join("index");
    let resumed = |report: &BuildReport| {
        report
            .arrays
            .iter()
            .map(|array| array.resumed)
            .collect::<Vec<_>>()
    };
    let stop = |stage| {
        let stopped = build(&set, &output, &options, &StopAt(stage, Mutex::new(false)));
        assert!(
            matches!(stopped, Err(IndexError::Stopped(_))),
            "{stage}: {stopped:?}"
        );
        is_unfinished(&output);
    };
    stop("rings: count");
    stop("rings: sort and write");
    stop("line: count");
    let report = build(&set, &output, &options, &Unobserved).unwrap();
    assert_eq!(resumed(&report), [true, false]);
    let (other, _) = built_with(&set, &options);
    assert!(all_answers(&output) == all_answers(&other.path().join("index")));

    // An array whose files are not what they were is made again.
    fs_err::remove_dir_all(&output).unwrap();
    stop("line: count");
    let table = table_of(&output.join("building/rings"));
    fs_err::write(table, "short").unwrap();
    let report = build(&set, &output, &options, &Unobserved).unwrap();
    assert_eq!(resumed(&report), [false, false]);

    // Another set, or another anchor, has nothing to go on with.
    for anchored in [false, true] {
        fs_err::remove_dir_all(&output).unwrap();
        stop("line: count");
        let set = if anchored {
            set.clone()
        } else {
            repetitive(EIGHT, 41, 3).set()
        };
        let anchor = if anchored { Anchor::Site } else { Anchor::None };
        let options = BuildOptions {
            anchor,
            memory: 1 << 30,
            ..options.clone()
        };
        let report = build(&set, &output, &options, &Unobserved).unwrap();
        assert_eq!(resumed(&report), [false, false]);
        open(&output)
            .verify(Budget::of_machine(), &Unobserved)
            .unwrap();
    }

    // Nor has another condition, with the same labels.
    fs_err::remove_dir_all(&output).unwrap();
    let labels = (0..set.len() as i64).map(|id| id % 3).collect();
    let labelled = set.clone().with_labels(labels).unwrap();
    let observer = StopAt("line: count", Mutex::new(false));
    let stopped = build(&labelled, &output, &options, &observer);
    assert!(
        matches!(stopped, Err(IndexError::Stopped(_))),
        "{stopped:?}"
    );
    let options = BuildOptions {
        condition: Condition::Label,
        memory: 1 << 30,
        ..options.clone()
    };
    let report = build(&labelled, &output, &options, &Unobserved).unwrap();
    assert_eq!(resumed(&report), [false, false]);
    open(&output)
        .verify(Budget::of_machine(), &Unobserved)
        .unwrap();
}

/// An array that was finished for other named windows counts other contexts: it is made again.
#[test]
fn an_array_of_other_windows_is_not_gone_on_with() {
    let grid = crate::oracle::Grid {
        height: 1,
        width: 64,
        channels: 1,
    };
    let set = repetitive(grid, 40, 5).set();
    let folder = small_folder();
    let output = folder.path().join("index");
    let first = build_options(&["seq:50", "3x3"]);
    let stopped = build(
        &set,
        &output,
        &first,
        &StopAt("rings: count", Mutex::new(false)),
    );
    assert!(
        matches!(stopped, Err(IndexError::Stopped(_))),
        "{stopped:?}"
    );
    let more = build_options(&["seq:50", "3x3", "seq:33"]);
    let report = build(&set, &output, &more, &Unobserved).unwrap();
    assert!(report.arrays.iter().all(|array| !array.resumed));
    let index = open(&output);
    assert_eq!(index.windows().count(), 3);
    index.verify(Budget::of_machine(), &Unobserved).unwrap();
}

/// Without a window the depth is chosen, and every window to it is answered.
#[test]
fn a_build_that_names_no_window_chooses_a_depth_and_names_every_window() {
    for latents in [1, 40, 1000] {
        let set = repetitive(EIGHT, latents, 6).set();
        let shape = set.shape();
        // Four times the bits that number all occurrences, of sites 2r(r + 1).
        let bits = 4 * (latents * shape.bits()).ilog2() as usize;
        let sites = |radius: usize| 2 * radius * (radius + 1);
        let enough = |radius: &usize| sites(*radius) * shape.channels() >= bits;
        let whole = shape.height().max(shape.width()) - 1;
        let chosen = match (1..whole).find(enough) {
            Some(radius) => Window::Square { radius },
            None => Window::Global,
        };
        let (_folder, index) = built_with(&set, &BuildOptions::default());
        assert_eq!(index.manifest().arrays[0].depth, chosen);
        let named: Vec<_> = index
            .windows()
            .map(|held| held.geometry().window())
            .collect();
        let all: Vec<_> = index
            .all_windows()
            .map(|held| held.geometry().window())
            .collect();
        assert_eq!(named, all);
        assert_eq!(named.last(), Some(&chosen));
    }
}

#[test]
fn a_build_that_fails_leaves_nothing_behind() {
    let (set, options) = frugal();
    let folder = small_folder();
    let output = folder.path().join("index");
    for stage in ["rings: count", "line: sort and write", "checksums"] {
        let observer = AtStage(|name: &str| {
            if name == stage {
                // As if the disk had failed.
                fs_err::remove_dir_all(output.join("building")).unwrap();
            }
        });
        let failed = build(&set, &output, &options, &observer);
        assert!(failed.is_err(), "{stage}");
        assert!(!output.exists(), "{stage} left the folder behind");
    }
}

#[test]
fn a_failed_rebuild_leaves_the_old_index_alone() {
    let (set, options) = frugal();
    let (folder, index) = built_with(&repetitive(EIGHT, 30, 4).set(), &options);
    drop(index);
    let output = folder.path().join("index");
    let before = files_of(&output);
    let force = BuildOptions {
        force: true,
        ..options
    };
    let observer = AtStage(|name: &str| {
        if name == "checksums" {
            fs_err::remove_dir_all(output.join("building")).unwrap();
        }
    });
    build(&set, &output, &force, &observer).unwrap_err();
    assert!(files_of(&output) == before);
}

#[test]
fn a_second_build_of_the_same_output_is_refused() {
    let (set, options) = frugal();
    let folder = small_folder();
    let output = folder.path().join("index");
    let latents = folder.path().join("latents.safetensors");
    set.write(&latents).unwrap();
    let observer = AtStage(|_: &str| {
        let second = build(&set, &output, &options, &Unobserved).unwrap_err();
        assert!(
            second.to_string().contains("another build is at work"),
            "{second}"
        );
        let arguments = ["build", "latents.safetensors", "-o", "index", "-w", "3x3"];
        let words = ["index", "another build is at work", "wait for it"];
        refuses(folder.path(), &arguments, 2, &words);
    });
    build(&set, &output, &options, &observer).unwrap();
    open(&output)
        .verify(Budget::of_machine(), &Unobserved)
        .unwrap();
}

/// Whatever lies in a folder that is no index belongs to somebody else, whatever its name.
#[test]
fn a_folder_that_is_no_index_is_never_written_into() {
    let (set, options) = frugal();
    let mut wrong = Vec::new();
    for name in [
        "notes.txt",
        "db/notes.txt",
        "building/plans.txt",
        "manifest.json",
    ] {
        for force in [false, true] {
            let folder = small_folder();
            let output = folder.path().join("house");
            let file = output.join(name);
            fs_err::create_dir_all(file.parent().unwrap()).unwrap();
            fs_err::write(&file, "{\"name\": \"a web application\"}").unwrap();
            fs_err::create_dir(output.join("empty")).unwrap();
            let before = files_of(&output);
            let options = BuildOptions {
                force,
                ..options.clone()
            };
            let found = build(&set, &output, &options, &Unobserved).map(|_| ());
            let same = files_of(&output) == before;
            if !(same && matches!(found, Err(IndexError::Output { .. }))) {
                wrong.push(format!(
                    "{name}, force {force}: {found:?}, untouched: {same}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Making the stage and taking it away again are not atomic either: a kill can leave any part of it, and
/// the next build must know it for what it is.
#[test]
fn whatever_part_of_a_stage_a_kill_leaves_can_be_built_over() {
    let (set, options) = frugal();
    let folder = small_folder();
    let output = folder.path().join("index");
    let copies = copies_at_every_stage(&set, &output, &options);
    let expected = all_answers(&output);
    let state = folder.path().join("state");
    let mut wrong = Vec::new();
    let mut check = |what: &str, finished: bool| {
        if finished {
            copy_folder(&output, &state);
        }
        let options = BuildOptions {
            force: finished,
            ..options.clone()
        };
        match build(&set, &state, &options, &Unobserved) {
            Err(error) => wrong.push(format!("{what}, manifest there: {finished}: {error}")),
            Ok(_) => assert!(all_answers(&state) == expected, "{what}"),
        }
        fs_err::remove_dir_all(&state).unwrap();
    };
    for finished in [false, true] {
        fs_err::create_dir_all(state.join("building")).unwrap();
        check("an empty stage", finished);
        fs_err::create_dir_all(state.join("building")).unwrap();
        fs_err::write(state.join("building/lock"), "").unwrap();
        fs_err::write(state.join("building/.bitquilt-a1B2c3"), "{").unwrap();
        check("half a plan", finished);
        let [first, .., last] = &copies[..] else {
            panic!("a build has several stages");
        };
        for copy in [first, last] {
            for entry in fs_err::read_dir(copy.join("building")).unwrap() {
                let name = entry.unwrap().file_name();
                // Without this one, and with this one alone.
                for alone in [false, true] {
                    copy_folder(copy, &state);
                    for entry in fs_err::read_dir(state.join("building")).unwrap() {
                        let path = entry.unwrap().path();
                        if (path.file_name() == Some(&name)) == alone {
                            continue;
                        }
                        if path.is_dir() {
                            fs_err::remove_dir_all(path).unwrap();
                        } else {
                            fs_err::remove_file(path).unwrap();
                        }
                    }
                    check(&format!("{name:?} alone: {alone}"), finished);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
