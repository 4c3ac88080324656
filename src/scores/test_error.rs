//! The published score: relative square error of the mean trajectory (arXiv 2511.12842, figures 4 and 9) in the units
//! of training, over all latent components and over the observables alone.

use super::{Evidence, Key, MetricTable, ModelKind, Score, group, models::over_models};
use crate::evaluation::{Diverged, EvaluationError, Metric, Metrics, Observable, trajectories::test_error};
use ndarray::{Array3, Axis};

/// The error of the mean trajectory, averaged over times and starts.
pub struct PublishedTestError;

impl Score for PublishedTestError {
    fn score(&self, evidence: &Evidence, kind: ModelKind, metrics: &mut Metrics) -> Result<(), EvaluationError> {
        let (groups, choices, models) = (evidence.groups(), evidence.choices, evidence.of(kind));
        let truth = evidence.scaled_regular(evidence.truth.view());
        let predictions: Vec<Array3<f64>> = models.outer_iter().map(|model| evidence.scaled_regular(model)).collect();
        let all: Vec<usize> = (0..truth.len_of(Axis(2))).collect();
        let (mut diverged, mut of_truth) = (0, Diverged::default());
        for (name, components) in
            [("test_error", &all[..]), ("test_error_observables", &all[..evidence.observables.len()])]
        {
            let error = |model: &Array3<f64>| {
                let sides: Vec<_> = (0..groups)
                    .map(|index| (group(truth.view(), index, groups), group(model.view(), index, groups)))
                    .collect();
                test_error(&sides, &evidence.truth_word, components, choices.resamples, choices.seed)
            };
            let scores = predictions.iter().map(error).collect::<Result<Vec<_>, _>>()?;
            let errors: Vec<Metric> = scores.iter().map(|score| score.error.clone()).collect();
            metrics.insert(Key::new(name).by(kind), over_models(&errors, "1"));
            if kind == ModelKind::Ours {
                metrics.insert(format!("{name}_noise_floor"), scores[0].noise_floor.clone());
            }
            diverged = scores.iter().map(|score| score.diverged.prediction).sum();
            of_truth = scores[0].diverged;
        }
        let trajectories = models.len_of(Axis(0)) * models.len_of(Axis(1));
        metrics.insert(Key::new("diverged").by(kind), Metric::exact(diverged as f64, trajectories, "trajectories"));
        let of_truth = Metric::exact(of_truth.truth as f64, of_truth.truth_of, "trajectories");
        metrics.insert(Key::new("diverged").of_truth(), of_truth);
        Ok(())
    }

    fn tables(&self, _: &[Observable]) -> Vec<MetricTable> {
        let metrics = [
            "test_error",
            "test_error_baseline",
            "test_error_observables",
            "test_error_noise_floor",
            "diverged",
            "diverged_baseline",
            "diverged_truth",
        ];
        vec![MetricTable {
            title: "Test error at each point",
            caption: "Relative error of the mean trajectory, averaged over the initial states. Standard errors are \
                      those between training seeds, or from a bootstrap for a single seed. Noise floor: the error \
                      between two ensembles of one law.",
            look_for: "errors well above the noise floor.",
            metrics: metrics.map(str::to_owned).into(),
        }]
    }
}
