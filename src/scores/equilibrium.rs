//! Equilibrium of each observable: means, spreads and distances of distributions in the last part of all trajectories.

use super::{
    Evidence, Key, MetricTable, ModelKind, Score,
    models::{over_models, parts},
};
use crate::evaluation::{EvaluationError, Metric, Metrics, Observable, Symmetry, distributions::distances};
use ndarray::{Array2, ArrayView1, Axis, concatenate, s};

/// Means, spreads and distances, at each condition and over all conditions.
pub struct Equilibrium;

/// The metrics of each observable.
const QUANTITIES: [&str; 4] = ["equilibrium", "spread", "wasserstein_1", "kolmogorov_smirnov"];

impl Score for Equilibrium {
    fn score(&self, evidence: &Evidence, kind: ModelKind, metrics: &mut Metrics) -> Result<(), EvaluationError> {
        for condition in 0..evidence.conditions.len() {
            at_condition(evidence, kind, condition, metrics);
        }
        deviation(evidence, kind, metrics);
        Ok(())
    }

    fn tables(&self, observables: &[Observable]) -> Vec<MetricTable> {
        let of_each = |quantity: &str| {
            let names = observables.iter().map(|observable| observable.name);
            names.flat_map(|name| ["", "_truth"].map(|source| format!("{quantity}_{name}{source}"))).collect()
        };
        vec![
            MetricTable {
                title: "Equilibrium means",
                caption: "Means over the equilibrium part of all trajectories, learned and direct.",
                look_for: "equal values within their errors.",
                metrics: of_each(QUANTITIES[0]),
            },
            MetricTable {
                title: "Equilibrium spreads",
                caption: "Standard deviations over the equilibrium part of all trajectories, learned and direct.",
                look_for: "equal values within their errors, which fall as one over the square root of the number of \
                           sites.",
                metrics: of_each(QUANTITIES[1]),
            },
        ]
    }
}

/// Means, spreads and distances of each observable at one condition. The true distribution combines the simulation with
/// its images under the symmetries of the law.
fn at_condition(evidence: &Evidence, kind: ModelKind, condition: usize, metrics: &mut Metrics) {
    let at = evidence.condition(condition);
    let mut changes = [Vec::new(), Vec::new()];
    for (component, observable) in evidence.observables.iter().enumerate() {
        let unit = observable.unit;
        let key = |quantity: &'static str| Key::new(quantity).of(observable.name).at(at);
        let sample_of = |component| evidence.true_equilibrium(component, condition);
        let truth = sample_of(component);
        if kind == ModelKind::Ours {
            for (quantity, metric) in QUANTITIES.into_iter().zip(mean_and_spread(&truth, unit)) {
                metrics.insert(key(quantity).of_truth(), metric);
            }
        }
        let models = evidence.of(kind).outer_iter();
        let samples: Vec<Array2<f64>> = models.map(|model| evidence.equilibrium(model, component, condition)).collect();
        changes[0].push(change(&[&truth]).abs());
        changes[1].push(change(&samples.iter().collect::<Vec<_>>()).abs());
        let law = with_images(&evidence.symmetries, component, &sample_of);
        let mut found: [Vec<Metric>; 4] = Default::default();
        for sample in &samples {
            let [mean, spread] = mean_and_spread(sample, unit);
            found[0].push(mean);
            found[1].push(spread);
            // An error means that every trajectory has diverged, so there is no distribution to compare.
            let (resamples, seed) = (evidence.choices.resamples, evidence.choices.seed);
            if let Ok(distance) = distances(law.view(), sample.view(), unit, resamples, seed) {
                found[2].push(distance.wasserstein_1);
                found[3].push(distance.kolmogorov_smirnov);
            }
        }
        for (quantity, found) in QUANTITIES.into_iter().zip(found) {
            metrics.insert(key(quantity).by(kind), over_models(&found, unit));
        }
    }
    // NaN if every trajectory has diverged.
    let largest = |changes: Vec<f64>| changes.into_iter().reduce(|a, b| if b.is_nan() || b > a { b } else { a });
    let [of_truth, of_models] =
        changes.map(|all| Metric::exact(largest(all).unwrap_or(f64::NAN), evidence.observables.len(), "1"));
    let key = Key::new("equilibrium_change").at(at);
    if kind == ModelKind::Ours {
        metrics.insert(key.clone().of_truth(), of_truth);
    }
    metrics.insert(key.by(kind), of_models);
}

/// Distance of the equilibrium mean over all models from the true one, averaged over observables and conditions.
fn deviation(evidence: &Evidence, kind: ModelKind, metrics: &mut Metrics) {
    let mean =
        |distances: &[f64]| Metric::exact(distances.iter().sum::<f64>() / distances.len() as f64, distances.len(), "1");
    let mut all = Vec::new();
    for condition in 0..evidence.conditions.len() {
        let at = evidence.condition(condition);
        let value = |key: Key| metrics.get(&key.to_string()).map(|metric| metric.value);
        let distances = evidence.observables.iter().filter_map(|Observable { name, .. }| {
            let key = Key::new(QUANTITIES[0]).of(name).at(at);
            Some((value(key.clone().by(kind))? - value(key.of_truth())?).abs())
        });
        let distances: Vec<f64> = distances.collect();
        if at.is_some() {
            metrics.insert(Key::new("equilibrium_deviation").by(kind).at(at), mean(&distances));
        }
        all.extend(distances);
    }
    metrics.insert(Key::new("equilibrium_deviation").by(kind), mean(&all));
}

/// Mean over the later half of all times minus mean over the earlier half, without diverged trajectories. NaN if all
/// have diverged.
fn change(samples: &[&Array2<f64>]) -> f64 {
    let half = |row: ArrayView1<f64>| {
        let (early, late) = row.split_at(Axis(0), row.len() / 2);
        late.mean().unwrap_or(f64::NAN) - early.mean().unwrap_or(f64::NAN)
    };
    let rows = samples.iter().flat_map(|sample| sample.rows());
    let changes: Vec<f64> = rows.map(half).filter(|change| change.is_finite()).collect();
    changes.iter().sum::<f64>() / changes.len() as f64
}

/// Trajectories, each followed in time by its images, which have the same law. They sample a distribution between whose
/// parts few trajectories pass. `ensemble` returns the equilibrium sample of a component.
fn with_images(symmetries: &[Symmetry], component: usize, sample: &dyn Fn(usize) -> Array2<f64>) -> Array2<f64> {
    let mut images: Vec<(usize, f64)> = Vec::new();
    for symmetry in symmetries {
        // Every image occurs equally often in a group: once is enough.
        let image = (symmetry.permutation[component], symmetry.signs[component]);
        if !images.contains(&image) {
            images.push(image);
        }
    }
    let all: Vec<Array2<f64>> = images.into_iter().map(|(from, sign)| sign * sample(from)).collect();
    let views: Vec<_> = all.iter().map(|one| one.view()).collect();
    concatenate(Axis(1), &views).expect("an image has the extents of the original")
}

/// Mean and standard deviation over rows and times, without diverged rows. The errors are those between rows, which are
/// trajectories or words of them, or between parts of rows.
pub(super) fn mean_and_spread(sample: &Array2<f64>, unit: &str) -> [Metric; 2] {
    let parts = parts(sample);
    let finite = sample.rows().into_iter().filter(|row| row.iter().all(|value| value.is_finite()));
    let length = sample.ncols() / parts;
    let blocks: Vec<_> = finite
        .flat_map(|row| (0..parts).map(move |part| row.slice_move(s![part * length..(part + 1) * length])))
        .collect();
    let over = |value: &dyn Fn(f64) -> f64| {
        let means: Vec<f64> =
            blocks.iter().map(|block| block.iter().map(|&one| value(one)).sum::<f64>() / length as f64).collect();
        Metric::mean_of(&means, unit)
    };
    let mean = over(&|value| value);
    let square = over(&|value| (value - mean.value).powi(2));
    let spread = square.value.sqrt();
    let error = square.std_error.map(|error| error / (2.0 * spread));
    let spread = Metric::new(spread, error, square.samples, unit);
    [mean, spread]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_grows_changes_between_its_halves() {
        let growing = Array2::from_shape_fn((2, 100), |(_, time)| 0.02 * time as f64);
        let lost = Array2::from_elem((1, 100), f64::NAN);
        assert!((change(&[&growing, &lost]) - 1.0).abs() < 1e-12);
        assert_eq!(change(&[&Array2::ones((3, 7))]), 0.0);
        assert!(change(&[&lost]).is_nan(), "what has diverged does not stand still");
    }

    /// Two observables that a symmetry exchanges and a third one that it keeps.
    #[test]
    fn a_sample_with_its_images_holds_each_image_once() {
        let exchange = Symmetry { permutation: vec![1, 0, 2], signs: vec![-1.0, -1.0, 1.0] };
        let group = Symmetry::group(&[exchange, Symmetry::of_signs(&[1.0, 1.0, -1.0])], 3);
        let sample = |component: usize| Array2::from_elem((1, 1), 1.0 + component as f64);
        assert_eq!(with_images(&group, 0, &sample), ndarray::array![[1.0, -2.0]]);
        assert_eq!(with_images(&group, 2, &sample), ndarray::array![[3.0, -3.0]]);
    }

    #[test]
    fn few_trajectories_get_their_errors_from_their_parts() {
        let sample = Array2::from_shape_fn((2, 400), |(row, time)| 3.0 + 0.1 * row as f64 + [1.0, -1.0][time % 2]);
        let [mean, spread] = mean_and_spread(&sample, "1");
        assert!((mean.value - 3.05).abs() < 1e-12 && mean.samples == 8);
        assert!((mean.std_error.unwrap() - 0.05 / 7.0_f64.sqrt()).abs() < 1e-12);
        assert!((spread.value - (1.0 + 0.05_f64.powi(2)).sqrt()).abs() < 1e-12);
        assert_eq!(mean_and_spread(&Array2::ones((8, 4)), "1")[0].samples, 8, "many trajectories stay whole");
    }
}
