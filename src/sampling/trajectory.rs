//! Recorded trajectories of whole periodic systems, and the observables of whole lattices.

use crate::{
    dynamics::{Dynamics, EvolveError, InLanes, Lanes, Law, Until},
    lattice::{Lattice, Region, Shape, Tiling, Window},
    rng::Rng,
    sums::ExactSum,
    systems::System,
};

/// What is recorded of one trajectory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trajectory<T> {
    /// Sites of the records that keep their state, one after another.
    pub sites: Vec<T>,
    /// Observables per site, record after record.
    pub observables: Vec<f64>,
    /// Sites at the last record so far of a trajectory under way.
    pub last: Vec<T>,
}

/// When trajectories are recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Time of each record, ascending.
    pub times: Vec<f64>,
    /// Indices of the records that keep their state, ascending.
    pub kept: Vec<usize>,
}

impl Schedule {
    /// Records at these times, in any order, those that are equal but for rounding once. All keep their state.
    pub fn new(times: impl IntoIterator<Item = f64>) -> Self {
        let mut times: Vec<f64> = times.into_iter().collect();
        times.sort_by(f64::total_cmp);
        times.dedup_by(|later, earlier| *later - *earlier <= 1e-9 * later.abs());
        let kept = (0..times.len()).collect();
        Self { times, kept }
    }

    /// With the states of some records alone, of how many there are.
    pub fn keeping(self, kept: impl FnOnce(usize) -> Vec<usize>) -> Self {
        Self { kept: kept(self.records()), ..self }
    }

    /// Records a trajectory.
    pub fn records(&self) -> usize {
        self.times.len()
    }

    /// Time of each record that keeps its state.
    pub fn times_kept(&self) -> Vec<f64> {
        self.kept.iter().map(|&record| self.times[record]).collect()
    }

    /// Whether a record keeps its state.
    fn keeps(&self, record: usize) -> bool {
        self.kept.binary_search(&record).is_ok()
    }

    /// The time from the record before, or from the start, to each record.
    fn spans(&self) -> impl Iterator<Item = f64> {
        let before = std::iter::once(0.0).chain(self.times.iter().copied());
        self.times.iter().zip(before).map(|(time, before)| time - before)
    }

    /// Evolves a whole periodic system from `start`, or from the last record of what was `begun`, and records it.
    /// `seen` is shown the trajectory so far after every record.
    ///
    /// # Errors
    /// When the kernel cannot evolve it, and those of `seen`.
    pub fn record<S: System, E: From<EvolveError>>(
        &self,
        system: &S,
        start: Lattice<S::Site>,
        begun: Trajectory<S::Site>,
        rng: &mut Rng,
        dynamics: &mut S::Dynamics,
        mut seen: impl FnMut(&Trajectory<S::Site>, &Rng) -> Result<(), E>,
    ) -> Result<Trajectory<S::Site>, E> {
        let shape = start.shape;
        let mut trajectory = begun;
        let done = trajectory.observables.len() / S::OBSERVABLES.len();
        let from = if done > 0 { Lattice::from_sites(shape, trajectory.last.clone()) } else { start };
        let mut window = S::closed_window(shape);
        window.load(&from, [0; 3]);
        trajectory.sites.reserve_exact(self.kept.len() * shape.sites() - trajectory.sites.len());
        for (record, span) in self.spans().enumerate().skip(done) {
            if span > 0.0 {
                dynamics.evolve(system, &mut window, Until::Time(span), rng)?;
            }
            trajectory.last.clear();
            trajectory.last.extend(window.values_of(Region::BOX));
            if self.keeps(record) {
                trajectory.sites.extend_from_slice(&trajectory.last);
            }
            trajectory.observables.extend(intensive(system, &window));
            seen(&trajectory, rng)?;
        }
        trajectory.last = Vec::new();
        Ok(trajectory)
    }
}

impl Schedule {
    /// Evolves whole periodic systems from `starts`, each in a lane of a word, and records them. `seen` is shown the
    /// trajectories so far after every record.
    ///
    /// # Errors
    /// When the kernel cannot evolve them.
    pub fn record_in_lanes<S: System, const W: usize>(
        &self,
        system: &S,
        law: &InLanes<S, W>,
        starts: &[Lattice<S::Site>],
        rng: &mut Rng,
        mut seen: impl FnMut(&[Trajectory<S::Site>]),
    ) -> Result<Vec<Trajectory<S::Site>>, EvolveError> {
        let mut trajectories = vec![Trajectory::default(); starts.len()];
        let Some(shape) = starts.first().map(|start| start.shape) else { return Ok(trajectories) };
        let lanes: Vec<&[S::Site]> = starts.iter().map(|start| &start.sites[..]).collect();
        let (mut window, mut one) = (InLanes::<S, W>::closed_window(shape), S::closed_window(shape));
        window.load(&law.pack(shape, &lanes), [0; 3]);
        let mut kernel = Lanes::default();
        for (record, span) in self.spans().enumerate() {
            kernel.evolve(law, &mut window, Until::Time(span), rng)?;
            let sites = law.unpack(&window.cut(Region::BOX), starts.len());
            for (trajectory, sites) in trajectories.iter_mut().zip(sites.chunks_exact(shape.sites())) {
                one.load(&Lattice::from_sites(shape, sites.to_vec()), [0; 3]);
                if self.keeps(record) {
                    trajectory.sites.extend_from_slice(sites);
                }
                trajectory.observables.extend(intensive(system, &one));
            }
            seen(&trajectories);
        }
        Ok(trajectories)
    }
}

/// The observables of a whole lattice, per site.
pub fn intensive<S: System>(system: &S, window: &Window<S::Site>) -> Vec<f64> {
    let sites = window.shape().sites() as f64;
    system.observe(window, Region::BOX).into_iter().map(|sum| sum / sites).collect()
}

/// The observables of a whole lattice, per site, as the exact mean over its patches: the same bits whoever owns which
/// patch.
///
/// # Panics
/// When patches of this shape do not tile the lattice.
pub fn mean_over_patches<S: System>(system: &S, lattice: &Lattice<S::Site>, patch: Shape) -> Vec<f64> {
    let tiling = Tiling::new(lattice.shape, patch).expect("the input was checked: patches tile the lattice");
    let mut window = S::open_window(patch, S::REACH);
    let mut total = vec![ExactSum::default(); S::OBSERVABLES.len()];
    for index in 0..tiling.len() {
        window.load(lattice, tiling.origin(index));
        total.iter_mut().zip(system.observe(&window, Region::BOX)).for_each(|(total, sum)| total.add(sum));
    }
    total.into_iter().map(|sum| sum.value() / lattice.shape.sites() as f64).collect()
}
