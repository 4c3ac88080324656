//! Scores of magnets near their critical point: size, fluctuations and reversals of the magnetisation.

use super::{
    CriticalPoint, Evidence, Key, MetricTable, ModelKind, Score, Source,
    models::{over_models, parts},
};
use crate::evaluation::{
    EvaluationError, Metric, Metrics, Observable,
    criticality::criticality,
    distributions::{distances, reversal_rate},
    stationary::criticality_of_pairs,
};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

/// Scores of a magnetisation M in [-1, 1] at one temperature.
#[derive(Clone, Copy, Debug)]
pub struct Magnet {
    /// Index of the magnetisation among the observables.
    pub component: usize,
    /// Temperature (J = k_B = 1).
    pub temperature: f64,
    /// The critical point of the model, for the exponents of sweeps over sizes and temperatures.
    pub critical: Option<CriticalPoint>,
}

/// The metrics.
const NAMES: [&str; 4] = ["absolute_magnetisation", "susceptibility", "binder", "reversal_rate"];
/// The slowest rate of relaxation that the pairs imply.
const RELAXATION: &str = "slowest_rate";
/// Distance of the distributions of |M|.
const DISTANCE: &str = "wasserstein_1_absolute_magnetisation";

impl Score for Magnet {
    fn score(&self, evidence: &Evidence, kind: ModelKind, metrics: &mut Metrics) -> Result<(), EvaluationError> {
        let truth = evidence.true_equilibrium(self.component, 0);
        let threshold = 0.5 * truth.iter().map(|value| value.abs()).sum::<f64>() / truth.len() as f64;
        if kind == ModelKind::Ours {
            let trajectories = evidence.true_trajectories(self.component, 0);
            let found = self.of_sample(evidence, &truth, (trajectories.0.view(), trajectories.1), threshold);
            for (name, metric) in NAMES.into_iter().zip(found) {
                metrics.insert(Key::new(name).of_truth(), metric);
            }
        }
        let samples = self.kept(evidence, kind, metrics);
        let found: Vec<_> =
            samples.iter().map(|sample| self.of_sample(evidence, sample, (sample.view(), 1), threshold)).collect();
        for (index, name) in NAMES.into_iter().enumerate() {
            let each: Vec<Metric> = found.iter().map(|metrics| metrics[index].clone()).collect();
            metrics.insert(Key::new(name).by(kind), mean_of_models(&each));
        }
        let choices = evidence.choices;
        let size = |sample: &Array2<f64>| sample.mapv(f64::abs);
        let distances: Vec<Metric> = samples
            .iter()
            .filter_map(|one| {
                distances(size(&truth).view(), size(one).view(), "1", choices.resamples, choices.seed).ok()
            })
            .map(|found| found.wasserstein_1)
            .collect();
        if !distances.is_empty() {
            metrics.insert(Key::new(DISTANCE).by(kind), over_models(&distances, "1"));
        }
        if kind == ModelKind::Ours {
            self.of_pairs(evidence, metrics);
        }
        Ok(())
    }

    fn tables(&self, observables: &[Observable]) -> Vec<MetricTable> {
        let name = observables[self.component].name;
        let with = |endings: &[&str], names: &[&str]| -> Vec<String> {
            names.iter().flat_map(|name| endings.iter().map(move |ending| format!("{name}{ending}"))).collect()
        };
        let mut equilibrium = with(&["", "_baseline"], &[&format!("wasserstein_1_{name}")]);
        equilibrium.push(DISTANCE.into());
        equilibrium.extend(with(&["", "_baseline", "_truth", "_pairs"], &[NAMES[3]]));
        equilibrium.extend(with(&["", "_baseline"], &["outside_range", "escaped"]));
        vec![
            MetricTable {
                title: "Size and spread of the magnetisation",
                caption: "<|M|>, susceptibility and Binder cumulant of the learned model, of the direct simulation and \
                          of the training pairs. The values of the pairs follow from the ratio of their drift and \
                          variance at each M, without a model.",
                look_for: "equal values. If the pairs differ from the direct simulation, the cause is in the data. If \
                           the model differs from the pairs, the cause is in the training.",
                metrics: with(&["", "_truth", "_pairs"], &NAMES[..3]),
            },
            MetricTable {
                title: "Equilibrium of the magnetisation",
                caption: "Distances of the distributions of M and |M|, and rate of sign reversals. The true \
                          distribution of M combines the simulation with its images under the symmetries of the law. \
                          Escaped: predicted trajectories that leave [-1, 1] permanently. They are not scored.",
                look_for: "equal rates and small distances.",
                metrics: equilibrium,
            },
        ]
    }

    fn critical(&self) -> Option<(CriticalPoint, f64)> {
        Some((self.critical?, self.temperature))
    }
}

impl Magnet {
    /// <|M|>, chi, Binder cumulant and reversal rate over the equilibrium part: of independent rows, and of the
    /// `trajectories` in them with their number in a row. NaN if all have diverged.
    fn of_sample(
        &self,
        evidence: &Evidence,
        sample: &Array2<f64>,
        trajectories: (ArrayView2<f64>, usize),
        threshold: f64,
    ) -> Vec<Metric> {
        let (sites, choices) = (evidence.sites, evidence.choices);
        let block = sample.ncols() / parts(sample);
        let none = || Metric::new(f64::NAN, None, 0, "1");
        let at = criticality(sample.view(), sites, self.temperature, block, choices.resamples, choices.seed);
        let interval = evidence.interval();
        let rate = reversal_rate(trajectories, interval, threshold, "time", choices.resamples, choices.seed);
        let at = at.map_or_else(|_| [none(), none(), none()], |at| [at.magnetisation, at.susceptibility, at.binder]);
        at.into_iter().chain([rate.unwrap_or_else(|_| none())]).collect()
    }

    /// The equilibrium samples of each model, without the trajectories that leave the physical range permanently. Two
    /// metrics count these, and all that leave it at some time.
    fn kept(&self, evidence: &Evidence, kind: ModelKind, metrics: &mut Metrics) -> Vec<Array2<f64>> {
        let models = evidence.of(kind);
        let outside = |values: ArrayView1<f64>| values.iter().any(|value| value.is_nan() || value.abs() > 1.0);
        let samples: Vec<Array2<f64>> =
            models.outer_iter().map(|model| evidence.equilibrium(model, self.component, 0)).collect();
        let strayed = samples.iter().flat_map(|sample| sample.rows()).filter(|row| outside(*row)).count();
        let samples: Vec<Array2<f64>> = samples.iter().map(within_range).collect();
        let trajectories = models.len_of(Axis(0)) * models.len_of(Axis(1));
        let escaped = trajectories - samples.iter().map(Array2::nrows).sum::<usize>();
        for (name, count) in [("outside_range", strayed), ("escaped", escaped)] {
            metrics.insert(Key::new(name).by(kind), Metric::exact(count as f64, trajectories, "trajectories"));
        }
        samples
    }

    /// The same quantities for the law of the training pairs, if the direct simulation has their size. The scatter
    /// between models that share all pairs lacks the sampling error of the pairs, so that error is added in quadrature.
    fn of_pairs(&self, evidence: &Evidence, metrics: &mut Metrics) {
        let pairs = &evidence.pairs;
        if !pairs.of_simulated_size {
            return;
        }
        let symmetric = evidence.symmetries.len() > 1;
        // An error means that there are too few pairs.
        let Ok(found) = criticality_of_pairs(
            pairs.of_magnet(self.component),
            pairs.patches,
            symmetric,
            evidence.sites,
            self.temperature,
        ) else {
            return;
        };
        for (name, metric) in NAMES.into_iter().chain([RELAXATION]).zip(found) {
            if let Some(mut learned) = metrics.get(name).cloned().filter(|_| pairs.shared) {
                let errors = [learned.std_error, metric.std_error].into_iter().flatten();
                learned.std_error = errors.reduce(f64::hypot);
                metrics.insert(name, learned);
            }
            metrics.insert(Key::new(name).from_source(Source::Pairs), metric);
        }
    }
}

/// Removes the trajectories that are outside [-1, 1] at more than half of all times. They have diverged, even if the
/// bounded drift of a network keeps them finite.
fn within_range(sample: &Array2<f64>) -> Array2<f64> {
    let inside = |row: &ArrayView1<f64>| 2 * row.iter().filter(|value| value.abs() <= 1.0).count() >= row.len();
    let kept: Vec<usize> = (0..sample.nrows()).filter(|&index| inside(&sample.row(index))).collect();
    sample.select(Axis(0), &kept)
}

/// Mean over models. Its error is the larger one of the error between models and that from their own errors. The
/// scatter of a few models can be small by chance, and these errors are the weights in the fit of exponents.
fn mean_of_models(each: &[Metric]) -> Metric {
    let mut mean = over_models(each, &each[0].unit);
    let own: Option<f64> = each.iter().map(|metric| metric.std_error.map(|error| error * error)).sum();
    let own = own.map(|squares| squares.sqrt() / each.len() as f64);
    mean.std_error = [mean.std_error, own].into_iter().flatten().reduce(f64::max);
    mean
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
