//! Short-range order: numbers of nearest-neighbour pairs by species, counted whole or followed jump by jump.
//!
//! delta_ij = n_ij - 8/3 with n_ij the mean number of type-j nearest neighbours of a type-i atom, vacancies counting as
//! no atom (arXiv 2511.12842, section D.5); Warren-Cowley alpha_ij = 1 - n_ij / (8 c_j), c_j the fraction of type j.

use crate::{
    lattice::{Region, Window, bcc::Steps},
    systems::alloy::environment::VACANCY,
};

/// The pairs of species, in the order of all lists: Nb-Nb, Nb-Mo, Nb-Ta, Mo-Mo, Mo-Ta, Ta-Ta.
pub const PAIRS: [[usize; 2]; 6] = [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]];
/// delta_ij of a random equimolar alloy is n_ij minus this.
pub(super) const RANDOM: f64 = 8.0 / 3.0;

/// Numbers of unordered nearest-neighbour pairs of each kind, or changes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PairCounts(pub [i64; 6]);

/// Which kind of pair two species are; none with a vacancy.
#[inline]
fn kind(first: u8, second: u8) -> Option<usize> {
    const KINDS: [[usize; 3]; 3] = [[0, 1, 2], [1, 3, 4], [2, 4, 5]];
    (first != VACANCY && second != VACANCY).then(|| KINDS[usize::from(first - 1) % 3][usize::from(second - 1) % 3])
}

impl PairCounts {
    /// Twice the pairs that the sites of a region own: a pair belongs half to each of its ends. `steps` are those to
    /// the nearest neighbours.
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

    /// Adds (`sign` 1) or takes away (-1) the pairs of one atom with its neighbours.
    #[inline]
    pub fn add(&mut self, species: u8, neighbours: impl Iterator<Item = u8>, sign: i64) {
        for neighbour in neighbours {
            if let Some(kind) = kind(species, neighbour) {
                self.0[kind] += sign;
            }
        }
    }

    /// The six numbers n_ij for these numbers of atoms (Nb, Mo, Ta): mean number of j neighbours of an i atom.
    pub fn neighbours(&self, atoms: [f64; 3]) -> [f64; 6] {
        std::array::from_fn(|pair| {
            let [first, second] = PAIRS[pair];
            let ends = if first == second { 2.0 } else { 1.0 };
            ends * self.0[pair] as f64 / atoms[first]
        })
    }

    /// The six numbers delta_ij.
    pub fn short_range_order(&self, atoms: [f64; 3]) -> [f64; 6] {
        self.neighbours(atoms).map(|neighbours| neighbours - RANDOM)
    }
}

impl std::ops::AddAssign for PairCounts {
    fn add_assign(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(count, change)| *count += change);
    }
}

/// Numbers of atoms of each species in the box.
pub fn atoms(window: &Window<u8>) -> [f64; 3] {
    let mut counts = [0.0; 3];
    for species in window.values_of(Region::BOX).filter(|&species| species != VACANCY) {
        counts[usize::from(species - 1)] += 1.0;
    }
    counts
}
