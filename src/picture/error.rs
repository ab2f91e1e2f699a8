//! What can go wrong with a picture that is drawn of no file.

/// An error of the `picture` module. What is drawn of a file is refused with a
/// [`LatentError`](crate::latent::LatentError), which names it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// A map that is too large to look at.
    #[error("a map of {height}x{width} pixels (height x width): expected at most {max} pixels")]
    Map {
        /// Height, in pixels.
        height: usize,
        /// Width, in pixels.
        width: usize,
        /// Most pixels.
        max: usize,
    },
}
