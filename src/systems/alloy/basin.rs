//! The states among which a vacancy flickers, as a [`crate::dynamics::Basin`].
//!
//! A state is the place of the vacancy and of the atoms that it has moved. Basins grow along the likeliest jumps, and are
//! used where the mean number of jumps before the escape is worth their cost.

use super::{
    Alloy, VacancyKmc,
    environment::{JUMPS, VACANCY},
    kinetics::Look,
};
use crate::{dynamics::Basin, lattice::Window};
use rustc_hash::FxHashMap;

/// Sizes of basins, one after the other while they are worth it.
const SIZES: [usize; 8] = [3, 5, 8, 12, 16, 24, 32, 64];
/// States up to which a search goes on though they are not worth it.
const ENOUGH: usize = 8;
/// Jumps before the escape, for each state, that make a basin worth it.
const WORTH: f64 = 10.0;
/// Jumps after which a vacancy has left a basin for good.
const LOST: usize = 6;

/// A site that differs from the first state of a basin: its species, and that in the first state.
type Difference = (usize, [u8; 2]);

/// A state that is known: the first one, or where a jump from a state of the basin leads.
struct Node {
    site: usize,
    /// By site.
    differences: Vec<Difference>,
    /// The largest probability of a path of jumps from the first state.
    likelihood: f64,
}

/// A state of a basin: its jumps, and the nodes that they lead to.
struct State {
    node: usize,
    look: Look,
    to: [usize; JUMPS],
}

/// The states around a vacancy. The window is in the first of them while they are found.
#[derive(Default)]
struct Surroundings {
    nodes: Vec<Node>,
    known: FxHashMap<Vec<Difference>, usize>,
    states: Vec<State>,
    /// The state of each node, if it is one of the basin.
    state_of: Vec<Option<usize>>,
}

impl Surroundings {
    /// Makes a node a state.
    fn expand(&mut self, kernel: &VacancyKmc, law: &Alloy, window: &mut Window<u8>, node: usize) {
        let Node { site, ref differences, likelihood } = self.nodes[node];
        differences.iter().for_each(|&(site, [species, _])| window.write(site, species));
        let look = kernel.look_at(law, window, site);
        let targets: [_; JUMPS] = std::array::from_fn(|jump| window.home(kernel.target(site, jump)));
        let moved = targets.map(|target| target.map(|target| window.values()[target]));
        differences.iter().for_each(|&(site, [_, first])| window.write(site, first));
        let (differences, total) = (differences.clone(), look.rates.iter().sum::<f64>());
        let mut to = [usize::MAX; JUMPS];
        for jump in (0..JUMPS).filter(|&jump| look.rates[jump] > 0.0) {
            let (Some(target), Some(species)) = (targets[jump], moved[jump]) else { continue };
            let mut after = differences.clone();
            for (site, species) in [(site, species), (target, VACANCY)] {
                let first = window.values()[site];
                match after.binary_search_by_key(&site, |&(site, _)| site) {
                    Ok(place) if species == first => drop(after.remove(place)),
                    Ok(place) => after[place].1[0] = species,
                    Err(place) => after.insert(place, (site, [species, first])),
                }
            }
            let likelihood = likelihood * look.rates[jump] / total;
            to[jump] = self.node(Node { site: target, differences: after, likelihood });
        }
        self.state_of[node] = Some(self.states.len());
        self.states.push(State { node, look, to });
    }

    /// The index of a node, new or known.
    fn node(&mut self, node: Node) -> usize {
        if let Some(&known) = self.known.get(&node.differences) {
            self.nodes[known].likelihood = self.nodes[known].likelihood.max(node.likelihood);
            return known;
        }
        self.known.insert(node.differences.clone(), self.nodes.len());
        self.nodes.push(node);
        self.state_of.push(None);
        self.nodes.len() - 1
    }

    /// The likeliest node that is no state yet.
    fn next(&self) -> Option<usize> {
        let open = (0..self.nodes.len()).filter(|&node| self.state_of[node].is_none());
        open.max_by(|&a, &b| self.nodes[a].likelihood.total_cmp(&self.nodes[b].likelihood))
    }

    /// The rates of a state to the nodes outside, by jump.
    fn ways_out(&self, state: usize) -> [f64; JUMPS] {
        let State { look, to, .. } = &self.states[state];
        std::array::from_fn(|jump| match to[jump] {
            node if node != usize::MAX && self.state_of[node].is_none() => look.rates[jump],
            _ => 0.0,
        })
    }

    /// The jumps of all states as a basin.
    fn basin(&self) -> Option<Basin> {
        let count = self.states.len();
        let mut rates = vec![0.0; count * count];
        for (from, State { look, to, .. }) in self.states.iter().enumerate() {
            let jumps = to.iter().zip(look.rates).filter(|&(&node, _)| node != usize::MAX);
            for (inside, rate) in jumps.filter_map(|(&node, rate)| Some((self.state_of[node]?, rate))) {
                rates[from * count + inside] += rate;
            }
        }
        let out: Vec<f64> = (0..count).map(|state| self.ways_out(state).iter().sum()).collect();
        Basin::new(&rates, &out)
    }

    /// Gives up the last states.
    fn truncate(&mut self, count: usize) {
        self.states.drain(count..).for_each(|state| self.state_of[state.node] = None);
    }
}

/// A vacancy in a basin, or not far from it.
pub(super) struct Trapped {
    around: Surroundings,
    pub basin: Basin,
    /// The state that the vacancy is in, or left the basin from.
    pub at: usize,
    /// Its jumps since then.
    path: Vec<usize>,
}

impl Trapped {
    /// The basin of at most so many states around a vacancy; `None` where none is worth it.
    pub fn find(
        kernel: &VacancyKmc,
        law: &Alloy,
        window: &mut Window<u8>,
        vacancy: usize,
        most: usize,
    ) -> Option<Self> {
        let mut around = Surroundings::default();
        around.node(Node { site: kernel.site(vacancy), differences: Vec::new(), likelihood: 1.0 });
        let mut found = None;
        for size in SIZES.into_iter().filter(|&size| size <= most) {
            while let Some(next) = around.next().filter(|_| around.states.len() < size) {
                around.expand(kernel, law, window, next);
            }
            let count = around.states.len();
            match around.basin().filter(|basin| basin.expected_jumps(0) > WORTH * count as f64) {
                Some(basin) => found = Some((basin, count)),
                None if count < ENOUGH => {}
                None => break,
            }
        }
        let (basin, count) = found?;
        around.truncate(count);
        Some(Self { around, basin, at: 0, path: Vec::new() })
    }

    /// Number of states.
    pub fn count(&self) -> usize {
        self.around.states.len()
    }

    /// The sites of the vacancy in its states.
    pub fn sites(&self) -> impl Iterator<Item = usize> {
        self.around.states.iter().map(|state| self.around.nodes[state.node].site)
    }

    /// Whether the vacancy is in the basin.
    pub fn is_inside(&self) -> bool {
        self.path.is_empty()
    }

    /// The rates out of the basin from a state, by jump.
    pub fn ways_out(&self, state: usize) -> [f64; JUMPS] {
        self.around.ways_out(state)
    }

    /// Moves the vacancy to another state.
    pub fn go_to(&mut self, kernel: &mut VacancyKmc, window: &mut Window<u8>, vacancy: usize, state: usize) {
        let [from, to] = [self.at, state].map(|state| &self.around.nodes[self.around.states[state].node]);
        from.differences.iter().for_each(|&(site, [_, first])| window.write(site, first));
        to.differences.iter().for_each(|&(site, [species, _])| window.write(site, species));
        kernel.place(vacancy, to.site, &self.around.states[state].look);
        self.at = state;
    }

    /// Follows a jump, and tells whether the vacancy is still near.
    pub fn is_near_after(&mut self, jump: usize) -> bool {
        match self.path.last() {
            None if self.around.ways_out(self.at)[jump] == 0.0 => {
                let State { to, .. } = &self.around.states[self.at];
                self.at = self.around.state_of[to[jump]].expect("the jump stays in the basin");
            }
            Some(&last) if jump == JUMPS - 1 - last => drop(self.path.pop()),
            _ => self.path.push(jump),
        }
        self.path.len() < LOST
    }
}

/// A random state of 1,024 sites, and the stream that it was drawn from.
#[cfg(test)]
pub(super) fn random(law: &Alloy, item: u64) -> (Window<u8>, crate::rng::Rng) {
    use crate::{dynamics::Law, lattice::bcc, rng};
    let mut rng = rng::stream(9, rng::Purpose::Bench, [item, 1]);
    let lattice = law.configuration(bcc::shape(8), 0.0, &mut rng);
    let mut window = Alloy::closed_window(lattice.shape);
    window.load(&lattice, [0; 3]);
    (window, rng)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dynamics::{Dynamics as _, Until, drawn},
        systems::alloy::AlloyParameters,
    };
    use rand::Rng as _;
    use rand_distr::Exp1;

    fn alloy(temperature: f64, reference_barrier: f64, basins: bool) -> Alloy {
        let (temperature, reference_barrier) = (temperature.into(), reference_barrier.into());
        let parameters = AlloyParameters { temperature, reference_barrier, basins, ..AlloyParameters::default() };
        Alloy::try_from(parameters).unwrap()
    }

    /// 0.999 quantile of chi-squared with many degrees of freedom (Wilson and Hilferty, 1931).
    fn largest_chi_squared(freedom: f64) -> f64 {
        freedom * (1.0 - 2.0 / (9.0 * freedom) + 3.09 * (2.0 / (9.0 * freedom)).sqrt()).powi(3)
    }

    /// Escapes from one basin that are compared.
    const EACH: usize = 250;

    /// Escapes from a basin around a random vacancy, drawn at once and jump by jump: chi-squared of the states that they
    /// leave from, its degrees of freedom, and times in units of their mean. `None` from basins that are too deep to
    /// jump out of, or too shallow.
    fn escapes(item: u64) -> Option<(f64, f64, [Vec<f64>; 2])> {
        let law = alloy([300.0, 500.0, 800.0][item as usize % 3], 1.5, true);
        let (mut window, mut rng) = random(&law, item);
        let mut kernel = VacancyKmc::default();
        kernel.evolve(&law, &mut window, Until::Events(50), &mut rng).unwrap();
        let mut around = Surroundings::default();
        around.node(Node { site: kernel.site(0), differences: Vec::new(), likelihood: 1.0 });
        let before = window.values().to_vec();
        for _ in 0..2 + item % 11 {
            let next = around.next().unwrap();
            around.expand(&kernel, &law, &mut window, next);
        }
        assert_eq!(window.values(), before, "the window is left as it was");
        let basin = around.basin().unwrap();
        if !(4.0..3000.0).contains(&basin.expected_jumps(0)) {
            return None;
        }
        let mut found = vec![[0.0_f64; 2]; around.states.len()];
        let mut times = [const { Vec::new() }; 2];
        for _ in 0..EACH {
            let escape = basin.escape(0, &mut rng);
            let (mut state, mut time) = (0, 0.0);
            loop {
                let State { look, to, .. } = &around.states[state];
                let total = look.rates.iter().sum::<f64>();
                time += rng.sample::<f64, _>(Exp1) / total;
                match around.state_of[to[drawn(&look.rates, &mut rng)]] {
                    Some(next) => state = next,
                    None => break,
                }
            }
            for (index, (from, time)) in [(escape.from, escape.time), (state, time)].into_iter().enumerate() {
                found[from][index] += 1.0;
                times[index].push(time);
            }
        }
        let seen = found.iter().filter(|[ours, plain]| ours + plain >= 10.0);
        let terms: Vec<f64> = seen.map(|[ours, plain]| (ours - plain).powi(2) / (ours + plain)).collect();
        let mean = times.iter().flatten().sum::<f64>() / (2 * EACH) as f64;
        times.iter_mut().flatten().for_each(|time| *time /= mean);
        Some((terms.iter().sum(), (terms.len() as f64 - 1.0).max(0.0), times))
    }

    /// 100,000 escapes from basins of 2 to 12 states of random alloys at 300, 500 and 800 K, against as many jump by
    /// jump: states that they leave from by chi-squared, times by Kolmogorov and Smirnov.
    #[test]
    fn vacancies_escape_as_they_do_jump_by_jump() {
        let (mut chi_squared, mut freedom, mut times) = (0.0, 0.0, [const { Vec::new() }; 2]);
        for (sum, degrees, found) in (0..).filter_map(escapes).take(100_000 / EACH) {
            (chi_squared, freedom) = (chi_squared + sum, freedom + degrees);
            times.iter_mut().zip(found).for_each(|(all, found)| all.extend(found));
        }
        assert!(chi_squared < largest_chi_squared(freedom), "{chi_squared} with {freedom} degrees of freedom");
        times.iter_mut().for_each(|all: &mut Vec<f64>| all.sort_by(f64::total_cmp));
        let [ours, plain] = times;
        let many = ours.len() as f64;
        let below = |time: f64| plain.partition_point(|&other| other <= time) as f64 / many;
        let distances = ours.iter().enumerate().map(|(rank, &time)| (rank as f64 / many - below(time)).abs());
        let distance = distances.fold(0.0, f64::max);
        assert!(distance < 1.95 * (2.0 / many).sqrt(), "{distance}");
    }
}
