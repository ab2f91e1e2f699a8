//! Files of images, codes and labels to import.

use std::io::Write;
use std::path::PathBuf;

use bitquilt::images::{ImageOptions, ImageSet};
use bitquilt::images::import::{ImportOptions, Labels, Layout, import};
use bitquilt::{LatentSet, Unobserved};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::files::{is_sound, place, says_something, written};

fn imported(inputs: &[PathBuf], options: &ImportOptions) -> Option<LatentSet> {
    match import(inputs, options, &Unobserved) {
        Ok(imported) => {
            assert!(!imported.set.is_empty());
            is_sound(&imported.set);
            Some(imported.set)
        }
        Err(error) => {
            says_something(&error);
            None
        }
    }
}

/// The same images whole: as many, of the same size where nothing scales them.
fn whole(inputs: &[PathBuf], bits: Option<&LatentSet>) {
    match ImageSet::read(inputs, &ImageOptions::default(), &Unobserved) {
        Ok(images) => {
            let values = images.height() * images.width() * images.colours();
            assert_eq!(images.pixels().len(), images.len() * values);
            if let Some(set) = bits {
                assert_eq!(images.len(), set.len());
                assert_eq!(values, set.shape().bits());
                assert_eq!(images.labels(), set.labels());
            }
        }
        Err(error) => {
            says_something(&error);
            assert!(bits.is_none(), "bits of images that are none");
        }
    }
}

/// IDX images, plain, packed and scaled.
pub fn idx(bytes: &[u8]) {
    let inputs = [written("input", bytes)];
    let plain = imported(&inputs, &ImportOptions::default());
    whole(&inputs, plain.as_ref());
    let scaled = ImportOptions {
        resize: Some((3, 5)),
        threshold: Some(0.25),
        ..ImportOptions::default()
    };
    if let Some(set) = imported(&inputs, &scaled) {
        assert_eq!((set.shape().height(), set.shape().width()), (3, 5));
    }
    // A file that CIFAR-10 could be is told by its length, which packing changes.
    if bytes.starts_with(&[0, 0, 8, 3]) && !bytes.len().is_multiple_of(3073) {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(bytes).expect("memory");
        let inputs = [written("input", &packed.finish().expect("memory"))];
        let unpacked = imported(&inputs, &ImportOptions::default());
        assert!(unpacked == plain, "packed it is another set");
    }
}

/// CIFAR-10 batches, one and the same twice.
pub fn cifar(bytes: &[u8]) {
    let path = written("input", bytes);
    let one = imported(&[path.clone()], &ImportOptions::default());
    whole(&[path.clone()], one.as_ref());
    let two = imported(&[path.clone(), path.clone()], &ImportOptions::default());
    if let (Some(one), Some(two)) = (one, two) {
        let mut twice = one.clone();
        twice.append(&one).expect("one shape");
        assert_eq!(two.packed(), twice.packed());
        assert_eq!(two.labels(), twice.labels());
    }
}

fn array(bytes: &[u8]) {
    let inputs = [written("input", bytes)];
    let of = |layout| {
        let options = ImportOptions {
            layout,
            ..ImportOptions::default()
        };
        imported(&inputs, &options)
    };
    let flat = of(None);
    let [last, first] = [Layout::Nhwc, Layout::Nchw].map(|layout| of(Some(layout)));
    assert!(flat.is_none() || last.is_none(), "three axes and four");
    assert_eq!(last.is_some(), first.is_some());
    if let (Some(last), Some(first)) = (last, first) {
        assert_eq!(last.len(), first.len());
        assert_eq!(last.shape().bits(), first.shape().bits());
        let ones = |set: &LatentSet| -> u32 { set.packed().iter().map(|b| b.count_ones()).sum() };
        assert_eq!(ones(&last), ones(&first));
    }
}

/// Arrays of codes.
pub fn npy(bytes: &[u8]) {
    array(bytes);
}

/// Archives of arrays.
pub fn npz(bytes: &[u8]) {
    array(bytes);
}

/// Files of labels, of three images.
pub fn labels(bytes: &[u8]) {
    let images = place("images");
    if !images.exists() {
        let header = [0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2];
        written("images", &[&header[..], &[200; 12]].concat());
    }
    let options = ImportOptions {
        labels: Labels::File(written("labels", bytes)),
        ..ImportOptions::default()
    };
    if let Some(set) = imported(&[images], &options) {
        assert_eq!(set.labels().map(<[i64]>::len), Some(3));
    }
}
