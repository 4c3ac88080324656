//! Checkpoints of a training. A resumed training gives the same weights as one that was never interrupted.
//!
//! The file holds everything that the next step depends on: the weights, the moments of the optimiser, the
//! learning-rate schedule, the best weights, the records and the position in the epoch. The order of the samples is
//! drawn again from its stream. Rank 0 reads and writes the file for all ranks.

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

/// The checkpoint file of a training.
#[derive(Clone, Copy)]
pub struct Checkpoint<'a> {
    /// The file.
    pub path: &'a Path,
    /// Text of everything that determines the training. A file with another identity is not used.
    pub identity: &'a str,
    /// Prints messages for the user. Rank 0 only.
    pub say: &'a dyn Fn(&str),
}

impl Checkpoint<'_> {
    /// Restores `trainer` and `state` from the file and tells whether it did. Without a usable file nothing changes.
    pub(super) fn resume(&self, trainer: &mut DataParallelStep, state: &mut TrainingState, ranks: &dyn Ranks) -> bool {
        let bytes = if ranks.rank() == 0 { self.read(trainer) } else { Vec::new() };
        let saved = SavedState::parse(&ranks.all_gather(&bytes)[0], trainer);
        let usable = saved.is_ok();
        if let Ok(saved) = saved {
            saved.restore(trainer, state);
            if ranks.rank() == 0 {
                let TrainingPosition { epoch, batch, .. } = state.position;
                let path = self.path.display();
                (self.say)(&format!("The training resumes at epoch {epoch}, batch {batch}, from {path}."));
            }
        }
        usable
    }

    /// The bytes of the state, empty without a usable file.
    fn read(&self, trainer: &DataParallelStep) -> Vec<u8> {
        let parse = |bytes: &[u8]| SavedState::parse(bytes, trainer).map(|_| bytes.to_vec());
        self.file().read(parse, self.say).unwrap_or_default()
    }

    fn file(&self) -> CheckpointFile {
        CheckpointFile::new(self.path, self.identity)
    }

    fn write(
        &self,
        trainer: &DataParallelStep,
        state: &TrainingState,
        position: TrainingPosition,
    ) -> Result<(), LearningError> {
        let records: Vec<f64> = state
            .records
            .iter()
            .flat_map(|r| [r.epoch as f64, r.train_loss, r.validation_loss, r.learning_rate, r.seconds])
            .collect();
        let (optimiser, plateau) = (&trainer.optimiser, &state.plateau);
        let numbers = [
            position.epoch as f64,
            position.batch as f64,
            position.total,
            state.best_loss,
            plateau.learning_rate,
            plateau.best,
            plateau.waited as f64,
            f64::from(optimiser.steps),
        ];
        let (numbers, records) = (Tensor::from_slice(&numbers), Tensor::from_slice(&records));
        let tensors = [
            ("weights", trainer.parameters.flat()),
            ("mean", &optimiser.mean),
            ("square", &optimiser.square),
            ("largest", &optimiser.largest),
            ("best", &state.best),
            ("numbers", &numbers),
            ("records", &records),
        ];
        let bytes = store::to_bytes(tensors.into_iter(), &json!({}))
            .map_err(|reason| LearningError::Format { path: self.path.into(), reason: reason.to_string() })?;
        Ok(self.file().write(&[&bytes])?)
    }
}

/// The content of a checkpoint.
struct SavedState {
    vectors: [Tensor; 5],
    numbers: Vec<f64>,
    records: Vec<f64>,
}

impl SavedState {
    fn parse(bytes: &[u8], trainer: &DataParallelStep) -> Result<Self, String> {
        let (_, mut tensors) = store::parse(bytes).map_err(|reason| format!("it is damaged ({reason})"))?;
        let flat = trainer.parameters.flat();
        let mut take = |name: &str| tensors.remove(name).ok_or_else(|| format!("it is damaged (no {name})"));
        let vectors = [take("weights")?, take("mean")?, take("square")?, take("largest")?, take("best")?];
        let (numbers, records) = (take("numbers")?, take("records")?);
        let fits = vectors.iter().all(|vector| vector.size() == flat.size() && vector.kind() == flat.kind());
        if !fits || numbers.numel() != 8 || !records.numel().is_multiple_of(5) {
            return Err("it belongs to another model".into());
        }
        Ok(Self { vectors, numbers: vector(&numbers), records: vector(&records) })
    }

    fn restore(self, trainer: &mut DataParallelStep, state: &mut TrainingState) {
        let device = trainer.parameters.flat().device();
        let [weights, mean, square, largest, best] = self.vectors.map(|vector| vector.to_device(device));
        trainer.parameters.restore(&weights);
        let optimiser = &mut trainer.optimiser;
        (optimiser.mean, optimiser.square, optimiser.largest) = (mean, square, largest);
        let numbers = &self.numbers;
        optimiser.steps = numbers[7] as i32;
        state.position = TrainingPosition { epoch: numbers[0] as usize, batch: numbers[1] as usize, total: numbers[2] };
        (state.best_loss, state.best) = (numbers[3], best);
        let plateau = &mut state.plateau;
        (plateau.learning_rate, plateau.best, plateau.waited) = (numbers[4], numbers[5], numbers[6] as usize);
        state.records = self
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
    /// Writes to `checkpoint`, if any, at least every `seconds`.
    pub fn new(checkpoint: Option<Checkpoint<'a>>, ranks: &'a dyn Ranks, seconds: f64) -> Self {
        Self { checkpoint, ranks, seconds, last: Instant::now(), kept: None }
    }

    /// Notes the checkpoint from which the training resumed.
    pub fn resumed(&mut self, position: TrainingPosition) {
        self.kept = Some(position);
    }

    /// Writes a checkpoint if one is due.
    ///
    /// # Errors
    /// When the file cannot be written, and [`LearningError::Stopped`] on all ranks when `stop` is set.
    pub fn step(
        &mut self,
        trainer: &DataParallelStep,
        state: &TrainingState,
        position: TrainingPosition,
        stop: bool,
    ) -> Result<(), LearningError> {
        if stop || self.last.elapsed().as_secs_f64() >= self.seconds {
            self.write(trainer, state, position)?;
        }
        if !stop {
            return Ok(());
        }
        let kept = self.checkpoint.map_or(String::new(), |checkpoint| {
            format!(" Its state is in {}. Run the same command to resume.", checkpoint.path.display())
        });
        Err(LearningError::Stopped { epoch: position.epoch, batch: position.batch, kept })
    }

    /// Writes a checkpoint now, unless a weight is NaN or infinite.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(
        &mut self,
        trainer: &DataParallelStep,
        state: &TrainingState,
        position: TrainingPosition,
    ) -> Result<(), LearningError> {
        let Some(checkpoint) = self.checkpoint.filter(|_| self.ranks.rank() == 0) else { return Ok(()) };
        let finite = no_grad(|| trainer.parameters.flat().isfinite().all().to_kind(Kind::Int64).int64_value(&[]) == 1);
        if finite {
            checkpoint.write(trainer, state, position)?;
            self.kept = Some(position);
        }
        self.last = Instant::now();
        Ok(())
    }

    /// Adds the last good checkpoint to the error of a diverged training. Collective.
    pub fn note_last_checkpoint(&self, mut error: LearningError) -> LearningError {
        if let LearningError::Diverged { kept, .. } = &mut error {
            let mut numbers = [0; 24];
            if let Some(position) = self.kept {
                numbers[0] = 1;
                numbers[8..16].copy_from_slice(&(position.epoch as u64).to_le_bytes());
                numbers[16..24].copy_from_slice(&(position.batch as u64).to_le_bytes());
            }
            self.ranks.broadcast(&mut numbers);
            if let (Some(checkpoint), &[[1, ..], epoch, batch]) = (&self.checkpoint, numbers.as_chunks::<8>().0) {
                let [epoch, batch] = [epoch, batch].map(u64::from_le_bytes);
                let path = checkpoint.path.display();
                *kept = format!(" The last good checkpoint, of epoch {epoch}, batch {batch}, is {path}.");
            }
        }
        error
    }
}
