//! Initial states and parameter checks of spin systems.

use super::{Composition, ConditionAxis};
use crate::{lattice::Shape, rng::Rng};
use rand::Rng as _;

/// Colours of the spins, down before up.
pub const STATES: &[(&str, [u8; 3])] = &[("spin down", [31, 62, 99]), ("spin up", [244, 236, 220])];

/// The temperature of magnets as a condition.
pub const TEMPERATURE: ConditionAxis = ConditionAxis { name: "temperature", unit: "J / k_B" };

/// Random spins with the magnetisation `start`, by default uniform in [-1, 1].
pub fn shuffled(shape: Shape, start: Option<f64>, rng: &mut Rng) -> Composition<i8> {
    let magnetisation = start.unwrap_or_else(|| rng.random_range(-1.0..=1.0));
    let up = ((1.0 + magnetisation) / 2.0 * shape.sites() as f64).round() as u64;
    let up = up.min(shape.sites() as u64);
    Composition::Mixed { states: vec![1, -1], counts: vec![vec![up, shape.sites() as u64 - up]] }
}

/// Checks temperatures, field and starts. `name` is that of the system's table.
///
/// # Errors
/// When a temperature is not above 0, the field is not finite, or a start is not a magnetisation.
pub fn check(name: &str, temperatures: &[f64], field: f64, starts: &[f64]) -> Result<(), String> {
    if let Some(start) = starts.iter().find(|start| !(-1.0..=1.0).contains(*start)) {
        return Err(format!("truth.starts holds {start}; a start is a magnetisation between -1 and 1"));
    }
    if let Some(bad) = temperatures.iter().find(|&&temperature| !(temperature > 0.0 && temperature.is_finite())) {
        return Err(format!("system.{name}.temperature is {bad}; it must be above 0"));
    }
    if !field.is_finite() {
        return Err(format!("system.{name}.field is {field}; it must be a finite number"));
    }
    Ok(())
}
