//! P5 in bulk: contexts of many blocks, arrays of many parts, built with much memory and with little.

use std::collections::HashMap;

use bitquilt::{Anchor, BuildOptions, Unobserved, build};

use crate::oracle::{Grid, Oracle};
use crate::support::*;

#[test]
fn long_posting_lists_are_complete_and_true() {
    let sample = repetitive(EIGHT, 3_000, 1);
    let set = sample.set();
    let texts = ["seq:3", "3x3", "5x5"];
    let windows = build_options(&texts).windows;
    let (folder, index) = built(&set, &windows, Anchor::None);
    let mut longest = 0;
    for window in windows {
        let oracle = Oracle::new(EIGHT, window, false, &sample.latents);
        let held = index.window(window).unwrap();
        let found = answers(&held).unwrap();
        assert_eq!(found.len(), oracle.occurrences.len());
        let found: HashMap<_, _> = found
            .into_iter()
            .map(|answer| (answer.0.clone(), answer))
            .collect();
        for lists in oracle.occurrences.values() {
            // Any occurrence of the context gives its key.
            let (latent, position) = lists.iter().flatten().next().unwrap();
            let key = laid_out(&held, &sample.latents[*latent as usize], *position);
            let (_, n0, n1, postings) = &found[&key];
            assert_eq!((*n0, *n1), (lists[0].len() as u64, lists[1].len() as u64));
            assert!(postings == lists, "{window}: {key:?}");
            longest = longest.max(*n0).max(*n1);
        }
    }
    // Blocks hold 512.
    assert!(longest > 20_000, "no context fills many blocks: {longest}");

    let expected = all_answers(&folder.path().join("index"));
    for (threads, frugal) in [(1, false), (2, false), (1, true), (2, true)] {
        let folder = small_folder();
        let path = folder.path().join("index");
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let mut options = build_options(&texts);
        pool.install(|| {
            if frugal {
                // What must fit depends on the number of threads.
                options.memory = min_memory(&set, &options);
            }
            build(&set, &path, &options, &Unobserved).unwrap()
        });
        assert!(
            all_answers(&path) == expected,
            "{threads} threads, little memory: {frugal}"
        );
    }
}

/// The (latent, position) at which a context was followed by 0 and by 1.
type Lists = [Vec<(u64, usize)>; 2];

/// Enough occurrences for the key space to be cut into parts, each with files of its own.
#[test]
fn an_index_in_several_parts_is_exact() {
    const LENGTH: usize = 14;
    let grid = Grid {
        height: 28,
        width: 28,
        channels: 1,
    };
    let sample = repetitive(grid, 10_800, 2);
    // Context → occurrences, from the last bits kept in a register.
    let mut expected: HashMap<(usize, u32), Lists> = HashMap::new();
    for (id, latent) in sample.latents.iter().enumerate() {
        let mut last = 0u32;
        for (position, bit) in latent.iter().enumerate() {
            let lists = expected.entry((position.min(LENGTH), last)).or_default();
            lists[usize::from(*bit)].push((id as u64, position));
            last = (last << 1 | u32::from(*bit)) & ((1 << LENGTH) - 1);
        }
    }
    let set = sample.set();
    let one = build_options(&["seq:14"]);
    let min = BuildOptions {
        memory: min_memory(&set, &one),
        ..one.clone()
    };
    let parts = [one, min].map(|options| {
        let folder = small_folder();
        let path = folder.path().join("index");
        let report = build(&set, &path, &options, &Unobserved).unwrap();
        let tables = report
            .manifest
            .files
            .iter()
            .filter(|file| file.name.ends_with(".sst"));
        assert!(tables.count() >= 5, "one part only");
        let index = open(&path);
        let held = index.windows().next().unwrap();
        assert_eq!(held.entry().unwrap().distinct, expected.len() as u64);
        for lists in expected.values() {
            let (latent, position) = lists.iter().flatten().next().unwrap();
            let context = laid_out(&held, &sample.latents[*latent as usize], *position);
            for (bit, expected) in [false, true].into_iter().zip(lists) {
                let found = held.postings(&context, bit).unwrap().map(|posting| {
                    let posting = posting.unwrap();
                    (posting.latent, posting.position)
                });
                let mut found: Vec<_> = found.collect();
                found.sort_unstable();
                assert!(found == *expected, "{context:?} {bit}");
            }
        }
        report.arrays[0].parts
    });
    assert!(parts[1] > parts[0], "{parts:?}");
}
