//! Equilibrium distributions of a scalar: densities on common bins, and distances between two laws.
//!
//! With F and G the empirical distribution functions of truth and prediction,
//! Wasserstein-1 `= integral |F(x) - G(x)| dx` (in the unit of x) and Kolmogorov-Smirnov `= max |F(x) - G(x)|`.
//! Samples of whole trajectories are resampled together, since successive values are correlated.

use ndarray::{ArrayView2, Axis};

use super::bootstrap::{Statistic, multiplicities, standard_deviation, standard_error, standard_errors, stream_of};
use super::{Diverged, EvaluationError, Metric, finite_trajectories};

/// A histogram normalised to unit area over its bins.
#[derive(Clone, Debug, PartialEq)]
pub struct Density {
    /// Edges of the bins, one more than bins.
    pub edges: Vec<f64>,
    /// Probability per unit of x in each bin. Values outside the edges count in the total, so the area shows what is
    /// missing.
    pub density: Vec<f64>,
    /// Bootstrap standard error of each bin over trajectories; `None` with fewer than two.
    pub std_error: Option<Vec<f64>>,
    /// Trajectories left out because a value was not finite.
    pub diverged: usize,
}

/// Edges of `bins` equal bins that span all samples [trajectory, time], without the trajectories that hold a value that
/// is not finite.
///
/// # Errors
/// When no sample holds a finite value, or there are no bins.
pub fn common_edges(samples: &[ArrayView2<f64>], bins: usize) -> Result<Vec<f64>, EvaluationError> {
    let rows = samples.iter().flat_map(|sample| finite_trajectories(sample).into_iter().map(|index| sample.row(index)));
    let (low, high) =
        rows.flatten().copied().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    if low > high || bins == 0 {
        return Err(EvaluationError::Empty("the set of finite trajectories or of bins"));
    }
    let (low, high) = if low == high { (low - 0.5, high + 0.5) } else { (low, high) };
    Ok((0..=bins).map(|edge| low + (high - low) * edge as f64 / bins as f64).collect())
}

/// Density of `sample` [trajectory, time] on ascending `edges`; the last bin includes its upper edge.
///
/// # Errors
/// When every trajectory has diverged, or the edges do not ascend.
pub fn density(
    sample: ArrayView2<f64>,
    edges: &[f64],
    resamples: usize,
    seed: u64,
) -> Result<Density, EvaluationError> {
    let kept = finite_trajectories(&sample);
    if kept.is_empty() || edges.len() < 2 {
        return Err(EvaluationError::Empty("the set of finite trajectories or of bins"));
    }
    let bins = edges.len() - 1;
    let counts: Vec<Vec<f64>> = kept.iter().map(|&index| histogram(sample.row(index).iter(), edges)).collect();
    let times = sample.ncols() as f64;
    let weighted = |weights: &[f64]| -> Vec<f64> {
        let total = times * weights.iter().sum::<f64>();
        let sum = |bin: usize| counts.iter().zip(weights).map(|(counts, weight)| counts[bin] * weight).sum::<f64>();
        (0..bins).map(|bin| sum(bin) / total / (edges[bin + 1] - edges[bin])).collect()
    };
    let mut rng = stream_of(Statistic::Density, seed);
    let draws: Vec<Vec<f64>> = (0..resamples).map(|_| weighted(&multiplicities(kept.len(), &mut rng))).collect();
    let scatter = |bin: usize| standard_deviation(&draws.iter().map(|draw| draw[bin]).collect::<Vec<_>>());
    let std_error = if kept.len() > 1 { (0..bins).map(scatter).collect() } else { None };
    Ok(Density {
        edges: edges.to_vec(),
        density: weighted(&vec![1.0; kept.len()]),
        std_error,
        diverged: sample.nrows() - kept.len(),
    })
}

fn histogram<'a>(values: impl Iterator<Item = &'a f64>, edges: &[f64]) -> Vec<f64> {
    let bins = edges.len() - 1;
    let mut counts = vec![0.0; bins];
    for &value in values.filter(|value| (edges[0]..=edges[bins]).contains(value)) {
        counts[edges.partition_point(|&edge| edge <= value).saturating_sub(1).min(bins - 1)] += 1.0;
    }
    counts
}

/// Wasserstein-1 distance of two samples of finite values, in their unit.
///
/// # Errors
/// When a sample is empty or holds a value that is not finite.
pub fn wasserstein_1(truth: &[f64], prediction: &[f64]) -> Result<f64, EvaluationError> {
    Ok(distances_of_samples(truth, prediction)?[0])
}

/// Kolmogorov-Smirnov distance of two samples of finite values, in [0, 1].
///
/// # Errors
/// When a sample is empty or holds a value that is not finite.
pub fn kolmogorov_smirnov(truth: &[f64], prediction: &[f64]) -> Result<f64, EvaluationError> {
    Ok(distances_of_samples(truth, prediction)?[1])
}

/// Both distances with their errors.
#[derive(Clone, Debug, PartialEq)]
pub struct Distances {
    /// In the unit of the sample.
    pub wasserstein_1: Metric,
    /// In [0, 1].
    pub kolmogorov_smirnov: Metric,
    /// Trajectories left out.
    pub diverged: Diverged,
}

/// Distances between `truth` and `prediction` [trajectory, time], bootstrapped over the trajectories of both.
/// Distances of finite samples of one law are above zero: compare with those between two halves of the truth.
///
/// # Errors
/// When every trajectory of one side has diverged.
pub fn distances(
    truth: ArrayView2<f64>,
    prediction: ArrayView2<f64>,
    unit: &str,
    resamples: usize,
    seed: u64,
) -> Result<Distances, EvaluationError> {
    let kept = [finite_trajectories(&truth), finite_trajectories(&prediction)];
    if kept.iter().any(Vec::is_empty) || truth.ncols() == 0 || prediction.ncols() == 0 {
        return Err(EvaluationError::Empty("the set of finite trajectories of truth or prediction"));
    }
    let (truth_kept, prediction_kept) = (truth.select(Axis(0), &kept[0]), prediction.select(Axis(0), &kept[1]));
    let pooled = Pooled::new([truth_kept.view(), prediction_kept.view()]);
    let groups = [kept[0].len(), kept[1].len()];
    let [wasserstein, kolmogorov] = pooled.distances(&groups.map(|units| vec![1.0; units]));
    let mut rng = stream_of(Statistic::Distances, seed);
    let errors = standard_errors(&groups, resamples, &mut rng, |weights| pooled.distances(weights));
    Ok(Distances {
        wasserstein_1: Metric::new(wasserstein, errors[0], groups[1], unit),
        kolmogorov_smirnov: Metric::new(kolmogorov, errors[1], groups[1], "1"),
        diverged: Diverged {
            truth: truth.nrows() - groups[0],
            truth_of: truth.nrows(),
            prediction: prediction.nrows() - groups[1],
            prediction_of: prediction.nrows(),
        },
    })
}

fn distances_of_samples(truth: &[f64], prediction: &[f64]) -> Result<[f64; 2], EvaluationError> {
    if truth.is_empty() || prediction.is_empty() {
        return Err(EvaluationError::Empty("a sample"));
    }
    if let Some(&value) = truth.iter().chain(prediction).find(|value| !value.is_finite()) {
        return Err(EvaluationError::Value { what: "a sample", value });
    }
    // One trajectory of one time each: a row per value keeps the pooled form.
    let row = |values: &[f64]| ndarray::Array2::from_shape_fn((1, values.len()), |(_, time)| values[time]);
    let (truth, prediction) = (row(truth), row(prediction));
    Ok(Pooled::new([truth.view(), prediction.view()]).distances(&[vec![1.0], vec![1.0]]))
}

/// All values of both sides in ascending order, with their owners, so that a resample costs one pass.
struct Pooled {
    values: Vec<(f64, usize, usize)>,
    times: [f64; 2],
}

impl Pooled {
    fn new(samples: [ArrayView2<f64>; 2]) -> Self {
        let mut values = Vec::with_capacity(samples[0].len() + samples[1].len());
        for (side, sample) in samples.iter().enumerate() {
            values.extend(sample.indexed_iter().map(|((trajectory, _), &value)| (value, side, trajectory)));
        }
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { values, times: samples.map(|sample| sample.ncols() as f64) }
    }

    /// Wasserstein-1 and Kolmogorov-Smirnov with the trajectories of each side weighted by whole numbers.
    fn distances(&self, weights: &[Vec<f64>]) -> [f64; 2] {
        let totals = [0, 1].map(|side| self.times[side] * weights[side].iter().sum::<f64>());
        let (mut area, mut largest, mut below) = (0.0, 0.0_f64, [0.0; 2]);
        for (index, &(value, side, trajectory)) in self.values.iter().enumerate() {
            below[side] += weights[side][trajectory];
            let gap = self.values.get(index + 1).map_or(0.0, |next| next.0 - value);
            if gap > 0.0 {
                let difference = (below[0] / totals[0] - below[1] / totals[1]).abs();
                area += difference * gap;
                largest = largest.max(difference);
            }
        }
        [area, largest]
    }
}

/// Sign reversals of a series: passages between `>= threshold` and `<= -threshold`. Values in between do not count, so
/// that noise about zero is no reversal. Values that are not finite are skipped.
pub fn reversals<'a>(series: impl IntoIterator<Item = &'a f64>, threshold: f64) -> usize {
    let mut side = 0.0;
    let mut count = 0;
    for &value in series.into_iter().filter(|value| value.abs() >= threshold && **value != 0.0) {
        count += usize::from(side * value.signum() < 0.0);
        side = value.signum();
    }
    count
}

/// Reversals per unit time of `series` [trajectory, time] sampled every `interval`. Each `members` trajectories in turn
/// are one independent unit, and the error is one over units. Diverged trajectories are left out with their unit:
/// `samples` counts the others. Where there is no reversal at all, the error is
/// what one would be.
///
/// # Errors
/// When every trajectory has diverged, or interval or threshold is not above 0.
pub fn reversal_rate(
    (series, members): (ArrayView2<f64>, usize),
    interval: f64,
    threshold: f64,
    time_unit: &str,
    resamples: usize,
    seed: u64,
) -> Result<Metric, EvaluationError> {
    let kept = finite_trajectories(&series);
    if kept.is_empty() || series.ncols() < 2 {
        return Err(EvaluationError::Empty("the set of finite trajectories of at least two times"));
    }
    let duration = interval * (series.ncols() - 1) as f64 * members as f64;
    let whole = kept.chunk_by(|left, right| left / members == right / members).filter(|unit| unit.len() == members);
    let count =
        |unit: &[usize]| unit.iter().map(|&index| reversals(series.row(index), threshold)).sum::<usize>() as f64;
    let counts: Vec<f64> = whole.map(count).collect();
    let rate = |weights: &[f64]| {
        let total: f64 = counts.iter().zip(weights).map(|(count, weight)| count * weight).sum();
        total / (duration * weights.iter().sum::<f64>())
    };
    if counts.is_empty() {
        return Err(EvaluationError::Empty("the set of units without a diverged trajectory"));
    }
    let mut rng = stream_of(Statistic::Reversals, seed);
    let mut std_error = standard_error(&[counts.len()], resamples, &mut rng, |weights| rate(&weights[0]));
    if counts.iter().all(|&count| count == 0.0) {
        std_error = Some((duration * counts.len() as f64).recip());
    }
    Ok(Metric::new(rate(&vec![1.0; counts.len()]), std_error, counts.len(), format!("1/{time_unit}")))
}
