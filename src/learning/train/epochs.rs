//! The epochs of a training: order of the samples, learning-rate schedule, best weights, checkpoints.

use crate::{
    learning::{
        EpochRecord, LearningError, TrainInput,
        train::{
            checkpoint::{Checkpoint, CheckpointWriter},
            data_parallel::DataParallelStep,
            state::{TrainingPosition, TrainingState},
        },
    },
    parallel::Ranks,
    rng::{Purpose, stream},
};
use rand::seq::SliceRandom;
use std::time::Instant;
use tch::Device;

/// The ranks, the device, the seed and the checkpoint of a training.
#[derive(Clone, Copy)]
pub struct TrainingContext<'a> {
    /// Seed of the weights, the split and the batches.
    pub seed: u64,
    /// The ranks that train the model together.
    pub ranks: &'a dyn Ranks,
    /// The device of this rank.
    pub device: Device,
    /// Threads of this rank on a processor. The training's input has precedence. With 0 a single rank takes all cores
    /// and each of several ranks takes one.
    pub threads: usize,
    /// The checkpoint, if any.
    pub checkpoint: Option<Checkpoint<'a>>,
    /// Whether to write a checkpoint and stop before the next step; `None` for never. Rank 0 decides for all ranks: in
    /// every step on a processor, in every 64th on an accelerator.
    pub stop: Option<&'a dyn Fn() -> bool>,
}

impl<'a> TrainingContext<'a> {
    /// A training without checkpoint and without requests to stop.
    pub fn new(seed: u64, ranks: &'a dyn Ranks, device: Device) -> Self {
        Self { seed, ranks, device, threads: 0, checkpoint: None, stop: None }
    }
}

/// The samples of a training, by their index over all ranks.
pub(crate) struct Samples {
    /// Index of the model in the streams of the batches.
    pub model: u64,
    /// Training samples.
    pub rows: Vec<usize>,
    /// Validation samples.
    pub held: Vec<usize>,
    /// Constants to add to the mean training and validation loss.
    pub offsets: [f64; 2],
}

/// Runs all epochs that a checkpoint does not hold yet. Afterwards `trainer` has the best weights.
///
/// # Errors
/// When a loss becomes NaN or infinite, a checkpoint cannot be written, or the run is asked to stop.
pub(crate) fn run_epochs<'a>(
    trainer: &mut DataParallelStep<'a>,
    samples: &Samples,
    train: &TrainInput,
    run: &TrainingContext<'a>,
    observer: &mut dyn FnMut(&EpochRecord),
) -> Result<Vec<EpochRecord>, LearningError> {
    let mut state = TrainingState::start(train, &trainer.parameters);
    let mut writer = CheckpointWriter::new(run.checkpoint, run.ranks, train.checkpoint_seconds);
    if let Some(checkpoint) = run.checkpoint {
        if checkpoint.resume(trainer, &mut state, run.ranks) {
            writer.resumed(state.position);
        }
        state.records.iter().for_each(&mut *observer);
    }
    trainer.stop = run.stop;
    while state.position.epoch < train.epochs {
        let start = Instant::now();
        let epoch = state.position.epoch;
        let learning_rate = state.plateau.learning_rate * train.decay.powi(epoch as i32);
        let mut order = samples.rows.clone();
        order.shuffle(&mut stream(run.seed, Purpose::Batches, [samples.model, epoch as u64]));
        let train_loss = trainer
            .epoch(&order, train.batch, learning_rate, state.position, &mut |trainer, position, stop| {
                writer.step(trainer, &state, position, stop)
            })
            .map_err(|error| writer.note_last_checkpoint(error))?
            + samples.offsets[0];
        trainer.agree();
        let mut validation_loss = train_loss;
        if !samples.held.is_empty() {
            validation_loss = trainer.evaluate(&samples.held)? + samples.offsets[1];
            if !validation_loss.is_finite() {
                let last = order.len().div_ceil(train.batch);
                return Err(writer.note_last_checkpoint(trainer.diverged(epoch, last, validation_loss, learning_rate)));
            }
        }
        if train.decay == 1.0 {
            state.plateau.observe(validation_loss);
        }
        if validation_loss < state.best_loss {
            (state.best_loss, state.best) = (validation_loss, trainer.parameters.snapshot());
        }
        let seconds = start.elapsed().as_secs_f64();
        state.records.push(EpochRecord { epoch, train_loss, validation_loss, learning_rate, seconds });
        state.position = TrainingPosition { epoch: epoch + 1, ..TrainingPosition::default() };
        observer(&state.records[epoch]);
        writer.write(trainer, &state, state.position)?;
    }
    trainer.parameters.restore(&state.best);
    Ok(state.records)
}
