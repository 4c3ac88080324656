//! Names of metrics: the quantity, the observable, the source and the condition.

use crate::evaluation::StatePoint;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt};

/// A kind of model that is trained and scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Partial evolution: the increment of the evolved patch, with lambda of the input (arXiv 2511.12842, Eq. 10).
    Ours,
    /// The baseline of the paper: the state of the evolved patch is the next state of the lattice, and lambda = 1.
    Baseline,
}

impl ModelKind {
    /// Name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Baseline => "baseline",
        }
    }
}

/// The source of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Models of a kind.
    Model(ModelKind),
    /// The direct simulation.
    Truth,
    /// The law of the training pairs, without a model.
    Pairs,
}

/// The name of a metric, as text for instance `equilibrium_magnetisation_truth_at_2.5`. Our models and a single
/// condition add no word.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    quantity: Cow<'static, str>,
    observable: Option<&'static str>,
    source: Source,
    condition: Option<String>,
}

impl Key {
    /// A quantity of our models.
    pub fn new(quantity: impl Into<Cow<'static, str>>) -> Self {
        Self { quantity: quantity.into(), observable: None, source: Source::Model(ModelKind::Ours), condition: None }
    }

    /// For one observable, by name.
    pub fn of(self, observable: &'static str) -> Self {
        Self { observable: Some(observable), ..self }
    }

    /// For models of a kind.
    pub fn by(self, kind: ModelKind) -> Self {
        Self { source: Source::Model(kind), ..self }
    }

    /// For a source.
    pub fn from_source(self, source: Source) -> Self {
        Self { source, ..self }
    }

    /// For the direct simulation.
    pub fn of_truth(self) -> Self {
        self.from_source(Source::Truth)
    }

    /// At a condition of a family; `None` for all conditions.
    pub fn at(self, condition: Option<&StatePoint>) -> Self {
        Self { condition: condition.map(StatePoint::key), ..self }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.quantity)?;
        if let Some(observable) = self.observable {
            write!(formatter, "_{observable}")?;
        }
        match self.source {
            Source::Model(ModelKind::Ours) => {}
            Source::Model(kind) => write!(formatter, "_{}", kind.name())?,
            Source::Truth => formatter.write_str("_truth")?,
            Source::Pairs => formatter.write_str("_pairs")?,
        }
        match &self.condition {
            Some(condition) => write!(formatter, "_at_{condition}"),
            None => Ok(()),
        }
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_as_in_metrics_json() {
        let key = Key::new("equilibrium").of("magnetisation");
        assert_eq!(key.to_string(), "equilibrium_magnetisation");
        assert_eq!(key.clone().of_truth().at(Some(&2.5.into())).to_string(), "equilibrium_magnetisation_truth_at_2.5");
        assert_eq!(key.by(ModelKind::Baseline).to_string(), "equilibrium_magnetisation_baseline");
        assert_eq!(Key::new("binder").from_source(Source::Pairs).to_string(), "binder_pairs");
    }
}
