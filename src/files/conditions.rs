//! The conditions of a family of systems in the data files: `condition`, one value an item, and beside it `time_unit`
//! where the unit of time is known in s. Files of a single system have no such fields.

use crate::{
    config::Input,
    dataset::{Field, Reader, Writer},
    workflow::StageError,
};
use ndarray::Array1;
use std::ops::Range;

/// Name, unit and meaning of a field, and its value under each condition.
type Known = (&'static str, &'static str, &'static str, Vec<f64>);

/// The fields that the files of an input have.
fn fields(input: &Input) -> Vec<Known> {
    let system = &input.system;
    if !system.is_family() {
        return Vec::new();
    }
    let conditions = system.conditions().to_vec();
    let seconds: Option<Vec<f64>> = (0..conditions.len()).map(|index| system.seconds(index)).collect();
    let meaning = "condition that the system is under, such as the temperature";
    let condition = ("condition", system.condition_axis().unit, meaning, conditions);
    let time_unit = seconds.map(|seconds| ("time_unit", "s", "unit of all times of the item", seconds));
    [Some(condition), time_unit].into_iter().flatten().collect()
}

/// Declares the fields for items that count along `axis`.
///
/// # Errors
/// When HDF5 refuses.
pub fn declare(file: &mut Writer, input: &Input, axis: &str, items: usize) -> Result<(), StageError> {
    for (name, unit, meaning, _) in fields(input) {
        file.declare::<f64>(Field { name, axes: &[axis], extents: &[items], unit, meaning })?;
        file.coordinate(name);
    }
    Ok(())
}

/// Writes the conditions, given by index, of items from `first` on.
///
/// # Errors
/// When HDF5 refuses.
pub fn write(
    file: &Writer,
    input: &Input,
    first: usize,
    indices: impl Iterator<Item = usize> + Clone,
) -> Result<(), StageError> {
    for (name, _, _, by_index) in fields(input) {
        file.write(name, first, Array1::from_iter(indices.clone().map(|index| by_index[index])).view())?;
    }
    Ok(())
}

/// Copies the fields of some items of another file.
///
/// # Errors
/// When HDF5 refuses.
pub fn copy(from: &Reader, to: &Writer, input: &Input, items: Range<usize>) -> Result<(), StageError> {
    for (name, ..) in fields(input) {
        to.write(name, items.start, from.read_items::<f64>(name, items.clone())?.view())?;
    }
    Ok(())
}
