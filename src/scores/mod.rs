//! Scores: truth and predictions in, metrics out.

mod discrepancy;
mod equilibrium;
mod line;
mod magnet;
mod models;

use crate::{
    config::models::ModelKind,
    evaluation::{Metric, Metrics, trajectories::test_error},
    files::{
        ensembles::Ensembles,
        trainings::{Training, trainings},
    },
    systems::Observable,
    workflow::{Context, StageError},
};
use discrepancy::discrepancies;
use equilibrium::{deviation, equilibria};
use line::line;
use magnet::{equilibrium_of_pairs, magnet};
use models::over_models;
use ndarray::{Array4, Axis};

pub fn metrics(context: &Context, observables: &[Observable]) -> Result<Metrics, StageError> {
    let input = context.input;
    let ensembles = Ensembles::read(context)?;
    let mut metrics = Metrics::new();
    for (kind, models) in &ensembles.predictions {
        let suffix = if *kind == ModelKind::Ours { String::new() } else { format!("_{kind}") };
        test_errors(context, &mut metrics, &ensembles, models, observables.len(), &suffix)?;
        for condition in 0..input.system.conditions().len().max(1) {
            equilibria(context, &mut metrics, &ensembles, models, observables, (condition, &suffix));
        }
        deviation(&mut metrics, input, observables, &suffix);
        insert(context, &mut metrics, &ensembles, (*kind, models), observables)?;
    }
    for Training { kind, seed, calibration, .. } in trainings(context)? {
        for (component, variance) in calibration.into_iter().enumerate() {
            let name = format!("calibration_{kind}_seed_{seed}_component_{component}");
            metrics.insert(name, Metric::exact(variance, input.pairs(), "1"));
        }
    }
    Ok(metrics)
}

/// The test error over all latent components and over observables alone; between-seed errors with several models.
fn test_errors(
    context: &Context,
    metrics: &mut Metrics,
    ensembles: &Ensembles,
    models: &Array4<f64>,
    observables: usize,
    suffix: &str,
) -> Result<(), StageError> {
    let input = context.input;
    let groups = input.truth_groups();
    let all: Vec<usize> = (0..ensembles.truth.len_of(Axis(2))).collect();
    let mut diverged = 0;
    for (name, components) in [("test_error", &all[..]), ("test_error_observables", &all[..observables])] {
        let scores = models
            .outer_iter()
            .map(|model| {
                let sides: Vec<_> = (0..groups)
                    .map(|group| {
                        let truth = Ensembles::group(ensembles.truth.view(), group, groups);
                        (truth, Ensembles::group(model, group, groups))
                    })
                    .collect();
                Ok(test_error(&sides, components, input.evaluate.resamples, input.seed)?)
            })
            .collect::<Result<Vec<_>, StageError>>()?;
        metrics.insert(
            format!("{name}{suffix}"),
            over_models(&scores.iter().map(|score| score.error.clone()).collect::<Vec<_>>(), "1"),
        );
        if suffix.is_empty() {
            metrics.insert(format!("{name}_noise_floor"), scores[0].noise_floor.clone());
        }
        diverged = scores.iter().map(|score| score.diverged.prediction).sum();
    }
    let trajectories = models.len_of(Axis(0)) * models.len_of(Axis(1));
    metrics.insert(format!("diverged{suffix}"), Metric::exact(diverged as f64, trajectories, "trajectories"));
    Ok(())
}

/// Adds the scores that apply to the models of one kind, and those of the truth beside ours.
///
/// # Errors
/// When a file cannot be read or the ensembles do not fit each other.
fn insert(
    context: &Context,
    metrics: &mut Metrics,
    ensembles: &Ensembles,
    (kind, models): (ModelKind, &Array4<f64>),
    observables: &[Observable],
) -> Result<(), StageError> {
    if context.input.evaluate.discrepancy {
        discrepancies(context, metrics, ensembles, (kind, models), observables.len())?;
    }
    if let Some(component) = observables.iter().position(|observable| observable.name == "magnetisation") {
        magnet(context, metrics, ensembles, (kind, models), component);
        if kind == ModelKind::Ours {
            equilibrium_of_pairs(context, metrics, component)?;
        }
    }
    if ensembles.truth.len_of(Axis(2)) == 1 && context.input.system.conditions().is_empty() {
        line(context, metrics, kind)?;
    }
    Ok(())
}
