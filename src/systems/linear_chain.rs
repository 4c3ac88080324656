//! A chain of overdamped particles with a force on the first one, exactly solvable (arXiv 2511.12842, appendix D.2).
//!
//! dX_i = [-gamma X_i + kappa (X_{i-1} - 2 X_i + X_{i+1}) + F delta_{i1}] dt + sigma dW_i, ends free. The mean
//! displacement m of n particles obeys dm = (-gamma m + F / n) dt + sigma / sqrt(n) dB: drift and diffusion both depend
//! on the size.

use super::{Composition, GeneratorOf, Interpolate, Observable, System, Upsampling, fields, generator::of_fields};
use crate::{
    dynamics::{DriftNoise, Langevin, Law},
    lattice::{Boundary, Region, Shape, Stencil, Window},
    rng::Rng,
};
use rand::Rng as _;
use serde::{Deserialize, Serialize};

/// Parameters of the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinearChain {
    /// gamma, friction of a particle with the ground.
    pub friction: f64,
    /// kappa, coupling of neighbours.
    pub coupling: f64,
    /// F, force on the first particle.
    pub force: f64,
    /// sigma, noise of a particle.
    pub noise: f64,
    /// Initial displacements without a start are uniform in [-spread, spread].
    pub spread: f64,
    /// Time step of the integrator.
    pub step: f64,
}

impl Default for LinearChain {
    fn default() -> Self {
        Self { friction: 0.1, coupling: 1.0, force: 15.0, noise: 1.0, spread: 5.0, step: 0.01 }
    }
}

impl Law for LinearChain {
    type Site = f64;
    const REACH: usize = 1;
    const BOUNDARY: Boundary = Boundary::Mirrored;

    fn stencil(&self) -> Stencil {
        Stencil::chain()
    }

    fn synchronous_step(&self) -> Option<f64> {
        Some(self.step)
    }
}

impl DriftNoise for LinearChain {
    fn step(&self) -> f64 {
        self.step
    }

    fn drift(&self, window: &Window<f64>, site: usize) -> f64 {
        let sites = window.values();
        // Only the first particle is its own left neighbour.
        let force = if window.home(site - 1) == Some(site) { self.force } else { 0.0 };
        let curvature = sites[site - 1] - 2.0 * sites[site] + sites[site + 1];
        -self.friction * sites[site] + self.coupling * curvature + force
    }

    fn noise(&self) -> f64 {
        self.noise
    }
}

impl System for LinearChain {
    type Dynamics = Langevin;
    type Start = f64;

    const OBSERVABLES: &'static [Observable] =
        &[Observable { name: "mean_displacement", symbol: "m", unit: "1", scaled: false }];

    const TIME_UNIT: &'static str = "1";

    type Feature = f32;
    const CHANNELS: usize = 1;

    fn shape(side: usize) -> Shape {
        Shape::chain(side)
    }

    fn features(sites: &[f64]) -> Vec<f32> {
        sites.iter().map(|&value| value as f32).collect()
    }

    /// All particles at the displacement `start`, by default uniform in [-spread, spread].
    fn composition(&self, _: Shape, start: Option<f64>, rng: &mut Rng) -> Composition<f64> {
        let value = start.unwrap_or_else(|| rng.random_range(-self.spread..=self.spread));
        Composition::Independent(Box::new(move |_, _| value))
    }

    fn observe(&self, window: &Window<f64>, region: Region) -> Vec<f64> {
        vec![window.own_sites_of(region).map(|site| window.values()[site]).sum()]
    }

    const GENERATOR: Option<GeneratorOf<Self>> = Some(of_fields);

    fn upsampling(&self) -> Box<dyn Upsampling<Self>> {
        Box::new(Interpolate)
    }

    fn check(&self, starts: &[f64]) -> Result<(), String> {
        let table = "system.linear_chain";
        for (name, value) in [("friction", self.friction), ("coupling", self.coupling), ("noise", self.noise)] {
            fields::at_least_zero(table, name, value)?;
        }
        fields::above_zero(table, "spread", self.spread)?;
        fields::stable_step(table, self.step, 2.0 / (self.friction + 4.0 * self.coupling), &["friction", "coupling"])?;
        match starts.iter().chain([&self.force]).find(|value| !value.is_finite()) {
            Some(value) => Err(format!("{table}.force or truth.starts holds {value}; it must be a finite number")),
            None => Ok(()),
        }
    }
}
