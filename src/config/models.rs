//! The models that an input asks for.

use crate::{config::Input, scores::ModelKind};

impl ModelKind {
    /// The file of the model trained with this seed.
    pub fn file(self, seed: u64) -> String {
        format!("{}_{seed}.safetensors", self.name())
    }

    /// The file of the draws of our model trained with this seed.
    pub fn draws_file(self, seed: u64) -> String {
        format!("{}_{seed}_draws.safetensors", self.name())
    }

    /// lambda: the variance of the pairs' noise over that of the equation.
    pub fn covariance_factor(self, input: &Input) -> f64 {
        match self {
            Self::Ours => input.covariance_factor(),
            Self::Baseline => 1.0,
        }
    }
}

impl Input {
    /// The files of the draws of all models: one for each of ours, if there are to be draws.
    pub fn draws_files(&self) -> Vec<String> {
        let seeds = self.train.seeds.iter().filter(|_| self.train.draws > 0);
        seeds.map(|&seed| ModelKind::Ours.draws_file(seed)).collect()
    }

    /// The kinds of model that this input asks for.
    pub fn model_kinds(&self) -> Vec<ModelKind> {
        if self.train.baseline { vec![ModelKind::Ours, ModelKind::Baseline] } else { vec![ModelKind::Ours] }
    }
}
