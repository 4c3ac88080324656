//! The beginning of a long exact trajectory, kept between its records: a stop or a kill loses little of it.
//!
//! One file a trajectory: the SHA-256 of what follows; that of the stage's fingerprint; number of the trajectory, how many observables
//! follow and the place in the random stream (two words); observables; sites. It is replaced as a whole.

use crate::{
    files::records::Trajectory,
    rng::Rng,
    workflow::{StageError, Stop},
};
use bytemuck::{Pod, cast_slice};
use sha2::{Digest, Sha256};
use std::{
    path::{Path, PathBuf},
    time::Instant,
};

const SUM: usize = 32;
/// Bytes before the observables: fingerprint and four words.
const HEAD: usize = SUM + 4 * size_of::<u64>();

/// Where the trajectories of a stage are kept and how often.
pub struct Unfinished<'a> {
    /// The folder of the files.
    pub folder: &'a Path,
    /// Of the stage's choices.
    pub fingerprint: &'a str,
    /// Looked at after every record.
    pub stop: &'a Stop,
    /// Seconds after which a trajectory is kept again.
    pub seconds: f64,
}

impl Unfinished<'_> {
    fn path(&self, trajectory: usize) -> PathBuf {
        self.folder.join(format!("{trajectory}.unfinished"))
    }

    fn owner(&self) -> [u8; SUM] {
        Sha256::digest(self.fingerprint.as_bytes()).into()
    }

    /// What is kept of a trajectory, and the generator set to go on from there; nothing when there is no file, or it is not whole
    /// or of another input.
    pub fn read<T: Pod + Default>(&self, trajectory: usize, rng: &mut Rng) -> Trajectory<T> {
        let Ok(bytes) = std::fs::read(self.path(trajectory)) else { return Trajectory::default() };
        let parsed = self.parse(&bytes, trajectory, rng);
        parsed.unwrap_or_else(|| {
            eprintln!("tessera: {} is damaged or of another input; it is not used", self.path(trajectory).display());
            Trajectory::default()
        })
    }

    fn parse<T: Pod>(&self, bytes: &[u8], trajectory: usize, rng: &mut Rng) -> Option<Trajectory<T>> {
        let (sum, rest) = bytes.split_at_checked(SUM)?;
        let (head, body) = rest.split_at_checked(HEAD)?;
        let (owner, words) = head.split_at(SUM);
        let [number, observables, high, low]: [u64; 4] = bytemuck::pod_collect_to_vec(words).try_into().ok()?;
        let whole = Sha256::digest(rest).as_slice() == sum;
        if !whole || owner != self.owner() || number != trajectory as u64 {
            return None;
        }
        let (observed, sites) = body.split_at_checked(observables as usize * size_of::<f64>())?;
        rng.set_word_pos(u128::from(high) << 64 | u128::from(low));
        Some(Trajectory {
            sites: bytemuck::pod_collect_to_vec(sites),
            observables: bytemuck::pod_collect_to_vec(observed),
        })
    }

    /// To be called after every record of a trajectory, with the time when it was last kept: keeps it when that is due or a
    /// stop is asked for.
    ///
    /// # Errors
    /// `Stopped`, or when the file system refuses.
    pub fn keep<T: Pod>(
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
        let place = rng.get_word_pos();
        let words = [trajectory as u64, so_far.observables.len() as u64, (place >> 64) as u64, place as u64];
        let parts = [&self.owner()[..], cast_slice(&words), cast_slice(&so_far.observables), cast_slice(&so_far.sites)];
        let sum: [u8; SUM] = parts.iter().fold(Sha256::new(), |sum, part| sum.chain_update(part)).finalize().into();
        let path = self.path(trajectory);
        let partial = path.with_added_extension("partial");
        std::fs::create_dir_all(self.folder)
            .and_then(|()| std::fs::write(&partial, [&sum[..], &parts.concat()].concat()))
            .and_then(|()| std::fs::rename(&partial, &path))
            .map_err(|source| StageError::Io { action: "write", path, source })?;
        *last = Instant::now();
        if stop { Err(StageError::Stopped) } else { Ok(()) }
    }
}
