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
    let mut found: Vec<Finding> =
        observables.iter().filter_map(|observable| band(observable, metrics, seeds)).collect();
    found.extend(observables.iter().filter_map(|observable| covers(observable, metrics)));
    found.extend(held_out(metrics));
    found.extend(observables.iter().filter_map(|observable| two_steps(observable, metrics)));
    found.extend(at_walls(metrics));
    found
}

/// How uncertain the predicted mean is, and by what.
fn band(observable: &Observable, metrics: &Metrics, seeds: usize) -> Option<Finding> {
    let value = |name: &str| metrics.get(&format!("{name}_{}", observable.name)).map(|metric| metric.value);
    let total = value("band")?;
    let parts = [
        ("band_data", "from the finite number of training pairs"),
        ("band_training", "from the training, by the scatter between seeds"),
        ("band_rollout", "from the number of predicted trajectories"),
    ];
    let parts: Vec<String> =
        parts.iter().filter_map(|(name, from)| Some(format!("{} {from}", measured(value(name)?, None)))).collect();
    let mut text = format!(
        "The predicted mean of {} is known to within {} (one standard error, root mean square over starts and times): {}.",
        observable.symbol,
        measured(total, None),
        parts.join(", ")
    );
    if value("band_data").is_none() {
        text += " The error from the finite number of pairs is not in it: it is known for drifts by a perceptron and for \
                 reversible ones, with train.draws above 0.";
    }
    if seeds == 1 {
        text += " Only one model was trained, so the scatter between trainings is not in it; list more train.seeds.";
    }
    Some(Finding { text, against: false })
}

/// Whether the band explains the distance from the direct simulation.
fn covers(observable: &Observable, metrics: &Metrics) -> Option<Finding> {
    let share = metrics.get(&format!("band_covers_{}", observable.name))?.value;
    let verdict = if share < COVERED[0] {
        "The model has an error that more data of the same kind, more seeds and more trajectories do not cure: \
         in the closure, the upsampled states or dt."
    } else if share > COVERED[1] {
        "The model is at least as good as its band says."
    } else {
        "The difference between model and truth is what finite data explain."
    };
    let text = format!(
        "At {:.0} % of the records the mean {} of the direct simulation lies within the 90 % band of the prediction \
         (with the simulation's own error). {verdict}",
        100.0 * share,
        observable.symbol
    );
    Some(Finding { text, against: share < COVERED[0] })
}

/// Whether the increments of held-out pairs are distributed as the model says.
fn held_out(metrics: &Metrics) -> Vec<Finding> {
    let of = |coordinate: usize| {
        let get = |name: &str| metrics.get(&format!("held_out_{name}_component_{coordinate}"));
        let (share, distance) = (get("within_90")?.value, get("distance")?);
        let (pairs, distance) = (distance.samples, distance.value);
        let chance = 1.63 / (pairs as f64).sqrt();
        // Three standard errors of a share of 0.9.
        let tolerated = HELD_OUT[0].max(0.9 / (pairs as f64).sqrt());
        let wrong = (share - 0.9).abs() > tolerated || distance > HELD_OUT[1].max(chance);
        let verdict = match wrong {
            false => "The learned noise has the right width and shape.",
            true if share < 0.9 - tolerated => "The learned noise is too narrow.",
            true if share > 0.9 + tolerated => "The learned noise is too wide.",
            true => "The increments are not normally distributed, which the model takes them to be.",
        };
        let text = format!(
            "Of the increments of coordinate {coordinate} that the training did not see, {:.1} % lie within the model's \
             90 % interval. The distribution of their ranks differs from the uniform one by at most {distance:.3}; \
             independent pairs of the model itself would differ by less than {chance:.3} in 99 of 100 cases. {verdict}",
            100.0 * share,
        );
        Some(Finding { text, against: wrong })
    };
    (0..).map_while(of).collect()
}

/// Whether the dynamics has memory beyond dt, or increments depend on dt for another reason.
fn two_steps(observable: &Observable, metrics: &Metrics) -> Option<Finding> {
    let get = |name: &str| metrics.get(&format!("two_steps_{name}_{}", observable.name));
    let (drift, spread) = (get("drift")?, get("spread")?);
    let off = |metric: &Metric, right: f64| {
        let distance = (metric.value - right).abs();
        distance > TWO_STEPS && distance > 3.0 * metric.std_error.unwrap_or(f64::INFINITY)
    };
    let against = off(drift, 0.0) || off(spread, 1.0);
    let verdict = if against {
        "Steps of dt do not explain what happens in 2 dt: the system remembers more than these variables, or the frozen \
         surroundings of a patch hold it back. Predictions depend on dt; change evolve.until, evolve.surroundings or the \
         closure."
    } else {
        "Two steps explain twice the time."
    };
    let percent = |value: f64, metric: &Metric| measured(100.0 * value, metric.std_error.map(|error| 100.0 * error));
    let further = if drift.value < 0.0 { "less far" } else { "further" };
    let text = format!(
        "In twice the time of the training pairs {} goes {} % {further} than in two steps of the model, and the variance \
         about them is {} % of the model's. {verdict}",
        observable.symbol,
        percent(drift.value.abs(), drift),
        percent(spread.value, spread),
    );
    Some(Finding { text, against })
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
    let panel = |group: usize, component: usize| {
        let band: &Band = &bands[group];
        let ninety: Vec<f64> = band.total().column(component).iter().map(|error| scores::NINETY * error).collect();
        let found = band.mean.column(component).to_vec();
        let (x, times) = (names.time_axis(group, &evidence.times), names.times_of(group, &evidence.times));
        Figure::new(&names.groups[group], x, Axis::linear(evidence.observables[component].symbol))
            .with(Series::line("truth", Colour::Truth, &times, &truth[group].mean.column(component).to_vec()))
            .with(Series::line("ours", Colour::Ours, &times, &found).with_band(&ninety))
    };
    let multiples = |(component, observable): (usize, &Observable)| {
        let panels = (0..evidence.groups()).map(|group| panel(group, component)).collect();
        SmallMultiples::new(format!("Error band of the mean {}", observable.name.replace('_', " ")), panels).described(
            "Mean over all our models and trajectories, with its 90 % band from finite data, training and finite number \
             of trajectories. The band holds no error that all models have in common.",
            "a truth within the band.",
        )
    };
    evidence.observables.iter().enumerate().map(multiples).collect()
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
        assert!(good[0].text.contains("within 0.02") && good[0].text.contains("is known for drifts by a perceptron"));
        assert!(!good[0].text.contains("Only one model"));
        let bad = found([0.5, 0.8, 0.1, 0.2], 1);
        assert!(bad[0].text.contains("Only one model"));
        assert!(bad[1..].iter().all(|finding| finding.against), "{bad:?}");
        assert!(bad[2].text.contains("too narrow") && bad[4].text.contains("In 20 % of their steps"));
        assert!(bad[3].text.contains("M goes 42.0 ± 1.0 % less far"), "{}", bad[3].text);
        assert!(found([0.9, 0.9, 0.05, 0.0], 3)[2].text.contains("not normally distributed"));
    }
}
