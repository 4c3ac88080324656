//! The NbMoTa alloy: vacancies that jump on a body-centred cubic lattice (arXiv 2511.12842, section D.5).
//!
//! A vacancy exchanges places with one of the atoms on its eight nearest-neighbour sites at the rate k0 exp(-E / k_B
//! T), k0 = 1e13 / s. The barrier E depends on the species within 7.5 Angstrom ([`barriers`]). The unit of time is
//! exp(E_ref / k_B T) / k0, so some jumps take place in a unit at every temperature. With E_ref = 0 it is 0.1 ps.
//! Storage: [`crate::lattice::bcc`], one byte per site. Observables: six components of short-range order ([`order`]).

pub mod barriers;
mod basin;
pub mod configuration;
pub mod environment;
mod evolution;
pub mod kinetics;
pub mod memory;
pub mod order;
mod parameters;
mod reach;
pub mod samples;
pub mod start;
mod traps;

pub use kinetics::VacancyKmc;
pub use parameters::AlloyParameters;

use super::{
    AtomsOf, Composition, ConditionAxis, Generator, GeneratorOf, MovingPart, Observable, StatePoint, System, Upsampling,
};
use crate::{
    dynamics::Law,
    lattice::{
        Lattice, Region, Shape, Stencil, Window,
        bcc::{self, NEIGHBOURS, Steps},
    },
    rng::Rng,
};
use barriers::{BarrierError, Barriers};
use environment::{OFFSETS, VACANCY};
use order::{PAIRS, PairCounts};
use rand::{Rng as _, seq::SliceRandom};
use serde::{Deserialize, Serialize};
use std::{path::Path, sync::Arc};

/// Boltzmann's constant in eV / K.
pub const BOLTZMANN: f64 = 8.617_333e-5;
/// Attempt rate of a jump in 1 / s.
pub const ATTEMPT_RATE: f64 = 1e13;

/// The alloy: its parameters and its model of barriers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "AlloyParameters", into = "AlloyParameters")]
pub struct Alloy {
    parameters: AlloyParameters,
    barriers: Arc<dyn Barriers>,
    /// k_B T in eV.
    thermal_energy: f64,
    /// E_ref in eV, for a family that of the first temperature.
    reference_barrier: f64,
    /// Initial coordinate in the box of the only vacancy that jumps. With `None` all vacancies jump.
    alone: Option<[usize; 3]>,
}

impl PartialEq for Alloy {
    fn eq(&self, other: &Self) -> bool {
        (&self.parameters, self.alone) == (&other.parameters, other.alone)
    }
}

impl TryFrom<AlloyParameters> for Alloy {
    type Error = BarrierError;

    fn try_from(parameters: AlloyParameters) -> Result<Self, BarrierError> {
        let barriers = barriers::load(&parameters.barriers)?;
        Ok(Self::with_barriers(parameters, barriers))
    }
}

impl From<Alloy> for AlloyParameters {
    fn from(alloy: Alloy) -> Self {
        alloy.parameters
    }
}

impl Alloy {
    /// An alloy with any model of barriers. `parameters.barriers` is only its name.
    pub fn with_barriers(parameters: AlloyParameters, barriers: Arc<dyn Barriers>) -> Self {
        let thermal_energy = BOLTZMANN * parameters.temperature.value();
        let reference_barrier = parameters.reference_barrier.value();
        Self { parameters, barriers, thermal_energy, reference_barrier, alone: None }
    }

    /// The parameters.
    pub fn parameters(&self) -> &AlloyParameters {
        &self.parameters
    }

    /// The model of the barriers.
    pub fn barriers(&self) -> &Arc<dyn Barriers> {
        &self.barriers
    }

    /// Rate of a jump over a barrier in eV, per unit of time.
    pub fn rate(&self, barrier: f32) -> f64 {
        ((self.reference_barrier - f64::from(barrier)) / self.thermal_energy).exp()
    }

    /// Whether a vacancy escapes at once from the states among which it flickers.
    pub fn escapes_basins(&self) -> bool {
        self.parameters.basins
    }

    /// Numbers of vacancies, Nb, Mo and Ta in a box of `sites` sites. The largest remainders are rounded up.
    pub fn counts(&self, sites: usize) -> [usize; 4] {
        let vacancies = (sites as f64 / self.parameters.sites_per_vacancy as f64).round().max(1.0) as usize;
        let wanted = self.parameters.shares().map(|share| share * (sites - vacancies) as f64);
        let mut atoms = wanted.map(|count| (count + 1e-6) as usize);
        while atoms.iter().sum::<usize>() + vacancies < sites {
            let lacking = |species: &usize| wanted[*species] - atoms[*species] as f64;
            let most = (0..3).max_by(|a, b| lacking(a).total_cmp(&lacking(b))).unwrap_or(0);
            atoms[most] += 1;
        }
        [vacancies, atoms[0], atoms[1], atoms[2]]
    }

    /// Atoms per site.
    fn occupied(&self) -> f64 {
        1.0 - 1.0 / self.parameters.sites_per_vacancy as f64
    }

    /// A configuration with the composition of the parameters (see [`start`]).
    pub fn configuration(&self, shape: Shape, order: f64, rng: &mut Rng) -> Lattice<u8> {
        start::composition(self, shape, order, rng).draw(shape, rng)
    }

    /// Restores the composition: random sites of species or vacancies in excess get those that are missing.
    fn restore_composition(&self, lattice: &mut Lattice<u8>, rng: &mut Rng) {
        let mut sites: [Vec<usize>; 4] = Default::default();
        for (site, &species) in lattice.sites.iter().enumerate() {
            sites[usize::from(species)].push(site);
        }
        let wanted = self.counts(lattice.shape.sites());
        let mut spare = Vec::new();
        for (sites, wanted) in sites.iter_mut().zip(wanted) {
            let surplus = sites.len().saturating_sub(wanted);
            spare.extend_from_slice(sites.partial_shuffle(rng, surplus).0);
        }
        spare.shuffle(rng);
        for (species, (sites, wanted)) in (0..).zip(sites.iter().zip(wanted)) {
            for site in spare.drain(..wanted.saturating_sub(sites.len())) {
                lattice.sites[site] = species;
            }
        }
    }
}

impl Law for Alloy {
    type Site = u8;
    const REACH: usize = environment::REACH;
    const CONFINED: bool = true;
    const STARTS: Option<u8> = Some(VACANCY);

    fn stencil(&self) -> Stencil {
        bcc::stencil(&OFFSETS)
    }
}

impl System for Alloy {
    type Dynamics = VacancyKmc;
    type Start = f64;

    const OBSERVABLES: &'static [Observable] = &[
        Observable { name: "order_nb_nb", symbol: "δ(Nb-Nb)", unit: "1", scaled: true },
        Observable { name: "order_nb_mo", symbol: "δ(Nb-Mo)", unit: "1", scaled: true },
        Observable { name: "order_nb_ta", symbol: "δ(Nb-Ta)", unit: "1", scaled: true },
        Observable { name: "order_mo_mo", symbol: "δ(Mo-Mo)", unit: "1", scaled: true },
        Observable { name: "order_mo_ta", symbol: "δ(Mo-Ta)", unit: "1", scaled: true },
        Observable { name: "order_ta_ta", symbol: "δ(Ta-Ta)", unit: "1", scaled: true },
    ];

    const TIME_UNIT: &'static str = "exp(reference_barrier / k_B T) / k0";

    type Feature = f32;
    const CHANNELS: usize = 3;
    const STATES: &'static [(&'static str, [u8; 3])] = &environment::STATES;
    const ATOMS: Option<AtomsOf<Self>> = Some(configuration::ATOMS);

    fn shape(side: usize) -> Shape {
        bcc::shape(side)
    }

    fn state(species: &u8) -> usize {
        usize::from(*species)
    }

    /// For each species, 1 on its sites and 0 elsewhere.
    fn features(sites: &[u8]) -> Vec<f32> {
        (1..=3).flat_map(|species| sites.iter().map(move |&site| f32::from(u8::from(site == species)))).collect()
    }

    /// A random configuration. `start` is the degree of B2 order, by default 0 (see [`start`]).
    fn composition(&self, shape: Shape, start: Option<f64>, rng: &mut Rng) -> Composition<u8> {
        start::composition(self, shape, start.unwrap_or(0.0), rng)
    }

    fn observe(&self, window: &Window<u8>, region: Region) -> Vec<f64> {
        let ends = PairCounts::ends(window, &Steps::new(window, &NEIGHBOURS), region);
        let sites = window.sites_of(region).count() as f64;
        let (third, random) = (self.occupied() / 3.0, order::of_random_alloy(self.parameters.shares()));
        let share = |((pair, ends), random): ((&[usize; 2], i64), f64)| {
            let weight = if pair[0] == pair[1] { 1.0 } else { 0.5 };
            weight * ends as f64 / third - sites * random
        };
        PAIRS.iter().zip(ends.0).zip(random).map(share).collect()
    }

    /// Of the jumps of all vacancies in the box that may jump.
    const GENERATOR: Option<GeneratorOf<Self>> = Some(|alloy, window, _| {
        let mut generator = Generator::none(PAIRS.len());
        for (rate, pairs) in VacancyKmc::forgetful().jumps(alloy, window) {
            generator.add(rate, &pairs.neighbours([alloy.occupied() / 3.0; 3]));
        }
        generator
    });

    const LIBRARY: &'static [&'static str] = &["q2", "q4", "q8"];

    /// Domains in the cubes of the box, whatever the region: beyond the box nothing moves. In a window that is smaller than
    /// the lattice, cubes across its faces are not those of the lattice.
    fn library(&self, window: &Window<u8>, _region: Region) -> Vec<f64> {
        order::domains(window)
    }

    fn upsampling(&self) -> Box<dyn Upsampling<Self>> {
        Box::new(Mosaic)
    }

    /// The number of vacancies. Each one jumps while the others stay, so every change is counted once.
    fn moving_part_count(&self, sites: usize) -> Option<usize> {
        Some(self.counts(sites)[0])
    }

    /// The vacancies, each at the centre of its window, or one layer above it to keep the first layer even.
    fn moving_parts(&self, lattice: &Lattice<u8>, patch: Shape) -> Vec<MovingPart<Self>> {
        let part = |site| {
            let coordinate = lattice.shape.coordinate(site);
            let mut alone = patch.0.map(|extent| extent / 2);
            alone[0] += (coordinate[0] + alone[0]) % 2;
            let origin = std::array::from_fn(|axis| coordinate[axis] as isize - alone[axis] as isize);
            MovingPart { origin, law: Self { alone: Some(alone), ..self.clone() } }
        };
        let sites = lattice.sites.iter().enumerate();
        sites.filter(|&(_, &species)| species == VACANCY).map(|(site, _)| part(site)).collect()
    }

    /// The vacancy lies elsewhere by now.
    fn followed(&self, dynamics: &VacancyKmc, window: &Window<u8>) -> Self {
        let Some((vacancy, _)) = dynamics.rates().next().filter(|_| self.alone.is_some()) else { return self.clone() };
        let index = window.sites_of(Region::BOX).position(|site| site == vacancy);
        let coordinate = index.map(|index| window.shape().coordinate(index));
        Self { alone: coordinate, ..self.clone() }
    }

    fn check(&self, starts: &[f64]) -> Result<(), String> {
        if let Some(start) = starts.iter().find(|start| !(0.0..=1.0).contains(*start)) {
            return Err(format!("truth.starts holds {start}; a start is a degree of B2 order between 0 and 1"));
        }
        self.parameters.check()?;
        (0..self.parameters.composition.all().len())
            .try_for_each(|member| samples::check_barriers(&self.at_condition(member)))
    }

    /// The vacancies jump at the largest rate of random environments: those that are fast jump back and forth.
    fn events(&self, sites: usize, time: f64) -> f64 {
        let fastest = samples::random_barriers(self).into_iter().fold(f32::INFINITY, f32::min);
        self.counts(sites)[0] as f64 * self.rate(fastest) * time
    }

    fn seconds(&self) -> Option<f64> {
        Some((self.reference_barrier / self.thermal_energy).exp() / ATTEMPT_RATE)
    }

    /// The file of the model of the barriers; `None` for a built-in model.
    fn file(&self) -> Option<&Path> {
        let name = self.parameters.barriers.as_str();
        (!barriers::SHIPPED.contains(&name)).then_some(Path::new(name))
    }

    fn conditions(&self) -> Vec<StatePoint> {
        self.parameters.state_points()
    }

    fn condition_axes(&self) -> Vec<ConditionAxis> {
        self.parameters.condition_axes()
    }

    fn at_conditions(&self, indices: &[usize]) -> Self {
        Self::with_barriers(self.parameters.at_conditions(indices), self.barriers.clone())
    }
}

/// A mosaic of random states of the pool. Random atoms then change their species until the composition is that of the
/// large lattice. Tiles of one state fit together without seams and keep its order exactly. The paper shifts tiles at
/// random. Then the pairs across their faces would be random, 18 % of all pairs for tiles of 8 cells.
struct Mosaic;

impl Upsampling<Alloy> for Mosaic {
    fn upsample(&self, alloy: &Alloy, pool: &[Lattice<u8>], factor: usize, rng: &mut Rng) -> Lattice<u8> {
        let small = pool[0].shape;
        let mut large = Lattice::filled(small.scaled(factor), VACANCY);
        for copy in 0..factor.pow(3) {
            let state = &pool[rng.random_range(0..pool.len())];
            let tile = Shape([factor; 3]).coordinate(copy);
            large.paste(std::array::from_fn(|axis| (tile[axis] * small.0[axis]) as isize), small, &state.sites);
        }
        alloy.restore_composition(&mut large, rng);
        large
    }
}
