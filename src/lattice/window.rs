//! A box of sites with a halo that holds its surroundings.
//!
//! Sites are numbered in the padded box (box plus halo), row-major, so that a neighbour is a fixed offset away.
//! An *open* window keeps its halo as it was loaded: those sites are surroundings and never change. A *closed*
//! window is wrapped on itself: its halo repeats the opposite side, and every write keeps the copies up to date.

use super::{Lattice, Shape, Stencil};
use std::sync::Arc;

/// What a padded site is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// A site of the box.
    Inside,
    /// A halo site of a closed window: a copy of a site of the box.
    Copy,
    /// A halo site of an open window.
    Surroundings,
}

/// A box of sites and its surroundings.
#[derive(Clone, Debug)]
pub struct Window<S> {
    geometry: Arc<Geometry>,
    sites: Vec<S>,
}

#[derive(Debug)]
struct Geometry {
    shape: Shape,
    halo: [usize; 3],
    padded: Shape,
    closed: bool,
    kind: Vec<Kind>,
    /// Closed windows: for each padded site the site of the box that it stands for.
    original: Vec<u32>,
    /// Closed windows: the halo copies of padded site i are `copies[first_copy[i]..first_copy[i + 1]]`.
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
        Self::with_geometry(Geometry::new(shape, shape.on_used_axes(halo), false))
    }

    /// A window closed on itself, with `reach` halo sites on each used axis.
    ///
    /// # Panics
    /// When an axis is shorter than `reach`.
    pub fn closed(shape: Shape, reach: usize) -> Self {
        let short = shape.0.iter().any(|&extent| extent > 1 && extent < reach);
        assert!(!short, "a window closed on itself needs extents of at least {reach}, not {shape:?}");
        Self::with_geometry(Geometry::new(shape, shape.on_used_axes(reach), true))
    }

    fn with_geometry(geometry: Geometry) -> Self {
        let sites = vec![S::default(); geometry.padded.sites()];
        Self { geometry: Arc::new(geometry), sites }
    }

    /// Extents of the box.
    pub fn shape(&self) -> Shape {
        self.geometry.shape
    }

    /// Number of padded sites; site numbers are below it.
    pub fn padded_sites(&self) -> usize {
        self.sites.len()
    }

    /// Distance in site numbers between neighbours along each axis.
    pub fn strides(&self) -> [usize; 3] {
        let [_, rows, columns] = self.geometry.padded.0;
        [rows * columns, columns, 1]
    }

    /// The stencil as differences of site numbers.
    pub fn offsets(&self, stencil: &Stencil) -> Vec<isize> {
        let strides = self.strides().map(|stride| stride as isize);
        stencil.0.iter().map(|offset| (0..3).map(|axis| offset[axis] * strides[axis]).sum()).collect()
    }

    /// All values, halo included.
    pub fn values(&self) -> &[S] {
        &self.sites
    }

    /// The site of the box that padded site `site` stands for: itself, the original of a copy, or none for surroundings.
    pub fn home(&self, site: usize) -> Option<usize> {
        match self.geometry.kind[site] {
            Kind::Inside => Some(site),
            Kind::Copy => Some(self.geometry.original[site] as usize),
            Kind::Surroundings => None,
        }
    }

    /// Writes a value into a site of the box and into its copies in a closed halo.
    pub fn write(&mut self, site: usize, value: S) {
        self.sites[site] = value;
        if self.geometry.closed {
            let geometry = &self.geometry;
            let copies = geometry.first_copy[site] as usize..geometry.first_copy[site + 1] as usize;
            for &copy in &geometry.copies[copies] {
                self.sites[copy as usize] = value;
            }
        }
    }

    /// Fills the box from `lattice`, the first site of the box at `origin`, and an open halo with what lies around it.
    /// The halo of a closed window repeats the box.
    pub fn load(&mut self, lattice: &Lattice<S>, origin: [isize; 3]) {
        let columns = self.geometry.padded.0[2];
        let halo = self.geometry.halo.map(|width| width as isize);
        for (number, row) in self.sites.chunks_exact_mut(columns).enumerate() {
            let [z, y, _] = self.geometry.padded.coordinate(number * columns).map(|value| value as isize);
            lattice.copy_row([origin[0] + z - halo[0], origin[1] + y - halo[1], origin[2] - halo[2]], row);
        }
        if self.geometry.closed && lattice.shape != self.geometry.shape {
            self.close();
        }
    }

    /// Copies the values of `region` to `lattice`; the first site of the box lies at `origin`.
    pub fn store(&self, lattice: &mut Lattice<S>, origin: [isize; 3], region: Region) {
        let margin = self.margins(region);
        for (coordinate, row) in self.rows(region) {
            let [z, y] =
                [0, 1].map(|axis| origin[axis] + coordinate[axis] as isize - self.geometry.halo[axis] as isize);
            lattice.paste_row([z, y, origin[2] - margin[2]], &self.sites[row]);
        }
    }

    /// The values of `region` in row-major order.
    pub fn values_of(&self, region: Region) -> impl Iterator<Item = S> {
        self.sites_of(region).map(|site| self.sites[site])
    }

    /// The sites of `region` in row-major order.
    pub fn sites_of(&self, region: Region) -> impl Iterator<Item = usize> {
        self.rows(region).flat_map(|(_, row)| row)
    }

    /// The rows of `region`: padded coordinate of the first site, and the site numbers.
    pub fn rows(&self, region: Region) -> impl Iterator<Item = ([usize; 3], std::ops::Range<usize>)> {
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

    fn close(&mut self) {
        for site in 0..self.sites.len() {
            self.sites[site] = self.sites[self.geometry.original[site] as usize];
        }
    }
}

impl Geometry {
    fn new(shape: Shape, halo: [usize; 3], closed: bool) -> Self {
        let padded = Shape(std::array::from_fn(|axis| shape.0[axis] + 2 * halo[axis]));
        let inner = |site| -> [isize; 3] {
            let coordinate = padded.coordinate(site);
            std::array::from_fn(|axis| coordinate[axis] as isize - halo[axis] as isize)
        };
        let kind = (0..padded.sites())
            .map(|site| {
                let inside =
                    inner(site).iter().zip(shape.0).all(|(&value, extent)| (0..extent as isize).contains(&value));
                match (inside, closed) {
                    (true, _) => Kind::Inside,
                    (false, true) => Kind::Copy,
                    (false, false) => Kind::Surroundings,
                }
            })
            .collect();
        let original = |site| {
            let inner = inner(site);
            let wrapped = |axis: usize| inner[axis].rem_euclid(shape.0[axis] as isize) + halo[axis] as isize;
            padded.wrapped_index(std::array::from_fn(wrapped)) as u32
        };
        let original: Vec<u32> = if closed { (0..padded.sites()).map(original).collect() } else { Vec::new() };
        let (first_copy, copies) = copies_of(&original);
        Self { shape, halo, padded, closed, kind, original, first_copy, copies }
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
