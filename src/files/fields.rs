//! Fields that several data files have: microscopic states and observables.

use crate::{
    dataset::{Field, Writer},
    files::arrays::shaped,
    lattice::Shape,
    parallel::{Domain, Ranks, World},
    systems::System,
    workflow::StageError,
};
use bytemuck::Pod;
use hdf5::H5Type;

/// The axes of a field that count items, and their extents.
pub type Items<'a> = (&'a [&'a str], &'a [usize]);

/// Declares a field of microscopic states, one lattice an item.
///
/// # Errors
/// When HDF5 refuses.
pub fn declare_sites<S: System<Site: H5Type>>(
    file: &mut Writer,
    name: &str,
    (axes, extents): Items,
    shape: Shape,
    meaning: &str,
) -> Result<(), StageError> {
    let axes = [axes, shape.axis_names()].concat();
    let extents = [extents, &shape.used()].concat();
    Ok(file.declare::<S::Site>(Field { name, axes: &axes, extents: &extents, unit: "1", meaning })?)
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
    Ok(file.declare::<f64>(Field { name, axes: &axes, extents: &extents, unit: "1", meaning: &meaning })?)
}

/// Writes a team's share of one lattice: its ranks' blocks, below the indices `item`. A team of all ranks writes
/// collectively, which is faster for blocks that are scattered over the file (docs/results/scaling.md).
///
/// # Errors
/// When HDF5 refuses.
pub fn write_block<T: H5Type + Pod + Default + Send + Sync>(
    file: &Writer,
    (world, team): (&World, &World),
    name: &str,
    item: &[usize],
    domain: &Domain<T>,
) -> Result<(), StageError> {
    let (origin, block) = domain.block();
    let unused = 3 - domain.decomposition().lattice.used().len();
    let first = [item, &origin[unused..]].concat();
    let extents = [&vec![1; item.len()], &block.0[unused..]].concat();
    let sites = domain.sites();
    if team.size() > 1 && team.size() == world.size() {
        return Ok(file.write_together(name, &first, &extents, &sites)?);
    }
    Ok(file.write_at(name, &first, shaped(&extents, &sites))?)
}
