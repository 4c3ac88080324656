//! The page of a sweep.

use crate::{
    config::Point,
    evaluation::{Metric, Metrics},
    pages::equilibrium::panels,
    report::{Axis, Block, Cell, Colour, Figure, Report, Section, Series, Table, series::Mark},
    scores::{Evidence, with_those_of_system},
};
use std::collections::HashSet;

/// Short titles of points: the parts of their labels, from the front, without those that distinguish no further points.
fn titles(labels: &[String]) -> Vec<String> {
    if let [label] = labels {
        return vec![label.replace(',', ", ")];
    }
    let distinct = |titles: &[String]| titles.iter().collect::<HashSet<_>>().len();
    let most = labels.iter().map(|label| label.split(',').count()).max().unwrap_or(0);
    let mut titles = vec![String::new(); labels.len()];
    for index in 0..most {
        let longer = |(title, label): (&String, &String)| match label.split(',').nth(index) {
            Some(part) if title.is_empty() => part.to_owned(),
            Some(part) => format!("{title}, {part}"),
            None => title.clone(),
        };
        let longer: Vec<String> = titles.iter().zip(labels).map(longer).collect();
        if distinct(&longer) > distinct(&titles) {
            titles = longer;
        }
    }
    titles
}

/// Figures of a sweep over one number: title, metric, metric of the baseline, label of the axis.
const FIGURES: &[(&str, &str, &str, &str)] = &[
    ("Test error", "test_error", "test_error_baseline", "relative error"),
    ("Discrepancy", "mmd", "mmd_baseline", "mmd"),
];

/// The page of a sweep: tables of metrics, figures against a swept number, the distributions at each point, and what
/// the points say together.
pub fn page(
    points: &[Point],
    metrics: &[Metrics],
    evidence: Vec<Evidence>,
    together: Vec<Section>,
    name: &str,
) -> Report {
    let labels: Vec<String> = points.iter().map(Point::label).collect();
    let titles = titles(&labels);
    let system = &points[0].input.system;
    let mut tables = Vec::new();
    let scores = with_those_of_system(system.scores());
    for shown in scores.iter().flat_map(|score| score.tables(points[0].input.observables())) {
        let found = |name: &&String| {
            metrics.iter().any(|metrics| metrics.get(name).is_some_and(|metric| metric.value.is_finite()))
        };
        let names: Vec<&str> = shown.metrics.iter().filter(found).map(String::as_str).collect();
        if names.is_empty() {
            continue;
        }
        let heads: Vec<String> = names.iter().map(|name| name.replace('_', " ")).collect();
        let heads: Vec<&str> = std::iter::once("point").chain(heads.iter().map(String::as_str)).collect();
        let mut table = Table::new(shown.title, &heads).described(shown.caption, shown.look_for);
        for (title, metrics) in titles.iter().zip(metrics) {
            let cells = names.iter().map(|name| metrics.get(name).cloned().map_or(Cell::Empty, Cell::Metric));
            table = table.row(std::iter::once(Cell::Text(title.clone())).chain(cells).collect());
        }
        tables.push(table);
    }
    let evidence: Vec<(String, Evidence)> = titles.into_iter().zip(evidence).collect();
    let section = tables.into_iter().map(Block::Table).fold(Section::new("Sweep"), Section::with);
    let section = FIGURES
        .iter()
        .filter_map(|shown| figure(points, metrics, shown))
        .map(Block::Figure)
        .fold(section, Section::with);
    let section = panels(&evidence).into_iter().map(Block::Multiples).fold(section, Section::with);
    let links = points.iter().map(|point| format!("{}/report.html", point.folder())).collect();
    Report {
        title: format!("{name}: {} points", points.len()),
        subtitle: format!("tessera {}, revision {}", env!("CARGO_PKG_VERSION"), env!("TESSERA_REVISION")),
        sections: std::iter::once(section)
            .chain(together)
            .chain([Section::new("Reports of the points").with(Block::Links(links))])
            .collect(),
    }
}

/// A metric against the swept key, if there is one key with numbers.
fn figure(
    points: &[Point],
    metrics: &[Metrics],
    (title, ours, baseline, label): &(&str, &str, &str, &str),
) -> Option<Figure> {
    let [(key, _)] = &points[0].set[..] else { return None };
    let number = |point: &Point| match &point.set[0].1 {
        toml::Value::Integer(value) => Some(*value as f64),
        toml::Value::Float(value) => Some(*value),
        _ => None,
    };
    let x: Vec<f64> = points.iter().map(number).collect::<Option<_>>()?;
    let mut figure = Figure::new(*title, Axis::linear(key.as_str()), Axis::logarithmic(*label))
        .described("Error bars: one standard error.", "");
    for (name, label, colour) in [(ours, "ours", Colour::Ours), (baseline, "baseline", Colour::Baseline)] {
        let found: Vec<Metric> = metrics.iter().filter_map(|metrics| metrics.get(name).cloned()).collect();
        if found.len() == x.len() {
            let values: Vec<f64> = found.iter().map(|metric| metric.value).collect();
            let errors: Vec<f64> = found.iter().map(|metric| metric.std_error.unwrap_or(0.0)).collect();
            let mut series = Series::points(label, colour, &x, &values).with_band(&errors);
            series.mark = Mark::Points;
            figure = figure.with(series);
        }
    }
    (!figure.series.is_empty()).then_some(figure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_short_and_distinguish_points() {
        let labels = ["side=16,time=1,step=2", "side=32,time=1,step=2", "side=32,time=4,step=2"].map(str::to_owned);
        assert_eq!(titles(&labels), ["side=16, time=1", "side=32, time=1", "side=32, time=4"]);
        assert_eq!(titles(&labels[..2]), ["side=16", "side=32"]);
        let labels = ["patch=64,epochs=9,small=64", "patch=64,epochs=9,small=16", "patch=16,epochs=5,small=64"];
        let short = ["patch=64, small=64", "patch=64, small=16", "patch=16, small=64"];
        assert_eq!(titles(&labels.map(str::to_owned)), short);
        assert_eq!(titles(&[String::new()]), [""]);
    }
}
