//! How far the predictions of our models can be trusted: their error band, their coverage of pairs that they did not
//! see, and the share of the predicted time for which there are no data.
//!
//! The band is that of the mean trajectory over all our models. Three independent errors add up in quadrature: that of
//! the finite data (the spread of the means of the draws), that of the training (the spread between seeds) and that of
//! the finite number of predicted trajectories. It holds nothing of what all models have in common: closure, upsampling
//! and dt.

use super::{Evidence, Key, ModelKind, Score, TwoSteps, group, models::over_models};
use crate::evaluation::{
    EvaluationError, Metric, Metrics,
    bootstrap::standard_deviation,
    trajectories::{MeanAndSpread, mean_and_spread},
};
use ndarray::{Array2, ArrayView3, Axis};
use statrs::distribution::{ContinuousCDF, StudentsT};
use std::collections::BTreeMap;

/// Half the width of a normal 90 % interval, in standard errors.
pub const NINETY: f64 = 1.645;

/// Half the width of a 90 % interval by Student's distribution, in standard errors.
fn half_width(freedom: f64) -> f64 {
    match StudentsT::new(0.0, 1.0, freedom) {
        Ok(student) if freedom < 1000.0 => student.inverse_cdf(0.95),
        _ => NINETY,
    }
}

/// The mean prediction of our models for one start and condition, and its variances, `[record, component]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// Mean over models and trajectories.
    pub mean: Array2<f64>,
    /// From the finite data; NaN where it is not known.
    pub data: Array2<f64>,
    /// From the training; NaN for a single model.
    pub training: Array2<f64>,
    /// From the finite number of trajectories.
    pub rollout: Array2<f64>,
}

impl Band {
    /// One standard error of the mean from all known sources.
    pub fn total(&self) -> Array2<f64> {
        let known = |values: &Array2<f64>| values.mapv(|value: f64| if value.is_nan() { 0.0 } else { value });
        (known(&self.data) + known(&self.training) + &self.rollout).mapv(f64::sqrt)
    }
}

/// The bands of all groups of trajectories.
pub fn bands(evidence: &Evidence) -> Vec<Band> {
    (0..evidence.groups()).map(|index| band(evidence, index)).collect()
}

fn band(evidence: &Evidence, index: usize) -> Band {
    let models = evidence.of(ModelKind::Ours).outer_iter();
    let ensembles: Vec<MeanAndSpread> =
        models.map(|model| mean_and_spread(group(model, index, evidence.groups()))).collect();
    let count = ensembles.len() as f64;
    let over = |of: &dyn Fn(&MeanAndSpread) -> Array2<f64>| {
        ensembles.iter().map(of).reduce(|sum, more| sum + more).expect("there is a model") / count
    };
    let mean = over(&|ensemble| ensemble.mean.clone());
    let rollout = over(&|ensemble| ensemble.spread.mapv(|s| s * s) / ensemble.trajectories as f64) / count;
    let spread = |values: &[f64]| standard_deviation(values).map_or(f64::NAN, |deviation| deviation * deviation);
    let at = |extents, of: &dyn Fn([usize; 2]) -> f64| Array2::from_shape_fn(extents, |(time, part)| of([time, part]));
    // Models that share their data share its error.
    let independent = if evidence.pairs.shared { 1.0 } else { count };
    let data = match &evidence.trust.draws {
        None => Array2::from_elem(mean.dim(), f64::NAN),
        Some(draws) => at(mean.dim(), &|[time, component]| {
            let of_model = |means: ndarray::ArrayView4<f64>| {
                let finite = means.axis_iter(Axis(0)).skip(1).map(|draw| draw[[index, time, component]]);
                spread(&finite.filter(|value| value.is_finite()).collect::<Vec<_>>())
            };
            draws.outer_iter().map(of_model).sum::<f64>() / count / independent
        }),
    };
    let training = at(mean.dim(), &|at| {
        let means: Vec<f64> = ensembles.iter().map(|ensemble| ensemble.mean[at]).collect();
        let others = rollout[at] + if evidence.pairs.shared { 0.0 } else { data[at] };
        let found = spread(&means) / count - others;
        if found < 0.0 { 0.0 } else { found }
    });
    Band { mean, data, training, rollout }
}

/// The error band of the predictions (`band_...`) with its parts, the share of records at which it covers the direct
/// simulation (`band_covers_...`), coverage of held-out pairs (`held_out_...`) and the share of steps at the edge of the
/// data (`at_walls`). By the test of Chapman and Kolmogorov, two steps of the model say of pairs of twice the length what
/// they are: `two_steps_drift_...` is 0 and `two_steps_spread_...` is 1. Closure variables spread as in the direct
/// simulation: `closure_spread_...` is 1.
pub struct Trust;

impl Score for Trust {
    fn score(&self, evidence: &Evidence, kind: ModelKind, metrics: &mut Metrics) -> Result<(), EvaluationError> {
        if kind == ModelKind::Ours {
            errors(evidence, metrics);
            closure_spreads(evidence, metrics);
            for (component, observable) in evidence.observables.iter().enumerate() {
                let Some(pairs) = &evidence.trust.two_steps else { break };
                let [drift, spread] = two_steps(pairs, component);
                metrics.insert(Key::new("two_steps_drift").of(observable.name), drift);
                metrics.insert(Key::new("two_steps_spread").of(observable.name), spread);
            }
        }
        let held_out: Vec<_> = evidence.trust.held_out.iter().filter(|(known, _)| *known == kind).collect();
        let coordinates = held_out.first().map_or(0, |(_, coverage)| coverage.distance.len());
        for coordinate in 0..coordinates {
            for (name, of) in [("held_out_within_90", true), ("held_out_distance", false)] {
                let each = held_out.iter().map(|(_, coverage)| {
                    let values = if of { &coverage.within_90 } else { &coverage.distance };
                    Metric::exact(values[coordinate], coverage.pairs, "1")
                });
                let key = format!("{}_component_{coordinate}", Key::new(name).by(kind));
                let Metric { value, std_error, .. } = over_models(&each.collect::<Vec<_>>(), "1");
                metrics.insert(key, Metric::new(value, std_error, held_out[0].1.pairs, "1"));
            }
        }
        for (_, shares) in evidence.trust.at_walls.iter().filter(|(known, _)| *known == kind) {
            let mean = shares.mean().unwrap_or(f64::NAN);
            metrics.insert(Key::new("at_walls").by(kind), Metric::exact(mean, shares.len(), "1"));
        }
        Ok(())
    }
}

/// How much further pairs of twice the length go than two steps of the model, as a share of these, and the variance about
/// the latter over that of the model; both with errors over words.
fn two_steps(pairs: &TwoSteps, component: usize) -> [Metric; 2] {
    let column = |values: &Array2<f64>| values.column(component).to_vec();
    let (quiet, increment) = (column(&pairs.quiet), column(&pairs.increment));
    let (expected, variance) = (column(&pairs.expected), column(&pairs.variance));
    let products = |left: &[f64], right: &[f64]| left.iter().zip(right).map(|(l, r)| l * r).collect::<Vec<f64>>();
    let residual = |found: &[f64]| found.iter().zip(&expected).map(|(f, e)| f - e).collect::<Vec<f64>>();
    let (rest, noise) = (residual(&quiet), residual(&increment));
    let drift = ratio(&products(&rest, &expected), &products(&expected, &expected), &pairs.word);
    [drift, ratio(&products(&noise, &noise), &variance, &pairs.word)]
}

/// Ratio of two sums over pairs, with its error over words.
fn ratio(above: &[f64], below: &[f64], word: &[usize]) -> Metric {
    let total = |values: &[f64]| values.iter().sum::<f64>();
    let value = total(above) / total(below);
    let mut rests = BTreeMap::<usize, f64>::new();
    for ((above, below), word) in above.iter().zip(below).zip(word) {
        *rests.entry(*word).or_default() += above - value * below;
    }
    let square = rests.values().map(|rest| rest * rest).sum::<f64>();
    let error = (rests.len() > 1).then(|| square.sqrt() / total(below));
    Metric::new(value, error, above.len(), "1")
}

/// The spread of each closure variable over that in the direct simulation, each a root mean square.
fn closure_spreads(evidence: &Evidence, metrics: &mut Metrics) {
    let squares = |ensemble, component| late_squares(ensemble, evidence.groups(), component);
    for (index, component) in (evidence.observables.len()..evidence.truth.len_of(Axis(2))).enumerate() {
        let of_truth = squares(evidence.truth.view(), component);
        if of_truth > 0.0 {
            let ratio = |model| (squares(model, component) / of_truth).sqrt();
            let models = evidence.of(ModelKind::Ours).outer_iter();
            let each: Vec<_> = models.map(|model| Metric::exact(ratio(model), evidence.times.len() / 2, "1")).collect();
            metrics.insert(Key::new(format!("closure_spread_{index}")), over_models(&each, "1"));
        }
    }
}

/// The squared spread of a component of `[trajectory, record, component]` within each group of trajectories, summed over
/// groups and the second half of the records.
fn late_squares(ensemble: ArrayView3<f64>, groups: usize, component: usize) -> f64 {
    let of_group = |index: usize| {
        let spread = mean_and_spread(group(ensemble, index, groups)).spread;
        spread.column(component).iter().skip(spread.nrows() / 2).map(|spread| spread * spread).sum::<f64>()
    };
    (0..groups).map(of_group).sum()
}

/// Variances of a band.
type Part = fn(&Band) -> Array2<f64>;

/// Root mean squares of the band and of its parts over starts, conditions and times, and its coverage of the truth.
fn errors(evidence: &Evidence, metrics: &mut Metrics) {
    let bands = bands(evidence);
    let truth: Vec<MeanAndSpread> = (0..evidence.groups())
        .map(|index| mean_and_spread(group(evidence.truth.view(), index, evidence.groups())))
        .collect();
    for (component, observable) in evidence.observables.iter().enumerate() {
        let later = |values: &Array2<f64>| values.column(component).iter().skip(1).copied().collect::<Vec<_>>();
        let parts: [(&'static str, Part); 4] = [
            ("band", |band| band.total().mapv(|error| error * error)),
            ("band_data", |band| band.data.clone()),
            ("band_training", |band| band.training.clone()),
            ("band_rollout", |band| band.rollout.clone()),
        ];
        for (name, of) in parts {
            let all: Vec<f64> = bands.iter().flat_map(|band| later(&of(band))).collect();
            let root = (all.iter().sum::<f64>() / all.len() as f64).sqrt();
            if root.is_finite() {
                metrics.insert(Key::new(name).of(observable.name), Metric::exact(root, all.len(), observable.unit));
            }
        }
        let covered = bands.iter().zip(&truth).flat_map(|(band, truth)| {
            let total = band.total();
            (1..truth.mean.nrows()).map(move |time| {
                let at = [time, component];
                let of_truth = truth.spread[at].powi(2) / truth.trajectories as f64;
                let variance = total[at].powi(2) + of_truth;
                // Few trajectories do not know their own error well (Satterthwaite, 1946).
                let freedom = (truth.trajectories as f64 - 1.0) * (variance / of_truth).powi(2);
                (band.mean[at] - truth.mean[at]).abs() <= half_width(freedom) * variance.sqrt()
            })
        });
        let covered: Vec<bool> = covered.collect();
        // The error of a single trajectory is not known.
        if truth.iter().any(|truth| truth.trajectories < 2) {
            continue;
        }
        let share = covered.iter().filter(|covered| **covered).count() as f64 / covered.len() as f64;
        metrics.insert(Key::new("band_covers").of(observable.name), Metric::exact(share, covered.len(), "1"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn few_trajectories_have_wide_intervals() {
        for (freedom, expected) in [(1.0, 6.314), (2.0, 2.920), (10.0, 1.812), (1e6, NINETY), (f64::NAN, NINETY)] {
            assert!((half_width(freedom) - expected).abs() < 1e-3, "{freedom}: {}", half_width(freedom));
        }
    }

    /// Two groups about different means, early records apart.
    #[test]
    fn late_spreads_are_those_within_groups() {
        let ensemble = |spread: f64| {
            Array3::from_shape_fn((8, 10, 2), |(trajectory, record, component)| {
                let (group, sign) = ((trajectory / 4) as f64, if trajectory % 2 == 0 { 1.0 } else { -1.0 });
                let spread = if record < 5 { 7.0 } else { spread };
                100.0 * group + record as f64 + if component == 1 { sign * spread } else { 0.0 }
            })
        };
        let squares = [1.0, 2.5].map(|spread| late_squares(ensemble(spread).view(), 2, 1));
        assert!((squares[1] / squares[0] - 6.25).abs() < 1e-9, "{squares:?}");
        assert_eq!(late_squares(ensemble(1.0).view(), 2, 0), 0.0);
    }

    /// Pairs that go a tenth less far than expected, with 0.8 times the variance.
    #[test]
    fn pairs_that_two_steps_do_not_explain_are_seen() {
        const COUNT: usize = 4_000;
        let column = |of: &dyn Fn(usize) -> f64| Array2::from_shape_fn((COUNT, 1), |(row, _)| of(row));
        let expected = |row: usize| (row % 7) as f64 - 3.0;
        let sign = |row: usize| if (row / 7).is_multiple_of(2) { 1.0 } else { -1.0 };
        let pairs = TwoSteps {
            quiet: column(&|row| 0.9 * expected(row) + 0.1 * sign(row)),
            increment: column(&|row| expected(row) + 0.8_f64.sqrt() * 2.0 * sign(row)),
            expected: column(&expected),
            variance: column(&|_| 4.0),
            word: (0..COUNT).map(|row| row / 10).collect(),
        };
        let [drift, spread] = two_steps(&pairs, 0);
        assert!((drift.value + 0.1).abs() < 1e-2 && (spread.value - 0.8).abs() < 1e-9, "{drift:?} {spread:?}");
        assert!(drift.std_error.unwrap() < 0.01 && spread.std_error.unwrap() < 1e-6, "{drift:?} {spread:?}");
    }
}
