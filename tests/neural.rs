//! The networks: shapes, checkpoints, exact resumption, and what is refused.

use std::path::Path;

use bitquilt::images::ImageSet;
use bitquilt::neural::{
    Blae, BlaeConfig, BlaeRecipe, Device, NeuralError, Outcome, Quantizer, RunFolder, TrainOptions,
    resume_blae, set_threads, train_blae,
};
use bitquilt::{LatentSet, Observer, Unobserved};
use safetensors::SafeTensors;
use tempfile::TempDir;

use crate::support::*;

/// Images with something to learn: a bright bar in each, and a little noise.
pub fn images(count: usize, (height, width, colours): (usize, usize, usize)) -> ImageSet {
    // As many tests run as there are cores.
    set_threads(1);
    let mut random = Random(7);
    let mut pixels = Vec::new();
    for _ in 0..count {
        let (row, col) = (random.below(height as u64), random.below(width as u64));
        for y in 0..height as u64 {
            for x in 0..width as u64 {
                for colour in 0..colours as u64 {
                    let bright = y == row || (x == col && colour != 1);
                    pixels.push(if bright { 230 } else { 10 } + random.below(20) as u8);
                }
            }
        }
    }
    let labels = (0..count as i64).collect();
    ImageSet::new(height, width, colours, pixels)
        .unwrap()
        .with_labels(labels)
        .unwrap()
}

/// IDX files of images, as the program reads them.
pub fn write_idx(path: &Path, images: &ImageSet) {
    let sides = [images.len(), images.height(), images.width()];
    let mut bytes = vec![0, 0, 8, 3];
    bytes.extend(sides.iter().flat_map(|side| (*side as u32).to_be_bytes()));
    bytes.extend_from_slice(images.pixels());
    fs_err::write(path, bytes).unwrap();
}

fn config(sides: (usize, usize, usize), latent: &str) -> BlaeConfig {
    BlaeConfig {
        width: 8,
        blocks: 1,
        // A few steps teach little at the slope of a long training.
        slope: 300.0,
        ..BlaeConfig::new(sides, latent.parse().unwrap())
    }
}

pub const SIDES: (usize, usize, usize) = (8, 8, 1);
const RECIPE: fn() -> BlaeRecipe = || BlaeRecipe {
    batch: 8,
    ..BlaeRecipe::default()
};

fn options(steps: u64) -> TrainOptions {
    TrainOptions {
        steps,
        every: 4,
        ..TrainOptions::default()
    }
}

fn run_in(folder: &TempDir) -> RunFolder {
    RunFolder::new(folder.path())
}

/// Trains on little images.
fn trained(
    folder: &RunFolder,
    options: &TrainOptions,
    observer: &dyn Observer,
) -> Result<(Blae, Outcome), NeuralError> {
    let (images, held_out) = (images(40, SIDES), images(8, SIDES));
    let config = config(SIDES, "4x4x2");
    train_blae(
        config,
        RECIPE(),
        options,
        (&images, &held_out),
        folder,
        Device::CPU,
        observer,
    )
}

/// Asks to stop once so many units are done.
pub struct StopAfter(u64, std::sync::atomic::AtomicU64);

impl StopAfter {
    pub fn steps(steps: u64) -> Self {
        Self(steps, 0.into())
    }
}

impl Observer for StopAfter {
    fn stage(&self, _name: &str, _total: u64, _unit: &str) {}

    fn advance(&self, done: u64) {
        self.1.fetch_add(done, std::sync::atomic::Ordering::Relaxed);
    }

    fn stop_requested(&self) -> bool {
        self.1.load(std::sync::atomic::Ordering::Relaxed) >= self.0
    }
}

#[test]
fn images_of_any_size_that_the_stride_divides_become_latents_of_the_shape_and_images_again() {
    for (sides, latent) in [
        ((28, 28, 1), "14x14x2"),
        ((28, 28, 1), "7x7x8"),
        ((32, 32, 3), "4x4x12"),
        ((6, 10, 3), "6x10x1"),
        ((8, 24, 1), "2x6x3"),
    ] {
        for quantizer in [Quantizer::Blae, Quantizer::Lfq, Quantizer::Bsq] {
            let config = BlaeConfig {
                quantizer,
                ..config(sides, latent)
            };
            if quantizer == Quantizer::Bsq && latent.ends_with("x1") {
                assert!(Blae::new(config, 0, Device::CPU).is_err());
                continue;
            }
            let blae = Blae::new(config, 0, Device::CPU).unwrap();
            let set = blae.encode(&images(5, sides), 2, &Unobserved).unwrap();
            assert_eq!((set.shape().to_string().as_str(), set.len()), (latent, 5));
            assert_eq!(set.labels(), Some(&[0, 1, 2, 3, 4][..]));
            let decoded = blae.decode(&set, 3, &Unobserved).unwrap();
            assert_eq!(
                (decoded.height(), decoded.width(), decoded.colours()),
                sides
            );
            assert_eq!(decoded.len(), 5);
        }
    }
}

#[test]
fn bits_are_the_signs_of_the_activations_in_position_order_whatever_the_batch() {
    let blae = Blae::new(config(SIDES, "4x4x2"), 3, Device::CPU).unwrap();
    let images = images(7, SIDES);
    let activations = blae.activations(&images, 7, &Unobserved).unwrap();
    for batch in [1, 3, 100] {
        let set = blae.encode(&images, batch, &Unobserved).unwrap();
        for (id, values) in activations.chunks_exact(32).enumerate() {
            let signs: Vec<bool> = values.iter().map(|value| *value > 0.0).collect();
            assert_eq!(unpacked(set.packed_latent(id), 32), signs);
        }
    }
    // A bit is ±level to the decoder.
    let set = blae.encode(&images, 7, &Unobserved).unwrap();
    let level = blae.level();
    let values: Vec<f32> = activations
        .iter()
        .map(|z| if *z > 0.0 { level } else { -level })
        .collect();
    let decoded = blae.decode(&set, 7, &Unobserved).unwrap();
    assert_eq!(
        decoded.pixels(),
        blae.decode_values(&values, 7, &Unobserved)
            .unwrap()
            .pixels()
    );
}

#[test]
fn a_checkpoint_alone_gives_the_same_bits_and_the_same_codec() {
    let folder = small_folder();
    let (blae, _) = trained(&run_in(&folder), &options(8), &Unobserved).unwrap();
    let loaded = Blae::load(&run_in(&folder).last(), Device::CPU).unwrap();
    let images = images(20, SIDES);
    let encode = |blae: &Blae| blae.encode(&images, 20, &Unobserved).unwrap();
    assert_eq!(encode(&loaded), encode(&blae));
    assert_eq!(loaded.codec(), blae.codec());
    assert!(loaded.codec().to_string().starts_with("blae:"));
    let other = Blae::new(*blae.config(), 1, Device::CPU).unwrap();
    assert_ne!(other.codec(), blae.codec());
}

#[test]
fn a_training_lowers_the_loss() {
    let folder = small_folder();
    let run = run_in(&folder);
    let options = TrainOptions {
        every: 60,
        ..options(120)
    };
    trained(&run, &options, &Unobserved).unwrap();
    let log = fs_err::read_to_string(run.log()).unwrap();
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let losses: Vec<_> = lines.filter_map(|line| line["loss"].as_f64()).collect();
    assert_eq!(losses.len(), 2);
    assert!(losses[1] < 0.7 * losses[0], "{losses:?}");
    assert!(run.best().is_file() && run.pictures().is_file());
}

#[test]
fn a_stopped_training_goes_on_bit_for_bit_as_if_it_had_not_been() {
    let [whole, halved] = [small_folder(), small_folder()];
    let options = options(12);
    let (blae, outcome) = trained(&run_in(&whole), &options, &Unobserved).unwrap();
    assert!(!outcome.stopped && outcome.step == 12);
    // Between two validations.
    let (_, outcome) = trained(&run_in(&halved), &options, &StopAfter::steps(6)).unwrap();
    assert!(outcome.stopped && outcome.step == 6);
    let data = (&images(40, SIDES), &images(8, SIDES));
    let (resumed, outcome) = resume_blae(data, &run_in(&halved), Device::CPU, &Unobserved).unwrap();
    assert!(!outcome.stopped && outcome.step == 12);
    assert_eq!(resumed.codec(), blae.codec());
    for file in [RunFolder::last, RunFolder::best, RunFolder::pictures] {
        let [whole, halved] = [&whole, &halved].map(|f| fs_err::read(file(&run_in(f))).unwrap());
        assert_eq!(whole, halved);
    }
    // Both with the statistics that came of the batches: not trained, and as much of the network as what is.
    let bytes = fs_err::read(run_in(&halved).last()).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for (name, start) in [("mean", 0f32), ("variance", 1.0)] {
        let tensor = file.tensor(&format!("model.encoder.standard.{name}"));
        let (values, _) = tensor.unwrap().data().as_chunks::<4>();
        assert_eq!(values.len(), 2);
        assert!(values.iter().all(|value| *value != start.to_le_bytes()));
        let mean = format!("optimiser.mean.encoder.standard.{name}");
        assert!(file.tensor(&mean).is_err());
    }
    // The logs too, but for the time and the two lines that say how it began.
    let lines = |folder: &TempDir| -> Vec<serde_json::Value> {
        let log = fs_err::read_to_string(run_in(folder).log()).unwrap();
        let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
        let lines = lines.filter(|line: &serde_json::Value| line["event"] == "validation");
        lines
            .map(|mut line| {
                line["seconds"].take();
                line
            })
            .collect()
    };
    assert_eq!(lines(&whole), lines(&halved));
    assert_eq!(lines(&whole).len(), 3);
}

#[test]
fn another_seed_trains_another_network() {
    let codec = |seed| {
        let folder = small_folder();
        let options = TrainOptions { seed, ..options(2) };
        trained(&run_in(&folder), &options, &Unobserved)
            .unwrap()
            .0
            .codec()
    };
    assert_eq!(codec(1), codec(1));
    assert_ne!(codec(1), codec(2));
}

#[test]
fn a_training_on_other_images_is_not_resumed() {
    let folder = small_folder();
    trained(&run_in(&folder), &options(8), &StopAfter::steps(3)).unwrap();
    let data = (&images(41, SIDES), &images(8, SIDES));
    let error = resume_blae(data, &run_in(&folder), Device::CPU, &Unobserved).unwrap_err();
    assert!(error.to_string().contains("other images"), "{error}");
}

#[test]
fn what_leaves_nothing_to_take_statistics_of_is_refused() {
    let (images, held_out) = (images(4, SIDES), images(2, SIDES));
    let folder = small_folder();
    let error = |latent, recipe| {
        let data = (&images, &held_out);
        let config = config(SIDES, latent);
        let (folder, options) = (run_in(&folder), options(2));
        train_blae(
            config,
            recipe,
            &options,
            data,
            &folder,
            Device::CPU,
            &Unobserved,
        )
        .map(|_| ())
        .unwrap_err()
        .to_string()
    };
    let alone = BlaeRecipe {
        batch: 1,
        ..RECIPE()
    };
    assert!(error("1x1x4", alone).contains("2 images for latents of one site"));
    let whole = BlaeRecipe {
        finish: 1.0,
        ..RECIPE()
    };
    assert!(error("4x4x2", whole).contains("finish of 0 to 0.9"));
}

#[test]
fn a_loss_that_is_no_number_stops_and_the_last_checkpoint_stays() {
    let folder = small_folder();
    let run = run_in(&folder);
    let options = TrainOptions {
        lr: 1e30,
        every: 1,
        ..options(8)
    };
    let error = trained(&run, &options, &Unobserved).unwrap_err();
    assert!(matches!(error, NeuralError::Diverged { .. }), "{error}");
    assert!(error.to_string().contains("a lower `lr`"), "{error}");
    if run.last().exists() {
        assert!(error.to_string().contains("last.safetensors"), "{error}");
        Blae::load(&run.last(), Device::CPU).unwrap();
    }
}

#[test]
fn a_damaged_checkpoint_is_refused_with_its_name() {
    let folder = small_folder();
    let run = run_in(&folder);
    trained(&run, &options(4), &Unobserved).unwrap();
    let whole = fs_err::read(run.best()).unwrap();
    let damaged = folder.path().join("damaged.safetensors");
    let refused = |bytes: &[u8], words: &[&str]| {
        fs_err::write(&damaged, bytes).unwrap();
        let error = Blae::load(&damaged, Device::CPU).unwrap_err().to_string();
        for word in ["damaged.safetensors", "expected"].iter().chain(words) {
            assert!(error.contains(word), "no '{word}' in: {error}");
        }
    };
    for length in [0, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..length], &["bitquilt train"]);
    }
    // The same length, another word: what the header says is not believed.
    let replaced = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = whole
            .windows(from.len())
            .position(|part| part == from.as_bytes())
            .unwrap();
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    refused(
        &replaced("\"kind\":\"blae\"", "\"kind\":\"arvm\""),
        &["kind blae", "arvm"],
    );
    refused(
        &replaced("bitquilt.model", "bitquilt.other"),
        &["bitquilt.other"],
    );
    refused(&replaced("\\\"width\\\":8", "\\\"width\\\":9"), &["F32"]);
    refused(
        &replaced("model.encoder.down0.bias", "model.encoder.down0.bios"),
        &["no such tensor"],
    );
    refused(
        &replaced("model.encoder.standard.mean", "model.encoder.standard.moan"),
        &["encoder.standard.mean", "no such tensor"],
    );
}

#[test]
fn latents_are_no_checkpoint_and_a_checkpoint_of_another_shape_does_not_decode_them() {
    let folder = small_folder();
    let blae = Blae::new(config(SIDES, "4x4x2"), 0, Device::CPU).unwrap();
    let set = LatentSet::new("2x2x2".parse().unwrap());
    let path = folder.path().join("latents.safetensors");
    set.write(&path).unwrap();
    let error = Blae::load(&path, Device::CPU).unwrap_err().to_string();
    assert!(error.contains("bitquilt.latents"), "{error}");
    let error = blae.decode(&set, 1, &Unobserved).unwrap_err().to_string();
    assert!(
        error.contains("4x4x2") && error.contains("2x2x2"),
        "{error}"
    );
    let error = blae
        .encode(&images(1, (8, 8, 3)), 1, &Unobserved)
        .unwrap_err()
        .to_string();
    assert!(error.contains("8x8 pixels with 1 colours"), "{error}");
}

#[test]
fn the_command_trains_stops_resumes_and_encodes() {
    let folder = small_folder();
    let path = folder.path();
    write_idx(&path.join("images-idx3-ubyte"), &images(60, SIDES));
    let train = "train blae images-idx3-ubyte -o run --latent 4x4x2 --width 8 --blocks 1 --batch 8 \
                 --steps 6 --every 3 --threads 1 --device cpu";
    let printed = succeeds(path, &split(&format!("{train} --json")));
    let report: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(report["steps"], 6);
    assert!(report["psnr"].as_f64().unwrap() > 0.0);
    // Nothing is overwritten, and nothing resumed as something else.
    refuses(
        path,
        &split(train),
        2,
        &["run", "not empty", "--resume", "--force"],
    );
    let resume = "train blae images-idx3-ubyte -o run --resume --threads 1 --device cpu";
    succeeds(path, &split(resume));
    refuses(
        path,
        &split(&format!("{resume} --lr 0.1")),
        2,
        &["lr 0.002", "0.1"],
    );
    refuses(
        path,
        &split("train blae images-idx3-ubyte -o none --resume"),
        2,
        &["none", "resume"],
    );

    let encode =
        "encode images-idx3-ubyte --model run -o codes.safetensors --threads 1 --device cpu";
    succeeds(path, &split(encode));
    refuses(path, &split(encode), 2, &["codes.safetensors", "exists"]);
    let set = LatentSet::read(&path.join("codes.safetensors")).unwrap();
    let blae = Blae::load(&path.join("run/best.safetensors"), Device::CPU).unwrap();
    assert_eq!(set.codec(), &blae.codec());
    let expected = blae.encode(&images(60, SIDES), 60, &Unobserved).unwrap();
    assert_eq!(set.packed(), expected.packed());

    // Images are read as `import` reads them: here half transparent over white, and transposed.
    let half = |value: u8| image::LumaA([value, 128]);
    let picture = images(1, SIDES);
    let drawn = |x: u32, y: u32| half(picture.pixels()[(x * 8 + y) as usize]);
    let file = path.join("a.png");
    image::ImageBuffer::from_fn(8, 8, drawn)
        .save(&file)
        .unwrap();
    let seen = picture.pixels().iter().map(|value| {
        let mixed = u32::from(*value) * 128 + 255 * 127;
        ((2 * mixed + 255) / 510) as u8
    });
    let seen = ImageSet::new(8, 8, 1, seen.collect()).unwrap();
    let encode = "encode a.png --model run -o a.safetensors --background white --transpose \
                  --threads 1 --device cpu";
    let output = bitquilt(path, &split(encode));
    assert!(output.status.success(), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("1 image with transparency composited over white"),
        "{stderr}"
    );
    let set = LatentSet::read(&path.join("a.safetensors")).unwrap();
    assert_eq!(
        set.packed(),
        blae.encode(&seen, 1, &Unobserved).unwrap().packed()
    );
    assert_eq!(set.source(), "a.png, over white, transposed");
}

#[test]
fn what_cannot_be_trained_is_refused_before_anything_is_written() {
    let folder = small_folder();
    let path = folder.path();
    write_idx(&path.join("images-idx3-ubyte"), &images(20, SIDES));
    for (arguments, words) in [
        ("--latent 3x3x2", &["8x8x2, 4x4x2", "3x3x2"][..]),
        ("--latent 4x2x2", &["4x2x2"]),
        ("--latent 16x16x2", &["16x16x2"]),
        ("--latent 4x4x2 --held-out 20", &["--held-out 20", "20"]),
        ("--latent 4x4x2 --held-out nowhere", &["nowhere"]),
        ("--latent 4x4x2 --quantizer vq", &["vq", "lfq"]),
    ] {
        let line =
            format!("train blae images-idx3-ubyte -o run --threads 1 --device cpu {arguments}");
        refuses(path, &split(&line), 2, words);
        assert!(!path.join("run").exists(), "{arguments}");
    }
    // The machine that this runs on may have a GPU; then there is nothing to refuse.
    if !Path::new("/dev/nvidiactl").exists() {
        let line = "train blae images-idx3-ubyte -o run --latent 4x4x2 --device cuda";
        refuses(path, &split(line), 2, &["CUDA", "--device cpu"]);
    }
}
