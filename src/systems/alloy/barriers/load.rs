//! Loading of models of barriers by their names.

use crate::systems::alloy::barriers::{BarrierError, Barriers, fitted::OrbitModel, published::PublishedNetwork};
use std::{path::Path, sync::Arc};

/// Names of the built-in models.
pub const SHIPPED: [&str; 2] = ["builtin", "balanced"];

/// The model with this name: `builtin`, `balanced` (with detailed balance), or a file. Files in `.npz` hold the
/// published network, and those in `.safetensors` a fitted model.
///
/// # Errors
/// When the file cannot be read, has another ending, or does not hold such a model.
pub fn load(name: &str) -> Result<Arc<dyn Barriers>, BarrierError> {
    match name {
        "builtin" => return Ok(Arc::new(OrbitModel::builtin()?)),
        "balanced" => return Ok(Arc::new(OrbitModel::balanced()?)),
        _ => {}
    }
    let path = Path::new(name);
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("npz") => Ok(Arc::new(PublishedNetwork::read(path)?)),
        Some("safetensors") => Ok(Arc::new(OrbitModel::read(path)?)),
        _ => Err(BarrierError::Kind { path: path.to_owned() }),
    }
}
