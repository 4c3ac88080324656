//! The errors of learning. Every message says what to do.

use std::path::PathBuf;

/// Why a model could not be trained, read or used.
#[derive(Debug, thiserror::Error)]
pub enum LearningError {
    /// The accelerator that the input asks for cannot be used.
    #[error(
        "The device \"cuda\" cannot be used: {reason}. Choose --device cpu or --device auto, or set LIBTORCH to a \
         libtorch built for CUDA on a machine with an NVIDIA driver."
    )]
    NoCuda {
        /// Why CUDA cannot be used.
        reason: String,
    },
    /// A value of the input is out of range.
    #[error("The input value {name} = {value} is not allowed: {reason}.")]
    Input {
        /// Its key in the input.
        name: &'static str,
        /// The value in the input.
        value: String,
        /// What is allowed.
        reason: String,
    },
    /// The shapes of arrays that belong together do not match.
    #[error("The shapes of the arrays do not match: {0}. Give every array one row per sample.")]
    Extents(String),
    /// There are too few samples to train on.
    #[error(
        "There are {found} samples, but training needs at least {needed}. Simulate more trajectories, or record more \
         snapshots per trajectory."
    )]
    TooFew {
        /// Number of samples.
        found: usize,
        /// Smallest number that is enough.
        needed: usize,
    },
    /// The states do not have the model's number of components.
    #[error(
        "{what} have {found} components, but the model was trained with {expected}. Use a model trained on data of \
         this kind, or train a new one."
    )]
    Components {
        /// Which data do not match, as the subject of a sentence.
        what: &'static str,
        /// Its number of components.
        found: usize,
        /// Number of components of the model.
        expected: usize,
    },
    /// A value of the training data is not allowed.
    #[error(
        "In row {row} of the training data, `{name}` is {value}, but {allowed}. Correct the source of this row, or \
         remove it."
    )]
    Value {
        /// Name of the array.
        name: &'static str,
        /// Index of the row.
        row: usize,
        /// The value.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The training data hold NaN or infinity.
    #[error(
        "{count} of the {total} values of `{name}` in the training data are NaN or infinite. The first is in row \
         {row}. Check the trajectories that these values come from, or remove them."
    )]
    DataNotFinite {
        /// Name of the array.
        name: &'static str,
        /// Number of values that are not finite.
        count: usize,
        /// Number of values.
        total: usize,
        /// Index of the first row with such a value.
        row: usize,
    },
    /// The loss became NaN or infinite.
    #[error(
        "The loss became {loss} in epoch {epoch}, batch {batch}. The parameter norm was {norm:.4e}, the largest \
         parameter {largest:.4e}, the learning rate {learning_rate:.2e}. Lower learning_rate, set gradient_clip, or \
         look for outliers in the increments.{kept}"
    )]
    Diverged {
        /// Epoch, from 0.
        epoch: usize,
        /// Batch within the epoch, from 0.
        batch: usize,
        /// The loss, NaN or infinite.
        loss: f64,
        /// Euclidean norm of all parameters.
        norm: f64,
        /// Largest magnitude of a parameter.
        largest: f64,
        /// Learning rate of the step.
        learning_rate: f64,
        /// Names the last good checkpoint: a space and a sentence, or empty.
        kept: String,
    },
    /// The training was asked to stop.
    #[error("The training was stopped on request in epoch {epoch}, before batch {batch}.{kept}")]
    Stopped {
        /// Epoch, from 0.
        epoch: usize,
        /// Next batch, from 0.
        batch: usize,
        /// Names the checkpoint of its state: a space and a sentence, or empty.
        kept: String,
    },
    /// A model file cannot be read.
    #[error("The model file {path} cannot be read: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The reason of the operating system.
        source: std::io::Error,
    },
    /// A model file or a checkpoint cannot be written.
    #[error(transparent)]
    Write(#[from] crate::storage::StorageError),
    /// A file does not hold a model of the expected kind.
    #[error("The model file {path} cannot be used: {reason}. Delete it and train the model again.")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A model file of another version of the program.
    #[error(
        "The model file {path} was written by another version of tessera in file format {found}. This version reads \
         format {expected}. Choose a new --out, or remove the run directory to recompute it."
    )]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The format of this version.
        expected: u32,
    },
    /// A thread of the trainer ended early.
    #[error("A thread of the trainer ended early. Its own message is above in the log.")]
    Thread,
    /// The tensor library refused an operation.
    #[error("The tensor library (libtorch) reports an error: {0}")]
    Tensor(#[from] tch::TchError),
}
