//! The conditions of a family of systems in the data files: `condition`, one number an item, and beside it `time_unit` where
//! the unit of time is known in s. Files of a single system have no such fields.

use crate::{
    config::Input,
    dataset::{Field, Reader, Writer},
    files::arrays::shaped,
    workflow::StageError,
};
use std::ops::Range;

const CONDITION: &str = "condition";
const TIME_UNIT: &str = "time_unit";

/// Declares the fields for items that count along `axis`.
///
/// # Errors
/// When HDF5 refuses.
pub fn declare(file: &mut Writer, input: &Input, axis: &str, items: usize) -> Result<(), StageError> {
    let fields = [
        (CONDITION, input.system.condition_axis().unit, "condition that the system is under, such as the temperature"),
        (TIME_UNIT, "s", "unit of all times of the item"),
    ];
    for (name, unit, meaning) in fields.into_iter().filter(|(name, _, _)| names(input).any(|known| known == *name)) {
        file.declare::<f64>(Field { name, axes: &[axis], extents: &[items], unit, meaning })?;
    }
    Ok(())
}

/// Names of the fields that the files of an input have.
fn names(input: &Input) -> impl Iterator<Item = &'static str> {
    let family = input.system.is_family();
    let known = input.system.seconds(0).is_some();
    [family.then_some(CONDITION), (family && known).then_some(TIME_UNIT)].into_iter().flatten()
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
    let numbers: Vec<usize> = numbers.collect();
    for name in names(input) {
        let value = |&number: &usize| match name {
            CONDITION => conditions[number],
            _ => input.system.seconds(number).unwrap_or(f64::NAN),
        };
        let values: Vec<f64> = numbers.iter().map(value).collect();
        file.write(name, first, shaped(&[values.len()], &values))?;
    }
    Ok(())
}

/// Copies the fields of some items of another file.
///
/// # Errors
/// When HDF5 refuses.
pub fn copy(from: &Reader, to: &Writer, input: &Input, items: Range<usize>) -> Result<(), StageError> {
    for name in names(input) {
        let values = from.read_items::<f64>(name, items.clone())?;
        to.write(name, items.start, values.view())?;
    }
    Ok(())
}
