//! The models that an input asks for.

use crate::config::Input;

/// The file of a model.
pub fn model_file(kind: &str, seed: u64) -> String {
    format!("{kind}_{seed}.safetensors")
}

/// The kinds of model that an input asks for, with lambda and the increments they learn from.
pub fn kinds(input: &Input) -> Vec<(&'static str, f64, &'static str)> {
    let mut kinds = vec![("ours", input.covariance_factor(), "increment")];
    if input.train.baseline {
        kinds.push(("baseline", 1.0, "increment_baseline"));
    }
    kinds
}
