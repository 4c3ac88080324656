//! The barrier of a vacancy's jump as a function of its environment: what a model of barriers is, and where it comes
//! from.

use crate::systems::alloy::barriers::{BarrierError, Barriers, fitted::OrbitModel, published::PublishedNetwork};
use std::{path::Path, sync::Arc};

/// Names of the models that ship with the program.
pub const SHIPPED: [&str; 2] = ["builtin", "balanced"];

/// The model of a name: `builtin`, `balanced` (the same with detailed balance), or a file (`.npz` holds the published
/// network, `.safetensors` a fitted model).
///
/// # Errors
/// When the file cannot be read or holds something else.
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
