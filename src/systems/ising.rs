//! Two-dimensional Ising model with continuous-time Glauber dynamics (J = k_B = 1).
//!
//! H = -sum over unordered nearest-neighbour pairs s_i s_j - h sum_i s_i, so that T_c = 2 / ln(1 + sqrt 2) = 2.269185.
//! Spin i flips with rate 1 / (1 + exp(dH_i / T)), dH_i = 2 s_i (sum of neighbours + h): ten classes of rates.
//! Observables: magnetisation M and domain-wall density rho (Eqs. 23-24 of arXiv 2511.12842).

use super::{
    Composition, Condition, ConditionAxis, DynamicScaling, Generator, GeneratorOf, Observable, StatePoint, Symmetry,
    System, spins,
};
use crate::{
    dynamics::{ClassedEvents, Events, HeatBath, Kmc, Law, RateClasses},
    lattice::{Region, Shape, Stencil, Window},
    rng::Rng,
    scores::{CriticalPoint, Magnet, Score},
};
use rand::Rng as _;
use serde::{Deserialize, Serialize};

/// Parameters of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ising {
    /// Temperature in units of J / k_B, above 0; a list for a family of systems.
    pub temperature: Condition,
    /// External field in units of J.
    #[serde(default)]
    pub field: f64,
    /// T_c for [`System::rescaled`], in units of J / k_B; the exact one when absent. Another shows what a wrong one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical_temperature: Option<f64>,
}

impl Ising {
    /// The model at one temperature and field.
    pub fn new(temperature: f64, field: f64) -> Self {
        Self { temperature: temperature.into(), field, critical_temperature: None }
    }

    /// Energy change of flipping a spin of the given class.
    fn energy_change(&self, class: usize) -> f64 {
        let spin = if class < 5 { -1.0 } else { 1.0 };
        let neighbours = 2.0 * (class % 5) as f64 - 4.0;
        2.0 * spin * (neighbours + self.field)
    }
}

/// T_c = 2 / ln(1 + sqrt 2) and the exact exponents of the model without a field.
const CRITICAL_POINT: CriticalPoint =
    CriticalPoint { temperature: 2.269_185_314_213_022, beta_over_nu: 0.125, gamma_over_nu: 1.75, nu: 1.0 };

impl Law for Ising {
    type Site = i8;
    const REACH: usize = 1;

    fn stencil(&self) -> Stencil {
        Stencil::square()
    }

    /// The flip rate down is the probability of spin down and the other way round.
    fn heat_bath(&self) -> Option<HeatBath<i8>> {
        Some(HeatBath { states: [-1, 1], upper: std::array::from_fn(|up| self.class_rate(up)) })
    }
}

impl Events for Ising {
    type Writes = [(usize, i8); 1];

    fn rate(&self, window: &Window<i8>, site: usize) -> f64 {
        self.class_rate(self.class(window, site))
    }

    fn outcome(&self, window: &Window<i8>, site: usize, _rng: &mut Rng) -> Self::Writes {
        [(site, -window.values()[site])]
    }
}

impl ClassedEvents for Ising {
    const CLASSES: usize = 10;

    /// Number of neighbours that are up, plus 5 for spin up.
    fn class(&self, window: &Window<i8>, site: usize) -> usize {
        let [_, row, _] = window.strides();
        let spins = window.values();
        let neighbours = spins[site - 1] + spins[site + 1] + spins[site - row] + spins[site + row];
        ((5 * spins[site] + neighbours + 9) / 2) as usize
    }

    fn class_rate(&self, class: usize) -> f64 {
        1.0 / (1.0 + (self.energy_change(class) / self.temperature.value()).exp())
    }
}

impl System for Ising {
    type Dynamics = Kmc<RateClasses>;
    type Start = f64;

    const OBSERVABLES: &'static [Observable] = &[
        Observable { name: "magnetisation", symbol: "M", unit: "1", scaled: false },
        Observable { name: "domain_wall_density", symbol: "ρ", unit: "1", scaled: true },
    ];

    const DETAILED_BALANCE: bool = true;
    const TIME_UNIT: &'static str = "1 / attempt rate";

    type Feature = i8;
    const CHANNELS: usize = 1;

    const STATES: &'static [(&'static str, [u8; 3])] = spins::STATES;
    const TWO_STATES: Option<[i8; 2]> = Some([-1, 1]);

    fn shape(side: usize) -> Shape {
        Shape::plane(side, side)
    }

    fn state(spin: &i8) -> usize {
        usize::from(*spin > 0)
    }

    fn features(sites: &[i8]) -> Vec<i8> {
        sites.to_vec()
    }

    /// A magnetisation, uniform in [-1, 1].
    fn draw_start(&self, rng: &mut Rng) -> Option<f64> {
        Some(rng.random_range(-1.0..=1.0))
    }

    /// Random spins with the magnetisation `start`, by default uniform in [-1, 1].
    fn composition(&self, shape: Shape, start: Option<f64>, rng: &mut Rng) -> Composition<i8> {
        spins::shuffled(shape, start, rng)
    }

    fn observe(&self, window: &Window<i8>, region: Region) -> Vec<f64> {
        let [_, stride, _] = window.strides();
        let spins = window.values();
        let (mut spin_sum, mut pair_sum, mut sites) = (0_i64, 0_i64, 0_i64);
        for (_, row) in window.rows(region) {
            for site in row {
                let spin = i64::from(spins[site]);
                let neighbours = spins[site - 1] + spins[site + 1] + spins[site - stride] + spins[site + stride];
                spin_sum += spin;
                pair_sum += spin * i64::from(neighbours);
                sites += 1;
            }
        }
        // Each site counts half of its four pairs. The spins of a pair differ if their product is -1.
        vec![spin_sum as f64, (4 * sites - pair_sum) as f64 / 8.0]
    }

    /// By classes. A flip changes the spin by -2 s and the walls by s times half the sum of the neighbours.
    const GENERATOR: Option<GeneratorOf<Self>> = Some(|ising, window, region| {
        let mut counts = [0_u32; Ising::CLASSES];
        for (_, row) in window.rows(region) {
            for site in row {
                counts[ising.class(window, site)] += 1;
            }
        }
        let mut generator = Generator::none(Ising::OBSERVABLES.len());
        for (class, count) in counts.into_iter().enumerate() {
            let (spin, neighbours) = (if class < 5 { -1.0 } else { 1.0 }, 2.0 * (class % 5) as f64 - 4.0);
            let rate = f64::from(count) * ising.class_rate(class);
            generator.add(rate, &[-2.0 * spin, 0.5 * spin * neighbours]);
        }
        generator
    });

    /// Without a field, the flip of all spins.
    fn symmetries(&self) -> Vec<Symmetry> {
        if self.field == 0.0 { vec![Symmetry::of_signs(&[-1.0, 1.0])] } else { Vec::new() }
    }

    /// Fractions of spins up with 0 to 4 neighbours up, and of spins down with 0 to 3, which together with M give the
    /// drift of M exactly; means of the products with the second neighbours, and of all four spins of a plaquette.
    const LIBRARY: &'static [&'static str] =
        &["down 0", "down 1", "down 2", "down 3", "up 0", "up 1", "up 2", "up 3", "up 4", "diagonal", "plaquette"];

    fn library(&self, window: &Window<i8>, region: Region) -> Vec<f64> {
        const PLACES: [Option<usize>; 10] =
            [Some(0), Some(1), Some(2), Some(3), None, Some(4), Some(5), Some(6), Some(7), Some(8)];
        let ([_, row, _], spins, mut sums) = (window.strides(), window.values(), [0.0; 11]);
        for site in window.own_sites_of(region) {
            if let Some(place) = PLACES[self.class(window, site)] {
                sums[place] += 1.0;
            }
            let [spin, right, below] = [site, site + 1, site + row].map(|at| i32::from(spins[at]));
            let [diagonal, other] = [site + row + 1, site + row - 1].map(|at| i32::from(spins[at]));
            sums[9] += 0.5 * f64::from(spin * (diagonal + other));
            sums[10] += f64::from(spin * right * below * diagonal);
        }
        sums.to_vec()
    }

    /// The scores of a magnet, for a single temperature.
    fn scores(&self) -> Vec<Box<dyn Score>> {
        let critical = (self.field == 0.0).then_some(CRITICAL_POINT);
        match self.temperature.all() {
            [temperature] => vec![Box::new(Magnet { component: 0, temperature: *temperature, critical })],
            _ => Vec::new(),
        }
    }

    /// Dynamic exponent of M without a field: M. P. Nightingale and H. W. J. Bloete, Phys. Rev. B 62, 1089 (2000).
    fn dynamic_scaling(&self) -> Option<DynamicScaling> {
        (self.field == 0.0).then_some(DynamicScaling { component: 0, exponent: 2.1667 })
    }

    /// Equal g(T) L, g = (1 / sinh(2 / T) - sinh(2 / T)) / 2, which is analytic and changes sign at T_c, and equal
    /// h L^(15/8). With another T_c, temperatures count in units of it.
    fn rescaled(&self, ratio: f64) -> Option<Self> {
        let unit = self.critical_temperature.map_or(1.0, |assumed| assumed / CRITICAL_POINT.temperature);
        let temperature = |temperature: f64| {
            let sinh = (2.0 * unit / temperature).sinh();
            let distance = ratio * 0.5 * (1.0 / sinh - sinh);
            2.0 * unit / ((distance * distance + 1.0).sqrt() - distance).asinh()
        };
        let field = self.field * ratio.powf(15.0 / 8.0);
        Some(Self { temperature: self.temperature.map(temperature), field, ..self.clone() })
    }

    fn check(&self, starts: &[f64]) -> Result<(), String> {
        let temperatures = self.temperature.all();
        if temperatures.is_empty() {
            return Err("system.ising.temperature is an empty list; add at least one temperature".into());
        }
        if let Some(critical) = self.critical_temperature.filter(|critical| !(0.1..10.0).contains(critical)) {
            return Err(format!("system.ising.critical_temperature is {critical:?}; it must be from 0.1 to 10"));
        }
        spins::check("ising", temperatures, self.field, starts)
    }

    fn conditions(&self) -> Vec<StatePoint> {
        self.temperature.all().iter().map(|&temperature| temperature.into()).collect()
    }

    fn condition_axes(&self) -> Vec<ConditionAxis> {
        vec![spins::TEMPERATURE]
    }

    fn at_conditions(&self, indices: &[usize]) -> Self {
        Self { temperature: self.temperature.at_conditions(indices), ..self.clone() }
    }
}
