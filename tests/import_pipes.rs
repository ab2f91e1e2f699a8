//! Standard input and pipes: the same bits as from a file, and nothing left behind.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bitquilt::LatentSet;
use image::ImageFormat;

use crate::support::BITQUILT;
use crate::support::desk::{Desk, bits, npy, npz};
use crate::support::files::{cifar, gray, gzip, idx, noise};

fn codes(count: usize) -> Vec<u8> {
    noise(count, 6).iter().map(|value| value & 1).collect()
}

/// The program at work in a folder, its standard input open.
fn started(folder: &Path, arguments: &str) -> Child {
    Command::new(BITQUILT)
        .current_dir(folder)
        .args(arguments.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs the program with `input` on its standard input.
fn fed(folder: &Path, arguments: &str, input: &[u8]) -> Output {
    let mut child = started(folder, arguments);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that refuses early closes its end.
    let feeder = std::thread::spawn(move || stdin.write_all(&input).is_ok());
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    output
}

/// Everything in the folder, hidden or not.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn every_format_comes_in_through_standard_input_as_from_a_file() {
    let images = idx(&[3, 4, 5], &noise(60, 1));
    let array = npy("'|u1'", false, "(2, 3, 3)", &codes(18));
    let labels = npy("'|u1'", false, "(2,)", &[4, 7]);
    let mut png = std::io::Cursor::new(Vec::new());
    gray(9, 6, 3).write_to(&mut png, ImageFormat::Png).unwrap();
    // Larger than a pipe holds, and than what is read at a time.
    let large = npy("'|u1'", false, "(400, 28, 28)", &codes(400 * 784));
    for (name, content) in [
        ("i", images.clone()),
        ("i.gz", gzip(&images)),
        ("c.npy", array.clone()),
        ("c.npz", npz(&[("codes", array), ("labels", labels)])),
        ("a.bin", cifar(&[3, 5], 2)),
        ("a.png", png.into_inner()),
        ("large.npy", large),
    ] {
        let desk = Desk::new();
        desk.write(name, &content);
        let (expected, outcome) = desk.import(name);
        fs::remove_file(desk.path(name)).unwrap();
        for input in ["-", "/dev/stdin"] {
            let output = fed(
                &desk.path(""),
                &format!("import {input} -o out --force"),
                &content,
            );
            assert!(output.status.success(), "{name}: {output:?}");
            let set = LatentSet::read(&desk.path("out")).unwrap();
            assert_eq!(bits(&set), bits(&expected), "{name}");
            assert_eq!(
                (set.shape(), set.labels()),
                (expected.shape(), expected.labels())
            );
            assert_eq!(
                set.source(),
                expected.source().replacen(name, "standard input", 1)
            );
            assert_eq!(
                String::from_utf8_lossy(&output.stderr),
                outcome.stderr,
                "{name}"
            );
            assert_eq!(names(&desk.path("")), ["out"], "{name}");
        }
    }
}

#[test]
fn a_named_pipe_and_a_substituted_process_are_read_like_files() {
    let desk = Desk::new();
    let data = codes(18);
    desk.write("c.npy", npy("'|u1'", false, "(2, 3, 3)", &data));
    desk.write("l.npy", npy("'|u1'", false, "(2,)", &[4, 7]));
    let script = "mkfifo codes.pipe; cat c.npy > codes.pipe & \
                  \"$0\" import codes.pipe -o fifo --labels <(cat l.npy) && \
                  \"$0\" import <(cat c.npy) -o process && \
                  \"$0\" import c.npy --labels - -o labels < l.npy && \
                  \"$0\" import - -o redirected < c.npy";
    let output = Command::new("bash")
        .current_dir(desk.path(""))
        .args(["-c", script, BITQUILT])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let expected: Vec<bool> = data.iter().map(|bit| *bit == 1).collect();
    for (name, source, labels) in [
        ("fifo", "codes.pipe", Some(&[4, 7][..])),
        ("process", "a pipe", None),
        ("labels", "c.npy", Some(&[4, 7][..])),
        ("redirected", "standard input", None),
    ] {
        let set = LatentSet::read(&desk.path(name)).unwrap();
        assert_eq!(bits(&set), expected, "{name}");
        assert_eq!((set.source(), set.labels()), (source, labels));
    }
    let left = [
        "c.npy",
        "codes.pipe",
        "fifo",
        "l.npy",
        "labels",
        "process",
        "redirected",
    ];
    assert_eq!(names(&desk.path("")), left);
}

#[test]
fn what_is_wrong_with_standard_input_is_said_of_standard_input() {
    let good = npy("'|u1'", false, "(2, 3, 3)", &codes(18));
    let archive = npz(&[("codes", npy("'|u1'", false, "(2, 3, 3)", &[2; 18]))]);
    for (arguments, input, words) in [
        (
            "-",
            &[][..],
            &["standard input: expected IDX images", "an empty file"][..],
        ),
        (
            "-",
            &good[..good.len() - 1],
            &["standard input: expected", "truncated"],
        ),
        (
            "-",
            b"hello, world",
            &["standard input: expected", "68 65 6c 6c 6f"],
        ),
        (
            "-",
            &archive,
            &["standard input/codes: expected", "2 at [0, 0, 0]"],
        ),
        (
            "- --threshold 0.4",
            &good,
            &["standard input: expected images", "--threshold"],
        ),
        ("- -", &good, &["only once", "2 times"]),
        ("/dev/stdin --labels -", &good, &["only once", "2 times"]),
        (
            "- a.png",
            &good,
            &["a.png", "standard input is an array (.npy)"],
        ),
        ("/dev/null", &good, &["/dev/null", "a folder or a device"]),
    ] {
        let desk = Desk::new();
        desk.draw("a.png", gray(3, 3, 1));
        let output = fed(&desk.path(""), &format!("import {arguments} -o out"), input);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments}: {stderr}");
        for word in words {
            assert!(
                stderr.contains(word),
                "{arguments}: no '{word}' in {stderr}"
            );
        }
        assert!(!stderr.contains(".bitquilt-"), "{stderr}");
        assert_eq!(names(&desk.path("")), ["a.png"]);
    }
}

#[test]
fn ctrl_c_ends_the_wait_for_a_pipe_that_says_nothing() {
    let desk = Desk::new();
    let mut child = started(&desk.path(""), "import - -o out");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"\x93NUMPY").unwrap();
    stdin.flush().unwrap();
    // It waits once its temporary folder is there.
    let begun = Instant::now();
    while names(&desk.path("")).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "never began");
        std::thread::sleep(Duration::from_millis(20));
    }
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success(), "it ended by itself");
    // The pipe stays open all the while.
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("stopped; nothing written"), "{stderr}");
    assert!(names(&desk.path("")).is_empty());
}

#[test]
fn a_disk_too_full_for_what_a_pipe_sends_is_said() {
    let desk = Desk::new();
    desk.write(
        "c.npy",
        npy("'|u1'", false, "(400, 28, 28)", &codes(400 * 784)),
    );
    let script = format!("cat c.npy | {BITQUILT} import - -o out");
    let output = Command::new("bash")
        .current_dir(desk.path(""))
        .args(["-c", &format!("trap '' XFSZ; ulimit -f 50; {script}")])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    for word in [
        ".: cannot keep here what comes from standard input",
        "bytes so far",
        "where there is room",
    ] {
        assert!(stderr.contains(word), "no '{word}' in {stderr}");
    }
    assert_eq!(names(&desk.path("")), ["c.npy"]);
}
