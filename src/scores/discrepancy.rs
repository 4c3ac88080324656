//! Maximum mean discrepancy of the observables (A. Gretton et al., JMLR 13, 723, 2012), in the units of training.

use super::{Evidence, Key, MetricTable, ModelKind, Score, group, models::over_models};
use crate::evaluation::{
    EvaluationError, Metric, Metrics, Observable,
    mmd::{average, mmd_against_time},
};
use ndarray::{ArrayView3, Axis};

/// Mean discrepancy over times and starts, and that between two halves of the truth. Only if the input asks for it.
pub struct Discrepancy;

impl Score for Discrepancy {
    fn score(&self, evidence: &Evidence, kind: ModelKind, metrics: &mut Metrics) -> Result<(), EvaluationError> {
        if !evidence.choices.discrepancy {
            return Ok(());
        }
        let groups = evidence.groups();
        let components: Vec<usize> = (0..evidence.observables.len()).collect();
        let between = |left: ArrayView3<f64>, right: ArrayView3<f64>| -> Result<Metric, EvaluationError> {
            Ok(mmd_against_time(left, right, &components)?.mean_root)
        };
        let truth = evidence.scaled_regular(evidence.truth.view());
        let truth = |index| group(truth.view(), index, groups);
        let mut found = Vec::new();
        for model in evidence.of(kind).outer_iter() {
            let model = evidence.scaled_regular(model);
            let each = (0..groups).map(|index| between(truth(index), group(model.view(), index, groups)));
            found.push(average(&each.collect::<Result<Vec<_>, _>>()?));
        }
        metrics.insert(Key::new("mmd").by(kind), over_models(&found, "1"));
        if kind == ModelKind::Ours {
            let halves = (0..groups).map(|index| {
                let (left, right) = truth(index).split_at(Axis(0), truth(index).len_of(Axis(0)) / 2);
                between(left, right)
            });
            metrics.insert("mmd_halves_of_truth", average(&halves.collect::<Result<Vec<_>, _>>()?));
        }
        Ok(())
    }

    fn tables(&self, _: &[Observable]) -> Vec<MetricTable> {
        vec![MetricTable {
            title: "Discrepancy at each point",
            caption: "Maximum mean discrepancy of the scaled observables, averaged over times and initial states.",
            look_for: "values near the one between two halves of the truth.",
            metrics: ["mmd", "mmd_baseline", "mmd_halves_of_truth"].map(str::to_owned).into(),
        }]
    }
}
