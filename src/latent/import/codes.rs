//! The elements of an array → bits: {0, 1} or {−1, +1}, in any order of axes.

use std::io::Read;
use std::path::Path;

use super::input::read_error;
use super::npy::Header;
use super::{Layout, check_memory, shape_of, stop_if_asked};
use crate::latent::{Codec, LatentError, LatentSet};
use crate::progress::Observer;

/// Elements converted at a time.
const CHUNK: usize = 1 << 16;

/// One axis of the array: how many steps it has and how far one step goes in the packed bits.
struct Axis {
    side: usize,
    stride: usize,
    at: usize,
}

/// Reads the codes: every element goes straight to its bit, whatever order the file has.
pub(super) fn read(
    header: &Header,
    reader: &mut impl Read,
    path: &Path,
    layout: Option<Layout>,
    observer: &dyn Observer,
) -> Result<LatentSet, LatentError> {
    let expected = "codes [N, H, W], or [N, H, W, K] or [N, K, H, W] with --layout";
    let (height, width, channels) = match (&header.sides[..], layout) {
        (&[_, h, w], None) => (h, w, 1),
        (&[_, h, w, k], Some(Layout::Nhwc)) | (&[_, k, h, w], Some(Layout::Nchw)) => (h, w, k),
        (sides @ [_, _, _, _], None) => {
            return Err(LatentError::format(
                path,
                "--layout nhwc ([N, H, W, K]) or --layout nchw ([N, K, H, W]): read the wrong way \
                 round, codes still load and are garbage",
                format!("four axes, {sides:?}, and no --layout"),
            ));
        }
        (sides @ [_, _, _], Some(_)) => {
            let found = format!("three axes, {sides:?}: leave --layout out");
            return Err(LatentError::format(
                path,
                "four axes, which --layout is for",
                found,
            ));
        }
        (sides, _) => {
            let found = format!("{} axes, {sides:?}", sides.len());
            return Err(LatentError::format(path, expected, found));
        }
    };
    let latents = header.sides[0];
    if latents == 0 {
        return Err(LatentError::Empty { path: path.into() });
    }
    let shape = shape_of(path, height, width, channels, "")?;
    check_memory(path, latents, shape)?;

    // From here every product fits: the packed bits fit the memory, with room to spare.
    let row = shape.packed_bytes();
    let strides = match layout {
        Some(Layout::Nchw) => [row * 8, 1, shape.position(1, 0, 0), shape.channels()],
        _ => [row * 8, shape.position(1, 0, 0), shape.channels(), 1],
    };
    // In the file's order, slowest first.
    let mut axes: Vec<Axis> = (header.sides.iter().zip(strides))
        .map(|(side, stride)| Axis {
            side: *side as usize,
            stride,
            at: 0,
        })
        .collect();
    if header.fortran {
        axes.reverse();
    }

    let count = latents as usize * shape.bits();
    let mut packed = vec![0u8; latents as usize * row];
    let mut values = Values::default();
    let mut buffer = vec![0; CHUNK * header.element.bytes];
    let mut bit = 0;
    let mut done = 0;
    observer.stage("import", latents, "latents");
    while done < count {
        stop_if_asked(observer)?;
        let chunk = (count - done).min(CHUNK);
        let bytes = &mut buffer[..chunk * header.element.bytes];
        reader
            .read_exact(bytes)
            .map_err(|error| read_error(path, error))?;
        for element in bytes.chunks_exact(header.element.bytes) {
            let value = header.element.value(element);
            if let Err(found) = values.check(value, || index_of(&axes, header.fortran)) {
                return Err(LatentError::format(
                    path,
                    "codes that are all 0 or 1, or all -1 or 1",
                    found,
                ));
            }
            if value > 0.0 {
                packed[bit / 8] |= 1 << (bit % 8);
            }
            // The next element: step the fastest axis, carry into slower ones.
            for axis in axes.iter_mut().rev() {
                axis.at += 1;
                bit += axis.stride;
                if axis.at < axis.side {
                    break;
                }
                bit -= axis.side * axis.stride;
                axis.at = 0;
            }
        }
        let before = done / shape.bits();
        done += chunk;
        observer.advance((done / shape.bits() - before) as u64);
    }
    Ok(LatentSet::from_packed(shape, packed)?.with_codec(Codec::Codes))
}

/// "[3, 0, 14, 1]", as numpy indexes the array.
fn index_of(axes: &[Axis], fortran: bool) -> String {
    let mut at: Vec<usize> = axes.iter().map(|axis| axis.at).collect();
    if fortran {
        at.reverse();
    }
    format!("{at:?}")
}

/// Which of 0 and −1 the array writes for a bit of 0: not both.
#[derive(Default)]
struct Values {
    zero: Option<String>,
    minus: Option<String>,
}

impl Values {
    fn check(&mut self, value: f64, index: impl Fn() -> String) -> Result<(), String> {
        let (seen, other, name) = match value {
            1.0 => return Ok(()),
            0.0 => (&mut self.zero, &self.minus, "-1"),
            -1.0 => (&mut self.minus, &self.zero, "0"),
            _ => return Err(format!("{value} at {}", index())),
        };
        if let Some(other) = other {
            return Err(format!(
                "both: {name} at {other} and {value} at {}",
                index()
            ));
        }
        if seen.is_none() {
            *seen = Some(index());
        }
        Ok(())
    }
}
