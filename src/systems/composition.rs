//! What initial states consist of, so that any part of one can be drawn without the rest.
//!
//! A lattice is cut in two along its longest axis, each half again, down to single tiles. Every cut draws how many sites
//! of each state lie on either side (the hypergeometric distribution), from a random stream of its own; every tile
//! shuffles what it got with its own. A state is thus uniform among all with the exact composition of the whole, and a
//! rank that wants some tiles follows only the cuts that lead to them.

use crate::{
    lattice::{Lattice, Shape, Tiling},
    rng::Rng,
};
use bytemuck::Pod;
use rand::{Rng as _, distr::Distribution, seq::SliceRandom};
use rand_distr::Hypergeometric;

/// The value of a site that follows from its coordinate, with noise of its own.
type SiteValue<T> = Box<dyn Fn([usize; 3], &mut Rng) -> T + Send + Sync>;

/// An initial state up to its noise.
pub enum Composition<T> {
    /// Sites that do not depend on each other.
    Independent(SiteValue<T>),
    /// So many sites in each of these states on each sublattice, in random order. The layers of axis 0 belong to the
    /// sublattices in turn.
    Mixed {
        /// The states.
        states: Vec<T>,
        /// Sites of each state, for each sublattice.
        counts: Vec<Vec<u64>>,
    },
}

/// A box of tiles, and what it holds.
struct Part {
    /// Numbers its random stream: halves of part n are parts 2 n and 2 n + 1.
    number: u64,
    /// First tile, and tiles along each axis.
    first: [usize; 3],
    tiles: [usize; 3],
    /// Sites of each state, for each sublattice.
    counts: Vec<Vec<u64>>,
}

impl<T: Pod + Default> Composition<T> {
    /// A whole state of this shape from one random stream.
    pub fn draw(&self, shape: Shape, rng: &mut Rng) -> Lattice<T> {
        let counts = self.counts().to_vec();
        Lattice::from_sites(shape, self.draw_tile([0; 3], shape, counts, rng))
    }

    /// The sites of the box of whole tiles with this first site and shape, row-major. `stream` gives the random stream
    /// of a part of the lattice by its number, from 1 on.
    pub fn draw_box(
        &self,
        tiling: &Tiling,
        (origin, shape): ([usize; 3], Shape),
        stream: impl Fn(u64) -> Rng,
    ) -> Vec<T> {
        let mut drawn = Lattice::filled(shape, T::default());
        let tile = tiling.tile;
        let first: [usize; 3] = std::array::from_fn(|axis| origin[axis] / tile.0[axis]);
        let end: [usize; 3] = std::array::from_fn(|axis| first[axis] + shape.0[axis] / tile.0[axis]);
        let whole = Part { number: 1, first: [0; 3], tiles: tiling.counts, counts: self.counts().to_vec() };
        let mut left = vec![whole];
        while let Some(part) = left.pop() {
            let apart =
                |axis: usize| part.first[axis] >= end[axis] || part.first[axis] + part.tiles[axis] <= first[axis];
            if (0..3).any(apart) {
                continue;
            }
            let mut rng = stream(part.number);
            if part.tiles == [1; 3] {
                let at: [usize; 3] = std::array::from_fn(|axis| part.first[axis] * tile.0[axis]);
                let sites = self.draw_tile(at, tile, part.counts, &mut rng);
                let within = std::array::from_fn(|axis| (at[axis] - origin[axis]) as isize);
                drawn.paste(within, tile, &sites);
            } else {
                left.extend(part.halves(tile, &mut rng));
            }
        }
        drawn.sites
    }

    fn counts(&self) -> &[Vec<u64>] {
        match self {
            Self::Independent(_) => &[],
            Self::Mixed { counts, .. } => counts,
        }
    }

    /// The sites of a tile that holds these counts.
    fn draw_tile(&self, origin: [usize; 3], shape: Shape, counts: Vec<Vec<u64>>, rng: &mut Rng) -> Vec<T> {
        let states = match self {
            Self::Independent(value) => {
                let at = |site: usize| {
                    let within = shape.coordinate(site);
                    value(std::array::from_fn(|axis| origin[axis] + within[axis]), rng)
                };
                return (0..shape.sites()).map(at).collect();
            }
            Self::Mixed { states, .. } => states,
        };
        let shuffled = |counts: &Vec<u64>, rng: &mut Rng| {
            let runs = states.iter().zip(counts);
            let mut sites: Vec<T> =
                runs.flat_map(|(state, count)| std::iter::repeat_n(*state, *count as usize)).collect();
            sites.shuffle(rng);
            sites
        };
        if let [counts] = &counts[..] {
            return shuffled(counts, rng);
        }
        let layer = shape.0[1] * shape.0[2];
        let sublattices: Vec<Vec<T>> = counts.iter().map(|counts| shuffled(counts, rng)).collect();
        let mut layers: Vec<_> = sublattices.iter().map(|sites| sites.chunks(layer)).collect();
        let next = |z: usize| layers[(origin[0] + z) % counts.len()].next().expect("the counts of a box are its sites");
        (0..shape.0[0]).flat_map(next).copied().collect()
    }
}

impl Part {
    /// The two halves along the longest axis.
    fn halves(self, tile: Shape, rng: &mut Rng) -> [Self; 2] {
        let sites = |axis: usize| self.tiles[axis] * tile.0[axis];
        let axis = (0..3).filter(|&axis| self.tiles[axis] > 1).max_by_key(|&axis| sites(axis)).unwrap_or(0);
        let (mut tiles, mut others, mut first) = (self.tiles, self.tiles, self.first);
        tiles[axis] /= 2;
        others[axis] -= tiles[axis];
        first[axis] += tiles[axis];
        let share = |counts: Vec<u64>| {
            let all: u64 = counts.iter().sum();
            // Whole tiles have as many sites of each sublattice.
            let half = all / self.tiles[axis] as u64 * tiles[axis] as u64;
            let low = drawn_of_each(&counts, half, rng);
            let high: Vec<u64> = counts.iter().zip(&low).map(|(count, low)| count - low).collect();
            (low, high)
        };
        let (low, high) = self.counts.into_iter().map(share).unzip();
        [
            Self { number: 2 * self.number, first: self.first, tiles, counts: low },
            Self { number: 2 * self.number + 1, first, tiles: others, counts: high },
        ]
    }
}

/// How many of each kind are among `drawn` that are taken at random from a population with these counts.
pub(super) fn drawn_of_each(counts: &[u64], drawn: u64, rng: &mut Rng) -> Vec<u64> {
    let (mut population, mut left) = (counts.iter().sum::<u64>(), drawn);
    let of_kind = |&count: &u64| {
        let found = drawn_of(population, count, left, rng);
        (population, left) = (population - count, left - found);
        found
    };
    counts.iter().map(of_kind).collect()
}

/// Numbers so small are drawn one by one: it is quick, and exact where approximations of the general method fail.
const FEW: u64 = 64;

/// How many of `marked` members of a population are among `drawn` taken at random.
pub(super) fn drawn_of(population: u64, marked: u64, drawn: u64, rng: &mut Rng) -> u64 {
    // Marks and draws may change places, and so may each and the rest.
    if drawn < marked {
        return drawn_of(population, drawn, marked, rng);
    }
    if 2 * drawn > population {
        return marked - drawn_of(population, marked, population - drawn, rng);
    }
    if marked >= FEW {
        let hypergeometric = Hypergeometric::new(population, marked, drawn);
        return hypergeometric.expect("marks and draws are at most the population").sample(rng);
    }
    let mut found = 0;
    for member in 0..marked {
        found += u64::from(rng.random_range(0..population - member) < drawn - found);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    fn rng(item: u64) -> Rng {
        stream(3, Purpose::Bench, [item, 70])
    }

    /// Mean and variance of the hypergeometric distribution, on both sides of the border between methods.
    #[test]
    fn draws_have_the_moments_of_the_hypergeometric_distribution() {
        for (population, marked, drawn) in [
            (50, 10, 20),
            (1000, 63, 500),
            (1000, 64, 333),
            (4_294_967_296, 2_147_000_000, 2_147_483_648),
            (4_294_967_296, 100, 2_000_000_000),
            (1 << 34, 1 << 33, 1 << 33),
            (1000, 950, 700),
            (20, 20, 7),
        ] {
            let mut random = rng(population);
            let runs = 20_000;
            let draw = |_| drawn_of(population, marked, drawn, &mut random) as f64;
            let found: Vec<f64> = (0..runs).map(draw).collect();
            let [n, k, m] = [population, marked, drawn].map(|count| count as f64);
            let (mean, variance) = (m * k / n, m * (k / n) * (1.0 - k / n) * (n - m) / (n - 1.0));
            let average = found.iter().sum::<f64>() / f64::from(runs);
            let spread = found.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(runs);
            let error = (variance / f64::from(runs)).sqrt();
            assert!((average - mean).abs() <= 4.0 * error, "{population} {marked} {drawn}: {average}, not {mean}");
            assert!(
                (spread - variance).abs() <= 0.05 * variance,
                "{population} {marked} {drawn}: {spread}, {variance}"
            );
        }
    }

    /// Any box of tiles is the same part of the same state, with the whole composition.
    #[test]
    fn parts_of_a_state_do_not_depend_on_who_draws_them() {
        for (shape, tile, sublattices) in [([1, 24, 40], [1, 8, 8], 1), ([12, 9, 6], [4, 3, 2], 2)] {
            let (shape, tile) = (Shape(shape), Shape(tile));
            let tiling = Tiling::new(shape, tile).unwrap();
            let sites = (shape.sites() / sublattices) as u64;
            let counts: Vec<Vec<u64>> = (0..sublattices as u64).map(|s| vec![5 + s, 100, sites - 105 - s]).collect();
            let composition = Composition::Mixed { states: vec![7_u8, 8, 9], counts: counts.clone() };
            let whole = composition.draw_box(&tiling, ([0; 3], shape), rng);
            let whole = Lattice::from_sites(shape, whole);
            for (sublattice, counts) in counts.iter().enumerate() {
                let layers = whole.sites.chunks(shape.0[1] * shape.0[2]).skip(sublattice).step_by(sublattices);
                let own: Vec<u8> = layers.flatten().copied().collect();
                for (state, count) in [7, 8, 9].iter().zip(counts) {
                    assert_eq!(own.iter().filter(|site| *site == state).count() as u64, *count);
                }
            }
            for index in 0..tiling.len() {
                let origin = tiling.origin(index);
                let at = origin.map(|value| value as usize);
                let part = composition.draw_box(&tiling, (at, tile), rng);
                assert_eq!(part, whole.cut(origin, tile));
            }
        }
    }

    /// Tiles of independent noise would have that of the binomial distribution; an exact composition leaves less.
    #[test]
    fn tiles_share_an_exact_composition_as_a_shuffled_lattice_does() {
        let (shape, tile) = (Shape::plane(16, 16), Shape::plane(4, 4));
        let tiling = Tiling::new(shape, tile).unwrap();
        let composition = Composition::Mixed { states: vec![0_u8, 1], counts: vec![vec![192, 64]] };
        let runs = 4000;
        let mut pairs = [0.0; 2];
        for run in 0..runs {
            let sites = composition.draw_box(&tiling, ([0; 3], shape), |part| stream(run, Purpose::Bench, [part, 71]));
            let whole = Lattice::from_sites(shape, sites);
            let up =
                |index: usize| whole.cut(tiling.origin(index), tile).iter().map(|&s| f64::from(s)).sum::<f64>() - 4.0;
            pairs[0] += up(5) * up(5);
            pairs[1] += up(5) * up(6);
        }
        let [variance, covariance] = pairs.map(|sum| sum / runs as f64);
        // 16 of 256 sites, a quarter of them up.
        let expected = 16.0 * 0.25 * 0.75 * 240.0 / 255.0;
        assert!((variance / expected - 1.0).abs() < 0.1, "{variance}, not {expected}");
        assert!((covariance + expected / 15.0).abs() < 0.15, "{covariance}, not {}", -expected / 15.0);
    }
}
