//! Ranks and the communication between them.
//!
//! [`Ranks`] is the interface. [`Alone`] implements it for one process, `World` for MPI (feature `mpi`). A [`Domain`]
//! is the share of one rank of a large lattice, and [`Sweeps`] advance the lattice.

mod alone;
mod decomposition;
mod domain;
mod order;
mod plan;
mod sweeps;
mod workers;
#[cfg(feature = "mpi")]
mod world;

use crate::sums::ExactSum;

pub use alone::Alone;
pub use decomposition::{Decomposition, DecompositionError};
pub use domain::{Domain, Traffic};
pub use plan::Plan;
pub use sweeps::{Sweeps, tiles_in_lanes};
pub use workers::Workers;
#[cfg(feature = "mpi")]
pub use world::World;

/// Bytes to or from another rank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The other rank.
    pub rank: usize,
    /// The bytes to send, or a buffer with the length of the expected message.
    pub bytes: Vec<u8>,
}

/// Processes that run the same program on different items. Only the thread that started MPI may call the methods.
pub trait Ranks {
    /// This process, in `0..size()`.
    fn rank(&self) -> usize;
    /// Number of processes.
    fn size(&self) -> usize;
    /// Rank among the processes of the same node. It selects the accelerator.
    fn node_rank(&self) -> usize;
    /// Replaces `values` by their sums over ranks. Every rank must call it with the same length.
    fn sum(&self, values: &mut [f64]);
    /// Replaces `values` by their means over ranks. Every rank must call it with the same length.
    fn mean(&self, values: &mut [f32]);
    /// Copies `bytes` of rank 0 to every rank. Lengths must be equal.
    fn broadcast(&self, bytes: &mut [u8]);
    /// The bytes of each rank, in rank order. Lengths may differ.
    fn all_gather(&self, bytes: &[u8]) -> Vec<Vec<u8>>;
    /// Sends `outgoing`, receives `incoming`, and runs `meanwhile` in the meantime. There is at most one message each
    /// way between two ranks. Every rank with a message must call it.
    fn exchange(&self, outgoing: &[Message], incoming: &mut [Message], meanwhile: &mut dyn FnMut());
    /// Waits for all ranks.
    fn barrier(&self);
    /// Prints `message` and ends the whole job with a non-zero exit status.
    fn abort(&self, message: &str) -> !;

    /// The value of each rank, in rank order.
    fn gather(&self, value: f64) -> Vec<f64> {
        gathered(self.all_gather(&value.to_le_bytes()))
    }

    /// The contiguous range of `0..items` for this rank. Ranges of ranks differ in length by at most one.
    fn share(&self, items: usize) -> std::ops::Range<usize> {
        let bound = |rank: usize| rank * items / self.size();
        bound(self.rank())..bound(self.rank() + 1)
    }
}

/// The sums over ranks, each rounded once: no bit depends on which rank has added what.
pub fn exact_total(ranks: &dyn Ranks, sums: Vec<ExactSum>) -> Vec<f64> {
    let mut digits: Vec<f64> = sums.into_iter().flat_map(ExactSum::digits).collect();
    ranks.sum(&mut digits);
    digits.chunks_exact(ExactSum::DIGITS).map(ExactSum::rounded).collect()
}

/// Replaces `values` by their sums over ranks, with identical bits on every rank.
pub fn total_over(ranks: &dyn Ranks, values: &mut [f64]) {
    if ranks.size() == 1 || values.is_empty() {
        return;
    }
    ranks.sum(values);
    let mut bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    ranks.broadcast(&mut bytes);
    for (value, bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
        *value = f64::from_le_bytes(*bytes);
    }
}

/// The distinct values of all ranks, ascending.
pub fn distinct(values: impl Iterator<Item = f64>, ranks: &dyn Ranks) -> Vec<f64> {
    let sorted = |mut values: Vec<f64>| {
        values.sort_unstable_by(f64::total_cmp);
        values.dedup();
        values
    };
    let own = sorted(values.collect());
    sorted(gathered(ranks.all_gather(&own.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())))
}

/// The values in the bytes of all ranks, in rank order.
fn gathered(parts: Vec<Vec<u8>>) -> Vec<f64> {
    parts.iter().flat_map(|bytes| bytes.as_chunks().0).map(|bytes| f64::from_le_bytes(*bytes)).collect()
}
