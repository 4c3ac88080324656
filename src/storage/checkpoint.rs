//! Checkpoints: the state of an unfinished computation, with the name of its owner and a checksum.
//!
//! The bytes are the name of the format, the SHA-256 of the owner's name, the SHA-256 of the state, and the state. The
//! owner's name holds everything that determines the computation, so nothing resumes from the checkpoint of another
//! input.

use super::{StorageError, create_folder, whole::write_parts};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

const FORMAT: &[u8; 8] = b"tessera1";
const SUM: usize = 32;
/// Bytes before the state.
const HEAD: usize = FORMAT.len() + 2 * SUM;

/// A checkpoint file, whole or absent.
pub struct CheckpointFile {
    path: PathBuf,
    owner: String,
}

impl CheckpointFile {
    /// The checkpoint of `owner` at `path`.
    pub fn new(path: impl Into<PathBuf>, owner: impl Into<String>) -> Self {
        Self { path: path.into(), owner: owner.into() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The state as `parse` reads it, or `None` without a usable file. `warn` gets the reason why a file is not used.
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

    /// Replaces the file by one with this state, given in parts. Creates the folder if needed.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, parts: &[&[u8]]) -> Result<(), StorageError> {
        create_folder(self.path.parent().unwrap_or(Path::new(".")))?;
        write_parts(&self.path, &[&[&head(&self.owner, parts)[..]], parts].concat())
    }
}

/// A checkpoint as bytes, to embed in another file.
pub fn encode(owner: &str, state: &[u8]) -> Vec<u8> {
    [&head(owner, &[state])[..], state].concat()
}

/// The state in the bytes of a checkpoint.
///
/// # Errors
/// The reason why it cannot be used: damage, another format or another owner.
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

/// The warning about a checkpoint that cannot be used.
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
