//! The fit of drift and diffusion to training pairs by maximum likelihood.
//!
//! Rank 0 decides learning rate and best model; all ranks hold the same weights at every step. The order of the
//! samples is drawn from (seed, batches, epoch), so 1 and 4 ranks see the same batches.

use super::{
    EpochRecord, LearningError, Pairs,
    descent::{Descent, Objective, autograd, vector},
    fused::Fused,
    likelihood::negative_log_likelihood,
    optimiser::{AdamW, Plateau},
    parameters::Parameters,
    sde::{Networks, Scales, Sde, SdeInput},
};
use crate::{
    parallel::Ranks,
    rng::{Purpose, stream},
};
use ndarray::Axis;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Instant};
use tch::{Device, Kind, Tensor};

/// Number type of weights and data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit.
    #[default]
    Float32,
    /// 64-bit.
    Float64,
}

impl Precision {
    /// As the tensor library calls it.
    pub fn kind(self) -> Kind {
        match self {
            Self::Float32 => Kind::Float,
            Self::Float64 => Kind::Double,
        }
    }
}

/// How to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainInput {
    /// Passes over the pairs.
    pub epochs: usize,
    /// Pairs per step, over all ranks together.
    pub batch: usize,
    /// First learning rate.
    pub learning_rate: f64,
    /// Factor on the learning rate when the validation loss stalls.
    pub plateau_factor: f64,
    /// Epochs without improvement before that.
    pub plateau_patience: usize,
    /// Smallest learning rate.
    pub learning_rate_minimum: f64,
    /// Share of the trajectories held out; 0 selects the best epoch by training loss.
    pub validation_fraction: f64,
    /// Decay of the weights per unit of learning rate.
    pub weight_decay: f64,
    /// Largest norm of the gradient; absent for no limit.
    pub gradient_clip: Option<f64>,
    /// Number type.
    pub precision: Precision,
    /// Threads per rank on a processor; 0 takes all cores for a single rank, else one per rank.
    pub threads: usize,
}

impl Default for TrainInput {
    fn default() -> Self {
        Self {
            epochs: 100,
            batch: 1024,
            learning_rate: 1e-3,
            plateau_factor: 0.5,
            plateau_patience: 10,
            learning_rate_minimum: 1e-6,
            validation_fraction: 0.1,
            weight_decay: 0.01,
            gradient_clip: None,
            precision: Precision::Float32,
            threads: 0,
        }
    }
}

impl TrainInput {
    /// Checks the values.
    ///
    /// # Errors
    /// [`LearningError::Input`] that names the value.
    pub fn check(&self) -> Result<(), LearningError> {
        let wrong = |name, value: f64, reason: &str| {
            Err(LearningError::Input { name, value: value.to_string(), reason: reason.into() })
        };
        if self.batch == 0 {
            return wrong("batch", 0.0, "it is at least 1");
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return wrong("learning_rate", self.learning_rate, "it is positive");
        }
        if !(0.0..1.0).contains(&self.validation_fraction) {
            return wrong("validation_fraction", self.validation_fraction, "it is at least 0 and below 1");
        }
        if !(self.plateau_factor > 0.0 && self.plateau_factor <= 1.0) {
            return wrong("plateau_factor", self.plateau_factor, "it is above 0 and at most 1");
        }
        match self.gradient_clip {
            Some(limit) if limit.is_nan() || limit <= 0.0 => wrong("gradient_clip", limit, "it is positive or absent"),
            _ => Ok(()),
        }
    }
}

/// The likelihood of packed rows (see [`Scales::pack`]).
pub(super) struct Likelihood {
    pub networks: Networks,
    pub components: i64,
    pub fused: Option<Fused>,
}

impl Objective for Likelihood {
    fn loss(&self, weights: &[Tensor], batch: &[Tensor]) -> Tensor {
        let size = self.components;
        let states = batch[0].narrow(1, 0, size);
        let increment = batch[0].narrow(1, size, size);
        let time = batch[0].narrow(1, 2 * size, 1);
        let residual = increment - self.networks.drift.forward(weights, &states) * time;
        negative_log_likelihood(&residual, &self.networks.diffusion.forward(weights, &states))
    }

    fn gradient(&self, parameters: &Parameters, batch: &[Tensor]) -> Result<(Tensor, Tensor), LearningError> {
        match &self.fused {
            Some(fused) if batch[0].kind() == Kind::Float && batch[0].device() == Device::Cpu => {
                let (loss, gradient) = fused.gradient(&vector(parameters.flat()), &vector(&batch[0]));
                Ok((Tensor::from(loss), Tensor::from_slice(&gradient)))
            }
            _ => autograd(self, parameters, batch),
        }
    }
}

/// Fits drift and diffusion to `pairs`, whose noise has `covariance_factor` times the variance of the equation's.
///
/// Every rank passes the same pairs. `observer` sees each epoch as it ends. Returns the model of the epoch
/// with the lowest validation loss, the same on every rank, and the record of all epochs.
///
/// # Errors
/// When the input or the pairs are unusable, or the loss becomes NaN or infinite.
#[allow(clippy::too_many_arguments)]
pub fn fit(
    pairs: &Pairs,
    covariance_factor: f64,
    model: &SdeInput,
    train: &TrainInput,
    seed: u64,
    ranks: &dyn Ranks,
    device: Device,
    observer: &mut dyn FnMut(&EpochRecord),
) -> Result<(Sde, Vec<EpochRecord>), LearningError> {
    train.check()?;
    pairs.check()?;
    if !(covariance_factor > 0.0 && covariance_factor.is_finite()) {
        let reason = "it is positive, the number of patches by theory".into();
        return Err(LearningError::Input { name: "covariance_factor", value: covariance_factor.to_string(), reason });
    }
    let kind = train.precision.kind();
    let (rows, held) = pairs.split(train.validation_fraction, seed);
    let select = |rows: &[usize]| {
        (pairs.z.select(Axis(0), rows), pairs.increment.select(Axis(0), rows), pairs.dt.select(Axis(0), rows))
    };
    let (z, increment, dt) = select(&rows);
    let scales = Scales::of(z.view(), increment.view(), dt.view(), covariance_factor);
    let offsets = [scales.offset(dt.view()), scales.offset(select(&held).2.view())];
    let packed = Tensor::from_slice(&scales.pack(pairs.z.view(), pairs.increment.view(), pairs.dt.view()));
    let packed = packed.to_kind(kind).view([pairs.dt.len() as i64, -1]).to_device(device);

    let (networks, layout) = Sde::networks(model, pairs.components());
    let fused = Fused::new(&networks, &layout);
    let parameters = Parameters::draw(layout, seed, 0, kind, device);
    let objective = Likelihood { networks, components: pairs.components() as i64, fused };
    let optimiser = AdamW::new(parameters.flat(), train.weight_decay, train.gradient_clip);
    let mut descent = Descent::new(Arc::new(objective), parameters, optimiser, &[packed], train.threads, ranks);

    let records = optimise(&mut descent, &rows, &held, offsets, train, seed, observer)?;
    Ok((Sde::new(model.clone(), scales, descent.parameters.share()), records))
}

/// Runs the epochs and leaves the best weights in `descent`. `offsets` are added to the training and validation losses.
pub(super) fn optimise(
    descent: &mut Descent,
    rows: &[usize],
    held: &[usize],
    offsets: [f64; 2],
    train: &TrainInput,
    seed: u64,
    observer: &mut dyn FnMut(&EpochRecord),
) -> Result<Vec<EpochRecord>, LearningError> {
    let device = descent.parameters.flat().device();
    let index = |rows: &[i64]| Tensor::from_slice(rows).to_device(device);
    let held = index(&held.iter().map(|&row| row as i64).collect::<Vec<_>>());
    let rows: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
    let mut plateau =
        Plateau::new(train.learning_rate, train.plateau_factor, train.plateau_patience, train.learning_rate_minimum);
    let mut best = (f64::INFINITY, descent.parameters.snapshot());
    let mut records = Vec::with_capacity(train.epochs);
    for epoch in 0..train.epochs {
        let start = Instant::now();
        let learning_rate = plateau.learning_rate;
        let mut order = rows.clone();
        order.shuffle(&mut stream(seed, Purpose::Batches, [0, epoch as u64]));
        let train_loss = descent.epoch(&index(&order), train.batch, learning_rate, epoch)? + offsets[0];
        descent.agree();
        let validation_loss = if held.size()[0] > 0 { descent.evaluate(&held)? + offsets[1] } else { train_loss };
        plateau.observe(validation_loss);
        if validation_loss < best.0 {
            best = (validation_loss, descent.parameters.snapshot());
        }
        let seconds = start.elapsed().as_secs_f64();
        records.push(EpochRecord { epoch, train_loss, validation_loss, learning_rate, seconds });
        observer(&records[epoch]);
    }
    descent.parameters.restore(&best.1);
    Ok(records)
}
