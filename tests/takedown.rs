//! Latents left out: an index opened without them, one built without them and a count of the others by
//! brute force say the same.

use std::collections::BTreeSet;
use std::path::Path;

use bitquilt::{
    Anchor, Budget, BuildOptions, Condition, Counts, Given, Ids, Index, IndexError, LatentSet,
    Resident, Unobserved, Window,
};
use proptest::prelude::*;

use crate::oracle::Oracle;
use crate::support::*;

#[derive(Clone, Debug)]
struct Case {
    training: Sample,
    labels: Option<Vec<i64>>,
    windows: Vec<Window>,
    anchor: Anchor,
    /// At least one latent is kept.
    removed: Vec<bool>,
    /// Of those, left out by a second call.
    later: Vec<bool>,
}

fn some_case() -> impl Strategy<Value = Case> {
    let training = grids().prop_flat_map(|grid| latents(grid, 6));
    training.prop_flat_map(|training| {
        let n = training.latents.len();
        (
            prop::option::of(prop::collection::vec(-1..2i64, n)),
            some_windows(training.grid),
            anchors(),
            prop::collection::vec(any::<bool>(), n),
            prop::collection::vec(any::<bool>(), n),
            0..n,
            Just(training),
        )
            .prop_map(
                |(labels, windows, anchor, mut removed, later, kept, training)| {
                    removed[kept] = false;
                    Case {
                        training,
                        labels,
                        windows,
                        anchor,
                        removed,
                        later,
                    }
                },
            )
    })
}

impl Case {
    fn ids(&self, which: impl Fn(usize) -> bool) -> Ids {
        let ids = (0..self.removed.len()).filter(|id| self.removed[*id] && which(*id));
        Ids::new(ids.map(|id| id as u64..id as u64 + 1))
    }

    fn kept(&self) -> Vec<usize> {
        (0..self.removed.len())
            .filter(|id| !self.removed[*id])
            .collect()
    }

    fn options(&self) -> BuildOptions {
        BuildOptions {
            windows: self.windows.clone(),
            anchor: self.anchor,
            condition: if self.labels.is_some() {
                Condition::Label
            } else {
                Condition::None
            },
            ..BuildOptions::new(Window::Global)
        }
    }

    fn set(&self) -> LatentSet {
        match &self.labels {
            Some(labels) => self.training.set().with_labels(labels.clone()).unwrap(),
            None => self.training.set(),
        }
    }
}

/// Everything that an index says about its latents.
fn latents_of(index: &Index) -> Vec<(u64, Vec<u8>, Option<i64>)> {
    let latents = index.scan_latents().unwrap().map(|entry| {
        let (id, latent) = entry.unwrap();
        assert_eq!(index.latent(id).unwrap().unwrap(), latent);
        (id, latent.packed().to_vec(), latent.label())
    });
    latents.collect()
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn without_some_latents_an_index_answers_as_if_they_had_never_been_indexed(case in some_case()) {
        let Case { training, labels, .. } = &case;
        let removed = case.ids(|_| true);
        let (_full, full) = built_with(&case.set(), &case.options());
        let without = full.without(&case.ids(|id| !case.later[id]), Budget::of_machine()).unwrap();
        let without = without.without(&case.ids(|id| case.later[id]), Budget::of_machine()).unwrap();
        prop_assert_eq!(without.left_out(), removed.clone());
        let options = BuildOptions { excluded: removed.clone(), ..case.options() };
        let (_folder, excluded) = built_with(&case.set(), &options);
        excluded.verify(Budget::of_machine(), &Unobserved).unwrap();
        excluded.verify_by_recount(Budget::of_machine(), &Unobserved).unwrap();

        let kept = case.kept();
        for index in [&without, &excluded] {
            prop_assert_eq!(index.latents(), kept.len() as u64);
            let held = latents_of(index);
            prop_assert_eq!(held.iter().map(|(id, ..)| *id as usize).collect::<Vec<_>>(), &kept[..]);
            for id in removed.iter() {
                prop_assert!(index.latent(id).unwrap().is_none());
            }
            let distinct: BTreeSet<_> = held.iter().filter_map(|(_, _, label)| *label).collect();
            prop_assert_eq!(index.labels(), &distinct.into_iter().collect::<Vec<_>>()[..]);
        }
        prop_assert_eq!(latents_of(&without), latents_of(&excluded));

        for window in &case.windows {
            // Occurrences of the others, under the ids that they have.
            let mut oracle = Oracle::labelled(
                training.grid, *window, case.anchor == Anchor::Site, &training.latents, labels.as_deref(),
            );
            for lists in oracle.occurrences.values_mut().flatten() {
                lists.retain(|(id, _)| !removed.contains(*id));
            }
            oracle.occurrences.retain(|_, lists| !lists.iter().all(Vec::is_empty));
            for index in [&without, &excluded] {
                let held = index.window(*window).unwrap();
                let table = Resident::load(&held, Budget::of_machine(), &Unobserved).unwrap();
                prop_assert_eq!(table.contexts(), oracle.occurrences.len() as u64);
                prop_assert_eq!(held.entry().unwrap().distinct, oracle.occurrences.len() as u64);
                prop_assert_eq!(held.entry().unwrap().ambiguous, oracle.ambiguous());
                let all = answers(&held).unwrap();
                prop_assert_eq!(all.len(), oracle.occurrences.len());
                for (id, latent) in training.latents.iter().enumerate() {
                    let label = labels.as_ref().map(|labels| labels[id]);
                    if label.is_some_and(|label| index.label_number(label).is_err()) {
                        prop_assert!(!kept.iter().any(|kept| labels.as_ref().map(|l| l[*kept]) == label));
                        continue;
                    }
                    oracle.label = label;
                    for position in 0..training.grid.bits() {
                        let mut frame = frame_of(&held, label, latent);
                        let context = held.geometry().lay_out(&frame, position);
                        let expected = oracle.histogram(latent, position);
                        for counts in [&held as &dyn Counts, &table] {
                            let question = counts.question(held.geometry(), &mut frame, position);
                            let found = counts.histogram(&question).unwrap();
                            prop_assert_eq!(found.map(|h| (h.n0, h.n1)), expected);
                        }
                        let found = held.find(&context).unwrap();
                        prop_assert_eq!(found.map(|f| (f.histogram().n0, f.histogram().n1)), expected);
                        for bit in [false, true] {
                            let lists = oracle.occurrences.get(&oracle.context(latent, position));
                            let expected = lists.map_or(&[][..], |lists| &lists[usize::from(bit)]);
                            let postings = held.postings(&context, bit).unwrap();
                            prop_assert_eq!(postings.len(), expected.len());
                            let postings: Vec<_> = postings.map(|p| p.unwrap()).map(|p| (p.latent, p.position)).collect();
                            let mut ascending = postings.clone();
                            ascending.sort_unstable();
                            prop_assert_eq!(&ascending[..], expected);
                            if let Some(found) = &found {
                                let same: Vec<_> = found.postings(bit).map(|p| p.unwrap()).map(|p| (p.latent, p.position)).collect();
                                prop_assert_eq!(same, postings);
                            }
                        }
                    }
                }
            }
            // What the rows above tell is of the contexts that remain.
            let (a, b) = (without.window(*window).unwrap(), excluded.window(*window).unwrap());
            if labels.is_none() {
                let table = Resident::load(&a, Budget::of_machine(), &Unobserved).unwrap();
                let mut frame = bitquilt::Frame::new(case.set().shape(), &[a.geometry()]);
                for id in 0..training.latents.len() {
                    frame.load(case.set().packed_latent(id), Given::NOTHING);
                    for position in 0..training.grid.bits() {
                        let Some(question) = a.upper_question(a.geometry(), &mut frame, position) else {
                            continue;
                        };
                        let expected = b.has_upper(&question).unwrap();
                        prop_assert_eq!(a.has_upper(&question).unwrap(), expected);
                        let question = table.upper_question(a.geometry(), &mut frame, position).unwrap();
                        prop_assert_eq!(table.has_upper(&question).unwrap(), expected);
                    }
                }
            }
        }
    }
}

#[test]
fn ids_that_are_not_there_and_all_of_them_are_refused() {
    let training = repetitive(EIGHT, 5, 1);
    let options = BuildOptions {
        excluded: "1".parse().unwrap(),
        ..build_options(&["3x3"])
    };
    let (folder, index) = built_with(&training.set(), &options);
    let refused = |ids: &str| {
        let index = open(&folder.path().join("index"));
        index
            .without(&ids.parse().unwrap(), Budget::of_machine())
            .map(|_| ())
            .unwrap_err()
    };
    for ids in ["1", "5", "0..6", "18446744073709551613"] {
        let error = refused(ids);
        assert!(matches!(error, IndexError::NoSuchLatent { .. }), "{error}");
        assert!(error.to_string().contains("0 to 4 without 1"), "{error}");
    }
    assert!(matches!(refused("0,2..5"), IndexError::Input(_)));
    assert_eq!(
        index
            .without(&Ids::default(), Budget::of_machine())
            .unwrap()
            .latents(),
        4
    );
    let build = |excluded: &str| {
        let options = BuildOptions {
            excluded: excluded.parse().unwrap(),
            ..build_options(&["3x3"])
        };
        bitquilt::build(
            &training.set(),
            &folder.path().join("other"),
            &options,
            &Unobserved,
        )
        .unwrap_err()
    };
    assert!(
        build("3,5")
            .to_string()
            .contains("latent 5 is to be excluded")
    );
    assert!(
        build("0..5")
            .to_string()
            .contains("every latent is excluded")
    );
    assert!(!folder.path().join("other").exists());
}

#[test]
fn a_build_that_was_stopped_does_not_go_on_with_other_latents() {
    let training = repetitive(EIGHT, 200, 1);
    let folder = small_folder();
    let path = folder.path().join("index");
    let options = |excluded: &str| BuildOptions {
        excluded: excluded.parse().unwrap(),
        ..build_options(&["3x3", "5x5"])
    };
    // Stops when the second window begins.
    struct StopAt(&'static str, std::sync::atomic::AtomicBool);
    impl bitquilt::Observer for StopAt {
        fn stage(&self, name: &str, _total: u64, _unit: &str) {
            if name.starts_with(self.0) {
                self.1.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        }
        fn advance(&self, _done: u64) {}
        fn stop_requested(&self) -> bool {
            self.1.load(std::sync::atomic::Ordering::Relaxed)
        }
    }
    let stop = StopAt("rings: fetch", false.into());
    let stopped = bitquilt::build(&training.set(), &path, &options("7"), &stop);
    assert!(matches!(stopped, Err(IndexError::Stopped(_))));
    let other = bitquilt::build(&training.set(), &path, &options("8"), &Unobserved).unwrap();
    assert!(other.arrays.iter().all(|array| !array.resumed));
    let index = open(&path);
    index.verify(Budget::of_machine(), &Unobserved).unwrap();
    assert!(index.latent(8).unwrap().is_none() && index.latent(7).unwrap().is_some());
}

fn files(folder: &Path) {
    repetitive(EIGHT, 40, 1)
        .set()
        .write(&folder.join("latents.safetensors"))
        .unwrap();
    fs_err::write(
        folder.join("ids.txt"),
        "# asked for on Monday\n3, 9\n\n20..24 # a series\n",
    )
    .unwrap();
    succeeds(
        folder,
        &split("build latents.safetensors -o full -w 3x3 -w 5x5"),
    );
    succeeds(
        folder,
        &split("build latents.safetensors -o rest -w 3x3 -w 5x5 --exclude @ids.txt"),
    );
}

#[test]
fn samples_and_traces_without_some_latents_are_those_of_an_index_of_the_others() {
    let folder = small_folder();
    let path = folder.path();
    files(path);
    for options in [
        "-w 5x5 -n 20",
        "-w 5x5 -n 20 --search backjump --preload all",
        "-w 5x5 -n 20 --search chronological --preload none",
        "-w 5x5 -w 3x3 -n 20 --backoff on-dead-end --novel --distinct",
        "-w 3x3 -n 20 --novel --preload all",
        "-w 5x5 --fix-from latents.safetensors:5 --keep 0..7 --all",
    ] {
        both(path, options);
    }
    let count = |index: &str| {
        let command = format!(
            "generate {index} -w 3x3 --count --json --fix-from latents.safetensors:5 --keep 0..6"
        );
        let printed = succeeds(path, &split(&command));
        let mut count: serde_json::Value = serde_json::from_str(&printed).unwrap();
        count["seconds"].take();
        count
    };
    assert_eq!(count("full --without @ids.txt"), count("rest"));

    let samples = "trace rest of-rest.safetensors --json";
    let mut a: serde_json::Value = serde_json::from_str(&succeeds(
        path,
        &split("trace full of-rest.safetensors --json --without 3,9,20..24"),
    ))
    .unwrap();
    let mut b: serde_json::Value = serde_json::from_str(&succeeds(path, &split(samples))).unwrap();
    assert_eq!(a["without"], "3,9,20..24");
    for document in [&mut a, &mut b] {
        document["without"].take();
        document["index"].take();
    }
    assert_eq!(a, b);
    let query = "--window 3x3 --latent 5 --at 4,4 --top all --json";
    assert_eq!(
        succeeds(
            path,
            &split(&format!("query full --without @ids.txt {query}"))
        ),
        succeeds(path, &split(&format!("query rest {query}")))
    );
}

/// The same command on both indexes gives the same samples; they are verified without those latents.
fn both(path: &Path, options: &str) {
    let of = |index: &str, output: &str| {
        let command = format!("generate {index} {options} -o {output} --force --json");
        let ran = bitquilt(path, &split(&command));
        let stderr = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.code() == Some(0), "{command}: {stderr}");
        bitquilt::SampleSet::read(&path.join(output)).unwrap()
    };
    let a = of("full --without 3,9,20..24", "of-full.safetensors");
    let b = of("rest", "of-rest.safetensors");
    assert_eq!(a.latents.packed(), b.latents.packed(), "{options}");
    assert_eq!(a.answered_by, b.answered_by, "{options}");
    assert_eq!(
        (a.without.to_string(), b.without.to_string()),
        ("3,9,20..24".to_owned(), String::new())
    );
    // Also where the index never held them.
    for index in ["full", "rest"] {
        succeeds(path, &split(&format!("verify {index} of-full.safetensors")));
        succeeds(
            path,
            &split(&format!("verify {index} of-full.safetensors --brute-force")),
        );
    }
}

#[test]
fn what_samples_were_generated_without_must_not_support_them() {
    let folder = house();
    let path = folder.path();
    // 101100 alone cannot support 111010.
    succeeds(
        path,
        &split("generate index --without 0 --all -o one.safetensors"),
    );
    let one = bitquilt::SampleSet::read(&path.join("one.safetensors")).unwrap();
    assert_eq!(one.latents.len(), 1);
    succeeds(path, &split("verify index one.safetensors"));
    refuses(
        path,
        &split("verify index one.safetensors --without 1"),
        2,
        &["every one is to be left out"],
    );
    let both = bitquilt(path, &split("verify index samples.safetensors --without 0"));
    assert_eq!(both.status.code(), Some(1));
}

#[test]
fn ids_are_read_from_the_command_line_and_from_files() {
    let folder = small_folder();
    let path = folder.path();
    files(path);
    let info = succeeds(path, &split("info rest"));
    assert!(info.contains("6 excluded: 3,9,20..24"), "{info}");
    succeeds(path, &split("verify rest"));
    succeeds(path, &split("verify rest --brute-force"));
    fs_err::write(path.join("bad.txt"), "1\n2,x\n").unwrap();
    for (command, words) in [
        (
            "query full --latent 0 --at 0,0 -w 3x3 --without 40",
            vec!["--without", "0 to 39", "40"],
        ),
        (
            "query full --latent 0 --at 0,0 -w 3x3 --without 5..5",
            vec!["--without", "5..5", "3,17,100..200"],
        ),
        (
            "query full --latent 0 --at 0,0 -w 3x3 --without @no.txt",
            vec!["--without", "no.txt"],
        ),
        (
            "query full --latent 0 --at 0,0 -w 3x3 --without @bad.txt",
            vec!["bad.txt", "line 2", "'x'"],
        ),
        (
            "query full --latent 3 --at 0,0 -w 3x3 --without 3",
            vec!["none of id 3", "without 3"],
        ),
        (
            "query rest --latent 9 --at 0,0 -w 3x3",
            vec!["none of id 9", "3,9,20..24"],
        ),
        (
            "generate rest -w 3x3 --without 21 -o s.safetensors",
            vec!["none of id 21"],
        ),
        (
            "trace full latents.safetensors --without 0..40",
            vec!["every one is to be left out"],
        ),
        (
            "build latents.safetensors -o new -w 3x3 --exclude 39..41",
            vec!["latent 40 is to be excluded", "0 to 39"],
        ),
        (
            "build latents.safetensors -o new -w 3x3 --exclude ,",
            vec!["--exclude"],
        ),
        ("verify full --without 3", vec!["--without"]),
    ] {
        refuses(path, &split(command), 2, &words);
    }
    assert!(!path.join("new").exists() && !path.join("s.safetensors").exists());
}

proptest! {
    #![proptest_config(cases(30))]

    /// A view of a sound index is sound, by postings and by recount.
    #[test]
    fn an_index_without_some_latents_verifies(case in some_case()) {
        let (_folder, full) = built_with(&case.set(), &case.options());
        let without = full.without(&case.ids(|_| true), Budget::of_machine()).unwrap();
        without.verify(Budget::of_machine(), &Unobserved).unwrap();
        without.verify_by_recount(Budget::of_machine(), &Unobserved).unwrap();
    }
}

#[test]
fn what_samples_were_generated_without_is_not_credited() {
    let folder = small_folder();
    let path = folder.path();
    files(path);
    succeeds(
        path,
        &split("generate full --without 3,9 -w 5x5 -n 5 -o samples.safetensors"),
    );
    let document = |command: &str| -> serde_json::Value {
        serde_json::from_str(&succeeds(path, &split(command))).unwrap()
    };
    let traced = document("trace full samples.safetensors --json");
    assert_eq!(traced["without"], "3,9");
    let said = document("trace full samples.safetensors --json --without 3,9");
    assert_eq!(traced, said);
    // More can be left out, and all can be asked for.
    let more = document("trace full samples.safetensors --json --without 20,3");
    assert_eq!(more["without"], "3,9,20");
    let all = document("trace full samples.safetensors --json --all-latents");
    assert_eq!(all["without"], serde_json::Value::Null);
    let told = bitquilt(path, &split("trace full samples.safetensors"));
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(
        told.contains("traced without 3,9") && told.contains("--all-latents"),
        "{told}"
    );
}

/// A few bytes of text stand for as many ids as a number can hold.
#[test]
fn ids_of_a_samples_file_that_no_memory_holds_are_refused() {
    let folder = house();
    let path = folder.path();
    let samples = path.join("samples.safetensors");
    let bytes = fs_err::read(&samples).unwrap();
    let (length, rest) = bytes.split_at(8);
    let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&rest[..length]).unwrap();
    for ids in ["0..99999999999", "0..18446744073709551615", "1..4294967296"] {
        header["__metadata__"]["samples.without"] = ids.into();
        let text = serde_json::to_vec(&header).unwrap();
        let mut changed = (text.len() as u64).to_le_bytes().to_vec();
        changed.extend(text);
        changed.extend(&rest[length..]);
        fs_err::write(path.join("huge.safetensors"), changed).unwrap();
        for verb in ["verify", "trace"] {
            let words = ["huge.safetensors", "generated without", ids, "0 to 1"];
            refuses(path, &[verb, "index", "huge.safetensors"], 2, &words);
        }
    }
}
