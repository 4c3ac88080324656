//! The samples of all ranks, indexed in the order of the ranks, and their split into training and validation.

use crate::{
    learning::LearningError,
    parallel::{Ranks, distinct},
    rng::{Purpose, stream},
};
use ndarray::ArrayView1;
use rand::seq::SliceRandom;
use std::{collections::HashSet, ops::Range};

/// The samples that this rank's `rows` rows hold, and the number of samples of all ranks.
///
/// # Errors
/// When all ranks together have fewer than two.
pub fn sample_range(rows: usize, ranks: &dyn Ranks) -> Result<(Range<usize>, usize), LearningError> {
    let counts: Vec<usize> = ranks.gather(rows as f64).into_iter().map(|count| count as usize).collect();
    let (first, all) = (counts[..ranks.rank()].iter().sum(), counts.iter().sum());
    if all < 2 {
        return Err(LearningError::TooFew { found: all, needed: 2 });
    }
    Ok((first..first + rows, all))
}

/// Training and validation samples, each in order and the same on every rank. `trajectory` gives the trajectory of each
/// row of this rank. A `fraction` of all trajectories is held out: whole trajectories, at least one and never all. A
/// single trajectory is cut in time. A `fraction` of 0 holds out nothing. The choice is drawn from the stream (seed,
/// split, model).
///
/// # Errors
/// As [`sample_range`].
pub fn split(
    trajectory: ArrayView1<u32>,
    fraction: f64,
    (seed, model): (u64, u64),
    ranks: &dyn Ranks,
) -> Result<(Vec<usize>, Vec<usize>), LearningError> {
    let (_, all) = sample_range(trajectory.len(), ranks)?;
    if fraction <= 0.0 {
        return Ok(((0..all).collect(), Vec::new()));
    }
    let mut trajectories = trajectories(trajectory, ranks);
    let count = trajectories.len();
    if count == 1 {
        let held = ((all as f64 * fraction).round() as usize).clamp(1, all - 1);
        return Ok(((0..all - held).collect(), (all - held..all).collect()));
    }
    trajectories.shuffle(&mut stream(seed, Purpose::Split, [model, 0]));
    let held = ((count as f64 * fraction).round() as usize).clamp(1, count - 1);
    let held: HashSet<u32> = trajectories[..held].iter().copied().collect();
    let own: Vec<u8> = trajectory.iter().map(|trajectory| u8::from(held.contains(trajectory))).collect();
    let marks = ranks.all_gather(&own).concat();
    Ok((0..all).partition(|&sample| marks[sample] == 0))
}

/// All trajectories of all ranks, in order.
fn trajectories(trajectory: ArrayView1<u32>, ranks: &dyn Ranks) -> Vec<u32> {
    distinct(trajectory.iter().map(|&index| f64::from(index)), ranks).into_iter().map(|index| index as u32).collect()
}
