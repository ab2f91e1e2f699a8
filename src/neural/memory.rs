//! How much memory the training of a network over bits takes, told before any is allocated.

use super::pixelcnn::radii;
use super::predictor_config::{NetworkKind, PredictorConfig, radius, transformer_heads};
use super::{Device, NeuralError};
use crate::system;

/// Bytes of a number.
const FLOAT: f64 = 4.0;

/// Refuses a training on the processor that the machine has too little memory for. `batch` is that of
/// [`PredictorRecipe`](super::PredictorRecipe), of no more than there are.
///
/// # Errors
/// [`NeuralError::Setting`] with what it takes; as [`PredictorConfig::geometry`].
pub(super) fn check(
    kind: NetworkKind,
    config: &PredictorConfig,
    batch: usize,
    device: Device,
) -> Result<(), NeuralError> {
    let (needed, available) = (needed(kind, config, batch)?, system::available_memory());
    if device != Device::CPU || needed <= available as f64 {
        return Ok(());
    }
    let gigabytes = |bytes: f64| format!("{:.1} GB", bytes / 1e9);
    Err(NeuralError::setting(
        format!(
            "a {kind} whose updates fit into the {} of memory that are available",
            gigabytes(available as f64)
        ),
        format!(
            "one that takes {} or more at window {}, batch {batch} and width {}: ask for a smaller --batch, --width \
             or --window",
            gigabytes(needed),
            config.window,
            config.units
        ),
    ))
}

/// Bytes of the network, its optimiser and what one update keeps for its gradient, at the least.
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
    // What a site's channels end in, `Chain`: features and what is added to them, summed, rectified.
    let chain = sites * channels * units * 3.0;
    let (parameters, kept, tables) = match kind {
        NetworkKind::Arvm => {
            let inputs = geometry.symbols() as f64;
            (
                units * (inputs + geometry.places() as f64) + 2.0 * depth * units * units,
                // Behind the first layer, each block rectifies, maps, rectifies, maps and adds.
                inputs + units * (2.0 + 5.0 * depth),
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
            // Of a layer: its two sums, what crosses and the total, 2 for each unit; two gates of 3; what goes out
            // and is added.
            let layer = units * (4.0 * 2.0 + 2.0 * 3.0 + 2.0);
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
            let attentions = if config.window == "global" {
                2.0 * depth
            } else {
                depth
            };
            let heads = transformer_heads(config.units) as f64;
            (
                attentions * (12.0 * units * units + heads * (above + 1.0) * (2.0 * above + 1.0)),
                // Queries, keys, values, what is mixed and what goes out; a layer of four times the units, rectified.
                attentions * (heads * pairs + sites * units * (7.0 + 9.0)) + chain,
                // A displacement, 8 bytes, and a mask, 4, for each pair, of two kinds under `global`.
                width * width * seen * 12.0 * attentions / depth,
            )
        }
    };
    // Each parameter with its gradient and the two means of AdamW.
    Ok(FLOAT * (4.0 * parameters + batch * kept) + tables)
}
