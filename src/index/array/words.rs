//! Contexts laid out whole, as words: where two part, and an entry as bytes.

/// Returns in how many bits words begin alike, pair by pair; `None` where all are equal.
#[inline]
pub(super) fn alike(pairs: impl Iterator<Item = (u64, u64)>) -> Option<usize> {
    let mut differ = pairs.map(|(one, other)| one ^ other).enumerate();
    let (number, differ) = differ.find(|(_, differ)| *differ != 0)?;
    Some(64 * number + differ.leading_zeros() as usize)
}

/// Returns in how many bits two contexts begin alike; 0 where one has no words.
pub(in crate::index) fn common(one: &[u64], other: &[u64]) -> usize {
    let pairs = one.iter().copied().zip(other.iter().copied());
    alike(pairs).unwrap_or(64 * one.len().min(other.len()))
}

/// Returns an entry as bytes that sort as entries do: context, next bit, number.
pub(super) fn spell(context: impl Iterator<Item = u64>, bit: bool, occurrence: u64) -> Vec<u8> {
    let context = context.flat_map(u64::to_be_bytes);
    let rest = [u8::from(bit)].into_iter().chain(occurrence.to_be_bytes());
    context.chain(rest).collect()
}
