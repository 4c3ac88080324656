//! Models of a family of equations: drift and diffusion depend on a condition, such as the temperature, that a trajectory keeps.
//!
//! The condition c enters as features of (c - c_min) / (c_max - c_min) beside the state: a perceptron 1 -> 32 -> 6
//! (arXiv 2511.12842, appendix), shared by drift and diffusion.

use crate::learning::{
    Activation,
    train::{network::Mlp, parameters::Layout},
};
use tch::Tensor;

/// Width of the hidden layer.
const HIDDEN: i64 = 32;
/// Number of features.
pub const FEATURES: i64 = 6;

/// The perceptron from standardised conditions `[samples, 1]` to features.
pub fn embedding(layout: &mut Layout) -> Mlp {
    Mlp::new(layout, "condition", &[1, HIDDEN, FEATURES], Activation::Tanh, 1.0)
}

/// States `[samples, d]` and the features of their condition, if any, side by side.
pub fn beside(states: &Tensor, features: Option<&Tensor>) -> Tensor {
    features.map_or_else(|| states.shallow_clone(), |features| Tensor::cat(&[states, features], 1))
}
