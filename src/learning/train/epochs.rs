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

/// Where and with which stream a model is trained.
#[derive(Clone, Copy)]
pub struct TrainingContext<'a> {
    /// Seed of weights, split and batches.
    pub seed: u64,
    /// Who works on it together.
    pub ranks: &'a dyn Ranks,
    /// The device of this rank.
    pub device: Device,
    /// Threads of this rank on a processor, unless the training's input says otherwise; 0 takes all cores for a single rank,
    /// else one.
    pub threads: usize,
    /// Where the state of the training is kept; `None` for nowhere.
    pub checkpoint: Option<Checkpoint<'a>>,
    /// Whether to stop before the next step, with a checkpoint; `None` for never. Rank 0 is asked, in every step on a
    /// processor and in every 64th on an accelerator, and speaks for all.
    pub stop: Option<&'a dyn Fn() -> bool>,
}

impl<'a> TrainingContext<'a> {
    /// A training without checkpoints that nobody stops.
    pub fn new(seed: u64, ranks: &'a dyn Ranks, device: Device) -> Self {
        Self { seed, ranks, device, threads: 0, checkpoint: None, stop: None }
    }
}

/// The samples of a training, numbered over all ranks.
pub(crate) struct Samples {
    /// Number of the model in the streams of the batches.
    pub model: u64,
    /// Samples to learn from.
    pub rows: Vec<usize>,
    /// Samples held out.
    pub held: Vec<usize>,
    /// Constants to add to the mean losses of both.
    pub offsets: [f64; 2],
}

/// Runs the epochs, those before a checkpoint left out, and leaves the best weights in `descent`.
///
/// # Errors
/// When a loss becomes NaN or infinite, a checkpoint cannot be written, or the run is told to stop.
pub(crate) fn run_epochs<'a>(
    descent: &mut DataParallelStep<'a>,
    samples: &Samples,
    train: &TrainInput,
    run: &TrainingContext<'a>,
    observer: &mut dyn FnMut(&EpochRecord),
) -> Result<Vec<EpochRecord>, LearningError> {
    let mut course = TrainingState::start(train, &descent.parameters);
    let mut keeper = CheckpointWriter::new(run.checkpoint, run.ranks, train.checkpoint_seconds);
    if let Some(checkpoint) = run.checkpoint {
        if checkpoint.resume(descent, &mut course, run.ranks) {
            keeper.resumed(course.place);
        }
        course.records.iter().for_each(&mut *observer);
    }
    descent.stop = run.stop;
    while course.place.epoch < train.epochs {
        let start = Instant::now();
        let epoch = course.place.epoch;
        let learning_rate = course.plateau.learning_rate * train.decay.powi(epoch as i32);
        let mut order = samples.rows.clone();
        order.shuffle(&mut stream(run.seed, Purpose::Batches, [samples.model, epoch as u64]));
        let train_loss = descent
            .epoch(&order, train.batch, learning_rate, course.place, &mut |descent, place, stop| {
                keeper.step(descent, &course, place, stop)
            })
            .map_err(|error| keeper.note_last_checkpoint(error))?
            + samples.offsets[0];
        descent.agree();
        let mut validation_loss = train_loss;
        if !samples.held.is_empty() {
            validation_loss = descent.evaluate(&samples.held)? + samples.offsets[1];
            if !validation_loss.is_finite() {
                let last = order.len().div_ceil(train.batch);
                return Err(keeper.note_last_checkpoint(descent.diverged(epoch, last, validation_loss, learning_rate)));
            }
        }
        if train.decay == 1.0 {
            course.plateau.observe(validation_loss);
        }
        if validation_loss < course.best_loss {
            (course.best_loss, course.best) = (validation_loss, descent.parameters.snapshot());
        }
        let seconds = start.elapsed().as_secs_f64();
        course.records.push(EpochRecord { epoch, train_loss, validation_loss, learning_rate, seconds });
        course.place = TrainingPosition { epoch: epoch + 1, ..TrainingPosition::default() };
        observer(&course.records[epoch]);
        keeper.keep(descent, &course, course.place)?;
    }
    descent.parameters.restore(&course.best);
    Ok(course.records)
}
