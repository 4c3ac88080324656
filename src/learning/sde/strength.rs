//! How strong the noise is under each condition of a family of equations, over that of all pairs. In these units equations whose
//! rates span decades, as those of a hot and of a cold alloy, weigh alike; the networks would else spend themselves on
//! the quiet ones. Between conditions the logarithm is interpolated linearly, beyond them it stays.

use crate::{
    learning::{descent::total_over, split::distinct},
    parallel::Ranks,
};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Most conditions that each get a strength of their own; a family with more is one whose conditions hardly repeat.
const MOST: usize = 64;
/// Strength under a condition where nothing moves.
const LEAST: f64 = 1e-6;

/// The strengths of a family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Strength {
    /// Conditions, rising.
    conditions: Vec<f64>,
    /// Natural logarithm of the strength under each.
    logarithms: Vec<f64>,
}

impl Strength {
    /// From the condition and the mean square increment, in units of that of all pairs, of each pair of all ranks. `None` when
    /// there are fewer than two conditions, or too many to know each.
    pub fn over(ranks: &dyn Ranks, pairs: impl Iterator<Item = (f64, f64)> + Clone) -> Option<Self> {
        let conditions = distinct(pairs.clone().map(|(condition, _)| condition), ranks);
        if !(2..=MOST).contains(&conditions.len()) {
            return None;
        }
        let mut sums = vec![0.0; 2 * conditions.len()];
        for (condition, square) in pairs {
            let place = 2 * conditions.partition_point(|&known| known < condition);
            sums[place] += square;
            sums[place + 1] += 1.0;
        }
        total_over(ranks, &mut sums);
        let logarithm = |sum: &[f64]| (sum[0] / sum[1]).sqrt().max(LEAST).ln();
        let logarithms = sums.chunks_exact(2).map(logarithm).collect();
        Some(Self { conditions, logarithms })
    }

    /// The strength under a condition.
    pub fn at(&self, condition: f64) -> f64 {
        let segments = self.starts().iter().zip(self.widths()).zip(self.slopes());
        let risen = segments.map(|((start, width), slope)| (condition - start).clamp(0.0, width) * slope);
        (self.logarithms[0] + risen.sum::<f64>()).exp()
    }

    fn starts(&self) -> &[f64] {
        &self.conditions[..self.conditions.len() - 1]
    }

    fn widths(&self) -> Vec<f64> {
        self.conditions.windows(2).map(|ends| ends[1] - ends[0]).collect()
    }

    fn slopes(&self) -> Vec<f64> {
        let rises = self.logarithms.windows(2).map(|ends| ends[1] - ends[0]);
        rises.zip(self.widths()).map(|(rise, width)| rise / width).collect()
    }

    /// The same for tensors made by `row`.
    pub(super) fn tensors(&self, row: impl Fn(&[f64]) -> Tensor) -> StrengthTensors {
        StrengthTensors {
            starts: row(self.starts()),
            widths: row(&self.widths()),
            slopes: row(&self.slopes()),
            first: self.logarithms[0],
        }
    }
}

/// The strengths on the device.
pub(super) struct StrengthTensors {
    starts: Tensor,
    widths: Tensor,
    slopes: Tensor,
    first: f64,
}

impl StrengthTensors {
    /// The strength under raw conditions, `[samples, 1]`.
    pub fn under(&self, conditions: &Tensor) -> Tensor {
        let inside = (conditions - &self.starts).clamp_min(0.0).minimum(&self.widths);
        ((inside * &self.slopes).sum_dim_intlist(1, true, None) + self.first).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::Alone;
    use tch::Kind;

    #[test]
    fn the_strength_is_that_of_the_pairs_and_exponential_between() {
        let pairs = [(300.0, 0.0), (900.0, 4.0), (600.0, 1e-4), (900.0, 14.0), (600.0, 1e-4)];
        let strength = Strength::over(&Alone, pairs.into_iter()).unwrap();
        let expected =
            [(200.0, LEAST), (300.0, LEAST), (600.0, 0.01), (750.0, 0.03_f64.sqrt()), (900.0, 3.0), (2e3, 3.0)];
        let conditions = Tensor::from_slice(&expected.map(|(condition, _)| condition)).view([-1, 1]);
        let found = strength.tensors(|values| Tensor::from_slice(values)).under(&conditions);
        for (row, (condition, expected)) in expected.into_iter().enumerate() {
            assert!((strength.at(condition) / expected - 1.0).abs() < 1e-9, "{condition}");
            assert!((found.double_value(&[row as i64, 0]) / expected - 1.0).abs() < 1e-9, "{condition}");
        }
        assert_eq!(found.kind(), Kind::Double);
        assert_eq!(Strength::over(&Alone, [(1.0, 2.0), (1.0, 3.0)].into_iter()), None);
        assert_eq!(Strength::over(&Alone, (0..100).map(|item| (f64::from(item), 1.0))), None);
    }
}
