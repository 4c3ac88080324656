//! Extended XYZ (`github.com/libAtoms/extxyz`): a number of atoms, a line of `key=value`, and the atoms, frame after
//! frame.

use super::atoms::{Atoms, ConfigurationError, Outcome, number, species, wrong};
use std::collections::BTreeMap;

/// Columns of plain XYZ.
const PLAIN: &str = "species:S:1:pos:R:3";

/// The line of the first line of each frame, from 0.
///
/// # Errors
/// When a frame does not begin with its number of atoms.
pub(super) fn frames(text: &str) -> Outcome<Vec<usize>> {
    let mut lines = text.lines().enumerate();
    let mut starts = Vec::new();
    while let Some((line, first)) = lines.by_ref().find(|(_, line)| !line.trim().is_empty()) {
        let count = first.trim().parse::<usize>().map_err(|_| {
            let before =
                if starts.is_empty() { "" } else { ", or the header of the frame before announces too few atoms" };
            wrong(line + 1, format!("{first:?} is not the number of atoms of a frame{before}"))
        })?;
        starts.push(line);
        // The comment and the atoms.
        if lines.nth(count).is_none() {
            break;
        }
    }
    Ok(starts)
}

/// The atoms of the frame that begins after `start` lines.
///
/// # Errors
/// With the line that is wrong or cannot be honoured.
pub(super) fn read(text: &str, start: usize) -> Outcome<Atoms> {
    let mut lines = text.lines().zip(1..).skip(start);
    let (first, line) = lines.next().unwrap_or(("", start + 1));
    let count = number::<usize>(first.trim(), line)?;
    let (comment, line) = lines.next().ok_or_else(|| wrong(line, "the file ends before the line with Lattice=..."))?;
    let entries = entries(comment, line)?;
    let entry = |key: &str| entries.get(key).map(String::as_str);
    let numbers =
        |text: &str| text.split_whitespace().map(|word| number::<f64>(word, line)).collect::<Outcome<Vec<_>>>();
    let matrix = entry("Lattice").ok_or_else(|| wrong(line, "the line lacks Lattice=\"...\" with nine numbers"))?;
    let matrix = numbers(matrix)?;
    let size = matrix.iter().fold(0.0, |size: f64, value| size.max(value.abs()));
    if matrix.len() != 9 || (0..9).any(|entry| entry % 4 != 0 && matrix[entry].abs() > 1e-9 * size) {
        return Err(ConfigurationError::NotCubic(format!(
            "Lattice on line {line} must be diagonal, with nine numbers"
        )));
    }
    if let Some(flags) = entry("pbc").filter(|flags| !periodic(flags)) {
        return Err(wrong(line, format!("pbc is {flags:?}, but barriers need a periodic box; only T T T can be read")));
    }
    let origin = entry("Origin").map_or(Ok(vec![0.0; 3]), numbers)?;
    let origin = origin.try_into().map_err(|_| wrong(line, "Origin must have three numbers"))?;
    let (symbol, position, columns) = columns(entry("Properties").unwrap_or(PLAIN), line)?;
    let mut atoms =
        Atoms { origin, extents: [matrix[0], matrix[4], matrix[8]], first_line: line + 1, ..Atoms::default() };
    for atom in 0..count {
        let (text, line) = lines.next().ok_or_else(|| {
            wrong(line, format!("the file ends after {atom} of the {count} atoms that its frame announces"))
        })?;
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.len() != columns {
            return Err(wrong(line, format!("the line has {} columns, but Properties has {columns}", words.len())));
        }
        atoms.species.push(species(words[symbol], line)?);
        let mut place = [0.0; 3];
        for (value, word) in place.iter_mut().zip(&words[position..]) {
            *value = number(word, line)?;
        }
        atoms.positions.push(place);
    }
    Ok(atoms)
}

/// The pairs `key=value` of a line, where a value with spaces stands in quotes or brackets.
fn entries(text: &str, line: usize) -> Outcome<BTreeMap<String, String>> {
    let mut entries = BTreeMap::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest.split_at(rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len()));
        let Some(value) = after.trim_start().strip_prefix('=').map(str::trim_start) else {
            rest = after.trim_start();
            continue;
        };
        let close = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => quote,
            Some('{') => '}',
            Some('[') => ']',
            _ => ' ',
        };
        let end = match close {
            ' ' => value.find(char::is_whitespace).unwrap_or(value.len()),
            // Lists may be nested: their end is a bracket before a space.
            ']' | '}' => value
                .match_indices(close)
                .map(|(at, _)| at + 1)
                .find(|&end| value[end..].chars().next().is_none_or(char::is_whitespace))
                .unwrap_or(value.len()),
            quote => value[1..]
                .find(quote)
                .map(|at| at + 2)
                .ok_or_else(|| wrong(line, format!("the value of {key} has no closing {quote}")))?,
        };
        let (value, after) = value.split_at(end);
        let plain = value.replace(|c: char| "\"'{}[],".contains(c), " ");
        if entries.insert(key.to_owned(), plain.trim().to_owned()).is_some() {
            return Err(wrong(line, format!("{key} stands twice on the line")));
        }
        rest = after.trim_start();
    }
    Ok(entries)
}

/// Whether all of three flags are set.
fn periodic(flags: &str) -> bool {
    let set = |word: &str| ["T", "True", "true", "TRUE", "1"].contains(&word);
    flags.split_whitespace().filter(|word| set(word)).count() == 3 && flags.split_whitespace().count() == 3
}

/// The columns of the species and of the position, and the number of columns.
fn columns(properties: &str, line: usize) -> Outcome<(usize, usize, usize)> {
    let words: Vec<&str> = properties.split(':').collect();
    let (mut species, mut position, mut count) = (None, None, 0_usize);
    for triple in words.chunks(3) {
        let &[name, kind, width] = triple else {
            return Err(wrong(line, "Properties must be triples of name:type:columns"));
        };
        let width = number::<usize>(width, line)?;
        match (name, kind, width) {
            ("species", "S", 1) => species = Some(count),
            ("pos", "R", 3) => position = Some(count),
            ("species" | "pos", ..) => {
                return Err(wrong(
                    line,
                    format!("Properties has {name}:{kind}:{width}; write species:S:1 and pos:R:3"),
                ));
            }
            _ => {}
        }
        count = count.checked_add(width).ok_or_else(|| wrong(line, "Properties has too many columns"))?;
    }
    species
        .zip(position)
        .map(|(species, position)| (species, position, count))
        .ok_or_else(|| wrong(line, format!("Properties is {properties:?}; it must name species:S:1 and pos:R:3")))
}
