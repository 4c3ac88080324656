//! Ensembles of the learned equation: x_{k+1} = x_k + mu(x_k) dt + sqrt(dt) L(x_k) xi_k (Euler-Maruyama), in the
//! coordinates x of the model. Physical states go in and come out.
//!
//! States are kept within the [walls](crate::learning::sde::Walls) of the training data.
//!
//! All states are advanced together on the device. The noise xi is drawn on the host. Every [`GROUP`] trajectories have
//! a stream of their own, so the noise depends neither on the device nor on the division of an ensemble into blocks.

use crate::{
    learning::{LearningError, sde::Sde, tensor::vector},
    rng::{Purpose, Rng, stream},
};
use ndarray::{Array3, ArrayView2, Axis, concatenate};
use rand_distr::{Distribution, StandardNormal};
use std::borrow::Borrow;
use tch::{Kind, Tensor, no_grad};

/// Trajectories that share a stream of noise.
pub const GROUP: usize = 256;
/// Largest number of noise values drawn at a time.
const NOISE_BUFFER: usize = 1 << 20;

/// An unfinished ensemble. Its records come block by block and do not depend on the size of the blocks.
pub struct Rollout<M> {
    model: M,
    /// Coordinates, `[n, r]`.
    states: Tensor,
    streams: Vec<Rng>,
    step: f64,
    every: usize,
}

impl<M: Borrow<Sde>> Rollout<M> {
    /// Starts from the physical states `z0` `[n, d]` with time step `step`. Every `every`-th state is a record. Group g
    /// of the trajectories takes its noise from the stream (seed, predict, `[item[0], item[1] + g]`). Set the condition
    /// of a family of equations first: `Rollout::new(model.at_condition(800.0)?, ...)`.
    ///
    /// # Errors
    /// When the condition of a family is not set, `step` or `every` is not positive, or `z0` does not have the number
    /// of components of the model.
    pub fn new(
        model: M,
        z0: ArrayView2<f32>,
        step: f64,
        every: usize,
        seed: u64,
        item: [u64; 2],
    ) -> Result<Self, LearningError> {
        let sde = model.borrow();
        sde.complete()?;
        let (count, components) = z0.dim();
        if components != sde.components() {
            let (what, expected) = ("the initial states", sde.components());
            return Err(LearningError::Components { what, found: components, expected });
        }
        let checks = [
            ("step", step, step > 0.0, "it must be above 0"),
            ("every", every as f64, every > 0, "it must be at least 1"),
        ];
        if let Some((name, value, _, reason)) = checks.into_iter().find(|(_, _, valid, _)| !valid) {
            return Err(LearningError::Input { name, value: value.to_string(), reason: reason.into() });
        }
        let values: Vec<f64> = sde.coordinates().states(z0).into_iter().collect();
        let states = Tensor::from_slice(&values).view([count as i64, -1]);
        let states = states.to_kind(sde.kind()).to_device(sde.device());
        let groups = count.div_ceil(GROUP) as u64;
        let streams = (0..groups).map(|group| stream(seed, Purpose::Predict, [item[0], item[1] + group])).collect();
        Ok(Self { model, states, streams, step, every })
    }

    /// The next `count` records, physical states `[count, n, d]`. Diverged states stay NaN or infinite.
    ///
    /// # Errors
    /// When the tensor library refuses an operation.
    pub fn records(&mut self, count: usize) -> Result<Array3<f32>, LearningError> {
        let (trajectories, independent) = self.extents();
        let steps = count * self.every;
        let ahead = (NOISE_BUFFER / (trajectories * independent).max(1)).clamp(1, steps.max(1));
        let mut kept = Vec::with_capacity(count);
        no_grad(|| {
            for first in (0..steps).step_by(ahead) {
                let block = ahead.min(steps - first);
                let noise = self.noise(block) * self.step.sqrt();
                for step in 0..block {
                    let (drift, factor) = self.model.borrow().fields(&self.states);
                    self.states = &self.states + drift * self.step + factor.times(&noise.get(step as i64));
                    if let Some(walls) = self.model.borrow().walls() {
                        self.states = walls.keep(&self.states);
                    }
                    if (first + step + 1).is_multiple_of(self.every) {
                        let z = self.model.borrow().map().physical(&self.states);
                        kept.push(z.to_kind(Kind::Float));
                    }
                }
            }
        });
        let values = if kept.is_empty() { Vec::new() } else { vector(&Tensor::f_stack(&kept, 0)?) };
        let extents = (count, trajectories, self.model.borrow().components());
        Ok(Array3::from_shape_vec(extents, values).expect("one state a record"))
    }

    /// Numbers of trajectories and of coordinates.
    fn extents(&self) -> (usize, usize) {
        let size = self.states.size();
        (size[0] as usize, size[1] as usize)
    }

    /// The noise of the next steps, `[steps, n, r]`, on the device.
    fn noise(&mut self, steps: usize) -> Tensor {
        let (trajectories, independent) = self.extents();
        let mut values = Vec::<f32>::with_capacity(steps * trajectories * independent);
        for _ in 0..steps {
            for (group, rng) in self.streams.iter_mut().enumerate() {
                let members = GROUP.min(trajectories - group * GROUP);
                values.extend((0..members * independent).map(|_| -> f32 { StandardNormal.sample(rng) }));
            }
        }
        let sde = self.model.borrow();
        let values = Tensor::from_slice(&values).to_device(sde.device()).to_kind(sde.kind());
        values.view([steps as i64, trajectories as i64, independent as i64])
    }
}

/// Advances the physical states `z0` `[n, d]` by `steps` steps of `dt`. Returns every `every`-th state, including the
/// first: `[1 + steps / every, n, d]`. See [`Rollout`].
///
/// # Errors
/// As [`Rollout::new`] and [`Rollout::records`].
pub fn predict(
    model: &Sde,
    z0: ArrayView2<f32>,
    dt: f64,
    steps: usize,
    every: usize,
    seed: u64,
    item: [u64; 2],
) -> Result<Array3<f32>, LearningError> {
    let mut rollout = Rollout::new(model, z0, dt, every, seed, item)?;
    let later = rollout.records(steps / every)?;
    Ok(concatenate(Axis(0), &[z0.insert_axis(Axis(0)), later.view()]).expect("states and records have equal extents"))
}
