//! The linear drift: mu(z) = A z + b, exact for Ornstein-Uhlenbeck processes and chains of springs.
//!
//! In a family of equations A and b are affine functions of the features of the condition.

use crate::learning::{
    Activation,
    sde::{Drift, InputWidth},
    train::{network::Mlp, parameters::Layout},
};
use tch::Tensor;

/// A z + b.
pub struct LinearDrift {
    /// Without a condition the map from states to drift, otherwise the map from features to A, row by row, and b.
    map: Mlp,
    conditioned: bool,
}

impl LinearDrift {
    /// Adds the weights to `layout`.
    pub fn new(layout: &mut Layout, width: InputWidth) -> Self {
        let InputWidth { components: size, features } = width;
        let conditioned = features > 0;
        let widths = if conditioned { [features, size * (size + 1)] } else { [size, size] };
        Self { map: Mlp::new(layout, "drift", &widths, Activation::Tanh, 0.5), conditioned }
    }
}

impl Drift for LinearDrift {
    fn forward(&self, weights: &[Tensor], states: &Tensor, features: Option<&Tensor>) -> Tensor {
        let Some(features) = features else { return self.map.forward(weights, states) };
        let size = states.size()[1];
        let values = self.map.forward(weights, features).view([-1, size + 1, size]);
        let (matrix, offset) = (values.narrow(1, 0, size), values.select(1, size));
        matrix.matmul(&states.unsqueeze(-1)).squeeze_dim(-1) + offset
    }

    fn as_mlp(&self) -> Option<&Mlp> {
        (!self.conditioned).then_some(&self.map)
    }
}
