//! The section "Can this model be trusted?": what speaks for and against the predictions, in plain words.

use crate::{
    config::Input,
    evaluation::{Metric, Metrics, Observable, trajectories::mean_and_spread},
    pages::roles::Names,
    report::{Axis, Block, Colour, Figure, Section, Series, SmallMultiples, table::measured},
    scores::{self, Band, Evidence},
};

/// Share of the records that a 90 % band should cover at least, and more than which it is wider than it need be.
const COVERED: [f64; 2] = [0.8, 0.97];
/// Errors of the share of held-out pairs within the 90 % interval, and of the distribution of their ranks, that are
/// worth a warning.
const HELD_OUT: [f64; 2] = [0.02, 0.03];
/// Relative error of two steps that is worth a warning, if it is more than three standard errors.
const TWO_STEPS: f64 = 0.1;
/// Spread of a closure variable over that in the direct simulation, or its inverse, that is worth a warning.
const CLOSURE_SPREAD: f64 = 1.5;
/// Share of predicted steps at the edge of the data that is worth a warning.
const AT_WALLS: f64 = 0.01;

/// A finding: a sentence, and whether it speaks against the model.
#[derive(Debug, PartialEq)]
struct Finding {
    text: String,
    against: bool,
}

/// The section, from metrics and, for its figure, predictions and truth.
pub fn trust(input: &Input, names: &Names, evidence: &Evidence, metrics: &Metrics) -> Section {
    let findings = findings(evidence.observables, metrics, input.train.seeds.len());
    let (against, others): (Vec<Finding>, Vec<Finding>) = findings.into_iter().partition(|finding| finding.against);
    let mut section = Section::new("Can this model be trusted?");
    for finding in against {
        section = section.with(Block::Warning(finding.text));
    }
    let text = others.into_iter().map(|finding| finding.text).collect::<Vec<_>>().join("\n\n");
    let figures = figures(names, evidence);
    figures.into_iter().map(Block::Multiples).fold(section.with(Block::Text(text)), Section::with)
}

fn findings(observables: &[Observable], metrics: &Metrics, seeds: usize) -> Vec<Finding> {
    let mut found: Vec<Finding> = band(observables, metrics, seeds).into_iter().collect();
    found.extend(covers(observables, metrics));
    found.extend(held_out(metrics));
    found.extend(two_steps(observables, metrics));
    found.extend(closure_spreads(metrics));
    found.extend(at_walls(metrics));
    found
}

/// Words as a list: a, b and c.
fn list(words: &[String]) -> String {
    match words {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        all => all.concat(),
    }
}

/// Values from the smallest to the largest, as `shown` writes them.
fn range(values: &[f64], shown: impl Fn(f64) -> String) -> String {
    let ends = [f64::min, f64::max].map(|end: fn(f64, f64) -> f64| values.iter().copied().fold(values[0], end));
    let [least, most] = ends.map(shown);
    if least == most { least } else { format!("{least} to {most}") }
}

/// How uncertain the predicted means are, and by what.
fn band(observables: &[Observable], metrics: &Metrics, seeds: usize) -> Option<Finding> {
    let values = |name: &str| -> Option<String> {
        let of = |observable: &Observable| Some(metrics.get(&format!("{name}_{}", observable.name))?.value);
        let found: Vec<f64> = observables.iter().filter_map(of).collect();
        (!found.is_empty()).then(|| range(&found, |value| measured(value, None)))
    };
    let total = values("band")?;
    let parts = [
        ("band_data", "from the finite number of training pairs"),
        ("band_training", "from the training, by the scatter between seeds"),
        ("band_rollout", "from the number of predicted trajectories"),
    ];
    let parts: Vec<String> =
        parts.iter().filter_map(|(name, from)| Some(format!("{} {from}", values(name)?))).collect();
    let symbols: Vec<String> = observables.iter().map(|observable| observable.symbol.to_owned()).collect();
    let mean = if observables.len() > 1 { "means" } else { "mean" };
    let are = if observables.len() > 1 { "are" } else { "is" };
    let mut text = format!(
        "The predicted {mean} of {} {are} known to within {total} (one standard error, root mean square over starts and \
         times): {}.",
        list(&symbols),
        parts.join(", ")
    );
    if values("band_data").is_none() {
        text += " The error from the finite number of pairs is not in it: it needs train.draws above 0.";
    }
    if seeds == 1 {
        text += " Only one model was trained, so the scatter between trainings is not in it; list more train.seeds.";
    }
    Some(Finding { text, against: false })
}

/// Whether the band explains the distance from the direct simulation: a finding for the observables of each verdict.
fn covers(observables: &[Observable], metrics: &Metrics) -> Vec<Finding> {
    let share = |observable: &Observable| Some(metrics.get(&format!("band_covers_{}", observable.name))?.value);
    let shares: Vec<(&Observable, f64)> = observables.iter().filter_map(|one| Some((one, share(one)?))).collect();
    let verdicts: [(f64, f64, &str); 3] = [
        (
            f64::NEG_INFINITY,
            COVERED[0],
            "The model has an error that more data of the same kind, more seeds and more trajectories do not cure: in the \
             closure, the upsampled states or dt.",
        ),
        (COVERED[0], COVERED[1], "The difference between model and truth is what finite data explain."),
        (COVERED[1], f64::INFINITY, "The model is at least as good as its band says."),
    ];
    let finding = |(index, (from, to, verdict)): (usize, (f64, f64, &str))| {
        let such = shares.iter().filter(|(_, share)| (from..to).contains(share));
        let (symbols, values): (Vec<String>, Vec<f64>) =
            such.map(|(observable, share)| (observable.symbol.to_owned(), 100.0 * share)).unzip();
        if symbols.is_empty() {
            return None;
        }
        let (mean, lies) = if symbols.len() > 1 { ("means", "lie") } else { ("mean", "lies") };
        let text = format!(
            "At {} % of the records the {mean} of {} of the direct simulation {lies} within the 90 % band of the prediction \
             (with the simulation's own error). {verdict}",
            range(&values, |value| format!("{value:.0}")),
            list(&symbols)
        );
        Some(Finding { text, against: index == 0 })
    };
    verdicts.into_iter().enumerate().filter_map(finding).collect()
}

/// Whether the increments of held-out pairs are distributed as the model says: a finding for the coordinates of each
/// verdict.
fn held_out(metrics: &Metrics) -> Vec<Finding> {
    let of = |coordinate: usize| {
        let get = |name: &str| metrics.get(&format!("held_out_{name}_component_{coordinate}"));
        Some((coordinate, get("within_90")?.value, get("distance")?))
    };
    let all: Vec<(usize, f64, &Metric)> = (0..).map_while(of).collect();
    let Some((_, _, Metric { samples, .. })) = all.first() else { return Vec::new() };
    let pairs = *samples as f64;
    let chance = 1.63 / pairs.sqrt();
    // Three standard errors of a share of 0.9.
    let tolerated = HELD_OUT[0].max(0.9 / pairs.sqrt());
    let verdict_of = |share: f64, distance: f64| match () {
        () if share < 0.9 - tolerated => "The learned noise is too narrow.",
        () if share > 0.9 + tolerated => "The learned noise is too wide.",
        () if distance > HELD_OUT[1].max(chance) => {
            "The increments are not normally distributed, which the model takes them to be."
        }
        () => RIGHT_NOISE,
    };
    let mut findings: Vec<Finding> = Vec::new();
    let verdicts: Vec<&str> = all.iter().map(|(_, share, distance)| verdict_of(*share, distance.value)).collect();
    for (first, verdict) in verdicts.iter().enumerate() {
        if verdicts[..first].contains(verdict) {
            continue;
        }
        let such = all.iter().zip(&verdicts).filter(|(_, other)| *other == verdict).map(|(one, _)| one);
        let coordinates: Vec<String> = such.clone().map(|(coordinate, ..)| coordinate.to_string()).collect();
        let shares: Vec<f64> = such.clone().map(|(_, share, _)| 100.0 * share).collect();
        let distance = such.map(|(_, _, distance)| distance.value).fold(0.0, f64::max);
        let text = format!(
            "Of the increments of coordinate{} {} that the training did not see, {} % lie within the model's 90 % interval. \
             The distribution of their ranks differs from the uniform one by at most {distance:.3}; independent pairs of \
             the model itself would differ by less than {chance:.3} in 99 of 100 cases. {verdict}",
            if coordinates.len() > 1 { "s" } else { "" },
            list(&coordinates),
            range(&shares, |share| format!("{share:.1}")),
        );
        findings.push(Finding { text, against: *verdict != RIGHT_NOISE });
    }
    findings
}

const RIGHT_NOISE: &str = "The learned noise has the right width and shape.";

/// Whether the dynamics has memory beyond dt, or increments depend on dt for another reason.
fn two_steps(observables: &[Observable], metrics: &Metrics) -> Vec<Finding> {
    let off = |metric: &Metric, right: f64| {
        let distance = (metric.value - right).abs();
        distance > TWO_STEPS && distance > 3.0 * metric.std_error.unwrap_or(f64::INFINITY)
    };
    let percent = |value: f64, metric: &Metric| measured(100.0 * value, metric.std_error.map(|error| 100.0 * error));
    let of = |observable: &Observable| {
        let get = |name: &str| metrics.get(&format!("two_steps_{name}_{}", observable.name));
        let (drift, spread) = (get("drift")?, get("spread")?);
        let further = if drift.value < 0.0 { "less far" } else { "further" };
        let goes = format!("{} {} % {further}", observable.symbol, percent(drift.value.abs(), drift));
        Some((off(drift, 0.0) || off(spread, 1.0), goes, percent(spread.value, spread)))
    };
    let all: Vec<(bool, String, String)> = observables.iter().filter_map(of).collect();
    let finding = |wanted: bool| {
        let such = all.iter().filter(|(against, ..)| *against == wanted);
        let (goes, spreads): (Vec<String>, Vec<String>) =
            such.map(|(_, goes, spread)| (goes.clone(), format!("{spread} %"))).unzip();
        let verdict = if wanted {
            "Steps of dt do not explain what happens in 2 dt: the system remembers more than these variables, or the frozen \
             surroundings of a patch hold it back. Predictions depend on dt; change evolve.until, evolve.surroundings or \
             the closure."
        } else {
            "Two steps explain twice the time."
        };
        let text = format!(
            "Pairs of twice the length go, against two steps of the model: {}. The variance about these is {} of the \
             model's. {verdict}",
            list(&goes),
            list(&spreads)
        );
        (!goes.is_empty()).then_some(Finding { text, against: wanted })
    };
    [true, false].into_iter().filter_map(finding).collect()
}

/// Whether closure variables fluctuate in predictions as they do in the direct simulation.
fn closure_spreads(metrics: &Metrics) -> Vec<Finding> {
    let all: Vec<(usize, &Metric)> =
        (0..).map_while(|index| Some((index, metrics.get(&format!("closure_spread_{index}"))?))).collect();
    let off = |ratio: f64| !(1.0 / CLOSURE_SPREAD..=CLOSURE_SPREAD).contains(&ratio);
    let finding = |wanted: bool| {
        let such = all.iter().filter(|(_, ratio)| off(ratio.value) == wanted);
        let (names, ratios): (Vec<String>, Vec<String>) =
            such.map(|(index, ratio)| (index.to_string(), measured(ratio.value, ratio.std_error))).unzip();
        let verdict = if wanted {
            "The increments of the pairs contradict their states, or the function is not the same quantity in a small system \
             as in the large one. Choose other closure variables, or none."
        } else {
            "The pairs describe the same quantity as the direct simulation."
        };
        let text = format!(
            "Closure variable{} in late predictions {} times as widely as in the direct simulation. {verdict}",
            if names.len() > 1 { format!("s {} spread", list(&names)) } else { format!(" {} spreads", list(&names)) },
            list(&ratios)
        );
        (!names.is_empty()).then_some(Finding { text, against: wanted })
    };
    [true, false].into_iter().filter_map(finding).collect()
}

/// How much of the prediction has no data.
fn at_walls(metrics: &Metrics) -> Option<Finding> {
    let share = metrics.get("at_walls")?.value;
    let against = share > AT_WALLS;
    let verdict = if against {
        "There the model knows nothing: simulate more trajectories, or starts that reach further."
    } else {
        "Nearly all of the prediction rests on data."
    };
    let text = format!(
        "In {} % of their steps predicted trajectories left the training data and were moved back to their edge. {verdict}",
        measured(100.0 * share, None)
    );
    Some(Finding { text, against })
}

/// The 90 % bands of the mean predictions, and the mean of the direct simulation.
fn figures(names: &Names, evidence: &Evidence) -> Vec<SmallMultiples> {
    let bands = scores::bands(evidence);
    let truth: Vec<_> = (0..evidence.groups())
        .map(|index| mean_and_spread(scores::group(evidence.truth.view(), index, evidence.groups())))
        .collect();
    let panel = |group: usize, component: usize, title: &str| {
        let band: &Band = &bands[group];
        let ninety: Vec<f64> = band.total().column(component).iter().map(|error| scores::NINETY * error).collect();
        let found = band.mean.column(component).to_vec();
        let (x, times) = (names.time_axis(group, &evidence.times), names.times_of(group, &evidence.times));
        Figure::new(title, x, Axis::linear(evidence.observables[component].symbol))
            .with(Series::line("truth", Colour::Truth, &times, &truth[group].mean.column(component).to_vec()))
            .with(Series::line("ours", Colour::Ours, &times, &found).with_band(&ninety))
    };
    let multiples = |title: String, panels| {
        SmallMultiples::new(title, panels).described(
            "Mean over all our models and trajectories, with its 90 % band from finite data, training and finite number \
             of trajectories. The band holds no error that all models have in common.",
            "a truth within the band.",
        )
    };
    let observables = evidence.observables.iter().enumerate();
    if bands.len() == 1 {
        let panels = observables.map(|(component, observable)| panel(0, component, observable.symbol)).collect();
        return vec![multiples("Error bands of the means".to_owned(), panels)];
    }
    let of_each = |(component, observable): (usize, &Observable)| {
        let panels = (0..evidence.groups()).map(|group| panel(group, component, &names.groups[group])).collect();
        multiples(format!("Error band of the mean {}", observable.symbol), panels)
    };
    observables.map(of_each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    const M: Observable = Observable { name: "m", symbol: "M", unit: "1", scaled: false };

    /// Findings of a model with this coverage, share within the 90 % interval, distance of ranks and share at walls.
    fn found(values: [f64; 4], seeds: usize) -> Vec<Finding> {
        let names = ["band_covers_m", "held_out_within_90_component_0", "held_out_distance_component_0", "at_walls"];
        let mut metrics = Metrics::new();
        metrics.insert("band_m", Metric::exact(0.02, 10, "1"));
        metrics.insert("band_rollout_m", Metric::exact(0.01, 10, "1"));
        metrics.insert("two_steps_drift_m", Metric::new(values[0] - 0.92, Some(0.01), 100, "1"));
        metrics.insert("two_steps_spread_m", Metric::new(1.0, Some(0.01), 100, "1"));
        for (name, value) in names.into_iter().zip(values) {
            metrics.insert(name, Metric::exact(value, 10_000, "1"));
        }
        findings(&[M], &metrics, seeds)
    }

    #[test]
    fn findings_against_a_model_are_told_from_others() {
        let good = found([0.9, 0.9, 0.01, 0.001], 3);
        assert_eq!(good.len(), 5);
        assert!(good.iter().all(|finding| !finding.against), "{good:?}");
        assert!(good[0].text.contains("within 0.02") && good[0].text.contains("needs train.draws above 0"));
        assert!(!good[0].text.contains("Only one model"));
        let bad = found([0.5, 0.8, 0.1, 0.2], 1);
        assert!(bad[0].text.contains("Only one model"));
        assert!(bad[1..].iter().all(|finding| finding.against), "{bad:?}");
        assert!(bad[2].text.contains("too narrow") && bad[4].text.contains("In 20 % of their steps"));
        assert!(bad[3].text.contains("M 42.0 ± 1.0 % less far"), "{}", bad[3].text);
        assert!(found([0.9, 0.9, 0.05, 0.0], 3)[2].text.contains("not normally distributed"));
    }

    #[test]
    fn closure_variables_that_spread_otherwise_than_in_the_truth_are_named() {
        let mut metrics = Metrics::new();
        for (index, ratio) in [1.1, 2.6, 0.5].into_iter().enumerate() {
            metrics.insert(format!("closure_spread_{index}"), Metric::new(ratio, Some(0.1), 10, "1"));
        }
        let found = closure_spreads(&metrics);
        assert!(found[0].against && found[0].text.contains("variables 1 and 2 spread "), "{found:?}");
        assert!(!found[1].against && found[1].text.contains("variable 0 spreads in late predictions 1.1"), "{found:?}");
        assert_eq!(found.len(), 2);
    }
}
