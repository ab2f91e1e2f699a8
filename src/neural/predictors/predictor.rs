//! The networks over bits as one: made, read from a checkpoint, and asked.

use std::ops::Range;
use std::path::Path;

use strum::VariantNames;
use tch::{Kind, Tensor, no_grad_guard};

use super::arvm::Arvm;
use super::config::{NetworkKind, PredictorConfig};
use super::pixelcnn::PixelCnn;
use super::transformer::Transformer;
use crate::base::Observer;
use crate::latent::LatentSet;
use crate::model::bits_of_logits;
use crate::neural::kit::checkpoint::Checkpoint;
use crate::neural::kit::parameters::{Builder, Parameters, floats};
use crate::neural::kit::random::{Purpose, Stream};
use crate::neural::{Device, NeuralError};
use crate::window::{Contexts, Frame, Geometry, Given};

/// Latents whose bits are found in one go: 20 take up to a third longer, what they need no longer in the cache.
const BATCH: usize = 4;

/// A trained network of any kind: the probability of each bit given those that its window sees.
#[derive(Debug)]
pub struct Predictor {
    kind: NetworkKind,
    config: PredictorConfig,
    geometry: Geometry,
    device: Device,
    network: Network,
    parameters: Parameters,
}

#[derive(Debug)]
enum Network {
    Arvm(Arvm),
    PixelCnn(PixelCnn),
    Transformer(Transformer),
}

impl Predictor {
    /// Makes a network with random parameters, a function of the seed.
    ///
    /// # Errors
    /// [`NeuralError::Setting`] when the configuration cannot be.
    pub fn new(
        kind: NetworkKind,
        config: PredictorConfig,
        seed: u64,
        device: Device,
    ) -> Result<Self, NeuralError> {
        Self::build(kind, config, Builder::fresh(seed, device), device)
    }

    /// Reads a checkpoint of any kind; nothing but the file is needed.
    ///
    /// # Errors
    /// [`NeuralError::Checkpoint`], naming the file, what was expected and what was found.
    pub fn load(path: &Path, device: Device) -> Result<Self, NeuralError> {
        Self::from_checkpoint(
            &mut Checkpoint::read_any(path, NetworkKind::VARIANTS)?,
            device,
        )
    }

    /// Rebuilds the network of an opened checkpoint.
    pub(crate) fn from_checkpoint(
        checkpoint: &mut Checkpoint,
        device: Device,
    ) -> Result<Self, NeuralError> {
        let config: PredictorConfig = checkpoint.config()?;
        let tensors = checkpoint.take_model();
        let path = checkpoint.path();
        let Ok(kind) = checkpoint.kind().parse() else {
            return Err(NeuralError::checkpoint(
                path,
                format!(
                    "a checkpoint of kind {}",
                    NetworkKind::VARIANTS.join(" or ")
                ),
                checkpoint.kind(),
            ));
        };
        let builder = Builder::from_file(path, tensors, device);
        Self::build(kind, config, builder, device).map_err(|error| error.of(path))
    }

    fn build(
        kind: NetworkKind,
        config: PredictorConfig,
        mut builder: Builder,
        device: Device,
    ) -> Result<Self, NeuralError> {
        config.check(kind)?;
        let geometry = config.geometry()?;
        let b = &mut builder;
        let network = match kind {
            NetworkKind::Arvm => Network::Arvm(Arvm::new(b, &config, &geometry)?),
            NetworkKind::PixelCnn => Network::PixelCnn(PixelCnn::new(b, &config, &geometry)?),
            NetworkKind::Transformer => {
                Network::Transformer(Transformer::new(b, &config, &geometry)?)
            }
        };
        Ok(Self {
            kind,
            config,
            geometry,
            device,
            network,
            parameters: builder.finish()?,
        })
    }

    /// Returns the kind of the network.
    pub fn kind(&self) -> NetworkKind {
        self.kind
    }

    /// Returns the network's configuration.
    pub fn config(&self) -> &PredictorConfig {
        &self.config
    }

    /// Returns the network's window on its grid.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Returns the device that the network runs on.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Returns the parameters that are trained.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Returns the ARVM, if it is one: the only kind that answers for single contexts.
    pub(in crate::neural) fn arvm(&self) -> Option<&Arvm> {
        match &self.network {
            Network::Arvm(arvm) => Some(arvm),
            Network::PixelCnn(_) | Network::Transformer(_) => None,
        }
    }

    /// Returns the logits of a 1 for contexts, with their graph. For an ARVM only.
    pub(in crate::neural) fn of_contexts(&self, contexts: &Contexts) -> Option<Tensor> {
        self.arvm().map(|arvm| arvm.forward(contexts, self.device))
    }

    /// Returns the logits of a 1 [N, K, H, W], with their graph, for bits ±1 [N, K, H, W] with the numbers of their
    /// labels: each given the bits that its window sees. For networks over whole grids.
    pub(in crate::neural) fn of_grids(&self, bits: &Tensor, labels: &Tensor) -> Option<Tensor> {
        match &self.network {
            Network::Arvm(_) => None,
            Network::PixelCnn(network) => Some(network.forward(bits, labels)),
            Network::Transformer(network) => Some(network.forward(bits, labels)),
        }
    }

    /// Returns latents of a set as bits ±1 [N, K, H, W].
    pub(in crate::neural) fn tensor(
        &self,
        set: &LatentSet,
        ids: impl Iterator<Item = usize>,
    ) -> Tensor {
        let shape = self.geometry.shape();
        let mut values = Vec::new();
        let mut count = 0;
        for id in ids {
            values.extend(
                set.latent(id)
                    .iter()
                    .by_vals()
                    .map(|bit| if bit { 1f32 } else { -1.0 }),
            );
            count += 1;
        }
        let sides = [count, shape.height(), shape.width(), shape.channels()];
        Tensor::from_slice(&values)
            .view(sides.map(|side| side as i64))
            .permute([0, 3, 1, 2])
            .contiguous()
            .to_device(self.device.0)
    }

    /// Returns the logit of a 1 for every bit of the window's level of latents, N × HWK in position order, `batch` latents at a
    /// time.
    /// `labels` gives the number of each one's label.
    ///
    /// # Errors
    /// [`NeuralError::Setting`] when the latents are of another shape.
    pub fn logits(
        &self,
        set: &LatentSet,
        labels: &[u64],
        batch: usize,
    ) -> Result<Vec<f32>, NeuralError> {
        self.check_set(set, labels)?;
        let mut found = Vec::with_capacity(set.len() * self.geometry.positions().len());
        for ids in batches(0..set.len(), batch) {
            found.extend(self.logits_of(set, labels, ids));
        }
        Ok(found)
    }

    /// Checks that latents are of the network's shape, with a label number each; none only where contexts are of any
    /// label.
    fn check_set(&self, set: &LatentSet, labels: &[u64]) -> Result<(), NeuralError> {
        let shape = self.geometry.shape();
        if set.shape() != shape {
            return Err(NeuralError::setting(
                format!("{shape} latents, as the network was trained on"),
                set.shape(),
            ));
        }
        let bound = self.geometry.labels() > 0;
        if labels.len() != set.len() && (bound || !labels.is_empty()) {
            return Err(NeuralError::setting(
                format!("{} label numbers, one for each latent", set.len()),
                labels.len(),
            ));
        }
        Ok(())
    }

    /// Returns the logits of latents `ids` of a set that [`Self::check_set`] has let pass, in one go.
    fn logits_of(&self, set: &LatentSet, labels: &[u64], ids: Range<usize>) -> Vec<f32> {
        let shape = self.geometry.shape();
        let _guard = no_grad_guard();
        let label = |id: usize| if labels.is_empty() { 0 } else { labels[id] };
        if let Some(arvm) = self.arvm() {
            let mut frame = Frame::new(shape, &[&self.geometry]);
            let mut contexts = Contexts::default();
            for id in ids {
                frame.load(set.packed_latent(id), Given::label(label(id)));
                for position in self.geometry.positions() {
                    contexts.push(&self.geometry, &frame, position);
                }
            }
            return floats(&arvm.forward(&contexts, self.device));
        }
        let numbers: Vec<_> = ids.clone().map(|id| label(id) as i64).collect();
        let numbers = Tensor::from_slice(&numbers).to_device(self.device.0);
        let logits = self.of_grids(&self.tensor(set, ids), &numbers);
        logits.map_or_else(Vec::new, |logits| floats(&logits.permute([0, 2, 3, 1])))
    }

    /// Returns the bits of the window's level of each latent, the negative log₂ likelihood; `labels` gives the number of each
    /// one's label.
    ///
    /// # Errors
    /// As [`Predictor::logits`]; [`NeuralError::Stopped`].
    pub fn bits(
        &self,
        set: &LatentSet,
        labels: &[u64],
        observer: &dyn Observer,
    ) -> Result<Vec<f64>, NeuralError> {
        self.bits_of(set, labels, 0..set.len(), observer)
    }

    /// Returns [`Predictor::bits`] of latents `ids`.
    pub(in crate::neural) fn bits_of(
        &self,
        set: &LatentSet,
        labels: &[u64],
        ids: Range<usize>,
        observer: &dyn Observer,
    ) -> Result<Vec<f64>, NeuralError> {
        self.check_set(set, labels)?;
        let own = self.geometry.positions();
        let mut found = Vec::with_capacity(ids.len());
        for ids in batches(ids, BATCH) {
            observer.check()?;
            let logits = self.logits_of(set, labels, ids.clone());
            for (id, logits) in ids.clone().zip(logits.chunks_exact(own.len())) {
                let bits = &set.latent(id)[own.clone()];
                found.push(bits_of_logits(logits, bits.iter().by_vals()));
            }
            observer.advance(ids.len() as u64);
        }
        Ok(found)
    }

    /// Draws latents bit by bit from a network over whole grids, all in step, a function of the seed and the number of
    /// latents. An ARVM is better asked through [`PlainArvm`](crate::neural::PlainArvm), which does not look at the
    /// whole grid for each bit.
    ///
    /// # Errors
    /// [`NeuralError::Stopped`].
    pub fn sample(
        &self,
        count: usize,
        label: u64,
        seed: u64,
        observer: &dyn Observer,
    ) -> Result<LatentSet, NeuralError> {
        let _guard = no_grad_guard();
        let shape = self.geometry.shape();
        let sides = [count, shape.channels(), shape.height(), shape.width()].map(|s| s as i64);
        let bits = Tensor::zeros(sides, (Kind::Float, self.device.0));
        let labels = Tensor::full([count as i64], label as i64, (Kind::Int64, self.device.0));
        let mut drawn = vec![vec![false; shape.bits()]; count];
        for position in 0..shape.bits() {
            observer.check()?;
            let (row, col, channel) = shape.place(position);
            let logits = self.of_row(&bits, &labels, row as i64).ok_or_else(|| {
                NeuralError::setting("a network over whole grids", self.kind.name())
            })?;
            let at = |x: &Tensor, row: i64| {
                x.select(3, col as i64)
                    .select(2, row)
                    .select(1, channel as i64)
            };
            let probabilities = floats(&at(&logits, 0).sigmoid());
            let mut stream = Stream::new(seed, Purpose::Sample, position as u64);
            let values: Vec<f32> = drawn
                .iter_mut()
                .zip(&probabilities)
                .map(|(latent, one)| {
                    latent[position] = stream.uniform() < f64::from(*one);
                    if latent[position] { 1.0 } else { -1.0 }
                })
                .collect();
            let mut place = at(&bits, row as i64);
            place.copy_(&Tensor::from_slice(&values).to_device(self.device.0));
            observer.advance(1);
        }
        let mut set = LatentSet::new(shape);
        for latent in drawn {
            set.push_bits(latent)?;
        }
        Ok(set)
    }

    /// Returns the logits of one row [N, K, 1, W], for networks over whole grids: no more is looked at than its windows
    /// see.
    fn of_row(&self, bits: &Tensor, labels: &Tensor, row: i64) -> Option<Tensor> {
        match &self.network {
            Network::Arvm(_) => None,
            Network::PixelCnn(network) => {
                let radius = self.geometry.window().radius();
                let first = radius.map_or(0, |radius| (row - radius as i64).max(0));
                let rows = row - first + 1;
                let logits = network.forward(&bits.narrow(2, first, rows), labels);
                Some(logits.narrow(2, rows - 1, 1))
            }
            Network::Transformer(network) => Some(network.rows(bits, labels, row..row + 1)),
        }
    }
}

/// Ranges of at most `size`, one behind the other.
fn batches(ids: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let (size, end) = (size.max(1), ids.end);
    ids.step_by(size)
        .map(move |first| first..end.min(first + size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::Shape;
    use crate::window::Anchor;

    #[test]
    fn a_row_alone_is_answered_as_in_the_whole_grid() {
        let shape = Shape::new(5, 4, 2).unwrap();
        let mut random = Stream::new(3, Purpose::Sample, 0);
        let mut set = LatentSet::new(shape);
        for _ in 0..3 {
            set.push_bits((0..shape.bits()).map(|_| random.uniform() < 0.5))
                .unwrap();
        }
        let labels = Tensor::from_slice(&[1i64, 0, 1]);
        for kind in [NetworkKind::PixelCnn, NetworkKind::Transformer] {
            for window in ["3x3", "5x5", "global"] {
                let config = PredictorConfig {
                    height: 5,
                    width: 4,
                    channels: 2,
                    coarser: Vec::new(),
                    window: window.parse().unwrap(),
                    anchor: Anchor::None,
                    labels: vec![3, 7],
                    index: String::new(),
                    units: 8,
                    depth: 2,
                };
                let network = Predictor::new(kind, config, 1, Device::CPU).unwrap();
                let bits = network.tensor(&set, 0..3);
                let whole = network.of_grids(&bits, &labels).unwrap();
                for row in 0..5 {
                    let one = network.of_row(&bits, &labels, row).unwrap();
                    let apart = (one - whole.narrow(2, row, 1)).abs().max();
                    assert!(apart.double_value(&[]) < 1e-5, "{kind} {window} {row}");
                }
            }
        }
    }
}
