//! What a vacancy remembers: the environments it saw last, with the rates of its jumps there. Vacancies go back and
//! forth. Exact, because a found environment is compared in full.

use crate::systems::alloy::environment::{JUMPS, Packed};

/// Environments that a vacancy remembers, the present one among them.
const STATES: usize = 4;

#[derive(Clone, Copy, Debug)]
struct RememberedState {
    environment: Packed,
    rates: [f64; JUMPS],
}

/// The environments that one vacancy saw last, the present one first.
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

    /// Takes this environment as the present one if it is remembered; whether it is.
    pub fn recall(&mut self, environment: &Packed) -> bool {
        let found = self.0.iter().position(|state| state.environment == *environment);
        if let Some(found) = found {
            self.0[..=found].rotate_right(1);
        }
        found.is_some()
    }

    /// Takes a new environment as the present one, with its rates; forgets the one that was present longest ago.
    pub fn learn(&mut self, environment: Packed, rates: [f64; JUMPS]) {
        self.0.rotate_right(1);
        self.0[0] = RememberedState { environment, rates };
    }
}
