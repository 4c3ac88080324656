//! Training pairs: a latent state and its increment over a time of its own.

use super::{LearningError, descent::total_over};
use crate::{
    parallel::Ranks,
    rng::{Purpose, stream},
};
use ndarray::{Array1, Array2, Axis};
use rand::seq::SliceRandom;
use std::{collections::HashSet, ops::Range};

/// The training pairs of one rank, one row per pair. The pairs of all ranks, in the order of the ranks, are numbered
/// through as samples.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// Latent states, `[pairs, d]`.
    pub z: Array2<f32>,
    /// Increments of the latent states, `[pairs, d]`.
    pub increment: Array2<f32>,
    /// Times of the increments, `[pairs]`, positive.
    pub dt: Array1<f32>,
    /// Trajectory that each pair comes from, `[pairs]`: pairs of one trajectory stay on one side of the split.
    pub trajectory: Array1<u32>,
    /// What sets each pair's equation apart in a family of equations, such as the temperature, `[pairs]`; `None` for a
    /// single equation. The same on all ranks: all with or all without.
    pub condition: Option<Array1<f32>>,
}

impl Pairs {
    /// Number of latent components d.
    pub fn components(&self) -> usize {
        self.z.ncols()
    }

    /// Checks lengths and values.
    ///
    /// # Errors
    /// When arrays differ in length, a value is NaN or infinite, or a time is not positive.
    pub fn check(&self) -> Result<(), LearningError> {
        let rows = [self.z.nrows(), self.increment.nrows(), self.dt.len(), self.trajectory.len()];
        let columns = [self.z.ncols(), self.increment.ncols()];
        if rows.iter().any(|&count| count != rows[0]) || columns[0] != columns[1] {
            return Err(LearningError::Shape(format!(
                "z is {:?}, increment {:?}, dt {} and trajectory {} long",
                self.z.dim(),
                self.increment.dim(),
                rows[2],
                rows[3]
            )));
        }
        if columns[0] == 0 {
            return Err(LearningError::Shape("the pairs have no components".into()));
        }
        finite("z", self.z.iter(), columns[0])?;
        finite("increment", self.increment.iter(), columns[0])?;
        finite("dt", self.dt.iter(), 1)?;
        if let Some(condition) = &self.condition {
            if condition.len() != rows[0] {
                let found = condition.len();
                return Err(LearningError::Shape(format!("{} pairs have {found} conditions", rows[0])));
            }
            finite("condition", condition.iter(), 1)?;
        }
        match self.dt.iter().position(|&dt| dt <= 0.0) {
            Some(row) => Err(LearningError::Shape(format!("dt = {} in row {row} is not positive", self.dt[row]))),
            None => Ok(()),
        }
    }

    /// The samples that the rows of this rank are.
    ///
    /// # Errors
    /// When all ranks together have fewer than two pairs.
    pub fn place(&self, ranks: &dyn Ranks) -> Result<Range<usize>, LearningError> {
        let counts = ranks.gather(self.dt.len() as f64);
        let before: f64 = counts[..ranks.rank()].iter().sum();
        let all: f64 = counts.iter().sum();
        if all < 2.0 {
            return Err(LearningError::Shape(format!("{all} pairs are too few")));
        }
        Ok(before as usize..before as usize + self.dt.len())
    }

    /// States, increments and times of some rows.
    pub fn select(&self, rows: &[usize]) -> (Array2<f32>, Array2<f32>, Array1<f32>) {
        (self.z.select(Axis(0), rows), self.increment.select(Axis(0), rows), self.dt.select(Axis(0), rows))
    }

    /// Samples for training and samples for validation, each in order, the same on every rank. Whole trajectories are held
    /// out, at least one and never all; a single trajectory is cut in time. A `fraction` of 0 holds out nothing.
    ///
    /// # Errors
    /// As [`Pairs::place`].
    pub fn split(
        &self,
        fraction: f64,
        seed: u64,
        ranks: &dyn Ranks,
    ) -> Result<(Vec<usize>, Vec<usize>), LearningError> {
        let own = self.place(ranks)?;
        let all = ranks.gather(own.len() as f64).iter().sum::<f64>() as usize;
        if fraction <= 0.0 {
            return Ok(((0..all).collect(), Vec::new()));
        }
        let mut trajectories = self.trajectories(ranks);
        let count = trajectories.len();
        if count == 1 {
            let held = ((all as f64 * fraction).round() as usize).clamp(1, all - 1);
            return Ok(((0..all - held).collect(), (all - held..all).collect()));
        }
        trajectories.shuffle(&mut stream(seed, Purpose::Split, [0, 0]));
        let held = ((count as f64 * fraction).round() as usize).clamp(1, count - 1);
        let held: HashSet<u32> = trajectories[..held].iter().copied().collect();
        let mut marks = vec![0.0; all];
        for (mark, trajectory) in marks[own].iter_mut().zip(&self.trajectory) {
            *mark = f64::from(u8::from(held.contains(trajectory)));
        }
        total_over(ranks, &mut marks);
        Ok((0..all).partition(|&sample| marks[sample] == 0.0))
    }

    /// All trajectories of all ranks, in order.
    fn trajectories(&self, ranks: &dyn Ranks) -> Vec<u32> {
        let sorted = |mut values: Vec<u32>| {
            values.sort_unstable();
            values.dedup();
            values
        };
        let own = sorted(self.trajectory.to_vec());
        let counts = ranks.gather(own.len() as f64);
        let first = counts[..ranks.rank()].iter().sum::<f64>() as usize;
        let mut slots = vec![0.0; counts.iter().sum::<f64>() as usize];
        slots[first..first + own.len()].iter_mut().zip(&own).for_each(|(slot, value)| *slot = f64::from(*value));
        total_over(ranks, &mut slots);
        sorted(slots.into_iter().map(|value| value as u32).collect())
    }
}

/// An error when a value is NaN or infinite.
pub(super) fn finite<'a>(
    name: &'static str,
    values: impl Iterator<Item = &'a f32>,
    columns: usize,
) -> Result<(), LearningError> {
    let (mut count, mut total, mut first) = (0, 0, 0);
    for (position, value) in values.enumerate() {
        total += 1;
        if !value.is_finite() {
            if count == 0 {
                first = position / columns.max(1);
            }
            count += 1;
        }
    }
    if count == 0 { Ok(()) } else { Err(LearningError::DataNotFinite { name, count, total, row: first }) }
}
