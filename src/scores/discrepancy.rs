//! Maximum mean discrepancy of ensembles.

use crate::{
    config::models::ModelKind,
    evaluation::{
        Metric, Metrics,
        mmd::{average, mmd_against_time},
    },
    files::ensembles::Ensembles,
    scores::models::{over_models, suffix},
    workflow::{Context, StageError},
};
use ndarray::{Array4, ArrayView3, Axis};

/// Mean discrepancy of the observables, scaled as for training, over times and starts, and that between halves of the truth.
pub fn discrepancies(
    context: &Context,
    metrics: &mut Metrics,
    ensembles: &Ensembles,
    (kind, models): (ModelKind, &Array4<f64>),
    observables: usize,
) -> Result<(), StageError> {
    let groups = context.input.truth_groups();
    let components: Vec<usize> = (0..observables).collect();
    let between = |left: ArrayView3<f64>, right: ArrayView3<f64>| -> Result<Metric, StageError> {
        Ok(mmd_against_time(left, right, &components)?.mean_root)
    };
    let truth = |group| Ensembles::group(ensembles.truth.view(), group, groups);
    let mut found = Vec::new();
    for model in models.outer_iter() {
        let each = (0..groups)
            .map(|group| between(truth(group), Ensembles::group(model, group, groups)))
            .collect::<Result<Vec<_>, StageError>>()?;
        found.push(average(&each));
    }
    metrics.insert(format!("mmd{}", suffix(kind)), over_models(&found, "1"));
    if kind == ModelKind::Ours {
        let halves = (0..groups)
            .map(|group| {
                let (left, right) = truth(group).split_at(Axis(0), truth(group).len_of(Axis(0)) / 2);
                between(left, right)
            })
            .collect::<Result<Vec<_>, StageError>>()?;
        metrics.insert("mmd_halves_of_truth", average(&halves));
    }
    Ok(())
}
