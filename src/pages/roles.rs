//! Names and colours of the kinds of model.

use crate::report::Colour;

/// Name and colour of each kind of model.
pub fn roles(kind: &str) -> (&'static str, Colour) {
    if kind == "ours" { ("ours", Colour::Ours) } else { ("baseline", Colour::Baseline) }
}
