//! The built-in barrier model: a small network for each jumping species on features that keep the symmetry of the jump.
//!
//! The six permutations of the half-lattice axes keep the jump's direction (+1, +1, +1). A species is a point of a triangle:
//! Nb (-sqrt(3)/2, -1/2), Mo (sqrt(3)/2, -1/2), Ta (0, 1), a vacancy (0, 0). Features: the sum of the points over each orbit of
//! sites (30 orbits of two numbers), and the sum of the products of two points over each orbit of nearest-neighbour
//! bonds among the sites within one lattice constant of the jump's start or end (9 orbits of three numbers).
//! Two hidden layers of 32, ReLU; one network a species. Recipe and errors: docs/results/alloy.md.

use super::{
    balance::{self, Interactions},
    barriers::{BarrierError, Barriers},
    environment::{Environment, JUMPS, OFFSETS, OPERATIONS, SITES, SPECIES, TURNS, VACANCY},
    weights::Arrays,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::LazyLock,
};

/// The points of the triangle of Nb, Mo and Ta.
pub const POINTS: [[f32; 2]; 3] = [[-0.866_025_4, -0.5], [0.866_025_4, -0.5], [0.0, 1.0]];
/// Number of features of a jump.
pub const FEATURES: usize = 2 * 30 + 3 * 9;
/// Width of the hidden layers.
pub const WIDTH: usize = 32;
/// The fitted model that ships with the program.
const BUILTIN: &[u8] = include_bytes!("builtin.safetensors");
/// The same with detailed balance.
const BALANCED: &[u8] = include_bytes!("balanced.safetensors");
/// Sites this close (squared, in half lattice constants) to either end of the jump take part in bonds.
const NEAR: isize = 4;
/// Number of shells of equivalent sites.
const SHELLS: usize = 8;
/// No shell falls into more orbits.
const MOST_ORBITS: usize = 8;
/// No more sites take part in bonds.
const MOST_ENDS: usize = 32;
/// Squared length of a bond.
const BOND: isize = 3;

/// One value for each jump.
pub type Lanes = [f32; JUMPS];

/// The orbits of sites, without the atom that jumps.
pub(super) static ORBITS: LazyLock<Vec<Vec<usize>>> = LazyLock::new(|| {
    let mut orbits = BTreeMap::<usize, Vec<usize>>::new();
    for site in (0..SITES).filter(|&site| OFFSETS[site] != [1, 1, 1]) {
        let first = OPERATIONS.iter().map(|operation| operation[site]).min().unwrap_or(site);
        orbits.entry(first).or_default().push(site);
    }
    orbits.into_values().collect()
});

/// The orbits of bonds.
pub(super) static BONDS: LazyLock<Vec<Vec<[usize; 2]>>> = LazyLock::new(|| {
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

/// A site's share in the orbits of its shell: which shell, and for each orbit of it a 1 for each jump from which the site
/// belongs to it.
struct Share {
    shell: usize,
    ones: [[u8; JUMPS]; MOST_ORBITS],
}

/// The share of each site of an environment, and for each orbit its shell and its place in it.
static SHARES: LazyLock<(Vec<Share>, Vec<[usize; 2]>)> = LazyLock::new(|| {
    let lengths = |site: usize| {
        let mut lengths = OFFSETS[site].map(isize::abs);
        lengths.sort_unstable();
        lengths
    };
    let shells: BTreeSet<[isize; 3]> = (0..SITES).map(lengths).collect();
    let shell_of = |site| shells.iter().position(|shell| *shell == lengths(site)).unwrap_or(SHELLS);
    let mut places = Vec::<[usize; 2]>::new();
    for orbit in ORBITS.iter() {
        let shell = shell_of(orbit[0]);
        places.push([shell, places.iter().filter(|place| place[0] == shell).count()]);
    }
    let share = |site: usize| {
        let mut share = Share { shell: shell_of(site), ones: Default::default() };
        for (sites, &[_, place]) in ORBITS.iter().zip(&places).filter(|(_, [shell, _])| *shell == share.shell) {
            let seen_from = |jump| sites.iter().any(|&turned| usize::from(TURNS[turned][jump]) == site);
            share.ones[place] = std::array::from_fn(|jump| u8::from(seen_from(jump)));
        }
        share
    };
    ((0..SITES).map(share).collect(), places)
});

/// The bonds by the sites that take part in them.
struct Ends {
    /// Where the sites, at most [`MOST_ENDS`], stand in the environment for each jump.
    positions: Vec<[u8; JUMPS]>,
    /// The orbits of bonds between the sites by their number.
    orbits: Vec<Vec<[usize; 2]>>,
}

static ENDS: LazyLock<Ends> = LazyLock::new(|| {
    let ends: BTreeSet<usize> = BONDS.iter().flatten().flatten().copied().collect();
    let ends: Vec<usize> = ends.into_iter().collect();
    let number = |site: usize| ends.binary_search(&site).expect("a site that takes part in bonds");
    let orbits = BONDS.iter().map(|orbit| orbit.iter().map(|bond| bond.map(number)).collect()).collect();
    Ends { positions: ends.iter().map(|&end| TURNS[end]).collect(), orbits }
});

/// The features of the eight jumps, `[feature][jump]`. Sites are counted in bytes.
pub fn features(environment: &Environment) -> [Lanes; FEATURES] {
    let mut features = [[0.0; JUMPS]; FEATURES];
    let (sites, bonds) = features.split_at_mut(2 * 30);
    let (shares, places) = &*SHARES;
    let mut counts = [[[[0_u8; JUMPS]; MOST_ORBITS]; SHELLS]; SPECIES.len()];
    for (share, &species) in shares.iter().zip(&environment.0) {
        let counts = &mut counts[usize::from(species) % SPECIES.len()][share.shell];
        for (count, one) in counts.as_flattened_mut().iter_mut().zip(share.ones.as_flattened()) {
            *count = count.wrapping_add(*one);
        }
    }
    for (features, &[shell, place]) in sites.as_chunks_mut::<2>().0.iter_mut().zip(places) {
        let [_, nb, mo, ta] = &counts;
        *features = triangle([nb, mo, ta].map(|counts| counts[shell][place].map(f32::from)));
    }
    let Ends { positions, orbits } = &*ENDS;
    let mut points = [[[0.0; JUMPS]; 2]; MOST_ENDS];
    for (points, end) in points.iter_mut().zip(positions) {
        *points = triangle(indicators(environment.at(end)));
    }
    for (features, orbit) in bonds.as_chunks_mut::<3>().0.iter_mut().zip(orbits) {
        let mut sums = [[0.0; JUMPS]; 3];
        for &[first, second] in orbit {
            let ([x, y], [u, v]) = (&points[first], &points[second]);
            for jump in 0..JUMPS {
                sums[0][jump] += x[jump] * u[jump];
                sums[1][jump] += y[jump] * v[jump];
                sums[2][jump] += x[jump] * v[jump] + y[jump] * u[jump];
            }
        }
        *features = sums;
    }
    features
}

/// Which of eight species are Nb, Mo and Ta: 1 for each that is.
#[inline]
fn indicators(species: [u8; JUMPS]) -> [Lanes; 3] {
    let species = species.map(u32::from);
    [1, 2, 3].map(|name| std::array::from_fn(|jump| if species[jump] == name { 1.0 } else { 0.0 }))
}

/// Sums of the points of the triangle for numbers of Nb, Mo and Ta.
#[inline]
fn triangle([nb, mo, ta]: [Lanes; 3]) -> [Lanes; 2] {
    let [_, [half_root, half], _] = POINTS;
    [
        std::array::from_fn(|jump| half_root * (mo[jump] - nb[jump])),
        std::array::from_fn(|jump| ta[jump] + half * (nb[jump] + mo[jump])),
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

/// The networks of the three species, and what gives them detailed balance (`balance`), if anything.
#[derive(Clone, Debug)]
pub struct OrbitModel {
    species: Vec<Perceptron>,
    interactions: Option<Interactions>,
}

impl OrbitModel {
    /// The model that ships with the program.
    ///
    /// # Errors
    /// When the program was built with a damaged file.
    pub fn builtin() -> Result<Self, BarrierError> {
        Self::new(&Arrays::from_safetensors(Path::new("builtin"), BUILTIN)?)
    }

    /// The model with detailed balance that ships with the program.
    ///
    /// # Errors
    /// When the program was built with a damaged file.
    pub fn balanced() -> Result<Self, BarrierError> {
        Self::new(&Arrays::from_safetensors(Path::new("balanced"), BALANCED)?)
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
    /// `Nb.1.weight` of [`WIDTH`] x [`WIDTH`], `Nb.2.weight` of [`WIDTH`] x 1, and a `bias` each; with `interactions` the
    /// networks give the kinetically resolved activation.
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
        let species = SPECIES[1..].iter().map(|name| perceptron(name)).collect::<Result<_, _>>()?;
        Ok(Self { species, interactions: Interactions::read(arrays)? })
    }
}

impl Perceptron {
    /// Two jumps at once, so that each weight is read once for both.
    fn heights(&self, features: &[Lanes; FEATURES], jumps: [usize; 2]) -> [f32; 2] {
        let inputs = features.iter().map(|lanes| jumps.map(|jump| lanes[jump]));
        let [first, second] = hidden_layer(&self.first, &self.first_bias, inputs);
        let inputs = first.into_iter().zip(second).map(|(first, second)| [first, second]);
        hidden_layer(&self.second, &self.second_bias, inputs).map(|hidden| {
            let products: [f32; WIDTH] = std::array::from_fn(|unit| self.head[unit] * hidden[unit]);
            products.as_chunks::<8>().0.iter().fold([0.0; 8], add).iter().sum::<f32>() + self.head_bias
        })
    }
}

#[inline]
fn add(sums: [f32; 8], values: &[f32; 8]) -> [f32; 8] {
    std::array::from_fn(|lane| sums[lane] + values[lane])
}

/// ReLU of the affine map of two inputs.
#[inline]
fn hidden_layer(
    rows: &[[f32; WIDTH]],
    bias: &[f32; WIDTH],
    inputs: impl Iterator<Item = [f32; 2]>,
) -> [[f32; WIDTH]; 2] {
    let bias: [[f32; 8]; WIDTH / 8] = std::array::from_fn(|block| std::array::from_fn(|unit| bias[8 * block + unit]));
    let mut sums = [bias; 2];
    for (row, inputs) in rows.iter().zip(inputs) {
        for (sums, input) in sums.iter_mut().zip(inputs) {
            for (sums, weights) in sums.iter_mut().zip(row.as_chunks::<8>().0) {
                for (sum, &weight) in sums.iter_mut().zip(weights) {
                    *sum = weight.mul_add(input, *sum);
                }
            }
        }
    }
    sums.map(|sums| {
        let mut units = [0.0; WIDTH];
        units.iter_mut().zip(sums.as_flattened()).for_each(|(unit, sum)| *unit = sum.max(0.0));
        units
    })
}

impl OrbitModel {
    /// The energies of pairs of a model with detailed balance.
    pub fn interactions(&self) -> Option<&Interactions> {
        self.interactions.as_ref()
    }

    fn activations(&self, environment: &Environment, features: &[Lanes; FEATURES]) -> [f32; JUMPS] {
        let jumping = environment.targets();
        let mut heights = [f32::INFINITY; JUMPS];
        for (perceptron, species) in self.species.iter().zip(1..) {
            let mut jumps = (0..JUMPS).filter(|&jump| jumping[jump] == species);
            while let Some(first) = jumps.next() {
                let second = jumps.next().unwrap_or(first);
                [heights[first], heights[second]] = perceptron.heights(features, [first, second]);
            }
        }
        heights
    }
}

impl Barriers for OrbitModel {
    fn heights(&self, environment: &Environment) -> [f32; JUMPS] {
        let features = features(environment);
        let Some(interactions) = &self.interactions else { return self.activations(environment, &features) };
        let mut heights = self.activations(environment, &balance::symmetric(&features));
        let (differences, jumping) = (balance::differences(environment, &features), environment.targets());
        for (jump, height) in heights.iter_mut().enumerate().filter(|&(jump, _)| jumping[jump] != VACANCY) {
            *height += 0.5 * interactions.change(&differences, jumping[jump], jump);
        }
        heights
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use rand::Rng as _;

    #[test]
    fn there_are_thirty_orbits_of_sites_and_nine_of_bonds() {
        assert_eq!((ORBITS.len(), ORBITS.iter().map(Vec::len).sum::<usize>()), (30, SITES - 1));
        assert_eq!((BONDS.len(), BONDS.iter().map(Vec::len).sum::<usize>()), (9, 36));
        assert!(ENDS.positions.len() <= MOST_ENDS);
    }

    #[test]
    fn features_are_sums_over_orbits_of_the_turned_environment_and_keep_its_symmetry() {
        let point = |species: u8| {
            [[0.0, 0.0], [-0.75_f32.sqrt(), -0.5], [0.75_f32.sqrt(), -0.5], [0.0, 1.0]][usize::from(species)]
        };
        let mut rng = stream(1, Purpose::Bench, [41, 0]);
        let environment = Environment(std::array::from_fn(|_| rng.random_range(0..4)));
        let (turned, found) = (environment.turned(), features(&environment));
        for operation in OPERATIONS.iter() {
            for jump in 0..JUMPS {
                let at = |site: usize| point(turned[operation[site]][jump]);
                let sites = ORBITS
                    .iter()
                    .flat_map(|orbit| [0, 1].map(|part| orbit.iter().map(|&site| at(site)[part]).sum::<f32>()));
                let bonds = BONDS.iter().flat_map(|orbit| {
                    let ends = || orbit.iter().map(|bond| bond.map(at));
                    [
                        ends().map(|[[x, _], [u, _]]| x * u).sum::<f32>(),
                        ends().map(|[[_, y], [_, v]]| y * v).sum(),
                        ends().map(|[[x, y], [u, v]]| x * v + y * u).sum(),
                    ]
                });
                for (expected, found) in sites.chain(bonds).zip(&found) {
                    assert!((expected - found[jump]).abs() < 1e-4, "{expected} {}", found[jump]);
                }
            }
        }
    }
}
