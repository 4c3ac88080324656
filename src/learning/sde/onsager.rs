//! A generalised gradient flow (stochastic OnsagerNet, Chen et al. 2024; arXiv 2511.12842, appendix):
//! mu = -(M(z) + W(z)) grad V(z) + f(z) with M = A A^T + 0.1 I, A lower triangular, W antisymmetric and
//! V = sum_i (U_i(z) + (B z)_i)^2 + beta |z|^2. M dissipates, W rotates, f drives.
//!
//! A, W, U and f are affine maps of the output of one trunk. The trunk has two layers with a residual link and the
//! activation relu(x)^2 - relu(x - 1/2)^2. grad V comes from autograd with its graph, because the gradient of the loss
//! needs second derivatives.

use crate::learning::{
    sde::{Drift, InputWidth, SdeInput, condition::beside, likelihood::triangle},
    train::parameters::{Layout, Start},
};
use tch::{Kind, Tensor, with_grad};

/// Smallest eigenvalue of M.
pub(super) const DISSIPATION: f64 = 0.1;

/// The structured drift.
pub struct OnsagerDrift {
    components: i64,
    confinement: f64,
    trunk: [usize; 2],
    dissipation: usize,
    rotation: usize,
    potential: usize,
    mixing: usize,
    force: usize,
}

/// The parts of the drift at given states.
pub struct OnsagerParts {
    /// M, symmetric and positive definite, `[samples, d, d]`.
    pub dissipation: Tensor,
    /// W, antisymmetric, `[samples, d, d]`.
    pub rotation: Tensor,
    /// grad V, `[samples, d]`.
    pub slope: Tensor,
    /// f, `[samples, d]`.
    pub force: Tensor,
}

impl OnsagerDrift {
    /// Adds the weights to `layout`.
    pub fn new(layout: &mut Layout, input: &SdeInput, inputs: InputWidth) -> Self {
        let (size, width) = (inputs.components, input.onsager_hidden as i64);
        let trunk = [
            layout.linear("drift.trunk.0", inputs.total(), width, 1.0),
            layout.linear("drift.trunk.1", width, width, 1.0),
        ];
        Self {
            components: size,
            confinement: input.onsager_confinement,
            trunk,
            dissipation: layout.linear("drift.dissipation", width, size * (size + 1) / 2, 1.0),
            rotation: layout.linear("drift.rotation", width, size * (size - 1) / 2, 0.5),
            potential: layout.linear("drift.potential", width, size, 0.5),
            mixing: layout.add("drift.mixing", &[size, size], Start::Uniform(0.5 / (size as f64).sqrt())),
            force: layout.linear("drift.force", width, size, 0.5),
        }
    }

    /// V of standardised states, `[samples]`.
    pub fn potential(&self, weights: &[Tensor], states: &Tensor, condition: Option<&Tensor>) -> Tensor {
        self.potential_over(weights, states, &self.features(weights, &beside(states, condition)))
    }

    /// All parts of the drift at standardised states `[samples, d]`, with the features of their condition, if any.
    pub fn parts(&self, weights: &[Tensor], states: &Tensor, condition: Option<&Tensor>) -> OnsagerParts {
        let affine = |position: usize, inputs: &Tensor| inputs.linear(&weights[position], Some(&weights[position + 1]));
        let size = self.components;
        let (slope, features) = with_grad(|| {
            let states = states.detach().set_requires_grad(true);
            let features = self.features(weights, &beside(&states, condition));
            let total = self.potential_over(weights, &states, &features).sum(None::<Kind>);
            let slope = Tensor::run_backward(&[total], &[&states], true, true).remove(0);
            (slope, features)
        });
        let packed = affine(self.dissipation, &features);
        let below = size * (size - 1) / 2;
        let root = triangle(&packed.narrow(1, 0, size), &packed.narrow(1, size, below));
        let identity = Tensor::eye(size, (states.kind(), states.device()));
        let dissipation = root.matmul(&root.transpose(1, 2)) + identity * DISSIPATION;
        let zero = states.zeros_like();
        let upper = triangle(&zero, &affine(self.rotation, &features));
        OnsagerParts {
            dissipation,
            rotation: &upper - upper.transpose(1, 2),
            slope,
            force: affine(self.force, &features),
        }
    }

    fn features(&self, weights: &[Tensor], inputs: &Tensor) -> Tensor {
        let layer =
            |position: usize, inputs: &Tensor| bend(&inputs.linear(&weights[position], Some(&weights[position + 1])));
        let first = layer(self.trunk[0], inputs);
        layer(self.trunk[1], &first) + first
    }

    fn potential_over(&self, weights: &[Tensor], states: &Tensor, features: &Tensor) -> Tensor {
        let learned = features.linear(&weights[self.potential], Some(&weights[self.potential + 1]));
        let wells = learned + states.linear(&weights[self.mixing], None::<Tensor>);
        wells.square().sum_dim_intlist(1, false, None)
            + states.square().sum_dim_intlist(1, false, None) * self.confinement
    }
}

impl Drift for OnsagerDrift {
    fn forward(&self, weights: &[Tensor], states: &Tensor, features: Option<&Tensor>) -> Tensor {
        let parts = self.parts(weights, states, features);
        let flow = (parts.dissipation + parts.rotation).matmul(&parts.slope.unsqueeze(-1)).squeeze_dim(-1);
        parts.force - flow
    }

    /// That of f.
    fn last_layer(&self) -> Option<usize> {
        Some(self.force)
    }

    fn hidden(&self, weights: &[Tensor], inputs: &Tensor) -> Tensor {
        self.features(weights, inputs)
    }
}

/// relu(x)^2 - relu(x - 1/2)^2: smooth near 0, linear far from it.
fn bend(values: &Tensor) -> Tensor {
    values.relu().square() - (values - 0.5).relu().square()
}
