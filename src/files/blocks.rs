//! Blocks of one field, written by the ranks of a team.

use crate::{
    dataset::Writer,
    files::arrays::shaped,
    parallel::{Domain, Ranks, World},
    workflow::StageError,
};
use bytemuck::Pod;
use hdf5::H5Type;

/// Writes a team's share of one snapshot: its ranks' blocks of the field, below the item's numbers `item`. A team of all ranks
/// writes collectively, which is faster for blocks that are scattered over the file (docs/results/scaling.md).
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
