//! Files of images to read, made of noise.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use image::{GrayImage, RgbImage};

/// Bytes that look random and are the same every time.
pub fn noise(count: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as u8
    };
    (0..count).map(|_| next()).collect()
}

/// Packed as `gzip` does.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An IDX file of unsigned bytes.
pub fn idx(sides: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sides.len() as u8];
    bytes.extend(sides.iter().flat_map(|side| side.to_be_bytes()));
    bytes.extend(data);
    bytes
}

/// Records with these labels and noise for pixels.
pub fn cifar(labels: &[u8], seed: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, label) in (0..).zip(labels) {
        bytes.push(*label);
        bytes.extend(noise(3072, seed + index));
    }
    bytes
}

/// Records with these coarse and fine labels and noise for pixels.
pub fn cifar100(labels: &[[u8; 2]], seed: u32) -> Vec<u8> {
    let records = (0..)
        .zip(labels)
        .flat_map(|(index, labels)| [&labels[..], &noise(3072, seed + index)].concat());
    records.collect()
}

/// A gray picture of noise.
pub fn gray(width: u32, height: u32, seed: u32) -> GrayImage {
    GrayImage::from_raw(width, height, noise((width * height) as usize, seed)).unwrap()
}

/// A picture of noise in colour.
pub fn colour(width: u32, height: u32, seed: u32) -> RgbImage {
    RgbImage::from_raw(width, height, noise((width * height * 3) as usize, seed)).unwrap()
}
