//! The strength of the noise at each condition of a family of equations, relative to that of all pairs.
//!
//! The rates of a family may span decades, for instance those of a hot and a cold alloy. In units of the strength all
//! conditions have equal weight in the training. The logarithm of the strength is linear between conditions and
//! constant beyond them. Of conditions along several axes it sees the first, the temperature.

use crate::parallel::{Ranks, distinct, total_over};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Families with more conditions have no strengths, because too few pairs share a condition.
const MOST: usize = 64;
/// Strength at a condition where nothing moves.
const LEAST: f64 = 1e-6;

/// The strengths of a family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoiseByCondition {
    /// Conditions, ascending.
    conditions: Vec<f64>,
    /// Natural logarithm of the strength at each.
    logarithms: Vec<f64>,
}

impl NoiseByCondition {
    /// From all pairs of all ranks: the condition and, for each component, the standardised state and the whitened
    /// increment. The strength is that of the residuals of a linear fit of the increment to the state, so it does not
    /// contain the drift. `None` for fewer than two conditions or more than 64.
    pub fn over(ranks: &dyn Ranks, pairs: &[(f64, Vec<[f64; 2]>)]) -> Option<Self> {
        let conditions = distinct(pairs.iter().map(|&(condition, _)| condition), ranks);
        if !(2..=MOST).contains(&conditions.len()) {
            return None;
        }
        let components = ranks.gather(pairs.first().map_or(0.0, |(_, pair)| pair.len() as f64));
        let components = components.into_iter().fold(0.0, f64::max) as usize;
        let mut sums = vec![[0.0; 6]; conditions.len() * components];
        for (condition, pair) in pairs {
            let first = components * conditions.partition_point(|known| known < condition);
            for (sums, &[z, q]) in sums[first..].iter_mut().zip(pair) {
                sums.iter_mut().zip([1.0, z, q, z * z, z * q, q * q]).for_each(|(sum, term)| *sum += term);
            }
        }
        total_over(ranks, sums.as_flattened_mut());
        let logarithm = |sums: &[[f64; 6]]| {
            let mean = sums.iter().map(residual).sum::<f64>() / components as f64;
            mean.max(LEAST * LEAST).ln() / 2.0
        };
        let logarithms = sums.chunks_exact(components).map(logarithm).collect();
        Some(Self { conditions, logarithms })
    }

    /// The strength at a condition.
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
    pub(super) fn tensors(&self, row: impl Fn(&[f64]) -> Tensor) -> NoiseByConditionTensors {
        NoiseByConditionTensors {
            starts: row(self.starts()),
            widths: row(&self.widths()),
            slopes: row(&self.slopes()),
            first: self.logarithms[0],
        }
    }
}

/// Mean square of the residuals of a linear fit of q to z, from the sums of 1, z, q, z^2, z q and q^2.
fn residual(&[count, z, q, zz, zq, qq]: &[f64; 6]) -> f64 {
    let (spread, both) = (zz - z * z / count, zq - z * q / count);
    let slope = if spread > 1e-9 * zz { both / spread } else { 0.0 };
    ((qq - q * q / count - slope * both) / count).max(0.0)
}

/// The strengths on the device.
pub(super) struct NoiseByConditionTensors {
    starts: Tensor,
    widths: Tensor,
    slopes: Tensor,
    first: f64,
}

impl NoiseByConditionTensors {
    /// The strength at raw conditions `[samples, axes]`, of which it takes the first.
    pub fn under(&self, conditions: &Tensor) -> Tensor {
        let inside = (conditions.narrow(1, 0, 1) - &self.starts).clamp_min(0.0).minimum(&self.widths);
        ((inside * &self.slopes).sum_dim_intlist(1, true, None) + self.first).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::Alone;
    use tch::Kind;

    #[test]
    fn the_strength_is_that_of_residuals_and_exponential_between_conditions() {
        let noise = [(300.0, 0.0), (600.0, 0.01), (900.0, 3.0)];
        let pair = |(condition, noise): (f64, f64), z: f64, sign: f64| {
            (condition, vec![[z, 5.0 - 2.0 * z + sign * noise], [1.0, sign * noise]])
        };
        let corners = [(-1.0, 1.0), (-1.0, -1.0), (2.0, 1.0), (2.0, -1.0)];
        let pairs: Vec<_> = noise.into_iter().flat_map(|known| corners.map(|(z, sign)| pair(known, z, sign))).collect();
        let strength = NoiseByCondition::over(&Alone, &pairs).unwrap();
        let expected =
            [(200.0, LEAST), (300.0, LEAST), (600.0, 0.01), (750.0, 0.03_f64.sqrt()), (900.0, 3.0), (2e3, 3.0)];
        let conditions = Tensor::from_slice(&expected.map(|(condition, _)| condition)).view([-1, 1]);
        let found = strength.tensors(Tensor::from_slice).under(&conditions);
        for (row, (condition, expected)) in expected.into_iter().enumerate() {
            assert!((strength.at(condition) / expected - 1.0).abs() < 1e-9, "{condition}");
            assert!((found.double_value(&[row as i64, 0]) / expected - 1.0).abs() < 1e-9, "{condition}");
        }
        assert_eq!(found.kind(), Kind::Double);
        let one = |condition: i32| (f64::from(condition), vec![[0.0, 1.0]]);
        assert_eq!(NoiseByCondition::over(&Alone, &[one(1), one(1)]), None);
        assert_eq!(NoiseByCondition::over(&Alone, &(0..100).map(one).collect::<Vec<_>>()), None);
    }
}
