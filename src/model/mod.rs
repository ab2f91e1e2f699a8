//! Metrics, each a pure function over latents, images or features.
//!
//! | what | where |
//! | --- | --- |
//! | error of reconstructions: MSE, PSNR | [`Reconstruction`], [`squared_errors`], [`psnr`] |
//! | what single bits are worth: means, dead bits, entropies | [`CodeStatistics`], [`binary_entropy`] |
//! | how much bits repeat each other | [`Correlations`] |
//! | both of one set of codes | [`CodesReport`] |
//! | different images with one code | [`Collisions`] |
//! | robustness: flipped bits, agreement | [`flip_bits`], [`bit_agreement`] |
//! | how binary activations are | [`Saturation`] |
//! | the noise of Eqn 10 | [`Triangular`] |
//! | overlap of noisy codes, Eqn 3 | [`CodeOverlap`], [`monte_carlo_overlap`] |
//! | the loss that it implies, Eqn 2 | [`loss_bound`], [`LossBound`] |
//! | all of that for one encoder | [`BlaeReport`] |
//! | bits per latent; the index as a model | [`BitsReport`], [`CountModel`] |
//! | what single windows know and support | [`fit()`] |

mod blae;
mod bound;
mod codes;
mod codes_report;
mod collisions;
mod correlation;
mod error;
mod fit;
mod flips;
mod likelihood;
mod overlap;
mod reconstruction;
mod saturation;
mod triangular;
mod words;

pub use blae::{
    BlaeReport, BoundReport, FlipReport, NoiseReport, OverlapReport, SaturationReport, SplitReport,
};
pub use bound::{LossBound, loss_bound};
pub use codes::{CodeStatistics, binary_entropy};
pub use codes_report::CodesReport;
pub use collisions::Collisions;
pub use correlation::{Correlation, Correlations};
pub use error::EvalError;
pub use fit::{Fit, fit};
pub use flips::{bit_agreement, flip_bits};
pub(crate) use likelihood::blend;
pub use likelihood::{BitsReport, CountModel, Smoothing, bits_of_logits};
pub use overlap::{CodeOverlap, Estimate, monte_carlo_overlap};
#[cfg(feature = "neural")]
pub(crate) use reconstruction::decibels;
pub use reconstruction::{Reconstruction, psnr, squared_errors};
pub use saturation::{SATURATED, Saturation};
pub use triangular::{NoiseError, NoiseForm, Triangular};
