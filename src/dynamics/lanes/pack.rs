//! Between states of one byte a site and words with a bit for each of many states.

use super::Word;
use bytemuck::Pod;
use wide::u8x64;

/// Sites of a block: as many as an element of a word has lanes.
const SITES: usize = 64;

/// Memory in which the states of lanes become words, and words become states. A state enters or leaves as bits along
/// its sites; [`transpose`](Self::transpose) turns them into bits along the lanes, and back.
#[derive(Clone, Debug)]
pub struct Packing<const W: usize> {
    /// The bytes of the lower and the upper state.
    states: [u8; 2],
    /// The bytes of eight sites, by their bits.
    spread: Box<[[u8; 8]; 256]>,
    /// Along the sites, row i and element e of block b hold sites 64 b to 64 b + 63 of lane 64 e + i. Along the lanes,
    /// row i of block b is the word of site 64 b + i.
    blocks: Vec<[Word<W>; SITES]>,
}

impl<const W: usize> Packing<W> {
    /// Memory for lanes of at most `sites` sites with two states.
    ///
    /// # Panics
    /// When a site is not one byte.
    pub fn new<T: Pod>(sites: usize, states: [T; 2]) -> Self {
        assert_eq!(size_of::<T>(), 1, "sites in lanes are bytes");
        let states = states.map(|state| bytemuck::bytes_of(&state)[0]);
        let spread = std::array::from_fn(|bits| std::array::from_fn(|site| states[bits >> site & 1]));
        let blocks = vec![[Word::ZERO; SITES]; sites.div_ceil(SITES)];
        Self { states, spread: Box::new(spread), blocks }
    }

    /// Empties the memory.
    pub fn clear(&mut self) {
        self.blocks.as_flattened_mut().fill(Word::ZERO);
    }

    /// Sets sites of a lane from the one with index `first` on, which were empty.
    #[inline]
    pub fn put<T: Pod>(&mut self, lane: usize, mut first: usize, sites: &[T]) {
        let ([_, state], element, row) = (self.states, lane / 64, lane % 64);
        for sites in bytemuck::cast_slice::<T, u8>(sites).chunks(SITES) {
            let (block, shift, bits) = (first / SITES, first % SITES, bits_of(sites, state));
            self.blocks[block][row].0[element] |= bits << shift;
            if shift + sites.len() > SITES {
                self.blocks[block + 1][row].0[element] |= bits >> (SITES - shift);
            }
            first += SITES;
        }
    }

    /// The sites of a lane from the one with index `first` on.
    #[inline]
    pub fn get<T: Pod>(&self, lane: usize, mut first: usize, sites: &mut [T]) {
        let (element, row) = (lane / 64, lane % 64);
        for sites in bytemuck::cast_slice_mut::<T, u8>(sites).chunks_mut(SITES) {
            let (block, shift) = (first / SITES, first % SITES);
            let mut bits = self.blocks[block][row].0[element] >> shift;
            if shift + sites.len() > SITES {
                bits |= self.blocks[block + 1][row].0[element] << (SITES - shift);
            }
            let (chunks, rest) = sites.as_chunks_mut::<8>();
            for chunk in chunks {
                *chunk = self.spread[(bits & 0xff) as usize];
                bits >>= 8;
            }
            if !rest.is_empty() {
                rest.copy_from_slice(&self.spread[(bits & 0xff) as usize][..rest.len()]);
            }
            first += SITES;
        }
    }

    /// Replaces the words of the first sites.
    pub fn fill(&mut self, words: &[Word<W>]) {
        self.blocks.as_flattened_mut()[..words.len()].copy_from_slice(words);
    }

    /// The words of the first sites.
    pub fn words(&self, sites: usize) -> &[Word<W>] {
        &self.blocks.as_flattened()[..sites]
    }

    /// Turns bits along the sites into bits along the lanes, or back.
    pub fn transpose(&mut self) {
        self.blocks.iter_mut().for_each(transpose);
    }
}

/// A bit for each of up to 64 sites: whether it is in `state`.
#[inline(always)]
fn bits_of(sites: &[u8], state: u8) -> u64 {
    match <[u8; SITES]>::try_from(sites) {
        Ok(sites) => u8x64::from(sites).simd_eq(u8x64::splat(state)).to_bitmask(),
        Err(_) => sites.iter().rev().fold(0, |bits, &site| bits << 1 | u64::from(site == state)),
    }
}

/// Transposes 64 x 64 bits in each element (Warren, Hacker's Delight, section 7-3).
fn transpose<const W: usize>(block: &mut [Word<W>; SITES]) {
    let (mut width, mut mask) = (32, 0x0000_0000_ffff_ffff_u64);
    while width > 0 {
        let mut row = 0;
        while row < SITES {
            let (upper, lower) = (block[row], block[row + width]);
            let swapped = (upper.shifted_down(width) ^ lower) & Word::splat(mask);
            block[row] = upper ^ swapped.shifted_up(width);
            block[row + width] = lower ^ swapped;
            row = (row + width + 1) & !width;
        }
        width /= 2;
        mask ^= mask << width;
    }
}
