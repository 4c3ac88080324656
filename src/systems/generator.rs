//! The generator L of a law on its observables z: their expected rate of change in a state, (L z)(x).
//!
//! E[z(x_t) - z(x_0)] = E[integral of (L z)(x_s) ds from 0 to t] for every initial state x_0 (Dynkin's formula), but the
//! integral, the *compensator*, has none of the noise of the events. For events of rates r that change z by c, L z = sum
//! r c; for dx = f dt + sigma dB and sums of x, L z = sum f.

use super::System;
use crate::{
    dynamics::{DriftNoise, Law},
    lattice::{Region, Window},
};

/// L z of a part of a state.
#[derive(Clone, Debug, PartialEq)]
pub struct Generator {
    /// Sum of the rates of all events, in events per unit of time; 0 where there are none.
    pub rate: f64,
    /// L z of the sums of observables, `[d]`.
    pub drift: Vec<f64>,
}

/// The generator of a law in a state, for the sites of a region.
pub type GeneratorOf<L> = fn(&L, &Window<<L as Law>::Site>, Region) -> Generator;

impl Generator {
    /// A law without events, for `count` observables.
    pub fn none(count: usize) -> Self {
        Self { rate: 0.0, drift: vec![0.0; count] }
    }

    /// Adds events with this sum of rates that change the observables by `change`.
    pub fn add(&mut self, rate: f64, change: &[f64]) {
        self.rate += rate;
        self.drift.iter_mut().zip(change).for_each(|(sum, change)| *sum += rate * change);
    }
}

/// The generator of a law of fields whose observables are the sums of the components of its sites.
pub fn of_fields<S: System + DriftNoise>(system: &S, window: &Window<S::Site>, region: Region) -> Generator {
    let mut generator = Generator::none(S::OBSERVABLES.len());
    for site in window.own_sites_of(region) {
        let drift = system.drift(window, site);
        let drift: &[f64] = bytemuck::cast_slice(std::slice::from_ref(&drift));
        generator.drift.iter_mut().zip(drift).for_each(|(sum, drift)| *sum += drift);
    }
    generator
}
