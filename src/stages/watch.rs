//! The clock and the requests to stop of a team that advances in small steps.

use crate::{parallel::Ranks, workflow::Stop};
use std::time::Instant;

/// The longest time between two looks, in seconds.
const LONGEST: f64 = 1.0;
/// Looks between two checkpoints, at least.
const LOOKS: f64 = 4.0;

/// What the first rank of a team decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Go on.
    Continue,
    /// Write a checkpoint and go on.
    Checkpoint,
    /// Write a checkpoint and end.
    Stop,
}

/// The first rank looks at its clock and at requests to stop, and tells the team, every second or more often. In between
/// the ranks only count their steps: at every look the first rank says how many to take until the next.
pub struct Watch<'a> {
    stop: &'a Stop,
    /// Seconds between checkpoints.
    seconds: f64,
    /// The last checkpoint.
    kept: Instant,
    /// The last look.
    looked: Instant,
    /// Steps from the last look to the next, and those that are left.
    steps: u64,
    left: u64,
}

impl<'a> Watch<'a> {
    /// Looks for `stop`, and for the time of a checkpoint every so many `seconds`.
    pub fn new(stop: &'a Stop, seconds: f64) -> Self {
        let now = Instant::now();
        Self { stop, seconds, kept: now, looked: now, steps: 1, left: 1 }
    }

    /// To be called after every step. Collective.
    pub fn look(&mut self, team: &dyn Ranks) -> Order {
        self.left -= 1;
        if self.left > 0 {
            return Order::Continue;
        }
        let between = LONGEST.min(self.seconds / LOOKS);
        let each = self.looked.elapsed().as_secs_f64() / self.steps as f64;
        let next = ((between / each.max(1e-9)) as u64).clamp(1, 2 * self.steps);
        let order = match () {
            () if self.stop.requested() => 2,
            () if self.kept.elapsed().as_secs_f64() >= self.seconds => 1,
            () => 0,
        };
        let mut told = [order, next].map(u64::to_le_bytes);
        team.broadcast(told.as_flattened_mut());
        let [order, steps] = told.map(u64::from_le_bytes);
        (self.steps, self.left, self.looked) = (steps, steps, Instant::now());
        [Order::Continue, Order::Checkpoint, Order::Stop][order as usize]
    }

    /// To be called after a checkpoint.
    pub fn restart(&mut self) {
        let now = Instant::now();
        (self.kept, self.looked) = (now, now);
    }
}
