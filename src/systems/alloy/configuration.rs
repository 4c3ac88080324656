//! Reading and writing of configurations as LAMMPS dumps (`docs.lammps.org/dump.html`) and extended XYZ (specification
//! of libAtoms).
//!
//! Files list atoms only: a site without an atom is a vacancy. The lattice constant follows from the box and the number
//! of atoms.

use crate::{
    lattice::{Lattice, Shape, bcc},
    systems::alloy::environment::{SPECIES, VACANCY},
};
use std::{fmt::Write as _, path::Path};

/// Lattice constant of the equimolar alloy in Angstrom.
pub const LATTICE_CONSTANT: f64 = 3.24;
/// Largest distance of an atom from its site along each axis, in units of half the lattice constant.
const TOLERANCE: f64 = 0.4;
/// Largest share of sites without an atom.
const EMPTIEST: f64 = 0.1;

/// Why a configuration could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The file could not be read or written.
    #[error("cannot read or write the configuration {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A line is wrong.
    #[error("line {line} of the configuration: {reason}")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The atoms are not on a body-centred cubic lattice.
    #[error("the configuration must be a body-centred cubic lattice with axes along the box: {0}")]
    NotCubic(String),
    /// Every site holds an atom.
    #[error("the configuration has no vacancy: all its {sites} sites hold an atom. Remove an atom")]
    NoVacancy {
        /// Number of sites.
        sites: usize,
    },
}

type Outcome<T> = Result<T, ConfigurationError>;

/// The atoms and the box of a file.
struct Atoms {
    origin: [f64; 3],
    extents: [f64; 3],
    species: Vec<u8>,
    positions: Vec<[f64; 3]>,
}

/// Reads extended XYZ from files that end in `.xyz` or `.extxyz`, and the first snapshot of a LAMMPS dump from others.
///
/// # Errors
/// When the file cannot be read, a line is wrong, or the lattice is not body-centred cubic.
pub fn read(path: &Path) -> Outcome<Lattice<u8>> {
    let text = std::fs::read_to_string(path).map_err(|source| io(path, source))?;
    if is_xyz(path) { from_xyz(&text) } else { from_dump(&text) }
}

/// Writes a configuration with [`LATTICE_CONSTANT`]. The ending of the file selects the format, as for [`read`].
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

/// The lattice of a LAMMPS dump in text form, with the columns `type` (1 Nb, 2 Mo, 3 Ta), `x`, `y` and `z` in any
/// order.
///
/// # Errors
/// When a line is wrong, or the lattice is not body-centred cubic.
pub fn from_dump(text: &str) -> Outcome<Lattice<u8>> {
    let mut lines = text.lines().zip(1..);
    let mut next = |item: &str| lines.next().ok_or_else(|| wrong(0, format!("the dump ends before its {item}")));
    let mut atoms = Atoms { origin: [0.0; 3], extents: [0.0; 3], species: Vec::new(), positions: Vec::new() };
    let mut count = None;
    loop {
        let (header, line) = next("atoms")?;
        if header.starts_with("ITEM: NUMBER OF ATOMS") {
            let (text, line) = next("number of atoms")?;
            count = Some(number::<usize>(text.trim(), line)?);
        } else if let Some(kind) = header.strip_prefix("ITEM: BOX BOUNDS") {
            if kind.contains("xy") {
                return Err(ConfigurationError::NotCubic("the box is tilted".into()));
            }
            for axis in 0..3 {
                let (text, line) = next("box")?;
                let bounds =
                    text.split_whitespace().map(|word| number::<f64>(word, line)).collect::<Outcome<Vec<_>>>()?;
                let &[low, high] = bounds.as_slice() else {
                    return Err(wrong(line, "a line of the box must hold two numbers"));
                };
                (atoms.origin[axis], atoms.extents[axis]) = (low, high - low);
            }
        } else if let Some(columns) = header.strip_prefix("ITEM: ATOMS") {
            let columns: Vec<&str> = columns.split_whitespace().collect();
            let column = |name: &str| {
                let found = columns.iter().position(|&column| column == name);
                found.ok_or_else(|| wrong(line, format!("the dump lacks the column {name}; it needs type x y z")))
            };
            let [kind, x, y, z] = [column("type")?, column("x")?, column("y")?, column("z")?];
            let count = count.ok_or_else(|| wrong(line, "the number of atoms must come before the atoms"))?;
            for _ in 0..count {
                let (text, line) = next("last atom")?;
                let words: Vec<&str> = text.split_whitespace().collect();
                let word = |column: usize| words.get(column).copied().ok_or_else(|| wrong(line, "a column is missing"));
                let kind = number::<u8>(word(kind)?, line)?;
                if !(1..=3).contains(&kind) {
                    return Err(wrong(line, format!("species {kind} is unknown; use 1 for Nb, 2 for Mo, 3 for Ta")));
                }
                atoms.species.push(kind);
                atoms.positions.push([number(word(x)?, line)?, number(word(y)?, line)?, number(word(z)?, line)?]);
            }
            return lattice_of(&atoms);
        }
    }
}

/// The lattice of an extended XYZ text. The matrix `Lattice` must be diagonal, and every line must begin with the name
/// of the species and the position.
///
/// # Errors
/// When a line is wrong, or the lattice is not body-centred cubic.
pub fn from_xyz(text: &str) -> Outcome<Lattice<u8>> {
    let mut lines = text.lines();
    let count = number::<usize>(lines.next().unwrap_or_default().trim(), 1)?;
    let comment = lines.next().unwrap_or_default();
    let matrix = comment.split("Lattice=\"").nth(1).and_then(|rest| rest.split('"').next());
    let matrix = matrix.ok_or_else(|| wrong(2, "the comment lacks Lattice=\"...\" with nine numbers"))?;
    let matrix = matrix.split_whitespace().map(|word| number::<f64>(word, 2)).collect::<Outcome<Vec<_>>>()?;
    if matrix.len() != 9 || (0..9).any(|entry| entry % 4 != 0 && matrix[entry].abs() > 1e-6) {
        return Err(ConfigurationError::NotCubic("the matrix Lattice must be diagonal with nine numbers".into()));
    }
    let extents = [matrix[0], matrix[4], matrix[8]];
    let mut atoms = Atoms { origin: [0.0; 3], extents, species: Vec::new(), positions: Vec::new() };
    for line in 3..count + 3 {
        let text =
            lines.next().ok_or_else(|| wrong(line, format!("the file ends before the last of {count} atoms")))?;
        let words: Vec<&str> = text.split_whitespace().collect();
        let &[name, x, y, z, ..] = words.as_slice() else {
            return Err(wrong(line, "a line must hold a species and x, y, z"));
        };
        let species = SPECIES[1..].iter().position(|&known| known == name);
        let species = species.ok_or_else(|| wrong(line, format!("species {name} is unknown; use Nb, Mo or Ta")))?;
        atoms.species.push(species as u8 + 1);
        atoms.positions.push([number(x, line)?, number(y, line)?, number(z, line)?]);
    }
    lattice_of(&atoms)
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

fn is_xyz(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "xyz" || extension == "extxyz")
}

fn io(path: &Path, source: std::io::Error) -> ConfigurationError {
    ConfigurationError::Io { path: path.display().to_string(), source }
}

fn wrong(line: usize, reason: impl Into<String>) -> ConfigurationError {
    ConfigurationError::Line { line, reason: reason.into() }
}

fn number<T: std::str::FromStr>(word: &str, line: usize) -> Outcome<T> {
    word.parse().map_err(|_| wrong(line, format!("{word:?} is not a valid number")))
}

/// Extents of the box in Angstrom.
fn extents(shape: Shape) -> [f64; 3] {
    [shape.0[0] / 2, shape.0[1], shape.0[2]].map(|cells| cells as f64 * LATTICE_CONSTANT)
}

/// Species and positions of the atoms in Angstrom.
fn positions(lattice: &Lattice<u8>) -> impl Iterator<Item = (u8, [f64; 3])> {
    let half_point = |site| bcc::point(lattice.shape.coordinate(site).map(|value| value as isize));
    let atoms = lattice.sites.iter().enumerate().filter(|&(_, &species)| species != VACANCY);
    atoms.map(move |(site, &species)| (species, half_point(site).map(|half| half as f64 * LATTICE_CONSTANT / 2.0)))
}

/// Places atoms on the sites of the smallest lattice with enough sites.
fn lattice_of(atoms: &Atoms) -> Outcome<Lattice<u8>> {
    let shape = cells(atoms)?;
    let constant = atoms.extents[1] / shape.0[1] as f64;
    let mut lattice = Lattice::filled(shape, VACANCY);
    for (number, (position, &species)) in (1..).zip(atoms.positions.iter().zip(&atoms.species)) {
        let halves: [f64; 3] = std::array::from_fn(|axis| 2.0 * (position[axis] - atoms.origin[axis]) / constant);
        let point = halves.map(f64::round);
        let near = halves.iter().zip(point).all(|(half, point)| (half - point).abs() <= TOLERANCE);
        let site = bcc::coordinate(point.map(|value| value as isize)).filter(|_| near);
        let site = site.ok_or_else(|| ConfigurationError::NotCubic(format!("atom {number} is not on a site")))?;
        let index = shape.wrapped_index(site);
        if lattice.sites[index] != VACANCY {
            return Err(ConfigurationError::NotCubic(format!("atom {number} is on the site of another atom")));
        }
        lattice.sites[index] = species;
    }
    Ok(lattice)
}

/// The smallest box of whole cubic cells with a site for every atom.
fn cells(atoms: &Atoms) -> Outcome<Shape> {
    let count = atoms.species.len();
    let extents = atoms.extents;
    if count == 0 || !extents.iter().all(|extent| *extent > 0.0 && extent.is_finite()) {
        return Err(ConfigurationError::NotCubic(format!("it has {count} atoms in a box of {extents:?}")));
    }
    let side = (count as f64 / 2.0 * extents[1].powi(2) / (extents[0] * extents[2])).cbrt();
    for cells in (side * 0.99).floor().max(1.0) as usize..=(side * 1.1).ceil() as usize {
        let constant = extents[1] / cells as f64;
        let whole = extents.map(|extent| (extent / constant).round());
        let fits = extents.iter().zip(whole).all(|(extent, cells)| (extent / constant - cells).abs() < 1e-3);
        let shape = Shape([2 * whole[0] as usize, whole[1] as usize, whole[2] as usize]);
        let room = shape.sites();
        if fits && room >= count && (room - count) as f64 <= EMPTIEST * room as f64 {
            return Ok(shape);
        }
    }
    Err(ConfigurationError::NotCubic(format!(
        "no whole number of cubic cells fills the box of {extents:?} with about {count} sites"
    )))
}
