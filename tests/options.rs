//! What `generate` can be told, through the library's readers and the real program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bitquilt::{FixedBits, SampleSet, SearchError};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::oracle::Latent;
use crate::support::*;

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn a_pattern_fixes_what_it_shows(training in grids().prop_flat_map(|grid| latents(grid, 1)), seed: u64) {
        let (grid, mut random) = (training.grid, Random(seed));
        let mut expected = BTreeMap::new();
        let mut text = String::new();
        for (position, bit) in training.latents[0].iter().enumerate() {
            match random.below(3) {
                0 => text.push('?'),
                _ => {
                    expected.insert(position, *bit);
                    text.push(if *bit { '1' } else { '0' });
                }
            }
            if (position + 1) % (grid.width * grid.channels) == 0 {
                text.push_str(["\n", "\r\n", " \n\n", "\n   \n"][random.below(4) as usize]);
            } else if random.below(4) == 0 {
                text.push(' ');
            }
        }
        let mut fixed = FixedBits::none();
        fixed.fix_pattern(&text, shape_of(grid)).unwrap();
        prop_assert_eq!(&fixed.iter().collect::<BTreeMap<_, _>>(), &expected);
        // Once more is no contradiction; a bit that was fixed otherwise is.
        fixed.fix_pattern(&text, shape_of(grid)).unwrap();
        if let Some((position, bit)) = expected.first_key_value() {
            let mut other = FixedBits::none();
            other.fix(*position, !bit).unwrap();
            let error = other.fix_pattern(&text, shape_of(grid)).unwrap_err();
            let is_contradiction = matches!(error, SearchError::Contradiction { position: p } if p == *position);
            prop_assert!(is_contradiction, "{}", error);
        }
    }

    #[test]
    fn a_part_is_fixed_site_by_site(training in grids().prop_flat_map(|grid| latents(grid, 1)), seed: u64) {
        let (grid, mut random) = (training.grid, Random(seed));
        let mut range = |side: usize| {
            let start = random.below(side as u64) as usize;
            start..start + 1 + random.below((side - start) as u64) as usize
        };
        let (rows, cols) = (range(grid.height), range(grid.width));
        let mut fixed = FixedBits::none();
        let set = training.set();
        let shape = shape_of(grid);
        fixed.fix_part(set.latent(0), shape, shape.finest(), rows.clone(), cols.clone()).unwrap();
        for (position, bit) in training.latents[0].iter().enumerate() {
            let site = position / grid.channels;
            let kept = rows.contains(&(site / grid.width)) && cols.contains(&(site % grid.width));
            prop_assert_eq!(fixed.get(position), kept.then_some(*bit));
        }
    }
}

#[test]
fn a_pattern_of_another_form_says_what_is_expected() {
    let shape = bitquilt::Shape::new(2, 2, 2).unwrap();
    for (text, found) in [
        ("", "0 lines"),
        ("01?1\n", "1 lines"),
        ("01?1\n0000\n1111\n", "3 lines"),
        ("01?1\n000\n", "3 characters in line 2"),
        ("01?1\n\n00000\n", "5 characters in line 3"),
        ("01x1\n0000\n", "'x' in line 1"),
        ("01?1\n000-\n", "'-' in line 2"),
    ] {
        let error = FixedBits::none().fix_pattern(text, shape).unwrap_err();
        assert!(matches!(error, SearchError::Pattern { .. }), "{error}");
        for words in ["2 lines of 4 characters 0, 1 or ?", "2x2x2", found] {
            assert!(
                error.to_string().contains(words),
                "{text:?}: no '{words}' in {error}"
            );
        }
    }
}

/// A folder with 30 labelled latents of 8x8x1 as `latents`, an `index` of two windows and one bound to
/// `labels`.
fn workshop() -> (TempDir, Sample) {
    let folder = small_folder();
    let training = repetitive(EIGHT, 30, 7);
    let labels = (0..30).map(|id| id % 3 - 1).collect();
    let set = training.set().with_labels(labels).unwrap();
    set.write(&folder.path().join("latents")).unwrap();
    succeeds(
        folder.path(),
        &split("build latents -o index -w 3x3 -w 5x5"),
    );
    succeeds(
        folder.path(),
        &split("build latents -o labelled -w 3x3 --condition label"),
    );
    (folder, training)
}

/// The samples that a command writes, which both proofs accept.
fn samples_of(folder: &Path, index: &str, command: &str) -> (SampleSet, Vec<Latent>) {
    succeeds(
        folder,
        &split(&format!("generate {index} {command} -o samples --force")),
    );
    for brute_force in ["", "--brute-force"] {
        succeeds(
            folder,
            &split(&format!("verify {index} samples {brute_force}")),
        );
    }
    let samples = SampleSet::read(&folder.join("samples")).unwrap();
    let ids = 0..samples.latents.len();
    let latents = ids.map(|id| {
        unpacked(
            samples.latents.packed_latent(id),
            samples.latents.shape().bits(),
        )
    });
    let latents = latents.collect();
    (samples, latents)
}

#[test]
fn a_given_part_stays_and_the_rest_is_answered() {
    let (folder, training) = workshop();
    let path = folder.path();
    let donor = &training.latents[3];
    let line: String = (16..24).map(|i| if donor[i] { '1' } else { '0' }).collect();
    let pattern = format!("????????\n????????\n{line}\n\n{}", "???? ????\n".repeat(5));
    fs_err::write(path.join("pattern.txt"), pattern).unwrap();
    for (given, kept) in [
        ("--fix pattern.txt", [16..24, 0..0]),
        ("--fix-from latents:3 --keep 0..3", [0..24, 0..0]),
        ("--fix-from latents:3 --keep 2..4,1..8", [17..24, 25..32]),
        (
            "--fix pattern.txt --fix-from latents:3 --keep 0..1",
            [0..8, 16..24],
        ),
    ] {
        let (samples, latents) = samples_of(path, "index", &format!("-w 3x3 -n 5 {given}"));
        assert_eq!(latents.len(), 5, "{given}");
        let answered = samples.answered_by.unwrap();
        for (number, latent) in latents.iter().enumerate() {
            for position in 0..64 {
                let is_kept = kept.iter().any(|range| range.contains(&position));
                assert_eq!(
                    answered[number * 64 + position] == 0,
                    is_kept,
                    "{given}: {position}"
                );
                assert!(
                    !is_kept || latent[position] == donor[position],
                    "{given}: {position}"
                );
            }
        }
    }
    // What a file says was given is in the file.
    let text = fs_err::read(path.join("samples")).unwrap();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(text.contains("fix pattern.txt; fix-from latents:3 keep 0..1"));
}

#[test]
fn samples_have_the_label_that_was_asked_for() {
    let (folder, _) = workshop();
    for label in [-1, 0, 1] {
        let (samples, latents) =
            samples_of(folder.path(), "labelled", &format!("--label {label} -n 4"));
        assert_eq!(
            (latents.len(), samples.latents.labels()),
            (4, Some(&[label; 4][..]))
        );
    }
    for (command, words) in [
        ("labelled", &["labelled", "--label", "-1"][..]),
        ("labelled --label 2", &["label 2", "-1, 0, 1"]),
        ("index -w 3x3 --label 1", &["label 1", "--condition label"]),
    ] {
        let command = format!("generate {command} -o none");
        refuses(folder.path(), &split(&command), 2, words);
    }
}

#[test]
fn novel_and_distinct_samples_are_neither_copies_nor_twice_there() {
    let (folder, training) = workshop();
    let (_, latents) = samples_of(folder.path(), "index", "-w 3x3 -n 50 --novel --distinct");
    assert_eq!(latents.len(), 50);
    assert_eq!(latents.iter().collect::<BTreeSet<_>>().len(), 50);
    assert!(
        latents
            .iter()
            .all(|latent| !training.latents.contains(latent))
    );
    let text = fs_err::read(folder.path().join("samples")).unwrap();
    assert!(String::from_utf8_lossy(&text).contains("novel; distinct"));

    // The worked example has few samples: asked for more, the command keeps what there are.
    let folder = house();
    let rules = crate::oracle::Oracle::new(
        worked_example().grid,
        "seq:3".parse().unwrap(),
        false,
        &worked_example().latents,
    );
    let all: BTreeSet<_> = rules.completions(&BTreeMap::new()).into_iter().collect();
    let (_, distinct) = samples_of(folder.path(), "index", "-n 40 --distinct");
    assert_eq!(distinct.len(), all.len());
    assert_eq!(distinct.iter().cloned().collect::<BTreeSet<_>>(), all);
    let (_, novel) = samples_of(folder.path(), "index", "--all --novel");
    let expected = all
        .into_iter()
        .filter(|latent| !worked_example().latents.contains(latent));
    assert_eq!(
        novel.into_iter().collect::<BTreeSet<_>>(),
        expected.collect()
    );
    let global = split("build latents.safetensors -o whole -w global");
    succeeds(folder.path(), &global);
    let none = split("generate whole --novel -o none");
    refuses(folder.path(), &none, 1, &["no sample exists", "proved"]);
}

#[test]
fn all_samples_are_exit_code_0_and_some_of_them_1() {
    let folder = house();
    let path = folder.path();
    let exist = crate::oracle::Oracle::new(
        worked_example().grid,
        "seq:3".parse().unwrap(),
        false,
        &worked_example().latents,
    )
    .completions(&BTreeMap::new())
    .len();
    assert!(exist > 2);
    assert_eq!(
        succeeds(path, &split("generate index --count")),
        format!("{exist} samples\n")
    );
    for method in ["chronological", "backjump", "row"] {
        let (_, latents) = samples_of(path, "index", &format!("--all --search {method}"));
        assert_eq!(latents.iter().collect::<BTreeSet<_>>().len(), exist);
        assert_eq!(latents.len(), exist);
        let exactly =
            format!("generate index --all -n {exist} -o exactly --force --search {method}");
        succeeds(path, &split(&exactly));
        let few = format!(
            "generate index --all -n {} -o few --force --search {method}",
            exist - 1
        );
        refuses(path, &split(&few), 1, &["there may be more", "raise -n"]);
        assert_eq!(
            SampleSet::read(&path.join("few")).unwrap().latents.len(),
            exist - 1
        );
    }
    // Fixed bits count too, and none is a number.
    assert_eq!(
        succeeds(path, &split("generate index --count --fix prefix=111")),
        "2 samples\n"
    );
    assert_eq!(
        succeeds(path, &split("generate index --count --fix prefix=000")),
        "0 samples\n"
    );
    let (folder, _) = workshop();
    let cut = split("generate index -w 3x3 --count --max-counted-states 3");
    let output = bitquilt(folder.path(), &cut);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    assert!(stdout.starts_with("at least "), "{stdout}");
    refuses(
        folder.path(),
        &cut,
        1,
        &["budget spent", "--max-counted-states"],
    );
}

#[test]
fn the_least_count_holds_for_every_bit() {
    let (folder, training) = workshop();
    let (samples, latents) = samples_of(folder.path(), "index", "-w 3x3 -n 6 --min-count 5");
    assert_eq!((samples.min_count, latents.len()), (5.into(), 6));
    let oracle =
        crate::oracle::Oracle::new(EIGHT, "3x3".parse().unwrap(), false, &training.latents);
    for latent in &latents {
        for position in 0..64 {
            let (n0, n1) = oracle.histogram(latent, position).unwrap();
            assert!(if latent[position] { n1 } else { n0 } >= 5);
        }
    }
    // Verification asks for as much: samples that need less are not accepted as if they had more.
    let strict = samples_of(folder.path(), "index", "-w 3x3 -n 6");
    let loose = strict.1.iter().any(|latent| {
        (0..64).any(|position| {
            let (n0, n1) = oracle.histogram(latent, position).unwrap();
            (if latent[position] { n1 } else { n0 }) < 5
        })
    });
    assert!(loose, "the least count changes nothing here");
    let none = split("generate index -w 3x3 --min-count 1000000 -o none");
    refuses(folder.path(), &none, 1, &["no sample exists"]);
}

#[test]
fn temperature_sharpens_and_flattens() {
    let folder = small_folder();
    // The first bit is 1 three times in four.
    let training = ["1", "1", "1", "0"].map(bits);
    let grid = crate::oracle::Grid {
        height: 1,
        width: 1,
        channels: 1,
    };
    set_of(grid, &training)
        .write(&folder.path().join("latents"))
        .unwrap();
    succeeds(folder.path(), &split("build latents -o index -w global"));
    // Odds of 3 to 1 become 9 to 1 and √3 to 1; nothing is ever impossible.
    for (temperature, share) in [
        ("1", 0.75),
        ("0.5", 0.9),
        ("2", 0.634),
        ("1e9", 0.5),
        ("1e-3", 1.0),
    ] {
        let command = format!("-n 4000 --temperature {temperature}");
        let (_, latents) = samples_of(folder.path(), "index", &command);
        let ones = latents.iter().filter(|latent| latent[0]).count() as f64 / 4000.0;
        assert!((ones - share).abs() < 0.035, "{temperature}: {ones}");
    }
    let rare = split("generate index --temperature 1e-3 --count");
    assert_eq!(succeeds(folder.path(), &rare), "2 samples\n");
}

#[test]
fn same_seed_same_bytes_with_several_windows_and_constraints() {
    let (folder, _) = workshop();
    let path = folder.path();
    for options in [
        "-w 5x5 -w 3x3 --novel",
        "-w 5x5 -w 3x3 --novel --distinct --backoff on-dead-end --restart 1",
        "-w 5x5 -w 3x3 --search backjump --novel --max-backtracks 500",
        "-w 5x5 --search chronological --min-count 2 --max-backtracks 500",
        "-w 5x5 --temperature 0.7 --restart none --max-states 3 --distinct",
        "-w 3x3 --size 11x6 --distinct --temperature 2",
        "-w 5x5 -w 3x3 --all -n 30 --max-backtracks none",
    ] {
        let run = |name: &str, threads: &str| {
            let command = format!("generate index {options} --seed 4 -o {name} --force {threads}");
            let command = if options.contains("--all") {
                command
            } else {
                format!("{command} -n 30")
            };
            let output = bitquilt(path, &split(&command));
            let code = output.status.code();
            assert!(
                code == Some(0) || options.contains("--all") && code == Some(1),
                "{command}: {output:?}"
            );
            fs_err::read(path.join(name)).unwrap()
        };
        let first = run("a", "--threads 1");
        assert!(first == run("a", "--threads 3"), "{options}");
        assert!(first == run("a", ""), "{options}");
        let samples = SampleSet::read(&path.join("a")).unwrap();
        assert!(!samples.latents.is_empty(), "{options}");
        succeeds(path, &["verify", "index", "a"]);
        succeeds(path, &["verify", "index", "a", "--brute-force"]);
    }
}

#[test]
fn wrong_values_are_refused_with_what_is_right() {
    let (folder, _) = workshop();
    let path = folder.path();
    fs_err::write(path.join("short.txt"), "01?\n").unwrap();
    fs_err::write(path.join("ones.txt"), "1???????\n".repeat(8)).unwrap();
    let generate = |options: &str, words: &[&str]| {
        let command = format!("generate index -w 3x3 -o none {options}");
        refuses(path, &split(&command), 2, words);
        assert!(!path.join("none").exists());
    };
    generate(
        "--fix short.txt",
        &["short.txt", "8 lines of 8 characters", "1 lines"],
    );
    generate(
        "--fix missing.txt",
        &["--fix", "missing.txt", "a file with a pattern"],
    );
    generate("--fix ones.txt --fix 0,0=0", &["contradict", "position 0"]);
    generate("--fix-from latents:3", &["--keep"]);
    generate("--keep 0..3", &["--fix-from"]);
    generate(
        "--fix-from latents --keep 0..3",
        &["--fix-from", "LATENTS:ID"],
    );
    generate(
        "--fix-from latents:x --keep 0..3",
        &["--fix-from", "LATENTS:ID"],
    );
    generate(
        "--fix-from latents:30 --keep 0..3",
        &["no latent 30", "holds 30"],
    );
    generate("--fix-from nobody:3 --keep 0..3", &["nobody"]);
    for keep in [
        "",
        "3",
        "0..9",
        "3..3",
        "4..2",
        "0..3,0..9",
        "0..3,0..3,0..3",
        "a..b",
        "0..3,",
        "-1..3",
    ] {
        let keep = format!("--keep={keep}");
        let arguments = split("generate index -w 3x3 -o none --fix-from latents:3");
        refuses(
            path,
            &[&arguments[..], &[&keep]].concat(),
            2,
            &["--keep", "0..8,0..4", "8x8x1"],
        );
    }
    for label in ["x", "1.5", ""] {
        let label = format!("--label={label}");
        refuses(
            path,
            &["generate", "labelled", "-o", "none", &label],
            2,
            &["--label"],
        );
    }
    for temperature in ["0", "-1", "nan", "inf", "warm"] {
        let option = format!("--temperature={temperature}");
        generate(&option, &["--temperature", "a number above 0"]);
    }
    for min_count in ["0", "-1", "some"] {
        generate(&format!("--min-count={min_count}"), &["--min-count"]);
    }
    for restart in ["-1", "sometimes", "1.5"] {
        generate(
            &format!("--restart={restart}"),
            &["--restart", "a number or none"],
        );
    }
    generate("--backoff never", &["on-no-match", "on-dead-end"]);
    for method in ["chronological", "backjump"] {
        generate(
            &format!("--backoff on-dead-end --search {method}"),
            &["--search row"],
        );
    }
    generate("-w 5x5", &["larger one first"]);
    generate("-w 3x3", &["each once"]);
    generate("--max-states 1", &["--max-states"]);
    generate("--all --distinct", &["--all", "--distinct"]);
    generate("--count", &["--count", "--output"]);
    for option in ["--novel", "--distinct", "-n 3", "--all", "--png p.png"] {
        let command = format!("generate index -w 3x3 --count {option}");
        refuses(
            path,
            &split(&command),
            2,
            &["--count", split(option)[0].trim_start_matches('-')],
        );
    }
    let dead_end = split("generate index -w 5x5 -w 3x3 --count --backoff on-dead-end");
    refuses(path, &dead_end, 2, &["--all"]);
    refuses(path, &split("generate index -w 3x3"), 2, &["--output"]);
}
