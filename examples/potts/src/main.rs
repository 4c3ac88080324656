//! The three-state Potts model on a square lattice, and with it all of tessera: `potts new potts`, `potts run INPUT`,
//! ...
//!
//! H = - sum over nearest-neighbour pairs of delta(s_i, s_j) (J = k_B = 1), T_c = 1 / ln(1 + sqrt 3) = 0.9950.
//! Heat-bath dynamics: at the attempts of a site, one per unit of time, a colour is drawn with probability exp(n_c / T)
//! / sum over c, n_c the number of neighbours of that colour. A site thus has two outcomes, one for each colour that it
//! does not have.

mod order;

use order::Order;
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use tessera::{
    Program,
    dynamics::{ClassedEvents, Events, Kmc, Law, RateClasses},
    lattice::{Region, Shape, Stencil, Window},
    rng::Rng,
    scores::Score,
    systems::{Composition, Condition, ConditionAxis, Observable, StatePoint, Symmetry, System},
};

/// Number of colours.
const COLOURS: usize = 3;

/// Parameters, the `[system.potts]` table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Potts {
    /// Temperature in units of J / k_B, above 0; a list for a family of systems.
    temperature: Condition,
}

impl Potts {
    /// Neighbours of each colour.
    fn neighbours(window: &Window<u8>, site: usize) -> [usize; COLOURS] {
        let ([_, row, _], colours) = (window.strides(), window.values());
        let mut counts = [0; COLOURS];
        [site - 1, site + 1, site - row, site + row].iter().for_each(|&site| counts[usize::from(colours[site])] += 1);
        counts
    }

    fn weight(&self, neighbours: usize) -> f64 {
        (neighbours as f64 / self.temperature.value()).exp()
    }
}

impl Law for Potts {
    type Site = u8;
    const REACH: usize = 1;

    fn stencil(&self) -> Stencil {
        Stencil::square()
    }
}

impl Events for Potts {
    type Writes = [(usize, u8); 1];

    fn rate(&self, window: &Window<u8>, site: usize) -> f64 {
        self.class_rate(self.class(window, site))
    }

    fn outcome(&self, window: &Window<u8>, site: usize, rng: &mut Rng) -> Self::Writes {
        let (old, counts) = (usize::from(window.values()[site]), Self::neighbours(window, site));
        let [one, other] = [(old + 1) % COLOURS, (old + 2) % COLOURS];
        let [a, b] = [one, other].map(|colour| self.weight(counts[colour]));
        [(site, if rng.random::<f64>() * (a + b) < a { one } else { other } as u8)]
    }
}

/// Neighbours of the own colour, of the rarer and of the commoner other colour, class by class.
const NEIGHBOURS: [[usize; COLOURS]; 9] =
    [[0, 0, 4], [0, 1, 3], [0, 2, 2], [1, 0, 3], [1, 1, 2], [2, 0, 2], [2, 1, 1], [3, 0, 1], [4, 0, 0]];

impl ClassedEvents for Potts {
    const CLASSES: usize = NEIGHBOURS.len();

    fn class(&self, window: &Window<u8>, site: usize) -> usize {
        let (own, counts) = (usize::from(window.values()[site]), Self::neighbours(window, site));
        let rarer = counts[(own + 1) % COLOURS].min(counts[(own + 2) % COLOURS]);
        [0, 3, 5, 7, 8][counts[own]] + rarer
    }

    fn class_rate(&self, class: usize) -> f64 {
        let [own, a, b] = NEIGHBOURS[class].map(|count| self.weight(count));
        (a + b) / (own + a + b)
    }
}

impl System for Potts {
    type Dynamics = Kmc<RateClasses>;
    /// Shares of the first two colours.
    type Start = [f64; 2];

    const OBSERVABLES: &'static [Observable] = &[
        Observable { name: "red", symbol: "red", unit: "1", scaled: false },
        Observable { name: "green", symbol: "green", unit: "1", scaled: false },
        Observable { name: "blue", symbol: "blue", unit: "1", scaled: false },
        Observable { name: "domain_wall_density", symbol: "ρ", unit: "1", scaled: true },
    ];
    const TIME_UNIT: &'static str = "1 / attempt rate";
    const STATES: &'static [(&'static str, [u8; 3])] =
        &[("red", [190, 70, 60]), ("green", [80, 150, 90]), ("blue", [60, 90, 160])];

    type Feature = f32;
    const CHANNELS: usize = COLOURS;

    fn shape(side: usize) -> Shape {
        Shape::plane(side, side)
    }

    fn state(colour: &u8) -> usize {
        usize::from(*colour)
    }

    fn features(sites: &[u8]) -> Vec<f32> {
        (0..COLOURS as u8)
            .flat_map(|colour| sites.iter().map(move |&site| f32::from(u8::from(site == colour))))
            .collect()
    }

    /// Colours shuffled at shares that are `start`, or else uniform among all that add up to 1.
    fn composition(&self, shape: Shape, start: Option<[f64; 2]>, rng: &mut Rng) -> Composition<u8> {
        let [red, green] = start.unwrap_or_else(|| {
            let (one, other) = (rng.random::<f64>(), rng.random::<f64>());
            [one.min(other), (one - other).abs()]
        });
        let sites = shape.sites() as u64;
        let end = |share: f64| ((share * sites as f64).round() as u64).min(sites);
        let counts = vec![end(red), end(red + green) - end(red), sites - end(red + green)];
        Composition::Mixed { states: vec![0, 1, 2], counts: vec![counts] }
    }

    fn observe(&self, window: &Window<u8>, region: Region) -> Vec<f64> {
        let mut sums = [0.0; COLOURS + 1];
        for site in window.sites_of(region) {
            let own = usize::from(window.values()[site]);
            sums[own] += 1.0;
            // Each site owns half of its four pairs, and there are two pairs a site.
            sums[COLOURS] += (4 - Self::neighbours(window, site)[own]) as f64 / 4.0;
        }
        sums.to_vec()
    }

    /// Exchanges of two colours: their products are all permutations of the colours.
    fn symmetries(&self) -> Vec<Symmetry> {
        [[1, 0, 2], [0, 2, 1]].map(|[red, green, blue]| Symmetry::of_permutation(&[red, green, blue, COLOURS])).into()
    }

    fn scores(&self) -> Vec<Box<dyn Score>> {
        vec![Box::new(Order)]
    }

    fn check(&self, starts: &[[f64; 2]]) -> Result<(), String> {
        if let Some(bad) = self.temperature.all().iter().find(|value| !(**value > 0.0 && value.is_finite())) {
            return Err(format!("system.potts.temperature is {bad}; it must be above 0"));
        }
        match starts.iter().find(|start| start.iter().any(|share| *share < 0.0) || start[0] + start[1] > 1.0) {
            Some(start) => {
                Err(format!("truth.starts holds {start:?}; a start is the shares of two colours, together at most 1"))
            }
            None => Ok(()),
        }
    }

    fn conditions(&self) -> Vec<StatePoint> {
        self.temperature.all().iter().map(|&temperature| temperature.into()).collect()
    }

    fn condition_axes(&self) -> Vec<ConditionAxis> {
        vec![ConditionAxis { name: "temperature", unit: "J / k_B" }]
    }

    fn at_conditions(&self, indices: &[usize]) -> Self {
        Self { temperature: self.temperature.at_conditions(indices) }
    }
}

fn main() {
    Program::new().system::<Potts>("potts", include_str!("../potts.toml")).main();
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera::rng::{Purpose, stream};

    /// A colour is left at the heat-bath rate, and each other one is taken with its share of it.
    #[test]
    fn rates_and_outcomes_are_those_of_the_heat_bath() {
        const DRAWS: usize = 4000;
        let potts = Potts { temperature: 0.8.into() };
        let mut rng = stream(5, Purpose::Bench, [0, 0]);
        let mut window = Potts::closed_window(Shape::plane(5, 7));
        window.load(&potts.draw(Shape::plane(5, 7), Some([0.3, 0.4]), &mut rng), [0; 3]);
        for site in window.sites_of(Region::BOX).collect::<Vec<_>>() {
            let weights = Potts::neighbours(&window, site).map(|count| potts.weight(count));
            let total: f64 = weights.iter().sum();
            let old = usize::from(window.values()[site]);
            assert!((potts.rate(&window, site) - (1.0 - weights[old] / total)).abs() < 1e-12);
            let mut drawn = [0; COLOURS];
            (0..DRAWS).for_each(|_| drawn[usize::from(potts.outcome(&window, site, &mut rng)[0].1)] += 1);
            for colour in (0..COLOURS).filter(|colour| *colour != old) {
                let share = weights[colour] / (total - weights[old]);
                let error = (share * (1.0 - share) / DRAWS as f64).sqrt();
                assert!((drawn[colour] as f64 / DRAWS as f64 - share).abs() < 5.0 * error);
            }
            assert_eq!(drawn[old], 0);
        }
    }
}
