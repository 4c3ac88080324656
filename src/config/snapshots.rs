//! When a trajectory is recorded besides whole intervals, and which records keep the microscopic state.

use serde::{Deserialize, Serialize};

/// `"all"`, `"none"`, or a number of them, evenly spread and the last among them. Observables are kept at every record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "toml::Value", into = "toml::Value")]
pub enum Snapshots {
    /// Every record.
    #[default]
    All,
    /// None.
    None,
    /// So many, or all if there are fewer.
    Some(usize),
}

impl Snapshots {
    /// Whether every record has one.
    pub fn are_all(&self) -> bool {
        *self == Self::All
    }

    /// The number, if it is one.
    pub fn number(self) -> Option<usize> {
        if let Self::Some(count) = self { Some(count) } else { None }
    }

    /// Indices of the records with a state, ascending, among so many.
    pub fn of(self, records: usize) -> Vec<usize> {
        let kept = match self {
            Self::All => records,
            Self::None => 0,
            Self::Some(count) => count.min(records),
        };
        (1..=kept).map(|place| (place * records).div_ceil(kept) - 1).collect()
    }
}

impl TryFrom<toml::Value> for Snapshots {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, String> {
        match &value {
            toml::Value::String(name) if name == "all" => Ok(Self::All),
            toml::Value::String(name) if name == "none" => Ok(Self::None),
            toml::Value::Integer(count) if *count > 0 => Ok(Self::Some(*count as usize)),
            _ => Err(format!("{value} is no choice of snapshots; write \"all\", \"none\" or a number above 0")),
        }
    }
}

impl From<Snapshots> for toml::Value {
    fn from(snapshots: Snapshots) -> Self {
        match snapshots {
            Snapshots::All => "all".into(),
            Snapshots::None => "none".into(),
            Snapshots::Some(count) => (count as i64).into(),
        }
    }
}

/// Times that grow by one factor, rounded to whole steps where all sites move at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeometricTimes {
    /// The first.
    pub first: f64,
    /// The last.
    pub last: f64,
    /// How many, at least 2.
    pub count: usize,
}

impl GeometricTimes {
    pub(super) fn times(&self) -> impl Iterator<Item = f64> {
        let Self { first, last, count } = *self;
        (0..count).map(move |index| first * (last / first).powf(index as f64 / (count - 1) as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_evenly_spread_and_the_last_record_is_among_them() {
        assert_eq!(Snapshots::All.of(3), [0, 1, 2]);
        assert!(Snapshots::None.of(3).is_empty());
        assert_eq!(Snapshots::Some(1).of(7), [6]);
        assert_eq!(Snapshots::Some(3).of(9), [2, 5, 8]);
        assert_eq!(Snapshots::Some(2).of(5), [2, 4]);
        assert_eq!(Snapshots::Some(9).of(4), [0, 1, 2, 3]);
    }
}
