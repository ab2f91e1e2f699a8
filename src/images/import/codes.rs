//! The elements of an array → bits, in any order of axes.

use std::io::Read;
use std::path::Path;

use super::BitOrder;
use super::array::Array;
use super::checks::check_memory;
use super::element::{Element, ElementKind};
use super::geometry::{Content, Geometry};
use super::input::read_error;
use crate::base::{Budget, Observer};
use crate::latent::{Codec, LatentError, LatentSet};

/// Elements converted at a time.
const CHUNK: usize = 1 << 16;

/// Reads the codes: every element goes straight to its bits, whatever order the file has. What they take comes out of
/// `memory`.
pub(super) fn read(
    array: &Array,
    geometry: &Geometry,
    reader: &mut impl Read,
    path: &Path,
    memory: Budget,
    observer: &dyn Observer,
) -> Result<LatentSet, LatentError> {
    let (latents, shape, element) = (geometry.latents, geometry.shape, array.element);
    check_memory(path, latents, shape, memory)?;
    // From here every product fits: the packed bits fit the memory, with room to spare.
    let each: usize = array.sides[1..].iter().map(|side| *side as usize).product();
    let count = latents as usize * each;
    let mut bits = Bits {
        element,
        content: geometry.content,
        padding: shape.packed_bytes() * 8 - shape.bits(),
        place: Place::new(array, geometry),
        values: Values::default(),
        packed: vec![0; latents as usize * shape.packed_bytes()],
    };
    let mut buffer = vec![0; CHUNK * element.bytes];
    let mut done = 0;
    observer.stage("import", latents, "latents");
    while done < count {
        observer.check()?;
        let chunk = (count - done).min(CHUNK);
        let bytes = &mut buffer[..chunk * element.bytes];
        reader
            .read_exact(bytes)
            .map_err(|error| read_error(path, error))?;
        for (number, one) in bytes.chunks_exact(element.bytes).enumerate() {
            if let Err((expected, found)) = bits.put(one) {
                let mut found = found;
                if bits.may_be_indices(array) {
                    // The rest tells how large they are.
                    let here = &bytes[number * element.bytes..];
                    let left = count - done - chunk;
                    let largest = largest(element, here, left, reader, observer)?;
                    found += &largest.map_or_else(String::new, |max| hint(array, max));
                }
                return Err(LatentError::format(path, expected, found));
            }
        }
        let before = done / each;
        done += chunk;
        observer.advance((done / each - before) as u64);
    }
    Ok(LatentSet::from_packed(shape, bits.packed)?.with_codec(Codec::Codes))
}

/// Expected and found.
type Refused = (String, String);

/// The bits of a set, element by element.
struct Bits {
    element: Element,
    content: Content,
    /// The last bits of a row's last byte, which no site has.
    padding: usize,
    place: Place,
    values: Values,
    packed: Vec<u8>,
}

impl Bits {
    /// Puts the next element in its place.
    fn put(&mut self, element: &[u8]) -> Result<(), Refused> {
        match self.content {
            Content::Bit => self.put_bit(element)?,
            Content::Index(bits, order) => {
                self.put_index(self.element.integer(element), bits, order)?;
            }
            Content::Byte(order) => self.put_byte(element[0], order)?,
        }
        self.place.step();
        Ok(())
    }

    fn put_bit(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let (element, place) = (self.element, &self.place);
        let value = element.value(bytes);
        // An integer in full: a float has not room for the largest.
        let shown = || match element.is_integer() {
            true => element.integer(bytes).to_string(),
            false => value.to_string(),
        };
        if let Err(found) = self.values.check(value, shown, || place.index()) {
            let expected = "codes that are all 0 or 1, or all -1 or 1";
            return Err((expected.to_owned(), found));
        }
        if value > 0.0 {
            self.packed[place.bit / 8] |= 1 << (place.bit % 8);
        }
        Ok(())
    }

    fn put_index(&mut self, value: i128, bits: u32, order: BitOrder) -> Result<(), Refused> {
        let max = (1i128 << bits) - 1;
        if !(0..=max).contains(&value) {
            return Err((
                format!("indices of 0 to {max}, as index_bits={bits} says"),
                format!("{value} at {}", self.place.index()),
            ));
        }
        for channel in 0..bits {
            let from = match order {
                BitOrder::MsbFirst => bits - 1 - channel,
                BitOrder::LsbFirst => channel,
            };
            let bit = self.place.bit + channel as usize;
            self.packed[bit / 8] |= ((value >> from & 1) as u8) << (bit % 8);
        }
        Ok(())
    }

    fn put_byte(&mut self, byte: u8, order: BitOrder) -> Result<(), Refused> {
        let lowest_first = match order {
            BitOrder::MsbFirst => byte.reverse_bits(),
            BitOrder::LsbFirst => byte,
        };
        let last = self.place.at_end_of_row();
        if last && lowest_first.leading_zeros() < self.padding as u32 {
            return Err((
                format!(
                    "0 in the last {} bits of a row, which no site has: it was packed in the other order, or in \
                     another shape",
                    self.padding
                ),
                format!("{byte} at {}", self.place.index()),
            ));
        }
        self.packed[self.place.bit / 8] = lowest_first;
        Ok(())
    }

    /// Returns whether integers that are no bits may be indices: none was −1 so far, and a site has but one.
    fn may_be_indices(&self, array: &Array) -> bool {
        matches!(self.content, Content::Bit)
            && matches!(
                self.element.kind,
                ElementKind::Unsigned | ElementKind::Signed
            )
            && self.values.minus.is_none()
            && array.sides.len() <= 3
    }
}

/// Returns the largest of the elements `here` and of the `left` that follow in the file; `None` where one is negative,
/// or the file ends.
fn largest(
    element: Element,
    here: &[u8],
    mut left: usize,
    reader: &mut impl Read,
    observer: &dyn Observer,
) -> Result<Option<i128>, LatentError> {
    let mut max = 0;
    let mut over = |bytes: &[u8]| {
        let mut values = bytes.chunks_exact(element.bytes);
        values.all(|bytes| {
            let value = element.integer(bytes);
            max = max.max(value);
            value >= 0
        })
    };
    let mut fits = over(here);
    let mut buffer = vec![0; CHUNK * element.bytes];
    while fits && left > 0 {
        observer.check()?;
        let chunk = left.min(CHUNK);
        let bytes = &mut buffer[..chunk * element.bytes];
        fits = reader.read_exact(bytes).is_ok() && over(bytes);
        left -= chunk;
    }
    Ok(fits.then_some(max))
}

/// Returns what integers up to `largest` may be, if they are no bits.
fn hint(array: &Array, largest: i128) -> String {
    let bits = 128 - largest.leading_zeros();
    let other = match (array.element.bytes, array.sides.len()) {
        (1, 2) => {
            "; or if they are packed bits, packed=big (numpy.packbits) or little, and shape=HxWxK"
        }
        (1, 3) => "; or if they are gray images, give those as IDX or image files",
        _ => "",
    };
    format!(
        ", and {largest} at most. They look like token indices: say index_bits=K, with K at least {bits}, and \
         msb_first=true or lsb_first=true{other}. (Indices of FSQ are bits only where its levels are powers of two)"
    )
}

/// Where in the array, and where in the packed bits, the next element is.
struct Place {
    /// In the file's order, slowest first.
    axes: Vec<Axis>,
    fortran: bool,
    bit: usize,
}

/// One axis of the array: how many steps it has and how far one step goes in the packed bits.
struct Axis {
    side: usize,
    stride: usize,
    at: usize,
}

impl Place {
    fn new(array: &Array, geometry: &Geometry) -> Self {
        let mut axes: Vec<Axis> = (array.sides.iter().zip(&geometry.strides))
            .map(|(side, stride)| Axis {
                side: *side as usize,
                stride: *stride,
                at: 0,
            })
            .collect();
        if array.fortran {
            axes.reverse();
        }
        Self {
            axes,
            fortran: array.fortran,
            bit: 0,
        }
    }

    /// Goes on to the next element: steps the fastest axis, carries into slower ones.
    fn step(&mut self) {
        for axis in self.axes.iter_mut().rev() {
            axis.at += 1;
            self.bit += axis.stride;
            if axis.at < axis.side {
                break;
            }
            self.bit -= axis.side * axis.stride;
            axis.at = 0;
        }
    }

    /// Returns whether this is the last element of the array's last axis.
    fn at_end_of_row(&self) -> bool {
        let last = if self.fortran {
            self.axes.first()
        } else {
            self.axes.last()
        };
        last.is_some_and(|axis| axis.at + 1 == axis.side)
    }

    /// Returns "[3, 0, 14, 1]", as numpy indexes the array.
    fn index(&self) -> String {
        let mut at: Vec<usize> = self.axes.iter().map(|axis| axis.at).collect();
        if self.fortran {
            at.reverse();
        }
        format!("{at:?}")
    }
}

/// Which of 0 and −1 the array writes for a bit of 0: not both.
#[derive(Default)]
struct Values {
    zero: Option<String>,
    minus: Option<String>,
}

impl Values {
    fn check(
        &mut self,
        value: f64,
        shown: impl Fn() -> String,
        index: impl Fn() -> String,
    ) -> Result<(), String> {
        let (seen, other, name) = match value {
            1.0 => return Ok(()),
            0.0 => (&mut self.zero, &self.minus, "-1"),
            -1.0 => (&mut self.minus, &self.zero, "0"),
            _ => return Err(format!("{} at {}", shown(), index())),
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
