//! P7 past one machine: what is damaged, missing, run twice or planned otherwise becomes no index.

use std::path::PathBuf;

use bitquilt::index::parts::{Cut, PartPlan, Task, WorkFolder, publish, reduce};
use bitquilt::{Budget, IndexError, LatentSet, Unobserved, Window, build};

use crate::oracle::Grid;
use crate::support::parts::*;
use crate::support::*;

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
