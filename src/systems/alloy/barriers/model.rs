//! What a model of barriers is.

use crate::systems::alloy::environment::{Environment, JUMPS, VACANCY};
use std::path::PathBuf;

/// A model of the barriers.
pub trait Barriers: std::fmt::Debug + Send + Sync {
    /// Barriers in eV of the eight jumps in the order of [`crate::lattice::bcc::NEIGHBOURS`]; any number where the
    /// jump's target is a vacancy.
    fn heights(&self, environment: &Environment) -> [f32; JUMPS];

    /// Heights averaged over the six operations that keep the jump; the heights themselves for a model with that
    /// symmetry.
    fn symmetrised(&self, environment: &Environment) -> [f32; JUMPS] {
        self.heights(environment)
    }

    /// The heights, infinite towards a vacancy.
    fn barriers(&self, environment: &Environment) -> [f32; JUMPS] {
        let heights = self.heights(environment);
        let targets = environment.targets();
        std::array::from_fn(|jump| if targets[jump] == VACANCY { f32::INFINITY } else { heights[jump] })
    }
}

/// Why a model of barriers was refused.
#[derive(Debug, thiserror::Error)]
pub enum BarrierError {
    /// The file could not be read.
    #[error("cannot read the barrier model {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's own words.
        source: std::io::Error,
    },
    /// The file is not what its ending says.
    #[error("the barrier model {} is damaged or of another kind: {reason}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An array is missing or has the wrong shape.
    #[error(
        "the barrier model holds {name} with shape {found:?}; it must be {expected:?}: use the published network or one of its shape"
    )]
    Shape {
        /// The array.
        name: String,
        /// Its shape; empty when it is missing.
        found: Vec<usize>,
        /// The shape that is needed.
        expected: Vec<usize>,
    },
    /// An array holds a number that is not finite.
    #[error("the barrier model holds a number that is not finite in {name}; fit or fetch it again")]
    NotFinite {
        /// The array.
        name: String,
    },
    /// Nothing reads files of this kind.
    #[error(
        "no barrier model is read from {}. Give \"builtin\", \"balanced\", a network in .npz, or a fitted model in .safetensors. \
         The published .npy file is a pickle: convert it once with jobs/nnk_to_npz.py.",
        .path.display()
    )]
    Kind {
        /// The file.
        path: PathBuf,
    },
}
