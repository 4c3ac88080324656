//! LAMMPS dumps in text form (`docs.lammps.org/dump.html`): styles `atom` and `custom`.

use super::atoms::{Atoms, ConfigurationError, Outcome, number, species, wrong};

/// The atom lines of a dump.
const ATOMS: &str = "ITEM: ATOMS";
/// Names of a coordinate along x: as it is, scaled by the box, and both again unwrapped.
const COORDINATES: [&str; 4] = ["", "s", "u", "su"];

/// The line of the first line of each frame, from 0: a frame ends with its atoms.
pub(super) fn frames(text: &str) -> Vec<usize> {
    let items = text.lines().enumerate().filter(|(_, line)| line.starts_with("ITEM:"));
    let mut starts = Vec::new();
    let mut ended = true;
    for (line, item) in items {
        if ended {
            // What stands before the first item belongs to no dump, and is refused with the frame.
            starts.push(if starts.is_empty() { 0 } else { line });
        }
        ended = item.starts_with(ATOMS);
    }
    starts
}

/// The atoms of the frame that begins after `start` lines.
///
/// # Errors
/// With the line that is wrong or cannot be honoured.
pub(super) fn read(text: &str, start: usize) -> Outcome<Atoms> {
    let mut lines = text.lines().zip(1..).skip(start);
    let mut next = |item: &str| {
        lines.next().ok_or_else(|| wrong(start + 1, format!("the frame that begins here ends before its {item}")))
    };
    let (mut atoms, mut count, mut sized) = (Atoms::default(), None, false);
    let columns = loop {
        let (header, line) = next("atoms")?;
        if header.trim() == "ITEM: NUMBER OF ATOMS" && count.is_none() {
            let (text, line) = next("number of atoms")?;
            count = Some(number::<usize>(text.trim(), line)?);
        } else if let Some(kind) = header.strip_prefix("ITEM: BOX BOUNDS").filter(|_| !sized) {
            sized = true;
            let tilted = boundaries(kind, line)?;
            for axis in 0..3 {
                let (text, line) = next("box")?;
                (atoms.origin[axis], atoms.extents[axis]) = bounds(text, tilted, line)?;
            }
        } else if ["ITEM: TIMESTEP", "ITEM: TIME", "ITEM: UNITS"].contains(&header.trim()) {
            next("value")?;
        } else if let Some(columns) = header.strip_prefix(ATOMS) {
            if !sized {
                return Err(wrong(line, "the box must come before the atoms"));
            }
            atoms.first_line = line + 1;
            break Columns::new(columns, line)?;
        } else {
            return Err(wrong(line, format!("{header:?} is no item of a dump, or comes twice in a frame")));
        }
    };
    let count = count.ok_or_else(|| wrong(atoms.first_line - 1, "the number of atoms must come before the atoms"))?;
    for (text, line) in
        lines.take_while(|(text, _)| !text.starts_with("ITEM:")).filter(|(text, _)| !text.trim().is_empty())
    {
        columns.read(text, line, &mut atoms)?;
    }
    match atoms.species.len() {
        found if found == count => Ok(atoms),
        found => {
            Err(wrong(atoms.first_line, format!("{found} atoms follow, but the header of the frame announces {count}")))
        }
    }
}

/// Whether a box has tilt factors.
fn boundaries(kind: &str, line: usize) -> Outcome<bool> {
    let words: Vec<&str> = kind.split_whitespace().collect();
    let (tilted, flags) = match words.as_slice() {
        ["xy", "xz", "yz", flags @ ..] => (true, flags),
        ["abc", ..] => return Err(wrong(line, "a box of three vectors is not read; dump with triclinic/general no")),
        flags => (false, flags),
    };
    match flags {
        ["pp", "pp", "pp"] => Ok(tilted),
        [] => Err(wrong(line, "the box does not say that its boundaries are periodic; add pp pp pp to the line")),
        other => Err(wrong(
            line,
            format!(
                "the boundaries are {}, but barriers need a periodic box; only pp pp pp can be read",
                other.join(" ")
            ),
        )),
    }
}

/// The lower end and the length of the box along an axis.
fn bounds(text: &str, tilted: bool, line: usize) -> Outcome<(f64, f64)> {
    let numbers = text.split_whitespace().map(|word| number::<f64>(word, line)).collect::<Outcome<Vec<_>>>()?;
    match (numbers.as_slice(), tilted) {
        (&[low, high], false) => Ok((low, high - low)),
        (&[low, high, tilt], true) if tilt.abs() <= 1e-9 * (high - low).abs() => Ok((low, high - low)),
        (&[_, _, tilt], true) => {
            Err(ConfigurationError::NotCubic(format!("the tilt on line {line} is {tilt}, and must be 0")))
        }
        (_, tilted) => {
            let count = if tilted { "three" } else { "two" };
            Err(wrong(line, format!("a line of this box must hold {count} numbers")))
        }
    }
}

/// Where the species and the coordinates of an atom stand.
struct Columns {
    count: usize,
    species: usize,
    /// Column of each coordinate, and whether it is scaled by the box.
    coordinates: [(usize, bool); 3],
}

impl Columns {
    fn new(header: &str, line: usize) -> Outcome<Self> {
        let names: Vec<&str> = header.split_whitespace().collect();
        let column = |name: &str| names.iter().position(|&column| column == name);
        if let Some(twice) = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
            return Err(wrong(line, format!("the dump has two columns {}", twice.1)));
        }
        let lacks = |name: &str| {
            wrong(
                line,
                format!("the dump lacks the column {name}; it needs element or type, and x y z (or xs, xu, xsu)"),
            )
        };
        let coordinate = |axis: &str| {
            let found =
                COORDINATES.iter().find_map(|form| Some((column(&format!("{axis}{form}"))?, form.starts_with('s'))));
            found.ok_or_else(|| lacks(axis))
        };
        Ok(Self {
            count: names.len(),
            species: column("element").or_else(|| column("type")).ok_or_else(|| lacks("type"))?,
            coordinates: [coordinate("x")?, coordinate("y")?, coordinate("z")?],
        })
    }

    /// Adds the atom of a line: a symbol, or 1 for Nb, 2 for Mo, 3 for Ta.
    fn read(&self, text: &str, line: usize, atoms: &mut Atoms) -> Outcome<()> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.len() != self.count {
            return Err(wrong(
                line,
                format!("the line has {} columns, but the header names {}", words.len(), self.count),
            ));
        }
        let kind = words[self.species];
        atoms.species.push(match kind {
            "1" | "2" | "3" => kind.parse().unwrap_or_default(),
            _ if kind.parse::<f64>().is_ok() => {
                return Err(wrong(line, format!("species {kind} is unknown; use 1 for Nb, 2 for Mo, 3 for Ta")));
            }
            symbol => species(symbol, line)?,
        });
        let mut position = [0.0; 3];
        for (axis, (column, scaled)) in self.coordinates.into_iter().enumerate() {
            let value = number::<f64>(words[column], line)?;
            position[axis] = if scaled { atoms.origin[axis] + value * atoms.extents[axis] } else { value };
        }
        atoms.positions.push(position);
        Ok(())
    }
}
