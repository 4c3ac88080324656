//! What the components of a state, the time and the condition of an equation are called, and their units. They are kept
//! in the model file and change no number.

use serde::{Deserialize, Serialize};

/// A name and a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Name, as in data files.
    pub name: String,
    /// Physical unit, "1" when dimensionless.
    pub unit: String,
}

/// The labels of an equation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Labels {
    /// Of the components of a state, `[d]`.
    pub components: Vec<Label>,
    /// Unit of time.
    pub time_unit: String,
    /// Of the condition along each axis; empty for a model without conditions.
    #[serde(default, with = "super::one_or_more")]
    pub condition: Vec<Label>,
    /// Conditions of the data along the first axis, and the unit of time in s at each, where it is known.
    #[serde(default)]
    pub seconds: Vec<[f64; 2]>,
}

impl Labels {
    /// z0, z1, ... without units.
    pub fn numbered(components: usize) -> Self {
        let label = |name: String| Label { name, unit: "1".into() };
        Self {
            components: (0..components).map(|index| label(format!("z{index}"))).collect(),
            time_unit: "1".into(),
            condition: Vec::new(),
            seconds: Vec::new(),
        }
    }
}

/// A unit per unit of time, such as `nm/s`; a time of `1 / rate` gives `rate`.
pub fn per_time(unit: &str, time: &str) -> String {
    match (unit, time.strip_prefix("1 / ")) {
        (unit, _) if time == "1" => unit.into(),
        ("1", Some(rate)) => rate.into(),
        (unit, Some(rate)) => format!("{unit} * {rate}"),
        (unit, None) if time.contains([' ', '/', '*']) => format!("{unit}/({time})"),
        (unit, None) => format!("{unit}/{time}"),
    }
}

/// The product of two units, such as `nm^2`.
pub fn product(one: &str, other: &str) -> String {
    match (one, other) {
        ("1", unit) | (unit, "1") => unit.into(),
        (one, other) if one == other => format!("{one}^2"),
        (one, other) => format!("{one} {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_read_as_one_writes_them() {
        assert_eq!(per_time("nm", "s"), "nm/s");
        assert_eq!(per_time("1", "1"), "1");
        assert_eq!(per_time("1", "1 / k0"), "k0");
        assert_eq!(per_time("nm", "1 / k0"), "nm * k0");
        assert_eq!(per_time("1", "exp(E) / k0"), "1/(exp(E) / k0)");
        assert_eq!(product("nm", "nm"), "nm^2");
        assert_eq!(product("1", "nm"), "nm");
        assert_eq!(product("K", "nm"), "K nm");
    }
}
