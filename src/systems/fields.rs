//! Features and parameter checks of systems of continuous fields on a line.

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
    Err(format!("{table}.{name} is {value:?}; it must be at least 0"))
}

/// # Errors
/// When the value of a key is not positive and finite.
pub fn above_zero(table: &str, name: &str, value: f64) -> Result<(), String> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(format!("{table}.{name} is {value:?}; it must be above 0"))
}

/// # Errors
/// When the explicit scheme is unstable at its step.
pub fn stable_step(table: &str, step: f64, largest: f64, keys: &[&str]) -> Result<(), String> {
    above_zero(table, "step", step)?;
    if step <= largest {
        return Ok(());
    }
    Err(format!(
        "{table}.step is {step:?}, but the explicit scheme is unstable at this step; the largest stable step is {largest:?}, \
         from {}",
        keys.iter().map(|key| format!("{table}.{key}")).collect::<Vec<_>>().join(" and ")
    ))
}
