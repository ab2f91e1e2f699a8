//! Pyramids through the real binary: images become levels, levels an index, samples whole images; and what cannot be is refused.

use bitquilt::{Codec, LatentSet, SampleSet};

use crate::support::desk::{Desk, bits, shape};
use crate::support::files::{idx, noise};

/// Means of blocks, each pixel counted in sixths of itself, which 5 rows and 7 columns in blocks of 2 and 3 are not cut finer than.
fn means(image: &[u8], rows: usize, columns: usize) -> Vec<f64> {
    let (height, width) = (5, 7);
    let mut means = Vec::new();
    for row in 0..rows {
        for col in 0..columns {
            let (mut sum, mut count) = (0u64, 0u64);
            // In fine rows and columns, of which each block and each pixel has a whole number.
            for y in row * height..(row + 1) * height {
                for x in col * width..(col + 1) * width {
                    sum += u64::from(image[y / rows * width + x / columns]);
                    count += 1;
                }
            }
            means.push(sum as f64 / count as f64 / 255.0);
        }
    }
    means
}

#[test]
fn levels_are_block_means_at_their_thresholds() {
    let desk = Desk::new();
    let images = noise(20 * 5 * 7, 3);
    desk.write("images", idx(&[20, 5, 7], &images));
    desk.write("labels", idx(&[20], &[4; 20]));
    let levels = "--level 2x3:0.35,0.5,0.6 --level 4x3 --level 5x7x2";
    let (set, outcome) = desk.import(&format!("images --labels labels {levels}"));
    assert_eq!(set.shape().to_string(), "2x3x3+4x3x1+5x7x2");
    assert!(
        outcome
            .stdout
            .starts_with("20 latents 2x3x3+4x3x1+5x7x2, labels 1 classes"),
        "{outcome:?}"
    );
    let thermometer = |thresholds| Codec::Thermometer { thresholds };
    assert_eq!(
        set.codecs(),
        [thermometer(3), Codec::Threshold, thermometer(2)]
    );
    assert_eq!(set.labels().unwrap(), [4; 20]);
    for (id, image) in images.chunks(35).enumerate() {
        let mut expected = Vec::new();
        for (rows, columns, thresholds) in [
            (2, 3, &[0.35, 0.5, 0.6][..]),
            (4, 3, &[0.5]),
            (5, 7, &[1.0 / 3.0, 2.0 / 3.0]),
        ] {
            for mean in means(image, rows, columns) {
                expected.extend(thresholds.iter().map(|threshold| mean >= *threshold));
            }
        }
        let found: Vec<bool> = set.latent(id).iter().by_vals().collect();
        assert_eq!(found, expected, "image {id}");
    }
    // A level alone is latents as ever.
    let (one, _) = desk.import("images --no-labels --level 5x7");
    let (plain, _) = desk.import("images --no-labels");
    assert_eq!((one.shape(), bits(&one)), (shape(5, 7, 1), bits(&plain)));
    assert_eq!(*one.codec(), Codec::Threshold);
}

#[test]
fn levels_that_cannot_be_are_refused() {
    let desk = Desk::new();
    desk.write("images", idx(&[2, 4, 4], &noise(32, 4)));
    desk.write(
        "codes.npy",
        crate::support::desk::npy("'|u1'", false, "(2, 3, 3)", &[1; 18]),
    );
    for level in [
        "",
        "4",
        "4x4x0",
        "0x4",
        "4x4:",
        "4x4:0.5,0.2",
        "4x4:2",
        "4x4x2:0.5",
        "4x4x256",
        "axb",
    ] {
        desk.refused(
            &format!("import images --level={level} -o out"),
            &["--level", "expected HxW"],
        );
    }
    desk.refused(
        "import images --level 4x4 --level 2x2 -o out",
        &["4x4x1+2x2x1", "none smaller"],
    );
    desk.refused(
        "import images --level 2x2 --threshold 0.4 -o out",
        &["--threshold", "cannot be used with"],
    );
    desk.refused(
        "import codes.npy --layout nhw --level 2x2 -o out",
        &["codes.npy", "level"],
    );
    let many = "--level 1x1 ".repeat(17);
    desk.refused(&format!("import images {many} -o out"), &["at most 16"]);
}

/// An index of pyramids of twelve noisy stripes, in a folder of its own.
fn stripes() -> Desk {
    let desk = Desk::new();
    let mut random = noise(12 * 64, 9).into_iter();
    let pixels: Vec<u8> = (0..12 * 64)
        .map(|at| {
            let (image, row) = (at / 64, at / 8 % 8);
            let on = (row + image) % 4 < 2;
            // One pixel in 32 is turned over.
            if on ^ (random.next().unwrap() < 8) {
                255
            } else {
                0
            }
        })
        .collect();
    desk.write("images", idx(&[12, 8, 8], &pixels));
    desk.import("images --level 2x2:0.3,0.6 --level 4x4 --level 8x8");
    std::fs::rename(desk.path("out"), desk.path("latents")).unwrap();
    let outcome = desk.run("build latents -o index");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    desk
}

#[test]
fn pyramids_go_from_images_to_proved_samples_and_pictures() {
    let desk = stripes();
    let outcome = desk.run("info index --json");
    let info: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(info["shape"], "2x2x2+4x4x1+8x8x1");
    // What is meant where nothing is said: the layout whole, then windows that see it.
    assert_eq!(
        info["named"],
        serde_json::json!(["global", "1:5x5^3x3", "2:5x5^3x3"])
    );
    let generated = desk.run("generate index -n 20 -o samples --json");
    assert_eq!(generated.code, 0, "{generated:?}");
    assert_eq!(desk.run("verify index samples").code, 0);
    assert_eq!(desk.run("verify index samples --brute-force").code, 0);
    // Every whole window of each level, largest first: as they are named one by one.
    let longest = desk.run("generate index --window longest -n 8 -o longest");
    assert_eq!(longest.code, 0, "{longest:?}");
    let held: Vec<&str> = info["windows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| w["window"].as_str().unwrap())
        .collect();
    let named: Vec<String> = ["0:", "1:", "2:"]
        .iter()
        .flat_map(|level| {
            let own = |window: &&&str| match *level {
                "0:" => !window.contains(':'),
                level => window.starts_with(level),
            };
            held.iter()
                .filter(own)
                .rev()
                .map(|window| format!("--window {window}"))
        })
        .collect();
    assert_eq!(
        desk.run(&format!("generate index {} -n 8 -o parts", named.join(" ")))
            .code,
        0
    );
    let [longest, parts] =
        ["longest", "parts"].map(|name| LatentSet::read(&desk.path(name)).unwrap());
    assert_eq!(longest.packed(), parts.packed());
    assert_eq!(desk.run("verify index longest").code, 0);
    assert_eq!(
        desk.run("trace index longest --window longest -o trace")
            .code,
        0
    );
    assert_eq!(desk.run("verify index").code, 0);
    let set = LatentSet::read(&desk.path("samples")).unwrap();
    assert_eq!(set.shape().to_string(), "2x2x2+4x4x1+8x8x1");
    // The same samples, level by level and window by window.
    let named = "--window 2:5x5^3x3 --window 0:global --window 1:5x5^3x3";
    assert_eq!(
        desk.run(&format!("generate index {named} -n 20 -o again"))
            .code,
        0
    );
    assert_eq!(
        LatentSet::read(&desk.path("again")).unwrap().packed(),
        set.packed()
    );
    for (options, height) in [("", 8), ("--level 0", 2), ("--level 1", 4)] {
        let outcome = desk.run(&format!(
            "decode samples {options} -o folder --scale 1 --force"
        ));
        assert_eq!(outcome.code, 0, "{outcome:?}");
        let picture = image::open(desk.path("folder/00000.png")).unwrap();
        assert_eq!((picture.height(), picture.width()), (height, height));
    }
    // Gray of a thermometer: none, one or both of two thresholds.
    let picture = image::open(desk.path("folder/00000.png"))
        .unwrap()
        .into_luma8();
    assert!(
        picture
            .pixels()
            .all(|pixel| [0, 127, 255].contains(&pixel.0[0]))
    );
}

#[test]
fn a_layout_that_is_given_stays_and_gets_detail() {
    let desk = stripes();
    let given = "--fix-from latents:3 --keep 0:all --keep 2:0..2,0..4";
    let outcome = desk.run(&format!(
        "generate index {given} --window 1:3x3^1x1 --window 2:3x3^1x1 -n 8 -o samples"
    ));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let (training, samples) = (
        LatentSet::read(&desk.path("latents")).unwrap(),
        LatentSet::read(&desk.path("samples")).unwrap(),
    );
    let fine = 8 + 16;
    let kept: Vec<usize> = (0..8)
        .chain(
            [0, 1]
                .into_iter()
                .flat_map(|row| (0..4).map(move |col| fine + 8 * row + col)),
        )
        .collect();
    for sample in 0..samples.len() {
        for at in &kept {
            assert_eq!(
                samples.latent(sample)[*at],
                training.latent(3)[*at],
                "bit {at}"
            );
        }
    }
    assert_eq!(desk.run("verify index samples").code, 0);
    // Row 0, column 1, channel 1 of the coarsest level is its bit 3, and the next level begins with bit 8.
    let latent = training.latent(5);
    let bit = |at: usize| u8::from(latent[at]);
    let fix = format!("--fix 0:0,1,1={} --fix 1:0,0={}", bit(3), bit(8));
    let outcome = desk.run(&format!("generate index {fix} -n 2 -o fixed"));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let fixed = LatentSet::read(&desk.path("fixed")).unwrap();
    assert!([3, 8].iter().all(|at| fixed.latent(0)[*at] == latent[*at]));
    for (arguments, words) in [
        (
            "--fix-from latents:3 --keep 3:all",
            ["--keep 3:all", "levels 0 to 2"],
        ),
        (
            "--fix-from latents:3 --keep 0:0..3",
            ["--keep 0:0..3", "2x2x2 grid"],
        ),
        ("--fix 3:0,0=1", ["--fix '3:0,0=1'", "levels 0 to 2"]),
        ("--fix 0:0,0=1", ["2 channels", "CHANNEL"]),
        ("--size 16x16", ["16x16x1", "global sees all"]),
        (
            "--size 15x16",
            ["2x2x2+4x4x1+8x8x1", "multiples of 4 and 4"],
        ),
        ("--novel=3", ["novel", "0 to 2"]),
        ("--novel=some", ["--novel", "finest, every"]),
        ("--min-count 3:2", ["level 3", "0 to 2"]),
        ("--min-count 16:2", ["--min-count", "16"]),
        ("--temperature 1:0", ["--temperature", "above 0"]),
        ("--window 3:3x3", ["3:3x3", "window"]),
    ] {
        desk.refused(&format!("generate index {arguments} -o out"), &words);
    }
}

#[test]
fn levels_have_their_own_least_counts_temperatures_and_novelty() {
    let desk = stripes();
    // Layouts are those of training latents where they are whole.
    let outcome = desk.run("generate index -n 3 --novel=every -o own");
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("proved"), "{outcome:?}");
    desk.run("build latents -o parts -w 3x3 -w 1:3x3^1x1 -w 2:3x3^1x1 -w 2:1x1^1x1");
    let outcome = desk.run(
        "generate parts -n 30 -w 2:3x3^1x1 -w 2:1x1^1x1 --min-count 2:3 --temperature 4 --temperature 0:1 --novel=2 -o own",
    );
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let (own, training) = (
        SampleSet::read(&desk.path("own")).unwrap(),
        LatentSet::read(&desk.path("latents")).unwrap(),
    );
    assert_eq!(own.min_count.to_string(), "1 2:3");
    let fine = |set: &LatentSet| -> Vec<Vec<u8>> {
        let level = set.level(2).unwrap();
        (0..level.len())
            .map(|id| level.packed_latent(id).to_vec())
            .collect()
    };
    let known = fine(&training);
    assert!(
        fine(&own.latents)
            .iter()
            .all(|latent| !known.contains(latent))
    );
    let proof = desk.run("verify parts own --brute-force");
    assert_eq!(proof.code, 0, "{proof:?}");
}

#[test]
fn pyramids_in_another_size_are_generated_level_by_level_proved_traced_and_drawn() {
    let desk = stripes();
    desk.run("import images --level 4x4x2 --level 8x8 -o two");
    desk.run("build two -o parts -w 3x3 -w sites:1 -w 1:3x3^1x1 -w 1:1x1^1x1");
    let windows = "-w 3x3 -w sites:1 -w 1:3x3^1x1 -w 1:1x1^1x1";
    let outcome = desk.run(&format!(
        "generate parts {windows} --size 12x22 -n 6 --novel -o wide --png wide.png"
    ));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let wide = SampleSet::read(&desk.path("wide")).unwrap().latents;
    assert_eq!(wide.shape().to_string(), "6x11x2+12x22x1");
    assert!(wide.packed().iter().any(|byte| *byte != 0));
    for verify in ["verify parts wide", "verify parts wide --brute-force"] {
        let outcome = desk.run(verify);
        assert_eq!(outcome.code, 0, "{outcome:?}");
    }
    assert_eq!(desk.run("decode wide --level 0 -o coarse.png").code, 0);
}

#[test]
fn what_takes_latents_of_one_level_says_so() {
    let desk = stripes();
    assert_eq!(desk.run("generate index -n 4 -o samples").code, 0);
    // Latents that say nothing are proved at the windows that are meant, or at those that are named.
    for verify in [
        "verify index latents",
        "verify index latents --window 1:5x5^3x3 --brute-force",
    ] {
        assert_eq!(desk.run(verify).code, 0, "{verify}");
    }
    for (arguments, words) in [
        (
            "trace index samples --level 3 --png map.png",
            ["--level 3", "levels 0 to 2"],
        ),
        ("eval counts index --window 3:3x3", ["3:3x3", "window"]),
        (
            "decode samples --level 3 -o out.png",
            ["--level 3", "levels 0 to 2"],
        ),
        (
            "verify index latents --window global --window 3x3",
            ["level 0", "one window"],
        ),
        (
            "query index --latent 0 --at 0,6 --window global",
            ["level 2", "global"],
        ),
    ] {
        desk.refused(arguments, &words);
    }
    // Nor do pyramids and grids meet the other way round.
    desk.import("images --no-labels");
    std::fs::rename(desk.path("out"), desk.path("grids")).unwrap();
    assert_eq!(
        desk.run("build grids -o plain --window 5x5 --window 3x3")
            .code,
        0
    );
    assert_eq!(
        desk.run("generate plain --window 3x3 -n 2 -o strokes").code,
        0
    );
    for (arguments, words) in [
        ("trace plain samples", ["levels", "8x8x1"]),
        ("trace plain latents", ["levels", "8x8x1"]),
        ("verify plain latents --window 3x3", ["level", "3x3"]),
        ("verify index strokes", ["levels", "8x8x1"]),
        ("verify index grids --window 3x3", ["levels", "8x8x1"]),
        (
            "generate plain --window 3x3 --fix-from latents:0 --keep all -o out",
            ["latents", "8x8x1"],
        ),
        (
            "query plain --of latents --latent 0 --at 0,0 --window 3x3",
            ["latents", "8x8x1"],
        ),
        ("eval codes latents", ["one level", "2x2x2+4x4x1+8x8x1"]),
        ("build latents grids -o out", ["grids", "2x2x2+4x4x1+8x8x1"]),
    ] {
        desk.refused(arguments, &words);
    }
    // What takes both takes both.
    assert_eq!(desk.run("eval counts plain --held-out grids").code, 0);
    let outcome = desk.run("query index --latent 0 --at 2:0,6 --json");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report["window"], "2:5x5^3x3");
    assert_eq!(report["position"], 8 + 16 + 6);
}

#[test]
fn a_trace_tells_of_every_level_and_draws_the_one_that_is_asked_for() {
    let desk = stripes();
    assert_eq!(desk.run("generate index -n 6 -o samples").code, 0);
    let outcome = desk.run("trace index samples -o trace --png map.png --level 1");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    for words in [
        "by level",
        "0: 2x2x2",
        "1: 4x4x1",
        "2: 8x8x1",
        "same source",
    ] {
        assert!(outcome.stdout.contains(words), "{words}: {outcome:?}");
    }
    let trace: serde_json::Value =
        serde_json::from_slice(&std::fs::read(desk.path("trace")).unwrap()).unwrap();
    let firsts: Vec<_> = trace["levels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| &l["first"])
        .collect();
    assert_eq!(firsts, [0, 8, 24]);
    assert_eq!(trace["levels"][1]["information_window"], "1:5x5^3x3");
    let (training, samples) = (
        LatentSet::read(&desk.path("latents")).unwrap(),
        LatentSet::read(&desk.path("samples")).unwrap(),
    );
    let levels = [0..8, 8..24, 24..88];
    for (number, sample) in trace["samples"].as_array().unwrap().iter().enumerate() {
        assert_eq!(sample["summary"]["supported"], 88);
        for (level, own) in levels.iter().enumerate() {
            let bits = |set: &LatentSet, id: usize| set.latent(id)[own.clone()].to_bitvec();
            let distances = (0..training.len()).map(|id| {
                let (a, b) = (bits(&samples, number), bits(&training, id));
                a.iter().zip(&b).filter(|(a, b)| **a != **b).count()
            });
            let told = &sample["summary"]["levels"][level]["nearness"]["nearest"][0]["distance"];
            assert_eq!(*told, distances.min().unwrap());
        }
    }
    let map = image::open(desk.path("map.png")).unwrap();
    assert_eq!(desk.run("trace index samples --png finest.png").code, 0);
    assert!(map != image::open(desk.path("finest.png")).unwrap());

    let outcome = desk.run("eval counts index --held-out samples --json");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let of = |entry: &serde_json::Value| entry["models"][0]["held_out"].as_f64().unwrap();
    let levels = report["levels"].as_array().unwrap();
    let sum: f64 = levels.iter().map(of).sum();
    assert!((sum - of(&report)).abs() < 1e-9 && sum > 0.0);
    assert_eq!(levels[2]["bits"], 64);
}

#[test]
fn levels_of_several_files_are_stacked_and_pooled() {
    let desk = stripes();
    desk.import("images");
    std::fs::rename(desk.path("out"), desk.path("fine")).unwrap();
    desk.import("images --level 4x4");
    std::fs::rename(desk.path("out"), desk.path("coarse")).unwrap();
    assert_eq!(desk.run("stack coarse fine -o both").code, 0);
    desk.import("images --level 4x4 --level 8x8");
    let stacked = LatentSet::read(&desk.path("both")).unwrap();
    assert_eq!(
        stacked.packed(),
        LatentSet::read(&desk.path("out")).unwrap().packed()
    );
    let outcome = desk.run("stack fine --pool majority:2x2 --pool any:4x4 -o pooled --json");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report["shape"], "2x2x1+4x4x1+8x8x1");
    let pooled = LatentSet::read(&desk.path("pooled")).unwrap();
    for id in 0..pooled.len() {
        let latent = pooled.latent(id);
        for site in 0..16 {
            let (row, col) = (site / 4 * 2, site % 4 * 2);
            let block = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(r, c)| 20 + (row + r) * 8 + col + c);
            assert_eq!(latent[4 + site], block.iter().any(|bit| latent[*bit]));
        }
    }
    for (arguments, words) in [
        ("stack fine -o new", ["one level", "--pool"]),
        ("stack fine coarse -o new", ["fine", "8x8x1+4x4x1"]),
        (
            "stack fine --pool majority:9x9 -o new",
            ["majority:9x9", "8x8x1"],
        ),
        ("stack fine --pool most:2x2 -o new", ["most", "majority"]),
        ("stack fine --pool any:2 -o new", ["RULE:HxW", "any:2"]),
        (
            "stack latents --pool any:1x1 -o new",
            ["any:1x1", "2x2x2+4x4x1+8x8x1"],
        ),
        ("stack coarse fine -o both", ["both", "--force"]),
        (
            "stack coarse index/manifest.json -o new",
            ["manifest.json", "safetensors"],
        ),
    ] {
        desk.refused(arguments, &words);
    }
}

#[test]
fn thresholds_at_quantiles_split_the_means_above_0_evenly() {
    let desk = Desk::new();
    let pixels = noise(30 * 35, 3);
    let pixels: Vec<u8> = pixels
        .iter()
        .map(|value| if *value < 99 { 0 } else { *value })
        .collect();
    desk.write("images", idx(&[30, 5, 7], &pixels));
    let outcome = desk.run("import images --level 2x3:q3 --level 5x7:q1 -o found --json");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let source = report["source"].as_str().unwrap();
    let told = source
        .split("thresholds ")
        .nth(1)
        .unwrap()
        .split(')')
        .next()
        .unwrap();
    let thresholds: Vec<f64> = told.split(", ").map(|text| text.parse().unwrap()).collect();
    assert_eq!(thresholds.len(), 3, "{source}");
    let lit: Vec<f64> = pixels
        .chunks(35)
        .flat_map(|image| means(image, 2, 3))
        .filter(|mean| *mean > 0.0)
        .collect();
    for (number, threshold) in thresholds.iter().enumerate() {
        let share = lit.iter().filter(|mean| *mean < threshold).count() as f64 / lit.len() as f64;
        let wanted = (number + 1) as f64 / 4.0;
        // One of 180 means more or less, and one step of 65,535.
        assert!((share - wanted).abs() < 0.012, "{share} for {wanted}");
    }
    // Said, they make the same latents.
    let level = source
        .split("threshold ")
        .nth(1)
        .unwrap()
        .split(')')
        .next()
        .unwrap();
    desk.import(&format!(
        "images --level 2x3:{} --level 5x7:{level}",
        told.replace(", ", ",")
    ));
    let (found, said) = ["found", "out"]
        .map(|name| LatentSet::read(&desk.path(name)).unwrap())
        .into();
    assert_eq!(found.packed(), said.packed());
    desk.write("black", idx(&[2, 4, 4], &[0; 32]));
    for (arguments, words) in [
        (
            "import black --level 2x2:q2 --level 4x4 -o new",
            ["black", "quantiles"],
        ),
        ("import images --level 2x2:q0 -o new", ["q0", "HxW:qK"]),
        ("import images --level 2x2x2:q2 -o new", ["q2", "HxW:qK"]),
    ] {
        desk.refused(arguments, &words);
    }
}

#[test]
fn windows_are_compared_by_the_bits_that_unseen_latents_take_at_them() {
    let desk = stripes();
    assert_eq!(desk.run("generate index -n 6 -o samples").code, 0);
    // Half of them with a pixel turned over, so that not all is supported.
    let mut samples = LatentSet::read(&desk.path("samples")).unwrap();
    let mut packed = samples.packed().to_vec();
    packed[samples.shape().packed_bytes() - 1] ^= 0b1000;
    samples = LatentSet::from_packed(samples.shape(), packed).unwrap();
    samples.write(&desk.path("unseen")).unwrap();
    let json = |arguments: &str| -> serde_json::Value {
        let outcome = desk.run(arguments);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        serde_json::from_str(&outcome.stdout).unwrap()
    };
    let report = json("eval windows index --held-out unseen --json");
    let info = json("info index --json");
    assert_eq!(report["latents"], 6);
    let mut windows = 0;
    for (number, level) in report["levels"].as_array().unwrap().iter().enumerate() {
        let all = level["windows"].as_array().unwrap();
        windows += all.len();
        let best = all
            .iter()
            .find(|worth| worth["window"] == level["best"])
            .unwrap();
        for worth in all {
            let window = worth["window"].as_str().unwrap();
            assert!(best["bits"].as_f64() <= worth["bits"].as_f64());
            // The model of counts at that window alone says the same.
            let counts = format!("eval counts index --window {window} --held-out unseen --json");
            let counts = json(&counts);
            let bits = counts["levels"][number]["models"][0]["held_out"]
                .as_f64()
                .unwrap();
            assert!(
                (bits - worth["bits"].as_f64().unwrap()).abs() < 1e-9,
                "{window}"
            );
            let told = info["windows"].as_array().unwrap().iter();
            let told = told.clone().find(|told| told["window"] == window).unwrap();
            let distinct = told["distinct"].as_f64().unwrap() / told["contexts"].as_f64().unwrap();
            assert!((distinct - worth["distinct"].as_f64().unwrap()).abs() < 1e-9);
        }
    }
    assert_eq!(windows, info["windows"].as_array().unwrap().len());
    // Where a window answered, the samples but for the changed bit are supported.
    let finest = report["levels"][2]["windows"].as_array().unwrap();
    let named = finest
        .iter()
        .find(|worth| worth["window"] == "2:5x5^3x3")
        .unwrap();
    let supported = named["supported"].as_f64().unwrap();
    assert!((380.0 / 384.0..1.0).contains(&supported), "{supported}");
    let outcome = desk.run("eval windows index --held-out unseen --limit 2");
    assert!(
        outcome.stdout.contains("fewest") && outcome.stdout.contains("2:5x5^3x3"),
        "{outcome:?}"
    );
    for (arguments, words) in [
        ("eval windows index", ["--held-out", "required"]),
        (
            "eval windows index --held-out images",
            ["images", "safetensors"],
        ),
    ] {
        desk.refused(arguments, &words);
    }
}
