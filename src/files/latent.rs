//! The latent pairs of `latent.h5`, their scaling and their subspace.

use crate::{
    config::models::ModelKind,
    dataset::Reader,
    learning::{Pairs, Subspace},
    parallel::Ranks,
    workflow::{Context, StageError},
};
use hdf5::H5Type;
use ndarray::{Array, Array1, Array2, ArrayView2, Dimension, Ix2};
use std::ops::Range;

/// The affine map of each latent component to the units of training: scaled = (raw - offset) / scale.
#[derive(Clone, Debug)]
pub struct Scaling {
    /// What is subtracted.
    pub offset: Array1<f64>,
    /// What it is divided by.
    pub scale: Array1<f64>,
}

impl Scaling {
    /// Each component that is to be scaled goes to [0, 1] over the states of all ranks; the others stay as they are.
    pub fn over(context: &Context, states: ArrayView2<f32>, scaled: &[bool]) -> Self {
        let extreme = |component: usize, sign: f64| {
            let mine = states
                .column(component)
                .iter()
                .fold(f64::NEG_INFINITY, |most, &value| most.max(sign * f64::from(value)));
            sign * context.world.gather(mine).into_iter().fold(f64::NEG_INFINITY, f64::max)
        };
        let ranges: Vec<(f64, f64)> = scaled
            .iter()
            .enumerate()
            .map(|(component, &scaled)| {
                if !scaled {
                    return (0.0, 1.0);
                }
                let (least, most) = (extreme(component, -1.0), extreme(component, 1.0));
                (least, if most > least { most - least } else { 1.0 })
            })
            .collect();
        Self {
            offset: ranges.iter().map(|range| range.0).collect(),
            scale: ranges.iter().map(|range| range.1).collect(),
        }
    }

    /// Raw states to scaled ones.
    pub fn states(&self, mut raw: Array2<f32>) -> Array2<f32> {
        for mut row in raw.rows_mut() {
            for (component, value) in row.iter_mut().enumerate() {
                *value = ((f64::from(*value) - self.offset[component]) / self.scale[component]) as f32;
            }
        }
        raw
    }

    /// Raw increments to scaled ones.
    pub fn increments(&self, raw: Array2<f32>) -> Array2<f32> {
        raw / &self.scale.mapv(|scale| scale as f32)
    }
}

/// The scaling that `latent.h5` holds.
///
/// # Errors
/// When the file cannot be read.
pub fn scaling(context: &Context) -> Result<Scaling, StageError> {
    let latent = Reader::open(&context.path("latent.h5"))?;
    let read = |name| -> Result<Array1<f64>, StageError> { Ok(latent.read(name)?) };
    Ok(Scaling { offset: read("offset")?, scale: read("scale")? })
}

/// The subspace of scaled latent states that `latent.h5` holds: the equation is learned in its coordinates.
///
/// # Errors
/// When the file cannot be read.
pub fn subspace(context: &Context) -> Result<Subspace, StageError> {
    let latent = Reader::open(&context.path("latent.h5"))?;
    Ok(Subspace { origin: latent.read("origin")?, axes: latent.read("axes")? })
}

/// Some of the training pairs in the coordinates of their subspace, with the increments of one kind.
///
/// # Errors
/// When a file cannot be read.
pub fn pairs_of(context: &Context, kind: ModelKind, rows: Range<usize>) -> Result<Pairs, StageError> {
    let increment = match kind {
        ModelKind::Ours => "increment",
        ModelKind::Baseline => "increment_baseline",
    };
    let latent = Reader::open(&context.path("latent.h5"))?;
    let source = Reader::open(&context.path("pairs.h5"))?;
    let duration: Array1<f64> = items(&source, "duration", &rows)?;
    let subspace = subspace(context)?;
    let read = |name| items::<f32, Ix2>(&latent, name, &rows);
    Ok(Pairs {
        z: subspace.coordinates(read("state")?.view()),
        increment: subspace.increments(read(increment)?.view()),
        dt: duration.mapv(|time| time as f32),
        trajectory: items(&source, "trajectory", &rows)?,
        condition: match context.input.system.conditions() {
            [] => None,
            _ => Some(items::<f64, _>(&latent, "condition", &rows)?.mapv(|condition| condition as f32)),
        },
    })
}

fn items<T: H5Type, D: Dimension>(file: &Reader, name: &str, rows: &Range<usize>) -> Result<Array<T, D>, StageError> {
    let values = file.read_items(name, rows.clone())?;
    Ok(values.into_dimensionality().expect("the stage before this one wrote as many axes"))
}
