//! The slowest rate of relaxation of an ensemble, from its records.

use super::{EvaluationError, Metric, bootstrap::jackknife_variance};
use ndarray::ArrayView2;

/// Groups of words that are left out in turn for the error.
const GROUPS: usize = 20;

/// The rate at which an observable of mean zero forgets, ln(C(1) / C(2)) / `interval`, where C(k) is the mean product of
/// records that lie k intervals apart. `records` are `[trajectory, record]`. Faster modes have decayed after one
/// interval, if it is chosen so. Then the rate does not depend on the distribution of the first record. The error is that
/// of the jackknife over words.
///
/// # Errors
/// [`EvaluationError::Empty`] with fewer than three records a trajectory, or when nothing is left of the correlation
/// after two intervals.
pub fn slowest_rate(records: ArrayView2<f64>, interval: f64, word: &[usize]) -> Result<Metric, EvaluationError> {
    let mut groups = [[0.0; 2]; GROUPS];
    for (row, word) in records.rows().into_iter().zip(word) {
        for three in row.to_vec().windows(3) {
            groups[word % GROUPS][0] += three[0] * three[1];
            groups[word % GROUPS][1] += three[0] * three[2];
        }
    }
    let without = |left_out: usize| -> f64 {
        let kept = groups.iter().enumerate().filter(|(group, _)| *group != left_out);
        let [one, two] = kept.fold([0.0; 2], |sum, (_, group)| [sum[0] + group[0], sum[1] + group[1]]);
        (one / two).ln() / interval
    };
    let rate = without(GROUPS);
    if !(rate > 0.0 && rate.is_finite()) {
        return Err(EvaluationError::Empty("the correlation of records two intervals apart"));
    }
    let each: Vec<f64> = (0..GROUPS).map(without).collect();
    Ok(Metric::new(rate, Some(jackknife_variance(&each).sqrt()), records.len(), "1/time"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use ndarray::Array2;
    use rand_distr::{Distribution, StandardNormal};

    /// A slow mode beside one that has nearly decayed after an interval.
    #[test]
    fn the_slowest_of_two_modes_is_found() {
        let mut rng = stream(3, Purpose::Bench, [0, 0]);
        let (slow, fast, interval) = (0.01f64, 0.2f64, 20.0);
        let records = Array2::from_shape_vec(
            (400, 30),
            (0..400)
                .flat_map(|_| {
                    let mut state = [0.0f64; 2];
                    let mut step = |rate: f64, mode: usize| {
                        let keep = (-rate * interval).exp();
                        let noise: f64 = StandardNormal.sample(&mut rng);
                        state[mode] = keep * state[mode] + (1.0 - keep * keep).sqrt() * noise;
                        state[mode]
                    };
                    (0..80).map(|_| step(slow, 0) + 0.5 * step(fast, 1)).skip(50).collect::<Vec<_>>()
                })
                .collect(),
        )
        .unwrap();
        let words: Vec<usize> = (0..400).collect();
        let found = slowest_rate(records.view(), interval, &words).unwrap();
        let error = found.std_error.unwrap();
        assert!((found.value - slow).abs() < 4.0 * error + 0.02 * slow && error < 0.1 * slow, "{found:?}");
    }
}
