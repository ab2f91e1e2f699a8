//! Networks in pyramids: what an ARVM sees of both levels, that it answers in its own alone, and codes of several models.

use std::path::Path;

use bitquilt::neural::{Device, NetworkKind, PlainArvm, Predictor, PredictorConfig, set_threads};
use bitquilt::{
    Anchor, BuildOptions, Contexts, Frame, Given, Interpolator, LatentSet, SampleSet, Shape,
};

use crate::support::*;

const SHAPE: &str = "2x2x2+4x5+4x5x2";

fn random_pyramids(count: usize, seed: u64) -> LatentSet {
    let shape: Shape = SHAPE.parse().unwrap();
    let mut random = Random(seed);
    let mut set = LatentSet::new(shape);
    for _ in 0..count {
        set.push_bits((0..shape.bits()).map(|_| random.bit()))
            .unwrap();
    }
    set
}

#[test]
fn only_the_bits_of_the_window_change_an_answer_and_each_of_them_can_in_both_levels() {
    set_threads(1);
    let all = random_pyramids(3, 5);
    let windows = ["3x3", "1:3x3^1x1", "1:1x1^3x3", "2:3x3^3x3", "2:5x5"];
    for anchor in [Anchor::None, Anchor::Site] {
        let options = BuildOptions {
            windows: windows.map(|window| window.parse().unwrap()).to_vec(),
            anchor,
            ..BuildOptions::default()
        };
        let (_folder, index) = built_with(&all, &options);
        for window in windows {
            let config = PredictorConfig {
                units: 16,
                ..PredictorConfig::new(NetworkKind::Arvm, &index, window.parse().unwrap())
            };
            let network = Predictor::new(NetworkKind::Arvm, config, 3, Device::CPU).unwrap();
            let geometry = network.geometry().clone();
            let bits = all.shape().bits();
            let mut set = LatentSet::new(all.shape());
            for flipped in std::iter::once(None).chain((0..bits).map(Some)) {
                let mut latent = all.latent(0).to_bitvec();
                if let Some(flipped) = flipped {
                    let bit = latent[flipped];
                    latent.set(flipped, !bit);
                }
                set.push_bits(latent.iter().by_vals()).unwrap();
            }
            let own = geometry.positions();
            let logits = network.logits(&set, &vec![0; set.len()], 7).unwrap();
            assert_eq!(logits.len(), set.len() * own.len());
            let of = |row: usize, position: usize| logits[row * own.len() + position - own.start];
            for position in own.clone() {
                for flipped in 0..bits {
                    let sees = geometry.context(position).any(|run| run.contains(&flipped));
                    let changed = of(flipped + 1, position) != of(0, position);
                    assert_eq!(changed, sees, "{window}: {position} sees {flipped}");
                }
            }
            // Outside libtorch it says the same.
            let plain = PlainArvm::new(&network).unwrap();
            let mut frame = Frame::new(all.shape(), &[&geometry]);
            frame.load(set.packed_latent(0), Given::NOTHING);
            let mut contexts = Contexts::default();
            own.clone()
                .for_each(|position| contexts.push(&geometry, &frame, position));
            let mut found = Vec::new();
            plain.probabilities(&contexts, &mut found);
            for (position, one) in own.clone().zip(found) {
                let expected = 1.0 / (1.0 + (-of(0, position)).exp());
                assert!((one - expected).abs() < 1e-5, "{window}: {position}");
            }
        }
        for kind in [NetworkKind::PixelCnn, NetworkKind::Transformer] {
            let config = PredictorConfig::new(kind, &index, "3x3".parse().unwrap());
            let error = Predictor::new(kind, config, 3, Device::CPU)
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("one level") && error.contains(SHAPE_TOLD),
                "{error}"
            );
        }
    }
}

const SHAPE_TOLD: &str = "2x2x2+4x5x1+4x5x2";

fn run(folder: &Path, arguments: &str) -> (Option<i32>, String, String) {
    let output = bitquilt(folder, &split(arguments));
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn succeeds(folder: &Path, arguments: &str) -> String {
    let (code, output, errors) = run(folder, arguments);
    assert_eq!(code, Some(0), "{arguments}: {output} {errors}");
    output
}

#[test]
fn the_program_trains_networks_of_levels_and_each_answers_in_its_own() {
    let folder = small_folder();
    let path = folder.path();
    random_pyramids(20, 1)
        .write(&path.join("train.safetensors"))
        .unwrap();
    random_pyramids(20, 2)
        .write(&path.join("test.safetensors"))
        .unwrap();
    succeeds(
        path,
        "build train.safetensors -o index --window 0:global --window 1:1x1^1x1 --window 1:3x3^1x1 --window 1:5x5^3x3 \
         --window 2:3x3^1x1 --window 2:3x3^3x3",
    );
    let train = "--steps 20 --every 10 --width 8 --device cpu --held-out test.safetensors";
    succeeds(
        path,
        &format!("train arvm index --window 1:5x5^3x3 -o middle {train}"),
    );
    succeeds(
        path,
        &format!("train arvm index --window 2:3x3^3x3 -o fine {train}"),
    );
    let report = succeeds(
        path,
        "eval arvm fine index --held-out test.safetensors --json --device cpu",
    );
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    // The bits of its level alone: random ones take about one bit each, of 40.
    let held_out = report["models"][2]["held_out"].as_f64().unwrap();
    assert!((30.0..60.0).contains(&held_out), "{held_out}");
    assert_eq!(report["models"][2]["model"], "arvm");

    let generate = "generate index -n 6 -o s.safetensors --force --policy";
    for (policy, networks, levels) in [
        ("always", "--fallback fine", [false, false, true]),
        (
            "always",
            "--fallback fine --fallback middle",
            [false, true, true],
        ),
        (
            "on-no-match",
            "--fallback middle --fallback fine",
            [false, true, true],
        ),
    ] {
        succeeds(path, &format!("{generate} {policy} {networks}"));
        let samples = SampleSet::read(&path.join("s.safetensors")).unwrap();
        let by = samples.answered_by.unwrap();
        for (level, marked) in samples.latents.shape().levels().iter().zip(levels) {
            let own = by.chunks(68).flat_map(|by| &by[level.positions()]);
            let count = own.filter(|by| **by == 255).count();
            match (policy, marked) {
                ("always", true) => assert_eq!(count, 6 * level.bits(), "{networks} {level}"),
                (_, true) => {}
                (_, false) => assert_eq!(count, 0, "{policy} {networks} {level}"),
            }
        }
        assert!(succeeds(path, "verify index s.safetensors").contains("interpolated"));
        succeeds(path, "verify index s.safetensors --brute-force");
        succeeds(path, "trace index s.safetensors --png map.png --force");
    }
    for (arguments, words) in [
        (
            format!("{generate} always --fallback fine --fallback fine"),
            ["level 2", "fine"],
        ),
        (
            "train pixelcnn index --window global -o r".to_owned(),
            ["one level", SHAPE_TOLD],
        ),
        (
            "train arvm index -o r".to_owned(),
            ["1:5x5^3x3", "2:3x3^3x3"],
        ),
        (
            "eval arvm fine index --samples 3".to_owned(),
            ["--samples", SHAPE_TOLD],
        ),
    ] {
        let (code, output, errors) = run(path, &arguments);
        assert_eq!(code, Some(2), "{arguments}: {output} {errors}");
        for word in words {
            assert!(errors.contains(word), "{arguments}: {errors}");
        }
    }
}

#[test]
fn images_are_encoded_by_several_models_below_levels_of_their_own() {
    let folder = small_folder();
    let path = folder.path();
    let mut random = Random(7);
    let pixels: Vec<u8> = (0..20 * 256).map(|_| random.below(256) as u8).collect();
    let header = [0, 0, 8, 3, 0, 0, 0, 20, 0, 0, 0, 16, 0, 0, 0, 16];
    std::fs::write(path.join("images"), [&header[..], &pixels].concat()).unwrap();
    let train = "--steps 2 --every 2 --batch 4 --width 8 --blocks 1 --device cpu";
    succeeds(
        path,
        &format!("train blae images -o coarse --latent 4x4x3 {train}"),
    );
    succeeds(
        path,
        &format!("train blae images -o fine --latent 8x8x2 {train}"),
    );
    succeeds(
        path,
        "import images --level 2x2:0.3,0.6 --level 4x4 -o levels",
    );
    for model in ["coarse", "fine"] {
        succeeds(
            path,
            &format!("encode images --model {model} -o {model}.codes --device cpu"),
        );
    }
    succeeds(path, "stack levels coarse.codes fine.codes -o stacked");
    let options = "--level 2x2:0.3,0.6 --level 4x4 --model coarse --model fine --device cpu";
    succeeds(path, &format!("encode images {options} -o pyramids"));
    let read = |name: &str| LatentSet::read(&path.join(name)).unwrap();
    let (stacked, pyramids) = (read("stacked"), read("pyramids"));
    assert_eq!(pyramids.shape().to_string(), "2x2x2+4x4x1+4x4x3+8x8x2");
    assert_eq!(stacked.packed(), pyramids.packed());
    assert_eq!(stacked.codecs(), pyramids.codecs());
    assert_eq!(pyramids.codecs()[0].to_string(), "thermometer:2");
    succeeds(path, &format!("encode images {options} --limit 3 -o few"));
    assert_eq!(read("few").len(), 3);
    // Each level is drawn by the model that made it.
    succeeds(
        path,
        "decode pyramids --model fine -o fine.png --device cpu",
    );
    succeeds(
        path,
        "decode pyramids --level 2 --model coarse -o coarse.png --device cpu",
    );
    for (arguments, words) in [
        (
            "encode images --model fine --model coarse -o r --device cpu",
            ["8x8x2+4x4x3", "shape"],
        ),
        (
            "decode pyramids --level 2 --model fine -o r.png --device cpu",
            ["4x4x3", "--model"],
        ),
        (
            "encode images --level 2x2 --model fine --resize 8x8 -o r",
            ["--level", "--resize"],
        ),
    ] {
        let (code, output, errors) = run(path, arguments);
        assert_eq!(code, Some(2), "{arguments}: {output} {errors}");
        for word in words {
            assert!(errors.contains(word), "{arguments}: {errors}");
        }
    }
}
