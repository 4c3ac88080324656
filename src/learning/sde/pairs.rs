//! Training pairs: a latent state and its increment over a time of its own, both in physical units.

use crate::{
    learning::{LearningError, sde::controls},
    parallel::Ranks,
};
use ndarray::{Array1, Array2, Axis};

/// The training pairs of one rank, one row per pair. The pairs of all ranks, in the order of the ranks, are numbered
/// through as samples.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// Latent states, `[pairs, d]`.
    pub z: Array2<f32>,
    /// Increments of the latent states, `[pairs, d]`.
    pub increment: Array2<f32>,
    /// The compensators of the increments, `[pairs, d]`: their expectation along the way, with the same mean at every z
    /// and without the noise of the events. `None` if only increments are known. The same on all ranks.
    pub compensator: Option<Array2<f32>>,
    /// Quantities of the patches that evolved less those of their lattices, `[pairs, any]`: mean 0 at every z. `None`
    /// where none is known. The same on all ranks.
    pub deviation: Option<Array2<f32>>,
    /// Times of the increments, `[pairs]`, positive.
    pub dt: Array1<f32>,
    /// Trajectory that each pair comes from, `[pairs]`: pairs of one trajectory stay on one side of the split.
    pub trajectory: Array1<u32>,
    /// What sets each pair's equation apart in a family of equations, such as the temperature, `[pairs, axes]`; `None`
    /// for a single equation. The same on all ranks: all with or all without.
    pub condition: Option<Array2<f32>>,
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
            return Err(LearningError::Extents(format!(
                "z is {:?}, increment {:?}, dt {} and trajectory {} long",
                self.z.dim(),
                self.increment.dim(),
                rows[2],
                rows[3]
            )));
        }
        let (compensator, deviation) = (self.compensator.as_ref(), self.deviation.as_ref());
        let known = |array: Option<&Array2<f32>>| array.map_or(rows[0], Array2::nrows);
        if compensator.is_some_and(|array| array.ncols() != columns[0])
            || [known(compensator), known(deviation)] != [rows[0]; 2]
        {
            let (compensator, deviation) = (compensator.map(Array2::dim), deviation.map(Array2::dim));
            let z = self.z.dim();
            return Err(LearningError::Extents(format!(
                "z is {z:?}, compensator {compensator:?} and deviation {deviation:?} long"
            )));
        }
        finite("compensator", compensator.into_iter().flatten(), columns[0])?;
        finite("deviation", deviation.into_iter().flatten(), columns[0])?;
        if columns[0] == 0 {
            return Err(LearningError::Extents("the pairs have no components".into()));
        }
        finite("z", self.z.iter(), columns[0])?;
        finite("increment", self.increment.iter(), columns[0])?;
        finite("dt", self.dt.iter(), 1)?;
        if let Some(condition) = &self.condition {
            if condition.nrows() != rows[0] {
                let found = condition.nrows();
                return Err(LearningError::Extents(format!("{} pairs have {found} conditions", rows[0])));
            }
            finite("condition", condition.iter(), condition.ncols())?;
        }
        match self.dt.iter().position(|&dt| dt <= 0.0) {
            Some(row) => {
                let value = self.dt[row].to_string();
                Err(LearningError::Value { name: "dt", row, value, allowed: "it must be above 0" })
            }
            None => Ok(()),
        }
    }

    /// Increments with the mean of the own ones at every z and with the least noise: what the increments less their
    /// compensators explain is removed by least squares. The increments themselves without compensators. Collective.
    ///
    /// # Errors
    /// When the tensor library refuses an operation.
    pub fn quiet_increment(&self, ranks: &dyn Ranks) -> Result<Array2<f32>, LearningError> {
        let mut quiet = self.increment.clone();
        if let Some(compensator) = &self.compensator {
            controls::remove(&mut quiet, &[&(&self.increment - compensator)], (&self.z, &self.dt), ranks)?;
        }
        Ok(quiet)
    }

    /// The pairs without what the [deviations](Self::deviation) explain of increments and compensators: it is no noise
    /// of the whole lattice. Collective.
    ///
    /// # Errors
    /// When the tensor library refuses an operation.
    pub fn without_deviations(mut self, ranks: &dyn Ranks) -> Result<Self, LearningError> {
        if let Some(deviation) = self.deviation.take() {
            for target in std::iter::once(&mut self.increment).chain(&mut self.compensator) {
                controls::remove(target, &[&deviation], (&self.z, &self.dt), ranks)?;
            }
        }
        Ok(self)
    }

    /// The pairs of part number `part` out of `parts`: rounds of `round` successive trajectories, one under each
    /// condition, are dealt out in turn.
    pub fn part(&self, part: usize, parts: usize, round: usize) -> Self {
        let belongs = |row: &usize| self.trajectory[*row] as usize / round % parts == part;
        self.rows(&(0..self.dt.len()).filter(belongs).collect::<Vec<_>>())
    }

    /// Some of the pairs.
    pub fn rows(&self, rows: &[usize]) -> Self {
        Self {
            z: self.z.select(Axis(0), rows),
            increment: self.increment.select(Axis(0), rows),
            compensator: self.compensator.as_ref().map(|compensator| compensator.select(Axis(0), rows)),
            deviation: self.deviation.as_ref().map(|deviation| deviation.select(Axis(0), rows)),
            dt: self.dt.select(Axis(0), rows),
            trajectory: self.trajectory.select(Axis(0), rows),
            condition: self.condition.as_ref().map(|condition| condition.select(Axis(0), rows)),
        }
    }
}

/// An error when a value is NaN or infinite.
pub(crate) fn finite<'a>(
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
