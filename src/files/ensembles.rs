//! Truth and predictions as the scores and the page read them (`evaluation.h5`, `prediction.h5`).

use crate::{
    config::models::ModelKind,
    dataset::Reader,
    files::latent::LatentFile,
    workflow::{Context, StageError},
};
use ndarray::{Array, Array1, Array2, Array3, Array4, ArrayView3, Axis, Dimension, s};

/// The affine map of each latent component to the units of the scores: scaled = (raw - offset) / scale.
#[derive(Clone, Debug)]
pub struct Scaling {
    /// What is subtracted.
    pub offset: Array1<f64>,
    /// What it is divided by.
    pub scale: Array1<f64>,
}

impl Scaling {
    /// Observables that say so and all closure variables go to [0, 1] over the training states; the others stay as they are.
    fn read(context: &Context) -> Result<Self, StageError> {
        let latent = LatentFile::open(context)?;
        let (mut offset, mut scale) = (latent.least()?, latent.range()?);
        scale.mapv_inplace(|range| if range > 0.0 { range } else { 1.0 });
        for (component, observable) in context.input.system.observables().iter().enumerate() {
            if !observable.scaled {
                (offset[component], scale[component]) = (0.0, 1.0);
            }
        }
        Ok(Self { offset, scale })
    }

    fn scaled<D: Dimension>(&self, physical: Array<f32, D>) -> Array<f64, D> {
        let mut values = physical.mapv(f64::from);
        let components = Axis(values.ndim() - 1);
        for mut lane in values.lanes_mut(components) {
            lane -= &self.offset;
            lane /= &self.scale;
        }
        values
    }
}

/// Truth and predictions in scaled latent coordinates.
pub struct Ensembles {
    /// `[trajectory, record, component]`, trajectories grouped by start.
    pub truth: Array3<f64>,
    /// Kind of model and `[model, trajectory, record, component]`.
    pub predictions: Vec<(ModelKind, Array4<f64>)>,
    /// Times of the records.
    pub times: Vec<f64>,
    /// From raw to scaled coordinates.
    pub scaling: Scaling,
}

impl Ensembles {
    /// Reads what the stages before have written.
    ///
    /// # Errors
    /// When a file is missing or has another layout.
    pub fn read(context: &Context) -> Result<Self, StageError> {
        let evaluation = Reader::open(&context.path("evaluation.h5"))?;
        let prediction = Reader::open(&context.path("prediction.h5"))?;
        let scaling = Scaling::read(context)?;
        let predictions = context
            .input
            .model_kinds()
            .into_iter()
            .map(|kind| Ok((kind, scaling.scaled(prediction.read::<f32, ndarray::Ix4>(kind.name())?))))
            .collect::<Result<_, StageError>>()?;
        Ok(Self {
            truth: scaling.scaled(evaluation.read::<f32, ndarray::Ix3>("truth")?),
            predictions,
            times: evaluation.read::<f64, ndarray::Ix1>("time")?.to_vec(),
            scaling,
        })
    }

    /// The trajectories of group number `group` out of `groups` equal ones: those of a condition, or from a start.
    pub fn group(ensemble: ArrayView3<f64>, group: usize, groups: usize) -> ArrayView3<f64> {
        let trajectories = ensemble.len_of(Axis(0)) / groups;
        ensemble.slice_move(s![group * trajectories..(group + 1) * trajectories, .., ..])
    }

    /// One component in its physical unit over the last part of every trajectory, `[trajectory, record]`.
    pub fn equilibrium(&self, ensemble: ArrayView3<f64>, component: usize, part: f64) -> Array2<f64> {
        let records = ensemble.len_of(Axis(1));
        let first = records - ((records as f64 * part) as usize).clamp(1, records);
        let (offset, scale) = (self.scaling.offset[component], self.scaling.scale[component]);
        ensemble.slice(s![.., first.., component]).mapv(|value| offset + scale * value)
    }
}
