//! Bad options: exit code 2, and a message that says what was expected and what to do.

use bitquilt::{Anchor, Window};

use crate::oracle::Grid;
use crate::support::*;

#[test]
fn a_window_that_cannot_be_is_refused() {
    let folder = house();
    let build = |windows: &[&str]| {
        let mut arguments = vec!["build", "latents.safetensors", "-o", "new"];
        arguments.extend(windows.iter().flat_map(|window| ["--window", window]));
        arguments.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let refuses = |windows: &[&str], words: &[&str]| {
        let arguments = build(windows);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        refuses(folder.path(), &arguments, 2, words);
        assert!(!folder.path().join("new").exists());
    };
    for window in ["seq:6", "13x13", "99999999x99999999", "101x101"] {
        if window != "99999999x99999999" {
            refuses(&[window], &[window, "larger", "1x6x1", "--window global"]);
        }
        refuses(&["seq:2", window], &["--window"]);
    }
    for window in [
        "4x4", "3x5", "1x1", "seq:0", "seq", "local", "", "seq:-3", "７x７",
    ] {
        refuses(
            &[window],
            &["is not a window", "seq:C", "CxC with C odd", "global"],
        );
    }
    refuses(
        &["seq:3", "seq:2", "seq:3"],
        &["window seq:3 was given twice"],
    );
}

#[test]
fn a_window_that_the_index_does_not_hold_is_refused() {
    let folder = house();
    for arguments in [
        &["generate", "two", "-w", "3x3", "-o", "new.safetensors"][..],
        &["query", "two", "-w", "3x3", "--latent", "0", "--at", "0,1"],
        &["verify", "two", "latents.safetensors", "-w", "3x3"],
    ] {
        let words = [
            "two",
            "no window 3x3",
            "seq:1, seq:2, seq:3",
            "build an index with --window 3x3",
        ];
        refuses(folder.path(), arguments, 2, &words);
    }
    // A samples file says itself which window answered.
    succeeds(
        folder.path(),
        &["build", "latents.safetensors", "-o", "other", "-w", "seq:2"],
    );
    let arguments = ["verify", "other", "samples.safetensors"];
    refuses(
        folder.path(),
        &arguments,
        2,
        &["other", "no window seq:3, only seq:1, seq:2"],
    );
}

#[test]
fn an_index_of_several_windows_asks_which() {
    let folder = house();
    for arguments in [
        &["generate", "two", "-o", "new.safetensors"][..],
        &["query", "two", "--latent", "0", "--at", "0,1"],
        &["verify", "two", "latents.safetensors"],
    ] {
        let words = ["two", "several windows", "--window", "seq:2, seq:3"];
        refuses(folder.path(), arguments, 2, &words);
    }
    // The file says it itself: asking for another one contradicts it.
    succeeds(folder.path(), &["verify", "two", "samples.safetensors"]);
    let arguments = ["verify", "two", "samples.safetensors", "-w", "seq:3"];
    refuses(
        folder.path(),
        &arguments,
        2,
        &["samples.safetensors", "--window", "leave it out"],
    );
}

#[test]
fn fixed_bits_that_cannot_be_read_are_refused() {
    let folder = house();
    let generate = |fixes: &[&str], words: &[&str]| {
        let mut arguments = vec!["generate", "index", "-o", "new.safetensors"];
        arguments.extend(fixes.iter().flat_map(|fix| ["--fix", fix]));
        refuses(folder.path(), &arguments, 2, words);
        assert!(!folder.path().join("new.safetensors").exists());
    };
    generate(&["0,2=0", "0,2=1"], &["contradict", "position 2"]);
    generate(&["prefix=111", "0,1=0"], &["contradict", "position 1"]);
    generate(&["0,1,0=0", "prefix=111"], &["contradict", "position 1"]);
    for off in ["1,0=1", "0,6=1", "0,0,1=1", "99999999999999999999,0=1"] {
        generate(&[off], &["--fix", off]);
    }
    generate(&["0,6=1"], &["not on a 1x6x1 grid"]);
    generate(&["prefix=1111111"], &["7 bits", "1x6x1"]);
    generate(&["prefix="], &["0 bits"]);
    for malformed in [
        "",
        "0,1",
        "0=1",
        "0,1,2,3=1",
        "a,b=1",
        "suffix=1",
        "0,-1=1",
        "=1",
    ] {
        generate(
            &[malformed],
            &["--fix", "expected prefix=BITS or ROW,COL=BIT"],
        );
    }
    for malformed in ["0,1=2", "prefix=10x"] {
        generate(&[malformed], &["--fix", "neither 0 nor 1"]);
    }
    for malformed in ["0,1=", "0,1=01"] {
        generate(&[malformed], &["--fix", "one bit"]);
    }

    // With two channels, which one must be said.
    let grid = Grid {
        height: 1,
        width: 2,
        channels: 2,
    };
    let (built, _) = built(
        &set_of(grid, &[bits("1011")]),
        &[Window::Global],
        Anchor::None,
    );
    let arguments = split("generate index -o new.safetensors --fix 0,1=1");
    refuses(
        built.path(),
        &arguments,
        2,
        &["2 channels", "ROW,COL,CHANNEL=BIT"],
    );
    let arguments = split("generate index -o new.safetensors --fix 0,1,1=1");
    succeeds(built.path(), &arguments);
}

#[test]
fn a_memory_limit_that_is_too_small_names_one_that_is_not() {
    let folder = house();
    let build = |memory: &str| {
        let memory = format!("--memory={memory}");
        let arguments = [
            "build",
            "latents.safetensors",
            "-o",
            "new",
            "-w",
            "seq:3",
            &memory,
        ];
        bitquilt(folder.path(), &arguments)
    };
    let refused = build("1MiB");
    let message = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{message}");
    assert!(message.contains("1048576 bytes is too small"), "{message}");
    let (_, min) = message.split_once("at least ").unwrap();
    let min: u64 = min.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(build(&(min - 1).to_string()).status.code(), Some(2));
    assert!(!folder.path().join("new").exists());
    assert_eq!(build(&min.to_string()).status.code(), Some(0));

    for malformed in [
        "",
        "lots",
        "GiB",
        "-1GiB",
        "1.5GiB",
        "1 TB?",
        "99999999999999999999",
    ] {
        let refused = build(malformed);
        let message = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{malformed}: {message}");
        assert!(message.contains("--memory"), "{malformed}: {message}");
    }
}

#[test]
fn a_query_off_the_grid_or_the_set_is_refused() {
    let folder = house();
    let query = |latent: &str, at: &str, words: &[&str]| {
        let at = format!("--at={at}");
        let arguments = ["query", "index", "--latent", latent, &at];
        refuses(folder.path(), &arguments, 2, words);
    };
    for latent in ["2", "4294967296", "18446744073709551615"] {
        query(latent, "0,1", &["index", "latents 0 to 1", latent]);
    }
    for at in ["1,0", "0,6", "0,0,1", "99999,0"] {
        query("0", at, &["--at", at, "1x6x1"]);
    }
    for at in [
        "",
        "1",
        "0,1,0,0",
        "x,y",
        "0;1",
        "-1,0",
        "99999999999999999999,0",
    ] {
        query("0", at, &["--at", "expected ROW,COL"]);
    }
    let of = split("query index --latent 4 --of samples.safetensors --at 0,1");
    refuses(folder.path(), &of, 2, &["samples.safetensors", "4 latents"]);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let folder = house();
    let generate = ["generate", "index", "-o", "new.safetensors"];
    for (option, word) in [
        (&["-n", "0"][..], "--samples"),
        (&["-n", "many"], "--samples"),
        (&["--seed=-1"], "--seed"),
        (&["--search", "magic"], "backjump"),
        (&["--max-backtracks", "few"], "number or none"),
        (&["--timeout", "soon"], "seconds"),
        (&["--timeout=-1"], "--timeout"),
        (&["--threads", "0"], "--threads"),
        (&["--png", "new.png"], "pixels"),
        (&["--colour"], "--colour"),
    ] {
        refuses(folder.path(), &[&generate[..], option].concat(), 2, &[word]);
    }
    refuses(
        folder.path(),
        &[
            "build",
            "latents.safetensors",
            "-o",
            "new",
            "-w",
            "seq:2",
            "--anchor",
            "sea",
        ],
        2,
        &["--anchor", "[possible values: none, site]"],
    );
    refuses(
        folder.path(),
        &["verify", "index", "--window", "seq:3"],
        2,
        &["SAMPLES"],
    );
    refuses(folder.path(), &["frobnicate"], 2, &["frobnicate"]);
    refuses(folder.path(), &[], 2, &["Usage"]);
}

/// A result takes its name by being renamed to it: a device or a folder of that name would be gone.
#[test]
fn an_output_that_is_no_file_is_refused_even_with_force() {
    let folder = house();
    fs_err::create_dir(folder.path().join("folder")).unwrap();
    for output in ["folder", "/dev/null"] {
        let arguments = ["generate", "index", "-o", output, "--force"];
        refuses(folder.path(), &arguments, 2, &[output, "name of a file"]);
    }
    assert!(folder.path().join("folder").is_dir());
}
