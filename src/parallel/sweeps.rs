//! A large lattice advanced tile by tile on all ranks of a team.
//!
//! Synchronous sublattice stepping (Shim and Amar, Phys. Rev. B 71, 125432, 2005): in one sweep every colour of tiles
//! evolves for the time quantum in fixed surroundings; tiles of one colour do not touch, so they may evolve at once.
//! The order of the colours is drawn for each sweep. Exact as the quantum goes to zero. Laws with a synchronous step
//! take it in all tiles at once, which is exact. Events that cannot leave a tile need tiles that move: they then lie in
//! one of several places, drawn for each sweep. Tiles keep the working set in cache, so one rank gains too.

use super::{Decomposition, DecompositionError, Domain, Plan, Ranks, Workers};
use crate::{
    dynamics::{Dynamics, Elapsed, EvolveError, Law, Until},
    lattice::{Cover, Lattice, Shape},
    rng::{Purpose, stream},
};
use rand::seq::{IndexedRandom, SliceRandom};
use std::ops::Range;

/// A lattice that is shared out over ranks, and how it is stepped.
pub struct Sweeps<L: Law, D> {
    domain: Domain<L::Site>,
    /// One plan for each place of the tiles.
    plans: Vec<Plan>,
    workers: Workers<L, D>,
    quantum: f64,
}

impl<L: Law, D: Dynamics<L> + Default + Send> Sweeps<L, D> {
    /// `whole` cut into tiles of shape `tile` and shared out over `ranks`; each tile evolves for `quantum` units of
    /// time in one sweep, or for one step of a law that has one.
    ///
    /// # Errors
    /// When the tiles do not fit, are too small for the law, or cannot be shared out over that many ranks.
    pub fn new(
        law: &L,
        whole: &Lattice<L::Site>,
        tile: Shape,
        quantum: f64,
        ranks: &dyn Ranks,
    ) -> Result<Self, DecompositionError> {
        let decomposition = Decomposition::new(whole.shape, tile, ranks.size())?;
        let one = (0..3).any(|axis| decomposition.tiling.counts[axis] == 1 && whole.shape.0[axis] > 1);
        if one {
            return Err(DecompositionError::OneTile { tile: tile.used(), lattice: whole.shape.used() });
        }
        // An axis of one site would count as unused.
        let least = (L::REACH + 2 * L::SPREAD).max(2);
        if tile.0.iter().zip(whole.shape.0).any(|(&side, extent)| extent > 1 && side < least) {
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
        let domain = Domain::new(decomposition.bounded(L::BOUNDARY), ranks.rank(), halo, whole);
        let plans = shifts.into_iter().map(|shift| domain.plan(&cover.shifted(shift), L::SPREAD)).collect();
        Ok(Self { domain, plans, workers: Workers::new(tile), quantum: step.unwrap_or(quantum) })
    }

    /// This rank's share of the lattice.
    pub fn domain(&self) -> &Domain<L::Site> {
        &self.domain
    }

    /// Advances the lattice by the sweeps with these indices of trajectory `trajectory`. Random streams are keyed by
    /// trajectory, sweep and tile, so the result does not depend on ranks, threads or how a run is split into calls.
    /// Collective; the events are those of this rank.
    ///
    /// # Errors
    /// When a tile of this rank cannot evolve. The caller must then end the job: other ranks wait.
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

/// Places of the tiles: shifted by half a tile, or not, along each used axis. Even, because lattices may have layers of
/// two kinds.
fn shifts(tile: Shape) -> Vec<[isize; 3]> {
    let half = tile.0.map(|extent| (extent / 2) as isize & !1);
    (0..8)
        .filter(|place| (0..3).all(|axis| place >> axis & 1 == 0 || tile.0[axis] > 1))
        .map(|place| std::array::from_fn(|axis| if place >> axis & 1 == 1 { half[axis] } else { 0 }))
        .collect()
}
