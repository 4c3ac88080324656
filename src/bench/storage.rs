//! HDF5 through MPI-IO into the current folder's file system.

use crate::{
    bench::{Measurement, fastest},
    dataset::{DatasetError, Field, Provenance, Reader, Writer},
    dynamics::{Dynamics, InLanes, Lanes, Until},
    lattice::{Region, Shape, Window},
    parallel::{Ranks, World},
    rng::{Purpose, stream},
    systems::{Ising, System},
};
use ndarray::{Array2, Array3};
use std::path::Path;

/// How snapshots of spins are stored.
#[derive(Clone, Copy)]
enum Layout {
    Bytes,
    Bits,
    /// In chunks, with HDF5's own filters. Several ranks could write them only together.
    Deflated,
}

/// Sites a second of one rank that writes and reads 256 million spins of 64 x 64 lattices near T_c, and the bytes that
/// each takes in the file. Under mpirun instead: bandwidth of all ranks that write one lattice of 8192 x 8192 sites,
/// each its columns (the least favourable cut), independently and collectively.
pub fn hdf5() -> Vec<Measurement> {
    let Some(world) = World::start() else { return Vec::new() };
    if world.size() > 1 {
        return shared(&world);
    }
    let path = std::env::current_dir().unwrap_or_default().join(format!("tessera-bench-{}.h5", std::process::id()));
    let snapshots = snapshots();
    let layouts = [
        ("a byte a site", Layout::Bytes, 3),
        ("a bit a site", Layout::Bits, 3),
        ("shuffle + deflate 1", Layout::Deflated, 1),
    ];
    let mut all = Vec::new();
    for (name, layout, repeats) in layouts {
        let (mut failure, mut found) = (None, None);
        let write = fastest(repeats, || failure = write(&path, &world, &snapshots, layout).err());
        let size = std::fs::metadata(&path).map_or(f64::NAN, |file| file.len() as f64);
        let read = fastest(repeats, || {
            found = None;
            match Reader::open(&path).and_then(|file| file.read_items::<i8>("snapshots", 0..snapshots.dim().0)) {
                Ok(read) => found = Some(read),
                Err(error) => failure = Some(error),
            }
        });
        std::fs::remove_file(&path).ok();
        assert!(failure.is_some() || found.is_some_and(|found| found.as_slice() == snapshots.as_slice()));
        if let Some(error) = failure {
            eprintln!("tessera: {error}");
            return Vec::new();
        }
        let sites = snapshots.len() as f64;
        all.extend([
            Measurement::new(format!("HDF5 write, one rank, {name}"), sites / write, "sites/s"),
            Measurement::new(format!("HDF5 read, one rank, {name}"), sites / read, "sites/s"),
            Measurement::new(format!("HDF5 file, {name}"), size / sites, "bytes/site"),
        ]);
    }
    all
}

/// 62,500 snapshots, 256 of which are different.
fn snapshots() -> Array3<i8> {
    const WIDTH: usize = 4;
    let (ising, shape) = (Ising::new(2.27, 0.0), Shape::plane(64, 64));
    let law = InLanes::<_, WIDTH>::new(&ising).expect("two states");
    let draw = |lane| ising.draw(shape, Some(0.0), &mut stream(1, Purpose::Bench, [8, lane]));
    let starts: Vec<_> = (0..64 * WIDTH as u64).map(draw).collect();
    let starts: Vec<&[i8]> = starts.iter().map(|start| &start.sites[..]).collect();
    let mut window = Window::closed(shape, 1);
    window.load(&law.pack(shape, &starts), [0; 3]);
    let mut rng = stream(1, Purpose::Bench, [9, 0]);
    Lanes::default().evolve(&law, &mut window, Until::Time(200.0), &mut rng).expect("a time");
    let words: Vec<_> = window.values_of(Region::BOX).collect();
    let sites = law.unpack(&words, starts.len());
    let all: Vec<i8> = sites.iter().copied().cycle().take(62_500 * shape.sites()).collect();
    Array3::from_shape_vec((62_500, 64, 64), all).expect("whole snapshots")
}

fn write(path: &Path, world: &World, snapshots: &Array3<i8>, layout: Layout) -> Result<(), DatasetError> {
    let (extents, axes) = (snapshots.shape().to_vec(), ["snapshot", "y", "x"]);
    let field = Field { name: "snapshots", axes: &axes, extents: &extents, unit: "1", meaning: "spins" };
    if let Layout::Deflated = layout {
        let deflated = || -> hdf5::Result<()> {
            let file = hdf5::File::create(path)?;
            let builder = file.new_dataset::<i8>().chunk((16, 64, 64)).shuffle().deflate(1);
            builder.shape(snapshots.dim()).create("snapshots")?.write(snapshots)?;
            file.close()
        };
        let path = path.to_owned();
        return deflated().map_err(|source| DatasetError::Hdf5 { action: "write".into(), path, source });
    }
    let mut file = Writer::create(path, world, &provenance())?;
    match layout {
        Layout::Bits => file.declare_bits(field, [-1_i8, 1])?,
        _ => file.declare::<i8>(field)?,
    }
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
