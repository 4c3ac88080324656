//! The choices of a training, and the record of an epoch.

use crate::learning::LearningError;
use serde::{Deserialize, Serialize};
use tch::Kind;

/// Floating-point type of weights and data.
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
    /// The type of the tensor library.
    pub fn kind(self) -> Kind {
        match self {
            Self::Float32 => Kind::Float,
            Self::Float64 => Kind::Double,
        }
    }
}

/// The choices of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainInput {
    /// Passes over the pairs.
    pub epochs: usize,
    /// Pairs per step, over all ranks together.
    pub batch: usize,
    /// First learning rate.
    pub learning_rate: f64,
    /// Factor on the learning rate after every epoch. Below 1 it replaces the plateau schedule. Use it when the drift
    /// is small against the noise: the loss then improves too slowly for a plateau to be detected.
    #[serde(skip_serializing_if = "is_one")]
    pub decay: f64,
    /// Whether to refit the last layer of the drift, of an OnsagerNet that of f, by least squares over all training pairs
    /// after the last epoch. The refit is discarded if it raises the validation loss.
    #[serde(skip_serializing_if = "is_false")]
    pub refit: bool,
    /// Steps in which mean and covariance of an increment are advanced over its time; 0 for one Euler step with the drift
    /// of its start. For pairs of whole systems (lambda = 1) without conditions; their compensators are not used, and
    /// nothing is refitted.
    #[serde(skip_serializing_if = "is_zero")]
    pub moment_steps: usize,
    /// Factor on the learning rate when the validation loss stops improving. Unused with `decay`.
    pub plateau_factor: f64,
    /// Epochs without improvement before the learning rate is lowered.
    pub plateau_patience: usize,
    /// Smallest learning rate.
    pub learning_rate_minimum: f64,
    /// Share of the trajectories held out for validation. With 0 the training loss selects the best epoch.
    pub validation_fraction: f64,
    /// Decay of the weights per unit of learning rate.
    pub weight_decay: f64,
    /// Largest norm of the gradient; absent for no limit.
    pub gradient_clip: Option<f64>,
    /// Floating-point type.
    pub precision: Precision,
    /// Threads per rank on a processor; 0 takes `--threads`.
    pub threads: usize,
    /// Longest time between two checkpoints, in seconds. Another one is written after every epoch.
    pub checkpoint_seconds: f64,
}

fn is_one(factor: &f64) -> bool {
    *factor == 1.0
}

fn is_false(choice: &bool) -> bool {
    !choice
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Default for TrainInput {
    fn default() -> Self {
        Self {
            epochs: 100,
            batch: 1024,
            learning_rate: 1e-3,
            decay: 1.0,
            refit: false,
            moment_steps: 0,
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
    /// Checks that every value is in range.
    ///
    /// # Errors
    /// [`LearningError::Input`] for the first value that is not.
    pub fn check(&self) -> Result<(), LearningError> {
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let not_negative = |value: f64| value >= 0.0 && value.is_finite();
        let share = |value: f64| value > 0.0 && value <= 1.0;
        let clip = self.gradient_clip.unwrap_or(f64::INFINITY);
        let checks = [
            ("batch", self.batch as f64, self.batch > 0, "it must be at least 1"),
            ("epochs", self.epochs as f64, self.epochs > 0, "it must be at least 1"),
            ("learning_rate", self.learning_rate, positive(self.learning_rate), "it must be above 0"),
            (
                "learning_rate_minimum",
                self.learning_rate_minimum,
                not_negative(self.learning_rate_minimum),
                "it must be at least 0",
            ),
            (
                "validation_fraction",
                self.validation_fraction,
                (0.0..1.0).contains(&self.validation_fraction),
                "it must be at least 0 and below 1",
            ),
            ("plateau_factor", self.plateau_factor, share(self.plateau_factor), "it must be above 0 and at most 1"),
            ("weight_decay", self.weight_decay, not_negative(self.weight_decay), "it must be at least 0"),
            ("decay", self.decay, share(self.decay), "it must be above 0 and at most 1"),
            ("checkpoint_seconds", self.checkpoint_seconds, self.checkpoint_seconds >= 0.0, "it must be at least 0"),
            ("gradient_clip", clip, clip > 0.0, "it must be above 0; leave it out for no limit"),
        ];
        match checks.into_iter().find(|(_, _, valid, _)| !valid) {
            Some((name, value, _, reason)) => {
                Err(LearningError::Input { name, value: value.to_string(), reason: reason.into() })
            }
            None => Ok(()),
        }
    }
}

/// The record of one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Index of the epoch.
    pub epoch: usize,
    /// Mean loss over the training samples, each before its own step.
    pub train_loss: f64,
    /// Mean loss over the validation samples after the epoch; the training loss if nothing is held out.
    pub validation_loss: f64,
    /// Learning rate of the epoch.
    pub learning_rate: f64,
    /// Wall-clock seconds of the epoch, validation included.
    pub seconds: f64,
}
