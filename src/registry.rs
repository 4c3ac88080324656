//! Tables of things with names, such as systems and drifts: those of this crate, and those that a user's crate adds.

use std::sync::{PoisonError, RwLock};

/// Entries by name. `T` is small and copied out: a struct of function pointers.
pub struct Registry<T: 'static> {
    built_in: &'static [(&'static str, T)],
    added: RwLock<Vec<(&'static str, T)>>,
}

impl<T: Copy> Registry<T> {
    /// A table that holds the entries of this crate.
    pub const fn new(built_in: &'static [(&'static str, T)]) -> Self {
        Self { built_in, added: RwLock::new(Vec::new()) }
    }

    /// Adds an entry. One of the same name takes its place, also that of a built-in one.
    pub fn add(&self, name: &'static str, entry: T) {
        self.added.write().unwrap_or_else(PoisonError::into_inner).push((name, entry));
    }

    /// All entries in order: built-in ones, then added ones.
    pub fn entries(&self) -> Vec<(&'static str, T)> {
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        self.built_in.iter().chain(added.iter()).copied().collect()
    }

    /// The entry of a name.
    ///
    /// # Errors
    /// When there is no such entry. The message lists the known names.
    pub fn get(&self, name: &str) -> Result<T, String> {
        let entries = self.entries();
        let found = entries.iter().rev().find(|(known, _)| *known == name).map(|&(_, entry)| entry);
        found.ok_or_else(|| {
            let names: Vec<String> = entries.iter().map(|(name, _)| format!("`{name}`")).collect();
            format!("unknown variant `{name}`, expected one of {}", names.join(", "))
        })
    }
}
