//! A training can stop after any step and resumes with equal weights, and it stops at a loss that is NaN.

use crate::{
    learning::{
        Checkpoint, EpochRecord, LearningError, TrainInput, TrainingContext,
        tensor::vector,
        train::{
            data_parallel::{DataParallelStep, Rows},
            epochs::{Samples, run_epochs},
            objective::Objective,
            optimiser::AdamW,
            parameters::{Layout, Parameters},
        },
    },
    parallel::Alone,
};
use std::{
    cell::{Cell, RefCell},
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tch::{Device, Kind, Tensor};

const SAMPLES: usize = 60;
/// Nine epochs of five steps.
const INPUT: TrainInput = TrainInput {
    moment_steps: 0,
    epochs: 9,
    batch: 10,
    learning_rate: 0.05,
    plateau_factor: 0.5,
    plateau_patience: 1,
    decay: 1.0,
    refit: false,
    learning_rate_minimum: 1e-6,
    validation_fraction: 0.0,
    weight_decay: 0.01,
    gradient_clip: Some(1.0),
    precision: crate::learning::train::input::Precision::Float32,
    threads: 1,
    checkpoint_seconds: 0.0,
};

/// A line through points; its loss is NaN from the `end`-th gradient on.
struct Line {
    gradients: AtomicUsize,
    end: usize,
}

impl Objective for Line {
    fn loss(&self, weights: &[Tensor], batch: &[Tensor]) -> Tensor {
        let (x, y) = (batch[0].narrow(1, 0, 1), batch[0].narrow(1, 1, 1));
        (x.linear(&weights[0], Some(&weights[1])) - y).square().sum(None::<Kind>)
    }

    fn gradient(&self, parameters: &Parameters, batch: &[Tensor]) -> Result<(Tensor, Tensor), LearningError> {
        let (loss, gradient) = crate::learning::train::objective::autograd(self, parameters, batch)?;
        let bad = self.gradients.fetch_add(1, Ordering::Relaxed) >= self.end;
        Ok((if bad { loss * f64::NAN } else { loss }, gradient))
    }
}

/// Weights and records of a training.
type Trained = Result<(Vec<f32>, Vec<EpochRecord>), LearningError>;

/// Trains until the `end`-th step at most; returns weights and records, or the error, and the messages.
fn training(path: &Path, identity: &str, end: usize) -> (Trained, String) {
    watched(path, identity, end, &|| false, 1)
}

/// As [`training`], until `stop` says so, with a look at the losses after every `look_every` steps.
fn watched(path: &Path, identity: &str, end: usize, stop: &dyn Fn() -> bool, look_every: usize) -> (Trained, String) {
    scheduled(&INPUT, path, identity, end, stop, look_every)
}

/// As [`watched`], with other choices.
fn scheduled(
    input: &TrainInput,
    path: &Path,
    identity: &str,
    end: usize,
    stop: &dyn Fn() -> bool,
    look_every: usize,
) -> (Trained, String) {
    let data: Vec<f32> = (0..SAMPLES).flat_map(|row| [row as f32 / 30.0 - 1.0, (row as f32).sin()]).collect();
    let data = [Tensor::from_slice(&data).view([SAMPLES as i64, 2])];
    let mut layout = Layout::default();
    layout.linear("line", 1, 1, 1.0);
    let parameters = Parameters::draw(layout, 1, 0, Kind::Float, Device::Cpu);
    let optimiser = AdamW::new(parameters.flat(), input.weight_decay, input.gradient_clip);
    let objective = Arc::new(Line { gradients: AtomicUsize::new(0), end });
    let rows = (&data[..], Rows { first: 0, owned: 0..SAMPLES });
    let mut trainer = DataParallelStep::new(objective, parameters, optimiser, rows, 1, &Alone);
    trainer.look_every = look_every;
    let samples = Samples { model: 0, rows: (0..50).collect(), held: (50..60).collect(), offsets: [0.0; 2] };
    let messages = RefCell::new(String::new());
    let say = |text: &str| messages.borrow_mut().push_str(text);
    let checkpoint = Some(Checkpoint { path, identity, say: &say });
    let run = TrainingContext { checkpoint, stop: Some(stop), ..TrainingContext::new(1, &Alone, Device::Cpu) };
    let result = run_epochs(&mut trainer, &samples, input, &run, &mut |_| ())
        .map(|records| (vector(trainer.parameters.flat()), records));
    drop(trainer);
    (result, messages.into_inner())
}

fn curve(records: &[EpochRecord]) -> Vec<[f64; 3]> {
    records.iter().map(|record| [record.train_loss, record.validation_loss, record.learning_rate]).collect()
}

#[test]
fn a_training_that_stops_anywhere_resumes_with_equal_weights() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line.checkpoint");
    let (weights, records) = training(&path, "whole", usize::MAX).0.unwrap();
    assert_eq!(records.len(), INPUT.epochs);
    for end in [1, 4, 5, 17, 44] {
        fs::remove_file(&path).unwrap();
        assert!(training(&path, "whole", end).0.is_err());
        let (result, messages) = training(&path, "whole", usize::MAX);
        let (resumed, again) = result.unwrap();
        // The last weights with a finite loss are kept.
        let last = if end % 5 == 0 { end } else { end - 1 };
        assert!(messages.contains(&format!("epoch {}, batch {}", last / 5, last % 5)), "{messages}");
        assert_eq!(weights, resumed, "stopped after step {end}");
        assert_eq!(curve(&records), curve(&again), "stopped after step {end}");
    }
    // A finished training is read back without a step.
    let (result, messages) = training(&path, "whole", 0);
    assert_eq!(result.unwrap().0, weights);
    assert!(messages.contains("epoch 9, batch 0"), "{messages}");
}

#[test]
fn a_training_that_is_asked_to_stop_names_its_checkpoint_and_resumes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line.checkpoint");
    let (weights, records) = training(&path, "whole", usize::MAX).0.unwrap();
    for steps in [0_usize, 3, 5, 22] {
        fs::remove_file(&path).unwrap();
        let left = Cell::new(steps);
        let stop = || left.replace(left.get().saturating_sub(1)) == 0;
        let error = watched(&path, "whole", usize::MAX, &stop, 1).0.unwrap_err();
        let position = format!("epoch {}, before batch {}", steps / 5, steps % 5);
        assert!(error.to_string().contains(&position) && error.to_string().contains("to resume"), "{error}");
        let (result, messages) = training(&path, "whole", usize::MAX);
        let (resumed, again) = result.unwrap();
        assert!(messages.contains(&format!("epoch {}, batch {}", steps / 5, steps % 5)), "{messages}");
        assert_eq!(weights, resumed, "stopped after {steps} steps");
        assert_eq!(curve(&records), curve(&again), "stopped after {steps} steps");
    }
}

#[test]
fn a_decay_is_the_whole_schedule() {
    let folder = tempfile::tempdir().unwrap();
    // Steps this small gain less in an epoch than a plateau can tell from none.
    let input =
        TrainInput { learning_rate: 1e-8, learning_rate_minimum: 0.0, decay: 0.5, plateau_patience: 0, ..INPUT };
    let (result, _) = scheduled(&input, &folder.path().join("line.checkpoint"), "decay", usize::MAX, &|| false, 1);
    for record in result.unwrap().1 {
        assert_eq!(record.learning_rate, input.learning_rate * input.decay.powi(record.epoch as i32));
    }
}

#[test]
fn a_diverged_training_names_the_batch_and_the_last_good_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line.checkpoint");
    let message = training(&path, "bad", 13).0.unwrap_err().to_string();
    assert!(message.contains("NaN in epoch 2, batch 3"), "{message}");
    assert!(message.contains("parameter norm") && message.contains("largest parameter"), "{message}");
    assert!(message.contains("last good checkpoint, of epoch 2, batch 2, is"), "{message}");
    assert!(message.contains(path.to_str().unwrap()) && path.exists(), "{message}");
    // An accelerator looks later, and names the same position; kept is what was known to be good then.
    fs::remove_file(&path).unwrap();
    let message = watched(&path, "bad", 13, &|| false, 64).0.unwrap_err().to_string();
    assert!(message.contains("NaN in epoch 2, batch 3"), "{message}");
    assert!(message.contains("last good checkpoint, of epoch 2, batch 0, is"), "{message}");
    fs::remove_file(&path).unwrap();
    let message = training(&path, "bad", 0).0.unwrap_err().to_string();
    assert!(message.contains("epoch 0, batch 0") && !message.contains("checkpoint"), "{message}");
}

#[test]
fn foreign_and_damaged_checkpoints_are_ignored_with_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line.checkpoint");
    let (weights, _) = training(&path, "one", usize::MAX).0.unwrap();
    let (result, messages) = training(&path, "other", usize::MAX);
    assert_eq!(result.unwrap().0, weights);
    assert!(messages.contains("belongs to another input"), "{messages}");
    let bytes = fs::read(&path).unwrap();
    for length in [0, 7, 100, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).unwrap();
        let (result, messages) = training(&path, "other", usize::MAX);
        assert_eq!(result.unwrap().0, weights);
        assert!(messages.contains("is damaged"), "{length} bytes: {messages}");
    }
}
