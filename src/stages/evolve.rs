//! Partial evolution: some patches of each large snapshot, each evolved on its own (`pairs.h5`).

use super::{
    Context, Stage, StageError, conditions,
    records::{names_of_observables, shaped, spatial_axes},
    sharing::{Work, joined},
};
use crate::{
    dataset::{Field, Reader, Writer},
    lattice::{Lattice, Shape, Tiling},
    rng::{Purpose, stream},
    sampling::{Pair, PartialEvolution},
    systems::System,
};
use hdf5::H5Type;
use ndarray::{Array1, Array2, ArrayD};

/// Runs the stage. Pair number `snapshot * patches + p` is the p-th of the snapshot.
///
/// # Errors
/// When the kernel or the file system fails.
pub fn evolve<S: System<Site: H5Type>>(context: &Context, system: &S) -> Result<(), StageError> {
    let input = context.input;
    let (patch, shape, drawn) = (input.patch_shape(), input.large_shape(), input.patches_drawn());
    let tiling = Tiling::new(shape, patch).expect("the input was checked: patches tile the lattice");
    let large = Reader::open(&context.path("large.h5"))?;
    let states: Array2<f64> = large.read("observables")?;
    let sources: Array1<u32> = large.read("trajectory")?;
    let mut file = context.create(Stage::Evolve, "pairs.h5")?;
    declare::<S>(&mut file, input.pairs(), patch)?;
    conditions::declare(&mut file, input, "pair", input.pairs())?;
    let family = system.family();
    let condition_of = |snapshot: usize| input.condition_of(sources[snapshot] as usize);
    Work {
        stage: Stage::Evolve,
        unit: "snapshots",
        items: input.large_snapshots(),
        item_bytes: shape.sites() * size_of::<S::Site>(),
    }
    .share_out(
        context,
        |items| {
            let first = items.start;
            let block: ArrayD<S::Site> = large.read_items("snapshots", items)?;
            Ok((first, block))
        },
        || {
            let evolution =
                |member| PartialEvolution::new(member, shape, patch, input.evolve.surroundings, input.evolve.until);
            family.iter().map(evolution).collect::<Vec<_>>()
        },
        |partial, (first, block), item| {
            let partial = &mut partial[condition_of(item)];
            let sites =
                block.as_slice().unwrap_or_default()[(item - first) * shape.sites()..][..shape.sites()].to_vec();
            let snapshot = Lattice::from_sites(shape, sites);
            let mut choice = stream(input.seed, Purpose::PatchChoice, [item as u64, 0]);
            rand::seq::index::sample(&mut choice, tiling.len(), drawn)
                .into_iter()
                .zip(0..)
                .map(|(number, order)| {
                    let mut rng = stream(input.seed, Purpose::Partial, [item as u64, order]);
                    let pair = partial.evolve(&snapshot, tiling.origin(number), &mut rng)?;
                    Ok((item as u32, number as u32, pair))
                })
                .collect::<Result<Vec<_>, StageError>>()
        },
        |items, block| {
            let pairs: Vec<_> = block.into_iter().flatten().collect();
            let first = items.start * drawn;
            let origins = |values: &dyn Fn(u32, u32) -> u32| -> Vec<u32> {
                pairs.iter().map(|&(snapshot, number, _)| values(snapshot, number)).collect()
            };
            let state: Vec<f64> = pairs.iter().flat_map(|pair| states.row(pair.0 as usize).to_vec()).collect();
            file.write("snapshot", first, shaped(&[pairs.len()], &origins(&|snapshot, _| snapshot)))?;
            file.write("patch", first, shaped(&[pairs.len()], &origins(&|_, number| number)))?;
            let trajectories = origins(&|snapshot, _| sources[snapshot as usize]);
            file.write("trajectory", first, shaped(&[pairs.len()], &trajectories))?;
            conditions::write(
                &file,
                input,
                first,
                pairs.iter().map(|&(snapshot, ..)| condition_of(snapshot as usize)),
            )?;
            file.write("observables", first, shaped(&[pairs.len(), S::OBSERVABLES.len()], &state))?;
            write_patches::<S>(&file, first, patch, &pairs.iter().map(|(_, _, pair)| pair).collect::<Vec<_>>())
        },
    )?;
    Ok(file.finish()?)
}

fn write_patches<S: System<Site: H5Type>>(
    file: &Writer,
    first: usize,
    patch: Shape,
    pairs: &[&Pair<S::Site>],
) -> Result<(), StageError> {
    let sites = [&[pairs.len()], &patch.used()[..]].concat();
    let observables = [pairs.len(), S::OBSERVABLES.len()];
    let times: Vec<f64> = pairs.iter().map(|pair| pair.elapsed.time).collect();
    let events: Vec<u64> = pairs.iter().map(|pair| pair.elapsed.events).collect();
    file.write("before", first, shaped(&sites, &joined(pairs.iter().map(|pair| &pair.before))))?;
    file.write("after", first, shaped(&sites, &joined(pairs.iter().map(|pair| &pair.after))))?;
    for (name, values) in [
        ("patch_before", joined(pairs.iter().map(|pair| &pair.observables_before))),
        ("patch_after", joined(pairs.iter().map(|pair| &pair.observables_after))),
        ("increment", joined(pairs.iter().map(|pair| &pair.increment))),
    ] {
        file.write(name, first, shaped(&observables, &values))?;
    }
    file.write("duration", first, shaped(&[pairs.len()], &times))?;
    Ok(file.write("events", first, shaped(&[pairs.len()], &events))?)
}

fn declare<S: System<Site: H5Type>>(file: &mut Writer, pairs: usize, patch: Shape) -> Result<(), StageError> {
    let names = names_of_observables::<S>();
    let extents = [pairs];
    let count = |name, meaning| Field { name, axes: &["pair"], extents: &extents, unit: "1", meaning };
    file.declare::<u32>(count("snapshot", "snapshot of large.h5 that the patch lies in"))?;
    file.declare::<u32>(count("patch", "number of the patch, row-major"))?;
    file.declare::<u32>(count("trajectory", "trajectory that the snapshot comes from"))?;
    file.declare::<u64>(count("events", "events during the evolution"))?;
    file.declare::<f64>(Field {
        name: "duration",
        axes: &["pair"],
        extents: &[pairs],
        unit: S::TIME_UNIT,
        meaning: "time that the patch evolved, dt",
    })?;
    for (name, meaning) in [("before", "the patch before its evolution"), ("after", "the patch after it")] {
        file.declare::<S::Site>(Field {
            name,
            axes: &[&["pair"], spatial_axes(patch)].concat(),
            extents: &[&[pairs], &patch.used()[..]].concat(),
            unit: "1",
            meaning,
        })?;
    }
    for (name, meaning) in [
        ("observables", "of the whole snapshot"),
        ("patch_before", "of the patch before"),
        ("patch_after", "of the patch after, the next state of the baseline"),
        ("increment", "K times the change of the whole system's observables"),
    ] {
        file.declare::<f64>(Field {
            name,
            axes: &["pair", "observable"],
            extents: &[pairs, S::OBSERVABLES.len()],
            unit: "1",
            meaning: &format!("{names}: {meaning}"),
        })?;
    }
    Ok(())
}
