//! Rejection-free kinetic Monte Carlo of vacancies. Every vacancy keeps its rates and refreshes them only after a jump
//! within its reach. A sum tree selects the next vacancy.
//!
//! In an open window the halo is fixed: vacancies neither leave the box nor move in the halo. The first layer of a
//! window must be an even layer of the lattice. If the law lets only one vacancy jump, all others stay.

use crate::{
    dynamics::{Dynamics, Elapsed, EvolveError, Pending, SumTree, Until, advance},
    lattice::{
        Region, Window,
        bcc::{NEIGHBOURS, Steps},
    },
    rng::Rng,
    systems::alloy::{
        Alloy,
        environment::{Environment, JUMPS, Packed, Sight, VACANCY},
        memory::Memory,
        order::PairCounts,
    },
};
use rustc_hash::FxHashMap;

/// The kernel's working memory.
#[derive(Clone, Debug)]
pub struct VacancyKmc {
    sight: Sight,
    neighbours: Steps,
    vacancies: Vec<Vacancy>,
    /// Index of the vacancy at a site.
    index_of: FxHashMap<usize, usize>,
    tree: SumTree,
    /// Other vacancies with the last jump within their reach.
    reached: Vec<usize>,
    changes: PairCounts,
    remembers: bool,
    /// Numbers of environments looked up since the start, and of those found in memory.
    looked_up: [u64; 2],
}

#[derive(Clone, Copy, Debug)]
struct Vacancy {
    site: usize,
    memory: Memory,
}

impl Default for VacancyKmc {
    fn default() -> Self {
        Self { remembers: true, ..Self::forgetful() }
    }
}

impl VacancyKmc {
    /// A kernel that evaluates the barriers every time, without memory of environments. It draws the same events.
    pub fn forgetful() -> Self {
        Self {
            sight: Sight::default(),
            neighbours: Steps::default(),
            vacancies: Vec::new(),
            index_of: FxHashMap::default(),
            tree: SumTree::default(),
            reached: Vec::new(),
            changes: PairCounts::default(),
            remembers: false,
            looked_up: [0; 2],
        }
    }

    /// Changes of the pairs of the lattice in the last evolution, including those with the surroundings at full weight.
    pub fn changes(&self) -> PairCounts {
        self.changes
    }

    /// Numbers of environments looked up since the start, and of those found in memory.
    pub fn remembered(&self) -> (u64, u64) {
        self.looked_up.into()
    }

    /// Site and rates of each vacancy of the box after the last evolution, in events per unit of time.
    pub fn rates(&self) -> impl Iterator<Item = (usize, [f64; JUMPS])> {
        self.vacancies.iter().map(|vacancy| (vacancy.site, *vacancy.memory.rates()))
    }

    /// The jumps that are possible in a state: the rate of each, in events per unit of time, and the pairs that it
    /// would change.
    pub fn jumps(mut self, law: &Alloy, window: &Window<u8>) -> Vec<(f64, PairCounts)> {
        self.prepare(law, window);
        let species = |site: usize| window.values()[site];
        let mut jumps = Vec::with_capacity(JUMPS * self.vacancies.len());
        for (from, rates) in self.rates() {
            for (jump, rate) in rates.into_iter().enumerate().filter(|&(_, rate)| rate > 0.0) {
                let to = self.neighbours.along(from, jump);
                let mut change = PairCounts::default();
                change.add(species(to), self.neighbours.from(to).map(species), -1);
                let others = self.neighbours.from(from).filter(|&site| site != to);
                change.add(species(to), others.map(species), 1);
                jumps.push((rate, change));
            }
        }
        jumps
    }

    fn prepare(&mut self, law: &Alloy, window: &Window<u8>) {
        self.sight = Sight::new(window);
        self.neighbours = Steps::new(window, &NEIGHBOURS);
        self.changes = PairCounts::default();
        let alone = law.alone.map(|coordinate| window.site_at(coordinate));
        let empty = window.sites_of(Region::BOX).filter(|&site| window.values()[site] == VACANCY);
        let empty = empty.filter(|&site| alone.is_none_or(|alone| site == alone));
        self.vacancies.clear();
        self.vacancies.extend(empty.map(|site| Vacancy { site, memory: Memory::default() }));
        self.index_of.clear();
        self.index_of.extend(self.vacancies.iter().map(|vacancy| vacancy.site).zip(0..));
        for vacancy in 0..self.vacancies.len() {
            self.look(law, window, vacancy);
        }
        self.tree.fill(self.vacancies.iter().map(|vacancy| vacancy.memory.rates().iter().sum()));
    }

    /// Updates the environment and the rates of a vacancy.
    fn refresh(&mut self, law: &Alloy, window: &Window<u8>, vacancy: usize) {
        self.look(law, window, vacancy);
        self.tree.set(vacancy, self.vacancies[vacancy].memory.rates().iter().sum());
    }

    fn look(&mut self, law: &Alloy, window: &Window<u8>, vacancy: usize) {
        let Vacancy { site, memory } = &mut self.vacancies[vacancy];
        let environment = Environment::gather(window, &self.sight, *site);
        let mut leaves = [false; JUMPS];
        if !window.is_closed() {
            let targets = self.neighbours.from(*site);
            leaves.iter_mut().zip(targets).for_each(|(leaves, target)| *leaves = window.home(target).is_none());
        }
        let packed = environment.packed().at_edge(leaves);
        if self.remembers {
            let known = memory.recall(&packed);
            self.looked_up[0] += 1;
            self.looked_up[1] += u64::from(known);
            if known {
                return;
            }
        }
        let mut rates = [0.0; JUMPS];
        let barriers = law.barriers().barriers(&environment);
        for ((rate, barrier), leaves) in rates.iter_mut().zip(barriers).zip(leaves) {
            if !leaves {
                *rate = law.rate(barrier);
            }
        }
        memory.learn(packed, rates);
    }

    /// Makes a jump of a vacancy, and refreshes all vacancies within reach of it.
    fn jump(&mut self, law: &Alloy, window: &mut Window<u8>, vacancy: usize, jump: usize) {
        let from = self.vacancies[vacancy].site;
        let to = window.home(self.neighbours.along(from, jump)).expect("a jump has a rate only within the box");
        let left = *self.vacancies[vacancy].memory.environment();
        let species = window.values()[to];
        window.write(from, species);
        window.write(to, VACANCY);
        self.index_of.remove(&from);
        self.index_of.insert(to, vacancy);
        self.vacancies[vacancy].site = to;

        self.refresh(law, window, vacancy);
        let reached = *self.vacancies[vacancy].memory.environment();
        // The two ends of the jump are no pair, neither before nor after it.
        let opposite = JUMPS - 1 - jump;
        let around = |environment: &Packed, other: usize| {
            let mut targets = environment.targets();
            targets[other] = VACANCY;
            targets.into_iter()
        };
        self.changes.add(species, around(&reached, opposite), -1);
        self.changes.add(species, around(&left, jump), 1);

        self.reached.clear();
        for (site, environment) in [(from, left), (to, reached)] {
            for position in environment.vacancies() {
                let other = window.home(self.sight.along(site, position));
                self.reached.extend(other.and_then(|site| self.index_of.get(&site)).filter(|&&other| other != vacancy));
            }
        }
        self.reached.sort_unstable();
        self.reached.dedup();
        for index in 0..self.reached.len() {
            self.refresh(law, window, self.reached[index]);
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
        let (vacancy, mut left) = self.kernel.tree.draw(rng);
        let rates = self.kernel.vacancies[vacancy].memory.rates();
        let mut drawn = 0;
        for (jump, &rate) in rates.iter().enumerate().filter(|&(_, &rate)| rate > 0.0) {
            drawn = jump;
            if left < rate {
                break;
            }
            left -= rate;
        }
        self.kernel.jump(self.law, self.window, vacancy, drawn);
    }
}
