//! Physical checks of an input, before anything is allocated. Each failure says the fact and what to do.

use super::{ConfigError, GeometricTimes, Input, Kernel, Relax, Snapshots, UpsampleKind};
use crate::{dynamics::Until, lattice::Boundary, sampling::Surroundings, systems::StatePoint};

impl Input {
    /// Checks everything that types cannot.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.system
            .check(&self.truth.starts)
            .and_then(|()| self.check_bounds())
            .and_then(|()| self.check_sides())
            .and_then(|()| self.check_sizes())
            .and_then(|()| self.check_small_snapshots())
            .and_then(|()| self.check_counts())
            .and_then(|()| self.check_conditions())
            .and_then(|()| self.check_times())
            .and_then(|()| self.check_tiles())
            .and_then(|()| self.check_kernel())
            .and_then(|()| self.check_work())
            .and_then(|()| self.check_learning())
            .and_then(|()| self.check_memory())
            .map_err(|reason| ConfigError::Physics(format!("the input cannot be run: {reason}")))
    }

    fn check_sizes(&self) -> Result<(), String> {
        let (patch, large) = (self.lattice.patch, self.lattice.large);
        let small = self.lattice.small.unwrap_or(patch);
        if !large.is_multiple_of(patch) {
            return Err(format!("lattice.large is {large}; it must be a multiple of lattice.patch = {patch}"));
        }
        if let Some(side) = self.truth.side.filter(|side| !side.is_multiple_of(patch)) {
            return Err(format!("truth.side is {side}; it must be a multiple of lattice.patch = {patch}"));
        }
        let Some(factors) = self.upsampling_factors() else {
            return Err(format!(
                "lattice.large is {large}; it must be the small system's side ({small}) times a product of twos and threes"
            ));
        };
        if self.upsample.relax != Relax::None && !factors.is_empty() {
            let relax = small.min(patch);
            if !relax.is_multiple_of(2) {
                return Err(format!(
                    "LocalRelax works in patches that overlap by half, so their side ({relax}) must be even; change it or set \
                     upsample.relax = \"none\""
                ));
            }
            if !small.is_multiple_of(relax / 2) {
                return Err(format!(
                    "patches of side {relax} with a stride of {} do not cover the levels above a small system of side \
                     {small}; change lattice.small or set upsample.relax = \"none\"",
                    relax / 2
                ));
            }
        }
        self.check_tiled_upsampling()?;
        match self.evolve.surroundings {
            Surroundings::Buffer(0) => Err("evolve.surroundings has a buffer of 0; use \"ghost\" instead".into()),
            Surroundings::Buffer(_) if self.system.boundary() != Boundary::Periodic => {
                Err("evolve.surroundings has a buffer, but this system ends in mirrors; use \"ghost\"".into())
            }
            Surroundings::Buffer(_) if self.system.moving_part_count(self.large_shape().sites()).is_some() => {
                Err("evolve.surroundings has a buffer, but one part of this system moves alone; use \"ghost\"".into())
            }
            Surroundings::Buffer(width) if patch < large && width > (large - patch) / 2 => Err(format!(
                "a patch of side {patch} with a buffer of {width} on each side does not fit into a lattice of side {large}; \
                 make the buffer at most {}",
                (large - patch) / 2
            )),
            _ => Ok(()),
        }
    }

    fn check_tiled_upsampling(&self) -> Result<(), String> {
        let (group, trajectories) = (self.simulate.group, self.simulate.trajectories);
        if group > 1 && !self.system.draws_starts() {
            return Err(format!("simulate.group is {group}, but this system draws no starts to share; set it to 1"));
        }
        if group > 0 && !trajectories.is_multiple_of(group) {
            return Err(format!(
                "simulate.trajectories is {trajectories}; it must be a multiple of simulate.group = {group}"
            ));
        }
        match self.upsample.kind {
            UpsampleKind::Tiles if self.system.moving_part_count(self.large_shape().sites()).is_some() => {
                Err("upsample.kind is \"tiles\", but one part of this system moves alone; use \"published\"".into())
            }
            UpsampleKind::Tiles if group < 2 => Err(
                "upsample.kind is \"tiles\", which joins states of one start; set simulate.group, for example to 16"
                    .into(),
            ),
            UpsampleKind::Direct if self.upsample.relax != Relax::None => {
                Err("upsample.kind is \"direct\", where nothing is upsampled; write upsample.relax = \"none\"".into())
            }
            UpsampleKind::Published if self.upsample.relax == Relax::Auto => Err(
                "upsample.relax is \"auto\", but how long states upsampled as published must relax is not known; write for \
                 example { time = 8.0 }, or \"none\""
                    .into(),
            ),
            UpsampleKind::Compatible if !self.system.can_be_rescaled() => {
                Err("upsample.kind is \"compatible\", but this system has no known critical point; use \"published\"".into())
            }
            UpsampleKind::Compatible if !self.in_lanes(self.large_shape(), Until::Time(0.0)) => Err(
                "upsample.kind is \"compatible\", which needs lanes: a law of two states, kernel = \"auto\", and a system of at \
                 most 2^18 sites"
                    .into(),
            ),
            UpsampleKind::Compatible if !matches!(self.upsample.relax, Relax::Time(_)) => {
                Err("upsample.kind is \"compatible\"; write upsample.relax = { time = ... } for its free sweeps".into())
            }
            _ => Ok(()),
        }
    }

    /// Whether it is clear which records of the small trajectories keep their state.
    fn check_small_snapshots(&self) -> Result<(), String> {
        match (self.simulate.records, self.simulate.snapshots) {
            (_, Snapshots::None) => {
                Err("simulate.snapshots is \"none\", but large snapshots are made from states; write a number".into())
            }
            (None, Snapshots::All) => {
                Err("simulate.snapshots is \"all\", but not of how many records; write simulate.records".into())
            }
            _ => Ok(()),
        }
    }

    fn check_counts(&self) -> Result<(), String> {
        for (name, count) in [
            ("simulate.trajectories", self.simulate.trajectories),
            ("simulate.group", self.simulate.group),
            ("simulate.records", self.simulate.records.unwrap_or(1)),
            ("upsample.pool", self.upsample.pool),
            ("evolve.patches", self.evolve.patches),
            ("truth.starts", self.truth.starts.len()),
            ("truth.trajectories", self.truth.trajectories),
            ("truth.records", self.truth.records.saturating_sub(1)),
            ("predict.replicas", self.predict.replicas),
            ("train.seeds", self.train.seeds.len()),
        ] {
            if count == 0 {
                return Err(format!("{name} is 0; it must be at least 1"));
            }
        }
        if self.evaluate.discrepancy && self.truth.trajectories < 2 {
            return Err(
                "evaluate.discrepancy compares two halves of the truth; set truth.trajectories to at least 2".into()
            );
        }
        let most = u128::from(u32::MAX);
        let wide = |count: usize| count as u128;
        let snapshots = wide(self.simulate.trajectories) * wide(self.small_snapshots()) + wide(self.upsample.shuffled);
        let pairs = snapshots * wide(self.patches_drawn());
        let records = wide(self.truth_groups()) * wide(self.truth.trajectories) * wide(self.truth_schedule().records());
        let (simulate, upsample, truth, predict) = (&self.simulate, &self.upsample, &self.truth, &self.predict);
        let of_pairs = format!(
            "simulate.trajectories = {}, snapshots of each = {}, upsample.shuffled = {}, evolve.patches = {}",
            simulate.trajectories,
            self.small_snapshots(),
            upsample.shuffled,
            self.evolve.patches
        );
        let of_truth = format!(
            "truth.trajectories = {}, truth.records = {}, predict.replicas = {}",
            truth.trajectories, truth.records, predict.replicas
        );
        for (name, count, keys) in
            [("training pairs", pairs, of_pairs), ("records of the truth", records * wide(predict.replicas), of_truth)]
        {
            if count > most {
                return Err(format!("the input asks for {count} {name} ({keys}); at most {most} are possible"));
            }
        }
        let mut seeds = self.train.seeds.clone();
        seeds.sort_unstable();
        if seeds.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("train.seeds names a seed twice; the error between seeds would be too small".into());
        }
        Ok(())
    }

    fn check_conditions(&self) -> Result<(), String> {
        let all = self.system.conditions();
        let texts: Vec<String> = all.iter().map(StatePoint::key).collect();
        if let Some(unknown) = self.truth.unseen.iter().find(|unseen| !all.iter().any(|own| unseen.names(own))) {
            return Err(format!(
                "truth.unseen names {unknown}, which is none of the system's conditions [{}]; add it to their list, or take it \
                 out here",
                texts.join(", ")
            ));
        }
        let twice = texts.iter().enumerate().find(|(place, text)| texts[..*place].contains(text));
        if let Some((_, twice)) = twice {
            return Err(format!(
                "the system's conditions [{}] hold {twice} twice; take one of them out",
                texts.join(", ")
            ));
        }
        let conditions = self.conditions_in_data().len();
        if conditions == 0 {
            return Err("truth.unseen names all conditions of the system; leave some to learn from".into());
        }
        if conditions > self.simulate.trajectories {
            return Err(format!(
                "simulate.trajectories is {}, but the system has {conditions} conditions, which trajectories take in turn; make \
                 it a multiple of {conditions}",
                self.simulate.trajectories
            ));
        }
        Ok(())
    }

    fn check_times(&self) -> Result<(), String> {
        for (name, span) in [
            ("simulate.interval", self.simulate.interval),
            ("truth.interval", self.truth.interval),
            ("predict.step", self.predict.step),
            ("train.covariance_factor", self.covariance_factor()),
        ] {
            positive(name, span)?;
        }
        if let Some(first) = self.simulate.first.filter(|first| *first != 0.0) {
            positive("simulate.first", first)?;
        }
        self.check_early_times()?;
        let spans = [
            ("simulate.first", self.simulate.first.filter(|first| *first > 0.0).map(Until::Time)),
            ("simulate.interval", Some(Until::Time(self.simulate.interval))),
            ("truth.interval", Some(Until::Time(self.truth.interval))),
            ("upsample.relax", self.upsample.relax.until(1.0)),
            ("evolve.until", Some(self.evolve.until)),
        ];
        for (name, until) in spans.into_iter().filter_map(|(name, until)| Some((name, until?))) {
            match (until, self.upsample.relax) {
                (Until::Time(_), Relax::Age(age)) if name == "upsample.relax" => positive("upsample.relax.age", age)?,
                (Until::Time(time), _) => positive(&format!("{name}.time"), time)?,
                _ => {}
            }
            let kind = match (until, self.upsample.relax) {
                (Until::Events(_), _) => ".events",
                (_, Relax::Age(_)) if name == "upsample.relax" => ".age",
                _ => "",
            };
            self.system.check_span(until).map_err(|error| format!("{name}{kind}: {error}"))?;
        }
        if self.evolve.until == Until::Events(0) {
            return Err("evolve.until.events is 0; a pair needs at least one event".into());
        }
        if self.upsample.relax.until(1.0) == Some(Until::Events(0)) {
            return Err("upsample.relax.events is 0; write relax = \"none\" for no relaxation".into());
        }
        let steps = self.truth.interval / self.predict.step;
        if (steps - steps.round()).abs() > 1e-6 || steps < 0.5 {
            return Err(format!(
                "truth.interval = {} is not a whole number of predict.step = {}; prediction and truth are compared at the \
                 same times",
                self.truth.interval, self.predict.step
            ));
        }
        if !(self.evaluate.equilibrium > 0.0 && self.evaluate.equilibrium <= 1.0) {
            let part = self.evaluate.equilibrium;
            return Err(format!("evaluate.equilibrium is {part}; it is the last fraction of a trajectory, in (0, 1]"));
        }
        Ok(())
    }

    fn check_early_times(&self) -> Result<(), String> {
        for (name, times) in [("simulate.times", self.simulate.times), ("truth.times", self.truth.times)] {
            let Some(GeometricTimes { first, last, count }) = times else { continue };
            if !(first > 0.0 && last > first && last.is_finite() && count > 1) {
                return Err(format!(
                    "{name} has count = {count}, first = {first:?} and last = {last:?}; it needs at least 2 times, the first \
                     above 0 and the last above the first"
                ));
            }
        }
        if let Some(times) = self.truth.times.filter(|times| times.last > self.truth_duration()) {
            return Err(format!(
                "truth.times.last is {}, after the last record at {} = (truth.records - 1) x truth.interval; make it earlier, or \
                 add records",
                times.last,
                self.truth_duration()
            ));
        }
        Ok(())
    }

    fn check_kernel(&self) -> Result<(), String> {
        if self.kernel != Kernel::Lanes {
            return Ok(());
        }
        if !self.system.has_lanes() {
            return Err(
                "kernel is \"lanes\", but this system's sites do not have two states and four neighbours; use \"auto\""
                    .into(),
            );
        }
        let spans = [("upsample.relax", self.upsample.relax.until(1.0)), ("evolve.until", Some(self.evolve.until))];
        match spans.into_iter().find(|(_, until)| matches!(until, Some(Until::Events(_)))) {
            Some((name, _)) => Err(format!(
                "kernel is \"lanes\", but {name} counts events, which lanes do not; write {{ time = ... }}, or use \"auto\""
            )),
            None => Ok(()),
        }
    }

    fn check_tiles(&self) -> Result<(), String> {
        let (Some(tile), large) = (self.truth.tile, self.truth.side.unwrap_or(self.lattice.large)) else {
            return match self.truth.quantum {
                Some(_) => Err("truth.quantum is set without truth.tile; give the side of the tiles too".into()),
                None => Ok(()),
            };
        };
        if tile < 2 || !large.is_multiple_of(tile) || tile == large {
            return Err(format!(
                "truth.tile is {tile}; it must be at least 2, and the side of the simulated system, {large}, a multiple of it, at least \
                 twice as long"
            ));
        }
        if !self.system.is_local() {
            return Err("truth.tile is set, but this system cannot be cut: each site feels all others".into());
        }
        let Some(quantum) = self.truth.quantum else { return Ok(()) };
        positive("truth.quantum", quantum)?;
        let sweeps = self.truth.interval / quantum;
        if (sweeps - sweeps.round()).abs() > 1e-6 || sweeps < 0.5 {
            let interval = self.truth.interval;
            return Err(format!("truth.interval = {interval} is not a whole number of truth.quantum = {quantum}"));
        }
        Ok(())
    }

    /// Euler-Maruyama steps between two records.
    pub fn steps_per_record(&self) -> usize {
        (self.truth.interval / self.predict.step).round() as usize
    }
}

/// Above 0, finite, and still above 0 in single precision.
pub(super) fn positive(name: &str, value: f64) -> Result<(), String> {
    if value.is_finite() && value as f32 > 0.0 {
        return Ok(());
    }
    Err(format!("{name} is {value:?}; it must be a number above 0"))
}
