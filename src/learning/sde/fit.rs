//! The fit of drift and diffusion to training pairs by maximum likelihood.
//!
//! Every rank holds its own pairs, and all ranks have the same weights at every step. The order of all samples is drawn
//! from the stream (seed, batches, epoch), so the batches do not depend on the number of ranks.

use crate::learning::{
    EpochRecord, LearningError, Pairs,
    sde::{
        Networks, Scales, Sde, SdeInput, columns::Columns, last_layer::refit_last_layer,
        likelihood::negative_log_likelihood, moments::moments, perceptron::PerceptronGradient,
    },
    tensor::vector,
    train::{
        data_parallel::{DataParallelStep, Rows},
        epochs::{Samples, TrainingContext, run_epochs},
        input::TrainInput,
        objective::{Objective, autograd},
        optimiser::AdamW,
        parameters::Parameters,
        split::{sample_range, split},
    },
};
use crate::parallel::Ranks;
use std::{ops::Range, sync::Arc};
use tch::{Device, Kind, Tensor};

/// Index of this model in the random streams. The closure is model 1.
const MODEL: u64 = 0;

/// The likelihood of packed rows (see [`Scales::pack`]).
///
/// With quiet increments e' beside the increments e the product of e and the drift is that of e' and the drift, which
/// has the same mean: |L^-1 (e' - s m)|^2 + |L^-1 e|^2 - |L^-1 e'|^2 + log det Sigma.
pub(super) struct Likelihood {
    pub networks: Arc<Networks>,
    pub components: i64,
    pub perceptron: Option<PerceptronGradient>,
    /// Steps of the moments and the units of the coordinates in them; `None` for one Euler step.
    pub moments: Option<(usize, Vec<f64>)>,
}

impl Likelihood {
    /// The loss of increments with the mean and the covariance that the equation gives them after their whole time.
    fn of_moments(&self, weights: &[Tensor], columns: &Columns, (steps, units): (usize, &[f64])) -> Tensor {
        let Columns { states, increment, root, .. } = columns;
        let units = Tensor::from_slice(units).to_kind(states.kind()).to_device(states.device());
        let fields = |y: &Tensor| self.networks.forward(weights, &(y * &units), None);
        let (mean, factor) = moments(&fields, &(states / &units), &root.square(), steps);
        negative_log_likelihood(&(increment - mean / root), &factor.scaled(&root.reciprocal()))
    }
}

impl Objective for Likelihood {
    fn loss(&self, weights: &[Tensor], batch: &[Tensor]) -> Tensor {
        let columns = Columns::of(&batch[0], self.components, &self.networks);
        if let Some((steps, units)) = &self.moments {
            return self.of_moments(weights, &columns, (*steps, units));
        }
        let Columns { states, increment, root, condition, quiet } = columns;
        let (drift, factor) = self.networks.forward(weights, &states, condition.as_ref());
        let expected = drift * root;
        let Some(quiet) = quiet else { return negative_log_likelihood(&(increment - expected), &factor) };
        let square = |vectors: &Tensor| factor.solve(vectors).square().sum(None::<Kind>);
        negative_log_likelihood(&(&quiet - expected), &factor) + square(&increment) - square(&quiet)
    }

    fn gradient(&self, parameters: &Parameters, batch: &[Tensor]) -> Result<(Tensor, Tensor), LearningError> {
        match &self.perceptron {
            Some(perceptron) if batch[0].kind() == Kind::Float && batch[0].device() == Device::Cpu => {
                let rows = &batch[0];
                let columns = rows.size()[1] as usize;
                let (loss, gradient) = perceptron.gradient(&vector(parameters.flat()), &vector(rows), columns);
                Ok((Tensor::from(loss), Tensor::from_slice(&gradient)))
            }
            _ => autograd(self, parameters, batch),
        }
    }
}

/// The rows of this rank that [`fit`] trains on with this seed, and those that it holds out. Collective.
///
/// # Errors
/// When all ranks together have fewer than two pairs.
pub fn divided(
    pairs: &Pairs,
    train: &TrainInput,
    seed: u64,
    ranks: &dyn Ranks,
) -> Result<[Vec<usize>; 2], LearningError> {
    let (owned, _) = sample_range(pairs.dt.len(), ranks)?;
    let (rows, held) = split(pairs.trajectory.view(), train.validation_fraction, (seed, MODEL), ranks)?;
    Ok([own_rows(&rows, &owned), own_rows(&held, &owned)])
}

/// Moments are those of whole systems, of one equation.
fn check_moments(pairs: &Pairs, covariance_factor: f64, train: &TrainInput) -> Result<(), LearningError> {
    let reason = match (covariance_factor == 1.0, &pairs.condition) {
        (false, _) => format!("the pairs must be of whole systems, with lambda = 1; it is {covariance_factor}"),
        (true, Some(_)) => "a family of equations has no moments yet; train one equation at a time".into(),
        (true, None) => return Ok(()),
    };
    let value = train.moment_steps.to_string();
    if train.moment_steps == 0 { Ok(()) } else { Err(LearningError::Input { name: "moment_steps", value, reason }) }
}

/// The rows of the samples that a rank owns.
fn own_rows(samples: &[usize], owned: &Range<usize>) -> Vec<usize> {
    samples.iter().filter(|sample| owned.contains(sample)).map(|sample| sample - owned.start).collect()
}

/// Fits drift and diffusion to `pairs` in physical units. The noise variance of the pairs is `covariance_factor` times
/// that of the equation.
///
/// Every rank passes its own pairs. `observer` gets each epoch as it ends. Returns the model of the epoch with the
/// lowest validation loss, the same on every rank, and the records of all epochs. With a checkpoint in `run`, a stopped
/// training resumes. The file of a complete training is not deleted.
///
/// # Errors
/// When the input or the pairs are unusable, or the loss becomes NaN or infinite.
pub fn fit(
    pairs: &Pairs,
    covariance_factor: f64,
    model: &SdeInput,
    train: &TrainInput,
    run: &TrainingContext,
    observer: &mut dyn FnMut(&EpochRecord),
) -> Result<(Sde, Vec<EpochRecord>), LearningError> {
    train.check()?;
    pairs.check()?;
    if !(covariance_factor > 0.0 && covariance_factor.is_finite()) {
        let reason = "it must be above 0; in theory it is the number of patches".into();
        return Err(LearningError::Input { name: "covariance_factor", value: covariance_factor.to_string(), reason });
    }
    let (kind, device) = (train.precision.kind(), run.device);
    let (owned, _) = sample_range(pairs.dt.len(), run.ranks)?;
    let (rows, held) = split(pairs.trajectory.view(), train.validation_fraction, (run.seed, MODEL), run.ranks)?;
    let own = |samples: &[usize]| own_rows(samples, &owned);
    let known = pairs.rows(&own(&rows));
    check_moments(pairs, covariance_factor, train)?;
    let mut scales = Scales::over(run.ranks, &known, covariance_factor)?
        .with_condition(run.ranks, pairs.condition.as_ref())
        .with_strength(run.ranks, &known);
    scales.moment_steps = train.moment_steps;
    let offsets = [&known, &pairs.rows(&own(&held))].map(|part| scales.offset(run.ranks, part));
    let packed = scales.pack(pairs, run.ranks, kind, device)?;

    let size = scales.independent();
    let (networks, layout) = Networks::in_units(model, &scales)?;
    let networks = Arc::new(networks);
    let perceptron = PerceptronGradient::new(&networks, &layout).filter(|_| train.moment_steps == 0);
    let moments = (train.moment_steps > 0).then(|| (train.moment_steps, scales.of_moments()));
    let parameters = Parameters::draw(layout, run.seed, MODEL, kind, device);
    let objective = Likelihood { networks: networks.clone(), components: size as i64, perceptron, moments };
    let optimiser = AdamW::new(parameters.flat(), train.weight_decay, train.gradient_clip);
    let trained_rows = own(&rows);
    let all = [rows.as_slice(), &held].concat();
    let data = (&[packed.shallow_clone()][..], Rows { first: owned.start, owned: owned.clone() });
    let threads = if train.threads > 0 { train.threads } else { run.threads };
    let mut trainer = DataParallelStep::new(Arc::new(objective), parameters, optimiser, data, threads, run.ranks);

    let samples = Samples { model: MODEL, rows, held, offsets };
    let records = run_epochs(&mut trainer, &samples, train, run, observer)?;
    if train.moment_steps > 0 {
        // Least squares know one Euler step alone.
    } else if networks.drift.as_reversible().is_some() {
        // No descent comes closer than least squares, and a potential has too few weights to follow the noise.
        refit_last_layer(&networks, &mut trainer.parameters, (&packed, &own(&all)), run.ranks)?;
    } else if train.refit {
        let (found, held) = (trainer.parameters.snapshot(), &samples.held);
        let loss = |trainer: &mut DataParallelStep| if held.is_empty() { Ok(0.0) } else { trainer.evaluate(held) };
        let before = loss(&mut trainer)?;
        refit_last_layer(&networks, &mut trainer.parameters, (&packed, &trained_rows), run.ranks)?;
        let after = loss(&mut trainer)?;
        if after > before || after.is_nan() {
            trainer.parameters.restore(&found);
        }
    }
    Ok((Sde::new(model.clone(), scales, networks, trainer.parameters.share()), records))
}
