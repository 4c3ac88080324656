//! The stages: their order, their files, and the parts of the input and earlier stages that each one reads.

use crate::config::Input;
use serde_json::{Value, json};

/// The stages in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Small-system trajectories: D_s.
    Simulate,
    /// Large snapshots by Upsample and LocalRelax: D.
    Upsample,
    /// Partial evolution of patches of each snapshot.
    Evolve,
    /// Closure autoencoder, and the latent pairs it gives.
    Closure,
    /// Drift and diffusion.
    Train,
    /// Direct simulation of the large system.
    Truth,
    /// Euler-Maruyama ensembles of the learned model.
    Predict,
    /// Metrics.
    Evaluate,
    /// The page.
    Report,
}

impl Stage {
    /// All stages in the order in which they run.
    pub const ALL: [Self; 9] = [
        Self::Simulate,
        Self::Upsample,
        Self::Evolve,
        Self::Closure,
        Self::Train,
        Self::Truth,
        Self::Predict,
        Self::Evaluate,
        Self::Report,
    ];

    /// Name on the command line, in logs and in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Simulate => "simulate",
            Self::Upsample => "upsample",
            Self::Evolve => "evolve",
            Self::Closure => "closure",
            Self::Train => "train",
            Self::Truth => "truth",
            Self::Predict => "predict",
            Self::Evaluate => "evaluate",
            Self::Report => "report",
        }
    }

    /// The files that the stage adds to the run directory.
    pub fn files(self, input: &Input) -> Vec<String> {
        match self {
            Self::Simulate => vec!["small.h5".into()],
            Self::Upsample => vec!["large.h5".into()],
            Self::Evolve => vec!["pairs.h5".into()],
            Self::Closure => vec!["closure.safetensors".into(), "latent.h5".into()],
            Self::Train => {
                let kinds = input.model_kinds().into_iter();
                let models = kinds.flat_map(|kind| input.train.seeds.iter().map(move |&seed| kind.file(seed)));
                models.chain(input.draws_files()).chain(["training.json".into()]).collect()
            }
            Self::Truth => vec!["truth.h5".into()],
            Self::Predict => input.predicted_sides().map(Input::prediction_file).collect(),
            Self::Evaluate => vec!["metrics.json".into(), "evaluation.h5".into()],
            Self::Report => vec!["report.html".into()],
        }
    }

    /// The stages whose files this one reads.
    pub fn needs(self) -> &'static [Self] {
        match self {
            Self::Simulate | Self::Truth => &[],
            Self::Upsample => &[Self::Simulate],
            Self::Evolve => &[Self::Upsample],
            Self::Closure => &[Self::Upsample, Self::Evolve],
            Self::Train => &[Self::Evolve, Self::Closure],
            Self::Predict => &[Self::Closure, Self::Train],
            Self::Evaluate => &[Self::Upsample, Self::Evolve, Self::Closure, Self::Train, Self::Truth, Self::Predict],
            Self::Report => &[Self::Simulate, Self::Evolve, Self::Closure, Self::Train, Self::Evaluate],
        }
    }

    /// The parts of the input that the stage itself reads.
    pub fn choices(self, input: &Input) -> Value {
        let system = json!([input.seed, input.system]);
        match self {
            Self::Simulate => {
                let data = json!([input.seed, input.system.at_conditions(&input.conditions_in_data())]);
                json!([data, input.kernel, input.small_shape().0, input.simulate, input.rescaling()])
            }
            Self::Upsample => json!([input.lattice, input.upsample]),
            Self::Evolve if input.uses_library() => json!([input.evolve, "library"]),
            Self::Evolve => json!([input.evolve, input.closes()]),
            Self::Closure => json!(input.closure),
            Self::Train => {
                let mut train = json!(input.train);
                // How often checkpoints are written changes no result.
                train["fit"].as_object_mut().map(|fit| fit.remove("checkpoint_seconds"));
                json!([input.covariance_factor(), train])
            }
            Self::Truth => {
                let mut truth = json!(input.truth);
                truth["side"] = json!(input.truth_shape().0);
                json!([system, input.kernel, truth])
            }
            Self::Predict => json!([system, input.truth, input.predict]),
            Self::Evaluate => json!(input.evaluate),
            Self::Report => json!([]),
        }
    }
}
