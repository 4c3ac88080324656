//! Reading and writing of configurations as LAMMPS dumps and extended XYZ, also compressed (`.gz`).
//!
//! A site without an atom is a vacancy, and so is one whose species is X. The numbers of cubic cells follow from the box
//! and the number of atoms. The box must be periodic, with its axes along the cubic ones. Its lattice constants may
//! differ by a strain of at most 5 % along each axis, which the barriers do not know of. An atom belongs to the site
//! that it is nearest to, within 0.4 of half the lattice constant along each axis. What cannot be honoured is refused,
//! with its line.

mod atoms;
mod dump;
mod xyz;

pub use atoms::{ConfigurationError, STRAIN};

use crate::{
    lattice::{Lattice, Shape, bcc},
    systems::{
        Atoms,
        alloy::environment::{SPECIES, VACANCY},
    },
};
use atoms::Outcome;
use flate2::read::MultiGzDecoder;
use std::{
    fmt::Write as _,
    fs::File,
    io::{Error, Read},
    path::Path,
};

/// Lattice constant of the equimolar alloy in Angstrom.
pub const LATTICE_CONSTANT: f64 = 3.24;
/// Bytes of text that a byte of a compressed file may stand for, beyond [`FREE`]; coordinates compress by 10 or so.
const COMPRESSION: u64 = 100;
const FREE: u64 = 1 << 20;

/// The sites as atoms.
pub const ATOMS: Atoms<u8> = Atoms {
    symbol: |&species| if species == VACANCY { "X" } else { SPECIES[usize::from(species)] },
    position: |coordinate| {
        bcc::point(coordinate.map(|value| value as isize)).map(|half| half as f64 * LATTICE_CONSTANT / 2.0)
    },
    edges: extents,
};

/// A frame of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// Species of the sites.
    pub lattice: Lattice<u8>,
    /// Number of the frame, from 1.
    pub frame: usize,
    /// Number of frames in the file.
    pub frames: usize,
}

/// Reads one frame, from 1 on, or the last one: extended XYZ from files that end in `.xyz` or `.extxyz`, and a LAMMPS
/// dump from others. A further ending `.gz` says that the file is compressed.
///
/// # Errors
/// When the file cannot be read, has no such frame, a line is wrong, or the lattice is not body-centred cubic.
pub fn read(path: &Path, frame: Option<usize>) -> Outcome<Configuration> {
    let text = if is_compressed(path) { inflated(path) } else { std::fs::read_to_string(path) };
    let text = text.map_err(|source| io(path, source))?;
    if is_xyz(path) { from_xyz(&text, frame) } else { from_dump(&text, frame) }
}

/// Writes a configuration with [`LATTICE_CONSTANT`]. The ending of the file selects the format, as for [`read`], but
/// nothing is compressed.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, lattice: &Lattice<u8>) -> Outcome<()> {
    let text = if is_xyz(path) { to_xyz(lattice) } else { to_dump(lattice) };
    std::fs::write(path, text).map_err(|source| io(path, source))
}

/// Checks that the lattice has a vacancy.
///
/// # Errors
/// When every site holds an atom.
pub fn with_vacancy(lattice: Lattice<u8>) -> Outcome<Lattice<u8>> {
    let sites = lattice.shape.sites();
    if lattice.sites.contains(&VACANCY) { Ok(lattice) } else { Err(ConfigurationError::NoVacancy { sites }) }
}

/// A frame of a LAMMPS dump in text form. Its columns, in any order, are `element` (Nb, Mo, Ta, or X for a vacancy) or
/// else `type` (1 Nb, 2 Mo, 3 Ta, or an element), and for each axis `x`, `xs`, `xu` or `xsu`.
///
/// # Errors
/// When there is no such frame, a line is wrong, or the lattice is not body-centred cubic.
pub fn from_dump(text: &str, frame: Option<usize>) -> Outcome<Configuration> {
    chosen(&dump::frames(text), frame, |start| dump::read(text, start)?.lattice())
}

/// A frame of an extended XYZ text. `Lattice` must be diagonal; `Origin` and `pbc` are honoured, and `Properties` says
/// where `species` and `pos` stand.
///
/// # Errors
/// When there is no such frame, a line is wrong, or the lattice is not body-centred cubic.
pub fn from_xyz(text: &str, frame: Option<usize>) -> Outcome<Configuration> {
    chosen(&xyz::frames(text)?, frame, |start| xyz::read(text, start)?.lattice())
}

/// Reads the frame that is asked for, or the last one.
fn chosen(
    starts: &[usize],
    frame: Option<usize>,
    read: impl FnOnce(usize) -> Outcome<Lattice<u8>>,
) -> Outcome<Configuration> {
    let frames = starts.len();
    if frames == 0 {
        return Err(atoms::wrong(
            1,
            "the file holds no frame: it is neither a LAMMPS dump in text form nor extended XYZ",
        ));
    }
    let frame = frame.unwrap_or(frames);
    let start = frame.checked_sub(1).and_then(|index| starts.get(index));
    let start = start.ok_or(ConfigurationError::Frame { frame, of: frames })?;
    Ok(Configuration { lattice: read(*start)?, frame, frames })
}

/// A LAMMPS dump of a lattice.
pub fn to_dump(lattice: &Lattice<u8>) -> String {
    let extents = extents(lattice.shape);
    let occupied = lattice.sites.iter().filter(|&&species| species != VACANCY).count();
    let mut text = format!("ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n{occupied}\nITEM: BOX BOUNDS pp pp pp\n");
    for extent in extents {
        let _ = writeln!(text, "0 {extent}");
    }
    text.push_str("ITEM: ATOMS id type x y z\n");
    for (number, (species, [x, y, z])) in (1..).zip(positions(lattice)) {
        let _ = writeln!(text, "{number} {species} {x} {y} {z}");
    }
    text
}

/// An extended XYZ text of a lattice.
pub fn to_xyz(lattice: &Lattice<u8>) -> String {
    let [a, b, c] = extents(lattice.shape);
    let occupied = lattice.sites.iter().filter(|&&species| species != VACANCY).count();
    let mut text =
        format!("{occupied}\nLattice=\"{a} 0 0 0 {b} 0 0 0 {c}\" Properties=species:S:1:pos:R:3 pbc=\"T T T\"\n");
    for (species, [x, y, z]) in positions(lattice) {
        let _ = writeln!(text, "{} {x} {y} {z}", SPECIES[usize::from(species)]);
    }
    text
}

fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

fn is_xyz(path: &Path) -> bool {
    let plain = if is_compressed(path) { path.with_extension("") } else { path.to_owned() };
    plain.extension().is_some_and(|extension| extension == "xyz" || extension == "extxyz")
}

/// The text of a compressed file, unless it is so much longer that it is none of coordinates.
fn inflated(path: &Path) -> std::io::Result<String> {
    let file = File::open(path)?;
    let most = FREE + COMPRESSION * file.metadata()?.len();
    let mut text = String::new();
    match MultiGzDecoder::new(file).take(most + 1).read_to_string(&mut text)? as u64 > most {
        true => Err(Error::other(format!("it inflates to more than {most} bytes, {COMPRESSION} times its size"))),
        false => Ok(text),
    }
}

fn io(path: &Path, source: Error) -> ConfigurationError {
    ConfigurationError::Io { path: path.display().to_string(), source }
}

/// Extents of the box in Angstrom.
fn extents(shape: Shape) -> [f64; 3] {
    [shape.0[0] / 2, shape.0[1], shape.0[2]].map(|cells| cells as f64 * LATTICE_CONSTANT)
}

/// Species and positions of the atoms in Angstrom.
fn positions(lattice: &Lattice<u8>) -> impl Iterator<Item = (u8, [f64; 3])> {
    let atoms = lattice.sites.iter().enumerate().filter(|&(_, &species)| species != VACANCY);
    atoms.map(move |(site, &species)| (species, (ATOMS.position)(lattice.shape.coordinate(site))))
}
