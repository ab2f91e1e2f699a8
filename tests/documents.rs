//! The JSON that the command prints and writes: its schemas, and the names that scripts stand on.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::*;

/// The JSON that a command prints, whatever its exit code, which must be `code`.
fn json_of(folder: &Path, arguments: &[&str], code: i32) -> Value {
    let output = bitquilt(folder, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Every JSON document that the program prints or writes, by the name of its schema.
fn documents(folder: &Path) -> BTreeMap<&'static str, Vec<Value>> {
    write_strangers(&folder.join("strangers.safetensors"));
    let generate = split("generate index -n 3 -o new.safetensors --json");
    let none = split("generate index -n 2 -o none.safetensors --json --fix prefix=000");
    let query = ["query", "index", "--latent", "0", "--at", "0,3", "--json"];
    let no_match = split("query index --latent 0 --of strangers.safetensors --at 0,4 --json");
    let build = split("build latents.safetensors -o second -w seq:2 -w global --json");
    let set_aside = split("build latents.safetensors -o third -w seq:2 --hold-out 1 --json");
    let all = split("generate two -w seq:3 -w seq:2 -o all.safetensors --all --json");
    let cut = split("generate index -o cut.safetensors --all -n 2 --json");
    let count = split("generate index --count --json --fix prefix=111");
    let some = split("generate index --count --json --max-counted-states 0");
    let generated = vec![
        json_of(folder, &generate, 0),
        json_of(folder, &none, 1),
        json_of(folder, &all, 0),
        json_of(folder, &cut, 1),
        json_of(folder, &count, 0),
        json_of(folder, &some, 1),
    ];
    let manifest = fs_err::read(folder.join("index/manifest.json")).unwrap();
    let mut documents = BTreeMap::from([
        (
            "build",
            vec![json_of(folder, &build, 0), json_of(folder, &set_aside, 0)],
        ),
        (
            "audit",
            vec![json_of(
                folder,
                &split(
                    "audit index new.safetensors --against strangers.safetensors -o report --json",
                ),
                0,
            )],
        ),
        ("generate", generated),
        (
            "info",
            vec![json_of(folder, &["info", "index", "--json"], 0)],
        ),
        ("manifest", vec![serde_json::from_slice(&manifest).unwrap()]),
        (
            "query",
            vec![json_of(folder, &query, 0), json_of(folder, &no_match, 1)],
        ),
        (
            "verify",
            vec![
                json_of(folder, &["verify", "index", "--json"], 0),
                json_of(folder, &["verify", "index", "new.safetensors", "--json"], 0),
                json_of(
                    folder,
                    &["verify", "index", "strangers.safetensors", "--json"],
                    1,
                ),
            ],
        ),
    ]);
    for command in [
        "trace index new.safetensors --json",
        "trace two new.safetensors -w seq:2 --brief -o trace.json --json",
        "trace index strangers.safetensors --json --top all --limit 2",
        "trace index new.safetensors --json --against strangers.safetensors --save-calibration line.json --false-alarms 0.5",
    ] {
        documents
            .entry("trace")
            .or_insert_with(Vec::new)
            .push(json_of(folder, &split(command), 0));
    }
    let line = fs_err::read(folder.join("line.json")).unwrap();
    documents.insert("calibration", vec![serde_json::from_slice(&line).unwrap()]);
    let labels = worked_example().set().with_labels(vec![5, -2]).unwrap();
    labels.write(&folder.join("labels.safetensors")).unwrap();
    let labelled = split("build labels.safetensors -o labelled -w seq:3 --condition label --json");
    let query = split("query labelled --latent 1 --at 0,5 --json");
    let mut add = |name, document| {
        documents
            .entry(name)
            .or_insert_with(Vec::new)
            .push(document)
    };
    add("build", json_of(folder, &labelled, 0));
    add("query", json_of(folder, &query, 0));
    add("info", json_of(folder, &["info", "labelled", "--json"], 0));
    let manifest = fs_err::read(folder.join("labelled/manifest.json")).unwrap();
    add("manifest", serde_json::from_slice(&manifest).unwrap());
    // Pyramids: 1x3 pooled above 1x6.
    let stack = split("stack latents.safetensors --pool any:1x3 -o pyramids.safetensors --json");
    add("stack", json_of(folder, &stack, 0));
    let plan = "part plan pyramids.safetensors -o work --depth 3x3 --maps 1 --parts 1 --json";
    add("part", json_of(folder, &split(plan), 0));
    let plan = fs_err::read(folder.join("work/plan.json")).unwrap();
    add("plan", serde_json::from_slice(&plan).unwrap());
    for (name, command) in [
        ("part", "part status work --json"),
        ("part", "part map work 0 --json"),
        ("part", "part reduce work 0 --json"),
        ("part", "part reduce work 1 --json"),
        ("part", "part publish work -o merged --json"),
        (
            "part",
            "part join new.safetensors -o joined.safetensors --json",
        ),
        ("build", "build pyramids.safetensors -o pyramids --json"),
        ("info", "info pyramids --json"),
        (
            "generate",
            "generate pyramids -n 2 -o details.safetensors --json",
        ),
        ("query", "query pyramids --latent 0 --at 1:0,3 --json"),
        ("trace", "trace pyramids details.safetensors --json"),
        (
            "counts",
            "eval counts pyramids --held-out details.safetensors --json",
        ),
        (
            "audit",
            "audit pyramids details.safetensors --against details.safetensors -o reports --json --false-alarms 0.9",
        ),
        ("counts", "eval counts index --json"),
        (
            "windows",
            "eval windows pyramids --held-out details.safetensors --json",
        ),
        (
            "windows",
            "eval windows index --held-out latents.safetensors --json",
        ),
        (
            "query",
            "query index --latent 0 --at 0,3 --window longest --json",
        ),
    ] {
        add(name, json_of(folder, &split(command), 0));
    }
    let manifest = fs_err::read(folder.join("pyramids/manifest.json")).unwrap();
    add("manifest", serde_json::from_slice(&manifest).unwrap());
    let table = table_of(&folder.join("second/db"));
    let mut bytes = fs_err::read(&table).unwrap();
    bytes[9] ^= 1;
    fs_err::write(&table, bytes).unwrap();
    let damaged = json_of(folder, &["verify", "second", "--json"], 1);
    documents.get_mut("verify").unwrap().push(damaged);
    documents
}

#[test]
fn every_document_is_what_its_schema_says() {
    let folder = house();
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    for (name, documents) in documents(folder.path()) {
        let path = schemas.join(format!("{name}.schema.json"));
        let schema = fs_err::read(&path).unwrap_or_else(|error| panic!("{error}"));
        let schema = serde_json::from_slice(&schema).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for document in documents {
            let wrong: Vec<_> = validator
                .iter_errors(&document)
                .map(|e| e.to_string())
                .collect();
            assert!(wrong.is_empty(), "{name}: {wrong:#?} in {document:#}");
        }
        // A schema that allows anything would prove nothing.
        for nonsense in [json!({}), json!(null), json!([{}]), json!("index")] {
            assert!(!validator.is_valid(&nonsense), "{name} allows {nonsense}");
        }
    }
}

/// DESIGN §8: scripts and other programs stand on these names.
#[test]
fn documents_have_the_names_that_scripts_stand_on() {
    let folder = house();
    let documents = documents(folder.path());
    let has = |value: &Value, names: &[&str]| {
        for name in names {
            assert!(value.get(name).is_some(), "no {name} in {value:#}");
        }
    };
    let info = &documents["info"][0];
    has(
        &info["windows"][0],
        &["window", "contexts", "distinct", "ambiguous", "bytes"],
    );
    assert_eq!(info["latents"], 2);
    assert_eq!(info["named"], json!(["seq:3"]));
    assert_eq!(info["windows"][2]["window"], "seq:3");
    assert_eq!(info["windows"][2]["contexts"], 12);
    // 4 full contexts, and 1, 1 and 2 behind the edge.
    assert_eq!(info["windows"][2]["distinct"], 8);
    assert_eq!(info["windows"][2]["ambiguous"], 3);

    let query = &documents["query"][0];
    has(
        query,
        &["window", "channel", "border", "n0", "n1", "postings"],
    );
    assert_eq!(query["window"], "seq:3");
    assert_eq!(
        (&query["channel"], &query["border"]),
        (&json!(0), &json!([3]))
    );
    // 101 was followed by 1 in latent 0 at 3, by 0 in latent 1 at 5.
    assert_eq!((&query["n0"], &query["n1"]), (&json!(1), &json!(1)));
    assert_eq!(query["postings"], json!([[1, 5], [0, 3]]));
    let no_match = &documents["query"][1];
    assert_eq!((&no_match["n0"], &no_match["n1"]), (&json!(0), &json!(0)));
    assert_eq!(no_match["postings"], json!([]));

    // Under the label of latent 1, 101 was followed by 0 alone, in that latent.
    let labelled = &documents["query"][2];
    assert_eq!((&labelled["n0"], &labelled["n1"]), (&json!(1), &json!(0)));
    assert_eq!(labelled["postings"], json!([[1, 5]]));
    assert_eq!(labelled["label"], -2);
    assert!(query.get("label").is_none());
    let [info, labelled, _] = &documents["info"][..] else {
        panic!("three indexes");
    };
    assert_eq!(
        (&info["condition"], &info["label_values"]),
        (&json!("none"), &json!([]))
    );
    assert_eq!(
        (&labelled["condition"], &labelled["label_values"]),
        (&json!("label"), &json!([-2, 5]))
    );

    let [some, none, all, cut, count, part, _] = &documents["generate"][..] else {
        panic!("seven runs");
    };
    for (number, attempts) in [some, none].into_iter().enumerate() {
        let attempts = attempts.as_array().unwrap();
        assert_eq!(attempts.len(), 3 - number);
        for (index, attempt) in attempts.iter().enumerate() {
            has(
                attempt,
                &["index", "status", "lookups", "backtracks", "seconds"],
            );
            assert_eq!(attempt["index"], index);
            assert_eq!(attempt["status"], ["sample", "none exists"][number]);
            assert!(attempt["lookups"].as_u64().unwrap() >= 1);
        }
    }

    for (attempts, last) in [(all, "none exists"), (cut, "budget spent")] {
        let (end, found) = attempts.as_array().unwrap().split_last().unwrap();
        assert_eq!(end["status"], last);
        assert!(end.get("bits").is_none());
        assert!(found.iter().all(|attempt| attempt["status"] == "sample"));
    }
    assert_eq!(cut.as_array().unwrap().len(), 3);
    // Which window answered how many of the six bits.
    let bits = &all[0]["bits"];
    has(bits, &["seq:3", "seq:2", "fixed"]);
    let sum: u64 = bits
        .as_object()
        .unwrap()
        .values()
        .filter_map(Value::as_u64)
        .sum();
    assert_eq!((sum, &bits["fixed"]), (6, &json!(0)));
    has(
        count,
        &["count", "complete", "lookups", "states", "seconds"],
    );
    assert_eq!(
        (&count["count"], &count["complete"]),
        (&json!("2"), &json!(true))
    );
    assert_eq!(
        (&part["count"], &part["complete"]),
        (&json!("0"), &json!(false))
    );

    let build = &documents["build"][0];
    assert_eq!(build["latents"], 2);
    assert_eq!(build["windows"], json!(["seq:2", "global"]));
    has(
        &build["arrays"][0],
        &[
            "direction",
            "depth",
            "blocks",
            "bytes",
            "windows",
            "seconds",
            "parts",
            "resumed",
        ],
    );

    let [index, proved, unproved, damaged] = &documents["verify"][..] else {
        panic!("four verifications");
    };
    assert_eq!(index["verified"], true);
    assert_eq!(
        (&proved["verified"], &proved["unsupported"]),
        (&json!(true), &json!([]))
    );
    assert_eq!(
        (&proved["samples"], &proved["checked"]),
        (&json!(3), &json!(18))
    );
    assert_eq!(damaged["verified"], false);
    // 000000: no latent starts with 0, and no window of it was ever seen. 101010: 010 never was, while
    // the 101 after it was.
    assert_eq!(unproved["verified"], false);
    let listed: Vec<_> = unproved["unsupported"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bit| {
            (
                bit["sample"].as_u64().unwrap(),
                bit["position"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        listed,
        [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (2, 4)]
    );
    assert_eq!(unproved["unsupported"][0]["window"], "seq:3");
}
