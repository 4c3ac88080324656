//! Stochastic differential equations of sites, dx = f(x) dt + sigma dB, by explicit Euler-Maruyama steps: x(t + dt) =
//! x(t) + f(x(t)) dt + sigma sqrt(dt) xi, with independent standard normal xi for every component of every site
//! (Maruyama, Rend. Circ. Mat. Palermo 4, 48 (1955)). All sites move at once; the step belongs to the law.

use super::{Dynamics, Elapsed, EvolveError, Law, Until};
use crate::{
    lattice::{Region, Window},
    rng::Rng,
};
use rand_distr::{Distribution, StandardNormal};

/// A law of drift and additive noise. A site is one `f64` or an array of them.
pub trait DriftNoise: Law {
    /// dt, the step of the integrator, in units of the law's time; above 0.
    fn step(&self) -> f64;
    /// f(x), the drift of each component at `site`.
    fn drift(&self, window: &Window<Self::Site>, site: usize) -> Self::Site;
    /// sigma, the amplitude of the noise of each component.
    fn noise(&self) -> Self::Site;
}

/// The Euler-Maruyama integrator. Holds the sites of the next step.
#[derive(Clone, Debug, Default)]
pub struct Langevin {
    next: Vec<f64>,
}

/// Relative error of a time that still counts as a whole number of steps.
const TOLERANCE: f64 = 1e-6;

fn whole_steps(step: f64, until: Until) -> Result<u64, EvolveError> {
    let Until::Time(time) = until else { return Err(EvolveError::NoEvents { step }) };
    let steps = (time / step).round();
    if steps < 1.0 || (time / step - steps).abs() > TOLERANCE * steps {
        return Err(EvolveError::NotWhole { time, step, nearest: steps.max(1.0) * step });
    }
    Ok(steps as u64)
}

impl<L: DriftNoise> Dynamics<L> for Langevin {
    fn evolve(
        &mut self,
        law: &L,
        window: &mut Window<L::Site>,
        until: Until,
        rng: &mut Rng,
    ) -> Result<Elapsed, EvolveError> {
        const { assert!(size_of::<L::Site>().is_multiple_of(size_of::<f64>()), "a site consists of f64") }
        let steps = whole_steps(law.step(), until)?;
        let noise = law.noise();
        let amplitude: &[f64] = bytemuck::cast_slice(std::slice::from_ref(&noise));
        let (step, root) = (law.step(), law.step().sqrt());
        let sites: Vec<usize> = window.sites_of(Region::BOX).collect();
        for _ in 0..steps {
            self.next.clear();
            for &site in &sites {
                let (value, drift) = (window.values()[site], law.drift(window, site));
                let value: &[f64] = bytemuck::cast_slice(std::slice::from_ref(&value));
                let drift: &[f64] = bytemuck::cast_slice(std::slice::from_ref(&drift));
                self.next.extend(value.iter().zip(drift).zip(amplitude).map(|((value, drift), amplitude)| {
                    let normal: f64 = StandardNormal.sample(rng);
                    value + drift * step + amplitude * root * normal
                }));
            }
            for (&site, &value) in sites.iter().zip(bytemuck::cast_slice::<f64, L::Site>(&self.next)) {
                window.write(site, value);
            }
        }
        Ok(Elapsed { time: steps as f64 * step, events: 0 })
    }

    fn check(law: &L, until: Until) -> Result<(), EvolveError> {
        whole_steps(law.step(), until).map(|_| ())
    }
}
