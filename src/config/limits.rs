//! Bounds on what an input asks for, checked before anything is allocated: counts, and the work of its spans of time.

use super::{Input, Relax};
use crate::dynamics::Until;

/// The most records of a trajectory.
const MOST_RECORDS: usize = 1_000_000;
/// The most threads of a rank.
const MOST_THREADS: usize = 1024;
/// The most events, attempts or steps of sites of a trajectory or a window: years.
const MOST_EVENTS: f64 = 1e16;
/// The most steps of a model, or sweeps of a lattice, between two records.
const MOST_STEPS: f64 = 1e9;

/// The longest side of a system that some rank holds whole: it still fits one window.
const LONGEST: usize = 16_000;
/// Windows number their sites, halo included, with 32 bits.
const MOST_SITES: f64 = (1_u64 << 31) as f64;
/// The longest side, and the most sites, of a lattice in tiles, of which every rank holds a share.
const LONGEST_IN_TILES: usize = 1 << 24;
const MOST_SITES_IN_TILES: f64 = (1_u64 << 48) as f64;
/// Of predicted systems, of which no state is built.
const LONGEST_PREDICTED: usize = 1 << 20;

impl Input {
    /// Bounds the counts that all others follow from.
    pub(super) fn check_bounds(&self) -> Result<(), String> {
        let count = |times: Option<super::GeometricTimes>| times.map_or(0, |times| times.count);
        for (name, count, most) in [
            ("simulate.records", self.simulate.records.unwrap_or(0), MOST_RECORDS),
            ("simulate.snapshots", self.simulate.snapshots.number().unwrap_or(0), MOST_RECORDS),
            ("simulate.times.count", count(self.simulate.times), MOST_RECORDS),
            ("truth.records", self.truth.records, MOST_RECORDS),
            ("truth.times.count", count(self.truth.times), MOST_RECORDS),
            ("train.fit.threads", self.train.fit.threads, MOST_THREADS),
        ] {
            if count > most {
                return Err(format!("{name} is {count}; it must be at most {most}"));
            }
        }
        Ok(())
    }

    /// Bounds the sizes of systems.
    pub(super) fn check_sides(&self) -> Result<(), String> {
        let (patch, large) = (self.lattice.patch, self.lattice.large);
        let small = self.lattice.small.unwrap_or(patch);
        let sides = [("lattice.patch", patch), ("lattice.large", large), ("lattice.small", small)];
        let least = self.system.least_side();
        let (longest, most) = match self.truth.tile {
            Some(_) => (LONGEST_IN_TILES, MOST_SITES_IN_TILES),
            None => (LONGEST, MOST_SITES),
        };
        let truth = self.truth.side.map(|side| ("truth.side", side, longest));
        for (name, side, longest) in sides.map(|(name, side)| (name, side, LONGEST)).into_iter().chain(truth) {
            if !(least..=longest).contains(&side) {
                let tiles = if longest == LONGEST { ". truth.side may be longer, with truth.tile" } else { "" };
                return Err(format!("{name} is {side}; it must be from {least} to {longest}{tiles}"));
            }
        }
        let predicted = &self.predict.sides;
        let whole = |side: usize| (patch..=LONGEST_PREDICTED).contains(&side) && side.is_multiple_of(patch);
        if let Some(side) = predicted.iter().find(|&&side| !whole(side)) {
            return Err(format!(
                "predict.sides has {side}; it must be a multiple of lattice.patch = {patch}, at most {LONGEST_PREDICTED}"
            ));
        }
        if let Some(twice) = predicted.iter().enumerate().find(|(index, side)| predicted[..*index].contains(side)) {
            return Err(format!("predict.sides has {} twice; name each side once", twice.1));
        }
        for (shape, most) in [(self.large_shape(), MOST_SITES), (self.truth_shape(), most)] {
            let sites = shape.0.iter().map(|&extent| extent as f64).product::<f64>();
            if sites > most {
                return Err(format!("a lattice has {sites} sites; at most {most} are possible"));
            }
        }
        Ok(())
    }

    /// Bounds the work of every span of time.
    pub(super) fn check_work(&self) -> Result<(), String> {
        let age = self.small_schedule().times.last().copied().unwrap_or(0.0);
        let patch = match self.system.moving_part_count(self.large_shape().sites()) {
            None => self.patch_shape().sites(),
            Some(parts) => self.large_shape().sites() / parts,
        };
        let spans = [
            ("simulate.interval", self.small_shape().sites(), Some(Until::Time(age))),
            ("truth.interval", self.truth_shape().sites(), Some(Until::Time(self.truth_duration()))),
            ("upsample.relax", self.relax_shape().sites(), self.upsample.relax.until(age)),
            ("evolve.until", patch, Some(self.evolve.until)),
        ];
        let aged = matches!(self.upsample.relax, Relax::Age(_));
        for (name, sites, until) in spans.into_iter().filter_map(|(name, sites, until)| Some((name, sites, until?))) {
            for index in 0..self.system.conditions().len() {
                let (events, span) = match until {
                    Until::Time(time) => (self.system.events(index, sites, time), format!("time of {time:?}")),
                    Until::Events(events) => (events as f64, format!("number of events of {events}")),
                };
                if events.is_nan() || events > MOST_EVENTS {
                    let at = self.system.named_condition(index).map_or_else(String::new, |name| format!(" at {name}"));
                    let what = match name {
                        "upsample.relax" if aged => "upsample.relax.age",
                        "simulate.interval" => {
                            "simulate.records, simulate.snapshots, simulate.interval, simulate.first or \
                             simulate.times.last"
                        }
                        "truth.interval" => "truth.records or truth.interval",
                        name => name,
                    };
                    return Err(format!(
                        "{what} gives {sites} sites a {span}, about {events:.1e} events or steps{at}; at most \
                         {MOST_EVENTS:.0e} are possible. Shorten it, or change the rates or the step of [system.{}]",
                        self.system.name()
                    ));
                }
            }
        }
        let steps = self.truth.interval / self.predict.step;
        let sweeps = self.truth.quantum.map_or(0.0, |quantum| self.truth.interval / quantum);
        for (name, step, steps) in
            [("predict.step", self.predict.step, steps), ("truth.quantum", self.truth.quantum.unwrap_or(1.0), sweeps)]
        {
            if steps.is_nan() || steps > MOST_STEPS {
                return Err(format!(
                    "{name} is {step:?}, so truth.interval = {} takes {steps:.1e} of it; at most {MOST_STEPS:.0e} are possible",
                    self.truth.interval
                ));
            }
        }
        Ok(())
    }
}
