//! The run directory and its stages, without any science: ledger, locks, checksums, stops, progress, and items divided
//! over ranks and threads.
//!
//! Every stage reads files of earlier stages and adds its own to the run directory. A stage is skipped if its files
//! exist and its fingerprint, a hash of everything that determines them, has not changed.

pub mod checksum;
mod context;
mod directory;
mod error;
pub mod items;
pub mod ledger;
pub mod lock;
pub mod machine;
mod origin;
mod screen;
mod stage;
mod stop;

pub use context::{Context, Options, say, tell};
pub use directory::Directory;
pub use error::StageError;
pub use screen::{Form, Progress, Screen};
pub use stage::Stage;
pub use stop::Stop;
