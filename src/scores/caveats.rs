//! What the other scores cannot show: trajectories that are left out, and data in which nothing happens. Such scores
//! look perfect.

use super::{Evidence, Key, ModelKind, Score, Source, group};
use crate::evaluation::{EvaluationError, Metric, Metrics};

/// Numbers of training pairs (`no_event_pairs`) and of trajectories of the direct simulation (`no_event_truth`) whose
/// observables do not change at all.
pub struct Caveats;

impl Score for Caveats {
    fn of_trajectories(&self) -> bool {
        false
    }

    fn score(&self, evidence: &Evidence, kind: ModelKind, metrics: &mut Metrics) -> Result<(), EvaluationError> {
        if kind != ModelKind::Ours {
            return Ok(());
        }
        let observables = evidence.observables.len();
        let increments = evidence.pairs.increment.rows().into_iter();
        let still = increments.filter(|row| row.iter().take(observables).all(|change| *change == 0.0)).count();
        let key = Key::new("no_event");
        metrics.insert(
            key.clone().from_source(Source::Pairs),
            Metric::exact(still as f64, evidence.pairs.increment.nrows(), "pairs"),
        );
        for index in 0..evidence.conditions.len() {
            let truth = group(evidence.truth.view(), index, evidence.conditions.len());
            let rests =
                |records: &ndarray::ArrayView2<f64>| records.outer_iter().all(|record| record == records.row(0));
            let still = truth.outer_iter().filter(rests).count();
            let metric = Metric::exact(still as f64, truth.len_of(ndarray::Axis(0)), "trajectories");
            metrics.insert(key.clone().of_truth().at(evidence.condition(index)), metric);
        }
        Ok(())
    }
}

/// Standard errors from which on the data are said to be inconsistent.
const DRIFTS: f64 = 3.0;

/// Warnings that belong beside the metrics, wherever these are shown.
pub fn warnings(metrics: &Metrics) -> Vec<String> {
    let mut warnings = Vec::new();
    for (name, metric) in metrics.iter().filter(|(_, metric)| metric.value > 0.0) {
        let Metric { value, samples, .. } = metric;
        if let Some(kind) = name.strip_prefix("diverged") {
            let of = match kind {
                "_truth" => "the direct simulation",
                "_baseline" => "the baseline",
                _ => "the model",
            };
            warnings.push(format!(
                "{value} of {samples} trajectories of {of} left the finite numbers and are left out of the scores, which \
                 describe the survivors alone ({name} in metrics.json)"
            ));
        }
        if name.starts_with("no_event") && *value == *samples as f64 {
            warnings.push(format!(
                "nothing happens in any of the {samples} {} that {name} in metrics.json counts, so scores say nothing \
                 about the model. Raise the temperature, evolve longer, or correct the barriers and their reference",
                metric.unit
            ));
        }
        if name == "data_drift_z" && *value > DRIFTS {
            warnings.push(format!(
                "the upsampled states change otherwise than the small ones, by {value:.1} standard errors \
                 (data_drift_... in metrics.json); relax them longer, or choose another upsample.kind"
            ));
        }
    }
    warnings
}
