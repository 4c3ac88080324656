//! Maximum mean discrepancy between two ensembles, at each time.
//!
//! Kernel: `k(x, y) = mean over sigma in {0.25, 0.5, 1, 2, 4, 8} of exp(-|x - y|^2 / (2 sigma^2))`.
//! With n truths x and m predictions y (A. Gretton et al., J. Mach. Learn. Res. 13, 723 (2012)):
//! - biased: `MMD^2 = mean_ij k(x_i, x_j) + mean_ij k(y_i, y_j) - 2 mean_ij k(x_i, y_j)`, all pairs; never negative;
//! - unbiased: the first two means run over i != j; zero on average for equal laws, so it may be negative.
//!
//! `root` is the square root of the *biased* square, a distance in the units of the kernel; it stays above zero for
//! finite ensembles of one law. The paper does not say which of the three its figure shows: compare with the values
//! between two halves of the truth, by the same estimator. The distance |x - y| is Euclidean over the components as
//! given: scale them first if they differ in size. A state that is not finite lies infinitely far from every other, so
//! divergence raises the discrepancy.

use ndarray::{Array1, Array2, ArrayView2, ArrayView3, Axis};

use super::bootstrap::jackknife_variance;
use super::trajectories::check_shapes;
use super::{Diverged, EvaluationError, Metric, finite_trajectories};

/// Bandwidths of the mixture, in the units of the components. Each is twice the one before.
pub const BANDWIDTHS: [f64; 6] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0];

/// The mixture kernel as a function of the squared distance.
pub fn kernel(squared_distance: f64) -> f64 {
    if !squared_distance.is_finite() {
        return 0.0;
    }
    // Halving sigma raises the exponential to the fourth power, so one exponential serves all bandwidths.
    let mut term = (-squared_distance / (2.0 * BANDWIDTHS[5] * BANDWIDTHS[5])).exp();
    let mut sum = term;
    for _ in 1..BANDWIDTHS.len() {
        term = (term * term) * (term * term);
        sum += term;
    }
    sum / BANDWIDTHS.len() as f64
}

/// Squared discrepancy by both estimators.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Squared {
    /// All pairs: positive, with a bias of order 1/n + 1/m.
    pub biased: f64,
    /// Distinct pairs: no bias; NaN when an ensemble has one member.
    pub unbiased: f64,
}

impl Squared {
    /// `MMD`, the root of the biased square.
    pub fn root(self) -> f64 {
        self.biased.max(0.0).sqrt()
    }
}

/// Squared discrepancy of two samples, each [member, component].
pub fn mmd_squared(truth: ArrayView2<f64>, prediction: ArrayView2<f64>) -> Squared {
    Sums::new(&truth, &prediction).squared()
}

/// Discrepancy of one initial condition against time.
#[derive(Clone, Debug, PartialEq)]
pub struct MmdAgainstTime {
    /// `MMD^2`, biased, per time.
    pub biased: Array1<f64>,
    /// `MMD^2`, unbiased, per time.
    pub unbiased: Array1<f64>,
    /// `MMD`, the root of the biased square, per time.
    pub root: Array1<f64>,
    /// Mean of `root` over time, with a jackknife error over trajectories.
    pub mean_root: Metric,
    /// Mean of `unbiased` over time, with a jackknife error over trajectories.
    pub mean_unbiased: Metric,
    /// Diverged trajectories: they stay in, infinitely far away.
    pub diverged: Diverged,
}

/// Discrepancy between the marginals of `truth` and `prediction` [trajectory, time, component] at every time.
///
/// # Errors
/// When the arrays do not fit each other, or a component is out of range.
pub fn mmd_against_time(
    truth: ArrayView3<f64>,
    prediction: ArrayView3<f64>,
    components: &[usize],
) -> Result<MmdAgainstTime, EvaluationError> {
    check_shapes(&truth, &prediction, components)?;
    let (truths, times, _) = truth.dim();
    let predictions = prediction.dim().0;
    let at = |ensemble: &ArrayView3<f64>, time| ensemble.index_axis(Axis(1), time).select(Axis(1), components);
    let mut squared = Vec::with_capacity(times);
    // Per left-out trajectory (truths first), the time means of (root, unbiased).
    let mut left_out = Array2::<f64>::zeros((truths + predictions, 2));
    for time in 0..times {
        let sums = Sums::new(&at(&truth, time).view(), &at(&prediction, time).view());
        squared.push(sums.squared());
        for (unit, mut row) in left_out.outer_iter_mut().enumerate() {
            let without = sums.without(unit);
            row[0] += without.root() / times as f64;
            row[1] += without.unbiased / times as f64;
        }
    }
    let mean = |value: fn(&Squared) -> f64, column: usize| {
        let left_out = left_out.column(column).to_vec();
        let (left_truths, left_predictions) = left_out.split_at(truths);
        let variance = jackknife_variance(left_truths) + jackknife_variance(left_predictions);
        let error = (truths > 2 && predictions > 2).then_some(variance.sqrt());
        Metric::new(squared.iter().map(value).sum::<f64>() / times as f64, error, predictions, "1")
    };
    Ok(MmdAgainstTime {
        biased: squared.iter().map(|squared| squared.biased).collect(),
        unbiased: squared.iter().map(|squared| squared.unbiased).collect(),
        root: squared.iter().map(|squared| squared.root()).collect(),
        mean_root: mean(|squared| squared.root(), 0),
        mean_unbiased: mean(|squared| squared.unbiased, 1),
        diverged: Diverged {
            truth: truths - finite_trajectories(&truth).len(),
            truth_of: truths,
            prediction: predictions - finite_trajectories(&prediction).len(),
            prediction_of: predictions,
        },
    })
}

/// Mean of a metric over independent sets (initial conditions); errors add in squares.
pub fn average(metrics: &[Metric]) -> Metric {
    let count = metrics.len() as f64;
    let variance: Option<f64> = metrics.iter().map(|metric| metric.std_error.map(|error| error * error)).sum();
    let samples = metrics.iter().map(|metric| metric.samples).sum();
    let unit = metrics.first().map_or("1", |metric| metric.unit.as_str());
    let value = metrics.iter().map(|metric| metric.value).sum::<f64>() / count;
    Metric::new(value, variance.map(|variance| variance.sqrt() / count), samples, unit)
}

/// Kernel sums of each member with all members of either ensemble; truths first. The member with itself counts 1.
struct Sums {
    truths: usize,
    with_truths: Vec<f64>,
    with_predictions: Vec<f64>,
}

impl Sums {
    fn new(truth: &ArrayView2<f64>, prediction: &ArrayView2<f64>) -> Self {
        let members: Vec<Vec<f64>> =
            truth.outer_iter().chain(prediction.outer_iter()).map(|member| member.to_vec()).collect();
        let truths = truth.nrows();
        let mut with_truths = vec![0.0; members.len()];
        let mut with_predictions = vec![0.0; members.len()];
        for (row, left) in members.iter().enumerate() {
            for (column, right) in members.iter().enumerate().take(row + 1) {
                let squares: f64 = left.iter().zip(right).map(|(a, b)| (a - b) * (a - b)).sum();
                let value = if row == column { 1.0 } else { kernel(squares) };
                *(if column < truths { &mut with_truths[row] } else { &mut with_predictions[row] }) += value;
                if row != column {
                    *(if row < truths { &mut with_truths[column] } else { &mut with_predictions[column] }) += value;
                }
            }
        }
        Self { truths, with_truths, with_predictions }
    }

    fn totals(&self) -> (f64, f64, f64) {
        let (own, _) = self.with_truths.split_at(self.truths);
        let (cross, predictions) = self.with_predictions.split_at(self.truths);
        (own.iter().sum(), predictions.iter().sum(), cross.iter().sum())
    }

    fn squared(&self) -> Squared {
        let (own, predictions, cross) = self.totals();
        combine(self.truths, self.with_truths.len() - self.truths, own, predictions, cross)
    }

    fn without(&self, unit: usize) -> Squared {
        let (own, predictions, cross) = self.totals();
        let count = self.with_truths.len() - self.truths;
        if unit < self.truths {
            let own = own - 2.0 * self.with_truths[unit] + 1.0;
            combine(self.truths - 1, count, own, predictions, cross - self.with_predictions[unit])
        } else {
            let predictions = predictions - 2.0 * self.with_predictions[unit] + 1.0;
            combine(self.truths, count - 1, own, predictions, cross - self.with_truths[unit])
        }
    }
}

fn combine(truths: usize, predictions: usize, own: f64, other: f64, cross: f64) -> Squared {
    let (n, m) = (truths as f64, predictions as f64);
    let both = 2.0 * cross / (n * m);
    Squared {
        biased: own / (n * n) + other / (m * m) - both,
        unbiased: (own - n) / (n * (n - 1.0)) + (other - m) / (m * (m - 1.0)) - both,
    }
}
