//! Networks over bits: what they see, what they learn, and that they answer as they were trained.

use std::path::Path;

use strum::VariantArray;

use bitquilt::neural::{
    Device, NetworkKind, NeuralError, Numbered, PlainArvm, Predictor, PredictorConfig,
    PredictorData, PredictorRecipe, RunFolder, TrainOptions, Weighting, check_predictor,
    resume_predictor, set_threads, train_predictor,
};
use bitquilt::{
    Anchor, Budget, Contexts, Frame, Geometry, Given, Index, LatentSet, Observer, Unobserved,
    Window,
};

use crate::neural::StopAfter;
use crate::oracle::{Grid, Latent};
use crate::support::*;

const GRID: Grid = Grid {
    height: 4,
    width: 5,
    channels: 2,
};

fn random_latents(grid: Grid, count: usize, seed: u64) -> Vec<Latent> {
    let mut random = Random(seed);
    (0..count)
        .map(|_| (0..grid.bits()).map(|_| random.bit()).collect())
        .collect()
}

/// An index of latents, the set, and as many label numbers.
fn indexed(
    grid: Grid,
    latents: &[Latent],
    windows: &[&str],
    anchor: Anchor,
) -> (tempfile::TempDir, Index, LatentSet, Vec<u64>) {
    // As many tests run as there are cores.
    set_threads(1);
    let set = set_of(grid, latents);
    let windows: Vec<Window> = windows
        .iter()
        .map(|window| window.parse().unwrap())
        .collect();
    let (folder, index) = built(&set, &windows, anchor);
    let labels = vec![0; set.len()];
    (folder, index, set, labels)
}

fn small(kind: NetworkKind, index: &Index, window: &str) -> PredictorConfig {
    PredictorConfig {
        units: 16,
        ..PredictorConfig::new(kind, index, window.parse().unwrap())
    }
}

fn options(steps: u64) -> TrainOptions {
    TrainOptions {
        steps,
        every: 5,
        lr: 0.01,
        ..TrainOptions::default()
    }
}

#[test]
fn only_the_bits_of_the_window_change_an_answer_and_each_of_them_can() {
    for (windows, anchor) in [
        (vec!["3x3", "5x5", "seq:1", "seq:7", "global"], Anchor::None),
        (vec!["3x3", "seq:7"], Anchor::Site),
    ] {
        let latents = random_latents(GRID, 3, 5);
        let (_folder, index, ..) = indexed(GRID, &latents, &windows, anchor);
        for (window, kind) in windows
            .iter()
            .flat_map(|w| NetworkKind::VARIANTS.iter().map(move |kind| (w, *kind)))
        {
            let config = small(kind, &index, window);
            let Ok(network) = Predictor::new(kind, config, 3, Device::CPU) else {
                assert!(
                    kind != NetworkKind::Arvm
                        && (window.starts_with("seq") || anchor == Anchor::Site)
                );
                continue;
            };
            let geometry = network.geometry().clone();
            let mut set = set_of(GRID, &latents[..1]);
            for flipped in 0..GRID.bits() {
                let mut latent = latents[0].clone();
                latent[flipped] = !latent[flipped];
                set.append(&set_of(GRID, &[latent])).unwrap();
            }
            let logits = network.logits(&set, &vec![0; set.len()], 7).unwrap();
            let of = |row: usize, position: usize| logits[row * GRID.bits() + position];
            for position in 0..GRID.bits() {
                for flipped in 0..GRID.bits() {
                    let sees = geometry.context(position).any(|run| run.contains(&flipped));
                    let changed = of(flipped + 1, position) != of(0, position);
                    assert_eq!(changed, sees, "{kind} {window}: {position} sees {flipped}");
                }
            }
        }
    }
}

#[test]
fn an_arvm_converges_to_the_histograms_of_its_index() {
    let grid = Grid {
        height: 1,
        width: 6,
        channels: 1,
    };
    // The worked example of the paper (Eqn 14), and its (0,0) → {½, ½}.
    let example = [bits("101100"), bits("111010")];
    let halves_grid = Grid {
        height: 1,
        width: 3,
        channels: 1,
    };
    let halves = [bits("000"), bits("001")];
    let blocks = random_latents(
        Grid {
            height: 3,
            width: 3,
            channels: 2,
        },
        6,
        9,
    );
    for (grid, latents, window) in [
        (grid, &example[..], "seq:3"),
        (halves_grid, &halves[..], "seq:2"),
        (
            Grid {
                height: 3,
                width: 3,
                channels: 2,
            },
            &blocks[..],
            "3x3",
        ),
        (
            Grid {
                height: 3,
                width: 3,
                channels: 2,
            },
            &blocks[..],
            "global",
        ),
    ] {
        for weighting in [Weighting::Count, Weighting::Distinct] {
            let (_folder, index, set, labels) = indexed(grid, latents, &[window], Anchor::None);
            let held = index.window(window.parse().unwrap()).unwrap();
            let folder = small_folder();
            let recipe = PredictorRecipe {
                batch: 128,
                weighting,
                ..PredictorRecipe::new(NetworkKind::Arvm)
            };
            let data = PredictorData {
                training: Numbered {
                    latents: &set,
                    labels: &labels,
                },
                counts: &held,
                geometry: held.geometry(),
                held_out: None,
                memory: Budget::of_machine(),
            };
            let options = TrainOptions {
                every: 1500,
                ..options(1500)
            };
            let config = (
                NetworkKind::Arvm,
                PredictorConfig {
                    units: 64,
                    ..small(NetworkKind::Arvm, &index, window)
                },
            );
            let (network, _) = train_predictor(
                config,
                recipe,
                &options,
                data,
                &RunFolder::new(folder.path()),
                Device::CPU,
                &Unobserved,
            )
            .unwrap();
            let logits = network.logits(&set, &labels, 8).unwrap();
            let geometry = held.geometry();
            let mut frame = Frame::new(set.shape(), &[geometry]);
            for id in 0..set.len() {
                frame.load(set.packed_latent(id), Given::NOTHING);
                for position in 0..grid.bits() {
                    let histogram = held
                        .lookup(&geometry.lay_out(&frame, position))
                        .unwrap()
                        .unwrap();
                    let expected = histogram.n1 as f64 / histogram.total() as f64;
                    let logit = f64::from(logits[id * grid.bits() + position]);
                    let found = 1.0 / (1.0 + (-logit).exp());
                    assert!(
                        (found - expected).abs() < 0.03,
                        "{window} {weighting:?} {id} {position}: {found} for {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn outside_libtorch_an_arvm_answers_the_same_whatever_else_is_asked() {
    let latents = random_latents(GRID, 40, 1);
    for (window, anchor) in [
        ("5x5", Anchor::None),
        ("global", Anchor::None),
        ("3x3", Anchor::Site),
    ] {
        let (_folder, index, set, labels) = indexed(GRID, &latents, &[window], anchor);
        let config = PredictorConfig {
            units: 24,
            depth: 3,
            ..small(NetworkKind::Arvm, &index, window)
        };
        let network = Predictor::new(NetworkKind::Arvm, config, 8, Device::CPU).unwrap();
        let plain = PlainArvm::new(&network).unwrap();
        let geometry = network.geometry();
        let logits = network.logits(&set, &labels, 10).unwrap();
        let mut frame = Frame::new(set.shape(), &[geometry]);
        let mut all = Contexts::default();
        let mut singles = Vec::new();
        for id in 0..set.len() {
            frame.load(set.packed_latent(id), Given::NOTHING);
            for position in 0..GRID.bits() {
                all.push(geometry, &frame, position);
                let mut one = Contexts::default();
                one.push(geometry, &frame, position);
                singles.extend(plain.logits(&one));
            }
        }
        for (torch, plain) in logits.iter().zip(&singles) {
            assert!((torch - plain).abs() < 1e-4, "{torch} {plain}");
        }
        // Bit for bit, in one batch and in batches of any size.
        assert_eq!(plain.logits(&all), singles);
        for size in [2, 3, 7, 64, 129] {
            let width = geometry.symbols();
            let batches = (0..all.len()).step_by(size).flat_map(|first| {
                let last = all.len().min(first + size);
                plain.logits(&Contexts {
                    symbols: all.symbols[first * width..last * width].to_vec(),
                    places: all.places[first..last].to_vec(),
                    labels: all.labels[first..last].to_vec(),
                })
            });
            assert_eq!(batches.collect::<Vec<_>>(), singles, "batches of {size}");
        }
    }
}

#[test]
fn a_training_that_has_too_little_memory_is_refused() {
    let latents = random_latents(GRID, 20, 2);
    let (_folder, index, _, _) = indexed(GRID, &latents, &["3x3"], Anchor::None);
    for kind in NetworkKind::VARIANTS {
        let (config, recipe) = (small(*kind, &index, "3x3"), PredictorRecipe::new(*kind));
        let check = |memory| check_predictor(*kind, &config, &recipe, 20, Device::CPU, memory);
        check(Budget::bytes(1 << 30)).unwrap();
        let refused = check(Budget::bytes(1 << 10));
        assert!(
            matches!(&refused, Err(NeuralError::Memory(memory)) if memory.available == 1 << 10),
            "{kind}: {refused:?}"
        );
    }
}

#[test]
fn a_training_that_was_stopped_and_resumed_is_the_one_that_was_not() {
    let latents = random_latents(GRID, 20, 2);
    let (_folder, index, set, labels) = indexed(GRID, &latents, &["3x3", "global"], Anchor::None);
    let held_out = set_of(GRID, &random_latents(GRID, 4, 3));
    let first = index.window("3x3".parse().unwrap()).unwrap();
    let data = PredictorData {
        training: Numbered {
            latents: &set,
            labels: &labels,
        },
        counts: &first,
        geometry: first.geometry(),
        held_out: Some(Numbered {
            latents: &held_out,
            labels: &[0; 4],
        }),
        memory: Budget::of_machine(),
    };
    for (window, kind) in ["3x3", "global"]
        .into_iter()
        .flat_map(|w| NetworkKind::VARIANTS.iter().map(move |kind| (w, *kind)))
    {
        let held = index.window(window.parse().unwrap()).unwrap();
        let data = PredictorData {
            counts: &held,
            geometry: held.geometry(),
            ..data
        };
        let recipe = PredictorRecipe {
            batch: 8,
            flip: 0.1,
            ..PredictorRecipe::new(kind)
        };
        let (whole, parts) = (small_folder(), small_folder());
        let (whole, parts) = (RunFolder::new(whole.path()), RunFolder::new(parts.path()));
        fs_err::create_dir_all(whole.path()).unwrap();
        fs_err::create_dir_all(parts.path()).unwrap();
        let train = |folder: &RunFolder, observer: &dyn Observer| {
            let network = (kind, small(kind, &index, window));
            train_predictor(
                network,
                recipe,
                &options(20),
                data,
                folder,
                Device::CPU,
                observer,
            )
            .unwrap()
        };
        train(&whole, &Unobserved);
        let (_, outcome) = train(&parts, &StopAfter::steps(7));
        assert_eq!((outcome.step, outcome.stopped), (7, true));
        resume_predictor(kind, data, &parts, Device::CPU, &Unobserved).unwrap();
        for file in [RunFolder::last, RunFolder::best] {
            assert_eq!(
                fs_err::read(file(&whole)).unwrap(),
                fs_err::read(file(&parts)).unwrap(),
                "{kind}"
            );
        }
        let other = PredictorData {
            held_out: None,
            ..data
        };
        let error = resume_predictor(kind, other, &parts, Device::CPU, &Unobserved).unwrap_err();
        assert!(matches!(error, NeuralError::Checkpoint { .. }), "{error}");
    }
}

#[test]
fn bits_are_the_sum_of_the_steps_and_samples_follow_them() {
    let latents = random_latents(GRID, 12, 6);
    let (_folder, index, set, labels) = indexed(GRID, &latents, &["3x3", "global"], Anchor::None);
    for (window, kind) in ["3x3", "global"]
        .into_iter()
        .flat_map(|w| NetworkKind::VARIANTS.iter().map(move |kind| (w, *kind)))
    {
        let network = Predictor::new(kind, small(kind, &index, window), 4, Device::CPU).unwrap();
        let whole = network.bits(&set, &labels, &Unobserved).unwrap();
        for (id, latent) in latents.iter().enumerate().take(3) {
            // Step by step: what is not decided yet is 0.
            let steps: Vec<Latent> = (0..GRID.bits())
                .map(|position| {
                    [&latent[..position], &vec![false; GRID.bits() - position]].concat()
                })
                .collect();
            let logits = network
                .logits(&set_of(GRID, &steps), &vec![0; steps.len()], 5)
                .unwrap();
            let bits: f64 = (0..GRID.bits())
                .map(|position| {
                    let logit = f64::from(logits[position * GRID.bits() + position]);
                    let one = 1.0 / (1.0 + (-logit).exp());
                    -if latent[position] { one } else { 1.0 - one }.log2()
                })
                .sum();
            assert!(
                (bits - whole[id]).abs() < 1e-3,
                "{kind} {window}: {bits} {}",
                whole[id]
            );
        }
        if kind != NetworkKind::Arvm {
            // Mean of the drawn first bit: that of its probability.
            let drawn = network.sample(400, 0, 1, &Unobserved).unwrap();
            let ones = (0..400).filter(|id| drawn.latent(*id)[0]).count() as f64 / 400.0;
            let logit = network
                .logits(&set_of(GRID, &latents[..1]), &[0], 1)
                .unwrap()[0];
            let expected = 1.0 / (1.0 + f64::from(-logit).exp());
            assert!(
                (ones - expected).abs() < 0.13,
                "{kind}: {ones} for {expected}"
            );
        }
    }
}

/// A folder with an index of 6x6 latents at two windows, held-out latents, and the program's trained ARVM.
fn prepared() -> tempfile::TempDir {
    let folder = small_folder();
    let grid = Grid {
        height: 6,
        width: 6,
        channels: 1,
    };
    for (name, seed) in [("train", 1), ("test", 2)] {
        let set = set_of(grid, &random_latents(grid, 30, seed));
        set.write(&folder.path().join(format!("{name}.safetensors")))
            .unwrap();
    }
    let run = |arguments: &str| {
        let (code, _, errors) = bitquilt_in(folder.path(), &split(arguments));
        assert_eq!(code, Some(0), "{arguments}: {errors}");
    };
    run("build train.safetensors -o index --window 3x3 --window 5x5");
    run("build test.safetensors -o other --window 3x3 --window 5x5");
    run("build train.safetensors -o narrow --window 3x3");
    run(
        "train arvm index --window 5x5 -o run --steps 10 --every 5 --width 8 --held-out test.safetensors --device cpu",
    );
    folder
}

fn bitquilt_in(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = bitquilt(folder, arguments);
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn the_program_trains_evaluates_and_falls_back_and_refuses_what_does_not_belong() {
    let folder = prepared();
    let run = |arguments: &str| bitquilt_in(folder.path(), &split(arguments));
    let (code, output, errors) =
        run("eval arvm run index --held-out test.safetensors --samples 5 --json --device cpu");
    assert_eq!(code, Some(0), "{errors}");
    let report: serde_json::Value = serde_json::from_str(&output).unwrap();
    let schema = include_bytes!("../schemas/bits.schema.json");
    let schema = serde_json::from_slice(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<_> = validator
        .iter_errors(&report)
        .map(|e| e.to_string())
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(report["models"][2]["model"], "arvm");
    assert_eq!(report["samples"][2]["samples"], 5);
    let gap = report["models"][0]["gap"].as_f64().unwrap();
    // Random latents cannot be known: what the counts know of the training ones is memory.
    assert!(gap > 1.0, "{gap}");

    // 5x5 contexts of random latents: the windows alone have only training latents.
    let generate = "generate index --window 5x5 -n 8 -o s.safetensors --force";
    for (policy, marked) in [("on-no-match", true), ("always", true), ("never", false)] {
        let (code, _, errors) = run(&format!("{generate} --fallback run --policy {policy}"));
        assert_eq!(code, Some(0), "{errors}");
        let samples = bitquilt::SampleSet::read(&folder.path().join("s.safetensors")).unwrap();
        let by = samples.answered_by.unwrap();
        assert_eq!(
            by.iter().filter(|by| **by == 255).count() > 0,
            marked,
            "{policy}"
        );
        let (code, output, errors) = run("verify index s.safetensors");
        assert_eq!(code, Some(0), "{output} {errors}");
        assert_eq!(output.contains("interpolated"), marked, "{output}");
        let (code, output, errors) = run("trace index s.safetensors");
        assert_eq!(code, Some(0), "{output} {errors}");
    }
    for (arguments, words) in [
        (
            "generate other --window 5x5 -o t.safetensors --fallback run",
            vec!["the index that the network was trained on", "other"],
        ),
        (
            "generate narrow --window 3x3 -o t.safetensors --fallback run",
            vec!["an index with the window of the network, 5x5", "3x3"],
        ),
        (
            "generate index --window 5x5 -o t.safetensors --fallback train.safetensors",
            vec!["train.safetensors", "a checkpoint"],
        ),
        (
            "generate index --window 5x5 -o t.safetensors --fallback run --all",
            vec!["--fallback", "--all"],
        ),
        (
            "generate index --window 5x5 -o t.safetensors --policy always",
            vec!["--fallback"],
        ),
        (
            "eval arvm run other",
            vec!["the index that the network was trained on"],
        ),
        ("train arvm index -o r", vec!["3x3, 5x5"]),
        ("train arvm index --window 9x9 -o r", vec!["9x9"]),
        (
            "train pixelcnn index --window 5x5 -o r --width 0",
            vec!["width"],
        ),
        ("train arvm index --window 5x5 -o r --flip 0.7", vec!["0.5"]),
        (
            "train arvm index --window 5x5 -o run",
            vec!["not empty", "--resume"],
        ),
        (
            "train arvm index --window 5x5 -o run --resume --width 9",
            vec!["units 8", "9"],
        ),
        (
            "train pixelcnn index --window 5x5 -o run --resume",
            vec!["kind pixelcnn", "arvm"],
        ),
        (
            "train arvm other --window 5x5 -o run --resume",
            vec!["the index that the network was trained on"],
        ),
        (
            "train arvm index --window 5x5 -o r --held-out index",
            vec!["index"],
        ),
    ] {
        let (code, output, errors) = run(arguments);
        assert_eq!(code, Some(2), "{arguments}: {output} {errors}");
        for word in words {
            assert!(errors.contains(word), "{arguments}: {errors}");
        }
        assert!(!folder.path().join("r").exists(), "{arguments}");
    }
    let (code, _, errors) = run(&format!(
        "{generate} --fallback run --policy always --max-interpolated 3"
    ));
    assert_eq!(code, Some(1));
    assert!(errors.contains("--max-interpolated"), "{errors}");
}

#[test]
fn what_takes_more_memory_than_there_is_is_refused_before_there_is_a_folder() {
    let folder = small_folder();
    let wide = Grid {
        height: 256,
        width: 256,
        channels: 1,
    };
    let set = set_of(wide, &random_latents(wide, 1, 1));
    set.write(&folder.path().join("train.safetensors")).unwrap();
    let run = |arguments: &str| bitquilt_in(folder.path(), &split(arguments));
    let (code, _, errors) = run("build train.safetensors -o index --window 3x3 --window global");
    assert_eq!(code, Some(0), "{errors}");
    // 2.1 billion pairs of sites, 16 heads, 128 attentions, 4 bytes: 18 TB for one latent, on any machine too much.
    let train = "train transformer index -o run --device cpu --steps 1 --every 1 --depth 64";
    let (code, _, errors) = run(&format!("{train} --window global"));
    assert_eq!(code, Some(2), "{errors}");
    for word in ["memory", "GiB", "window global", "batch 1"] {
        assert!(errors.contains(word), "{errors}");
    }
    assert!(!folder.path().join("run").exists());
}

#[test]
fn a_pixelcnn_has_more_layers_and_not_larger_kernels_where_its_window_reaches_further() {
    let long = Grid {
        height: 2,
        width: 24,
        channels: 1,
    };
    let latents = random_latents(long, 3, 5);
    let (_folder, index, ..) = indexed(long, &latents, &["3x3", "9x9", "global"], Anchor::None);
    for (window, depth) in [("3x3", 2), ("9x9", 2), ("global", 8)] {
        let window = window.parse().unwrap();
        let config = PredictorConfig::new(NetworkKind::PixelCnn, &index, window);
        assert_eq!(config.depth, depth, "{window}");
        for kind in [NetworkKind::Arvm, NetworkKind::Transformer] {
            assert_eq!(PredictorConfig::new(kind, &index, window).depth, 2);
        }
    }
}

#[test]
fn a_geometry_of_another_grid_is_read_only_where_no_place_is_part_of_the_key() {
    let latents = random_latents(GRID, 3, 5);
    let (_folder, index, ..) = indexed(GRID, &latents, &["3x3", "global"], Anchor::None);
    let larger = bitquilt::Shape::new(7, 9, 2).unwrap();
    for (window, reads) in [("3x3", true), ("global", false)] {
        let network = Predictor::new(
            NetworkKind::Arvm,
            small(NetworkKind::Arvm, &index, window),
            0,
            Device::CPU,
        )
        .unwrap();
        let geometry = Geometry::new(window.parse().unwrap(), Anchor::None, larger).unwrap();
        assert_eq!(PlainArvm::new(&network).unwrap().reads(&geometry), reads);
    }
}
