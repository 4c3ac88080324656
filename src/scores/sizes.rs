//! Equilibrium of the systems of other sizes that our models predict without a direct simulation.

use super::{Evidence, Key, ModelKind, Score, equilibrium::mean_and_spread, models::over_models};
use crate::evaluation::{EvaluationError, Metric, Metrics};
use ndarray::Axis;

/// `equilibrium_<observable>_side_<side>` and `spread_<observable>_side_<side>`, under each condition of a family.
pub struct Sizes;

/// The name of a quantity of an observable of systems with this side.
pub fn of_side(quantity: &str, observable: &str, side: usize) -> Key {
    Key::new(format!("{quantity}_{observable}_side_{side}"))
}

impl Score for Sizes {
    fn score(&self, evidence: &Evidence, kind: ModelKind, metrics: &mut Metrics) -> Result<(), EvaluationError> {
        let sizes = evidence.sizes.iter().filter(|_| kind == ModelKind::Ours);
        for size in sizes {
            let finite = |trajectory: ndarray::ArrayView2<f64>| trajectory.iter().all(|value| value.is_finite());
            let of_model = |model: ndarray::ArrayView3<f64>| {
                model.axis_iter(Axis(0)).filter(|&trajectory| !finite(trajectory)).count()
            };
            let left_out: usize = size.models.outer_iter().map(of_model).sum();
            for condition in 0..evidence.conditions.len() {
                for (component, observable) in evidence.observables.iter().enumerate() {
                    let of_model =
                        |model| mean_and_spread(&evidence.equilibrium(model, component, condition), observable.unit);
                    let found: Vec<[Metric; 2]> = size.models.outer_iter().map(of_model).collect();
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
