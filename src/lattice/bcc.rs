//! Body-centred cubic lattices in compact storage, one value a site.
//!
//! A lattice of L^3 cubic cells has 2 L^3 sites. On a grid of half the lattice constant they are the points (i, j, k)
//! whose coordinates are all even or all odd. Storage `[2 L, L, L]`: axis 0 counts the layers i, the other axes the
//! points of a layer, j = 2 y + p and k = 2 x + p with the layer's parity p = i mod 2. A step to a neighbour thus has
//! two forms, one for each parity; windows must have their first layer on an even layer of the lattice.

use super::{Region, Shape, Stencil, Window};

/// The eight nearest neighbours on the half-lattice grid, in lexicographic order.
pub const NEIGHBOURS: [[isize; 3]; 8] =
    [[-1, -1, -1], [-1, -1, 1], [-1, 1, -1], [-1, 1, 1], [1, -1, -1], [1, -1, 1], [1, 1, -1], [1, 1, 1]];

/// The box of `cells` cubic cells along each side.
pub fn shape(cells: usize) -> Shape {
    Shape([2 * cells, cells, cells])
}

/// The half-lattice point of a site.
pub fn point([layer, row, column]: [isize; 3]) -> [isize; 3] {
    let parity = layer.rem_euclid(2);
    [layer, 2 * row + parity, 2 * column + parity]
}

/// The site at a half-lattice point; `None` when its coordinates are of mixed parity.
pub fn coordinate([i, j, k]: [isize; 3]) -> Option<[isize; 3]> {
    let parity = i.rem_euclid(2);
    let fits = j.rem_euclid(2) == parity && k.rem_euclid(2) == parity;
    fits.then(|| [i, j.div_euclid(2), k.div_euclid(2)])
}

/// All half-lattice offsets to sites at a squared distance of at most `square`, without the origin, in lexicographic
/// order.
pub fn within(square: isize) -> Vec<[isize; 3]> {
    let reach = square.isqrt();
    let axis = || -reach..=reach;
    let all = axis().flat_map(|i| axis().flat_map(move |j| axis().map(move |k| [i, j, k])));
    let near = |offset: &[isize; 3]| {
        let distance: isize = offset.iter().map(|value| value * value).sum();
        distance > 0 && distance <= square && coordinate(*offset).is_some()
    };
    all.filter(near).collect()
}

/// The step in storage along a half-lattice offset from a layer of the given parity (0 or 1).
///
/// # Panics
/// When the offset leads to no site.
pub fn step(parity: isize, offset: [isize; 3]) -> [isize; 3] {
    let end = coordinate(offset.map(|value| value + parity)).expect("an offset of equal parities");
    [offset[0], end[1], end[2]]
}

/// The steps in storage along `offsets` from layers of either parity.
pub fn stencil(offsets: &[[isize; 3]]) -> Stencil {
    let mut steps: Vec<_> = (0..2).flat_map(|parity| offsets.iter().map(move |&offset| step(parity, offset))).collect();
    steps.sort_unstable();
    steps.dedup();
    Stencil(steps)
}

/// Half-lattice offsets as differences of site indices in one window.
#[derive(Clone, Debug, Default)]
pub struct Steps {
    by_parity: [Vec<isize>; 2],
    layer: usize,
    first_layer: usize,
}

impl Steps {
    /// The steps along `offsets` in windows like `window`.
    pub fn new<S: Copy + Default>(window: &Window<S>, offsets: &[[isize; 3]]) -> Self {
        let along = |parity| Stencil(offsets.iter().map(|&offset| step(parity, offset)).collect());
        let first_layer = window.rows(Region::BOX).next().map_or(0, |(coordinate, _)| coordinate[0]);
        let by_parity = [0, 1].map(|parity| window.offsets(&along(parity)));
        Self { by_parity, layer: window.strides()[0], first_layer }
    }

    /// The parity (0 or 1) of the layer of `site`.
    fn parity(&self, site: usize) -> usize {
        (site / self.layer + self.first_layer) % 2
    }

    /// The sites that lie along the offsets from `site`, in their order.
    pub fn from(&self, site: usize) -> impl Iterator<Item = usize> {
        self.by_parity[self.parity(site)].iter().map(move |&step| site.wrapping_add_signed(step))
    }

    /// The site that lies along the offset with index `offset` from `site`.
    pub fn along(&self, site: usize, offset: usize) -> usize {
        site.wrapping_add_signed(self.by_parity[self.parity(site)][offset])
    }
}
