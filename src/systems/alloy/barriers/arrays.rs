//! Named single-precision arrays from `.npz` files of NumPy and from safetensors.

use crate::systems::alloy::barriers::BarrierError;
use ndarray::ArrayViewD;
use ndarray_npy::ViewNpyExt;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::{
    collections::{BTreeMap, HashMap},
    io::{Cursor, Read},
    path::Path,
};
use zip::ZipArchive;

/// Bytes of arrays that a byte of a compressed file may stand for, beyond [`FREE`]; weights hardly compress.
const COMPRESSION: u64 = 16;
const FREE: u64 = 1 << 20;

/// Arrays by name, row-major.
#[derive(Clone, Debug, Default)]
pub struct Arrays(BTreeMap<String, (Vec<usize>, Vec<f32>)>);

impl Arrays {
    /// Adds an array.
    pub fn insert(&mut self, name: impl Into<String>, shape: &[usize], values: Vec<f32>) {
        self.0.insert(name.into(), (shape.to_vec(), values));
    }

    /// Arrays of a `.npz` file.
    ///
    /// # Errors
    /// When the file cannot be read, inflates far beyond its size, or an array does not have single precision.
    pub fn from_npz(path: &Path) -> Result<Self, BarrierError> {
        let bytes = std::fs::read(path).map_err(|source| BarrierError::Read { path: path.to_owned(), source })?;
        Self::from_npz_bytes(&bytes).map_err(|reason| BarrierError::Format { path: path.to_owned(), reason })
    }

    /// Arrays in the bytes of a `.npz` file.
    ///
    /// # Errors
    /// The reason, as for [`Arrays::from_npz`].
    pub fn from_npz_bytes(bytes: &[u8]) -> Result<Self, String> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
        let mut left = FREE + COMPRESSION * bytes.len() as u64;
        let mut arrays = Self::default();
        for index in 0..archive.len() {
            let entry = archive.by_index(index).map_err(|error| error.to_string())?;
            let name = entry.name().trim_end_matches(".npy").to_owned();
            let mut content = Vec::new();
            let length = entry.take(left + 1).read_to_end(&mut content).map_err(|error| format!("{name}: {error}"))?;
            left = left
                .checked_sub(length as u64)
                .ok_or_else(|| format!("{name} inflates to more than {COMPRESSION} times the size of the file"))?;
            arrays.insert_npy(&name, &content)?;
        }
        Ok(arrays)
    }

    /// Adds the array in the bytes of a `.npy` file.
    ///
    /// # Errors
    /// When the bytes are damaged or do not hold the array in single precision.
    pub fn insert_npy(&mut self, name: &str, bytes: &[u8]) -> Result<(), String> {
        // The reader allocates as much as the header claims to be long: two bytes tell its length, or four since 2.0.
        let claimed = match bytes {
            [_, _, _, _, _, _, 1, _, low, high, ..] => u32::from(u16::from_le_bytes([*low, *high])),
            [_, _, _, _, _, _, _, _, a, b, c, d, ..] => u32::from_le_bytes([*a, *b, *c, *d]),
            _ => 0,
        };
        if claimed as usize > bytes.len() {
            return Err(format!("{name}: its header claims {claimed} bytes, but the array has {}", bytes.len()));
        }
        let array = ArrayViewD::<f32>::view_npy(bytes).map_err(|error| {
            format!("{name}: {error}; the arrays must hold 32-bit numbers, array.astype(\"float32\") in NumPy")
        })?;
        self.insert(name, array.shape(), array.iter().copied().collect());
        Ok(())
    }

    /// Arrays of a safetensors file with this path and content.
    ///
    /// # Errors
    /// When the bytes are damaged, or an array does not have single precision.
    pub fn from_safetensors(path: &Path, bytes: &[u8]) -> Result<Self, BarrierError> {
        let refused = |reason: String| BarrierError::Format { path: path.to_owned(), reason };
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| refused(error.to_string()))?;
        let mut arrays = Self::default();
        for (name, tensor) in tensors.tensors() {
            if tensor.dtype() != Dtype::F32 {
                return Err(refused(format!("{name} has type {:?}, expected F32", tensor.dtype())));
            }
            let values = tensor.data().as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
            arrays.insert(name, tensor.shape(), values.collect());
        }
        Ok(arrays)
    }

    /// The arrays as the bytes of a safetensors file, with a description.
    ///
    /// # Errors
    /// When safetensors refuses an array.
    pub fn to_safetensors(&self, description: HashMap<String, String>) -> Result<Vec<u8>, String> {
        let bytes: BTreeMap<_, Vec<u8>> = self
            .0
            .iter()
            .map(|(name, (_, values))| (name, values.iter().flat_map(|value| value.to_le_bytes()).collect()))
            .collect();
        let views = self.0.iter().map(|(name, (shape, _))| {
            TensorView::new(Dtype::F32, shape.clone(), &bytes[name]).map(|view| (name.as_str(), view))
        });
        let views: Vec<_> = views.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        safetensors::serialize(views, Some(description)).map_err(|error| error.to_string())
    }

    /// Whether there is an array `name`.
    pub fn holds(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The values of the array `name`, which must have this shape and finite values.
    ///
    /// # Errors
    /// When the array is missing, has another shape, or holds NaN or infinity.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<&[f32], BarrierError> {
        let (found, values) = self.0.get(name).map_or((&[][..], &[][..]), |(shape, values)| (shape, values));
        if found != shape || values.len() != shape.iter().product::<usize>() {
            let (found, expected) = (found.to_vec(), shape.to_vec());
            return Err(BarrierError::Shape { name: name.into(), found, expected });
        }
        if values.iter().any(|value| !value.is_finite()) {
            return Err(BarrierError::NotFinite { name: name.into() });
        }
        Ok(values)
    }
}
