//! The closure autoencoder, and the latent pairs it gives (`closure.safetensors`, `latent.h5`).
//!
//! Our increment is Eq. 10: the change of the evolved patch, which for observables is K times that of the lattice.
//! The baseline takes the evolved patch's own latent state as the next state of the whole lattice.

use crate::{
    dataset::Reader,
    files::{
        LargeFile, PairsFile,
        arrays::flattened,
        latent::{LatentFile, LatentRows},
        pairs::{Observed, Side},
    },
    learning::{Checkpoint, Closure, Feature, LearningError, Patches, TrainingContext},
    parallel::Ranks,
    stages::{
        engines::device,
        latent::{BLOCK, encode_patches, encode_snapshots, features, joined_state},
    },
    systems::System,
    workflow::{Context, Stage, StageError, say},
};
use hdf5::H5Type;
use ndarray::{Array2, Axis, concatenate};
use serde_json::json;
use std::ops::Range;
use tch::Device;

/// The state of a training under way.
const CHECKPOINT: &str = "closure.checkpoint";

/// Trains the autoencoder (`closure.safetensors`) and writes `latent.h5` from `large.h5` and `pairs.h5`.
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

/// Writes the latent states and increments of all pairs.
fn write_latent<S: System<Site: H5Type, Feature: Feature>>(
    context: &Context,
    closure: &Closure,
) -> Result<(), StageError> {
    let (input, drawn) = (context.input, context.input.patches_drawn());
    let large = LargeFile::open(context)?;
    let pairs = PairsFile::open(context)?;
    let share = context.world.share(input.large_snapshots());
    let mut file = LatentFile::create(context, closure.variables())?;
    let mut progress = context.progress("encode", share.len(), "snapshots");
    for first in share.clone().step_by(BLOCK) {
        let snapshots = first..(first + BLOCK).min(share.end);
        let rows = latent_rows::<S>(context, closure, (&large, &pairs), snapshots.clone())?;
        file.write(first * drawn, &rows)?;
        progress.advance(snapshots.len());
    }
    drop(progress);
    file.finish(&pairs, share.start * drawn..share.end * drawn)
}

/// The latent states and increments of all pairs of some snapshots.
fn latent_rows<S: System<Site: H5Type, Feature: Feature>>(
    context: &Context,
    closure: &Closure,
    (large, pairs): (&LargeFile<Reader>, &PairsFile<Reader>),
    snapshots: Range<usize>,
) -> Result<LatentRows, StageError> {
    let input = context.input;
    let drawn = input.patches_drawn();
    let items = snapshots.start * drawn..snapshots.end * drawn;
    let closes = closure.variables() > 0;
    let encoded = if closes {
        let sites = flattened(large.snapshots(snapshots.clone())?);
        encode_snapshots::<S>(closure, sites.view(), (input.large_shape(), input.patch_shape()))
    } else {
        Array2::zeros((snapshots.len(), 0))
    };
    let repeated: Vec<usize> = (0..items.len()).map(|item| item / drawn).collect();
    let observables = |of| pairs.observables(of, items.clone());
    let patches = |side| -> Result<Array2<f32>, StageError> {
        if !closes {
            return Ok(Array2::zeros((items.len(), 0)));
        }
        Ok(encode_patches::<S>(closure, pairs.patches(side, items.clone())?.view()))
    };
    let (before, after) = (patches(Side::BEFORE)?, patches(Side::AFTER)?);
    let state = joined_state(observables(Observed::SNAPSHOT)?.view(), encoded.select(Axis(0), &repeated).view());
    let baseline = joined_state(observables(Observed::AFTER)?.view(), after.view()) - &state;
    let of_states = match input.tiles() {
        true => Some(joined_state(observables(Observed::BEFORE)?.view(), before.view()) - &state),
        false => None,
    };
    let of_drifts = match input.compensated() {
        true => Some(observables(Observed::DRIFT_DEVIATION)?.mapv(|value| value as f32)),
        false => None,
    };
    let both: Vec<_> = of_states.iter().chain(&of_drifts).map(|array| array.view()).collect();
    let deviation = concatenate(Axis(1), &both).ok().map(|both| both.as_standard_layout().into_owned());
    let change = after - before;
    let ours = joined_state(observables(Observed::INCREMENT)?.view(), change.view());
    let compensator = match input.compensated() {
        true => Some(joined_state(observables(Observed::COMPENSATOR)?.view(), change.view())),
        false => None,
    };
    Ok(LatentRows { state, ours, baseline, compensator, deviation })
}

/// Trains the autoencoder on the patches that partial evolution starts from, drawn uniformly from the snapshots. Each
/// rank reads its own share of them.
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
        let run = TrainingContext {
            threads,
            checkpoint,
            stop: Some(&stop),
            ..TrainingContext::new(input.seed, context.world, device)
        };
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
    let observables = pairs.observables(Observed::BEFORE, share.clone())?.mapv(|value| value as f32);
    let origin = (observables, pairs.trajectories(share.clone())?);
    let mut patches = Patches::new(input.patch_shape().used(), S::CHANNELS, origin, device)?;
    for first in share.clone().step_by(BLOCK) {
        let sites = pairs.patches(Side::BEFORE, first..(first + BLOCK).min(share.end))?;
        patches.put(first - share.start, features::<S>(sites.view()).view())?;
    }
    Ok(patches)
}
