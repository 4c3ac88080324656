//! Mean trajectories and the relative error between them.
//!
//! For one initial condition, with `m(t, c)` the mean over trajectories,
//! `error = mean_{t,c} (m_prediction - m_truth)^2 / mean_{t,c} m_truth^2`,
//! and the `test_error` is its mean over initial conditions (arXiv 2511.12842, the measure behind its Ising and
//! Curie-Weiss figures). Two ensembles of one law do not give zero: [`noise_floor`] is what to expect then.

use ndarray::{Array2, ArrayView3, Axis};

use super::bootstrap::{Statistic, standard_error, stream_of};
use super::{Diverged, EvaluationError, Metric, finite_trajectories};

/// Mean and spread of an ensemble against time, each [time, component]. Diverged trajectories are left out and counted.
#[derive(Clone, Debug, PartialEq)]
pub struct MeanAndSpread {
    /// Mean over trajectories; NaN when none is finite.
    pub mean: Array2<f64>,
    /// Standard deviation over trajectories (n - 1); NaN below two trajectories.
    pub spread: Array2<f64>,
    /// Trajectories averaged.
    pub trajectories: usize,
    /// Trajectories left out because a value was not finite.
    pub diverged: usize,
}

impl MeanAndSpread {
    /// Squared standard error of the difference of the means of two ensembles at `[time, component]`.
    pub fn variance_of_difference(&self, other: &Self, at: [usize; 2]) -> f64 {
        let of_mean = |ensemble: &Self| ensemble.spread[at].powi(2) / ensemble.trajectories as f64;
        of_mean(self) + of_mean(other)
    }

    /// The mean of one component minus that of another ensemble, in standard errors, at each time; NaN where neither
    /// spreads.
    pub fn difference_in_errors(&self, other: &Self, component: usize) -> Vec<f64> {
        let at = |time| {
            let at = [time, component];
            let variance = self.variance_of_difference(other, at);
            if variance > 0.0 { (self.mean[at] - other.mean[at]) / variance.sqrt() } else { f64::NAN }
        };
        (0..self.mean.nrows()).map(at).collect()
    }

    /// The spread of one component over that of another ensemble, at each time; NaN where the other does not spread.
    pub fn spread_ratio(&self, other: &Self, component: usize) -> Vec<f64> {
        let spreads = self.spread.column(component);
        let others = other.spread.column(component);
        spreads.iter().zip(others).map(|(own, other)| if *other > 0.0 { own / other } else { f64::NAN }).collect()
    }
}

/// Mean and spread over the trajectories of `ensemble` [trajectory, time, component].
pub fn mean_and_spread(ensemble: ArrayView3<f64>) -> MeanAndSpread {
    let finite = finite_trajectories(&ensemble);
    let mean = weighted_mean(&ensemble, &finite, &vec![1.0; finite.len()]);
    let mut squares = Array2::zeros(mean.raw_dim());
    for &trajectory in &finite {
        squares += &(&ensemble.index_axis(Axis(0), trajectory) - &mean).mapv(|difference| difference * difference);
    }
    let freedom = if finite.len() > 1 { (finite.len() - 1) as f64 } else { f64::NAN };
    let spread = squares.mapv(|sum: f64| (sum / freedom).sqrt());
    MeanAndSpread { mean, spread, trajectories: finite.len(), diverged: ensemble.len_of(Axis(0)) - finite.len() }
}

/// The error of one initial condition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RelativeError {
    /// Mean square difference of the mean trajectories over mean square truth; NaN when every trajectory of one side
    /// diverged.
    pub value: f64,
    /// Trajectories that are not in the means.
    pub diverged: Diverged,
}

/// Relative error between the mean trajectories of `truth` and `prediction` [trajectory, time, component], over the
/// components named. The numbers of trajectories may differ, times and components may not.
///
/// # Errors
/// When the arrays do not fit each other, or the truth vanishes.
pub fn relative_error(
    truth: ArrayView3<f64>,
    prediction: ArrayView3<f64>,
    components: &[usize],
) -> Result<RelativeError, EvaluationError> {
    let pair = ComparedEnsembles::new(truth, prediction, components)?;
    Ok(RelativeError { value: pair.value(), diverged: pair.diverged() })
}

/// The error over several initial conditions.
#[derive(Clone, Debug, PartialEq)]
pub struct TestError {
    /// Mean over initial conditions, with a bootstrap standard error (trajectories of both sides are resampled).
    /// `samples` counts the finite trajectories of the prediction.
    pub error: Metric,
    /// What the error would be on average if truth and prediction were one law (see [`noise_floor`]).
    pub noise_floor: Metric,
    /// The error of each initial condition.
    pub each: Vec<f64>,
    /// Trajectories that are not in the means.
    pub diverged: Diverged,
}

/// Mean relative error over initial conditions, each a pair (truth, prediction) of [trajectory, time, component].
/// `words` holds the word of every trajectory of the truth, initial condition by initial condition: those of one word
/// are not independent. No two from the same initial condition may share one, and initial conditions share all of their
/// words or none.
///
/// The bootstrap gives the scatter of the estimate, not its bias: noise of finite ensembles adds `noise_floor` on
/// average. With diverged trajectories the error describes the survivors only; report `diverged` beside it. An initial
/// condition without survivors makes the error NaN.
///
/// # Errors
/// When there is no initial condition, the arrays do not fit each other, or a truth vanishes or has no finite
/// trajectory.
pub fn test_error(
    initial_conditions: &[(ArrayView3<f64>, ArrayView3<f64>)],
    words: &[usize],
    components: &[usize],
    resamples: usize,
    seed: u64,
) -> Result<TestError, EvaluationError> {
    if initial_conditions.is_empty() {
        return Err(EvaluationError::Empty("the list of initial conditions"));
    }
    let pairs = initial_conditions
        .iter()
        .map(|(truth, prediction)| ComparedEnsembles::new(truth.view(), prediction.view(), components))
        .collect::<Result<Vec<_>, _>>()?;
    let count = pairs.len() as f64;
    let each: Vec<f64> = pairs.iter().map(ComparedEnsembles::value).collect();
    let (groups, sides) = resampled(&pairs, words);
    let mut rng = stream_of(Statistic::TestError, seed);
    let std_error = standard_error(&groups, resamples, &mut rng, |weights| {
        let error =
            |(pair, sides): (&ComparedEnsembles, &[usize; 2])| pair.error(sides.map(|group| &weights[group][..]));
        pairs.iter().zip(&sides).map(error).sum::<f64>() / count
    });
    let floor = pairs.iter().map(ComparedEnsembles::noise_floor).sum::<f64>() / count;
    let samples = pairs.iter().map(|pair| pair.kept[1].len()).sum();
    Ok(TestError {
        error: Metric::new(each.iter().sum::<f64>() / count, std_error, samples, "1"),
        noise_floor: Metric::exact(floor, samples, "1"),
        each,
        diverged: pairs.iter().map(ComparedEnsembles::diverged).fold(Diverged::default(), Diverged::plus),
    })
}

/// Sizes of the groups that are resampled, and for each pair the groups of its truth and of its prediction. Truths of
/// the same words are resampled together.
fn resampled(pairs: &[ComparedEnsembles], words: &[usize]) -> (Vec<usize>, Vec<[usize; 2]>) {
    let (mut groups, mut sides, mut known) = (Vec::new(), Vec::new(), Vec::<(Vec<usize>, usize)>::new());
    let mut first = 0;
    for pair in pairs {
        let own: Vec<usize> = pair.kept[0].iter().map(|trajectory| words[first + trajectory]).collect();
        first += pair.ensembles[0].len_of(Axis(0));
        let [truth, prediction] = pair.sizes();
        let shared = known.iter().find(|(other, _)| *other == own).map(|(_, group)| *group);
        let of_truth = shared.unwrap_or_else(|| {
            groups.push(truth);
            known.push((own, groups.len() - 1));
            groups.len() - 1
        });
        groups.push(prediction);
        sides.push([of_truth, groups.len() - 1]);
    }
    (groups, sides)
}

/// Expected relative error between two independent ensembles of the law of `truth`, one with its own number N of finite
/// trajectories and one with `predicted`: `mean s^2 (1/N + 1/predicted) / mean m^2`, s the spread over trajectories.
///
/// # Errors
/// When a component is out of range, or the truth vanishes.
pub fn noise_floor(truth: ArrayView3<f64>, predicted: usize, components: &[usize]) -> Result<f64, EvaluationError> {
    let pair = ComparedEnsembles::new(truth.view(), truth, components)?;
    Ok(pair.noise_floor_with(predicted))
}

/// Truth and prediction of one initial condition, with the finite trajectories of each.
struct ComparedEnsembles<'a> {
    ensembles: [ArrayView3<'a, f64>; 2],
    kept: [Vec<usize>; 2],
    components: &'a [usize],
}

impl<'a> ComparedEnsembles<'a> {
    fn new(
        truth: ArrayView3<'a, f64>,
        prediction: ArrayView3<'a, f64>,
        components: &'a [usize],
    ) -> Result<Self, EvaluationError> {
        check_shapes(&truth, &prediction, components)?;
        let kept = [finite_trajectories(&truth), finite_trajectories(&prediction)];
        if kept[0].is_empty() {
            return Err(EvaluationError::NoTruth(truth.len_of(Axis(0))));
        }
        let pair = Self { ensembles: [truth, prediction], kept, components };
        if pair.mean_square(&pair.mean(0, &vec![1.0; pair.kept[0].len()])) == 0.0 {
            return Err(EvaluationError::ZeroReference);
        }
        Ok(pair)
    }

    fn sizes(&self) -> [usize; 2] {
        [self.kept[0].len(), self.kept[1].len()]
    }

    fn value(&self) -> f64 {
        let [truth, prediction] = self.sizes().map(|size| vec![1.0; size]);
        self.error([&truth, &prediction])
    }

    fn mean(&self, side: usize, weights: &[f64]) -> Array2<f64> {
        weighted_mean(&self.ensembles[side], &self.kept[side], weights)
    }

    fn mean_square(&self, values: &Array2<f64>) -> f64 {
        let selected = values.select(Axis(1), self.components);
        selected.mapv(|value| value * value).mean().unwrap_or(f64::NAN)
    }

    fn error(&self, [truth, prediction]: [&[f64]; 2]) -> f64 {
        let (truth, prediction) = (self.mean(0, truth), self.mean(1, prediction));
        self.mean_square(&(&prediction - &truth)) / self.mean_square(&truth)
    }

    fn noise_floor(&self) -> f64 {
        self.noise_floor_with(self.kept[1].len())
    }

    fn noise_floor_with(&self, predicted: usize) -> f64 {
        let truth = mean_and_spread(self.ensembles[0].view());
        let inverse = 1.0 / truth.trajectories as f64 + 1.0 / predicted as f64;
        self.mean_square(&truth.spread) * inverse / self.mean_square(&truth.mean)
    }

    fn diverged(&self) -> Diverged {
        let of = |side: usize| self.ensembles[side].len_of(Axis(0));
        Diverged {
            truth: of(0) - self.kept[0].len(),
            truth_of: of(0),
            prediction: of(1) - self.kept[1].len(),
            prediction_of: of(1),
        }
    }
}

fn weighted_mean(ensemble: &ArrayView3<f64>, kept: &[usize], weights: &[f64]) -> Array2<f64> {
    let (_, times, components) = ensemble.dim();
    let mut sum = Array2::zeros((times, components));
    for (&trajectory, &weight) in kept.iter().zip(weights).filter(|(_, weight)| **weight != 0.0) {
        sum.scaled_add(weight, &ensemble.index_axis(Axis(0), trajectory));
    }
    sum / weights.iter().sum::<f64>()
}

/// Refuses ensembles on different grids, empty ones, and components that are not there.
pub(super) fn check_shapes(
    truth: &ArrayView3<f64>,
    prediction: &ArrayView3<f64>,
    components: &[usize],
) -> Result<(), EvaluationError> {
    if truth.shape()[1..] != prediction.shape()[1..] {
        let of = |array: &ArrayView3<f64>| array.shape()[1..].to_vec();
        return Err(EvaluationError::Shape { truth: of(truth), prediction: of(prediction) });
    }
    if truth.is_empty() || prediction.is_empty() {
        return Err(EvaluationError::Empty("the truth or the prediction"));
    }
    if components.is_empty() {
        return Err(EvaluationError::Empty("the list of components"));
    }
    match components.iter().find(|&&component| component >= truth.dim().2) {
        Some(&component) => Err(EvaluationError::Component { component, components: truth.dim().2 }),
        None => Ok(()),
    }
}
