//! A run directory with its input and its ranks.

use crate::{
    config::Input,
    parallel::{Ranks, World},
};
use std::path::PathBuf;

/// A run directory.
pub struct Directory<'a> {
    /// The input.
    pub input: &'a Input,
    /// The folder.
    pub folder: PathBuf,
    /// All ranks.
    pub world: &'a World,
}

impl Directory<'_> {
    /// A file of the run directory.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// Whether this rank prints and writes small files.
    pub fn leads(&self) -> bool {
        self.world.rank() == 0
    }
}
