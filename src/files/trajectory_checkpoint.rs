//! Checkpoints of exact trajectories: the beginning of each, kept between its records, so that a stop or a kill loses
//! little.
//!
//! One file a trajectory, `<index>.checkpoint`. The state is the place in the random stream (two words), the numbers of
//! observables and of bytes of the last state, the observables, the last state, and the states that are kept.

use crate::{
    rng::Rng,
    sampling::Trajectory,
    storage::CheckpointFile,
    workflow::{StageError, Stop},
};
use bytemuck::{Pod, cast_slice, pod_collect_to_vec};
use std::{path::Path, time::Instant};

/// Where the trajectories of a stage are kept and how often.
pub struct TrajectoryCheckpoints<'a> {
    /// The folder of the files.
    pub folder: &'a Path,
    /// Of the data file that the trajectories belong to.
    pub identity: &'a str,
    /// Looked at after every record.
    pub stop: &'a Stop,
    /// Seconds after which a trajectory is kept again.
    pub seconds: f64,
}

impl TrajectoryCheckpoints<'_> {
    fn file(&self, trajectory: usize) -> CheckpointFile {
        let path = self.folder.join(format!("{trajectory}.checkpoint"));
        CheckpointFile::new(path, format!("{} trajectory {trajectory} and its last state", self.identity))
    }

    /// What is kept of a trajectory, with the generator set to where it was then; nothing when there is no usable file.
    pub fn read<T: Pod>(&self, trajectory: usize, rng: &mut Rng) -> Option<Trajectory<T>> {
        let warn = |text: &str| eprintln!("tessera: {text}");
        let (begun, position) = self.file(trajectory).read(|bytes| parse(bytes).ok_or("it is damaged".into()), warn)?;
        rng.set_word_pos(position);
        Some(begun)
    }

    /// To be called after every record of a trajectory, with the time when it was last kept: keeps it when that is due
    /// or a stop is asked for.
    ///
    /// # Errors
    /// `Stopped`, or when the file system refuses.
    pub fn write_if_due<T: Pod>(
        &self,
        trajectory: usize,
        so_far: &Trajectory<T>,
        rng: &Rng,
        last: &mut Instant,
    ) -> Result<(), StageError> {
        let stop = self.stop.requested();
        if !stop && last.elapsed().as_secs_f64() < self.seconds {
            return Ok(());
        }
        let position = rng.get_word_pos();
        let Trajectory { sites, observables, last: last_state } = so_far;
        let lengths = [observables.len() as u64, size_of_val(&last_state[..]) as u64];
        let words = [(position >> 64) as u64, position as u64, lengths[0], lengths[1]];
        let state = [cast_slice(&words), cast_slice(observables), cast_slice(last_state), cast_slice(sites)];
        self.file(trajectory).write(&state)?;
        *last = Instant::now();
        if stop { Err(StageError::Stopped) } else { Ok(()) }
    }
}

/// A trajectory and the place in its random stream.
fn parse<T: Pod>(bytes: &[u8]) -> Option<(Trajectory<T>, u128)> {
    let (words, rest) = bytes.split_at_checked(4 * size_of::<u64>())?;
    let [high, low, count, state]: [u64; 4] = pod_collect_to_vec(words).try_into().ok()?;
    let (observables, rest) = rest.split_at_checked(count as usize * size_of::<f64>())?;
    let (last, sites) = rest.split_at_checked(state as usize)?;
    let observables = pod_collect_to_vec(observables);
    let trajectory = Trajectory { sites: pod_collect_to_vec(sites), observables, last: pod_collect_to_vec(last) };
    Some((trajectory, u128::from(high) << 64 | u128::from(low)))
}
