//! Drift and diffusion of the latent state, one model a seed, ours and the baseline (`ours_<seed>.safetensors`, ...).

use crate::{
    files::{
        latent::{LatentFile, labels},
        trainings::Training,
    },
    learning::{
        Checkpoint, DriftDraws, EpochRecord, Pairs, SymmetryGroup, TrainingContext, divided, draws, fit, held_out,
        sde::calibration,
    },
    parallel::{Alone, Ranks},
    scores::ModelKind,
    stages::{clock::clock, engines::device},
    storage::StorageError,
    workflow::{Context, Stage, StageError, say},
};
use std::path::PathBuf;

/// Most bytes of pairs that a rank holds to train models of its own.
const OWN_BYTES: usize = 2 << 30;
/// Least share of the ranks' time that is used when models go to ranks as a whole.
const LEAST_USE: f64 = 0.75;

/// One model to be trained.
struct Task {
    kind: ModelKind,
    /// Number of the model among those of its kind.
    number: usize,
    seed: u64,
}

/// Trains the models on `latent.h5` and `pairs.h5`, and writes them and `training.json`. Models go to ranks as a
/// whole when that keeps the ranks busy: nothing is sent then, and each model is what one rank alone would make.
/// Otherwise all ranks work on one model after another, each on its own share of the pairs.
///
/// # Errors
/// When training or the file system fails.
pub fn train(context: &Context) -> Result<(), StageError> {
    let (world, choices) = (context.world, &context.input.train);
    let numbered = || choices.seeds.iter().enumerate();
    let models = |kind| numbered().map(move |(number, &seed)| Task { kind, number, seed });
    let tasks: Vec<Task> = context.input.model_kinds().into_iter().flat_map(models).collect();
    let one_model_per_rank = one_model_per_rank(context, tasks.len())?;
    let own: Vec<usize> =
        (0..tasks.len()).filter(|task| !one_model_per_rank || task % world.size() == world.rank()).collect();
    let clock = clock(context)?;
    let mut progress = context.progress("train", choices.fit.epochs * own.len(), "epochs");
    let mut trainings_of_rank = Vec::new();
    for task in own {
        let ranks: &dyn Ranks = if one_model_per_rank { &Alone } else { world };
        let training = match train_one(context, &tasks[task], clock, ranks, &mut |_| progress.advance(1)) {
            Err(StageError::Stopped) => break,
            other => other?,
        };
        if one_model_per_rank || context.leads() {
            trainings_of_rank.push((task, training));
        }
    }
    drop(progress);
    context.stop_together()?;
    let mut trainings: Vec<(usize, Training)> = Vec::new();
    let path = context.path("training.json");
    let refused =
        |error: serde_json::Error| StorageError::when("collect the trainings of all ranks for", &path)(error.into());
    for text in world.all_gather(&serde_json::to_vec(&trainings_of_rank).map_err(refused)?) {
        trainings.extend(serde_json::from_slice::<Vec<_>>(&text).map_err(refused)?);
    }
    trainings.sort_by_key(|(task, _)| *task);
    let trainings: Vec<Training> = trainings.into_iter().map(|(_, training)| training).collect();
    context.write_json("training.json", &trainings)?;
    // Checkpoints of finished models stay until here: a stage that is killed late repeats no training.
    for training in trainings.iter().filter(|_| context.leads()) {
        std::fs::remove_file(checkpoint_file(context, training.kind, training.seed)).ok();
    }
    Ok(())
}

/// Whether each model is trained by one rank. Otherwise the ranks share every batch.
fn one_model_per_rank(context: &Context, models: usize) -> Result<bool, StageError> {
    let ranks = context.world.size();
    let components = LatentFile::open(context)?.components()?;
    let images = symmetry_group(context).map_or(1, |group| group.elements.len());
    let bytes = images * context.input.pairs() * (3 * components + 2) * size_of::<f64>();
    let used = models as f64 / (models.div_ceil(ranks) * ranks) as f64;
    Ok(ranks > 1 && used >= LEAST_USE && bytes <= OWN_BYTES)
}

/// Trains one model on `ranks`, which hold all pairs together, and writes it. Ours gets the clock.
fn train_one(
    context: &Context,
    task: &Task,
    clock: Option<f64>,
    ranks: &dyn Ranks,
    observer: &mut dyn FnMut(&EpochRecord),
) -> Result<Training, StageError> {
    let Task { kind, seed, .. } = *task;
    let choices = &context.input.train;
    let covariance_factor = kind.covariance_factor(context.input);
    let pairs = chosen_pairs(context, task, ranks)?;
    let device = device(context)?;
    let say = |text: &str| {
        say(context, text).ok();
    };
    let stop = || context.stop.requested();
    let path = checkpoint_file(context, kind, seed);
    let identity = format!("{} {} {seed}", context.provenance(Stage::Train).identity(), kind.name());
    let checkpoint = Some(Checkpoint { path: &path, identity: &identity, say: &say });
    let run = TrainingContext { seed, ranks, device, threads: context.options.threads, checkpoint, stop: Some(&stop) };
    let (model, curve) = fit(&pairs, covariance_factor, &choices.model, &choices.fit, &run, observer)?;
    let model = match symmetry_group(context) {
        Some(group) => model.symmetric(group)?,
        None => model,
    };
    let model = match clock.filter(|_| kind == ModelKind::Ours) {
        Some(clock) => model.with_clock(clock),
        None => model,
    };
    let input = context.input;
    let model = {
        let variables = model.components() - input.observables().len();
        model.labelled(labels(input, variables))?
    };
    let found = calibration::calibration(&model, &pairs, covariance_factor, ranks)?;
    let [trained, held] = divided(&pairs, &choices.fit, seed, ranks)?;
    if kind == ModelKind::Ours && choices.draws > 0 {
        // Pairs of one word depend on each other.
        let word = |&trajectory: &u32| context.input.word_of(trajectory as usize) as u64;
        let words: Vec<u64> = pairs.trajectory.iter().map(word).collect();
        let drawn = draws(&model, (&pairs, &trained, &words), (choices.draws, seed), ranks)?;
        if ranks.rank() == 0 {
            DriftDraws::save(drawn.as_ref(), &context.path(&kind.draws_file(seed)))?;
        }
    }
    let held_out = held_out(&model, &pairs.rows(&held), covariance_factor, ranks)?;
    if ranks.rank() == 0 {
        let more = [("sites", input.large_shape().sites().into()), ("patches", input.patches().into())];
        let metadata = context.provenance(Stage::Train).json(&more);
        model.save(&context.path(&kind.file(seed)), &metadata)?;
    }
    let (calibration, residuals) = (found.variance, found.density);
    Ok(Training { kind, seed, covariance_factor, calibration, residuals, held_out, curve })
}

/// The pairs that a model learns from: its part of them, with their images, as the input says.
fn chosen_pairs(context: &Context, task: &Task, ranks: &dyn Ranks) -> Result<Pairs, StageError> {
    let choices = &context.input.train;
    let pairs = LatentFile::open(context)?.pairs(context, task.kind, ranks.share(context.input.pairs()))?;
    let mut pairs = pairs.without_deviations(ranks)?;
    if choices.disjoint {
        pairs = pairs.part(task.number, choices.seeds.len(), context.input.conditions_in_data().len());
    }
    if let Some(group) = symmetry_group(context) {
        pairs = group.with_images(&pairs);
    }
    Ok(pairs)
}

/// The symmetries of the law, when the models are to have them: they act about 0.
fn symmetry_group(context: &Context) -> Option<SymmetryGroup> {
    let input = context.input;
    let centre = vec![0.0; input.observables().len()];
    input.train.mirrored.then(|| SymmetryGroup { elements: input.symmetries(), centre })
}

/// The state of a training under way, beside its model file.
fn checkpoint_file(context: &Context, kind: ModelKind, seed: u64) -> PathBuf {
    context.path(&kind.file(seed)).with_extension("checkpoint")
}
