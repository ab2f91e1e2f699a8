//! What the first bytes of a file tell.

/// Returns the image format of a file that begins so, whether or not this program reads it.
pub(super) fn image_format(head: &[u8]) -> Option<image::ImageFormat> {
    let format = image::guess_format(head).ok()?;
    // Two letters are little to go by: a text may begin with them.
    let sure = match format {
        image::ImageFormat::Pnm => head.get(2).is_some_and(u8::is_ascii_whitespace),
        image::ImageFormat::Bmp => head.get(6..10) == Some(&[0; 4]),
        _ => true,
    };
    sure.then_some(format)
}

/// Returns the length that an IDX file of 3 axes of bytes has by its header.
pub(super) fn idx_length(head: &[u8]) -> Option<u64> {
    let sides = head.get(4..16)?.as_chunks::<4>().0;
    let product = sides.iter().try_fold(1u64, |product, side| {
        product.checked_mul(u64::from(u32::from_be_bytes(*side)))
    });
    product?.checked_add(16)
}

/// Returns the type of the elements of an IDX file with this code.
pub(super) fn idx_dtype(code: u8) -> Option<&'static str> {
    match code {
        0x08 => Some("unsigned bytes"),
        0x09 => Some("signed bytes"),
        0x0b => Some("16-bit integers"),
        0x0c => Some("32-bit integers"),
        0x0d => Some("32-bit floats"),
        0x0e => Some("64-bit floats"),
        _ => None,
    }
}

/// Returns the first bytes, for a message.
pub(super) fn shown(head: &[u8]) -> String {
    if head.is_empty() {
        return "an empty file".to_owned();
    }
    let bytes: Vec<_> = head
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("a file that begins with the bytes {}", bytes.join(" "))
}
