//! What data files say of themselves: the choices that they were made of. They can vouch for themselves without the
//! ledger.

use crate::dataset::{Reader, unfinished_identity};
use safetensors::SafeTensors;
use std::path::Path;

/// The fingerprint that a finished data file holds; `None` without one, or of a file that tells none.
pub fn of_file(path: &Path) -> Option<String> {
    match path.extension()?.to_str()? {
        "h5" => Reader::open(path).ok()?.text("fingerprint"),
        "safetensors" => {
            let bytes = std::fs::read(path).ok()?;
            let (_, header) = SafeTensors::read_metadata(&bytes).ok()?;
            header.metadata().as_ref()?.values().find_map(|text| {
                let value: serde_json::Value = serde_json::from_str(text).ok()?;
                Some(value["provenance"]["fingerprint"].as_str()?.to_owned())
            })
        }
        _ => None,
    }
}

/// The fingerprint of the unfinished data file that is to become `path`; `None` of damaged marks.
pub fn of_unfinished(path: &Path) -> Option<String> {
    let fingerprint = unfinished_identity(path)?.split(' ').next()?.to_owned();
    (fingerprint.len() == 64 && fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(fingerprint)
}
