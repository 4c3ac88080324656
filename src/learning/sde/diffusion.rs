//! The diffusion factor L(z): lower triangular with positive diagonal, so that Sigma = L L^T is a covariance.
//!
//! The diagonal is softplus(output + log(e - 1)) + 1e-4: it starts near 1, the scale of the data, and stays positive.

use crate::learning::{
    sde::{SdeInput, condition::beside, likelihood::Factor},
    train::{
        network::Mlp,
        parameters::{Layout, Start},
    },
};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// softplus(SHIFT) = 1
pub(crate) const SHIFT: f64 = 0.541_324_854_612_918_1;
/// Smallest diagonal element, in units of the data's own noise.
pub(crate) const FLOOR: f64 = 1e-4;

/// Form of the diffusion matrix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiffusionKind {
    /// Full covariance that depends on the state.
    #[default]
    Full,
    /// Independent components that depend on the state.
    Diagonal,
    /// Full covariance that does not depend on the state.
    Constant,
}

/// The network of L in standardised units.
pub struct Diffusion {
    components: i64,
    form: Form,
}

enum Form {
    /// Outputs diagonal, then lower part by columns.
    Network { network: Mlp, full: bool },
    /// Position of the outputs themselves.
    Constant(usize),
}

impl Diffusion {
    /// Adds the weights to `layout`. `features` of a condition stand beside the states.
    pub fn new(layout: &mut Layout, input: &SdeInput, components: usize, features: i64) -> Self {
        let size = components as i64;
        let triangle = size * (size + 1) / 2;
        let mut network = |outputs| {
            let mut widths = vec![size + features];
            widths.extend(input.diffusion_hidden.iter().map(|&width| width as i64));
            widths.push(outputs);
            Mlp::new(layout, "diffusion", &widths, input.activation, 0.5)
        };
        let form = match input.diffusion {
            DiffusionKind::Full => Form::Network { network: network(triangle), full: true },
            DiffusionKind::Diagonal => Form::Network { network: network(size), full: false },
            DiffusionKind::Constant => Form::Constant(layout.add("diffusion", &[1, triangle], Start::Constant(0.0))),
        };
        Self { components: size, form }
    }

    /// L of standardised states `[samples, d]`, with the features of their condition if the model has one.
    pub fn forward(&self, weights: &[Tensor], states: &Tensor, features: Option<&Tensor>) -> Factor {
        let (outputs, full) = match &self.form {
            Form::Network { network, full } => (network.forward(weights, &beside(states, features)), *full),
            Form::Constant(position) => (weights[*position].expand([states.size()[0], -1], false), true),
        };
        let diagonal = (outputs.narrow(1, 0, self.components) + SHIFT).softplus() + FLOOR;
        let below = outputs.size()[1] - self.components;
        Factor { diagonal, lower: (full && below > 0).then(|| outputs.narrow(1, self.components, below)) }
    }

    /// The perceptron behind L, when there is one, and whether L has a lower part.
    pub fn as_mlp(&self) -> Option<(&Mlp, bool)> {
        match &self.form {
            Form::Network { network, full } => Some((network, *full)),
            Form::Constant(_) => None,
        }
    }
}
