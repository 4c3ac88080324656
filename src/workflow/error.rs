//! Why a stage failed.

use crate::{
    dataset::DatasetError, dynamics::EvolveError, evaluation::EvaluationError, learning::LearningError,
    parallel::DecompositionError,
};
use std::path::PathBuf;

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
