//! Image files, alone or in a folder, with class subfolders as labels. Decoded in parallel, in
//! chunks: no more than one image a thread is unpacked at a time.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::Labels;
use super::checks::name_of;
use super::image_file::load;
use super::labels::{self, Own};
use super::opened::Opened;
use super::pixels::{Form, Pixels};
use super::sniff::{image_format, shown};
use crate::base::Observer;
use crate::latent::LatentError;

/// Opens a folder: flat, or one subfolder for each class.
pub(super) fn open(
    folder: &Path,
    form: &Form,
    wanted: &Labels,
) -> Result<Opened<Files>, LatentError> {
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
    let own = match found.classes {
        Some((labels, names)) => {
            if *wanted == Labels::Auto {
                notes.push(format!("labels from the class folders: {}", listed(&names)));
            }
            Own::Read(labels)
        }
        None => Own::No,
    };
    let labels = labels::choose(wanted, own, found.images.len(), &mut notes)?;
    let name = name_of(folder);
    opened(folder, found.images, form, name, labels, notes)
}

/// Opens image files, in the order in which they are given. `files` is not empty.
pub(super) fn open_files(
    files: &[PathBuf],
    form: &Form,
    wanted: &Labels,
) -> Result<Opened<Files>, LatentError> {
    let mut notes = Vec::new();
    let labels = labels::choose(wanted, Own::No, files.len(), &mut notes)?;
    let first = &files[0];
    let name = match files.len() {
        1 => name_of(first),
        many => format!("{} and {} more images", name_of(first), many - 1),
    };
    opened(first, files.to_vec(), form, name, labels, notes)
}

/// Opens `files`, at least one; the first says what the others must be. `input` is named where the whole set is
/// refused.
fn opened(
    input: &Path,
    files: Vec<PathBuf>,
    form: &Form,
    name: String,
    labels: Option<Vec<i64>>,
    notes: Vec<String>,
) -> Result<Opened<Files>, LatentError> {
    let first = load(&files[0], form)?.pixels;
    let (height, width, channels) = (first.height, first.width, first.channels);
    Ok(Opened {
        path: input.into(),
        sides: form.sides(&files[0], height, width, channels)?,
        total: files.len(),
        labels: labels.into(),
        notes,
        name,
        source: Files {
            files,
            read: 0,
            height,
            width,
            gray: channels == 1,
            transparent: 0,
            turned: 0,
        },
    })
}

/// Lists "0 cat, 1 dog", or of very many the first and the last.
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

/// Returns whether a file is an image by its content. One that is named like an image and is none is damaged: an error,
/// not a file to skip.
fn is_image(path: &Path) -> Result<bool, LatentError> {
    let file = fs_err::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(false);
    }
    let mut head = Vec::new();
    file.take(32).read_to_end(&mut head)?;
    match image_format(&head) {
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
                let found = shown(&head);
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

/// What was made of an image, and what was done to it before.
struct Made<T> {
    image: T,
    transparent: bool,
    turned: bool,
}

/// Image files, read so far as `read`, and what the first of them is.
pub(super) struct Files {
    files: Vec<PathBuf>,
    read: usize,
    height: u32,
    width: u32,
    gray: bool,
    /// How many of those read so far were seen through, and how many had to be turned.
    transparent: usize,
    turned: usize,
}

impl Files {
    /// Reads the next images, at most `max_images`, decoded in parallel.
    pub(super) fn next<T: Send>(
        &mut self,
        max_images: usize,
        form: &Form,
        observer: &dyn Observer,
        make: impl Fn(Pixels) -> T + Sync,
    ) -> Result<Vec<T>, LatentError> {
        let rest = &self.files[self.read..];
        let chunk = &rest[..rest
            .len()
            .min(max_images)
            .min(rayon::current_num_threads() * 4)];
        let decoded: Vec<Result<Option<Made<T>>, LatentError>> = chunk
            .par_iter()
            .map(|file| {
                if observer.stop_requested() {
                    return Ok(None);
                }
                let loaded = load(file, form)?;
                self.check_alike(file, &loaded.pixels, form)?;
                Ok(Some(Made {
                    transparent: loaded.transparent,
                    turned: loaded.turned,
                    image: make(loaded.pixels),
                }))
            })
            .collect();
        // A stop leaves gaps behind: the images around them must not be taken for all.
        observer.check()?;
        let mut made = Vec::with_capacity(decoded.len());
        for one in decoded {
            if let Some(one) = one? {
                self.transparent += usize::from(one.transparent);
                self.turned += usize::from(one.turned);
                made.push(one.image);
            }
        }
        self.read += made.len();
        Ok(made)
    }

    /// Returns what was done to the images read so far.
    pub(super) fn notes(&self, form: &Form) -> Vec<String> {
        let images = |count| match count {
            1 => "1 image".to_owned(),
            many => format!("{many} images"),
        };
        let mut notes = Vec::new();
        if self.transparent > 0 {
            let hint = match form.background {
                None => " (background=COLOUR for another)",
                Some(_) => "",
            };
            notes.push(format!(
                "{} with transparency composited over {}{hint}",
                images(self.transparent),
                form.behind().name()
            ));
        }
        if self.turned > 0 {
            let turned = images(self.turned);
            notes.push(format!("{turned} turned as EXIF says, to stand upright"));
        }
        notes
    }

    /// Refuses an image that does not fit the first one.
    fn check_alike(&self, file: &Path, pixels: &Pixels, form: &Form) -> Result<(), LatentError> {
        let first = &self.files[0];
        let is_gray = pixels.channels == 1;
        if !form.one_value_a_pixel() && is_gray != self.gray {
            return Err(LatentError::format(
                file,
                format!(
                    "images that are all gray or all in colour, or gray=true (or `channel`) to make \
                     one {} of every pixel; {} is {}",
                    form.unit(),
                    first.display(),
                    if is_gray { "in colour" } else { "gray" }
                ),
                if is_gray {
                    "a gray image"
                } else {
                    "a colour image"
                },
            ));
        }
        if !form.resizes() && (pixels.height, pixels.width) != (self.height, self.width) {
            return Err(LatentError::format(
                file,
                format!(
                    "{}x{} pixels (height x width), as {} has; resize=HxW brings all images to \
                     one size",
                    self.height,
                    self.width,
                    first.display()
                ),
                format!("{}x{}", pixels.height, pixels.width),
            ));
        }
        Ok(())
    }
}
