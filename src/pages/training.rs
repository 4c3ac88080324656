//! The section on the training: losses, calibration of the learned noise, and the learned drift beside the pairs.

use crate::{
    evaluation::{binned_drift::BinnedDrift, distributions::Density},
    files::trainings::Training,
    learning::sde::calibration,
    pages::roles::roles,
    report::{Axis, Block, Cell, Colour, Figure, Section, Series, SmallMultiples, Table},
    scores::ModelKind,
};

/// Largest error of a residual variance without a warning.
const TOLERANCE: f64 = 0.1;
/// The section on the training. `names` are those of the components. `learned` is the seed and the drift of our first
/// model. If there are fewer coordinates than components, a coordinate is named by its index.
pub fn training(trainings: &[Training], names: &[String], learned: (u64, &[BinnedDrift])) -> Section {
    let coordinates = trainings.first().map_or(0, |training| training.calibration.len());
    let numbered: Vec<String> = (0..coordinates).map(|index| format!("coordinate {index}")).collect();
    let coordinates = if coordinates < names.len() { &numbered[..] } else { names };
    let section =
        warnings(trainings, coordinates).into_iter().map(Block::Warning).fold(Section::new("Training"), Section::with);
    section
        .with(Block::Figure(losses(trainings)))
        .with(Block::Table(variances(trainings, coordinates)))
        .with(Block::Multiples(residuals(trainings, coordinates)))
        .with(Block::Multiples(drift(learned.0, learned.1, names)))
}

/// One warning for each component of our models with a wrong learned noise.
fn warnings(trainings: &[Training], names: &[String]) -> Vec<String> {
    let ours = trainings.iter().filter(|training| training.kind == ModelKind::Ours);
    let all = ours.flat_map(|training| names.iter().zip(&training.calibration).map(move |pair| (training.seed, pair)));
    all.filter(|(_, (_, variance))| (*variance - 1.0).abs() > TOLERANCE)
        .map(|(seed, (name, variance))| {
            let side = if *variance > 1.0 { "small" } else { "large" };
            format!(
                "The learned noise of {name} (ours, seed {seed}) is too {side}: the variance of its normalised \
                 residuals is {variance:.2} instead of 1, and the error of sigma is about {:.0} %. Train for more \
                 epochs, use more pairs, or choose a state-dependent diffusion.",
                100.0 * (1.0 - variance.sqrt()).abs(),
            )
        })
        .collect()
}

fn losses(trainings: &[Training]) -> Figure {
    let mut figure = Figure::new("Loss", Axis::linear("epoch"), Axis::linear("validation loss minus its minimum"));
    for training in trainings {
        let (label, colour) = roles(training.kind);
        let losses: Vec<f64> = training.curve.iter().map(|record| record.validation_loss).collect();
        let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
        let epochs: Vec<f64> = training.curve.iter().map(|record| record.epoch as f64).collect();
        let above: Vec<f64> = losses.iter().map(|loss| loss - least).collect();
        figure = figure.with(Series::line(label, colour, &epochs, &above));
    }
    figure.described("One line per seed.", "a plateau before the last epoch.")
}

fn variances(trainings: &[Training], names: &[String]) -> Table {
    let mut table = Table::new(
        "Calibration of the learned noise",
        &["model", "lambda", "component", "variance of normalised residuals"],
    )
    .described("It is 1 if the diffusion is right.", "values within a few per cent of 1.");
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
        "Increments minus learned drift, divided by the learned noise. One line per seed.",
        "the normal distribution. A wider one means too little learned noise. Long tails mean increments that are not \
         Gaussian.",
    )
}

/// Mean rate of change in bins of each component, and mean learned drift over the same pairs.
fn drift(seed: u64, binned: &[BinnedDrift], names: &[String]) -> SmallMultiples {
    let panel = |(name, binned): (&String, &BinnedDrift)| {
        Figure::new(name, Axis::linear(name), Axis::linear("drift"))
            .with(Series::points("pairs", Colour::Truth, &binned.centre, &binned.found).with_band(&binned.error))
            .with(Series::line("ours", Colour::Ours, &binned.centre, &binned.learned))
    };
    SmallMultiples::new("Drift", names.iter().zip(binned).map(panel).collect()).described(
        format!("Mean rate of change of each component against itself, over the training pairs; seed {seed}."),
        "a line through the points. Error bars are one standard error.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_noise_has_a_warning() {
        let training = |kind, variances: [f64; 2]| Training {
            kind,
            seed: 7,
            covariance_factor: 1.0,
            calibration: variances.into(),
            residuals: Vec::new(),
            held_out: None,
            curve: Vec::new(),
        };
        let names = ["M".to_owned(), "closure 0".to_owned()];
        let found =
            warnings(&[training(ModelKind::Ours, [0.95, 1.44]), training(ModelKind::Baseline, [3.0, 1.0])], &names);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("closure 0 (ours, seed 7) is too small") && found[0].contains("about 20 %"));
    }
}
