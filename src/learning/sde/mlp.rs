//! The plain drift: mu(z) is a multi-layer perceptron, by default with three hidden layers of 64.

use super::{Drift, SdeInput};
use crate::learning::{network::Mlp, parameters::Layout};
use tch::Tensor;

/// A perceptron from states to drift.
pub struct MlpDrift {
    network: Mlp,
}

impl MlpDrift {
    /// Adds the weights to `layout`.
    pub fn new(layout: &mut Layout, input: &SdeInput, components: usize) -> Self {
        let size = components as i64;
        let mut widths = vec![size];
        widths.extend(input.drift_hidden.iter().map(|&width| width as i64));
        widths.push(size);
        Self { network: Mlp::new(layout, "drift", &widths, input.activation, 0.5) }
    }
}

impl Drift for MlpDrift {
    fn forward(&self, weights: &[Tensor], states: &Tensor) -> Tensor {
        self.network.forward(weights, states)
    }

    fn as_mlp(&self) -> Option<&Mlp> {
        Some(&self.network)
    }
}
