//! Different images that have the same code.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::EvalError;
use crate::images::ImageSet;
use crate::latent::LatentSet;

/// Which images an encoder cannot tell apart. Images that are equal in every value count as one, so
/// duplicates in a data set are no collisions.
///
/// ```
/// use bitquilt::images::ImageSet;
/// use bitquilt::model::Collisions;
/// # use bitquilt::{LatentSet, Shape};
///
/// let images = ImageSet::new(1, 2, 1, vec![0, 0, 255, 0, 255, 0])?; // three images of two pixels
/// let codes = LatentSet::from_packed(Shape::new(1, 1, 8)?, vec![7, 7, 7])?;
/// let collisions = Collisions::of(&codes, &images, 10)?;
/// // The second and the third are equal; only the first two collide.
/// assert_eq!((collisions.different_images, collisions.different_codes), (2, 1));
/// assert_eq!(collisions.largest, [[0, 1]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Collisions {
    /// Images, duplicates included.
    pub images: u64,
    /// Images that differ.
    pub different_images: u64,
    /// Codes that differ.
    pub different_codes: u64,
    /// Codes that several different images have.
    pub shared_codes: u64,
    /// Different images that share their code with another one.
    pub colliding_images: u64,
    /// Images with more than one code: 0 for an encoder that gives equal images equal codes.
    pub split_images: u64,
    /// The first few of the shared codes, those of most images first: for each the ids of its different
    /// images, of duplicates the first.
    pub largest: Vec<Vec<u64>>,
}

impl Collisions {
    /// Compares all images that have the same code; lists at most `max` of the shared codes. O(N) time
    /// and memory.
    ///
    /// # Errors
    /// [`EvalError::Counts`] when there is not one latent for each image.
    pub fn of(set: &LatentSet, images: &ImageSet, max: usize) -> Result<Self, EvalError> {
        if set.len() != images.len() {
            return Err(EvalError::Counts {
                what: "latents",
                expected: images.len(),
                found: set.len(),
            });
        }
        // Ids of the different images of each code, in order.
        let mut of_code: HashMap<&[u8], Vec<u64>> = HashMap::new();
        let mut seen: HashSet<(&[u8], &[u8])> = HashSet::new();
        let mut codes_of_image: HashMap<&[u8], u32> = HashMap::new();
        for (id, image) in images.images().enumerate() {
            let code = set.packed_latent(id);
            if seen.insert((code, image)) {
                of_code.entry(code).or_default().push(id as u64);
                *codes_of_image.entry(image).or_default() += 1;
            }
        }
        let different_codes = of_code.len() as u64;
        let mut shared: Vec<Vec<u64>> = of_code
            .into_values()
            .filter(|images| images.len() > 1)
            .collect();
        shared.sort_by_key(|images| (std::cmp::Reverse(images.len()), images[0]));
        // An image with several codes may collide under more than one of them.
        let colliding: HashSet<&[u8]> = shared
            .iter()
            .flatten()
            .map(|id| images.image(*id as usize))
            .collect();
        let split = codes_of_image.values().filter(|codes| **codes > 1);
        Ok(Self {
            images: images.len() as u64,
            different_images: codes_of_image.len() as u64,
            different_codes,
            shared_codes: shared.len() as u64,
            colliding_images: colliding.len() as u64,
            split_images: split.count() as u64,
            largest: shared.into_iter().take(max).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::latent::Shape;

    fn pairs(codes: &[u8], images: &[u8]) -> (LatentSet, ImageSet) {
        let mut set = LatentSet::new(Shape::new(1, 3, 1).unwrap());
        for code in codes {
            set.push_bits([code & 1 == 1, code & 2 == 2, code & 4 == 4])
                .unwrap();
        }
        (set, ImageSet::new(1, 1, 1, images.to_vec()).unwrap())
    }

    #[test]
    fn duplicates_are_no_collisions_and_different_images_of_one_code_are() {
        let (set, images) = pairs(&[1, 1, 2, 2, 2, 3], &[7, 7, 8, 9, 8, 7]);
        let found = Collisions::of(&set, &images, 5).unwrap();
        let expected = Collisions {
            images: 6,
            different_images: 3,
            different_codes: 3,
            shared_codes: 1,
            colliding_images: 2,
            // Image 7 has codes 1 and 3.
            split_images: 1,
            largest: vec![vec![2, 3]],
        };
        assert_eq!(found, expected);
        let none = Collisions::of(&set, &images, 0).unwrap();
        assert_eq!((none.shared_codes, none.largest.len()), (1, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn collisions_are_found_pair_by_pair(pairs_of in prop::collection::vec((0..8u8, 0..6u8), 0..20)) {
            let (codes, values): (Vec<u8>, Vec<u8>) = pairs_of.iter().copied().unzip();
            let (set, images) = pairs(&codes, &values);
            let found = Collisions::of(&set, &images, 100).unwrap();
            let collides = |value: u8| {
                pairs_of.iter().any(|(code, image)| {
                    *image == value && pairs_of.iter().any(|(c, other)| c == code && *other != value)
                })
            };
            let split = |value: u8| {
                let codes: HashSet<u8> = pairs_of.iter().filter(|p| p.1 == value).map(|p| p.0).collect();
                codes.len() > 1
            };
            prop_assert_eq!(found.colliding_images, (0..6).filter(|v| collides(*v)).count() as u64);
            prop_assert_eq!(found.split_images, (0..6).filter(|v| split(*v)).count() as u64);
            let different = |of: &[u8]| of.iter().collect::<HashSet<_>>().len() as u64;
            prop_assert_eq!(found.different_codes, different(&codes));
            prop_assert_eq!(found.different_images, different(&values));
            for group in &found.largest {
                let of = |of: &[u8]| group.iter().map(|id| of[*id as usize]).collect::<HashSet<u8>>().len();
                prop_assert_eq!(of(&codes), 1);
                prop_assert_eq!(of(&values), group.len());
            }
            prop_assert_eq!(found.largest.len() as u64, found.shared_codes);
        }
    }

    #[test]
    fn one_latent_for_each_image_is_needed() {
        let (set, images) = pairs(&[1, 2], &[7]);
        assert!(matches!(
            Collisions::of(&set, &images, 1),
            Err(EvalError::Counts { .. })
        ));
    }
}
