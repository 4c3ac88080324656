//! The atoms of one frame of a file, and the sites that they lie on.

use crate::{
    lattice::{Lattice, Shape, bcc},
    systems::alloy::environment::{REACH, SPECIES, VACANCY},
};

/// Largest distance of an atom from its site along each axis, in units of half the lattice constant.
const TOLERANCE: f64 = 0.4;
/// Largest share of sites without an atom, unless the file lists them as vacancies.
const EMPTIEST: f64 = 0.1;
/// Largest deviation of the lattice constant along an axis from the mean, relative: the strain that is accepted.
pub const STRAIN: f64 = 0.05;
/// Farthest atom, in units of half the lattice constant: beyond it, positions are too coarse.
const FARTHEST: f64 = 1e9;

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
    /// The file has no such frame.
    #[error("the configuration has {of} frame(s), so --frame {frame} does not exist. Give a number from 1 to {of}")]
    Frame {
        /// The frame asked for.
        frame: usize,
        /// The number of frames.
        of: usize,
    },
    /// The atoms are not on a body-centred cubic lattice.
    #[error("the configuration must be a body-centred cubic lattice with axes along the box: {0}")]
    NotCubic(String),
    /// The box is so short that an atom would see itself.
    #[error(
        "the configuration has {cells:?} cubic cells; barriers need at least {REACH} along each axis. Repeat the box"
    )]
    Short {
        /// Cubic cells along x, y and z.
        cells: [usize; 3],
    },
    /// Every site holds an atom.
    #[error("the configuration has no vacancy: all its {sites} sites hold an atom. Remove an atom")]
    NoVacancy {
        /// Number of sites.
        sites: usize,
    },
}

pub(super) type Outcome<T> = Result<T, ConfigurationError>;

/// What is wrong with a line.
pub(super) fn wrong(line: usize, reason: impl Into<String>) -> ConfigurationError {
    ConfigurationError::Line { line, reason: reason.into() }
}

/// A number on a line.
pub(super) fn number<T: std::str::FromStr>(word: &str, line: usize) -> Outcome<T> {
    word.parse().map_err(|_| wrong(line, format!("{word:?} is not a valid number")))
}

/// The index of a species by its symbol; X, the symbol of no element, is a vacancy.
pub(super) fn species(symbol: &str, line: usize) -> Outcome<u8> {
    if symbol == "X" {
        return Ok(VACANCY);
    }
    let known = SPECIES[1..].iter().position(|&known| known == symbol);
    known
        .map(|index| index as u8 + 1)
        .ok_or_else(|| wrong(line, format!("species {symbol} is unknown; use Nb, Mo or Ta, or X for a vacancy")))
}

/// The atoms, and the vacancies that are listed, in a box with axes along x, y and z.
#[derive(Default)]
pub(super) struct Atoms {
    /// Lowest corner of the box.
    pub origin: [f64; 3],
    pub extents: [f64; 3],
    /// Line of the first atom; each has a line of its own.
    pub first_line: usize,
    pub species: Vec<u8>,
    pub positions: Vec<[f64; 3]>,
}

impl Atoms {
    /// Puts every atom on its site.
    ///
    /// # Errors
    /// When no box of whole cubic cells, strained by at most [`STRAIN`], has a site for every atom.
    pub fn lattice(&self) -> Outcome<Lattice<u8>> {
        let mut refused = None;
        for cells in self.boxes()? {
            match self.on_sites(cells) {
                Ok(_) if cells.iter().any(|&cells| cells < REACH) => {
                    return Err(ConfigurationError::Short { cells });
                }
                Ok(lattice) => return Ok(lattice),
                // The least strained box is the likeliest.
                Err(error) => drop(refused.get_or_insert(error)),
            }
        }
        Err(refused.unwrap_or_else(|| {
            let (extents, count) = (self.extents, self.species.len());
            ConfigurationError::NotCubic(format!(
                "no whole numbers of cubic cells, strained by at most {} %, fill the box of {extents:?} with about {count} sites",
                100.0 * STRAIN
            ))
        }))
    }

    /// The numbers of cubic cells that may fill the box, the least strained ones first.
    fn boxes(&self) -> Outcome<Vec<[usize; 3]>> {
        let (count, extents) = (self.species.len(), self.extents);
        if count == 0 || !extents.iter().all(|extent| *extent > 0.0 && extent.is_finite()) {
            return Err(ConfigurationError::NotCubic(format!("it has {count} atoms in a box of {extents:?}")));
        }
        // The lattice constant if every site is listed: with vacancies there are more and smaller cells.
        let volume = extents[0].ln() + extents[1].ln() + extents[2].ln();
        let cells = extents.map(|extent| (extent.ln() - (volume - (count as f64 / 2.0).ln()) / 3.0).exp());
        let range = |cells: f64| {
            (cells * (1.0 - STRAIN)).floor().max(1.0) as usize..=(cells * (1.0 + STRAIN) * 1.04).ceil() as usize
        };
        let mut boxes = Vec::new();
        let most = (count as f64 / (1.0 - EMPTIEST)) as usize;
        for first in range(cells[0]).take_while(|first| 2 * first <= most) {
            for second in range(cells[1]).take_while(|second| 2 * first * second <= most) {
                for third in range(cells[2]).take_while(|third| 2 * first * second * third <= most) {
                    let cells = [first, second, third];
                    let strain = strain(extents, cells);
                    if 2 * first * second * third >= count && strain <= STRAIN {
                        boxes.push((strain, cells));
                    }
                }
            }
        }
        boxes.sort_by(|one, other| one.0.total_cmp(&other.0));
        Ok(boxes.into_iter().map(|(_, cells)| cells).collect())
    }

    /// The lattice of as many cubic cells along x, y and z.
    fn on_sites(&self, cells: [usize; 3]) -> Outcome<Lattice<u8>> {
        let refused = |index: usize, reason: &str| {
            ConfigurationError::NotCubic(format!("the atom of line {} {reason}", self.first_line + index))
        };
        let shape = Shape([2 * cells[0], cells[1], cells[2]]);
        let mut lattice = Lattice::filled(shape, VACANCY);
        let mut taken = vec![false; shape.sites()];
        for (index, (position, &species)) in self.positions.iter().zip(&self.species).enumerate() {
            let halves: [f64; 3] = std::array::from_fn(|axis| {
                2.0 * cells[axis] as f64 * ((position[axis] - self.origin[axis]) / self.extents[axis])
            });
            let point = halves.map(f64::round);
            let near = halves.iter().zip(point).all(|(half, point)| (half - point).abs() <= TOLERANCE);
            let near = near && halves.iter().all(|half| half.abs() <= FARTHEST);
            let site = bcc::coordinate(point.map(|value| value as isize)).filter(|_| near);
            let site = shape.wrapped_index(site.ok_or_else(|| refused(index, "is not on a site"))?);
            if std::mem::replace(&mut taken[site], true) {
                return Err(refused(index, "is on the site of another one"));
            }
            lattice.sites[site] = species;
        }
        Ok(lattice)
    }
}

/// The largest deviation of the lattice constant along an axis from the geometric mean, relative.
fn strain(extents: [f64; 3], cells: [usize; 3]) -> f64 {
    let constants: [f64; 3] = std::array::from_fn(|axis| (extents[axis] / cells[axis] as f64).ln());
    let mean = constants.iter().sum::<f64>() / 3.0;
    constants.iter().map(|constant| (constant - mean).exp_m1().abs()).fold(0.0, f64::max)
}
