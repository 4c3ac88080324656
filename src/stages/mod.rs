//! The stages of a run, and the only place where modules meet.
//!
//! Every stage reads files of earlier stages and adds its own to the run directory. A stage is skipped when its files
//! are there and its fingerprint, a hash of everything that determines them, is unchanged.

pub mod barriers;

mod checkpoint;
mod checksum;
mod closure;
mod conditions;
mod context;
mod diagnosis;
mod equilibrium;
mod evaluate;
mod evolve;
mod finite_size;
mod latent;
mod ledger;
mod lock;
mod plan;
mod predict;
mod progress;
mod records;
mod report;
mod run;
mod scaling;
mod scores;
mod sharing;
mod simulate;
mod stop;
mod sweep;
mod train;
mod truth;
mod unfinished;
mod upsample;

pub use context::{Context, Options};
pub use plan::plan;
pub use run::run;
pub use scaling::report as report_scaling;

use crate::{
    config::Input, dataset::DatasetError, dynamics::EvolveError, evaluation::EvaluationError, learning::LearningError,
    parallel::DecompositionError,
};
use serde_json::{Value, json};
use std::path::PathBuf;

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
        let models = |kind: &str| input.train.seeds.iter().map(|seed| train::model_file(kind, *seed)).collect();
        match self {
            Self::Simulate => vec!["small.h5".into()],
            Self::Upsample => vec!["large.h5".into()],
            Self::Evolve => vec!["pairs.h5".into()],
            Self::Closure => vec!["closure.safetensors".into(), "latent.h5".into()],
            Self::Train => {
                let mut files: Vec<String> = models("ours");
                if input.train.baseline {
                    files.extend(models("baseline"));
                }
                files.push("training.json".into());
                files
            }
            Self::Truth => vec!["truth.h5".into()],
            Self::Predict => vec!["prediction.h5".into()],
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
            Self::Evaluate => &[Self::Evolve, Self::Closure, Self::Train, Self::Truth, Self::Predict],
            Self::Report => &[Self::Simulate, Self::Evolve, Self::Closure, Self::Train, Self::Evaluate],
        }
    }

    /// The parts of the input that the stage itself reads.
    fn choices(self, input: &Input) -> Value {
        let system = json!([input.seed, input.system]);
        match self {
            Self::Simulate => {
                let data = json!([input.seed, input.system.members(&input.seen())]);
                json!([data, input.small_shape().0, input.simulate])
            }
            Self::Upsample => json!([input.lattice, input.upsample]),
            Self::Evolve => json!(input.evolve),
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
                json!([system, truth])
            }
            Self::Predict => json!([system, input.truth, input.predict]),
            Self::Evaluate => json!(input.evaluate),
            Self::Report => json!([]),
        }
    }
}

/// Why a stage failed.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A data file.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The kernel.
    #[error(transparent)]
    Evolve(#[from] EvolveError),
    /// Training or prediction.
    #[error(transparent)]
    Learning(#[from] LearningError),
    /// Metrics.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// The page.
    #[error(transparent)]
    Report(#[from] crate::report::ReportError),
    /// A folder or a small file.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// The system's own words.
        source: std::io::Error,
    },
    /// A clean stop was asked for.
    #[error("stopped on request; what was finished is kept, and the same command goes on from there")]
    Stopped,
    /// A lattice and the ranks that are to share it.
    #[error(transparent)]
    Decomposition(#[from] DecompositionError),
    /// A file is not as it was written.
    #[error(
        "{} is not as the stage {maker} wrote it: its checksum differs. Remove the file and run again, and that stage \
         will make it anew", .path.display()
    )]
    Altered {
        /// The file.
        path: PathBuf,
        /// The stage that made it.
        maker: &'static str,
    },
    /// Another run makes the same stage.
    #[error(
        "another run is making the stage {stage} in {folder}: wait until it ends, or give this one a directory of its own (--out)"
    )]
    Busy {
        /// The stage.
        stage: &'static str,
        /// The run directory.
        folder: String,
    },
    /// A stage was asked for whose inputs are not there.
    #[error(
        "the stage {stage} needs {file}, which {folder} does not have; run the stage {maker} first, or `tessera run`"
    )]
    Missing {
        /// The stage asked for.
        stage: &'static str,
        /// What is missing.
        file: String,
        /// The run directory.
        folder: String,
        /// The stage that makes it.
        maker: &'static str,
    },
}
