//! How much memory the training of a network over bits takes, told before any is allocated: a lower bound, so that
//! nothing is refused that would fit. Trainings take up to three times as much
//! (`docs/notes/networks.md`).

use super::config::{NetworkKind, PredictorConfig, radius, transformer_heads};
use super::pixelcnn::radii;
use crate::base::Budget;
use crate::neural::{Device, NeuralError};

/// Bytes of a number.
const FLOAT: f64 = 4.0;

/// Refuses a training on the processor that takes more than `memory`. `batch` is that of
/// [`PredictorRecipe`](crate::neural::PredictorRecipe), of no more than there are.
///
/// # Errors
/// [`NeuralError::Memory`] with what it takes; as [`PredictorConfig::geometry`].
pub(in crate::neural) fn check(
    kind: NetworkKind,
    config: &PredictorConfig,
    batch: usize,
    device: Device,
    memory: Budget,
) -> Result<(), NeuralError> {
    let needed = needed(kind, config, batch)?;
    if device != Device::CPU {
        return Ok(());
    }
    let what = format!(
        "updates of {kind} at window {}, batch {batch} and width {}, at the least",
        config.window, config.units
    );
    Ok(memory.check(needed.ceil() as u64, what)?)
}

/// Returns how many bytes the network, its optimiser and what one update keeps for its gradient take at the least.
fn needed(kind: NetworkKind, config: &PredictorConfig, batch: usize) -> Result<f64, NeuralError> {
    let geometry = config.geometry()?;
    let shape = geometry.shape();
    let [height, width, channels, units, batch] = [
        config.height,
        config.width,
        config.channels,
        config.units,
        batch,
    ]
    .map(|n| n as f64);
    let (depth, sites) = (config.depth as f64, height * width);
    let reach = radius(geometry.window(), shape);
    // Of `Chain`, what goes into its last layer.
    let chain = sites * channels * units;
    let (parameters, kept, tables) = match kind {
        NetworkKind::Arvm => {
            let inputs = geometry.symbols() as f64;
            (
                units * (inputs + geometry.places() as f64) + 2.0 * depth * units * units,
                // What goes into the layers: the context, what each block rectifies, twice, and the last of it.
                inputs + units * (1.0 + 2.0 * depth),
                0.0,
            )
        }
        NetworkKind::PixelCnn => {
            let layers = radii(reach, config.depth);
            let parameters = layers.iter().enumerate().map(|(number, radius)| {
                let (inputs, own) = if number == 0 {
                    (channels, 0.0)
                } else {
                    (units, 1.0)
                };
                let radius = *radius as f64;
                2.0 * units * inputs * (radius + own) * (2.0 * radius + 2.0) + 5.0 * units * units
            });
            // What goes into the kernels of both stacks, across (2 for each unit) and out, and the halves of two gates.
            let layer = units * (2.0 + 2.0 + 1.0 + 4.0);
            (
                parameters.sum(),
                layers.len() as f64 * sites * layer + chain,
                0.0,
            )
        }
        NetworkKind::Transformer => {
            // Rows above the first R see fewer.
            let (above, rows) = (reach as f64, (reach as f64 + 1.0).min(height));
            let seen = rows * (rows + 1.0) / 2.0;
            let pairs = width * width * (seen + (height - rows) * (above + 1.0));
            // Of the queries; under `global` of the sites among themselves too.
            let global = geometry.window().sees_everything();
            let kinds = if global { 2.0 } else { 1.0 };
            let attentions = kinds * depth;
            let heads = transformer_heads(config.units) as f64;
            (
                attentions * (12.0 * units * units + heads * (above + 1.0) * (2.0 * above + 1.0)),
                // The weights of all pairs; queries, keys, values and what is mixed; what goes into two layers, of
                // which one has four times the units.
                attentions * (heads * pairs + sites * units * (4.0 + 1.0 + 4.0)) + chain,
                // A displacement, 8 bytes, and a mask, 4, for each pair.
                kinds * width * width * seen * 12.0,
            )
        }
    };
    // Each parameter with its gradient and the two means of AdamW.
    Ok(FLOAT * (4.0 * parameters + batch * kept) + tables)
}
