//! What scores and pages look at, read from the files of a run directory.

use crate::{
    dataset::Reader,
    files::{
        EvaluationFile, PredictionFile,
        latent::LatentFile,
        trainings::{Training, trainings},
    },
    learning::HeldOut,
    parallel::Alone,
    scores::{Choices, Coverage, Evidence, ModelKind, OtherSize, PairsEvidence, TrustEvidence},
    workflow::{Context, StageError},
};

/// Truth and predictions (`evaluation.h5`, `prediction.h5`), with no pairs and no fields of the models.
///
/// # Errors
/// When a file is missing or has another layout.
pub fn ensembles(context: &Context) -> Result<Evidence, StageError> {
    let input = context.input;
    let latent = LatentFile::open(context)?;
    let (mut least, mut range) = (latent.least()?, latent.range()?);
    range.mapv_inplace(|range| if range > 0.0 { range } else { 1.0 });
    for (component, observable) in input.observables().iter().enumerate() {
        if !observable.scaled {
            (least[component], range[component]) = (0.0, 1.0);
        }
    }
    let (evaluation, prediction) = (EvaluationFile::open(context)?, PredictionFile::open(context, None)?);
    let models = input.model_kinds().into_iter().map(|kind| Ok((kind, prediction.states(kind)?)));
    Ok(Evidence {
        observables: input.observables(),
        truth: evaluation.truth()?,
        truth_word: (0..input.truth_trajectories()).map(|trajectory| input.truth_word_of(trajectory)).collect(),
        models: models.collect::<Result<_, StageError>>()?,
        sizes: input.predict.sides.iter().map(|&side| other_size(context, side)).collect::<Result<_, _>>()?,
        regular: input.regular_records(),
        times: evaluation.times()?.to_vec(),
        least,
        range,
        conditions: input.system.conditions(),
        starts: input.truth.starts.len(),
        symmetries: input.symmetries(),
        sites: input.truth_shape().sites(),
        pairs: PairsEvidence { shared: !input.train.disjoint, ..PairsEvidence::default() },
        equations: Vec::new(),
        calibrations: Vec::new(),
        trust: trust(context, &prediction)?,
        choices: Choices {
            seed: input.seed,
            equilibrium: input.evaluate.equilibrium,
            resamples: input.evaluate.resamples,
            discrepancy: input.evaluate.discrepancy,
        },
    })
}

fn other_size(context: &Context, side: usize) -> Result<OtherSize, StageError> {
    Ok(OtherSize { side, models: PredictionFile::open(context, Some(side))?.states(ModelKind::Ours)? })
}

fn trust(context: &Context, prediction: &PredictionFile<Reader>) -> Result<TrustEvidence, StageError> {
    let at_walls = context.input.model_kinds().into_iter().map(|kind| Ok((kind, prediction.at_walls(kind)?)));
    let coverage = |training: Training| {
        let HeldOut { pairs, within_90, distance } = training.held_out?;
        Some((training.kind, Coverage { pairs, within_90, distance }))
    };
    Ok(TrustEvidence {
        draws: prediction.draws()?,
        at_walls: at_walls.collect::<Result<_, StageError>>()?,
        held_out: trainings(context)?.into_iter().filter_map(coverage).collect(),
        two_steps: None,
    })
}

/// The training pairs (`latent.h5`, `pairs.h5`).
///
/// # Errors
/// When a file is missing or has another layout.
pub fn pairs(context: &Context) -> Result<PairsEvidence, StageError> {
    let input = context.input;
    let pairs = LatentFile::open(context)?.pairs(context, ModelKind::Ours, 0..input.pairs())?;
    let increment = pairs.increment.mapv(f64::from);
    let pairs = pairs.without_deviations(&Alone)?;
    let (times, drawn) = (input.small_schedule().times_kept(), input.patches_drawn());
    let upsampled = input.simulate.trajectories * times.len();
    let age = |pair: usize| match pair / drawn {
        snapshot if snapshot < upsampled => times[snapshot % times.len()],
        _ => f64::NAN,
    };
    Ok(PairsEvidence {
        age: (0..input.pairs()).map(age).collect(),
        count: input.pairs(),
        state: pairs.z.mapv(f64::from),
        increment,
        quiet: pairs.quiet_increment(&Alone)?.mapv(f64::from),
        duration: pairs.dt.mapv(f64::from),
        word: pairs.trajectory.mapv(|trajectory| input.word_of(trajectory as usize) as u32),
        patches: input.patches(),
        copies: input.copies(),
        of_simulated_size: input.truth_shape() == input.large_shape(),
        shared: !input.train.disjoint,
    })
}
