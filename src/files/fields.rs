//! Fields that several data files have: microscopic states and observables.

use crate::{
    dataset::{Field, Writer},
    lattice::Shape,
    systems::System,
    workflow::StageError,
};
use hdf5::H5Type;

/// The axes of a field that count items, and their extents.
pub type Items<'a> = (&'a [&'a str], &'a [usize]);

/// Declares a field of microscopic states, one lattice an item. Sites of two states are bits where every part of a
/// lattice that a rank may write, a multiple of `part`, has rows of whole bytes.
///
/// # Errors
/// When HDF5 refuses.
pub fn declare_sites<S: System<Site: H5Type>>(
    file: &mut Writer,
    name: &str,
    (axes, extents): Items,
    (shape, part): (Shape, Shape),
    meaning: &str,
) -> Result<(), StageError> {
    let axes = [axes, shape.axis_names()].concat();
    let extents = [extents, &shape.used()].concat();
    let field = Field { name, axes: &axes, extents: &extents, unit: "1", meaning };
    let whole = part.0[2] == shape.0[2] || part.0[2].is_multiple_of(8);
    match S::TWO_STATES.filter(|_| whole) {
        Some(states) => Ok(file.declare_bits(field, states)?),
        None => Ok(file.declare::<S::Site>(field)?),
    }
}

/// Declares a field of the observables of each item. Their names, and what they are observed of, are its meaning.
///
/// # Errors
/// When HDF5 refuses.
pub fn declare_observables<S: System>(
    file: &mut Writer,
    name: &str,
    (axes, extents): Items,
    of: &str,
) -> Result<(), StageError> {
    let axes = [axes, &["observable"]].concat();
    let extents = [extents, &[S::OBSERVABLES.len()]].concat();
    let names = S::OBSERVABLES.iter().map(|observable| observable.name).collect::<Vec<_>>().join(", ");
    let meaning = if of.is_empty() { names } else { format!("{names}: {of}") };
    file.name_entries("observable", S::OBSERVABLES.iter().map(|observable| observable.name.into()).collect());
    Ok(file.declare::<f64>(Field { name, axes: &axes, extents: &extents, unit: "1", meaning: &meaning })?)
}
