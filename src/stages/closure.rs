//! The closure autoencoder, and the latent pairs it gives (`closure.safetensors`, `latent.h5`).
//!
//! Our increment is Eq. 10: the change of the evolved patch, which for observables is K times that of the lattice.
//! The baseline takes the evolved patch's own latent state as the next state of the whole lattice.

use crate::{
    dataset::Field,
    files::{
        LargeFile, PairsFile,
        arrays::{flattened, stacked},
        conditions,
        latent::Scaling,
        pairs::{Observed, Side},
    },
    learning::{Checkpoint, Closure, Feature, LearningError, Patches, Run, Subspace},
    parallel::Ranks,
    stages::{
        engines::device,
        latent::{BLOCK, encode_patches, encode_snapshots, features, joined_state},
    },
    systems::System,
    workflow::{Context, Stage, StageError, say},
};
use hdf5::H5Type;
use ndarray::{Array2, Axis};
use serde_json::json;
use tch::Device;

/// The state of a training under way.
const CHECKPOINT: &str = "closure.checkpoint";

/// Runs the stage.
///
/// # Errors
/// When training, or the file system, fails.
pub fn closure<S: System<Site: H5Type, Feature: Feature>>(context: &Context, _system: &S) -> Result<(), StageError> {
    let closure = fit::<S>(context)?;
    write_latent::<S>(context, &closure)?;
    if context.leads() {
        // Until here it spares a stage that is killed late a second training.
        std::fs::remove_file(context.path(CHECKPOINT)).ok();
    }
    Ok(())
}

/// Writes the scaled latent states and increments of all pairs.
fn write_latent<S: System<Site: H5Type, Feature: Feature>>(
    context: &Context,
    closure: &Closure,
) -> Result<(), StageError> {
    let input = context.input;
    let (shape, patch, drawn) = (input.large_shape(), input.patch_shape(), input.patches_drawn());
    let large = LargeFile::open(context)?;
    let pairs = PairsFile::open(context)?;
    let share = context.world.share(input.large_snapshots());
    let mut progress = context.progress("encode", share.len(), "snapshots");
    let components = S::OBSERVABLES.len() + closure.variables();
    let mut parts: [Vec<Array2<f32>>; 3] = Default::default();
    for first in share.clone().step_by(BLOCK) {
        let snapshots = first..(first + BLOCK).min(share.end);
        let items = snapshots.start * drawn..snapshots.end * drawn;
        let encoded = if closure.variables() == 0 {
            Array2::zeros((snapshots.len(), 0))
        } else {
            let sites = flattened(large.snapshots(snapshots.clone())?);
            encode_snapshots::<S>(closure, sites.view(), (shape, patch))
        };
        let repeated: Vec<usize> = (0..items.len()).map(|item| item / drawn).collect();
        let observables = |of| pairs.observables(of, items.clone());
        let patches = |side| -> Result<Array2<f32>, StageError> {
            if closure.variables() == 0 {
                return Ok(Array2::zeros((items.len(), 0)));
            }
            Ok(encode_patches::<S>(closure, pairs.patches(side, items.clone())?.view()))
        };
        let (before, after) = (patches(Side::Before)?, patches(Side::After)?);
        let state = joined_state(observables(Observed::Snapshot)?.view(), encoded.select(Axis(0), &repeated).view());
        let next_of_baseline = joined_state(observables(Observed::After)?.view(), after.view());
        parts[2].push(next_of_baseline - &state);
        parts[1].push(joined_state(observables(Observed::Increment)?.view(), (after - before).view()));
        parts[0].push(state);
        progress.advance(snapshots.len());
    }
    drop(progress);
    let [states, ours, baseline] = parts.map(|blocks| stacked(&blocks, components));
    let scaled = scaled_components::<S>(closure.variables());
    let scaling = Scaling::over(context, states.view(), &scaled);
    let [states, ours, baseline] = [scaling.states(states), scaling.increments(ours), scaling.increments(baseline)];
    let subspace = Subspace::over(context.world, states.view(), ours.view())?;

    let mut file = context.create(Stage::Closure, "latent.h5")?;
    conditions::declare(&mut file, input, "pair", input.pairs())?;
    for (name, meaning) in [
        ("state", "latent state z of the snapshot: observables, then closure variables; scaled"),
        ("increment", "increment of z by our method (Eq. 10), scaled"),
        ("increment_baseline", "increment of z by the baseline, scaled"),
    ] {
        let extents = [input.pairs(), components];
        file.declare::<f32>(Field { name, axes: &["pair", "component"], extents: &extents, unit: "1", meaning })?;
    }
    for (name, meaning) in [("offset", "scaled = (raw - offset) / scale"), ("scale", "scaled = (raw - offset) / scale")]
    {
        file.declare::<f64>(Field { name, axes: &["component"], extents: &[components], unit: "1", meaning })?;
    }
    for (name, axes, meaning) in [
        ("origin", &["component"][..], "a state of the subspace that states never leave, scaled"),
        ("axes", &["component", "coordinate"], "its orthonormal axes: coordinates = (scaled - origin) axes"),
    ] {
        let extents = &[components, subspace.axes.ncols()][..axes.len()];
        file.declare::<f64>(Field { name, axes, extents, unit: "1", meaning })?;
    }
    let first = share.start * drawn;
    pairs.copy_conditions(&file, first..share.end * drawn)?;
    file.write("state", first, states.view())?;
    file.write("increment", first, ours.view())?;
    file.write("increment_baseline", first, baseline.view())?;
    if context.leads() {
        file.write("offset", 0, scaling.offset.view())?;
        file.write("scale", 0, scaling.scale.view())?;
        file.write("origin", 0, subspace.origin.view())?;
        file.write("axes", 0, subspace.axes.view())?;
    }
    Ok(file.finish()?)
}

/// Trains the autoencoder on the patches that partial evolution starts from, drawn uniformly from the snapshots. Each rank
/// reads its own share of them.
fn fit<S: System<Site: H5Type, Feature: Feature>>(context: &Context) -> Result<Closure, StageError> {
    let (input, device) = (context.input, device(context)?);
    let (closure, curve) = if input.closure.components() == 0 {
        (Closure::none(device), Vec::new())
    } else {
        let patches = patches::<S>(context, device)?;
        let say = |text: &str| {
            say(context, text).ok();
        };
        let path = context.path(CHECKPOINT);
        let identity = format!("{} closure", context.provenance(Stage::Closure).identity());
        let checkpoint = Some(Checkpoint { path: &path, identity: &identity, say: &say });
        let (stop, threads) = (|| context.stop.requested(), context.options.threads);
        let run = Run { threads, checkpoint, stop: Some(&stop), ..Run::new(input.seed, context.world, device) };
        let mut progress = context.progress("closure", input.closure.epochs, "epochs");
        match Closure::fit(patches, &input.closure, &run, &mut |_| progress.advance(1)) {
            Err(LearningError::Stopped { .. }) => return Err(StageError::Stopped),
            fitted => fitted?,
        }
    };
    if context.leads() {
        // Without the seconds, so that equal weights give equal bytes.
        let curve: Vec<_> = curve
            .iter()
            .map(|record| json!([record.epoch, record.train_loss, record.validation_loss, record.learning_rate]))
            .collect();
        let metadata = context.provenance(Stage::Closure).json(&[("curve", json!(curve))]);
        closure.save(&context.path("closure.safetensors"), &metadata)?;
    }
    Ok(closure)
}

/// The patches of this rank's share of the pairs, before their evolution.
fn patches<S: System<Site: H5Type, Feature: Feature>>(
    context: &Context,
    device: Device,
) -> Result<Patches<S::Feature>, StageError> {
    let (input, share) = (context.input, context.world.share(context.input.pairs()));
    let pairs = PairsFile::open(context)?;
    let observables = pairs.observables(Observed::Before, share.clone())?.mapv(|value| value as f32);
    let origin = (observables, pairs.trajectories(share.clone())?);
    let mut patches = Patches::new(input.patch_shape().used(), S::CHANNELS, origin, device)?;
    for first in share.clone().step_by(BLOCK) {
        let sites = pairs.patches(Side::Before, first..(first + BLOCK).min(share.end))?;
        patches.put(first - share.start, features::<S>(sites.view()).view())?;
    }
    Ok(patches)
}

/// Which latent components are scaled to [0, 1]: observables as they say, closure variables always.
fn scaled_components<S: System>(variables: usize) -> Vec<bool> {
    S::OBSERVABLES.iter().map(|observable| observable.scaled).chain(std::iter::repeat_n(true, variables)).collect()
}
