//! States of atoms as LAMMPS dumps and extended XYZ. Vacancies are marked: element X, and the last type of a dump.

use super::{Frame, Frames, create, unwritten};
use crate::{
    files::records::Recorded,
    lattice::Shape,
    systems::{AtomsOf, System},
    workflow::StageError,
};
use bytemuck::Pod;
use hdf5::H5Type;
use std::{
    io::{self, Write},
    path::Path,
};

/// Writes one frame after another to a file.
pub(super) fn write<T: H5Type + Pod, K: Recorded>(
    path: &Path,
    frames: &Frames<K>,
    frame: impl Fn(&mut dyn Write, &Frame<T>) -> io::Result<()>,
) -> Result<(), StageError> {
    let mut out = create(path)?;
    for &(index, place) in &frames.indices {
        frame(&mut out, &frames.read(index, place)?).map_err(unwritten(path))?;
    }
    out.flush().map_err(unwritten(path))
}

/// A frame of a LAMMPS dump; the time step is the index of the record.
pub(super) fn dump<S: System>(out: &mut dyn Write, atoms: &AtomsOf<S>, frame: &Frame<S::Site>) -> io::Result<()> {
    writeln!(out, "ITEM: TIMESTEP\n{}", frame.index)?;
    if let Some(time) = frame.time {
        writeln!(out, "ITEM: TIME\n{time}")?;
    }
    writeln!(out, "ITEM: NUMBER OF ATOMS\n{}\nITEM: BOX BOUNDS pp pp pp", frame.lattice.sites.len())?;
    for edge in (atoms.edges)(frame.lattice.shape) {
        writeln!(out, "0 {edge}")?;
    }
    writeln!(out, "ITEM: ATOMS id type element x y z")?;
    for (site, state) in frame.lattice.sites.iter().enumerate() {
        let [x, y, z] = position::<S>(atoms, frame.lattice.shape, site);
        let kind = if S::state(state) == 0 { S::STATES.len() } else { S::state(state) };
        writeln!(out, "{} {kind} {} {x} {y} {z}", site + 1, (atoms.symbol)(state))?;
    }
    Ok(())
}

/// A frame of extended XYZ.
pub(super) fn extxyz<S: System>(out: &mut dyn Write, atoms: &AtomsOf<S>, frame: &Frame<S::Site>) -> io::Result<()> {
    let [a, b, c] = (atoms.edges)(frame.lattice.shape);
    write!(out, "{}\nLattice=\"{a} 0 0 0 {b} 0 0 0 {c}\" Properties=species:S:1:pos:R:3 ", frame.lattice.sites.len())?;
    if let Some(time) = frame.time {
        write!(out, "time={time} ")?;
    }
    writeln!(out, "frame={} pbc=\"T T T\"", frame.index)?;
    for (site, state) in frame.lattice.sites.iter().enumerate() {
        let [x, y, z] = position::<S>(atoms, frame.lattice.shape, site);
        writeln!(out, "{} {x} {y} {z}", (atoms.symbol)(state))?;
    }
    Ok(())
}

fn position<S: System>(atoms: &AtomsOf<S>, shape: Shape, site: usize) -> [f64; 3] {
    (atoms.position)(shape.coordinate(site))
}
