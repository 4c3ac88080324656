//! One measured number with its error, and an ordered collection of them: the content of `metrics.json`.
//!
//! JSON has no NaN or infinity, so a number that is not finite is written as `null` and read back as NaN.

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number, its standard error, the sample it came from and its unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// The estimate, in `unit`.
    #[serde(deserialize_with = "null_is_nan")]
    pub value: f64,
    /// One standard error, in `unit`; `None` when the sample does not allow one.
    pub std_error: Option<f64>,
    /// Independent units behind the estimate (trajectories, blocks, seeds).
    pub samples: usize,
    /// Unit; "1" for a pure number.
    pub unit: String,
    /// Trajectories that diverged and are left out: the estimate then describes the survivors alone. Not written if 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Metric {
    /// An estimate with its standard error.
    pub fn new(value: f64, std_error: Option<f64>, samples: usize, unit: impl Into<String>) -> Self {
        Self { value, std_error: std_error.filter(|error| error.is_finite()), samples, unit: unit.into(), left_out: 0 }
    }

    /// A number without a sampling error, such as a count.
    pub fn exact(value: f64, samples: usize, unit: impl Into<String>) -> Self {
        Self::new(value, None, samples, unit)
    }

    /// Mean of independent values and its standard error `s / sqrt(n)`, for example over training seeds.
    /// Without values the mean is NaN; with one there is no error.
    pub fn mean_of(values: &[f64], unit: impl Into<String>) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let error = (values.len() > 1).then(|| (squares / (count - 1.0) / count).sqrt());
        Self::new(mean, error, values.len(), unit)
    }
}

/// Metrics by name, in the order of insertion. Serialises as `{name: {value, std_error, samples, unit}}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics(Vec<(String, Metric)>);

impl Metrics {
    /// An empty collection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a metric; one of the same name is replaced in its place.
    pub fn insert(&mut self, name: impl Into<String>, metric: Metric) {
        let name = name.into();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = metric,
            None => self.0.push((name, metric)),
        }
    }

    /// Sets the number of trajectories that a metric leaves out.
    pub fn leave_out(&mut self, name: &str, trajectories: usize) {
        self.0.iter_mut().filter(|(known, _)| known == name).for_each(|(_, metric)| metric.left_out = trajectories);
    }

    /// The metric of this name.
    pub fn get(&self, name: &str) -> Option<&Metric> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, metric)| metric)
    }

    /// Names and metrics in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Metric)> {
        self.0.iter().map(|(name, metric)| (name.as_str(), metric))
    }

    /// Number of metrics.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, metric) in &self.0 {
            map.serialize_entry(name, metric)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Metrics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Metrics;
            fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
                formatter.write_str("a map from names to metrics")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metrics, A::Error> {
                let mut metrics = Metrics::new();
                while let Some((name, metric)) = map.next_entry::<String, Metric>()? {
                    metrics.insert(name, metric);
                }
                Ok(metrics)
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
