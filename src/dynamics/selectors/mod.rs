//! Ways to choose the next event with probability r_i / R. All draw from the same distribution.

mod linear_scan;
mod rate_classes;
mod sum_tree;

pub use linear_scan::LinearScan;
pub use rate_classes::RateClasses;
pub use sum_tree::SumTree;

use super::Events;
use crate::{lattice::Window, rng::Rng};
use rand::Rng as _;

/// Keeps the rates of a window and draws events from them.
pub trait Selector<L: Events>: Default {
    /// Takes in all rates of the box of `window`.
    fn prepare(&mut self, law: &L, window: &Window<L::Site>);
    /// R, the sum of all rates. Call it after every change and before `select`.
    fn total_rate(&mut self) -> f64;
    /// Draws a site with probability r_i / R. Only when the total rate is above 0.
    fn select(&self, rng: &mut Rng) -> usize;
    /// Takes in the rate of a site of the box again, after something within its reach has changed.
    fn refresh(&mut self, law: &L, window: &Window<L::Site>, site: usize);
}

/// The index within whose share of the sum of all weights a number lies; the last one with a weight if rounding has left
/// too much of it.
pub fn index_at(weights: &[f64], mut left: f64) -> usize {
    let mut found = 0;
    for (index, &weight) in weights.iter().enumerate().filter(|&(_, &weight)| weight > 0.0) {
        found = index;
        if left < weight {
            break;
        }
        left -= weight;
    }
    found
}

/// An index with probability in proportion to its weight.
pub fn drawn(weights: &[f64], rng: &mut Rng) -> usize {
    index_at(weights, rng.random::<f64>() * weights.iter().sum::<f64>())
}
