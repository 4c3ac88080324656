//! Stochastic gradient descent for any objective, data-parallel over threads and ranks.
//!
//! A batch is a contiguous part of a permuted list of samples, the same list on every rank. Each rank computes the
//! samples of the batch that it owns, divided over its threads. The gradients are summed over the ranks in one message
//! and divided by the size of the batch, so the number of ranks changes a step only by rounding. Every rank then takes
//! the same optimiser step.

use crate::{
    learning::{
        LearningError,
        tensor::vector,
        train::{
            batch_threads::{BatchThreads, Quantity},
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

/// Smallest number of samples for which another thread pays off.
const SMALLEST_PART: usize = 128;
/// Batches between two looks at the losses on an accelerator. Every look waits for the device.
const LOOK_EVERY: usize = 64;

/// The samples that the rows of a rank's data tensors hold.
#[derive(Clone, Debug)]
pub struct Rows {
    /// Sample of the first row.
    pub first: usize,
    /// Samples of this rank. Every sample belongs to one rank.
    pub owned: Range<usize>,
}

/// A model in training.
pub struct DataParallelStep<'a> {
    /// The weights.
    pub parameters: Parameters,
    /// The optimiser.
    pub optimiser: AdamW,
    /// Whether to stop. Rank 0 asks at every look at the losses.
    pub stop: Option<&'a dyn Fn() -> bool>,
    ranks: &'a dyn Ranks,
    threads: BatchThreads,
    rows: Rows,
    device: Device,
    /// Batches between two looks at the losses.
    pub look_every: usize,
}

impl<'a> DataParallelStep<'a> {
    /// The data are tensors with one row per sample, on the device of the weights; `rows` says which samples they hold.
    /// With `threads` = 0 a single rank takes all cores and each of several ranks takes one thread.
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
        let threads = BatchThreads::new(objective, &parameters, data, threads);
        let look_every = if device == Device::Cpu { 1 } else { LOOK_EVERY };
        Self { parameters, optimiser, stop: None, ranks, threads, rows, device, look_every }
    }

    /// Completes, from `position` on, one pass over the samples `order` in batches of `batch` samples of all ranks.
    /// Returns the mean loss. `before_step` is called before a step if the loss of the present weights is known to be
    /// finite. It gets the position, and whether to stop there.
    ///
    /// # Errors
    /// [`LearningError::Diverged`] when a loss is NaN or infinite. The weights are then those before that step on a
    /// processor, and those of up to 64 steps later on an accelerator.
    pub fn epoch(
        &mut self,
        order: &[usize],
        batch: usize,
        learning_rate: f64,
        mut position: TrainingPosition,
        before_step: &mut dyn FnMut(&Self, TrainingPosition, bool) -> Result<(), LearningError>,
    ) -> Result<f64, LearningError> {
        let (mine, bounds) = self.mine(order, batch);
        let mut pending = Vec::new();
        for index in position.batch..bounds.len() - 1 {
            let samples = batch.min(order.len() - index * batch);
            let (loss, gradient) = self.sum(&mine, bounds[index]..bounds[index + 1], Quantity::Gradient)?;
            let due = pending.len() + 1 == self.look_every || index + 2 == bounds.len();
            let (loss, gradient, stop) = self.over_ranks(loss, gradient, samples, due);
            pending.push((index, loss));
            let look = due || stop;
            if look {
                for (earlier, loss) in pending.drain(..) {
                    let loss = loss.double_value(&[]);
                    if !loss.is_finite() {
                        return Err(self.diverged(position.epoch, earlier, loss, learning_rate));
                    }
                    if earlier == index {
                        position.batch = index;
                        before_step(self, position, stop)?;
                    }
                    position.total += loss;
                }
            }
            self.optimiser.step(self.parameters.flat_mut(), &gradient, learning_rate);
        }
        Ok(position.total / order.len() as f64)
    }

    /// Mean loss over `samples` with the present weights, the same value on every rank.
    ///
    /// # Errors
    /// When the tensor library refuses an operation.
    pub fn evaluate(&mut self, samples: &[usize]) -> Result<f64, LearningError> {
        const CHUNK: usize = 16_384;
        let (mine, bounds) = self.mine(samples, samples.len().max(1));
        let mut sum = Tensor::zeros([], (Kind::Double, self.device));
        for first in (0..bounds[bounds.len() - 1]).step_by(CHUNK) {
            let (loss, _) = self.sum(&mine, first..bounds[bounds.len() - 1].min(first + CHUNK), Quantity::Loss)?;
            sum += loss.to_kind(Kind::Double);
        }
        let mut total = [sum.double_value(&[])];
        total_over(self.ranks, &mut total);
        Ok(total[0] / samples.len() as f64)
    }

    /// The error for a `loss` that is NaN or infinite.
    pub fn diverged(&self, epoch: usize, batch: usize, loss: f64, learning_rate: f64) -> LearningError {
        let (norm, largest) = self.parameters.norms();
        LearningError::Diverged { epoch, batch, loss, norm, largest, learning_rate, kept: String::new() }
    }

    /// Rows of the data tensors for the samples of `order` that this rank owns, and the bounds of the batches in this
    /// list.
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

    /// Copies the weights of rank 0 to all ranks.
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

    /// Sums of loss and gradient over the rows `order[span]`, divided over the threads.
    fn sum(
        &mut self,
        order: &Tensor,
        span: Range<usize>,
        quantity: Quantity,
    ) -> Result<(Tensor, Tensor), LearningError> {
        let count = span.len();
        if count == 0 {
            let flat = self.parameters.flat();
            return Ok((Tensor::zeros([], (flat.kind(), self.device)), flat.zeros_like()));
        }
        let parts = (count / SMALLEST_PART).clamp(1, self.threads.size());
        let bound = |part: usize| span.start + part * count / parts;
        let pieces = (0..parts)
            .map(|part| order.narrow(0, bound(part) as i64, (bound(part + 1) - bound(part)) as i64))
            .collect();
        let mut sums = self.threads.run(pieces, quantity)?.into_iter();
        let (mut loss, mut gradient) = sums.next().ok_or(LearningError::Thread)?;
        for (other_loss, other_gradient) in sums {
            loss += other_loss;
            if quantity == Quantity::Gradient {
                gradient += other_gradient;
            }
        }
        Ok((loss, gradient))
    }

    /// The loss summed over all ranks, the mean gradient of the `samples`, and whether to stop. Rank 0 decides on the
    /// latter if `ask` is set. One message carries all three.
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
