//! The joint result of a sweep: `metrics.json` with all points, and one report.

use crate::{
    config::Point,
    dataset::write_whole,
    evaluation::{Metric, Metrics},
    pages::{equilibrium, finite_size::scaling},
    report::{Axis, Block, Cell, Colour, Figure, Report, Section, Series, SmallMultiples, Table, series::Mark},
    workflow::{Context, StageError, write_json},
};
use serde_json::{Map, Value, json};
use std::{collections::HashSet, path::Path};

/// Writes the joint files into `base`. The contexts are those of the points.
///
/// # Errors
/// When a point's files cannot be read or the joint files cannot be written.
pub fn join(points: &[Point], contexts: &[Context], base: &Path, name: &str) -> Result<(), StageError> {
    let mut all = Vec::new();
    for (point, context) in points.iter().zip(contexts) {
        let path = context.path("metrics.json");
        let metrics: Value = std::fs::read_to_string(&path)
            .and_then(|text| serde_json::from_str(&text).map_err(std::io::Error::other))
            .map_err(|source| StageError::Io { action: "read", path, source })?;
        let set: Map<String, Value> = point.set.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        all.push(json!({"set": set, "metrics": metrics}));
    }
    let (fits, section) = scaling(points, &all).map_or((Metrics::new(), None), |(fits, section)| (fits, Some(section)));
    let joint = json!({"points": all, "fits": fits});
    write_json(&base.join("metrics.json"), &joint)?;
    let labels: Vec<String> = points.iter().map(Point::label).collect();
    let panels = equilibrium::panels(contexts, &titles(&labels))?;
    Ok(write_whole(&base.join("report.html"), page(points, &labels, &all, panels, (fits, section), name).html()?)?)
}

/// The parts of labels that tell the points apart, from the front; a part that goes with those before it is left out.
fn titles(labels: &[String]) -> Vec<String> {
    if let [label] = labels {
        return vec![label.replace(',', ", ")];
    }
    let told_apart = |titles: &[String]| titles.iter().collect::<HashSet<_>>().len();
    let most = labels.iter().map(|label| label.split(',').count()).max().unwrap_or(0);
    let mut titles = vec![String::new(); labels.len()];
    for number in 0..most {
        let longer = |(title, label): (&String, &String)| match label.split(',').nth(number) {
            Some(part) if title.is_empty() => part.to_owned(),
            Some(part) => format!("{title}, {part}"),
            None => title.clone(),
        };
        let longer: Vec<String> = titles.iter().zip(labels).map(longer).collect();
        if told_apart(&longer) > told_apart(&titles) {
            titles = longer;
        }
    }
    titles
}

/// Tables of a sweep: title, caption, what to look for, metrics. Those that no point has are left out.
const TABLES: &[(&str, &str, &str, &[&str])] = &[
    (
        "Test error at each point",
        "Relative error of the mean trajectory, averaged over the initial states; the error is between training seeds where there are several, else from the bootstrap.",
        "errors well above the noise floor, which is what two ensembles of one law would give.",
        &[
            "test_error",
            "test_error_baseline",
            "test_error_observables",
            "test_error_noise_floor",
            "diverged",
            "diverged_baseline",
        ],
    ),
    (
        "Discrepancy at each point",
        "Maximum mean discrepancy of the scaled observables, averaged over times and initial states.",
        "values near that of two halves of the truth.",
        &["mmd", "mmd_baseline", "mmd_halves_of_truth"],
    ),
    (
        "Equations of one component",
        "dz = (a z + b) dt + c dB: slope a and value b at zero of the line through the learned drift, and mean noise c.",
        "the values of the theory.",
        &["drift_slope", "drift_at_zero", "noise"],
    ),
    (
        "Equilibrium means of the short-range order",
        "Over the last part of all trajectories, learned and direct.",
        "equal numbers within their errors, and the same ones at all sizes.",
        &[
            "equilibrium_order_nb_nb",
            "equilibrium_order_nb_nb_truth",
            "equilibrium_order_nb_mo",
            "equilibrium_order_nb_mo_truth",
            "equilibrium_order_nb_ta",
            "equilibrium_order_nb_ta_truth",
            "equilibrium_order_mo_mo",
            "equilibrium_order_mo_mo_truth",
            "equilibrium_order_mo_ta",
            "equilibrium_order_mo_ta_truth",
            "equilibrium_order_ta_ta",
            "equilibrium_order_ta_ta_truth",
        ],
    ),
    (
        "Equilibrium spreads of the short-range order",
        "Standard deviations over the last part of all trajectories, learned and direct.",
        "equal numbers within their errors, smaller as one over the root of the number of sites.",
        &[
            "spread_order_nb_nb",
            "spread_order_nb_nb_truth",
            "spread_order_nb_mo",
            "spread_order_nb_mo_truth",
            "spread_order_nb_ta",
            "spread_order_nb_ta_truth",
            "spread_order_mo_mo",
            "spread_order_mo_mo_truth",
            "spread_order_mo_ta",
            "spread_order_mo_ta_truth",
            "spread_order_ta_ta",
            "spread_order_ta_ta_truth",
        ],
    ),
    (
        "Size and spread of the magnetisation",
        "<|M|>, susceptibility and Binder cumulant: learned, of the direct simulation, and of the law that the training pairs imply without a model (from mean and variance of the increments at each M).",
        "equal numbers. Where the pairs differ from the direct simulation the data are at fault, where the model differs from the pairs the training is.",
        &[
            "absolute_magnetisation",
            "absolute_magnetisation_truth",
            "absolute_magnetisation_pairs",
            "susceptibility",
            "susceptibility_truth",
            "susceptibility_pairs",
            "binder",
            "binder_truth",
            "binder_pairs",
        ],
    ),
    (
        "Equilibrium of the magnetisation",
        "Distance of the distributions of M (the truth together with its mirror image where there is no field) and of |M|, and rate of reversals of the sign.",
        "equal rates, small distances.",
        &[
            "wasserstein_1_magnetisation",
            "wasserstein_1_magnetisation_baseline",
            "wasserstein_1_absolute_magnetisation",
            "reversal_rate",
            "reversal_rate_baseline",
            "reversal_rate_truth",
            "reversal_rate_pairs",
            "outside_range",
            "outside_range_baseline",
            "escaped",
            "escaped_baseline",
        ],
    ),
];

/// Figures of a sweep over one number: title, metric, that of the baseline, label of the axis.
const FIGURES: &[(&str, &str, &str, &str)] = &[
    ("Test error", "test_error", "test_error_baseline", "relative error"),
    ("Discrepancy", "mmd", "mmd_baseline", "mmd"),
];

fn metric(point: &Value, name: &str) -> Option<Metric> {
    serde_json::from_value(point["metrics"][name].clone()).ok()
}

fn page(
    points: &[Point],
    labels: &[String],
    all: &[Value],
    panels: Vec<SmallMultiples>,
    (fits, scaling): (Metrics, Option<Section>),
    name: &str,
) -> Report {
    let mut tables = Vec::new();
    for (title, caption, look_for, names) in TABLES {
        let found = |name: &&str| all.iter().any(|point| metric(point, name).is_some());
        let names: Vec<&str> = names.iter().copied().filter(found).collect();
        if names.is_empty() {
            continue;
        }
        let mut table = Table::new(*title, &[&["point"][..], &names].concat()).described(*caption, *look_for);
        for (title, point) in titles(labels).into_iter().zip(all) {
            let cells = names.iter().map(|name| metric(point, name).map_or(Cell::Empty, Cell::Metric));
            table = table.row(std::iter::once(Cell::Text(title)).chain(cells).collect());
        }
        tables.push(table);
    }
    let section = tables.into_iter().map(Block::Table).fold(Section::new("Sweep"), Section::with);
    let section =
        FIGURES.iter().filter_map(|shown| figure(points, all, shown)).map(Block::Figure).fold(section, Section::with);
    let section = panels.into_iter().map(Block::Multiples).fold(section, Section::with);
    let scaling = scaling.map(|section| section.with(Block::Table(Table::of_metrics("Exponents", &fits))));
    let links = labels.iter().map(|label| format!("{label}/report.html")).collect();
    Report {
        title: format!("{name}: {} points", points.len()),
        subtitle: format!("tessera {}, revision {}", env!("CARGO_PKG_VERSION"), env!("TESSERA_REVISION")),
        sections: std::iter::once(section)
            .chain(scaling)
            .chain([Section::new("Reports of the points").with(Block::Links(links))])
            .collect(),
    }
}

/// A metric against the swept key, when it is one number.
fn figure(
    points: &[Point],
    all: &[Value],
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
        let found: Vec<Metric> = all.iter().filter_map(|point| metric(point, name)).collect();
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
    fn titles_are_as_short_as_tells_points_apart() {
        let labels = ["side=16,time=1,step=2", "side=32,time=1,step=2", "side=32,time=4,step=2"].map(str::to_owned);
        assert_eq!(titles(&labels), ["side=16, time=1", "side=32, time=1", "side=32, time=4"]);
        assert_eq!(titles(&labels[..2]), ["side=16", "side=32"]);
        let labels = ["patch=64,epochs=9,small=64", "patch=64,epochs=9,small=16", "patch=16,epochs=5,small=64"];
        let short = ["patch=64, small=64", "patch=64, small=16", "patch=16, small=64"];
        assert_eq!(titles(&labels.map(str::to_owned)), short);
        assert_eq!(titles(&[String::new()]), [""]);
    }
}
