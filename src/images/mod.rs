//! Images whole: 8-bit pixels in memory or in batches, for what looks at more than one bit of them.
//!
//! The same inputs that [`import`] takes, recognised and read in the same way; only what
//! becomes of a value differs. There it is compared with a threshold, here it is kept:
//! round(255 · value / white), which is the sample itself wherever the file holds 8-bit samples that are
//! neither mixed to gray nor scaled.
//!
//! ```no_run
//! use bitquilt::Unobserved;
//! use bitquilt::images::{ImageOptions, ImageSet, ImageStream};
//!
//! let inputs = ["train-images-idx3-ubyte.gz".into()];
//! let options = ImageOptions::default();
//! // All of them:
//! let images = ImageSet::read(&inputs, &options, &Unobserved)?;
//! println!("{} images of {}x{}", images.len(), images.height(), images.width());
//! // Or 256 at a time, in order:
//! let mut stream = ImageStream::open(&inputs, &options)?;
//! while let Some(batch) = stream.next_batch(256, &Unobserved)? {
//!     println!("{} more, with labels {:?}", batch.len(), batch.labels());
//! }
//! # Ok::<(), bitquilt::LatentError>(())
//! ```

pub mod import;
mod set;
mod stream;

pub use set::ImageSet;
pub use stream::{ImageOptions, ImageStream};
