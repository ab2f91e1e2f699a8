//! Occurrence numbers as they are held in memory: in four bytes where that is enough.

/// An occurrence number.
pub(in crate::index) trait Number: Copy + Default + Ord + Send + Sync {
    /// Takes a number that is small enough.
    fn of(number: u64) -> Self;
    /// Returns the number.
    fn get(self) -> u64;
}

impl Number for u32 {
    #[inline]
    fn of(number: u64) -> Self {
        debug_assert!(number <= u64::from(u32::MAX));
        number as u32
    }

    #[inline]
    fn get(self) -> u64 {
        self.into()
    }
}

impl Number for u64 {
    #[inline]
    fn of(number: u64) -> Self {
        number
    }

    #[inline]
    fn get(self) -> u64 {
        self
    }
}
