//! Rejection-free kinetic Monte Carlo of vacancies: rates are kept for each vacancy and refreshed only when a jump falls
//! within its reach; a sum tree over the vacancies selects.
//!
//! Works on closed windows and on open ones. In an open window the halo is fixed surroundings: no vacancy jumps out of the
//! box, vacancies of the halo stay, and the windows' first layer must be an even layer of the lattice. Where the law names
//! one vacancy that jumps alone, all others stay.

use super::{
    Alloy,
    environment::{Environment, JUMPS, OFFSETS, VACANCY},
    memory::Memory,
    order::PairCounts,
};
use crate::{
    dynamics::{Dynamics, Elapsed, EvolveError, Pending, SumTree, Until, advance},
    lattice::{
        Region, Window,
        bcc::{NEIGHBOURS, Steps},
    },
    rng::Rng,
};
use std::collections::HashMap;

/// The kernel's working memory.
#[derive(Clone, Debug)]
pub struct VacancyKmc {
    seen: Steps,
    neighbours: Steps,
    vacancies: Vec<Vacancy>,
    /// Number of the vacancy at a site.
    numbers: HashMap<usize, usize>,
    tree: SumTree,
    /// Other vacancies within whose reach the last jump fell.
    reached: Vec<usize>,
    memory: Option<Memory>,
    changes: PairCounts,
}

#[derive(Clone, Copy, Debug)]
struct Vacancy {
    site: usize,
    rates: [f64; JUMPS],
}

impl Default for VacancyKmc {
    fn default() -> Self {
        Self { memory: Some(Memory::default()), ..Self::forgetful() }
    }
}

impl VacancyKmc {
    /// A kernel that asks the model of barriers every time, instead of remembering environments. It draws the same events.
    pub fn forgetful() -> Self {
        Self {
            seen: Steps::default(),
            neighbours: Steps::default(),
            vacancies: Vec::new(),
            numbers: HashMap::new(),
            tree: SumTree::default(),
            reached: Vec::new(),
            memory: None,
            changes: PairCounts::default(),
        }
    }

    /// How the pairs of the lattice changed in the last evolution, those with the surroundings at full weight.
    pub fn changes(&self) -> PairCounts {
        self.changes
    }

    /// How many barriers were asked for since the start, and how many of them were remembered.
    pub fn remembered(&self) -> (u64, u64) {
        self.memory.as_ref().map_or((0, 0), |memory| (memory.asked, memory.remembered))
    }

    /// Site and rates of each vacancy of the box after the last evolution, in events per unit of time.
    pub fn rates(&self) -> impl Iterator<Item = (usize, [f64; JUMPS])> {
        self.vacancies.iter().map(|vacancy| (vacancy.site, vacancy.rates))
    }

    fn prepare(&mut self, law: &Alloy, window: &Window<u8>) {
        self.seen = Steps::new(window, &OFFSETS);
        self.neighbours = Steps::new(window, &NEIGHBOURS);
        self.changes = PairCounts::default();
        let values = window.values();
        let alone = law.alone.map(|place| window.site_at(place));
        let empty = window.sites_of(Region::BOX).filter(|&site| values[site] == VACANCY);
        let empty = empty.filter(|&site| alone.is_none_or(|alone| site == alone));
        self.vacancies.clear();
        self.vacancies.extend(empty.map(|site| Vacancy { site, rates: [0.0; JUMPS] }));
        self.numbers.clear();
        self.numbers.extend(self.vacancies.iter().zip(0..).map(|(vacancy, number)| (vacancy.site, number)));
        if let Some(memory) = &mut self.memory {
            memory.prepare(law.barriers(), self.vacancies.len());
        }
        for number in 0..self.vacancies.len() {
            let environment = Environment::gather(window, &self.seen, self.vacancies[number].site);
            self.vacancies[number].rates = self.rates_of(law, window, number, &environment);
        }
        self.tree.fill(self.vacancies.iter().map(|vacancy| vacancy.rates.iter().sum()));
    }

    /// Takes in the rates of a vacancy again.
    fn refresh(&mut self, law: &Alloy, window: &Window<u8>, number: usize, environment: &Environment) {
        let rates = self.rates_of(law, window, number, environment);
        self.vacancies[number].rates = rates;
        self.tree.set(number, rates.iter().sum());
    }

    fn rates_of(&mut self, law: &Alloy, window: &Window<u8>, number: usize, environment: &Environment) -> [f64; JUMPS] {
        let barriers = match &mut self.memory {
            Some(memory) => memory.barriers(law.barriers().as_ref(), environment),
            None => law.barriers().barriers(environment),
        };
        let mut rates = barriers.map(|barrier| law.rate(barrier));
        for (rate, target) in rates.iter_mut().zip(self.neighbours.from(self.vacancies[number].site)) {
            if window.home(target).is_none() {
                *rate = 0.0;
            }
        }
        rates
    }

    /// The jump of a vacancy, and the vacancies within whose reach it falls.
    fn jump(&mut self, law: &Alloy, window: &mut Window<u8>, number: usize, jump: usize) {
        let from = self.vacancies[number].site;
        let to = window.home(self.neighbours.along(from, jump)).expect("a jump has a rate only within the box");
        let species = window.values()[to];
        let mut count = |window: &Window<u8>, site, sign| {
            let neighbours = self.neighbours.from(site).map(|neighbour| window.values()[neighbour]);
            self.changes.add(species, neighbours, sign);
        };
        count(window, to, -1);
        window.write(from, species);
        window.write(to, VACANCY);
        count(window, from, 1);
        self.numbers.remove(&from);
        self.numbers.insert(to, number);
        self.vacancies[number].site = to;

        let (left, reached) =
            (Environment::gather(window, &self.seen, from), Environment::gather(window, &self.seen, to));
        self.refresh(law, window, number, &reached);
        self.reached.clear();
        for (site, environment) in [(from, left), (to, reached)] {
            for position in environment.vacancies() {
                let other = window.home(self.seen.along(site, position));
                self.reached.extend(other.and_then(|site| self.numbers.get(&site)).filter(|&&other| other != number));
            }
        }
        self.reached.sort_unstable();
        self.reached.dedup();
        for place in 0..self.reached.len() {
            let other = self.reached[place];
            let environment = Environment::gather(window, &self.seen, self.vacancies[other].site);
            self.refresh(law, window, other, &environment);
        }
    }
}

impl Dynamics<Alloy> for VacancyKmc {
    fn evolve(
        &mut self,
        law: &Alloy,
        window: &mut Window<u8>,
        until: Until,
        rng: &mut Rng,
    ) -> Result<Elapsed, EvolveError> {
        self.prepare(law, window);
        advance(&mut Evolving { kernel: self, law, window }, until, rng)
    }
}

struct Evolving<'a> {
    kernel: &'a mut VacancyKmc,
    law: &'a Alloy,
    window: &'a mut Window<u8>,
}

impl Pending for Evolving<'_> {
    fn total_rate(&mut self) -> f64 {
        self.kernel.tree.total()
    }

    fn happen(&mut self, rng: &mut Rng) {
        let (number, mut left) = self.kernel.tree.draw(rng);
        let rates = self.kernel.vacancies[number].rates;
        let mut drawn = 0;
        for (jump, &rate) in rates.iter().enumerate().filter(|&(_, &rate)| rate > 0.0) {
            drawn = jump;
            if left < rate {
                break;
            }
            left -= rate;
        }
        self.kernel.jump(self.law, self.window, number, drawn);
    }
}
