//! What the systems of continuous fields on a line share: Upsample by interpolation, features, and parameter checks.

use crate::lattice::Lattice;
use bytemuck::Pod;

/// Upsample for a field between mirrors: each cell becomes `factor` cells, with values interpolated linearly between the
/// centres of the old cells. Components are `f64`s; the mean changes only by what the mirrors at the ends add.
pub fn interpolated<S: Pod>(lattice: &Lattice<S>, factor: usize) -> Lattice<S> {
    let shape = lattice.shape.scaled(factor);
    let components = size_of::<S>() / size_of::<f64>();
    let coarse: &[f64] = bytemuck::cast_slice(&lattice.sites);
    let at =
        |site: isize, component: usize| coarse[lattice.shape.mirrored_index([0, 0, site]) * components + component];
    let mut fine = Vec::with_capacity(shape.sites() * components);
    for site in 0..shape.sites() {
        let position = (site as f64 + 0.5) / factor as f64 - 0.5;
        let (left, share) = (position.floor() as isize, position - position.floor());
        fine.extend((0..components).map(|c| (1.0 - share) * at(left, c) + share * at(left + 1, c)));
    }
    Lattice::from_sites(shape, bytemuck::cast_slice(&fine).to_vec())
}

/// Sites `[site][channel]` as features `[channel, site]`.
pub fn channels<const N: usize>(sites: &[[f64; N]]) -> Vec<f32> {
    (0..N).flat_map(|channel| sites.iter().map(move |site| site[channel] as f32)).collect()
}

/// # Errors
/// When the value of a key is negative or not finite.
pub fn at_least_zero(table: &str, name: &str, value: f64) -> Result<(), String> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(format!("{table}.{name} is {value}; it must be at least 0"))
}

/// # Errors
/// When the value of a key is not positive and finite.
pub fn above_zero(table: &str, name: &str, value: f64) -> Result<(), String> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(format!("{table}.{name} is {value}; it must be above 0"))
}

/// # Errors
/// When the explicit scheme is unstable at its step.
pub fn stable_step(table: &str, step: f64, largest: f64) -> Result<(), String> {
    above_zero(table, "step", step)?;
    if step <= largest {
        return Ok(());
    }
    Err(format!(
        "{table}.step is {step}, at which the explicit scheme is unstable; the largest stable step is {largest}"
    ))
}
