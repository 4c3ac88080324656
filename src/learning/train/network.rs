//! Networks without tensors: they hold positions in a `Layout`, and every call passes the weights.

use crate::learning::train::parameters::Layout;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// The nonlinearity between layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// tanh(x)
    #[default]
    Tanh,
    /// x / (1 + exp(-x))
    Silu,
    /// x times the normal distribution function of x
    Gelu,
    /// max(x, 0)
    Relu,
}

impl Activation {
    /// Applies it to every element.
    pub fn apply(self, values: &Tensor) -> Tensor {
        match self {
            Self::Tanh => values.tanh(),
            Self::Silu => values.silu(),
            Self::Gelu => values.gelu("none"),
            Self::Relu => values.relu(),
        }
    }
}

/// A multi-layer perceptron: affine maps with an activation between them, none after the last.
#[derive(Clone, Debug)]
pub struct Mlp {
    layers: Vec<usize>,
    activation: Activation,
}

impl Mlp {
    /// Adds a perceptron with layer widths `widths` (input first, output last) to `layout`. The first weights of the
    /// last layer are smaller by `last_gain`.
    pub fn new(layout: &mut Layout, name: &str, widths: &[i64], activation: Activation, last_gain: f64) -> Self {
        let last = widths.len() - 2;
        let layers = widths
            .windows(2)
            .enumerate()
            .map(|(layer, pair)| {
                let gain = if layer == last { last_gain } else { 1.0 };
                layout.linear(&format!("{name}.{layer}"), pair[0], pair[1], gain)
            })
            .collect();
        Self { layers, activation }
    }

    /// Outputs `[samples, last width]` of inputs `[samples, first width]`.
    pub fn forward(&self, weights: &[Tensor], inputs: &Tensor) -> Tensor {
        let last = self.layers[self.layers.len() - 1];
        self.hidden(weights, inputs).linear(&weights[last], Some(&weights[last + 1]))
    }

    /// Inputs of the last layer, `[samples, width of the last hidden layer]`.
    pub fn hidden(&self, weights: &[Tensor], inputs: &Tensor) -> Tensor {
        let mut values = inputs.shallow_clone();
        for &layer in &self.layers[..self.layers.len() - 1] {
            values = self.activation.apply(&values.linear(&weights[layer], Some(&weights[layer + 1])));
        }
        values
    }

    /// Positions of the weights of the affine maps in the layout. Each bias follows its weight.
    pub fn layers(&self) -> &[usize] {
        &self.layers
    }

    /// The nonlinearity.
    pub fn activation(&self) -> Activation {
        self.activation
    }
}
