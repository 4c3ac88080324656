//! Curie-Weiss model: every spin interacts with every other one (J = k_B = 1); continuous-time Glauber dynamics.
//!
//! H = -1/(2n) sum_ij s_i s_j - h sum_i s_i, so that T_c = 1 (arXiv 2511.12842, appendix D.1). Spin i flips with rate 1
//! / (1 + exp(dH_i / T)), where dH_i = 2 s_i ((S - s_i) / n + h) and S is the sum of all n spins. All spins up have one
//! rate and all spins down another, and every flip changes both. The spins lie on a square, which is divided into
//! patches. A patch has no halo. It evolves in the mean field of the whole system, with the sum of the other spins held
//! fixed. Observable: magnetisation M.

use super::{Composition, Generator, GeneratorOf, Observable, Symmetry, System, spins};
use crate::{
    dynamics::{Events, Kmc, Law, Selector},
    lattice::{Lattice, Region, Shape, Stencil, Window},
    rng::Rng,
    scores::{Magnet, Score},
};
use rand::Rng as _;
use serde::{Deserialize, Serialize};

/// Parameters of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurieWeiss {
    /// Temperature in units of J / k_B; above 0.
    pub temperature: f64,
    /// External field in units of J.
    #[serde(default)]
    pub field: f64,
    /// The spins outside the window; `None` for a whole system.
    #[serde(skip)]
    outside: Outside,
}

/// The spins outside a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Outside {
    spins: usize,
    sum: i64,
}

impl CurieWeiss {
    /// The whole system at a temperature and in a field.
    pub fn new(temperature: f64, field: f64) -> Self {
        Self { temperature, field, outside: Outside::default() }
    }

    /// Rates at which a spin up and a spin down flip, when `up` of the `spins` of a window are up.
    pub fn rates(&self, up: usize, spins: usize) -> [f64; 2] {
        let sum = self.outside.sum + 2 * up as i64 - spins as i64;
        let count = (self.outside.spins + spins) as f64;
        [1, -1].map(|spin: i64| {
            let energy_change = 2.0 * spin as f64 * ((sum - spin) as f64 / count + self.field);
            1.0 / (1.0 + (energy_change / self.temperature).exp())
        })
    }
}

impl Law for CurieWeiss {
    type Site = i8;
    const REACH: usize = 0;
    const LOCAL: bool = false;

    fn stencil(&self) -> Stencil {
        Stencil(Vec::new())
    }

    fn in_mean_field_of(&self, lattice: &Lattice<i8>, window: &Window<i8>) -> Option<Self> {
        let outside = Outside {
            spins: lattice.shape.sites() - window.shape().sites(),
            sum: sum_of(lattice.sites.iter().copied()) - sum_of(window.values_of(Region::BOX)),
        };
        Some(Self { outside, ..self.clone() })
    }
}

fn sum_of(spins: impl Iterator<Item = i8>) -> i64 {
    spins.map(i64::from).sum()
}

impl Events for CurieWeiss {
    type Writes = [(usize, i8); 1];

    fn rate(&self, window: &Window<i8>, site: usize) -> f64 {
        let up = window.values_of(Region::BOX).filter(|&spin| spin > 0).count();
        self.rates(up, window.shape().sites())[usize::from(window.values()[site] < 0)]
    }

    fn outcome(&self, window: &Window<i8>, site: usize, _rng: &mut Rng) -> Self::Writes {
        [(site, -window.values()[site])]
    }
}

/// O(1) selection from one list of sites, those up before those down. A flip moves the border and changes both rates.
#[derive(Clone, Debug, Default)]
pub struct UpBeforeDown {
    sites: Vec<u32>,
    /// Position in `sites` by site index.
    positions: Vec<u32>,
    up: usize,
    rates: [f64; 2],
}

impl Selector<CurieWeiss> for UpBeforeDown {
    fn prepare(&mut self, law: &CurieWeiss, window: &Window<i8>) {
        let spin_up = |site: &u32| window.values()[*site as usize] > 0;
        let (mut up, down): (Vec<u32>, Vec<u32>) =
            window.sites_of(Region::BOX).map(|site| site as u32).partition(spin_up);
        self.up = up.len();
        up.extend(down);
        self.sites = up;
        self.positions.resize(window.padded_sites(), 0);
        for (position, &site) in (0..).zip(&self.sites) {
            self.positions[site as usize] = position;
        }
        self.rates = law.rates(self.up, self.sites.len());
    }

    fn total_rate(&mut self) -> f64 {
        self.up as f64 * self.rates[0] + (self.sites.len() - self.up) as f64 * self.rates[1]
    }

    fn select(&self, rng: &mut Rng) -> usize {
        let rate_of_up = self.up as f64 * self.rates[0];
        let total = rate_of_up + (self.sites.len() - self.up) as f64 * self.rates[1];
        let drawn = (rng.random::<f64>() * total).min(total.next_down());
        // Rounding may give the index after the end of a list.
        let position = if drawn < rate_of_up {
            ((drawn / self.rates[0]) as usize).min(self.up - 1)
        } else {
            (self.up + ((drawn - rate_of_up) / self.rates[1]) as usize).min(self.sites.len() - 1)
        };
        self.sites[position] as usize
    }

    fn refresh(&mut self, law: &CurieWeiss, window: &Window<i8>, site: usize) {
        let position = self.positions[site] as usize;
        let (was_up, is_up) = (position < self.up, window.values()[site] > 0);
        if was_up == is_up {
            return;
        }
        self.up = if is_up { self.up + 1 } else { self.up - 1 };
        let border = if is_up { self.up - 1 } else { self.up };
        self.sites.swap(position, border);
        self.positions[self.sites[position] as usize] = position as u32;
        self.positions[site] = border as u32;
        self.rates = law.rates(self.up, self.sites.len());
    }
}

impl System for CurieWeiss {
    type Dynamics = Kmc<UpBeforeDown>;
    type Start = f64;

    const OBSERVABLES: &'static [Observable] =
        &[Observable { name: "magnetisation", symbol: "M", unit: "1", scaled: false }];

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
        vec![sum_of(window.values_of(region)) as f64]
    }

    const GENERATOR: Option<GeneratorOf<Self>> = Some(|law, window, region| {
        let sites = window.sites_of(region).count();
        let up = window.values_of(region).filter(|&spin| spin > 0).count();
        let all_up = window.values_of(Region::BOX).filter(|&spin| spin > 0).count();
        let [rate_of_up, rate_of_down] = law.rates(all_up, window.shape().sites());
        let mut generator = Generator::none(1);
        generator.add(up as f64 * rate_of_up, &[-2.0]);
        generator.add((sites - up) as f64 * rate_of_down, &[2.0]);
        generator
    });

    /// Without a field, the flip of all spins.
    fn symmetries(&self) -> Vec<Symmetry> {
        if self.field == 0.0 { vec![Symmetry::of_signs(&[-1.0])] } else { Vec::new() }
    }

    fn scores(&self) -> Vec<Box<dyn Score>> {
        vec![Box::new(Magnet { component: 0, temperature: self.temperature, critical: None })]
    }

    fn check(&self, starts: &[f64]) -> Result<(), String> {
        spins::check("curie_weiss", &[self.temperature], self.field, starts)
    }
}
