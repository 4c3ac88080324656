//! Training pairs: a latent state and its increment over a time of its own.

use super::LearningError;
use crate::rng::{Purpose, stream};
use ndarray::{Array1, Array2};
use rand::seq::SliceRandom;

/// All training pairs, one row per pair.
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
        if rows[0] < 2 || columns[0] == 0 {
            return Err(LearningError::Shape(format!("{} pairs of {} components are too few", rows[0], columns[0])));
        }
        finite("z", self.z.iter(), columns[0])?;
        finite("increment", self.increment.iter(), columns[0])?;
        finite("dt", self.dt.iter(), 1)?;
        match self.dt.iter().position(|&dt| dt <= 0.0) {
            Some(row) => Err(LearningError::Shape(format!("dt = {} in row {row} is not positive", self.dt[row]))),
            None => Ok(()),
        }
    }

    /// Rows for training and rows for validation, each in order. Whole trajectories are held out, at least one and never all; a
    /// single trajectory is cut in time. A `fraction` of 0 holds out nothing.
    pub fn split(&self, fraction: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
        let rows = self.dt.len();
        if fraction <= 0.0 {
            return ((0..rows).collect(), Vec::new());
        }
        let mut trajectories = self.trajectory.to_vec();
        trajectories.sort_unstable();
        trajectories.dedup();
        if trajectories.len() == 1 {
            let held = ((rows as f64 * fraction).round() as usize).clamp(1, rows - 1);
            return ((0..rows - held).collect(), (rows - held..rows).collect());
        }
        trajectories.shuffle(&mut stream(seed, Purpose::Split, [0, 0]));
        let held = ((trajectories.len() as f64 * fraction).round() as usize).clamp(1, trajectories.len() - 1);
        let held: std::collections::HashSet<u32> = trajectories[..held].iter().copied().collect();
        (0..rows).partition(|&row| !held.contains(&self.trajectory[row]))
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
