//! The command as people and scripts meet it: exit codes, Ctrl-C, pipes, help.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::Duration;

use bitquilt::{Anchor, FixedBits, SampleSet, Window};

use crate::oracle::Grid;
use crate::support::*;

#[test]
fn no_is_exit_code_1_and_writes_nothing() {
    let folder = house();
    let path = folder.path();
    write_strangers(&path.join("strangers.safetensors"));
    let query = split("query index --latent 0 --of strangers.safetensors --at 0,4");
    let output = bitquilt(path, &query);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("no match"));

    let none = split("generate index -o none.safetensors --fix prefix=000");
    refuses(path, &none, 1, &["no sample exists", "proved"]);
    assert!(!path.join("none.safetensors").exists());

    for brute_force in [&[][..], &["--brute-force"]] {
        let verify = [
            &["verify", "index", "strangers.safetensors"][..],
            brute_force,
        ]
        .concat();
        let output = bitquilt(path, &verify);
        assert_eq!(output.status.code(), Some(1));
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(
            stdout.contains("not supported: sample 0, at 0,0,0, window seq:3"),
            "{stdout}"
        );
        let verify = [&["verify", "index", "latents.safetensors"][..], brute_force].concat();
        succeeds(path, &verify);
    }
}

/// From 111, the value tried first at position 4 decides: 0 is a dead end.
#[test]
fn a_spent_budget_is_exit_code_1_and_writes_nothing() {
    let folder = house();
    let mut codes = [0, 0];
    for seed in 0..12 {
        let seed = seed.to_string();
        let generate = [
            "generate",
            "index",
            "-n",
            "1",
            "--search",
            "backjump",
            "--max-backtracks",
            "0",
            "--fix",
            "prefix=111",
            "--seed",
            &seed,
            "-o",
            &seed,
        ];
        let output = bitquilt(folder.path(), &generate);
        let code = output.status.code().unwrap();
        codes[code as usize] += 1;
        assert_eq!(folder.path().join(&seed).exists(), code == 0);
        if code == 1 {
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            for word in ["within the budget", "--max-backtracks", "smaller window"] {
                assert!(stderr.contains(word), "{stderr}");
            }
        }
    }
    assert!(codes[0] > 0 && codes[1] > 0, "{codes:?}");
}

#[test]
fn same_seed_same_bytes() {
    let folder = small_folder();
    let path = folder.path();
    let grid = Grid {
        height: 12,
        width: 12,
        channels: 2,
    };
    let mut random = Random(21);
    let latents: Vec<Vec<bool>> = (0..50)
        .map(|_| {
            let period = 2 + random.below(5);
            (0..288)
                .map(|i| (i % period == 0) != (random.below(30) == 0))
                .collect()
        })
        .collect();
    set_of(grid, &latents)
        .write(&path.join("latents.safetensors"))
        .unwrap();
    succeeds(
        path,
        &["build", "latents.safetensors", "-o", "index", "-w", "3x3"],
    );
    let run = |name: &str, more: &[&str]| {
        let generate = [
            "generate", "index", "-n", "40", "-o", name, "--fix", "5,5,1=1",
        ];
        succeeds(path, &[&generate[..], more].concat());
        fs_err::read(path.join(name)).unwrap()
    };
    let first = run("a", &["--seed", "9"]);
    assert!(first == run("b", &["--seed", "9"]));
    assert!(first == run("c", &["--seed", "9", "--threads", "1"]));
    assert!(first == run("d", &["--seed", "9", "--threads", "2"]));
    // Whatever lies in memory.
    for preload in ["none", "all"] {
        assert!(first == run(preload, &["--seed", "9", "--preload", preload]));
    }
    assert!(first != run("e", &["--seed", "10"]));
    let samples = SampleSet::read(&path.join("a")).unwrap();
    let fixed = samples.latents.shape().position(5, 5, 1);
    assert_eq!(samples.latents.len(), 40);
    assert!((0..40).all(|id| samples.latents.latent(id)[fixed]));
    assert!(succeeds(path, &["verify", "index", "a"]).contains("40 fixed"));
}

#[test]
fn fixed_bits_are_where_they_were_asked_for() {
    let folder = house();
    let fixes = split("generate index -o samples --fix prefix=111 --fix 0,5=1");
    succeeds(folder.path(), &fixes);
    let samples = SampleSet::read(&folder.path().join("samples")).unwrap();
    assert_eq!(samples.latents.len(), 64);
    let found: BTreeSet<_> = (0..64)
        .map(|id| unpacked(samples.latents.packed_latent(id), 6))
        .collect();
    // After 1110 both values are supported, and the fixed 1 needs no support: after 100 it has none.
    assert_eq!(found, BTreeSet::from(["111001", "111011"].map(bits)));
    let mut fixed = FixedBits::prefix([true, true, true]);
    fixed.fix(5, true).unwrap();
    let answered = samples.answered_by.unwrap();
    let expected: Vec<u8> = (0..6).map(|p| u8::from(fixed.get(p).is_none())).collect();
    assert_eq!(answered, expected.repeat(64));
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let folder = house();
    for arguments in [
        &["info", "index"][..],
        &["info", "index", "--json"],
        &["query", "index", "--latent", "0", "--at", "0,3"],
        &["verify", "index"],
        &["generate", "index", "-o", "new.safetensors", "--json"],
    ] {
        // Closed before the program starts: it cannot write before that by chance.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(BITQUILT)
            .current_dir(folder.path())
            .args(arguments)
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panic"), "{stderr}");
    }
}

#[test]
fn every_verb_has_help_with_an_example() {
    let folder = small_folder();
    let help = succeeds(folder.path(), &["--help"]);
    assert!(help.contains("Examples:"), "{help}");
    for verb in [
        "import",
        "build",
        "info",
        "query",
        "generate",
        "trace",
        "verify",
        "decode",
        #[cfg(feature = "neural")]
        "encode",
        #[cfg(feature = "neural")]
        "train",
        "eval",
    ] {
        assert!(
            help.contains(&format!("  {verb} ")),
            "{verb} is missing in {help}"
        );
        let own = succeeds(folder.path(), &[verb, "--help"]);
        assert!(own.contains("Example"), "{own}");
        assert!(own.contains(&format!("  bitquilt {verb} ")), "{own}");
    }
    assert!(succeeds(folder.path(), &["--version"]).contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn quiet_says_nothing_but_results_and_verbose_what_stages_took() {
    let folder = house();
    let path = folder.path();
    let told = |options: &str| {
        let trace = format!("trace index samples.safetensors --limit 1 {options}");
        let output = bitquilt(path, &split(&trace));
        assert_eq!(output.status.code(), Some(0));
        assert!(!output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(told("").starts_with("note: "));
    assert_eq!(told("--quiet"), "");
    assert_eq!(told("-q"), "");
    let verbose = told("-v");
    assert!(
        verbose.contains("trace: ") && verbose.contains(" s\n"),
        "{verbose}"
    );
    refuses(
        path,
        &split("info index -q -v"),
        2,
        &["--quiet", "--verbose"],
    );
    // Errors are told whatever is asked.
    refuses(path, &split("info nothing -q"), 2, &["nothing"]);
}

#[test]
fn completions_and_manual_pages_know_every_verb() {
    let folder = small_folder();
    let path = folder.path();
    for shell in ["bash", "zsh", "fish"] {
        let script = succeeds(path, &["completions", shell]);
        for word in ["generate", "verify", "max-backtracks"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
    }
    refuses(path, &["completions", "ed"], 2, &["bash", "zsh", "fish"]);
    fs_err::create_dir(path.join("man1")).unwrap();
    succeeds(path, &["man", "man1"]);
    for page in ["bitquilt.1", "bitquilt-generate.1", "bitquilt-trace.1"] {
        let page = fs_err::read_to_string(path.join("man1").join(page)).unwrap();
        assert!(
            page.starts_with(".ie") && page.contains(".TH bitquilt"),
            "{page}"
        );
    }
    refuses(
        path,
        &["man", "nowhere"],
        2,
        &["nowhere", "create it first"],
    );
}

#[cfg(not(feature = "neural"))]
#[test]
fn a_program_without_networks_says_how_to_get_them() {
    let folder = house();
    let path = folder.path();
    let help = succeeds(path, &["--help"]);
    let generate = succeeds(path, &["generate", "--help"]);
    assert!(!help.contains("  train") && !generate.contains("--fallback"));
    for command in [
        "train",
        "train arvm index --window 3x3 -o run",
        "train --help",
        "encode images --model run -o codes.safetensors",
        "eval arvm run index",
        "generate index -o new.safetensors --fallback run",
        "generate index -o new.safetensors --fallback=run --policy always",
        "generate index -o new.safetensors --png new.png --model run",
        "decode samples.safetensors -o new.png --model run",
        "trace index samples.safetensors --png new.png --model run --device cpu",
    ] {
        let words = [
            "built without the networks",
            "tools/build-neural",
            "--features neural",
        ];
        refuses(path, &split(command), 2, &words);
    }
}

/// A limit that leaves room for the program, and none for the files of an index.
#[test]
fn too_few_open_files_are_told_with_how_many_are_needed() {
    let folder = house();
    let path = folder.path();
    let before = files_of(path);
    for command in [
        "info index",
        "verify index",
        "build latents.safetensors -o new -w seq:3",
    ] {
        let mut told = Vec::new();
        for limit in [4, 8, 12, 16, 20] {
            let output = Command::new("sh")
                .current_dir(path)
                .args([
                    "-c",
                    &format!("ulimit -n {limit}; exec \"$0\" \"$@\""),
                    BITQUILT,
                ])
                .args(split(command))
                .output()
                .unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            // With 4 not even the dynamic linker may open what it needs.
            if !output.status.success() && stderr.starts_with("bitquilt:") {
                assert_eq!(
                    output.status.code(),
                    Some(2),
                    "{command}, {limit}: {stderr}"
                );
                assert!(stderr.contains("ulimit -n"), "{command}, {limit}: {stderr}");
                told.push(limit);
            }
            let _ = fs_err::remove_dir_all(path.join("new"));
            assert!(files_of(path) == before, "{command}, {limit}");
        }
        assert!(!told.is_empty(), "{command}: the limit was never met");
    }
}

/// Stopped by Ctrl-C, a verb says what that means for what it was doing, and does not speak of builds.
#[test]
fn ctrl_c_is_told_in_the_words_of_the_verb() {
    let folder = small_folder();
    let path = folder.path();
    let mut random = Random(5);
    let grid = Grid {
        height: 28,
        width: 28,
        channels: 1,
    };
    let latents: Vec<Vec<bool>> = (0..2_000)
        .map(|_| (0..784).map(|_| random.bit()).collect())
        .collect();
    set_of(grid, &latents)
        .write(&path.join("latents.safetensors"))
        .unwrap();
    let build = split("build latents.safetensors -o index -w 9x9");
    succeeds(path, &build);
    for (command, expected) in [
        (
            "build latents.safetensors -o other -w 7x7 -w 9x9",
            "the same command goes on",
        ),
        ("verify index --brute-force", "nothing is proved"),
        (
            "trace index latents.safetensors -o trace.json",
            "nothing is written",
        ),
        (
            "trace index latents.safetensors --json",
            "printed is not whole",
        ),
        (
            "generate index -n 2 --novel --preload all -o samples.safetensors",
            "nothing is written",
        ),
        (
            "audit index latents.safetensors --against latents.safetensors -o report",
            "nothing is written",
        ),
        (
            "trace index latents.safetensors --against latents.safetensors -o trace.json",
            "nothing is written",
        ),
    ] {
        // From short to long, until the signal comes while it works: a build's first moments are not watched.
        let mut after = Duration::from_millis(8);
        let told = loop {
            let child = Command::new(BITQUILT)
                .current_dir(path)
                .args(split(command))
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let output = interrupted(child, after);
            let told = output.filter(|output| output.status.code() == Some(130));
            let told = told.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
            if let Some(told) = told.filter(|told| told.contains("bitquilt:")) {
                break told;
            }
            let _ = fs_err::remove_dir_all(path.join("other"));
            let _ = fs_err::remove_dir_all(path.join("report"));
            let _ = fs_err::remove_file(path.join("trace.json"));
            let _ = fs_err::remove_file(path.join("samples.safetensors"));
            after = after.mul_f64(1.25);
            assert!(
                after < Duration::from_secs(20),
                "{command}: never stopped at work"
            );
        };
        let last = told.lines().last().unwrap();
        assert!(
            last.contains("stopped: ") && last.contains(expected),
            "{command}: {told}"
        );
        let builds = command.starts_with("build");
        assert_eq!(told.contains("goes on"), builds, "{command}: {told}");
        for output in ["trace.json", "samples.safetensors", "report"] {
            assert!(!path.join(output).exists(), "{command}: {output}");
        }
    }
}

/// Results to stdout, messages to stderr, and no progress bar where nobody sees it.
#[test]
fn a_pipe_sees_results_and_nothing_else() {
    let folder = house();
    for arguments in [
        &["build", "latents.safetensors", "-o", "new", "-w", "seq:2"][..],
        &["generate", "index", "-o", "new.safetensors"],
        &["verify", "index", "new.safetensors"],
        &["info", "index"],
    ] {
        let output = bitquilt(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(
            output.stderr.is_empty(),
            "{arguments:?}: {:?}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(!output.stdout.is_empty() && !output.stdout.contains(&0x1b));
    }
}

/// Sends SIGINT to a program that was started, after a while. `None` when it does not end within ten seconds: where SIGINT is
/// ignored, as in a shell's background, one that comes before the program listens is lost.
fn interrupted(mut child: std::process::Child, after: Duration) -> Option<std::process::Output> {
    std::thread::sleep(after);
    let _ = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .stderr(Stdio::null())
        .status();
    let sent = std::time::Instant::now();
    while child.try_wait().unwrap().is_none() {
        if sent.elapsed() > Duration::from_secs(10) {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Some(child.wait_with_output().unwrap())
}

#[test]
fn ctrl_c_keeps_the_samples_found_so_far() {
    let folder = small_folder();
    let path = folder.path();
    let grid = Grid {
        height: 24,
        width: 24,
        channels: 1,
    };
    let mut random = Random(33);
    let latents: Vec<Vec<bool>> = (0..200)
        .map(|_| {
            let (period, slope) = (2 + random.below(6), random.below(3));
            let bit = |i: u64| (i % 24 + i / 24 * slope).is_multiple_of(period);
            (0..576)
                .map(|i| bit(i) != (random.below(40) == 0))
                .collect()
        })
        .collect();
    let (built, _) = built(
        &set_of(grid, &latents),
        &["3x3".parse::<Window>().unwrap()],
        Anchor::None,
    );
    copy_folder(&built.path().join("index"), &path.join("index"));
    let arguments = split(
        "generate index -n 10000000 --search chronological --max-backtracks none -o new.safetensors",
    );
    // A slow machine may need longer for its first sample, or to start at all: then once more, with more time.
    let mut after = Duration::from_millis(300);
    loop {
        // Killed by the signal before it could listen to it, it has no code.
        let output = interrupted(start(path, &arguments), after);
        let code = output.and_then(|output| output.status.code());
        assert!(matches!(code, None | Some(130)), "{code:?}");
        if path.join("new.safetensors").exists() {
            break;
        }
        after *= 4;
        assert!(
            after < Duration::from_secs(60),
            "no sample in all that time"
        );
    }
    let samples = SampleSet::read(&path.join("new.safetensors")).unwrap();
    assert!(!samples.latents.is_empty());
    succeeds(path, &["verify", "index", "new.safetensors"]);
    // Nothing but the index and the samples is there.
    let mut names: Vec<_> = fs_err::read_dir(path)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["index", "new.safetensors"]);
}
