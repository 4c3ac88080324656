//! Equilibrium of the systems of other sizes that our models predict without a direct simulation.

use super::{Evidence, Key, ModelKind, Score, equilibrium::mean_and_spread, models::over_models};
use crate::evaluation::{EvaluationError, Metric, Metrics};
use ndarray::Array2;

/// `equilibrium_<observable>_side_<side>` and `spread_<observable>_side_<side>`, under each condition of a family.
pub struct Sizes;

/// The name of a quantity of an observable of systems with this side.
pub fn of_side(quantity: &str, observable: &str, side: usize) -> Key {
    Key::new(format!("{quantity}_{observable}_side_{side}"))
}

impl Score for Sizes {
    fn score(&self, evidence: &Evidence, kind: ModelKind, metrics: &mut Metrics) -> Result<(), EvaluationError> {
        for size in evidence.sizes.iter().filter(|_| kind == ModelKind::Ours) {
            for condition in 0..evidence.conditions.len() {
                for (component, observable) in evidence.observables.iter().enumerate() {
                    let models = size.models.outer_iter();
                    let samples: Vec<_> =
                        models.map(|model| evidence.equilibrium(model, component, condition)).collect();
                    let lost = |sample: &Array2<f64>| {
                        sample.rows().into_iter().filter(|row| !row.iter().all(|value| value.is_finite())).count()
                    };
                    let left_out = samples.iter().map(lost).sum();
                    let found: Vec<[Metric; 2]> =
                        samples.iter().map(|sample| mean_and_spread(sample, observable.unit)).collect();
                    for (index, quantity) in ["equilibrium", "spread"].into_iter().enumerate() {
                        let values: Vec<Metric> = found.iter().map(|of_model| of_model[index].clone()).collect();
                        let key = of_side(quantity, observable.name, size.side).at(evidence.condition(condition));
                        metrics.insert(key, Metric { left_out, ..over_models(&values, observable.unit) });
                    }
                }
            }
        }
        Ok(())
    }

    fn of_trajectories(&self) -> bool {
        false
    }
}
