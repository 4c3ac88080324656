//! A whole periodic lattice in compact row-major storage, one value a site.

use super::{Boundary, Shape, shape::wrapped};
use std::ops::Range;

/// The microscopic state of a periodic system.
#[derive(Clone, Debug, PartialEq)]
pub struct Lattice<S> {
    /// Extents.
    pub shape: Shape,
    /// Values in row-major order, `shape.sites()` of them.
    pub sites: Vec<S>,
}

impl<S: Copy> Lattice<S> {
    /// A lattice with the same value everywhere.
    pub fn filled(shape: Shape, value: S) -> Self {
        Self { shape, sites: vec![value; shape.sites()] }
    }

    /// A lattice around existing values.
    ///
    /// # Panics
    /// When the number of values is not the number of sites.
    pub fn from_sites(shape: Shape, sites: Vec<S>) -> Self {
        assert_eq!(shape.sites(), sites.len(), "a lattice of shape {shape:?} needs that many values");
        Self { shape, sites }
    }

    /// The value at a coordinate, periodic on every axis.
    pub fn at(&self, coordinate: [isize; 3]) -> S {
        self.sites[self.shape.wrapped_index(coordinate)]
    }

    /// Every site becomes a block of `factor` sites along each used axis (the Upsample step of Algorithm 1 for spins).
    pub fn replicated(&self, factor: usize) -> Self {
        let shape = self.shape.scaled(factor);
        let ratio: [usize; 3] = std::array::from_fn(|axis| shape.0[axis] / self.shape.0[axis]);
        let [_, rows, columns] = self.shape.0;
        let mut sites = Vec::with_capacity(shape.sites());
        for z in 0..shape.0[0] {
            for y in 0..shape.0[1] {
                let start = (z / ratio[0] * rows + y / ratio[1]) * columns;
                let row = &self.sites[start..start + columns];
                sites.extend(row.iter().flat_map(|&value| std::iter::repeat_n(value, ratio[2])));
            }
        }
        Self { shape, sites }
    }

    /// Writes a box of values, row-major, whose first site lies at `origin`; periodic.
    pub fn paste(&mut self, origin: [isize; 3], shape: Shape, values: &[S]) {
        let [depth, rows, columns] = shape.0.map(|extent| extent as isize);
        let mut values = values.chunks_exact(columns as usize);
        for z in 0..depth {
            for (y, row) in (0..rows).zip(&mut values) {
                self.paste_row([origin[0] + z, origin[1] + y, origin[2]], row);
            }
        }
    }

    /// The row of `length` sites that starts at `coordinate` (periodic) and runs along the fastest axis, no longer than
    /// the lattice: up to its edge, and from there.
    #[inline]
    pub fn row(&self, coordinate: [isize; 3], length: usize) -> [&[S]; 2] {
        let (line, from) = self.line(coordinate);
        let (rest, first) = self.sites[line].split_at(from);
        let turn = length.min(first.len());
        [&first[..turn], &rest[..length - turn]]
    }

    /// As [`row`](Self::row), to be written.
    #[inline]
    pub fn row_mut(&mut self, coordinate: [isize; 3], length: usize) -> [&mut [S]; 2] {
        let (line, from) = self.line(coordinate);
        let (rest, first) = self.sites[line].split_at_mut(from);
        let turn = length.min(first.len());
        [&mut first[..turn], &mut rest[..length - turn]]
    }

    /// All sites along the fastest axis through `coordinate` (periodic), and which of them it is.
    #[inline]
    fn line(&self, coordinate: [isize; 3]) -> (Range<usize>, usize) {
        let columns = self.shape.0[2];
        let start = self.shape.wrapped_index([coordinate[0], coordinate[1], 0]);
        (start..start + columns, wrapped(coordinate[2], columns))
    }

    /// Whether a site of a box has this value, by its first site; periodic.
    pub fn holds(&self, origin: [isize; 3], shape: Shape, value: S) -> bool
    where
        S: PartialEq,
    {
        let [depth, rows, columns] = shape.0;
        (0..depth).flat_map(|z| (0..rows).map(move |y| [z as isize, y as isize])).any(|[z, y]| {
            let row = self.row([origin[0] + z, origin[1] + y, origin[2]], columns);
            row.iter().any(|sites| sites.contains(&value))
        })
    }

    /// The values of a box within the lattice, row-major, by its first site and shape.
    pub fn part(&self, origin: [usize; 3], shape: Shape) -> Vec<S> {
        self.cut(origin.map(|value| value as isize), shape)
    }

    /// The values of a box whose first site lies at `origin`, row-major; periodic.
    pub fn cut(&self, origin: [isize; 3], shape: Shape) -> Vec<S> {
        let [depth, rows, columns] = shape.0;
        let mut values = Vec::with_capacity(shape.sites());
        for [z, y] in (0..depth).flat_map(|z| (0..rows).map(move |y| [z as isize, y as isize])) {
            let row = self.row([origin[0] + z, origin[1] + y, origin[2]], columns);
            row.into_iter().for_each(|sites| values.extend_from_slice(sites));
        }
        values
    }

    /// Copies the row that starts at `coordinate` and runs along the fastest axis into `row`.
    pub(super) fn copy_row(&self, coordinate: [isize; 3], boundary: Boundary, row: &mut [S]) {
        let [z, y, x] = coordinate;
        match boundary {
            Boundary::Periodic => self.copy_wrapped_row(coordinate, row),
            Boundary::Mirrored => {
                row.iter_mut().zip(x..).for_each(|(to, x)| *to = self.sites[self.shape.mirrored_index([z, y, x])]);
            }
        }
    }

    fn copy_wrapped_row(&self, coordinate: [isize; 3], row: &mut [S]) {
        let columns = self.shape.0[2];
        let start = self.shape.wrapped_index([coordinate[0], coordinate[1], 0]);
        let line = &self.sites[start..start + columns];
        let mut from = wrapped(coordinate[2], columns);
        let mut filled = 0;
        while filled < row.len() {
            let length = (columns - from).min(row.len() - filled);
            row[filled..filled + length].copy_from_slice(&line[from..from + length]);
            filled += length;
            from = 0;
        }
    }

    /// Copies `row` to the sites that start at `coordinate` (periodic) and run along the fastest axis.
    pub(super) fn paste_row(&mut self, coordinate: [isize; 3], row: &[S]) {
        let [first, rest] = self.row_mut(coordinate, row.len());
        let (start, end) = row.split_at(first.len());
        first.copy_from_slice(start);
        rest.copy_from_slice(end);
    }
}
