//! Scores of magnets near their critical point.

use crate::{
    config::models::ModelKind,
    evaluation::{
        Metric, Metrics,
        criticality::criticality,
        distributions::{distances, reversal_rate},
        stationary::{MagnetPair, criticality_of_pairs},
    },
    files::{ensembles::Ensembles, latent::LatentFile},
    scores::models::{over_models, parts, suffix},
    systems::SystemInput,
    workflow::{Context, StageError},
};
use ndarray::{Array2, Array4, ArrayView1, Axis};

/// What is measured of magnets.
const NAMES: [&str; 4] = ["absolute_magnetisation", "susceptibility", "binder", "reversal_rate"];

/// Without the trajectories that are outside [-1, 1] at more than half of all times. The drift of a network is bounded, so that they do not end
/// in infinity, but they have diverged all the same.
fn within_range(sample: &Array2<f64>) -> Array2<f64> {
    let inside = |row: &ArrayView1<f64>| 2 * row.iter().filter(|value| value.abs() <= 1.0).count() >= row.len();
    let kept: Vec<usize> = (0..sample.nrows()).filter(|&number| inside(&sample.row(number))).collect();
    sample.select(Axis(0), &kept)
}

/// <|M|>, chi, Binder cumulant and reversal rate over the equilibrium part of the trajectories, how many of them hold an |M| above 1 or
/// no number at all, and how many do so for good and are left out.
pub fn magnet(
    context: &Context,
    metrics: &mut Metrics,
    ensembles: &Ensembles,
    (kind, models): (ModelKind, &Array4<f64>),
    component: usize,
) {
    let (input, choices) = (context.input, context.input.evaluate);
    let Some(temperature) = temperature(&input.system) else { return };
    let sample = |ensemble| ensembles.equilibrium(ensemble, component, choices.equilibrium);
    let truth = sample(ensembles.truth.view());
    let threshold = 0.5 * truth.iter().map(|value| value.abs()).sum::<f64>() / truth.len() as f64;
    let sites = input.truth_shape().sites();
    let scores = |sample: &Array2<f64>| -> Vec<Metric> {
        let block = sample.ncols() / parts(sample);
        let none = || Metric::new(f64::NAN, None, 0, "1");
        let at = criticality(sample.view(), sites, temperature, block, choices.resamples, input.seed);
        let rate = reversal_rate(sample.view(), input.truth.interval, threshold, "time", choices.resamples, input.seed);
        // Both fail only when every trajectory has diverged.
        let at = at.map_or_else(|_| [none(), none(), none()], |at| [at.magnetisation, at.susceptibility, at.binder]);
        at.into_iter().chain([rate.unwrap_or_else(|_| none())]).collect()
    };
    if kind == ModelKind::Ours {
        for (name, metric) in NAMES.into_iter().zip(scores(&truth)) {
            metrics.insert(format!("{name}_truth"), metric);
        }
    }
    let outside = |values: ArrayView1<f64>| values.iter().any(|value| value.is_nan() || value.abs() > 1.0);
    let samples: Vec<Array2<f64>> = models.outer_iter().map(sample).collect();
    let strayed = samples.iter().flat_map(|sample| sample.rows()).filter(|row| outside(*row)).count();
    let trajectories = models.len_of(Axis(0)) * models.len_of(Axis(1));
    let name = format!("outside_range{}", suffix(kind));
    metrics.insert(name, Metric::exact(strayed as f64, trajectories, "trajectories"));
    let samples: Vec<Array2<f64>> = samples.iter().map(within_range).collect();
    let lost = trajectories - samples.iter().map(Array2::nrows).sum::<usize>();
    metrics.insert(format!("escaped{}", suffix(kind)), Metric::exact(lost as f64, trajectories, "trajectories"));
    let found: Vec<Vec<Metric>> = samples.iter().map(scores).collect();
    for (number, name) in NAMES.into_iter().enumerate() {
        let each: Vec<Metric> = found.iter().map(|scores| scores[number].clone()).collect();
        metrics.insert(format!("{name}{}", suffix(kind)), mean_of_models(&each));
    }
    let size = |sample: &Array2<f64>| sample.mapv(f64::abs);
    let of_size = size(&truth);
    let apart: Vec<Metric> = samples
        .iter()
        .filter_map(|sample| distances(of_size.view(), size(sample).view(), "1", choices.resamples, input.seed).ok())
        .map(|found| found.wasserstein_1)
        .collect();
    if !apart.is_empty() {
        metrics.insert(format!("wasserstein_1_absolute_magnetisation{}", suffix(kind)), over_models(&apart, "1"));
    }
}

/// <|M|>, chi, Binder cumulant and reversal rate of the law that the training pairs imply without a model, where the direct
/// simulation has their size. Models that share all pairs do not show the scatter of the data: its error, known from the pairs, joins theirs.
pub fn equilibrium_of_pairs(context: &Context, metrics: &mut Metrics, component: usize) -> Result<(), StageError> {
    let input = context.input;
    let Some(temperature) = temperature(&input.system).filter(|_| input.truth_shape() == input.large_shape()) else {
        return Ok(());
    };
    let pairs = LatentFile::open(context)?.pairs(context, ModelKind::Ours, 0..input.pairs())?;
    let pairs = (0..pairs.dt.len()).map(|row| MagnetPair {
        magnetisation: pairs.z[[row, component]].into(),
        increment: pairs.increment[[row, component]].into(),
        time: pairs.dt[row].into(),
        trajectory: pairs.trajectory[row] as usize,
    });
    let symmetric = input.system.mirror().is_some();
    let sites = input.truth_shape().sites();
    // Fails only where there are too few pairs to say anything.
    if let Ok(found) = criticality_of_pairs(pairs, input.patches(), symmetric, sites, temperature) {
        for (name, metric) in NAMES.into_iter().zip(found) {
            if let Some(mut learned) = metrics.get(name).cloned().filter(|_| !input.train.disjoint) {
                let errors = [learned.std_error, metric.std_error].into_iter().flatten();
                learned.std_error = errors.reduce(f64::hypot);
                metrics.insert(name, learned);
            }
            metrics.insert(format!("{name}_pairs"), metric);
        }
    }
    Ok(())
}

/// Mean over models. Its error is that between them, or what their own errors give where that is more: the scatter of a few
/// models can be small by chance, and exponents are fitted with these errors as weights.
fn mean_of_models(each: &[Metric]) -> Metric {
    let mut mean = over_models(each, &each[0].unit);
    let own: Option<f64> = each.iter().map(|metric| metric.std_error.map(|error| error * error)).sum();
    let own = own.map(|squares| squares.sqrt() / each.len() as f64);
    mean.std_error = [mean.std_error, own].into_iter().flatten().reduce(f64::max);
    mean
}

/// The temperature of a magnet; `None` of a family of several and of other systems.
fn temperature(system: &SystemInput) -> Option<f64> {
    match system {
        SystemInput::Ising(ising) if system.conditions().is_empty() => ising.temperature.all().first().copied(),
        SystemInput::CurieWeiss(magnet) => Some(magnet.temperature),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_physical_range_for_good_is_left_out() {
        let sample = ndarray::arr2(&[[0.9, 1.1, 0.9, 0.8], [0.9, 1.1, 4.0, 90.0], [0.5, f64::NAN, f64::NAN, f64::NAN]]);
        assert_eq!(within_range(&sample), ndarray::arr2(&[[0.9, 1.1, 0.9, 0.8]]));
    }
}
