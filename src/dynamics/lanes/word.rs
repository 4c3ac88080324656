//! One site of many windows: a bit for each.

use bytemuck::{Pod, Zeroable};
use std::ops::{BitAnd, BitOr, BitXor, Not};

/// `W` times 64 bits. Bit `lane % 64` of element `lane / 64` belongs to that lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct Word<const W: usize>(pub [u64; W]);

impl<const W: usize> Word<W> {
    /// Number of lanes.
    pub const LANES: usize = 64 * W;
    /// All lanes 0.
    pub const ZERO: Self = Self([0; W]);

    /// The same 64 bits in every element.
    #[inline(always)]
    pub fn splat(bits: u64) -> Self {
        Self([bits; W])
    }

    /// Whether a lane is 1.
    #[inline(always)]
    pub fn lane(self, lane: usize) -> bool {
        self.0[lane / 64] >> (lane % 64) & 1 == 1
    }

    /// Sets a lane to 1.
    #[inline(always)]
    pub fn set(&mut self, lane: usize) {
        self.0[lane / 64] |= 1 << (lane % 64);
    }

    /// Every element shifted towards its low bits.
    #[inline(always)]
    pub fn shifted_down(self, bits: usize) -> Self {
        Self(std::array::from_fn(|element| self.0[element] >> bits))
    }

    /// Every element shifted towards its high bits.
    #[inline(always)]
    pub fn shifted_up(self, bits: usize) -> Self {
        Self(std::array::from_fn(|element| self.0[element] << bits))
    }

    #[inline(always)]
    fn zip(self, other: Self, bits: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|element| bits(self.0[element], other.0[element])))
    }
}

impl<const W: usize> Default for Word<W> {
    fn default() -> Self {
        Self::ZERO
    }
}

impl<const W: usize> BitAnd for Word<W> {
    type Output = Self;
    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }
}

impl<const W: usize> BitOr for Word<W> {
    type Output = Self;
    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }
}

impl<const W: usize> BitXor for Word<W> {
    type Output = Self;
    #[inline(always)]
    fn bitxor(self, other: Self) -> Self {
        self.zip(other, |a, b| a ^ b)
    }
}

impl<const W: usize> Not for Word<W> {
    type Output = Self;
    #[inline(always)]
    fn not(self) -> Self {
        Self(std::array::from_fn(|element| !self.0[element]))
    }
}
