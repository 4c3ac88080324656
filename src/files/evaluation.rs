//! The direct simulation in latent states `[trajectory, time, component]` (`evaluation.h5`), in physical units.

use crate::{
    dataset::{Field, Reader, Writer},
    files::{
        latent::{names, units},
        starts,
    },
    workflow::{Context, Stage, StageError},
};
use ndarray::{Array1, Array3, ArrayView1, ArrayView3};

const FILE: &str = "evaluation.h5";
const TRUTH: &str = "truth";
const TIME: &str = "time";

/// The file while it is written, or finished.
pub struct EvaluationFile<F>(F);

impl<'c> EvaluationFile<Writer<'c>> {
    /// Creates the file for all trajectories, with as many closure variables, and writes the times. Collective.
    ///
    /// # Errors
    /// When HDF5 refuses; so do the others.
    pub fn create(context: &'c Context, variables: usize, times: ArrayView1<f64>) -> Result<Self, StageError> {
        let (input, records) = (context.input, times.len());
        let components = input.observables().len() + variables;
        let mut file = context.create(Stage::Evaluate, FILE)?;
        file.declare::<f32>(Field {
            name: TRUTH,
            axes: &["trajectory", TIME, "component"],
            extents: &[input.truth_trajectories(), records, components],
            unit: &units(input, variables),
            meaning: "latent state z of the direct simulation",
        })?;
        let (axes, extents, unit) = (&[TIME], &[records], input.system.time_unit());
        file.declare::<f64>(Field { name: TIME, axes, extents, unit, meaning: "time of each record" })?;
        file.name_entries("component", names(input, variables));
        starts::declare(&mut file, input, input.truth_trajectories())?;
        starts::write(&file, input, input.truth_trajectories(), context.leads())?;
        if context.leads() {
            file.write(TIME, 0, times)?;
        }
        Ok(Self(file))
    }

    /// Writes the states of trajectories from `first` on.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn write(&self, first: usize, states: ArrayView3<f32>) -> Result<(), StageError> {
        Ok(self.0.write(TRUTH, first, states)?)
    }

    /// Closes the file. Collective.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn finish(self) -> Result<(), StageError> {
        Ok(self.0.finish()?)
    }
}

impl EvaluationFile<Reader> {
    /// Opens the file of a run directory.
    ///
    /// # Errors
    /// When there is none, or it has another layout.
    pub fn open(context: &Context) -> Result<Self, StageError> {
        Ok(Self(Reader::open(&context.path(FILE))?))
    }

    /// The states of the direct simulation.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn truth(&self) -> Result<Array3<f64>, StageError> {
        Ok(self.0.read::<f32, _>(TRUTH)?.mapv(f64::from))
    }

    /// The times of the records.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn times(&self) -> Result<Array1<f64>, StageError> {
        Ok(self.0.read(TIME)?)
    }
}
