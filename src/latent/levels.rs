//! Pyramids from latents of one level each, and back.

use super::{LatentError, LatentSet, Level, Shape};

impl LatentSet {
    /// Lays latents of several sets one after the other, those of one id together: the levels of pyramids, coarse to fine.
    /// Labels are those of the first set that has some.
    ///
    /// ```
    /// # use bitquilt::{LatentSet, Shape};
    /// let mut coarse = LatentSet::new(Shape::new(1, 1, 1)?);
    /// coarse.push_bits([true])?;
    /// let mut fine = LatentSet::new(Shape::new(1, 2, 1)?);
    /// fine.push_bits([false, true])?;
    /// let pyramids = LatentSet::pyramids(&[coarse, fine.clone()])?;
    /// assert_eq!(pyramids.packed_latent(0), [0b101]);
    /// assert_eq!(pyramids.level(1).as_ref(), Some(&fine));
    /// # Ok::<(), bitquilt::LatentError>(())
    /// ```
    ///
    /// # Errors
    /// [`LatentError::Levels`] when they hold different numbers of latents, or different labels; [`LatentError::Shape`] as
    /// [`Shape::pyramid`] has it.
    pub fn pyramids(levels: &[Self]) -> Result<Self, LatentError> {
        let shapes: Vec<Shape> = levels.iter().map(Self::shape).collect();
        let shape = Shape::pyramid(&shapes)?;
        let len = levels.first().map_or(0, Self::len);
        if let Some(other) = levels.iter().find(|level| level.len() != len) {
            return Err(LatentError::Levels {
                why: format!(
                    "the first one holds {len} latents, one of {} holds {}",
                    other.shape(),
                    other.len()
                ),
            });
        }
        let mut labels = levels.iter().filter_map(Self::labels);
        let first = labels.next();
        if labels.any(|labels| Some(labels) != first) {
            return Err(LatentError::Levels {
                why: "their labels are not the same".to_owned(),
            });
        }
        let row = shape.packed_bytes();
        let mut packed = vec![0; len * row];
        for (id, row) in packed.chunks_exact_mut(row).enumerate() {
            let mut at = 0;
            for level in levels {
                put(row, at, level.packed_latent(id));
                at += level.shape().bits();
            }
        }
        let codecs = levels.iter().flat_map(|level| level.codecs().to_vec());
        let mut set = Self::from_packed(shape, packed)?.with_codecs(codecs.collect());
        if let Some(labels) = first {
            set = set.with_labels(labels.to_vec())?;
        }
        let source = levels.last().map(|level| level.source().to_owned());
        Ok(set.with_source(source.unwrap_or_default()))
    }

    /// Returns the latents of one level, with labels; `None` where there are not so many levels.
    pub fn level(&self, number: usize) -> Option<Self> {
        let whole = self.shape();
        let level = whole.level(number)?;
        let packed = self.packed_level(level);
        let codec = self.codecs()[number].clone();
        // The bits behind the last one are zeros, and there is a label for each latent.
        let set = Self::from_packed(level.shape(), packed).ok()?;
        let set = set.with_codec(codec).with_source(self.source());
        match self.labels() {
            Some(labels) => set.with_labels(labels.to_vec()).ok(),
            None => Some(set),
        }
    }

    /// Returns the packed rows of one level of the set's shape.
    pub(super) fn packed_level(&self, level: &Level) -> Vec<u8> {
        let row = level.shape().packed_bytes();
        let mut packed = vec![0; self.len() * row];
        for (id, row) in packed.chunks_exact_mut(row).enumerate() {
            take(row, self.packed_latent(id), level.start(), level.bits());
        }
        packed
    }
}

impl Level {
    /// Returns its bits of a packed latent, packed as those of a latent of their own.
    pub fn bits_of(&self, packed: &[u8]) -> Vec<u8> {
        let mut own = vec![0; self.shape().packed_bytes()];
        take(&mut own, packed, self.start(), self.bits());
        own
    }
}

/// Puts packed bits into a row of zeros from bit `at` on.
fn put(row: &mut [u8], at: usize, bits: &[u8]) {
    for (number, byte) in bits.iter().enumerate() {
        let (first, shift) = (at / 8 + number, at % 8);
        let both = u16::from(*byte) << shift;
        let [low, high] = both.to_le_bytes();
        if let Some(byte) = row.get_mut(first) {
            *byte |= low;
        }
        // What lies behind the row is zero.
        if let Some(byte) = row.get_mut(first + 1) {
            *byte |= high;
        }
    }
}

/// Takes `count` bits of a packed row from bit `at` on.
fn take(into: &mut [u8], row: &[u8], at: usize, count: usize) {
    for (number, byte) in into.iter_mut().enumerate() {
        let first = at / 8 + number;
        let both = [first, first + 1].map(|at| row.get(at).copied().unwrap_or(0));
        let [low, _] = (u16::from_le_bytes(both) >> (at % 8)).to_le_bytes();
        let left = count - 8 * number;
        *byte = if left < 8 {
            low & ((1 << left) - 1)
        } else {
            low
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_pyramid_holds_the_bits_of_its_levels_and_gives_them_back(
            bits in prop::collection::vec(any::<bool>(), 3 * (6 + 9 + 40)),
        ) {
            let shapes = ["1x2x3", "3x3", "4x5x2"].map(|text| text.parse::<Shape>().unwrap());
            let mut levels = shapes.map(LatentSet::new);
            let mut plain = LatentSet::new(Shape::pyramid(&shapes).unwrap());
            for latent in bits.chunks(6 + 9 + 40) {
                plain.push_bits(latent.iter().copied()).unwrap();
                let mut left = latent.iter().copied();
                for level in &mut levels {
                    let count = level.shape().bits();
                    level.push_bits(left.by_ref().take(count)).unwrap();
                }
            }
            let levels = levels.map(|level| level.with_labels(vec![5, 6, 7]).unwrap());
            let plain = plain.with_labels(vec![5, 6, 7]).unwrap();
            let made = LatentSet::pyramids(&levels).unwrap();
            prop_assert_eq!(&made, &plain);
            for (number, level) in levels.iter().enumerate() {
                let found = made.level(number);
                prop_assert_eq!(found.as_ref(), Some(level));
            }
            prop_assert_eq!(made.level(3), None);
        }
    }

    #[test]
    fn levels_that_do_not_belong_together_are_refused() {
        let set = |shape: &str, latents: usize| {
            let shape: Shape = shape.parse().unwrap();
            LatentSet::from_packed(shape, vec![0; latents * shape.packed_bytes()]).unwrap()
        };
        let labelled = |set: LatentSet, label| {
            let labels = vec![label; set.len()];
            set.with_labels(labels).unwrap()
        };
        assert!(LatentSet::pyramids(&[set("1x1", 2), set("2x2", 3)]).is_err());
        assert!(LatentSet::pyramids(&[set("2x2", 2), set("1x1", 2)]).is_err());
        assert!(LatentSet::pyramids(&[]).is_err());
        let two = [labelled(set("1x1", 2), 1), labelled(set("2x2", 2), 2)];
        assert!(LatentSet::pyramids(&two).is_err());
        let one = [set("1x1", 2), labelled(set("2x2", 2), 2)];
        let made = LatentSet::pyramids(&one).unwrap();
        assert_eq!(made.labels(), Some(&[2, 2][..]));
    }
}
