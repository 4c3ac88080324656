//! Where a training stands.

use crate::learning::{
    EpochRecord,
    train::{input::TrainInput, optimiser::Plateau, parameters::Parameters},
};
use tch::Tensor;

/// Where a training stands between two steps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TrainingPosition {
    /// Epoch, from 0.
    pub epoch: usize,
    /// Next batch of the epoch, from 0.
    pub batch: usize,
    /// Sum of the losses of the epoch's samples so far.
    pub total: f64,
}

/// What a training has reached, beside weights and optimiser.
pub(crate) struct TrainingState {
    /// Where it stands.
    pub place: TrainingPosition,
    /// Learning rate.
    pub plateau: Plateau,
    /// Lowest validation loss so far.
    pub best_loss: f64,
    /// The weights that gave it.
    pub best: Tensor,
    /// All complete epochs.
    pub records: Vec<EpochRecord>,
}

impl TrainingState {
    /// The state before the first epoch.
    pub fn start(train: &TrainInput, parameters: &Parameters) -> Self {
        let TrainInput { learning_rate, plateau_factor, plateau_patience, learning_rate_minimum, .. } = *train;
        Self {
            place: TrainingPosition::default(),
            plateau: Plateau::new(learning_rate, plateau_factor, plateau_patience, learning_rate_minimum),
            best_loss: f64::INFINITY,
            best: parameters.snapshot(),
            records: Vec::with_capacity(train.epochs),
        }
    }
}
