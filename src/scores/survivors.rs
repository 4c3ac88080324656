//! Marks the metrics that describe survivors alone: trajectories that diverged are left out of them.

use super::{Evidence, Key, ModelKind, group};
use crate::evaluation::Metrics;
use ndarray::{ArrayView3, Axis};

/// Endings of metrics that compare the direct simulation with itself.
const OF_TRUTH_ALONE: [&str; 3] = ["_truth", "_noise_floor", "_halves_of_truth"];

/// Metrics that count trajectories.
const COUNTS: [&str; 3] = ["diverged", "escaped", "outside_range"];

/// Writes into `Metric::left_out` of the metrics from `first` on how many trajectories their score leaves out. A
/// quantity that the direct simulation has as well (`..._truth`) is of the models alone; all others compare both.
pub fn mark(evidence: &Evidence, kind: ModelKind, first: usize, metrics: &mut Metrics) {
    let truth = |condition| diverged(evidence, evidence.truth.view(), condition);
    let models =
        |condition| evidence.of(kind).outer_iter().map(|model| diverged(evidence, model, condition)).sum::<usize>();
    if truth(None) + models(None) == 0 {
        return;
    }
    let names: Vec<String> = metrics.iter().skip(first).map(|(name, _)| name.to_owned()).collect();
    for name in names {
        let (base, condition) = without_condition(evidence, &name);
        let at = condition.and_then(|index| evidence.condition(index));
        let quantity = base.strip_suffix("_baseline").unwrap_or(base);
        let twin = Key::new(quantity.to_owned()).of_truth().at(at).to_string();
        let counts = COUNTS.iter().any(|count| quantity.starts_with(count));
        let left_out = if counts || base.ends_with("_pairs") {
            0
        } else if OF_TRUTH_ALONE.iter().any(|ending| base.ends_with(ending)) {
            truth(condition)
        } else if metrics.get(&twin).is_some() {
            models(condition)
        } else {
            truth(condition) + models(condition)
        };
        metrics.leave_out(&name, left_out);
    }
}

/// A name without its condition, and the index of that.
fn without_condition<'a>(evidence: &Evidence, name: &'a str) -> (&'a str, Option<usize>) {
    let ending = |index: usize| Some(format!("_at_{}", evidence.condition(index)?.key()));
    let found = |index: usize| Some((name.strip_suffix(&ending(index)?)?, Some(index)));
    (0..evidence.conditions.len()).find_map(found).unwrap_or((name, None))
}

/// Trajectories with a value that is not finite, at one condition or at all.
fn diverged(evidence: &Evidence, ensemble: ArrayView3<f64>, condition: Option<usize>) -> usize {
    let all = condition.map_or(ensemble, |index| group(ensemble, index, evidence.conditions.len()));
    all.axis_iter(Axis(0)).filter(|trajectory| !trajectory.iter().all(|value| value.is_finite())).count()
}
