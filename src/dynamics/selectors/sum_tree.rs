//! O(log n) selection among any rates: a binary tree whose nodes hold the sums of their two branches (Blue, Beichl and
//! Sullivan, Phys. Rev. E 51, R867, 1995).
//!
//! A node is always the sum of its branches as they are, so that rounding does not build up over many changes.

use super::Selector;
use crate::{
    dynamics::Events,
    lattice::{Region, Window},
    rng::Rng,
};
use rand::Rng as _;

/// Rates at the leaves of a tree, numbered from 0.
#[derive(Clone, Debug, Default)]
pub struct SumTree {
    /// Node n has the branches 2n and 2n + 1; the root is node 1, leaf i is node `leaves + i`.
    sums: Vec<f64>,
    leaves: usize,
}

impl SumTree {
    /// Takes `rates` as the leaves.
    pub fn fill(&mut self, rates: impl ExactSizeIterator<Item = f64>) {
        self.leaves = rates.len().next_power_of_two();
        self.sums.clear();
        self.sums.resize(2 * self.leaves, 0.0);
        for (leaf, rate) in rates.enumerate() {
            self.sums[self.leaves + leaf] = rate;
        }
        for node in (1..self.leaves).rev() {
            self.sums[node] = self.sums[2 * node] + self.sums[2 * node + 1];
        }
    }

    /// Changes the rate of a leaf.
    pub fn set(&mut self, leaf: usize, rate: f64) {
        let mut node = self.leaves + leaf;
        self.sums[node] = rate;
        while node > 1 {
            node /= 2;
            self.sums[node] = self.sums[2 * node] + self.sums[2 * node + 1];
        }
    }

    /// The sum of all rates.
    pub fn total(&self) -> f64 {
        self.sums.get(1).copied().unwrap_or(0.0)
    }

    /// Draws a leaf with probability rate / total, and with it a number that is uniform in [0, its rate). Only when the
    /// total is above 0; a leaf of rate 0 is never drawn.
    pub fn draw(&self, rng: &mut Rng) -> (usize, f64) {
        let mut left = (rng.random::<f64>() * self.total()).min(self.total().next_down());
        let mut node = 1;
        while node < self.leaves {
            node *= 2;
            let first = self.sums[node];
            // Rounding may lead past the first branch although the second is empty.
            if left >= first && self.sums[node + 1] > 0.0 {
                left -= first;
                node += 1;
            }
        }
        (node - self.leaves, left.clamp(0.0, self.sums[node].next_down()))
    }
}

/// The leaves are the padded sites of the window.
impl<L: Events> Selector<L> for SumTree {
    fn prepare(&mut self, law: &L, window: &Window<L::Site>) {
        let mut rates = vec![0.0; window.padded_sites()];
        for site in window.sites_of(Region::BOX) {
            rates[site] = law.rate(window, site);
        }
        self.fill(rates.into_iter());
    }

    fn total_rate(&mut self) -> f64 {
        self.total()
    }

    fn select(&self, rng: &mut Rng) -> usize {
        self.draw(rng).0
    }

    fn refresh(&mut self, law: &L, window: &Window<L::Site>, site: usize) {
        self.set(site, law.rate(window, site));
    }
}
