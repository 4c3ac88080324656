//! Sweeps of a large lattice, tile by tile, on several ranks.
//!
//! Synchronous sublattice stepping (Shim and Amar, Phys. Rev. B 71, 125432, 2005): in one sweep every colour of tiles
//! evolves for the time quantum in fixed surroundings. Tiles of one colour do not touch, so they evolve in parallel.
//! The order of the colours is drawn for each sweep. The method is exact in the limit of a small quantum. Laws with a
//! synchronous step take it in all tiles at once, which is exact. If events cannot cross a tile edge, the tile grid is
//! shifted at random every sweep. Tiles also keep the working set in cache, which makes a single rank faster.
//!
//! Tiles of one colour can share words of 64 or 512 lanes. Each tile then has the exact law for the quantum, but all
//! tiles of a word are attempted at the same places and times. Means over a lattice are right; while the lattice
//! relaxes fast, they vary more from run to run than with tiles on their own (tests/sweeps.rs).

use super::{Decomposition, DecompositionError, Domain, Plan, Ranks, Workers};
use crate::{
    dynamics::{Dynamics, Elapsed, EvolveError, InLanes, Law, Until},
    lattice::{Boundary, Cover, Shape, Tiling},
    rng::{Purpose, stream},
};
use rand::seq::{IndexedRandom, SliceRandom};
use std::{convert::Infallible, ops::Range};

/// The fewest tiles of a colour that evolve in lanes. A word takes as long as a few tiles on their own.
const LEAST_LANES: usize = 16;

/// The most tiles that evolve together in sweeps in lanes of `lattice`. `None` where the law has no lanes, or tiles are
/// few.
pub fn tiles_in_lanes<L: Law>(law: &L, lattice: Shape, tile: Shape) -> Option<usize> {
    let tiling = Tiling::new(lattice, tile)?;
    let count = Cover::coloured(&tiling).groups().map(|group| group.counts.sites()).max()?;
    let plain = L::SPREAD == 0 && L::LOCAL && !L::CONFINED && L::BOUNDARY == Boundary::Periodic;
    let fits = plain && law.synchronous_step().is_none() && count >= LEAST_LANES;
    (fits && InLanes::<L, 1>::new(law).is_some()).then_some(count)
}

/// A lattice divided over ranks, with its sweeps.
pub struct Sweeps<L: Law, D> {
    domain: Domain<L::Site>,
    /// One plan for each shift of the tile grid.
    plans: Vec<Plan>,
    workers: Workers<L, D>,
    quantum: f64,
}

impl<L: Law, D: Dynamics<L> + Default + Send> Sweeps<L, D> {
    /// Divides a lattice of shape `whole` into tiles of shape `tile`, and these over `ranks`. In one sweep each tile evolves
    /// for a time `quantum`, or for the synchronous step of the law. The sites have their default until
    /// [`start`](Self::start).
    ///
    /// # Errors
    /// When the tiles do not fit, are too small for the law, or cannot be divided over this many ranks.
    pub fn new(
        law: &L,
        whole: Shape,
        tile: Shape,
        quantum: f64,
        ranks: &dyn Ranks,
    ) -> Result<Self, DecompositionError> {
        Self::with(Workers::new(tile), law, whole, (tile, quantum), ranks)
    }

    /// As [`new`](Self::new), with the tiles of a colour in the lanes of words where [`tiles_in_lanes`] has them.
    /// Events are then not counted.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn in_lanes(
        law: &L,
        whole: Shape,
        tile: Shape,
        quantum: f64,
        ranks: &dyn Ranks,
    ) -> Result<Self, DecompositionError> {
        let count = tiles_in_lanes(law, whole, tile);
        let workers = count.and_then(|count| Workers::in_lanes(law, tile, count));
        Self::with(workers.unwrap_or_else(|| Workers::new(tile)), law, whole, (tile, quantum), ranks)
    }

    fn with(
        workers: Workers<L, D>,
        law: &L,
        whole: Shape,
        (tile, quantum): (Shape, f64),
        ranks: &dyn Ranks,
    ) -> Result<Self, DecompositionError> {
        let decomposition = Decomposition::new(whole, tile, ranks.size())?;
        let one = (0..3).any(|axis| decomposition.tiling.counts[axis] == 1 && whole.0[axis] > 1);
        if one {
            return Err(DecompositionError::OneTile { tile: tile.used(), lattice: whole.used() });
        }
        // An axis with one site would count as unused.
        let least = (L::REACH + 2 * L::SPREAD).max(2);
        if tile.0.iter().zip(whole.0).any(|(&side, extent)| extent > 1 && side < least) {
            let (reach, spread) = (L::REACH, L::SPREAD);
            return Err(DecompositionError::Thin { tile: tile.used(), reach, spread, least });
        }
        let step = law.synchronous_step();
        let cover = match step {
            Some(_) => Cover::together(&decomposition.tiling),
            None => Cover::coloured(&decomposition.tiling),
        };
        let shifts = if L::CONFINED { shifts(tile) } else { vec![[0; 3]] };
        let overhang = shifts.iter().flatten().copied().max().unwrap_or(0) as usize;
        let halo = L::REACH.max(L::SPREAD) + overhang;
        let domain = Domain::new(decomposition.bounded(L::BOUNDARY), ranks.rank(), halo);
        let plan = |shift| domain.plan_in_words(&cover.shifted(shift), L::SPREAD, workers.lanes());
        let plans = shifts.into_iter().map(plan).collect();
        Ok(Self { domain, plans, workers, quantum: step.unwrap_or(quantum) })
    }

    /// This rank's share of the lattice.
    pub fn domain(&self) -> &Domain<L::Site> {
        &self.domain
    }

    /// Sets the state: `sites` gives those of a box of whole tiles of this rank's block, row-major, by its first site and
    /// its shape. Collective.
    pub fn start(&mut self, ranks: &dyn Ranks, mut sites: impl FnMut([usize; 3], Shape) -> Vec<L::Site>) {
        let Ok(()) = self.domain.fill(|origin, shape| Ok::<_, Infallible>(sites(origin, shape)));
        self.domain.share_edges(ranks);
    }

    /// As [`start`](Self::start), from what can fail. Ranks that succeed wait for the edges of the others: when `sites`
    /// fails on any rank, no rank gets them. Whether all succeeded. Collective.
    pub fn restart<E>(
        &mut self,
        ranks: &dyn Ranks,
        sites: impl FnMut([usize; 3], Shape) -> Result<Vec<L::Site>, E>,
    ) -> Result<(), Option<E>> {
        let own = self.domain.fill(sites);
        let mut failed = [f64::from(u8::from(own.is_err()))];
        ranks.sum(&mut failed);
        own.map_err(Some)?;
        if failed[0] > 0.0 {
            return Err(None);
        }
        self.domain.share_edges(ranks);
        Ok(())
    }

    /// Advances the lattice by the sweeps with these indices, and returns the events of this rank. Random streams are
    /// keyed by trajectory, sweep and tile, or first tile of a word, so the result depends neither on ranks and threads
    /// nor on the division into calls. Collective.
    ///
    /// # Errors
    /// When a tile of this rank cannot evolve. The caller must then end the job, because the other ranks wait.
    pub fn advance(
        &mut self,
        law: &L,
        ranks: &dyn Ranks,
        (seed, trajectory): (u64, u64),
        sweeps: Range<u64>,
    ) -> Result<Elapsed, EvolveError> {
        let mut total = Elapsed::default();
        for sweep in sweeps {
            let item = trajectory << 32 | sweep;
            let mut rng = stream(seed, Purpose::SweepOrder, [item, 0]);
            let plan = self.plans.choose(&mut rng).expect("there is at least one plan");
            let mut order: Vec<usize> = (0..plan.groups()).collect();
            order.shuffle(&mut rng);
            for group in order {
                let tile = |index| stream(seed, Purpose::SweepTile, [item, index]);
                let until = Until::Time(self.quantum);
                total.events += self.domain.evolve(ranks, law, (plan, group), &self.workers, until, tile)?.events;
            }
            total.time += self.quantum;
        }
        Ok(total)
    }
}

/// Shifts of the tile grid, by nothing or half a tile along each used axis. They are even, because lattices may have
/// layers of two kinds.
fn shifts(tile: Shape) -> Vec<[isize; 3]> {
    let half = tile.0.map(|extent| (extent / 2) as isize & !1);
    (0..8)
        .filter(|corner| (0..3).all(|axis| corner >> axis & 1 == 0 || tile.0[axis] > 1))
        .map(|corner| std::array::from_fn(|axis| if corner >> axis & 1 == 1 { half[axis] } else { 0 }))
        .collect()
}
