//! Diffusions: the factor L is lower triangular with a positive diagonal, so that Sigma = L L^T is a covariance.
//!
//! The diagonal is softplus(output + log(e - 1)) + 1e-4. Its first values are near 1, the scale of the data.

use crate::learning::{
    sde::{Diffusion, InputWidth, SdeInput, condition::beside, likelihood::Factor},
    train::{
        network::Mlp,
        parameters::{Layout, Start},
    },
};
use tch::Tensor;

/// softplus(SHIFT) = 1
pub(crate) const SHIFT: f64 = 0.541_324_854_612_918_1;
/// Smallest diagonal element, in units of the noise of the data.
pub(crate) const FLOOR: f64 = 1e-4;

/// L(z) is the output of a perceptron: the diagonal, then the elements below it, column by column.
pub struct MlpDiffusion {
    network: Mlp,
    components: i64,
    full: bool,
}

impl MlpDiffusion {
    /// Correlated noise. Adds the weights to `layout`.
    pub fn full(layout: &mut Layout, input: &SdeInput, width: InputWidth) -> Self {
        Self::new(layout, input, width, true)
    }

    /// Independent noise in each coordinate. Adds the weights to `layout`.
    pub fn diagonal(layout: &mut Layout, input: &SdeInput, width: InputWidth) -> Self {
        Self::new(layout, input, width, false)
    }

    fn new(layout: &mut Layout, input: &SdeInput, width: InputWidth, full: bool) -> Self {
        let components = width.components;
        let mut widths = vec![width.total()];
        widths.extend(input.diffusion_hidden.iter().map(|&width| width as i64));
        widths.push(if full { triangle(components) } else { components });
        Self { network: Mlp::new(layout, "diffusion", &widths, input.activation, 0.5), components, full }
    }
}

impl Diffusion for MlpDiffusion {
    fn forward(&self, weights: &[Tensor], states: &Tensor, features: Option<&Tensor>) -> Factor {
        factor(&self.network.forward(weights, &beside(states, features)), self.components)
    }

    fn as_mlp(&self) -> Option<(&Mlp, bool)> {
        Some((&self.network, self.full))
    }
}

/// Correlated noise that depends neither on the state nor on the condition.
pub struct ConstantDiffusion {
    position: usize,
    components: i64,
}

impl ConstantDiffusion {
    /// Adds the weights to `layout`.
    pub fn new(layout: &mut Layout, width: InputWidth) -> Self {
        let components = width.components;
        let position = layout.add("diffusion", &[1, triangle(components)], Start::Constant(0.0));
        Self { position, components }
    }
}

impl Diffusion for ConstantDiffusion {
    fn forward(&self, weights: &[Tensor], states: &Tensor, _: Option<&Tensor>) -> Factor {
        factor(&weights[self.position].expand([states.size()[0], -1], false), self.components)
    }
}

/// Elements on and below the diagonal.
fn triangle(components: i64) -> i64 {
    components * (components + 1) / 2
}

/// L of outputs `[samples, d]` (diagonal) or `[samples, d (d + 1) / 2]`.
fn factor(outputs: &Tensor, components: i64) -> Factor {
    let diagonal = (outputs.narrow(1, 0, components) + SHIFT).softplus() + FLOOR;
    let below = outputs.size()[1] - components;
    Factor { diagonal, lower: (below > 0).then(|| outputs.narrow(1, components, below)) }
}
