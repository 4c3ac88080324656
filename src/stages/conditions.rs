//! The conditions of a family of systems in the data files: `condition`, one number an item. Files of a single system
//! have no such field.

use super::{StageError, records::shaped};
use crate::{
    config::Input,
    dataset::{Field, Writer},
};

/// What the conditions of all families so far are, for the axes of figures.
pub const NAME: &str = "temperature";

/// Declares the field for items that count along `axis`.
///
/// # Errors
/// When HDF5 refuses.
pub fn declare(file: &mut Writer, input: &Input, axis: &str, items: usize) -> Result<(), StageError> {
    if input.system.conditions().is_empty() {
        return Ok(());
    }
    Ok(file.declare::<f64>(Field {
        name: "condition",
        axes: &[axis],
        extents: &[items],
        unit: "that of the input",
        meaning: "condition that the system is under, such as the temperature",
    })?)
}

/// Writes the conditions, given by number, of items from `first` on.
///
/// # Errors
/// When HDF5 refuses.
pub fn write(
    file: &Writer,
    input: &Input,
    first: usize,
    numbers: impl Iterator<Item = usize>,
) -> Result<(), StageError> {
    let conditions = input.system.conditions();
    if conditions.is_empty() {
        return Ok(());
    }
    let values: Vec<f64> = numbers.map(|number| conditions[number]).collect();
    Ok(file.write("condition", first, shaped(&[values.len()], &values))?)
}

/// The end of the name of a metric under a condition: `_at_2.5`; nothing for a single system.
pub fn suffix(input: &Input, number: usize) -> String {
    input.system.conditions().get(number).map_or_else(String::new, |condition| format!("_at_{condition}"))
}

/// What names a condition in figures: `at 2.5`; nothing for a single system.
pub fn label(input: &Input, number: usize) -> String {
    input.system.conditions().get(number).map_or_else(String::new, |condition| format!("at {condition}"))
}
