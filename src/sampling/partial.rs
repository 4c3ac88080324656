//! Partial evolution: one patch of a large snapshot evolves for a short time, the rest of the lattice stays (Section
//! II.1).
//!
//! What is learned from a patch is the change of the whole lattice's observables that its evolution causes, times K.
//! With fixed (`ghost`) surroundings that includes the pairs across the patch's edge at full weight: the neighbours
//! stay, so nobody else will count the other half. With an evolving `buffer` each side counts its half.
//!
//! The compensator of the increment, its expectation given what happened before, is an integral over time. It is
//! estimated without bias from the generator at random times, one in each of several equal parts of the evolution; where
//! this stops after a number of events, at random events, each weighted with its mean waiting time.
//!
//! Where a system consists of parts that move on their own, such as vacancies, a patch is the window of one of them,
//! which evolves alone; K is then the number of these parts.

mod lanes;

pub use lanes::PartialEvolutionInLanes;

use super::library::{LibraryChange, WholeState, WholeSums};
use crate::{
    dynamics::{Dynamics, Elapsed, EvolveError, Law, Until},
    lattice::{Lattice, Region, Shape, Window},
    rng::Rng,
    sums::ExactSum,
    systems::{MovingPart, System},
};
use rand::Rng as _;
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
    /// The compensator of the increment (see [`Generator`](crate::systems::Generator)), with the same mean in every state. None where the law is a
    /// black box, or none was asked for.
    pub compensator: Option<Vec<f64>>,
    /// K times the drift of the lattice's observables by the patch before its evolution. Its mean over all patches is
    /// the [drift of the lattice](PartialEvolution::of_whole). Known where the compensator is.
    pub drift: Option<Vec<f64>>,
    /// The functions of the [library](crate::systems::System::library), if they are asked for.
    pub library: Option<LibraryChange>,
    /// How long it took.
    pub elapsed: Elapsed,
}

/// The window of a patch: which part of it evolves and is observed.
#[derive(Clone, Copy)]
struct PatchWindow {
    /// Sites that evolve.
    shape: Shape,
    /// Width of the halo; none of a window closed on itself.
    halo: Option<usize>,
    /// The patch within the window.
    patch: Region,
    /// Where observables change and are counted for the increment.
    counted: Region,
    /// Distance from the first site of the window's box to that of the patch.
    inset: isize,
}

impl PatchWindow {
    fn new<L: Law>(lattice: Shape, patch: Shape, surroundings: Surroundings) -> Self {
        let whole = Self { shape: patch, halo: None, patch: Region::BOX, counted: Region::BOX, inset: 0 };
        match surroundings {
            Surroundings::Periodic => whole,
            _ if patch == lattice => whole,
            Surroundings::Ghost => {
                let counted = Region { margin: L::REACH as isize };
                Self { halo: Some(2 * L::REACH), counted, ..whole }
            }
            Surroundings::Buffer(width) => {
                let shape = Shape(patch.0.map(|extent| if extent > 1 { extent + 2 * width } else { 1 }));
                let inner = Region { margin: -(width as isize) };
                Self { shape, halo: Some(L::REACH), patch: inner, counted: inner, inset: width as isize }
            }
        }
    }

    fn window<L: Law>(&self) -> Window<L::Site> {
        self.halo.map_or_else(|| L::closed_window(self.shape), |halo| L::open_window(self.shape, halo))
    }

    /// Where the box of the window begins, given where the patch does.
    fn origin(&self, patch: [isize; 3]) -> [isize; 3] {
        std::array::from_fn(|axis| patch[axis] - if self.shape.0[axis] > 1 { self.inset } else { 0 })
    }
}

/// Evolves single patches of large snapshots. Holds the working memory of one thread.
pub struct PartialEvolution<'a, S: System> {
    system: &'a S,
    patch_window: PatchWindow,
    window: Window<S::Site>,
    dynamics: S::Dynamics,
    until: Until,
    /// Whether the window is a part of the snapshot, not a system of its own.
    within: bool,
    /// Random times at which the generator is looked at.
    times: usize,
    /// Whether functions of the library are looked at.
    library: bool,
    lattice: Shape,
    /// The window of a whole lattice, once it is needed.
    whole: Option<Window<S::Site>>,
    patch_sites: f64,
    /// Sites of the lattice divided by K.
    share: f64,
}

/// What is known of a patch before its evolution.
struct Before<T> {
    sites: Vec<T>,
    observables: Vec<f64>,
    counted: Vec<f64>,
    drift: Option<Vec<f64>>,
    /// Of the library: means over the patch, and what counts for the increment.
    library: Option<[Vec<f64>; 2]>,
}

impl<'a, S: System> PartialEvolution<'a, S> {
    /// Partial evolution of patches of shape `patch` in lattices of shape `lattice`. A patch as large as the
    /// lattice evolves as the whole periodic system (K = 1, the conventional method, unless parts move on their own).
    pub fn new(system: &'a S, lattice: Shape, patch: Shape, surroundings: Surroundings, until: Until) -> Self {
        let patch_window = PatchWindow::new::<S>(lattice, patch, surroundings);
        Self {
            system,
            patch_window,
            window: patch_window.window::<S>(),
            dynamics: S::Dynamics::default(),
            until,
            within: surroundings != Surroundings::Periodic,
            times: 0,
            library: false,
            lattice,
            whole: None,
            patch_sites: patch.sites() as f64,
            share: system
                .moving_part_count(lattice.sites())
                .map_or(patch.sites() as f64, |count| lattice.sites() as f64 / count as f64),
        }
    }

    /// With compensators from this number of random times.
    pub fn compensated(self, times: usize) -> Self {
        Self { times: if S::GENERATOR.is_some() { times } else { 0 }, ..self }
    }

    /// With the functions of the library.
    pub fn with_library(self, library: bool) -> Self {
        Self { library, ..self }
    }

    /// Nothing of a whole state whose patches are yet to be [added](Self::add_patch).
    pub fn no_patches(&self) -> WholeSums {
        let none = |count: usize| vec![ExactSum::default(); count];
        WholeSums {
            drift: S::GENERATOR.filter(|_| self.times > 0).map(|_| none(S::OBSERVABLES.len())),
            library: self.library.then(|| none(S::LIBRARY.len())),
        }
    }

    /// Adds what is known of the patch whose first site is `origin`, where no parts move on their own.
    pub fn add_patch(&mut self, snapshot: &Lattice<S::Site>, origin: [isize; 3], sums: &mut WholeSums) {
        let patch = self.patch_window.patch;
        self.window.load(snapshot, self.patch_window.origin(origin));
        let add = |sums: &mut Vec<ExactSum>, values: Vec<f64>| {
            sums.iter_mut().zip(values).for_each(|(sum, value)| sum.add(value));
        };
        if let (Some(sums), Some(generator)) = (&mut sums.drift, S::GENERATOR) {
            add(sums, generator(self.system, &self.window, patch).drift);
        }
        if let Some(sums) = &mut sums.library {
            add(sums, self.system.library(&self.window, patch));
        }
    }

    /// What is known of a whole state.
    pub fn of_whole(&mut self, snapshot: &[S::Site]) -> WholeState {
        let generator = S::GENERATOR.filter(|_| self.times > 0);
        if generator.is_none() && !self.library {
            return WholeState::default();
        }
        let whole = self.whole.get_or_insert_with(|| S::closed_window(self.lattice));
        whole.load(&Lattice::from_sites(self.lattice, snapshot.to_vec()), [0; 3]);
        let per_site = |sums: Vec<f64>| sums.into_iter().map(|sum| sum / self.lattice.sites() as f64).collect();
        WholeState {
            drift: generator.map(|generator| per_site(generator(self.system, whole, Region::BOX).drift)),
            library: self.library.then(|| per_site(self.system.library(whole, Region::BOX))),
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
        self.window.load(snapshot, self.patch_window.origin(origin));
        let in_field = self.within.then(|| self.system.in_mean_field_of(snapshot, &self.window)).flatten();
        let mut law = law.or(in_field.as_ref()).unwrap_or(self.system).clone();
        let before = self.before(&law);
        let mut compensator = self.compensator();
        let mut elapsed = Elapsed::default();
        for (part, until) in spans(self.until, self.system.synchronous_step(), self.times, rng).into_iter().enumerate()
        {
            if part > 0 {
                self.look(&law, &mut compensator);
            }
            if let Some(until) = until {
                elapsed += self.dynamics.evolve(&law, &mut self.window, until, rng)?;
                law = law.followed(&self.dynamics, &self.window);
            }
        }
        Ok(self.pair(before, elapsed, compensator))
    }

    /// The compensator before the evolution.
    fn compensator(&self) -> Option<Vec<f64>> {
        (self.times > 0).then(|| vec![0.0; S::OBSERVABLES.len()])
    }

    /// Adds the generator of the present state of the window to the compensator.
    fn look(&self, law: &S, compensator: &mut Option<Vec<f64>>) {
        let (Some(generator), Some(compensator)) = (S::GENERATOR, compensator) else { return };
        let found = generator(law, &self.window, self.patch_window.patch);
        let time = match self.until {
            Until::Time(time) => time,
            // With the mean waiting time of each event in the window.
            Until::Events(events) => events as f64 / generator(law, &self.window, Region::BOX).rate,
        };
        let weight = time / self.times as f64 / self.share;
        compensator.iter_mut().zip(found.drift).for_each(|(sum, drift)| *sum += weight * drift);
    }

    /// What the window holds, before it evolves.
    fn before(&self, law: &S) -> Before<S::Site> {
        let counted = self.system.observe(&self.window, self.patch_window.counted);
        let patch = self.patch_window.patch;
        let drift = S::GENERATOR.filter(|_| self.times > 0).map(|generator| {
            generator(law, &self.window, patch).drift.into_iter().map(|sum| sum / self.share).collect()
        });
        let library = self.library.then(|| {
            let means = self.system.library(&self.window, patch).into_iter().map(|sum| sum / self.patch_sites);
            [means.collect(), self.system.library(&self.window, self.patch_window.counted)]
        });
        Before { sites: self.window.cut(patch), observables: self.per_site(patch), counted, drift, library }
    }

    /// The pair of what the window held before and what it holds after its evolution.
    fn pair(&self, before: Before<S::Site>, elapsed: Elapsed, compensator: Option<Vec<f64>>) -> Pair<S::Site> {
        let time = if let Until::Time(time) = self.until { time } else { elapsed.time };
        let counted = self.system.observe(&self.window, self.patch_window.counted);
        let increment = |after: &[f64], before: &[f64]| -> Vec<f64> {
            after.iter().zip(before).map(|(after, before)| (after - before) / self.share).collect()
        };
        let library = before.library.map(|[means, counted]| LibraryChange {
            before: means,
            increment: increment(&self.system.library(&self.window, self.patch_window.counted), &counted),
        });
        Pair {
            before: before.sites,
            after: self.window.cut(self.patch_window.patch),
            observables_before: before.observables,
            observables_after: self.per_site(self.patch_window.patch),
            increment: increment(&counted, &before.counted),
            library,
            compensator,
            drift: before.drift,
            elapsed: Elapsed { time, ..elapsed },
        }
    }

    /// Observables summed over a region, divided by the sites of a patch.
    fn per_site(&self, region: Region) -> Vec<f64> {
        self.system.observe(&self.window, region).into_iter().map(|sum| sum / self.patch_sites).collect()
    }
}

/// Divides an evolution at `times` random times, each uniform in one of as many equal parts, or at so many random
/// events or steps. A span of no length is none.
fn spans(until: Until, step: Option<f64>, times: usize, rng: &mut Rng) -> Vec<Option<Until>> {
    if times == 0 {
        return vec![Some(until)];
    }
    let unit = match until {
        Until::Events(_) => Some(1.0),
        Until::Time(_) => step,
    };
    let whole = match until {
        Until::Time(time) => time / unit.unwrap_or(1.0),
        Until::Events(events) => events as f64,
    };
    let whole = if unit.is_some() { whole.round() } else { whole };
    let mut ends: Vec<f64> = (0..times)
        .map(|part| (part as f64 + rng.random::<f64>()) * whole / times as f64)
        .map(|end| if unit.is_some() { end.floor() } else { end })
        .collect();
    ends.push(whole);
    let starts = std::iter::once(0.0).chain(ends.iter().copied());
    let span = |(start, end): (f64, &f64)| match until {
        _ if *end <= start => None,
        Until::Time(_) => Some(Until::Time((end - start) * unit.unwrap_or(1.0))),
        Until::Events(_) => Some(Until::Events((end - start) as u64)),
    };
    starts.zip(&ends).map(span).collect()
}
