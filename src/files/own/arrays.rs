//! Named numbers and texts of an HDF5 or `.npz` file.

use hdf5::{
    Container,
    types::{FixedAscii, FixedUnicode, TypeDescriptor, VarLenAscii, VarLenUnicode},
};
use ndarray::{ArrayD, ArrayViewD};
use ndarray_npy::ViewNpyExt;
use std::{collections::BTreeMap, fs::File, io::Read as _, path::Path};
use zip::ZipArchive;

/// Arrays of numbers, in double precision, and lists of texts.
#[derive(Debug, Default)]
pub(super) struct Arrays {
    numbers: BTreeMap<String, ArrayD<f64>>,
    texts: BTreeMap<String, Vec<String>>,
}

impl Arrays {
    /// Those of a file: NumPy's when its name ends in `.npz`, HDF5 otherwise.
    ///
    /// # Errors
    /// The reason.
    pub fn read(path: &Path) -> Result<Self, String> {
        if path.extension().is_some_and(|extension| extension == "npz") {
            Self::of_npz(path)
        } else {
            Self::of_hdf5(path)
        }
    }

    pub fn get(&self, name: &str) -> Option<&ArrayD<f64>> {
        self.numbers.get(name)
    }

    pub fn texts(&self, name: &str) -> Option<&Vec<String>> {
        self.texts.get(name)
    }

    /// Names of all, for messages.
    pub fn names(&self) -> String {
        self.numbers.keys().chain(self.texts.keys()).cloned().collect::<Vec<_>>().join(", ")
    }

    fn of_npz(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let mut archive = ZipArchive::new(file).map_err(|error| error.to_string())?;
        let mut arrays = Self::default();
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(|error| error.to_string())?;
            let name = entry.name().trim_end_matches(".npy").to_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(|error| format!("{name}: {error}"))?;
            if let Some(texts) = unicode(&bytes) {
                arrays.texts.insert(name, texts);
            } else {
                let values = numbers(&bytes).map_err(|error| format!("{name}: {error}"))?;
                arrays.numbers.insert(name, values);
            }
        }
        Ok(arrays)
    }

    fn of_hdf5(path: &Path) -> Result<Self, String> {
        let file = hdf5::File::open(path).map_err(|error| error.to_string())?;
        let mut arrays = Self::default();
        for name in file.attr_names().map_err(|error| error.to_string())? {
            let attribute = file.attr(&name).map_err(|error| error.to_string())?;
            arrays.add(name, &attribute)?;
        }
        for dataset in file.datasets().map_err(|error| error.to_string())? {
            let name = dataset.name().trim_start_matches('/').to_owned();
            arrays.add(name, &dataset)?;
        }
        Ok(arrays)
    }

    /// Adds a dataset or attribute of numbers or texts; others are left out.
    fn add(&mut self, name: String, values: &Container) -> Result<(), String> {
        let kind = values.dtype().and_then(|kind| kind.to_descriptor()).map_err(|error| format!("{name}: {error}"))?;
        match kind {
            TypeDescriptor::Integer(_) | TypeDescriptor::Unsigned(_) | TypeDescriptor::Float(_) => {
                let array = values.read_dyn::<f64>().map_err(|error| format!("{name}: {error}"))?;
                self.numbers.insert(name, array);
            }
            _ => {
                if let Some(texts) = texts(values) {
                    self.texts.insert(name, texts);
                }
            }
        }
        Ok(())
    }
}

/// The texts of a dataset or attribute of texts.
fn texts(values: &Container) -> Option<Vec<String>> {
    macro_rules! first_of {
        ($($kind:ty),*) => { None$(.or_else(|| {
            Some(values.read_raw::<$kind>().ok()?.iter().map(|text| text.to_string()).collect::<Vec<String>>())
        }))* };
    }
    first_of!(VarLenUnicode, VarLenAscii, FixedUnicode<256>, FixedAscii<256>)
}

/// The numbers in the bytes of a `.npy` file.
fn numbers(bytes: &[u8]) -> Result<ArrayD<f64>, String> {
    macro_rules! first_of {
        ($first:ty $(, $kind:ty)*) => {
            ArrayViewD::<$first>::view_npy(bytes).map(|array| array.mapv(|value| value as f64))
                $(.or_else(|_| ArrayViewD::<$kind>::view_npy(bytes).map(|array| array.mapv(|value| value as f64))))*
        };
    }
    first_of!(f64, f32, i64, i32, u64, u32, u8, i8).map_err(|error| format!("{error}; save numbers, as float64"))
}

/// The texts in the bytes of a `.npy` file of NumPy's kind `<U`, which has a fixed number of 4-byte characters.
fn unicode(bytes: &[u8]) -> Option<Vec<String>> {
    let length = match bytes.get(6)? {
        1 => 10 + usize::from(u16::from_le_bytes([*bytes.get(8)?, *bytes.get(9)?])),
        _ => 12 + u32::from_le_bytes(bytes.get(8..12)?.try_into().ok()?) as usize,
    };
    let header = std::str::from_utf8(bytes.get(10..length)?).ok()?;
    let characters = header.split_once("'<U")?.1.split('\'').next()?.parse::<usize>().ok()?;
    let character = |word: &[u8; 4]| char::from_u32(u32::from_le_bytes(*word)).filter(|&letter| letter != '\0');
    let text = |item: &[u8]| item.as_chunks::<4>().0.iter().filter_map(character).collect::<String>();
    Some(bytes.get(length..)?.chunks_exact((4 * characters).max(4)).map(text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_numpy_are_read() {
        let header = "{'descr': '<U2', 'fortran_order': False, 'shape': (2,), }";
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        for letter in ['n', 'm', 'K', '\0'] {
            bytes.extend(u32::from(letter).to_le_bytes());
        }
        assert_eq!(unicode(&bytes), Some(vec!["nm".to_owned(), "K".to_owned()]));
        assert!(numbers(&bytes).is_err());
    }
}
