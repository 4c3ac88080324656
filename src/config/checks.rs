//! Physical checks of an input, before anything is allocated. Each failure says the fact and what to do.

use super::{ConfigError, Input};
use crate::{
    dynamics::Until,
    sampling::{Surroundings, upsampling_factors},
};

impl Input {
    /// Checks everything that types cannot.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.system.check().and_then(|()| self.check_numbers()).map_err(ConfigError::Physics)
    }

    fn check_numbers(&self) -> Result<(), String> {
        let (patch, large) = (self.lattice.patch, self.lattice.large);
        if patch < 2 || !patch.is_multiple_of(2) {
            return Err(format!(
                "lattice.patch is {patch}; it must be even and at least 2, because patches overlap by half"
            ));
        }
        if !large.is_multiple_of(patch) {
            return Err(format!("lattice.large is {large}; it must be a multiple of lattice.patch = {patch}"));
        }
        if upsampling_factors(self.small_shape(), self.large_shape()).is_none() {
            return Err(format!(
                "lattice.large is {large}; it must be the small system's side ({}) times a product of twos and threes",
                self.small_shape().0[2]
            ));
        }
        if let Surroundings::Buffer(width) = self.evolve.surroundings
            && patch + 2 * width > large
            && patch < large
        {
            return Err(format!(
                "a patch of side {patch} with a buffer of {width} on each side does not fit into a lattice of side {large}; make evolve.surroundings.buffer smaller"
            ));
        }
        for (name, count) in [
            ("simulate.trajectories", self.simulate.trajectories),
            ("simulate.snapshots", self.simulate.snapshots),
            ("evolve.patches", self.evolve.patches),
            ("truth.starts", self.truth.starts.len()),
            ("truth.trajectories", self.truth.trajectories),
            ("truth.records", self.truth.records.saturating_sub(1)),
            ("predict.replicas", self.predict.replicas),
            ("train.seeds", self.train.seeds.len()),
        ] {
            if count == 0 {
                return Err(format!("{name} is too small; nothing would be computed"));
            }
        }
        for (name, span) in [
            ("simulate.interval", self.simulate.interval),
            ("truth.interval", self.truth.interval),
            ("predict.step", self.predict.step),
            ("train.covariance_factor", self.covariance_factor()),
        ] {
            if !(span > 0.0 && span.is_finite()) {
                return Err(format!("{name} is {span}; it must be a number above 0"));
            }
        }
        for (name, until) in [("upsample.relax", self.upsample.relax), ("evolve.until", self.evolve.until)] {
            if let Until::Time(time) = until
                && !(time > 0.0 && time.is_finite())
            {
                return Err(format!("{name}.time is {time}; it must be a number above 0"));
            }
        }
        if self.evolve.until == Until::Events(0) {
            return Err("evolve.until.events is 0; a pair needs at least one event".into());
        }
        let steps = self.truth.interval / self.predict.step;
        if (steps - steps.round()).abs() > 1e-6 || steps < 0.5 {
            return Err(format!(
                "truth.interval = {} is not a whole number of predict.step = {}; prediction and truth are compared at the same times",
                self.truth.interval, self.predict.step
            ));
        }
        if !(self.evaluate.equilibrium > 0.0 && self.evaluate.equilibrium <= 1.0) {
            return Err(format!(
                "evaluate.equilibrium is {}; it is the last fraction of a trajectory, in (0, 1]",
                self.evaluate.equilibrium
            ));
        }
        Ok(())
    }

    /// Euler-Maruyama steps between two records.
    pub fn steps_per_record(&self) -> usize {
        (self.truth.interval / self.predict.step).round() as usize
    }
}
