//! Models of barriers: the barrier of the jump of a vacancy as a function of its environment.

pub mod arrays;
pub mod balance;
pub mod fitted;
pub mod orbits;
pub mod published;

mod load;
mod model;

pub use load::{SHIPPED, load};
pub use model::{BarrierError, Barriers};
