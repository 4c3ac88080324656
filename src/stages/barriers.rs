//! Barrier models on the command line: fit the built-in one, evaluate one on a configuration, compare two.

use crate::{
    dynamics::EvolveError,
    lattice::{
        Region, Window,
        bcc::{NEIGHBOURS, Steps, point},
    },
    learning::{LearningError, Regression},
    systems::alloy::{
        barriers::{self, BarrierError, Barriers},
        configuration::{self, ConfigurationError},
        environment::{Environment, OFFSETS, REACH, SPECIES, VACANCY, position},
        orbits::{FEATURES, OrbitModel, WIDTH, features},
        samples::{compare, environments},
        weights::Arrays,
    },
};
use ndarray::{Array1, ArrayView2};
use std::{collections::HashMap, fmt::Write as _, path::Path, sync::Arc};

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum BarriersError {
    /// A model of barriers was refused.
    #[error(transparent)]
    Model(#[from] BarrierError),
    /// A configuration was refused.
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
        /// Why.
        reason: String,
    },
}

/// How to fit the built-in model.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Environments of each kind to fit to; a tenth as many test the fit.
    pub environments: usize,
    /// Passes over them.
    pub epochs: usize,
    /// Seed.
    pub seed: u64,
}

/// Configurations to test on are numbered from here.
const TEST: u64 = 1 << 32;

/// Fits the built-in model to a reference and writes it to `out`; returns the table of test errors.
///
/// # Errors
/// When the reference cannot be read, the fit fails, or the file cannot be written.
pub fn fit(reference: &str, out: &Path, recipe: Recipe) -> Result<String, BarriersError> {
    let reference = barriers::load(reference)?;
    let mut samples: [(Vec<f32>, Vec<f32>); 3] = Default::default();
    for (_, environment) in environments(&reference, recipe.environments, recipe.seed, 0)? {
        let heights = reference.symmetrised(&environment);
        let features = features(&environment);
        for (jump, species) in environment.targets().into_iter().enumerate().filter(|&(_, species)| species != VACANCY)
        {
            let (inputs, targets) = &mut samples[usize::from(species) - 1];
            inputs.extend(features.iter().map(|lanes| lanes[jump]));
            targets.push(heights[jump]);
        }
    }
    let mut arrays = Arrays::default();
    for (model, (name, (inputs, targets))) in (0..).zip(SPECIES[1..].iter().zip(samples)) {
        let regression = Regression {
            hidden: vec![WIDTH as i64; 2],
            epochs: recipe.epochs,
            batch: 512.min(targets.len()),
            learning_rate: 4e-3,
            weight_decay: 1e-3,
            seed: recipe.seed,
            model,
        };
        let inputs = ArrayView2::from_shape((targets.len(), FEATURES), &inputs).expect("each target has its features");
        for (layer, map) in regression.fit(inputs, Array1::from(targets).view())?.into_iter().enumerate() {
            arrays.insert(format!("{name}.{layer}.weight"), map.weight.shape(), map.weight.iter().copied().collect());
            arrays.insert(format!("{name}.{layer}.bias"), map.bias.shape(), map.bias.to_vec());
        }
    }
    let fitted: Arc<dyn Barriers> = Arc::new(OrbitModel::new(&arrays)?);
    let table = table(fitted.as_ref(), &reference, recipe.environments / 10, recipe.seed)?;
    let description =
        HashMap::from([("recipe".to_owned(), format!("{recipe:?}")), ("test errors".to_owned(), table.clone())]);
    let failed = |reason: String| BarriersError::Write { path: out.display().to_string(), reason };
    let bytes = arrays.to_safetensors(description).map_err(failed)?;
    std::fs::write(out, bytes).map_err(|error| failed(error.to_string()))?;
    Ok(table)
}

/// The table of errors of the first model against the second, over `count` environments of each kind.
///
/// # Errors
/// When a model cannot be read.
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

/// The eight barriers of every vacancy of a configuration, as JSON: half-lattice point, and for each jump its direction,
/// the species that jumps and the barrier in eV, null towards a vacancy.
///
/// # Errors
/// When the model or the configuration cannot be read, or the configuration has no vacancy.
pub fn evaluate(model: &str, path: &Path) -> Result<String, BarriersError> {
    let model = barriers::load(model)?;
    let lattice = configuration::with_vacancy(configuration::read(path)?)?;
    let mut window = Window::closed(lattice.shape, REACH);
    window.load(&lattice, [0; 3]);
    let steps = Steps::new(&window, &OFFSETS);
    let vacancy = |(number, site): (usize, usize)| {
        let environment = Environment::gather(&window, &steps, site);
        let barriers = model.barriers(&environment);
        let jumps = NEIGHBOURS.iter().zip(barriers).map(|(direction, barrier)| {
            let species = SPECIES[usize::from(environment.0[position(*direction)])];
            serde_json::json!({ "direction": direction, "species": species, "barrier_eV": barrier.is_finite().then_some(barrier) })
        });
        let place = point(lattice.shape.coordinate(number).map(|value| value as isize));
        serde_json::json!({ "half_lattice_point": place, "jumps": jumps.collect::<Vec<_>>() })
    };
    let sites = window.sites_of(Region::BOX).enumerate().filter(|&(_, site)| window.values()[site] == VACANCY);
    let vacancies: Vec<_> = sites.map(vacancy).collect();
    Ok(serde_json::to_string_pretty(&vacancies).unwrap_or_default() + "\n")
}
