//! Recorded trajectories of whole periodic systems: how they are made and how they stand in a file.

use crate::{
    dataset::{Field, Writer},
    dynamics::{Dynamics, Until},
    files::arrays::{joined, shaped},
    lattice::{Lattice, Region, Shape, Tiling, Window},
    rng::Rng,
    systems::System,
    workflow::StageError,
};
use hdf5::H5Type;

/// Snapshots of one trajectory and the observables of each.
#[derive(Default)]
pub struct Trajectory<T> {
    /// Sites, snapshot after snapshot.
    pub sites: Vec<T>,
    /// Observables, snapshot after snapshot.
    pub observables: Vec<f64>,
}

/// A number of trajectories, each recorded at times first, first + interval, first + 2 interval, ...
pub struct Records {
    /// Number of trajectories.
    pub trajectories: usize,
    /// Records a trajectory.
    pub records: usize,
    /// Time of the first record.
    pub first: f64,
    /// Time between records.
    pub interval: f64,
    /// Shape of the system.
    pub shape: Shape,
}

impl Records {
    /// Bytes of one trajectory's snapshots.
    pub fn trajectory_bytes<S: System>(&self) -> usize {
        self.records * self.shape.sites() * size_of::<S::Site>()
    }

    /// Evolves a whole periodic system from `start`, or on from the last record of what was `begun`, and records it. `keep` sees
    /// the trajectory so far after every record.
    ///
    /// # Errors
    /// When the kernel cannot evolve it, or `keep` says so.
    pub fn record<S: System>(
        &self,
        system: &S,
        start: Lattice<S::Site>,
        begun: Trajectory<S::Site>,
        rng: &mut Rng,
        dynamics: &mut S::Dynamics,
        mut keep: impl FnMut(&Trajectory<S::Site>, &Rng) -> Result<(), StageError>,
    ) -> Result<Trajectory<S::Site>, StageError> {
        let shape = start.shape;
        let mut trajectory = begun;
        let done = trajectory.sites.len() / shape.sites();
        let last = trajectory.sites[done.saturating_sub(1) * shape.sites()..].to_vec();
        let from = if done > 0 { Lattice::from_sites(shape, last) } else { start };
        let mut window = S::closed_window(shape);
        window.load(&from, [0; 3]);
        trajectory.sites.reserve_exact((self.records - done) * shape.sites());
        for record in done..self.records {
            let span = if record > 0 { self.interval } else { self.first };
            if span > 0.0 {
                dynamics.evolve(system, &mut window, Until::Time(span), rng)?;
            }
            trajectory.sites.extend(window.values_of(Region::BOX));
            trajectory.observables.extend(intensive(system, &window));
            keep(&trajectory, rng)?;
        }
        Ok(trajectory)
    }

    /// Declares `snapshots`, `observables` and `time`.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn declare<S: System<Site: H5Type>>(&self, file: &mut Writer) -> Result<(), StageError> {
        let leading = [self.trajectories, self.records];
        file.declare::<S::Site>(Field {
            name: "snapshots",
            axes: &[&["trajectory", "record"], spatial_axes(self.shape)].concat(),
            extents: &[&leading[..], &self.shape.used()].concat(),
            unit: "1",
            meaning: "microscopic states",
        })?;
        file.declare::<f64>(Field {
            name: "observables",
            axes: &["trajectory", "record", "observable"],
            extents: &[&leading[..], &[S::OBSERVABLES.len()]].concat(),
            unit: "1",
            meaning: &names_of_observables::<S>(),
        })?;
        Ok(file.declare::<f64>(Field {
            name: "time",
            axes: &["record"],
            extents: &[self.records],
            unit: S::TIME_UNIT,
            meaning: "time of each record",
        })?)
    }

    /// Writes whole trajectories from number `first` on; with the first also the times.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn write<S: System<Site: H5Type>>(
        &self,
        file: &Writer,
        first: usize,
        block: &[Trajectory<S::Site>],
    ) -> Result<(), StageError> {
        let leading = [block.len(), self.records];
        let sites = joined(block.iter().map(|trajectory| &trajectory.sites));
        file.write("snapshots", first, shaped(&[&leading[..], &self.shape.used()].concat(), &sites))?;
        let observables = joined(block.iter().map(|trajectory| &trajectory.observables));
        file.write("observables", first, shaped(&[&leading[..], &[S::OBSERVABLES.len()]].concat(), &observables))?;
        if first == 0 { self.write_times(file) } else { Ok(()) }
    }

    /// Writes the time of each record. One rank only.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn write_times(&self, file: &Writer) -> Result<(), StageError> {
        let times: Vec<f64> = (0..self.records).map(|record| self.first + record as f64 * self.interval).collect();
        Ok(file.write("time", 0, shaped(&[self.records], &times))?)
    }
}

/// The observables of a whole lattice, per site.
pub fn intensive<S: System>(system: &S, window: &Window<S::Site>) -> Vec<f64> {
    let sites = window.shape().sites() as f64;
    system.observe(window, Region::BOX).into_iter().map(|sum| sum / sites).collect()
}

/// The observables of a whole lattice, per site, as the mean over its patches in their order: the same bits whoever owns
/// which patch.
pub fn mean_over_patches<S: System>(system: &S, lattice: &Lattice<S::Site>, patch: Shape) -> Vec<f64> {
    let tiling = Tiling::new(lattice.shape, patch).expect("the input was checked: patches tile the lattice");
    let mut window = S::open_window(patch, S::REACH);
    let mut total = vec![0.0; S::OBSERVABLES.len()];
    for number in 0..tiling.len() {
        window.load(lattice, tiling.origin(number));
        total.iter_mut().zip(system.observe(&window, Region::BOX)).for_each(|(total, sum)| *total += sum);
    }
    total.into_iter().map(|sum| sum / lattice.shape.sites() as f64).collect()
}

/// Names of the axes of a system's sites.
pub fn spatial_axes(shape: Shape) -> &'static [&'static str] {
    &["z", "y", "x"][3 - shape.used().len()..]
}

/// Names of the observables, in order, for the file.
pub fn names_of_observables<S: System>() -> String {
    S::OBSERVABLES.iter().map(|observable| observable.name).collect::<Vec<_>>().join(", ")
}
