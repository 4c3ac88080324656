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
/// on, over all observables, under each condition of a family. Each leaves out what diverged from its own start.
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
            let left_out = truth[index].diverged + models.iter().map(|model| model[index].diverged).sum::<usize>();
            for (name, column) in [("error", 0), ("z", 2), ("spread_ratio", 3)] {
                let values: Vec<Metric> = found.iter().map(|values| Metric::exact(values[column], last, "1")).collect();
                let key = Key::new(format!("relaxation_{name}_start_{start}")).by(kind).at(condition);
                metrics.insert(key, Metric { left_out, ..over_models(&values, "1") });
            }
        }
        Ok(())
    }

    fn of_trajectories(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        evaluation::{Observable, Symmetry},
        scores::{Choices, PairsEvidence, Relaxation, TrustEvidence, metrics},
    };
    use ndarray::{Array1, Array4, Axis};

    /// Two conditions, two starts, four trajectories of each, that relax within ten records.
    fn relaxing() -> Array3<f64> {
        Array3::from_shape_fn((16, 40, 1), |(trajectory, record, _)| {
            (1.0 + 0.1 * (trajectory % 4) as f64) * (-0.3 * record as f64).exp()
        })
    }

    fn evidence(truth: Array3<f64>, models: Array4<f64>) -> Evidence {
        Evidence {
            observables: &[Observable { name: "magnetisation", symbol: "M", unit: "1", scaled: false }],
            truth,
            truth_word: (0..16).collect(),
            models: vec![(ModelKind::Ours, models)],
            sizes: Vec::new(),
            times: (0..40).map(f64::from).collect(),
            regular: (0..40).collect(),
            least: Array1::zeros(1),
            range: Array1::ones(1),
            conditions: vec![2.0.into(), 3.0.into()],
            starts: 2,
            symmetries: Symmetry::group(&[], 1),
            sites: 64,
            pairs: PairsEvidence::default(),
            equations: Vec::new(),
            calibrations: Vec::new(),
            trust: TrustEvidence::default(),
            choices: Choices { seed: 1, equilibrium: 0.5, resamples: 20, discrepancy: false },
        }
    }

    #[test]
    fn a_start_leaves_out_its_own_losses_alone() {
        let (mut truth, one) = (relaxing(), relaxing().insert_axis(Axis(0)));
        let mut models = ndarray::concatenate![Axis(0), one, one];
        // Two of the first start under the first condition, and of both models one of the second under the second.
        truth[[0, 5, 0]] = f64::NAN;
        truth[[2, 39, 0]] = f64::INFINITY;
        models[[0, 13, 3, 0]] = f64::NAN;
        models[[1, 15, 4, 0]] = f64::NAN;
        let found = metrics(&evidence(truth, models), &[Box::new(RelaxationByStart), Box::new(Relaxation)]).unwrap();
        let expected = [("start_0_at_2", 2), ("start_1_at_2", 0), ("start_0_at_3", 0), ("start_1_at_3", 2)];
        for (ending, left_out) in expected {
            for name in ["error", "z", "spread_ratio"] {
                let metric = found.get(&format!("relaxation_{name}_{ending}")).unwrap();
                assert!(metric.left_out == left_out && metric.value.is_finite(), "{name}_{ending}: {metric:?}");
            }
        }
        assert_eq!(found.get("relaxation_error").unwrap().left_out, 4, "over all starts");
    }
}
