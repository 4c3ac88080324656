//! `tessera export`: microscopic states of a run directory for OVITO and ASE (LAMMPS dump, extended XYZ) or ParaView
//! (XDMF).

mod atoms;
mod grid;

use crate::{
    dataset::Reader,
    files::{
        LargeFile, SmallFile, TruthFile,
        records::{Recorded, RecordsFile},
    },
    lattice::{Lattice, Shape},
    learning::Feature,
    storage::StorageError,
    systems::System,
    workflow::{Context, StageError, say},
};
use flate2::{Compression, write::GzEncoder};
use hdf5::H5Type;
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// Formats of other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// LAMMPS dump in text form.
    Dump,
    /// Extended XYZ.
    Extxyz,
    /// XDMF with a binary file beside it.
    Xdmf,
}

/// Files that hold microscopic states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `truth.h5`
    Truth,
    /// `small.h5`
    Small,
    /// `large.h5`
    Large,
}

/// What is exported.
#[derive(Clone, Debug)]
pub struct Export {
    /// Format of the new file.
    pub format: Format,
    /// File of the run directory.
    pub source: Source,
    /// Trajectory of a file of trajectories.
    pub trajectory: usize,
    /// First and last record, or snapshot of a file of snapshots; all without it.
    pub frames: Option<[usize; 2]>,
    /// Every how many of them.
    pub every: usize,
    /// The new file, by default in the run directory. A dump or XYZ file that ends in `.gz` is compressed.
    pub out: Option<PathBuf>,
}

/// A state to be written.
struct Frame<T> {
    /// Record of the trajectory, or snapshot.
    index: usize,
    /// Time of the record.
    time: Option<f64>,
    lattice: Lattice<T>,
}

/// The states that were chosen, read one by one.
struct Frames<'f, K> {
    file: &'f RecordsFile<'f, K, Reader>,
    /// Trajectory of a file of trajectories.
    trajectory: Option<usize>,
    /// Indices of records or snapshots, each with its place among the states of the file.
    indices: Vec<(usize, usize)>,
    times: Option<Vec<f64>>,
    shape: Shape,
}

/// Writes the states that were chosen, and says where.
///
/// # Errors
/// When the run directory has no such states, the format does not suit the system, or the file system refuses.
pub fn export<S: System<Site: H5Type, Feature: Feature>>(context: &Context, choice: &Export) -> Result<(), StageError> {
    match choice.source {
        Source::Truth => of_file::<S, _>(context, choice, &TruthFile::open(context)?),
        Source::Small => of_file::<S, _>(context, choice, &SmallFile::open(context)?),
        Source::Large => of_file::<S, _>(context, choice, &LargeFile::open(context)?),
    }
}

fn of_file<S: System<Site: H5Type, Feature: Feature>, K: Recorded>(
    context: &Context,
    choice: &Export,
    file: &RecordsFile<K, Reader>,
) -> Result<(), StageError> {
    let frames = Frames::new(context, choice, file)?;
    let (name, out) = (K::FILE.trim_end_matches(".h5"), choice.out.clone());
    let named = |ending: &str| out.unwrap_or_else(|| context.path(&format!("{name}.{ending}")));
    let path = match (choice.format, S::ATOMS) {
        (Format::Xdmf, None) => {
            let path = named("xmf");
            grid::write::<S, K>(&frames, S::TIME_UNIT, &path)?;
            path
        }
        (Format::Xdmf, Some(_)) => return Err(refused("xdmf is for states on a square lattice; use dump or extxyz")),
        (Format::Dump, Some(atoms)) => {
            let path = named("dump");
            atoms::write(&path, &frames, |out, frame| atoms::dump::<S>(out, &atoms, frame))?;
            path
        }
        (Format::Extxyz, Some(atoms)) => {
            let path = named("extxyz");
            atoms::write(&path, &frames, |out, frame| atoms::extxyz::<S>(out, &atoms, frame))?;
            path
        }
        (_, None) => return Err(refused("dump and extxyz are for atoms, and this system has none; use xdmf")),
    };
    say(context, &format!("{} frame(s): {}", frames.indices.len(), path.display()))
}

fn refused(reason: &str) -> StageError {
    StageError::Engine(reason.into())
}

impl<'f, K: Recorded> Frames<'f, K> {
    fn new(context: &Context, choice: &Export, file: &'f RecordsFile<'f, K, Reader>) -> Result<Self, StageError> {
        let extents = K::extents(context.input);
        let trajectory = (extents.len() > 1).then_some(choice.trajectory);
        if let Some(trajectory) = trajectory.filter(|&trajectory| trajectory >= extents[0]) {
            let reason = format!("{} holds trajectories 0 to {}, not {trajectory}", K::FILE, extents[0] - 1);
            return Err(refused(&reason));
        }
        let count = extents[extents.len() - 1];
        let [first, last] = choice.frames.unwrap_or([0, count - 1]);
        if first > last || last >= count {
            return Err(refused(&format!("{} holds frames 0 to {}, not {first} to {last}", K::FILE, count - 1)));
        }
        let times = trajectory.map(|_| file.times()).transpose()?.map(|times| times.to_vec());
        let held = if trajectory.is_some() { K::kept(context.input) } else { (0..count).collect() };
        let places = held.iter().enumerate().map(|(place, &index)| (index, place));
        let within = places.filter(|(index, _)| (first..=last).contains(index));
        let indices: Vec<_> = within.step_by(choice.every.max(1)).collect();
        if indices.is_empty() {
            return Err(refused(&format!("{} keeps no state of these frames; it does of {held:?}", K::FILE)));
        }
        Ok(Self { file, trajectory, indices, times, shape: K::shape(context.input) })
    }

    fn read<T: H5Type + bytemuck::Pod>(&self, index: usize, place: usize) -> Result<Frame<T>, StageError> {
        let entry = self.trajectory.map_or(vec![place], |trajectory| vec![trajectory, place]);
        let lattice = Lattice::from_sites(self.shape, self.file.state(&entry)?);
        Ok(Frame { index, time: self.times.as_ref().map(|times| times[index]), lattice })
    }
}

/// A new file, compressed where its name says so.
fn create(path: &Path) -> Result<Box<dyn Write>, StageError> {
    let file = BufWriter::new(File::create(path).map_err(StorageError::when("create", path))?);
    let compressed = path.extension().is_some_and(|extension| extension == "gz");
    Ok(if compressed { Box::new(GzEncoder::new(file, Compression::default())) } else { Box::new(file) })
}

/// For `map_err`: a file that cannot be written.
fn unwritten(path: &Path) -> impl FnOnce(io::Error) -> StageError {
    let error = StorageError::when("write", path);
    |source| error(source).into()
}
