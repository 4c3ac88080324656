//! Windows that cover a lattice, in groups that may evolve at the same time with fixed surroundings.

use super::{Boundary, Shape, Tiling};

/// A window of a cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Index of the window; keys its random stream.
    pub index: u64,
    /// First site.
    pub origin: [isize; 3],
}

/// Windows of one shape, group by group.
#[derive(Clone, Debug)]
pub struct Cover {
    /// Extents of each window.
    pub shape: Shape,
    /// The groups. Windows of one group are apart, so they may evolve in any order or at once.
    pub groups: Vec<Vec<Placed>>,
}

impl Cover {
    /// The tiles in groups of one colour, with the indices of the tiling; no two tiles of a group touch. Two colours
    /// along each axis that is cut; an odd count (above 1) needs three.
    pub fn coloured(tiling: &Tiling) -> Self {
        let colours = tiling.counts.map(|count| if count == 1 { 1 } else { 2 + count % 2 });
        let colour_of = |coordinate: [usize; 3]| -> [usize; 3] {
            std::array::from_fn(|axis| {
                let last_of_odd = colours[axis] == 3 && coordinate[axis] + 1 == tiling.counts[axis];
                if last_of_odd { 2 } else { coordinate[axis] % 2.min(colours[axis]) }
            })
        };
        let groups = group_by_colour(Shape(tiling.counts), Shape(colours), colour_of);
        let placed = |tile| Placed { index: tile as u64, origin: tiling.origin(tile) };
        Self { shape: tiling.tile, groups: groups.into_iter().map(|g| g.into_iter().map(placed).collect()).collect() }
    }

    /// All tiles as one group, for laws in which every site takes its step from the same old state.
    pub fn together(tiling: &Tiling) -> Self {
        let placed = |tile| Placed { index: tile as u64, origin: tiling.origin(tile) };
        Self { shape: tiling.tile, groups: vec![(0..tiling.len()).map(placed).collect()] }
    }

    /// Overlapping patches with stride half a patch (LocalRelax of Algorithm 1), counted in the order of the groups.
    ///
    /// On a periodic lattice they also lie across its edges, between mirrors they end there. Along each axis the
    /// patches are coloured in turn; the number of colours is the smallest divisor, at least 3, of the number of
    /// patches (3 between mirrors), so that patches of one colour are at least half a patch apart.
    ///
    /// # Panics
    /// When half a patch does not divide the lattice.
    pub fn overlapping(lattice: Shape, patch: Shape, boundary: Boundary) -> Self {
        let stride = Self::stride(patch);
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
        let mut indices = 0..;
        let mut placed = |patch| {
            let coordinate = Shape(counts).coordinate(patch);
            let origin = std::array::from_fn(|axis| (coordinate[axis] * stride[axis]) as isize);
            Placed { index: indices.next().unwrap_or_default(), origin }
        };
        let groups = group_by_colour(Shape(counts), Shape(colours), colour_of);
        Self { shape: patch, groups: groups.into_iter().map(|g| g.into_iter().map(&mut placed).collect()).collect() }
    }

    /// The same windows somewhere else.
    pub fn shifted(&self, by: [isize; 3]) -> Self {
        let mut shifted = self.clone();
        for placed in shifted.groups.iter_mut().flatten() {
            placed.origin = std::array::from_fn(|axis| placed.origin[axis] + by[axis]);
        }
        shifted
    }

    /// Half a patch along each used axis: the stride of overlapping patches.
    pub fn stride(patch: Shape) -> [usize; 3] {
        patch.0.map(|extent| (extent / 2).max(1))
    }
}

fn group_by_colour(counts: Shape, colours: Shape, colour_of: impl Fn([usize; 3]) -> [usize; 3]) -> Vec<Vec<usize>> {
    let mut groups = vec![Vec::new(); colours.sites()];
    for index in 0..counts.sites() {
        let colour = colour_of(counts.coordinate(index)).map(|value| value as isize);
        groups[colours.wrapped_index(colour)].push(index);
    }
    groups
}
