//! Short-range order: numbers of nearest-neighbour pairs by species, counted in full or updated after every jump.
//!
//! delta_ij = 3 c_i (n_ij - 8 c_j), where n_ij is the mean number of nearest neighbours of type j of an atom of type i,
//! without vacancies, and c_j the fraction of type j. It is 0 in random alloys, equal for i and j exchanged, and its
//! sum over j is 0 but for vacancies: one linear dependence at all compositions. In the equimolar alloy it is n_ij - 8/3
//! (arXiv 2511.12842, section D.5). The Warren-Cowley parameter is alpha_ij = 1 - n_ij / (8 c_j).

use crate::{
    lattice::{Region, Window, bcc::Steps},
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

/// Edges, in cells, of the cubes in which [`domains`] looks for B2 order; each is twice the one before, the first twice 1.
pub const CUBES: [usize; 3] = [2, 4, 8];

/// Mean square degree of B2 order of Mo and Ta in cubes of each size of [`CUBES`], times the sites of the box. The degree
/// is half of eta_Mo - eta_Ta, with eta_i = c_i(A) - c_i(B), the share of atoms of species i on the two sublattices
/// of the cube; its square does not tell the two kinds of domains apart. The mean is over cubes at all cells of the box,
/// beyond whose faces they go on at the other side: it is the same for a box that is moved along a periodic lattice. 0
/// for cubes that are larger than the box.
pub fn domains(window: &Window<u8>) -> Vec<f64> {
    let shape = window.shape();
    let cells = [shape.0[0] / 2, shape.0[1], shape.0[2]];
    // Mo less Ta on the even sublattice, less the same on the odd one, for every cell.
    let mut sums = vec![0_i64; cells.iter().product()];
    for (index, species) in window.values_of(Region::BOX).enumerate() {
        let [layer, row, column] = shape.coordinate(index);
        let sign = if layer % 2 == 0 { 1 } else { -1 };
        let value = match SPECIES[usize::from(species)] {
            "Mo" => sign,
            "Ta" => -sign,
            _ => 0,
        };
        sums[(layer / 2 * cells[1] + row) * cells[2] + column] += value;
    }
    let mean_square = |&edge: &usize| {
        (0..3).for_each(|axis| sums = with_next(&sums, cells, (axis, edge / 2)));
        if cells.iter().any(|&extent| extent < edge) {
            return 0.0;
        }
        let squares: i64 = sums.iter().map(|sum| sum * sum).sum();
        let of_degree_one = 2.0 * edge.pow(3) as f64;
        squares as f64 / of_degree_one.powi(2) / sums.len() as f64 * shape.sites() as f64
    };
    CUBES.iter().map(mean_square).collect()
}

/// Each value of a periodic array and the one `distance` further along an axis, added.
fn with_next(values: &[i64], extents: [usize; 3], (axis, distance): (usize, usize)) -> Vec<i64> {
    let stride: usize = extents[axis + 1..].iter().product();
    let period = stride * extents[axis];
    let next = |index: usize| index - index % period + (index % period + distance * stride) % period;
    (0..values.len()).map(|index| values[index] + values[next(index)]).collect()
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

    /// A box of 8 cells whose first site is `origin` of a periodic lattice of as many.
    fn domains_from(origin: [isize; 3], species: impl Fn([usize; 3]) -> u8) -> Vec<f64> {
        let shape = bcc::shape(8);
        let sites = (0..shape.sites()).map(|index| species(shape.coordinate(index))).collect();
        let mut window = Window::closed(shape, 4);
        window.load(&Lattice::from_sites(shape, sites), origin);
        domains(&window).into_iter().map(|sum| sum / shape.sites() as f64).collect()
    }

    /// Mo and Ta on the two sublattices, the other way round where `turned` says so.
    fn ordered(turned: impl Fn([usize; 3]) -> bool) -> Vec<f64> {
        domains_from([0; 3], |place| if place[0].is_multiple_of(2) == turned(place) { 3 } else { 2 })
    }

    #[test]
    fn cubes_see_the_order_of_domains_that_are_not_smaller_than_they() {
        assert_eq!(ordered(|_| false), [1.0, 1.0, 1.0]);
        assert_eq!(ordered(|_| true), [1.0, 1.0, 1.0]);
        // Two walls: an eighth of the cubes of edge 2 stand on either and have order 0; of those of edge 4, by how far
        // they lie across one, the degrees are 1, 1/2, 0, 1/2.
        assert_eq!(ordered(|[_, row, _]| row < 4), [0.75, 0.375, 0.0]);
        assert_eq!(ordered(|[_, row, _]| row % 4 < 2), [0.5, 0.0, 0.0]);
        assert_eq!(ordered(|[_, row, column]| (row + column) % 2 == 0), [0.0, 0.0, 0.0]);
    }

    #[test]
    fn domains_do_not_depend_on_where_the_box_begins() {
        let disordered =
            |[layer, row, column]: [usize; 3]| (1 + (layer * 7 + row * 5 + column * column * 3) % 11 % 3) as u8;
        let first = domains_from([0; 3], disordered);
        assert!(first.iter().all(|&mean| mean > 0.0), "{first:?}");
        for origin in [[2, 0, 0], [0, 1, 0], [0, 0, 3], [6, 5, 7]] {
            assert_eq!(domains_from(origin, disordered), first, "{origin:?}");
        }
    }
}
