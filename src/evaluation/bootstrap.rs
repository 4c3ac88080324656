//! Standard errors by resampling independent units: bootstrap, jackknife, and blocks of a correlated series.
//!
//! Bootstrap: B. Efron, Ann. Statist. 7, 1 (1979). The standard deviation of a statistic over resamples with
//! replacement estimates its standard error. Blocks: a stationary series cut into pieces longer than its correlation
//! time gives pieces that are nearly independent.

use ndarray::{Array2, ArrayView2};
use rand::Rng as _;

use crate::rng::{Purpose, Rng, stream};

/// Every statistic that is bootstrapped, so that each owns its random stream. Append, never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Statistic {
    /// The relative error of mean trajectories.
    TestError = 1,
    /// Wasserstein-1 and Kolmogorov-Smirnov distances.
    Distances = 2,
    /// A density on bins.
    Density = 3,
    /// Reversals per time.
    Reversals = 4,
    /// Moments of the magnetisation.
    Criticality = 5,
    /// A mean, and whatever a caller defines.
    Other = 7,
}

/// The random stream of one statistic.
pub fn stream_of(statistic: Statistic, seed: u64) -> Rng {
    stream(seed, Purpose::Bootstrap, [statistic as u64, 0])
}

/// How often each of `units` is drawn with replacement in one draw fewer than there are units: the spread of resampled
/// means is then the standard error of the mean, without the factor sqrt(1 - 1 / units) of as many draws as units. A
/// single unit is drawn once.
pub fn multiplicities(units: usize, rng: &mut Rng) -> Vec<f64> {
    let mut drawn = vec![0.0; units];
    for _ in 0..if units > 1 { units - 1 } else { units } {
        drawn[rng.random_range(0..units)] += 1.0;
    }
    drawn
}

/// Standard error of `statistic`, a function of one weight per unit of each group.
///
/// `groups` holds the number of units per group (for example trajectories of truth and of prediction); groups are
/// resampled independently. `None` when no group has two units, or fewer than two resamples are finite.
/// A group with one unit stays as it is, so its own scatter is not in the error.
pub fn standard_error(
    groups: &[usize],
    resamples: usize,
    rng: &mut Rng,
    mut statistic: impl FnMut(&[Vec<f64>]) -> f64,
) -> Option<f64> {
    let [error] = standard_errors(groups, resamples, rng, |weights| [statistic(weights)]);
    error
}

/// [`standard_error`] of several statistics of the same resamples.
pub fn standard_errors<const COUNT: usize>(
    groups: &[usize],
    resamples: usize,
    rng: &mut Rng,
    mut statistics: impl FnMut(&[Vec<f64>]) -> [f64; COUNT],
) -> [Option<f64>; COUNT] {
    if groups.iter().all(|&units| units < 2) {
        return [None; COUNT];
    }
    let mut draws: [Vec<f64>; COUNT] = std::array::from_fn(|_| Vec::with_capacity(resamples));
    for _ in 0..resamples {
        let weights: Vec<_> = groups.iter().map(|&units| multiplicities(units, rng)).collect();
        for (drawn, value) in draws.iter_mut().zip(statistics(&weights)) {
            drawn.extend(Some(value).filter(|value| value.is_finite()));
        }
    }
    draws.map(|drawn| standard_deviation(&drawn))
}

/// Sample standard deviation (division by n - 1); `None` below two values.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    Some((values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt())
}

/// Jackknife variance of a statistic from its values with one unit left out each: `(n-1)/n sum (x_i - mean)^2`.
pub fn jackknife_variance(left_out: &[f64]) -> f64 {
    let count = left_out.len() as f64;
    standard_deviation(left_out).map_or(0.0, |deviation| (deviation * (count - 1.0)).powi(2) / count)
}

/// Cuts every trajectory of `series` [trajectory, time] into blocks of `length` times: [block, time].
/// Left-over times at the end of a trajectory are dropped. No rows when `length` is 0 or exceeds the series.
pub fn blocks(series: ArrayView2<f64>, length: usize) -> Array2<f64> {
    let per_trajectory = series.ncols().checked_div(length).unwrap_or(0);
    Array2::from_shape_fn((series.nrows() * per_trajectory, length), |(block, time)| {
        series[[block / per_trajectory, block % per_trajectory * length + time]]
    })
}
