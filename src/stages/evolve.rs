//! Partial evolution: some patches of each large snapshot, each evolved on its own (`pairs.h5`).

use crate::{
    config::Input,
    dataset::{Field, Reader, Writer},
    files::{
        arrays::{joined, shaped},
        conditions,
        records::{names_of_observables, spatial_axes},
    },
    lattice::{Lattice, Shape, Tiling},
    parallel::Ranks,
    rng::{Purpose, stream},
    sampling::{Pair, PartialEvolution},
    systems::{MovingPart, System},
    workflow::{
        Context, Stage, StageError,
        items::{Teamwork, Work, complete},
    },
};
use hdf5::H5Type;
use ndarray::{Array1, Array2};
use rayon::prelude::*;

/// Runs the stage. Pair number `snapshot * patches + p` is the p-th of the snapshot.
///
/// # Errors
/// When the kernel or the file system fails.
pub fn evolve<S: System<Site: H5Type>>(context: &Context, system: &S) -> Result<(), StageError> {
    let input = context.input;
    let (patch, shape) = (input.patch_shape(), input.large_shape());
    let tiling = Tiling::new(shape, patch).expect("the input was checked: patches tile the lattice");
    let large = Reader::open(&context.path("large.h5"))?;
    let states: Array2<f64> = large.read("observables")?;
    let sources: Array1<u32> = large.read("trajectory")?;
    let mut file = context.create(Stage::Evolve, "pairs.h5")?;
    declare::<S>(&mut file, input.pairs(), patch)?;
    conditions::declare(&mut file, input, "pair", input.pairs())?;
    let evolving = Evolving { input, family: system.family(), tiling, states, sources };
    if context.options.ranks_per_snapshot == 1 || !S::LOCAL {
        evolving.one_by_one(context, &large, &mut file)?;
    } else {
        evolving.in_teams(context, &large, &mut file)?;
    }
    Ok(file.finish()?)
}

/// A pair with the numbers of its snapshot and patch.
type Numbered<T> = (u32, u32, Pair<T>);

/// What all items share.
struct Evolving<'a, S> {
    input: &'a Input,
    family: Vec<S>,
    tiling: Tiling,
    states: Array2<f64>,
    sources: Array1<u32>,
}

impl<S: System<Site: H5Type>> Evolving<'_, S> {
    /// Working memory of a thread, for each member of the family.
    fn memory(&self) -> Vec<PartialEvolution<'_, S>> {
        let (shape, patch) = (self.input.large_shape(), self.input.patch_shape());
        let choices = self.input.evolve;
        let evolution = |member| PartialEvolution::new(member, shape, patch, choices.surroundings, choices.until);
        self.family.iter().map(evolution).collect()
    }

    /// The condition, by number, of a snapshot.
    fn condition_of(&self, snapshot: usize) -> usize {
        self.input.condition_of(self.sources[snapshot] as usize)
    }

    /// What is drawn of a snapshot: the numbers of patches or parts in their order, and all parts where it has any.
    fn draw(&self, snapshot: &Lattice<S::Site>, item: usize) -> (Vec<usize>, Vec<MovingPart<S>>) {
        let mut choice = stream(self.input.seed, Purpose::PatchChoice, [item as u64, 0]);
        let numbers = rand::seq::index::sample(&mut choice, self.input.patches(), self.input.patches_drawn());
        let parts = self.family[self.condition_of(item)].moving_parts(snapshot, self.input.patch_shape());
        (numbers.into_vec(), parts)
    }

    /// The pair with this place in the drawing order of a snapshot.
    fn pair(
        &self,
        partial: &mut [PartialEvolution<S>],
        snapshot: &Lattice<S::Site>,
        (numbers, parts): &(Vec<usize>, Vec<MovingPart<S>>),
        item: usize,
        order: usize,
    ) -> Result<Numbered<S::Site>, StageError> {
        let number = numbers[order];
        let partial = &mut partial[self.condition_of(item)];
        let mut rng = stream(self.input.seed, Purpose::Partial, [item as u64, order as u64]);
        let pair = if parts.is_empty() {
            partial.evolve(snapshot, self.tiling.origin(number), &mut rng)?
        } else {
            partial.evolve_part(snapshot, &parts[number], &mut rng)?
        };
        Ok((item as u32, number as u32, pair))
    }

    /// Each snapshot on one thread of one rank.
    fn one_by_one(&self, context: &Context, large: &Reader, file: &mut Writer) -> Result<(), StageError> {
        let (shape, drawn) = (self.input.large_shape(), self.input.patches_drawn());
        Work {
            stage: Stage::Evolve,
            unit: "snapshots",
            items: self.input.large_snapshots(),
            item_bytes: shape.sites() * size_of::<S::Site>(),
        }
        .share_out(
            context,
            file,
            |items| Ok((items.start, large.read_items::<S::Site>("snapshots", items)?)),
            || self.memory(),
            |partial, (first, block), item| {
                let sites =
                    block.as_slice().unwrap_or_default()[(item - first) * shape.sites()..][..shape.sites()].to_vec();
                let snapshot = Lattice::from_sites(shape, sites);
                let choice = self.draw(&snapshot, item);
                let pairs = (0..drawn).map(|order| self.pair(partial, &snapshot, &choice, item, order));
                pairs.collect::<Result<Vec<_>, StageError>>()
            },
            |file, items, block| {
                let pairs: Vec<_> = block.into_iter().flatten().collect();
                self.write(file, items.start * drawn, &pairs)
            },
        )
    }

    /// The patches of each snapshot shared by a team of ranks, and by the threads of each.
    fn in_teams(&self, context: &Context, large: &Reader, file: &mut Writer) -> Result<(), StageError> {
        let (shape, drawn) = (self.input.large_shape(), self.input.patches_drawn());
        Teamwork { stage: Stage::Evolve, unit: "snapshots", items: self.input.large_snapshots() }.share_out(
            context,
            file,
            |file, team, item| {
                let sites = large.read_items::<S::Site>("snapshots", item..item + 1)?.into_iter().collect();
                let snapshot = Lattice::from_sites(shape, sites);
                let (own, choice) = (team.share(drawn), self.draw(&snapshot, item));
                let pair = |partial: &mut Vec<_>, order| self.pair(partial, &snapshot, &choice, item, order);
                let pairs = own.clone().into_par_iter().map_init(|| self.memory(), pair);
                let pairs = pairs.collect::<Result<Vec<_>, StageError>>()?;
                self.write(file, item * drawn + own.start, &pairs)?;
                complete(file, team, item)
            },
        )
    }

    fn write(&self, file: &Writer, first: usize, pairs: &[Numbered<S::Site>]) -> Result<(), StageError> {
        let origins = |values: &dyn Fn(u32, u32) -> u32| -> Vec<u32> {
            pairs.iter().map(|&(snapshot, number, _)| values(snapshot, number)).collect()
        };
        let state: Vec<f64> = pairs.iter().flat_map(|pair| self.states.row(pair.0 as usize).to_vec()).collect();
        file.write("snapshot", first, shaped(&[pairs.len()], &origins(&|snapshot, _| snapshot)))?;
        file.write("patch", first, shaped(&[pairs.len()], &origins(&|_, number| number)))?;
        let trajectories = origins(&|snapshot, _| self.sources[snapshot as usize]);
        file.write("trajectory", first, shaped(&[pairs.len()], &trajectories))?;
        let conditions = pairs.iter().map(|&(snapshot, ..)| self.condition_of(snapshot as usize));
        conditions::write(file, self.input, first, conditions)?;
        file.write("observables", first, shaped(&[pairs.len(), S::OBSERVABLES.len()], &state))?;
        let patches: Vec<_> = pairs.iter().map(|(_, _, pair)| pair).collect();
        write_patches::<S>(file, first, self.input.patch_shape(), &patches)
    }
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
    file.declare::<u32>(count("patch", "number of the patch or of the moving part, row-major"))?;
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
