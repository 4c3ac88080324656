//! How the sites of a system become atoms, for programs of atomistic simulation.

use crate::{dynamics::Law, lattice::Shape};

/// The sites of a lattice as atoms.
#[derive(Clone, Copy, Debug)]
pub struct Atoms<T: 'static> {
    /// Chemical symbol of a site; X for a vacancy.
    pub symbol: fn(&T) -> &'static str,
    /// Position of the site at a coordinate of the lattice, in Angstrom.
    pub position: fn([usize; 3]) -> [f64; 3],
    /// Edges of the periodic box of a lattice, in Angstrom.
    pub edges: fn(Shape) -> [f64; 3],
}

/// The [`Atoms`] of a system.
pub type AtomsOf<S> = Atoms<<S as Law>::Site>;
