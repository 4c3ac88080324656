//! A big lattice advanced tile by tile, so that the working set stays in cache.
//!
//! Synchronous sublattice stepping (Shim and Amar, Phys. Rev. B 71, 125432, 2005): in one sweep every colour of tiles
//! evolves for the time quantum in fixed surroundings; tiles of one colour do not touch, so they may evolve at once.
//! The order of the colours is drawn anew for each sweep. Exact as the quantum goes to zero. A lattice that
//! fits into cache needs no tiles: evolve it exactly, as one closed window.

use crate::{
    dynamics::{Dynamics, Elapsed, EvolveError, Law, Until},
    lattice::{Lattice, Region, Shape, Tiling},
    rng::{Purpose, stream},
};
use rand::seq::SliceRandom;
use rayon::prelude::*;

/// How a lattice is cut and stepped.
#[derive(Clone, Debug)]
pub struct Sweeps {
    tiling: Tiling,
    colours: Vec<Vec<usize>>,
    quantum: f64,
}

impl Sweeps {
    /// Tiles of shape `tile`, each evolved for `quantum` units of time in one sweep; `None` when the tiles do not fit
    /// a whole number of times.
    pub fn new(lattice: Shape, tile: Shape, quantum: f64) -> Option<Self> {
        let tiling = Tiling::new(lattice, tile)?;
        Some(Self { tiling, colours: tiling.colours(), quantum })
    }

    /// Advances `lattice` by `sweeps` sweeps, the first of which has number `first` in trajectory `trajectory`: random
    /// streams are keyed by trajectory, sweep and tile, so the result does not depend on threads or on how a run of
    /// sweeps is split into calls.
    ///
    /// # Errors
    /// When a tile cannot evolve.
    pub fn advance<L: Law, D: Dynamics<L> + Default + Send>(
        &self,
        law: &L,
        lattice: &mut Lattice<L::Site>,
        (seed, trajectory): (u64, u64),
        (first, sweeps): (u64, u64),
    ) -> Result<Elapsed, EvolveError> {
        let mut total = Elapsed::default();
        for sweep in first..first + sweeps {
            let item = trajectory << 32 | sweep;
            let mut order: Vec<&Vec<usize>> = self.colours.iter().collect();
            order.shuffle(&mut stream(seed, Purpose::SweepOrder, [item, 0]));
            for colour in order {
                let memory = || (L::open_window(self.tiling.tile, L::REACH), D::default());
                let evolved = colour
                    .par_iter()
                    .map_init(memory, |(window, dynamics), &tile| {
                        window.load(lattice, self.tiling.origin(tile));
                        let mut rng = stream(seed, Purpose::SweepTile, [item, tile as u64]);
                        let among = law.among(lattice, window);
                        let law = among.as_ref().unwrap_or(law);
                        let elapsed = dynamics.evolve(law, window, Until::Time(self.quantum), &mut rng)?;
                        Ok((tile, window.values_of(Region::BOX).collect::<Vec<_>>(), elapsed.events))
                    })
                    .collect::<Result<Vec<_>, EvolveError>>()?;
                for (tile, sites, events) in evolved {
                    lattice.paste(self.tiling.origin(tile), self.tiling.tile, &sites);
                    total.events += events;
                }
            }
            total.time += self.quantum;
        }
        Ok(total)
    }
}
