//! Checkpoints of one trajectory of a direct simulation: two generations, each tile with a checksum.
//!
//! The state is the lattice and the number of sweeps done; random streams are keyed by sweep, so there is no generator to
//! keep. A checkpoint can be read by any number of ranks.

use crate::{
    dataset::{DatasetError, Field, Provenance, Reader, Writer},
    files::records::spatial_axes,
    lattice::{Lattice, Shape, Tiling, Window},
    parallel::{Domain, Ranks, World},
    workflow::{Stage, StageError},
};
use bytemuck::Pod;
use hdf5::H5Type;
use ndarray::{Array1, ArrayView, IxDyn};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The two generations of one trajectory.
pub struct Checkpoints<'a> {
    folder: PathBuf,
    trajectory: usize,
    team: &'a World,
    provenance: &'a Provenance,
}

impl<'a> Checkpoints<'a> {
    /// Those of `trajectory` in `folder`, written and read by the ranks of a team.
    pub fn new(folder: &Path, trajectory: usize, team: &'a World, provenance: &'a Provenance) -> Self {
        Self { folder: folder.to_owned(), trajectory, team, provenance }
    }

    fn path(&self, generation: u64) -> PathBuf {
        self.folder.join(format!("{}.{generation}.h5", self.trajectory))
    }

    /// Writes the state after `sweeps` sweeps, over the older generation. Collective.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write<S: Pod + H5Type + Default + Send + Sync>(
        &self,
        domain: &Domain<S>,
        sweeps: u64,
    ) -> Result<(), StageError> {
        if self.team.rank() == 0 {
            std::fs::create_dir_all(&self.folder).map_err(|source| StageError::Io {
                action: "create the folder",
                path: self.folder.clone(),
                source,
            })?;
        }
        self.team.barrier();
        let newest = (0..2).filter_map(|generation| Some((self.head(generation)?, generation))).max();
        let path = self.path(newest.map_or(0, |(_, generation)| 1 - generation));
        let mut file = Writer::create(&path, self.team, self.provenance)?;
        let decomposition = domain.decomposition();
        let (lattice, tiling) = (decomposition.lattice, decomposition.tiling);
        let used = lattice.used().len();
        file.declare::<S>(Field {
            name: "sites",
            axes: spatial_axes(lattice),
            extents: &lattice.used(),
            unit: "1",
            meaning: "microscopic state",
        })?;
        let meaning = "first 8 bytes of the SHA-256 of each tile";
        file.declare::<u64>(Field { name: "checksum", axes: &["tile"], extents: &[tiling.len()], unit: "1", meaning })?;
        let meaning = "key of the input, trajectory, sweeps done, checksum of these";
        file.declare::<u64>(Field { name: "head", axes: &["entry"], extents: &[4], unit: "1", meaning })?;
        let (origin, block) = domain.block();
        let sites = domain.sites();
        let block = ArrayView::from_shape(IxDyn(&block.0[3 - used..]), &sites).expect("the block's sites");
        file.write_at("sites", &origin[3 - used..], block)?;
        for tile in decomposition.tiles(self.team.rank()) {
            let mut window = Window::open(tiling.tile, 0);
            domain.load(&mut window, tiling.origin(tile));
            file.write("checksum", tile, Array1::from_elem(1, checksum(bytemuck::cast_slice(window.values()))).view())?;
        }
        if self.team.rank() == 0 {
            let entries = [self.key(), self.trajectory as u64, sweeps];
            let check = checksum(bytemuck::cast_slice(&entries));
            file.write("head", 0, Array1::from_iter(entries.into_iter().chain([check])).view())?;
        }
        Ok(file.finish()?)
    }

    /// The newest state that is whole, with its number of sweeps. `warn` hears of damaged ones. Every rank of the team
    /// reads the whole lattice and comes to the same result.
    pub fn read<S: Pod + H5Type + Default>(
        &self,
        tiling: &Tiling,
        shape: Shape,
        warn: impl Fn(&str),
    ) -> Option<(Lattice<S>, u64)> {
        let mut found: Vec<(u64, u64)> = Vec::new();
        for generation in (0..2).filter(|&generation| self.path(generation).exists()) {
            match self.head(generation) {
                Some(sweeps) => found.push((sweeps, generation)),
                None => warn(&format!("{} is damaged, foreign or of another input", self.path(generation).display())),
            }
        }
        found.sort_unstable();
        for (sweeps, generation) in found.into_iter().rev() {
            let path = self.path(generation);
            match verified(&path, tiling, shape) {
                Ok(lattice) => return Some((lattice, sweeps)),
                Err(reason) => warn(&format!("{} is damaged: {reason}", path.display())),
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

    fn key(&self) -> u64 {
        checksum(format!("{} {}", Stage::Truth.name(), self.provenance.fingerprint).as_bytes())
    }

    /// Sweeps done in a generation, if its head is whole and belongs to this trajectory and input.
    fn head(&self, generation: u64) -> Option<u64> {
        let head: Array1<u64> = Reader::open(&self.path(generation)).ok()?.read("head").ok()?;
        let [key, trajectory, sweeps, check] = <[u64; 4]>::try_from(head.to_vec()).ok()?;
        let whole = check == checksum(bytemuck::cast_slice(&[key, trajectory, sweeps]));
        (whole && key == self.key() && trajectory == self.trajectory as u64).then_some(sweeps)
    }
}

/// The lattice of a checkpoint, every tile compared with its checksum.
fn verified<S: Pod + H5Type + Default>(path: &Path, tiling: &Tiling, shape: Shape) -> Result<Lattice<S>, String> {
    let reason = |error: DatasetError| error.to_string();
    let file = Reader::open(path).map_err(reason)?;
    let sites = file.read::<S, IxDyn>("sites").map_err(reason)?;
    let checksums: Array1<u64> = file.read("checksum").map_err(reason)?;
    if sites.len() != shape.sites() || checksums.len() != tiling.len() {
        return Err("it belongs to a lattice of another size".into());
    }
    let lattice = Lattice::from_sites(shape, sites.into_iter().collect());
    let mut window = Window::open(tiling.tile, 0);
    for (tile, &expected) in checksums.iter().enumerate() {
        window.load(&lattice, tiling.origin(tile));
        if checksum(bytemuck::cast_slice(window.values())) != expected {
            return Err(format!("tile {tile} does not match its checksum"));
        }
    }
    Ok(lattice)
}

fn checksum(bytes: &[u8]) -> u64 {
    let hash = Sha256::digest(bytes);
    hash.iter().take(8).fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}
