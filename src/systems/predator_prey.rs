//! Prey u and predators v on a line: a stochastic reaction-diffusion equation (arXiv 2511.12842, Eqs. 20-22).
//!
//! du = [u (1 - u - v) + c Lap u] dt + sigma_u dB, dv = [a v (u - b) + Lap v] dt + sigma_v dB, no flux at the ends,
//! with Lap x_i = (x_{i+1} - 2 x_i + x_{i-1}) / spacing^2 and independent noise for each site and field. Starts are u =
//! m + k cos(10 pi x), v = 1 - m - k cos(10 pi x), x_i = (i - 1/2) / n. The code of the authors has unit spacing and
//! draws m from (0.45, 0.55) and k from (0.05, 0.15). The paper prints these intervals swapped. Observables: means of u
//! and v over the sites.

use super::{Composition, GeneratorOf, Interpolate, Observable, System, Upsampling, fields, generator::of_fields};
use crate::{
    dynamics::{DriftNoise, Langevin, Law},
    lattice::{Boundary, Region, Shape, Stencil, Window},
    rng::Rng,
};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Parameters of the equation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PredatorPrey {
    /// a, growth rate of the predators.
    pub growth: f64,
    /// b, density of the prey at which the density of predators is constant.
    pub threshold: f64,
    /// c, diffusion of the prey; that of the predators is 1.
    pub prey_diffusion: f64,
    /// sigma_u and sigma_v, noise of a site.
    pub noise: [f64; 2],
    /// Distance between sites.
    pub spacing: f64,
    /// Time step of the integrator.
    pub step: f64,
}

impl Default for PredatorPrey {
    fn default() -> Self {
        Self { growth: 3.0, threshold: 0.4, prey_diffusion: 0.0, noise: [0.02; 2], spacing: 1.0, step: 0.01 }
    }
}

impl PredatorPrey {
    /// The longest step at which the explicit scheme damps the shortest wave, spacing^2 / (2 D).
    pub fn largest_step(&self) -> f64 {
        0.5 * self.spacing * self.spacing / self.prey_diffusion.max(1.0)
    }
}

impl PredatorPrey {
    /// Mean of the prey, and amplitude of their wave.
    fn random_start(rng: &mut Rng) -> [f64; 2] {
        [rng.random_range(0.45..=0.55), rng.random_range(0.05..=0.15)]
    }
}

impl Law for PredatorPrey {
    type Site = [f64; 2];
    const REACH: usize = 1;
    const BOUNDARY: Boundary = Boundary::Mirrored;

    fn stencil(&self) -> Stencil {
        Stencil::chain()
    }

    fn synchronous_step(&self) -> Option<f64> {
        Some(self.step)
    }
}

impl DriftNoise for PredatorPrey {
    fn step(&self) -> f64 {
        self.step
    }

    fn drift(&self, window: &Window<[f64; 2]>, site: usize) -> [f64; 2] {
        let sites = window.values();
        let [[u, v], left, right] = [sites[site], sites[site - 1], sites[site + 1]];
        let curvature =
            |field: usize| (right[field] - 2.0 * sites[site][field] + left[field]) / (self.spacing * self.spacing);
        [u * (1.0 - u - v) + self.prey_diffusion * curvature(0), self.growth * v * (u - self.threshold) + curvature(1)]
    }

    fn noise(&self) -> [f64; 2] {
        self.noise
    }
}

impl System for PredatorPrey {
    type Dynamics = Langevin;
    /// m and k.
    type Start = [f64; 2];

    const OBSERVABLES: &'static [Observable] = &[
        Observable { name: "prey", symbol: "u", unit: "1", scaled: true },
        Observable { name: "predators", symbol: "v", unit: "1", scaled: true },
    ];

    const TIME_UNIT: &'static str = "1 / growth rate of the prey";

    type Feature = f32;
    const CHANNELS: usize = 2;

    fn shape(side: usize) -> Shape {
        Shape::chain(side)
    }

    fn features(sites: &[[f64; 2]]) -> Vec<f32> {
        fields::channels(sites)
    }

    fn draw_start(&self, rng: &mut Rng) -> Option<[f64; 2]> {
        Some(Self::random_start(rng))
    }

    /// A cosine with mean m and amplitude k given by `start`, by default drawn from the published ranges.
    fn composition(&self, shape: Shape, start: Option<[f64; 2]>, rng: &mut Rng) -> Composition<[f64; 2]> {
        let [mean, amplitude] = start.unwrap_or_else(|| Self::random_start(rng));
        Composition::Independent(Box::new(move |[_, _, site], _| {
            let position = (site as f64 + 0.5) / shape.sites() as f64;
            let prey = mean + amplitude * (10.0 * PI * position).cos();
            [prey, 1.0 - prey]
        }))
    }

    fn observe(&self, window: &Window<[f64; 2]>, region: Region) -> Vec<f64> {
        let mut sums = [0.0; 2];
        for site in window.own_sites_of(region) {
            sums.iter_mut().zip(window.values()[site]).for_each(|(sum, value)| *sum += value);
        }
        sums.to_vec()
    }

    const GENERATOR: Option<GeneratorOf<Self>> = Some(of_fields);

    const LIBRARY: &'static [&'static str] = &["u^2", "u v", "v^2", "grad u^2", "grad v^2"];

    fn library(&self, window: &Window<[f64; 2]>, region: Region) -> Vec<f64> {
        let (sites, mut sums) = (window.values(), [0.0; 5]);
        for site in window.own_sites_of(region) {
            let [[u, v], left, right] = [sites[site], sites[site - 1], sites[site + 1]];
            // Each end of a bond counts half of it.
            let slope = |field: usize| {
                let value = sites[site][field];
                0.5 * ((value - left[field]).powi(2) + (right[field] - value).powi(2)) / self.spacing.powi(2)
            };
            let values = [u * u, u * v, v * v, slope(0), slope(1)];
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        sums.to_vec()
    }

    fn upsampling(&self) -> Box<dyn Upsampling<Self>> {
        Box::new(Interpolate)
    }

    fn check(&self, starts: &[[f64; 2]]) -> Result<(), String> {
        let table = "system.predator_prey";
        fields::at_least_zero(table, "growth", self.growth)?;
        fields::at_least_zero(table, "prey_diffusion", self.prey_diffusion)?;
        fields::at_least_zero(table, "noise", self.noise[0].min(self.noise[1]))?;
        fields::above_zero(table, "spacing", self.spacing)?;
        fields::stable_step(table, self.step, self.largest_step(), &["spacing", "prey_diffusion"])?;
        match starts.iter().flatten().find(|value| !value.is_finite()) {
            Some(value) => Err(format!("truth.starts holds {value}; a start is [mean, amplitude] of the prey")),
            None => Ok(()),
        }
    }
}
