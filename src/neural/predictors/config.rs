//! For which index, window and grid a network over bits is made, and of what size.

use serde::{Deserialize, Serialize};

use crate::base::choice;
use crate::index::Index;
use crate::latent::Shape;
use crate::neural::NeuralError;
use crate::window::{Anchor, Geometry, Window, WindowError};

/// Most units of a layer and most layers: far beyond use, and small enough to multiply.
const MAX_WIDTH: usize = 4096;
const MAX_DEPTH: usize = 64;

choice! {
    "lowercase",
    /// Which network gives the next bit's probability.
    #[non_exhaustive]
    pub enum NetworkKind {
        /// The paper's: one layer over the window, then layers over the site alone (Eqns 11–14).
        Arvm,
        /// Gated PixelCNN (van den Oord et al. 2016, arXiv 1606.05328).
        PixelCnn,
        /// A causal transformer over sites.
        Transformer,
    }
}

impl NetworkKind {
    /// Returns the name as checkpoints and the command line have it.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A network over bits, and what it was made for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictorConfig {
    /// Rows of the latents.
    pub height: usize,
    /// Columns of the latents.
    pub width: usize,
    /// Bits of a site, K.
    pub channels: usize,
    /// Rows, columns and bits of a site of the coarser levels of pyramids, coarse to fine; the above are those of the finest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coarser: Vec<[usize; 3]>,
    /// What the network sees, exactly.
    pub window: Window,
    /// As in the index.
    pub anchor: Anchor,
    /// The labels that contexts are bound to; none where they are not.
    pub labels: Vec<i64>,
    /// [`Index::identity`] of the index that it learns.
    pub index: String,
    /// Units of a layer.
    pub units: usize,
    /// Residual blocks (ARVM), gated layers (PixelCNN) or blocks (transformer); a PixelCNN has no more than
    /// its window has rows.
    pub depth: usize,
}

impl PredictorConfig {
    /// Describes the default network of a kind for a window of an index.
    pub fn new(kind: NetworkKind, index: &Index, window: Window) -> Self {
        let (shape, manifest) = (index.shape(), index.manifest());
        let depth = match kind {
            NetworkKind::Arvm | NetworkKind::Transformer => 2,
            // A layer of radius 3 has 4 x 7 weights for each pair of channels; one of radius 14, 15 x 29.
            NetworkKind::PixelCnn => (radius(window, shape) as usize)
                .div_ceil(3)
                .clamp(2, MAX_DEPTH),
        };
        Self {
            height: shape.height(),
            width: shape.width(),
            channels: shape.channels(),
            coarser: coarser_sides(&shape),
            window,
            anchor: manifest.anchor,
            labels: manifest.label_values.clone(),
            index: index.identity(),
            units: 128,
            depth,
        }
    }

    /// Returns the shape of the latents.
    ///
    /// # Errors
    /// [`NeuralError::Latent`] when it is none.
    pub fn shape(&self) -> Result<Shape, NeuralError> {
        let coarser = self.coarser.iter();
        let coarser =
            coarser.map(|[height, width, channels]| Shape::new(*height, *width, *channels));
        let mut levels = coarser.collect::<Result<Vec<_>, _>>()?;
        levels.push(Shape::new(self.height, self.width, self.channels)?);
        Ok(Shape::pyramid(&levels)?)
    }

    /// Returns the window on the grid.
    ///
    /// # Errors
    /// [`NeuralError::Setting`] when it cannot be laid on it.
    pub fn geometry(&self) -> Result<Geometry, NeuralError> {
        let shape = self.shape()?;
        let wrong = |error: WindowError| {
            NeuralError::setting(format!("a window of {shape} latents"), error)
        };
        let geometry = Geometry::new(self.window, self.anchor, shape).map_err(wrong)?;
        geometry
            .with_labels(self.labels.len() as u64)
            .map_err(wrong)
    }

    /// Refuses what no network can be made of.
    pub(in crate::neural) fn check(&self, kind: NetworkKind) -> Result<(), NeuralError> {
        let geometry = self.geometry()?;
        for (name, found, min, max) in [
            ("width", self.units, 1, MAX_WIDTH),
            (
                "depth",
                self.depth,
                usize::from(kind != NetworkKind::Arvm),
                MAX_DEPTH,
            ),
        ] {
            if !(min..=max).contains(&found) {
                return Err(NeuralError::setting(
                    format!("a {name} of {min} to {max}"),
                    found,
                ));
            }
        }
        let invariant = geometry.anchor() == Anchor::None;
        let window = geometry.window();
        let square = window.radius().is_some() || window.sees_everything();
        if kind != NetworkKind::Arvm && !self.coarser.is_empty() {
            return Err(NeuralError::setting(
                format!("latents of one level for a {kind}: an arvm takes those of several"),
                format!("latents {}", geometry.shape()),
            ));
        }
        if kind != NetworkKind::Arvm && !(invariant && square) {
            return Err(NeuralError::setting(
                format!("a square window or global, and contexts without their site, for a {kind}"),
                format!("window {}, anchor {}", self.window, self.anchor),
            ));
        }
        Ok(())
    }

    /// Refuses an index that the network was not trained on.
    ///
    /// # Errors
    /// [`NeuralError::Setting`] with both named.
    pub fn check_index(&self, index: &Index) -> Result<(), NeuralError> {
        let identity = index.identity();
        let shape = index.shape();
        let own = self.shape()?;
        if own != shape {
            return Err(NeuralError::setting(
                format!("an index of {own} latents, as the network was trained on"),
                format!("{}, of {shape} latents", index.path().display()),
            ));
        }
        if identity != self.index {
            return Err(NeuralError::setting(
                format!("the index that the network was trained on, {}", self.index),
                format!(
                    "{}, which is {identity}: train a network on it, or name the other index",
                    index.path().display()
                ),
            ));
        }
        if !index
            .windows()
            .any(|held| held.geometry().window() == self.window)
        {
            let held: Vec<_> = index
                .windows()
                .map(|held| held.geometry().window().to_string())
                .collect();
            return Err(NeuralError::setting(
                format!("an index with the window of the network, {}", self.window),
                format!("{}, with {}", index.path().display(), held.join(", ")),
            ));
        }
        Ok(())
    }
}

/// Returns the sides of all levels but the finest.
fn coarser_sides(shape: &Shape) -> Vec<[usize; 3]> {
    let levels = shape.levels();
    let coarser = levels[..levels.len() - 1].iter();
    coarser
        .map(|level| [level.height(), level.width(), level.channels()])
        .collect()
}

/// Returns how far a window reaches in sites; on a grid, `global` reaches its far corner.
pub(in crate::neural) fn radius(window: Window, shape: Shape) -> i64 {
    let corner = (shape.height().max(shape.width()) - 1).max(1);
    window.radius().unwrap_or(corner) as i64
}

/// Heads of a transformer's attention: 16, or as many as leave each 4 units. What a site takes in of its window is
/// one place or so for each head, and a window has dozens.
pub(in crate::neural) fn transformer_heads(units: usize) -> usize {
    [16, 8, 4, 2]
        .into_iter()
        .find(|heads| units.is_multiple_of(*heads) && units / heads >= 4)
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_divide_every_width_and_leave_each_at_least_four_units_where_that_can_be() {
        for units in 1..=MAX_WIDTH {
            let heads = transformer_heads(units);
            assert_eq!(units % heads, 0, "{units}");
            assert!(heads == 1 || units / heads >= 4, "{units}");
            let doubled = 2 * heads;
            let fits = doubled <= 16 && units % doubled == 0 && units / doubled >= 4;
            assert!(!fits, "{units}: {doubled} heads fit");
        }
    }
}
