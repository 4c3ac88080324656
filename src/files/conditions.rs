//! The conditions of a family of systems in the data files: `condition`, one value an item, beside it `condition_Nb`
//! and so on where conditions have more axes, and `time_unit` where the unit of time is known in s. Files of a single system have no such fields.

use crate::{
    config::Input,
    dataset::{Field, Reader, Writer},
    systems::ConditionAxis,
    workflow::StageError,
};
use ndarray::{Array1, Array2};
use std::ops::Range;

/// Name, unit and meaning of a field, and its value under each condition.
type Known = (String, &'static str, String, Vec<f64>);

/// The fields that the files of an input have.
fn fields(input: &Input) -> Vec<Known> {
    let system = &input.system;
    if !system.is_family() {
        return Vec::new();
    }
    let conditions = system.conditions();
    let seconds: Option<Vec<f64>> = (0..conditions.len()).map(|index| system.seconds(index)).collect();
    let along = |(index, axis): (usize, &ConditionAxis)| {
        let values = conditions.iter().map(|condition| condition.0[index]).collect();
        let meaning = format!("condition that the system is under: {}", axis.name);
        (name_along(index, axis), axis.unit, meaning, values)
    };
    let time_unit = seconds.map(|seconds| ("time_unit".into(), "s", "unit of all times of the item".into(), seconds));
    system.condition_axes().iter().enumerate().map(along).chain(time_unit).collect()
}

fn name_along(index: usize, axis: &ConditionAxis) -> String {
    if index == 0 { "condition".into() } else { format!("condition_{}", axis.name) }
}

/// The conditions of some items, `[item, axis]`; `None` for a single system.
///
/// # Errors
/// When HDF5 refuses.
pub fn read(from: &Reader, input: &Input, items: Range<usize>) -> Result<Option<Array2<f32>>, StageError> {
    let axes = input.system.condition_axes();
    if !input.system.is_family() {
        return Ok(None);
    }
    let mut found = Array2::zeros((items.len(), axes.len()));
    for ((index, axis), mut column) in axes.iter().enumerate().zip(found.columns_mut()) {
        let values = from.read_items::<f64>(&name_along(index, axis), items.clone())?;
        column.iter_mut().zip(&values).for_each(|(place, &value)| *place = value as f32);
    }
    Ok(Some(found))
}

/// Declares the fields for items that count along `axis`.
///
/// # Errors
/// When HDF5 refuses.
pub fn declare(file: &mut Writer, input: &Input, axis: &str, items: usize) -> Result<(), StageError> {
    for (name, unit, meaning, _) in fields(input) {
        file.declare::<f64>(Field { name: &name, axes: &[axis], extents: &[items], unit, meaning: &meaning })?;
        file.coordinate(&name);
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
        file.write(&name, first, Array1::from_iter(indices.clone().map(|index| by_index[index])).view())?;
    }
    Ok(())
}

/// Copies the fields of some items of another file.
///
/// # Errors
/// When HDF5 refuses.
pub fn copy(from: &Reader, to: &Writer, input: &Input, items: Range<usize>) -> Result<(), StageError> {
    for (name, ..) in fields(input) {
        to.write(&name, items.start, from.read_items::<f64>(&name, items.clone())?.view())?;
    }
    Ok(())
}
