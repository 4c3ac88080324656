//! Checkpoints: the state of work under way, with what it belongs to and a checksum.
//!
//! The bytes are the name of the format, the SHA-256 of the owner's name, the SHA-256 of the state, and the state. The
//! owner's name tells everything that determines the work, so work never resumes from the checkpoint of another input.

use super::{StorageError, create_folder, whole::write_parts};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

const FORMAT: &[u8; 8] = b"tessera1";
const SUM: usize = 32;
/// Bytes before the state.
const HEAD: usize = FORMAT.len() + 2 * SUM;

/// A checkpoint in a file of its own, which is whole or absent.
pub struct CheckpointFile {
    path: PathBuf,
    owner: String,
}

impl CheckpointFile {
    /// The checkpoint of `owner` at `path`.
    pub fn new(path: impl Into<PathBuf>, owner: impl Into<String>) -> Self {
        Self { path: path.into(), owner: owner.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `parse` makes of the state; nothing without a file. `warn` hears of a file that cannot be used, and why.
    pub fn read<T>(&self, parse: impl FnOnce(&[u8]) -> Result<T, String>, warn: impl FnOnce(&str)) -> Option<T> {
        let bytes = std::fs::read(&self.path).ok()?;
        match decode(&self.owner, &bytes).and_then(parse) {
            Ok(state) => Some(state),
            Err(reason) => {
                warn(&not_used(&self.path, &reason));
                None
            }
        }
    }

    /// Writes the state, whose parts follow each other, in place of an older one. Makes the folder.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, parts: &[&[u8]]) -> Result<(), StorageError> {
        create_folder(self.path.parent().unwrap_or(Path::new(".")))?;
        write_parts(&self.path, &[&[&head(&self.owner, parts)[..]], parts].concat())
    }
}

/// A checkpoint as bytes, for a file that holds more.
pub fn encode(owner: &str, state: &[u8]) -> Vec<u8> {
    [&head(owner, &[state])[..], state].concat()
}

/// The state in the bytes of a checkpoint.
///
/// # Errors
/// Why it cannot be used.
pub fn decode<'b>(owner: &str, bytes: &'b [u8]) -> Result<&'b [u8], String> {
    let damaged = || "it is damaged".to_owned();
    let (head, state) = bytes.split_at_checked(HEAD).ok_or_else(damaged)?;
    let (format, sums) = head.split_at(FORMAT.len());
    let (found, sum) = sums.split_at(SUM);
    if format != FORMAT {
        return Err("it has another format".into());
    }
    if sum != &Sha256::digest(state)[..] {
        return Err(damaged());
    }
    if found != &Sha256::digest(owner)[..] {
        return Err("it belongs to another input".into());
    }
    Ok(state)
}

/// What the user hears of a checkpoint that cannot be used.
pub fn not_used(path: &Path, reason: &str) -> String {
    format!("The checkpoint {} is not used: {reason}.", path.display())
}

fn head(owner: &str, parts: &[&[u8]]) -> Vec<u8> {
    let sum = parts.iter().fold(Sha256::new(), |sum, part| sum.chain_update(part)).finalize();
    [&FORMAT[..], &Sha256::digest(owner), &sum].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_used_only_whole_and_by_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folder/state.checkpoint");
        let read = |owner: &str| {
            let mut warning = String::new();
            let state = CheckpointFile::new(&path, owner)
                .read(|bytes| Ok::<_, String>(bytes.to_vec()), |text| text.clone_into(&mut warning));
            (state, warning)
        };
        assert_eq!(read("a"), (None, String::new()), "without a file there is nothing to warn of");
        CheckpointFile::new(&path, "a").write(&[b"one", b"", b"two"]).unwrap();
        assert_eq!(read("a"), (Some(b"onetwo".to_vec()), String::new()));
        assert!(read("b").1.contains("belongs to another input"));
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(whole, encode("a", b"onetwo"));
        for byte in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[byte] ^= 4;
            std::fs::write(&path, &damaged).unwrap();
            assert!(read("a").0.is_none() && read("a").1.contains("is not used"), "byte {byte}");
            std::fs::write(&path, &whole[..byte]).unwrap();
            assert!(read("a").1.contains("damaged"), "{byte} bytes");
        }
        let refused = CheckpointFile::new(&path, "a");
        std::fs::write(&path, &whole).unwrap();
        assert!(refused.read(|_| Err::<(), _>("it is odd".into()), |text| assert!(text.contains("odd"))).is_none());
    }
}
