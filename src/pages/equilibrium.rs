//! Figures of the equilibrium distributions: those of one run, and those of all points of a sweep side by side.

use crate::{
    evaluation::{
        Metrics,
        distributions::{common_edges, density},
    },
    files::{conditions, ensembles::Ensembles},
    pages::roles::roles,
    report::{Axis, Block, Cell, Colour, Figure, Section, Series, SmallMultiples, Table},
    systems::{Observable, System, with_system},
    workflow::{Context, StageError},
};
use ndarray::{Array2, ArrayView3, concatenate};

/// Bins of a histogram.
const BINS: usize = 60;
/// Most records of a trajectory that a panel draws.
const RECORDS: usize = 500;

/// The section on the distributions of one run. Ensembles without a finite trajectory are left out.
pub fn distributions(
    context: &Context,
    ensembles: &Ensembles,
    metrics: &Metrics,
    observables: &[Observable],
) -> Section {
    let part = context.input.evaluate.equilibrium;
    let mut section = Section::new("Equilibrium distributions");
    let conditions = context.input.system.conditions().len().max(1);
    let caption = format!("Last {:.0} % of every trajectory.", 100.0 * part);
    let look_for = "equal position and equal width.";
    if conditions > 1 {
        let panels = observables.iter().map(|observable| against_condition(context, metrics, observable)).collect();
        section = section.with(Block::Multiples(
            SmallMultiples::new(format!("Equilibrium against {}", conditions::NAME), panels).described(
                format!("Means over the last {:.0} % of all trajectories, with one standard error.", 100.0 * part),
                "the line through the points.",
            ),
        ));
        section = section.with(Block::Table(under_each_condition(context, metrics, observables)));
    }
    for (component, observable) in observables.iter().enumerate() {
        let panel = |condition, title: &str| {
            histograms(context, ensembles, title.trim_end(), observable.symbol, (component, condition))
        };
        let title = format!("P({})", observable.symbol);
        section = section.with(if conditions > 1 {
            let panels =
                (0..conditions).map(|condition| panel(condition, &conditions::label(context.input, condition)));
            let panels = SmallMultiples::new(title, panels.collect());
            Block::Multiples(panels.described(caption.clone(), look_for))
        } else {
            Block::Figure(panel(0, &title).described(caption.clone(), look_for))
        });
    }
    section
}

/// Distributions of every observable, and the first observable along one trajectory: a panel for each point of a sweep,
/// named by its label. Empty for a family of systems under several conditions.
///
/// # Errors
/// When a file cannot be read.
pub fn panels(points: &[Context], labels: &[String]) -> Result<Vec<SmallMultiples>, StageError> {
    let observables = with_system!(&points[0].input.system, system => observables_of(system));
    if !points[0].input.system.conditions().is_empty() {
        return Ok(Vec::new());
    }
    let mut distributions = vec![Vec::new(); observables.len()];
    let mut trajectories = Vec::new();
    for (point, label) in points.iter().zip(labels) {
        let ensembles = Ensembles::read(point)?;
        for (component, observable) in observables.iter().enumerate() {
            distributions[component].push(histograms(point, &ensembles, label, observable.symbol, (component, 0)));
        }
        trajectories.push(trajectory(&ensembles, label, observables[0].symbol));
    }
    let of_each = observables.iter().zip(distributions).map(|(observable, panels)| {
        SmallMultiples::new(format!("P({}) at each point", observable.symbol), panels)
            .described("Equilibrium part of every trajectory, all training seeds.", "equal position and equal width.")
    });
    let along = SmallMultiples::new(format!("{} along one trajectory", observables[0].symbol), trajectories).described(
        "First trajectory of the truth and its prediction by the first model.",
        "equal width, equally long stays.",
    );
    Ok(of_each.chain([along]).collect())
}

fn observables_of<S: System>(_system: &S) -> &'static [Observable] {
    S::OBSERVABLES
}

/// The first component along the first trajectory of truth and of every kind of model.
fn trajectory(ensembles: &Ensembles, title: &str, symbol: &str) -> Figure {
    let every = ensembles.times.len().div_ceil(RECORDS);
    let line = |label: &str, colour: Colour, ensemble: ArrayView3<f64>| {
        let values = ensembles.equilibrium(ensemble, 0, 1.0).row(0).to_vec();
        let [x, y] = [&ensembles.times, &values].map(|all| all.iter().copied().step_by(every).collect::<Vec<_>>());
        Series::line(label, colour, &x, &y)
    };
    let mut figure = Figure::new(title, Axis::linear("time"), Axis::linear(symbol));
    for (kind, models) in ensembles.predictions.iter().rev() {
        let (label, colour) = roles(*kind);
        figure = figure.with(line(label, colour, models.index_axis(ndarray::Axis(0), 0)));
    }
    figure.with(line("truth", Colour::Truth, ensembles.truth.view()))
}

/// Distributions of one component of truth and models under one condition.
fn histograms(
    context: &Context,
    ensembles: &Ensembles,
    title: &str,
    symbol: &str,
    (component, condition): (usize, usize),
) -> Figure {
    let choices = context.input.evaluate;
    let conditions = context.input.system.conditions().len().max(1);
    let sample = |ensemble| {
        let members = Ensembles::group(ensemble, condition, conditions);
        ensembles.equilibrium(members, component, choices.equilibrium)
    };
    let mut all = vec![("truth", Colour::Truth, sample(ensembles.truth.view()))];
    for (kind, models) in &ensembles.predictions {
        let (label, colour) = roles(*kind);
        // The same trajectories of all models, one after another.
        let samples: Vec<Array2<f64>> = models.outer_iter().map(sample).collect();
        let views: Vec<_> = samples.iter().map(|sample| sample.view()).collect();
        all.push((label, colour, concatenate(ndarray::Axis(0), &views).expect("models have equal ensembles")));
    }
    // The bins follow the truth, and our prediction up to the width of the truth beyond it; what strays farther leaves the frame.
    let ours = beside(&all[0].2, &all[1].2);
    let views = [all[0].2.view(), ours.view()];
    let mut figure = Figure::new(title, Axis::linear(symbol), Axis::linear("probability density"));
    if let Ok(edges) = common_edges(&views, BINS) {
        for (label, colour, sample) in &all {
            if let Ok(found) = density(sample.view(), &edges, choices.resamples, context.input.seed) {
                figure = figure.with(Series::histogram(*label, *colour, &found));
            }
        }
    }
    figure
}

/// A prediction drawn in to the range of the truth and its width on either side.
fn beside(truth: &Array2<f64>, prediction: &Array2<f64>) -> Array2<f64> {
    let finite = truth.iter().copied().filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    // Without a finite truth nothing finite is left, and there is no figure.
    prediction.mapv(|value| if value.is_nan() { value } else { value.max(2.0 * low - high).min(2.0 * high - low) })
}

/// The same means as a table, with the unit of time, and how far from standing still both are.
fn under_each_condition(context: &Context, metrics: &Metrics, observables: &[Observable]) -> Table {
    let (input, system) = (context.input, &context.input.system);
    let span = input.truth.interval * (input.truth.records - 1) as f64;
    let symbols: Vec<&str> = observables.iter().map(|observable| observable.symbol).collect();
    let heads = [&[conditions::NAME, "time simulated, s", ""], &symbols[..], &["change", "deviation"]].concat();
    let mut table = Table::new(format!("Equilibrium under each {}", conditions::NAME), &heads).described(
        format!(
            "Means over the last {:.0} %, with one standard error. Change: the largest, over the observables, between the two halves \
             of that part. Deviation: mean distance of ours from the truth.",
            100.0 * input.evaluate.equilibrium
        ),
        "equal rows; where the change is well above the errors, neither is in equilibrium, and both are compared at equal times.",
    );
    for (number, &condition) in system.conditions().iter().enumerate() {
        let at = conditions::suffix(input, number);
        let cell = |name: String| metrics.get(&name).cloned().map_or(Cell::Empty, Cell::Metric);
        for (quantity, label) in [("_truth", "truth"), ("", "ours")] {
            let time = system.seconds(number).map_or(Cell::Empty, |seconds| Cell::Number(span * seconds));
            let means = observables.iter().map(|found| cell(format!("equilibrium_{}{quantity}{at}", found.name)));
            let deviation = if quantity.is_empty() { cell(format!("equilibrium_deviation{at}")) } else { Cell::Empty };
            let change = cell(format!("equilibrium_change{quantity}{at}"));
            let first = [Cell::Number(condition), time, label.into()];
            table = table.row(first.into_iter().chain(means).chain([change, deviation]).collect());
        }
    }
    table
}

/// Equilibrium means of truth and of our models against the condition of a family of systems.
fn against_condition(context: &Context, metrics: &Metrics, observable: &Observable) -> Figure {
    let conditions = context.input.system.conditions();
    let symbol = observable.symbol;
    let mut figure = Figure::new(symbol, Axis::linear(conditions::NAME), Axis::linear(symbol));
    for (quantity, label, colour) in [("_truth", "truth", Colour::Truth), ("", "ours", Colour::Ours)] {
        let (mut x, mut y, mut error) = (Vec::new(), Vec::new(), Vec::new());
        for (number, &condition) in conditions.iter().enumerate() {
            let suffix = conditions::suffix(context.input, number);
            if let Some(metric) = metrics.get(&format!("equilibrium_{}{quantity}{suffix}", observable.name)) {
                x.push(condition);
                y.push(metric.value);
                error.push(metric.std_error.unwrap_or(0.0));
            }
        }
        let series = if colour == Colour::Truth { Series::points } else { Series::line };
        figure = figure.with(series(label, colour, &x, &y).with_band(&error));
    }
    figure
}
