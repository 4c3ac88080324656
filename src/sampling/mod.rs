//! What the data are made by: recorded trajectories, Upsample and LocalRelax (Algorithm 1), partial evolution (Section
//! II.1).

mod hierarchy;
mod library;
mod partial;
mod relax;
mod trajectory;

pub use hierarchy::{raised_compatibly, upsampled, upsampled_in_lanes};
pub use library::{LibraryChange, WholeState, WholeSums};
pub use partial::{Pair, PartialEvolution, PartialEvolutionInLanes, Surroundings};
pub use relax::LocalRelax;
pub use trajectory::{Schedule, Trajectory, intensive, mean_over_patches};

use crate::lattice::Shape;

/// The factors by which the side grows from a small system to the large one, one a level of Algorithm 1: twos and
/// threes, smallest first. `None` when the ratio has another prime factor or is not whole.
pub fn upsampling_factors(small: Shape, large: Shape) -> Option<Vec<usize>> {
    let ratio = large.0[2].checked_div(small.0[2]).filter(|&ratio| ratio > 0)?;
    let mut factors = Vec::new();
    let mut left = ratio;
    for prime in [2, 3] {
        while left.is_multiple_of(prime) {
            factors.push(prime);
            left /= prime;
        }
    }
    (left == 1 && small.scaled(ratio) == large).then_some(factors)
}
