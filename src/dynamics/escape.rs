//! Exact escape from a few states among which a system jumps back and forth: kinetic path sampling (Athenes and Bulatov,
//! Phys. Rev. Lett. 113, 230601, 2014; arXiv 1403.2282).
//!
//! The states are eliminated one by one from the Markov chain of jumps. The chain that is left has one jump, out of the
//! basin; drawn backwards, elimination by elimination, the numbers of all jumps follow from it, and from the numbers of
//! visits the time. Their joint distribution is that of the jumps themselves.

use super::drawn;
use crate::rng::Rng;
use rand_distr::{Binomial, Distribution, Gamma, Poisson};

/// A basin: the rates among its states and out of it. States are eliminated from the last to the first, which keeps
/// the chain sparse where the last ones are the ends of branches.
#[derive(Clone, Debug)]
pub struct Basin {
    /// Sum of the rates of each state.
    totals: Vec<f64>,
    /// The largest of them.
    largest: f64,
    /// Probability that a jump of each state leaves the basin.
    out: Vec<f64>,
    /// The generator without escapes plus the largest total rate, `[from, to]`: no value is negative.
    shifted: Vec<f64>,
    /// By state.
    eliminations: Vec<Elimination>,
    /// Mean number of jumps until the escape from each state.
    expected_jumps: Vec<f64>,
}

/// What the elimination of a state does to the chain of those before it.
#[derive(Clone, Debug, Default)]
struct Elimination {
    /// Probability that the next jump of the state stays, and that it goes on.
    stay: f64,
    on: f64,
    /// Probabilities of jumps from other states to this one, and from this one to others.
    from: Vec<(usize, f64)>,
    to: Vec<(usize, f64)>,
    /// For jumps between other states, the share of those that do not pass this one.
    direct: Vec<(usize, usize, f64)>,
}

/// How a system left a basin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Escape {
    /// State that it was left from.
    pub from: usize,
    /// Time that this took.
    pub time: f64,
    /// Number of jumps, the one out of the basin among them.
    pub jumps: u64,
}

impl Basin {
    /// The basin with the rates `[from, to]` between its states, zero from a state to itself, and the rate out of the
    /// basin from each of them. `None` when some state has no way out, or none within 1e15 jumps.
    pub fn new(rates: &[f64], out: &[f64]) -> Option<Self> {
        let count = out.len();
        let total = |from: usize| rates[from * count..][..count].iter().sum::<f64>() + out[from];
        let totals: Vec<f64> = (0..count).map(total).collect();
        let largest = totals.iter().copied().fold(0.0, f64::max);
        let mut shifted = rates.to_vec();
        let mut chain = rates.to_vec();
        for from in 0..count {
            shifted[from * count + from] += largest - totals[from];
            chain[from * count..][..count].iter_mut().for_each(|rate| *rate /= totals[from]);
        }
        let out: Vec<f64> = out.iter().zip(&totals).map(|(rate, total)| rate / total).collect();
        let mut leaving = out.clone();
        let mut eliminations = vec![Elimination::default(); count];
        for state in (0..count).rev() {
            let found = Elimination::of(state, count, &mut chain, &mut leaving)?;
            eliminations[state] = found;
        }
        let mut basin = Self { totals, largest, out, shifted, eliminations, expected_jumps: Vec::new() };
        basin.expected_jumps = (0..count).map(|start| basin.visits(start).into_iter().sum()).collect();
        basin.expected_jumps.iter().all(|&jumps| jumps < MOST_JUMPS).then_some(basin)
    }

    /// Mean number of visits of each state before the escape from a start.
    fn visits(&self, start: usize) -> Vec<f64> {
        let count = self.totals.len();
        let mut visits = vec![0.0; count];
        visits[start] = 1.0;
        for state in (0..count).rev() {
            let Elimination { on, to, .. } = &self.eliminations[state];
            visits[state] /= on;
            let here = visits[state];
            to.iter().for_each(|&(other, share)| visits[other] += here * share);
        }
        for (state, Elimination { on, from, .. }) in self.eliminations.iter().enumerate() {
            visits[state] += from.iter().map(|&(other, share)| visits[other] * share).sum::<f64>() / on;
        }
        visits
    }

    /// Mean number of jumps until the escape from a start.
    pub fn expected_jumps(&self, start: usize) -> f64 {
        self.expected_jumps[start]
    }

    /// Draws an escape from a start.
    pub fn escape(&self, start: usize, rng: &mut Rng) -> Escape {
        let count = self.totals.len();
        let weights: Vec<f64> = self.visits(start).iter().zip(&self.out).map(|(visits, out)| visits * out).collect();
        let from = drawn(&weights, rng);
        // Rows are the states and, last, a source that enters the start; columns are the states and, last, this way out.
        let width = count + 1;
        let mut entry = vec![0.0; width];
        entry[start] = 1.0;
        let mut way_out = vec![0.0; width];
        way_out[from] = self.out[from];
        // Shares of the jumps of the source, and of those out of the basin, that do not pass each state.
        let (mut of_source, mut of_way_out) = (vec![Vec::new(); count], vec![Vec::new(); count]);
        for state in (0..count).rev() {
            let Elimination { on, from, to, .. } = &self.eliminations[state];
            if entry[state] > 0.0 {
                let through = entry[state] / on;
                let mut shares: Vec<_> =
                    to.iter().map(|&(other, share)| (other, mixed(&mut entry[other], through * share))).collect();
                shares.push((count, mixed(&mut entry[count], through * way_out[state])));
                of_source[state] = shares;
            }
            if way_out[state] > 0.0 {
                let through = way_out[state] / on;
                of_way_out[state] =
                    from.iter().map(|&(other, share)| (other, mixed(&mut way_out[other], through * share))).collect();
            }
        }
        let mut hops = vec![0_u64; width * width];
        hops[count * width + count] = 1;
        for state in 0..count {
            let Elimination { stay, on, direct, .. } = &self.eliminations[state];
            let source = of_source[state].iter().map(|&(to, share)| (count, to, share));
            let out = of_way_out[state].iter().map(|&(row, share)| (row, count, share));
            for (row, to, share) in direct.iter().copied().chain(source).chain(out) {
                let all = hops[row * width + to];
                if all > 0 {
                    let direct = binomial(all, share, rng);
                    hops[row * width + to] = direct;
                    hops[row * width + state] += all - direct;
                    hops[state * width + to] += all - direct;
                }
            }
            let departures: u64 = hops[state * width..][..width].iter().sum();
            hops[state * width + state] += failures(departures, *on, *stay, rng);
        }
        let (mut time, mut jumps) = (0.0, 0);
        for (row, total) in hops.chunks_exact(width).zip(&self.totals) {
            let visits = row.iter().sum::<u64>();
            if visits > 0 {
                time += Gamma::new(visits as f64, total.recip()).expect("positive shape and scale").sample(rng);
                jumps += visits;
            }
        }
        Escape { from, time, jumps }
    }

    /// Draws the state after a time without escape.
    pub fn state_after(&self, start: usize, time: f64, rng: &mut Rng) -> usize {
        let count = self.totals.len();
        let halvings = (self.largest * time).log2().ceil().max(0.0) as i32 + 2;
        let step = time * 0.5_f64.powi(halvings);
        // exp of a matrix without negative values, up to a factor, by its series.
        let mut term = identity(count);
        let mut sum = identity(count);
        for order in 1..=TERMS {
            term = product(&term, &self.shifted, count);
            term.iter_mut().for_each(|value| *value *= step / f64::from(order));
            sum.iter_mut().zip(&term).for_each(|(sum, term)| *sum += term);
        }
        for _ in 0..halvings {
            sum = product(&sum, &sum, count);
            let most = sum.iter().copied().fold(0.0, f64::max);
            sum.iter_mut().for_each(|value| *value /= most);
        }
        drawn(&sum[start * count..][..count], rng)
    }
}

impl Elimination {
    /// Eliminates the last state that is left in a chain `[from, to]`, of which `leaving` goes nowhere else. `None` if it
    /// cannot go on.
    fn of(state: usize, count: usize, chain: &mut [f64], leaving: &mut [f64]) -> Option<Self> {
        let others = 0..state;
        let jumps = |index: &dyn Fn(usize) -> usize, chain: &[f64]| -> Vec<(usize, f64)> {
            others.clone().map(|other| (other, chain[index(other)])).filter(|&(_, share)| share > 0.0).collect()
        };
        let from = jumps(&|other| other * count + state, chain);
        let to = jumps(&|other| state * count + other, chain);
        // One minus the probability to stay, without loss of digits (Grassmann, Taksar and Heyman, 1985).
        let on = to.iter().map(|(_, share)| share).sum::<f64>() + leaving[state];
        if !(on > 0.0 && on.is_finite()) {
            return None;
        }
        let mut direct = Vec::with_capacity(from.len() * to.len());
        for &(row, before) in &from {
            let through = before / on;
            leaving[row] += through * leaving[state];
            for &(other, share) in &to {
                direct.push((row, other, mixed(&mut chain[row * count + other], through * share)));
            }
        }
        Some(Self { stay: chain[state * count + state], on, from, to, direct })
    }
}

/// Mean number of jumps of an escape from which on they are no longer counted exactly.
const MOST_JUMPS: f64 = 1e15;
/// Terms of the series of exp(x) for x up to 1/2: the rest is below 1e-17.
const TERMS: u32 = 14;

fn identity(count: usize) -> Vec<f64> {
    (0..count * count).map(|index| f64::from(u8::from(index % (count + 1) == 0))).collect()
}

fn product(left: &[f64], right: &[f64], count: usize) -> Vec<f64> {
    let mut found = vec![0.0; count * count];
    for (row, left) in found.chunks_exact_mut(count).zip(left.chunks_exact(count)) {
        for (value, right) in left.iter().zip(right.chunks_exact(count)) {
            row.iter_mut().zip(right).for_each(|(sum, right)| *sum += value * right);
        }
    }
    found
}

/// Adds jumps that pass another state to those that do not; the share of the latter.
fn mixed(jumps: &mut f64, more: f64) -> f64 {
    let direct = *jumps;
    *jumps += more;
    if *jumps > 0.0 { direct / *jumps } else { 1.0 }
}

fn binomial(trials: u64, share: f64, rng: &mut Rng) -> u64 {
    Binomial::new(trials, share.clamp(0.0, 1.0)).expect("a probability").sample(rng)
}

/// Failures before so many successes, negative binomial: a Poisson number with a gamma distributed mean.
fn failures(successes: u64, success: f64, failure: f64, rng: &mut Rng) -> u64 {
    if successes == 0 || failure == 0.0 {
        return 0;
    }
    let mean = Gamma::new(successes as f64, failure / success).expect("positive shape and scale").sample(rng);
    if mean > 0.0 { Poisson::new(mean).expect("no more than basins may have").sample(rng) as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use rand::Rng as _;

    /// A basin of four states with rates over three orders of magnitude, one of them with two neighbours only.
    fn basin() -> (Vec<f64>, Vec<f64>) {
        let rates = [[0.0, 90.0, 3.0, 0.0], [70.0, 0.0, 4.0, 0.5], [1.0, 3.0, 0.0, 0.5], [0.0, 0.8, 0.2, 0.0]];
        (rates.concat(), vec![0.2, 0.0, 0.6, 1.5])
    }

    /// Jump by jump: where it escapes from, when, and after how many jumps; or where it is after a time.
    fn walk(start: usize, until: f64, rng: &mut Rng) -> (Escape, Option<usize>) {
        let (rates, out) = basin();
        let (mut from, mut time, mut jumps) = (start, 0.0, 0);
        loop {
            let mut row = rates[from * 4..][..4].to_vec();
            row.push(out[from]);
            time -= rng.random::<f64>().ln() / row.iter().sum::<f64>();
            if time > until {
                return (Escape { from, time, jumps }, Some(from));
            }
            jumps += 1;
            match drawn(&row, rng) {
                4 => return (Escape { from, time, jumps }, None),
                to => from = to,
            }
        }
    }

    fn chi_squared(counts: [[f64; 4]; 2]) -> f64 {
        (0..4)
            .map(|index| (counts[0][index] - counts[1][index]).powi(2) / (counts[0][index] + counts[1][index]).max(1.0))
            .sum()
    }

    /// 40,000 escapes from each start against as many jump by jump: states of exit by chi-squared, times by the distance
    /// of their distributions, numbers of jumps by their mean and its mean square, and the mean number in closed form.
    #[test]
    fn escapes_have_the_distribution_of_jumps() {
        let (rates, out) = basin();
        let basin = Basin::new(&rates, &out).unwrap();
        const MANY: usize = 40_000;
        for start in 0..4 {
            let mut rng = stream(7, Purpose::Bench, [start as u64, 0]);
            let (mut counts, mut times, mut jumps) = ([[0.0; 4]; 2], [const { Vec::new() }; 2], [[0.0; 2]; 2]);
            for _ in 0..MANY {
                let escapes = [basin.escape(start, &mut rng), walk(start, f64::INFINITY, &mut rng).0];
                for (index, escape) in escapes.into_iter().enumerate() {
                    counts[index][escape.from] += 1.0;
                    times[index].push(escape.time);
                    let number = escape.jumps as f64 / MANY as f64;
                    jumps[index] = [jumps[index][0] + number, jumps[index][1] + number * escape.jumps as f64];
                }
            }
            // 0.999 quantiles of three degrees of freedom, and of Kolmogorov and Smirnov's distance.
            assert!(chi_squared(counts) < 16.3, "start {start}: {counts:?}");
            let [mut ours, mut plain] = times;
            ours.sort_by(f64::total_cmp);
            plain.sort_by(f64::total_cmp);
            let below = |time: f64| plain.partition_point(|&other| other <= time) as f64 / MANY as f64;
            let distance = ours.iter().enumerate().map(|(rank, &time)| (rank as f64 / MANY as f64 - below(time)).abs());
            let distance = distance.fold(0.0, f64::max);
            assert!(distance < 1.95 * (2.0 / MANY as f64).sqrt(), "start {start}: {distance}");
            let error = ((jumps[1][1] - jumps[1][0].powi(2)) / MANY as f64).sqrt();
            assert!((jumps[0][0] - jumps[1][0]).abs() < 5.0 * error, "start {start}: {jumps:?}");
            assert!((jumps[0][1] / jumps[1][1] - 1.0).abs() < 0.1, "start {start}: {jumps:?}");
            assert!((basin.expected_jumps(start) - jumps[1][0]).abs() < 4.0 * error, "start {start}: {jumps:?}");
        }
    }

    #[test]
    fn states_without_escape_have_the_distribution_of_jumps() {
        let (rates, out) = basin();
        let basin = Basin::new(&rates, &out).unwrap();
        for (start, time) in [(0, 1e-3), (3, 0.02), (2, 0.3), (0, 5.0)] {
            let mut rng = stream(8, Purpose::Bench, [start as u64, 0]);
            let mut counts = [[0.0; 4]; 2];
            while counts[1].iter().sum::<f64>() < 4000.0 {
                let Some(state) = walk(start, time, &mut rng).1 else { continue };
                counts[1][state] += 1.0;
                counts[0][basin.state_after(start, time, &mut rng)] += 1.0;
            }
            assert!(chi_squared(counts) < 16.3, "start {start}, time {time}: {counts:?}");
        }
    }

    #[test]
    fn a_state_without_a_way_out_is_no_basin() {
        assert!(Basin::new(&[0.0, 1.0, 1.0, 0.0], &[0.0, 0.0]).is_none());
        assert!(Basin::new(&[0.0, 1e30, 1e30, 0.0], &[1.0, 0.0]).is_none(), "1e30 jumps cannot be counted");
        let deep = Basin::new(&[0.0, 1e12, 1e12, 0.0], &[1.0, 0.0]).unwrap();
        assert!((deep.expected_jumps(0) / 2e12 - 1.0).abs() < 1e-3);
        let escape = deep.escape(0, &mut stream(1, Purpose::Bench, [0, 0]));
        assert!(escape.from == 0 && escape.jumps > 1000 && escape.time > 0.0);
    }
}
