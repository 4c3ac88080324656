//! Ensembles of the learned models (`prediction.h5`): for each kind of model the latent states
//! `[model, trajectory, time, component]`, in physical units.

use crate::{
    dataset::{Field, Reader, Writer},
    files::{
        latent::{names, units},
        starts,
    },
    scores::ModelKind,
    workflow::{Context, Stage, StageError},
};
use ndarray::{Array4, ArrayView1, ArrayView4};
use std::ops::Range;

const FILE: &str = "prediction.h5";
const TIME: &str = "time";
const MODEL: &str = "model";

/// The file while it is written, or finished.
pub struct PredictionFile<F>(F);

impl<'c> PredictionFile<Writer<'c>> {
    /// Creates the file for as many trajectories of as many components, or opens an unfinished one. Collective.
    ///
    /// # Errors
    /// When HDF5 refuses; so do the others.
    pub fn create(context: &'c Context, (trajectories, components): (usize, usize)) -> Result<Self, StageError> {
        let (input, times) = (context.input, context.input.truth_schedule().times);
        let records = times.len();
        let unit = &units(input, components - input.system.observables().len());
        let mut file = context.create(Stage::Predict, FILE)?;
        for kind in input.model_kinds() {
            let axes = &[MODEL, "trajectory", TIME, "component"];
            let extents = &[input.train.seeds.len(), trajectories, records, components];
            let meaning = "latent state z; one model for each seed of training";
            file.declare::<f32>(Field { name: kind.name(), axes, extents, unit, meaning })?;
        }
        let (axes, extents, unit) = (&[TIME], &[records], input.system.time_unit());
        file.declare::<f64>(Field { name: TIME, axes, extents, unit, meaning: "time of each record" })?;
        let (axes, extents, meaning) = (&[MODEL], &[input.train.seeds.len()], "seed of the training");
        file.declare::<u64>(Field { name: MODEL, axes, extents, unit: "1", meaning })?;
        file.name_entries("component", names(input, components - input.system.observables().len()));
        starts::declare(&mut file, input, trajectories)?;
        if context.leads() {
            file.write(TIME, 0, ArrayView1::from(&times))?;
            file.write(MODEL, 0, ArrayView1::from(&input.train.seeds))?;
        }
        starts::write(&file, input, trajectories, context.leads())?;
        Ok(Self(file))
    }

    /// The groups of trajectories, by index, that are not yet marked as written.
    ///
    /// # Errors
    /// When the marks cannot be read.
    pub fn pending(&self, groups: usize) -> Result<Vec<usize>, StageError> {
        Ok(self.0.pending(groups)?)
    }

    /// Writes states from model, trajectory and record `first` on.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn write(&self, kind: ModelKind, first: [usize; 3], states: ArrayView4<f32>) -> Result<(), StageError> {
        Ok(self.0.write_at(kind.name(), &first, states)?)
    }

    /// Marks groups of trajectories as written.
    ///
    /// # Errors
    /// When the marks cannot be written.
    pub fn mark(&self, groups: &[Range<usize>]) -> Result<(), StageError> {
        Ok(self.0.mark(groups)?)
    }

    /// Closes the file. Collective.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn finish(self) -> Result<(), StageError> {
        Ok(self.0.finish()?)
    }
}

impl PredictionFile<Reader> {
    /// Opens the file of a run directory.
    ///
    /// # Errors
    /// When there is none, or it has another layout.
    pub fn open(context: &Context) -> Result<Self, StageError> {
        Ok(Self(Reader::open(&context.path(FILE))?))
    }

    /// The states that models of a kind predict.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn states(&self, kind: ModelKind) -> Result<Array4<f64>, StageError> {
        Ok(self.0.read::<f32, _>(kind.name())?.mapv(f64::from))
    }
}
