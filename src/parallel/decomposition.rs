//! The division of a lattice over a Cartesian grid of ranks, each with a block of whole tiles.

use crate::lattice::{Boundary, Shape, Tiling};
use std::ops::Range;

/// Why a lattice cannot be divided.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum DecompositionError {
    /// The extents of a tile do not divide those of the lattice.
    #[error("tiles of {tile:?} do not fit into a lattice of {lattice:?}. Choose a tile whose sides divide the lattice")]
    Tile {
        /// Extents of a tile.
        tile: Vec<usize>,
        /// Extents of the lattice.
        lattice: Vec<usize>,
    },
    /// A tile covers a whole axis, so its window would be its own surroundings.
    #[error(
        "a tile of {tile:?} covers a whole side of the lattice of {lattice:?}. Choose a tile of at most half the side, \
         or leave the tile out to evolve the lattice exactly, as one window"
    )]
    OneTile {
        /// Extents of a tile.
        tile: Vec<usize>,
        /// Extents of the lattice.
        lattice: Vec<usize>,
    },
    /// No grid of this many ranks gives every rank a tile.
    #[error(
        "{ranks} ranks cannot share a lattice of {counts:?} tiles, because no grid of {ranks} blocks has a tile for \
         every block. Use {nearest} ranks, or smaller tiles"
    )]
    Ranks {
        /// Number of ranks.
        ranks: usize,
        /// Tiles along each axis.
        counts: Vec<usize>,
        /// The largest smaller number of ranks that can share the lattice.
        nearest: usize,
    },
    /// The tiles are too small for the reach of events.
    #[error(
        "a tile of {tile:?} is too small: events read {reach} sites and write {spread} sites beyond it, so tiles of \
         one colour would interact. Choose a tile with at least {least} sites along each side"
    )]
    Thin {
        /// Extents of a tile.
        tile: Vec<usize>,
        /// Distance in sites that events read.
        reach: usize,
        /// Distance in sites that they write.
        spread: usize,
        /// Smallest side that is enough.
        least: usize,
    },
}

/// A lattice of tiles, divided over a grid of ranks.
#[derive(Clone, Debug)]
pub struct Decomposition {
    /// Extents of the lattice.
    pub lattice: Shape,
    /// The tiles.
    pub tiling: Tiling,
    /// Number of ranks along each axis.
    pub grid: [usize; 3],
    /// What lies beyond the edges of the lattice.
    pub boundary: Boundary,
}

impl Decomposition {
    /// Divides `lattice` over the grid of `ranks` ranks whose largest block is the smallest, counting a tile more on every
    /// divided axis: the surface costs too, so that blocks are as square as the number of ranks allows.
    ///
    /// # Errors
    /// When the tiles do not fit, or no grid of this many ranks gives every rank a tile.
    pub fn new(lattice: Shape, tile: Shape, ranks: usize) -> Result<Self, DecompositionError> {
        let tiling = Tiling::new(lattice, tile)
            .ok_or_else(|| DecompositionError::Tile { tile: tile.used(), lattice: lattice.used() })?;
        let grid = best_grid(&tiling, ranks).ok_or_else(|| DecompositionError::Ranks {
            ranks,
            counts: Shape(tiling.counts).used(),
            nearest: (1..ranks).rev().find(|&fewer| best_grid(&tiling, fewer).is_some()).unwrap_or(1),
        })?;
        Ok(Self { lattice, tiling, grid, boundary: Boundary::Periodic })
    }

    /// The same decomposition for a lattice with this boundary.
    pub fn bounded(self, boundary: Boundary) -> Self {
        Self { boundary, ..self }
    }

    /// Number of ranks.
    pub fn ranks(&self) -> usize {
        self.grid.iter().product()
    }

    /// Sites along `axis` of the ranks at `position` of the grid.
    pub fn bounds(&self, axis: usize, position: usize) -> Range<usize> {
        let bound = |position| position * self.tiling.counts[axis] / self.grid[axis] * self.tiling.tile.0[axis];
        bound(position)..bound(position + 1)
    }

    /// First site and extents of the block of a rank.
    pub fn block(&self, rank: usize) -> ([usize; 3], Shape) {
        let position = Shape(self.grid).coordinate(rank);
        let bounds: [Range<usize>; 3] = std::array::from_fn(|axis| self.bounds(axis, position[axis]));
        (bounds.clone().map(|range| range.start), Shape(bounds.map(|range| range.len())))
    }

    /// The position of the grid along `axis` that owns the sites with this coordinate.
    pub(super) fn position(&self, axis: usize, site: usize) -> usize {
        let (tile, counts, grid) = (site / self.tiling.tile.0[axis], self.tiling.counts[axis], self.grid[axis]);
        // The largest position whose first tile, position * counts / grid rounded down, is at most this one.
        ((tile + 1) * grid - 1) / counts
    }

    /// The rank that owns a site at a periodic coordinate.
    pub fn owner(&self, site: [isize; 3]) -> usize {
        let inside = |axis: usize| site[axis].rem_euclid(self.lattice.0[axis] as isize) as usize;
        let position = std::array::from_fn(|axis| self.position(axis, inside(axis)) as isize);
        Shape(self.grid).wrapped_index(position)
    }
}

fn best_grid(tiling: &Tiling, ranks: usize) -> Option<[usize; 3]> {
    let divisors = |number: usize| (1..=number).filter(move |divisor| number.is_multiple_of(*divisor));
    let grids = divisors(ranks)
        .flat_map(|first| divisors(ranks / first).map(move |second| [first, second, ranks / first / second]));
    let fits = |grid: &[usize; 3]| (0..3).all(|axis| (1..=tiling.counts[axis]).contains(&grid[axis]));
    grids.filter(fits).min_by_key(|grid| {
        let largest = |axis: usize| tiling.counts[axis].div_ceil(grid[axis]) * tiling.tile.0[axis];
        let block: [usize; 3] = std::array::from_fn(largest);
        let grown = |axis: usize| block[axis] + if grid[axis] > 1 { tiling.tile.0[axis] } else { 0 };
        let longest = grid.iter().max().copied();
        ((0..3).map(grown).product::<usize>(), block.iter().product::<usize>(), longest)
    })
}
