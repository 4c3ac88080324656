//! The page of one run: the predictions beside the truth.

use crate::{
    evaluation::{
        Metrics, Observable,
        trajectories::{MeanAndSpread, mean_and_spread},
    },
    lattice::Lattice,
    learning::Feature,
    pages::roles::{Names, roles},
    report::{
        Axis, Block, Colour, Figure, Highlight, LatticeImage, LatticePalette, ReportError, Section, Series,
        SmallMultiples, multiples::ensemble_panel, table::shown,
    },
    scores::{self, Evidence, ModelKind},
    systems::System,
};
use ndarray::Array2;
use serde_json::Value;

/// The title of a page: what was learned and how well, in a sentence. `of` follows the names of the observables.
pub fn title(observables: &[Observable], of: &str, metrics: &Metrics) -> String {
    let names: Vec<String> = observables.iter().map(|observable| observable.name.replace('_', " ")).collect();
    let names = match &names[..] {
        [all @ .., last] if !all.is_empty() && all.len() < 3 => format!("{} and {last}", all.join(", ")),
        [name] => name.clone(),
        all => format!("{} observables", all.len()),
    };
    let percent = |name: &str| {
        let value = 100.0 * metrics.get(name)?.value;
        let decimals = (1.0 - value.log10().floor()).clamp(0.0, 6.0) as usize;
        value.is_finite().then(|| format!("{value:.decimals$} %"))
    };
    // Of single trajectories chance is not known, and the error says nothing.
    let floor = metrics.get("test_error_noise_floor");
    let well = match (percent("test_error"), percent("test_error_noise_floor")) {
        (Some(error), Some(floor)) => format!(": relative error {error}, where chance alone makes {floor}"),
        (Some(error), None) if floor.is_none() => format!(": relative error {error}"),
        _ => String::new(),
    };
    format!("The dynamics of {names}{of}{well}")
}

/// The headline metrics: label, name and meaning.
pub const HEADLINES: [(&str, &str, &str); 8] = [
    ("Test error", "test_error", "relative error of the mean trajectory, all latent components"),
    (
        "Equilibrium",
        "equilibrium_deviation",
        "distance of the equilibrium means from the truth, averaged over observables and conditions",
    ),
    ("Relaxation error", "relaxation_error", "difference of the mean trajectories until the truth has relaxed"),
    ("Its noise floor", "relaxation_error_noise_floor", "relaxation error between two ensembles of the truth"),
    (
        "Data drift",
        "data_drift_z",
        "rate of the upsampled states minus that of the small ones, in standard errors; above 3 the upsampling distorts",
    ),
    ("Noise floor", "test_error_noise_floor", "test error between two ensembles of one law"),
    ("Baseline", "test_error_baseline", "test error with the patch state as next state and lambda = 1"),
    ("Test error, observables", "test_error_observables", "test error of the observables alone"),
];

/// The headline metrics of a run.
pub fn highlights(metrics: &Metrics) -> Vec<Highlight> {
    let value = |name: &str| metrics.get(name).filter(|metric| metric.value.is_finite()).map(shown);
    HEADLINES
        .into_iter()
        .filter_map(|(label, name, note)| {
            Some(Highlight { label: label.into(), value: value(name)?, note: note.into() })
        })
        .collect()
}

/// The range of the truth and of our prediction, with a margin. The baseline may leave it.
fn range<'a>(all: impl Iterator<Item = &'a (&'a str, Colour, MeanAndSpread)>, component: usize) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for (_, _, ensemble) in all.filter(|(_, colour, _)| *colour != Colour::Baseline) {
        for (mean, spread) in ensemble.mean.column(component).iter().zip(ensemble.spread.column(component)) {
            // `min` and `max` ignore NaN: a single trajectory has no spread.
            (low, high) = (low.min(*mean).min(mean - spread), high.max(*mean).max(mean + spread));
        }
    }
    let room = 0.15 * (high - low);
    if room > 0.0 && room.is_finite() { (low - room, high + room) } else { (-1.0, 1.0) }
}

/// The section on the observables against time, with one panel per start and condition.
pub fn against_time(names: &Names, evidence: &Evidence) -> Section {
    let groups = evidence.groups();
    let mut section = Section::new("Observables against time");
    let by_group: Vec<Vec<(&str, Colour, MeanAndSpread)>> = (0..groups)
        .map(|index| {
            let of = |ensemble| mean_and_spread(scores::group(ensemble, index, groups));
            let mut all = vec![("truth", Colour::Truth, of(evidence.truth.view()))];
            for (kind, models) in evidence.models.iter().rev() {
                let (label, colour) = roles(*kind);
                all.push((label, colour, of(models.index_axis(ndarray::Axis(0), 0))));
            }
            all
        })
        .collect();
    let panel = |group: usize, component: usize, title: &str, y: Axis| {
        let all = &by_group[group];
        let lines: Vec<_> = all.iter().map(|(label, colour, ensemble)| (*label, *colour, ensemble)).collect();
        let x = names.time_axis(group, &evidence.times);
        ensemble_panel(title, x, y, &names.times_of(group, &evidence.times), component, &lines)
    };
    let multiples = |title: String, panels| {
        Block::Multiples(SmallMultiples::new(title, panels).described(
            "Means over trajectories, with bands of one standard deviation for truth and model. Predictions are those of \
             the first seed. The time is logarithmic, with 0 before the first record. The baseline may leave the frame.",
            "equal means and bands of equal width. A wider band means too much learned noise.",
        ))
    };
    let titles = &names.groups;
    let of_each = evidence.observables.iter().enumerate().map(|(component, observable)| {
        let (low, high) = range(by_group.iter().flatten(), component);
        (component, observable, Axis::linear(observable.symbol).from_to(low, high))
    });
    if let [title] = &titles[..] {
        let panels = of_each.map(|(component, observable, y)| panel(0, component, observable.symbol, y)).collect();
        return section.with(multiples(title.clone(), panels));
    }
    for (component, observable, y) in of_each {
        let panels = (0..groups).map(|group| panel(group, component, &titles[group], y.clone())).collect();
        section = section.with(multiples(observable.symbol.to_owned(), panels));
    }
    section
}

/// The section that compares the dynamics with the direct simulation in units of the noise.
pub fn dynamics(names: &Names, evidence: &Evidence) -> Section {
    let ours = &evidence.of(ModelKind::Ours).index_axis(ndarray::Axis(0), 0);
    let of = |ensemble, group| mean_and_spread(scores::group(ensemble, group, evidence.groups()));
    let groups: Vec<[MeanAndSpread; 2]> =
        (0..evidence.groups()).map(|group| [of(ours.view(), group), of(evidence.truth.view(), group)]).collect();
    let colours = [Colour::Ours, Colour::Truth, Colour::Baseline];
    let all: Vec<usize> = (0..evidence.observables.len()).collect();
    let symbol = |component: usize| evidence.observables[component].symbol;
    let blocks = |scale: &Scale| -> Vec<Block> {
        let panel = |group: usize, components: &[usize], title: &str| {
            let (x, times) = (names.time_axis(group, &evidence.times), names.times_of(group, &evidence.times));
            let (low, high) = scale.range;
            let mut figure = Figure::new(title, x, Axis::linear(scale.label).from_to(low, high));
            for guide in scale.guides {
                figure = figure.with(Series::line("", Colour::Guide, &times, &vec![guide; times.len()]));
            }
            let [ours, truth] = &groups[group];
            for &component in components {
                let values = (scale.value)(ours, truth, component).into_iter().map(|value| value.clamp(low, high));
                let colour = colours[component % colours.len()];
                let colour = if components.len() > 1 { colour } else { Colour::Ours };
                let label = if components.len() > 1 { symbol(component) } else { "" };
                figure = figure.with(Series::line(label, colour, &times, &values.collect::<Vec<f64>>()));
            }
            figure
        };
        let each_group = |components: &[usize]| -> Vec<Figure> {
            (0..groups.len()).map(|group| panel(group, components, &names.groups[group])).collect()
        };
        let multiples = |title: String, panels| {
            Block::Multiples(SmallMultiples::new(title, panels).described(scale.caption, scale.look_for))
        };
        if groups.len() == 1 {
            let each = all.iter().map(|&component| panel(0, &[component], symbol(component)));
            vec![multiples(scale.title.to_owned(), each.collect())]
        } else if all.len() <= colours.len() {
            vec![multiples(scale.title.to_owned(), each_group(&all))]
        } else {
            let each = |&component: &usize| {
                multiples(format!("{}, {}", scale.title, symbol(component)), each_group(&[component]))
            };
            all.iter().map(each).collect()
        }
    };
    SCALES.iter().flat_map(blocks).fold(Section::new("Dynamics in units of the noise"), Section::with)
}

/// A block of [`dynamics`]: what its panels show of model and truth, and the label, dashed levels and range of their axis.
struct Scale {
    title: &'static str,
    caption: &'static str,
    look_for: &'static str,
    label: &'static str,
    guides: [f64; 2],
    range: (f64, f64),
    value: fn(&MeanAndSpread, &MeanAndSpread, usize) -> Vec<f64>,
}

const SCALES: [Scale; 2] = [
    Scale {
        title: "Difference of the means from the truth",
        caption: "Mean of the first model minus that of the direct simulation, in standard errors of their difference; cut off \
                  at 8. Dashed: 2 standard errors.",
        look_for: "lines between the dashed ones at all times. A long excursion is an error of the learned drift.",
        label: "standard errors",
        guides: [-2.0, 2.0],
        range: (-8.0, 8.0),
        value: MeanAndSpread::difference_in_errors,
    },
    Scale {
        title: "Ratio of the spreads",
        caption: "Standard deviation over the trajectories of the first model, over that of the direct simulation; cut off at \
                  2.",
        look_for: "lines that scatter about 1.",
        label: "ratio",
        guides: [1.0, 1.0],
        range: (0.0, 2.0),
        value: MeanAndSpread::spread_ratio,
    },
];

/// A short form of a value, with numbers rounded to four decimals and only the ends of long lists.
pub fn brief(value: &Value) -> String {
    let all = |values: &[Value]| values.iter().map(brief).collect::<Vec<_>>().join(", ");
    match value {
        Value::Object(entries) => {
            entries.iter().map(|(name, value)| format!("{name} {}", brief(value))).collect::<Vec<_>>().join(", ")
        }
        Value::Array(values) if values.len() > 4 => {
            format!("{} to {} ({} values)", brief(&values[0]), brief(&values[values.len() - 1]), values.len())
        }
        Value::Array(values) => format!("[{}]", all(values)),
        Value::Number(number) => match number.as_f64() {
            Some(number) if number == 0.0 || number.abs() >= 1e-3 => ((number * 1e4).round() / 1e4).to_string(),
            Some(number) => format!("{number:e}"),
            None => number.to_string(),
        },
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The middle layer of a lattice. Sites with states have the colours of these. Other sites show their first channel,
/// from its smallest to its largest value.
///
/// # Errors
/// When the image cannot be encoded.
pub fn image<S: System<Feature: Feature>>(step: &str, lattice: &Lattice<S::Site>) -> Result<LatticeImage, ReportError> {
    let [depth, rows, columns] = lattice.shape.0;
    let (plane, layer) = (rows * columns, depth / 2);
    let mut label = format!("{step}, {:?}", lattice.shape.used());
    if depth > 1 {
        label += &format!(", layer {layer}");
    }
    let sites = &lattice.sites[layer * plane..][..plane];
    if let Some(palette) = LatticePalette::of_states(S::STATES) {
        let states = sites.iter().map(|site| S::state(site) as i32).collect();
        let states = Array2::from_shape_vec((rows, columns), states).expect("one state a site");
        return LatticeImage::new(label, states.view(), &palette);
    }
    let values = S::features(sites)[..plane].iter().map(|&feature| feature.value()).collect();
    let field = Array2::from_shape_vec((rows, columns), values).expect("one value a site");
    let least = field.iter().copied().fold(f64::INFINITY, f64::min);
    let most = field.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    LatticeImage::field(label, field.view(), (least, if most > least { most } else { least + 1.0 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_have_a_short_form() {
        let parameters =
            json!({"temperature": [30.0, 20.0, 9.0, 8.0, 3.0], "share": [1.0 / 3.0], "small": 1e-5, "field": 0.0});
        let system = json!({"alloy": parameters});
        assert_eq!(brief(&system), "alloy temperature 30 to 3 (5 values), share [0.3333], small 1e-5, field 0");
    }
}
