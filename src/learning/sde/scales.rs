//! Units of the latent state and of its drift and diffusion, taken from the training pairs.

use crate::{
    learning::{
        Mirror, Pairs,
        sde::{Strength, likelihood::Factor, mirror::MirrorTensors, strength::StrengthTensors},
    },
    parallel::{Ranks, total_over},
};
use ndarray::{Array1, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use tch::{Device, Kind, Tensor};

/// The units of a model, one number per latent component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scales {
    /// Mean of the states.
    pub centre: Vec<f64>,
    /// Standard deviation of the states; 1 for a component that never changes.
    pub spread: Vec<f64>,
    /// Unit of the diffusion: sqrt(mean(increment^2 / (lambda dt))).
    pub diffusion: Vec<f64>,
    /// Unit of the drift: sqrt(lambda) times the unit of the diffusion over sqrt(mean dt).
    pub drift: Vec<f64>,
    /// Mean dt.
    pub time: f64,
    /// lambda: the pairs' noise variance over that of the equation.
    pub covariance_factor: f64,
    /// Least condition and range of the conditions; `None` for a model without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<[f64; 2]>,
    /// Noise under each condition over that of all pairs; `None` for a model without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<Strength>,
    /// A symmetry that drift and diffusion have; `None` for a model without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Mirror>,
}

impl Scales {
    /// Units of the states `[samples, d]`, increments `[samples, d]` and times `[samples]` of all ranks together.
    pub fn over(
        ranks: &dyn Ranks,
        z: ArrayView2<f32>,
        increment: ArrayView2<f32>,
        dt: ArrayView1<f32>,
        covariance_factor: f64,
    ) -> Self {
        let sum = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>();
        let mut first = vec![dt.len() as f64, sum(&mut dt.iter().map(|&value| f64::from(value)))];
        first.extend(z.axis_iter(Axis(1)).map(|column| sum(&mut column.iter().map(|&value| f64::from(value)))));
        total_over(ranks, &mut first);
        let samples = first[0];
        let time = first[1] / samples;
        let centre: Vec<f64> = first[2..].iter().map(|sum| sum / samples).collect();
        let squares = z
            .axis_iter(Axis(1))
            .zip(&centre)
            .map(|(column, centre)| sum(&mut column.iter().map(|&value| (f64::from(value) - centre).powi(2))));
        let noises = increment
            .axis_iter(Axis(1))
            .map(|column| sum(&mut column.iter().zip(dt).map(|(&q, &dt)| f64::from(q).powi(2) / f64::from(dt))));
        let mut second: Vec<f64> = squares.chain(noises).collect();
        total_over(ranks, &mut second);
        let (squares, noises) = second.split_at(centre.len());
        let spread: Vec<f64> = squares
            .iter()
            .map(|square| (square / samples).sqrt())
            .zip(&centre)
            .map(|(spread, centre)| if spread > 1e-7 * centre.abs() && spread > 1e-30 { spread } else { 1.0 })
            .collect();
        let diffusion: Vec<f64> = noises
            .iter()
            .zip(&spread)
            .map(|(noise, spread)| {
                let unit = (noise / samples / covariance_factor).sqrt();
                // A component that never moves gets a unit that keeps its noise negligible.
                if unit > 0.0 { unit } else { 1e-6 * spread / time.sqrt() }
            })
            .collect();
        let drift = diffusion.iter().map(|unit| unit * (covariance_factor / time).sqrt()).collect();
        Self {
            centre,
            spread,
            diffusion,
            drift,
            time,
            covariance_factor,
            condition: None,
            strength: None,
            mirror: None,
        }
    }

    /// Takes the range of the conditions of all ranks, if they have any.
    pub fn with_condition(mut self, ranks: &dyn Ranks, condition: Option<&Array1<f32>>) -> Self {
        self.condition = condition.map(|condition| {
            let fold =
                |start: f32, choose: fn(f32, f32) -> f32| f64::from(condition.iter().copied().fold(start, choose));
            let least = ranks.gather(fold(f32::INFINITY, f32::min)).into_iter().fold(f64::INFINITY, f64::min);
            let most = ranks.gather(fold(f32::NEG_INFINITY, f32::max)).into_iter().fold(f64::NEG_INFINITY, f64::max);
            [least, if most > least { most - least } else { 1.0 }]
        });
        self
    }

    /// Takes the strength of the noise under each condition from the pairs of all ranks, if they have conditions.
    pub fn with_strength(mut self, ranks: &dyn Ranks, pairs: &Pairs) -> Self {
        self.strength = pairs.condition.as_ref().and_then(|condition| {
            let rows = self.packed_rows(pairs, 0..pairs.dt.len());
            let pair = |row: &[f64]| (0..self.components()).map(|i| [row[i], row[self.components() + i]]).collect();
            let rows = rows.chunks_exact(self.columns()).map(pair);
            let pairs: Vec<_> = condition.iter().map(|&condition| f64::from(condition)).zip(rows).collect();
            Strength::over(ranks, &pairs)
        });
        self
    }

    /// The strength of the noise under the condition of a pair.
    fn strength_of(&self, pairs: &Pairs, row: usize) -> f64 {
        let known = self.strength.as_ref().zip(pairs.condition.as_ref());
        known.map_or(1.0, |(strength, condition)| strength.at(f64::from(condition[row])))
    }

    /// Number of latent components.
    pub fn components(&self) -> usize {
        self.centre.len()
    }

    /// Mean over the samples of all ranks of what the loss in raw units has on top of the loss in these units: log det of
    /// the units and of lambda dt.
    pub fn offset(&self, ranks: &dyn Ranks, pairs: &Pairs) -> f64 {
        let count = pairs.dt.len();
        let term = |row| f64::from(pairs.dt[row]).ln() + 2.0 * self.strength_of(pairs, row).ln();
        let mut sums = [(0..count).map(term).sum::<f64>(), count as f64];
        total_over(ranks, &mut sums);
        let time = sums[0] / sums[1].max(1.0);
        let units: f64 = self.diffusion.iter().map(|unit| 2.0 * unit.ln()).sum();
        units + self.components() as f64 * (self.covariance_factor.ln() + time)
    }

    /// Numbers in a packed row.
    pub fn columns(&self) -> usize {
        2 * self.components() + 1 + usize::from(self.condition.is_some())
    }

    /// One row per pair: standardised state (d), whitened increment (d), sqrt(dt / mean dt) (1), condition in [0, 1]
    /// (if there is one). A tensor on `device`, made block by block, so that the host holds no second copy.
    pub fn pack(&self, pairs: &Pairs, kind: Kind, device: Device) -> Tensor {
        const BLOCK: usize = 65_536;
        let (count, columns) = (pairs.dt.len(), self.columns() as i64);
        let packed = Tensor::zeros([count as i64, columns], (kind, device));
        for first in (0..count).step_by(BLOCK) {
            let rows = self.packed_rows(pairs, first..count.min(first + BLOCK));
            let rows = Tensor::from_slice(&rows).to_kind(kind).view([-1, columns]);
            packed.narrow(0, first as i64, rows.size()[0]).copy_(&rows);
        }
        packed
    }

    fn packed_rows(&self, pairs: &Pairs, block: Range<usize>) -> Vec<f64> {
        let mut rows = Vec::with_capacity(block.len() * self.columns());
        for row in block {
            let (z, q, dt) = (pairs.z.row(row), pairs.increment.row(row), f64::from(pairs.dt[row]));
            let noise = (self.covariance_factor * dt).sqrt() * self.strength_of(pairs, row);
            let states = z.iter().zip(&self.centre).zip(&self.spread);
            rows.extend(states.map(|((&z, centre), spread)| (f64::from(z) - centre) / spread));
            rows.extend(q.iter().zip(&self.diffusion).map(|(&q, unit)| f64::from(q) / (unit * noise)));
            rows.push((dt / self.time).sqrt());
            if let (Some([least, range]), Some(condition)) = (self.condition, &pairs.condition) {
                rows.push((f64::from(condition[row]) - least) / range);
            }
        }
        rows
    }

    pub(super) fn tensors(&self, kind: Kind, device: Device) -> ScaleTensors {
        let row = |values: &[f64]| Tensor::from_slice(values).to_kind(kind).to_device(device);
        let size = self.components();
        let lower: Vec<f64> = (0..size).flat_map(|column| self.diffusion[column + 1..].iter().copied()).collect();
        ScaleTensors {
            centre: row(&self.centre),
            spread: row(&self.spread),
            drift: row(&self.drift),
            diagonal: row(&self.diffusion),
            lower: row(&lower),
            strength: self.strength.as_ref().map(|strength| strength.tensors(row)),
            mirror: self.mirror.as_ref().map(|mirror| mirror.tensors(kind, device)),
        }
    }
}

/// The units as rows on the device.
pub(super) struct ScaleTensors {
    centre: Tensor,
    spread: Tensor,
    pub drift: Tensor,
    diagonal: Tensor,
    lower: Tensor,
    pub strength: Option<StrengthTensors>,
    pub mirror: Option<MirrorTensors>,
}

impl ScaleTensors {
    /// Raw states in standardised units.
    pub fn standardise(&self, z: &Tensor) -> Tensor {
        (z.to_kind(self.centre.kind()) - &self.centre) / &self.spread
    }

    /// A standardised factor in raw units: row i of L times the unit of component i.
    pub fn scale_factor(&self, factor: Factor) -> Factor {
        Factor { diagonal: factor.diagonal * &self.diagonal, lower: factor.lower.map(|lower| lower * &self.lower) }
    }
}
