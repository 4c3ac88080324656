//! Disjoint tiles that cover a lattice.

use super::Shape;

/// A cover of a lattice by disjoint tiles of one shape.
#[derive(Clone, Copy, Debug)]
pub struct Tiling {
    /// Extents of one tile.
    pub tile: Shape,
    /// Number of tiles along each axis.
    pub counts: [usize; 3],
}

impl Tiling {
    /// Cuts `lattice` into tiles; `None` when they do not fit a whole number of times.
    pub fn new(lattice: Shape, tile: Shape) -> Option<Self> {
        let fits = (0..3).all(|axis| tile.0[axis] > 0 && lattice.0[axis].is_multiple_of(tile.0[axis]));
        fits.then(|| Self { tile, counts: std::array::from_fn(|axis| lattice.0[axis] / tile.0[axis]) })
    }

    /// Number of tiles (the K patches of Eq. 1 when the tile is a patch).
    pub fn len(&self) -> usize {
        self.counts.iter().product()
    }

    /// Whether there is no tile; never true for a cover of a lattice.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// First site of the tile with this index, tiles counted row-major.
    pub fn origin(&self, index: usize) -> [isize; 3] {
        let coordinate = Shape(self.counts).coordinate(index);
        std::array::from_fn(|axis| (coordinate[axis] * self.tile.0[axis]) as isize)
    }
}
