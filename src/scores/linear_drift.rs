//! Equations of one component: dz = (a z + b) dt + c dB.

use super::{Evidence, Key, LearnedEquation, MetricTable, ModelKind, Score, models::over_models};
use crate::evaluation::{EvaluationError, Metric, Metrics, Observable, fit::polynomial_fit};

/// Least-squares fit a z + b to the learned drift at the states of the pairs, and the mean noise c, in physical units.
/// Only for equations of one component.
pub struct LinearDriftFit;

/// Names of a, b and c.
const NAMES: [&str; 3] = ["drift_slope", "drift_at_zero", "noise"];

impl Score for LinearDriftFit {
    fn of_trajectories(&self) -> bool {
        false
    }

    fn score(&self, evidence: &Evidence, kind: ModelKind, metrics: &mut Metrics) -> Result<(), EvaluationError> {
        let count = evidence.pairs.count;
        let mut found = [Vec::new(), Vec::new(), Vec::new()];
        for LearnedEquation { z, drift, noise, .. } in evidence.equations.iter().filter(|one| one.kind == kind) {
            let fit = polynomial_fit(z, drift, None, 1)?;
            let mean = noise.iter().sum::<f64>() / noise.len() as f64;
            found[0].push(Metric::exact(fit.coefficients[1], count, "1 / time"));
            found[1].push(Metric::exact(fit.value_at(0.0).0, count, "1 / time"));
            found[2].push(Metric::exact(mean, count, "1 / sqrt(time)"));
        }
        for (name, each) in NAMES.into_iter().zip(found).filter(|(_, each)| !each.is_empty()) {
            metrics.insert(Key::new(name).by(kind), over_models(&each, &each[0].unit));
        }
        Ok(())
    }

    fn tables(&self, _: &[Observable]) -> Vec<MetricTable> {
        vec![MetricTable {
            title: "Equations of one component",
            caption: "dz = (a z + b) dt + c dB: slope a and offset b of a linear fit to the learned drift, and mean \
                      learned noise c.",
            look_for: "agreement with theory.",
            metrics: NAMES.map(str::to_owned).into(),
        }]
    }
}
