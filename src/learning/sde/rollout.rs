//! Ensembles of the learned equation: x_{k+1} = x_k + mu(x_k) dt + sqrt(dt) L(x_k) xi_k (Euler-Maruyama), in the
//! coordinates x of the model. Physical states go in and come out.
//!
//! Between two steps the scheme is the straight line along the drift plus the Brownian path, so records can lie at any
//! time without changing what follows. States are kept within the [walls](crate::learning::sde::Walls) of the training
//! data and of the starts.
//!
//! A step of a reversible equation is a proposal that is accepted with the probability of Metropolis and Hastings, never
//! beyond the walls, to which starts outside the data are moved (MALA; Roberts and Tweedie, Bernoulli 2, 341 (1996)): the equilibrium is exp(-F) at any step. A record
//! within a step lies on the way to its proposal.
//!
//! All states are advanced together on the device. The noise xi is drawn on the host. Every [`GROUP`] trajectories have
//! a stream of their own, so the noise depends neither on the device nor on the division of an ensemble into blocks.

use crate::{
    learning::{
        LearningError,
        sde::{Factor, Sde, walls::WallTensors},
        tensor::vector,
    },
    rng::{Purpose, Rng, stream},
};
use ndarray::{Array3, ArrayView2, Axis, concatenate};
use rand_distr::{Distribution, StandardNormal};
use std::{borrow::Borrow, collections::VecDeque};
use tch::{Device, Kind, Tensor, no_grad};

/// Trajectories that share a stream of noise.
pub const GROUP: usize = 256;
/// Largest number of noise values drawn at a time.
const NOISE_BUFFER: usize = 1 << 20;

/// An unfinished ensemble. Its records come block by block and do not depend on the size of the blocks.
pub struct Rollout<M> {
    model: M,
    walls: Option<WallTensors>,
    /// Coordinates after the last whole step, `[n, r]`.
    states: Tensor,
    /// The step under way, if a record lies within it.
    begun: Option<Step>,
    streams: Vec<Rng>,
    step: f64,
    /// Whole steps made.
    steps: usize,
    /// Times of the records to come.
    times: VecDeque<f64>,
    /// Steps that ended beyond the walls, `[n]`.
    beyond: Tensor,
    /// Steps that were not accepted, `[n]`.
    rejected: Tensor,
    /// Factor of the noise.
    noise: f64,
    /// Drift and Sigma over those of the equation.
    clock: f64,
    /// Directions in which the drift is averaged, one a step in turn, `[r, r]`.
    axes: Option<Tensor>,
    turn: i64,
}

/// A step under way: the equation where it began, the time since then, and the Brownian path up to now.
struct Step {
    drift: Tensor,
    factor: Factor,
    /// F `[n, 1]`, if the equation is reversible.
    potential: Option<Tensor>,
    elapsed: f64,
    path: Tensor,
}

impl Step {
    /// A step that begins in these states.
    fn at(sde: &Sde, states: &Tensor) -> Self {
        let (drift, factor) = sde.fields(states);
        Self {
            drift,
            factor,
            potential: sde.potential(states).map(|potential| potential.unsqueeze(1)),
            elapsed: 0.0,
            path: states.zeros_like(),
        }
    }

    /// The step `other` where `chosen` `[n, 1]` says so, and this one elsewhere. Both begin.
    fn or(&self, other: &Self, chosen: &Tensor) -> Self {
        let either = |one: &Tensor, other: &Tensor| other.where_self(chosen, one);
        let both = |one: Option<&Tensor>, other: Option<&Tensor>| one.zip(other).map(|(one, other)| either(one, other));
        let factor = Factor {
            diagonal: either(&self.factor.diagonal, &other.factor.diagonal),
            lower: both(self.factor.lower.as_ref(), other.factor.lower.as_ref()),
        };
        let potential = both(self.potential.as_ref(), other.potential.as_ref());
        Self {
            drift: either(&self.drift, &other.drift),
            factor,
            potential,
            elapsed: 0.0,
            path: other.path.shallow_clone(),
        }
    }
}

/// An instant at which a step ends, a record is due, or both.
struct Instant {
    /// Time since the instant before.
    span: f64,
    ends_step: bool,
    is_record: bool,
}

impl<M: Borrow<Sde>> Rollout<M> {
    /// Starts from the physical states `z0` `[n, d]` with time step `step`; records are at `times`, ascending and above
    /// 0. Group g of the trajectories takes its noise from the stream (seed, predict, `[item[0], item[1] + g]`). Set the
    /// condition of a family of equations first: `Rollout::new(model.at_condition(800.0)?, ...)`.
    ///
    /// # Errors
    /// When the condition of a family is not set, `step` is not positive, `times` do not ascend from above 0, or `z0`
    /// does not have the number of components of the model.
    pub fn new(
        model: M,
        z0: ArrayView2<f32>,
        step: f64,
        times: Vec<f64>,
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
        let ascending = std::iter::once(&0.0).chain(&times).is_sorted_by(|before, after| before < after);
        for (name, value, valid, reason) in [
            ("step", step.to_string(), step > 0.0, "it must be above 0"),
            ("times", format!("{times:?}"), ascending, "they must ascend from above 0"),
        ] {
            if !valid {
                return Err(LearningError::Input { name, value, reason: reason.into() });
            }
        }
        let values: Vec<f64> = sde.coordinates().states(z0).into_iter().collect();
        let states = Tensor::from_slice(&values).view([count as i64, -1]);
        let states = states.to_kind(sde.kind()).to_device(sde.device());
        let groups = count.div_ceil(GROUP) as u64;
        let streams = (0..groups).map(|group| stream(seed, Purpose::Predict, [item[0], item[1] + group])).collect();
        let beyond = Tensor::zeros([count as i64], (Kind::Double, states.device()));
        // F is not known beyond the data, where it may fall without limit.
        let reversible = sde.parts().0.drift.as_reversible().is_some();
        let walls = sde.walls().map(|walls| if reversible { walls.shallow_clone() } else { walls.around(&states) });
        let states = if let (true, Some(walls)) = (reversible, &walls) { walls.keep(&states).0 } else { states };
        let (rejected, times) = (beyond.zeros_like(), times.into());
        let (noise, clock) = (1.0, model.borrow().clock());
        Ok(Self {
            walls,
            model,
            states,
            begun: None,
            streams,
            step,
            steps: 0,
            times,
            beyond,
            rejected,
            noise,
            clock,
            axes: None,
            turn: 0,
        })
    }

    /// The same ensemble for a system with `ratio` times as many sites: intensive observables have the same drift, and a
    /// covariance that many times smaller.
    #[must_use]
    pub fn of_size(self, ratio: f64) -> Self {
        Self { noise: ratio.recip().sqrt(), ..self }
    }

    /// The same ensemble with a drift that is averaged over states about the present one, whose covariance is `share` of
    /// that of these deviations `[m, d]`. It is the mean over pairs of states on opposite sides, along one column of the
    /// Cholesky factor of the covariance in each step: exact to second order over r steps. A reversible equation, whose
    /// equilibrium is that of its potential, stays as it is.
    ///
    /// # Errors
    /// When the tensor library refuses an operation.
    pub fn averaged(self, deviations: ArrayView2<f32>, share: f64) -> Result<Self, LearningError> {
        let sde = self.model.borrow();
        if sde.parts().0.drift.as_reversible().is_some() {
            return Ok(self);
        }
        let x = sde.coordinates().increments(deviations);
        let (count, size) = x.dim();
        let covariance: Vec<f64> = (x.t().dot(&x) * (share / count as f64)).into_iter().collect();
        let covariance = Tensor::from_slice(&covariance).view([size as i64, size as i64]);
        let still = Tensor::eye(size as i64, (Kind::Double, Device::Cpu)) * 1e-12;
        let axes = (covariance + still).f_linalg_cholesky(false)?.transpose(0, 1) * (size as f64).sqrt();
        let axes = axes.to_kind(sde.kind()).to_device(sde.device());
        Ok(Self { axes: Some(axes), ..self })
    }

    /// A step that begins in the present states.
    fn begin(&mut self) -> Step {
        let sde = self.model.borrow();
        let mut step = Step::at(sde, &self.states);
        if let Some(axes) = &self.axes {
            let axis = axes.get(self.turn % axes.size()[0]);
            let sides = Tensor::cat(&[&self.states + &axis, &self.states - &axis], 0);
            let halves = sde.fields(&sides).0.chunk(2, 0);
            step.drift = (&halves[0] + &halves[1]) * 0.5;
            self.turn += 1;
        }
        step
    }

    /// The next `count` records, or those that are left, physical states `[count, n, d]`. Diverged states stay NaN or
    /// infinite.
    ///
    /// # Errors
    /// When the tensor library refuses an operation.
    pub fn records(&mut self, count: usize) -> Result<Array3<f32>, LearningError> {
        let ahead = (NOISE_BUFFER / (self.extents().0 * self.normals_of_step()).max(1)).max(1);
        let mut kept = Vec::with_capacity(count);
        no_grad(|| {
            for instants in self.instants(count).chunks(ahead) {
                let noise = self.noise(instants.len()) * self.noise;
                for (instant, index) in instants.iter().zip(0..) {
                    if let Some(states) = self.advance(instant, noise.get(index)) {
                        kept.push(self.model.borrow().map().physical(&states).to_kind(Kind::Float));
                    }
                }
            }
        });
        let values = if kept.is_empty() { Vec::new() } else { vector(&Tensor::f_stack(&kept, 0)?) };
        let extents = (kept.len(), self.extents().0, self.model.borrow().components());
        Ok(Array3::from_shape_vec(extents, values).expect("one state a record"))
    }

    /// The instants up to the `count`-th record to come, which is taken off the list.
    fn instants(&mut self, count: usize) -> Vec<Instant> {
        let elapsed = self.begun.as_ref().map_or(0.0, |begun| begun.elapsed);
        let (mut now, mut instants) = (self.steps as f64 * self.step + elapsed, Vec::new());
        for record in self.times.drain(..count.min(self.times.len())) {
            loop {
                let end = (self.steps + 1) as f64 * self.step;
                let same = (end - record).abs() <= 1e-9 * record;
                let (ends_step, is_record) = (same || end < record, same || record < end);
                let next = if ends_step { end } else { record };
                instants.push(Instant { span: next - now, ends_step, is_record });
                (now, self.steps) = (next, self.steps + usize::from(ends_step));
                if is_record {
                    break;
                }
            }
        }
        instants
    }

    /// Goes on to an instant with this noise `[n, r]`; the states there if it is a record.
    fn advance(&mut self, at: &Instant, noise: Tensor) -> Option<Tensor> {
        let mut step = self.begun.take().unwrap_or_else(|| self.begin());
        let sde = self.model.borrow();
        step.elapsed += at.span;
        step.path += noise.narrow(1, 0, self.extents().1 as i64) * (at.span * self.clock).sqrt();
        let proposal = &self.states + &step.drift * (step.elapsed * self.clock) + step.factor.times(&step.path);
        let (mut states, mut outside) = (proposal.shallow_clone(), None);
        if let (Some(walls), Some(data)) = (&self.walls, sde.walls()) {
            let (_, moved) = data.keep(&states);
            (states, outside) = walls.keep(&states);
            moved.iter().filter(|_| at.ends_step).for_each(|moved| self.beyond += moved);
        }
        if !at.ends_step {
            self.begun = Some(step);
        } else if step.potential.is_some() {
            let next = Step::at(sde, &proposal);
            let accepted = self.accepted(&step, &next, &proposal, &noise).logical_and(
                &outside.map_or_else(|| Tensor::ones([1], (Kind::Bool, noise.device())), |outside| outside.eq(0.0)),
            );
            self.rejected += accepted.logical_not().to_kind(Kind::Double);
            let accepted = accepted.unsqueeze(1);
            states = proposal.where_self(&accepted, &self.states);
            (self.begun, self.states) = (Some(step.or(&next, &accepted)), states.shallow_clone());
        } else {
            self.states = states.shallow_clone();
        }
        at.is_record.then_some(states)
    }

    /// Which of the proposals Metropolis and Hastings accept, `[n]`. The last normal number of a trajectory decides.
    fn accepted(&self, step: &Step, next: &Step, proposal: &Tensor, noise: &Tensor) -> Tensor {
        let (variance, sum) =
            (self.noise * self.noise, |values: &Tensor| values.sum_dim_intlist(1, false, None::<Kind>));
        let time = step.elapsed * self.clock;
        let back = next.factor.solve(&(&self.states - proposal - &next.drift * time));
        let squares = sum(&step.path.square()) - sum(&back.square());
        let volumes = sum(&step.factor.diagonal.log()) - sum(&next.factor.diagonal.log());
        let [before, after] = [step, next].map(|step| step.potential.as_ref().expect("a reversible step"));
        let logarithm = (before - after).squeeze_dim(1) / variance + squares / (2.0 * time * variance) + volumes;
        let uniform =
            (noise.select(1, self.extents().1 as i64) / (self.noise * -std::f64::consts::SQRT_2)).erfc() * 0.5;
        uniform.log().lt_tensor(&logarithm)
    }

    /// The share of the steps so far, of each trajectory, that ended beyond the walls and were moved back to them.
    pub fn share_at_walls(&self) -> Vec<f64> {
        vector(&(&self.beyond / self.steps.max(1) as f64))
    }

    /// The share of the steps so far, of each trajectory, that were not accepted.
    pub fn share_rejected(&self) -> Vec<f64> {
        vector(&(&self.rejected / self.steps.max(1) as f64))
    }

    /// Normal numbers of a step of one trajectory: its noise, and one that accepts a reversible step or not.
    fn normals_of_step(&self) -> usize {
        let (networks, ..) = self.model.borrow().parts();
        self.extents().1 + usize::from(networks.drift.as_reversible().is_some())
    }

    /// Numbers of trajectories and of coordinates.
    fn extents(&self) -> (usize, usize) {
        let size = self.states.size();
        (size[0] as usize, size[1] as usize)
    }

    /// The noise of the next steps, `[steps, n, r]`, on the device.
    fn noise(&mut self, steps: usize) -> Tensor {
        let (trajectories, independent) = (self.extents().0, self.normals_of_step());
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
    if every == 0 {
        let (name, reason) = ("every", "it must be at least 1".into());
        return Err(LearningError::Input { name, value: "0".into(), reason });
    }
    let times = (1..=steps / every).map(|record| (record * every) as f64 * dt).collect();
    let later = Rollout::new(model, z0, dt, times, seed, item)?.records(steps / every)?;
    Ok(concatenate(Axis(0), &[z0.insert_axis(Axis(0)), later.view()]).expect("states and records have equal extents"))
}
