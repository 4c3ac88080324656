//! Pure geometry: boxes of sites, stencils, windows with halos, and tilings.
//!
//! A [`Lattice`] is a whole periodic system in compact storage. A [`Window`] is a box of sites together with a
//! halo that holds its surroundings; all dynamics happens in windows. Lattices of one or two dimensions leave
//! the slower axes at extent 1.

pub mod bcc;

mod cover;
mod field;
mod shape;
mod tiling;
mod window;

pub use cover::{Cover, Group, Placed};
pub use field::Lattice;
pub use shape::{Boundary, Shape, Stencil};
pub use tiling::Tiling;
pub use window::{Region, Window};
