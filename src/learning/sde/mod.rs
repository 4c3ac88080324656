//! The latent stochastic differential equation dz = mu(z) dt + L(z) dB with Sigma = L L^T.
//!
//! Drift and diffusion are networks in standardised, linearly independent [`Coordinates`] x. With increments q of x,
//! the unit of the diffusion is sigma_i = sqrt(mean(q_i^2 / (lambda dt))), and that of the drift is sqrt(lambda)
//! sigma_i / sqrt(mean dt). In a family of equations, [`NoiseByCondition`] multiplies both. Coordinates and units are
//! part of the model: physical values go in and out.
//!
//! A new drift is one file that implements [`Drift`] and one line in [`DRIFTS`]. A new diffusion is one file that
//! implements [`Diffusion`] and one line in [`DIFFUSIONS`]. Another crate adds them with `tessera::Program`.

pub mod calibration;
pub mod draws;
pub mod fit;
pub mod held_out;
pub mod labels;
pub mod likelihood;
pub mod pairs;
pub mod rollout;

mod columns;
mod condition;
mod controls;
mod coordinates;
mod diffusion;
mod equation;
mod last_layer;
mod linear;
mod matmul;
mod mlp;
mod moments;
mod noise_by_condition;
mod one_or_more;
mod onsager;
mod perceptron;
mod reversible;
mod scales;
mod symmetry_group;
mod walls;

#[cfg(test)]
mod gradient_tests;
#[cfg(test)]
mod path_tests;
#[cfg(test)]
mod reversible_tests;
#[cfg(test)]
mod symmetry_tests;

pub use condition::beside;
pub use coordinates::Coordinates;
pub use diffusion::{ConstantDiffusion, MlpDiffusion};
pub(crate) use diffusion::{FLOOR, SHIFT};
pub(crate) use equation::Networks;
pub use equation::{Sde, SdeModel};
pub use labels::{Label, Labels};
pub use likelihood::Factor;
pub use linear::LinearDrift;
pub use mlp::MlpDrift;
pub use noise_by_condition::NoiseByCondition;
pub use onsager::OnsagerDrift;
pub use pairs::Pairs;
pub use reversible::{ReversibleDrift, refuse_potential};
pub use scales::Scales;
pub use symmetry_group::SymmetryGroup;
pub use walls::Walls;

use crate::{
    learning::{
        Activation,
        train::{network::Mlp, parameters::Layout},
    },
    registry::Registry,
};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use tch::Tensor;

/// A drift in standardised coordinates.
///
/// It holds positions in a [`Layout`] and no tensors, so all threads can share it. Every call passes `weights`, those
/// of the whole model in the order of the layout. Gradients come from autograd.
pub trait Drift: Send + Sync {
    /// Drift `[samples, d]` at states `[samples, d]`. `features` `[samples, features]` are those of the condition, for
    /// a family of equations.
    fn forward(&self, weights: &[Tensor], states: &Tensor, features: Option<&Tensor>) -> Tensor;

    /// The drift as a perceptron over states [beside] features, if it is one. Its gradient then has a faster
    /// implementation on processors.
    fn as_mlp(&self) -> Option<&Mlp> {
        None
    }

    /// The layer that adds an affine map of [`Drift::hidden`] to the drift, as the position of its weights, if there is
    /// one. It can be refitted by least squares.
    fn last_layer(&self) -> Option<usize> {
        self.as_mlp()?.layers().last().copied()
    }

    /// The inputs `[samples, hidden]` of the [last layer](Drift::last_layer), at states [beside] features.
    ///
    /// # Panics
    /// When there is no such layer.
    fn hidden(&self, weights: &[Tensor], inputs: &Tensor) -> Tensor {
        self.as_mlp().expect("the drift has a last layer").hidden(weights, inputs)
    }

    /// Takes the units of the equation. Most drifts do not need them.
    fn set_units(&mut self, _scales: &Scales) {}

    /// The force -1/2 grad F of a reversible equation, if [`Drift::forward`] is that. The drift then needs Sigma too.
    fn as_reversible(&self) -> Option<&ReversibleDrift> {
        None
    }
}

/// The noise factor L of Sigma = L L^T in standardised coordinates. As for [`Drift`], every call passes the weights.
pub trait Diffusion: Send + Sync {
    /// L at states `[samples, d]`, lower triangular with a positive diagonal. `features` `[samples, features]` are
    /// those of the condition, for a family of equations.
    fn forward(&self, weights: &[Tensor], states: &Tensor, features: Option<&Tensor>) -> Factor;

    /// The perceptron of an [`MlpDiffusion`], and whether L has elements below the diagonal.
    fn as_mlp(&self) -> Option<(&Mlp, bool)> {
        None
    }
}

/// Widths of the inputs of drift and diffusion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputWidth {
    /// Independent components d of the state.
    pub components: i64,
    /// Features of the condition; 0 for a model without conditions.
    pub features: i64,
}

impl InputWidth {
    /// Width of states [beside] features.
    pub fn total(self) -> i64 {
        self.components + self.features
    }
}

/// Makes a drift. It adds its weights to the layout with names that begin with `drift`.
pub type MakeDrift = fn(&mut Layout, &SdeInput, InputWidth) -> Box<dyn Drift>;

/// Makes a diffusion. It adds its weights to the layout with names that begin with `diffusion`.
pub type MakeDiffusion = fn(&mut Layout, &SdeInput, InputWidth) -> Box<dyn Diffusion>;

/// Drifts by their names in inputs and model files.
pub static DRIFTS: Registry<MakeDrift> = Registry::new(&[
    ("mlp", |layout, input, width| Box::new(MlpDrift::new(layout, input, width))),
    ("linear", |layout, _, width| Box::new(LinearDrift::new(layout, width))),
    ("onsager", |layout, input, width| Box::new(OnsagerDrift::new(layout, input, width))),
    ("reversible", |layout, input, width| Box::new(ReversibleDrift::new(layout, input, width))),
]);

/// Diffusions by their names in inputs and model files.
pub static DIFFUSIONS: Registry<MakeDiffusion> = Registry::new(&[
    ("full", |layout, input, width| Box::new(MlpDiffusion::full(layout, input, width))),
    ("diagonal", |layout, input, width| Box::new(MlpDiffusion::diagonal(layout, input, width))),
    ("constant", |layout, _, width| Box::new(ConstantDiffusion::new(layout, width))),
]);

/// The networks of an equation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SdeInput {
    /// Name of the drift in [`DRIFTS`].
    #[serde(deserialize_with = "known_drift")]
    pub drift: String,
    /// Widths of the hidden layers of an mlp drift.
    pub drift_hidden: Vec<usize>,
    /// Name of the diffusion in [`DIFFUSIONS`].
    #[serde(deserialize_with = "known_diffusion")]
    pub diffusion: String,
    /// Widths of the hidden layers of a full or diagonal diffusion.
    pub diffusion_hidden: Vec<usize>,
    /// Nonlinearity of both. The onsager trunk has its own.
    pub activation: Activation,
    /// Width of the trunk of the onsager drift.
    pub onsager_hidden: usize,
    /// Weight of |z|^2 in the onsager potential.
    pub onsager_confinement: f64,
    /// Total degree of the potential of the reversible drift.
    pub potential_degree: usize,
}

impl Default for SdeInput {
    fn default() -> Self {
        Self {
            drift: "mlp".into(),
            drift_hidden: vec![64; 3],
            diffusion: "full".into(),
            diffusion_hidden: vec![64; 2],
            activation: Activation::Tanh,
            onsager_hidden: 32,
            onsager_confinement: 0.1,
            potential_degree: 10,
        }
    }
}

fn known_drift<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    known(from, &DRIFTS)
}

fn known_diffusion<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    known(from, &DIFFUSIONS)
}

/// A name in `table`.
///
/// # Errors
/// When `table` has no such name; the message lists all names.
fn known<'de, D: Deserializer<'de>, T: Copy>(from: D, table: &Registry<T>) -> Result<String, D::Error> {
    let name = String::deserialize(from)?;
    table.get(&name).map(|_| name).map_err(D::Error::custom)
}
