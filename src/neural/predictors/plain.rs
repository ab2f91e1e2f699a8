//! An ARVM outside libtorch: plain numbers that any thread can ask.
//!
//! A search asks for single contexts, from many threads, and its samples depend on every bit of the answer
//! (promise P4). libtorch's products round differently with the size of the batch and the number of threads; here
//! each output is one sum in one order, whatever else is in the batch (a test compares them bit for bit).

use ndarray::{Array1, Array2, ArrayView2};
use tch::Tensor;

use super::config::NetworkKind;
use super::predictor::Predictor;
use crate::neural::NeuralError;
use crate::neural::kit::layers::Linear;
use crate::neural::kit::parameters::floats;
use crate::window::Interpolator;
use crate::window::{Contexts, Geometry, Window};

/// Contexts of one product: their inner layers, 128 units each, stay in the processor's cache.
const BATCH: usize = 128;

/// The weights of an ARVM.
#[derive(Clone, Debug)]
pub struct PlainArvm {
    window: Window,
    symbols: usize,
    first: Layer,
    places: Array2<f32>,
    labels: Option<Array2<f32>>,
    blocks: Vec<[Layer; 2]>,
    out: Layer,
}

/// A linear map, ready for x·weight + bias.
#[derive(Clone, Debug)]
struct Layer {
    /// [inputs, outputs]
    weight: Array2<f32>,
    bias: Array1<f32>,
}

impl PlainArvm {
    /// Takes the weights out of a network.
    ///
    /// # Errors
    /// [`NeuralError::Setting`] for another kind of network: only an ARVM answers for single contexts.
    pub fn new(predictor: &Predictor) -> Result<Self, NeuralError> {
        let Some(arvm) = predictor.arvm() else {
            return Err(NeuralError::setting(
                format!(
                    "a network of kind {}, which answers for single contexts",
                    NetworkKind::Arvm
                ),
                format!("one of kind {}", predictor.kind()),
            ));
        };
        let blocks = arvm.blocks.iter();
        let blocks = blocks.map(|[first, second]| Ok([Layer::of(first)?, Layer::of(second)?]));
        Ok(Self {
            window: predictor.geometry().window(),
            symbols: predictor.geometry().symbols(),
            first: Layer::of(&arvm.window)?,
            places: matrix(&arvm.places)?,
            labels: arvm.labels.as_ref().map(matrix).transpose()?,
            blocks: blocks.collect::<Result<_, NeuralError>>()?,
            out: Layer::of(&arvm.out)?,
        })
    }

    /// Returns whether contexts of this geometry are what the network reads: its window, on its own grid or, where no
    /// place is part of the key, on another.
    pub fn reads(&self, geometry: &Geometry) -> bool {
        geometry.window() == self.window
            && geometry.symbols() == self.symbols
            && geometry.places() == self.places.nrows()
            && geometry.labels() == self.labels.as_ref().map_or(0, Array2::nrows) as u64
    }

    /// Returns the logits of a 1.
    pub fn logits(&self, contexts: &Contexts) -> Vec<f32> {
        let mut logits = Vec::with_capacity(contexts.len());
        for first in (0..contexts.len()).step_by(BATCH) {
            let last = contexts.len().min(first + BATCH);
            let symbols = &contexts.symbols[first * self.symbols..last * self.symbols];
            // `Contexts::push` adds as many numbers as the geometry has.
            let Ok(symbols) = ArrayView2::from_shape((last - first, self.symbols), symbols) else {
                return logits;
            };
            let mut x = self.first.of_rows(&symbols);
            for (row, number) in x.rows_mut().into_iter().zip(first..last) {
                let mut row = row;
                row += &self.places.row(contexts.places[number] as usize);
                if let Some(labels) = &self.labels {
                    row += &labels.row(contexts.labels[number] as usize);
                }
            }
            for [first, second] in &self.blocks {
                let inner = first.of_rows(&rectified(&x).view());
                x += &second.of_rows(&rectified(&inner).view());
            }
            logits.extend(self.out.of_rows(&rectified(&x).view()).iter());
        }
        logits
    }
}

impl Interpolator for PlainArvm {
    fn window(&self) -> Window {
        self.window
    }

    fn probabilities(&self, contexts: &Contexts, found: &mut Vec<f32>) {
        found.clear();
        let logits = self.logits(contexts);
        found.extend(logits.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())));
    }
}

impl Layer {
    fn of(linear: &Linear) -> Result<Self, NeuralError> {
        Ok(Self {
            weight: matrix(&linear.weight)?
                .reversed_axes()
                .as_standard_layout()
                .into_owned(),
            bias: Array1::from(floats(&linear.bias)),
        })
    }

    fn of_rows(&self, x: &ArrayView2<'_, f32>) -> Array2<f32> {
        x.dot(&self.weight) + &self.bias
    }
}

fn rectified(x: &Array2<f32>) -> Array2<f32> {
    x.mapv(|value| value.max(0.0))
}

fn matrix(tensor: &Tensor) -> Result<Array2<f32>, NeuralError> {
    let (rows, cols) = tensor.size2()?;
    let matrix = Array2::from_shape_vec((rows as usize, cols as usize), floats(tensor));
    matrix.map_err(|error| NeuralError::setting("a matrix", error))
}
