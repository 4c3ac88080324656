//! The trait of all models of barriers, and their errors.

use crate::systems::alloy::environment::{Environment, JUMPS, VACANCY};
use std::path::PathBuf;

/// A model of barriers.
pub trait Barriers: std::fmt::Debug + Send + Sync {
    /// Barriers in eV of the eight jumps, in the order of [`crate::lattice::bcc::NEIGHBOURS`]. The value of a jump
    /// towards a vacancy has no meaning.
    fn heights(&self, environment: &Environment) -> [f32; JUMPS];

    /// Heights averaged over the six symmetry operations of the jump. Models with this symmetry return the heights.
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

/// Why a model of barriers cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BarrierError {
    /// The file could not be read.
    #[error("cannot read the barrier model {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The content of the file does not match its ending.
    #[error("the barrier model {} is damaged or of another kind: {reason}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An array is missing or has the wrong shape.
    #[error(
        "the barrier model holds {name} with shape {found:?}, but the shape must be {expected:?}. Use the published \
         network, or another one with its shapes"
    )]
    Shape {
        /// The array.
        name: String,
        /// Its shape, empty if it is missing.
        found: Vec<usize>,
        /// The expected shape.
        expected: Vec<usize>,
    },
    /// An array holds NaN or infinity.
    #[error("the barrier model holds a value that is not finite in {name}. Fit or download the model again")]
    NotFinite {
        /// The array.
        name: String,
    },
    /// No model has this name, and no model is read from files with this ending.
    #[error(
        "there is no model of barriers {:?}. Give \"builtin\", \"balanced\", a network in .npz, or a fitted model in \
         .safetensors. The published .npy file is a pickle. Convert it once with jobs/nnk_to_npz.py",
        .path
    )]
    Kind {
        /// The file.
        path: PathBuf,
    },
}
