//! The elements of an array: numbers of any type, in either byte order.

/// The type of an array's elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    pub(super) kind: ElementKind,
    /// Bytes of one element, 1 to 8.
    pub(super) bytes: usize,
    pub(super) big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ElementKind {
    Bool,
    Unsigned,
    Signed,
    /// IEEE 754, of 2, 4 or 8 bytes.
    Float,
    /// bfloat16: the upper half of a 4-byte float.
    BFloat,
}

impl Element {
    /// Elements of a type in little-endian order, as safetensors has them.
    pub(super) fn little(kind: ElementKind, bytes: usize) -> Self {
        Self {
            kind,
            bytes,
            big_endian: false,
        }
    }

    /// Returns whether the elements are integers; bools are 0 and 1.
    pub(super) fn is_integer(self) -> bool {
        matches!(
            self.kind,
            ElementKind::Bool | ElementKind::Unsigned | ElementKind::Signed
        )
    }

    /// Returns "uint8", as numpy calls it.
    pub(super) fn name(self) -> String {
        let bits = 8 * self.bytes;
        match self.kind {
            ElementKind::Bool => "bool".to_owned(),
            ElementKind::Unsigned => format!("uint{bits}"),
            ElementKind::Signed => format!("int{bits}"),
            ElementKind::Float => format!("float{bits}"),
            ElementKind::BFloat => format!("bfloat{bits}"),
        }
    }

    /// Reads an integer element. `bytes` holds exactly one.
    pub(super) fn integer(self, bytes: &[u8]) -> i128 {
        let mut word = [0; 16];
        for (at, byte) in bytes.iter().enumerate() {
            word[if self.big_endian {
                bytes.len() - 1 - at
            } else {
                at
            }] = *byte;
        }
        let value = i128::from_le_bytes(word);
        let bits = 8 * bytes.len();
        let negative = self.kind == ElementKind::Signed && value >> (bits - 1) & 1 == 1;
        if negative { value - (1 << bits) } else { value }
    }

    /// Reads any element. Exact for 0, 1 and −1; near enough to be shown for the rest.
    pub(super) fn value(self, bytes: &[u8]) -> f64 {
        let value = self.integer(bytes);
        match (self.kind, self.bytes) {
            (ElementKind::BFloat, _) => f32::from_bits((value as u32) << 16).into(),
            (ElementKind::Float, 2) => npyz::half::f16::from_bits(value as u16).to_f64(),
            (ElementKind::Float, 4) => f32::from_bits(value as u32).into(),
            (ElementKind::Float, _) => f64::from_bits(value as u64),
            _ => value as f64,
        }
    }
}
