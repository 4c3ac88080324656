//! The training patches of an autoencoder: spins or fields, in one tensor on the device of the rank.

use crate::{
    learning::{LearningError, sde::pairs::finite, tensor::vector},
    parallel::{Ranks, total_over},
};
use ndarray::{Array1, Array2, ArrayView2};
use std::marker::PhantomData;
use tch::{Device, Kind, Tensor, kind::Element, no_grad};

/// A feature of a site: `i8` for spins -1 and 1, `f32` for fields.
pub trait Feature: Element + Copy + Send + Sync + 'static {
    /// Whether it is a spin. Spins are reconstructed as probabilities and scored by the binary cross-entropy. Fields
    /// are normalised per channel and scored by the mean square error.
    const SPINS: bool;

    /// The value in double precision.
    fn value(self) -> f64;
}

impl Feature for i8 {
    const SPINS: bool = true;

    fn value(self) -> f64 {
        self.into()
    }
}

impl Feature for f32 {
    const SPINS: bool = false;

    fn value(self) -> f64 {
        self.into()
    }
}

/// Rows converted at a time, to avoid a second copy of all patches.
const CHUNK: i64 = 65_536;

/// The training patches of one rank. The samples are the patches of all ranks, in the order of the ranks.
pub struct Patches<F> {
    /// `[samples, channels * sites]`, by channel, then row-major by site.
    pub(super) values: Tensor,
    /// Observables of the patches, `[samples, m]`.
    pub(super) observables: Array2<f32>,
    /// Trajectory of each patch, `[samples]`. The split keeps the patches of a trajectory together.
    pub(super) trajectory: Array1<u32>,
    /// Extents of a patch.
    pub(super) extents: Vec<usize>,
    /// Features per site.
    pub(super) channels: usize,
    feature: PhantomData<F>,
}

impl<F: Feature> Patches<F> {
    /// Reserves memory on `device` for patches with these observables, `[samples, m]`, and trajectories, `[samples]`.
    /// Fill it with [`Patches::put`].
    ///
    /// # Errors
    /// When a patch has no sites or channels, the lengths differ, or an observable is NaN or infinite.
    pub fn new(
        extents: Vec<usize>,
        channels: usize,
        (observables, trajectory): (Array2<f32>, Array1<u32>),
        device: Device,
    ) -> Result<Self, LearningError> {
        let columns = channels * extents.iter().product::<usize>();
        if columns == 0 {
            let reason = format!("patches of extents {extents:?} with {channels} features per site are empty");
            return Err(LearningError::Extents(reason));
        }
        if observables.nrows() != trajectory.len() {
            let (rows, found) = (observables.nrows(), trajectory.len());
            return Err(LearningError::Extents(format!("there are {rows} patches, but trajectories of {found}")));
        }
        finite("observables", observables.iter(), observables.ncols())?;
        let values = Tensor::zeros([observables.nrows() as i64, columns as i64], (F::KIND, device));
        Ok(Self { values, observables, trajectory, extents, channels, feature: PhantomData })
    }

    /// All patches at once, `[samples, channels * sites]`, each from a trajectory of its own.
    ///
    /// # Errors
    /// As [`Patches::new`] and [`Patches::put`].
    pub fn of(
        values: ArrayView2<F>,
        extents: Vec<usize>,
        observables: ArrayView2<f32>,
        device: Device,
    ) -> Result<Self, LearningError> {
        let channels = values.ncols() / extents.iter().product::<usize>().max(1);
        let trajectory = (0..values.nrows() as u32).collect();
        let mut patches = Self::new(extents, channels, (observables.to_owned(), trajectory), device)?;
        patches.put(0, values)?;
        Ok(patches)
    }

    /// Sets the patches from index `first` on, `[patches, channels * sites]`.
    ///
    /// # Errors
    /// When they exceed the reserved memory, a spin is neither -1 nor 1, or a field is NaN or infinite.
    pub fn put(&mut self, first: usize, values: ArrayView2<F>) -> Result<(), LearningError> {
        let (rows, columns) = (self.observables.nrows(), self.values.size()[1] as usize);
        if values.ncols() != columns || first + values.nrows() > rows {
            return Err(LearningError::Extents(format!(
                "patches {first} to {} with {} features exceed the {rows} patches of extents {:?} with {} feature(s) \
                 per site",
                first + values.nrows(),
                values.ncols(),
                self.extents,
                self.channels
            )));
        }
        let given = values;
        let values = upload(given);
        let bad = if F::SPINS { values.abs().not_equal(1) } else { values.isfinite().logical_not() };
        let bad: Vec<i64> = vector(&bad.sum_dim_intlist([1i64].as_slice(), false, Kind::Int64));
        let count = bad.iter().sum::<i64>() as usize;
        if let Some(row) = bad.iter().position(|&count| count > 0) {
            let value = given.row(row).iter().map(|value| value.value()).find(|value| value.abs() != 1.0);
            let (row, value) = (first + row, value.unwrap_or(f64::NAN).to_string());
            return Err(if F::SPINS {
                LearningError::Value { name: "patches", row, value, allowed: "spins are -1 and 1" }
            } else {
                LearningError::DataNotFinite { name: "patches", count, total: values.numel(), row }
            });
        }
        no_grad(|| self.values.narrow(0, first as i64, values.size()[0]).copy_(&values));
        Ok(())
    }

    /// Mean and standard deviation of each channel over the patches of all ranks. Those of spins are 0 and 1.
    pub(super) fn moments(&self, ranks: &dyn Ranks) -> [Vec<f32>; 2] {
        if F::SPINS {
            return [vec![0.0; self.channels], vec![1.0; self.channels]];
        }
        let sites = self.values.size()[1] / self.channels as i64;
        let sums = |map: &dyn Fn(Tensor) -> Tensor| {
            let mut sums = vec![0.0; self.channels];
            for first in (0..self.values.size()[0]).step_by(CHUNK as usize) {
                let rows = self.values.narrow(0, first, CHUNK.min(self.values.size()[0] - first));
                let rows = map(rows.to_kind(Kind::Double).view([-1, self.channels as i64, sites]));
                let more: Vec<f64> = vector(&rows.sum_dim_intlist([0i64, 2].as_slice(), false, Kind::Double));
                sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            }
            total_over(ranks, &mut sums);
            sums
        };
        let count = ranks.gather(self.observables.nrows() as f64).iter().sum::<f64>() * sites as f64;
        let centre: Vec<f64> = sums(&|rows| rows).iter().map(|sum| sum / count).collect();
        let column = Tensor::from_slice(&centre).view([-1, 1]).to_device(self.values.device());
        let spread = sums(&|rows| (rows - &column).square()).iter().map(|sum| unit(sum / count)).collect();
        [centre.iter().map(|&value| value as f32).collect(), spread]
    }

    /// Scales fields to mean 0 and standard deviation 1 with these [moments](Self::moments). Spins stay bytes.
    pub(super) fn normalise(&mut self, centre: &[f32], spread: &[f32]) {
        if !F::SPINS {
            let (rows, channels) = (self.values.size()[0], self.channels as i64);
            let mut channels = self.values.view([rows, channels, self.values.size()[1] / channels]);
            let column = |values: &[f32]| Tensor::from_slice(values).view([-1, 1]).to_device(channels.device());
            let (centre, spread) = (column(centre), column(spread));
            let _ = no_grad(|| channels.g_sub_(&centre).g_div_(&spread));
        }
    }

    /// Mean and standard deviation of each observable over the patches of all ranks.
    pub(super) fn observable_moments(&self, ranks: &dyn Ranks) -> [Vec<f32>; 2] {
        let columns = || self.observables.columns().into_iter();
        let mut sums = vec![self.observables.nrows() as f64];
        sums.extend(columns().map(|column| column.iter().map(|&value| f64::from(value)).sum::<f64>()));
        total_over(ranks, &mut sums);
        let count = sums[0];
        let centre: Vec<f64> = sums[1..].iter().map(|sum| sum / count).collect();
        let mut squares: Vec<f64> = columns()
            .zip(&centre)
            .map(|(column, centre)| column.iter().map(|&value| (f64::from(value) - centre).powi(2)).sum())
            .collect();
        total_over(ranks, &mut squares);
        let spread = squares.iter().map(|square| unit(square / count)).collect();
        [centre.iter().map(|&value| value as f32).collect(), spread]
    }
}

/// The standard deviation of a quantity with this variance, 1 if it never changes.
fn unit(variance: f64) -> f32 {
    if variance > 1e-20 { variance.sqrt() as f32 } else { 1.0 }
}

/// Features as a tensor on the host, `[samples, channels * sites]`.
pub(super) fn upload<F: Feature>(values: ArrayView2<F>) -> Tensor {
    let standard = values.as_standard_layout();
    let flat = standard.as_slice().unwrap_or_default();
    Tensor::from_slice(flat).view([values.nrows() as i64, values.ncols() as i64])
}
