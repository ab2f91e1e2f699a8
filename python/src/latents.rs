//! A set of latents as arrays.

use std::path::PathBuf;
use std::sync::Arc;

use bitquilt::Shape;
use bitquilt::latent::{Codec, Ids};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::errors::{Failure, input};

/// N latents of one shape.
#[pyclass(frozen, module = "bitquilt._bitquilt")]
pub(crate) struct LatentSet(pub(crate) Arc<bitquilt::LatentSet>);

#[pymethods]
impl LatentSet {
    /// Makes a set of the bits of each level, uint8 [N, bits of the level].
    #[staticmethod]
    fn of_bits(
        shape: &str,
        levels: Vec<PyReadonlyArray2<'_, u8>>,
        labels: Option<PyReadonlyArray1<'_, i64>>,
        codecs: Vec<String>,
        source: &str,
    ) -> PyResult<Self> {
        let shape: Shape = shape.parse().map_err(Failure::from)?;
        let levels = levels.iter().map(|level| level.as_array());
        let levels: Vec<_> = levels.collect();
        let count = levels.first().map_or(0, |level| level.nrows());
        let mut set = bitquilt::LatentSet::new(shape);
        for number in 0..count {
            let rows = levels.iter().map(|level| level.row(number));
            let bits = rows.flat_map(|row| row.to_vec());
            let mut wrong = None;
            let bits = bits.enumerate().map(|(position, bit)| {
                if bit > 1 && wrong.is_none() {
                    wrong = Some((position, bit));
                }
                bit == 1
            });
            set.push_bits(bits).map_err(Failure::from)?;
            if let Some((position, bit)) = wrong {
                return Err(input(format!(
                    "latent {number}, position {position}: expected 0 or 1, found {bit}"
                )));
            }
        }
        if let Some(labels) = labels {
            set = set
                .with_labels(labels.as_array().to_vec())
                .map_err(Failure::from)?;
        }
        let codecs = codecs.iter().map(|codec| Codec::from(codec.as_str()));
        let set = set.with_codecs(codecs.collect()).with_source(source);
        Ok(Self(Arc::new(set)))
    }

    /// Makes a set of packed rows, as numpy's `packbits(bitorder="little")` makes them, uint8 [N, bytes].
    #[staticmethod]
    fn of_packed(shape: &str, packed: PyReadonlyArray2<'_, u8>) -> PyResult<Self> {
        let shape: Shape = shape.parse().map_err(Failure::from)?;
        let rows = packed.as_array();
        if rows.ncols() != shape.packed_bytes() {
            return Err(input(format!(
                "expected rows of {} bytes for latents {shape}, found {}",
                shape.packed_bytes(),
                rows.ncols()
            )));
        }
        let packed = rows.iter().copied().collect();
        let set = bitquilt::LatentSet::from_packed(shape, packed).map_err(Failure::from)?;
        Ok(Self(Arc::new(set)))
    }

    /// Reads a latents file.
    #[staticmethod]
    fn read(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let set = py.detach(|| bitquilt::LatentSet::read(&path));
        Ok(Self(Arc::new(set.map_err(Failure::from)?)))
    }

    /// Writes a latents file, whole or not at all.
    fn write(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        Ok(py.detach(|| self.0.write(&path)).map_err(Failure::from)?)
    }

    /// Returns the set with another one's latents behind its own.
    fn with_appended(&self, py: Python<'_>, other: &Self) -> PyResult<Self> {
        let set = py.detach(|| {
            let mut set = (*self.0).clone();
            set.append(&other.0).map(|()| set)
        });
        Ok(Self(Arc::new(set.map_err(Failure::from)?)))
    }

    /// Returns the latents of some ids, in their order.
    fn only(&self, ids: Vec<u64>) -> Self {
        let ids = Ids::new(ids.into_iter().map(|id| id..id + 1));
        Self(Arc::new(self.0.only(&ids)))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    /// Returns the shape as text.
    #[getter]
    fn shape(&self) -> String {
        self.0.shape().to_string()
    }

    /// Returns height, width and channels of each level, coarse to fine.
    #[getter]
    fn levels(&self) -> Vec<(usize, usize, usize)> {
        let shape = self.0.shape();
        let levels = shape.levels().iter();
        let sides = levels.map(|level| (level.height(), level.width(), level.channels()));
        sides.collect()
    }

    #[getter]
    fn source(&self) -> &str {
        self.0.source()
    }

    #[getter]
    fn codecs(&self) -> Vec<String> {
        self.0.codecs().iter().map(Codec::to_string).collect()
    }

    /// Returns the bits of a level, uint8 [N, bits of the level].
    fn bits<'py>(&self, py: Python<'py>, level: usize) -> PyResult<Bound<'py, PyArray2<u8>>> {
        let shape = self.0.shape();
        let Some(level) = shape.level(level) else {
            return Err(input(format!("no level {level} of {shape}")));
        };
        let bits = py.detach(|| {
            let latents = (0..self.0.len()).map(|id| &self.0.latent(id)[level.positions()]);
            let bits = latents.flat_map(|latent| latent.iter().by_vals().map(u8::from));
            bits.collect::<Vec<u8>>()
        });
        PyArray1::from_vec(py, bits).reshape([self.0.len(), level.bits()])
    }

    /// Returns the packed rows, uint8 [N, bytes].
    fn packed<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<u8>>> {
        let row = self.0.shape().packed_bytes();
        PyArray1::from_slice(py, self.0.packed()).reshape([self.0.len(), row])
    }

    /// Returns one label for each latent, where there are labels.
    #[getter]
    fn labels<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<i64>>> {
        let labels = self.0.labels()?;
        Some(PyArray1::from_slice(py, labels))
    }
}
