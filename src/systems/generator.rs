//! The generator L of a law on its observables z: their expected rate of change in a state, (L z)(x), and the rate at
//! which their covariance grows, Gamma(x).
//!
//! E[z(x_t) - z(x_0)] = E[integral of (L z)(x_s) ds from 0 to t] for every initial state x_0 (Dynkin's formula), but the
//! integral, the *compensator*, has none of the noise of the events. For events of rates r that change z by c, L z = sum
//! r c and Gamma = sum r c c^T; for dx = f dt + sigma dB and sums of x, L z = sum f and Gamma = sum sigma^2.

use super::System;
use crate::{
    dynamics::{DriftNoise, Law},
    lattice::{Region, Window},
};

/// L z and Gamma of a part of a state.
#[derive(Clone, Debug, PartialEq)]
pub struct Generator {
    /// Sum of the rates of all events, in events per unit of time; 0 where there are none.
    pub rate: f64,
    /// L z of the sums of observables, `[d]`.
    pub drift: Vec<f64>,
    /// Gamma of these sums, row by row, `[d * d]`.
    pub covariance: Vec<f64>,
}

/// The generator of a law in a state, for the sites of a region.
pub type GeneratorOf<L> = fn(&L, &Window<<L as Law>::Site>, Region) -> Generator;

impl Generator {
    /// A law without events, for `count` observables.
    pub fn none(count: usize) -> Self {
        Self { rate: 0.0, drift: vec![0.0; count], covariance: vec![0.0; count * count] }
    }

    /// Adds events with this sum of rates that change the observables by `change`.
    pub fn add(&mut self, rate: f64, change: &[f64]) {
        self.rate += rate;
        self.drift.iter_mut().zip(change).for_each(|(sum, change)| *sum += rate * change);
        for (row, first) in self.covariance.chunks_exact_mut(change.len()).zip(change) {
            row.iter_mut().zip(change).for_each(|(sum, second)| *sum += rate * first * second);
        }
    }
}

/// The generator of a law of fields whose observables are the sums of the components of its sites.
pub fn of_fields<S: System + DriftNoise>(system: &S, window: &Window<S::Site>, region: Region) -> Generator {
    let count = S::OBSERVABLES.len();
    let mut generator = Generator::none(count);
    let noise = system.noise();
    let noise: &[f64] = bytemuck::cast_slice(std::slice::from_ref(&noise));
    for site in window.own_sites_of(region) {
        let drift = system.drift(window, site);
        let drift: &[f64] = bytemuck::cast_slice(std::slice::from_ref(&drift));
        generator.drift.iter_mut().zip(drift).for_each(|(sum, drift)| *sum += drift);
        for (component, noise) in noise.iter().enumerate() {
            generator.covariance[component * (count + 1)] += noise * noise;
        }
    }
    generator
}
