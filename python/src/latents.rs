//! A set of latents as arrays.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bitquilt::latent::{Codec, Ids};
use bitquilt::model::CodesReport;
use bitquilt::{Budget, Shape};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::errors::{self, Failure, input};
use crate::picture::{Drawing, Picture, sheet};
use crate::watched::watched;

/// N latents of one shape.
#[pyclass(frozen, module = "bitquilt._bitquilt")]
pub(crate) struct LatentSet(pub(crate) Arc<bitquilt::LatentSet>);

/// A set under work: latents come batch by batch, and take an eighth of a byte a bit.
#[pyclass(frozen, module = "bitquilt._bitquilt")]
pub(crate) struct Gathered {
    set: Mutex<bitquilt::LatentSet>,
    memory: Budget,
}

#[pymethods]
impl Gathered {
    /// Begins a set of no latents; `memory` is what it may take.
    #[new]
    #[pyo3(signature = (shape, memory = None))]
    fn new(shape: &str, memory: Option<u64>) -> PyResult<Self> {
        let shape: Shape = shape.parse().map_err(Failure::from)?;
        Ok(Self {
            set: Mutex::new(bitquilt::LatentSet::new(shape)),
            memory: memory.map_or_else(Budget::of_machine, Budget::bytes),
        })
    }

    /// Adds packed rows, as numpy's `packbits(bitorder="little")` makes them, uint8 [N, bytes].
    fn push(&self, packed: PyReadonlyArray2<'_, u8>) -> PyResult<()> {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let (shape, rows) = (set.shape(), packed.as_array());
        if rows.ncols() != shape.packed_bytes() {
            return Err(input(format!(
                "expected rows of {} bytes for latents {shape}, found {}",
                shape.packed_bytes(),
                rows.ncols()
            )));
        }
        let bytes = (set.packed().len() + rows.len()) as u64;
        self.memory
            .check(
                bytes,
                format!("{} latents {shape}", set.len() + rows.nrows()),
            )
            .map_err(Failure::from)?;
        let rows = rows.iter().copied().collect();
        let rows = bitquilt::LatentSet::from_packed(shape, rows).map_err(Failure::from)?;
        Ok(set.append(&rows).map_err(Failure::from)?)
    }

    /// Returns the set, and begins anew.
    #[pyo3(signature = (labels, codecs, source))]
    fn finish(
        &self,
        labels: Option<PyReadonlyArray1<'_, i64>>,
        codecs: Vec<String>,
        source: &str,
    ) -> PyResult<LatentSet> {
        let mut held = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = bitquilt::LatentSet::new(held.shape());
        let mut set = std::mem::replace(&mut *held, empty);
        if let Some(labels) = labels {
            set = set
                .with_labels(labels.as_array().to_vec())
                .map_err(Failure::from)?;
        }
        let codecs = codecs.iter().map(|codec| Codec::from(codec.as_str()));
        let set = set.with_codecs(codecs.collect()).with_source(source);
        Ok(LatentSet(Arc::new(set)))
    }
}

#[pymethods]
impl LatentSet {
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

    /// Returns the latents of some ids, in their order.
    fn only(&self, ids: Vec<u64>) -> Self {
        let ids = Ids::new(ids.into_iter().map(|id| id..id + 1));
        Self(Arc::new(self.0.only(&ids)))
    }

    /// Returns the ids of latents drawn at random, those of `without` aside: what a build that holds out so many sets aside.
    fn drawn(&self, count: u64, without: &str) -> PyResult<Vec<u64>> {
        let without = errors::ids(without)?;
        Ok(self.0.drawn(count, &without).iter().collect())
    }

    /// Returns what single bits are worth, as JSON.
    fn measure(&self, py: Python<'_>, max_bits: Option<usize>) -> PyResult<String> {
        let max_bits = max_bits.unwrap_or(CodesReport::MAX_BITS);
        let set = self.0.clone();
        let report = watched(py, None, |_| {
            CodesReport::of(&set, max_bits, Budget::of_machine()).map_err(Failure::from)
        })?;
        errors::json(&report)
    }

    /// Draws the first latents of the set as a sheet, one level of them, a pixel a site or as `decode` draws them, `scale` times as
    /// large.
    fn picture(
        &self,
        py: Python<'_>,
        level: usize,
        max_latents: usize,
        columns: Option<usize>,
        scale: usize,
        decode: Option<Py<PyAny>>,
    ) -> PyResult<Picture> {
        let set = self.0.clone();
        let Some(level) = set.shape().level(level).copied() else {
            return Err(input(format!("no level {level} of {}", set.shape())));
        };
        let codec = set.codecs()[level.number()].clone();
        watched(py, None, |observer| {
            let drawing = Drawing(decode);
            let latents = 0..set.len().min(max_latents);
            let pictures = latents.map(|id| {
                observer.check()?;
                let packed = level.bits_of(set.packed_latent(id));
                drawing.one(level.shape(), &packed, &codec)
            });
            let pictures = pictures.collect::<Result<Vec<_>, Failure>>()?;
            sheet(&pictures, columns, scale).map(Picture)
        })
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
