//! Images whole: 8-bit pixels in memory or in batches, for what looks at more than one bit of them.
//!
//! The same inputs that [`import`] takes, recognised and read in the same way; only what
//! becomes of a value differs. There it is compared with a threshold, here it is kept:
//! round(255 · value / white), which is the sample itself wherever the file holds 8-bit samples that are
//! neither mixed to gray nor scaled.
//!
//! ```
//! use bitquilt::Unobserved;
//! use bitquilt::images::{ImageOptions, ImageSet, ImageStream};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("images.idx");
//! # let header = [0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2];
//! # std::fs::write(&path, [&header[..], &[0, 1, 2, 3, 4, 5]].concat())?;
//! // `path` is a file of three images of 1x2 pixels.
//! let inputs = [path];
//! let options = ImageOptions::default();
//! // All of them:
//! let images = ImageSet::read(&inputs, &options, &Unobserved)?;
//! assert_eq!((images.len(), images.height(), images.width()), (3, 1, 2));
//! assert_eq!(images.image(1), [2, 3]);
//! // Or two at a time, in order:
//! let mut stream = ImageStream::open(&inputs, &options)?;
//! let mut batches = Vec::new();
//! while let Some(batch) = stream.next_batch(2, &Unobserved)? {
//!     batches.push(batch.len());
//! }
//! assert_eq!(batches, [2, 1]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod import;
mod set;
mod stream;

pub use set::ImageSet;
pub use stream::{ImageOptions, ImageStream};
