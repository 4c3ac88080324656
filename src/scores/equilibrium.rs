//! Means and distances of equilibrium distributions.

use crate::{
    config::Input,
    evaluation::{Metric, Metrics, distributions::distances},
    files::{conditions, ensembles::Ensembles},
    scores::models::{over_models, parts},
    systems::Observable,
    workflow::Context,
};
use ndarray::{Array2, Array4, ArrayView1, Axis, concatenate, s};

/// Means and distances of the equilibrium distributions of each observable under one condition. With several conditions
/// the names end in the condition. Where the law has a symmetry, its truth is that of the simulation and its mirror image.
pub fn equilibria(
    context: &Context,
    metrics: &mut Metrics,
    ensembles: &Ensembles,
    models: &Array4<f64>,
    observables: &[Observable],
    (condition, suffix): (usize, &str),
) {
    let (choices, seed) = (context.input.evaluate, context.input.seed);
    let conditions = context.input.system.conditions().len().max(1);
    let at = conditions::suffix(context.input, condition);
    let mut changes = [Vec::new(), Vec::new()];
    for (component, observable) in observables.iter().enumerate() {
        let (name, unit) = (observable.name, observable.unit);
        let sign = context.input.system.mirror().map_or(1.0, |signs| signs[component]);
        let sample = |ensemble| {
            let members = Ensembles::group(ensemble, condition, conditions);
            ensembles.equilibrium(members, component, choices.equilibrium)
        };
        let truth = sample(ensembles.truth.view());
        if suffix.is_empty() {
            let [mean, spread] = mean_and_spread(&truth, unit);
            metrics.insert(format!("equilibrium_{name}_truth{at}"), mean);
            metrics.insert(format!("spread_{name}_truth{at}"), spread);
        }
        let (mut means, mut spreads, mut wasserstein, mut kolmogorov) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        changes[0].push(change(&[&truth]).abs());
        let samples: Vec<Array2<f64>> = models.outer_iter().map(sample).collect();
        changes[1].push(change(&samples.iter().collect::<Vec<_>>()).abs());
        let law = with_mirror_image(truth, sign);
        for predicted in samples {
            let [mean, spread] = mean_and_spread(&predicted, unit);
            means.push(mean);
            spreads.push(spread);
            // Fails only when every trajectory has diverged: then there is no distribution to compare.
            if let Ok(found) = distances(law.view(), predicted.view(), unit, choices.resamples, seed) {
                wasserstein.push(found.wasserstein_1);
                kolmogorov.push(found.kolmogorov_smirnov);
            }
        }
        for (quantity, found) in [
            ("equilibrium", means),
            ("spread", spreads),
            ("wasserstein_1", wasserstein),
            ("kolmogorov_smirnov", kolmogorov),
        ] {
            metrics.insert(format!("{quantity}_{name}{suffix}{at}"), over_models(&found, unit));
        }
    }
    // Not a number where every trajectory has diverged.
    let largest = |changes: Vec<f64>| changes.into_iter().reduce(|a, b| if b.is_nan() || b > a { b } else { a });
    let [of_truth, of_models] =
        changes.map(|changes| Metric::exact(largest(changes).unwrap_or(f64::NAN), observables.len(), "1"));
    if suffix.is_empty() {
        metrics.insert(format!("equilibrium_change_truth{at}"), of_truth);
    }
    metrics.insert(format!("equilibrium_change{suffix}{at}"), of_models);
}

/// Mean over observables and conditions of the distance of the equilibrium mean over all models from that of the truth.
pub fn deviation(metrics: &mut Metrics, input: &Input, observables: &[Observable], suffix: &str) {
    let mean =
        |distances: &[f64]| Metric::exact(distances.iter().sum::<f64>() / distances.len() as f64, distances.len(), "1");
    let mut all = Vec::new();
    for condition in 0..input.system.conditions().len().max(1) {
        let at = conditions::suffix(input, condition);
        let value = |name: String| metrics.get(&name).map(|metric| metric.value);
        let distances = observables.iter().filter_map(|Observable { name, .. }| {
            let found = value(format!("equilibrium_{name}{suffix}{at}"))?;
            Some((found - value(format!("equilibrium_{name}_truth{at}"))?).abs())
        });
        let distances: Vec<f64> = distances.collect();
        if !at.is_empty() {
            metrics.insert(format!("equilibrium_deviation{suffix}{at}"), mean(&distances));
        }
        all.extend(distances);
    }
    metrics.insert(format!("equilibrium_deviation{suffix}"), mean(&all));
}

/// Mean over the later half of all times less that over the earlier one; trajectories that diverge are left out, and without any other
/// it is not a number.
fn change(samples: &[&Array2<f64>]) -> f64 {
    let half = |row: ArrayView1<f64>| {
        let (early, late) = row.split_at(Axis(0), row.len() / 2);
        late.mean().unwrap_or(f64::NAN) - early.mean().unwrap_or(f64::NAN)
    };
    let rows = samples.iter().flat_map(|sample| sample.rows());
    let changes: Vec<f64> = rows.map(half).filter(|change| change.is_finite()).collect();
    changes.iter().sum::<f64>() / changes.len() as f64
}

/// Trajectories, each followed in time by its mirror image, which has the same law: the way to know a distribution between
/// whose halves few trajectories pass. Just the trajectories when the component does not change its sign.
fn with_mirror_image(sample: Array2<f64>, sign: f64) -> Array2<f64> {
    if sign > 0.0 {
        return sample;
    }
    let image = -&sample;
    concatenate(Axis(1), &[sample.view(), image.view()]).expect("an image has the extents of the original")
}

/// Mean and standard deviation over trajectories and times, with errors between trajectories or parts of them. Trajectories that
/// diverge are left out.
fn mean_and_spread(sample: &Array2<f64>, unit: &str) -> [Metric; 2] {
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
