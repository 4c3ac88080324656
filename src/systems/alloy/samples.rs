//! Environments of several kinds for the fit and the comparison of models of barriers.
//!
//! Three kinds are the environments of random sites: in random equimolar alloys, in random alloys of any composition,
//! and in B2-ordered alloys of any degree, composition and pair of species. The fourth kind are the environments of
//! vacancies after a few jumps per site at 500 to 3000 K with a given model. One site in 1024 is a vacancy, so about
//! one environment in ten holds another vacancy.

use crate::{
    dynamics::{Dynamics, EvolveError, Until},
    lattice::{Lattice, Region, Window, bcc},
    rng::{Purpose, Rng, stream},
    systems::alloy::{
        Alloy, AlloyParameters, VacancyKmc,
        barriers::Barriers,
        environment::{Environment, SPECIES, Sight, VACANCY},
    },
};
use rand::{Rng as _, seq::SliceRandom};
use std::sync::Arc;

/// Origin of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Equimolar, random.
    Random,
    /// Any composition, random.
    OffComposition,
    /// Any composition, B2 order of any degree.
    Ordered,
    /// Annealed: the environment of a vacancy that has jumped.
    Annealed,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Random, Self::OffComposition, Self::Ordered, Self::Annealed];

    /// Name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::OffComposition => "off-composition",
            Self::Ordered => "B2-ordered",
            Self::Annealed => "annealed",
        }
    }
}

/// Cells along the side of a configuration.
const CELLS: usize = 8;
/// Jumps between two environments of an annealed configuration, and number of its environments.
const PAUSE: u64 = 150;
const VISITS: usize = 40;
/// Environments of each other configuration.
const VIEWS: usize = 8;

/// Environments that a model of barriers is tried in.
const TRIED: usize = 256;
/// Barriers that jumps may have, in eV: far beyond those of any metal.
const LARGEST: f32 = 100.0;

/// Barriers in random environments with the composition of an alloy, in eV.
pub fn random_barriers(alloy: &Alloy) -> Vec<f32> {
    let mut rng = stream(0, Purpose::Environments, [u64::MAX, 0]);
    let [nb, mo, _] = alloy.parameters().shares();
    let mut atom = || match rng.random::<f64>() {
        share if share < nb => 1,
        share if share < nb + mo => 2,
        _ => 3,
    };
    (0..TRIED).flat_map(|_| alloy.barriers().heights(&Environment(std::array::from_fn(|_| atom())))).collect()
}

/// Checks that a model gives barriers above 0 in random environments.
///
/// # Errors
/// The number of those that are not, and one of them.
pub fn check_barriers(alloy: &Alloy) -> Result<(), String> {
    let barriers = random_barriers(alloy);
    let bad: Vec<f32> = barriers.iter().copied().filter(|barrier| !(*barrier > 0.0 && *barrier < LARGEST)).collect();
    match bad.first() {
        None => Ok(()),
        Some(barrier) => Err(format!(
            "system.alloy.barriers is {:?}, which gives {} of {} barriers in random environments outside of 0 to {LARGEST} \
             eV, such as {barrier} eV; fit the model again, or use \"builtin\"",
            alloy.parameters().barriers,
            bad.len(),
            barriers.len()
        )),
    }
}

/// At least `count` environments of each kind. The indices of their configurations begin at `first`. Other indices give
/// independent configurations.
///
/// # Errors
/// When the rates of `model` are not finite or all zero.
pub fn environments(
    model: &Arc<dyn Barriers>,
    count: usize,
    seed: u64,
    first: u64,
) -> Result<Vec<(Kind, Environment)>, EvolveError> {
    let mut all = Vec::new();
    for (kind, index) in Kind::ALL.into_iter().zip(0..) {
        let mut found = Vec::new();
        let mut configuration = first;
        while found.len() < count {
            let mut rng = stream(seed, Purpose::Environments, [configuration, index]);
            found.extend(environments_of(model, kind, &mut rng)?);
            configuration += 1;
        }
        all.extend(found.into_iter().take(count).map(|environment| (kind, environment)));
    }
    Ok(all)
}

fn environments_of(model: &Arc<dyn Barriers>, kind: Kind, rng: &mut Rng) -> Result<Vec<Environment>, EvolveError> {
    let composition = match kind {
        Kind::Random => [1.0 / 3.0; 3],
        Kind::Annealed if rng.random() => [1.0 / 3.0; 3],
        _ => {
            let parts: [f64; 3] = std::array::from_fn(|_| -f64::ln(rng.random_range(1e-3..0.95)));
            parts.map(|part| part / parts.iter().sum::<f64>())
        }
    };
    let order = match kind {
        Kind::Random | Kind::OffComposition => 0.0,
        Kind::Annealed if rng.random() => 0.0,
        _ => rng.random(),
    };
    let temperature = 1.0 / rng.random_range(1.0 / 3000.0..1.0 / 500.0);
    let parameters = AlloyParameters {
        temperature: temperature.into(),
        composition: composition.into(),
        ..AlloyParameters::default()
    };
    let alloy = Alloy::with_barriers(parameters, model.clone());
    let lattice = relabelled(alloy.configuration(bcc::shape(CELLS), order, rng), rng);
    let mut window = Window::closed(lattice.shape, super::environment::REACH);
    window.load(&lattice, [0; 3]);
    let sight = Sight::new(&window);
    if kind != Kind::Annealed {
        let sites: Vec<usize> = window.sites_of(Region::BOX).collect();
        let drawn = rand::seq::index::sample(rng, sites.len(), VIEWS);
        return Ok(drawn.into_iter().map(|index| Environment::gather(&window, &sight, sites[index])).collect());
    }
    let mut kernel = VacancyKmc::default();
    let mut all = Vec::new();
    for _ in 0..VISITS {
        kernel.evolve(&alloy, &mut window, Until::Events(PAUSE), rng)?;
        all.extend(kernel.rates().map(|(site, _)| Environment::gather(&window, &sight, site)));
    }
    Ok(all)
}

/// Permutes the species at random, because any two of them may have B2 order.
fn relabelled(mut lattice: Lattice<u8>, rng: &mut Rng) -> Lattice<u8> {
    let mut names = [1, 2, 3];
    names.shuffle(rng);
    for species in lattice.sites.iter_mut().filter(|species| **species != VACANCY) {
        *species = names[usize::from(*species) - 1];
    }
    lattice
}

/// Errors of a model against a reference, over a set of jumps.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    count: f64,
    sum: f64,
    squares: f64,
    reference: f64,
    reference_squares: f64,
}

impl Errors {
    /// Adds one barrier and its reference, in eV.
    pub fn add(&mut self, barrier: f32, reference: f32) {
        let (error, reference) = (f64::from(barrier) - f64::from(reference), f64::from(reference));
        self.count += 1.0;
        self.sum += error;
        self.squares += error * error;
        self.reference += reference;
        self.reference_squares += reference * reference;
    }

    /// Number of barriers, mean error, root mean square error, and standard deviation of the reference, in eV.
    pub fn summary(&self) -> (usize, f64, f64, f64) {
        let mean = self.reference / self.count;
        let spread = (self.reference_squares / self.count - mean * mean).max(0.0).sqrt();
        (self.count as usize, self.sum / self.count, (self.squares / self.count).sqrt(), spread)
    }
}

/// Names and errors of `model` against `reference` for all jumps, for each kind of environment and for each jumping
/// species.
pub fn compare(
    model: &dyn Barriers,
    reference: &dyn Barriers,
    environments: &[(Kind, Environment)],
) -> Vec<(String, Errors)> {
    let names = ["all"].into_iter().chain(Kind::ALL.map(Kind::name)).chain(SPECIES[1..].iter().copied());
    let mut rows: Vec<(String, Errors)> = names.map(|name| (name.to_owned(), Errors::default())).collect();
    for (kind, environment) in environments {
        let barriers = model.barriers(environment).into_iter().zip(reference.barriers(environment));
        for ((barrier, reference), species) in barriers.zip(environment.targets()) {
            if species != VACANCY {
                for row in [0, 1 + *kind as usize, Kind::ALL.len() + usize::from(species)] {
                    rows[row].1.add(barrier, reference);
                }
            }
        }
    }
    rows
}
