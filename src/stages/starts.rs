//! Initial states of the direct simulation, which predictions start from too.

use crate::{
    config::Input,
    lattice::Lattice,
    rng::{Purpose, stream},
    systems::{System, starts_of},
};

/// The initial state of the trajectory with this index.
pub fn start<S: System>(input: &Input, system: &S, trajectory: usize) -> Lattice<S::Site> {
    let mut rng = stream(input.seed, Purpose::TruthDraw, [trajectory as u64, 0]);
    let (condition, start) = input.truth_start(trajectory);
    let starts = starts_of::<S>(&input.truth.starts).expect("the input was checked");
    system.at_condition(condition).draw(input.truth_shape(), Some(starts[start]), &mut rng)
}
