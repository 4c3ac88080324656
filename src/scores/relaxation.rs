//! Errors of the relaxation: mean trajectories are compared at every record until the end of the relaxation. The
//! published score averages over all times, most of which are equilibrium.

use super::{Evidence, Key, MetricTable, ModelKind, Score, group, models::over_models};
use crate::evaluation::{
    EvaluationError, Metric, Metrics, Observable,
    trajectories::{MeanAndSpread, mean_and_spread},
};
use ndarray::Array3;

/// Root mean square difference between the mean trajectories of model and truth over starts and times, in the units of
/// training, for each observable and for all. Further metrics are the value for two ensembles of the truth
/// (`..._noise_floor`), the difference in standard errors (`relaxation_z`, 1 for a perfect model), and the mean ratio
/// of the spreads.
pub struct Relaxation;

/// Share of an observable's largest distance from equilibrium that counts as relaxed.
const RELAXED: f64 = 0.05;

impl Score for Relaxation {
    fn score(&self, evidence: &Evidence, kind: ModelKind, metrics: &mut Metrics) -> Result<(), EvaluationError> {
        let truth = evidence.scaled(evidence.truth.view());
        let of_groups = |ensemble: &Array3<f64>| -> Vec<MeanAndSpread> {
            let each = (0..evidence.groups()).map(|index| group(ensemble.view(), index, evidence.groups()));
            each.map(mean_and_spread).collect()
        };
        let truth = of_groups(&truth);
        let observables = evidence.observables.len();
        let Some(last) = (0..observables).filter_map(|component| end(&truth, component)).max() else { return Ok(()) };
        let mut found = vec![[const { Vec::new() }; 4]; observables + 1];
        for model in evidence.of(kind).outer_iter() {
            let prediction = of_groups(&evidence.scaled(model));
            for (index, found) in found.iter_mut().enumerate() {
                let components = if index < observables { index..index + 1 } else { 0..observables };
                let values = compared(&truth, &prediction, components, last);
                found.iter_mut().zip(values).for_each(|(all, value)| all.push(Metric::exact(value, last, "1")));
            }
        }
        for (index, [error, floor, z, ratio]) in found.into_iter().enumerate() {
            let key = |name: &'static str| match evidence.observables.get(index) {
                Some(observable) => Key::new(name).of(observable.name).by(kind),
                None => Key::new(name).by(kind),
            };
            metrics.insert(key("relaxation_error"), over_models(&error, "1"));
            metrics.insert(key("relaxation_z"), over_models(&z, "1"));
            metrics.insert(key("relaxation_spread_ratio"), over_models(&ratio, "1"));
            if kind == ModelKind::Ours {
                metrics.insert(key("relaxation_error_noise_floor"), floor[0].clone());
            }
        }
        Ok(())
    }

    fn tables(&self, observables: &[Observable]) -> Vec<MetricTable> {
        let names = ["relaxation_error", "relaxation_error_noise_floor", "relaxation_z", "relaxation_spread_ratio"];
        let of_each = observables.iter().map(|observable| format!("relaxation_error_{}", observable.name));
        vec![MetricTable {
            title: "Relaxation at each point",
            caption: "Root mean square difference between the mean trajectories of model and truth until the truth is \
                      relaxed. Noise floor: the same for two ensembles of the truth. z: the difference in standard \
                      errors. The last ratio is that of the spreads.",
            look_for: "errors near the noise floor, and z and the ratio of the spreads near 1.",
            metrics: names.map(str::to_owned).into_iter().chain(of_each).collect(),
        }]
    }
}

/// The last record at which the mean of a component in some group is away from its equilibrium, the mean over the later
/// half. `None` if nothing relaxes.
pub(super) fn end(groups: &[MeanAndSpread], component: usize) -> Option<usize> {
    let distances: Vec<Vec<f64>> = groups
        .iter()
        .map(|ensemble| {
            let mean = ensemble.mean.column(component);
            let equilibrium = mean.iter().skip(mean.len() / 2).sum::<f64>() / mean.len().div_ceil(2) as f64;
            mean.iter().map(|value| (value - equilibrium).abs()).collect()
        })
        .collect();
    let largest = distances.iter().flatten().copied().fold(0.0, f64::max);
    let away = |distances: &Vec<f64>| distances.iter().rposition(|&distance| distance > RELAXED * largest);
    distances.iter().filter_map(away).max().filter(|&record| record > 0)
}

/// Root mean square difference, its noise floor, root mean square difference in standard errors, and ratio of the
/// spreads (root mean squares, which do not depend on the number of trajectories), over all groups, these components
/// and the records 1 to `last`.
pub(super) fn compared(
    truth: &[MeanAndSpread],
    prediction: &[MeanAndSpread],
    components: std::ops::Range<usize>,
    last: usize,
) -> [f64; 4] {
    let (mut sums, mut count) = ([0.0; 5], 0.0);
    for (truth, found) in truth.iter().zip(prediction) {
        let [of_truth, of_found] = [truth, found].map(|ensemble| ensemble.trajectories as f64);
        for at in components.clone().flat_map(|component| (1..=last).map(move |record| [record, component])) {
            let difference = found.mean[at] - truth.mean[at];
            let [true_square, square] = [truth, found].map(|ensemble| ensemble.spread[at].powi(2));
            let floor = true_square * (1.0 / of_truth + 1.0 / of_found);
            let variance = truth.variance_of_difference(found, at);
            if variance > 0.0 {
                let more = [difference.powi(2), floor, difference.powi(2) / variance, square, true_square];
                sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
                count += 1.0;
            }
        }
    }
    let [error, floor, z, square, true_square] = sums.map(|sum| sum / count);
    [error, floor, z, square / true_square].map(f64::sqrt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    /// Ten trajectories with mean exp(-t / 10) + `shift`.
    fn ensemble(shift: f64, spread: f64) -> Vec<MeanAndSpread> {
        let mean = Array2::from_shape_fn((101, 1), |(time, _)| (-0.1 * time as f64).exp() + shift);
        vec![MeanAndSpread { spread: Array2::from_elem((101, 1), spread), mean, trajectories: 10, diverged: 0 }]
    }

    #[test]
    fn a_shift_of_the_mean_is_seen_in_units_of_the_noise() {
        let truth = ensemble(0.0, 0.1);
        // exp(-t / 10) > 0.05 until t = 29; the mean over the later half is below 0.001.
        let last = end(&truth, 0).unwrap();
        assert!((29..=30).contains(&last), "{last}");
        let floor = 0.1 * (2.0_f64 / 10.0).sqrt();
        let [error, found, z, ratio] = compared(&truth, &ensemble(0.2, 0.1), 0..1, last);
        assert!((error - 0.2).abs() < 1e-12 && (found - floor).abs() < 1e-12 && (z - 0.2 / floor).abs() < 1e-9);
        assert!((ratio - 1.0).abs() < 1e-12);
        assert!((compared(&truth, &ensemble(0.0, 0.2), 0..1, last)[3] - 2.0).abs() < 1e-12);
        assert_eq!(end(&[], 0), None);
    }
}
