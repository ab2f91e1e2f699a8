//! What of a segment need not be tried again, as a tree over its bits.
//!
//! A dead segment further on blames a prefix of this one; everything with that prefix is then done with.
//! Drawing leaves out what is done: the odds at each bit are those of the chain times the share that is
//! left behind each value. So values of the segment come without repetition, as in a draw without
//! replacement, and it is exhausted exactly when the tree's root is done.

use super::chain::Chain;

/// No child yet.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Node {
    child: [u32; 2],
    /// Nothing is left below.
    done: bool,
    /// Share of the probability below that is done with.
    share: f64,
}

const FRESH: Node = Node {
    child: [NONE; 2],
    done: false,
    share: 0.0,
};

/// The tree, and the way through it and through the chain that the current draw took.
#[derive(Debug)]
pub(super) struct Tried {
    nodes: Vec<Node>,
    /// For each bit: its value, the chain's state before it, the tree's node before it.
    way: Vec<(bool, u32, u32)>,
}

impl Tried {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![FRESH],
            way: Vec::new(),
        }
    }

    /// Whether everything has been done with.
    pub(super) fn is_exhausted(&self) -> bool {
        self.nodes[0].done
    }

    /// Draws bits that are not done with; there must be some left. `uniform` gives numbers in
    /// [0, 1).
    pub(super) fn draw(
        &mut self,
        chain: &Chain,
        mut uniform: impl FnMut() -> f64,
    ) -> &[(bool, u32, u32)] {
        self.way.clear();
        let (mut state, mut node) = (chain.root(), 0);
        for bit in 0..chain.length() {
            let odds = chain.odds(bit, state);
            let left = self.left(node, odds);
            // Where rounding has left nothing of a value that is not done, it is still tried.
            let value = match left {
                [None, _] => true,
                [_, None] => false,
                [Some(zero), Some(one)] if zero + one > 0.0 => uniform() * (zero + one) >= zero,
                _ => odds[1] > odds[0],
            };
            self.way.push((value, state, node));
            state = chain.step(bit, state, value);
            node = self.child(node, value);
        }
        &self.way
    }

    /// What is left behind each value; `None` where nothing is.
    fn left(&self, node: u32, odds: [f64; 2]) -> [Option<f64>; 2] {
        [0, 1].map(|value| {
            let child = self
                .nodes
                .get(self.nodes[node as usize].child[value] as usize);
            let done = odds[value] == 0.0 || child.is_some_and(|child| child.done);
            (!done).then(|| odds[value] * (1.0 - child.map_or(0.0, |child| child.share)).max(0.0))
        })
    }

    fn child(&mut self, node: u32, value: bool) -> u32 {
        let value = usize::from(value);
        let child = self.nodes[node as usize].child[value];
        if child != NONE {
            return child;
        }
        let new = self.nodes.len() as u32;
        self.nodes.push(FRESH);
        self.nodes[node as usize].child[value] = new;
        new
    }

    /// Is done with everything that begins as the current draw does, for `bits` bits.
    pub(super) fn discard(&mut self, chain: &Chain, bits: usize) {
        let below = match self.way.get(bits) {
            Some((_, _, node)) => *node,
            None => match self.way.last() {
                Some((value, _, node)) => self.child(*node, *value),
                None => 0,
            },
        };
        self.nodes[below as usize] = Node {
            done: true,
            share: 1.0,
            ..FRESH
        };
        for bit in (0..bits.min(self.way.len())).rev() {
            let (_, state, node) = self.way[bit];
            let odds = chain.odds(bit, state);
            let child = self.nodes[node as usize].child;
            let (mut done, mut share) = (true, 0.0);
            for value in [0, 1] {
                let child = self
                    .nodes
                    .get(child[value] as usize)
                    .copied()
                    .unwrap_or(FRESH);
                done &= odds[value] == 0.0 || child.done;
                share += odds[value] * child.share;
            }
            let node = &mut self.nodes[node as usize];
            (node.done, node.share) = (done, if done { 1.0 } else { share });
        }
    }
}
