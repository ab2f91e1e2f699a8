//! How far reconstructions are from their images: MSE and PSNR.

use rayon::prelude::*;
use serde::Serialize;

use super::EvalError;
use crate::images::ImageSet;

/// The error of N reconstructions. Values run from 0 (black) to 1 (white), so that the peak is 1.
///
/// PSNR = −10·log₁₀ MSE, in decibels. Its two means differ: by Jensen's inequality the mean of the images'
/// PSNRs is at least the PSNR of their mean error. Papers seldom say which one they print.
///
/// ```
/// use bitquilt::images::ImageSet;
/// use bitquilt::model::Reconstruction;
///
/// let images = ImageSet::new(1, 2, 1, vec![0, 255, 0, 255])?; // two images of two pixels
/// let decoded = ImageSet::new(1, 2, 1, vec![0, 255, 255, 255])?;
/// let error = Reconstruction::between(&images, &decoded)?;
/// assert_eq!((error.mse, error.exact), (0.25, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reconstruction {
    /// Images, N.
    pub images: u64,
    /// The mean over the images of their mean squared errors.
    pub mse: f64,
    /// The PSNR of that mean; none when every image is reproduced exactly.
    pub psnr_of_mean_mse: Option<f64>,
    /// The mean of the PSNRs of the images that are not reproduced exactly; none without such.
    pub mean_psnr: Option<f64>,
    /// The PSNR of the worst image; none when every image is reproduced exactly.
    pub lowest_psnr: Option<f64>,
    /// Images that are reproduced exactly, whose PSNR is infinite.
    pub exact: u64,
}

impl Reconstruction {
    /// Measures images against their reconstructions.
    ///
    /// # Errors
    /// As [`squared_errors`] has; [`EvalError::TooFew`] for no images.
    pub fn between(images: &ImageSet, others: &ImageSet) -> Result<Self, EvalError> {
        Self::of(&squared_errors(images, others)?)
    }

    /// Summarizes mean squared errors, one for each image: those of [`squared_errors`], of several batches perhaps, or
    /// of images that never were 8-bit.
    ///
    /// # Errors
    /// [`EvalError::TooFew`] when there is none.
    pub fn of(errors: &[f64]) -> Result<Self, EvalError> {
        if errors.is_empty() {
            return Err(EvalError::TooFew {
                what: "images",
                min: 1,
                found: 0,
            });
        }
        let mse = errors.iter().sum::<f64>() / errors.len() as f64;
        let psnrs: Vec<f64> = errors.iter().filter_map(|error| psnr(*error)).collect();
        let inexact = (!psnrs.is_empty()).then_some(psnrs.len() as f64);
        Ok(Self {
            images: errors.len() as u64,
            mse,
            psnr_of_mean_mse: psnr(mse),
            mean_psnr: inexact.map(|count| psnrs.iter().sum::<f64>() / count),
            lowest_psnr: psnrs.iter().copied().reduce(f64::min),
            exact: (errors.len() - psnrs.len()) as u64,
        })
    }

    /// Returns by how many decibels these reconstructions are worse than others, between the PSNRs of the mean errors;
    /// none where one of them is exact.
    pub fn gap_to(&self, better: &Self) -> Option<f64> {
        Some(better.psnr_of_mean_mse? - self.psnr_of_mean_mse?)
    }
}

/// Returns −10·log₁₀ of a mean squared error on the scale of 0 to 1, in decibels; none for no error at all.
pub fn psnr(mse: f64) -> Option<f64> {
    (mse > 0.0).then(|| decibels(mse))
}

/// Returns [`psnr`] of an error above 0.
pub(crate) fn decibels(mse: f64) -> f64 {
    -10.0 * mse.log10()
}

/// Computes the mean squared error of each image against its reconstruction, values from 0 to 1. Exact up to the last
/// division: squares are summed as integers. O(values).
///
/// # Errors
/// [`EvalError::Sizes`], [`EvalError::Counts`] when the two do not belong together.
pub fn squared_errors(images: &ImageSet, others: &ImageSet) -> Result<Vec<f64>, EvalError> {
    check_alike(images, others)?;
    let scale = 255.0 * 255.0 * images.image_values() as f64;
    let values = images.image_values();
    let pairs = images.pixels().par_chunks_exact(values);
    let pairs = pairs.zip(others.pixels().par_chunks_exact(values));
    Ok(pairs
        .map(|(image, other)| squared_distance(image, other) as f64 / scale)
        .collect())
}

/// Returns Σ (a − b)², at most 2²⁶ · 255² < 2⁴².
pub(super) fn squared_distance(image: &[u8], other: &[u8]) -> u64 {
    let squares = image.iter().zip(other).map(|(a, b)| {
        let apart = u32::from(a.abs_diff(*b));
        u64::from(apart * apart)
    });
    squares.sum()
}

fn check_alike(images: &ImageSet, others: &ImageSet) -> Result<(), EvalError> {
    let size = |images: &ImageSet| {
        format!(
            "{}x{}x{}",
            images.height(),
            images.width(),
            images.colours()
        )
    };
    if size(images) != size(others) {
        return Err(EvalError::Sizes {
            what: "images",
            expected: size(images),
            found: size(others),
        });
    }
    if images.len() != others.len() {
        return Err(EvalError::Counts {
            what: "images",
            expected: images.len(),
            found: others.len(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(width: usize, pixels: &[u8]) -> ImageSet {
        ImageSet::new(1, width, 1, pixels.to_vec()).unwrap()
    }

    #[test]
    fn the_two_means_are_those_of_the_definitions() {
        // Errors of 0.01 and 0.0001: 20 dB and 40 dB.
        let figures = Reconstruction::of(&[0.01, 0.0001]).unwrap();
        assert!((figures.mean_psnr.unwrap() - 30.0).abs() < 1e-12);
        let of_mean = -10.0 * 0.00505f64.log10();
        assert!((figures.psnr_of_mean_mse.unwrap() - of_mean).abs() < 1e-12);
        assert!((figures.lowest_psnr.unwrap() - 20.0).abs() < 1e-12);
        assert_eq!(figures.exact, 0);
    }

    #[test]
    fn an_image_that_is_reproduced_exactly_has_no_psnr() {
        let images = set(2, &[0, 255, 10, 20]);
        let same = Reconstruction::between(&images, &images).unwrap();
        assert_eq!((same.mse, same.exact), (0.0, 2));
        assert_eq!((same.psnr_of_mean_mse, same.mean_psnr), (None, None));
        let other = Reconstruction::between(&images, &set(2, &[0, 255, 10, 71])).unwrap();
        assert_eq!(other.exact, 1);
        // 51 of 255 is a fifth: (1/25) / 2 in that image, half of that in the mean.
        assert!((other.mean_psnr.unwrap() + 10.0 * 0.02f64.log10()).abs() < 1e-12);
        assert!((other.psnr_of_mean_mse.unwrap() + 10.0 * 0.01f64.log10()).abs() < 1e-12);
        assert!(other.gap_to(&same).is_none());
    }

    #[test]
    fn images_that_do_not_belong_together_are_refused() {
        let images = set(2, &[0, 1, 2, 3]);
        let sizes = squared_errors(&images, &set(4, &[0; 4]));
        assert!(matches!(sizes, Err(EvalError::Sizes { .. })));
        let counts = squared_errors(&images, &set(2, &[0; 2]));
        assert!(matches!(counts, Err(EvalError::Counts { .. })));
        assert!(Reconstruction::of(&[]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn an_error_is_the_mean_of_the_squared_differences(
            pixels in prop::collection::vec((any::<u8>(), any::<u8>()), 12),
        ) {
            let (a, b): (Vec<u8>, Vec<u8>) = pixels.iter().copied().unzip();
            let images = |pixels| ImageSet::new(2, 1, 3, pixels).unwrap();
            let errors = squared_errors(&images(a), &images(b)).unwrap();
            for (error, pixels) in errors.iter().zip(pixels.chunks(6)) {
                let difference = |(a, b): &(u8, u8)| f64::from(*a) / 255.0 - f64::from(*b) / 255.0;
                let mean = pixels.iter().map(|pair| difference(pair).powi(2)).sum::<f64>() / 6.0;
                prop_assert!((error - mean).abs() < 1e-12);
            }
            let figures = Reconstruction::of(&errors).unwrap();
            if figures.exact == 0 {
                let [mean, of_mean] = [figures.mean_psnr, figures.psnr_of_mean_mse].map(Option::unwrap);
                prop_assert!(mean >= of_mean - 1e-9);
            }
        }
    }
}
