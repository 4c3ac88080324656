//! Observables against time on the screen while trajectories are simulated.

use crate::{
    systems::System,
    workflow::{Screen, Stage},
};

/// The screen of a stage that records trajectories at `times`.
#[derive(Clone, Copy)]
pub struct Live<'a> {
    /// The screen of this rank.
    pub screen: &'a Screen,
    /// The stage.
    pub stage: Stage,
    /// Times of the records.
    pub times: &'a [f64],
}

impl Live<'_> {
    /// Counts the last record of trajectories as done, `items` items of the stage in all, and shows the first of these
    /// trajectories, of which `observables` are those of all records so far.
    pub fn seen<S: System>(&self, items: f64, trajectory: usize, observables: &[f64]) {
        self.screen.part(items / self.times.len() as f64);
        self.show::<S>(trajectory, observables);
    }

    /// Shows the last record of a trajectory.
    pub fn show<S: System>(&self, trajectory: usize, observables: &[f64]) {
        let count = S::OBSERVABLES.len();
        let Some(record) = (observables.len() / count).checked_sub(1) else { return };
        let values = S::OBSERVABLES.iter().map(|observable| observable.name).zip(observables[record * count..].iter());
        let values: Vec<(&str, f64)> = values.map(|(name, &value)| (name, value)).collect();
        self.screen.observables(self.stage, trajectory, self.times[record], &values);
    }
}
