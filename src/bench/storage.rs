//! HDF5 through MPI-IO into the current folder's file system.

use crate::{
    bench::{Measurement, fastest},
    dataset::{DatasetError, Field, Provenance, Reader, Writer},
    parallel::{Ranks, World},
};
use ndarray::{Array2, Array3};
use std::path::Path;

/// Bandwidth of one rank that writes and reads 256 MB of snapshots. Under mpirun instead: of all ranks that write one
/// lattice of 8192 x 8192 sites, each its columns (the least favourable cut), independently and collectively.
pub fn hdf5() -> Vec<Measurement> {
    let Some(world) = World::start() else { return Vec::new() };
    if world.size() > 1 {
        return shared(&world);
    }
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
    let mut file = Writer::create(path, world, &provenance())?;
    let (extents, axes) = (snapshots.shape().to_vec(), ["snapshot", "y", "x"]);
    file.declare::<i8>(Field { name: "snapshots", axes: &axes, extents: &extents, unit: "1", meaning: "ones" })?;
    file.write("snapshots", 0, snapshots.view())?;
    file.finish()
}

/// One lattice in columns, written by all ranks.
fn shared(world: &World) -> Vec<Measurement> {
    const SIDE: usize = 8192;
    let path = std::env::current_dir().unwrap_or_default().join("tessera-bench-shared.h5");
    let own = world.share(SIDE);
    let columns = Array2::<i8>::ones((SIDE, own.len()));
    let mut all = Vec::new();
    for collective in [false, true] {
        let mut failure = None;
        let seconds = fastest(5, || {
            let write = || -> Result<(), DatasetError> {
                let mut file = Writer::create(&path, world, &provenance())?;
                let (extents, axes) = ([SIDE, SIDE], ["y", "x"]);
                file.declare::<i8>(Field {
                    name: "sites",
                    axes: &axes,
                    extents: &extents,
                    unit: "1",
                    meaning: "ones",
                })?;
                if collective {
                    let values = columns.as_slice().unwrap_or_default();
                    file.write_together("sites", &[0, own.start], &[SIDE, own.len()], values)?;
                } else {
                    file.write_at("sites", &[0, own.start], columns.view())?;
                }
                file.finish()
            };
            failure = write().err();
        });
        if let Some(error) = failure {
            world.abort(&error.to_string());
        }
        let name = format!(
            "HDF5 write of columns, {} ranks, {}",
            world.size(),
            if collective { "collective" } else { "independent" }
        );
        all.push(Measurement::new(name, (SIDE * SIDE) as f64 / seconds, "B/s"));
    }
    world.barrier();
    if world.rank() > 0 {
        return Vec::new();
    }
    std::fs::remove_file(&path).ok();
    all
}

fn provenance() -> Provenance {
    Provenance {
        input: String::new(),
        stage: "bench".into(),
        seed: 0,
        fingerprint: String::new(),
        sources: String::new(),
    }
}
