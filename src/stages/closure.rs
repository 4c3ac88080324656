//! Closure variables by an autoencoder or from the system's library, and the latent pairs they give (`closure.safetensors`, `latent.h5`).
//!
//! Our increment is Eq. 10: the change of the evolved patch, which for observables is K times that of the lattice.
//! The baseline takes the evolved patch's own latent state as the next state of the whole lattice.

use crate::{
    dataset::Reader,
    files::{
        LargeFile, PairsFile,
        arrays::flattened,
        latent::{LatentFile, LatentRows},
        pairs::{Observed, OfLibrary, Side},
    },
    learning::{
        Checkpoint, Closure, Feature, LearningError, LibraryFunction, Patches, TrainingContext, closure::select,
    },
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
    let closure = if context.input.uses_library() { from_library::<S>(context)? } else { fit::<S>(context)? };
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
    let observables = |of| pairs.observables(of, items.clone());
    let [encoded, before, after] = if closure.variables() == 0 {
        [(); 3].map(|()| Array2::zeros((items.len(), 0)))
    } else if input.uses_library() {
        let functions = closure.functions();
        let chosen = |of| -> Result<Array2<f64>, StageError> {
            Ok(pairs.library(of, items.clone())?.select(Axis(1), &functions))
        };
        let before = closure.from_library(chosen(OfLibrary::BEFORE)?.view(), observables(Observed::BEFORE)?.view());
        let change = (chosen(OfLibrary::INCREMENT)?, observables(Observed::INCREMENT)?);
        let after = &before + &closure.change_from_library(change.0.view(), change.1.view());
        let of_snapshots = (chosen(OfLibrary::SNAPSHOT)?, observables(Observed::SNAPSHOT)?);
        [closure.from_library(of_snapshots.0.view(), of_snapshots.1.view()), before, after]
    } else {
        let sites = flattened(large.snapshots(snapshots.clone())?);
        let shapes = (input.large_shape(), input.patch_shape());
        let repeated: Vec<usize> = (0..items.len()).map(|item| item / drawn).collect();
        let encoded = encode_snapshots::<S>(closure, sites.view(), shapes).select(Axis(0), &repeated);
        let patches = |side| -> Result<Array2<f32>, StageError> {
            Ok(encode_patches::<S>(closure, pairs.patches(side, items.clone())?.view()))
        };
        [encoded, patches(Side::BEFORE)?, patches(Side::AFTER)?]
    };
    let state = joined_state(input, observables(Observed::SNAPSHOT)?.view(), encoded.view());
    let baseline = joined_state(input, observables(Observed::AFTER)?.view(), after.view()) - &state;
    let of_states = match input.tiles() {
        true => Some(joined_state(input, observables(Observed::BEFORE)?.view(), before.view()) - &state),
        false => None,
    };
    let of_drifts = match input.compensated() {
        true => Some(observables(Observed::DRIFT_DEVIATION)?.mapv(|value| value as f32)),
        false => None,
    };
    let both: Vec<_> = of_states.iter().chain(&of_drifts).map(|array| array.view()).collect();
    let deviation = concatenate(Axis(1), &both).ok().map(|both| both.as_standard_layout().into_owned());
    let change = after - before;
    let ours = joined_state(input, observables(Observed::INCREMENT)?.view(), change.view());
    let compensator = match input.compensated() {
        true => Some(joined_state(input, observables(Observed::COMPENSATOR)?.view(), change.view())),
        false => None,
    };
    Ok(LatentRows { state, ours, baseline, compensator, deviation })
}

/// Chooses functions of the library by the drift of the snapshots, and says what they explain of it.
fn from_library<S: System>(context: &Context) -> Result<Closure, StageError> {
    let (input, drawn) = (context.input, context.input.patches_drawn());
    let pairs = PairsFile::open(context)?;
    let share = context.world.share(input.large_snapshots());
    let (mut z, mut library, mut drift) = (Vec::new(), Vec::new(), Vec::new());
    for first in share.clone().step_by(BLOCK) {
        let items = first * drawn..(first + BLOCK).min(share.end) * drawn;
        let each: Vec<usize> = (0..items.len()).step_by(drawn).collect();
        z.push(pairs.observables(Observed::SNAPSHOT, items.clone())?.select(Axis(0), &each));
        library.push(pairs.library(OfLibrary::SNAPSHOT, items.clone())?.select(Axis(0), &each));
        drift.push(pairs.observables(Observed::DRIFT, items)?.select(Axis(0), &each));
    }
    let [z, library, drift] = [(z, S::OBSERVABLES.len()), (library, S::LIBRARY.len()), (drift, S::OBSERVABLES.len())]
        .map(|(blocks, columns)| {
            let views: Vec<_> = blocks.iter().map(|block| block.view()).collect();
            concatenate(Axis(0), &views).unwrap_or_else(|_| Array2::zeros((0, columns)))
        });
    let place = |name: &String| S::LIBRARY.iter().position(|known| known == name);
    let given: Vec<usize> = input.closure.functions.iter().filter_map(place).collect();
    let most = if given.is_empty() { input.closure.variables } else { 0 };
    let found = select(z.view(), library.view(), drift.view(), (&given, most), context.world)?;
    let chosen = found.chosen.iter().zip(found.linear);
    let chosen: Vec<_> =
        chosen.map(|(&index, linear)| LibraryFunction { index, name: S::LIBRARY[index].into(), linear }).collect();
    let names = chosen.iter().map(|function| function.name.as_str()).collect::<Vec<_>>().join(", ");
    for (observable, [without, with]) in S::OBSERVABLES.iter().zip(&found.r_squared) {
        let with = if chosen.is_empty() { String::new() } else { format!(", {with:.4} with {names}") };
        say(
            context,
            &format!("closure: R^2 of the drift of {} {without:.4} without closure variables{with}", observable.name),
        )?;
    }
    let closure = Closure::of_library(chosen, device(context)?);
    if context.leads() {
        let metadata = context.provenance(Stage::Closure).json(&[("r_squared", json!(found.r_squared))]);
        closure.save(&context.path("closure.safetensors"), &metadata)?;
    }
    context.world.barrier();
    Ok(closure)
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
