//! Features of a jump with its symmetry, for the fitted barrier models (`fitted`).
//!
//! The six permutations of the half-lattice axes keep the direction (+1, +1, +1) of the jump. A species is a point of a
//! triangle: Nb (-sqrt(3)/2, -1/2), Mo (sqrt(3)/2, -1/2), Ta (0, 1), a vacancy (0, 0). There are two kinds of features.
//! The first are the sums of the points over the 30 orbits of sites, with the components x and y. The second are the
//! sums of the products of two points over the 9 orbits of nearest-neighbour bonds, with the components xx, yy and xy +
//! yx. These bonds are those between sites within one lattice constant of the start or the end of the jump. In units of
//! sqrt(3)/2 and 1/2 all features are integers, and are computed as integers.

use crate::systems::alloy::environment::{Environment, JUMPS, OFFSETS, OPERATIONS, SITES, SPECIES, TURNS};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};
use wide::{i8x16, i8x32, i16x16, i32x8, u32x8};

/// The points of the triangle of Nb, Mo and Ta.
pub const POINTS: [[f32; 2]; 3] = [[-0.866_025_4, -0.5], [0.866_025_4, -0.5], [0.0, 1.0]];
/// Number of features of a jump.
pub const FEATURES: usize = 2 * 30 + 3 * 9;
/// Largest squared distance of a site with bonds from one end of the jump, in units of half the lattice constant.
const NEAR: isize = 4;
/// Number of orbits of sites.
const SITE_ORBITS: usize = 30;
/// From this index on, a pair holds one feature.
const MIXED: usize = SITE_ORBITS + 9;
/// Number of pairs of features.
pub(super) const PAIRS: usize = MIXED + 9;
/// The points of a vacancy, Nb, Mo and Ta as integers in units of sqrt(3)/2 and 1/2.
const WHOLE: [[i8; 2]; 4] = [[0, 0], [-1, -1], [1, -1], [0, 2]];
/// Largest number of blocks of two orbits in a shell.
const BLOCKS: usize = 3;
/// Largest number of sites with bonds.
const MOST_ENDS: usize = 32;
/// Squared length of a bond.
const BOND: isize = 3;

/// One value for each jump.
pub type Lanes = [f32; JUMPS];

/// The orbits of sites, without the jumping atom.
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

/// A shell of equivalent sites: its orbits, two per block, and for each site and block a mask of the orbits of the site
/// in the frame of each jump.
struct Shell {
    orbits: Vec<usize>,
    sites: Vec<(usize, [i8x32; BLOCKS])>,
}

static SHELLS: LazyLock<Vec<Shell>> = LazyLock::new(|| {
    let lengths = |site: usize| {
        let mut lengths = OFFSETS[site].map(isize::abs);
        lengths.sort_unstable();
        lengths
    };
    let belongs = |orbit: usize, jump: usize, site: usize| {
        ORBITS[orbit].iter().any(|&turned| usize::from(TURNS[turned][jump]) == site)
    };
    let shell = |shell: [isize; 3]| {
        let orbits: Vec<usize> = (0..ORBITS.len()).filter(|&orbit| lengths(ORBITS[orbit][0]) == shell).collect();
        let lane = |block: usize, lane: usize, site| {
            let orbit = orbits.get(2 * block + lane / (2 * JUMPS));
            -i8::from(orbit.is_some_and(|&orbit| belongs(orbit, lane / 2 % JUMPS, site)))
        };
        let masks =
            |site| std::array::from_fn(|block| i8x32::new(std::array::from_fn(|index| lane(block, index, site))));
        let sites = (0..SITES).filter(|&site| lengths(site) == shell).map(|site| (site, masks(site))).collect();
        Shell { orbits, sites }
    };
    (0..SITES).map(lengths).collect::<BTreeSet<_>>().into_iter().map(shell).collect()
});

/// The bonds, by their sites.
struct Ends {
    /// Positions of the sites with bonds in the environment, for each jump.
    positions: Vec<[u8; JUMPS]>,
    /// The orbits of bonds between the sites by their index in `positions`.
    orbits: Vec<Vec<[usize; 2]>>,
}

static ENDS: LazyLock<Ends> = LazyLock::new(|| {
    let ends: BTreeSet<usize> = BONDS.iter().flatten().flatten().copied().collect();
    let ends: Vec<usize> = ends.into_iter().collect();
    let index = |site: usize| ends.binary_search(&site).expect("a site with bonds");
    let orbits = BONDS.iter().map(|orbit| orbit.iter().map(|bond| bond.map(index)).collect()).collect();
    Ends { positions: ends.iter().map(|&end| TURNS[end]).collect(), orbits }
});

/// The features of the eight jumps as integers in units of [`units`], in pairs: `[pair][2 jump + member]`.
pub(super) type Pairs = [i16x16; PAIRS];

/// The indices of the features of a pair: x and y of an orbit of sites, xx and yy of an orbit of bonds, or xy alone.
pub(super) fn members(pair: usize) -> [Option<usize>; 2] {
    const BONDS_FROM: usize = 2 * SITE_ORBITS;
    match pair {
        0..SITE_ORBITS => [Some(2 * pair), Some(2 * pair + 1)],
        SITE_ORBITS..MIXED => [0, 1].map(|part| Some(BONDS_FROM + 3 * (pair - SITE_ORBITS) + part)),
        _ => [Some(BONDS_FROM + 3 * (pair - MIXED) + 2), None],
    }
}

/// Units of the features of a pair.
pub(super) fn units(pair: usize) -> [f32; 2] {
    let [x, y] = [POINTS[1][0], 0.5];
    match pair {
        0..SITE_ORBITS => [x, y],
        SITE_ORBITS..MIXED => [x * x, y * y],
        _ => [x * y, 0.0],
    }
}

/// The features of the eight jumps, `[feature][jump]`.
pub fn features(environment: &Environment) -> [Lanes; FEATURES] {
    from_pairs(&pairs(environment))
}

/// The features in pairs.
pub(super) fn from_pairs(pairs: &Pairs) -> [Lanes; FEATURES] {
    let mut features = [[0.0; JUMPS]; FEATURES];
    for (pair, values) in pairs.iter().enumerate() {
        for (member, (feature, unit)) in members(pair).into_iter().zip(units(pair)).enumerate() {
            let Some(feature) = feature else { continue };
            for (feature, values) in features[feature].iter_mut().zip(values.as_array().as_chunks::<2>().0) {
                *feature = unit * f32::from(values[member]);
            }
        }
    }
    features
}

/// The pairs of features.
pub(super) fn into_pairs(features: &[Lanes; FEATURES]) -> Pairs {
    std::array::from_fn(|pair| {
        let mut values = [[0; 2]; JUMPS];
        for (member, (feature, unit)) in members(pair).into_iter().zip(units(pair)).enumerate() {
            let Some(feature) = feature else { continue };
            for (values, feature) in values.iter_mut().zip(features[feature]) {
                values[member] = (feature / unit).round() as i16;
            }
        }
        bytemuck::cast(values)
    })
}

/// The features of the eight jumps, in pairs.
#[inline]
pub(super) fn pairs(environment: &Environment) -> Pairs {
    let mut pairs = [i16x16::ZERO; PAIRS];
    let (sites, bonds) = pairs.split_at_mut(SITE_ORBITS);
    for shell in SHELLS.iter() {
        let mut sums = [i8x32::ZERO; BLOCKS];
        for (site, masks) in &shell.sites {
            let point: i8x32 = bytemuck::cast([WHOLE[usize::from(environment.0[*site]) % SPECIES.len()]; 2 * JUMPS]);
            for (sum, mask) in sums.iter_mut().zip(masks) {
                *sum += point & *mask;
            }
        }
        let sums: [i8x16; 2 * BLOCKS] = bytemuck::cast(sums);
        for (&orbit, sums) in shell.orbits.iter().zip(sums) {
            sites[orbit] = i16x16::from_i8x16(sums);
        }
    }
    let mut points = [[i16x16::ZERO; 2]; MOST_ENDS];
    for ([point, turned], positions) in points.iter_mut().zip(&ENDS.positions) {
        let mut both = [[0_i16; 2]; JUMPS];
        for (both, &position) in both.iter_mut().zip(positions) {
            let [x, y] = WHOLE[usize::from(environment.0[usize::from(position)]) % SPECIES.len()];
            *both = [i16::from(x), i16::from(y)];
        }
        *point = bytemuck::cast(both);
        let lanes: u32x8 = bytemuck::cast(both);
        *turned = bytemuck::cast(lanes << 16 | lanes >> 16);
    }
    let (alike, mixed) = bonds.split_at_mut(MIXED - SITE_ORBITS);
    for ((alike, mixed), orbit) in alike.iter_mut().zip(mixed).zip(&ENDS.orbits) {
        let mut sum = i32x8::ZERO;
        for &[first, second] in orbit {
            let (first, [second, turned]) = (points[first][0], points[second]);
            *alike += first * second;
            sum += first.dot(turned);
        }
        *mixed = bytemuck::cast(sum);
    }
    pairs
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
