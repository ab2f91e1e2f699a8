//! A folder to import in, arrays as numpy saves them, and the bits that come out.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use assert_cmd::Command;
use bitquilt::{LatentSet, Shape};
use image::DynamicImage;
use npyz::zip::ZipWriter;
use npyz::zip::write::FileOptions;
use tempfile::TempDir;

/// A folder to work in, gone at the end of the test.
pub struct Desk(TempDir);

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Desk {
    /// An empty one.
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// The path of a name in this folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file, with the folders that it lies in.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// An image file, in the format that its name says.
    pub fn draw(&self, name: &str, image: impl Into<DynamicImage>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        image.into().save(path).unwrap();
    }

    /// Runs the binary with arguments split at spaces, in this folder.
    pub fn run(&self, arguments: &str) -> Outcome {
        let output = Command::new(env!("CARGO_BIN_EXE_bitquilt"))
            .current_dir(self.0.path())
            .args(arguments.split_whitespace())
            .output()
            .unwrap();
        Outcome {
            code: output.status.code().expect("not killed"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Imports into `out`, which must work.
    pub fn import(&self, arguments: &str) -> (LatentSet, Outcome) {
        let outcome = self.run(&format!("import {arguments} -o out --force"));
        assert_eq!(outcome.code, 0, "{arguments}: {outcome:?}");
        (LatentSet::read(&self.path("out")).unwrap(), outcome)
    }

    /// A command that must end with exit code 2, a message with all of `words`, and no output file.
    pub fn refused(&self, arguments: &str, words: &[&str]) {
        let _ = fs::remove_file(self.path("out"));
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, 2, "{arguments}: {outcome:?}");
        assert_eq!(outcome.stdout, "", "{arguments}");
        for word in words {
            assert!(
                outcome.stderr.contains(word),
                "{arguments}: no '{word}' in {}",
                outcome.stderr
            );
        }
        assert!(!self.path("out").exists(), "{arguments}: left a file");
    }

    /// An import that must end so.
    pub fn refused_import(&self, arguments: &str, words: &[&str]) {
        self.refused(&format!("import {arguments} -o out"), words);
    }
}

/// An array as `numpy.save` writes it.
pub fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    npy_of_header(
        &format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"),
        data,
    )
}

/// The same with any header.
pub fn npy_of_header(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// Arrays as `numpy.savez` writes them.
pub fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        zip.start_file(format!("{name}.npy"), FileOptions::default())
            .unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// All bits of a set, latent by latent.
pub fn bits(set: &LatentSet) -> Vec<bool> {
    (0..set.len())
        .flat_map(|id| set.latent(id).iter().map(|bit| *bit).collect::<Vec<_>>())
        .collect()
}

/// A shape that there can be.
pub fn shape(height: usize, width: usize, channels: usize) -> Shape {
    Shape::new(height, width, channels).unwrap()
}
