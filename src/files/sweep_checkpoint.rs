//! Checkpoints of one trajectory that advances by sweeps: two generations, `<trajectory>.<generation>.h5`.
//!
//! The state is the lattice (`sites`, and `checksum` of each tile) and the number of sweeps done; random streams are
//! keyed by sweep, so there is no generator to keep. Every rank of a team writes its own block and reads its own, so that
//! any number of ranks can go on, and none holds the whole. The number of sweeps is a small checkpoint of its own within the file (`head`), which is verified first.

use crate::{
    dataset::{DatasetError, Field, Provenance, Reader, Writer},
    dynamics::{Dynamics, Law},
    files::arrays::{raw, shaped},
    lattice::{Shape, Tiling},
    parallel::{Domain, Ranks, Sweeps, World},
    storage::{
        checkpoint::{decode, encode, not_used},
        create_folder,
    },
    workflow::StageError,
};
use bytemuck::Pod;
use ndarray::Array1;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

const SITES: &str = "sites";
const CHECKSUM: &str = "checksum";
const HEAD: &str = "head";

/// The two generations of one trajectory.
pub struct SweepCheckpoints<'a> {
    folder: PathBuf,
    trajectory: usize,
    team: &'a World,
    provenance: &'a Provenance,
    owner: String,
}

impl<'a> SweepCheckpoints<'a> {
    /// Those of `trajectory` in `folder`, written and read by the ranks of a team. `provenance` is that of the data
    /// file.
    pub fn new(folder: &Path, trajectory: usize, team: &'a World, provenance: &'a Provenance) -> Self {
        let owner = format!("{} trajectory {trajectory}", provenance.identity());
        Self { folder: folder.to_owned(), trajectory, team, provenance, owner }
    }

    fn path(&self, generation: u64) -> PathBuf {
        self.folder.join(format!("{}.{generation}.h5", self.trajectory))
    }

    /// Writes the state after `sweeps` sweeps, over the older generation. Collective.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write<S: Pod + Default + PartialEq + Send + Sync>(
        &self,
        domain: &Domain<S>,
        sweeps: u64,
    ) -> Result<(), StageError> {
        if self.team.rank() == 0 {
            create_folder(&self.folder)?;
        }
        self.team.barrier();
        let newest = (0..2).filter_map(|generation| Some((self.sweeps(generation).ok()?, generation))).max();
        let path = self.path(newest.map_or(0, |(_, generation)| 1 - generation));
        let mut file = Writer::create(&path, self.team, self.provenance)?;
        let decomposition = domain.decomposition();
        let (lattice, tiling) = (decomposition.lattice, decomposition.tiling);
        let unused = 3 - lattice.used().len();
        let head = encode(&self.owner, &sweeps.to_le_bytes());
        let (axes, extents) =
            ([lattice.axis_names(), &["byte"]].concat(), [&lattice.used()[..], &[size_of::<S>()]].concat());
        let meaning = "bytes of the microscopic state";
        file.declare::<u8>(Field { name: SITES, axes: &axes, extents: &extents, unit: "1", meaning })?;
        let meaning = "first 8 bytes of the SHA-256 of each tile";
        file.declare::<u64>(Field { name: CHECKSUM, axes: &["tile"], extents: &[tiling.len()], unit: "1", meaning })?;
        let meaning = "checkpoint of the number of sweeps done";
        file.declare::<u8>(Field { name: HEAD, axes: &["head_byte"], extents: &[head.len()], unit: "1", meaning })?;
        for (origin, shape) in domain.bands() {
            let sites = domain.cut(origin, shape);
            let extents = [&shape.0[unused..], &[size_of::<S>()]].concat();
            file.write_at(SITES, &origin[unused..], shaped(&extents, bytemuck::cast_slice::<S, u8>(&sites)))?;
            let sums = checksums(&sites, shape, tiling.tile);
            file.write(CHECKSUM, first_tile(&tiling, origin), shaped(&[sums.len()], &sums))?;
        }
        if self.team.rank() == 0 {
            file.write(HEAD, 0, shaped(&[head.len()], &head))?;
        }
        Ok(file.finish()?)
    }

    /// Sets `sweeps` to the newest state that is whole, and returns its number of sweeps. `warn` hears of damaged ones.
    /// Every rank of the team reads its own block, and all use the same state. Collective.
    pub fn read<L: Law, D: Dynamics<L> + Default + Send>(
        &self,
        sweeps: &mut Sweeps<L, D>,
        warn: impl Fn(&str),
    ) -> Option<u64> {
        let mut found: Vec<(u64, u64)> = Vec::new();
        for generation in (0..2).filter(|&generation| self.path(generation).exists()) {
            match self.sweeps(generation) {
                Ok(sweeps) => found.push((sweeps, generation)),
                Err(reason) => warn(&not_used(&self.path(generation), &reason)),
            }
        }
        found.sort_unstable();
        for (done, generation) in found.into_iter().rev() {
            let path = self.path(generation);
            let failed = match self.restart(&path, sweeps) {
                Ok(()) => None,
                Err(own) => Some(own.unwrap_or_default()),
            };
            let reasons = self.team.all_gather(failed.as_deref().unwrap_or_default().as_bytes());
            if failed.is_none() {
                return Some(done);
            }
            let reason = reasons.into_iter().find(|reason| !reason.is_empty()).unwrap_or_default();
            warn(&not_used(&path, &format!("it is damaged ({})", String::from_utf8_lossy(&reason))));
        }
        None
    }

    /// Sets the state to that of a checkpoint, every tile compared with its checksum; otherwise the reason, if it is
    /// this rank's. Collective.
    fn restart<L: Law, D: Dynamics<L> + Default + Send>(
        &self,
        path: &Path,
        sweeps: &mut Sweeps<L, D>,
    ) -> Result<(), Option<String>> {
        let decomposition = sweeps.domain().decomposition();
        let (tiling, lattice) = (decomposition.tiling, decomposition.lattice);
        let reason = |error: DatasetError| error.to_string();
        let file = Reader::open(path).map_err(reason).and_then(|file| {
            let whole = [&lattice.used()[..], &[size_of::<L::Site>()]].concat();
            let fits = file.extents(SITES).map_err(reason)? == whole;
            let fits = fits && file.extents(CHECKSUM).map_err(reason)? == [tiling.len()];
            if fits { Ok(file) } else { Err("it belongs to a lattice of another size".into()) }
        });
        let unused = 3 - lattice.used().len();
        sweeps.restart(self.team, |origin, shape| {
            let file = file.as_ref().map_err(Clone::clone)?;
            let (first, extents) =
                ([&origin[unused..], &[0]].concat(), [&shape.0[unused..], &[size_of::<L::Site>()]].concat());
            let bytes = raw(file.read_at::<u8>(SITES, &first, &extents).map_err(reason)?);
            let sites: Vec<L::Site> = bytemuck::pod_collect_to_vec(&bytes);
            let (sums, first) = (checksums(&sites, shape, tiling.tile), first_tile(&tiling, origin));
            let expected = raw(file.read_at::<u64>(CHECKSUM, &[first], &[sums.len()]).map_err(reason)?);
            match sums.iter().zip(&expected).position(|(sum, expected)| sum != expected) {
                Some(tile) => Err(format!("tile {} does not match its checksum", first + tile)),
                None => Ok(sites),
            }
        })
    }

    /// Removes both generations.
    pub fn remove(&self) {
        if self.team.rank() > 0 {
            return;
        }
        for generation in 0..2 {
            std::fs::remove_file(self.path(generation)).ok();
        }
    }

    /// Sweeps done in a generation, or why it cannot be used.
    fn sweeps(&self, generation: u64) -> Result<u64, String> {
        let head = Reader::open(&self.path(generation)).and_then(|file| file.read::<u8, _>(HEAD));
        let head: Array1<u8> = head.map_err(|error| format!("it is damaged ({error})"))?;
        let sweeps = decode(&self.owner, &head.to_vec())?.try_into();
        sweeps.map(u64::from_le_bytes).map_err(|_| "it is damaged".into())
    }
}

/// Index of the tile with this first site.
fn first_tile(tiling: &Tiling, origin: [usize; 3]) -> usize {
    let coordinate = std::array::from_fn(|axis| (origin[axis] / tiling.tile.0[axis]) as isize);
    Shape(tiling.counts).wrapped_index(coordinate)
}

/// The checksums of a row of tiles.
fn checksums<S: Pod + Sync>(sites: &[S], shape: Shape, tile: Shape) -> Vec<u64> {
    let (columns, width) = (shape.0[2], tile.0[2]);
    let of_tile = |first: usize| {
        let mut hasher = Sha256::new();
        for row in sites.chunks_exact(columns) {
            hasher.update(bytemuck::cast_slice::<S, u8>(&row[first..first + width]));
        }
        hasher.finalize().iter().take(8).fold(0, |sum, &byte| sum << 8 | u64::from(byte))
    };
    (0..columns).step_by(width).collect::<Vec<_>>().into_par_iter().map(of_tile).collect()
}
