//! Stochastic gradient descent of any objective, data-parallel over threads and ranks.
//!
//! The data lie in tensors on the device; a batch is a run of a permuted list of samples, the same on every rank. A rank
//! works on those samples of a batch that it owns and cuts them over threads, each with its own autograd graph. The
//! gradients of all samples are summed over ranks in one message and divided by the size of the batch, so the number of
//! ranks changes a step by rounding only. Every rank then takes the same optimiser step.

use crate::{
    learning::{
        LearningError,
        tensor::vector,
        train::{
            batch_threads::{BatchThreads, Work},
            objective::Objective,
            optimiser::AdamW,
            parameters::Parameters,
            state::TrainingPosition,
        },
    },
    parallel::{Ranks, total_over},
};
use std::{ops::Range, sync::Arc};
use tch::{Device, Kind, Tensor};

/// Fewest samples that are worth a thread of their own.
const SMALLEST_PART: usize = 128;
/// Batches between two looks at the losses on an accelerator, where every look waits for the device.
const LOOK_EVERY: usize = 64;

/// Which samples the rows of a rank's data tensors are.
#[derive(Clone, Debug)]
pub struct Rows {
    /// Sample of the first row.
    pub first: usize,
    /// Samples that this rank works on; every sample belongs to one rank.
    pub owned: Range<usize>,
}

/// A model in training.
pub struct DataParallelStep<'a> {
    /// The weights.
    pub parameters: Parameters,
    /// The optimiser.
    pub optimiser: AdamW,
    /// Asked on rank 0 at every look at the losses: whether to stop.
    pub stop: Option<&'a dyn Fn() -> bool>,
    ranks: &'a dyn Ranks,
    team: BatchThreads,
    rows: Rows,
    device: Device,
    /// Batches between two looks at the losses.
    pub look_every: usize,
}

impl<'a> DataParallelStep<'a> {
    /// Brings together objective, weights and data (tensors with one row per sample, on one device; `rows` tells which).
    /// `threads` = 0 takes all cores for a single rank and one thread per rank otherwise.
    pub fn new(
        objective: Arc<dyn Objective>,
        parameters: Parameters,
        optimiser: AdamW,
        (data, rows): (&[Tensor], Rows),
        threads: usize,
        ranks: &'a dyn Ranks,
    ) -> Self {
        let device = parameters.flat().device();
        let threads = match (device, threads, ranks.size()) {
            (Device::Cpu, 0, 1) => std::thread::available_parallelism().map_or(1, |count| count.get().min(8)),
            (Device::Cpu, 0, _) => 1,
            (Device::Cpu, wanted, _) => wanted,
            _ => 1,
        };
        let team = BatchThreads::new(objective, &parameters, data, threads);
        let look_every = if device == Device::Cpu { 1 } else { LOOK_EVERY };
        Self { parameters, optimiser, stop: None, ranks, team, rows, device, look_every }
    }

    /// The rest, from `place` on, of one pass over the samples `order` in batches of `batch` over all ranks together; returns
    /// the mean loss. `seen` gets the place before a step when the loss of the present weights is known to be finite, and whether
    /// this is where to stop.
    ///
    /// # Errors
    /// [`LearningError::Diverged`] when a loss is NaN or infinite; the weights are then as that step found them on a
    /// processor, and up to 64 steps later on an accelerator.
    pub fn epoch(
        &mut self,
        order: &[usize],
        batch: usize,
        learning_rate: f64,
        mut place: TrainingPosition,
        seen: &mut dyn FnMut(&Self, TrainingPosition, bool) -> Result<(), LearningError>,
    ) -> Result<f64, LearningError> {
        let (mine, bounds) = self.mine(order, batch);
        let mut pending = Vec::new();
        for number in place.batch..bounds.len() - 1 {
            let samples = batch.min(order.len() - number * batch);
            let (loss, gradient) = self.sum(&mine, bounds[number]..bounds[number + 1], Work::Gradient)?;
            let due = pending.len() + 1 == self.look_every || number + 2 == bounds.len();
            let (loss, gradient, stop) = self.over_ranks(loss, gradient, samples, due);
            pending.push((number, loss));
            let look = due || stop;
            if look {
                for (step, loss) in pending.drain(..) {
                    let loss = loss.double_value(&[]);
                    if !loss.is_finite() {
                        return Err(self.diverged(place.epoch, step, loss, learning_rate));
                    }
                    if step == number {
                        place.batch = number;
                        seen(self, place, stop)?;
                    }
                    place.total += loss;
                }
            }
            self.optimiser.step(self.parameters.flat_mut(), &gradient, learning_rate);
        }
        Ok(place.total / order.len() as f64)
    }

    /// Mean loss over `samples` with the present weights, the same number on every rank.
    ///
    /// # Errors
    /// When the tensor library refuses an operation.
    pub fn evaluate(&mut self, samples: &[usize]) -> Result<f64, LearningError> {
        const CHUNK: usize = 16_384;
        let (mine, bounds) = self.mine(samples, samples.len().max(1));
        let mut sum = Tensor::zeros([], (Kind::Double, self.device));
        for first in (0..bounds[bounds.len() - 1]).step_by(CHUNK) {
            let (loss, _) = self.sum(&mine, first..bounds[bounds.len() - 1].min(first + CHUNK), Work::Loss)?;
            sum += loss.to_kind(Kind::Double);
        }
        let mut total = [sum.double_value(&[])];
        total_over(self.ranks, &mut total);
        Ok(total[0] / samples.len() as f64)
    }

    /// The error for a `loss` that is no number.
    pub fn diverged(&self, epoch: usize, batch: usize, loss: f64, learning_rate: f64) -> LearningError {
        let (norm, largest) = self.parameters.norms();
        LearningError::Diverged { epoch, batch, loss, norm, largest, learning_rate, kept: String::new() }
    }

    /// Rows of the data tensors for the samples of `order` that this rank owns, and where each batch begins and the last
    /// one ends among them.
    fn mine(&self, order: &[usize], batch: usize) -> (Tensor, Vec<usize>) {
        let Rows { first, owned } = &self.rows;
        let mut rows = Vec::with_capacity(owned.len().min(order.len()));
        let mut bounds = vec![0];
        for samples in order.chunks(batch) {
            rows.extend(samples.iter().filter(|sample| owned.contains(sample)).map(|sample| (sample - first) as i64));
            bounds.push(rows.len());
        }
        (Tensor::from_slice(&rows).to_device(self.device), bounds)
    }

    /// Makes the weights of rank 0 those of all ranks.
    pub fn agree(&mut self) {
        if self.ranks.size() == 1 {
            return;
        }
        let values: Vec<f64> = vector(&self.parameters.flat().to_kind(Kind::Double));
        let mut bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.ranks.broadcast(&mut bytes);
        let flat = Tensor::from_data_size(&bytes, &[values.len() as i64], Kind::Double);
        self.parameters.restore(&flat);
    }

    /// Sums of loss and gradient over the rows `order[span]`, cut over the threads.
    fn sum(&mut self, order: &Tensor, span: Range<usize>, work: Work) -> Result<(Tensor, Tensor), LearningError> {
        let count = span.len();
        if count == 0 {
            let flat = self.parameters.flat();
            return Ok((Tensor::zeros([], (flat.kind(), self.device)), flat.zeros_like()));
        }
        let parts = (count / SMALLEST_PART).clamp(1, self.team.size());
        let bound = |part: usize| span.start + part * count / parts;
        let pieces = (0..parts)
            .map(|part| order.narrow(0, bound(part) as i64, (bound(part + 1) - bound(part)) as i64))
            .collect();
        let mut sums = self.team.work(pieces, work)?.into_iter();
        let (mut loss, mut gradient) = sums.next().ok_or(LearningError::Thread)?;
        for (other_loss, other_gradient) in sums {
            loss += other_loss;
            if work == Work::Gradient {
                gradient += other_gradient;
            }
        }
        Ok((loss, gradient))
    }

    /// The sums over all ranks, the gradient divided by the number of samples, and whether rank 0, asked if `ask`, wants to
    /// stop. One message per call: that wish travels with the gradient.
    fn over_ranks(&self, loss: Tensor, mut gradient: Tensor, samples: usize, ask: bool) -> (Tensor, Tensor, bool) {
        let share = 1.0 / samples as f64;
        let stop = ask && self.ranks.rank() == 0 && self.stop.is_some_and(|stop| stop());
        if self.ranks.size() == 1 {
            let _ = gradient.g_mul_scalar_(share);
            return (loss, gradient, stop);
        }
        let loss = loss.reshape([1]).to_kind(gradient.kind());
        let wish = Tensor::full_like(&loss, f64::from(u8::from(stop)));
        let all = Tensor::cat(&[gradient, loss, wish], 0);
        let (summed, stop) = if all.kind() == Kind::Float {
            let mut values: Vec<f32> = vector(&all);
            self.ranks.mean(&mut values);
            (Tensor::from_slice(&values) * self.ranks.size() as f64, values[values.len() - 1] > 0.0)
        } else {
            let mut values: Vec<f64> = vector(&all);
            self.ranks.sum(&mut values);
            (Tensor::from_slice(&values), values[values.len() - 1] > 0.0)
        };
        let summed = summed.to_device(self.device);
        let scalars = summed.size()[0] - 2;
        (summed.get(scalars), summed.narrow(0, 0, scalars) * share, stop)
    }
}
