//! The share of one rank of a large lattice: a block of sites, and a halo of copies of its neighbours' sites.
//!
//! The windows of a group evolve in fixed surroundings. Then all copies of the written sites are updated. Windows with
//! sites for other ranks evolve first, and the others during the communication.

use super::{
    Decomposition, Message, Plan, Ranks, Workers, exact_total,
    plan::{Extent, Group, Own, Part},
    workers::{Task, read},
};
use crate::{
    dynamics::{Dynamics, Elapsed, EvolveError, Law, Until},
    lattice::{Cover, Lattice, Region, Shape, Tiling, Window},
    rng::Rng,
    sums::ExactSum,
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

impl<S: Pod + Default + PartialEq + Send + Sync> Domain<S> {
    /// The share of `rank`, with `halo` sites around it on each divided axis, all sites at their default.
    pub fn new(decomposition: Decomposition, rank: usize, halo: usize) -> Self {
        let extent = Extent { decomposition, halo };
        let local = Lattice::filled(extent.local(rank).1, S::default());
        Self { extent, rank, local, traffic: Traffic::default() }
    }

    /// Boxes that make up the block, by their first sites and shapes: rows of whole tiles.
    pub fn bands(&self) -> impl Iterator<Item = ([usize; 3], Shape)> + use<S> {
        let (origin, block) = self.block();
        let [depth, height, _] = self.extent.decomposition.tiling.tile.0;
        let counts = [block.0[0] / depth, block.0[1] / height];
        (0..counts[0] * counts[1]).map(move |band| {
            let [z, y] = [band / counts[1] * depth, band % counts[1] * height];
            ([origin[0] + z, origin[1] + y, origin[2]], Shape([depth, height, block.0[2]]))
        })
    }

    /// Sets the block band by band; `sites` gives those of a box, row-major, by its first site and its shape. Other
    /// ranks hold old copies until [`share_edges`](Self::share_edges).
    ///
    /// # Errors
    /// The first one of `sites`.
    pub fn fill<E>(&mut self, mut sites: impl FnMut([usize; 3], Shape) -> Result<Vec<S>, E>) -> Result<(), E> {
        for (origin, shape) in self.bands() {
            let values = sites(origin, shape)?;
            self.local.paste(self.home(origin.map(|value| value as isize)), shape, &values);
        }
        Ok(())
    }

    /// Copies the edges of all blocks into the halos around them. Collective.
    pub fn share_edges(&mut self, ranks: &dyn Ranks) {
        let edges = self.extent.edges(self.rank);
        let (origin, _) = self.block();
        let home = self.home(origin.map(|value| value as isize));
        for part in &edges.own {
            if part.at != home {
                let values = self.local.cut(part.within(home), part.shape);
                self.local.paste(part.at, part.shape, &values);
            }
        }
        let outgoing = packed(&edges.sends, |part| self.local.cut(part.within(home), part.shape));
        let mut incoming = buffers::<S>(&edges.receives);
        ranks.exchange(&outgoing, &mut incoming, &mut || ());
        self.unpack(&edges.receives, &incoming);
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
        window.load(&self.local, self.home(origin));
    }

    /// The coordinate in the local lattice of a site of the block.
    fn home(&self, site: [isize; 3]) -> [isize; 3] {
        let (local, _) = self.extent.local(self.rank);
        let lattice = self.extent.decomposition.lattice.0;
        std::array::from_fn(|axis| site[axis].rem_euclid(lattice[axis] as isize) - local[axis])
    }

    /// The sites of a box of the block, row-major.
    pub fn cut(&self, origin: [usize; 3], shape: Shape) -> Vec<S> {
        self.local.cut(self.home(origin.map(|value| value as isize)), shape)
    }

    /// The sites of the block, row-major.
    pub fn sites(&self) -> Vec<S> {
        let (origin, block) = self.block();
        self.cut(origin, block)
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
        let lively = self.lively::<L>(own, plan.tile);
        // Words store their sites themselves. Other windows wait until all have evolved, as synchronous laws need it.
        let kept = if plan.lanes == 1 { sites } else { 0 };
        let mut written = vec![S::default(); lively.len() * kept];
        let local = RwLock::new(&mut self.local);
        let windows: Vec<&Own> = lively.iter().map(|&index| &own[index as usize]).collect();
        let awaited = lively.partition_point(|&index| (index as usize) < *awaited);
        let (edge, interior) = windows.split_at(awaited);
        let (first, others) = written.split_at_mut(awaited * kept);
        let done = workers.0.evolve(&task, (&local, edge), (region, first))?;
        let packing = Instant::now();
        let of_window = |index: usize| {
            let place = lively[..awaited].binary_search(&(index as u32)).ok().filter(|_| kept > 0)?;
            Some(&first[place * sites..][..sites])
        };
        let outgoing = packed(sends, |(index, part)| match of_window(*index) {
            Some(values) => cut(values, plan.written, part),
            None => read(&local).cut(part.within(own[*index].start(plan.margin)), part.shape),
        });
        let mut incoming = buffers::<S>(receives);
        self.traffic.messages += outgoing.len() as u64;
        self.traffic.bytes += outgoing.iter().map(|message| message.bytes.len() as u64).sum::<u64>();
        let (mut inner, mut evolving) = (Ok(Elapsed::default()), Duration::ZERO);
        ranks.exchange(&outgoing, &mut incoming, &mut || {
            let start = Instant::now();
            inner = workers.0.evolve(&task, (&local, interior), (region, others));
            evolving = start.elapsed();
        });
        let done = done.beside(inner?);
        self.store(&windows, &written, plan);
        self.unpack(receives, &incoming);
        self.traffic.waited += packing.elapsed().saturating_sub(evolving);
        Ok(done)
    }

    /// Indices of the windows of this shape in which something can happen.
    fn lively<L: Law<Site = S>>(&self, own: &[Own], shape: Shape) -> Vec<u32> {
        let all = 0..own.len() as u32;
        let Some(starts) = L::STARTS else { return all.collect() };
        all.into_par_iter().filter(|&index| self.local.holds(own[index as usize].home(), shape, starts)).collect()
    }

    /// Updates this rank's copies of the sites that its own windows wrote.
    fn store(&mut self, own: &[&Own], written: &[S], plan: &Plan) {
        let shape = plan.written;
        for (own, values) in own.iter().zip(written.chunks_exact(shape.sites())) {
            let Some(copies) = &own.copies else {
                self.local.paste(own.start(plan.margin), shape, values);
                continue;
            };
            for copy in copies {
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

    /// Sums of the values of `observe` over all tiles of the lattice, exact and rounded once, so that they do not depend
    /// on the number of ranks. `observe` gets an open window with a halo of `reach` sites and returns `count` values.
    /// Collective.
    pub fn sum_over_tiles(
        &self,
        ranks: &dyn Ranks,
        (reach, count): (usize, usize),
        observe: impl Fn(&Window<S>) -> Vec<f64> + Sync,
    ) -> Vec<f64> {
        let Tiling { tile, .. } = self.extent.decomposition.tiling;
        let none = || vec![ExactSum::default(); count];
        let window = Window::open(tile, reach).bounded(self.extent.decomposition.boundary);
        let memory = || (window.clone(), none());
        let add = |(mut window, mut sums): (Window<S>, Vec<ExactSum>), (origin, shape): ([usize; 3], Shape)| {
            for x in (0..shape.0[2]).step_by(tile.0[2]) {
                self.load(&mut window, [origin[0], origin[1], origin[2] + x].map(|value| value as isize));
                sums.iter_mut().zip(observe(&window)).for_each(|(sum, value)| sum.add(value));
            }
            (window, sums)
        };
        let bands: Vec<_> = self.bands().collect();
        let own = bands.into_par_iter().fold(memory, add).map(|(_, sums)| sums).reduce(none, |mut left, right| {
            left.iter_mut().zip(&right).for_each(|(left, right)| left.merge(right));
            left
        });
        exact_total(ranks, own)
    }
}

/// The messages of a group, with the values of their parts.
fn packed<S: Pod, P>(sends: &[(usize, Vec<P>)], values: impl Fn(&P) -> Vec<S>) -> Vec<Message> {
    let message = |(rank, parts): &(usize, Vec<P>)| {
        let mut bytes = Vec::new();
        parts.iter().for_each(|part| bytes.extend_from_slice(bytemuck::cast_slice::<S, u8>(&values(part))));
        Message { rank: *rank, bytes }
    };
    sends.iter().map(message).collect()
}

/// Buffers for the messages with these parts.
fn buffers<S>(receives: &[(usize, Vec<Part>)]) -> Vec<Message> {
    let bytes = |parts: &[Part]| parts.iter().map(|part| part.shape.sites()).sum::<usize>() * size_of::<S>();
    receives.iter().map(|(rank, parts)| Message { rank: *rank, bytes: vec![0; bytes(parts)] }).collect()
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
