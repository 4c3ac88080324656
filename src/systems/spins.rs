//! What the spin systems share: how a state far from equilibrium is drawn, and which parameters make sense.

use super::ConditionAxis;
use crate::{
    lattice::{Lattice, Shape},
    rng::Rng,
};
use rand::{Rng as _, seq::SliceRandom};

/// Colours of the spins, down before up.
pub const STATES: &[(&str, [u8; 3])] = &[("spin down", [31, 62, 99]), ("spin up", [244, 236, 220])];

/// Temperatures of the magnets.
pub const TEMPERATURE: ConditionAxis = ConditionAxis { name: "temperature", unit: "J / k_B" };

/// Spins shuffled at a magnetisation that is `start`, or else uniform in [-1, 1].
pub fn shuffled(shape: Shape, start: Option<f64>, rng: &mut Rng) -> Lattice<i8> {
    let magnetisation = start.unwrap_or_else(|| rng.random_range(-1.0..=1.0));
    let up = ((1.0 + magnetisation) / 2.0 * shape.sites() as f64).round() as usize;
    let mut lattice = Lattice::filled(shape, -1);
    lattice.sites[..up.min(shape.sites())].fill(1);
    lattice.sites.shuffle(rng);
    lattice
}

/// Temperatures are above 0, a field is finite, a start is a magnetisation. `name` is that of the system's table.
///
/// # Errors
/// A sentence that says what is wrong and what to do.
pub fn check(name: &str, temperatures: &[f64], field: f64, starts: &[f64]) -> Result<(), String> {
    if let Some(start) = starts.iter().find(|start| !(-1.0..=1.0).contains(*start)) {
        return Err(format!("truth.starts holds {start}; a start is a magnetisation, from -1 to 1"));
    }
    if let Some(bad) = temperatures.iter().find(|&&temperature| !(temperature > 0.0 && temperature.is_finite())) {
        return Err(format!("system.{name}.temperature is {bad}; it must be above 0"));
    }
    if !field.is_finite() {
        return Err(format!("system.{name}.field is {field}; it must be a finite number"));
    }
    Ok(())
}
