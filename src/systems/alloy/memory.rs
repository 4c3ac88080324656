//! Environments already seen, with their barriers: vacancies go back and forth. Exact, because a found environment is
//! compared in full; direct-mapped, because the latest environments are those that come back.

use super::{
    barriers::Barriers,
    environment::{Environment, JUMPS},
};
use std::sync::Arc;

/// Slots for each vacancy, and the most in all: 64 bytes each.
const SLOTS: usize = 1 << 9;
const MOST: usize = 1 << 15;

#[derive(Clone, Copy, Debug)]
struct Slot {
    key: [u64; 4],
    barriers: [f32; JUMPS],
}

/// No environment packs to this: its last word has 32 bits only.
const EMPTY: Slot = Slot { key: [u64::MAX; 4], barriers: [0.0; JUMPS] };

/// The memory of one model of barriers.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    slots: Vec<Slot>,
    model: Option<Arc<dyn Barriers>>,
    /// Barriers that were asked for.
    pub asked: u64,
    /// Of these, how many were remembered.
    pub remembered: u64,
}

impl Memory {
    /// Gets ready for `vacancies` of `model`; forgets what another model said.
    pub fn prepare(&mut self, model: &Arc<dyn Barriers>, vacancies: usize) {
        let slots = (SLOTS * vacancies).next_power_of_two().min(MOST);
        let same = self.model.as_ref().is_some_and(|known| Arc::ptr_eq(known, model));
        if !same || self.slots.len() < slots {
            self.slots.clear();
            self.slots.resize(slots, EMPTY);
            self.model = Some(model.clone());
        }
    }

    /// The barriers of an environment, from memory or from the model.
    pub fn barriers(&mut self, model: &dyn Barriers, environment: &Environment) -> [f32; JUMPS] {
        let key = environment.packed();
        let hash =
            key.iter().fold(0_u64, |hash, word| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29));
        let place = hash as usize & (self.slots.len() - 1);
        let slot = &mut self.slots[place];
        self.asked += 1;
        if slot.key == key {
            self.remembered += 1;
        } else {
            *slot = Slot { key, barriers: model.barriers(environment) };
        }
        slot.barriers
    }
}
