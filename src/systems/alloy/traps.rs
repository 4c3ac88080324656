//! Evolution of vacancies that flicker among a few states: each escapes from all of them at once, exactly.
//!
//! While no other vacancy comes near, what a vacancy does in its basin depends on nothing else. Its escape is drawn when
//! it comes to a state from which jumps would take longer, and its place until then is not needed. Before another vacancy
//! jumps to where it would see a site of the basin, the state at that time is drawn, given that there was no escape, and
//! the vacancy jumps on one by one.

use super::{
    Alloy, VacancyKmc,
    basin::Trapped,
    reach::{Reach, point},
};
use crate::{
    dynamics::{Elapsed, Escape, EvolveError, drawn},
    lattice::Window,
    rng::Rng,
};
use rand::Rng as _;
use rand_distr::Exp1;

/// Most states of the first basin that is looked for. Small ones are found and left at little cost.
const SMALL: usize = 8;
/// By how much more a basin may have each time that its vacancy flickers beside it.
const GROWTH: usize = 4;
/// Jumps to remembered environments, less three times those to others, for each state that a basin may have, after which
/// it is looked for.
const FLICKERS: usize = 12;
/// Jumps that a search takes as long as, for each state.
const SEARCH: usize = 50;
/// Most doublings of the wait after failures.
const DOUBLINGS: u32 = 8;
/// No targets.
const NOWHERE: [usize; 2] = [usize::MAX; 2];

/// Evolves a window for a time. Jumps that a stop in a basin has cut off are counted in proportion to the time.
///
/// # Errors
/// When a rate is not finite.
pub(super) fn evolve(
    kernel: &mut VacancyKmc,
    law: &Alloy,
    window: &mut Window<u8>,
    time: f64,
    rng: &mut Rng,
) -> Result<Elapsed, EvolveError> {
    let (mut traps, mut now) = (Traps::new(kernel.count(), time), 0.0);
    loop {
        let total = kernel.total_rate();
        if !total.is_finite() {
            return Err(EvolveError::BadRate { total });
        }
        let waiting = if total > 0.0 { rng.sample::<f64, _>(Exp1) / total } else { f64::INFINITY };
        let escaping = traps.first_to_escape().filter(|&(at, _)| at <= now + waiting);
        now = escaping.map_or(now + waiting, |(at, _)| at);
        if now >= time {
            let events = traps.events + traps.end((kernel, window), rng);
            return Ok(Elapsed { time, events });
        }
        let vacancy = match escaping {
            Some((_, vacancy)) => {
                traps.escape((kernel, law, window), (vacancy, now), rng);
                vacancy
            }
            None => traps.jump((kernel, law, window), now, rng),
        };
        traps.enter((kernel, law, window), (vacancy, now), rng);
    }
}

/// The basin of a vacancy.
struct Trap {
    trapped: Trapped,
    reach: Reach,
    /// Since when the vacancy is inside, and how it will escape; `None` outside.
    pending: Option<(f64, Escape)>,
    /// Jumps that were not made one by one.
    saved: u64,
    /// Most states that it may have.
    most: usize,
}

/// The basins of all vacancies.
struct Traps {
    /// The end of the evolution.
    end: f64,
    of: Vec<Option<Trap>>,
    /// The vacancies that have one.
    with: Vec<usize>,
    flickers: Vec<i32>,
    /// Searches in vain, and basins that did not pay, one after the other.
    failures: Vec<u32>,
    /// The last two targets of each vacancy that no basin would see; none after a new basin.
    clear: Vec<[usize; 2]>,
    events: u64,
}

impl Traps {
    fn new(vacancies: usize, end: f64) -> Self {
        let of = (0..vacancies).map(|_| None).collect();
        let (flickers, failures) = (vec![0; vacancies], vec![0; vacancies]);
        let clear = vec![NOWHERE; vacancies];
        Self { end, of, with: Vec::new(), flickers, failures, clear, events: 0 }
    }

    fn trap(&mut self, vacancy: usize) -> &mut Trap {
        self.of[vacancy].as_mut().expect("the vacancy has a basin")
    }

    /// When the first vacancy escapes, and which.
    fn first_to_escape(&self) -> Option<(f64, usize)> {
        let escapes = self.with.iter().filter_map(|&vacancy| {
            let (since, escape) = self.of[vacancy].as_ref()?.pending?;
            Some((since + escape.time, vacancy))
        });
        escapes.min_by(|one, other| one.0.total_cmp(&other.0))
    }

    fn forget(&mut self, vacancy: usize) {
        self.of[vacancy] = None;
        self.with.retain(|&other| other != vacancy);
        self.flickers[vacancy] = 0;
    }

    /// Gives a basin up. Where it has cost more jumps than it has saved, no other one is looked for in a while.
    fn give_up(&mut self, vacancy: usize, stop: usize) {
        let Trap { trapped, saved, .. } = self.trap(vacancy);
        let cost = SEARCH * trapped.count() + stop;
        let paid = *saved > cost as u64;
        self.forget(vacancy);
        match paid {
            true => self.failures[vacancy] = 0,
            false => self.discourage(vacancy, cost),
        }
    }

    /// Lets a vacancy jump on for as long as a failure has cost, and twice as long after each one.
    fn discourage(&mut self, vacancy: usize, cost: usize) {
        self.flickers[vacancy] = -((cost as i32) << self.failures[vacancy].min(DOUBLINGS));
        self.failures[vacancy] += 1;
    }

    /// Lets a vacancy escape from its basin.
    fn escape(
        &mut self,
        (kernel, law, window): (&mut VacancyKmc, &Alloy, &mut Window<u8>),
        (vacancy, now): (usize, f64),
        rng: &mut Rng,
    ) {
        let Trap { trapped, pending, saved, .. } = self.trap(vacancy);
        let (_, escape) = pending.take().expect("the vacancy is inside");
        trapped.go_to(kernel, window, vacancy, escape.from);
        let jump = drawn(&trapped.ways_out(escape.from), rng);
        trapped.is_near_after(jump);
        *saved += escape.jumps;
        self.events += escape.jumps;
        self.make_way((kernel, window), (vacancy, jump, now), rng);
        kernel.jump(law, window, vacancy, jump);
    }

    /// Makes a jump of a vacancy that is not inside a basin, and tells which has jumped.
    fn jump(
        &mut self,
        (kernel, law, window): (&mut VacancyKmc, &Alloy, &mut Window<u8>),
        now: f64,
        rng: &mut Rng,
    ) -> usize {
        let (vacancy, jump) = kernel.draw(rng);
        self.make_way((kernel, window), (vacancy, jump, now), rng);
        let known = kernel.jump(law, window, vacancy, jump);
        self.events += 1;
        let flickers = self.flickers[vacancy];
        self.flickers[vacancy] = if known { flickers + 1 } else { (flickers - 3).max(flickers.min(0)) };
        if self.of[vacancy].is_some() && !self.trap(vacancy).trapped.is_near_after(jump) {
            self.give_up(vacancy, 0);
        }
        vacancy
    }

    /// Ends the basins of others that a vacancy is about to see.
    fn make_way(
        &mut self,
        (kernel, window): (&mut VacancyKmc, &mut Window<u8>),
        (moving, jump, now): (usize, usize, f64),
        rng: &mut Rng,
    ) {
        let target = kernel.target(kernel.site(moving), jump);
        if self.with.iter().all(|&vacancy| vacancy == moving) || self.clear[moving].contains(&target) {
            return;
        }
        self.clear[moving] = [target, self.clear[moving][0]];
        let point = point(window, target);
        for place in (0..self.with.len()).rev() {
            let vacancy = self.with[place];
            let trap = self.trap(vacancy);
            if vacancy != moving && trap.reach.sees(window, point) {
                #[cfg(test)]
                tests::INTERRUPTED.fetch_add(u64::from(trap.pending.is_some()), std::sync::atomic::Ordering::Relaxed);
                let jumps = trap.stop((kernel, window), (vacancy, now), rng);
                trap.saved += jumps;
                let stop = few(trap.trapped.count());
                self.events += jumps;
                self.give_up(vacancy, stop as usize);
            }
        }
    }

    /// Draws the escape of a vacancy that has come to stand in a basin, where jumps would take longer, after a search for
    /// one where it flickers outside.
    fn enter(
        &mut self,
        (kernel, law, window): (&mut VacancyKmc, &Alloy, &mut Window<u8>),
        (vacancy, now): (usize, f64),
        rng: &mut Rng,
    ) {
        let most = self.of[vacancy].as_ref().map_or(SMALL, |trap| trap.most + GROWTH);
        let jumps_left = kernel.rate_of(vacancy) * (self.end - now);
        if self.of[vacancy].as_ref().is_some_and(|trap| trap.trapped.is_inside()) {
            self.flickers[vacancy] = 0;
        } else if self.flickers[vacancy] >= (FLICKERS * most) as i32 && jumps_left > few(most) {
            if self.of[vacancy].is_some() {
                self.give_up(vacancy, 0);
            }
            if self.flickers[vacancy] >= 0 {
                self.of[vacancy] = self.found((kernel, law, window), vacancy, most);
                match self.of[vacancy] {
                    Some(_) => {
                        self.with.push(vacancy);
                        self.clear.fill(NOWHERE);
                    }
                    None => self.discourage(vacancy, SEARCH * SMALL),
                }
            }
        }
        let Some(trap) = self.of[vacancy].as_mut().filter(|trap| trap.trapped.is_inside()) else { return };
        if jumps_left < few(trap.trapped.count()) {
            return self.forget(vacancy);
        }
        if trap.trapped.basin.expected_jumps(trap.trapped.at) < escape_cost(trap.trapped.count()) {
            return;
        }
        trap.pending = Some((now, trap.trapped.basin.escape(trap.trapped.at, rng)));
        kernel.suspend(vacancy);
    }

    /// The basin around a vacancy, if it is worth it and no other vacancy is near.
    fn found(
        &self,
        (kernel, law, window): (&VacancyKmc, &Alloy, &mut Window<u8>),
        vacancy: usize,
        most: usize,
    ) -> Option<Trap> {
        let alone = |window: &Window<u8>, reach: &Reach| {
            (0..kernel.count()).filter(|&other| other != vacancy).all(|other| {
                let here = std::iter::once(point(window, kernel.site(other)));
                let places = self.of[other].iter().flat_map(|trap| trap.reach.points.iter().copied());
                !here.chain(places).any(|place| reach.sees(window, place))
            })
        };
        if !alone(window, &Reach::new(window, std::iter::once(kernel.site(vacancy)))) {
            return None;
        }
        let trapped = Trapped::find(kernel, law, window, vacancy, most)?;
        let reach = Reach::new(window, trapped.sites());
        alone(window, &reach).then_some(Trap { trapped, reach, pending: None, saved: 0, most })
    }

    /// Draws the states of the vacancies that are inside at the end; the number of their jumps.
    fn end(&mut self, (kernel, window): (&mut VacancyKmc, &mut Window<u8>), rng: &mut Rng) -> u64 {
        let end = self.end;
        let inside = std::mem::take(&mut self.with);
        inside.into_iter().map(|vacancy| self.trap(vacancy).stop((kernel, window), (vacancy, end), rng)).sum()
    }
}

impl Trap {
    /// Draws the state of a vacancy that has not escaped by now, if it is inside, and lets it jump on; the number of its
    /// jumps.
    fn stop(
        &mut self,
        (kernel, window): (&mut VacancyKmc, &mut Window<u8>),
        (vacancy, now): (usize, f64),
        rng: &mut Rng,
    ) -> u64 {
        let Some((since, escape)) = self.pending.take() else { return 0 };
        let state = self.trapped.basin.state_after(self.trapped.at, now - since, rng);
        self.trapped.go_to(kernel, window, vacancy, state);
        (escape.jumps as f64 * (now - since) / escape.time) as u64
    }
}

/// Jumps that take as long as an escape from so many states.
fn escape_cost(states: usize) -> f64 {
    25.0 + 5.0 * states as f64
}

/// Jumps until the end that are made one by one in a basin of so many states: as many as the state at the end costs,
/// which grows as the cube of their number, and the search.
fn few(states: usize) -> f64 {
    160.0 * states as f64 + 0.4 * (states as f64).powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dynamics::{Dynamics as _, Until},
        lattice::Region,
        systems::{
            System as _,
            alloy::{AlloyParameters, basin::random, order::atoms},
        },
    };
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    /// Escapes that others cut short.
    pub(super) static INTERRUPTED: AtomicU64 = AtomicU64::new(0);

    /// An alloy at 500 K with `vacancies` in 1,024 sites.
    fn alloy(vacancies: usize, basins: bool) -> Alloy {
        let (temperature, reference_barrier) = (500.0.into(), 1.6.into());
        let sites_per_vacancy = 1024 / vacancies;
        let parameters =
            AlloyParameters { temperature, reference_barrier, basins, sites_per_vacancy, ..AlloyParameters::default() };
        Alloy::try_from(parameters).unwrap()
    }

    /// Order against time, with and without basins, over many trajectories each, of one vacancy, and of four that come
    /// near each other.
    #[test]
    fn basins_change_no_distribution() {
        for (vacancies, trajectories) in [(1, 400), (4, 300)] {
            distributions_agree(vacancies, trajectories);
            let interrupted = INTERRUPTED.load(Relaxed);
            println!("{vacancies} vacancies: {interrupted} escapes cut short");
            assert_eq!(interrupted > 100, vacancies > 1, "{interrupted} escapes cut short");
        }
    }

    /// Means of the changes of the order, of the logarithm of the sum of the rates, and of that of the number of jumps.
    fn distributions_agree(vacancies: usize, trajectories: u64) {
        let times = [2.0, 10.0, 20.0];
        let run = |basins: bool, item: u64| {
            let law = alloy(vacancies, basins);
            let (mut window, mut rng) = random(&law, item);
            let (mut kernel, mut now) = (VacancyKmc::default(), 0.0);
            let (first, species) = (law.observe(&window, Region::BOX), atoms(&window));
            let mut found = Vec::new();
            for time in times {
                let jumps = kernel.evolve(&law, &mut window, Until::Time(time - now), &mut rng).unwrap().events;
                now = time;
                assert_eq!(atoms(&window), species, "no atom is lost");
                let rates = VacancyKmc::forgetful().jumps(&law, &window).into_iter().map(|(rate, _)| rate);
                let (fresh, kept) = (rates.sum::<f64>(), kernel.total_rate());
                assert!((fresh / kept - 1.0).abs() < 1e-9, "{fresh} in the window, {kept} in the kernel");
                found
                    .extend(law.observe(&window, Region::BOX).iter().zip(&first).map(|(after, before)| after - before));
                found.extend([fresh.ln(), (jumps as f64).ln_1p()]);
            }
            found
        };
        let mut sums = vec![[0.0; 2]; 8 * times.len()];
        for item in 0..trajectories {
            let (with, without) = (run(true, item), run(false, item));
            for (sum, (one, other)) in sums.iter_mut().zip(with.iter().zip(without)) {
                *sum = [sum[0] + one - other, sum[1] + (one - other).powi(2)];
            }
        }
        for (index, [sum, squares]) in sums.into_iter().enumerate() {
            let error = (squares - sum * sum / trajectories as f64).sqrt();
            assert!(sum.abs() < 4.0 * error, "observable {index}: {} errors, {vacancies} vacancies", sum / error);
        }
    }
}
