//! A parameter that one data set may hold at several values, such as the temperature: a family of systems, from which one
//! model with that condition is learned.

use serde::{Deserialize, Serialize};

/// One number, or those of a family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number or a list of numbers")]
pub enum Condition {
    /// A single system.
    One(f64),
    /// A family, one member each.
    Several(Vec<f64>),
}

impl Condition {
    /// The number; of a family the first, NaN for an empty one.
    pub fn value(&self) -> f64 {
        self.all().first().copied().unwrap_or(f64::NAN)
    }

    /// All numbers, at least one in a valid input.
    pub fn all(&self) -> &[f64] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Several(values) => values,
        }
    }

    /// The numbers of a family; none for a single system.
    pub fn family(&self) -> &[f64] {
        match self {
            Self::One(_) => &[],
            Self::Several(values) => values,
        }
    }

    /// One member of a family; a single system is its own only member.
    pub fn member(&self, number: usize) -> Self {
        self.family().get(number).map_or_else(|| self.clone(), |&value| Self::One(value))
    }

    /// Some members of a family as a family of their own; a single system stays.
    pub fn members(&self, numbers: &[usize]) -> Self {
        match self {
            Self::One(value) => Self::One(*value),
            Self::Several(values) => Self::Several(numbers.iter().map(|&number| values[number]).collect()),
        }
    }
}

impl From<f64> for Condition {
    fn from(value: f64) -> Self {
        Self::One(value)
    }
}
