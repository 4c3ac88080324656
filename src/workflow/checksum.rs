//! Checksums of files, computed by all ranks together: the SHA-256 of the SHA-256s of the blocks.

use crate::{parallel::Ranks, storage::StorageError};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::{fs::File, os::unix::fs::FileExt, path::Path};

/// Bytes of a block. Part of the definition of the checksum.
const BLOCK: u64 = 4 << 20;

/// The checksum of a file, which does not depend on the number of ranks. Collective.
///
/// # Errors
/// When the file cannot be read.
pub fn of_file(path: &Path, ranks: &dyn Ranks) -> Result<String, StorageError> {
    let failed = || StorageError::when("read", path);
    let file = File::open(path).map_err(failed())?;
    let length = file.metadata().map_err(failed())?.len();
    let blocks = length.div_ceil(BLOCK) as usize;
    let hash = |block: usize| -> std::io::Result<Vec<u8>> {
        let start = block as u64 * BLOCK;
        let mut bytes = vec![0; BLOCK.min(length - start) as usize];
        file.read_exact_at(&mut bytes, start)?;
        Ok(Sha256::digest(&bytes).to_vec())
    };
    let hashes = ranks.share(blocks).into_par_iter().map(hash).collect::<std::io::Result<Vec<_>>>().map_err(failed())?;
    // The ranks' shares follow each other, so what they send is in the order of the blocks.
    let all = ranks.all_gather(&hashes.concat()).concat();
    Ok(hexadecimal(&Sha256::digest(all)))
}

/// Bytes in hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
