//! P7 with the real binary: killed at any instant, with the disk full, with many readers.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use bitquilt::{Anchor, Budget, Histogram, Index, IndexError, LatentSet, Unobserved, Window};

use crate::oracle::Grid;
use crate::support::*;

/// Random latents with some structure, large enough for a build to be hit in the middle.
fn large(latents: usize, seed: u64) -> LatentSet {
    let grid = Grid {
        height: 28,
        width: 28,
        channels: 1,
    };
    let mut random = Random(seed);
    let latents = (0..latents).map(|_| {
        let period = 3 + random.below(9);
        (0..784)
            .map(|i| (i % period == 0) != (random.below(10) == 0))
            .collect()
    });
    set_of(grid, &latents.collect::<Vec<_>>())
}

/// The same as pyramids: blocks of 4 that hold a 1 above the pixels.
fn large_pyramids(latents: usize, seed: u64) -> LatentSet {
    let pixels = large(latents, seed);
    let blocks = (0..latents).map(|id| {
        let latent = pixels.latent(id);
        let block = |at: usize| {
            let (row, col) = (at / 7 * 4, at % 7 * 4);
            (0..4).any(|down| latent[(row + down) * 28 + col..][..4].any())
        };
        (0..49).map(block).collect()
    });
    let grid = Grid {
        height: 7,
        width: 7,
        channels: 1,
    };
    LatentSet::pyramids(&[set_of(grid, &blocks.collect::<Vec<_>>()), pixels]).unwrap()
}

const BUILD: &str = "build latents.safetensors -o index --window 7x7 --window seq:9 --memory";

/// The arguments of a build with little memory.
fn build_arguments(set: &LatentSet) -> Vec<String> {
    let options = bitquilt::BuildOptions {
        windows: vec![Window::Square { radius: 3 }, Window::Sequence { length: 9 }],
        ..bitquilt::BuildOptions::new(Window::Global)
    };
    let memory = min_memory(set, &options) + (1 << 20);
    let arguments = split(BUILD).into_iter().map(str::to_owned);
    arguments.chain([memory.to_string()]).collect()
}

type Counted = Vec<(bitquilt::Context, Histogram)>;

fn counted(index: &Index) -> Vec<Counted> {
    let windows = index.windows();
    windows
        .map(|window| window.contexts().unwrap().map(Result::unwrap).collect())
        .collect()
}

/// Starts a build, kills it after `delay`, and tells whether that came before its end.
fn killed(folder: &Path, arguments: &[String], delay: Duration) -> bool {
    let mut child = start(folder, arguments);
    std::thread::sleep(delay);
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

fn run(folder: &Path, arguments: &[String]) -> String {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    succeeds(folder, &arguments)
}

/// Instants between the start and a little past the end of something that takes `whole`.
fn instants(whole: Duration, seed: u64) -> Vec<Duration> {
    let mut random = Random(seed);
    let number = if long() { 50 } else { 6 };
    // One in each slice, so that few instants do not all fall into one stage.
    let slice = whole.mul_f64(1.1) / number;
    (0..number)
        .map(|i| slice * i + slice.mul_f64(random.below(1_000) as f64 / 1_000.0))
        .collect()
}

#[test]
fn a_build_killed_at_any_instant_is_never_wrong() {
    let set = large(1_500, 1);
    check_killed_builds(&set, &build_arguments(&set));
}

#[test]
fn a_build_of_pyramids_killed_at_any_instant_is_never_wrong() {
    let build =
        split("build latents.safetensors -o index --window 7x7 --window 1:5x5^3x3 --memory 64MiB");
    let build: Vec<String> = build.into_iter().map(str::to_owned).collect();
    check_killed_builds(&large_pyramids(700, 2), &build);
}

fn check_killed_builds(set: &LatentSet, build: &[String]) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let output = folder.join("index");
    set.write(&folder.join("latents.safetensors")).unwrap();
    let started = Instant::now();
    run(folder, build);
    let whole = started.elapsed();
    let expected = counted(&open(&output));

    let mut hits = 0;
    for delay in instants(whole, 1) {
        fs_err::remove_dir_all(&output).unwrap();
        hits += u32::from(killed(folder, build, delay));
        let mut again = build.to_vec();
        match Index::open(&output) {
            Ok(index) => {
                index.verify(Budget::of_machine(), &Unobserved).unwrap();
                again.push("--force".to_owned());
            }
            Err(IndexError::NotAnIndex { .. }) => {}
            Err(error) => panic!("killed after {delay:?} of {whole:?}: {error}"),
        }
        run(folder, &again);
        assert!(
            !output.join("building").exists(),
            "killed after {delay:?} of {whole:?}"
        );
        let index = open(&output);
        index.verify(Budget::of_machine(), &Unobserved).unwrap();
        assert!(
            counted(&index) == expected,
            "killed after {delay:?} of {whole:?}"
        );
    }
    assert!(hits > 0, "no kill came before the end");
}

#[test]
fn a_rebuild_killed_at_any_instant_is_the_old_index_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let output = folder.join("index");
    let set = large(1_000, 2);
    set.write(&folder.join("latents.safetensors")).unwrap();
    let mut build = build_arguments(&set);
    let started = Instant::now();
    run(folder, &build);
    let whole = started.elapsed();
    let new = counted(&open(&output));
    build.push("--force".to_owned());

    let old_set = large(40, 3);
    let (old_folder, index) = built(
        &old_set,
        &[Window::Global, Window::Square { radius: 3 }],
        Anchor::None,
    );
    let old = counted(&index);
    for delay in instants(whole, 2) {
        fs_err::remove_dir_all(&output).unwrap();
        copy_folder(&old_folder.path().join("index"), &output);
        killed(folder, &build, delay);
        let index = Index::open(&output)
            .unwrap_or_else(|error| panic!("killed after {delay:?} of {whole:?}: {error}"));
        index.verify(Budget::of_machine(), &Unobserved).unwrap();
        let found = counted(&index);
        assert!(
            found == old || found == new,
            "killed after {delay:?} of {whole:?}"
        );
        run(folder, &build);
        assert!(!output.join("building").exists());
        assert!(counted(&open(&output)) == new);
    }
}

/// Runs the program so that no file may grow past `blocks` of 512 bytes: writes then fail as they do
/// on a full disk, with an error and not a signal.
pub fn with_full_disk(folder: &Path, blocks: u64, arguments: &[&str]) -> Output {
    Command::new("sh")
        .current_dir(folder)
        .arg("-c")
        .arg(format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""
        ))
        .arg(BITQUILT)
        .args(arguments)
        .output()
        .unwrap()
}

/// Runs `arguments` with ever more room until they succeed. Every failure must name the output and
/// leave the folder as it was.
fn on_a_full_disk(folder: &Path, arguments: &[&str], output: &str) {
    let before = files_of(folder);
    let mut wrong = Vec::new();
    // 0, 1, 2, 4, … up to more than enough.
    let limits = std::iter::once(0).chain((0..=20).map(|log| 1u64 << log));
    for (failures, blocks) in limits.enumerate() {
        let ran = with_full_disk(folder, blocks, arguments);
        let stderr = String::from_utf8_lossy(&ran.stderr).into_owned();
        let there = folder.join(output).exists();
        if ran.status.success() {
            if !there {
                wrong.push(format!("{blocks} blocks: success without {output}"));
            }
            assert!(failures > 0, "the limit was never met");
            break;
        }
        let clear = stderr.contains(output) || stderr.contains(".bitquilt-");
        if ran.status.code() != Some(2) || !clear || there || files_of(folder) != before {
            wrong.push(format!(
                "{blocks} blocks: {}, output there: {there}: {stderr}",
                ran.status
            ));
            // What was left behind would be in the way of the next one.
            let _ = std::fs::remove_dir_all(folder.join(output));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(folder.join(output).exists(), "never enough room");
}

#[test]
fn a_build_on_a_full_disk_says_so_and_leaves_nothing() {
    let folder = small_folder();
    large(60, 5)
        .write(&folder.path().join("latents.safetensors"))
        .unwrap();
    let arguments = split("build latents.safetensors -o index -w 3x3 -w 9x9");
    on_a_full_disk(folder.path(), &arguments, "index");
    open(&folder.path().join("index"))
        .verify(Budget::of_machine(), &Unobserved)
        .unwrap();
}

#[test]
fn a_small_build_on_a_full_disk_says_so_and_leaves_nothing() {
    // Its largest file is not an SST file but what RocksDB writes beside them.
    let folder = small_folder();
    worked_example()
        .set()
        .write(&folder.path().join("latents.safetensors"))
        .unwrap();
    let arguments = ["build", "latents.safetensors", "-o", "index", "-w", "seq:3"];
    on_a_full_disk(folder.path(), &arguments, "index");
    open(&folder.path().join("index"))
        .verify(Budget::of_machine(), &Unobserved)
        .unwrap();
}

#[test]
fn samples_on_a_full_disk_are_whole_or_absent() {
    let folder = small_folder();
    let set = large(30, 6);
    let (index, _) = built(&set, &[Window::Square { radius: 1 }], Anchor::None);
    let index = index.path().join("index");
    let index = index.to_str().unwrap();
    let arguments = ["generate", index, "-n", "20", "-o", "samples.safetensors"];
    on_a_full_disk(folder.path(), &arguments, "samples.safetensors");
    let samples = bitquilt::SampleSet::read(&folder.path().join("samples.safetensors")).unwrap();
    assert_eq!(samples.latents.len(), 20);
}

#[test]
fn an_import_on_a_full_disk_is_whole_or_absent() {
    let folder = small_folder();
    // IDX: 300 images of 8 x 8 bytes.
    let mut idx = vec![0, 0, 8, 3, 0, 0, 1, 44, 0, 0, 0, 8, 0, 0, 0, 8];
    let mut random = Random(9);
    idx.extend((0..300 * 64).map(|_| random.next() as u8));
    fs_err::write(folder.path().join("images-idx3-ubyte"), idx).unwrap();
    let arguments = ["import", "images-idx3-ubyte", "-o", "latents.safetensors"];
    on_a_full_disk(folder.path(), &arguments, "latents.safetensors");
    let latents = LatentSet::read(&folder.path().join("latents.safetensors")).unwrap();
    assert_eq!(latents.len(), 300);
}

#[test]
fn many_readers_share_an_index_and_change_nothing() {
    let set = large(50, 7);
    let windows = ["7x7", "seq:9", "global"].map(|text| text.parse().unwrap());
    let (folder, index) = built(&set, &windows, Anchor::None);
    let path = folder.path().join("index");
    let expected = counted(&index);
    drop(index);
    let before = files_of(&path);
    // A folder that nobody may write into, as a shared data set is. (The superuser could still.)
    let modes = |mode: &str| {
        let status = Command::new("chmod").args(["-R", mode]).arg(&path).status();
        assert!(status.unwrap().success());
    };
    modes("a-w");
    std::thread::scope(|scope| {
        for reader in 0..4 {
            let (path, folder, expected) = (&path, folder.path(), &expected);
            scope.spawn(move || {
                if reader % 2 == 0 {
                    let index = open(path);
                    assert!(counted(&index) == *expected);
                    index.verify(Budget::of_machine(), &Unobserved).unwrap();
                } else {
                    for verb in [
                        &["info", "index"][..],
                        &[
                            "query", "index", "-w", "7x7", "--latent", "3", "--at", "9,9",
                        ],
                        &["verify", "index", "--brute-force"],
                    ] {
                        succeeds(folder, verb);
                    }
                    let samples = format!("{reader}.safetensors");
                    let generate = [
                        "generate", "index", "-w", "seq:9", "-n", "4", "-o", &samples,
                    ];
                    succeeds(folder, &generate);
                    succeeds(folder, &["verify", "index", &samples]);
                }
            });
        }
    });
    modes("u+w");
    assert!(files_of(&path) == before);
}
