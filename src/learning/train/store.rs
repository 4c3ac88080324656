//! Model files: safetensors with one metadata entry, a JSON text. Equal models give equal bytes.

use crate::{
    learning::{
        LearningError,
        train::parameters::{Layout, Parameters},
    },
    storage::write_whole,
};
use safetensors::{Dtype, SafeTensors, View};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{
    borrow::Cow,
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use tch::{Device, Kind, Tensor};

/// Version of the layout of model files. Increase it whenever old files would be misread.
const FORMAT: u32 = 2;
/// Key of the metadata entry.
const KEY: &str = "tessera";

/// One weight as bytes.
struct Weight {
    kind: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for &Weight {
    fn dtype(&self) -> Dtype {
        self.kind
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

impl Weight {
    fn of(tensor: &Tensor) -> Self {
        let kind = if tensor.kind() == Kind::Double { Dtype::F64 } else { Dtype::F32 };
        let length = tensor.numel() * tensor.kind().elt_size_in_bytes();
        let mut bytes = vec![0; length];
        tensor.detach().to_device(Device::Cpu).contiguous().copy_data_u8(&mut bytes, tensor.numel());
        Self { kind, shape: tensor.size().iter().map(|&extent| extent as usize).collect(), bytes }
    }
}

/// Writes the named weights and `description` to `path`. The file is whole or absent.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, parameters: &Parameters, description: &Value) -> Result<(), LearningError> {
    let tensors = parameters.layout().names().zip(parameters.leaves());
    let bytes = to_bytes(tensors, description)
        .map_err(|reason| LearningError::Format { path: path.into(), reason: reason.to_string() })?;
    Ok(write_whole(path, bytes)?)
}

/// The bytes of a file with named tensors and a description.
///
/// # Errors
/// When safetensors refuses a tensor.
pub fn to_bytes<'t>(
    tensors: impl Iterator<Item = (&'t str, &'t Tensor)>,
    description: &Value,
) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let weights: Vec<_> = tensors.map(|(name, tensor)| (name, Weight::of(tensor))).collect();
    let named = weights.iter().map(|(name, weight)| (*name, weight));
    let mut description = description.clone();
    description["format"] = FORMAT.into();
    let metadata = HashMap::from([(KEY.to_owned(), description.to_string())]);
    safetensors::serialize(named, Some(metadata))
}

/// The description and the tensors in the bytes of [`to_bytes`].
///
/// # Errors
/// When `bytes` is not such a file, with the reason.
pub fn parse(bytes: &[u8]) -> Result<(Value, HashMap<String, Tensor>), String> {
    let description = description(bytes)?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let tensors = file.tensors().into_iter().map(|(name, view)| {
        let kind = if view.dtype() == Dtype::F64 { Kind::Double } else { Kind::Float };
        let shape: Vec<i64> = view.shape().iter().map(|&extent| extent as i64).collect();
        (name, Tensor::from_data_size(view.data(), &shape, kind))
    });
    Ok((description, tensors.collect()))
}

/// The description of the model in a model file.
pub struct Description {
    path: PathBuf,
    fields: Value,
}

impl Description {
    /// Reads the description of a model of the kind `model`.
    ///
    /// # Errors
    /// When the file cannot be read, has another format or holds another kind of model.
    pub fn read(path: &Path, model: &str) -> Result<Self, LearningError> {
        let bytes = read_bytes(path)?;
        let wrong = |reason: String| LearningError::Format { path: path.into(), reason };
        let fields = description(&bytes).map_err(wrong)?;
        match (fields["model"].as_str(), fields["format"].as_u64().unwrap_or(1)) {
            (Some(found), format) if found == model && format == u64::from(FORMAT) => {
                Ok(Self { path: path.into(), fields })
            }
            (Some(found), format) if found == model => {
                Err(LearningError::OtherFormat { path: path.into(), found: format, expected: FORMAT })
            }
            (found, _) => Err(wrong(format!("it holds the model {found:?}, expected \"{model}\""))),
        }
    }

    /// All fields.
    pub fn into_fields(self) -> Value {
        self.fields
    }

    /// One field of the description.
    ///
    /// # Errors
    /// When the field is missing or has another type.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T, LearningError> {
        serde_json::from_value(self.fields[name].clone())
            .map_err(|error| LearningError::Format { path: self.path.clone(), reason: format!("{name}: {error}") })
    }
}

/// The weights of `layout` from the file `path`, on `device`.
///
/// # Errors
/// When the file cannot be read, or a weight is missing or has another shape.
pub fn read_weights(path: &Path, layout: Layout, device: Device) -> Result<Parameters, LearningError> {
    let bytes = read_bytes(path)?;
    let wrong = |reason: String| LearningError::Format { path: path.into(), reason };
    let file = SafeTensors::deserialize(&bytes).map_err(|error| wrong(error.to_string()))?;
    let mut pieces = Vec::new();
    for (name, shape) in layout.names().zip(layout.shapes()) {
        let weight = file.tensor(name).map_err(|error| wrong(format!("{name}: {error}")))?;
        let found: Vec<i64> = weight.shape().iter().map(|&extent| extent as i64).collect();
        if found != shape {
            return Err(wrong(format!("{name} has shape {found:?}, expected {shape:?}")));
        }
        let kind = match weight.dtype() {
            Dtype::F32 => Kind::Float,
            Dtype::F64 => Kind::Double,
            other => return Err(wrong(format!("{name} has type {other:?}, expected F32 or F64"))),
        };
        pieces.push(Tensor::from_data_size(weight.data(), &[found.iter().product()], kind));
    }
    let flat = if pieces.is_empty() { Tensor::zeros([0], (Kind::Float, device)) } else { Tensor::cat(&pieces, 0) };
    Ok(Parameters::over(Arc::new(layout), flat.to_device(device)))
}

/// The metadata entry in the bytes of a file.
fn description(bytes: &[u8]) -> Result<Value, String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let text = header.metadata().as_ref().and_then(|entries| entries.get(KEY));
    let text = text.ok_or_else(|| format!("it has no metadata entry \"{KEY}\""))?;
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, LearningError> {
    fs::read(path).map_err(|source| LearningError::File { path: path.into(), source })
}
