//! How many bits it takes to say which bits of a copy differ from its source.

/// Lengths of the code of errors: log₂ (n + 1) for how many of n bits differ, log₂ C(n, d) for which d.
#[derive(Clone, Debug)]
pub(super) struct ErrorCode {
    /// log₂ of the factorials.
    log2_factorial: Vec<f64>,
}

impl ErrorCode {
    /// Prepares the lengths of up to `max_bits` bits.
    pub(super) fn new(max_bits: usize) -> Self {
        let mut log2_factorial = Vec::with_capacity(max_bits + 1);
        let mut sum = 0.0;
        log2_factorial.push(sum);
        for n in 1..=max_bits {
            sum += (n as f64).log2();
            log2_factorial.push(sum);
        }
        Self { log2_factorial }
    }

    /// Returns the length for `errors` among `bits`, in bits. Grows with the errors: where half of the bits differ and more,
    /// nothing is copied, and it stays as long as for half of them.
    pub(super) fn length(&self, bits: usize, errors: u32) -> f64 {
        let errors = (errors as usize).min(bits / 2);
        let of = |n: usize| self.log2_factorial[n];
        (bits as f64 + 1.0).log2() + of(bits) - of(errors) - of(bits - errors)
    }

    /// Returns the most errors among `bits` that take no more than `length`; `None` where even none takes more.
    pub(super) fn most_errors(&self, bits: usize, length: f64) -> Option<u32> {
        if self.length(bits, 0) > length {
            return None;
        }
        let half = (bits / 2) as u32;
        if self.length(bits, half) <= length {
            return Some(bits as u32);
        }
        let (mut low, mut high) = (0, half);
        while high - low > 1 {
            let middle = (low + high) / 2;
            match self.length(bits, middle) <= length {
                true => low = middle,
                false => high = middle,
            }
        }
        Some(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_errors_takes_the_logarithm_of_what_it_tells_apart() {
        let code = ErrorCode::new(1000);
        // 11 numbers of errors; C(10, 3) = 120 places.
        assert!((code.length(10, 3) - (11f64.log2() + 120f64.log2())).abs() < 1e-9);
        assert!((code.length(10, 0) - 11f64.log2()).abs() < 1e-9);
        assert_eq!(code.length(10, 5), code.length(10, 8));
    }

    #[test]
    fn the_most_errors_of_a_length_are_the_most() {
        let code = ErrorCode::new(300);
        for bits in [1, 2, 7, 64, 299] {
            for tenths in 0..4000 {
                let length = f64::from(tenths) / 10.0;
                let fits = |errors: &u32| code.length(bits, *errors) <= length;
                let expected = (0..=bits as u32).filter(fits).max();
                assert_eq!(code.most_errors(bits, length), expected, "{bits} {length}");
            }
        }
    }
}
