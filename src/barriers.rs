//! Barrier models on the command line: fit a model, evaluate a model on a configuration, compare two models.

use crate::{
    dynamics::EvolveError,
    lattice::{
        Region, Window,
        bcc::{NEIGHBOURS, point},
    },
    learning::{LearningError, Regression},
    storage::write_whole,
    systems::alloy::{
        barriers::{
            self, BarrierError, Barriers,
            arrays::Arrays,
            balance::{self, Interactions},
            fitted::{OrbitModel, WIDTH},
            orbits::{FEATURES, features},
        },
        configuration::{self, Configuration, ConfigurationError},
        environment::{Environment, JUMPS, REACH, SPECIES, Sight, VACANCY, position},
        samples::{compare, environments},
    },
};
use ndarray::{Array1, Array2, ArrayView1, Axis, concatenate};
use std::{collections::HashMap, fmt::Write as _, path::Path, sync::Arc};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum BarriersError {
    /// A model of barriers cannot be used.
    #[error(transparent)]
    Model(#[from] BarrierError),
    /// A configuration cannot be used.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The fit failed.
    #[error(transparent)]
    Learning(#[from] LearningError),
    /// Annealing failed.
    #[error(transparent)]
    Evolve(#[from] EvolveError),
    /// The fitted model could not be written.
    #[error("cannot write the fitted model {path}: {reason}")]
    Write {
        /// The file.
        path: String,
        /// The reason.
        reason: String,
    },
}

/// The choices of a fit.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Environments of each kind for the fit. A tenth as many test it.
    pub environments: usize,
    /// Passes over the environments.
    pub epochs: usize,
    /// Seed.
    pub seed: u64,
    /// Whether to fit a model with exact detailed balance.
    pub balanced: bool,
}

/// Index of the first test configuration.
const TEST: u64 = 1 << 32;

/// Fits a model to a reference, writes it to `out`, and returns the table of test errors.
///
/// # Errors
/// When the reference cannot be read, the fit fails, or the file cannot be written.
pub fn fit(reference: &str, out: &Path, recipe: Recipe) -> Result<String, BarriersError> {
    let failed = |reason: String| BarriersError::Write { path: out.display().to_string(), reason };
    check_writable(out).map_err(failed)?;
    let reference = barriers::load(reference)?;
    let mut samples: [BarrierSamples; 3] = Default::default();
    for (_, environment) in environments(&reference, recipe.environments, recipe.seed, 0)? {
        let heights = reference.symmetrised(&environment);
        let plain = features(&environment);
        let (inputs, differences) = match recipe.balanced {
            true => (balance::symmetric(&plain), balance::differences(&environment, &plain)),
            false => (plain, Default::default()),
        };
        for (jump, species) in environment.targets().into_iter().enumerate().filter(|&(_, species)| species != VACANCY)
        {
            let samples = &mut samples[usize::from(species) - 1];
            samples.inputs.extend(inputs.iter().map(|lanes| lanes[jump]));
            samples.differences.extend(differences.as_flattened().iter().map(|lanes| lanes[jump]));
            samples.targets.push(heights[jump]);
        }
    }
    let mut arrays = Arrays::default();
    if recipe.balanced {
        subtract_interactions(&mut samples, recipe)?.write(&mut arrays);
    }
    for (model, (name, samples)) in (0..).zip(SPECIES[1..].iter().zip(samples)) {
        let inputs = array(samples.inputs, FEATURES);
        let fit = regression(vec![WIDTH as i64; 2], recipe, model, samples.targets.len());
        for (layer, map) in fit.fit(inputs.view(), Array1::from(samples.targets).view())?.into_iter().enumerate() {
            arrays.insert(format!("{name}.{layer}.weight"), map.weight.shape(), map.weight.iter().copied().collect());
            arrays.insert(format!("{name}.{layer}.bias"), map.bias.shape(), map.bias.to_vec());
        }
    }
    let fitted: Arc<dyn Barriers> = Arc::new(OrbitModel::new(&arrays)?);
    let table = table(fitted.as_ref(), &reference, recipe.environments / 10, recipe.seed)?;
    let description =
        HashMap::from([("recipe".to_owned(), format!("{recipe:?}")), ("test errors".to_owned(), table.clone())]);
    let bytes = arrays.to_safetensors(description).map_err(failed)?;
    write_whole(out, bytes).map_err(|error| failed(error.to_string()))?;
    Ok(table)
}

/// Checks, before the work of a fit, that its file can be written and will be read.
fn check_writable(out: &Path) -> Result<(), String> {
    if out.extension().is_none_or(|extension| extension != "safetensors") {
        return Err("its name must end in .safetensors, or no command reads it".into());
    }
    let probe = out.with_added_extension("partial");
    std::fs::File::create(&probe).and_then(|_| std::fs::remove_file(&probe)).map_err(|error| error.to_string())
}

/// The jumps of one species.
#[derive(Default)]
struct BarrierSamples {
    /// [`FEATURES`] for each jump.
    inputs: Vec<f32>,
    /// [`DIFFERENCES`] for each jump.
    differences: Vec<f32>,
    /// Barriers in eV.
    targets: Vec<f32>,
}

/// Number of differences between the surroundings of the vacancy and of the jumping atom.
const DIFFERENCES: usize = 3 * balance::SHELLS.len();

fn array(values: Vec<f32>, columns: usize) -> Array2<f32> {
    Array2::from_shape_vec((values.len() / columns, columns), values).expect("rows are whole")
}

fn regression(hidden: Vec<i64>, recipe: Recipe, model: u64, samples: usize) -> Regression {
    let batch = 512.min(samples);
    Regression {
        hidden,
        epochs: recipe.epochs,
        batch,
        learning_rate: 4e-3,
        weight_decay: 1e-3,
        seed: recipe.seed,
        model,
    }
}

/// Fits the barriers linearly to the inputs and half the differences. The coefficients of the latter give the
/// interactions, whose contribution is subtracted from the targets.
fn subtract_interactions(samples: &mut [BarrierSamples; 3], recipe: Recipe) -> Result<Interactions, BarriersError> {
    let mut fields = [balance::Fields::default(); 3];
    for (model, (samples, fields)) in (3..).zip(samples.iter().zip(&mut fields)) {
        let halves = array(samples.differences.clone(), DIFFERENCES) / 2.0;
        let inputs = concatenate![Axis(1), array(samples.inputs.clone(), FEATURES), halves];
        let fit = regression(Vec::new(), recipe, model, samples.targets.len());
        let maps = fit.fit(inputs.view(), ArrayView1::from(&samples.targets))?;
        let slope = |shell: usize, part: usize| maps[0].weight[[FEATURES + 3 * shell + part, 0]];
        *fields = [0, 1, 2].map(|shell| [0, 1].map(|part| slope(shell, part)));
    }
    let interactions = Interactions::nearest(&fields);
    for (samples, species) in samples.iter_mut().zip(1..) {
        let differences = samples.differences.as_chunks::<DIFFERENCES>().0;
        for (target, differences) in samples.targets.iter_mut().zip(differences) {
            let differences = std::array::from_fn(|shell| [0, 1, 2].map(|part| [differences[3 * shell + part]; JUMPS]));
            *target -= 0.5 * interactions.change(&differences, species, 0);
        }
    }
    Ok(interactions)
}

/// The table of errors of the first model against the second, over `count` environments of each kind.
///
/// # Errors
/// When a model cannot be read, or the reference cannot evolve an alloy.
pub fn compare_models(model: &str, reference: &str, count: usize, seed: u64) -> Result<String, BarriersError> {
    table(barriers::load(model)?.as_ref(), &barriers::load(reference)?, count, seed)
}

fn table(
    model: &dyn Barriers,
    reference: &Arc<dyn Barriers>,
    count: usize,
    seed: u64,
) -> Result<String, BarriersError> {
    let environments = environments(reference, count, seed, TEST)?;
    let mut text =
        format!("{:16} {:>9} {:>12} {:>12} {:>12}\n", "jumps", "number", "mean error", "rms error", "spread, eV");
    for (name, errors) in compare(model, reference.as_ref(), &environments) {
        let (count, mean, rms, spread) = errors.summary();
        let _ = writeln!(text, "{name:16} {count:9} {mean:12.4} {rms:12.4} {spread:12.4}");
    }
    Ok(text)
}

/// The barriers of every vacancy of a frame of a configuration, by default the last, as JSON. An entry holds the half-lattice point of the vacancy, and
/// for each of the eight jumps the direction, the jumping species and the barrier in eV, null towards a vacancy.
///
/// # Errors
/// When the model or the configuration cannot be read, or the configuration has no vacancy.
pub fn evaluate(model: &str, path: &Path, frame: Option<usize>) -> Result<String, BarriersError> {
    let model = barriers::load(model)?;
    let Configuration { lattice, frame, frames } = configuration::read(path, frame)?;
    if frames > 1 {
        eprintln!("frame {frame} of {frames} of {}", path.display());
    }
    let lattice = configuration::with_vacancy(lattice)?;
    let mut window = Window::closed(lattice.shape, REACH);
    window.load(&lattice, [0; 3]);
    let sight = Sight::new(&window);
    let vacancy = |(index, site): (usize, usize)| {
        let environment = Environment::gather(&window, &sight, site);
        let barriers = model.barriers(&environment);
        let jumps = NEIGHBOURS.iter().zip(barriers).map(|(direction, barrier)| {
            let species = SPECIES[usize::from(environment.0[position(*direction)])];
            serde_json::json!({ "direction": direction, "species": species, "barrier_eV": barrier.is_finite().then_some(barrier) })
        });
        let half_point = point(lattice.shape.coordinate(index).map(|value| value as isize));
        serde_json::json!({ "half_lattice_point": half_point, "jumps": jumps.collect::<Vec<_>>() })
    };
    let sites = window.sites_of(Region::BOX).enumerate().filter(|&(_, site)| window.values()[site] == VACANCY);
    let vacancies: Vec<_> = sites.map(vacancy).collect();
    Ok(format!("{:#}\n", serde_json::Value::from(vacancies)))
}
