//! Equilibrium of the systems of other sizes that our models predict without a direct simulation, and whether it matters
//! at which size models learn.

use super::{Evidence, Key, ModelKind, Score, equilibrium::mean_and_spread, models::over_models};
use crate::evaluation::{EvaluationError, Metric, Metrics, Observable};
use ndarray::Array2;

/// `equilibrium_<observable>_side_<side>` and `spread_<observable>_side_<side>`, under each condition of a family.
pub struct Sizes;

/// The name of a quantity of an observable of systems with this side.
pub fn of_side(quantity: &str, observable: &str, side: usize) -> Key {
    Key::new(format!("{quantity}_{observable}_side_{side}"))
}

/// Differences in the equilibrium of one system between models that learned at the largest and at the smallest of several
/// sides (`size_difference_<observable>`), and the largest of them in standard errors (`size_z`); with these two sides.
/// `None` without two sides, or where a mean has no error.
pub fn learned_sizes(models: &[(usize, &Metrics)], observables: &[Observable]) -> Option<(Metrics, [usize; 2])> {
    let (small, of_small) = models.iter().min_by_key(|(side, _)| *side)?;
    let (large, of_large) = models.iter().max_by_key(|(side, _)| *side)?;
    if small == large {
        return None;
    }
    let (mut found, mut most) = (Metrics::new(), 0.0_f64);
    for observable in observables {
        let key = Key::new("equilibrium").of(observable.name).to_string();
        let (small, large) = (of_small.get(&key)?, of_large.get(&key)?);
        let (difference, error) = (large.value - small.value, large.std_error?.hypot(small.std_error?));
        most = most.max(difference.abs() / error);
        let samples = small.samples.min(large.samples);
        let metric = Metric::new(difference, Some(error), samples, observable.unit);
        found.insert(Key::new("size_difference").of(observable.name), metric);
    }
    found.insert("size_z", Metric::exact(most, observables.len(), "1"));
    Some((found, [*small, *large]))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::{Ising, System};

    #[test]
    fn a_difference_between_sizes_is_seen_in_standard_errors() {
        let of = |mean: f64| {
            let mut metrics = Metrics::new();
            for observable in Ising::OBSERVABLES {
                metrics.insert(Key::new("equilibrium").of(observable.name), Metric::new(mean, Some(0.003), 3, "1"));
            }
            metrics
        };
        let (small, large) = (of(0.70), of(0.725));
        let (found, sides) = learned_sizes(&[(64, &large), (32, &small)], Ising::OBSERVABLES).unwrap();
        assert_eq!(sides, [32, 64]);
        let difference = found.get("size_difference_magnetisation").unwrap();
        assert!((difference.value - 0.025).abs() < 1e-12);
        assert!((found.get("size_z").unwrap().value - 0.025 / 0.003 / 2_f64.sqrt()).abs() < 1e-9);
        assert!(learned_sizes(&[(32, &small), (32, &large)], Ising::OBSERVABLES).is_none());
    }
}
