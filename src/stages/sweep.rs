//! The joint result of a sweep: `metrics.json` with all points, and one report.

use super::{StageError, context::write_whole};
use crate::{
    config::Point,
    evaluation::Metric,
    report::{Axis, Block, Cell, Colour, Figure, Report, Section, Series, Table, series::Mark},
};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Writes the joint files into `base`.
///
/// # Errors
/// When a point's metrics cannot be read or the joint files cannot be written.
pub fn join(points: &[Point], folders: &[PathBuf], base: &Path, name: &str) -> Result<(), StageError> {
    let mut all = Vec::new();
    for (point, folder) in points.iter().zip(folders) {
        let path = folder.join("metrics.json");
        let metrics: Value = std::fs::read_to_string(&path)
            .and_then(|text| serde_json::from_str(&text).map_err(std::io::Error::other))
            .map_err(|source| StageError::Io { action: "read", path, source })?;
        let set: Map<String, Value> = point.set.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        all.push(json!({"set": set, "metrics": metrics}));
    }
    let joint = json!({"points": all, "fits": {}});
    write_whole(&base.join("metrics.json"), &serde_json::to_string_pretty(&joint).unwrap_or_default())?;
    write_whole(&base.join("report.html"), &page(points, &all, name).html()?)
}

fn metric(point: &Value, name: &str) -> Option<Metric> {
    serde_json::from_value(point["metrics"][name].clone()).ok()
}

fn page(points: &[Point], all: &[Value], name: &str) -> Report {
    let labels: Vec<String> = points.iter().map(Point::label).collect();
    let names: Vec<&str> = ["test_error", "test_error_baseline", "test_error_observables", "test_error_noise_floor"]
        .into_iter()
        .filter(|name| metric(&all[0], name).is_some())
        .collect();
    let mut table = Table::new("Test error at each point", &[&["point"][..], &names].concat()).described(
        "Relative error of the mean trajectory, averaged over the initial states; the error is between training seeds where there are several, else from the bootstrap.",
        "errors well above the noise floor, which is what two ensembles of one law would give.",
    );
    for (label, point) in labels.iter().zip(all) {
        let cells = names.iter().map(|name| metric(point, name).map_or(Cell::Empty, Cell::Metric));
        table = table.row(std::iter::once(Cell::Text(label.clone())).chain(cells).collect());
    }
    let mut section = Section::new("Sweep").with(Block::Table(table));
    if let Some(figure) = figure(points, all) {
        section = section.with(Block::Figure(figure));
    }
    let links = labels.iter().map(|label| format!("{label}/report.html")).collect::<Vec<_>>().join("\n\n");
    Report {
        title: format!("{name}: {} points", points.len()),
        subtitle: format!("tessera {}, revision {}", env!("CARGO_PKG_VERSION"), env!("TESSERA_REVISION")),
        sections: vec![section, Section::new("Reports of the points").with(Block::Text(links))],
    }
}

/// Errors against the swept key, when it is one number.
fn figure(points: &[Point], all: &[Value]) -> Option<Figure> {
    let [(key, _)] = &points[0].set[..] else { return None };
    let number = |point: &Point| match &point.set[0].1 {
        toml::Value::Integer(value) => Some(*value as f64),
        toml::Value::Float(value) => Some(*value),
        _ => None,
    };
    let x: Vec<f64> = points.iter().map(number).collect::<Option<_>>()?;
    let mut figure = Figure::new("Test error", Axis::linear(key.as_str()), Axis::logarithmic("relative error"))
        .described("Error bars: one standard error.", "");
    for (name, label, colour) in
        [("test_error", "ours", Colour::Ours), ("test_error_baseline", "baseline", Colour::Baseline)]
    {
        let found: Vec<Metric> = all.iter().filter_map(|point| metric(point, name)).collect();
        if found.len() == x.len() {
            let values: Vec<f64> = found.iter().map(|metric| metric.value).collect();
            let errors: Vec<f64> = found.iter().map(|metric| metric.std_error.unwrap_or(0.0)).collect();
            let mut series = Series::points(label, colour, &x, &values).with_band(&errors);
            series.mark = Mark::Points;
            figure = figure.with(series);
        }
    }
    Some(figure)
}
