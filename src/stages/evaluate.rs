//! Metrics of prediction against truth (`metrics.json`), and the truth in latent coordinates (`evaluation.h5`).

use super::{
    Context, Stage, StageError, conditions,
    latent::{Scaling, latent_states, scaling},
    scores,
    train::{Training, kinds, trainings},
};
use crate::{
    config::Input,
    dataset::{Field, Reader},
    evaluation::{Metric, Metrics, distributions::distances, trajectories::test_error},
    learning::{Closure, Feature},
    parallel::Ranks,
    systems::{Observable, System},
};
use hdf5::H5Type;
use ndarray::{Array2, Array3, Array4, ArrayView1, ArrayView3, Axis, concatenate, s};

/// Parts that the equilibrium of a trajectory is cut into where there are fewer trajectories than [`FEW`]: their scatter
/// gives the errors then, which are right where a part is longer than the memory of the system.
const PARTS: usize = 4;
const FEW: usize = 8;

/// Truth and predictions in scaled latent coordinates.
pub struct Ensembles {
    /// `[trajectory, record, component]`, trajectories grouped by start.
    pub truth: Array3<f64>,
    /// Name of the kind of model and `[model, trajectory, record, component]`.
    pub predictions: Vec<(&'static str, Array4<f64>)>,
    /// Times of the records.
    pub times: Vec<f64>,
    /// From raw to scaled coordinates.
    pub scaling: Scaling,
}

impl Ensembles {
    /// Reads what the stages before have written.
    ///
    /// # Errors
    /// When a file is missing or has another layout.
    pub fn read(context: &Context) -> Result<Self, StageError> {
        let evaluation = Reader::open(&context.path("evaluation.h5"))?;
        let prediction = Reader::open(&context.path("prediction.h5"))?;
        let predictions = kinds(context)
            .into_iter()
            .map(|(kind, _, _)| Ok((kind, prediction.read::<f32, ndarray::Ix4>(kind)?.mapv(f64::from))))
            .collect::<Result<_, StageError>>()?;
        Ok(Self {
            truth: evaluation.read::<f32, ndarray::Ix3>("truth")?.mapv(f64::from),
            predictions,
            times: evaluation.read::<f64, ndarray::Ix1>("time")?.to_vec(),
            scaling: scaling(context)?,
        })
    }

    /// The trajectories of group number `group` out of `groups` equal ones: those of a condition, or from a start.
    pub fn group(ensemble: ArrayView3<f64>, group: usize, groups: usize) -> ArrayView3<f64> {
        let trajectories = ensemble.len_of(Axis(0)) / groups;
        ensemble.slice_move(s![group * trajectories..(group + 1) * trajectories, .., ..])
    }

    /// One component in its physical unit over the last part of every trajectory, `[trajectory, record]`.
    pub fn equilibrium(&self, ensemble: ArrayView3<f64>, component: usize, part: f64) -> Array2<f64> {
        let records = ensemble.len_of(Axis(1));
        let first = records - ((records as f64 * part) as usize).clamp(1, records);
        let (offset, scale) = (self.scaling.offset[component], self.scaling.scale[component]);
        ensemble.slice(s![.., first.., component]).mapv(|value| offset + scale * value)
    }
}

/// Runs the stage.
///
/// # Errors
/// When a file cannot be read or written.
pub fn evaluate<S: System<Site: H5Type, Feature: Feature>>(context: &Context, _system: &S) -> Result<(), StageError> {
    encode_truth::<S>(context)?;
    if context.leads() {
        let metrics = metrics(context, S::OBSERVABLES)?;
        context.write_text("metrics.json", &serde_json::to_string_pretty(&metrics).unwrap_or_default())?;
    }
    Ok(())
}

fn encode_truth<S: System<Site: H5Type, Feature: Feature>>(context: &Context) -> Result<(), StageError> {
    let truth = Reader::open(&context.path("truth.h5"))?;
    let device = context.device()?;
    let closure = Closure::load(&context.path("closure.safetensors"), device)?;
    let scaling = scaling(context)?;
    let extents = truth.extents("observables")?;
    let share = context.world.share(extents[0]);
    let mut progress = context.progress("evaluate", share.len(), "trajectories");
    let components = extents[2] + closure.variables();
    let mut file = context.create(Stage::Evaluate, "evaluation.h5")?;
    file.declare::<f32>(Field {
        name: "truth",
        axes: &["trajectory", "record", "component"],
        extents: &[extents[0], extents[1], components],
        unit: "1",
        meaning: "scaled latent state z of the direct simulation",
    })?;
    let times: ndarray::Array1<f64> = truth.read("time")?;
    file.declare::<f64>(Field {
        name: "time",
        axes: &["record"],
        extents: &[extents[1]],
        unit: S::TIME_UNIT,
        meaning: "time of each record",
    })?;
    for trajectory in share {
        let items = trajectory..trajectory + 1;
        let observables = truth.read_items::<f64>("observables", items.clone())?;
        let observables = observables.into_dimensionality().expect("observables have three axes");
        let sites = || Ok(truth.read_items("snapshots", items)?);
        let states = latent_states::<S>(context, &closure, &scaling, observables, sites)?;
        file.write("truth", trajectory, states.view())?;
        progress.advance(1);
    }
    if context.leads() {
        file.write("time", 0, times.view())?;
    }
    Ok(file.finish()?)
}

fn metrics(context: &Context, observables: &[Observable]) -> Result<Metrics, StageError> {
    let input = context.input;
    let ensembles = Ensembles::read(context)?;
    let mut metrics = Metrics::new();
    for (kind, models) in &ensembles.predictions {
        let suffix = if *kind == "ours" { String::new() } else { format!("_{kind}") };
        test_errors(context, &mut metrics, &ensembles, models, observables.len(), &suffix)?;
        for condition in 0..input.system.conditions().len().max(1) {
            equilibria(context, &mut metrics, &ensembles, models, observables, (condition, &suffix));
        }
        deviation(&mut metrics, input, observables, &suffix);
        scores::insert(context, &mut metrics, &ensembles, (kind, models), observables)?;
    }
    for Training { kind, seed, calibration, .. } in trainings(context)? {
        for (component, variance) in calibration.into_iter().enumerate() {
            let name = format!("calibration_{kind}_seed_{seed}_component_{component}");
            metrics.insert(name, Metric::exact(variance, input.pairs(), "1"));
        }
    }
    Ok(metrics)
}

/// Means and distances of the equilibrium distributions of each observable under one condition. With several conditions
/// the names end in the condition. Where the law has a symmetry, its truth is that of the simulation and its mirror image.
fn equilibria(
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

/// The test error over all latent components and over observables alone; between-seed errors with several models.
fn test_errors(
    context: &Context,
    metrics: &mut Metrics,
    ensembles: &Ensembles,
    models: &Array4<f64>,
    observables: usize,
    suffix: &str,
) -> Result<(), StageError> {
    let input = context.input;
    let groups = input.truth_groups();
    let all: Vec<usize> = (0..ensembles.truth.len_of(Axis(2))).collect();
    let mut diverged = 0;
    for (name, components) in [("test_error", &all[..]), ("test_error_observables", &all[..observables])] {
        let scores = models
            .outer_iter()
            .map(|model| {
                let sides: Vec<_> = (0..groups)
                    .map(|group| {
                        let truth = Ensembles::group(ensembles.truth.view(), group, groups);
                        (truth, Ensembles::group(model, group, groups))
                    })
                    .collect();
                Ok(test_error(&sides, components, input.evaluate.resamples, input.seed)?)
            })
            .collect::<Result<Vec<_>, StageError>>()?;
        metrics.insert(
            format!("{name}{suffix}"),
            over_models(&scores.iter().map(|score| score.error.clone()).collect::<Vec<_>>(), "1"),
        );
        if suffix.is_empty() {
            metrics.insert(format!("{name}_noise_floor"), scores[0].noise_floor.clone());
        }
        diverged = scores.iter().map(|score| score.diverged.prediction).sum();
    }
    let trajectories = models.len_of(Axis(0)) * models.len_of(Axis(1));
    metrics.insert(format!("diverged{suffix}"), Metric::exact(diverged as f64, trajectories, "trajectories"));
    Ok(())
}

/// Mean over training seeds with the error between them; with one seed its own error.
pub fn over_models(found: &[Metric], unit: &str) -> Metric {
    match found {
        [one] => one.clone(),
        many => Metric::mean_of(&many.iter().map(|metric| metric.value).collect::<Vec<_>>(), unit),
    }
}

/// Mean over observables and conditions of the distance of the equilibrium mean over all models from that of the truth.
fn deviation(metrics: &mut Metrics, input: &Input, observables: &[Observable], suffix: &str) {
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

/// Parts of each trajectory whose scatter gives errors: one, the whole trajectory, where there are enough of them.
pub fn parts(sample: &Array2<f64>) -> usize {
    if sample.nrows() < FEW { PARTS.min(sample.ncols()) } else { 1 }
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
