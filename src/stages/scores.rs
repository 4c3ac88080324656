//! Scores that only some systems have: discrepancy of ensembles, magnets near their critical point, linear equations.

use super::{
    Context, StageError,
    evaluate::{Ensembles, over_models, parts},
    latent::scaling,
    train::{model_file, pairs_of},
};
use crate::{
    dataset::Reader,
    evaluation::{
        Metric, Metrics,
        criticality::criticality,
        distributions::{distances, reversal_rate},
        fit::polynomial_fit,
        mmd::{average, mmd_against_time},
        stationary::{MagnetPair, criticality_of_pairs},
    },
    learning::{Sde, calibration},
    systems::{Observable, SystemInput},
};
use ndarray::{Array1, Array2, Array4, ArrayView1, ArrayView3, Axis};

/// What is measured of magnets.
const NAMES: [&str; 4] = ["absolute_magnetisation", "susceptibility", "binder", "reversal_rate"];
/// Most pairs that the line through a learned drift is fitted to.
const PAIRS: usize = 100_000;

/// Adds the scores that apply to the models of one kind, and those of the truth beside ours.
///
/// # Errors
/// When a file cannot be read or the ensembles do not fit each other.
pub fn insert(
    context: &Context,
    metrics: &mut Metrics,
    ensembles: &Ensembles,
    (kind, models): (&str, &Array4<f64>),
    observables: &[Observable],
) -> Result<(), StageError> {
    if context.input.evaluate.discrepancy {
        discrepancies(context, metrics, ensembles, (kind, models), observables.len())?;
    }
    if let Some(component) = observables.iter().position(|observable| observable.name == "magnetisation") {
        magnet(context, metrics, ensembles, (kind, models), component);
        if kind == "ours" {
            equilibrium_of_pairs(context, metrics, component)?;
        }
    }
    if ensembles.truth.len_of(Axis(2)) == 1 && context.input.system.conditions().is_empty() {
        line(context, metrics, kind)?;
    }
    Ok(())
}

fn suffix(kind: &str) -> String {
    if kind == "ours" { String::new() } else { format!("_{kind}") }
}

/// Mean discrepancy of the observables, scaled as for training, over times and starts, and that between halves of the truth.
fn discrepancies(
    context: &Context,
    metrics: &mut Metrics,
    ensembles: &Ensembles,
    (kind, models): (&str, &Array4<f64>),
    observables: usize,
) -> Result<(), StageError> {
    let groups = context.input.truth_groups();
    let components: Vec<usize> = (0..observables).collect();
    let between = |left: ArrayView3<f64>, right: ArrayView3<f64>| -> Result<Metric, StageError> {
        Ok(mmd_against_time(left, right, &components)?.mean_root)
    };
    let truth = |group| Ensembles::group(ensembles.truth.view(), group, groups);
    let mut found = Vec::new();
    for model in models.outer_iter() {
        let each = (0..groups)
            .map(|group| between(truth(group), Ensembles::group(model, group, groups)))
            .collect::<Result<Vec<_>, StageError>>()?;
        found.push(average(&each));
    }
    metrics.insert(format!("mmd{}", suffix(kind)), over_models(&found, "1"));
    if kind == "ours" {
        let halves = (0..groups)
            .map(|group| {
                let (left, right) = truth(group).split_at(Axis(0), truth(group).len_of(Axis(0)) / 2);
                between(left, right)
            })
            .collect::<Result<Vec<_>, StageError>>()?;
        metrics.insert("mmd_halves_of_truth", average(&halves));
    }
    Ok(())
}

/// Without the trajectories that are outside [-1, 1] at more than half of all times. The drift of a network is bounded, so that they do not end
/// in infinity, but they have diverged all the same.
fn within_range(sample: &Array2<f64>) -> Array2<f64> {
    let inside = |row: &ArrayView1<f64>| 2 * row.iter().filter(|value| value.abs() <= 1.0).count() >= row.len();
    let kept: Vec<usize> = (0..sample.nrows()).filter(|&number| inside(&sample.row(number))).collect();
    sample.select(Axis(0), &kept)
}

/// <|M|>, chi, Binder cumulant and reversal rate over the equilibrium part of the trajectories, how many of them hold an |M| above 1 or
/// no number at all, and how many do so for good and are left out.
fn magnet(
    context: &Context,
    metrics: &mut Metrics,
    ensembles: &Ensembles,
    (kind, models): (&str, &Array4<f64>),
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
    if kind == "ours" {
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
fn equilibrium_of_pairs(context: &Context, metrics: &mut Metrics, component: usize) -> Result<(), StageError> {
    let input = context.input;
    let Some(temperature) = temperature(&input.system).filter(|_| input.truth_shape() == input.large_shape()) else {
        return Ok(());
    };
    // M itself: the coordinates of the equation may be others.
    let latent = Reader::open(&context.path("latent.h5"))?;
    let source = Reader::open(&context.path("pairs.h5"))?;
    let scaling = scaling(context)?;
    let (offset, scale) = (scaling.offset[component], scaling.scale[component]);
    let state: Array2<f32> = latent.read("state")?;
    let increment: Array2<f32> = latent.read("increment")?;
    let duration: Array1<f64> = source.read("duration")?;
    let trajectory: Array1<u32> = source.read("trajectory")?;
    let pairs = (0..state.nrows()).map(|row| MagnetPair {
        magnetisation: offset + scale * f64::from(state[[row, component]]),
        increment: scale * f64::from(increment[[row, component]]),
        time: duration[row],
        trajectory: trajectory[row] as usize,
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

/// Of an equation of one component: the line a z + b through the learned drift at the states of the pairs, by least
/// squares, and the mean noise c, in physical units.
fn line(context: &Context, metrics: &mut Metrics, kind: &str) -> Result<(), StageError> {
    let input = context.input;
    let pairs = pairs_of(context, "increment", 0..input.pairs().min(PAIRS))?;
    let scaling = scaling(context)?;
    let (offset, scale) = (scaling.offset[0], scaling.scale[0]);
    let mut found = [Vec::new(), Vec::new(), Vec::new()];
    for &seed in &input.train.seeds {
        let model = Sde::load(&context.path(&model_file(kind, seed)), context.device()?)?;
        let drift = calibration::drift(&model, &pairs)?;
        let noise = calibration::noise(&model, &pairs)?;
        let z: Vec<f64> = pairs.z.iter().map(|&z| offset + scale * f64::from(z)).collect();
        let drift: Vec<f64> = drift.iter().map(|&drift| scale * f64::from(drift)).collect();
        let fit = polynomial_fit(&z, &drift, None, 1)?;
        let mean = noise.iter().map(|&noise| scale * f64::from(noise)).sum::<f64>() / noise.len() as f64;
        let count = input.pairs();
        found[0].push(Metric::exact(fit.coefficients[1], count, "1 / time"));
        found[1].push(Metric::exact(fit.value_at(0.0).0, count, "1 / time"));
        found[2].push(Metric::exact(mean, count, "1 / sqrt(time)"));
    }
    for (name, each) in ["drift_slope", "drift_at_zero", "noise"].into_iter().zip(found) {
        metrics.insert(format!("{name}{}", suffix(kind)), over_models(&each, &each[0].unit.clone()));
    }
    Ok(())
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
