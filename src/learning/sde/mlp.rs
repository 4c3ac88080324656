//! The default drift: mu(z) is a multi-layer perceptron, by default with three hidden layers of 64.

use crate::learning::{
    sde::{Drift, InputWidth, SdeInput, condition::beside},
    train::{network::Mlp, parameters::Layout},
};
use tch::Tensor;

/// A perceptron from states to drift.
pub struct MlpDrift {
    network: Mlp,
}

impl MlpDrift {
    /// Adds the weights to `layout`.
    pub fn new(layout: &mut Layout, input: &SdeInput, width: InputWidth) -> Self {
        let mut widths = vec![width.total()];
        widths.extend(input.drift_hidden.iter().map(|&width| width as i64));
        widths.push(width.components);
        Self { network: Mlp::new(layout, "drift", &widths, input.activation, 0.5) }
    }
}

impl Drift for MlpDrift {
    fn forward(&self, weights: &[Tensor], states: &Tensor, features: Option<&Tensor>) -> Tensor {
        self.network.forward(weights, &beside(states, features))
    }

    fn as_mlp(&self) -> Option<&Mlp> {
        Some(&self.network)
    }
}
