//! The progress of a training.

use crate::learning::{
    EpochRecord,
    train::{input::TrainInput, optimiser::Plateau, parameters::Parameters},
};
use tch::Tensor;

/// The position of a training between two steps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TrainingPosition {
    /// Epoch, from 0.
    pub epoch: usize,
    /// Next batch of the epoch, from 0.
    pub batch: usize,
    /// Sum of the losses of the epoch's samples so far.
    pub total: f64,
}

/// The state of a training, apart from weights and optimiser.
pub(crate) struct TrainingState {
    /// Position of the next step.
    pub position: TrainingPosition,
    /// Learning-rate schedule.
    pub plateau: Plateau,
    /// Lowest validation loss so far.
    pub best_loss: f64,
    /// The weights that gave it.
    pub best: Tensor,
    /// The records of all complete epochs.
    pub records: Vec<EpochRecord>,
}

impl TrainingState {
    /// The state before the first epoch.
    pub fn start(train: &TrainInput, parameters: &Parameters) -> Self {
        let TrainInput { learning_rate, plateau_factor, plateau_patience, learning_rate_minimum, .. } = *train;
        Self {
            position: TrainingPosition::default(),
            plateau: Plateau::new(learning_rate, plateau_factor, plateau_patience, learning_rate_minimum),
            best_loss: f64::INFINITY,
            best: parameters.snapshot(),
            records: Vec::with_capacity(train.epochs),
        }
    }
}
