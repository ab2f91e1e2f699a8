//! P1 past one machine: a build in tasks is the build of one machine, however it is cut.

use std::path::Path;

use bitquilt::index::parts::{WorkFolder, publish};
use bitquilt::{
    Budget, BuildOptions, Condition, Ids, IndexError, LatentSet, Manifest, Unobserved, Window,
    build,
};
use proptest::prelude::*;

use crate::oracle::Grid;
use crate::support::parts::*;
use crate::support::*;

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
