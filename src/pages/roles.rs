//! Names and colours of the kinds of model.

use crate::{config::models::ModelKind, report::Colour};

/// Name and colour of each kind of model.
pub fn roles(kind: ModelKind) -> (&'static str, Colour) {
    match kind {
        ModelKind::Ours => ("ours", Colour::Ours),
        ModelKind::Baseline => ("baseline", Colour::Baseline),
    }
}
