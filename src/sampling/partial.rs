//! Partial evolution: one patch of a large snapshot evolves for a short time, the rest of the lattice stays (Section
//! II.1).
//!
//! What is learned from a patch is the change of the whole lattice's observables that its evolution causes, times K.
//! With fixed (`ghost`) surroundings that includes the pairs across the patch's edge at full weight: the neighbours
//! stay, so nobody else will count the other half. With an evolving `buffer` each side counts its half.
//!
//! Where a system consists of parts that move on their own, such as vacancies, a patch is the window of one of them,
//! which evolves alone; K is then the number of these parts.

use crate::{
    dynamics::{Dynamics, Elapsed, EvolveError, Until},
    lattice::{Lattice, Region, Shape, Window},
    rng::Rng,
    systems::{MovingPart, System},
};
use serde::{Deserialize, Serialize};

/// What surrounds a patch while it evolves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surroundings {
    /// The neighbouring sites of the snapshot, held fixed.
    Ghost,
    /// A ring of this many sites evolves together with the patch and is then thrown away.
    Buffer(usize),
    /// The patch wrapped on itself, as in the authors' published runs; inexact at the edge, for comparison only.
    Periodic,
}

/// A patch before and after its partial evolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair<T> {
    /// Sites of the patch before, row-major.
    pub before: Vec<T>,
    /// Sites of the patch after.
    pub after: Vec<T>,
    /// Observables of the patch before evolution, per site.
    pub observables_before: Vec<f64>,
    /// Observables of the patch after evolution, per site (the baseline's z_{t+dt,I}).
    pub observables_after: Vec<f64>,
    /// K times the change of the lattice's observables (the increment of Eq. 10).
    pub increment: Vec<f64>,
    /// How long it took.
    pub elapsed: Elapsed,
}

/// Evolves single patches of large snapshots. Holds the working memory of one thread.
pub struct PartialEvolution<'a, S: System> {
    system: &'a S,
    window: Window<S::Site>,
    dynamics: S::Dynamics,
    until: Until,
    /// Whether the window is a part of the snapshot, not a system of its own.
    within: bool,
    /// The patch within the window.
    patch: Region,
    /// Where observables change and are counted for the increment.
    counted: Region,
    /// Distance from the first site of the window's box to that of the patch.
    inset: isize,
    patch_sites: f64,
    /// Sites of the lattice divided by K.
    share: f64,
}

impl<'a, S: System> PartialEvolution<'a, S> {
    /// Partial evolution of patches of shape `patch` in lattices of shape `lattice`. A patch as large as the
    /// lattice evolves as the whole periodic system (K = 1, the conventional method, unless parts move on their own).
    pub fn new(system: &'a S, lattice: Shape, patch: Shape, surroundings: Surroundings, until: Until) -> Self {
        let reach = S::REACH as isize;
        let whole = Region::BOX;
        let (window, patch_region, counted, inset) = match surroundings {
            Surroundings::Periodic => (S::closed_window(patch), whole, whole, 0),
            _ if patch == lattice => (S::closed_window(patch), whole, whole, 0),
            Surroundings::Ghost => (S::open_window(patch, 2 * S::REACH), whole, Region { margin: reach }, 0),
            Surroundings::Buffer(width) => {
                let grown = Shape(patch.0.map(|extent| if extent > 1 { extent + 2 * width } else { 1 }));
                let inner = Region { margin: -(width as isize) };
                (S::open_window(grown, S::REACH), inner, inner, width as isize)
            }
        };
        Self {
            system,
            window,
            dynamics: S::Dynamics::default(),
            until,
            within: surroundings != Surroundings::Periodic,
            patch: patch_region,
            counted,
            inset,
            patch_sites: patch.sites() as f64,
            share: system
                .moving_part_count(lattice.sites())
                .map_or(patch.sites() as f64, |count| lattice.sites() as f64 / count as f64),
        }
    }

    /// Evolves the patch whose first site is `origin`.
    ///
    /// # Errors
    /// When the patch cannot evolve as far as asked.
    pub fn evolve(
        &mut self,
        snapshot: &Lattice<S::Site>,
        origin: [isize; 3],
        rng: &mut Rng,
    ) -> Result<Pair<S::Site>, EvolveError> {
        self.evolve_under(None, snapshot, origin, rng)
    }

    /// Evolves one of the system's moving parts alone.
    ///
    /// # Errors
    /// When it cannot evolve as far as asked.
    pub fn evolve_part(
        &mut self,
        snapshot: &Lattice<S::Site>,
        part: &MovingPart<S>,
        rng: &mut Rng,
    ) -> Result<Pair<S::Site>, EvolveError> {
        self.evolve_under(Some(&part.law), snapshot, part.origin, rng)
    }

    fn evolve_under(
        &mut self,
        law: Option<&S>,
        snapshot: &Lattice<S::Site>,
        origin: [isize; 3],
        rng: &mut Rng,
    ) -> Result<Pair<S::Site>, EvolveError> {
        let used = self.window.shape().0.map(|extent| if extent > 1 { self.inset } else { 0 });
        self.window.load(snapshot, std::array::from_fn(|axis| origin[axis] - used[axis]));
        let before = self.window.values_of(self.patch).collect();
        let observables_before = self.per_site(self.patch);
        let counted_before = self.system.observe(&self.window, self.counted);
        let among = self.within.then(|| self.system.among(snapshot, &self.window)).flatten();
        let law = law.or(among.as_ref()).unwrap_or(self.system);
        let elapsed = self.dynamics.evolve(law, &mut self.window, self.until, rng)?;
        let counted_after = self.system.observe(&self.window, self.counted);
        let changes = counted_after.iter().zip(&counted_before).map(|(after, before)| after - before);
        Ok(Pair {
            before,
            after: self.window.values_of(self.patch).collect(),
            observables_before,
            observables_after: self.per_site(self.patch),
            increment: changes.map(|change| change / self.share).collect(),
            elapsed,
        })
    }

    /// Observables summed over a region, divided by the sites of a patch.
    fn per_site(&self, region: Region) -> Vec<f64> {
        self.system.observe(&self.window, region).into_iter().map(|sum| sum / self.patch_sites).collect()
    }
}
