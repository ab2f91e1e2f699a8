//! Files of images, codes and labels to import.

use std::io::Write;
use std::path::PathBuf;

use bitquilt::images::import::{BitOrder, Coding, ImportOptions, Labels, Layout, import};
use bitquilt::images::{ImageOptions, ImageSet};
use bitquilt::{LatentSet, Shape, Unobserved};
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
    let turned = ImportOptions {
        transpose: true,
        ..ImportOptions::default()
    };
    let turned = imported(&inputs, &turned);
    assert_eq!(turned.is_some(), plain.is_some());
    if let (Some(turned), Some(plain)) = (&turned, &plain) {
        let (turned_shape, shape) = (turned.shape(), plain.shape());
        assert_eq!(turned_shape.height(), shape.width());
        assert_eq!(turned_shape.width(), shape.height());
        assert_eq!(ones(turned), ones(plain));
    }
    // A file that could be a CIFAR batch is told by its length, which packing changes.
    let batch = [3073, 3074]
        .iter()
        .any(|record| bytes.len().is_multiple_of(*record));
    if bytes.starts_with(&[0, 0, 8, 3]) && !batch {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(bytes).expect("memory");
        let inputs = [written("input", &packed.finish().expect("memory"))];
        let unpacked = imported(&inputs, &ImportOptions::default());
        assert!(unpacked == plain, "packed it is another set");
    }
}

/// How many bits of a set are 1.
fn ones(set: &LatentSet) -> u32 {
    set.packed().iter().map(|byte| byte.count_ones()).sum()
}

/// CIFAR batches, one and the same twice.
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
    let of = |layout, grid, coding| {
        let options = ImportOptions {
            layout,
            grid,
            coding,
            ..ImportOptions::default()
        };
        imported(&inputs, &options)
    };
    let flat = of(None, None, None);
    let [last, first] = [Layout::Nhwc, Layout::Nchw].map(|layout| of(Some(layout), None, None));
    assert!(flat.is_none() || last.is_none(), "four axes and others");
    assert_eq!(last.is_some(), first.is_some());
    if let (Some(last), Some(first)) = (last, first) {
        assert_eq!(last.len(), first.len());
        assert_eq!(last.shape().bits(), first.shape().bits());
        assert_eq!(ones(&last), ones(&first));
    }
    of(Some(Layout::Nhw), None, None);
    for grid in [None, Some((2, 3))] {
        if let Some(set) = of(Some(Layout::Nlk), grid, None) {
            assert!(grid.is_none_or(|_| set.shape().height() == 2 && set.shape().width() == 3));
        }
    }
    let [msb, lsb] = [BitOrder::MsbFirst, BitOrder::LsbFirst].map(|order| {
        let order = Some(order);
        of(None, None, Some(Coding::Indices { bits: 3, order }))
    });
    assert_eq!(msb.as_ref().map(ones), lsb.as_ref().map(ones));
    for bits in [1, 64] {
        let order = Some(BitOrder::MsbFirst);
        of(None, Some((2, 3)), Some(Coding::Indices { bits, order }));
    }
    let shape = Shape::new(3, 4, 1).expect("a shape");
    let [msb, lsb] = [BitOrder::MsbFirst, BitOrder::LsbFirst]
        .map(|order| of(None, None, Some(Coding::Packed { order, shape })));
    // Padding is 0 in one order and need not be in the other.
    assert!(msb.is_none_or(|set| set.shape() == shape));
    assert!(lsb.is_none_or(|set| set.shape() == shape));
}

/// Arrays of codes.
pub fn npy(bytes: &[u8]) {
    array(bytes);
}

/// Archives of arrays.
pub fn npz(bytes: &[u8]) {
    array(bytes);
}

/// Tensors of codes.
pub fn tensors(bytes: &[u8]) {
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
