//! Which conditions of a family no data are made under.

use crate::systems::StatePoint;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A value of the first axis, such as a temperature, at any composition; or the values of all others, such as a
/// composition, at any temperature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected conditions: temperatures, or compositions as lists of three shares")]
pub enum Unseen {
    /// Of the first axis.
    First(f64),
    /// Of the axes after it.
    Others(Vec<f64>),
}

impl Unseen {
    /// Whether it names this condition.
    pub fn names(&self, condition: &StatePoint) -> bool {
        match self {
            Self::First(value) => condition.first() == *value,
            Self::Others(values) => !values.is_empty() && condition.0[1..] == values[..],
        }
    }
}

impl fmt::Display for Unseen {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::First(value) => value.fmt(formatter),
            Self::Others(values) => fmt::Debug::fmt(values, formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_temperatures_and_lists_are_compositions() {
        let points = [1200.0, 2000.0].map(|temperature| StatePoint(vec![temperature, 0.5, 0.25, 0.25]));
        let named = |unseen: &Unseen| points.iter().map(|point| unseen.names(point)).collect::<Vec<_>>();
        assert_eq!(named(&Unseen::First(2000.0)), [false, true]);
        assert_eq!(named(&Unseen::Others(vec![0.5, 0.25, 0.25])), [true, true]);
        assert_eq!(named(&Unseen::Others(vec![0.25, 0.5, 0.25])), [false, false]);
        assert!(!Unseen::Others(Vec::new()).names(&StatePoint(vec![2.5])));
    }
}
