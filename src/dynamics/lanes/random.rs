//! Random bits for the lanes of a word: `W` xoshiro256++ generators side by side (Blackman and Vigna, ACM Trans. Math.
//! Softw. 47, 36, 2021), seeded from the ChaCha stream of the word.

use super::Word;
use crate::rng::Rng;
use rand::Rng as _;

/// A generator for each 64 lanes. Those of the first lanes are the same whatever `W`.
#[derive(Clone, Debug)]
pub struct Columns<const W: usize>([Word<W>; 4]);

impl<const W: usize> Columns<W> {
    /// Generators with seeds from `rng`.
    pub fn new(rng: &mut Rng) -> Self {
        let mut state = [Word::ZERO; 4];
        for column in 0..W {
            for part in &mut state {
                part.0[column] = rng.random();
            }
        }
        Self(state)
    }

    /// A random bit for each lane.
    #[inline(always)]
    pub fn next(&mut self) -> Word<W> {
        let [a, b, c, d] = &mut self.0;
        let result = add(rotated::<23, W>(add(*a, *d)), *a);
        let shifted = b.shifted_up(17);
        *c = *c ^ *a;
        *d = *d ^ *b;
        *b = *b ^ *c;
        *a = *a ^ *d;
        *c = *c ^ shifted;
        *d = rotated::<45, W>(*d);
        result
    }
}

#[inline(always)]
fn add<const W: usize>(a: Word<W>, b: Word<W>) -> Word<W> {
    Word(std::array::from_fn(|column| a.0[column].wrapping_add(b.0[column])))
}

#[inline(always)]
fn rotated<const BITS: u32, const W: usize>(word: Word<W>) -> Word<W> {
    Word(std::array::from_fn(|column| word.0[column].rotate_left(BITS)))
}

/// The `counter`-th number of the SplitMix64 sequence with this key (Steele, Lea and Flood, OOPSLA 2014).
#[inline]
pub fn split_mix(key: u64, counter: u64) -> u64 {
    let mut z = key.wrapping_add(counter.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}
