//! Figures of the equilibrium distributions of one run, and of all points of a sweep.

use crate::{
    config::Input,
    evaluation::{
        Metrics, Observable,
        distributions::{common_edges, density},
    },
    pages::roles::{Names, roles},
    report::{Axis, Block, Cell, Colour, Figure, Section, Series, SmallMultiples, Table},
    scores::{Evidence, Key, ModelKind, Source},
};
use ndarray::{Array2, ArrayView3, concatenate, s};

/// Bins of a histogram.
const BINS: usize = 60;
/// Largest number of records that a panel draws of a trajectory.
const RECORDS: usize = 500;

/// The section on the distributions of one run, without ensembles in which all trajectories have diverged.
pub fn distributions(input: &Input, names: &Names, evidence: &Evidence, metrics: &Metrics) -> Section {
    let (part, observables) = (input.evaluate.equilibrium, evidence.observables);
    let mut section = Section::new("Equilibrium distributions");
    let conditions = evidence.conditions.len();
    if conditions > 1 {
        let axes = input.system.condition_axes();
        let (figure, title): (fn(&Input, &Metrics, &Observable) -> Figure, _) = match &axes[..] {
            [axis] => (against_condition, format!("Equilibrium against {}", axis.name)),
            _ => (against_truth, "Equilibrium at all conditions against the truth".into()),
        };
        let panels = observables.iter().map(|observable| figure(input, metrics, observable)).collect();
        section = section.with(Block::Multiples(SmallMultiples::new(title, panels).described(
            format!("Means over the last {:.0} % of all trajectories, with one standard error.", 100.0 * part),
            "a line through the points.",
        )));
        section = section.with(Block::Table(at_each_condition(input, metrics, observables)));
    }
    histograms_of_all(names, evidence).into_iter().fold(section, Section::with)
}

/// The distributions of every observable, one panel for each condition.
pub fn histograms_of_all(names: &Names, evidence: &Evidence) -> Vec<Block> {
    let caption = format!("Last {:.0} % of every trajectory.", 100.0 * evidence.choices.equilibrium);
    let look_for = "equal position and equal width.";
    let conditions = evidence.conditions.len();
    let of_observable = |(component, observable): (usize, &Observable)| {
        let panel =
            |condition, title: &str| histograms(evidence, title.trim_end(), observable.symbol, (component, condition));
        let title = format!("P({})", observable.symbol);
        if conditions > 1 {
            let panels = (0..conditions).map(|condition| panel(condition, &names.conditions[condition]));
            let panels = SmallMultiples::new(title, panels.collect());
            Block::Multiples(panels.described(caption.clone(), look_for))
        } else {
            Block::Figure(panel(0, &title).described(caption.clone(), look_for))
        }
    };
    evidence.observables.iter().enumerate().map(of_observable).collect()
}

/// Distributions of every observable, and the first observable along one trajectory, with one panel per point of a
/// sweep. Empty for families of systems.
pub fn panels(points: &[(String, Evidence)]) -> Vec<SmallMultiples> {
    let Some((_, first)) = points.first().filter(|(_, first)| first.conditions.len() == 1) else { return Vec::new() };
    let symbol = first.observables[0].symbol;
    let of_each = first.observables.iter().enumerate().map(|(component, observable)| {
        let panel =
            |(label, evidence): &(String, Evidence)| histograms(evidence, label, observable.symbol, (component, 0));
        SmallMultiples::new(format!("P({}) at each point", observable.symbol), points.iter().map(panel).collect())
            .described("Equilibrium part of every trajectory, all training seeds.", "equal position and equal width.")
    });
    let trajectories = points.iter().map(|(label, evidence)| trajectory(evidence, label, symbol)).collect();
    let along = SmallMultiples::new(format!("{symbol} along one trajectory"), trajectories).described(
        "First trajectory of the truth and its prediction by the first model.",
        "equal width and equal residence times.",
    );
    of_each.chain([along]).collect()
}

/// The first component along the first trajectory of the truth and of every kind of model.
fn trajectory(evidence: &Evidence, title: &str, symbol: &str) -> Figure {
    let every = evidence.times.len().div_ceil(RECORDS);
    let line = |label: &str, colour: Colour, ensemble: ArrayView3<f64>| {
        let values = ensemble.slice(s![0, .., 0]).to_vec();
        let [x, y] = [&evidence.times, &values].map(|all| all.iter().copied().step_by(every).collect::<Vec<_>>());
        Series::line(label, colour, &x, &y)
    };
    let mut figure = Figure::new(title, Axis::linear("time"), Axis::linear(symbol));
    for (kind, models) in evidence.models.iter().rev() {
        let (label, colour) = roles(*kind);
        figure = figure.with(line(label, colour, models.index_axis(ndarray::Axis(0), 0)));
    }
    figure.with(line("truth", Colour::Truth, evidence.truth.view()))
}

/// Distributions of one component of truth and models at one condition.
fn histograms(evidence: &Evidence, title: &str, symbol: &str, (component, condition): (usize, usize)) -> Figure {
    let sample = |ensemble| evidence.equilibrium(ensemble, component, condition);
    let mut all = vec![("truth", Colour::Truth, evidence.true_equilibrium(component, condition))];
    for (kind, models) in &evidence.models {
        let (label, colour) = roles(*kind);
        // The trajectories of all models, one model after another.
        let samples: Vec<Array2<f64>> = models.outer_iter().map(sample).collect();
        let views: Vec<_> = samples.iter().map(|sample| sample.view()).collect();
        all.push((label, colour, concatenate(ndarray::Axis(0), &views).expect("models have equal ensembles")));
    }
    // The bins cover the truth, and our prediction up to one width of the truth on either side.
    let ours = beside(&all[0].2, &all[1].2);
    let views = [all[0].2.view(), ours.view()];
    let mut figure = Figure::new(title, Axis::linear(symbol), Axis::linear("probability density"));
    if let Ok(edges) = common_edges(&views, BINS).map(|edges| on_steps(edges, &all[0].2)) {
        for (label, colour, sample) in &all {
            if let Ok(found) = density(sample.view(), &edges, evidence.choices.resamples, evidence.choices.seed) {
                figure = figure.with(Series::histogram(*label, *colour, &found));
            }
        }
    }
    figure
}

/// Edges of bins of whole steps of a quantity with discrete values: half a step off the values. Others stay as they are.
fn on_steps(edges: Vec<f64>, truth: &Array2<f64>) -> Vec<f64> {
    let mut values: Vec<f64> = truth.iter().copied().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = (edges[0], edges[edges.len() - 1]);
    let gaps = values.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 1e-9 * (high - low));
    let step = gaps.fold(f64::INFINITY, f64::min);
    let width = (high - low) / (edges.len() - 1) as f64;
    // Steps much finer than the bins leave no pattern.
    if !(step > 0.05 * width && step.is_finite()) {
        return edges;
    }
    let width = (width / step).ceil() * step;
    let start = values[0] - 0.5 * step - ((values[0] - low) / width).ceil() * width;
    let bins = ((high - start) / width).ceil() as usize + 1;
    (0..=bins).map(|edge| start + edge as f64 * width).collect()
}

/// A prediction, clamped to the range of the truth plus its width on either side.
fn beside(truth: &Array2<f64>, prediction: &Array2<f64>) -> Array2<f64> {
    let finite = truth.iter().copied().filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    // Without a finite truth the result is not finite, and there is no figure.
    prediction.mapv(|value| if value.is_nan() { value } else { value.max(2.0 * low - high).min(2.0 * high - low) })
}

/// The equilibrium means at each condition as a table, with the simulated time and the change during the equilibrium
/// part.
fn at_each_condition(input: &Input, metrics: &Metrics, observables: &[Observable]) -> Table {
    let system = &input.system;
    let span = input.truth_duration();
    let symbols: Vec<&str> = observables.iter().map(|observable| observable.symbol).collect();
    let heads = [&["condition", "time simulated, s", ""], &symbols[..], &["change", "deviation"]].concat();
    let mut table = Table::new("Equilibrium at each condition", &heads).described(
        format!(
            "Means over the last {:.0} %, with one standard error. Change: the difference between the two halves of \
             that part, for the observable with the largest one. Deviation: mean distance of ours from the truth.",
            100.0 * input.evaluate.equilibrium
        ),
        "equal rows. A change well above the errors means that the system is not in equilibrium. Truth and prediction \
         are then compared at equal times.",
    );
    for (index, condition) in system.conditions().iter().enumerate() {
        let cell =
            |key: Key| metrics.get(&key.at(Some(condition)).to_string()).cloned().map_or(Cell::Empty, Cell::Metric);
        for (source, label) in [(Source::Truth, "truth"), (Source::Model(ModelKind::Ours), "ours")] {
            let time = system.seconds(index).map_or(Cell::Empty, |seconds| Cell::Number(span * seconds));
            let means =
                observables.iter().map(|found| cell(Key::new("equilibrium").of(found.name).from_source(source)));
            let deviation = if source == Source::Truth { Cell::Empty } else { cell(Key::new("equilibrium_deviation")) };
            let change = cell(Key::new("equilibrium_change").from_source(source));
            let first = [Cell::Text(system.named_condition(index).unwrap_or_default()), time, label.into()];
            table = table.row(first.into_iter().chain(means).chain([change, deviation]).collect());
        }
    }
    table
}

/// Equilibrium means of our models against those of the truth, at all conditions.
fn against_truth(input: &Input, metrics: &Metrics, observable: &Observable) -> Figure {
    let key = |source| Key::new("equilibrium").of(observable.name).from_source(source);
    let at = |condition: &_, source| metrics.get(&key(source).at(Some(condition)).to_string());
    let both = |condition: &_| Some((at(condition, Source::Truth)?, at(condition, Source::Model(ModelKind::Ours))?));
    let conditions = input.system.conditions();
    let means: Vec<_> = conditions.iter().filter_map(both).collect();
    let truth: Vec<f64> = means.iter().map(|(truth, _)| truth.value).collect();
    let ours: Vec<f64> = means.iter().map(|(_, ours)| ours.value).collect();
    let errors = means.iter().map(|(truth, ours)| truth.std_error.unwrap_or(0.0).hypot(ours.std_error.unwrap_or(0.0)));
    let ends = truth.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], &x| [low.min(x), high.max(x)]);
    Figure::new(observable.symbol, Axis::linear("truth"), Axis::linear("ours"))
        .with(Series::line("equal", Colour::Truth, &ends, &ends))
        .with(Series::points("ours", Colour::Ours, &truth, &ours).with_band(&errors.collect::<Vec<_>>()))
}

/// Equilibrium means of the truth and of our models against the condition of a family of systems.
fn against_condition(input: &Input, metrics: &Metrics, observable: &Observable) -> Figure {
    let symbol = observable.symbol;
    let mut figure = Figure::new(symbol, Axis::linear(input.system.condition_axes()[0].name), Axis::linear(symbol));
    for (source, label, colour) in
        [(Source::Truth, "truth", Colour::Truth), (Source::Model(ModelKind::Ours), "ours", Colour::Ours)]
    {
        let (mut x, mut y, mut error) = (Vec::new(), Vec::new(), Vec::new());
        for condition in &input.system.conditions() {
            let key = Key::new("equilibrium").of(observable.name).from_source(source).at(Some(condition));
            if let Some(metric) = metrics.get(&key.to_string()) {
                x.push(condition.first());
                y.push(metric.value);
                error.push(metric.std_error.unwrap_or(0.0));
            }
        }
        let series = if source == Source::Truth { Series::points } else { Series::line };
        figure = figure.with(series(label, colour, &x, &y).with_band(&error));
    }
    figure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_of_discrete_values_are_whole_steps() {
        let truth = Array2::from_shape_fn((4, 50), |(row, column)| 0.25 * ((row * 50 + column) % 21) as f64);
        let edges = on_steps(common_edges(&[truth.view()], 60).unwrap(), &truth);
        assert!(edges.windows(2).all(|pair| (pair[1] - pair[0] - 0.25).abs() < 1e-9), "{edges:?}");
        assert!(truth.iter().all(|value| edges.iter().all(|edge| (edge - value).abs() > 0.1)));
        assert!(edges[0] < 0.0 && edges[edges.len() - 1] > 5.0);
        let smooth = Array2::from_shape_fn((4, 500), |(row, column)| ((row * 500 + column) as f64).sin());
        let edges = common_edges(&[smooth.view()], 60).unwrap();
        assert_eq!(on_steps(edges.clone(), &smooth), edges);
    }
}
