//! Barriers with exact detailed balance: E = E_kra + (H_final - H_initial) / 2. E_kra is the kinetically resolved
//! activation (Van der Ven, Ceder, Asta and Tepesch, Phys. Rev. B 64, 184307, 2001).
//!
//! H is a sum over pairs of sites up to the third shell. A species is a point p of a triangle (`orbits`). Two atoms at
//! shell d have the energy p M_d p', and a vacancy and an atom have a_d p. E_kra is any function of features that are
//! equal for the jump and its reverse: each feature is added to its mirror image at the middle of the jump. Features
//! with an image out of reach are left out.

use crate::systems::alloy::{
    barriers::{
        BarrierError,
        arrays::Arrays,
        orbits::{BONDS, FEATURES, Lanes, ORBITS, POINTS},
    },
    environment::{Environment, JUMPS, OFFSETS, TURNS, VACANCY, position},
};
use std::sync::LazyLock;

/// Squared lengths of the pairs that have an energy, in units of half the lattice constant.
pub const SHELLS: [isize; 3] = [3, 4, 8];
/// Number of parameters per shell: M_xx, M_xy, M_yy, a_x, a_y.
const NUMBERS: usize = 5;

/// For each shell, the difference between the surroundings of the vacancy and of the jumping atom: the sum of the
/// points, x and y, and the number of other vacancies.
pub type Differences = [[Lanes; 3]; SHELLS.len()];

/// For each shell, the factor of the difference of the points.
pub type Fields = [[f32; 2]; SHELLS.len()];

/// The feature that is the mirror image of each feature. It may be the feature itself. `None` if it is out of reach.
static IMAGES: LazyLock<Vec<Option<usize>>> = LazyLock::new(|| {
    let mirrored = |site: usize| {
        let image = OFFSETS[site].map(|value| 1 - value);
        OFFSETS.contains(&image).then(|| position(image))
    };
    let orbit = |site: usize| ORBITS.iter().position(|orbit| orbit.contains(&site));
    let sites = ORBITS.iter().map(|sites| mirrored(sites[0]).and_then(orbit));
    let bonds = BONDS.iter().map(|bonds| {
        let [first, second] = [mirrored(bonds[0][0])?, mirrored(bonds[0][1])?];
        BONDS.iter().position(|bonds| bonds.contains(&[first, second]) || bonds.contains(&[second, first]))
    });
    let parts = |orbits: Vec<Option<usize>>, parts: usize, start: usize| {
        orbits
            .into_iter()
            .flat_map(move |orbit| (0..parts).map(move |part| orbit.map(|orbit| start + parts * orbit + part)))
    };
    parts(sites.collect(), 2, 0).chain(parts(bonds.collect(), 3, 2 * ORBITS.len())).collect()
});

/// For each shell, the orbits of its sites around the vacancy and around the jumping atom.
static AROUND: LazyLock<[[Vec<usize>; 2]; SHELLS.len()]> = LazyLock::new(|| {
    let at = |end: isize, square: isize| {
        let length = |site: usize| OFFSETS[site].iter().map(|value| (value - end).pow(2)).sum::<isize>();
        let orbits = ORBITS.iter().enumerate().filter(|(_, sites)| length(sites[0]) == square);
        orbits.map(|(orbit, _)| orbit).collect()
    };
    SHELLS.map(|square| [at(0, square), at(1, square)])
});

/// The features, each added to its mirror image. Zero if the image is out of reach.
pub fn symmetric(features: &[Lanes; FEATURES]) -> [Lanes; FEATURES] {
    let mut symmetric = [[0.0; JUMPS]; FEATURES];
    for ((sum, own), image) in symmetric.iter_mut().zip(features).zip(IMAGES.iter()) {
        if let Some(image) = image {
            *sum = std::array::from_fn(|jump| own[jump] + features[*image][jump]);
        }
    }
    symmetric
}

/// The differences between the surroundings of the vacancy and of the jumping atom, from the features.
pub fn differences(environment: &Environment, features: &[Lanes; FEATURES]) -> Differences {
    let alone = !environment.0.contains(&VACANCY);
    let mut differences = Differences::default();
    for (difference, ends) in differences.iter_mut().zip(AROUND.iter()) {
        for (orbits, sign) in ends.iter().zip([1.0, -1.0]) {
            for &orbit in orbits {
                for jump in 0..JUMPS {
                    difference[0][jump] += sign * features[2 * orbit][jump];
                    difference[1][jump] += sign * features[2 * orbit + 1][jump];
                }
                for &site in ORBITS[orbit].iter().filter(|_| !alone) {
                    for (count, species) in difference[2].iter_mut().zip(environment.at(&TURNS[site])) {
                        *count += if species == VACANCY { sign } else { 0.0 };
                    }
                }
            }
        }
    }
    differences
}

/// Energies of pairs.
#[derive(Clone, Debug, PartialEq)]
pub struct Interactions {
    /// M_d and a_d of each shell, in eV.
    numbers: [[f32; NUMBERS]; SHELLS.len()],
    /// M_d p - a_d for each jumping species.
    fields: [Fields; 3],
}

impl Interactions {
    /// The interactions with fields M_d p - a_d nearest to those of Nb, Mo and Ta, by least squares.
    pub fn nearest(fields: &[Fields; 3]) -> Self {
        let shell = |shell: usize| {
            let mean: [f32; 2] =
                std::array::from_fn(|part| fields.iter().map(|field| field[shell][part]).sum::<f32>() / 3.0);
            // The sum of the points of the triangle is zero, and that of their outer products 3/2.
            let matrix = |row: usize, column: usize| {
                POINTS
                    .iter()
                    .zip(fields)
                    .map(|(point, field)| (field[shell][row] - mean[row]) * point[column])
                    .sum::<f32>()
                    / 1.5
            };
            [matrix(0, 0), (matrix(0, 1) + matrix(1, 0)) / 2.0, matrix(1, 1), -mean[0], -mean[1]]
        };
        Self::new([0, 1, 2].map(shell))
    }

    fn new(numbers: [[f32; NUMBERS]; SHELLS.len()]) -> Self {
        let fields = POINTS.map(|[x, y]| numbers.map(|[xx, xy, yy, a, b]| [xx * x + xy * y - a, xy * x + yy * y - b]));
        Self { numbers, fields }
    }

    /// The interactions in the arrays of a model, if it has any.
    ///
    /// # Errors
    /// When the array has another shape, or holds NaN or infinity.
    pub fn read(arrays: &Arrays) -> Result<Option<Self>, BarrierError> {
        if !arrays.holds("interactions") {
            return Ok(None);
        }
        let numbers = arrays.get("interactions", &[SHELLS.len(), NUMBERS])?.as_chunks::<NUMBERS>().0;
        Ok(Some(Self::new(std::array::from_fn(|shell| numbers[shell]))))
    }

    /// Adds the interactions to the arrays of a model.
    pub fn write(&self, arrays: &mut Arrays) {
        arrays.insert("interactions", &[SHELLS.len(), NUMBERS], self.numbers.as_flattened().to_vec());
    }

    /// H_final - H_initial in eV of the jump of species 1, 2 or 3 along direction `jump`.
    pub fn change(&self, differences: &Differences, species: u8, jump: usize) -> f32 {
        let fields = &self.fields[usize::from(species) - 1];
        let shell = |shell: usize| {
            let [x, y, vacancies] = differences[shell].map(|lanes| lanes[jump]);
            fields[shell][0] * x + fields[shell][1] * y + self.energy(shell, [VACANCY, species]) * vacancies
        };
        (0..SHELLS.len()).map(shell).sum()
    }

    /// The energy of a pair of species (0 to 3) at shell 0, 1 or 2, in eV.
    pub fn energy(&self, shell: usize, pair: [u8; 2]) -> f32 {
        let [xx, xy, yy, a, b] = self.numbers[shell];
        let point = |species: u8| POINTS[usize::from(species) - 1];
        match pair {
            [VACANCY, VACANCY] => 0.0,
            [VACANCY, atom] | [atom, VACANCY] => a * point(atom)[0] + b * point(atom)[1],
            [first, second] => {
                let ([x, y], [u, v]) = (point(first), point(second));
                xx * x * u + xy * (x * v + y * u) + yy * y * v
            }
        }
    }
}
