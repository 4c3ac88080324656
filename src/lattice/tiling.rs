//! Which windows cover a lattice, and which of them may evolve at the same time.

use super::{Boundary, Shape};

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

    /// First site of tile `number`, tiles counted row-major.
    pub fn origin(&self, number: usize) -> [isize; 3] {
        let coordinate = Shape(self.counts).coordinate(number);
        std::array::from_fn(|axis| (coordinate[axis] * self.tile.0[axis]) as isize)
    }

    /// The tiles in groups of one colour: no two tiles of a group touch, so a group may evolve at the same time
    /// with fixed surroundings. Two colours along each axis that is cut; an odd count (above 1) needs three.
    pub fn colours(&self) -> Vec<Vec<usize>> {
        let colours = self.counts.map(|count| if count == 1 { 1 } else { 2 + count % 2 });
        let colour_of = |coordinate: [usize; 3]| -> [usize; 3] {
            std::array::from_fn(|axis| {
                let last_of_odd = colours[axis] == 3 && coordinate[axis] + 1 == self.counts[axis];
                if last_of_odd { 2 } else { coordinate[axis] % 2.min(colours[axis]) }
            })
        };
        group_by_colour(Shape(self.counts), Shape(colours), colour_of)
    }
}

/// The origins of overlapping patches with stride half a patch (LocalRelax), in groups that may relax at the same time.
///
/// On a periodic lattice they also lie across its edges, between mirrors they end there. Along each axis the patches are
/// coloured in turn; the number of colours is the smallest divisor, at least 3, of the number of patches (3 between
/// mirrors), so that patches of one colour are at least half a patch apart.
///
/// # Panics
/// When half a patch does not divide the lattice.
pub fn overlapping_patches(lattice: Shape, patch: Shape, boundary: Boundary) -> Vec<Vec<[isize; 3]>> {
    let stride: [usize; 3] = std::array::from_fn(|axis| (patch.0[axis] / 2).max(1));
    let counts: [usize; 3] = std::array::from_fn(|axis| {
        assert!(lattice.0[axis].is_multiple_of(stride[axis]), "half a patch of {patch:?} must divide {lattice:?}");
        match boundary {
            Boundary::Periodic => lattice.0[axis] / stride[axis],
            Boundary::Mirrored => (lattice.0[axis] - patch.0[axis]) / stride[axis] + 1,
        }
    });
    let colours = counts.map(|count| match boundary {
        Boundary::Periodic => (3..=count).find(|divisor| count.is_multiple_of(*divisor)).unwrap_or(count),
        Boundary::Mirrored => count.min(3),
    });
    let colour_of = |coordinate: [usize; 3]| std::array::from_fn(|axis| coordinate[axis] % colours[axis]);
    group_by_colour(Shape(counts), Shape(colours), colour_of)
        .into_iter()
        .map(|group| {
            let origin = |number| {
                let coordinate = Shape(counts).coordinate(number);
                std::array::from_fn(|axis| (coordinate[axis] * stride[axis]) as isize)
            };
            group.into_iter().map(origin).collect()
        })
        .collect()
}

fn group_by_colour(counts: Shape, colours: Shape, colour_of: impl Fn([usize; 3]) -> [usize; 3]) -> Vec<Vec<usize>> {
    let mut groups = vec![Vec::new(); colours.sites()];
    for number in 0..counts.sites() {
        let colour = colour_of(counts.coordinate(number)).map(|value| value as isize);
        groups[colours.wrapped_index(colour)].push(number);
    }
    groups
}
