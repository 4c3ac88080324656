//! Ensembles of the learned equation: z_{k+1} = z_k + mu(z_k) dt + sqrt(dt) L(z_k) xi_k (Euler-Maruyama).
//!
//! All states move together on the device. The noise xi comes from the stream (seed, predict, item) of the host, so an ensemble
//! can be repeated on any device.

use super::{LearningError, descent::vector, sde::Sde};
use crate::rng::{Purpose, stream};
use ndarray::{Array3, ArrayView2};
use rand_distr::{Distribution, StandardNormal};
use tch::{Kind, Tensor, no_grad};

/// Most normal numbers drawn ahead in one piece.
const NOISE_BUFFER: usize = 1 << 20;

/// Rolls the states `z0` `[n, d]` out for `steps` steps of `dt` and keeps every `every`-th state, the first included:
/// `[1 + steps / every, n, d]`. States that diverge stay NaN or infinite. A model of a family of equations is first
/// given its condition: `predict(&model.given(800.0)?, ...)`.
///
/// # Errors
/// When the model lacks a condition, `dt` or `every` is not positive or `z0` has another number of components than the model.
pub fn predict(
    model: &Sde,
    z0: ArrayView2<f32>,
    dt: f64,
    steps: usize,
    every: usize,
    seed: u64,
    item: [u64; 2],
) -> Result<Array3<f32>, LearningError> {
    model.complete()?;
    let (count, components) = z0.dim();
    if components != model.components() {
        return Err(LearningError::Shape(format!(
            "the initial states have {components} components, the model {}",
            model.components()
        )));
    }
    if dt.is_nan() || dt <= 0.0 {
        return Err(LearningError::Input { name: "dt", value: dt.to_string(), reason: "it is positive".into() });
    }
    if every == 0 {
        return Err(LearningError::Input { name: "every", value: "0".into(), reason: "it is at least 1".into() });
    }
    let (kind, device) = (model.kind(), model.device());
    let shape = [count as i64, components as i64];
    let upload = |values: &[f32]| Tensor::from_slice(values).to_kind(kind).to_device(device);
    let mut rng = stream(seed, Purpose::Predict, item);
    let mut states = upload(&z0.iter().copied().collect::<Vec<_>>()).view(shape);
    let mut saved: Vec<f32> = z0.iter().copied().collect();
    saved.reserve(steps / every * count * components);
    let ahead = (NOISE_BUFFER / (count * components).max(1)).clamp(1, steps.max(1));
    let root = dt.sqrt();
    no_grad(|| {
        for first in (0..steps).step_by(ahead) {
            let block = ahead.min(steps - first);
            let numbers: Vec<f32> = (0..block * count * components).map(|_| StandardNormal.sample(&mut rng)).collect();
            let noise = (upload(&numbers) * root).view([block as i64, shape[0], shape[1]]);
            for step in 0..block {
                let (drift, factor) = model.fields(&states);
                states = states + drift * dt + factor.times(&noise.get(step as i64));
                if (first + step + 1).is_multiple_of(every) {
                    saved.extend(vector::<f32>(&states.to_kind(Kind::Float)));
                }
            }
        }
    });
    Array3::from_shape_vec((1 + steps / every, count, components), saved)
        .map_err(|error| LearningError::Shape(error.to_string()))
}
