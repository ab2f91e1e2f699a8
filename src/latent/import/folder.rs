//! Image files, alone or in a folder, with class subfolders as labels. Decoded in parallel, in
//! chunks: no more than one image a thread is unpacked at a time.

use std::ffi::OsStr;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageReader, Limits};
use rayon::prelude::*;

use super::labels::{self, Own};
use super::pixels::{self, Rule};
use super::{ImportOptions, Imported, Labels, check_memory, name_of, recognise, stop_if_asked};
use crate::latent::{Codec, LatentError, LatentSet};
use crate::progress::Observer;

/// Most pixels of an image that is decoded to be scaled: the largest cameras stay below it.
const MOST_PIXELS: u64 = 1 << 26;
/// Memory that decoding one pixel takes: the decoded samples and three values.
const BYTES_PER_PIXEL: u64 = 24;

/// Imports a folder: flat, or one subfolder for each class.
pub(super) fn import(
    folder: &Path,
    options: &ImportOptions,
    observer: &dyn Observer,
) -> Result<Imported, LatentError> {
    let mut notes = Vec::new();
    let found = Found::in_folder(folder)?;
    if found.images.is_empty() {
        return Err(LatentError::format(
            folder,
            "images (PNG, JPEG, BMP, WebP or PNM), or class folders of images",
            format!("none, and {} other files", found.skipped),
        ));
    }
    if found.skipped > 0 {
        notes.push(format!("{} files skipped: not images", found.skipped));
    }
    let all = found.images;
    let own = match found.classes {
        Some((labels, names)) => {
            if options.labels == Labels::Auto {
                notes.push(format!("labels from the class folders: {}", listed(&names)));
            }
            Own::Read(labels)
        }
        None => Own::No,
    };
    let labels = labels::choose(&options.labels, own, all.len(), &mut notes)?;
    let set = decode(folder, &all, options, observer)?;
    finish(set, &name_of(folder), labels, notes)
}

/// Imports image files in the order in which they are given.
pub(super) fn import_files(
    first: &Path,
    files: &[PathBuf],
    options: &ImportOptions,
    observer: &dyn Observer,
) -> Result<Imported, LatentError> {
    let mut notes = Vec::new();
    let labels = labels::choose(&options.labels, Own::No, files.len(), &mut notes)?;
    let set = decode(first, files, options, observer)?;
    let name = match files.len() {
        1 => name_of(first),
        many => format!("{} and {} more images", name_of(first), many - 1),
    };
    finish(set, &name, labels, notes)
}

/// `set` has the rule's description as its source; the name of the input goes before it.
fn finish(
    set: LatentSet,
    name: &str,
    labels: Option<Vec<i64>>,
    notes: Vec<String>,
) -> Result<Imported, LatentError> {
    let source = format!("{name}{}", set.source());
    let mut set = set.with_source(source);
    if let Some(labels) = labels {
        set = set.with_labels(labels)?;
    }
    Ok(Imported { set, notes })
}

/// "0 cat, 1 dog", or of very many the first and the last.
fn listed(names: &[String]) -> String {
    let numbered = |(label, name): (usize, &String)| format!("{label} {name}");
    let all: Vec<_> = names.iter().enumerate().map(numbered).collect();
    match &all[..] {
        [first, second, .., last] if all.len() > 20 => format!("{first}, {second}, ... {last}"),
        _ => all.join(", "),
    }
}

/// The images of a folder and of its class folders, in order.
#[derive(Default)]
struct Found {
    images: Vec<PathBuf>,
    /// One label for each image, and the name of each class.
    classes: Option<(Vec<i64>, Vec<String>)>,
    skipped: usize,
}

impl Found {
    fn in_folder(folder: &Path) -> Result<Self, LatentError> {
        let top = Listing::of(folder)?;
        let mut found = Self {
            images: top.images,
            classes: None,
            skipped: top.skipped,
        };
        if let (Some(image), Some(class)) = (found.images.first(), top.folders.first()) {
            return Err(LatentError::format(
                folder,
                "either images, or subfolders of images (one for each class)",
                format!("both: {} and {}/", name_of(image), name_of(class)),
            ));
        }
        if top.folders.is_empty() {
            return Ok(found);
        }
        let mut labels = Vec::new();
        for (label, class) in (0i64..).zip(&top.folders) {
            let mut inside = Listing::of(class)?;
            if let Some(deeper) = inside.folders.first() {
                return Err(LatentError::format(
                    class,
                    "images: one level of class folders is read",
                    format!("another folder, {}/", name_of(deeper)),
                ));
            }
            labels.extend(inside.images.iter().map(|_| label));
            found.images.append(&mut inside.images);
            found.skipped += inside.skipped;
        }
        let names = top.folders.iter().map(|class| name_of(class)).collect();
        found.classes = Some((labels, names));
        Ok(found)
    }
}

/// What a folder holds, each sorted.
#[derive(Default)]
struct Listing {
    images: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    skipped: usize,
}

impl Listing {
    fn of(folder: &Path) -> Result<Self, LatentError> {
        let mut listing = Self::default();
        for entry in fs_err::read_dir(folder)? {
            let path = entry?.path();
            let hidden = name_of(&path).starts_with('.');
            if fs_err::metadata(&path)?.is_dir() {
                if !hidden {
                    listing.folders.push(path);
                }
            } else if !hidden && is_image(&path)? {
                listing.images.push(path);
            } else {
                listing.skipped += 1;
            }
        }
        listing.images.sort();
        listing.folders.sort();
        Ok(listing)
    }
}

/// Whether a file is an image by its content. One that is named like an image and is none is
/// damaged: an error, not a file to skip.
fn is_image(path: &Path) -> Result<bool, LatentError> {
    let file = fs_err::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(false);
    }
    let mut head = Vec::new();
    file.take(32).read_to_end(&mut head)?;
    match recognise::image_format(&head) {
        Some(format) if format.reading_enabled() => Ok(true),
        Some(format) => Err(LatentError::format(
            path,
            "PNG, JPEG, BMP, WebP or PNM: convert it, or take it out of the folder",
            format!("{format:?}"),
        )),
        None => {
            let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
            let named_so = image::ImageFormat::from_extension(extension)
                .is_some_and(|format| format.reading_enabled());
            if named_so {
                let found = recognise::shown(&head);
                return Err(LatentError::format(
                    path,
                    "an image, as its name says",
                    found,
                ));
            }
            Ok(false)
        }
    }
}

/// All files as one set. `files` is not empty; `input` is named where the whole set is refused.
fn decode(
    input: &Path,
    files: &[PathBuf],
    options: &ImportOptions,
    observer: &dyn Observer,
) -> Result<LatentSet, LatentError> {
    let rule = Rule::new(input, options)?;
    let first = load(&files[0], &rule)?;
    let shape = rule.shape(&files[0], first.height, first.width, first.channels)?;
    check_memory(input, files.len() as u64, shape)?;

    observer.stage("import", files.len() as u64, "latents");
    let mut set = LatentSet::new(shape);
    for chunk in files.chunks(rayon::current_num_threads() * 4) {
        stop_if_asked(observer)?;
        let decoded: Vec<_> = chunk
            .par_iter()
            .map(|file| {
                if observer.stop_requested() {
                    return Ok(Vec::new());
                }
                let pixels = load(file, &rule)?;
                let is_gray = pixels.channels == 1;
                if !rule.one_bit_a_pixel() && is_gray != (first.channels == 1) {
                    return Err(LatentError::format(
                        file,
                        format!(
                            "images that are all gray or all in colour, or --gray (or --channel) \
                             to make one bit of every pixel; {} is {}",
                            files[0].display(),
                            if is_gray { "in colour" } else { "gray" }
                        ),
                        if is_gray {
                            "a gray image"
                        } else {
                            "a colour image"
                        },
                    ));
                }
                if !rule.resizes() && (pixels.height, pixels.width) != (first.height, first.width) {
                    return Err(LatentError::format(
                        file,
                        format!(
                            "{}x{} pixels (height x width), as {} has; --resize HxW brings all \
                             images to one size",
                            first.height,
                            first.width,
                            files[0].display()
                        ),
                        format!("{}x{}", pixels.height, pixels.width),
                    ));
                }
                Ok(rule.bits(pixels))
            })
            .collect();
        // A stop leaves empty images behind: they must not be taken for real ones.
        stop_if_asked(observer)?;
        for bits in decoded {
            set.push_bits(bits?)?;
            observer.advance(1);
        }
    }
    Ok(set
        .with_codec(Codec::Threshold)
        .with_source(rule.describe()))
}

/// One image, after its header has been asked for its size.
fn load(path: &Path, rule: &Rule) -> Result<pixels::Pixels, LatentError> {
    let unreadable = |error: image::ImageError| {
        LatentError::format(
            path,
            "an undamaged image: take it out, or fetch it again",
            error,
        )
    };
    let mut reader =
        ImageReader::new(BufReader::new(fs_err::File::open(path)?)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_PIXELS * BYTES_PER_PIXEL);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if rule.resizes() {
        if pixels > MOST_PIXELS {
            let found = format!("{height}x{width}");
            let expected = format!("an image of at most {MOST_PIXELS} pixels");
            return Err(LatentError::format(path, expected, found));
        }
    } else {
        rule.shape(path, height, width, 1)?;
    }
    let needed = pixels * BYTES_PER_PIXEL * rayon::current_num_threads() as u64;
    // A system call: only where the image is large.
    if needed > 1 << 28 {
        LatentError::check_memory(path, needed)?;
    }
    DynamicImage::from_decoder(decoder)
        .map(pixels::of_image)
        .map_err(unreadable)
}
