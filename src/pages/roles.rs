//! Names and colours of kinds of models, sources of metrics and conditions.

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

/// Name and colour of each source of metrics.
pub fn roles_of_source(source: Source) -> (&'static str, Colour) {
    match source {
        Source::Truth => ("direct simulation", Colour::Truth),
        Source::Pairs => ("training pairs without a model", Colour::Guide),
        Source::Model(ModelKind::Ours) => ("learned", Colour::Ours),
        Source::Model(kind) => roles(kind),
    }
}

/// The name of a condition in figures: `at 2.5`, or `at 3.4, not in the data`. Empty for a single condition.
pub fn condition_label(input: &Input, index: usize) -> String {
    if !input.system.is_family() {
        return String::new();
    }
    let unseen = if input.is_in_data(index) { "" } else { ", not in the data" };
    format!("at {}{unseen}", input.system.conditions()[index])
}

/// The unit of time of a member of a family, if known: `, unit 0.09321 s`.
pub fn unit_label(input: &Input, index: usize) -> String {
    let known = input.system.seconds(index).filter(|_| input.system.is_family());
    known.map_or_else(String::new, |seconds| format!(", unit {} s", measured(seconds, None)))
}
