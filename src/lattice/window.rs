//! A box of sites with a halo that holds its surroundings.
//!
//! Sites are numbered in the padded box (box plus halo), row-major, so that a neighbour is a fixed offset away.
//! An *open* window keeps its halo as it was loaded: those sites are surroundings and never change. A *closed*
//! window is wrapped on itself: its halo repeats the opposite side, and every write keeps the copies up to date.
//! Where a lattice ends in a mirror, the halo beyond its edge holds copies of the sites before it, in either kind.

use super::{Boundary, Lattice, Shape, Stencil, shape::mirrored};
use std::{ops::Range, sync::Arc};

/// What a padded site is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum WindowKind {
    /// A site of the box that the halo does not repeat.
    Inside,
    /// A site of the box with copies in the halo.
    Repeated,
    /// A halo site that repeats a site of the box.
    Copy,
    /// A halo site that is filled from outside.
    Surroundings,
}

/// A box of sites and its surroundings.
#[derive(Clone, Debug)]
pub struct Window<S> {
    geometry: Arc<Geometry>,
    sites: Vec<S>,
}

/// What the halo beyond one side of the box holds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Edge {
    /// Surroundings.
    Open,
    /// The opposite side of the box.
    Wrapped,
    /// Surroundings up to the edge of the lattice, this many sites from the box; then their mirror image.
    Mirror(usize),
}

#[derive(Clone, Debug)]
struct Geometry {
    shape: Shape,
    halo: [usize; 3],
    padded: Shape,
    boundary: Boundary,
    closed: bool,
    /// Lower and upper side along each axis.
    sides: [[Edge; 2]; 3],
    kind: Vec<WindowKind>,
    /// Which rows have sites inside at all columns of a range, and the range.
    inside: (Vec<bool>, Range<u32>),
    /// For each padded site the site of the box that it stands for, or itself; empty for a window without copies.
    original: Vec<u32>,
    /// The halo copies of padded site i are `copies[first_copy[i]..first_copy[i + 1]]`.
    first_copy: Vec<u32>,
    copies: Vec<u32>,
}

/// A part of a window: the box grown (positive) or shrunk (negative) by a margin on every used axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Number of sites added on each side of the box along every used axis.
    pub margin: isize,
}

impl Region {
    /// The box itself.
    pub const BOX: Self = Self { margin: 0 };
}

impl<S: Copy + Default> Window<S> {
    /// A window whose halo of `halo` sites on each used axis is filled from outside.
    pub fn open(shape: Shape, halo: usize) -> Self {
        Self::with_geometry(Geometry::new(shape, shape.on_used_axes(halo), [[Edge::Open; 2]; 3]))
    }

    /// A window closed on itself, with `reach` halo sites on each used axis.
    ///
    /// # Panics
    /// When an axis is shorter than `reach`.
    pub fn closed(shape: Shape, reach: usize) -> Self {
        let short = shape.0.iter().any(|&extent| extent > 1 && extent < reach);
        assert!(!short, "a window closed on itself needs extents of at least {reach}, not {shape:?}");
        Self::with_geometry(Geometry::new(shape, shape.on_used_axes(reach), [[Edge::Wrapped; 2]; 3]))
    }

    /// The same window for lattices with this boundary.
    pub fn bounded(self, boundary: Boundary) -> Self {
        let Geometry { shape, halo, closed, .. } = *self.geometry;
        let mirrored = boundary == Boundary::Mirrored && closed;
        let mut window = match mirrored {
            true => Self::with_geometry(Geometry { closed, ..Geometry::new(shape, halo, [[Edge::Mirror(0); 2]; 3]) }),
            false => self,
        };
        Arc::make_mut(&mut window.geometry).boundary = boundary;
        window
    }

    fn with_geometry(geometry: Geometry) -> Self {
        let sites = vec![S::default(); geometry.padded.sites()];
        Self { geometry: Arc::new(geometry), sites }
    }

    /// Extents of the box.
    pub fn shape(&self) -> Shape {
        self.geometry.shape
    }

    /// Whether the window is closed on itself, without surroundings.
    pub fn is_closed(&self) -> bool {
        self.geometry.closed
    }

    /// Number of padded sites; site indices are below it.
    pub fn padded_sites(&self) -> usize {
        self.sites.len()
    }

    /// Distance in site indices between neighbours along each axis.
    pub fn strides(&self) -> [usize; 3] {
        let [_, rows, columns] = self.geometry.padded.0;
        [rows * columns, columns, 1]
    }

    /// The stencil as differences of site indices.
    pub fn offsets(&self, stencil: &Stencil) -> Vec<isize> {
        let strides = self.strides().map(|stride| stride as isize);
        stencil.0.iter().map(|offset| (0..3).map(|axis| offset[axis] * strides[axis]).sum()).collect()
    }

    /// All values, halo included.
    pub fn values(&self) -> &[S] {
        &self.sites
    }

    /// The site of the box that padded site `site` stands for: itself, the original of a copy, or none for
    /// surroundings.
    pub fn home(&self, site: usize) -> Option<usize> {
        match self.geometry.kind(site) {
            WindowKind::Inside | WindowKind::Repeated => Some(site),
            WindowKind::Copy => Some(self.geometry.original[site] as usize),
            WindowKind::Surroundings => None,
        }
    }

    /// Writes a value into a site of the box and into its copies in a closed halo.
    pub fn write(&mut self, site: usize, value: S) {
        self.sites[site] = value;
        for &copy in self.geometry.copies(site) {
            self.sites[copy as usize] = value;
        }
    }

    /// Whether the halo repeats a site of the box.
    pub fn is_repeated(&self, site: usize) -> bool {
        !self.geometry.copies.is_empty() && self.geometry.kind(site) == WindowKind::Repeated
    }

    /// Writes a value into a site of the box that the halo does not repeat.
    #[inline(always)]
    pub fn write_inside(&mut self, site: usize, value: S) {
        self.sites[site] = value;
    }

    /// Replaces all values, halo included.
    pub fn fill(&mut self, values: &[S]) {
        self.sites.copy_from_slice(values);
    }

    /// Fills the box from `lattice`, the first site of the box at `origin`, and an open halo with what lies around it.
    /// The halo of a closed window repeats the box.
    pub fn load(&mut self, lattice: &Lattice<S>, origin: [isize; 3]) {
        if self.geometry.boundary == Boundary::Mirrored && !self.geometry.closed {
            self.face_mirrors(lattice.shape, origin);
        }
        let boundary = self.geometry.boundary;
        let [depth, rows, columns] = self.geometry.padded.0.map(|extent| extent as isize);
        let halo = self.geometry.halo.map(|width| width as isize);
        let mut sites = self.sites.chunks_exact_mut(columns as usize);
        for z in 0..depth {
            for (y, row) in (0..rows).zip(&mut sites) {
                let start = [origin[0] + z - halo[0], origin[1] + y - halo[1], origin[2] - halo[2]];
                lattice.copy_row(start, boundary, row);
            }
        }
        if self.geometry.closed && lattice.shape != self.geometry.shape {
            self.close();
        }
    }

    /// Copies the values of `region` to `lattice`; the first site of the box lies at `origin`.
    pub fn store(&self, lattice: &mut Lattice<S>, origin: [isize; 3], region: Region) {
        for (coordinate, row) in self.rows(region) {
            lattice.paste_row(self.coordinate(origin, coordinate), &self.sites[row]);
        }
    }

    /// The values of `region` in row-major order.
    pub fn values_of(&self, region: Region) -> impl Iterator<Item = S> {
        self.sites_of(region).map(|site| self.sites[site])
    }

    /// The values of `region` in row-major order, as a list.
    pub fn cut(&self, region: Region) -> Vec<S> {
        let mut values = Vec::with_capacity(self.sites.len());
        for (_, row) in self.rows(region) {
            values.extend_from_slice(&self.sites[row]);
        }
        values
    }

    /// The sites of `region` in row-major order.
    pub fn sites_of(&self, region: Region) -> impl Iterator<Item = usize> {
        self.rows(region).flat_map(|(_, row)| row)
    }

    /// The site at a coordinate counted from the first site of the box.
    pub fn site_at(&self, coordinate: [usize; 3]) -> usize {
        let Geometry { halo, padded, .. } = *self.geometry;
        padded.wrapped_index(std::array::from_fn(|axis| (coordinate[axis] + halo[axis]) as isize))
    }

    /// The coordinate in the lattice of a padded one, if the first site of the box lies at `origin`.
    #[inline]
    pub fn coordinate(&self, origin: [isize; 3], padded: [usize; 3]) -> [isize; 3] {
        std::array::from_fn(|axis| origin[axis] + padded[axis] as isize - self.geometry.halo[axis] as isize)
    }

    /// The rows of `region`: padded coordinate of the first site, and the site indices.
    pub fn rows(&self, region: Region) -> impl Iterator<Item = ([usize; 3], Range<usize>)> {
        let geometry = &self.geometry;
        let margin = self.margins(region);
        let start: [usize; 3] = std::array::from_fn(|axis| (geometry.halo[axis] as isize - margin[axis]) as usize);
        let extents: [usize; 3] =
            std::array::from_fn(|axis| (geometry.shape.0[axis] as isize + 2 * margin[axis]) as usize);
        (0..extents[0] * extents[1]).map(move |row| {
            let coordinate = [start[0] + row / extents[1], start[1] + row % extents[1], start[2]];
            let first = geometry.padded.wrapped_index(coordinate.map(|value| value as isize));
            (coordinate, first..first + extents[2])
        })
    }

    fn margins(&self, region: Region) -> [isize; 3] {
        self.geometry.shape.0.map(|extent| if extent > 1 { region.margin } else { 0 })
    }

    /// The sites of `region` in row-major order, copies left out.
    pub fn own_sites_of(&self, region: Region) -> impl Iterator<Item = usize> {
        self.sites_of(region).filter(|&site| self.geometry.kind[site] != WindowKind::Copy)
    }

    /// Finds the mirrors within the halo of an open window at `origin`.
    fn face_mirrors(&mut self, lattice: Shape, origin: [isize; 3]) {
        let Geometry { shape, halo, boundary, closed, .. } = *self.geometry;
        let sides = std::array::from_fn(|axis| {
            let above = lattice.0[axis] as isize - origin[axis] - shape.0[axis] as isize;
            [origin[axis], above].map(|distance| match usize::try_from(distance) {
                Ok(distance) if distance < halo[axis] => Edge::Mirror(distance),
                Ok(_) => Edge::Open,
                Err(_) => panic!("a window of {shape:?} at {origin:?} reaches over the mirror of {lattice:?}"),
            })
        });
        if sides != self.geometry.sides {
            self.geometry = Arc::new(Geometry { boundary, closed, ..Geometry::new(shape, halo, sides) });
        }
    }

    fn close(&mut self) {
        for site in 0..self.sites.len() {
            self.sites[site] = self.sites[self.geometry.original[site] as usize];
        }
    }
}

impl Geometry {
    fn new(shape: Shape, halo: [usize; 3], sides: [[Edge; 2]; 3]) -> Self {
        let padded = Shape(std::array::from_fn(|axis| shape.0[axis] + 2 * halo[axis]));
        let closed = sides == [[Edge::Wrapped; 2]; 3];
        let none = u32::MAX;
        let original_of = |site: usize| {
            let coordinate = padded.coordinate(site);
            let mut original = [0; 3];
            for axis in 0..3 {
                let extent = shape.0[axis] as isize;
                let image = image(coordinate[axis] as isize - halo[axis] as isize, extent, sides[axis]);
                if !(0..extent).contains(&image) {
                    return none;
                }
                original[axis] = image + halo[axis] as isize;
            }
            padded.wrapped_index(original) as u32
        };
        let mut original: Vec<u32> = (0..padded.sites()).map(original_of).collect();
        let kind_of = |(site, &original): (usize, &u32)| match original {
            _ if original == none => WindowKind::Surroundings,
            _ if original as usize == site => WindowKind::Inside,
            _ => WindowKind::Copy,
        };
        let mut kind: Vec<WindowKind> = original.iter().enumerate().map(kind_of).collect();
        if !kind.contains(&WindowKind::Copy) {
            original = Vec::new();
        }
        original.iter_mut().zip(0..).filter(|(original, _)| **original == none).for_each(|(own, site)| *own = site);
        let (first_copy, copies) = copies_of(&original);
        for (kind, ends) in kind.iter_mut().zip(first_copy.windows(2)) {
            if ends[1] > ends[0] {
                *kind = WindowKind::Repeated;
            }
        }
        let inside = inside_of(&kind, padded.0[2]);
        Self {
            shape,
            halo,
            padded,
            boundary: Boundary::Periodic,
            closed,
            sides,
            kind,
            inside,
            original,
            first_copy,
            copies,
        }
    }

    /// What a site is. Most lie inside, which their row and column tell without a look at the long list.
    fn kind(&self, site: usize) -> WindowKind {
        let columns = self.padded.0[2] as u32;
        let (row, column) = (site as u32 / columns, site as u32 % columns);
        if self.inside.0[row as usize] && self.inside.1.contains(&column) {
            WindowKind::Inside
        } else {
            self.kind[site]
        }
    }

    /// The copies of a site; most have none, which their kind alone tells.
    fn copies(&self, site: usize) -> &[u32] {
        match self.kind(site) {
            WindowKind::Repeated => &self.copies[self.first_copy[site] as usize..self.first_copy[site + 1] as usize],
            _ => &[],
        }
    }
}

/// The first unbroken range of columns that lies inside, and in which rows all of it does.
fn inside_of(kind: &[WindowKind], columns: usize) -> (Vec<bool>, Range<u32>) {
    let first = kind.iter().position(|kind| *kind == WindowKind::Inside).map_or(0, |site| site % columns);
    let rows = kind.chunks_exact(columns);
    let unbroken = |row: &[WindowKind]| row[first..].iter().take_while(|kind| **kind == WindowKind::Inside).count();
    let length = rows.clone().map(unbroken).find(|length| *length > 0).unwrap_or(0);
    (rows.map(|row| length > 0 && unbroken(row) >= length).collect(), first as u32..(first + length) as u32)
}

/// The position in the box, along one axis, that a padded position stands for; outside the box for surroundings.
fn image(position: isize, extent: isize, [low, high]: [Edge; 2]) -> isize {
    let edge = |side: Edge| match side {
        Edge::Mirror(distance) => distance as isize,
        // No halo is as wide, so that nothing lies beyond.
        _ => isize::MAX / 4,
    };
    match low {
        Edge::Wrapped => position.rem_euclid(extent),
        _ => mirrored(position, -edge(low), extent + edge(high)),
    }
}

/// The copies of each site, as offsets into a list.
fn copies_of(original: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut pairs: Vec<(u32, u32)> = original
        .iter()
        .zip(0..)
        .filter(|&(&original, site)| original != site)
        .map(|(&original, site)| (original, site))
        .collect();
    pairs.sort_unstable();
    let mut first_copy = vec![0; original.len() + 1];
    for &(original, _) in &pairs {
        first_copy[original as usize + 1] += 1;
    }
    for site in 0..original.len() {
        first_copy[site + 1] += first_copy[site];
    }
    (first_copy, pairs.into_iter().map(|(_, copy)| copy).collect())
}
