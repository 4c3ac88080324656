//! The content of a data file: fields with axes and units, and the provenance of the file.

use super::DatasetError;
use hdf5::{Location, types::FixedUnicode};
use std::{path::Path, str::FromStr};

/// One array of a file. The first axis is that of the items, which are divided over the ranks.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Name of the dataset.
    pub name: &'a str,
    /// Name of each axis.
    pub axes: &'a [&'a str],
    /// Extent of each axis.
    pub extents: &'a [usize],
    /// Physical unit, "1" when dimensionless.
    pub unit: &'a str,
    /// Its meaning, in one line.
    pub meaning: &'a str,
}

/// Where a file comes from.
#[derive(Clone, Debug)]
pub struct Provenance {
    /// The whole input, as TOML.
    pub input: String,
    /// The stage that writes the file.
    pub stage: String,
    /// The seed of the run.
    pub seed: u64,
    /// Hash of everything that determines the file's content.
    pub fingerprint: String,
    /// Hash of the content of the files that the stage reads. Equal inputs can give different bytes on another number
    /// of ranks or another device.
    pub sources: String,
}

impl Provenance {
    /// Version of the layout of all files. Increase it whenever old files would be misread.
    pub const FORMAT: u32 = 2;

    /// What an unfinished file or a checkpoint must agree in for a job to resume from it.
    pub fn identity(&self) -> String {
        format!("{} {} {}", self.fingerprint, self.sources, env!("TESSERA_REVISION"))
    }

    /// Pairs of name and text, with the versions of the program and its libraries.
    ///
    /// The number of ranks is left out on purpose, because the bytes of files do not depend on it.
    pub fn entries(&self) -> Vec<(&'static str, String)> {
        let (major, minor, micro) = hdf5::library_version();
        vec![
            ("program", format!("tessera {}", env!("CARGO_PKG_VERSION"))),
            ("revision", env!("TESSERA_REVISION").into()),
            ("format", Self::FORMAT.to_string()),
            ("hdf5_version", format!("{major}.{minor}.{micro}")),
            ("stage", self.stage.clone()),
            ("seed", self.seed.to_string()),
            ("fingerprint", self.fingerprint.clone()),
            ("input", self.input.clone()),
        ]
    }

    /// The entries and `more`, for model files.
    pub fn json(&self, more: &[(&str, serde_json::Value)]) -> serde_json::Value {
        let own = self.entries().into_iter().map(|(name, text)| (name.to_owned(), text.into()));
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        serde_json::Value::Object(own.chain(more).collect())
    }
}

/// Writes a text attribute of fixed length. Attributes of variable length are not safe in parallel files.
pub(super) fn write_text(location: &Location, path: &Path, name: &str, text: &str) -> Result<(), DatasetError> {
    fn write<const N: usize>(location: &Location, name: &str, text: &str) -> hdf5::Result<()> {
        let value = FixedUnicode::<N>::from_str(text).map_err(|error| hdf5::Error::Internal(error.to_string()))?;
        location.new_attr::<FixedUnicode<N>>().create(name)?.write_scalar(&value)
    }
    let written = match text.len() {
        0..=64 => write::<64>(location, name, text),
        65..=512 => write::<512>(location, name, text),
        513..=8192 => write::<8192>(location, name, text),
        _ => write::<60000>(location, name, text),
    };
    written.map_err(DatasetError::when(format!("write the attribute {name} of"), path))
}

/// Whether a text attribute holds this text.
pub(super) fn holds_text(location: &Location, name: &str, text: &str) -> bool {
    fn read<const N: usize>(location: &Location, name: &str) -> hdf5::Result<String> {
        Ok(location.attr(name)?.read_scalar::<FixedUnicode<N>>()?.to_string())
    }
    let found = match text.len() {
        0..=64 => read::<64>(location, name),
        65..=512 => read::<512>(location, name),
        513..=8192 => read::<8192>(location, name),
        _ => read::<60000>(location, name),
    };
    found.is_ok_and(|found| found == text)
}
