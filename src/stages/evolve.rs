//! Partial evolution: some patches of each large snapshot, each evolved on its own (`pairs.h5`).

use crate::{
    config::{Input, LANES},
    dataset::{Reader, Writer},
    dynamics::Until,
    files::{LargeFile, PairsFile, arrays::raw, large::Large, pairs::Row, records::Recorded},
    lattice::{Lattice, Tiling},
    parallel::{Alone, Ranks, World, exact_total},
    rng::{Purpose, Rng, stream},
    sampling::{Pair, PartialEvolution, PartialEvolutionInLanes, Surroundings, WholeState, WholeSums},
    stages::{
        health::{Happenings, check_finite},
        words::{announce, by_words},
    },
    systems::{MovingPart, System},
    workflow::{
        Context, Stage, StageError,
        items::{ItemsOverTeams, ItemsOverThreads, complete},
    },
};
use hdf5::H5Type;
use ndarray::{Array1, Array2};
use rayon::prelude::*;
use std::ops::Range;

/// Evolves patches of the snapshots of `large.h5` and writes `pairs.h5`.
///
/// # Errors
/// When the kernel or the file system fails, or a clean stop is asked for.
pub fn evolve<S: System<Site: H5Type>>(context: &Context, system: &S) -> Result<(), StageError> {
    let input = context.input;
    let large = LargeFile::open(context)?;
    let patches = EvolvedPatches::of(context, system, &large, input.evolve.until)?;
    announce(context, Stage::Evolve, patches.in_lanes().then_some(LANES))?;
    let file = PairsFile::create::<S>(context)?;
    if context.options.ranks_per_snapshot == 1 || !S::LOCAL || patches.in_lanes() {
        patches.by_threads(context, &large, &file)?;
    } else {
        patches.by_teams(context, &large, &file)?;
    }
    patches.happenings.say(context, Stage::Evolve, "pairs")?;
    file.finish()
}

/// Evolves one patch of each of these snapshots twice as long as those of the training pairs, with randomness of its
/// own, and passes it on with its snapshot, block by block.
///
/// # Errors
/// When the kernel or the file system fails.
pub fn evolve_twice_as_long<S: System<Site: H5Type>>(
    context: &Context,
    system: &S,
    snapshots: &[usize],
    mut take: impl FnMut(&[Lattice<S::Site>], &[Row<S::Site>]),
) -> Result<(), StageError> {
    let (large, shape) = (LargeFile::open(context)?, context.input.large_shape());
    let seed = context.input.seed;
    let until = match context.input.evolve.until {
        Until::Time(time) => Until::Time(2.0 * time),
        Until::Events(events) => Until::Events(2 * events),
    };
    let patches = EvolvedPatches::of(context, system, &large, until)?;
    for snapshots in snapshots.chunks((BLOCK_SITES / shape.sites()).max(1)) {
        let read = |&snapshot: &usize| -> Result<_, StageError> {
            Ok(Lattice::from_sites(shape, raw(large.snapshots::<S::Site>(snapshot..snapshot + 1)?)))
        };
        let lattices: Vec<_> = snapshots.iter().map(read).collect::<Result<_, _>>()?;
        let pair = |partial: &mut Vec<_>, (&snapshot, lattice): (&usize, &Lattice<S::Site>)| {
            let choice = patches.draw(lattice, snapshot, patches.whole(partial, lattice, snapshot));
            let mut rng = stream(seed, Purpose::TwoSteps, [snapshot as u64, 0]);
            patches.evolved(partial, lattice, (&choice, snapshot, choice.patches[0]), &mut rng)
        };
        let all = snapshots.par_iter().zip(&lattices).map_init(|| patches.memory(), pair);
        let rows = all.collect::<Result<Vec<_>, _>>()?;
        take(&lattices, &rows);
    }
    Ok(())
}

/// Sites of snapshots that are held at a time.
const BLOCK_SITES: usize = 1 << 24;

/// What is drawn of a snapshot.
struct Drawn<S> {
    /// Indices of patches or moving parts in their order.
    patches: Vec<usize>,
    /// All moving parts; empty where patches are those of a tiling.
    parts: Vec<MovingPart<S>>,
    whole: WholeState,
}

/// The patches of all snapshots.
struct EvolvedPatches<'a, S> {
    input: &'a Input,
    family: Vec<S>,
    tiling: Tiling,
    /// Of the snapshots.
    observables: Array2<f64>,
    /// That the snapshots come from.
    trajectories: Array1<u32>,
    until: Until,
    happenings: Happenings,
}

impl<'a, S: System<Site: H5Type>> EvolvedPatches<'a, S> {
    fn of(context: &'a Context, system: &S, large: &LargeFile<Reader>, until: Until) -> Result<Self, StageError> {
        let input = context.input;
        let tiling = Tiling::new(input.large_shape(), input.patch_shape());
        Ok(Self {
            input,
            family: system.family(),
            tiling: tiling.expect("the input was checked: patches tile the lattice"),
            observables: large.observables(0..input.large_snapshots())?,
            trajectories: large.trajectories()?,
            until,
            happenings: Happenings::new(context),
        })
    }

    /// Whether patches evolve in lanes.
    fn in_lanes(&self) -> bool {
        self.input.in_lanes(self.input.large_shape(), self.input.evolve.until)
    }

    /// Working memory of a thread, for each member of the family.
    fn memory(&self) -> Vec<PartialEvolution<'_, S>> {
        let (shape, patch) = (self.input.large_shape(), self.input.patch_shape());
        let choices = self.input.evolve;
        let evolution = |member| {
            PartialEvolution::new(member, shape, patch, choices.surroundings, self.until)
                .compensated(choices.compensator)
                .with_library(self.input.uses_library())
        };
        self.family.iter().map(evolution).collect()
    }

    /// As [`memory`](Self::memory), for patches in lanes; none where they evolve one at a time.
    fn memory_in_lanes(&self) -> Vec<Option<PartialEvolutionInLanes<'_, S, 1>>> {
        let lanes = self.in_lanes();
        self.memory().into_iter().map(|one| PartialEvolutionInLanes::new(one).filter(|_| lanes)).collect()
    }

    /// Whether what is known of a whole state is the sum of that of its patches.
    fn adds_up(&self) -> bool {
        let within = self.input.evolve.surroundings != Surroundings::Periodic;
        within && S::LOCAL && self.family[0].moving_part_count(self.input.large_shape().sites()).is_none()
    }

    /// Nothing of a whole state, and then what is known of these patches of a snapshot.
    fn sum(
        &self,
        partial: &mut [PartialEvolution<S>],
        lattice: &Lattice<S::Site>,
        snapshot: usize,
        patches: Range<usize>,
    ) -> WholeSums {
        let partial = &mut partial[Large::condition_of(self.input, snapshot)];
        let mut sums = partial.no_patches();
        patches.for_each(|patch| partial.add_patch(lattice, self.tiling.origin(patch), &mut sums));
        sums
    }

    /// What is known of a whole snapshot.
    fn whole(&self, partial: &mut [PartialEvolution<S>], lattice: &Lattice<S::Site>, snapshot: usize) -> WholeState {
        if !self.adds_up() {
            return partial[Large::condition_of(self.input, snapshot)].of_whole(&lattice.sites);
        }
        self.sum(partial, lattice, snapshot, 0..self.tiling.len())
            .whole(lattice.shape.sites(), |sums| exact_total(&Alone, sums))
    }

    /// As [`whole`](Self::whole), shared by the ranks of a team and their threads. Collective.
    fn whole_of_team(&self, team: &World, lattice: &Lattice<S::Site>, snapshot: usize) -> WholeState {
        if !self.adds_up() {
            return self.whole(&mut self.memory(), lattice, snapshot);
        }
        let (own, threads) = (team.share(self.tiling.len()), rayon::current_num_threads());
        let bound = |thread: usize| own.start + thread * own.len() / threads;
        let sum = |thread| self.sum(&mut self.memory(), lattice, snapshot, bound(thread)..bound(thread + 1));
        let sums = (0..threads).into_par_iter().map(sum).reduce_with(|one, other| one.merge(&other));
        sums.expect("there is a thread").whole(lattice.shape.sites(), |sums| exact_total(team, sums))
    }

    /// What is drawn of a snapshot.
    fn draw(&self, lattice: &Lattice<S::Site>, snapshot: usize, whole: WholeState) -> Drawn<S> {
        let mut choice = stream(self.input.seed, Purpose::PatchChoice, [snapshot as u64, 0]);
        let drawn = rand::seq::index::sample(&mut choice, self.input.patches(), self.input.patches_drawn());
        let condition = Large::condition_of(self.input, snapshot);
        Drawn {
            patches: drawn.into_vec(),
            parts: self.family[condition].moving_parts(lattice, self.input.patch_shape()),
            whole,
        }
    }

    /// The pair that was drawn of a snapshot at this place in the order.
    fn pair(
        &self,
        partial: &mut [PartialEvolution<S>],
        lattice: &Lattice<S::Site>,
        drawn: &Drawn<S>,
        snapshot: usize,
        order: usize,
    ) -> Result<Row<S::Site>, StageError> {
        let mut rng = stream(self.input.seed, Purpose::Partial, [snapshot as u64, order as u64]);
        self.evolved(partial, lattice, (drawn, snapshot, drawn.patches[order]), &mut rng)
    }

    /// The pair of one patch of a snapshot.
    fn evolved(
        &self,
        partial: &mut [PartialEvolution<S>],
        lattice: &Lattice<S::Site>,
        (drawn, snapshot, patch): (&Drawn<S>, usize, usize),
        rng: &mut Rng,
    ) -> Result<Row<S::Site>, StageError> {
        let partial = &mut partial[Large::condition_of(self.input, snapshot)];
        let pair = if drawn.parts.is_empty() {
            partial.evolve(lattice, self.tiling.origin(patch), rng)?
        } else {
            partial.evolve_part(lattice, &drawn.parts[patch], rng)?
        };
        self.row(snapshot, patch, pair, &drawn.whole)
    }

    /// A pair of a snapshot.
    fn row(
        &self,
        snapshot: usize,
        patch: usize,
        pair: Pair<S::Site>,
        whole: &WholeState,
    ) -> Result<Row<S::Site>, StageError> {
        let place = |_| format!("patch {patch} of snapshot {snapshot} of large.h5");
        check_finite::<S>(Stage::Evolve, &pair.increment, place)?;
        let happened = pair.elapsed.events > 0 || pair.before != pair.after;
        self.happenings.count(Large::condition_of(self.input, snapshot), happened);
        let less = |(patch, whole): (&Vec<f64>, &Vec<f64>)| -> Vec<f64> {
            patch.iter().zip(whole).map(|(patch, whole)| patch - whole).collect()
        };
        Ok(Row {
            drift_deviation: pair.drift.as_ref().zip(whole.drift.as_ref()).map(less),
            whole: whole.clone(),
            snapshot: snapshot as u32,
            patch: patch as u32,
            trajectory: self.trajectories[snapshot],
            observables: self.observables.row(snapshot).to_vec(),
            pair,
        })
    }

    /// The pairs of each snapshot of a word, whose sites `sites_of` finds. The patches are drawn for the whole word.
    fn pairs_in_lanes<'s>(
        &self,
        partial: &mut PartialEvolutionInLanes<S, 1>,
        word: &[usize],
        sites_of: impl Fn(usize) -> &'s [S::Site],
    ) -> Result<Vec<Vec<Row<S::Site>>>, StageError> {
        let (seed, first, count) = (self.input.seed, word[0] as u64, word.len());
        let lanes: Vec<&[S::Site]> = word.iter().map(|&snapshot| sites_of(snapshot)).collect();
        let snapshots = partial.pack(self.input.large_shape(), &lanes);
        let mut choice = stream(seed, Purpose::PatchChoice, [first, 0]);
        let drawn = rand::seq::index::sample(&mut choice, self.input.patches(), self.input.patches_drawn());
        let mut rows: Vec<Vec<_>> = word.iter().map(|_| Vec::new()).collect();
        let wholes: Vec<_> = lanes.iter().map(|sites| partial.of_whole(sites)).collect();
        for (order, patch) in (0_u64..).zip(drawn) {
            let mut rng = stream(seed, Purpose::Partial, [first, order]);
            let pairs = partial.evolve(&snapshots, count, self.tiling.origin(patch), &mut rng)?;
            for (((rows, &snapshot), pair), whole) in rows.iter_mut().zip(word).zip(pairs).zip(&wholes) {
                rows.push(self.row(snapshot, patch, pair, whole)?);
            }
        }
        Ok(rows)
    }

    /// Each snapshot on one thread of one rank.
    fn by_threads(
        &self,
        context: &Context,
        large: &LargeFile<Reader>,
        file: &PairsFile<Writer>,
    ) -> Result<(), StageError> {
        let (shape, drawn) = (self.input.large_shape(), self.input.patches_drawn());
        ItemsOverThreads {
            stage: Stage::Evolve,
            unit: "snapshots",
            items: self.input.large_snapshots(),
            item_bytes: self.input.bytes_of_evolved(),
            at_once: if self.in_lanes() { LANES * self.input.conditions_in_data().len() } else { 1 },
        }
        .run(
            context,
            file.items(),
            |items| Ok((items.start, raw(large.snapshots::<S::Site>(items)?))),
            || (self.memory(), self.memory_in_lanes()),
            |(single, lanes), (first, sites), snapshots| {
                let sites_of = |snapshot| &sites[(snapshot - first) * shape.sites()..][..shape.sites()];
                let key = |snapshot: usize| self.input.word_of(self.trajectories[snapshot] as usize);
                by_words(snapshots, LANES, key, |word| {
                    if let Some(partial) = &mut lanes[Large::condition_of(self.input, word[0])] {
                        return self.pairs_in_lanes(partial, word, sites_of);
                    }
                    let of_snapshot = |&snapshot: &usize| {
                        let lattice = Lattice::from_sites(shape, sites_of(snapshot).to_vec());
                        let choice = self.draw(&lattice, snapshot, self.whole(single, &lattice, snapshot));
                        (0..drawn).map(|order| self.pair(single, &lattice, &choice, snapshot, order)).collect()
                    };
                    word.iter().map(of_snapshot).collect()
                })
            },
            |items, block| file.write(items.start * drawn, &block.into_iter().flatten().collect::<Vec<_>>()),
        )
    }

    /// The patches of each snapshot shared by a team of ranks, and by the threads of each.
    fn by_teams(
        &self,
        context: &Context,
        large: &LargeFile<Reader>,
        file: &PairsFile<Writer>,
    ) -> Result<(), StageError> {
        let (shape, drawn) = (self.input.large_shape(), self.input.patches_drawn());
        let items = ItemsOverTeams { stage: Stage::Evolve, unit: "snapshots", items: self.input.large_snapshots() };
        items.run(context, file.items(), |team, snapshot| {
            let lattice = Lattice::from_sites(shape, raw(large.snapshots(snapshot..snapshot + 1)?));
            let choice = self.draw(&lattice, snapshot, self.whole_of_team(team, &lattice, snapshot));
            let own = team.share(drawn);
            let pair = |partial: &mut Vec<_>, order| self.pair(partial, &lattice, &choice, snapshot, order);
            let pairs = own.clone().into_par_iter().map_init(|| self.memory(), pair);
            file.write(snapshot * drawn + own.start, &pairs.collect::<Result<Vec<_>, StageError>>()?)?;
            complete(file.items(), team, snapshot)
        })
    }
}
