//! Families of equations: drift and diffusion depend on a condition, such as the temperature, that is constant along a
//! trajectory.
//!
//! A perceptron k -> 32 -> 6 maps (c - c_min) / (c_max - c_min) to features of the condition c, which has k axes: 1 in
//! the paper (arXiv 2511.12842, appendix), the temperature. Drift and diffusion share it and take the features beside the state.

use crate::learning::{
    Activation,
    train::{network::Mlp, parameters::Layout},
};
use tch::Tensor;

/// Width of the hidden layer.
const HIDDEN: i64 = 32;
/// Number of features.
pub const FEATURES: i64 = 6;

/// The perceptron from standardised conditions `[samples, axes]` to features `[samples, 6]`.
pub fn embedding(layout: &mut Layout, axes: usize) -> Mlp {
    Mlp::new(layout, "condition", &[axes as i64, HIDDEN, FEATURES], Activation::Tanh, 1.0)
}

/// Rows of states `[samples, d]` followed by the features of their condition, if any.
pub fn beside(states: &Tensor, features: Option<&Tensor>) -> Tensor {
    features.map_or_else(|| states.shallow_clone(), |features| Tensor::cat(&[states, features], 1))
}
