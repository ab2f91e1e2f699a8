//! Images whole: the pixels are the file's, thresholded by hand they are what the importer makes of the
//! file, and batches are the whole in pieces.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::slice::from_ref;

use bitquilt::images::import::{Colour, ImportOptions, Labels, import};
use bitquilt::images::{ImageOptions, ImageSet, ImageStream};
use bitquilt::{Budget, LatentError, LatentSet, Observer, SampleSet, Unobserved};
use image::{DynamicImage, ImageBuffer, Luma};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::support::cases;
use crate::support::files::{cifar, colour, gray, gzip, idx, noise};

/// Inputs of one kind, in a folder that lives as long.
#[derive(Debug)]
struct Input {
    _folder: TempDir,
    paths: Vec<PathBuf>,
    in_colour: bool,
}

/// Every kind of input, each with a few images of noise.
const KINDS: usize = 7;

fn input(kind: usize, images: usize, height: u32, width: u32, seed: u32) -> Input {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let sides = [images as u32, height, width];
    let bytes = noise(images * (height * width) as usize, seed);
    let draw = |name: String, image: DynamicImage| {
        let path = at(&name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        image.save(&path).unwrap();
        path
    };
    let labels: Vec<u8> = (0..images).map(|i| (i * 7 % 10) as u8).collect();
    let paths = match kind {
        0 => {
            fs::write(at("a-images-idx3-ubyte"), idx(&sides, &bytes)).unwrap();
            fs::write(at("a-labels-idx1-ubyte"), idx(&sides[..1], &labels)).unwrap();
            vec![at("a-images-idx3-ubyte")]
        }
        1 => {
            fs::write(at("a.gz"), gzip(&idx(&sides, &bytes))).unwrap();
            vec![at("a.gz")]
        }
        2 => {
            let (first, second) = labels.split_at(images.div_ceil(2));
            fs::write(at("1.bin"), cifar(first, seed)).unwrap();
            let mut paths = vec![at("1.bin")];
            if !second.is_empty() {
                fs::write(at("2.bin"), cifar(second, seed + 100)).unwrap();
                paths.push(at("2.bin"));
            }
            paths
        }
        3 => {
            fs::write(at("data_batch_1.bin"), cifar(&labels, seed)).unwrap();
            vec![folder.path().into()]
        }
        4 => (0..images as u32)
            .map(|i| draw(format!("{i}.png"), gray(width, height, seed + i).into()))
            .collect(),
        5 => {
            for i in 0..images as u32 {
                let name = format!("{}/{i}.png", ["cat", "dog"][i as usize % 2]);
                draw(name, colour(width, height, seed + i).into());
            }
            vec![folder.path().into()]
        }
        _ => {
            for i in 0..images as u32 {
                draw(format!("{i}.png"), colour(width, height, seed + i).into());
            }
            vec![folder.path().into()]
        }
    };
    Input {
        _folder: folder,
        paths,
        in_colour: matches!(kind, 2 | 3 | 5 | 6),
    }
}

fn inputs() -> impl Strategy<Value = Input> {
    (0..KINDS, 1..9usize, 1..7u32, 1..7u32, 0..1000u32)
        .prop_map(|(kind, images, height, width, seed)| input(kind, images, height, width, seed))
}

fn read(paths: &[PathBuf], options: &ImageOptions) -> ImageSet {
    ImageSet::read(paths, options, &Unobserved).unwrap()
}

fn imported(paths: &[PathBuf], options: &ImageOptions, threshold: f32) -> LatentSet {
    let options = ImportOptions {
        threshold: Some(threshold),
        resize: options.resize,
        colour: options.colour,
        ..ImportOptions::default()
    };
    import(paths, &options, &Unobserved).unwrap().set
}

/// All bits of a set, latent by latent.
fn bits(set: &LatentSet) -> Vec<bool> {
    let latents = (0..set.len()).map(|id| set.latent(id).iter().map(|bit| *bit));
    latents.flatten().collect()
}

fn at_least(images: &ImageSet, min: u16) -> Vec<bool> {
    let values = images.pixels().iter();
    values.map(|value| u16::from(*value) >= min).collect()
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn samples_thresholded_by_hand_are_what_import_makes(
        input in inputs(),
        which in 0..5usize,
        min in 1..=255u16,
    ) {
        let colours = [None, Some(Colour::Rgb), Some(Colour::Red), Some(Colour::Green), Some(Colour::Blue)];
        let options = ImageOptions {
            colour: if input.in_colour { colours[which] } else { None },
            ..ImageOptions::default()
        };
        let images = read(&input.paths, &options);
        let set = imported(&input.paths, &options, f32::from(min) / 255.0);
        prop_assert_eq!(at_least(&images, min), bits(&set));
        let shape = set.shape();
        prop_assert_eq!(
            (images.len(), images.height(), images.width(), images.colours()),
            (set.len(), shape.height(), shape.width(), shape.channels())
        );
        prop_assert_eq!(images.labels(), set.labels());
        let source = set.source().split(", threshold").next();
        prop_assert_eq!(Some(images.source()), source);
    }

    // A value between two bytes is rounded to the nearer: import at a threshold just below the half
    // has every such bit, just above it no other.
    #[test]
    fn mixed_and_scaled_values_thresholded_by_hand_are_what_import_makes(
        input in inputs(),
        resize in prop::option::of((1..9u32, 1..9u32)),
        min in 1..=255u16,
    ) {
        let colour = Some(Colour::Gray);
        let options = ImageOptions { resize, colour, ..ImageOptions::default() };
        let images = read(&input.paths, &options);
        let threshold = |half: f32| (f32::from(min) - half) / 255.0;
        let below = bits(&imported(&input.paths, &options, threshold(0.501)));
        let above = bits(&imported(&input.paths, &options, threshold(0.499)));
        let by_hand = at_least(&images, min);
        prop_assert_eq!(by_hand.len(), below.len());
        for ((bit, below), above) in by_hand.iter().zip(below).zip(above) {
            prop_assert!(above <= *bit && *bit <= below);
        }
    }

    #[test]
    fn batches_are_the_whole_in_order(input in inputs(), max in 1..10usize, limit in prop::option::of(1..10usize)) {
        let whole = read(&input.paths, &ImageOptions::default());
        let options = ImageOptions { max_images: limit, ..ImageOptions::default() };
        let mut stream = ImageStream::open(&input.paths, &options).unwrap();
        let count = limit.map_or(whole.len(), |limit| limit.min(whole.len()));
        prop_assert_eq!(stream.count(), count);
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        while let Some(batch) = stream.next_batch(max, &Unobserved).unwrap() {
            prop_assert!(batch.len() == max || stream.left() == 0);
            pixels.extend_from_slice(batch.pixels());
            labels.extend_from_slice(batch.labels().unwrap_or_default());
        }
        prop_assert!(stream.next_batch(max, &Unobserved).unwrap().is_none());
        prop_assert_eq!(&pixels[..], &whole.pixels()[..count * whole.image_values()]);
        prop_assert_eq!(Some(&labels[..]), whole.labels().map(|all| &all[..count]).or(Some(&[])));
        let first = read(&input.paths, &options);
        prop_assert_eq!(first.pixels(), &pixels[..]);
    }

    #[test]
    fn a_damaged_file_of_images_is_read_or_refused_but_never_a_panic(
        which in 0..4usize,
        cut in prop::option::of(0.0..1.0f64),
        changes in prop::collection::vec((0.0..1.0f64, any::<u8>()), 0..4),
        in_header in any::<bool>(),
    ) {
        let input = input([0, 1, 2, 4][which], 2, 4, 5, 3);
        let mut bytes = fs::read(&input.paths[0]).unwrap();
        let reach = if in_header { bytes.len().min(96) } else { bytes.len() } as f64;
        for (at, value) in changes {
            bytes[(at * reach) as usize] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate((cut * bytes.len() as f64) as usize);
        }
        fs::write(&input.paths[0], bytes).unwrap();
        if let Ok(images) = ImageSet::read(&input.paths[..1], &ImageOptions::default(), &Unobserved) {
            prop_assert!(!images.is_empty());
        }
    }
}

#[test]
fn pixels_are_the_bytes_of_the_file() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let options = ImageOptions::default();

    let bytes = noise(3 * 4 * 5, 1);
    fs::write(path("i"), idx(&[3, 4, 5], &bytes)).unwrap();
    assert_eq!(read(&[path("i")], &options).pixels(), &bytes[..]);

    let records = cifar(&[3, 9], 5);
    fs::write(path("c.bin"), &records).unwrap();
    let images = read(&[path("c.bin")], &options);
    assert_eq!(images.labels(), Some(&[3, 9][..]));
    for id in 0..2 {
        for (at, value) in images.image(id).iter().enumerate() {
            let (site, colour) = (at / 3, at % 3);
            assert_eq!(*value, records[id * 3073 + 1 + colour * 1024 + site]);
        }
    }

    let picture = colour(7, 3, 8);
    picture.save(path("p.png")).unwrap();
    let images = read(&[path("p.png")], &options);
    assert_eq!((images.height(), images.width()), (3, 7));
    assert_eq!(images.pixels(), &picture.into_raw()[..]);
}

#[test]
fn samples_of_16_bits_are_rounded_to_8() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("p.png");
    // 128 and 385 lie next to the borders between 0, 1 and 2: a byte is 257 words wide.
    let words = vec![0, 128, 129, 257, 385, 386, 65_535];
    let deep: ImageBuffer<Luma<u16>, _> = ImageBuffer::from_raw(7, 1, words).unwrap();
    deep.save(&path).unwrap();
    let images = read(&[path], &ImageOptions::default());
    assert_eq!(images.pixels(), [0, 0, 1, 1, 1, 2, 255]);
}

fn refused(paths: &[PathBuf], options: &ImageOptions, words: &[&str]) {
    let error = ImageSet::read(paths, options, &Unobserved).unwrap_err();
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "no '{word}' in {text}");
    }
}

#[test]
fn what_holds_no_images_is_refused_with_its_reason() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let options = ImageOptions::default();
    let mut array = b"\x93NUMPY\x01\x00".to_vec();
    let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 3), }\n";
    array.extend((header.len() as u16).to_le_bytes());
    array.extend(header.as_bytes());
    array.extend([1; 18]);
    fs::write(path("c.npy"), array).unwrap();
    refused(
        &[path("c.npy")],
        &options,
        &[
            "c.npy",
            "expected images",
            "an array (.npy)",
            "bitquilt import",
        ],
    );
    // Not for an option that would fit images.
    let gray = ImageOptions {
        colour: Some(Colour::Gray),
        ..options.clone()
    };
    refused(&[path("c.npy")], &gray, &["expected images"]);

    refused(&[path("none")], &options, &["nothing of that name"]);
    refused(&[], &options, &["at least one input"]);
    fs::write(path("i"), idx(&[3, 4, 5], &noise(60, 2))).unwrap();
    fs::write(path("j"), idx(&[3, 4, 5], &noise(61, 2))).unwrap();
    fs::write(path("k"), idx(&[3, 4, 5], &noise(59, 2))).unwrap();
    refused(&[path("j")], &options, &["1 too many"]);
    refused(&[path("k")], &options, &["truncated"]);
    refused(&[path("i"), path("i")], &options, &["one input"]);
    let channel = ImageOptions {
        colour: Some(Colour::Red),
        ..options.clone()
    };
    refused(&[path("i")], &channel, &["`channel`", "colour images"]);
    let none = ImageOptions {
        max_images: Some(0),
        ..options.clone()
    };
    refused(&[path("i")], &none, &["at least one image"]);
    let labels = ImageOptions {
        labels: Labels::File(path("i")),
        ..options
    };
    refused(&[path("i")], &labels, &["expected labels"]);
}

#[test]
fn images_that_do_not_fit_the_first_are_refused_with_what_to_do() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    gray(4, 4, 1).save(path("a.png")).unwrap();
    gray(4, 5, 2).save(path("b.png")).unwrap();
    colour(4, 4, 3).save(path("c.png")).unwrap();
    let options = ImageOptions::default();
    refused(
        &[path("a.png"), path("b.png")],
        &options,
        &["b.png", "resize=HxW"],
    );
    refused(
        &[path("a.png"), path("c.png")],
        &options,
        &["c.png", "one value of every pixel", "gray=true"],
    );
}

/// A sparse file: its length is real, and takes no disk.
fn huge(path: &Path, sides: [u32; 3]) {
    fs::write(path, idx(&sides, &[])).unwrap();
    let bytes: u64 = sides.iter().map(|side| u64::from(*side)).product();
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(16 + bytes).unwrap();
}

#[test]
fn more_than_memory_holds_is_refused_whole_and_read_in_batches() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("huge");
    // 4 TiB.
    huge(&path, [1 << 22, 1 << 10, 1 << 10]);
    let options = ImageOptions::default();
    let whole = ImageSet::read(from_ref(&path), &options, &Unobserved);
    assert!(matches!(whole, Err(LatentError::Memory(_))), "{whole:?}");
    let mut stream = ImageStream::open(from_ref(&path), &options).unwrap();
    let batch = stream.next_batch(2, &Unobserved).unwrap().unwrap();
    assert_eq!((batch.len(), stream.left()), (2, (1 << 22) - 2));
    let first = ImageOptions {
        max_images: Some(3),
        ..options
    };
    let images = read(&[path], &first);
    assert_eq!(images.len(), 3);
    assert_eq!(images.source(), "huge, the first 3 of 4194304");
}

#[test]
fn an_image_may_have_more_values_than_a_latent_has_bits() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("large");
    huge(&path, [1, 1 << 10, 1 << 11]);
    let images = read(from_ref(&path), &ImageOptions::default());
    assert_eq!(images.image_values(), 1 << 21);
    huge(&path, [1, 1 << 13, (1 << 13) + 1]);
    refused(
        &[path],
        &ImageOptions::default(),
        &["67108864 values an image"],
    );
}

#[test]
fn reading_that_is_asked_to_stop_ends_as_interrupted() {
    struct Stop;
    impl Observer for Stop {
        fn stage(&self, _name: &str, _total: u64, _unit: &str) {}
        fn advance(&self, _done: u64) {}
        fn stop_requested(&self) -> bool {
            true
        }
    }
    for kind in 0..KINDS {
        let input = input(kind, 3, 4, 4, 1);
        let stopped = ImageSet::read(&input.paths, &ImageOptions::default(), &Stop);
        match stopped {
            Err(LatentError::Stopped(_)) => {}
            other => panic!("kind {kind}: {other:?}"),
        }
    }
}

#[test]
fn the_observer_hears_of_every_image() {
    #[derive(Default)]
    struct Count(std::sync::atomic::AtomicU64);
    impl Observer for Count {
        fn stage(&self, name: &str, total: u64, unit: &str) {
            assert_eq!((name, total, unit), ("read", 5, "images"));
        }
        fn advance(&self, done: u64) {
            self.0.fetch_add(done, std::sync::atomic::Ordering::Relaxed);
        }
        fn stop_requested(&self) -> bool {
            false
        }
    }
    for kind in 0..KINDS {
        let input = input(kind, 5, 4, 4, 1);
        let count = Count::default();
        ImageSet::read(&input.paths, &ImageOptions::default(), &count).unwrap();
        assert_eq!(count.0.into_inner(), 5);
    }
}

#[test]
fn images_are_read_within_the_memory_that_is_given() {
    for kind in 0..KINDS {
        let input = input(kind, 5, 4, 3, 1);
        let latents = |memory| {
            let options = ImportOptions {
                memory,
                ..ImportOptions::default()
            };
            import(&input.paths, &options, &Unobserved).map(|imported| imported.set)
        };
        let images = |memory| {
            let options = ImageOptions {
                memory,
                ..ImageOptions::default()
            };
            ImageSet::read(&input.paths, &options, &Unobserved)
        };
        let enough = Budget::bytes(1 << 30);
        let of_machine = Budget::of_machine();
        assert_eq!(latents(enough).unwrap(), latents(of_machine).unwrap());
        assert_eq!(images(enough).unwrap(), images(of_machine).unwrap());
        let little = Budget::bytes(10);
        for error in [latents(little).unwrap_err(), images(little).unwrap_err()] {
            let refused = matches!(&error, LatentError::Memory(memory) if memory.available == 10);
            assert!(refused, "{error}");
        }
    }
}

#[test]
fn files_of_latents_are_read_within_the_memory_that_is_given() {
    let input = input(0, 5, 4, 3, 1);
    let imported = import(&input.paths, &ImportOptions::default(), &Unobserved).unwrap();
    let path = input.paths[0].with_extension("safetensors");
    imported.set.write(&path).unwrap();
    let needed = 2 * fs::metadata(&path).unwrap().len();
    let enough = Budget::bytes(needed);
    assert_eq!(LatentSet::read_within(&path, enough).unwrap(), imported.set);
    let samples = SampleSet::read_within(&path, enough).unwrap();
    assert_eq!(samples.latents, imported.set);
    let little = Budget::bytes(needed - 1);
    for error in [
        LatentSet::read_within(&path, little)
            .unwrap_err()
            .to_string(),
        SampleSet::read_within(&path, little)
            .unwrap_err()
            .to_string(),
    ] {
        assert!(error.contains("safetensors: the file: "), "{error}");
    }
}
