//! The content of a data file: fields with axes and units, and the provenance of the file.

use serde_json::Value;

/// One array of a file. The first axis is that of the items, which are divided over the ranks.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Name of the dataset.
    pub name: &'a str,
    /// Name of each axis. A field of one axis with its own name holds the values along that axis.
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
    pub const FORMAT: u32 = 3;
    /// The oldest layout that can still be read. Files of format 2 have no names of axes, and texts of fixed length.
    pub const OLDEST: u32 = 2;

    /// What an unfinished file or a checkpoint must agree in for a job to resume from it.
    pub fn identity(&self) -> String {
        format!("{} {} {}", self.fingerprint, self.sources, env!("TESSERA_REVISION"))
    }

    /// Pairs of name and value, with the versions of the program and its libraries.
    ///
    /// The number of ranks is left out on purpose, because the bytes of files do not depend on it.
    pub fn entries(&self) -> Vec<(&'static str, Value)> {
        let (major, minor, micro) = hdf5::library_version();
        vec![
            ("program", format!("tessera {}", env!("CARGO_PKG_VERSION")).into()),
            ("revision", env!("TESSERA_REVISION").into()),
            ("format", Self::FORMAT.into()),
            ("hdf5_version", format!("{major}.{minor}.{micro}").into()),
            ("stage", self.stage.clone().into()),
            ("seed", self.seed.into()),
            ("fingerprint", self.fingerprint.clone().into()),
            ("input", self.input.clone().into()),
        ]
    }

    /// The entries and `more`, for model files.
    pub fn json(&self, more: &[(&str, Value)]) -> Value {
        let own = self.entries().into_iter().map(|(name, value)| (name.to_owned(), value));
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        Value::Object(own.chain(more).collect())
    }
}
