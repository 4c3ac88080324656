//! Checkpoints of one trajectory that advances by sweeps: two generations, `<trajectory>.<generation>.h5`.
//!
//! The state is the lattice (`sites`, and `checksum` of each tile) and the number of sweeps done; random streams are
//! keyed by sweep, so there is no generator to keep. The ranks of a team write it together, and any number of ranks can
//! read it. The number of sweeps is a small checkpoint of its own within the file (`head`), which is verified first.

use crate::{
    dataset::{DatasetError, Field, Provenance, Reader, Writer},
    files::arrays::{raw, shaped},
    lattice::{Lattice, Shape, Tiling, Window},
    parallel::{Domain, Ranks, World},
    storage::{
        checkpoint::{decode, encode, not_used},
        create_folder,
    },
    workflow::StageError,
};
use bytemuck::Pod;
use ndarray::{Array1, IxDyn};
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
    pub fn write<S: Pod + Default + Send + Sync>(&self, domain: &Domain<S>, sweeps: u64) -> Result<(), StageError> {
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
        let (origin, block) = domain.block();
        let (sites, extents) = (domain.sites(), [&block.0[unused..], &[size_of::<S>()]].concat());
        file.write_at(SITES, &origin[unused..], shaped(&extents, bytemuck::cast_slice::<S, u8>(&sites)))?;
        for tile in decomposition.tiles(self.team.rank()) {
            let mut window = Window::open(tiling.tile, 0);
            domain.load(&mut window, tiling.origin(tile));
            file.write(CHECKSUM, tile, shaped(&[1], &[checksum(window.values())]))?;
        }
        if self.team.rank() == 0 {
            file.write(HEAD, 0, shaped(&[head.len()], &head))?;
        }
        Ok(file.finish()?)
    }

    /// The newest state that is whole, with its number of sweeps. `warn` hears of damaged ones. Every rank of the team
    /// reads the whole lattice and comes to the same result.
    pub fn read<S: Pod + Default>(
        &self,
        tiling: &Tiling,
        shape: Shape,
        warn: impl Fn(&str),
    ) -> Option<(Lattice<S>, u64)> {
        let mut found: Vec<(u64, u64)> = Vec::new();
        for generation in (0..2).filter(|&generation| self.path(generation).exists()) {
            match self.sweeps(generation) {
                Ok(sweeps) => found.push((sweeps, generation)),
                Err(reason) => warn(&not_used(&self.path(generation), &reason)),
            }
        }
        found.sort_unstable();
        for (sweeps, generation) in found.into_iter().rev() {
            let path = self.path(generation);
            match verified(&path, tiling, shape) {
                Ok(lattice) => return Some((lattice, sweeps)),
                Err(reason) => warn(&not_used(&path, &format!("it is damaged ({reason})"))),
            }
        }
        None
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

/// The lattice of a checkpoint, every tile compared with its checksum.
fn verified<S: Pod + Default>(path: &Path, tiling: &Tiling, shape: Shape) -> Result<Lattice<S>, String> {
    let reason = |error: DatasetError| error.to_string();
    let file = Reader::open(path).map_err(reason)?;
    let bytes = raw(file.read::<u8, IxDyn>(SITES).map_err(reason)?);
    let checksums: Array1<u64> = file.read(CHECKSUM).map_err(reason)?;
    if bytes.len() != shape.sites() * size_of::<S>() || checksums.len() != tiling.len() {
        return Err("it belongs to a lattice of another size".into());
    }
    let lattice = Lattice::from_sites(shape, bytemuck::pod_collect_to_vec::<u8, S>(&bytes));
    let mut window = Window::open(tiling.tile, 0);
    for (tile, &expected) in checksums.iter().enumerate() {
        window.load(&lattice, tiling.origin(tile));
        if checksum(window.values()) != expected {
            return Err(format!("tile {tile} does not match its checksum"));
        }
    }
    Ok(lattice)
}

fn checksum<S: Pod>(sites: &[S]) -> u64 {
    let hash = Sha256::digest(bytemuck::cast_slice::<S, u8>(sites));
    hash.iter().take(8).fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}
