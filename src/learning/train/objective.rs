//! The objective of a training: a loss over samples, and its gradient.

use crate::learning::{LearningError, train::parameters::Parameters};
use tch::Tensor;

/// A loss that is a sum over samples. It holds no tensors, so all threads can share it.
pub trait Objective: Send + Sync {
    /// Differentiable sum of the loss over the samples. `batch` holds their rows of the data tensors.
    fn loss(&self, weights: &[Tensor], batch: &[Tensor]) -> Tensor;

    /// The loss (scalar) and its gradient, `[scalars]`. By default the gradient comes from autograd.
    ///
    /// # Errors
    /// When the tensor library refuses an operation.
    fn gradient(&self, parameters: &Parameters, batch: &[Tensor]) -> Result<(Tensor, Tensor), LearningError> {
        autograd(self, parameters, batch)
    }
}

/// Loss and gradient of an objective by autograd.
///
/// # Errors
/// When the tensor library refuses an operation.
pub fn autograd<O: Objective + ?Sized>(
    objective: &O,
    parameters: &Parameters,
    batch: &[Tensor],
) -> Result<(Tensor, Tensor), LearningError> {
    let loss = objective.loss(parameters.leaves(), batch);
    let gradient = parameters.gradient(&loss)?;
    Ok((loss.detach(), gradient))
}
