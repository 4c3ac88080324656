//! The models that an input asks for.

use crate::config::Input;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a model takes the increments of its pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Partial evolution: the increment of the evolved patch, with the input's lambda (arXiv 2511.12842, Eq. 10).
    Ours,
    /// The paper's baseline: the evolved patch's own state is the next state of the lattice, lambda = 1.
    Baseline,
}

impl ModelKind {
    /// Its name in files, inputs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Baseline => "baseline",
        }
    }

    /// The file of the model trained with this seed.
    pub fn file(self, seed: u64) -> String {
        format!("{self}_{seed}.safetensors")
    }

    /// lambda: the variance of the pairs' noise over that of the equation.
    pub fn covariance_factor(self, input: &Input) -> f64 {
        match self {
            Self::Ours => input.covariance_factor(),
            Self::Baseline => 1.0,
        }
    }
}

impl fmt::Display for ModelKind {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Input {
    /// The kinds of model that this input asks for.
    pub fn model_kinds(&self) -> Vec<ModelKind> {
        if self.train.baseline { vec![ModelKind::Ours, ModelKind::Baseline] } else { vec![ModelKind::Ours] }
    }
}
