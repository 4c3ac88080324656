//! The fit of drift and diffusion to training pairs by maximum likelihood.
//!
//! Every rank holds its own share of the pairs and the same weights at every step; rank 0 keeps the checkpoints. The order
//! of all samples is drawn from (seed, batches, epoch), so 1 and 4 ranks see the same batches.

use super::{
    EpochRecord, LearningError, Pairs,
    course::{Run, Samples, optimise},
    descent::{Descent, Objective, Rows, autograd, vector},
    fused::Fused,
    head::refit,
    likelihood::negative_log_likelihood,
    optimiser::AdamW,
    parameters::Parameters,
    sde::{Networks, Scales, Sde, SdeInput},
    split::{place, split},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tch::{Device, Kind, Tensor};

/// Number of this model in the random streams; the closure is model 1.
const MODEL: u64 = 0;

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
    /// Factor on the learning rate after every epoch; below 1 it is the whole schedule and the plateau does nothing. Where noise
    /// hides the drift an epoch gains less than a plateau can tell from none, and many large steps come before small last ones.
    #[serde(skip_serializing_if = "is_one")]
    pub decay: f64,
    /// Whether to fit the last layer of an mlp drift again after the descent, by least squares over all training pairs. Kept unless it
    /// raises the validation loss; nothing for another drift.
    #[serde(skip_serializing_if = "is_false")]
    pub refit: bool,
    /// Factor on the learning rate when the validation loss stalls, without `decay`.
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
    /// Threads per rank on a processor; 0 takes those of the run (`--threads`).
    pub threads: usize,
    /// Longest time between two checkpoints, in seconds; one is written after every epoch too.
    pub checkpoint_seconds: f64,
}

fn is_one(factor: &f64) -> bool {
    *factor == 1.0
}

fn is_false(choice: &bool) -> bool {
    !choice
}

impl Default for TrainInput {
    fn default() -> Self {
        Self {
            epochs: 100,
            batch: 1024,
            learning_rate: 1e-3,
            decay: 1.0,
            refit: false,
            plateau_factor: 0.5,
            plateau_patience: 10,
            learning_rate_minimum: 1e-6,
            validation_fraction: 0.1,
            weight_decay: 0.01,
            gradient_clip: None,
            precision: Precision::Float32,
            threads: 0,
            checkpoint_seconds: 30.0,
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
        for (name, count) in [("batch", self.batch), ("epochs", self.epochs)] {
            if count == 0 {
                return wrong(name, 0.0, "it is at least 1");
            }
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
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return wrong("weight_decay", self.weight_decay, "it is at least 0");
        }
        if !(self.decay > 0.0 && self.decay <= 1.0) {
            return wrong("decay", self.decay, "it is above 0 and at most 1");
        }
        if self.checkpoint_seconds.is_nan() || self.checkpoint_seconds < 0.0 {
            return wrong("checkpoint_seconds", self.checkpoint_seconds, "it is at least 0");
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
        let condition = self.networks.embedding.as_ref().map(|_| batch[0].narrow(1, 2 * size + 1, 1));
        let (drift, factor) = self.networks.forward(weights, &states, condition.as_ref());
        negative_log_likelihood(&(increment - drift * time), &factor)
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
/// Every rank passes its own pairs: in the order of the ranks they are all pairs there are. `observer` sees each epoch
/// as it ends. Returns the model of the epoch with the lowest validation loss, the same on every rank, and the record of
/// all epochs. With a checkpoint in `run` a training that was stopped goes on; the file stays when it is done.
///
/// # Errors
/// When the input or the pairs are unusable, or the loss becomes NaN or infinite.
pub fn fit(
    pairs: &Pairs,
    covariance_factor: f64,
    model: &SdeInput,
    train: &TrainInput,
    run: &Run,
    observer: &mut dyn FnMut(&EpochRecord),
) -> Result<(Sde, Vec<EpochRecord>), LearningError> {
    train.check()?;
    pairs.check()?;
    if !(covariance_factor > 0.0 && covariance_factor.is_finite()) {
        let reason = "it is positive, the number of patches by theory".into();
        return Err(LearningError::Input { name: "covariance_factor", value: covariance_factor.to_string(), reason });
    }
    let (kind, device) = (train.precision.kind(), run.device);
    let (owned, _) = place(pairs.dt.len(), run.ranks)?;
    let (rows, held) = split(pairs.trajectory.view(), train.validation_fraction, (run.seed, MODEL), run.ranks)?;
    let own = |samples: &[usize]| -> Vec<usize> {
        samples.iter().filter(|sample| owned.contains(sample)).map(|sample| sample - owned.start).collect()
    };
    let known = pairs.rows(&own(&rows));
    let scales = Scales::over(run.ranks, known.z.view(), known.increment.view(), known.dt.view(), covariance_factor)
        .with_condition(run.ranks, pairs.condition.as_ref())
        .with_strength(run.ranks, &known);
    let offsets = [&known, &pairs.rows(&own(&held))].map(|part| scales.offset(run.ranks, part));
    let packed = scales.pack(pairs, kind, device);

    let (networks, layout) = Sde::networks(model, pairs.components(), pairs.condition.is_some());
    let fused = Fused::new(&networks, &layout);
    let parameters = Parameters::draw(layout, run.seed, MODEL, kind, device);
    let objective = Likelihood { networks, components: pairs.components() as i64, fused };
    let optimiser = AdamW::new(parameters.flat(), train.weight_decay, train.gradient_clip);
    let own_rows = own(&rows);
    let data = (&[packed.shallow_clone()][..], Rows { first: owned.start, owned: owned.clone() });
    let threads = if train.threads > 0 { train.threads } else { run.threads };
    let mut descent = Descent::new(Arc::new(objective), parameters, optimiser, data, threads, run.ranks);

    let samples = Samples { model: MODEL, rows, held, offsets };
    let records = optimise(&mut descent, &samples, train, run, observer)?;
    if train.refit {
        let (found, held) = (descent.parameters.snapshot(), &samples.held);
        let loss = |descent: &mut Descent| if held.is_empty() { Ok(0.0) } else { descent.evaluate(held) };
        let before = loss(&mut descent)?;
        let networks = Sde::networks(model, pairs.components(), pairs.condition.is_some()).0;
        refit(&networks, &mut descent.parameters, (&packed, &own_rows), run.ranks)?;
        let after = loss(&mut descent)?;
        if after > before || after.is_nan() {
            descent.parameters.restore(&found);
        }
    }
    Ok((Sde::new(model.clone(), scales, descent.parameters.share()), records))
}
