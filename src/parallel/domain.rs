//! The share of one rank of a large lattice: a block of sites, and a halo of copies of its neighbours' sites.
//!
//! The windows of a group evolve in fixed surroundings. Then all copies of the written sites are updated. Windows with
//! sites for other ranks evolve first, and the others during the communication.

use super::{
    Decomposition, Message, Plan, Ranks, Workers,
    plan::{Extent, Group, Own, Part},
    workers::{Task, read},
};
use crate::{
    dynamics::{Dynamics, Elapsed, EvolveError, Law, Until},
    lattice::{Cover, Lattice, Region, Shape, Tiling, Window},
    rng::Rng,
};
use bytemuck::Pod;
use rayon::prelude::*;
use std::{
    sync::RwLock,
    time::{Duration, Instant},
};

/// Communication of a rank.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    /// Messages sent.
    pub messages: u64,
    /// Bytes sent.
    pub bytes: u64,
    /// Time for packing, unpacking and waiting, during which nothing evolved.
    pub waited: Duration,
}

/// A rank's block of a lattice with its halo.
#[derive(Clone, Debug)]
pub struct Domain<S> {
    extent: Extent,
    rank: usize,
    local: Lattice<S>,
    traffic: Traffic,
}

impl<S: Pod + Default + Send + Sync> Domain<S> {
    /// The share of `rank` of the whole lattice, with `halo` sites around it on each divided axis.
    pub fn new(decomposition: Decomposition, rank: usize, halo: usize, whole: &Lattice<S>) -> Self {
        let extent = Extent { decomposition, halo };
        let (origin, shape) = extent.local(rank);
        let mut cut = Window::open(shape, 0);
        cut.load(whole, origin);
        let local = Lattice::from_sites(shape, cut.values().to_vec());
        Self { extent, rank, local, traffic: Traffic::default() }
    }

    /// The division of the lattice.
    pub fn decomposition(&self) -> &Decomposition {
        &self.extent.decomposition
    }

    /// First site and extents of the block that this rank owns.
    pub fn block(&self) -> ([usize; 3], Shape) {
        self.extent.decomposition.block(self.rank)
    }

    /// All communication so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// The plan for the windows of a cover that write `spread` sites beyond their box.
    pub fn plan(&self, cover: &Cover, spread: usize) -> Plan {
        self.plan_in_words(cover, spread, 1)
    }

    /// As [`plan`](Self::plan), for windows in words of `lanes`.
    pub(super) fn plan_in_words(&self, cover: &Cover, spread: usize, lanes: usize) -> Plan {
        Plan::new(&self.extent, self.rank, cover, spread, lanes)
    }

    /// Fills `window`, whose box has its first site at `origin`, a coordinate of the whole lattice. This site must be
    /// in the block of this rank, and the box with its halo within the local copy.
    pub fn load(&self, window: &mut Window<S>, origin: [isize; 3]) {
        let (local, _) = self.extent.local(self.rank);
        let lattice = self.extent.decomposition.lattice.0;
        let home = |axis: usize| origin[axis].rem_euclid(lattice[axis] as isize) - local[axis];
        window.load(&self.local, std::array::from_fn(home));
    }

    /// The sites of the block, row-major.
    pub fn sites(&self) -> Vec<S> {
        let (origin, block) = self.block();
        let mut cut = Window::open(block, 0);
        self.load(&mut cut, origin.map(|value| value as isize));
        cut.values().to_vec()
    }

    /// The whole lattice on every rank.
    pub fn gather(&self, ranks: &dyn Ranks) -> Lattice<S> {
        let mut whole = Lattice::filled(self.extent.decomposition.lattice, S::default());
        let mine = self.sites();
        let others = || (0..ranks.size()).filter(|&rank| rank != self.rank);
        let bytes: Vec<u8> = bytemuck::cast_slice(&mine).to_vec();
        let outgoing: Vec<Message> = others().map(|rank| Message { rank, bytes: bytes.clone() }).collect();
        let size = |rank| self.extent.decomposition.block(rank).1.sites() * size_of::<S>();
        let mut incoming: Vec<Message> = others().map(|rank| Message { rank, bytes: vec![0; size(rank)] }).collect();
        ranks.exchange(&outgoing, &mut incoming, &mut || ());
        let mut paste = |rank, sites: &[S]| {
            let (origin, block) = self.extent.decomposition.block(rank);
            whole.paste(origin.map(|value| value as isize), block, sites);
        };
        paste(self.rank, &mine);
        for message in incoming {
            paste(message.rank, &values_of(&message.bytes));
        }
        whole
    }

    /// Evolves the windows of one group of a plan for `until`, each with the random stream of its index, or each word
    /// with that of its first window, and updates all copies. Collective.
    ///
    /// # Errors
    /// When a window of this rank cannot evolve. The caller must then end the job, because the other ranks wait.
    ///
    /// # Panics
    /// When the plan is for other words than those of the workers.
    pub fn evolve<L: Law<Site = S>, D: Dynamics<L> + Default + Send>(
        &mut self,
        ranks: &dyn Ranks,
        law: &L,
        (plan, group): (&Plan, usize),
        workers: &Workers<L, D>,
        until: Until,
        stream: impl Fn(u64) -> Rng + Sync,
    ) -> Result<Elapsed, EvolveError> {
        assert_eq!(plan.lanes, workers.lanes(), "a plan for the words of the workers");
        let Group { own, awaited, sends, receives } = &plan.groups[group];
        let (task, region, sites) =
            (Task { law, until, stream }, Region { margin: plan.spread as isize }, plan.written.sites());
        // Words store their sites themselves. Other windows wait until all have evolved, as synchronous laws need it.
        let kept = if plan.lanes == 1 { sites } else { 0 };
        let mut written = vec![S::default(); own.len() * kept];
        let local = RwLock::new(&mut self.local);
        let (edge, interior) = own.split_at(*awaited);
        let (first, others) = written.split_at_mut(awaited * kept);
        let done = workers.0.evolve(&task, (&local, edge), (region, first))?;
        let packing = Instant::now();
        let outgoing = packed(sends, |index, part| match first.get(index * sites..(index + 1) * sites) {
            Some(values) => cut(values, plan.written, part),
            None => read(&local).cut(part.within(own[index].home), part.shape),
        });
        let expected = |parts: &[Part]| parts.iter().map(|part| part.shape.sites()).sum::<usize>() * size_of::<S>();
        let mut incoming: Vec<Message> =
            receives.iter().map(|(rank, parts)| Message { rank: *rank, bytes: vec![0; expected(parts)] }).collect();
        self.traffic.messages += outgoing.len() as u64;
        self.traffic.bytes += outgoing.iter().map(|message| message.bytes.len() as u64).sum::<u64>();
        let (mut inner, mut evolving) = (Ok(Elapsed::default()), Duration::ZERO);
        ranks.exchange(&outgoing, &mut incoming, &mut || {
            let start = Instant::now();
            inner = workers.0.evolve(&task, (&local, interior), (region, others));
            evolving = start.elapsed();
        });
        let done = done.beside(inner?);
        self.store(own, &written, plan.written);
        self.unpack(receives, &incoming);
        self.traffic.waited += packing.elapsed().saturating_sub(evolving);
        Ok(done)
    }

    /// Updates this rank's copies of the sites that its own windows wrote.
    fn store(&mut self, own: &[Own], written: &[S], shape: Shape) {
        for (own, values) in own.iter().zip(written.chunks_exact(shape.sites())) {
            for copy in &own.copies {
                if copy.shape == shape {
                    self.local.paste(copy.at, copy.shape, values);
                } else {
                    self.local.paste(copy.at, copy.shape, &cut(values, shape, copy));
                }
            }
        }
    }

    /// Updates this rank's copies of the sites from other ranks.
    fn unpack(&mut self, receives: &[(usize, Vec<Part>)], incoming: &[Message]) {
        for ((_, parts), message) in receives.iter().zip(incoming) {
            let values: Vec<S> = values_of(&message.bytes);
            let mut rest = &values[..];
            for part in parts {
                let (first, others) = rest.split_at(part.shape.sites());
                self.local.paste(part.at, part.shape, first);
                rest = others;
            }
        }
    }

    /// Sums of the values of `observe` over all tiles of the lattice, added in the order of the tiles for any number of
    /// ranks. `observe` gets an open window with a halo of `reach` sites and returns `count` values. Collective.
    pub fn sum_over_tiles(
        &self,
        ranks: &dyn Ranks,
        (reach, count): (usize, usize),
        observe: impl Fn(&Window<S>) -> Vec<f64> + Sync,
    ) -> Vec<f64> {
        let Tiling { tile, .. } = self.extent.decomposition.tiling;
        let tiles: Vec<usize> = self.extent.decomposition.tiles(self.rank).collect();
        let sums = |&index: &usize| {
            let mut window = Window::open(tile, reach).bounded(self.extent.decomposition.boundary);
            self.load(&mut window, self.extent.decomposition.tiling.origin(index));
            observe(&window)
        };
        let found: Vec<Vec<f64>> = tiles.par_iter().map(sums).collect();
        // Each slot is zero on all ranks but one, so the sum over ranks is exact.
        let mut slots = vec![0.0; count * self.extent.decomposition.tiling.len()];
        for (index, sums) in tiles.iter().zip(found) {
            slots[index * count..][..count].copy_from_slice(&sums);
        }
        ranks.sum(&mut slots);
        let mut total = vec![0.0; count];
        for sums in slots.chunks_exact(count) {
            total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
        }
        total
    }
}

/// The messages of a group, with the values of the parts of own windows.
fn packed<S: Pod>(sends: &[(usize, Vec<(usize, Part)>)], values: impl Fn(usize, &Part) -> Vec<S>) -> Vec<Message> {
    let bytes = |(own, part): &(usize, Part)| bytemuck::cast_slice::<S, u8>(&values(*own, part)).to_vec();
    let message = |(rank, parts): &(usize, Vec<(usize, Part)>)| Message {
        rank: *rank,
        bytes: parts.iter().flat_map(bytes).collect(),
    };
    sends.iter().map(message).collect()
}

/// The sites of a part of a written box.
fn cut<S: Copy>(values: &[S], written: Shape, part: &Part) -> Vec<S> {
    let [_, rows, columns] = written.0;
    let mut sites = Vec::with_capacity(part.shape.sites());
    for z in 0..part.shape.0[0] {
        for y in 0..part.shape.0[1] {
            let start = ((part.from[0] + z) * rows + part.from[1] + y) * columns + part.from[2];
            sites.extend_from_slice(&values[start..start + part.shape.0[2]]);
        }
    }
    sites
}

/// Bytes of any alignment as values.
fn values_of<S: Pod>(bytes: &[u8]) -> Vec<S> {
    bytemuck::pod_collect_to_vec(bytes)
}
