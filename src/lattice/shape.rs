//! Extents of boxes and neighbourhoods of sites.

/// Extents of a box of sites, slowest axis first. Axes that a lattice does not use have extent 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape(pub [usize; 3]);

impl Shape {
    /// A chain of `length` sites.
    pub fn chain(length: usize) -> Self {
        Self([1, 1, length])
    }

    /// A square or rectangle of `rows` x `columns` sites.
    pub fn plane(rows: usize, columns: usize) -> Self {
        Self([1, rows, columns])
    }

    /// Number of sites.
    pub fn sites(self) -> usize {
        self.0.iter().product()
    }

    /// The extents without the unused axes, as files and figures show them: `[L]`, `[L, L]` or `[L, L, L]`.
    pub fn used(self) -> Vec<usize> {
        let unused = self.0.iter().take(2).take_while(|&&extent| extent == 1).count();
        self.0[unused..].to_vec()
    }

    /// Names of the axes that [`used`](Self::used) shows.
    pub fn axis_names(self) -> &'static [&'static str] {
        &["z", "y", "x"][3 - self.used().len()..]
    }

    /// The axes with more than one site get `width`, the others 0.
    pub fn on_used_axes(self, width: usize) -> [usize; 3] {
        self.0.map(|extent| if extent > 1 { width } else { 0 })
    }

    /// Extents multiplied by `factor` on the used axes.
    pub fn scaled(self, factor: usize) -> Self {
        Self(self.0.map(|extent| if extent > 1 { extent * factor } else { 1 }))
    }

    /// Row-major index of a coordinate, which may lie outside the box: every axis is periodic.
    #[inline]
    pub fn wrapped_index(self, coordinate: [isize; 3]) -> usize {
        let [depth, rows, columns] = self.0;
        let [z, y, x] = std::array::from_fn(|axis| wrapped(coordinate[axis], self.0[axis]));
        debug_assert!(z < depth);
        (z * rows + y) * columns + x
    }

    /// Row-major index of a coordinate at most one lattice away from the box: every edge is a mirror between two sites.
    pub fn mirrored_index(self, coordinate: [isize; 3]) -> usize {
        let inside = |axis: usize| mirrored(coordinate[axis], 0, self.0[axis] as isize);
        self.wrapped_index(std::array::from_fn(inside))
    }

    /// Coordinate of a row-major index.
    pub fn coordinate(self, index: usize) -> [usize; 3] {
        let [_, rows, columns] = self.0;
        [index / (rows * columns), index / columns % rows, index % columns]
    }
}

/// What lies beyond the edges of a lattice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Boundary {
    /// The opposite side.
    #[default]
    Periodic,
    /// The lattice again, seen in a mirror between two sites: no gradient across the edge (Neumann).
    Mirrored,
}

/// A position seen in the mirrors at the lower and upper edge of `low..high`.
pub(super) fn mirrored(position: isize, low: isize, high: isize) -> isize {
    if position < low {
        2 * low - 1 - position
    } else if position >= high {
        2 * high - 1 - position
    } else {
        position
    }
}

/// A coordinate on a periodic axis; without a division where it lies on it already.
#[inline]
pub(super) fn wrapped(coordinate: isize, extent: usize) -> usize {
    if (0..extent as isize).contains(&coordinate) {
        coordinate as usize
    } else {
        coordinate.rem_euclid(extent as isize) as usize
    }
}

/// The offsets of the sites that the rate of a site depends on, itself excluded. Symmetric: if a reads b, b reads a.
#[derive(Clone, Debug)]
pub struct Stencil(pub Vec<[isize; 3]>);

impl Stencil {
    /// The two nearest neighbours in a chain.
    pub fn chain() -> Self {
        Self(vec![[0, 0, -1], [0, 0, 1]])
    }

    /// The four nearest neighbours on the square lattice.
    pub fn square() -> Self {
        Self(vec![[0, -1, 0], [0, 0, -1], [0, 0, 1], [0, 1, 0]])
    }

    /// The largest distance along any axis.
    pub fn reach(&self) -> usize {
        self.0.iter().flatten().map(|offset| offset.unsigned_abs()).max().unwrap_or(0)
    }
}
