//! Latent states z = (z*, z^): observables, and closure variables averaged over the K patches (Eq. 1).

use crate::{
    config::Input,
    lattice::{Lattice, Region, Shape, Tiling, Window},
    learning::{Closure, Feature},
    systems::System,
    workflow::{Context, StageError},
};
use ndarray::{Array2, Array3, ArrayD, ArrayView2, Axis, s};
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

/// The means of functions of the library over snapshots `[snapshot, site]`, `[snapshot, function]`.
fn of_library<S: System>(system: &S, functions: &[usize], snapshots: ArrayView2<S::Site>, shape: Shape) -> Array2<f64> {
    let mut found = Array2::zeros((snapshots.nrows(), functions.len()));
    let rows = found.axis_iter_mut(Axis(0)).into_par_iter().zip(snapshots.axis_iter(Axis(0)).into_par_iter());
    rows.for_each_init(
        || S::closed_window(shape),
        |window, (mut found, sites)| {
            window.load(&Lattice::from_sites(shape, sites.to_vec()), [0; 3]);
            let sums = system.library(window, Region::BOX);
            let means = functions.iter().map(|&function| sums[function] / shape.sites() as f64);
            found.iter_mut().zip(means).for_each(|(to, mean)| *to = mean);
        },
    );
    found
}

/// The closure variables of patches `[patch, site]`, `[patch, variable]`.
pub fn encode_patches<S: System<Feature: Feature>>(closure: &Closure, patches: ArrayView2<S::Site>) -> Array2<f32> {
    if closure.variables() == 0 {
        Array2::zeros((patches.nrows(), 0))
    } else {
        closure.encode(features::<S>(patches).view())
    }
}

/// The features `[patch, channel * site]` of patches `[patch, site]`.
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

/// The observables of the equation and closure variables side by side, `[item, component]`, from all observables.
pub fn joined_state(input: &Input, observables: ArrayView2<f64>, closure: ArrayView2<f32>) -> Array2<f32> {
    let observables = observables.slice(s![.., ..input.observables().len()]);
    let mut state = Array2::zeros((observables.nrows(), observables.ncols() + closure.ncols()));
    state.slice_mut(s![.., ..observables.ncols()]).assign(&observables.mapv(|value| value as f32));
    state.slice_mut(s![.., observables.ncols()..]).assign(&closure);
    state
}

/// Latent states of whole snapshots in physical units, `[trajectory, record, component]`, from their observables
/// `[trajectory, record, observable]` and, when there are closure variables, the sites of lattices of this shape that
/// `sites` gives in the same order.
///
/// # Errors
/// When `sites` cannot read the sites.
pub fn latent_states<S: System<Feature: Feature>>(
    context: &Context,
    (system, closure): (&S, &Closure),
    (observables, shape): (Array3<f64>, Shape),
    sites: impl FnOnce() -> Result<ArrayD<S::Site>, StageError>,
) -> Result<Array3<f32>, StageError> {
    let (trajectories, records, count) = observables.dim();
    let mut encoded = Array2::zeros((trajectories * records, closure.variables()));
    let observables = observables.into_shape_with_order((trajectories * records, count)).expect("as many observables");
    if closure.variables() > 0 {
        let patch = context.input.patch_shape();
        let sites = sites()?.into_shape_with_order((trajectories * records, shape.sites())).expect("whole snapshots");
        let functions = closure.functions();
        let blocks = sites.axis_chunks_iter(Axis(0), BLOCK).zip(observables.axis_chunks_iter(Axis(0), BLOCK));
        for ((sites, observables), mut encoded) in blocks.zip(encoded.axis_chunks_iter_mut(Axis(0), BLOCK)) {
            encoded.assign(&if functions.is_empty() {
                encode_snapshots::<S>(closure, sites, (shape, patch))
            } else {
                closure.from_library(of_library(system, &functions, sites, shape).view(), observables)
            });
        }
    }
    let states = joined_state(context.input, observables.view(), encoded.view());
    let components = states.ncols();
    Ok(states.into_shape_with_order((trajectories, records, components)).expect("one state a record"))
}
