//! Pictures, and functions of the user's that draw latents.

use std::path::{Path, PathBuf};

use bitquilt::Shape;
use bitquilt::images::ImageSet;
use bitquilt::latent::{Bits, Codec, Level};
use bitquilt::picture::{self, Picture as Drawn};
use numpy::{PyArray1, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::{Failure, input};

/// What pictures are called where there is no file.
const NAME: &str = "a picture";

/// A picture: rows of pixels.
#[pyclass(frozen, module = "bitquilt._bitquilt")]
pub(crate) struct Picture(pub(crate) Drawn);

#[pymethods]
impl Picture {
    /// Returns the pixels, uint8 [height, width, 3], or [height, width] of gray ones.
    fn pixels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDyn<u8>>> {
        let mut sides = vec![self.0.height(), self.0.width()];
        if self.0.channels() > 1 {
            sides.push(self.0.channels());
        }
        let pixels = PyArray1::from_slice(py, self.0.pixels()).to_dyn().clone();
        pixels.reshape(sides)
    }

    /// Returns the bytes of a PNG file.
    fn png<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let png = py.detach(|| self.0.to_png(Path::new(NAME)));
        Ok(PyBytes::new(py, &png.map_err(Failure::from)?))
    }

    /// Writes a PNG file, whole or not at all.
    fn write(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        Ok(py
            .detach(|| self.0.write_png(&path))
            .map_err(Failure::from)?)
    }
}

/// What draws latents: a function of the user's, of one latent [H, W, K] to uint8 [height, width] or [height, width, 3]; without
/// one, their bits.
pub(crate) struct Drawing(pub(crate) Option<Py<PyAny>>);

impl Drawing {
    /// Draws one latent.
    pub(crate) fn one(&self, shape: Shape, packed: &[u8], codec: &Codec) -> Result<Drawn, Failure> {
        match &self.0 {
            None => Ok(Drawn::of_latent(shape, packed, codec, Path::new(NAME))?),
            Some(decode) => Python::attach(|py| Ok(decoded(py, decode, shape, packed)?)),
        }
    }
}

/// What draws each level of latents: the finest as a function of the user's does, coarser ones by their bits.
pub(crate) struct Levels<'a> {
    finest: Drawing,
    coarser: Drawing,
    codecs: &'a [Codec],
}

impl<'a> Levels<'a> {
    pub(crate) fn new(decode: Option<Py<PyAny>>, codecs: &'a [Codec]) -> Self {
        Self {
            finest: Drawing(decode),
            coarser: Drawing(None),
            codecs,
        }
    }

    /// Draws a level of a latent.
    pub(crate) fn one(&self, level: &Level, packed: &[u8]) -> Result<Drawn, Failure> {
        let drawing = match level.number() + 1 == self.codecs.len() {
            true => &self.finest,
            false => &self.coarser,
        };
        drawing.one(level.shape(), packed, &self.codecs[level.number()])
    }
}

fn decoded(py: Python<'_>, decode: &Py<PyAny>, shape: Shape, packed: &[u8]) -> PyResult<Drawn> {
    let bits = Bits::from_slice(packed)[..shape.bits()].iter();
    let bits: Vec<u8> = bits.by_vals().map(u8::from).collect();
    let sides = [shape.height(), shape.width(), shape.channels()];
    let image = decode.call1(py, (PyArray1::from_vec(py, bits).reshape(sides)?,))?;
    let image: PyReadonlyArrayDyn<'_, u8> = image.bind(py).extract()?;
    let (height, width, colours) = match *image.shape() {
        [height, width] => (height, width, 1),
        [height, width, colours] => (height, width, colours),
        ref other => {
            return Err(input(format!(
                "expected an image [height, width] or [height, width, 3], found one of shape {other:?}"
            )));
        }
    };
    let pixels = image.as_array().iter().copied().collect();
    let images = ImageSet::new(height, width, colours, pixels).map_err(Failure::from)?;
    Ok(picture::grid_of_images(&images, 1, 1).map_err(Failure::from)?)
}

/// Arranges pictures of one size as a sheet.
pub(crate) fn sheet(
    pictures: &[Drawn],
    columns: Option<usize>,
    scale: usize,
) -> Result<Drawn, Failure> {
    let Some(first) = pictures.first() else {
        return Err(input("expected at least one latent to draw, found none").into());
    };
    let sides = |picture: &Drawn| (picture.height(), picture.width(), picture.channels());
    if let Some(other) = pictures.iter().find(|other| sides(other) != sides(first)) {
        return Err(input(format!(
            "expected images of one size, found {:?} and {:?}",
            sides(first),
            sides(other)
        ))
        .into());
    }
    let pixels = pictures.iter().flat_map(Drawn::pixels).copied().collect();
    let (height, width, colours) = sides(first);
    let images = ImageSet::new(height, width, colours, pixels)?.with_source(NAME);
    let columns = columns.unwrap_or(picture::square(pictures.len()));
    Ok(picture::grid_of_images(&images, columns, scale)?)
}
