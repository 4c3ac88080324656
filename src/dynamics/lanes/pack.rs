//! Between states of one byte a site and words with a bit for each of many states.

use super::Word;
use bytemuck::Pod;

/// States of one shape, lane after lane, as words: bit `lane` of word `site` says whether that site is in the upper of the
/// two `states`. Lanes beyond the last are 0.
///
/// # Panics
/// When there are more states than lanes, or a site is not one byte.
pub fn pack<T: Pod, const W: usize>(lanes: &[&[T]], states: [T; 2]) -> Vec<Word<W>> {
    assert_eq!(size_of::<T>(), 1, "sites in lanes are bytes");
    assert!(lanes.len() <= Word::<W>::LANES, "{} states in a word of {}", lanes.len(), Word::<W>::LANES);
    let sites = lanes.first().map_or(0, |lane| lane.len());
    let [lower, upper] = states.map(byte);
    // A bit in which the states differ tells them apart.
    let digit = (lower ^ upper).trailing_zeros();
    let flip = if upper >> digit & 1 == 1 { 0 } else { u64::MAX };
    let mut words = vec![Word::ZERO; sites];
    let mut block = [0; 64];
    for (element, lanes) in lanes.chunks(64).enumerate() {
        for first in (0..sites).step_by(64) {
            let end = sites.min(first + 64);
            block.fill(0);
            for (row, lane) in block.iter_mut().zip(lanes) {
                *row = bits_of(bytemuck::cast_slice(&lane[first..end]), digit) ^ flip;
            }
            transpose(&mut block);
            for (word, bits) in words[first..end].iter_mut().zip(block) {
                word.0[element] = bits;
            }
        }
    }
    words
}

/// The first `count` lanes of words as states of one byte a site, lane after lane.
///
/// # Panics
/// When a site is not one byte.
pub fn unpack<T: Pod, const W: usize>(words: &[Word<W>], count: usize, states: [T; 2]) -> Vec<T> {
    assert_eq!(size_of::<T>(), 1, "sites in lanes are bytes");
    let bytes = states.map(byte);
    let spread: [[u8; 8]; 256] = std::array::from_fn(|bits| std::array::from_fn(|site| bytes[bits >> site & 1]));
    let sites = words.len();
    let mut all = vec![0_u8; count * sites];
    let mut block = [0; 64];
    for (element, lanes) in (0..count).step_by(64).enumerate() {
        for first in (0..sites).step_by(64) {
            let end = sites.min(first + 64);
            block.fill(0);
            for (bits, word) in block.iter_mut().zip(&words[first..end]) {
                *bits = word.0[element];
            }
            transpose(&mut block);
            for (lane, row) in (lanes..count.min(lanes + 64)).zip(block) {
                let target = &mut all[lane * sites + first..lane * sites + end];
                let (chunks, rest) = target.as_chunks_mut::<8>();
                let mut bits = row.to_le_bytes().into_iter();
                for (chunk, bits) in chunks.iter_mut().zip(&mut bits) {
                    *chunk = spread[usize::from(bits)];
                }
                if let Some(bits) = bits.next() {
                    rest.copy_from_slice(&spread[usize::from(bits)][..rest.len()]);
                }
            }
        }
    }
    bytemuck::allocation::cast_vec(all)
}

fn byte<T: Pod>(state: T) -> u8 {
    bytemuck::bytes_of(&state)[0]
}

/// Bit number `digit` of up to 64 bytes.
fn bits_of(bytes: &[u8], digit: u32) -> u64 {
    let gather = |eight: [u8; 8]| {
        let ones = u64::from_le_bytes(eight) >> digit & 0x0101_0101_0101_0101;
        ones.wrapping_mul(0x0102_0408_1020_4080) >> 56
    };
    let (chunks, rest) = bytes.as_chunks::<8>();
    let bits = chunks.iter().rev().fold(0, |bits, chunk| bits << 8 | gather(*chunk));
    if rest.is_empty() {
        return bits;
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    bits | gather(last) << (8 * chunks.len())
}

/// Transposes 64 x 64 bits, row i being element i (Warren, Hacker's Delight, section 7-3).
fn transpose(block: &mut [u64; 64]) {
    let (mut width, mut mask) = (32, 0x0000_0000_ffff_ffff_u64);
    while width > 0 {
        let mut row = 0;
        while row < 64 {
            let swapped = (block[row] >> width ^ block[row + width]) & mask;
            block[row] ^= swapped << width;
            block[row + width] ^= swapped;
            row = (row + width + 1) & !width;
        }
        width /= 2;
        mask ^= mask << width;
    }
}
