//! The choices of `tessera fit`, which learns from a user's own data.

use super::EvaluateInput;
use crate::learning::{SdeInput, TrainInput};
use serde::{Deserialize, Serialize};

/// The choices; all have defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FitInput {
    /// Seed of the predictions and of the bootstrap.
    pub seed: u64,
    /// One model is trained for each seed.
    pub seeds: Vec<u64>,
    /// Share of the trajectories that is kept for the test when no test file is given; 0 for none.
    pub test_share: f64,
    /// Networks for drift and diffusion.
    pub model: SdeInput,
    /// Optimisation.
    pub fit: TrainInput,
    /// Ensembles of the learned models.
    pub predict: FitPredictInput,
    /// Scores.
    pub evaluate: EvaluateInput,
}

/// Ensembles of models that were learned from a user's own data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FitPredictInput {
    /// Time step; the mean dt of the pairs when absent. It is shortened to a whole part of the time between records.
    pub step: Option<f64>,
    /// Predicted trajectories for each test trajectory, from the same state.
    pub replicas: usize,
}

impl Default for FitInput {
    fn default() -> Self {
        Self {
            seed: 1,
            seeds: vec![1],
            test_share: 0.2,
            model: SdeInput::default(),
            fit: TrainInput::default(),
            predict: FitPredictInput::default(),
            evaluate: EvaluateInput::default(),
        }
    }
}

impl Default for FitPredictInput {
    fn default() -> Self {
        Self { step: None, replicas: 1 }
    }
}

impl FitInput {
    /// Checks the numbers.
    ///
    /// # Errors
    /// A message with the key, its value and the allowed values.
    pub fn check(&self) -> Result<(), String> {
        let Self { seeds, test_share, predict, evaluate, .. } = self;
        if seeds.is_empty() {
            return Err("seeds is empty; give at least one".into());
        }
        if !(0.0..1.0).contains(test_share) {
            return Err(format!("test_share is {test_share}; it must be at least 0 and below 1"));
        }
        if predict.replicas == 0 {
            return Err("predict.replicas is 0; it must be at least 1".into());
        }
        if let Some(step) = predict.step.filter(|step| !(*step > 0.0 && step.is_finite())) {
            return Err(format!("predict.step is {step}; it must be above 0"));
        }
        if !(evaluate.equilibrium > 0.0 && evaluate.equilibrium <= 1.0) || evaluate.resamples == 0 {
            return Err("evaluate.equilibrium must be above 0 and at most 1, evaluate.resamples at least 1".into());
        }
        Ok(())
    }
}
