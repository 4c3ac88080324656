//! HDF5 through MPI-IO into the current folder's file system.

use super::{Measurement, fastest};
use crate::{
    dataset::{DatasetError, Field, Provenance, Reader, Writer},
    parallel::World,
};
use ndarray::Array3;
use std::path::Path;

/// Bandwidth of one rank that writes and reads 256 MB of snapshots.
pub fn hdf5() -> Vec<Measurement> {
    let Some(world) = World::start() else { return Vec::new() };
    let path = std::env::current_dir().unwrap_or_default().join(format!("tessera-bench-{}.h5", std::process::id()));
    let snapshots = Array3::<i8>::ones((62_500, 64, 64));
    let mut failure = None;
    let write = fastest(3, || failure = write(&path, &world, &snapshots).err());
    let read = fastest(3, || {
        let found = Reader::open(&path).and_then(|file| file.read_items::<i8>("snapshots", 0..snapshots.dim().0));
        failure = failure.take().or(found.err());
    });
    std::fs::remove_file(&path).ok();
    if let Some(error) = failure {
        eprintln!("tessera: {error}");
        return Vec::new();
    }
    [("HDF5 write, one rank", write), ("HDF5 read, one rank", read)]
        .map(|(name, seconds)| Measurement::new(name, snapshots.len() as f64 / seconds, "B/s"))
        .to_vec()
}

fn write(path: &Path, world: &World, snapshots: &Array3<i8>) -> Result<(), DatasetError> {
    let provenance = Provenance { input: String::new(), stage: "bench".into(), seed: 0, fingerprint: String::new() };
    let mut file = Writer::create(path, world, &provenance)?;
    let (extents, axes) = (snapshots.shape().to_vec(), ["snapshot", "y", "x"]);
    file.declare::<i8>(Field { name: "snapshots", axes: &axes, extents: &extents, unit: "1", meaning: "ones" })?;
    file.write("snapshots", 0, snapshots.view())?;
    file.finish()
}
