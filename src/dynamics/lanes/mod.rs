//! Many windows of one shape in the bits of words: exact heat-bath dynamics of sites with two states (multi-spin
//! coding).
//!
//! Every site is attempted at the times of a Poisson process of rate 1. An attempt leaves the site in its upper state
//! with a probability that depends on its neighbours alone, whatever its present state. For Glauber rates this is the
//! process of the rejection-free kernel, whose events are the attempts that change something.
//!
//! The windows of a word, its *lanes*, share the times and the sites of the attempts and draw their outcomes
//! independently. Each lane by itself has the exact law. Lanes are correlated as long as it matters which of their
//! sites were attempted lately; error bars belong to words, not to lanes.
//!
//! An outcome compares the binary digits of the probability with random bits, one after the other and for all lanes at
//! once. After [`DIGITS`] digits the few undecided lanes compare the other 64 - `DIGITS` with a number of their own.
//! What a lane does depends on the random stream of the word, on its index and on its own sites, never on the other
//! lanes.

mod compatible;
mod pack;
mod random;
mod word;

pub use pack::Packing;
pub use word::Word;

use super::{Dynamics, Elapsed, EvolveError, Law, Until};
use crate::{
    lattice::{Boundary, Lattice, Region, Shape, Stencil, Window},
    rng::Rng,
};
use rand::{Rng as _, distr::Distribution};
use random::{Columns, split_mix};

/// Digits of a probability that all lanes compare together. More digits cost random bits in every attempt, fewer leave
/// more lanes undecided: 2^-`DIGITS` of them.
const DIGITS: usize = 10;
/// Neighbours of a site.
const NEIGHBOURS: usize = 4;
/// Marks sites of the box that the halo of a closed window repeats.
const REPEATED: u32 = 1 << 31;

/// A law of sites with two states and four neighbours, each set at the attempts of a Poisson process of rate 1.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatBath<T> {
    /// The lower and the upper state.
    pub states: [T; 2],
    /// Probability that an attempt leaves the upper state, by the number of neighbours in it.
    pub upper: [f64; NEIGHBOURS + 1],
}

/// A law in the lanes of words.
#[derive(Clone, Debug)]
pub struct InLanes<L: Law, const W: usize> {
    /// The law of one lane.
    pub heat_bath: HeatBath<L::Site>,
    stencil: Stencil,
    threshold: Threshold<NEIGHBOURS>,
}

impl<L: Law, const W: usize> InLanes<L, W> {
    /// `law` in lanes, if it is one of two states, a byte a site, and four neighbours.
    pub fn new(law: &L) -> Option<Self> {
        let (heat_bath, stencil) = (law.heat_bath()?, law.stencil());
        let threshold = Threshold::by_count(&heat_bath.upper);
        (stencil.0.len() == NEIGHBOURS && size_of::<L::Site>() == 1).then_some(Self { heat_bath, stencil, threshold })
    }

    /// Memory to pack and unpack lanes of at most `sites` sites.
    pub fn packing(&self, sites: usize) -> Packing<W> {
        Packing::new(sites, self.heat_bath.states)
    }

    /// States of one shape, a lane each. Lanes beyond the last are 0.
    ///
    /// # Panics
    /// When there are more states than lanes.
    pub fn pack(&self, shape: Shape, lanes: &[&[L::Site]]) -> Lattice<Word<W>> {
        assert!(lanes.len() <= Word::<W>::LANES, "{} states in a word of {}", lanes.len(), Word::<W>::LANES);
        let mut packing = self.packing(shape.sites());
        lanes.iter().enumerate().for_each(|(lane, sites)| packing.put(lane, 0, sites));
        packing.transpose();
        Lattice::from_sites(shape, packing.words(shape.sites()).to_vec())
    }

    /// The sites of the first `count` lanes, lane after lane.
    pub fn unpack(&self, words: &[Word<W>], count: usize) -> Vec<L::Site> {
        let mut packing = self.packing(words.len());
        packing.fill(words);
        packing.transpose();
        let mut sites = vec![L::Site::default(); count * words.len()];
        let lanes = sites.chunks_exact_mut(words.len().max(1));
        lanes.enumerate().for_each(|(lane, sites)| packing.get(lane, 0, sites));
        sites
    }
}

impl<L: Law, const W: usize> Law for InLanes<L, W> {
    type Site = Word<W>;
    const REACH: usize = L::REACH;
    const BOUNDARY: Boundary = L::BOUNDARY;

    fn stencil(&self) -> Stencil {
        self.stencil.clone()
    }
}

/// The kernel, with the working memory of one thread.
#[derive(Clone, Debug, Default)]
pub struct Lanes {
    /// The sites of the box, some of them `REPEATED`.
    sites: Vec<u32>,
}

impl Lanes {
    /// Lists the sites of the box.
    fn list<const W: usize>(&mut self, window: &Window<Word<W>>) {
        let entry = |site| site as u32 | if window.is_repeated(site) { REPEATED } else { 0 };
        self.sites.clear();
        self.sites.extend(window.sites_of(Region::BOX).map(entry));
    }
}

/// The number of attempts at `sites` sites in a span of time.
fn attempts_of(time: f64, sites: usize, rng: &mut Rng) -> u64 {
    rand_distr::Poisson::new(time * sites as f64).map_or(0, |poisson| poisson.sample(rng) as u64)
}

impl<L: Law, const W: usize> Dynamics<InLanes<L, W>> for Lanes {
    /// Evolves all lanes. Does not count the events of each.
    fn evolve(
        &mut self,
        law: &InLanes<L, W>,
        window: &mut Window<Word<W>>,
        until: Until,
        rng: &mut Rng,
    ) -> Result<Elapsed, EvolveError> {
        let Until::Time(time) = until else { return Err(EvolveError::CountedInLanes) };
        let offsets: [isize; NEIGHBOURS] = window.offsets(&law.stencil).try_into().expect("`new` has counted them");
        self.list(window);
        let attempts = attempts_of(time, self.sites.len(), rng);
        let [first, second, third, fourth] = offsets;
        let masks = |values: &[Word<W>], site: usize| {
            let at = |offset| values[site.wrapping_add_signed(offset)];
            at_least([at(first), at(second), at(third), at(fourth)])
        };
        let (key, places, random) = (rng.random(), Columns::new(rng), Columns::new(rng));
        let (sites, threshold) = (&self.sites[..], &law.threshold);
        pulp::Arch::new().dispatch(Attempts { sites, window, threshold, masks, attempts, key, places, random });
        Ok(Elapsed { time, events: 0 })
    }

    fn check(_: &InLanes<L, W>, until: Until) -> Result<(), EvolveError> {
        if let Until::Events(_) = until { Err(EvolveError::CountedInLanes) } else { Ok(()) }
    }
}

/// Masks of the lanes with at least 1, 2, 3 and 4 neighbours in the upper state.
#[inline(always)]
fn at_least<const W: usize>([a, b, c, d]: [Word<W>; NEIGHBOURS]) -> [Word<W>; NEIGHBOURS] {
    let (one, both) = (a | b, a & b);
    let (other, others) = (c | d, c & d);
    [one | other, both | others | (one & other), (both & other) | (others & one), both & others]
}

/// A probability that depends on masks: a base, and a change for each mask, added modulo 2. With masks "at least k
/// neighbours" the changes are p_{k-1} ^ p_k.
#[derive(Clone, Debug)]
struct Threshold<const M: usize> {
    /// In units of 2^-64.
    base: u64,
    change: [u64; M],
    /// The first digits of `change` and of `base`, each spread over 64 bits.
    digits: [([u64; M], u64); DIGITS],
}

impl<const M: usize> Threshold<M> {
    fn new(base: u64, change: [u64; M]) -> Self {
        let digit = |value: u64, index: usize| (value >> (63 - index) & 1).wrapping_neg();
        let digits = std::array::from_fn(|index| (change.map(|value| digit(value, index)), digit(base, index)));
        Self { base, change, digits }
    }

    /// Of `M + 1` probabilities by the number of neighbours.
    fn by_count(probability: &[f64]) -> Self {
        let whole = |p: f64| (p * 2_f64.powi(64)) as u64;
        Self::new(whole(probability[0]), std::array::from_fn(|k| whole(probability[k]) ^ whole(probability[k + 1])))
    }

    /// For one lane, given which masks hold it.
    fn of(&self, masks: impl Iterator<Item = bool>) -> u64 {
        masks.zip(self.change).filter(|(holds, _)| *holds).fold(self.base, |sum, (_, change)| sum ^ change)
    }
}

/// The attempts of one evolution. The processor chooses at run time for which instructions it runs compiled.
struct Attempts<'a, F, const W: usize, const M: usize> {
    sites: &'a [u32],
    window: &'a mut Window<Word<W>>,
    threshold: &'a Threshold<M>,
    /// The masks of the neighbourhood of a site.
    masks: F,
    attempts: u64,
    /// Of the numbers that undecided lanes draw.
    key: u64,
    places: Columns<1>,
    random: Columns<W>,
}

impl<F, const W: usize, const M: usize> pulp::WithSimd for Attempts<'_, F, W, M>
where
    F: Fn(&[Word<W>], usize) -> [Word<W>; M],
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { sites, window, threshold, masks, attempts, key, mut places, mut random } = self;
        for attempt in 0..attempts {
            let [place] = places.next().0;
            let entry = sites[((u128::from(place) * sites.len() as u128) >> 64) as usize];
            let site = (entry & !REPEATED) as usize;
            let masks = masks(window.values(), site);
            let (mut upper, mut undecided) = (Word::ZERO, Word::splat(u64::MAX));
            for (change, base) in &threshold.digits {
                let mut digit = Word::splat(*base);
                for (mask, change) in masks.iter().zip(change) {
                    digit = digit ^ (*mask & Word::splat(*change));
                }
                let differs = digit ^ random.next();
                upper = upper | (undecided & differs & digit);
                undecided = undecided & !differs;
            }
            if undecided != Word::ZERO {
                decide(threshold, &masks, undecided, (key, attempt), &mut upper);
            }
            if entry & REPEATED == 0 {
                window.write_inside(site, upper);
            } else {
                window.write(site, upper);
            }
        }
    }
}

/// Compares the other digits, lane by lane.
#[inline(never)]
fn decide<const W: usize, const M: usize>(
    threshold: &Threshold<M>,
    masks: &[Word<W>; M],
    undecided: Word<W>,
    (key, attempt): (u64, u64),
    upper: &mut Word<W>,
) {
    for (element, mut left) in undecided.0.into_iter().enumerate() {
        while left != 0 {
            let lane = 64 * element + left.trailing_zeros() as usize;
            left &= left - 1;
            let probability = threshold.of(masks.iter().map(|mask| mask.lane(lane)));
            if split_mix(key, attempt << 16 | lane as u64) << DIGITS < probability << DIGITS {
                upper.set(lane);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a probability that the lanes compare together and alone make up the whole of it.
    #[test]
    fn a_threshold_has_the_probability_of_its_class() {
        let probability = [0.0, 0.125, 0.3, 0.7, 1.0 - f64::EPSILON];
        let threshold = Threshold::<NEIGHBOURS>::by_count(&probability);
        for (count, p) in probability.into_iter().enumerate() {
            let whole = threshold.of((0..NEIGHBOURS).map(|k| k < count));
            assert_eq!(whole, (p * 2_f64.powi(64)) as u64);
            for (index, (change, base)) in threshold.digits.iter().enumerate() {
                let digit = change[..count].iter().fold(*base, |sum, change| sum ^ change);
                assert_eq!(digit & 1, whole >> (63 - index) & 1);
            }
        }
    }
}
