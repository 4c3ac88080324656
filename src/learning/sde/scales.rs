//! Units of drift and diffusion in the coordinates of the networks, from the training pairs.

use crate::{
    learning::{
        LearningError, Pairs, SymmetryGroup,
        sde::{
            Coordinates, NoiseByCondition, Walls, coordinates::CoordinateTensors, likelihood::Factor,
            noise_by_condition::NoiseByConditionTensors, symmetry_group::SymmetryGroupTensors, walls::WallTensors,
        },
    },
    parallel::{Ranks, total_over},
};
use ndarray::{Array2, ArrayView1, s};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use tch::{Device, Kind, Tensor};

/// Rows converted at a time, to avoid a second copy of all pairs.
const BLOCK: usize = 65_536;

/// Coordinates of a model, and its units in them, one value per coordinate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scales {
    /// The map between physical states and coordinates.
    pub coordinates: Coordinates,
    /// Unit of the diffusion: sqrt(mean(increment^2 / (lambda dt))).
    pub diffusion: Vec<f64>,
    /// Unit of the drift: sqrt(lambda) times the unit of the diffusion over sqrt(mean dt).
    pub drift: Vec<f64>,
    /// Mean dt.
    pub time: f64,
    /// lambda, the ratio of the noise variances of pairs and equation.
    pub covariance_factor: f64,
    /// Least value and range of the conditions along each axis; empty for a model without conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "super::one_or_more")]
    pub condition: Vec<[f64; 2]>,
    /// Noise at each condition relative to that of all pairs; `None` for a model without conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<NoiseByCondition>,
    /// The symmetries that drift and diffusion have; `None` for a model without.
    #[serde(default, alias = "mirror", skip_serializing_if = "Option::is_none")]
    pub symmetry: Option<SymmetryGroup>,
    /// Least and largest value of each component in the training data; empty for a model of an earlier version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extent: Vec<[f64; 2]>,
    /// Steps in which the moments of an increment are advanced; 0 for one Euler step.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub moment_steps: usize,
    /// Drift and Sigma of a prediction over those of the pairs.
    #[serde(default = "same_clock", skip_serializing_if = "is_same_clock")]
    pub clock: f64,
    /// The walls that keep predicted states within the data; `None` for a model of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walls: Option<Walls>,
}

fn same_clock() -> f64 {
    1.0
}

fn is_same_clock(clock: &f64) -> bool {
    *clock == 1.0
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Scales {
    /// The units in which drift and noise per mean dt are what the networks give, by coordinate: those of the moments.
    pub(super) fn of_moments(&self) -> Vec<f64> {
        self.diffusion.iter().map(|unit| unit * (self.covariance_factor * self.time).sqrt()).collect()
    }

    /// The unit of a move, by coordinate: that of the diffusion over the mean dt. Forces of a reversible drift are in the
    /// inverse of it.
    pub(super) fn lengths(&self) -> Vec<f64> {
        self.diffusion.iter().zip(&self.drift).map(|(noise, drift)| noise * noise / drift).collect()
    }

    /// The largest |x| of the data, by coordinate: the walls along both directions of each axis come first.
    pub(super) fn reach(&self) -> Vec<f64> {
        let axis = |walls: &Walls, index: usize| walls.bounds[2 * index].max(walls.bounds[2 * index + 1]);
        let of = |index| self.walls.as_ref().map_or(1.0, |walls| axis(walls, index));
        (0..self.independent()).map(of).collect()
    }

    /// Coordinates and units of the pairs of all ranks together.
    ///
    /// # Errors
    /// When the tensor library finds no eigenvectors.
    pub fn over(ranks: &dyn Ranks, pairs: &Pairs, covariance_factor: f64) -> Result<Self, LearningError> {
        let coordinates = Coordinates::over(ranks, pairs)?;
        let times = pairs.dt.iter().map(|&dt| f64::from(dt));
        let mut sums = vec![pairs.dt.len() as f64, times.sum::<f64>()];
        sums.resize(2 + coordinates.independent(), 0.0);
        let mut walls = Walls::new(coordinates.independent());
        for rows in blocks(pairs.dt.len()) {
            let increments = coordinates.increments(pairs.increment.slice(s![rows.clone(), ..]));
            walls.widen(coordinates.states(pairs.z.slice(s![rows.clone(), ..])).view());
            let dt = pairs.dt.slice(s![rows]).mapv(f64::from);
            let noises = increments.columns().into_iter().map(|column| (&column * &column / &dt).sum());
            sums[2..].iter_mut().zip(noises).for_each(|(sum, noise): (_, f64)| *sum += noise);
        }
        total_over(ranks, &mut sums);
        let (samples, time) = (sums[0], sums[1] / sums[0]);
        let unit = |noise: &f64| {
            let unit = (noise / samples / covariance_factor).sqrt();
            // The unit of a coordinate that never moves keeps its noise negligible.
            if unit > 0.0 { unit } else { 1e-6 / time.sqrt() }
        };
        let diffusion: Vec<f64> = sums[2..].iter().map(unit).collect();
        let drift = diffusion.iter().map(|unit| unit * (covariance_factor / time).sqrt()).collect();
        Ok(Self {
            coordinates,
            diffusion,
            drift,
            time,
            covariance_factor,
            condition: Vec::new(),
            strength: None,
            symmetry: None,
            extent: extent(ranks, &pairs.z),
            moment_steps: 0,
            clock: 1.0,
            walls: Some(walls.together(ranks)),
        })
    }

    /// Sets the ranges of the conditions of all ranks `[pairs, axes]`, if any.
    pub fn with_condition(mut self, ranks: &dyn Ranks, condition: Option<&Array2<f32>>) -> Self {
        let range = |[least, most]: [f64; 2]| [least, if most > least { most - least } else { 1.0 }];
        self.condition =
            condition.map_or_else(Vec::new, |condition| extent(ranks, condition).into_iter().map(range).collect());
        self
    }

    /// Sets the strength of the noise at each condition from the pairs of all ranks, if they have conditions.
    pub fn with_strength(mut self, ranks: &dyn Ranks, pairs: &Pairs) -> Self {
        self.strength = pairs.condition.as_ref().and_then(|condition| {
            let rows = self.packed_rows(pairs, None, 0..pairs.dt.len());
            let pair = |row: &[f64]| (0..self.independent()).map(|i| [row[i], row[self.independent() + i]]).collect();
            let rows = rows.chunks_exact(self.columns()).map(pair);
            let pairs: Vec<_> = condition.column(0).iter().map(|&first| f64::from(first)).zip(rows).collect();
            NoiseByCondition::over(ranks, &pairs)
        });
        self
    }

    /// The strength of the noise at the condition of a pair.
    fn strength_of(&self, pairs: &Pairs, row: usize) -> f64 {
        let known = self.strength.as_ref().zip(pairs.condition.as_ref());
        known.map_or(1.0, |(strength, condition)| strength.at(f64::from(condition[[row, 0]])))
    }

    /// Number of coordinates.
    pub fn independent(&self) -> usize {
        self.coordinates.independent()
    }

    /// Difference between the mean losses of all ranks in physical units and in these units: log det of the units and
    /// of lambda dt.
    pub fn offset(&self, ranks: &dyn Ranks, pairs: &Pairs) -> f64 {
        let count = pairs.dt.len();
        let term = |row| f64::from(pairs.dt[row]).ln() + 2.0 * self.strength_of(pairs, row).ln();
        let mut sums = [(0..count).map(term).sum::<f64>(), count as f64];
        total_over(ranks, &mut sums);
        let time = sums[0] / sums[1].max(1.0);
        let units: f64 = self.diffusion.iter().map(|unit| 2.0 * unit.ln()).sum();
        let volume = self.coordinates.logarithm_of_volume();
        volume + units + self.independent() as f64 * (self.covariance_factor.ln() + time)
    }

    /// Length of a packed row without a quiet increment.
    fn columns(&self) -> usize {
        2 * self.independent() + 1 + self.condition.len()
    }

    /// A tensor on `device` with one row per pair: coordinates of the state (r), whitened increment (r), sqrt(dt / mean
    /// dt), the condition along each axis in [0, 1] if there is one, and the whitened quiet increment (r) if there are
    /// compensators. It is built block by block, to avoid a second copy on the host. Collective.
    ///
    /// # Errors
    /// When the tensor library refuses an operation.
    pub fn pack(&self, pairs: &Pairs, ranks: &dyn Ranks, kind: Kind, device: Device) -> Result<Tensor, LearningError> {
        let quiet = pairs.compensator.as_ref().map(|_| pairs.quiet_increment(ranks)).transpose()?;
        let more = if quiet.is_some() { self.independent() } else { 0 };
        let (count, columns) = (pairs.dt.len(), (self.columns() + more) as i64);
        let packed = Tensor::zeros([count as i64, columns], (kind, device));
        for block in blocks(count) {
            let rows = self.packed_rows(pairs, quiet.as_ref(), block.clone());
            let rows = Tensor::from_slice(&rows).to_kind(kind).view([-1, columns]);
            packed.narrow(0, block.start as i64, rows.size()[0]).copy_(&rows);
        }
        Ok(packed)
    }

    fn packed_rows(&self, pairs: &Pairs, quiet: Option<&Array2<f32>>, block: Range<usize>) -> Vec<f64> {
        let states = self.coordinates.states(pairs.z.slice(s![block.clone(), ..]));
        let coordinates = |increment: &Array2<f32>| self.coordinates.increments(increment.slice(s![block.clone(), ..]));
        let (increments, quiet) = (coordinates(&pairs.increment), quiet.map(coordinates));
        let mut rows = Vec::with_capacity(block.len() * (self.columns() + self.independent()));
        for (place, row) in block.clone().enumerate() {
            let dt = f64::from(pairs.dt[row]);
            let noise = (self.covariance_factor * dt).sqrt() * self.strength_of(pairs, row);
            let whitened = |q: ArrayView1<f64>| -> Vec<f64> {
                q.iter().zip(&self.diffusion).map(|(q, unit)| q / (unit * noise)).collect()
            };
            rows.extend(states.row(place));
            rows.extend(whitened(increments.row(place)));
            rows.push((dt / self.time).sqrt());
            if let Some(condition) = &pairs.condition {
                let axes = condition.row(row).into_iter().zip(&self.condition);
                rows.extend(axes.map(|(&value, [least, range])| (f64::from(value) - least) / range));
            }
            rows.extend(quiet.iter().flat_map(|quiet| whitened(quiet.row(place))));
        }
        rows
    }

    pub(super) fn tensors(&self, kind: Kind, device: Device) -> ScaleTensors {
        let row = |values: &[f64]| Tensor::from_slice(values).to_kind(kind).to_device(device);
        let size = self.independent();
        let lower: Vec<f64> = (0..size).flat_map(|column| self.diffusion[column + 1..].iter().copied()).collect();
        ScaleTensors {
            coordinates: self.coordinates.tensors(device),
            drift: row(&self.drift),
            diagonal: row(&self.diffusion),
            lower: row(&lower),
            strength: self.strength.as_ref().map(|strength| strength.tensors(row)),
            condition: [0, 1].map(|which| row(&self.condition.iter().map(|axis| axis[which]).collect::<Vec<_>>())),
            walls: self.walls.as_ref().map(|walls| walls.tensors(kind, device)),
            symmetry: self.symmetry.as_ref().map(|group| group.tensors(&self.coordinates, kind, device)),
        }
    }
}

/// Least and largest value of each column over all ranks.
fn extent(ranks: &dyn Ranks, values: &Array2<f32>) -> Vec<[f64; 2]> {
    let most = |column: ArrayView1<f32>, sign: f64| {
        let own = column.iter().fold(f64::NEG_INFINITY, |most, &value| most.max(sign * f64::from(value)));
        sign * ranks.gather(own).into_iter().fold(f64::NEG_INFINITY, f64::max)
    };
    values.columns().into_iter().map(|column| [most(column, -1.0), most(column, 1.0)]).collect()
}

fn blocks(count: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count).step_by(BLOCK).map(move |first| first..count.min(first + BLOCK))
}

/// The units as rows on the device.
pub(super) struct ScaleTensors {
    pub coordinates: CoordinateTensors,
    pub drift: Tensor,
    diagonal: Tensor,
    lower: Tensor,
    /// Least value and range of the conditions, `[axes]` each.
    pub condition: [Tensor; 2],
    pub strength: Option<NoiseByConditionTensors>,
    pub symmetry: Option<SymmetryGroupTensors>,
    pub walls: Option<WallTensors>,
}

impl ScaleTensors {
    /// Converts a factor from the units of the networks to those of the coordinates: row i of L times the unit of
    /// coordinate i.
    pub fn scale_factor(&self, factor: Factor) -> Factor {
        Factor { diagonal: factor.diagonal * &self.diagonal, lower: factor.lower.map(|lower| lower * &self.lower) }
    }
}
