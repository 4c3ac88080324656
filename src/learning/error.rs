//! What can go wrong while learning, in sentences that say what to do.

use std::path::PathBuf;

/// Every failure of this module.
#[derive(Debug, thiserror::Error)]
pub enum LearningError {
    /// The accelerator that the input asks for cannot be used.
    #[error(
        "The input asks for device \"cuda\", but {reason}. Use device = \"cpu\" or \"auto\" (`--device`), or point LIBTORCH at a \
         libtorch built for CUDA on a machine with a driver."
    )]
    NoCuda {
        /// Why CUDA is out of reach.
        reason: String,
    },
    /// A value of the input is outside of what the code can do.
    #[error("The input value {name} = {value} cannot be used: {reason}.")]
    Input {
        /// Name of the input value.
        name: &'static str,
        /// What the input says.
        value: String,
        /// What is allowed.
        reason: String,
    },
    /// Arrays that belong together differ in their extents.
    #[error("Arrays do not fit together: {0}. Give all of them one row a sample, and as many columns as each other.")]
    Extents(String),
    /// There are too few samples to learn from.
    #[error(
        "{found} sample(s) are too few: at least {needed} are needed. Simulate more trajectories, or record more snapshots \
         of each."
    )]
    TooFew {
        /// Number of samples.
        found: usize,
        /// Least number.
        needed: usize,
    },
    /// A state or a patch has another number of components than the model was trained with.
    #[error(
        "{what} have {found} components, but the model was trained with {expected}. Use the model that was trained on \
         data of this kind, or train again."
    )]
    Components {
        /// What does not fit.
        what: &'static str,
        /// Its number of components.
        found: usize,
        /// Those of the model.
        expected: usize,
    },
    /// A value of the training data is impossible.
    #[error(
        "`{name}` of row {row} of the training data is {value}, but {allowed}. Correct what made this row, or leave it out."
    )]
    Value {
        /// Which array.
        name: &'static str,
        /// Row, from 0.
        row: usize,
        /// The value.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The training data hold NaN or infinity.
    #[error(
        "{count} of {total} values of `{name}` in the training data are NaN or infinite (the first in row {row}). \
         Look at the trajectories that made them, or leave them out."
    )]
    DataNotFinite {
        /// Which array.
        name: &'static str,
        /// Number of bad values.
        count: usize,
        /// Number of values.
        total: usize,
        /// First row with a bad value.
        row: usize,
    },
    /// The loss became NaN or infinite.
    #[error(
        "The loss became {loss} in epoch {epoch}, batch {batch} (parameter norm {norm:.4e}, largest parameter \
         {largest:.4e}, learning rate {learning_rate:.2e}). Lower learning_rate, set gradient_clip, or look for \
         outliers in the increments.{kept}"
    )]
    Diverged {
        /// Epoch, from 0.
        epoch: usize,
        /// Batch within the epoch, from 0.
        batch: usize,
        /// The loss that is no number.
        loss: f64,
        /// Euclidean norm of all parameters.
        norm: f64,
        /// Largest magnitude of a parameter.
        largest: f64,
        /// Learning rate of that step.
        learning_rate: f64,
        /// Where the last good checkpoint is kept: empty, or a sentence after a space.
        kept: String,
    },
    /// Somebody asked the training to stop.
    #[error("The training was stopped on request in epoch {epoch}, before batch {batch}.{kept}")]
    Stopped {
        /// Epoch, from 0.
        epoch: usize,
        /// The batch that would have been next, from 0.
        batch: usize,
        /// Where its state is kept: empty, or a sentence after a space.
        kept: String,
    },
    /// A model file cannot be read.
    #[error("The model file {path} cannot be read: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A model file or a checkpoint cannot be written.
    #[error(transparent)]
    Write(#[from] crate::storage::StorageError),
    /// A file is no model of the expected kind.
    #[error("The model file {path} is not usable: {reason}. Delete it and train again.")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A model file of another version of the program.
    #[error(
        "The model file {path} was written by another version of tessera in file format {found}; this version reads format \
         {expected}. Choose a new --out, or remove the run directory to recompute it."
    )]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The format of this version.
        expected: u32,
    },
    /// A computing thread ended early.
    #[error("A computing thread of the trainer ended early; its message stands above in the log.")]
    Thread,
    /// The tensor library refused an operation.
    #[error("The tensor library refused an operation: {0}")]
    Tensor(#[from] tch::TchError),
}
