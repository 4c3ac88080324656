//! What is minimised: a loss over samples, and its gradient.

use crate::learning::{LearningError, train::parameters::Parameters};
use tch::Tensor;

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
