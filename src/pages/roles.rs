//! Names of what is drawn: kinds of models, sources of metrics, conditions.

use crate::{
    config::Input,
    report::{Colour, table::measured},
    scores::{ModelKind, Source},
};

/// Name and colour of each kind of model.
pub fn roles(kind: ModelKind) -> (&'static str, Colour) {
    match kind {
        ModelKind::Ours => ("ours", Colour::Ours),
        ModelKind::Baseline => ("baseline", Colour::Baseline),
    }
}

/// Name and colour of what metrics are measured of.
pub fn roles_of_source(source: Source) -> (&'static str, Colour) {
    match source {
        Source::Truth => ("direct simulation", Colour::Truth),
        Source::Pairs => ("training pairs without a model", Colour::Guide),
        Source::Model(ModelKind::Ours) => ("learned", Colour::Ours),
        Source::Model(kind) => roles(kind),
    }
}

/// What names a condition in figures: `at 2.5`, `at 3.4, not in the data`; nothing without a family.
pub fn condition_label(input: &Input, index: usize) -> String {
    if !input.system.is_family() {
        return String::new();
    }
    let unseen = if input.is_seen(index) { "" } else { ", not in the data" };
    format!("at {}{unseen}", input.system.conditions()[index])
}

/// The unit of time of a family's member where it is known: `, unit 0.09321 s`.
pub fn unit_label(input: &Input, index: usize) -> String {
    let known = input.system.seconds(index).filter(|_| input.system.is_family());
    known.map_or_else(String::new, |seconds| format!(", unit {} s", measured(seconds, None)))
}
