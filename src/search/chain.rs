//! A segment of a row, given all bits before it, as a graph of states; each way through it is one value of
//! the segment that can be completed and has not been ruled out.
//!
//! What later contexts still see of the segment so far is a state; deciding a bit leads from one state to
//! the next. A backward pass gives the probability with which each state completes the segment, so that a
//! segment drawn with both is drawn from the exact distribution of its bits given that it can be
//! completed: no dead end ever lies inside one.
//!
//! What has been shown to lead nowhere is a pattern on an interval of the segment. It is taken out of the
//! graph: the states that the pattern passes through are doubled, one for ways that have followed the
//! pattern so far and one for all others, and the way that follows it to its end is cut. So the draw stays
//! exact, each value comes at most once, and the segment is exhausted exactly when the start completes
//! nothing. After as many bits as a state holds the two coincide in all but their past, so a pattern adds
//! at most one state for each of its bits and each state that it can begin from.

use num_bigint::BigUint;

use super::ladder::Answer;

/// No state follows.
const NONE: u32 = u32::MAX;

/// One state.
#[derive(Clone, Copy, Debug)]
struct Node {
    answer: Answer,
    /// Index in the next layer.
    next: [u32; 2],
    /// Edges that lead here.
    parents: u32,
    /// Probability of completing the segment from here, up to a factor that the layer shares.
    complete: f64,
}

/// A state before a bit of the segment, as the forward pass found it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) answer: Answer,
    /// Index in the next layer, [`Link::NOWHERE`] where the value is not supported.
    pub(super) next: [u32; 2],
}

impl Link {
    pub(super) const NOWHERE: u32 = NONE;
}

/// A layer: the states before one bit.
#[derive(Debug)]
struct Layer {
    nodes: Vec<Node>,
    /// What `complete` of each node was multiplied by.
    scale: f64,
}

/// A segment that can be completed, less the patterns that have been ruled out.
#[derive(Debug)]
pub(super) struct Chain {
    /// The states before each bit, and one layer more for the complete segment.
    layers: Vec<Layer>,
}

impl Node {
    /// Returns how likely each value is to be taken and to lead on to a complete segment, up to the layer's factor;
    /// above 0 exactly where it can. No product here underflows to 0: a chance is at least 2⁻⁵³ and `complete` is 0 or
    /// at least 2⁻¹⁰²⁰.
    fn ways(&self, next: &[Node]) -> [f64; 2] {
        [0, 1].map(|value| match next.get(self.next[value] as usize) {
            Some(after) => self.answer.chance[value] * after.complete,
            None => 0.0,
        })
    }

    fn weigh(&mut self, next: &[Node], scale: f64) {
        let ways = self.ways(next);
        self.complete = ways[0] + ways[1];
        if self.complete > 0.0 {
            // A state that can be completed must not be rounded to one that cannot.
            self.complete = (self.complete * scale).max(4.0 * f64::MIN_POSITIVE);
        }
    }
}

impl Chain {
    /// Makes a chain of the states before each bit and the number of states behind the last one.
    pub(super) fn new(links: Vec<Vec<Link>>, ends: usize) -> Self {
        let node = |answer, next| Node {
            answer,
            next,
            parents: 0,
            complete: 1.0,
        };
        let mut layers: Vec<_> = links
            .into_iter()
            .map(|links| Layer {
                nodes: links
                    .iter()
                    .map(|link| node(link.answer, link.next))
                    .collect(),
                scale: 1.0,
            })
            .collect();
        layers.push(Layer {
            nodes: vec![node(Answer::default(), [NONE; 2]); ends],
            scale: 1.0,
        });
        for bit in (0..layers.len() - 1).rev() {
            let (before, after) = layers.split_at_mut(bit + 1);
            let (layer, next) = (&mut before[bit], &mut after[0].nodes);
            let mut largest = 0.0;
            for node in &mut layer.nodes {
                for child in node.next {
                    if let Some(child) = next.get_mut(child as usize) {
                        child.parents += 1;
                    }
                }
                node.weigh(next, 1.0);
                largest = f64::max(largest, node.complete);
            }
            // A product of hundreds of chances would leave the range of a float. Only the ratios within a
            // layer matter.
            if largest > 0.0 {
                layer.scale = largest.recip();
                for node in &mut layer.nodes {
                    node.weigh(next, layer.scale);
                }
            }
        }
        Self { layers }
    }

    /// Returns the number of bits of the segment.
    pub(super) fn length(&self) -> usize {
        self.layers.len() - 1
    }

    /// Returns whether no value is left.
    pub(super) fn is_exhausted(&self) -> bool {
        self.layers[0].nodes[0].complete == 0.0
    }

    /// Returns how many bits of an exhausted segment decide that it is: what is left of every way ends at or before the
    /// last of them, and no pattern that ends behind it was needed.
    pub(super) fn reach(&self) -> usize {
        let mut reached = vec![0u32];
        for (bit, layer) in self.layers.iter().enumerate() {
            let children = reached.iter().flat_map(|at| layer.nodes[*at as usize].next);
            let mut next: Vec<_> = children.filter(|child| *child != NONE).collect();
            next.sort_unstable();
            next.dedup();
            if next.is_empty() {
                return (bit + 1).min(self.length());
            }
            reached = next;
        }
        self.length()
    }

    /// Draws a value: each bit with the number of the window that answered. There must be a value left;
    /// `uniform` gives numbers in [0, 1).
    pub(super) fn draw(&self, mut uniform: impl FnMut() -> f64) -> Vec<(bool, u8)> {
        let mut drawn = Vec::with_capacity(self.length());
        let mut at = 0;
        for (layer, next) in self.layers.iter().zip(&self.layers[1..]) {
            let node = &layer.nodes[at as usize];
            let [zero, one] = node.ways(&next.nodes);
            let value = one > 0.0 && (zero == 0.0 || uniform() * (zero + one) >= zero);
            drawn.push((value, node.answer.rung));
            at = node.next[usize::from(value)];
        }
        drawn
    }

    /// Returns how many values are left.
    pub(super) fn count(&self) -> BigUint {
        let ends = self.layers.last().map_or(0, |layer| layer.nodes.len());
        let mut ways = vec![BigUint::from(1u8); ends];
        for layer in self.layers.iter().rev().skip(1) {
            let nodes = layer.nodes.iter();
            let sums = nodes.map(|node| {
                let children = node
                    .next
                    .iter()
                    .filter_map(|child| ways.get(*child as usize));
                children.sum()
            });
            ways = sums.collect();
        }
        ways.swap_remove(0)
    }

    /// Returns the first of the values that are left, in the order of their bits.
    pub(super) fn first(&self) -> Option<Vec<bool>> {
        self.complete_way(Vec::new())
    }

    /// Returns the value after `way`, which is one that is left.
    pub(super) fn next(&self, mut way: Vec<bool>) -> Option<Vec<bool>> {
        while let Some(last) = way.pop() {
            if !last {
                way.push(true);
                if let Some(way) = self.complete_way(way.clone()) {
                    return Some(way);
                }
                way.pop();
            }
        }
        None
    }

    /// Returns the first value that begins with `way`.
    fn complete_way(&self, mut way: Vec<bool>) -> Option<Vec<bool>> {
        let mut at = 0;
        for (bit, layer) in self.layers[..self.length()].iter().enumerate() {
            let next = &self.layers[bit + 1].nodes;
            let [zero, one] = layer.nodes[at as usize].ways(next).map(|way| way > 0.0);
            let value = match way.get(bit) {
                Some(value) if [zero, one][usize::from(*value)] => *value,
                None if zero || one => !zero,
                _ => return None,
            };
            if way.len() == bit {
                way.push(value);
            }
            at = layer.nodes[at as usize].next[usize::from(value)];
        }
        Some(way)
    }

    /// Rules out every value that has the bits `pattern` (at least one) from bit `from` on.
    pub(super) fn forbid(&mut self, from: usize, pattern: &[bool]) {
        // For each bit of the pattern, the states at which everything so far is as in the pattern: before
        // its first bit, all.
        let mut followed: Vec<Vec<u32>> = Vec::with_capacity(pattern.len());
        followed.push((0..self.layers[from].nodes.len() as u32).collect());
        let mut edges: Vec<(u32, u32)> = Vec::new();
        for (i, value) in pattern.iter().enumerate() {
            let (bit, value) = (from + i, usize::from(*value));
            let nodes = &self.layers[bit].nodes;
            let next = &self.layers[bit + 1].nodes;
            edges.clear();
            edges.extend(followed[i].iter().filter_map(|at| {
                let child = nodes[*at as usize].next[value];
                let open = next
                    .get(child as usize)
                    .is_some_and(|child| child.complete > 0.0);
                open.then_some((child, *at))
            }));
            if i + 1 == pattern.len() {
                for (child, at) in &edges {
                    self.layers[bit].nodes[*at as usize].next[value] = NONE;
                    self.layers[bit + 1].nodes[*child as usize].parents -= 1;
                }
                break;
            }
            edges.sort_unstable();
            let groups = edges.chunk_by(|a, b| a.0 == b.0);
            let entered = groups.map(|group| self.separate(bit, value, group));
            let entered = entered.collect();
            followed.push(entered);
        }
        self.reweigh(from, &followed);
    }

    /// Gives edges, all from `bit` by `value` to one child, a child of their own: the same one where no
    /// other edge leads to it.
    fn separate(&mut self, bit: usize, value: usize, edges: &[(u32, u32)]) -> u32 {
        let (child, through) = (edges[0].0, edges.len() as u32);
        let next = &mut self.layers[bit + 1].nodes;
        let twin = Node {
            parents: through,
            ..next[child as usize]
        };
        if twin.parents == next[child as usize].parents {
            return child;
        }
        next[child as usize].parents -= through;
        let copy = next.len() as u32;
        next.push(twin);
        for (_, at) in edges {
            self.layers[bit].nodes[*at as usize].next[value] = copy;
        }
        for grandchild in twin.next {
            if grandchild != NONE {
                self.layers[bit + 2].nodes[grandchild as usize].parents += 1;
            }
        }
        copy
    }

    /// Weighs anew the states that a pattern from bit `from` on has passed through, and those before it.
    fn reweigh(&mut self, from: usize, followed: &[Vec<u32>]) {
        for (i, nodes) in followed.iter().enumerate().rev() {
            self.weigh(from + i, nodes.iter().copied());
        }
        for bit in (0..from).rev() {
            let nodes = 0..self.layers[bit].nodes.len() as u32;
            if !self.weigh(bit, nodes) {
                break;
            }
        }
    }

    /// Weighs states before `bit`; whether any of them changed.
    fn weigh(&mut self, bit: usize, nodes: impl Iterator<Item = u32>) -> bool {
        let (before, after) = self.layers.split_at_mut(bit + 1);
        let (layer, next) = (&mut before[bit], &after[0].nodes);
        let mut changed = false;
        for at in nodes {
            let node = &mut layer.nodes[at as usize];
            let complete = node.complete;
            node.weigh(next, layer.scale);
            changed |= node.complete != complete;
        }
        changed
    }
}
