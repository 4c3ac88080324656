//! Windows that cover a lattice, in groups that may evolve at the same time with fixed surroundings.
//!
//! A cover is a rule, not a list: windows are found from their group and their position in it, so that a rank needs to
//! look only at those near its own sites.

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
#[derive(Clone, Copy, Debug)]
pub struct Cover {
    /// Extents of each window.
    pub shape: Shape,
    axes: [Axis; 3],
    shift: [isize; 3],
    /// Whether windows count row by row, as the tiles of a tiling, not group by group.
    by_row: bool,
}

/// The windows along one axis, coloured in turn.
#[derive(Clone, Copy, Debug)]
struct Axis {
    count: usize,
    stride: usize,
    /// Colours that follow one another.
    cycle: usize,
    /// Whether the last window has a colour of its own.
    last_apart: bool,
}

impl Axis {
    fn colours(&self) -> usize {
        self.cycle + usize::from(self.last_apart)
    }

    /// Windows of a colour.
    fn len(&self, colour: usize) -> usize {
        if colour == self.cycle {
            return 1;
        }
        (self.count - usize::from(self.last_apart) - colour).div_ceil(self.cycle)
    }

    /// Which of all windows the one at this position of a colour is.
    fn coordinate(&self, colour: usize, position: usize) -> usize {
        if colour == self.cycle { self.count - 1 } else { colour + position * self.cycle }
    }
}

/// The windows of a cover that may evolve at the same time: they are apart.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    cover: Cover,
    colour: [usize; 3],
    /// Windows along each axis.
    pub counts: Shape,
    /// Windows of the groups before.
    before: u64,
}

impl Cover {
    /// The tiles in groups of one colour, with the indices of the tiling; no two tiles of a group touch. Two colours
    /// along each axis that is cut; an odd count (above 1) needs three.
    pub fn coloured(tiling: &Tiling) -> Self {
        Self::of_tiles(tiling, |count| (count.min(2), count > 1 && count % 2 == 1))
    }

    /// All tiles as one group, for laws in which every site takes its step from the same old state.
    pub fn together(tiling: &Tiling) -> Self {
        Self::of_tiles(tiling, |_| (1, false))
    }

    fn of_tiles(tiling: &Tiling, colours: impl Fn(usize) -> (usize, bool)) -> Self {
        let axis = |axis: usize| {
            let (cycle, last_apart) = colours(tiling.counts[axis]);
            Axis { count: tiling.counts[axis], stride: tiling.tile.0[axis], cycle, last_apart }
        };
        Self { shape: tiling.tile, axes: std::array::from_fn(axis), shift: [0; 3], by_row: true }
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
        let strides = Self::stride(patch);
        let axis = |axis: usize| {
            let stride = strides[axis];
            assert!(lattice.0[axis].is_multiple_of(stride), "half a patch of {patch:?} must divide {lattice:?}");
            let count = match boundary {
                Boundary::Periodic => lattice.0[axis] / stride,
                Boundary::Mirrored => (lattice.0[axis] - patch.0[axis]) / stride + 1,
            };
            let cycle = match boundary {
                Boundary::Periodic => (3..=count).find(|divisor| count.is_multiple_of(*divisor)).unwrap_or(count),
                Boundary::Mirrored => count.min(3),
            };
            Axis { count, stride, cycle, last_apart: false }
        };
        Self { shape: patch, axes: std::array::from_fn(axis), shift: [0; 3], by_row: false }
    }

    /// The groups.
    pub fn groups(&self) -> impl Iterator<Item = Group> + use<> {
        let (cover, colours) = (*self, Shape(self.axes.map(|axis| axis.colours())));
        (0..colours.sites()).scan(0, move |before, group| {
            let colour = colours.coordinate(group);
            let counts = Shape(std::array::from_fn(|axis| cover.axes[axis].len(colour[axis])));
            let group = Group { cover, colour, counts, before: *before };
            *before += counts.sites() as u64;
            Some(group)
        })
    }

    /// The same windows somewhere else.
    pub fn shifted(&self, by: [isize; 3]) -> Self {
        Self { shift: std::array::from_fn(|axis| self.shift[axis] + by[axis]), ..*self }
    }

    /// Half a patch along each used axis: the stride of overlapping patches.
    pub fn stride(patch: Shape) -> [usize; 3] {
        patch.0.map(|extent| (extent / 2).max(1))
    }
}

impl Group {
    /// First sites along `axis` of the windows in their order.
    pub fn origins(&self, axis: usize) -> impl Iterator<Item = isize> {
        (0..self.counts.0[axis]).map(move |position| self.origin(axis, position))
    }

    fn origin(&self, axis: usize, position: usize) -> isize {
        let windows = &self.cover.axes[axis];
        (windows.coordinate(self.colour[axis], position) * windows.stride) as isize + self.cover.shift[axis]
    }

    /// The window at a position of the group, counted row by row.
    pub fn window(&self, position: usize) -> Placed {
        let along = self.counts.coordinate(position);
        let index = if self.cover.by_row {
            let counts = Shape(self.cover.axes.map(|axis| axis.count));
            let coordinate = |axis: usize| self.cover.axes[axis].coordinate(self.colour[axis], along[axis]) as isize;
            counts.wrapped_index(std::array::from_fn(coordinate)) as u64
        } else {
            self.before + position as u64
        };
        Placed { index, origin: std::array::from_fn(|axis| self.origin(axis, along[axis])) }
    }

    /// All windows in their order.
    pub fn windows(&self) -> impl Iterator<Item = Placed> {
        (0..self.counts.sites()).map(|position| self.window(position))
    }
}
