//! A causal transformer (Vaswani et al. 2017) over the sites of a latent that sees exactly a window.
//!
//! Each site asks: its query, which knows the border but none of its own bits, attends in every block to the
//! sites of the window before it, and a bias for each head and displacement tells it which is which. In a window
//! what it attends to are the sites' own bits: attention from site to site would reach further with every block.
//! Under `global` there is no further, and sites attend to those before them and to themselves, as in GPT.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use super::chain::Chain;
use super::config::{PredictorConfig, radius, transformer_heads};
use crate::latent::Shape;
use crate::neural::NeuralError;
use crate::neural::kit::layers::Linear;
use crate::neural::kit::parameters::{Builder, Start};
use crate::window::Geometry;

/// Standard deviation of a head's biases at the start: each then begins with 67 % of its weight on one site of the 24
/// of a 7x7 window. From 0.5 (10 %) all heads begin alike, with the window's mean, and are slow to part: at 7x7 200
/// updates leave 303 bits of a latent then, and 268 from 4.
const FOCUS: f64 = 4.0;

#[derive(Debug)]
pub(in crate::neural) struct Transformer {
    /// What a site's bits are: [units, K].
    content: Linear,
    /// What a query is before it has asked: rows by border class or, under `global`, position.
    queries: Vec<(Tensor, Tensor)>,
    blocks: Vec<Block>,
    chain: Chain,
    /// What a query sees.
    before: Sight,
    /// What a site sees under `global`: what is before it, and itself.
    among: Option<Sight>,
}

#[derive(Debug)]
struct Block {
    asks: Attention,
    asks_then: [Linear; 2],
    /// Of the sites among themselves, under `global`.
    among: Option<(Attention, [Linear; 2])>,
}

/// Attention with a bias for each head and displacement.
#[derive(Debug)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    /// [heads, displacements]
    bias: Tensor,
    heads: i64,
}

/// Which sites those of a row see. It depends on how many rows of the window lie above, not on the row.
#[derive(Debug)]
struct Sight {
    /// One for each number of rows above.
    rows: Vec<RowSight>,
    /// Sites of a row, W.
    width: i64,
}

/// What the sites of a row see of itself and the rows above, S sites from the top row to its own.
#[derive(Debug)]
struct RowSight {
    /// For each pair its displacement, [W·S].
    displacement: Tensor,
    /// 0 where a site is seen, −∞ elsewhere, [W, S].
    mask: Tensor,
    /// For each site 1, or 0 where it sees none, [W, 1].
    sees: Tensor,
}

impl Block {
    fn new(
        b: &mut Builder,
        name: &str,
        (units, heads): (i64, i64),
        radius: i64,
        global: bool,
    ) -> Result<Self, NeuralError> {
        let mlp = |b: &mut Builder, name: &str| {
            Ok::<_, NeuralError>([
                Linear::new(b, &format!("{name}.0"), (units, 4 * units), 2f64.sqrt())?,
                Linear::new(b, &format!("{name}.1"), (4 * units, units), 0.0)?,
            ])
        };
        let asks = Attention::new(b, &format!("{name}.asks"), (units, heads), radius)?;
        let asks_then = mlp(b, &format!("{name}.asks_then"))?;
        let among = match global {
            true => Some((
                Attention::new(b, &format!("{name}.among"), (units, heads), radius)?,
                mlp(b, &format!("{name}.among_then"))?,
            )),
            false => None,
        };
        Ok(Self {
            asks,
            asks_then,
            among,
        })
    }
}

impl Transformer {
    pub(in crate::neural) fn new(
        b: &mut Builder,
        config: &PredictorConfig,
        geometry: &Geometry,
    ) -> Result<Self, NeuralError> {
        let (units, channels) = (config.units as i64, config.channels as i64);
        let heads = transformer_heads(config.units) as i64;
        let global = geometry.window().sees_everything();
        let shape = geometry.shape();
        let sites: Vec<_> = (0..shape.height() as i64)
            .flat_map(|row| (0..shape.width() as i64).map(move |col| (row, col)))
            .collect();
        let radius = radius(geometry.window(), shape);
        let content = Linear::new(b, "content", (channels, units), 1.0)?;
        let classes: Vec<(&str, i64, Vec<i64>)> = if global {
            vec![(
                "position",
                sites.len() as i64,
                (0..sites.len() as i64).collect(),
            )]
        } else {
            let last = shape.width() as i64 - 1;
            vec![
                (
                    "up",
                    radius + 1,
                    sites.iter().map(|(row, _)| radius.min(*row)).collect(),
                ),
                (
                    "left",
                    radius + 1,
                    sites.iter().map(|(_, col)| radius.min(*col)).collect(),
                ),
                (
                    "right",
                    radius + 1,
                    sites
                        .iter()
                        .map(|(_, col)| radius.min(last - col))
                        .collect(),
                ),
            ]
        };
        let mut queries = Vec::new();
        for (name, rows, numbers) in classes {
            let table = b.parameter(format!("query.{name}"), &[rows, units], Start::Normal(0.5))?;
            let numbers = Tensor::from_slice(&numbers).to_device(table.device());
            queries.push((table, numbers));
        }
        let blocks = (0..config.depth).map(|block| {
            let name = format!("block{block}");
            Block::new(b, &name, (units, heads), radius, global)
        });
        let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
        let chain = Chain::new(b, units, channels, config.labels.len())?;
        let device = content.weight.device();
        Ok(Self {
            content,
            queries,
            blocks,
            chain,
            before: Sight::new(shape, radius, false, device),
            among: global.then(|| Sight::new(shape, radius, true, device)),
        })
    }

    /// Returns the logits [N, K, H, W] for bits ±1 [N, K, H, W].
    pub(in crate::neural) fn forward(&self, bits: &Tensor, labels: &Tensor) -> Tensor {
        self.rows(bits, labels, 0..bits.size()[2])
    }

    /// Returns the logits of some rows [N, K, rows, W]. Rows below them are not looked at.
    pub(in crate::neural) fn rows(
        &self,
        bits: &Tensor,
        labels: &Tensor,
        rows: Range<i64>,
    ) -> Tensor {
        let (count, width) = (bits.size()[0], bits.size()[3]);
        let seen = bits.narrow(2, 0, rows.end);
        // [N, S, units], S the sites of the rows that are seen
        let mut content = seen.flatten(2, 3).transpose(1, 2).contiguous();
        content = self.content.forward(&content);
        let (first, sites) = (rows.start * width, (rows.end - rows.start) * width);
        let units = content.size()[2];
        let mut query = Tensor::zeros([count, sites, units], (Kind::Float, bits.device()));
        for (table, numbers) in &self.queries {
            let of = |first, sites| {
                table
                    .index_select(0, &numbers.narrow(0, first, sites))
                    .unsqueeze(0)
            };
            if self.among.is_some() {
                content += of(0, rows.end * width);
            }
            query += of(first, sites);
        }
        for block in &self.blocks {
            if let (Some((attention, then)), Some(sight)) = (&block.among, &self.among) {
                let normal = norm(&content);
                let all = attention.forward(&normal, &normal, 0..rows.end, sight);
                content = &content + all;
                content = &content + feed(then, &norm(&content));
            }
            let normal = norm(&content);
            let asked = block
                .asks
                .forward(&norm(&query), &normal, rows.clone(), &self.before);
            query = &query + asked;
            query = &query + feed(&block.asks_then, &norm(&query));
        }
        let sides = [count, units, rows.end - rows.start, width];
        let features = norm(&query).transpose(1, 2).contiguous().view(sides);
        let own = bits.narrow(2, rows.start, rows.end - rows.start);
        self.chain.forward(features, &own, labels)
    }
}

fn norm(x: &Tensor) -> Tensor {
    let units = x.size()[2];
    x.layer_norm([units], None::<&Tensor>, None::<&Tensor>, 1e-5, true)
}

fn feed(layers: &[Linear; 2], x: &Tensor) -> Tensor {
    layers[1].forward(&layers[0].forward(x).relu())
}

impl Attention {
    fn new(
        b: &mut Builder,
        name: &str,
        (units, heads): (i64, i64),
        radius: i64,
    ) -> Result<Self, NeuralError> {
        let bias = b.parameter(
            format!("{name}.bias"),
            &[heads, (radius + 1) * (2 * radius + 1)],
            Start::Normal(FOCUS),
        )?;
        let linear = |b: &mut Builder, part: &str, gain: f64| {
            Linear::new(b, &format!("{name}.{part}"), (units, units), gain)
        };
        Ok(Self {
            query: linear(b, "query", 1.0)?,
            key: linear(b, "key", 1.0)?,
            value: linear(b, "value", 1.0)?,
            out: linear(b, "out", 0.5)?,
            bias,
            heads,
        })
    }

    /// Queries of some rows and contents of all rows up to them, [N, S, units] each → [N, S, units]. Row by row:
    /// a query looks at no more rows than its window has.
    fn forward(
        &self,
        queries: &Tensor,
        contents: &Tensor,
        rows: Range<i64>,
        sight: &Sight,
    ) -> Tensor {
        let (count, units) = (queries.size()[0], queries.size()[2]);
        let (heads, width) = (self.heads, sight.width);
        let split = |x: Tensor| x.view([count, -1, heads, units / heads]).transpose(1, 2);
        let (q, k, v) = (
            split(self.query.forward(queries)),
            split(self.key.forward(contents)),
            split(self.value.forward(contents)),
        );
        let scale = ((units / heads) as f64).powf(-0.5);
        let mixed: Vec<_> = rows
            .clone()
            .map(|row| {
                let (above, seen_from) = sight.of(row);
                let (first, seen) = ((row - above) * width, (above + 1) * width);
                let bias = self.bias.index_select(1, &seen_from.displacement);
                let bias = bias.view([1, heads, width, seen]) + &seen_from.mask;
                let own = q.narrow(2, (row - rows.start) * width, width);
                let weights = own.matmul(&k.narrow(2, first, seen).transpose(2, 3)) * scale + bias;
                let mixed = weights
                    .softmax(-1, Kind::Float)
                    .matmul(&v.narrow(2, first, seen));
                mixed * &seen_from.sees
            })
            .collect();
        let mixed = Tensor::cat(&mixed, 2).transpose(1, 2).contiguous();
        self.out.forward(&mixed.view([count, -1, units]))
    }
}

impl Sight {
    /// Makes the sight of sites within `radius` and before each, and of itself if so.
    fn new(shape: Shape, radius: i64, itself: bool, device: Device) -> Self {
        let (height, width) = (shape.height() as i64, shape.width() as i64);
        let rows = (0..=radius.min(height - 1)).map(|above| {
            let (mut displacement, mut mask, mut sees) = (Vec::new(), Vec::new(), Vec::new());
            for col in 0..width {
                let start = mask.len();
                for up in (0..=above).rev() {
                    for right in -col..width - col {
                        let before = up > 0 || right < 0 || itself && right == 0;
                        let seen = before && right.abs() <= radius;
                        mask.push(if seen { 0f32 } else { f32::NEG_INFINITY });
                        let place = up * (2 * radius + 1) + right + radius;
                        displacement.push(if seen { place } else { 0 });
                    }
                }
                let none = mask[start..].iter().all(|mask| *mask != 0.0);
                sees.push(if none { 0f32 } else { 1.0 });
                // A site that sees none would divide by 0: it takes in itself, times 0.
                if none {
                    mask[start + (above * width + col) as usize] = 0.0;
                }
            }
            RowSight {
                displacement: Tensor::from_slice(&displacement).to_device(device),
                mask: Tensor::from_slice(&mask)
                    .view([width, -1])
                    .to_device(device),
                sees: Tensor::from_slice(&sees).view([width, 1]).to_device(device),
            }
        });
        Self {
            rows: rows.collect(),
            width,
        }
    }

    /// Returns how many rows above a row are seen, and what of them.
    fn of(&self, row: i64) -> (i64, &RowSight) {
        let above = row.min(self.rows.len() as i64 - 1);
        (above, &self.rows[above as usize])
    }
}
