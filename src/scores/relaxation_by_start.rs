//! The errors of the relaxation ([`super::Relaxation`]) from each start alone: where a model goes wrong.

use super::{
    Evidence, Key, ModelKind, Score, group,
    models::over_models,
    relaxation::{compared, end},
};
use crate::evaluation::{
    EvaluationError, Metric, Metrics,
    trajectories::{MeanAndSpread, mean_and_spread},
};
use ndarray::Array3;

/// `relaxation_error_start_0`, `relaxation_z_start_0` and `relaxation_spread_ratio_start_0` for the first start, and so
/// on, over all observables, under each condition of a family.
pub struct RelaxationByStart;

impl Score for RelaxationByStart {
    fn score(&self, evidence: &Evidence, kind: ModelKind, metrics: &mut Metrics) -> Result<(), EvaluationError> {
        let (groups, observables) = (evidence.groups(), evidence.observables.len());
        let of_groups = |ensemble: &Array3<f64>| -> Vec<MeanAndSpread> {
            (0..groups).map(|index| mean_and_spread(group(ensemble.view(), index, groups))).collect()
        };
        let truth = of_groups(&evidence.scaled(evidence.truth.view()));
        let Some(last) = (0..observables).filter_map(|component| end(&truth, component)).max() else { return Ok(()) };
        let models: Vec<_> = evidence.of(kind).outer_iter().map(|model| of_groups(&evidence.scaled(model))).collect();
        for index in 0..groups {
            let one = index..index + 1;
            let found: Vec<[f64; 4]> = models
                .iter()
                .map(|model| compared(&truth[one.clone()], &model[one.clone()], 0..observables, last))
                .collect();
            let (condition, start) = (evidence.condition(index / evidence.starts), index % evidence.starts);
            for (name, column) in [("error", 0), ("z", 2), ("spread_ratio", 3)] {
                let values: Vec<Metric> = found.iter().map(|values| Metric::exact(values[column], last, "1")).collect();
                let key = Key::new(format!("relaxation_{name}_start_{start}")).by(kind).at(condition);
                metrics.insert(key, over_models(&values, "1"));
            }
        }
        Ok(())
    }
}
