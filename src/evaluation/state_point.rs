//! Points of a family of systems: what is constant along a trajectory.

use serde::{Deserialize, Serialize};

/// One condition: a value along each axis, such as the temperature, or the temperature and the shares of an alloy.
#[derive(Clone, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatePoint(pub Vec<f64>);

impl StatePoint {
    /// The value along the first axis; NaN without axes.
    pub fn first(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    /// The values as text. Those beyond the first axis are rounded to four decimals.
    fn texts(&self) -> impl Iterator<Item = String> {
        let rounded = |value: &f64| (value * 1e4).round() / 1e4;
        let others = self.0.iter().skip(1).map(rounded);
        self.0.first().copied().into_iter().chain(others).map(|value| value.to_string())
    }

    /// How far another point lies: along the first axis, and, where that is equal, along the others.
    pub fn distance(&self, other: &Self) -> [f64; 2] {
        let apart = |(one, other): (&f64, &f64)| (one - other).abs();
        let others = self.0.iter().zip(&other.0).skip(1).map(apart).sum();
        [(self.first() - other.first()).abs(), others]
    }

    /// The values joined by underscores, for names of metrics.
    pub fn key(&self) -> String {
        self.texts().collect::<Vec<_>>().join("_")
    }

    /// The values with names or units, such as `1200 K, Nb 0.5, Mo 0.25, Ta 0.25`.
    pub fn with_units<'a>(&self, axes: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let text = |(value, (name, unit)): (String, (&str, &str))| match unit {
            "1" => format!("{name} {value}"),
            unit => format!("{value} {unit}"),
        };
        self.texts().zip(axes).map(text).collect::<Vec<_>>().join(", ")
    }
}

impl From<f64> for StatePoint {
    fn from(value: f64) -> Self {
        Self(vec![value])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_named_by_temperature_and_rounded_shares() {
        let point = StatePoint(vec![1200.5, 1.0 / 3.0, 0.5, 1.0 / 6.0]);
        assert_eq!(point.key(), "1200.5_0.3333_0.5_0.1667");
        let axes = [("temperature", "K"), ("Nb", "1"), ("Mo", "1"), ("Ta", "1")];
        assert_eq!(point.with_units(axes), "1200.5 K, Nb 0.3333, Mo 0.5, Ta 0.1667");
        assert_eq!(StatePoint::from(2.269185).key(), "2.269185");
        assert!(point.distance(&StatePoint(vec![1200.5, 0.5, 0.4, 0.1])) < point.distance(&1200.0.into()));
    }
}
