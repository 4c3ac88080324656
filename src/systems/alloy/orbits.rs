//! The built-in barrier model: a small network for each jumping species on features that keep the symmetry of the jump.
//!
//! The six permutations of the half-lattice axes keep the jump's direction (+1, +1, +1). A species is a point of a triangle:
//! Nb (-sqrt(3)/2, -1/2), Mo (sqrt(3)/2, -1/2), Ta (0, 1), a vacancy (0, 0). Features: the sum of the points over each orbit of
//! sites (30 orbits of two numbers), and the sum of the products of two points over each orbit of nearest-neighbour
//! bonds among the sites within one lattice constant of the jump's start or end (9 orbits of three numbers).
//! Two hidden layers of 32, ReLU; one network a species. Recipe and errors: docs/results/alloy.md.

use super::{
    barriers::{BarrierError, Barriers},
    environment::{JUMPS, OFFSETS, SITES, SPECIES, Turned},
    weights::Arrays,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::LazyLock,
};

/// Number of features of a jump.
pub const FEATURES: usize = 2 * 30 + 3 * 9;
/// Width of the hidden layers.
pub const WIDTH: usize = 32;
/// The fitted model that ships with the program.
const BUILTIN: &[u8] = include_bytes!("builtin.safetensors");
/// Sites this close (squared, in half lattice constants) to either end of the jump take part in bonds.
const NEAR: isize = 4;
/// Squared length of a bond.
const BOND: isize = 3;

/// One value for each jump.
type Lanes = [f32; JUMPS];

/// The permutations of the axes: the operations that keep the jump along (+1, +1, +1).
const PERMUTATIONS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// `OPERATIONS[operation][site]`: the site that an operation brings to `site`.
pub static OPERATIONS: LazyLock<Vec<Vec<usize>>> = LazyLock::new(|| {
    let moved = |axes: [usize; 3]| {
        OFFSETS.iter().map(move |offset| super::environment::position(axes.map(|axis| offset[axis])))
    };
    PERMUTATIONS.map(|axes| moved(axes).collect()).to_vec()
});

/// The orbits of sites, without the atom that jumps.
static ORBITS: LazyLock<Vec<Vec<usize>>> = LazyLock::new(|| {
    let mut orbits = BTreeMap::<usize, Vec<usize>>::new();
    for site in (0..SITES).filter(|&site| OFFSETS[site] != [1, 1, 1]) {
        let first = OPERATIONS.iter().map(|operation| operation[site]).min().unwrap_or(site);
        orbits.entry(first).or_default().push(site);
    }
    orbits.into_values().collect()
});

/// The orbits of bonds.
static BONDS: LazyLock<Vec<Vec<[usize; 2]>>> = LazyLock::new(|| {
    let square = |a: [isize; 3], b: [isize; 3]| -> isize { (0..3).map(|axis| (a[axis] - b[axis]).pow(2)).sum() };
    let near = |&site: &usize| {
        let ends = [[0, 0, 0], [1, 1, 1]].map(|end| square(OFFSETS[site], end));
        ends[1] > 0 && ends.iter().any(|&distance| distance <= NEAR)
    };
    let sites: BTreeSet<usize> = (0..SITES).filter(near).collect();
    let mut orbits = BTreeMap::<[usize; 2], Vec<[usize; 2]>>::new();
    for &first in &sites {
        for &second in sites.range(first..).filter(|&&second| square(OFFSETS[first], OFFSETS[second]) == BOND) {
            let turned = OPERATIONS.iter().map(|operation| {
                let [a, b] = [operation[first], operation[second]];
                [a.min(b), a.max(b)]
            });
            orbits.entry(turned.min().unwrap_or([first, second])).or_default().push([first, second]);
        }
    }
    orbits.into_values().collect()
});

/// The sites that take part in bonds.
static ENDS: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let ends: BTreeSet<usize> = BONDS.iter().flatten().flatten().copied().collect();
    ends.into_iter().collect()
});

/// The features of the eight jumps, `[feature][jump]`. Sites are counted in integers, a byte for each jump.
pub fn features(turned: &Turned) -> [Lanes; FEATURES] {
    let mut features = [[0.0; JUMPS]; FEATURES];
    let (sites, bonds) = features.split_at_mut(2 * 30);
    for (features, orbit) in sites.as_chunks_mut::<2>().0.iter_mut().zip(ORBITS.iter()) {
        let mut counts = [0; 3];
        for &site in orbit {
            counts.iter_mut().zip(indicators(&turned[site % SITES])).for_each(|(count, one)| *count += one);
        }
        *features = triangle(counts);
    }
    let mut points = [[[0.0; JUMPS]; 2]; SITES];
    for &site in ENDS.iter() {
        points[site % SITES] = triangle(indicators(&turned[site % SITES]));
    }
    for (sums, orbit) in bonds.as_chunks_mut::<3>().0.iter_mut().zip(BONDS.iter()) {
        for &[first, second] in orbit {
            let ([x, y], [u, v]) = (&points[first % SITES], &points[second % SITES]);
            for jump in 0..JUMPS {
                sums[0][jump] += x[jump] * u[jump];
                sums[1][jump] += y[jump] * v[jump];
                sums[2][jump] += x[jump] * v[jump] + y[jump] * u[jump];
            }
        }
    }
    features
}

/// Of eight species, a byte each, which are Nb, Mo and Ta: a 1 in the byte of each.
#[inline]
fn indicators(species: &[u8; JUMPS]) -> [u64; 3] {
    const ONES: u64 = u64::from_le_bytes([1; JUMPS]);
    let low = u64::from_le_bytes(*species);
    let high = low >> 1;
    [low & !high & ONES, high & !low & ONES, low & high & ONES]
}

/// Sums of the points of the triangle for numbers of Nb, Mo and Ta, a byte for each jump.
#[inline]
fn triangle(counts: [u64; 3]) -> [Lanes; 2] {
    let [nb, mo, ta] = counts.map(|count| count.to_le_bytes().map(f32::from));
    let half_root = 0.75_f32.sqrt();
    [
        std::array::from_fn(|jump| half_root * (mo[jump] - nb[jump])),
        std::array::from_fn(|jump| ta[jump] - 0.5 * (nb[jump] + mo[jump])),
    ]
}

/// The network of one jumping species.
#[derive(Clone, Debug)]
struct Perceptron {
    first: Vec<[f32; WIDTH]>,
    first_bias: [f32; WIDTH],
    second: Vec<[f32; WIDTH]>,
    second_bias: [f32; WIDTH],
    head: [f32; WIDTH],
    head_bias: f32,
}

/// The networks of the three species.
#[derive(Clone, Debug)]
pub struct OrbitModel {
    species: Vec<Perceptron>,
}

impl OrbitModel {
    /// The model that ships with the program.
    ///
    /// # Errors
    /// When the program was built with a damaged file.
    pub fn builtin() -> Result<Self, BarrierError> {
        Self::new(&Arrays::from_safetensors(Path::new("builtin"), BUILTIN)?)
    }

    /// Reads a fitted model (`.safetensors`).
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn read(path: &Path) -> Result<Self, BarrierError> {
        let bytes = std::fs::read(path).map_err(|source| BarrierError::Read { path: path.to_owned(), source })?;
        Self::new(&Arrays::from_safetensors(path, &bytes)?)
    }

    /// The model of named arrays, for each species `Nb`, `Mo` and `Ta`: `Nb.0.weight` of [`FEATURES`] x [`WIDTH`],
    /// `Nb.1.weight` of [`WIDTH`] x [`WIDTH`], `Nb.2.weight` of [`WIDTH`] x 1, and a `bias` each.
    ///
    /// # Errors
    /// When an array is missing or has another shape, or a number is not finite.
    pub fn new(arrays: &Arrays) -> Result<Self, BarrierError> {
        let perceptron = |name: &str| -> Result<Perceptron, BarrierError> {
            let weight =
                |layer: usize, inputs, outputs| arrays.get(&format!("{name}.{layer}.weight"), &[inputs, outputs]);
            let bias = |layer: usize, outputs| arrays.get(&format!("{name}.{layer}.bias"), &[outputs]);
            let row = |values: &[f32]| std::array::from_fn(|output| values[output]);
            Ok(Perceptron {
                first: weight(0, FEATURES, WIDTH)?.as_chunks().0.to_vec(),
                first_bias: row(bias(0, WIDTH)?),
                second: weight(1, WIDTH, WIDTH)?.as_chunks().0.to_vec(),
                second_bias: row(bias(1, WIDTH)?),
                head: row(weight(2, WIDTH, 1)?),
                head_bias: bias(2, 1)?[0],
            })
        };
        Ok(Self { species: SPECIES[1..].iter().map(|name| perceptron(name)).collect::<Result<_, _>>()? })
    }
}

impl Perceptron {
    fn height(&self, features: &[Lanes; FEATURES], jump: usize) -> f32 {
        let inputs: [f32; FEATURES] = std::array::from_fn(|feature| features[feature][jump]);
        let hidden = hidden_layer(&self.first, &self.first_bias, &inputs);
        let hidden = hidden_layer(&self.second, &self.second_bias, &hidden);
        let products: [f32; WIDTH] = std::array::from_fn(|unit| self.head[unit] * hidden[unit]);
        products.as_chunks::<8>().0.iter().fold([0.0; 8], add).iter().sum::<f32>() + self.head_bias
    }
}

#[inline]
fn add(sums: [f32; 8], values: &[f32; 8]) -> [f32; 8] {
    std::array::from_fn(|lane| sums[lane] + values[lane])
}

/// ReLU of the affine map; two running sums hide the latency of the multiply-adds.
#[inline]
fn hidden_layer(rows: &[[f32; WIDTH]], bias: &[f32; WIDTH], inputs: &[f32]) -> [f32; WIDTH] {
    let (pairs, last) = rows.as_chunks::<2>();
    let (input_pairs, last_input) = inputs.as_chunks::<2>();
    let (mut even, mut odd) = (*bias, [0.0; WIDTH]);
    for ([first, second], [x, y]) in pairs.iter().zip(input_pairs) {
        for unit in 0..WIDTH {
            even[unit] = first[unit].mul_add(*x, even[unit]);
            odd[unit] = second[unit].mul_add(*y, odd[unit]);
        }
    }
    for (row, x) in last.iter().zip(last_input) {
        for unit in 0..WIDTH {
            even[unit] = row[unit].mul_add(*x, even[unit]);
        }
    }
    std::array::from_fn(|unit| (even[unit] + odd[unit]).max(0.0))
}

impl Barriers for OrbitModel {
    fn heights(&self, turned: &Turned) -> [f32; JUMPS] {
        let features = features(turned);
        let jumping = turned[super::environment::position([1, 1, 1])];
        std::array::from_fn(|jump| match jumping[jump] {
            0 => f32::INFINITY,
            species => self.species[usize::from(species) - 1].height(&features, jump),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rng::{Purpose, stream},
        systems::alloy::environment::Environment,
    };
    use rand::Rng as _;

    #[test]
    fn there_are_thirty_orbits_of_sites_and_nine_of_bonds() {
        assert_eq!((ORBITS.len(), ORBITS.iter().map(Vec::len).sum::<usize>()), (30, SITES - 1));
        assert_eq!((BONDS.len(), BONDS.iter().map(Vec::len).sum::<usize>()), (9, 36));
    }

    #[test]
    fn operations_that_keep_the_jump_keep_the_features() {
        let mut rng = stream(1, Purpose::Bench, [41, 0]);
        let turned = Environment(std::array::from_fn(|_| rng.random_range(0..4))).turned();
        let expected = features(&turned);
        for operation in OPERATIONS.iter() {
            let moved = features(&std::array::from_fn(|site| turned[operation[site]]));
            for (moved, expected) in moved.iter().flatten().zip(expected.iter().flatten()) {
                assert!((moved - expected).abs() < 1e-4, "{moved} {expected}");
            }
        }
    }
}
