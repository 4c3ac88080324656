//! One process without MPI.

use super::{Message, Ranks};

/// A single rank. Every reduction is the identity.
pub struct Alone;

impl Ranks for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn node_rank(&self) -> usize {
        0
    }

    fn sum(&self, _values: &mut [f64]) {}

    fn mean(&self, _values: &mut [f32]) {}

    fn broadcast(&self, _bytes: &mut [u8]) {}

    fn all_gather(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        vec![bytes.to_vec()]
    }

    fn exchange(&self, _outgoing: &[Message], _incoming: &mut [Message], meanwhile: &mut dyn FnMut()) {
        meanwhile();
    }

    fn barrier(&self) {}

    fn abort(&self, message: &str) -> ! {
        eprintln!("tessera: {message}");
        std::process::exit(1)
    }
}
