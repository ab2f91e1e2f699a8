//! Codes through the real program: encoded, indexed, generated, traced, and drawn as the images that they
//! stand for.

use std::path::Path;

use bitquilt::neural::{Blae, Device};
use bitquilt::{LatentSet, Unobserved};
use serde_json::Value;
use tempfile::TempDir;

use crate::kill::with_full_disk;
use crate::neural::{SIDES, images, write_idx};
use crate::support::*;

/// Images, two networks of one shape, the codes of the first, an index of them and samples.
fn gallery() -> TempDir {
    let folder = small_folder();
    let path = folder.path();
    write_idx(&path.join("images-idx3-ubyte"), &images(60, SIDES));
    for (name, seed) in [("run", 1), ("other", 2)] {
        let train = format!(
            "train blae images-idx3-ubyte -o {name} --seed {seed} --latent 4x4x2 --width 8 --blocks 1 --batch 8 \
             --steps 4 --threads 1 --device cpu"
        );
        succeeds(path, &split(&train));
    }
    for command in [
        "encode images-idx3-ubyte --model run -o codes.safetensors --threads 1 --device cpu",
        "build codes.safetensors -o index -w 3x3",
        "generate index -n 3 -o samples.safetensors",
    ] {
        succeeds(path, &split(command));
    }
    folder
}

/// What the network itself makes of the latents of a file.
fn decoded(path: &Path, file: &str) -> Vec<Vec<u8>> {
    let blae = Blae::load(&path.join("run/best.safetensors"), Device::CPU).unwrap();
    let set = LatentSet::read(&path.join(file)).unwrap();
    let images = blae.decode(&set, 8, &Unobserved).unwrap();
    images.images().map(<[u8]>::to_vec).collect()
}

/// The pixels of an image of 8x8 in a picture, from its upper left corner.
fn tile(picture: &image::GrayImage, left: u32, top: u32, scale: u32) -> Vec<u8> {
    let places = (0..8).flat_map(|row| (0..8).map(move |col| (row, col)));
    places
        .map(|(row, col)| picture.get_pixel(left + col * scale, top + row * scale).0[0])
        .collect()
}

#[test]
fn codes_are_drawn_as_what_their_model_makes_of_them() {
    let folder = gallery();
    let path = folder.path();
    let expected = decoded(path, "samples.safetensors");
    let gray = |name: &str| image::open(path.join(name)).unwrap().to_luma8();
    for command in [
        "decode samples.safetensors --model run -o grid.png --scale 2 --columns 3 --device cpu",
        "decode samples.safetensors --model run -o folder --scale 1 --device cpu",
        "generate index -n 3 -o again.safetensors --png drawn.png --model run --device cpu",
        "trace index samples.safetensors --png map.png --model run --device cpu",
        "trace index samples.safetensors --png plain.png",
    ] {
        succeeds(path, &split(command));
    }
    let grid = gray("grid.png");
    for (number, image) in expected.iter().enumerate() {
        assert_eq!(&tile(&grid, number as u32 * (16 + 2), 0, 2), image);
        assert_eq!(
            &tile(&gray(&format!("folder/{number:05}.png")), 0, 0, 1),
            image
        );
    }
    // Tiles of the default scale in two columns; the samples are the same.
    let drawn = gray("drawn.png");
    assert_eq!(tile(&drawn, 0, 0, 4), expected[0]);
    assert_eq!(tile(&drawn, 0, 32 + 2, 4), expected[2]);
    // One map shows images, the other what the codes are: neither is the other.
    let maps = ["map.png", "plain.png"].map(|name| fs_err::read(path.join(name)).unwrap());
    assert_ne!(maps[0], maps[1]);
}

#[test]
fn a_model_that_did_not_make_the_codes_is_refused() {
    let folder = gallery();
    let path = folder.path();
    let codec = LatentSet::read(&path.join("codes.safetensors")).unwrap();
    let codec = codec.codec().to_string();
    let pixels = "import images-idx3-ubyte -o pixels.safetensors --no-labels";
    succeeds(path, &split(pixels));
    for (command, words) in [
        (
            "decode samples.safetensors --model other -o x.png",
            vec!["other", codec.as_str()],
        ),
        (
            "generate index --png x.png -o x.safetensors --model other",
            vec!["other", &codec],
        ),
        (
            "trace index samples.safetensors -o x.json --png x.png --model other",
            vec!["other", &codec],
        ),
        (
            "decode pixels.safetensors --model run -o x.png",
            vec!["pixels, not codes", "--model"],
        ),
        (
            "decode samples.safetensors --model run -o x.png --planes",
            vec!["--planes", "--model"],
        ),
        (
            "generate index -o x.safetensors --model run",
            vec!["--model", "--png"],
        ),
        (
            "trace index samples.safetensors --model run",
            vec!["--model", "--png"],
        ),
        (
            "generate index --png x.png -o x.safetensors",
            vec!["--model", "codes"],
        ),
        (
            "decode samples.safetensors -o x.png",
            vec![codec.as_str(), "--planes"],
        ),
        (
            "decode samples.safetensors --model nowhere -o x.png",
            vec!["nowhere"],
        ),
        (
            "decode samples.safetensors --model codes.safetensors -o x.png",
            vec!["codes.safetensors"],
        ),
    ] {
        refuses(path, &split(&format!("{command} --threads 1")), 2, &words);
        for output in ["x.png", "x.json", "x.safetensors"] {
            assert!(!path.join(output).exists(), "{command}");
        }
    }
}

#[test]
fn an_evaluation_is_what_its_schema_says_and_agrees_with_the_network() {
    let folder = gallery();
    let path = folder.path();
    let eval = "eval blae run --train images-idx3-ubyte --test images-idx3-ubyte --limit 40 --threads 1 --device cpu";
    let report: Value =
        serde_json::from_str(&succeeds(path, &split(&format!("{eval} --json")))).unwrap();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/blae.schema.json");
    let schema = serde_json::from_slice(&fs_err::read(schema).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<_> = validator
        .iter_errors(&report)
        .map(|error| error.to_string())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?} in {report:#}");
    assert_eq!(report["train"]["hard"], report["test"]["hard"]);
    // The mean squared error, from the images and from what the network makes of their codes.
    let own = images(60, SIDES);
    let errors = own
        .images()
        .zip(decoded(path, "codes.safetensors"))
        .take(40)
        .map(|(image, other)| {
            let squares = image
                .iter()
                .zip(other)
                .map(|(a, b)| (f64::from(*a) - f64::from(b)).powi(2));
            squares.sum::<f64>() / 64.0 / 255f64.powi(2)
        });
    let expected = errors.sum::<f64>() / 40.0;
    let found = report["train"]["hard"]["mse"].as_f64().unwrap();
    assert!((found - expected).abs() < 1e-9, "{found} and {expected}");
    assert_eq!(report["train"]["codes"]["latents"], 40);
    let printed = succeeds(path, &split(eval));
    for words in [
        "PSNR through bits",
        "saturated",
        "dead bits",
        "least possible by overlap",
    ] {
        assert!(printed.contains(words), "{words} in {printed}");
    }
    refuses(path, &split("eval blae run"), 2, &["--train"]);
    refuses(
        path,
        &split("eval blae codes.safetensors --test images-idx3-ubyte"),
        2,
        &["codes.safetensors"],
    );
}

#[test]
fn a_training_on_a_full_disk_says_so_and_leaves_no_half_checkpoint() {
    let folder = small_folder();
    let path = folder.path();
    write_idx(&path.join("images-idx3-ubyte"), &images(60, SIDES));
    let train = "train blae images-idx3-ubyte -o run --latent 4x4x2 --width 8 --blocks 1 --batch 8 --steps 4 \
                 --threads 1 --device cpu";
    // 4 KiB: the log fits, no checkpoint does.
    let ran = with_full_disk(path, 8, &split(train));
    let stderr = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("run/best.safetensors"), "{stderr}");
    let left: Vec<_> = files_of(&path.join("run")).into_keys().collect();
    assert_eq!(left, [path.join("run/log.jsonl")]);
    succeeds(path, &split(&format!("{train} --force")));
    Blae::load(&path.join("run/last.safetensors"), Device::CPU).unwrap();
}
