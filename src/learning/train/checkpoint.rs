//! The state of a training in a file: a training that was stopped resumes as if it had not been.
//!
//! The file holds all that the next step depends on: weights, moments of the optimiser, learning-rate schedule, best
//! weights, records, and the place in the epoch (the order of the samples is drawn again from its stream). Rank 0 writes it,
//! and reads it for all ranks.

use crate::{
    learning::{
        EpochRecord, LearningError,
        tensor::vector,
        train::{
            data_parallel::DataParallelStep,
            state::{TrainingPosition, TrainingState},
            store,
        },
    },
    parallel::Ranks,
    storage::CheckpointFile,
};
use serde_json::json;
use std::{path::Path, time::Instant};
use tch::{Kind, Tensor, no_grad};

/// Where the state of a training is kept, and what it belongs to.
#[derive(Clone, Copy)]
pub struct Checkpoint<'a> {
    /// The file.
    pub path: &'a Path,
    /// Names everything that determines the training; a file with another identity is left alone.
    pub identity: &'a str,
    /// Takes what the user should know. Rank 0 only.
    pub say: &'a dyn Fn(&str),
}

impl Checkpoint<'_> {
    /// Puts `descent` and `course` where the file says; whether there was one. Without a usable file nothing changes.
    pub(super) fn resume(&self, descent: &mut DataParallelStep, course: &mut TrainingState, ranks: &dyn Ranks) -> bool {
        let bytes = if ranks.rank() == 0 { self.read(descent) } else { Vec::new() };
        let state = State::parse(&ranks.all_gather(&bytes)[0], descent);
        let usable = state.is_ok();
        if let Ok(state) = state {
            state.restore(descent, course);
            if ranks.rank() == 0 {
                let TrainingPosition { epoch, batch, .. } = course.place;
                let path = self.path.display();
                (self.say)(&format!("The training resumes at epoch {epoch}, batch {batch}, from {path}."));
            }
        }
        usable
    }

    /// The state in a usable file; empty when there is none.
    fn read(&self, descent: &DataParallelStep) -> Vec<u8> {
        let parse = |bytes: &[u8]| State::parse(bytes, descent).map(|_| bytes.to_vec());
        self.file().read(parse, self.say).unwrap_or_default()
    }

    fn file(&self) -> CheckpointFile {
        CheckpointFile::new(self.path, self.identity)
    }

    fn write(
        &self,
        descent: &DataParallelStep,
        course: &TrainingState,
        place: TrainingPosition,
    ) -> Result<(), LearningError> {
        let records: Vec<f64> = course
            .records
            .iter()
            .flat_map(|r| [r.epoch as f64, r.train_loss, r.validation_loss, r.learning_rate, r.seconds])
            .collect();
        let (optimiser, plateau) = (&descent.optimiser, &course.plateau);
        let numbers = [
            place.epoch as f64,
            place.batch as f64,
            place.total,
            course.best_loss,
            plateau.learning_rate,
            plateau.best,
            plateau.waited as f64,
            f64::from(optimiser.steps),
        ];
        let (numbers, records) = (Tensor::from_slice(&numbers), Tensor::from_slice(&records));
        let tensors = [
            ("weights", descent.parameters.flat()),
            ("mean", &optimiser.mean),
            ("square", &optimiser.square),
            ("largest", &optimiser.largest),
            ("best", &course.best),
            ("numbers", &numbers),
            ("records", &records),
        ];
        let bytes = store::to_bytes(tensors.into_iter(), &json!({}))
            .map_err(|reason| LearningError::Format { path: self.path.into(), reason: reason.to_string() })?;
        Ok(self.file().write(&[&bytes])?)
    }
}

/// What a file holds.
struct State {
    vectors: [Tensor; 5],
    numbers: Vec<f64>,
    records: Vec<f64>,
}

impl State {
    fn parse(bytes: &[u8], descent: &DataParallelStep) -> Result<Self, String> {
        let (_, mut tensors) = store::parse(bytes).map_err(|reason| format!("it is damaged ({reason})"))?;
        let flat = descent.parameters.flat();
        let mut take = |name: &str| tensors.remove(name).ok_or_else(|| format!("it is damaged (no {name})"));
        let vectors = [take("weights")?, take("mean")?, take("square")?, take("largest")?, take("best")?];
        let (numbers, records) = (take("numbers")?, take("records")?);
        let fits = vectors.iter().all(|vector| vector.size() == flat.size() && vector.kind() == flat.kind());
        if !fits || numbers.numel() != 8 || !records.numel().is_multiple_of(5) {
            return Err("it belongs to another model".into());
        }
        Ok(Self { vectors, numbers: vector(&numbers), records: vector(&records) })
    }

    fn restore(self, descent: &mut DataParallelStep, course: &mut TrainingState) {
        let device = descent.parameters.flat().device();
        let [weights, mean, square, largest, best] = self.vectors.map(|vector| vector.to_device(device));
        descent.parameters.restore(&weights);
        let optimiser = &mut descent.optimiser;
        (optimiser.mean, optimiser.square, optimiser.largest) = (mean, square, largest);
        let numbers = &self.numbers;
        optimiser.steps = numbers[7] as i32;
        course.place = TrainingPosition { epoch: numbers[0] as usize, batch: numbers[1] as usize, total: numbers[2] };
        (course.best_loss, course.best) = (numbers[3], best);
        let plateau = &mut course.plateau;
        (plateau.learning_rate, plateau.best, plateau.waited) = (numbers[4], numbers[5], numbers[6] as usize);
        course.records = self
            .records
            .chunks_exact(5)
            .map(|row| EpochRecord {
                epoch: row[0] as usize,
                train_loss: row[1],
                validation_loss: row[2],
                learning_rate: row[3],
                seconds: row[4],
            })
            .collect();
    }
}

/// Writes checkpoints when they are due.
pub(super) struct CheckpointWriter<'a> {
    checkpoint: Option<Checkpoint<'a>>,
    ranks: &'a dyn Ranks,
    seconds: f64,
    last: Instant,
    kept: Option<TrainingPosition>,
}

impl<'a> CheckpointWriter<'a> {
    /// Writes to `checkpoint`, if any, whenever `seconds` have passed.
    pub fn new(checkpoint: Option<Checkpoint<'a>>, ranks: &'a dyn Ranks, seconds: f64) -> Self {
        Self { checkpoint, ranks, seconds, last: Instant::now(), kept: None }
    }

    /// The file that the training went on from is a good one.
    pub fn resumed(&mut self, place: TrainingPosition) {
        self.kept = Some(place);
    }

    /// Writes a checkpoint when one is due. Weights that are no numbers are not kept.
    ///
    /// # Errors
    /// When the file cannot be written, and [`LearningError::Stopped`] on all ranks when this is where to `stop`.
    pub fn step(
        &mut self,
        descent: &DataParallelStep,
        course: &TrainingState,
        place: TrainingPosition,
        stop: bool,
    ) -> Result<(), LearningError> {
        if stop || self.last.elapsed().as_secs_f64() >= self.seconds {
            self.keep(descent, course, place)?;
        }
        if !stop {
            return Ok(());
        }
        let kept = self.checkpoint.map_or(String::new(), |checkpoint| {
            format!(" Its state is kept in {}. Run the same command to resume.", checkpoint.path.display())
        });
        Err(LearningError::Stopped { epoch: place.epoch, batch: place.batch, kept })
    }

    /// Writes a checkpoint now.
    pub fn keep(
        &mut self,
        descent: &DataParallelStep,
        course: &TrainingState,
        place: TrainingPosition,
    ) -> Result<(), LearningError> {
        let Some(checkpoint) = self.checkpoint.filter(|_| self.ranks.rank() == 0) else { return Ok(()) };
        let finite = no_grad(|| descent.parameters.flat().isfinite().all().to_kind(Kind::Int64).int64_value(&[]) == 1);
        if finite {
            checkpoint.write(descent, course, place)?;
            self.kept = Some(place);
        }
        self.last = Instant::now();
        Ok(())
    }

    /// Adds to the error of a diverged training where its last good state is kept. Every rank calls it.
    pub fn note_last_checkpoint(&self, error: LearningError) -> LearningError {
        let mut numbers = [0; 24];
        if let Some(place) = self.kept {
            numbers[0] = 1;
            numbers[8..16].copy_from_slice(&(place.epoch as u64).to_le_bytes());
            numbers[16..24].copy_from_slice(&(place.batch as u64).to_le_bytes());
        }
        match error {
            LearningError::Diverged { epoch, batch, loss, norm, largest, learning_rate, .. } => {
                self.ranks.broadcast(&mut numbers);
                let kept = match (&self.checkpoint, numbers.as_chunks::<8>().0) {
                    (Some(checkpoint), &[[1, ..], epoch, batch]) => format!(
                        " The last good checkpoint, at epoch {}, batch {}, is kept in {}.",
                        u64::from_le_bytes(epoch),
                        u64::from_le_bytes(batch),
                        checkpoint.path.display()
                    ),
                    _ => String::new(),
                };
                LearningError::Diverged { epoch, batch, loss, norm, largest, learning_rate, kept }
            }
            other => other,
        }
    }
}
