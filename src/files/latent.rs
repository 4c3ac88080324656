//! The latent states and increments of all pairs (`latent.h5`), in physical units: observables, then closure variables
//! as the encoder gives them.

use crate::{
    config::Input,
    dataset::{Field, Reader, Writer},
    files::{PairsFile, conditions},
    learning::{Label, Labels, Pairs},
    parallel::Ranks,
    scores::ModelKind,
    workflow::{Context, Stage, StageError},
};
use hdf5::H5Type;
use ndarray::{Array, Array1, Array2, ArrayView1, Dimension, Ix2};
use std::ops::Range;

const FILE: &str = "latent.h5";
const STATE: &str = "state";
const LEAST: &str = "least";
const RANGE: &str = "range";

/// The increments that a kind of model learns from.
fn increment_of(kind: ModelKind) -> &'static str {
    match kind {
        ModelKind::Ours => "increment",
        ModelKind::Baseline => "increment_baseline",
    }
}

/// The compensators of our increments.
const COMPENSATOR: &str = "compensator";
/// The deviations of patches from their lattice.
const DEVIATION: &str = "deviation";

/// Number of the deviations of a pair: of the components where patches tile the lattice, and of the drifts of observables
/// where they are known.
fn deviations(input: &Input, components: usize) -> usize {
    let of_drifts = if input.compensated() { input.system.observables().len() } else { 0 };
    of_drifts + if input.tiles() { components } else { 0 }
}

/// The units of observables and as many closure variables: one for all, or a list of them.
pub fn units(input: &Input, variables: usize) -> String {
    let units = input.observables().iter().map(|observable| observable.unit);
    let units: Vec<&str> = units.chain(std::iter::repeat_n("1", variables)).collect();
    if units.iter().all(|unit| *unit == units[0]) { units[0].into() } else { units.join(", ") }
}

/// The names of observables and as many closure variables.
pub fn names(input: &Input, variables: usize) -> Vec<String> {
    let names = input.observables().iter().map(|observable| observable.name.to_owned());
    names.chain((0..variables).map(|variable| format!("closure {variable}"))).collect()
}

/// Names and units of the states, times and conditions of an input with as many closure variables, for model files.
pub fn labels(input: &Input, variables: usize) -> Labels {
    let system = &input.system;
    let units = input.observables().iter().map(|observable| observable.unit).chain(std::iter::repeat("1"));
    let label = |(name, unit): (String, &str)| Label { name, unit: unit.into() };
    let axes = if system.is_family() { system.condition_axes() } else { Vec::new() };
    let seconds = system.conditions().into_iter().enumerate();
    let mut seconds: Vec<[f64; 2]> =
        seconds.filter_map(|(index, condition)| Some([condition.first(), system.seconds(index)?])).collect();
    seconds.dedup();
    Labels {
        components: names(input, variables).into_iter().zip(units).map(label).collect(),
        time_unit: system.time_unit().into(),
        condition: axes.into_iter().map(|axis| label((axis.name.into(), axis.unit))).collect(),
        seconds,
    }
}

/// A finished file.
pub struct LatentFile(Reader);

impl LatentFile {
    /// Creates the file for all pairs of the input, with as many closure variables. Collective.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn create<'c>(context: &'c Context, variables: usize) -> Result<LatentWriter<'c>, StageError> {
        let observables = context.input.observables();
        let (pairs, components) = (context.input.pairs(), observables.len() + variables);
        let mut file = context.create(Stage::Closure, FILE)?;
        conditions::declare(&mut file, context.input, "pair", pairs)?;
        let unit = &units(context.input, variables);
        let ours = increment_of(ModelKind::Ours);
        let compensator = context.input.compensated().then(|| (COMPENSATOR, format!("compensator of {ours}")));
        let fields = [
            (STATE, format!("latent state z of the snapshot: {}", names(context.input, variables).join(", "))),
            (ours, "increment of z by our method (Eq. 10)".into()),
            (increment_of(ModelKind::Baseline), "increment of z by the baseline".into()),
        ];
        for (name, meaning) in fields.into_iter().chain(compensator) {
            let (axes, extents) = (&["pair", "component"], &[pairs, components]);
            file.declare::<f32>(Field { name, axes, extents, unit, meaning: &meaning })?;
        }
        let deviations = deviations(context.input, components);
        if deviations > 0 {
            let (axes, extents) = (&["pair", "deviation"], &[pairs, deviations]);
            let meaning = "z of the patch less that of its snapshot, where patches tile it, and the same of the drift";
            file.declare::<f32>(Field { name: DEVIATION, axes, extents, unit: "1", meaning })?;
        }
        file.name_entries("component", names(context.input, variables));
        for (name, meaning) in [(LEAST, "least value of each component of z"), (RANGE, "largest less least value")] {
            file.declare::<f64>(Field { name, axes: &["component"], extents: &[components], unit, meaning })?;
        }
        Ok(LatentWriter { context, file, extremes: vec![[f64::INFINITY, f64::NEG_INFINITY]; components] })
    }

    /// Opens the file of a run directory.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(context: &Context) -> Result<Self, StageError> {
        Ok(Self(Reader::open(&context.path(FILE))?))
    }

    /// Number of latent components d.
    ///
    /// # Errors
    /// When the file has another layout; so do the others.
    pub fn components(&self) -> Result<usize, StageError> {
        Ok(self.least()?.len())
    }

    /// Least value of each component, `[d]`.
    pub fn least(&self) -> Result<Array1<f64>, StageError> {
        Ok(self.0.read(LEAST)?)
    }

    /// Largest less least value of each component, `[d]`.
    pub fn range(&self) -> Result<Array1<f64>, StageError> {
        Ok(self.0.read(RANGE)?)
    }

    /// Some of the pairs, with the increments that a kind of model learns from.
    pub fn pairs(&self, context: &Context, kind: ModelKind, rows: Range<usize>) -> Result<Pairs, StageError> {
        let source = PairsFile::open(context)?;
        Ok(Pairs {
            z: items::<f32, Ix2>(&self.0, STATE, &rows)?,
            increment: items::<f32, Ix2>(&self.0, increment_of(kind), &rows)?,
            compensator: match kind == ModelKind::Ours && context.input.compensated() {
                true => Some(items::<f32, Ix2>(&self.0, COMPENSATOR, &rows)?),
                false => None,
            },
            deviation: match kind == ModelKind::Ours && deviations(context.input, self.components()?) > 0 {
                true => Some(items::<f32, Ix2>(&self.0, DEVIATION, &rows)?),
                false => None,
            },
            dt: source.durations(rows.clone())?.mapv(|time| time as f32),
            trajectory: source.trajectories(rows.clone())?,
            condition: conditions::read(&self.0, context.input, rows)?,
        })
    }
}

fn items<T: H5Type + bytemuck::Pod, D: Dimension>(
    file: &Reader,
    name: &str,
    rows: &Range<usize>,
) -> Result<Array<T, D>, StageError> {
    let values = file.read_items(name, rows.clone())?;
    Ok(values.into_dimensionality().expect("the stage before this one wrote as many axes"))
}

/// States and increments of some pairs, `[pairs, d]`.
pub struct LatentRows {
    /// Latent states of the snapshots.
    pub state: Array2<f32>,
    /// Increments by our method.
    pub ours: Array2<f32>,
    /// Increments by the baseline.
    pub baseline: Array2<f32>,
    /// Compensators of our increments; closure variables have their increments.
    pub compensator: Option<Array2<f32>>,
    /// States of the patches less those of the snapshots, and drifts of the patches less those of the snapshots.
    pub deviation: Option<Array2<f32>>,
}

/// The file while it is written.
pub struct LatentWriter<'c> {
    context: &'c Context<'c>,
    file: Writer<'c>,
    /// Least and largest value of each component so far.
    extremes: Vec<[f64; 2]>,
}

impl LatentWriter<'_> {
    /// Writes the pairs from number `first` on.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn write(&mut self, first: usize, rows: &LatentRows) -> Result<(), StageError> {
        self.file.write(STATE, first, rows.state.view())?;
        self.file.write(increment_of(ModelKind::Ours), first, rows.ours.view())?;
        self.file.write(increment_of(ModelKind::Baseline), first, rows.baseline.view())?;
        if let Some(compensator) = &rows.compensator {
            self.file.write(COMPENSATOR, first, compensator.view())?;
        }
        if let Some(deviation) = &rows.deviation {
            self.file.write(DEVIATION, first, deviation.view())?;
        }
        for (extremes, column) in self.extremes.iter_mut().zip(rows.state.columns()) {
            let values = column.iter().map(|&value| f64::from(value));
            *extremes = values.fold(*extremes, |[least, most], value| [least.min(value), most.max(value)]);
        }
        Ok(())
    }

    /// Writes the ranges over the states of all ranks, copies the conditions of this rank's `pairs`, and closes the
    /// file. Collective.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn finish(self, source: &PairsFile<Reader>, pairs: Range<usize>) -> Result<(), StageError> {
        source.copy_conditions(&self.file, pairs)?;
        let over_ranks = |own: f64| self.context.world.gather(own).into_iter().fold(f64::NEG_INFINITY, f64::max);
        let extremes = self.extremes.iter().map(|&[least, most]| (-over_ranks(-least), over_ranks(most)));
        let (least, range): (Vec<f64>, Vec<f64>) = extremes.map(|(least, most)| (least, most - least)).unzip();
        if self.context.leads() {
            self.file.write(LEAST, 0, ArrayView1::from(&least))?;
            self.file.write(RANGE, 0, ArrayView1::from(&range))?;
        }
        Ok(self.file.finish()?)
    }
}
