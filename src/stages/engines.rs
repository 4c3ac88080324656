//! What the engines of the stages share: their device, and their errors as errors of a stage.

use crate::{
    dynamics::EvolveError,
    evaluation::EvaluationError,
    learning::{self, LearningError},
    parallel::{DecompositionError, Ranks},
    report::ReportError,
    workflow::{Context, StageError},
};

/// The device of this rank.
///
/// # Errors
/// When an accelerator was asked for and there is none.
pub fn device(context: &Context) -> Result<tch::Device, StageError> {
    Ok(learning::device(context.options.device.parse()?, context.world.node_rank())?)
}

impl From<LearningError> for StageError {
    fn from(error: LearningError) -> Self {
        match error {
            LearningError::Stopped { .. } => Self::Stopped,
            error => Self::Engine(error.into()),
        }
    }
}

macro_rules! errors_of_engines {
    ($($error:ty),*) => { $(impl From<$error> for StageError {
        fn from(error: $error) -> Self {
            Self::Engine(error.into())
        }
    })* };
}

errors_of_engines!(DecompositionError, EvaluationError, EvolveError, ReportError);
