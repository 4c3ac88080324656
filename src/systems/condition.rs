//! Conditions: a parameter of a system, such as the temperature, with several values in one data set. These values make
//! a family of systems, and one model is learned for all of them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Name and unit of the conditions of a system, for files and figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConditionAxis {
    /// Name, such as "temperature".
    pub name: &'static str,
    /// Physical unit, "1" when dimensionless.
    pub unit: &'static str,
}

/// The values of a condition: one in an input, a number or a composition, or a list for a family. A valid input has at
/// least one value.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition<T = f64>(pub Vec<T>);

impl Condition {
    /// The first value; NaN for an empty list.
    pub fn value(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    /// A function of every value.
    pub fn map(&self, function: impl FnMut(f64) -> f64) -> Self {
        Self(self.0.iter().copied().map(function).collect())
    }
}

impl<T: Copy> Condition<T> {
    /// All values.
    pub fn all(&self) -> &[T] {
        &self.0
    }

    /// The values of some members of a family. A single value is that of every member.
    pub fn at_conditions(&self, indices: &[usize]) -> Self {
        match &self.0[..] {
            &[value] => value.into(),
            values => Self(indices.iter().map(|&index| values[index]).collect()),
        }
    }
}

impl<T> From<T> for Condition<T> {
    fn from(value: T) -> Self {
        Self(vec![value])
    }
}

impl<T: Serialize> Serialize for Condition<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [value] => value.serialize(serializer),
            values => values.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Condition<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "expected a number or a list of numbers, for compositions a triple or a list of triples"
        )]
        enum Written<T> {
            One(T),
            Several(Vec<T>),
        }
        Ok(Self(match Written::deserialize(deserializer)? {
            Written::One(value) => vec![value],
            Written::Several(values) => values,
        }))
    }
}
