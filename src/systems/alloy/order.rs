//! Short-range order: numbers of nearest-neighbour pairs by species, counted in full or updated after every jump.
//!
//! delta_ij = 3 c_i (n_ij - 8 c_j), where n_ij is the mean number of nearest neighbours of type j of an atom of type i,
//! without vacancies, and c_j the fraction of type j. It is 0 in random alloys, equal for i and j exchanged, and its
//! sum over j is 0 but for vacancies: one linear dependence at all compositions. In the equimolar alloy it is n_ij - 8/3
//! (arXiv 2511.12842, section D.5). The Warren-Cowley parameter is alpha_ij = 1 - n_ij / (8 c_j).

use crate::{
    lattice::{Region, Shape, Window, bcc::Steps},
    systems::alloy::environment::{SPECIES, VACANCY},
};

/// The pairs of species, in the order of all lists: Nb-Nb, Nb-Mo, Nb-Ta, Mo-Mo, Mo-Ta, Ta-Ta.
pub const PAIRS: [[usize; 2]; 6] = [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]];
/// What is subtracted from 3 c_i n_ij of every pair, for these fractions: its value in a random alloy.
pub(super) fn of_random_alloy(fractions: [f64; 3]) -> [f64; 6] {
    PAIRS.map(|[first, second]| 24.0 * fractions[first] * fractions[second])
}

/// Numbers of unordered nearest-neighbour pairs of each kind, or changes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PairCounts(pub [i64; 6]);

/// Index in [`PAIRS`] of a pair of species; `None` with a vacancy.
#[inline]
fn kind(first: u8, second: u8) -> Option<usize> {
    const KINDS: [[usize; 3]; 3] = [[0, 1, 2], [1, 3, 4], [2, 4, 5]];
    (first != VACANCY && second != VACANCY).then(|| KINDS[usize::from(first - 1) % 3][usize::from(second - 1) % 3])
}

impl PairCounts {
    /// Twice the pairs of the sites of a region. Half of a pair belongs to each of its ends. `steps` are those to the
    /// nearest neighbours.
    pub fn ends(window: &Window<u8>, steps: &Steps, region: Region) -> Self {
        let values = window.values();
        let mut counts = Self::default();
        for site in window.sites_of(region) {
            counts.add(values[site], steps.from(site).map(|neighbour| values[neighbour]), 1);
        }
        counts
    }

    /// All pairs of a closed window.
    pub fn all(window: &Window<u8>, steps: &Steps) -> Self {
        Self(Self::ends(window, steps, Region::BOX).0.map(|ends| ends / 2))
    }

    /// Adds (`sign` 1) or subtracts (-1) the pairs of one atom with its neighbours.
    #[inline]
    pub fn add(&mut self, species: u8, neighbours: impl Iterator<Item = u8>, sign: i64) {
        for neighbour in neighbours {
            if let Some(kind) = kind(species, neighbour) {
                self.0[kind] += sign;
            }
        }
    }

    /// The six n_ij, the mean numbers of j neighbours of an i atom, for these numbers of atoms (Nb, Mo, Ta).
    pub fn neighbours(&self, atoms: [f64; 3]) -> [f64; 6] {
        std::array::from_fn(|pair| {
            let [first, second] = PAIRS[pair];
            let ends = if first == second { 2.0 } else { 1.0 };
            ends * self.0[pair] as f64 / atoms[first]
        })
    }

    /// The six n_ij - 8/3 of an equimolar alloy with these numbers of atoms (Nb, Mo, Ta).
    pub fn short_range_order(&self, atoms: [f64; 3]) -> [f64; 6] {
        self.neighbours(atoms).map(|neighbours| neighbours - 8.0 / 3.0)
    }
}

impl std::ops::AddAssign for PairCounts {
    fn add_assign(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(count, change)| *count += change);
    }
}

/// Edges, in cells, of the cubes in which [`domains`] looks for B2 order.
pub const CUBES: [usize; 3] = [2, 4, 8];

/// Mean square degree of B2 order of Mo and Ta in cubes of each size of [`CUBES`], times the sites of the box. The degree
/// is half of eta_Mo - eta_Ta, with eta_i = c_i(A) - c_i(B), the share of atoms of species i on the two sublattices
/// of the cube; its square does not tell the two kinds of domains apart. 0 for cubes that do not tile the box.
pub fn domains(window: &Window<u8>) -> Vec<f64> {
    let shape = window.shape();
    let cells = [shape.0[0] / 2, shape.0[1], shape.0[2]];
    // Mo less Ta on the even sublattice, less the same on the odd one, for every cell.
    let mut excess = vec![0_i64; cells.iter().product()];
    for (index, species) in window.values_of(Region::BOX).enumerate() {
        let [layer, row, column] = shape.coordinate(index);
        let sign = if layer % 2 == 0 { 1 } else { -1 };
        let value = match SPECIES[usize::from(species)] {
            "Mo" => sign,
            "Ta" => -sign,
            _ => 0,
        };
        excess[(layer / 2 * cells[1] + row) * cells[2] + column] += value;
    }
    let mean_square = |&edge: &usize| {
        if cells.iter().any(|extent| extent % edge != 0) {
            return 0.0;
        }
        let cubes = cells.map(|extent| extent / edge);
        let mut sums = vec![0_i64; cubes.iter().product()];
        for (index, &value) in excess.iter().enumerate() {
            let cube = Shape(cells).coordinate(index).map(|cell| cell / edge);
            sums[(cube[0] * cubes[1] + cube[1]) * cubes[2] + cube[2]] += value;
        }
        let degree = |sum: i64| sum as f64 / (2.0 * edge.pow(3) as f64);
        sums.iter().map(|&sum| degree(sum).powi(2)).sum::<f64>() / sums.len() as f64 * shape.sites() as f64
    };
    CUBES.iter().map(mean_square).collect()
}

/// Numbers of atoms of each species in the box.
pub fn atoms(window: &Window<u8>) -> [f64; 3] {
    let mut counts = [0.0; 3];
    for species in window.values_of(Region::BOX).filter(|&species| species != VACANCY) {
        counts[usize::from(species - 1)] += 1.0;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lattice::{Lattice, bcc};

    /// Mo and Ta on the two sublattices, the other way round where `turned` says so, in 8 cells.
    fn ordered(turned: impl Fn([usize; 3]) -> bool) -> Vec<f64> {
        let shape = bcc::shape(8);
        let species = |index: usize| {
            let place = shape.coordinate(index);
            if place[0].is_multiple_of(2) == turned(place) { 3 } else { 2 }
        };
        let mut window = Window::closed(shape, 4);
        window.load(&Lattice::from_sites(shape, (0..shape.sites()).map(species).collect()), [0; 3]);
        domains(&window).into_iter().map(|sum| sum / shape.sites() as f64).collect()
    }

    #[test]
    fn cubes_see_the_order_of_domains_that_are_not_smaller_than_they() {
        assert_eq!(ordered(|_| false), [1.0, 1.0, 1.0]);
        assert_eq!(ordered(|_| true), [1.0, 1.0, 1.0]);
        assert_eq!(ordered(|[_, row, _]| row < 4), [1.0, 1.0, 0.0]);
        assert_eq!(ordered(|[_, row, _]| row % 4 < 2), [1.0, 0.0, 0.0]);
        assert_eq!(ordered(|[_, row, column]| (row + column) % 2 == 0), [0.0, 0.0, 0.0]);
    }
}
