//! Codes as arrays: bits, indices, files of tensors.

use super::files::noise;

/// Codes as 0 and 1.
pub fn codes(count: usize) -> Vec<u8> {
    noise(count, 5).iter().map(|value| value & 1).collect()
}

/// The same as bits.
pub fn as_bits(codes: &[u8]) -> Vec<bool> {
    codes.iter().map(|code| *code == 1).collect()
}

/// Each value in `bytes` bytes, little endian.
pub fn widened(values: &[u8], bytes: usize) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| {
            let mut word = vec![0; bytes];
            word[0] = *value;
            word
        })
        .collect()
}

/// Bit by bit by division: not as the program does it.
pub fn digits(value: u64, bits: u32, highest_first: bool) -> Vec<bool> {
    let mut rest = u128::from(value);
    let mut digits = Vec::new();
    for _ in 0..bits {
        digits.push(rest % 2 == 1);
        rest /= 2;
    }
    assert_eq!(rest, 0);
    if highest_first {
        digits.reverse();
    }
    digits
}

/// A safetensors file, its header written by hand: name, dtype, shape, bytes of each tensor.
pub fn tensors(metadata: &str, tensors: &[(&str, &str, &[u64], &[u8])]) -> Vec<u8> {
    let mut entries = Vec::new();
    if !metadata.is_empty() {
        entries.push(format!("\"__metadata__\":{metadata}"));
    }
    let mut data = Vec::new();
    for (name, dtype, sides, bytes) in tensors {
        let first = data.len();
        data.extend(*bytes);
        let end = data.len();
        entries.push(format!(
            "\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{sides:?},\"data_offsets\":[{first},{end}]}}"
        ));
    }
    with_header(&format!("{{{}}}", entries.join(",")), &data)
}

/// The same with any header.
pub fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}
