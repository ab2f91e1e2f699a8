//! `bitquilt trace` through the real program: what it writes, and what it refuses.

use serde_json::Value;

use crate::support::*;

fn trace_of(path: &std::path::Path) -> Value {
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

#[test]
fn the_worked_example_is_traced_to_its_two_latents() {
    let folder = house();
    let path = folder.path();
    succeeds(
        path,
        &split("generate index --all --fix prefix=111 -o both.safetensors --force"),
    );
    let printed = succeeds(path, &split("trace index both.safetensors -o trace.json"));
    assert!(
        printed.contains("2 samples 1x6x1, traced to 2 training latents at seq:3"),
        "{printed}"
    );
    let trace = trace_of(&path.join("trace.json"));
    assert_eq!(trace["format"], "bitquilt.trace");
    assert_eq!(trace["copy_line"], 12f64.log2());
    // 111010 is latent 1; 111011 is new.
    let samples = trace["samples"].as_array().unwrap();
    let exact: Vec<_> = samples
        .iter()
        .map(|s| &s["summary"]["nearness"]["exact_copies"])
        .collect();
    assert_eq!(exact.iter().filter(|ids| ids[0] == 1).count(), 1);
    assert_eq!(exact.iter().filter(|ids| ids[0].is_null()).count(), 1);
    assert_eq!(trace["summary"]["exact_copies"], 1);
    let new = samples
        .iter()
        .find(|s| {
            s["summary"]["exact_copies"].is_null()
                && s["summary"]["nearness"]["exact_copies"][0].is_null()
        })
        .unwrap();
    // The last bit, 1 behind 101, was seen in latent 0 at position 3: two sites further left.
    assert_eq!(new["bits"]["postings"][5], serde_json::json!([[0, 3]]));
    assert_eq!(new["bits"]["count"][5], 1);
    assert_eq!(
        new["bits"]["answered_by"],
        serde_json::json!([0, 0, 0, 1, 1, 1])
    );
    assert_eq!(new["summary"]["regions"], 2);
    assert_eq!(new["regions"][0]["latent"], 1);
    let second = &new["regions"][1];
    assert_eq!(
        (&second["latent"], &second["right"]),
        (&0.into(), &(-2).into())
    );
}

#[test]
fn brief_leaves_single_bits_out_and_all_tells_every_posting() {
    let folder = house();
    let path = folder.path();
    let of = |options: &str| {
        let command = format!("trace two samples.safetensors --json {options}");
        serde_json::from_str::<Value>(&succeeds(path, &split(&command))).unwrap()
    };
    assert!(of("--brief")["samples"][0].get("bits").is_none());
    for (options, max) in [("--top 0", 0), ("--top 1", 1), ("--top all", u64::MAX)] {
        let trace = of(&format!("-w seq:2 {options}"));
        let bits = &trace["samples"][0]["bits"];
        for (count, postings) in bits["count"]
            .as_array()
            .unwrap()
            .iter()
            .zip(bits["postings"].as_array().unwrap())
        {
            let count = count.as_u64().unwrap();
            assert_eq!(
                postings.as_array().unwrap().len() as u64,
                count.min(max),
                "{options}"
            );
        }
    }
    // One window named: its own; none, and a file that does not say: all but the smallest.
    assert_eq!(
        of("-w seq:2")["quilt_windows"],
        serde_json::json!(["seq:2"])
    );
    assert_eq!(of("")["quilt_windows"], serde_json::json!(["seq:3"]));
    assert_eq!(of("--limit 1")["samples"].as_array().unwrap().len(), 1);
    let strangers = "trace two latents.safetensors --json";
    let trace: Value = serde_json::from_str(&succeeds(path, &split(strangers))).unwrap();
    assert_eq!(trace["quilt_windows"], serde_json::json!(["seq:3"]));
    assert!(trace["samples"][0]["bits"]["answered_by"].is_null());
}

#[test]
fn bits_of_strangers_are_told_as_unsupported() {
    let folder = house();
    let path = folder.path();
    write_strangers(&path.join("strangers.safetensors"));
    let printed = succeeds(path, &split("trace index strangers.safetensors --json"));
    let trace: Value = serde_json::from_str(&printed).unwrap();
    // 000000: no latent begins with 0.
    let bits = &trace["samples"][0]["bits"];
    assert!(bits["window"][0].is_null() && bits["region"][0].is_null());
    assert_eq!(bits["count"][0], 0);
    assert!(trace["summary"]["supported"].as_f64().unwrap() < 1.0);
}

#[test]
fn what_cannot_be_traced_is_refused_and_nothing_is_written() {
    let folder = house();
    let path = folder.path();
    let grid = crate::oracle::Grid {
        height: 1,
        width: 9,
        channels: 1,
    };
    set_of(grid, &[vec![true; 9]])
        .write(&path.join("long.safetensors"))
        .unwrap();
    set_of(grid, &[])
        .write(&path.join("none.safetensors"))
        .unwrap();
    worked_example()
        .set()
        .with_labels(vec![5, -2])
        .unwrap()
        .write(&path.join("labels.safetensors"))
        .unwrap();
    succeeds(
        path,
        &split("build labels.safetensors -o labelled -w seq:3 --condition label"),
    );
    fs_err::write(path.join("taken.json"), "{}").unwrap();
    for (command, words) in [
        (
            "trace index missing.safetensors -o t.json",
            vec!["missing.safetensors"],
        ),
        (
            "trace missing samples.safetensors -o t.json",
            vec!["missing", "nothing of that name"],
        ),
        (
            "trace index none.safetensors -o t.json",
            vec!["none.safetensors", "at least one sample"],
        ),
        (
            "trace index long.safetensors -o t.json",
            vec!["long.safetensors", "1x6x1", "1x9x1", "square"],
        ),
        (
            "trace index samples.safetensors -w 7x7 -o t.json",
            vec!["7x7", "seq:3"],
        ),
        (
            "trace two samples.safetensors -w seq:2 -w seq:2 -o t.json",
            vec!["named twice"],
        ),
        (
            "trace labelled samples.safetensors -o t.json",
            vec!["no labels"],
        ),
        (
            "trace index samples.safetensors -o taken.json",
            vec!["taken.json", "--force"],
        ),
        (
            "trace index samples.safetensors -o no/t.json",
            vec!["no", "create it first"],
        ),
        (
            "trace index samples.safetensors --reach 0",
            vec!["--reach", "at least 1"],
        ),
        ("trace index samples.safetensors --limit 0", vec!["--limit"]),
        (
            "trace index samples.safetensors --brief --top 3",
            vec!["--brief"],
        ),
        (
            "trace index samples.safetensors --preload all --preload-memory 1",
            vec!["--preload-memory"],
        ),
        (
            "trace index samples.safetensors --png t.png --png-sources 99999999",
            vec!["--png t.png", "pixels", "--png-limit", "--png-sources"],
        ),
    ] {
        refuses(path, &split(command), 2, &words);
        assert!(!path.join("t.json").exists(), "{command}");
    }
    assert_eq!(fs_err::read(path.join("taken.json")).unwrap(), b"{}");
    succeeds(
        path,
        &split("trace index samples.safetensors -o taken.json --force"),
    );
    succeeds(path, &split("trace labelled labels.safetensors -o t.json"));
}

#[test]
fn a_trace_is_the_same_however_it_is_run() {
    let folder = small_folder();
    let path = folder.path();
    repetitive(EIGHT, 40, 1)
        .set()
        .write(&path.join("latents.safetensors"))
        .unwrap();
    repetitive(EIGHT, 50, 2)
        .set()
        .write(&path.join("others.safetensors"))
        .unwrap();
    succeeds(
        path,
        &split("build latents.safetensors -o index -w 3x3 -w 5x5 -w 9x9"),
    );
    let of = |options: &str| {
        let command = format!("trace index others.safetensors --json {options}");
        succeeds(path, &split(&command))
    };
    let first = of("--threads 1 --preload none");
    assert_eq!(first, of("--threads 4 --preload all"));
    succeeds(path, &split("trace index others.safetensors -o t.json"));
    assert_eq!(fs_err::read_to_string(path.join("t.json")).unwrap(), first);
}
