//! Rejection-free kinetic Monte Carlo of vacancies. Every vacancy keeps its rates and refreshes them only after a jump
//! within its reach. A sum tree selects the next vacancy.
//!
//! In an open window the halo is fixed: vacancies neither leave the box nor move in the halo. The first layer of a
//! window must be an even layer of the lattice. If the law lets only one vacancy jump, all others stay.

use crate::{
    dynamics::{SumTree, index_at},
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
    /// The vacancy that made the last jump, and the jump that undoes it; `None` when the window has changed since, or when
    /// both environments are equal, which are remembered as one.
    last: Option<(usize, usize)>,
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
            last: None,
            remembers: false,
            looked_up: [0; 2],
        }
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

    /// Finds the vacancies of the window that jump, and their rates.
    pub(super) fn prepare(&mut self, law: &Alloy, window: &Window<u8>) {
        self.sight = Sight::new(window);
        self.neighbours = Steps::new(window, &NEIGHBOURS);
        let alone = law.alone.map(|coordinate| window.site_at(coordinate));
        let empty = window.sites_of(Region::BOX).filter(|&site| window.values()[site] == VACANCY);
        let empty = empty.filter(|&site| alone.is_none_or(|alone| site == alone));
        self.last = None;
        self.vacancies.clear();
        self.vacancies.extend(empty.map(|site| Vacancy { site, memory: Memory::default() }));
        self.index_of.clear();
        self.index_of.extend(self.vacancies.iter().map(|vacancy| vacancy.site).zip(0..));
        for vacancy in 0..self.vacancies.len() {
            self.look(law, window, vacancy);
        }
        self.tree.fill(self.vacancies.iter().map(|vacancy| vacancy.memory.rates().iter().sum()));
    }

    /// Updates the environment and the rates of a vacancy; tells whether it remembered the environment.
    fn refresh(&mut self, law: &Alloy, window: &Window<u8>, vacancy: usize) -> bool {
        let known = self.look(law, window, vacancy);
        self.tree.set(vacancy, self.vacancies[vacancy].memory.rates().iter().sum());
        known
    }

    /// Gives a vacancy that has undone the last jump of all its environment and rates before that jump; true, because it
    /// remembered them.
    fn go_back(&mut self, vacancy: usize) -> bool {
        let memory = &mut self.vacancies[vacancy].memory;
        memory.go_back();
        self.tree.set(vacancy, memory.rates().iter().sum());
        self.looked_up = self.looked_up.map(|number| number + 1);
        true
    }

    /// Finds the rates of a vacancy, and tells whether it remembered its environment.
    fn look(&mut self, law: &Alloy, window: &Window<u8>, vacancy: usize) -> bool {
        let site = self.vacancies[vacancy].site;
        let (environment, leaves) = self.environment(window, site);
        let packed = environment.packed().at_edge(leaves);
        let memory = &mut self.vacancies[vacancy].memory;
        if self.remembers {
            let known = memory.recall(&packed);
            self.looked_up[0] += 1;
            self.looked_up[1] += u64::from(known);
            if known {
                return true;
            }
        }
        memory.learn(packed, rates(law, &environment, leaves));
        false
    }

    /// The environment of a site, and which jumps from it leave the box.
    fn environment(&self, window: &Window<u8>, site: usize) -> (Environment, [bool; JUMPS]) {
        let mut leaves = [false; JUMPS];
        if !window.is_closed() {
            let targets = self.neighbours.from(site);
            leaves.iter_mut().zip(targets).for_each(|(leaves, target)| *leaves = window.home(target).is_none());
        }
        (Environment::gather(window, &self.sight, site), leaves)
    }

    /// What a vacancy at a site would see.
    pub(super) fn look_at(&self, law: &Alloy, window: &Window<u8>, site: usize) -> Look {
        let (environment, leaves) = self.environment(window, site);
        Look { environment: environment.packed().at_edge(leaves), rates: rates(law, &environment, leaves) }
    }

    /// The site that a jump from a site leads to.
    pub(super) fn target(&self, site: usize, jump: usize) -> usize {
        self.neighbours.along(site, jump)
    }

    /// Number of vacancies that jump.
    pub(super) fn count(&self) -> usize {
        self.vacancies.len()
    }

    /// The site of a vacancy.
    pub(super) fn site(&self, vacancy: usize) -> usize {
        self.vacancies[vacancy].site
    }

    /// The sum of the rates of a vacancy.
    pub(super) fn rate_of(&self, vacancy: usize) -> f64 {
        self.vacancies[vacancy].memory.rates().iter().sum()
    }

    /// Lets a vacancy be drawn no more until it is [placed](Self::place).
    pub(super) fn suspend(&mut self, vacancy: usize) {
        self.tree.set(vacancy, 0.0);
    }

    /// Moves a vacancy to a site where it sees this. The window is changed already.
    pub(super) fn place(&mut self, vacancy: usize, site: usize, look: &Look) {
        let Vacancy { site: before, memory } = &mut self.vacancies[vacancy];
        self.index_of.remove(before);
        self.index_of.insert(site, vacancy);
        *before = site;
        self.last = None;
        if !memory.recall(&look.environment) {
            memory.learn(look.environment, look.rates);
        }
        self.tree.set(vacancy, look.rates.iter().sum());
    }

    /// Draws a vacancy and its jump.
    pub(super) fn draw(&self, rng: &mut Rng) -> (usize, usize) {
        let (vacancy, left) = self.tree.draw(rng);
        (vacancy, index_at(self.vacancies[vacancy].memory.rates(), left))
    }

    /// Whether environments are remembered, so that flickering is seen.
    pub(super) fn remembers(&self) -> bool {
        self.remembers
    }

    /// The sum of all rates.
    pub(super) fn total_rate(&self) -> f64 {
        self.tree.total()
    }

    /// Makes a jump of a vacancy, and refreshes all vacancies within reach of it. Tells whether the vacancy remembered its
    /// new environment.
    pub(super) fn jump(&mut self, law: &Alloy, window: &mut Window<u8>, vacancy: usize, jump: usize) -> bool {
        let from = self.vacancies[vacancy].site;
        let to = window.home(self.neighbours.along(from, jump)).expect("a jump has a rate only within the box");
        let left = *self.vacancies[vacancy].memory.environment();
        let species = window.values()[to];
        window.write(from, species);
        window.write(to, VACANCY);
        self.index_of.remove(&from);
        self.index_of.insert(to, vacancy);
        self.vacancies[vacancy].site = to;

        let undone = self.remembers && self.last == Some((vacancy, jump));
        let known = if undone { self.go_back(vacancy) } else { self.refresh(law, window, vacancy) };
        let reached = *self.vacancies[vacancy].memory.environment();
        self.last = (left != reached).then_some((vacancy, JUMPS - 1 - jump));
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
        known
    }
}

/// What a vacancy sees at a site.
pub(super) struct Look {
    pub(super) environment: Packed,
    /// Of its jumps, in events per unit of time.
    pub(super) rates: [f64; JUMPS],
}

/// The rates of the jumps in an environment; 0 for those that leave the box.
fn rates(law: &Alloy, environment: &Environment, leaves: [bool; JUMPS]) -> [f64; JUMPS] {
    let barriers = law.barriers().barriers(environment);
    std::array::from_fn(|jump| if leaves[jump] { 0.0 } else { law.rate(barriers[jump]) })
}
