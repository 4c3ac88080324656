//! What data files say of themselves: the choices that they were made of. They can vouch for themselves without the
//! ledger.

use crate::dataset::{Reader, unfinished_identity};
use safetensors::SafeTensors;
use std::path::Path;

/// The origin of a data file.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// Hash of the choices.
    pub fingerprint: String,
    /// Hash of the checksums of the files that its stage read.
    pub sources: String,
}

/// The origin of a finished data file; `None` without one, or of a file that tells none.
pub fn of_file(path: &Path) -> Option<Origin> {
    match path.extension()?.to_str()? {
        "h5" => {
            let reader = Reader::open(path).ok()?;
            Some(Origin { fingerprint: reader.text("fingerprint")?, sources: reader.text("sources")? })
        }
        "safetensors" => {
            let bytes = std::fs::read(path).ok()?;
            let (_, header) = SafeTensors::read_metadata(&bytes).ok()?;
            let text = |key: &str| {
                header.metadata().as_ref()?.values().find_map(|text| {
                    let value: serde_json::Value = serde_json::from_str(text).ok()?;
                    Some(value["provenance"][key].as_str()?.to_owned())
                })
            };
            Some(Origin { fingerprint: text("fingerprint")?, sources: text("sources")? })
        }
        _ => None,
    }
}

/// The fingerprint of the unfinished data file that is to become `path`.
pub fn of_unfinished(path: &Path) -> Option<String> {
    unfinished_identity(path)?.split(' ').next().map(str::to_owned)
}
