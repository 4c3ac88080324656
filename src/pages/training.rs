//! What the page says of the training: losses, whether the learned noise is right, and the learned drift beside the pairs.

use crate::{
    config::models::ModelKind,
    evaluation::distributions::Density,
    files::{latent::LatentFile, trainings::Training},
    learning::{Pairs, Sde, sde::calibration},
    pages::roles::roles,
    report::{Axis, Block, Cell, Colour, Figure, Section, Series, SmallMultiples, Table},
    workflow::{Context, StageError},
};

/// Largest error of a residual variance that passes without a warning.
const TOLERANCE: f64 = 0.1;
/// Bins of a component in the figure of the drift, and fewest pairs of one.
const BINS: usize = 24;
const FEWEST: usize = 20;
/// Most pairs that the figure of the drift looks at.
const PAIRS: usize = 1_000_000;

/// The section on the training. `names` are those of the observables; closure variables follow them. Where the equation is
/// learned in fewer coordinates than there are observables, these have numbers.
///
/// # Errors
/// When a model or the pairs cannot be read.
pub fn training(context: &Context, trainings: &[Training], names: &[&str]) -> Result<Section, StageError> {
    let independent = trainings.first().map_or(0, |training| training.calibration.len());
    let closure = (0..context.input.closure.components()).map(|variable| format!("closure {variable}"));
    let components: Vec<String> = names.iter().map(|&name| name.into()).chain(closure).collect();
    let coordinates = || (0..independent).map(|coordinate| format!("coordinate {coordinate}")).collect();
    let names = if independent < components.len() { coordinates() } else { components.clone() };
    let mut section = Section::new("Training");
    for text in warnings(trainings, &names) {
        section = section.with(Block::Warning(text));
    }
    section = section.with(Block::Figure(losses(trainings))).with(Block::Table(variances(trainings, &names)));
    section = section.with(Block::Multiples(residuals(trainings, &names)));
    if let Some(training) = trainings.iter().find(|training| training.kind == ModelKind::Ours) {
        section = section.with(Block::Multiples(drift(context, training, &components)?));
    }
    Ok(section)
}

/// One sentence for each component of our models whose learned noise is off.
fn warnings(trainings: &[Training], names: &[String]) -> Vec<String> {
    let ours = trainings.iter().filter(|training| training.kind == ModelKind::Ours);
    let all = ours.flat_map(|training| names.iter().zip(&training.calibration).map(move |pair| (training.seed, pair)));
    all.filter(|(_, (_, variance))| (*variance - 1.0).abs() > TOLERANCE)
        .map(|(seed, (name, variance))| {
            let side = if *variance > 1.0 { "small" } else { "large" };
            format!(
                "The learned noise of {name} (ours, seed {seed}) is too {side}: its normalised residuals have variance \
                 {variance:.2} instead of 1, so sigma is off by about {:.0} %. Train for more epochs, take more pairs, \
                 or use a state-dependent diffusion.",
                100.0 * (1.0 - variance.sqrt()).abs(),
            )
        })
        .collect()
}

fn losses(trainings: &[Training]) -> Figure {
    let mut figure = Figure::new("Loss", Axis::linear("epoch"), Axis::linear("validation loss less its minimum"));
    for training in trainings {
        let (label, colour) = roles(training.kind);
        let losses: Vec<f64> = training.curve.iter().map(|record| record.validation_loss).collect();
        let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
        let epochs: Vec<f64> = training.curve.iter().map(|record| record.epoch as f64).collect();
        let above: Vec<f64> = losses.iter().map(|loss| loss - least).collect();
        figure = figure.with(Series::line(label, colour, &epochs, &above));
    }
    figure.described("One line a seed.", "a plateau before the last epoch.")
}

fn variances(trainings: &[Training], names: &[String]) -> Table {
    let mut table = Table::new(
        "Calibration of the learned noise",
        &["model", "lambda", "component", "variance of normalised residuals"],
    )
    .described("1 when the diffusion is right.", "values within a few per cent of 1.");
    for training in trainings {
        for (name, &variance) in names.iter().zip(&training.calibration) {
            table = table.row(vec![
                format!("{}, seed {}", roles(training.kind).0, training.seed).as_str().into(),
                Cell::Number(training.covariance_factor),
                name.as_str().into(),
                Cell::Number(variance),
            ]);
        }
    }
    table
}

fn residuals(trainings: &[Training], names: &[String]) -> SmallMultiples {
    let edges = calibration::edges();
    let centres: Vec<f64> = edges.windows(2).map(|pair| 0.5 * (pair[0] + pair[1])).collect();
    let normal: Vec<f64> = centres.iter().map(|x| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt()).collect();
    let panels = names.iter().enumerate().map(|(component, name)| {
        let mut panel = Figure::new(name, Axis::linear("normalised residual"), Axis::linear("probability density"))
            .with(Series::line("normal", Colour::Guide, &centres, &normal));
        for training in trainings {
            if let Some(density) = training.residuals.get(component) {
                let (label, colour) = roles(training.kind);
                let found = Density { edges: edges.clone(), density: density.clone(), std_error: None, diverged: 0 };
                panel = panel.with(Series::histogram(label, colour, &found));
            }
        }
        panel
    });
    SmallMultiples::new("Normalised residuals of the training pairs", panels.collect()).described(
        "Increments less learned drift, divided by the learned noise. One line a seed.",
        "the normal law: wider means too little learned noise, long tails mean increments that are not Gaussian.",
    )
}

/// Mean increment per unit of time in bins of each component, and the mean of the learned drift over the same pairs.
fn drift(context: &Context, training: &Training, names: &[String]) -> Result<SmallMultiples, StageError> {
    let pairs = LatentFile::open(context)?.pairs(context, ModelKind::Ours, 0..context.input.pairs().min(PAIRS))?;
    let model = Sde::load(&context.path(&training.kind.file(training.seed)), context.device()?)?;
    let learned = calibration::drift(&model, &pairs)?;
    let panels = names.iter().enumerate().map(|(component, name)| {
        let drift = learned.column(component).to_vec();
        let [x, found, error, mean] = binned(&pairs, component, &drift);
        Figure::new(name, Axis::linear(name.as_str()), Axis::linear("drift"))
            .with(Series::points("pairs", Colour::Truth, &x, &found).with_band(&error))
            .with(Series::line("ours", Colour::Ours, &x, &mean))
    });
    Ok(SmallMultiples::new("Drift", panels.collect()).described(
        format!(
            "Mean rate of change of each component against itself, over the training pairs; seed {}.",
            training.seed
        ),
        "a line through the points; error bars are one standard error.",
    ))
}

/// Centres of the bins of a component, mean rate of change of the pairs, its standard error, and mean learned drift.
fn binned(pairs: &Pairs, component: usize, learned: &[f32]) -> [Vec<f64>; 4] {
    let mut sorted: Vec<f32> = pairs.z.column(component).to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let at = |share: f64| sorted.get((share * sorted.len() as f64) as usize).map_or(0.0, |&value| f64::from(value));
    let (low, high) = (at(0.005), at(0.995));
    let width = (high - low) / BINS as f64;
    // Pairs, time, increment, its square, learned increment.
    let mut sums = [[0.0; 5]; BINS];
    for (row, &dt) in pairs.dt.iter().enumerate() {
        let place = ((f64::from(pairs.z[[row, component]]) - low) / width).floor();
        if (0.0..BINS as f64).contains(&place) {
            let (dt, increment) = (f64::from(dt), f64::from(pairs.increment[[row, component]]));
            let more = [1.0, dt, increment, increment * increment, f64::from(learned[row]) * dt];
            sums[place as usize].iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
    }
    let mut columns: [Vec<f64>; 4] = Default::default();
    for (bin, [count, time, increment, square, drift]) in sums.into_iter().enumerate() {
        if count >= FEWEST as f64 {
            let centre = low + (bin as f64 + 0.5) * width;
            let error = (square - increment * increment / count).max(0.0).sqrt() / time;
            columns.iter_mut().zip([centre, increment / time, error, drift / time]).for_each(|(to, x)| to.push(x));
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_that_is_off_is_named_and_only_that() {
        let training = |kind, variances: [f64; 2]| Training {
            kind,
            seed: 7,
            covariance_factor: 1.0,
            calibration: variances.into(),
            residuals: Vec::new(),
            curve: Vec::new(),
        };
        let names = ["M".to_owned(), "closure 0".to_owned()];
        let found =
            warnings(&[training(ModelKind::Ours, [0.95, 1.44]), training(ModelKind::Baseline, [3.0, 1.0])], &names);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("closure 0 (ours, seed 7) is too small") && found[0].contains("about 20 %"));
    }

    #[test]
    fn drift_of_the_pairs_is_found_in_bins() {
        const COUNT: usize = 4000;
        let z = ndarray::Array2::from_shape_fn((COUNT, 1), |(row, _)| row as f32 / COUNT as f32);
        let pairs = Pairs {
            increment: z.mapv(|z| -2.0 * z * 0.1),
            z,
            dt: ndarray::Array1::from_elem(COUNT, 0.1),
            trajectory: ndarray::Array1::zeros(COUNT),
            condition: None,
        };
        let [centres, found, _, learned] = binned(&pairs, 0, &[1.0; COUNT]);
        assert_eq!(centres.len(), BINS);
        assert!(centres.iter().zip(&found).all(|(z, rate)| (rate + 2.0 * z).abs() < 1e-3), "{found:?}");
        assert!(learned.iter().all(|rate| (rate - 1.0).abs() < 1e-6));
    }
}
