//! Memory of a vacancy: its last environments, with the rates of its jumps there. It pays off because vacancies often
//! jump back. It is exact because whole environments are compared.

use crate::systems::alloy::environment::{JUMPS, Packed};

/// Environments that a vacancy remembers, including the present one.
const STATES: usize = 4;

#[derive(Clone, Copy, Debug)]
struct RememberedState {
    environment: Packed,
    rates: [f64; JUMPS],
}

/// The last environments of one vacancy, the present one first.
#[derive(Clone, Copy, Debug)]
pub struct Memory([RememberedState; STATES]);

impl Default for Memory {
    fn default() -> Self {
        Self([RememberedState { environment: Packed::NONE, rates: [0.0; JUMPS] }; STATES])
    }
}

impl Memory {
    /// The present environment.
    pub fn environment(&self) -> &Packed {
        &self.0[0].environment
    }

    /// The rates of the jumps in the present environment.
    pub fn rates(&self) -> &[f64; JUMPS] {
        &self.0[0].rates
    }

    /// Makes this environment the present one if it is remembered, and tells whether it is.
    pub fn recall(&mut self, environment: &Packed) -> bool {
        let found = self.0.iter().position(|state| state.environment == *environment);
        if let Some(found) = found {
            self.0[..=found].rotate_right(1);
        }
        found.is_some()
    }

    /// Makes the environment before the present one the present one.
    pub fn go_back(&mut self) {
        self.0.swap(0, 1);
    }

    /// Makes a new environment with its rates the present one. It replaces the least recently used one.
    pub fn learn(&mut self, environment: Packed, rates: [f64; JUMPS]) {
        self.0.rotate_right(1);
        self.0[0] = RememberedState { environment, rates };
    }
}
