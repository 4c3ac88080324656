//! What stages look for in all that they make: numbers that are not finite, and items in which nothing happens.

use crate::{
    files::records::{Recorded, RecordsFile},
    parallel::Ranks,
    systems::System,
    workflow::{Context, Stage, StageError, say},
};
use ndarray::{Array3, Axis};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Stops at the first observable that is not finite. `place` names the record with an index: its trajectory and time.
///
/// # Errors
/// `NotFinite`, with the observable, its value and the place.
pub fn check_finite<S: System>(
    stage: Stage,
    observables: &[f64],
    place: impl Fn(usize) -> String,
) -> Result<(), StageError> {
    let Some(index) = observables.iter().position(|value| !value.is_finite()) else { return Ok(()) };
    let (record, component) = (index / S::OBSERVABLES.len(), index % S::OBSERVABLES.len());
    let (name, value) = (S::OBSERVABLES[component].name, observables[index]);
    Err(StageError::NotFinite { stage: stage.name(), name, value, place: place(record) })
}

/// Items, and those in which nothing happened, by condition.
pub struct Happenings(Vec<[AtomicUsize; 2]>);

impl Happenings {
    /// No item yet.
    pub fn new(context: &Context) -> Self {
        Self(context.input.system.conditions().iter().map(|_| Default::default()).collect())
    }

    /// Counts an item.
    pub fn count(&self, condition: usize, happened: bool) {
        self.0[condition][0].fetch_add(1, Relaxed);
        self.0[condition][1].fetch_add(usize::from(!happened), Relaxed);
    }

    /// Says in how many items nothing happened, at each condition where that is so. Collective.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn say(&self, context: &Context, stage: Stage, unit: &str) -> Result<(), StageError> {
        let mut counts: Vec<f64> = self.0.iter().flatten().map(|count| count.load(Relaxed) as f64).collect();
        context.world.sum(&mut counts);
        let system = &context.input.system;
        for (index, counts) in counts.chunks_exact(2).enumerate().filter(|(_, counts)| counts[1] > 0.0) {
            let (items, still) = (counts[0], counts[1]);
            let at = system.named_condition(index).map_or_else(String::new, |name| format!(" at {name}"));
            say(context, &format!("{}: no event in {still} of {items} {unit}{at}", stage.name()))?;
        }
        Ok(())
    }
}

/// Says in how many trajectories of a finished file nothing happened, and how many left the finite numbers, the first
/// of them with its record and time. Collective.
///
/// # Errors
/// When the file cannot be read.
pub fn look_at_trajectories<K: Recorded>(context: &Context) -> Result<(), StageError> {
    let (happenings, mut diverged, mut first) = (Happenings::new(context), 0, None);
    let trajectories = K::extents(context.input)[0];
    if context.leads() {
        let file = RecordsFile::<K, _>::open(context)?;
        for trajectory in 0..trajectories {
            let observables: Array3<f64> = file.observables(trajectory..trajectory + 1)?;
            let records = observables.index_axis(Axis(0), 0);
            let happened = records.outer_iter().any(|record| record != records.row(0));
            happenings.count(K::condition_of(context.input, trajectory), happened || records.nrows() < 2);
            if let Some(record) = records.outer_iter().position(|record| record.iter().any(|value| !value.is_finite()))
            {
                diverged += 1;
                first.get_or_insert((trajectory, record, file.times()?[record]));
            }
        }
    }
    happenings.say(context, K::STAGE, "trajectories")?;
    let Some((trajectory, record, time)) = first else { return Ok(()) };
    say(
        context,
        &format!(
            "warning: {diverged} of {trajectories} trajectories of {} left the finite numbers, the first one \
             (trajectory {trajectory}) at record {record}, time {time}. They are left out of all scores, which then \
             describe the survivors. Make the step of the system shorter, or its noise smaller",
            K::STAGE.name()
        ),
    )
}
