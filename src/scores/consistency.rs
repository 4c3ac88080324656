//! A check of the training pairs that needs no direct simulation: do the large states change, by their own dynamics, as
//! fast as the trajectories that they were made from?
//!
//! Between the two oldest records the mean of an observable over the snapshots changes by a certain rate, near zero
//! once the small system is relaxed. The increments of partial evolution give the rate at which the large states
//! change. Where upsampling distorts the states the two differ: the states then relax towards another mean than they
//! have. The same is asked of the squares of the observables, which see a wrong order parameter where a symmetry keeps
//! the mean at zero, for instance after upsampling with a wrong critical point. When one of K patches changes an
//! observable z by dz / K, its square changes by 2 z dz / K + dz^2 / K^2.

use super::{Evidence, Key, MetricTable, ModelKind, PairsEvidence, Score};
use crate::evaluation::{EvaluationError, Metric, Metrics, Observable};

/// Rate of the increments minus rate of the snapshots, of each observable (`data_drift_...`) and of its square
/// (`data_square_drift_...`), with their errors over words, and the largest of them in standard errors
/// (`data_drift_z`).
pub struct DataConsistency;

/// Fewest words with a standard error.
const FEWEST: usize = 5;

impl Score for DataConsistency {
    fn of_trajectories(&self) -> bool {
        false
    }

    fn score(&self, evidence: &Evidence, kind: ModelKind, metrics: &mut Metrics) -> Result<(), EvaluationError> {
        let Some(records) = oldest(&evidence.pairs.age).filter(|_| kind == ModelKind::Ours) else { return Ok(()) };
        // Copies of a small state fluctuate more than a state of their size does, and their squares shrink.
        let moments = &MOMENTS[..if evidence.pairs.copies { 1 } else { 2 }];
        let mut largest: Option<f64> = None;
        for (component, observable) in evidence.observables.iter().enumerate() {
            for &(name, moment) in moments {
                let differences = differences(&evidence.pairs, records, component, moment);
                if differences.len() < FEWEST {
                    return Ok(());
                }
                let found = Metric::mean_of(&differences, "1/time");
                let z = found.value.abs() / found.std_error.unwrap_or(f64::NAN);
                largest = Some(largest.unwrap_or(0.0).max(z));
                metrics.insert(Key::new(name).of(observable.name), found);
            }
        }
        if let Some(z) = largest {
            let count = moments.len() * evidence.observables.len();
            metrics.insert("data_drift_z", Metric::exact(z, count, "1"));
        }
        Ok(())
    }

    fn tables(&self, observables: &[Observable]) -> Vec<MetricTable> {
        let of_each = ["data_drift", "data_square_drift"]
            .into_iter()
            .flat_map(|name| observables.iter().map(move |observable| format!("{name}_{}", observable.name)));
        vec![MetricTable {
            title: "Consistency of the training data at each point",
            caption: "Rate of change of the oldest large states by partial evolution, minus that of the small trajectories \
                      they were made from, for the observables and their squares. No direct simulation is needed.",
            look_for: "values within three standard errors of zero. Otherwise upsampling distorts the states.",
            metrics: std::iter::once("data_drift_z".to_owned()).chain(of_each).collect(),
        }]
    }
}

/// The two largest ages.
fn oldest(ages: &ndarray::Array1<f64>) -> Option<[f64; 2]> {
    let finite = || ages.iter().copied().filter(|age| age.is_finite());
    let last = finite().reduce(f64::max)?;
    let before = finite().filter(|age| *age < last).reduce(f64::max)?;
    Some([before, last])
}

/// A function of an observable z, and its change by one of K patches, times K, from the state, the increment with little
/// noise, the increment, and K.
type Moment = (fn(f64) -> f64, fn(f64, f64, f64, f64) -> f64);
const MEAN: Moment = (|z| z, |_, quiet, _, _| quiet);
const SQUARE: Moment = (|z| z * z, |z, quiet, increment, patches| 2.0 * z * quiet + increment * increment / patches);
const MOMENTS: [(&str, Moment); 2] = [("data_drift", MEAN), ("data_square_drift", SQUARE)];

/// For each word with pairs of both ages, the mean rate of the increments minus that of the states.
fn differences(pairs: &PairsEvidence, ages: [f64; 2], component: usize, (of, change): Moment) -> Vec<f64> {
    let words = pairs.word.iter().max().map_or(0, |most| *most as usize + 1);
    // Count, sum of states and sum of rates, at each age.
    let mut sums = vec![[[0.0; 3]; 2]; words];
    for (row, age) in pairs.age.iter().enumerate() {
        if let Some(record) = ages.iter().position(|known| known == age) {
            let [z, quiet, increment] =
                [&pairs.state, &pairs.quiet, &pairs.increment].map(|values| values[[row, component]]);
            let rate = change(z, quiet, increment, pairs.patches as f64) / pairs.duration[row];
            let terms = [1.0, of(z), rate];
            sums[pairs.word[row] as usize][record].iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
        }
    }
    let both = sums.iter().filter(|word| word.iter().all(|[count, ..]| *count > 0.0));
    let difference = |[[n0, z0, r0], [n1, z1, r1]]: &[[f64; 3]; 2]| {
        0.5 * (r0 / n0 + r1 / n1) - (z1 / n1 - z0 / n0) / (ages[1] - ages[0])
    };
    both.map(difference).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2};

    /// Pairs of 8 words at ages 0, 10 and 20; the state is 1 + age / 10, and increments have this rate plus `extra`.
    fn pairs(extra: f64) -> PairsEvidence {
        let ages = [0.0, 10.0, 20.0, f64::NAN];
        let rows = || (0..64).map(|row| (row % 4, row / 8, [0.01, -0.01][row / 4 % 2]));
        let column = |values: Vec<f64>| Array2::from_shape_vec((64, 1), values).unwrap();
        PairsEvidence {
            count: 64,
            age: rows().map(|(age, ..)| ages[age]).collect(),
            word: rows().map(|(_, word, _)| word as u32).collect(),
            patches: 1,
            increment: column(vec![0.0; 64]),
            state: column(rows().map(|(age, ..)| 1.0 + if age < 3 { ages[age] / 10.0 } else { 7.0 }).collect()),
            quiet: column(rows().map(|(.., noise)| 2.0 * (0.1 + extra) + noise).collect()),
            duration: Array1::from_elem(64, 2.0),
            ..PairsEvidence::default()
        }
    }

    #[test]
    fn increments_that_do_not_fit_the_trajectories_are_seen() {
        for extra in [0.0, 0.05] {
            let pairs = pairs(extra);
            assert_eq!(oldest(&pairs.age), Some([10.0, 20.0]));
            let found = differences(&pairs, [10.0, 20.0], 0, MEAN);
            assert_eq!(found.len(), 8);
            assert!(found.iter().all(|difference| (difference - extra).abs() < 0.006), "{found:?}");
        }
    }

    /// States of two signs, whose mean stays zero: z' = -rate z with noise of variance `2 rate square` a unit of time
    /// keeps the mean square at `square`, and the states have 1.
    #[test]
    fn squares_see_what_a_symmetry_hides() {
        for square in [1.0, 1.2] {
            let (mut pairs, patches, rate) = (pairs(0.0), 4, 0.05);
            let sign = |row: usize| [1.0, -1.0][row / 4 % 2];
            pairs.patches = patches;
            pairs.state = Array2::from_shape_fn((64, 1), |(row, _)| sign(row));
            pairs.quiet = -2.0 * rate * &pairs.state;
            let variance = 2.0 * rate * square * 2.0 * patches as f64;
            pairs.increment = Array2::from_elem((64, 1), variance.sqrt());
            let found = differences(&pairs, [10.0, 20.0], 0, SQUARE);
            let mean = differences(&pairs, [10.0, 20.0], 0, MEAN);
            assert!(found.iter().all(|found| (found - 2.0 * rate * (square - 1.0)).abs() < 1e-12), "{found:?}");
            assert!(mean.iter().sum::<f64>().abs() < 1e-12, "{mean:?}");
        }
    }

    #[test]
    fn one_age_is_not_enough() {
        assert_eq!(oldest(&Array1::from_elem(3, 4.0)), None);
    }
}
