//! Latent states z = (z*, z^): observables, and closure variables averaged over the K patches (Eq. 1).

use super::{Context, StageError};
use crate::{
    dataset::Reader,
    lattice::{Lattice, Region, Shape, Tiling, Window},
    learning::{Closure, Feature, Subspace},
    parallel::Ranks,
    systems::System,
};
use ndarray::{Array1, Array2, Array3, ArrayD, ArrayView2, Axis, concatenate, s};
use rayon::prelude::*;

/// Snapshots that are encoded at a time.
pub const BLOCK: usize = 1024;

/// The closure variables of whole snapshots: the encoder on each of the K patches, averaged.
///
/// `snapshots` holds `[snapshot, site]`; the result is `[snapshot, variable]`.
pub fn encode_snapshots<S: System<Feature: Feature>>(
    closure: &Closure,
    snapshots: ArrayView2<S::Site>,
    (shape, patch): (Shape, Shape),
) -> Array2<f32> {
    let tiling = Tiling::new(shape, patch).expect("the input was checked: patches tile the lattice");
    let (count, patches) = (snapshots.nrows(), tiling.len());
    if closure.variables() == 0 {
        return Array2::zeros((count, 0));
    }
    let mut cut = vec![S::Site::default(); count * shape.sites()];
    cut.par_chunks_mut(shape.sites()).zip(snapshots.axis_iter(Axis(0)).into_par_iter()).for_each_init(
        || Window::open(patch, 0),
        |window, (cut, sites)| {
            let lattice = Lattice::from_sites(shape, sites.to_vec());
            for (number, cut) in cut.chunks_exact_mut(patch.sites()).enumerate() {
                window.load(&lattice, tiling.origin(number));
                cut.iter_mut().zip(window.values_of(Region::BOX)).for_each(|(to, from)| *to = from);
            }
        },
    );
    let cut = Array2::from_shape_vec((count * patches, patch.sites()), cut).expect("patches tile the lattice");
    let encoded = encode_patches::<S>(closure, cut.view());
    let variables = encoded.ncols();
    let by_snapshot = encoded.into_shape_with_order((count, patches, variables)).expect("one code a patch");
    by_snapshot.mean_axis(Axis(1)).unwrap_or_else(|| Array2::zeros((count, variables)))
}

/// The closure variables of patches `[patch, site]`, `[patch, variable]`.
pub fn encode_patches<S: System<Feature: Feature>>(closure: &Closure, patches: ArrayView2<S::Site>) -> Array2<f32> {
    if closure.variables() == 0 {
        Array2::zeros((patches.nrows(), 0))
    } else {
        closure.encode(features::<S>(patches).view())
    }
}

/// What the autoencoder sees of patches `[patch, site]`, `[patch, channel * site]`.
pub fn features<S: System<Feature: Feature>>(patches: ArrayView2<S::Site>) -> Array2<S::Feature> {
    let (count, sites) = patches.dim();
    let mut features = Array2::from_elem((count, S::CHANNELS * sites), S::Feature::default());
    let rows = patches.axis_iter(Axis(0)).into_par_iter();
    features.axis_iter_mut(Axis(0)).into_par_iter().zip(rows).for_each(|(mut features, patch)| {
        let patch = patch.as_standard_layout();
        let values = S::features(patch.as_slice().unwrap_or_default());
        features.iter_mut().zip(values).for_each(|(to, from)| *to = from);
    });
    features
}

/// Observables and closure variables side by side, `[item, component]`.
pub fn joined_state(observables: ArrayView2<f64>, closure: ArrayView2<f32>) -> Array2<f32> {
    let mut state = Array2::zeros((observables.nrows(), observables.ncols() + closure.ncols()));
    state.slice_mut(s![.., ..observables.ncols()]).assign(&observables.mapv(|value| value as f32));
    state.slice_mut(s![.., observables.ncols()..]).assign(&closure);
    state
}

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

/// Scaled latent states of whole snapshots, `[trajectory, record, component]`, from their observables
/// `[trajectory, record, observable]` and, when there are closure variables, the sites that `sites` gives in the same order.
///
/// # Errors
/// Those of `sites`.
pub fn latent_states<S: System<Feature: Feature>>(
    context: &Context,
    closure: &Closure,
    scaling: &Scaling,
    observables: Array3<f64>,
    sites: impl FnOnce() -> Result<ArrayD<S::Site>, StageError>,
) -> Result<Array3<f32>, StageError> {
    let (trajectories, records, count) = observables.dim();
    let mut encoded = Array2::zeros((trajectories * records, closure.variables()));
    if closure.variables() > 0 {
        let shapes = (context.input.truth_shape(), context.input.patch_shape());
        let extents = (trajectories * records, shapes.0.sites());
        let sites = sites()?.into_shape_with_order(extents).expect("whole snapshots");
        let blocks = sites.axis_chunks_iter(Axis(0), BLOCK).zip(encoded.axis_chunks_iter_mut(Axis(0), BLOCK));
        blocks.for_each(|(sites, mut encoded)| encoded.assign(&encode_snapshots::<S>(closure, sites, shapes)));
    }
    let observables = observables.into_shape_with_order((trajectories * records, count)).expect("as many observables");
    let states = scaling.states(joined_state(observables.view(), encoded.view()));
    let components = states.ncols();
    Ok(states.into_shape_with_order((trajectories, records, components)).expect("one state a record"))
}

/// All axes after the first as one.
pub fn flattened<T: Clone>(array: ArrayD<T>) -> Array2<T> {
    let items = array.shape().first().copied().unwrap_or(0);
    let rest = array.len() / items.max(1);
    array.into_shape_with_order((items, rest)).expect("the product of the extents is unchanged")
}

/// Blocks of rows below each other; none give no rows.
pub fn stacked(blocks: &[Array2<f32>], components: usize) -> Array2<f32> {
    let views: Vec<_> = blocks.iter().map(|block| block.view()).collect();
    if views.is_empty() {
        return Array2::zeros((0, components));
    }
    concatenate(Axis(0), &views).expect("blocks have the same components")
}
