//! The files of a run directory: one type for each creates, writes and reads it, and alone knows the names of its
//! fields.

pub mod arrays;
pub mod conditions;
pub mod evaluation;
pub mod evidence;
mod fields;
pub mod large;
pub mod latent;
pub mod own;
pub mod pairs;
pub mod prediction;
pub mod records;
pub mod small;
pub mod starts;
pub mod sweep_checkpoint;
pub mod trainings;
pub mod trajectory_checkpoint;
pub mod truth;

pub use evaluation::EvaluationFile;
pub use large::LargeFile;
pub use pairs::PairsFile;
pub use prediction::PredictionFile;
pub use small::SmallFile;
pub use sweep_checkpoint::SweepCheckpoints;
pub use trajectory_checkpoint::TrajectoryCheckpoints;
pub use truth::TruthFile;
