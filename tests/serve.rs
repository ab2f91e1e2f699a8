//! The explorer's answers: those of the command, of the latents that are meant, as the interface describes them.

use std::collections::BTreeMap;

use bitquilt::LatentSet;
use bitquilt::latent::Codec;
use serde_json::{Value, json};

use crate::oracle::{Grid, Latent};
use crate::support::desk::Desk;
use crate::support::served::Served;
use crate::support::*;

const SIDE: usize = 12;

/// Training latents, 40 samples of which the first five are copies of latents 3, 10, 17, 24 and 31, and held-out latents.
fn prepare() -> (Desk, LatentSet, LatentSet) {
    let desk = Desk::new();
    let mut random = Random(11);
    let grid = Grid {
        height: SIDE,
        width: SIDE,
        channels: 1,
    };
    let latents = spots(SIDE, 90, &mut random);
    let mut samples: Vec<_> = (0..5).map(|place| latents[3 + 7 * place].clone()).collect();
    samples.extend(spots(SIDE, 35, &mut random));
    let labels = |count: usize| (0..count).map(|id| (id % 3) as i64).collect();
    let pixels = |latents: &[Latent]| set_of(grid, latents).with_codec(Codec::Threshold);
    let training = pixels(&latents).with_labels(labels(90)).unwrap();
    let samples = pixels(&samples).with_labels(labels(40)).unwrap();
    training.write(&desk.path("latents")).unwrap();
    samples.write(&desk.path("samples.safetensors")).unwrap();
    set_of(grid, &spots(SIDE, 60, &mut random))
        .write(&desk.path("held-out"))
        .unwrap();
    let outcome = desk.run("build latents -o index --depth 7x7");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    (desk, training, samples)
}

fn json_of(desk: &Desk, line: &str) -> Value {
    let outcome = desk.run(line);
    assert_eq!(outcome.code, 0, "{line}: {outcome:?}");
    serde_json::from_str(&outcome.stdout).unwrap()
}

fn digits(bits: impl Iterator<Item = bool>) -> String {
    bits.map(|bit| if bit { '1' } else { '0' }).collect()
}

fn gray(png: &[u8]) -> (u32, u32, Vec<u8>) {
    let picture = image::load_from_memory(png).unwrap().to_luma8();
    (picture.width(), picture.height(), picture.into_raw())
}

#[test]
fn every_answer_is_that_of_the_command() {
    let (desk, _, _) = prepare();
    let judged = "--against held-out --false-alarms 0.05 --save-calibration calibration";
    let trace = json_of(
        &desk,
        &format!("trace index samples.safetensors {judged} --top 2 --json"),
    );
    let served = Served::start(
        &desk,
        "index samples.safetensors --calibration calibration --false-alarms 0.05",
    );
    assert_eq!(
        served.json("index")["info"],
        json_of(&desk, "info index --json")
    );
    for sample in 0..40 {
        let own = served.json(&format!("sets/samples/samples/{sample}?top=2"));
        assert_eq!(own["samples"], json!([trace["samples"][sample]]));
        for (name, value) in own.as_object().unwrap() {
            let same = name == "samples" || name == "summary" || *value == trace[name];
            assert!(same, "{name}: {value}");
        }
    }
    for (sample, position) in [(0, 0), (7, 77), (39, 143)] {
        let (row, col) = (position / SIDE, position % SIDE);
        let line = format!(
            "query index --of samples.safetensors --latent {sample} --at {row},{col} --json --top 3 -w"
        );
        for window in ["5x5", "longest"] {
            let outcome = desk.run(&format!("{line} {window}"));
            let expected: Value = serde_json::from_str(&outcome.stdout).unwrap();
            let path =
                format!("sets/samples/samples/{sample}/bits/{position}?window={window}&top=3");
            assert_eq!(served.json(&path), expected);
        }
    }
    let expected = json_of(&desk, "query index -w 3x3 --latent 8 --at 4,5 --json");
    let question = json!({ "window": "3x3", "latent": 8, "position": 4 * SIDE + 5 });
    assert_eq!(
        served.post_json("/api/v1/query", &question).json(),
        expected
    );
    desk.run("trace index samples.safetensors --calibration calibration --false-alarms 0.05 --png map.png --png-limit 1");
    let map = served.get("/api/v1/sets/samples/samples/0/map.png");
    assert_eq!(map.body, fs_err::read(desk.path("map.png")).unwrap());
}

#[test]
fn a_latent_that_is_left_out_was_never_there() {
    let (desk, _, _) = prepare();
    let served = Served::start(&desk, "index samples.safetensors");
    let with = served.json("sets/samples/samples/1");
    assert_eq!(
        with["samples"][0]["summary"]["nearness"]["exact_copies"],
        json!([10])
    );
    let expected = json_of(
        &desk,
        "trace index samples.safetensors --without 10 --top 0 --json",
    );
    let without = served.json("sets/samples/samples/1?without=10");
    assert_eq!(without["samples"][0], expected["samples"][1]);
    assert_eq!(without["without"], "10");
    assert_eq!(
        without["samples"][0]["summary"]["nearness"]["exact_copies"],
        json!([])
    );
    // Again, from what is kept; and the whole index answers as before.
    assert_eq!(served.json("sets/samples/samples/1?without=10"), without);
    assert_eq!(served.json("sets/samples/samples/1"), with);
    assert_eq!(
        served
            .get("/api/v1/sets/samples/samples/1?without=90")
            .status,
        400
    );
    assert_eq!(
        served
            .get("/api/v1/sets/samples/samples/1?without=x")
            .status,
        400
    );
}

#[test]
fn generated_samples_are_those_of_the_command() {
    let (desk, _, _) = prepare();
    let served = Served::start(&desk, "index");
    let expected = json_of(
        &desk,
        "generate index -w 7x7 -w 3x3 -n 6 --seed 5 --fix 0,0=1 --novel -o new.safetensors --json",
    );
    let request = json!({
        "windows": ["7x7", "3x3"], "samples": { "start": 0, "end": 6 }, "seed": 5, "fixed": [[0, true]], "novel": "finest",
    });
    let answer = served.post_json("/api/v1/generate", &request);
    assert_eq!(
        answer.header("content-type"),
        Some("application/x-ndjson"),
        "{answer:?}"
    );
    let lines: Vec<Value> = answer
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines[0],
        json!({ "windows": ["7x7", "3x3"], "shape": "12x12x1" })
    );
    assert_eq!(lines.last().unwrap(), &json!({ "done": true }));
    let new = LatentSet::read(&desk.path("new.safetensors")).unwrap();
    assert_eq!((lines.len(), new.len()), (8, 6));
    for (sample, line) in lines[1..7].iter().enumerate() {
        let [own, its] = [&line["attempt"], &expected[sample]].map(|attempt| {
            let mut attempt = attempt.clone();
            attempt.as_object_mut().unwrap().remove("seconds");
            attempt
        });
        assert_eq!(own, its);
        assert_eq!(
            line["bits"],
            json!([digits(new.latent(sample).iter().by_vals())])
        );
    }
    // A wrong request is an answer of its own, and none is made where it is not allowed.
    let wrong = json!({ "windows": ["3x3", "7x7"], "samples": { "start": 0, "end": 1 } });
    assert_eq!(
        served.post_json("/api/v1/generate", &wrong).problem(),
        "bad-request"
    );
    let served = Served::start(&desk, "index --no-generate");
    assert_eq!(
        served.post_json("/api/v1/generate", &request).problem(),
        "forbidden"
    );
}

#[test]
fn latents_that_are_sent_are_traced_as_those_of_a_file_in_every_form() {
    let (desk, _, samples) = prepare();
    let served = Served::start(&desk, "index samples.safetensors");
    let trace = json_of(&desk, "trace index samples.safetensors --top 0 --json");
    let texts: Vec<_> = [4, 9]
        .map(|id| json!([digits(samples.latent(id).iter().by_vals())]))
        .into();
    let sent = served
        .post_json("/api/v1/trace", &json!({ "latents": texts }))
        .json();
    let packed = [samples.packed_latent(4), samples.packed_latent(9)].concat();
    let of_bytes = served
        .post("/api/v1/trace", "application/octet-stream", &packed)
        .json();
    let picture = served.get("/api/v1/sets/samples/samples/9/picture.png");
    let of_picture = served
        .post("/api/v1/trace", "image/png", &picture.body)
        .json();
    for (answer, ids) in [
        (&sent, &[4, 9][..]),
        (&of_bytes, &[4, 9]),
        (&of_picture, &[9]),
    ] {
        assert_eq!(answer["samples"].as_array().unwrap().len(), ids.len());
        for (place, id) in ids.iter().enumerate() {
            for part in ["regions", "bits", "summary"] {
                assert_eq!(
                    answer["samples"][place][part], trace["samples"][*id as usize][part],
                    "{part} of {id}"
                );
            }
        }
    }
}

#[test]
fn pictures_are_the_bits_whatever_part_of_them() {
    let (desk, training, samples) = prepare();
    let served = Served::start(&desk, "index samples.safetensors");
    let whites = |set: &LatentSet, id: usize| -> Vec<u8> {
        set.latent(id)
            .iter()
            .by_vals()
            .map(|bit| if bit { 255 } else { 0 })
            .collect()
    };
    let side = SIDE as u32;
    for id in [0, 5, 33] {
        let drawn = served.get(&format!("/api/v1/sets/samples/samples/{id}/picture.png"));
        assert_eq!(gray(&drawn.body), (side, side, whites(&samples, id)));
        for view in ["view=bits", "view=picture", "channel=0"] {
            let drawn = served.get(&format!("/api/v1/latents/{id}/picture.png?{view}"));
            assert_eq!(
                gray(&drawn.body),
                (side, side, whites(&training, id)),
                "{view}"
            );
        }
        let latent = served.json(&format!("latents/{id}"));
        assert_eq!(
            latent["bits"],
            json!([digits(training.latent(id).iter().by_vals())])
        );
        assert_eq!(
            (&latent["latent"], &latent["label"]),
            (&json!(id), &json!(id % 3))
        );
    }
    // Rows 2 to 4 and columns 3 to 7, each pixel as 2x2.
    let part = served.get("/api/v1/latents/5/picture.png?crop=2,3,3,5&scale=2");
    let own = whites(&training, 5);
    let expected: Vec<u8> = (0..6 * 10)
        .map(|at| own[(2 + at / 10 / 2) * SIDE + 3 + at % 10 / 2])
        .collect();
    assert_eq!(gray(&part.body), (10, 6, expected));
    // Three in rows of two: by their ids, in the order in which they were asked for; the fourth place is empty.
    for (path, set) in [
        ("sheet.png", &training),
        ("sets/samples/sheet.png", &samples),
    ] {
        let sheet = served.get(&format!("/api/v1/{path}?ids=7,2,30&columns=2"));
        let (width, height, pixels) = gray(&sheet.body);
        assert_eq!((width, height), (2 * side, 2 * side));
        for (place, id) in [7, 2, 30].into_iter().enumerate() {
            let (top, left) = (place / 2 * SIDE, place % 2 * SIDE);
            let found: Vec<u8> = (0..SIDE * SIDE)
                .map(|at| pixels[(top + at / SIDE) * 2 * SIDE + left + at % SIDE])
                .collect();
            assert_eq!(found, whites(set, id), "{path} {id}");
        }
    }
}

#[test]
fn lists_are_sorted_and_filtered_by_what_the_trace_file_says() {
    let (desk, _, _) = prepare();
    let judged = "--against held-out --false-alarms 0.05";
    let trace = json_of(
        &desk,
        &format!("trace index samples.safetensors {judged} --brief --json"),
    );
    let served = Served::start(&desk, &format!("index samples.safetensors {judged}"));
    served.traced();
    let samples = trace["samples"].as_array().unwrap();
    let number = |value: &Value| value.as_f64().unwrap();
    type Key = fn(&Value) -> f64;
    let keys: [(&str, f64, Key); 6] = [
        ("sample", 1.0, |of| of["sample"].as_f64().unwrap()),
        ("p", 1.0, |of| of["verdict"]["p"].as_f64().unwrap()),
        ("information", -1.0, |of| {
            of["summary"]["most_informative"].as_f64().unwrap()
        }),
        ("largest", -1.0, |of| {
            of["summary"]["largest"].as_f64().unwrap()
        }),
        ("distance", 1.0, |of| {
            of["summary"]["nearness"]["nearest"][0]["distance"]
                .as_f64()
                .unwrap()
        }),
        ("supported", 1.0, |of| {
            of["summary"]["supported"].as_f64().unwrap()
        }),
    ];
    for (name, sign, key) in keys {
        for (reverse, turn) in [(false, 1.0), (true, -1.0)] {
            let mut order: Vec<usize> = (0..40).collect();
            order.sort_by(|a, b| {
                let value = |id: &usize| sign * turn * key(&samples[*id]);
                value(a).total_cmp(&value(b)).then(a.cmp(b))
            });
            let list = served.json(&format!(
                "sets/samples/samples?sort={name}&reverse={reverse}&limit=200"
            ));
            let found: Vec<usize> = list["samples"]
                .as_array()
                .unwrap()
                .iter()
                .map(|of| number(&of["sample"]) as usize)
                .collect();
            assert_eq!(found, order, "{name} {reverse}");
            let part = served.json(&format!(
                "sets/samples/samples?sort={name}&reverse={reverse}&offset=7&limit=4"
            ));
            assert_eq!(
                part["samples"].as_array().unwrap()[..],
                list["samples"].as_array().unwrap()[7..11]
            );
            let middle = order[20];
            let around = served.json(&format!(
                "sets/samples/samples?sort={name}&reverse={reverse}&around={middle}&limit=3"
            ));
            let beside: Vec<usize> = around["samples"]
                .as_array()
                .unwrap()
                .iter()
                .map(|of| number(&of["sample"]) as usize)
                .collect();
            assert_eq!(
                (beside.as_slice(), &around["offset"]),
                (&order[19..22], &json!(19))
            );
        }
    }
    let asked = |path: &str| {
        served.json(&format!("sets/samples/samples?{path}"))["total"]
            .as_u64()
            .unwrap() as usize
    };
    let are = |test: &dyn Fn(&Value) -> bool| samples.iter().filter(|of| test(of)).count();
    assert_eq!(
        asked("copies=true"),
        are(&|of| of["verdict"]["copy"] == true)
    );
    assert!(asked("copies=true") >= 5);
    assert_eq!(asked("label=2"), 13);
    assert_eq!(
        asked("min_information=20&label=1"),
        are(&|of| of["label"] == 1 && number(&of["summary"]["most_informative"]) >= 20.0)
    );
    let spread = served.json("sets/samples/histogram?of=information&bins=7&beside=held-out");
    let sum = |counts: &Value| counts.as_array().unwrap().iter().map(number).sum::<f64>();
    assert_eq!(
        (sum(&spread["counts"]), sum(&spread["beside"])),
        (40.0, 60.0)
    );
    let (low, high) = (number(&spread["edges"][3]), number(&spread["edges"][4]));
    let between = are(&|of| (low..high).contains(&number(&of["summary"]["most_informative"])));
    assert_eq!(spread["counts"][3], between);
}

#[test]
fn who_reuses_a_latent_is_what_the_quilts_say() {
    let (desk, _, _) = prepare();
    let trace = json_of(&desk, "trace index samples.safetensors --brief --json");
    let served = Served::start(&desk, "index samples.safetensors");
    served.traced();
    let mut expected: BTreeMap<u64, BTreeMap<usize, (f64, u64)>> = BTreeMap::new();
    for (sample, of) in trace["samples"].as_array().unwrap().iter().enumerate() {
        for region in of["regions"].as_array().unwrap() {
            let information = region["information"].as_f64().unwrap();
            if information >= 1.0 {
                let own = expected
                    .entry(region["latent"].as_u64().unwrap())
                    .or_default()
                    .entry(sample)
                    .or_default();
                *own = (
                    own.0 + information,
                    own.1 + region["sites"].as_u64().unwrap(),
                );
            }
        }
    }
    assert!(expected.len() > 20);
    for latent in 0..90 {
        let uses = served.json(&format!("latents/{latent}/uses?set=samples&limit=200"));
        let uses = uses["samples"].as_array().unwrap();
        let of = expected.remove(&latent).unwrap_or_default();
        assert_eq!(uses.len(), of.len(), "latent {latent}");
        let mut before = f64::INFINITY;
        for used in uses {
            let (information, sites) = of[&(used["sample"].as_u64().unwrap() as usize)];
            assert!((used["information"].as_f64().unwrap() - information).abs() < 1e-9);
            assert_eq!(used["levels"][0]["sites"], sites);
            assert!(information <= before + 1e-9);
            before = information;
        }
    }
}

#[test]
fn duplicates_are_told_and_photos_are_those_of_the_ids() {
    let desk = Desk::new();
    let mut random = Random(2);
    let grid = Grid {
        height: 6,
        width: 6,
        channels: 1,
    };
    let mut latents = spots(6, 20, &mut random);
    latents[13] = latents[4].clone();
    latents[18] = latents[4].clone();
    set_of(grid, &latents).write(&desk.path("latents")).unwrap();
    assert_eq!(
        desk.run("build latents -o index -w 3x3 --exclude 18").code,
        0
    );
    desk.write("photos/0004.png", b"four");
    desk.write("photos/5.jpg", b"five");
    desk.write("photos/notes.txt", b"none");
    let served = Served::start(&desk, "index --pictures photos");
    let others: Vec<_> = (0..18u32)
        .filter(|id| *id != 4 && latents[*id as usize] == latents[4])
        .collect();
    assert!(others.contains(&13));
    let four = served.json("latents/4");
    assert_eq!(four["duplicates"], json!(others));
    assert_eq!((&four["before"], &four["next"]), (&json!(3), &json!(5)));
    let last = served.json("latents/17");
    assert_eq!((&last["before"], &last["next"]), (&json!(16), &json!(19)));
    assert_eq!(served.json("index")["first"], 0);
    assert_eq!(served.get("/api/v1/latents/18").problem(), "not-found");
    let photo = served.get("/api/v1/latents/4/photo");
    assert_eq!(
        (photo.body.as_slice(), photo.header("content-type")),
        (&b"four"[..], Some("image/png"))
    );
    assert_eq!(
        served.get("/api/v1/latents/5/photo").header("content-type"),
        Some("image/jpeg")
    );
    assert_eq!(served.get("/api/v1/latents/6/photo").problem(), "not-found");
    desk.write("empty/notes.txt", b"none");
    desk.refused(
        "serve index --pictures empty",
        &["--pictures", "empty", "17.png"],
    );
}

#[test]
fn pyramids_are_answered_level_by_level() {
    let desk = Desk::new();
    let mut random = Random(8);
    let grid = |side| Grid {
        height: side,
        width: side,
        channels: 1,
    };
    let fine: Vec<_> = spots(8, 40, &mut random);
    let block = |latent: &Latent, at: usize| {
        [0, 1, 8, 9]
            .iter()
            .any(|by| latent[at / 4 * 16 + at % 4 * 2 + by])
    };
    let coarse: Vec<Vec<bool>> = fine
        .iter()
        .map(|latent| (0..16).map(|at| block(latent, at)).collect())
        .collect();
    let levels = [set_of(grid(4), &coarse), set_of(grid(8), &fine)];
    LatentSet::pyramids(&levels)
        .unwrap()
        .write(&desk.path("pyramids"))
        .unwrap();
    assert_eq!(desk.run("build pyramids -o index").code, 0);
    assert_eq!(desk.run("generate index -n 3 -o samples").code, 0);
    let served = Served::start(&desk, "index samples");
    let trace = json_of(&desk, "trace index samples --top 0 --json");
    assert_eq!(
        served.json("sets/samples/samples/2")["samples"][0],
        trace["samples"][2]
    );
    assert_eq!(
        served.json("index")["levels"],
        json!([[4, 4, 1], [8, 8, 1]])
    );
    let texts: Vec<_> = levels
        .iter()
        .map(|set| digits(set.latent(5).iter().by_vals()))
        .collect();
    assert_eq!(served.json("latents/5")["bits"], json!(texts));
    for (level, set) in levels.iter().enumerate() {
        let drawn = served.get(&format!("/api/v1/latents/5/picture.png?level={level}"));
        let expected: Vec<u8> = set
            .latent(5)
            .iter()
            .by_vals()
            .map(|bit| if bit { 255 } else { 0 })
            .collect();
        assert_eq!(gray(&drawn.body).2, expected);
    }
    // What is fixed at the coarse level stays, and the detail is filled in.
    let fixed: Vec<_> = coarse[7]
        .iter()
        .enumerate()
        .map(|(position, bit)| json!([position, bit]))
        .collect();
    let request = json!({ "samples": { "start": 0, "end": 2 }, "fixed": fixed });
    let answer = served.post_json("/api/v1/generate", &request);
    let line: Value = serde_json::from_str(answer.text().lines().nth(1).unwrap()).unwrap();
    assert_eq!(
        line["bits"][0],
        digits(coarse[7].iter().copied()),
        "{}",
        answer.text()
    );
}

#[test]
fn answers_are_as_the_interface_describes_them_and_every_address_is_described() {
    let (desk, _, _) = prepare();
    let served = Served::start(
        &desk,
        "index samples.safetensors --against held-out --false-alarms 0.05",
    );
    served.traced();
    let described = served.get("/openapi.json").json();
    let asked = [
        ("/api/v1/index", "/api/v1/index"),
        ("/api/v1/sets", "/api/v1/sets"),
        ("/api/v1/sets/{set}", "/api/v1/sets/samples"),
        (
            "/api/v1/sets/{set}/samples",
            "/api/v1/sets/samples/samples?sort=p",
        ),
        (
            "/api/v1/sets/{set}/histogram",
            "/api/v1/sets/samples/histogram?of=p&beside=held-out",
        ),
        (
            "/api/v1/sets/{set}/samples/{sample}",
            "/api/v1/sets/samples/samples/2?top=1",
        ),
        (
            "/api/v1/sets/{set}/samples/{sample}/bits/{position}",
            "/api/v1/sets/samples/samples/2/bits/50?window=longest",
        ),
        ("/api/v1/latents/{latent}", "/api/v1/latents/3"),
        (
            "/api/v1/latents/{latent}/uses",
            "/api/v1/latents/3/uses?set=samples",
        ),
    ];
    let paths = described["paths"].as_object().unwrap();
    for (path, address) in asked {
        let mut schema = described
            .pointer(&format!(
                "/paths/{}/get/responses/200/content/application~1json/schema",
                path.replace('/', "~1")
            ))
            .unwrap_or_else(|| panic!("{path}"))
            .clone();
        schema["components"] = described["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let answer = served.get(address).json();
        let wrong: Vec<_> = validator
            .iter_errors(&answer)
            .map(|error| error.to_string())
            .collect();
        assert!(wrong.is_empty(), "{path}: {wrong:#?} in {answer:#}");
        assert!(!validator.is_valid(&json!({})), "{path} allows anything");
    }
    for (path, methods) in paths {
        let address = path
            .replace("{set}", "samples")
            .replace("{sample}", "0")
            .replace("{latent}", "0")
            .replace("{position}", "0");
        for method in ["get", "post"] {
            let answer = served.ask(
                &method.to_uppercase(),
                &address,
                &[("Host", "localhost")],
                &[],
            );
            match methods.get(method) {
                // Parameters may be missing, an answer never is.
                Some(_) => assert!(
                    !answer
                        .text_or_empty()
                        .contains("nothing is at this address")
                        && answer.status != 405,
                    "{method} {path}: {answer:?}"
                ),
                None => assert_eq!(answer.problem(), "method-not-allowed", "{method} {path}"),
            }
        }
    }
    // Every address that the page asks for is one of these.
    let script = served.get("/page/api.js");
    for part in [
        "index",
        "sets",
        "samples",
        "histogram",
        "bits",
        "uses",
        "sheet.png",
        "map.png",
        "picture.png",
        "photo",
        "query",
        "trace",
        "generate",
    ] {
        assert!(
            script.text().contains(part) && paths.keys().any(|path| path.contains(part)),
            "{part}"
        );
    }
}

#[test]
fn an_answer_that_is_known_is_not_made_again_and_another_index_is_told() {
    let (desk, _, _) = prepare();
    let served = Served::start(&desk, "index samples.safetensors");
    served.traced();
    let digest = served.json("index")["digest"].as_str().unwrap().to_owned();
    for path in [
        "/api/v1/sets/samples/samples/2",
        "/api/v1/latents/2/picture.png",
        "/page/explorer.js",
    ] {
        let first = served.get(path);
        let tag = first.header("etag").unwrap();
        assert_eq!(first.header("cache-control"), Some("no-cache"), "{path}");
        let again = served.ask(
            "GET",
            path,
            &[("Host", "localhost"), ("If-None-Match", tag)],
            &[],
        );
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        let other = served.ask(
            "GET",
            path,
            &[("Host", "localhost"), ("If-None-Match", "\"0\"")],
            &[],
        );
        assert_eq!(other.body, first.body, "{path}");
    }
    let kept = served.get(&format!("/api/v1/latents/2/picture.png?digest={digest}"));
    assert!(kept.header("cache-control").unwrap().contains("immutable"));
    let other = served.get("/api/v1/latents/2/picture.png?digest=0000000000000000");
    assert_eq!(
        (other.status, other.problem().as_str()),
        (409, "another-index")
    );
    // Other samples of the same index are other answers.
    desk.run("generate index -w 7x7 -n 3 -o samples.safetensors --force");
    let later = Served::start(&desk, "index samples.safetensors");
    assert_ne!(later.json("index")["digest"], json!(digest));
}

#[test]
fn an_index_that_is_replaced_is_served_as_it_was_opened() {
    let (desk, training, _) = prepare();
    let served = Served::start(&desk, "index samples.safetensors");
    let before = [
        served.json("sets/samples/samples/3"),
        served.json("latents/7"),
    ];
    desk.run("build held-out -o index --depth 5x5 --force");
    assert_eq!(json_of(&desk, "info index --json")["latents"], 60);
    assert_eq!(
        [
            served.json("sets/samples/samples/3"),
            served.json("latents/7")
        ],
        before
    );
    assert_eq!(served.json("index")["info"]["latents"], training.len());
    assert_eq!(served.json("latents/80")["latent"], 80);
}

#[test]
fn sets_have_names_of_their_own_and_ctrl_c_ends_the_server_well() {
    let (desk, _, samples) = prepare();
    for name in ["a/samples.safetensors", "a/<script>.safetensors", "a/..x"] {
        desk.write(name, b"");
        samples.write(&desk.path(name)).unwrap();
    }
    let served = Served::start(
        &desk,
        "index samples.safetensors a/samples.safetensors a/<script>.safetensors a/..x",
    );
    let sets = served.json("sets");
    let names: Vec<_> = sets["sets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|set| set["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["samples", "samples-2", "script", "samples-3"]);
    assert_eq!(sets["sets"][2]["file"], "a/<script>.safetensors");
    for name in names {
        assert_eq!(
            served.json(&format!("sets/{name}/samples/0"))["samples"][0]["sample"],
            0
        );
    }
    assert_eq!(served.interrupt(), Some(0));
}
