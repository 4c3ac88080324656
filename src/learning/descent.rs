//! Stochastic gradient descent of any objective, data-parallel over threads and ranks.
//!
//! The data lie in tensors on the device; a batch is a run of a permuted index vector. A rank takes its share of each batch and
//! cuts it over threads, each with its own autograd graph. The gradient of all shares is one flat vector, averaged over
//! ranks in one message. Every rank then takes the same optimiser step.

use super::{
    LearningError,
    optimiser::AdamW,
    parameters::Parameters,
    team::{Team, Work},
};
use crate::parallel::Ranks;
use std::{ops::Range, sync::Arc};
use tch::{Device, Kind, Tensor};

/// A loss that is a sum over samples. Holds no tensors, so that every thread can use it.
pub trait Objective: Send + Sync {
    /// Sum over the samples of the loss, differentiable. `batch` holds the rows of the data tensors.
    fn loss(&self, weights: &[Tensor], batch: &[Tensor]) -> Tensor;

    /// The loss (scalar) and its gradient, `[scalars]`. By autograd unless the objective knows better.
    ///
    /// # Errors
    /// When the tensor library refuses an operation.
    fn gradient(&self, parameters: &Parameters, batch: &[Tensor]) -> Result<(Tensor, Tensor), LearningError> {
        autograd(self, parameters, batch)
    }
}

/// Loss and gradient of an objective by autograd.
pub fn autograd<O: Objective + ?Sized>(
    objective: &O,
    parameters: &Parameters,
    batch: &[Tensor],
) -> Result<(Tensor, Tensor), LearningError> {
    let loss = objective.loss(parameters.leaves(), batch);
    let gradient = parameters.gradient(&loss)?;
    Ok((loss.detach(), gradient))
}

/// Fewest samples that are worth a thread of their own.
const SMALLEST_PART: usize = 128;
/// Batches between two looks at the losses on an accelerator, where every look waits for the device.
const LOOK_EVERY: usize = 64;

/// A model in training.
pub struct Descent<'a> {
    /// The weights.
    pub parameters: Parameters,
    /// The optimiser.
    pub optimiser: AdamW,
    ranks: &'a dyn Ranks,
    team: Team,
    device: Device,
}

impl<'a> Descent<'a> {
    /// Brings together objective, weights and data (tensors with one row per sample, on one device).
    /// `threads` = 0 takes all cores for a single rank and one thread per rank otherwise.
    pub fn new(
        objective: Arc<dyn Objective>,
        parameters: Parameters,
        optimiser: AdamW,
        data: &[Tensor],
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
        let team = Team::new(objective, &parameters, data, threads);
        Self { parameters, optimiser, ranks, team, device }
    }

    /// One pass over the samples `order` in batches of `batch` over all ranks together; returns the mean loss.
    ///
    /// # Errors
    /// [`LearningError::Diverged`] when a loss is NaN or infinite; the weights are then as that step found them on a
    /// processor, and up to 64 steps later on an accelerator.
    pub fn epoch(
        &mut self,
        order: &Tensor,
        batch: usize,
        learning_rate: f64,
        epoch: usize,
    ) -> Result<f64, LearningError> {
        let samples = order.size()[0] as usize;
        let mut total = 0.0;
        let mut pending = Vec::new();
        for (number, first) in (0..samples).step_by(batch).enumerate() {
            let rows = batch.min(samples - first);
            let share = self.ranks.share(rows);
            let (loss, gradient) = self.sum(order, first + share.start..first + share.end, Work::Gradient)?;
            let (loss, gradient) = self.over_ranks(loss, gradient, rows);
            pending.push((number, loss));
            if self.device == Device::Cpu || pending.len() == LOOK_EVERY || first + rows == samples {
                for (number, loss) in pending.drain(..) {
                    let loss = loss.double_value(&[]);
                    if !loss.is_finite() {
                        let (norm, largest) = self.parameters.norms();
                        return Err(LearningError::Diverged {
                            epoch,
                            batch: number,
                            loss,
                            norm,
                            largest,
                            learning_rate,
                        });
                    }
                    total += loss;
                }
            }
            self.optimiser.step(self.parameters.flat_mut(), &gradient, learning_rate);
        }
        Ok(total / samples as f64)
    }

    /// Mean loss over the samples `rows` with the present weights, the same number on every rank.
    ///
    /// # Errors
    /// When the tensor library refuses an operation.
    pub fn evaluate(&mut self, rows: &Tensor) -> Result<f64, LearningError> {
        const CHUNK: usize = 16_384;
        let samples = rows.size()[0] as usize;
        let share = self.ranks.share(samples);
        let mut total = [0.0];
        for first in share.clone().step_by(CHUNK) {
            let (loss, _) = self.sum(rows, first..share.end.min(first + CHUNK), Work::Loss)?;
            total[0] += loss.double_value(&[]);
        }
        self.ranks.sum(&mut total);
        Ok(broadcast(self.ranks, total[0]) / samples as f64)
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

    /// Sums of loss and gradient over the samples `order[span]`, cut over the threads.
    fn sum(&mut self, order: &Tensor, span: Range<usize>, work: Work) -> Result<(Tensor, Tensor), LearningError> {
        let count = span.len();
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

    /// The sums over all ranks; the gradient divided by the number of samples. One message per call.
    fn over_ranks(&self, loss: Tensor, gradient: Tensor, samples: usize) -> (Tensor, Tensor) {
        let share = 1.0 / samples as f64;
        if self.ranks.size() == 1 {
            let mut gradient = gradient;
            let _ = gradient.g_mul_scalar_(share);
            return (loss, gradient);
        }
        let loss = loss.reshape([1]).to_kind(gradient.kind());
        let both = Tensor::cat(&[gradient, loss], 0);
        let summed = if both.kind() == Kind::Float {
            let mut values: Vec<f32> = vector(&both);
            self.ranks.mean(&mut values);
            Tensor::from_slice(&values) * self.ranks.size() as f64
        } else {
            let mut values: Vec<f64> = vector(&both);
            self.ranks.sum(&mut values);
            Tensor::from_slice(&values)
        };
        let summed = summed.to_device(self.device);
        let scalars = summed.size()[0] - 1;
        (summed.get(scalars), summed.narrow(0, 0, scalars) * share)
    }
}

/// The value of rank 0.
pub fn broadcast(ranks: &dyn Ranks, value: f64) -> f64 {
    let mut bytes = value.to_le_bytes();
    ranks.broadcast(&mut bytes);
    f64::from_le_bytes(bytes)
}

/// A tensor's elements on the host.
pub fn vector<T: tch::kind::Element>(tensor: &Tensor) -> Vec<T> {
    let count = tensor.numel();
    let mut values = vec![T::ZERO; count];
    tensor.to_device(Device::Cpu).contiguous().copy_data(&mut values, count);
    values
}
