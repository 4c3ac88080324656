//! Gradients: of every model against finite differences in float64, and written out against autograd.

use crate::{
    learning::{
        Pairs, SdeInput,
        sde::{DIFFUSIONS, DRIFTS, InputWidth, Networks, Scales, fit::Likelihood, perceptron::PerceptronGradient},
        tensor::vector,
        train::{
            network::Activation,
            objective::{Objective, autograd},
            parameters::Parameters,
        },
    },
    parallel::Alone,
    rng::{Purpose, stream},
};
use ndarray::{Array1, Array2};
use rand::Rng as _;
use std::sync::Arc;
use tch::{Device, Kind, Tensor, no_grad};

/// Latent components of the models.
pub(super) const COMPONENTS: usize = 3;

/// Rows of random pairs.
fn packed(count: usize, kind: Kind, conditioned: bool, compensated: bool) -> Tensor {
    let mut rng = stream(1, Purpose::Bench, [0, 0]);
    let mut draw = |columns| Array2::from_shape_simple_fn((count, columns), || rng.random::<f32>() - 0.5);
    let (z, increment) = (draw(COMPONENTS), draw(COMPONENTS));
    let compensator = compensated.then(|| draw(COMPONENTS));
    let dt = Array1::from_shape_fn(count, |row| 0.5 + row as f32 / count as f32);
    let condition =
        conditioned.then(|| Array2::from_shape_fn((count, 2), |(row, axis)| 300.0 + (row + 2 * axis) as f32));
    let pairs = Pairs { z, increment, compensator, deviation: None, dt, trajectory: Array1::zeros(count), condition };
    let scales = Scales::over(&Alone, &pairs, 4.0).unwrap();
    scales.with_condition(&Alone, pairs.condition.as_ref()).pack(&pairs, &Alone, kind, Device::Cpu).unwrap()
}

/// The objective of a model and its first weights.
pub(super) fn likelihood(input: &SdeInput, kind: Kind, conditioned: bool) -> (Likelihood, Parameters) {
    let (networks, layout) = Networks::new(input, COMPONENTS, if conditioned { 2 } else { 0 }).unwrap();
    let perceptron = PerceptronGradient::new(&networks, &layout);
    let parameters = Parameters::draw(layout, 5, 0, kind, Device::Cpu);
    (Likelihood { networks: Arc::new(networks), components: COMPONENTS as i64, perceptron, moments: None }, parameters)
}

#[test]
fn gradients_agree_with_finite_differences() {
    let drifts = DRIFTS.entries().into_iter().flat_map(|(name, _)| [(name, false), (name, true)]);
    // The reversible drift has no conditions.
    for (drift, conditioned) in drifts.filter(|&case| case != ("reversible", true)) {
        let diffusions = DIFFUSIONS.entries();
        for &(diffusion, _) in if conditioned { &diffusions[..1] } else { &diffusions } {
            let input = SdeInput {
                drift: drift.into(),
                diffusion: diffusion.into(),
                drift_hidden: vec![5, 4],
                diffusion_hidden: vec![5],
                onsager_hidden: 5,
                potential_degree: 3,
                ..SdeInput::default()
            };
            let (objective, mut parameters) = likelihood(&input, Kind::Double, conditioned);
            let batch = [packed(11, Kind::Double, conditioned, diffusion == "full")];
            let (_, gradient) = objective.gradient(&parameters, &batch).unwrap();
            let gradient: Vec<f64> = vector(&gradient);
            let start = parameters.snapshot();
            let mut loss_at = |scalar: usize, change: f64| {
                parameters.restore(&start);
                no_grad(|| {
                    let _ = parameters.flat_mut().get(scalar as i64).g_add_scalar_(change);
                    objective.loss(parameters.leaves(), &batch).double_value(&[])
                })
            };
            let largest = gradient.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
            for (scalar, &expected) in gradient.iter().enumerate() {
                let found = (loss_at(scalar, 1e-5) - loss_at(scalar, -1e-5)) / 2e-5;
                assert!(
                    (found - expected).abs() < 1e-6 * largest,
                    "{drift} {diffusion} scalar {scalar}: {found} != {expected}"
                );
            }
        }
    }
}

#[test]
fn written_out_gradients_are_those_of_autograd() {
    for activation in [Activation::Tanh, Activation::Relu] {
        for diffusion in ["full", "diagonal"] {
            let input = SdeInput {
                activation,
                diffusion: diffusion.into(),
                drift_hidden: vec![64, 21, 7],
                ..SdeInput::default()
            };
            let (objective, parameters) = likelihood(&input, Kind::Float, false);
            assert!(objective.perceptron.is_some());
            for compensated in [false, true] {
                let batch = [packed(203, Kind::Float, false, compensated)];
                let (loss, gradient) = objective.gradient(&parameters, &batch).unwrap();
                let (expected_loss, expected) = autograd(&objective, &parameters, &batch).unwrap();
                let error = (loss.double_value(&[]) / expected_loss.double_value(&[]) - 1.0).abs();
                assert!(error < 1e-5, "{activation:?} {diffusion}: loss off by {error}");
                let error = ((gradient - &expected).norm() / expected.norm()).double_value(&[]);
                assert!(error < 1e-5, "{activation:?} {diffusion}: gradient off by {error}");
            }
        }
    }
}

#[test]
fn onsager_parts_have_their_symmetries() {
    let input = SdeInput { drift: "onsager".into(), ..SdeInput::default() };
    let width = InputWidth { components: COMPONENTS as i64, features: 0 };
    let mut layout = crate::learning::train::parameters::Layout::default();
    let drift = crate::learning::sde::OnsagerDrift::new(&mut layout, &input, width);
    let parameters = Parameters::draw(layout, 5, 0, Kind::Double, Device::Cpu);
    let states = packed(9, Kind::Double, false, false).narrow(1, 0, COMPONENTS as i64);
    let parts = no_grad(|| drift.parts(parameters.leaves(), &states, None));
    let largest = |tensor: Tensor| tensor.abs().max().double_value(&[]);
    let identity = Tensor::eye(COMPONENTS as i64, (Kind::Double, Device::Cpu));
    assert_eq!(largest(&parts.dissipation - parts.dissipation.transpose(1, 2)), 0.0);
    assert_eq!(largest(&parts.rotation + parts.rotation.transpose(1, 2)), 0.0);
    // det(M - 0.0999 I) > 0 along the Cholesky factorisation: the least eigenvalue is at least 0.1.
    let _ = (&parts.dissipation - identity * 0.0999).linalg_cholesky(false);
    for component in 0..COMPONENTS as i64 {
        let change = Tensor::zeros_like(&states);
        let _ = change.narrow(1, component, 1).fill_(1e-5);
        let at = |sign: f64| no_grad(|| drift.potential(parameters.leaves(), &(&states + &change * sign), None));
        let slope = (at(1.0) - at(-1.0)) / 2e-5;
        assert!(largest(slope - parts.slope.select(1, component)) < 1e-7);
    }
}
