//! P1, P7 past one machine: a build in tasks is the build of one machine, and what is half-built opens as nothing.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use bitquilt::index::parts::{Cut, PartPlan, Task, WorkFolder, map, publish, reduce};
use bitquilt::{
    Anchor, Budget, BuildOptions, Condition, Ids, Index, IndexError, LatentSet, Manifest,
    Unobserved, Window, build,
};
use proptest::prelude::*;

use crate::oracle::Grid;
use crate::support::*;

const MEMORY: u64 = 64 << 20;

/// Writes a set as some files, and returns their paths.
fn shards(folder: &Path, set: &LatentSet, cuts: &[usize]) -> Vec<PathBuf> {
    let mut bounds: Vec<usize> = cuts.iter().map(|cut| cut % set.len()).collect();
    bounds.extend([0, set.len()]);
    bounds.sort_unstable();
    bounds.dedup();
    let shards = bounds.windows(2).enumerate().map(|(number, bound)| {
        let ids = Ids::new(std::iter::once(bound[0] as u64..bound[1] as u64));
        let path = folder.join(format!("shard-{number}.safetensors"));
        set.only(&ids).write(&path).unwrap();
        path
    });
    shards.collect()
}

/// Plans a build of some files in a folder.
fn planned(
    folder: &Path,
    paths: &[PathBuf],
    options: &BuildOptions,
    maps: u64,
    parts: u64,
) -> WorkFolder {
    let cut = Cut {
        maps: Some(maps),
        parts: Some(parts),
    };
    let plan = PartPlan::new(paths, options, cut, &Unobserved).unwrap();
    WorkFolder::create(&folder.join("work"), plan, false).unwrap()
}

fn run_task(work: &WorkFolder, task: Task, memory: u64, again: bool) -> Result<bool, IndexError> {
    let ended = match task {
        Task::Map(number) => map(work, number, memory, again, &Unobserved)?,
        Task::Reduce(number) => reduce(work, number, again, &Unobserved)?,
    };
    Ok(ended.reused)
}

fn run_all(work: &WorkFolder) {
    for task in work.plan().tasks() {
        assert!(!run_task(work, task, MEMORY, false).unwrap(), "{task}");
    }
}

/// Builds a set on one machine and in tasks, and checks that both are the same index.
fn check_equal(
    set: &LatentSet,
    options: &BuildOptions,
    cuts: &[usize],
    maps: u64,
    parts: u64,
) -> WorkFolder {
    let folder = small_folder();
    let folder = folder.path();
    let paths = shards(folder, set, cuts);
    let work = planned(folder, &paths, options, maps, parts);
    run_all(&work);
    let output = folder.join("parts.index");
    let published = publish(&work, &output, false, &Unobserved).unwrap();
    let alone = folder.join("alone.index");
    let built = build(set, &alone, options, &Unobserved).unwrap().manifest;
    check_same(&output, &published, &alone, &built);
    work
}

fn check_same(output: &Path, published: &Manifest, alone: &Path, built: &Manifest) {
    let what = |manifest: &Manifest| {
        let arrays = manifest.arrays.iter().map(|array| {
            assert!(array.content.is_some());
            (
                array.direction,
                array.depth,
                array.through.clone(),
                array.content,
                array.windows.clone(),
            )
        });
        let arrays: Vec<_> = arrays.collect();
        (
            arrays,
            manifest.windows(),
            manifest.latents,
            manifest.excluded.clone(),
            manifest.label_values.clone(),
        )
    };
    assert_eq!(what(published), what(built));
    let index = open(output);
    index.verify(Budget::of_machine(), &Unobserved).unwrap();
    index
        .verify_by_recount(Budget::of_machine(), &Unobserved)
        .unwrap();
    assert!(all_answers(output) == all_answers(alone));
}

fn options(windows: &[Window]) -> BuildOptions {
    BuildOptions {
        windows: windows.to_vec(),
        memory: MEMORY,
        ..BuildOptions::default()
    }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn a_build_in_tasks_is_the_build_of_one_machine(
        (sample, windows, excluded) in grids().prop_flat_map(|grid| (
            latents(grid, 12), some_windows(grid), prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        )),
        anchor in anchors(),
        labelled in any::<bool>(),
        cuts in prop::collection::vec(0..12usize, 0..3),
        maps in 1..6u64,
        parts in prop_oneof![Just(1u64), Just(2), Just(7), Just(97)],
    ) {
        let mut set = sample.set();
        if labelled {
            let labels = (0..set.len() as i64).map(|id| 7 - id % 3).collect();
            set = set.with_labels(labels).unwrap();
        }
        let excluded = excluded.iter().map(|index| index.index(set.len()) as u64).map(|id| id..id + 1);
        let excluded = Ids::new(excluded);
        prop_assume!(excluded.len() < set.len() as u64);
        let options = BuildOptions {
            anchor,
            condition: if labelled { Condition::Label } else { Condition::None },
            excluded,
            ..options(&windows)
        };
        check_equal(&set, &options, &cuts, maps, parts);
    }
}

#[test]
fn pyramids_in_tasks_are_those_of_one_machine() {
    let mut random = Random(7);
    let grid = |side| Grid {
        height: side,
        width: side,
        channels: 1,
    };
    let levels = [3, 6].map(|side| set_of(grid(side), &spots(side, 40, &mut random)));
    let set = LatentSet::pyramids(&levels).unwrap();
    let windows = ["global", "1:3x3^3x3", "1:5x5^1x1"].map(|text| text.parse().unwrap());
    let work = check_equal(&set, &options(&windows), &[11, 30], 3, 5);
    let arrays = &work.plan().arrays;
    assert_eq!(arrays.len(), 3);
    assert!(arrays.iter().all(|array| (2..=5).contains(&array.parts())));
}

/// Half of all occurrences are of one context, in little memory: lists of one context go through chunks and blocks.
#[test]
fn one_context_with_half_of_all_occurrences_is_merged_in_little_memory() {
    let mut set = repetitive(EIGHT, 300, 3).set();
    for _ in 0..600 {
        set.push_bits([false; 64]).unwrap();
    }
    let folder = small_folder();
    let folder = folder.path();
    let paths = shards(folder, &set, &[200, 500]);
    let window = [Window::Sequence { length: 3 }];
    let work = planned(folder, &paths, &options(&window), 4, 97);
    let mut least = 1;
    for task in work.plan().tasks() {
        let mut ended = run_task(&work, task, least, false);
        while let Err(IndexError::MemoryLimit { needed, .. }) = ended {
            assert!(needed > least, "{needed} after {least}");
            least = needed;
            ended = run_task(&work, task, least, false);
        }
        ended.unwrap();
    }
    assert!(least > 1);
    let (output, alone) = (folder.join("parts.index"), folder.join("alone.index"));
    let published = publish(&work, &output, false, &Unobserved).unwrap();
    let built = build(&set, &alone, &options(&window), &Unobserved)
        .unwrap()
        .manifest;
    check_same(&output, &published, &alone, &built);
    let largest = all_answers(&output)[0]
        .iter()
        .map(|answer| answer.1 + answer.2)
        .max();
    assert!(largest > Some(450 * 64), "{largest:?}");
}

/// A small build in tasks, all of which have ended.
fn small() -> (tempfile::TempDir, WorkFolder, LatentSet) {
    let set = repetitive(EIGHT, 40, 5).set();
    let folder = small_folder();
    let paths = shards(folder.path(), &set, &[13]);
    let windows = [Window::Square { radius: 2 }, Window::Sequence { length: 9 }];
    let work = planned(folder.path(), &paths, &options(&windows), 3, 4);
    run_all(&work);
    (folder, work, set)
}

/// The files that the note of a task names.
fn noted(work: &WorkFolder, task: Task) -> Vec<PathBuf> {
    let name = match task {
        Task::Map(number) => format!("map-{number:06}"),
        Task::Reduce(number) => format!("reduce-{number:06}"),
    };
    let folder = work.path().join(work.plan_id());
    let note = fs_err::read(folder.join(format!("{name}.json"))).unwrap();
    let note: serde_json::Value = serde_json::from_slice(&note).unwrap();
    let runs = note["runs"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|run| &run["file"]);
    let files = [&note["latents"], &note["array"], &note["directory"]];
    let files = files
        .into_iter()
        .chain(runs)
        .filter_map(|file| file["name"].as_str());
    files.map(|name| folder.join(name)).collect()
}

#[test]
fn what_has_ended_is_not_done_again_and_a_twin_does_no_harm() {
    let (folder, work, _) = small();
    let tasks: Vec<Task> = work.plan().tasks().collect();
    for task in &tasks {
        assert!(run_task(&work, *task, MEMORY, false).unwrap(), "{task}");
        assert!(!run_task(&work, *task, MEMORY, true).unwrap(), "{task}");
    }
    assert!(work.progress().maps_left.is_empty() && work.progress().reduces_left.is_empty());
    let output = folder.path().join("index");
    let twins = || {
        for task in &tasks {
            run_task(&work, *task, MEMORY, true).unwrap();
        }
    };
    std::thread::scope(|scope| {
        let both = [scope.spawn(twins), scope.spawn(twins)];
        both.into_iter().for_each(|twin| twin.join().unwrap());
    });
    publish(&work, &output, false, &Unobserved).unwrap();
    open(&output)
        .verify(Budget::of_machine(), &Unobserved)
        .unwrap();
    // What is published is an index of its own.
    fs_err::remove_dir_all(work.path()).unwrap();
    open(&output)
        .verify(Budget::of_machine(), &Unobserved)
        .unwrap();
}

#[test]
fn two_drivers_publish_one_index() {
    let (folder, work, _) = small();
    let output = folder.path().join("index");
    let ended = std::thread::scope(|scope| {
        let both =
            [(); 2].map(|()| scope.spawn(|| publish(&work, &output, false, &Unobserved).map(drop)));
        both.map(|driver| driver.join().unwrap())
    });
    let refused: Vec<_> = ended
        .iter()
        .filter_map(|ended| ended.as_ref().err())
        .collect();
    assert!(refused.len() <= 1, "{refused:?}");
    for error in refused {
        assert!(matches!(error, IndexError::Output { .. }), "{error}");
    }
    open(&output)
        .verify(Budget::of_machine(), &Unobserved)
        .unwrap();
    // What is there is left there.
    let before = files_of(&output);
    publish(&work, &output, false, &Unobserved).unwrap();
    assert!(files_of(&output) == before);
    // Another index is not.
    let other = folder.path().join("other");
    let set = repetitive(EIGHT, 40, 6).set();
    build(
        &set,
        &other,
        &options(&[Window::Square { radius: 2 }]),
        &Unobserved,
    )
    .unwrap();
    let error = publish(&work, &other, false, &Unobserved).unwrap_err();
    assert!(
        error.to_string().contains("holds an index already"),
        "{error}"
    );
    publish(&work, &other, true, &Unobserved).unwrap();
    assert_eq!(
        open(&other).manifest().arrays[0].content,
        open(&output).manifest().arrays[0].content
    );
}

/// Every file that tasks made, cut short and with a bit flipped: the task that wrote it is named, and once it was run again all is well.
#[test]
fn damage_names_the_task_that_has_to_be_run_again() {
    let (folder, work, _) = small();
    let mut random = Random(1);
    let output = folder.path().join("index");
    let rounds = if long() { 40 } else { 1 };
    let tasks: Vec<Task> = work.plan().tasks().collect();
    for task in tasks.repeat(rounds) {
        for file in 0..noted(&work, task).len() {
            for cut_short in [false, true] {
                // A task that was run again may have made a file of another name.
                let path = noted(&work, task)[file].clone();
                let mut bytes = fs_err::read(&path).unwrap();
                let at = random.below(bytes.len() as u64) as usize;
                match cut_short {
                    true => bytes.truncate(at),
                    false => bytes[at] ^= 1 << random.below(8),
                }
                fs_err::write(&path, bytes).unwrap();
                if cut_short {
                    // Seen by its length: as if the task had not ended.
                    let error = publish(&work, &output, false, &Unobserved).unwrap_err();
                    assert!(
                        matches!(&error, IndexError::Unfinished { tasks, .. } if *tasks == [task]),
                        "{error}"
                    );
                    assert!(!run_task(&work, task, MEMORY, false).unwrap());
                    continue;
                }
                let name = path.file_name().unwrap().to_str().unwrap();
                let error = match name.starts_with("map") && !name.contains("latents") {
                    // What was spilled: one of its parts.
                    true => {
                        let reduces = tasks.iter().filter(|task| matches!(task, Task::Reduce(_)));
                        let errors: Vec<_> = reduces
                            .filter_map(|task| run_task(&work, *task, MEMORY, true).err())
                            .collect();
                        assert_eq!(errors.len(), 1, "{name}: {errors:?}");
                        errors.into_iter().next().unwrap()
                    }
                    false => publish(&work, &output, false, &Unobserved).unwrap_err(),
                };
                assert!(
                    matches!(error, IndexError::Task { task: told, .. } if told == task),
                    "{error}"
                );
                assert!(
                    error.to_string().contains(&format!("run {task} again")),
                    "{error}"
                );
                assert!(!output.exists());
                assert!(!run_task(&work, task, MEMORY, true).unwrap());
            }
        }
    }
    publish(&work, &output, false, &Unobserved).unwrap();
    open(&output)
        .verify(Budget::of_machine(), &Unobserved)
        .unwrap();
}

#[test]
fn notes_that_lie_are_not_believed() {
    let (folder, work, _) = small();
    let output = folder.path().join("index");
    let own = work.path().join(work.plan_id());
    let note = own.join("reduce-000001.json");
    let told = fs_err::read_to_string(&note).unwrap();
    // Of another plan, and none at all: as if the task had not ended.
    for text in [
        told.replace(work.plan_id(), &"0".repeat(32)),
        "{}".to_owned(),
        told[..told.len() / 2].to_owned(),
    ] {
        fs_err::write(&note, text).unwrap();
        let error = publish(&work, &output, false, &Unobserved).unwrap_err();
        assert!(
            matches!(&error, IndexError::Unfinished { tasks, .. } if *tasks == [Task::Reduce(1)]),
            "{error}"
        );
    }
    // That of another part: its contexts lie elsewhere.
    fs_err::copy(own.join("reduce-000002.json"), &note).unwrap();
    let error = publish(&work, &output, false, &Unobserved).unwrap_err();
    assert!(
        matches!(
            error,
            IndexError::Task {
                task: Task::Reduce(1 | 2),
                ..
            }
        ),
        "{error}"
    );
    fs_err::write(&note, told).unwrap();
    publish(&work, &output, false, &Unobserved).unwrap();
}

#[test]
fn what_was_not_planned_with_is_refused() {
    let (folder, work, set) = small();
    let folder = folder.path();
    // A source that has changed since.
    let shard = folder.join("shard-0.safetensors");
    let kept = fs_err::read(&shard).unwrap();
    set.only(&"1..14".parse().unwrap()).write(&shard).unwrap();
    let error = run_task(&work, Task::Map(0), MEMORY, true).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("shard-0.safetensors: expected 13 latents with hash"),
        "{error}"
    );
    fs_err::write(&shard, kept).unwrap();
    // Tasks that there are not.
    let work_of = work
        .plan()
        .tasks()
        .filter(|task| matches!(task, Task::Reduce(_)))
        .count() as u64;
    for number in work_of..8 {
        let ended = reduce(&work, number, false, &Unobserved).unwrap();
        assert_eq!((ended.occurrences, ended.bytes), (0, 0));
    }
    for task in [Task::Map(3), Task::Reduce(8), Task::Reduce(u64::MAX)] {
        let error = run_task(&work, task, MEMORY, false).unwrap_err();
        assert!(error.to_string().contains("the plan has"), "{error}");
    }
    // Another plan in the same folder.
    let paths = [shard];
    let plan = || {
        let cut = Cut {
            maps: Some(1),
            parts: Some(1),
        };
        PartPlan::new(&paths, &options(&[]), cut, &Unobserved).unwrap()
    };
    let error = WorkFolder::create(work.path(), plan(), false).unwrap_err();
    assert!(error.to_string().contains("another build"), "{error}");
    let other = WorkFolder::create(work.path(), plan(), true).unwrap();
    assert_ne!(other.plan_id(), work.plan_id());
    let error = reduce(&other, 0, false, &Unobserved).unwrap_err();
    assert!(
        error.to_string().contains("map task 0 has not ended"),
        "{error}"
    );
    run_all(&other);
    // The one before it is as it was: its files are in a folder of their own.
    publish(&work, &folder.join("first"), false, &Unobserved).unwrap();
    publish(&other, &folder.join("second"), false, &Unobserved).unwrap();
    assert_eq!(
        (
            open(&folder.join("first")).latents(),
            open(&folder.join("second")).latents()
        ),
        (40, 13)
    );
    // A source of another shape.
    let other_shape = folder.join("wide.safetensors");
    repetitive(Grid { width: 9, ..EIGHT }, 3, 1)
        .set()
        .write(&other_shape)
        .unwrap();
    let both = [paths[0].clone(), other_shape];
    let error = PartPlan::new(&both, &options(&[]), Cut::default(), &Unobserved).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("wide.safetensors: differs from the files before it"),
        "{error}"
    );
    // What a kill leaves of a plan is in nobody's way.
    let left = folder.join("left");
    fs_err::create_dir_all(left.join(other.plan_id())).unwrap();
    fs_err::write(left.join(".bitquilt-x7"), "{").unwrap();
    WorkFolder::create(&left, plan(), false).unwrap();
    // A folder that is somebody's, and one without a plan.
    let error = WorkFolder::create(folder, plan(), false).unwrap_err();
    assert!(error.to_string().contains("neither empty"), "{error}");
    let error = WorkFolder::open(folder).unwrap_err();
    assert!(error.to_string().contains("plan.json"), "{error}");
    fs_err::write(work.path().join("plan.json"), "{}").unwrap();
    let error = WorkFolder::open(work.path()).unwrap_err();
    assert!(matches!(error, IndexError::Damaged { .. }), "{error}");
}

/// As a shell loop runs it, each task in a process of its own, killed at random instants: whatever is there opens as nothing until all of it
/// is there, and then it is the index of one machine.
#[test]
fn processes_killed_in_every_phase_leave_nothing_half_built() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let grid = Grid {
        height: 16,
        width: 16,
        channels: 1,
    };
    let set = repetitive(grid, 1_200, 9).set();
    set.write(&folder.join("latents.safetensors")).unwrap();
    succeeds(
        folder,
        &split("build latents.safetensors -o alone --depth 7x7 --window seq:9"),
    );
    let expected: Vec<_> = open(&folder.join("alone"))
        .manifest()
        .arrays
        .iter()
        .map(|array| array.content)
        .collect();
    let mut random = Random(4);
    let (mut kills, mut phases) = (0, [0; 4]);
    let rounds = if long() { 20 } else { 3 };
    for round in 0..rounds {
        for name in ["work", "index"] {
            let _ = fs_err::remove_dir_all(folder.join(name));
        }
        let plan =
            "part plan latents.safetensors -o work --depth 7x7 --window seq:9 --maps 3 --parts 3";
        let mut steps = vec![(0, plan.to_owned())];
        steps.extend((0..3).map(|number| (1, format!("part map work {number} --memory 40MiB"))));
        steps.extend((0..6).map(|number| (2, format!("part reduce work {number}"))));
        steps.push((3, "part publish work -o index".to_owned()));
        for (phase, step) in steps {
            // Killed until it is not.
            while !ends(
                start(folder, &split(&step)),
                Duration::from_millis(random.below(60) + 5),
            ) {
                (kills, phases[phase]) = (kills + 1, phases[phase] + 1);
                match Index::open(&folder.join("index")) {
                    // The kill came between the rename and the end.
                    Ok(_) => assert_eq!(phase, 3),
                    Err(error) => assert!(
                        matches!(error, IndexError::NotAnIndex { .. }),
                        "round {round}: {error}"
                    ),
                }
                if random.below(3) == 0 {
                    break;
                }
            }
            if folder.join("index/manifest.json").exists() {
                continue;
            }
            succeeds(folder, &split(&step));
        }
        let index = open(&folder.join("index"));
        index.verify(Budget::of_machine(), &Unobserved).unwrap();
        let found: Vec<_> = index
            .manifest()
            .arrays
            .iter()
            .map(|array| array.content)
            .collect();
        assert_eq!(found, expected);
        assert!(!folder.join("index/building").exists());
    }
    assert!(kills >= rounds, "{kills} kills: {phases:?}");
}

/// Waits for a process for so long, then kills it; whether it had ended well.
fn ends(mut child: Child, after: Duration) -> bool {
    let until = std::time::Instant::now() + after;
    while std::time::Instant::now() < until {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap().success()
}

#[test]
fn the_command_says_what_is_left_and_refuses_what_cannot_be() {
    let desk = house();
    let folder = desk.path();
    let set = repetitive(EIGHT, 30, 2).set();
    set.write(&folder.join("few.safetensors")).unwrap();
    let plan = "part plan few.safetensors -o work --depth 3x3 --maps 5 --parts 2";
    let planned = succeeds(folder, &split(plan));
    assert!(
        planned.contains("map tasks 0 to 4, reduce tasks 0 to 1"),
        "{planned}"
    );
    // The same plan again goes on.
    assert_eq!(succeeds(folder, &split(plan)), planned);
    for number in [1, 2, 4] {
        succeeds(folder, &split(&format!("part map work {number}")));
    }
    let status = succeeds(folder, &split("part status work"));
    assert!(
        status.contains("map tasks: 3 of 5 have ended; left: 0,3"),
        "{status}"
    );
    refuses(
        folder,
        &split("part reduce work 0"),
        2,
        &["map task 0, map task 3 have not ended"],
    );
    refuses(
        folder,
        &split("part publish work -o made"),
        2,
        &["map task 0, map task 3 have not ended"],
    );
    assert!(!folder.join("made").exists());
    refuses(
        folder,
        &split("part map work 5"),
        2,
        &["the plan has map tasks 0 to 4"],
    );
    refuses(
        folder,
        &split("part map work 0 --memory 1kB"),
        2,
        &["memory limit of 1000 bytes is too small"],
    );
    refuses(
        folder,
        &split("part map nowhere 0"),
        2,
        &["nowhere", "plan it first"],
    );
    refuses(
        folder,
        &split("part plan few.safetensors -o work --depth 5x5"),
        2,
        &["another build", "--force"],
    );
    refuses(
        folder,
        &split("part plan few.safetensors -o w --maps 0"),
        2,
        &["--maps"],
    );
    refuses(
        folder,
        &split("part plan few.safetensors -o w --condition label"),
        2,
        &["no labels"],
    );
    for number in [0, 3] {
        succeeds(folder, &split(&format!("part map work {number}")));
    }
    for number in [0, 1] {
        succeeds(folder, &split(&format!("part reduce work {number}")));
    }
    let again = succeeds(folder, &split("part reduce work 1"));
    assert!(again.contains("had ended before"), "{again}");
    succeeds(folder, &split("part publish work -o made"));
    succeeds(folder, &split("part publish work -o made"));
    succeeds(folder, &split("build few.safetensors -o other --depth 5x5"));
    refuses(
        folder,
        &split("part publish work -o other"),
        2,
        &["holds an index already", "--force"],
    );
    succeeds(folder, &split("verify made"));
    let anchor = open(&folder.join("made")).manifest().anchor;
    assert_eq!(anchor, Anchor::None);
}

#[test]
fn samples_of_ranges_are_those_of_one_run_byte_for_byte() {
    let desk = house();
    let folder = desk.path();
    let generate = "generate index -w seq:3 --seed 5 --fix prefix=1 -o";
    succeeds(
        folder,
        &split(&format!("{generate} whole.safetensors -n 12")),
    );
    for (first, n) in [(0, 5), (5, 4), (9, 3)] {
        succeeds(
            folder,
            &split(&format!(
                "{generate} from-{first}.safetensors --first {first} -n {n}"
            )),
        );
    }
    let join =
        "part join from-9.safetensors from-0.safetensors from-5.safetensors -o joined.safetensors";
    let said = succeeds(folder, &split(join));
    assert!(said.contains("of 12 searches"), "{said}");
    let read = |name: &str| fs_err::read(folder.join(name)).unwrap();
    assert!(read("joined.safetensors") == read("whole.safetensors"));
    refuses(folder, &split(join), 2, &["joined.safetensors", "--force"]);
    succeeds(
        folder,
        &split(
            "generate index -w seq:3 --seed 6 --fix prefix=1 -o other.safetensors --first 12 -n 2",
        ),
    );
    for (parts, words) in [
        (
            "from-0.safetensors other.safetensors",
            ["other.safetensors", "another request"],
        ),
        (
            "from-0.safetensors whole.safetensors",
            ["whole.safetensors", "some of them again"],
        ),
        (
            "from-0.safetensors latents.safetensors",
            ["latents.safetensors", "a samples file"],
        ),
    ] {
        refuses(
            folder,
            &split(&format!("part join {parts} -o refused.safetensors")),
            2,
            &words,
        );
    }
    assert!(!folder.join("refused.safetensors").exists());
    refuses(
        folder,
        &split(&format!("{generate} no.safetensors --first 3 --distinct")),
        2,
        &["--first"],
    );
}
