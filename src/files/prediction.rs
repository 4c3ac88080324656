//! Ensembles of the learned models (`prediction.h5`): for each kind of model the latent states
//! `[model, trajectory, time, component]`, in physical units. `prediction_<side>.h5` are those of another size.

use crate::{
    config::Input,
    dataset::{Field, Reader, Writer},
    files::{
        latent::{names, units},
        starts,
    },
    scores::ModelKind,
    workflow::{Context, Stage, StageError},
};
use ndarray::{Array2, Array4, Array5, ArrayView1, ArrayView2, ArrayView4, ArrayView5};
use std::ops::Range;

const TIME: &str = "time";
const MODEL: &str = "model";
/// Means over trajectories of the draws of our models, the model itself first.
const DRAWS: &str = "draws";

/// The share of the steps of each trajectory that ended at the walls of the data.
fn at_walls(kind: ModelKind) -> String {
    format!("{}_at_walls", kind.name())
}

/// The file while it is written, or finished.
pub struct PredictionFile<F>(F);

impl<'c> PredictionFile<Writer<'c>> {
    /// Creates the file of a side for as many trajectories of as many components, and for as many draws of our models, or
    /// opens an unfinished one. Collective.
    ///
    /// # Errors
    /// When HDF5 refuses; so do the others.
    pub fn create(
        context: &'c Context,
        side: Option<usize>,
        (trajectories, components): (usize, usize),
        draws: usize,
    ) -> Result<Self, StageError> {
        let (input, times) = (context.input, context.input.truth_schedule().times);
        let records = times.len();
        let unit = &units(input, components - input.observables().len());
        let mut file = context.create(Stage::Predict, &Input::prediction_file(side))?;
        for kind in input.model_kinds() {
            let axes = &[MODEL, "trajectory", TIME, "component"];
            let extents = &[input.train.seeds.len(), trajectories, records, components];
            let meaning = "latent state z; one model for each seed of training";
            file.declare::<f32>(Field { name: kind.name(), axes, extents, unit, meaning })?;
            let (axes, extents) = (&[MODEL, "trajectory"], &[input.train.seeds.len(), trajectories]);
            let meaning = "share of the steps that ended beyond the training data and were moved back to their edge";
            file.declare::<f32>(Field { name: &at_walls(kind), axes, extents, unit: "1", meaning })?;
        }
        if draws > 0 {
            let axes = &[MODEL, "draw", "group", TIME, "component"];
            let extents = &[input.train.seeds.len(), draws + 1, input.truth_groups(), records, components];
            let meaning =
                "mean z over some trajectories from each start, of the model and of its draws, in equal noise";
            file.declare::<f32>(Field { name: DRAWS, axes, extents, unit, meaning })?;
        }
        let (axes, extents, unit) = (&[TIME], &[records], input.system.time_unit());
        file.declare::<f64>(Field { name: TIME, axes, extents, unit, meaning: "time of each record" })?;
        let (axes, extents, meaning) = (&[MODEL], &[input.train.seeds.len()], "seed of the training");
        file.declare::<u64>(Field { name: MODEL, axes, extents, unit: "1", meaning })?;
        file.name_entries("component", names(input, components - input.observables().len()));
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

    /// Writes the shares of steps at the walls from model and trajectory `first` on.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn write_at_walls(
        &self,
        kind: ModelKind,
        first: [usize; 2],
        shares: ArrayView2<f32>,
    ) -> Result<(), StageError> {
        Ok(self.0.write_at(&at_walls(kind), &first, shares)?)
    }

    /// Writes means of draws from model, draw, group and record `first` on.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn write_draws(&self, first: [usize; 4], means: ArrayView5<f32>) -> Result<(), StageError> {
        Ok(self.0.write_at(DRAWS, &first, means)?)
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
    /// Opens the file of a side in a run directory.
    ///
    /// # Errors
    /// When there is none, or it has another layout.
    pub fn open(context: &Context, side: Option<usize>) -> Result<Self, StageError> {
        Ok(Self(Reader::open(&context.path(&Input::prediction_file(side)))?))
    }

    /// The states that models of a kind predict.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn states(&self, kind: ModelKind) -> Result<Array4<f64>, StageError> {
        Ok(self.0.read::<f32, _>(kind.name())?.mapv(f64::from))
    }

    /// The share of the steps of each trajectory at the walls, `[model, trajectory]`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn at_walls(&self, kind: ModelKind) -> Result<Array2<f64>, StageError> {
        Ok(self.0.read::<f32, _>(&at_walls(kind))?.mapv(f64::from))
    }

    /// Means of the draws `[model, draw, group, record, component]`, the model itself first; `None` without draws.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn draws(&self) -> Result<Option<Array5<f64>>, StageError> {
        if !self.0.has(DRAWS) {
            return Ok(None);
        }
        Ok(Some(self.0.read::<f32, _>(DRAWS)?.mapv(f64::from)))
    }
}
