//! Evolution of vacancies that flicker among a few states: each escapes from all of them at once, exactly.
//!
//! While no other vacancy comes near, what a vacancy does in its basin depends on nothing else. Its escape is drawn when
//! it enters, and its place until then is not needed. Before another vacancy jumps to where it would see a site of the
//! basin, the state at that time is drawn, given that there was no escape, and the vacancy jumps on one by one.

use super::{Alloy, VacancyKmc, basin::Trapped, environment::SQUARED_REACH};
use crate::{
    dynamics::{Elapsed, Escape, EvolveError, drawn},
    lattice::{Window, bcc},
    rng::Rng,
};
use rand::Rng as _;
use rand_distr::Exp1;

/// Jumps to remembered environments, less three times those to others, after which a basin is looked for.
const FLICKERS: i32 = 100;
/// Jumps that a search in vain costs.
const SEARCH: i32 = 1000;
/// Most doublings of the wait after failures.
const DOUBLINGS: u32 = 12;

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
}

/// The places that a vacancy may be at.
struct Reach {
    /// As half-lattice points.
    points: Vec<[isize; 3]>,
    /// The largest squared distance from the first of them that may be seen from one.
    farthest: isize,
}

impl Reach {
    fn new(window: &Window<u8>, sites: impl Iterator<Item = usize>) -> Self {
        let points: Vec<_> = sites.map(|site| point(window, site)).collect();
        let radius = points.iter().map(|&other| square(window, points[0], other)).max().unwrap_or(0) as f64;
        let farthest = (radius.sqrt() + (SQUARED_REACH as f64).sqrt()).powi(2).ceil() as isize;
        Self { points, farthest }
    }

    /// Whether a vacancy at one of the places would see this one.
    fn sees(&self, window: &Window<u8>, place: [isize; 3]) -> bool {
        square(window, self.points[0], place) <= self.farthest
            && self.points.iter().any(|&point| square(window, point, place) <= SQUARED_REACH)
    }
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
    events: u64,
}

impl Traps {
    fn new(vacancies: usize, end: f64) -> Self {
        let of = (0..vacancies).map(|_| None).collect();
        Self { end, of, with: Vec::new(), flickers: vec![0; vacancies], failures: vec![0; vacancies], events: 0 }
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

    /// Lets a vacancy jump on for as long as a failure has cost, and twice as long after each one.
    fn discourage(&mut self, vacancy: usize, cost: i32) {
        self.flickers[vacancy] = -(cost << self.failures[vacancy].min(DOUBLINGS));
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
            self.forget(vacancy);
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
        if self.with.iter().all(|&vacancy| vacancy == moving) {
            return;
        }
        let point = point(window, kernel.target(kernel.site(moving), jump));
        for place in (0..self.with.len()).rev() {
            let vacancy = self.with[place];
            let trap = self.trap(vacancy);
            if vacancy != moving && trap.reach.sees(window, point) {
                #[cfg(test)]
                tests::INTERRUPTED.fetch_add(u64::from(trap.pending.is_some()), std::sync::atomic::Ordering::Relaxed);
                let jumps = trap.stop((kernel, window), (vacancy, now), rng);
                let cost = few(trap.trapped.count());
                let paid = (trap.saved + jumps) as f64 > cost;
                self.events += jumps;
                self.forget(vacancy);
                match paid {
                    true => self.failures[vacancy] = 0,
                    false => self.discourage(vacancy, cost as i32),
                }
            }
        }
    }

    /// Draws the escape of a vacancy that has come to stand in a basin, after a search for one where it flickers.
    fn enter(
        &mut self,
        (kernel, law, window): (&mut VacancyKmc, &Alloy, &mut Window<u8>),
        (vacancy, now): (usize, f64),
        rng: &mut Rng,
    ) {
        if self.of[vacancy].is_none() && self.flickers[vacancy] >= FLICKERS {
            self.of[vacancy] = self.found((kernel, law, window), vacancy);
            match self.of[vacancy] {
                Some(_) => self.with.push(vacancy),
                None => self.discourage(vacancy, SEARCH),
            }
        }
        let left = self.end - now;
        let Some(trap) = self.of[vacancy].as_mut().filter(|trap| trap.trapped.is_inside()) else { return };
        if kernel.rate_of(vacancy) * left < few(trap.trapped.count()) {
            return self.forget(vacancy);
        }
        trap.pending = Some((now, trap.trapped.basin.escape(trap.trapped.at, rng)));
        kernel.suspend(vacancy);
    }

    /// The basin around a vacancy, if it is worth it and no other vacancy is near.
    fn found(&self, (kernel, law, window): (&VacancyKmc, &Alloy, &mut Window<u8>), vacancy: usize) -> Option<Trap> {
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
        let trapped = Trapped::find(kernel, law, window, vacancy)?;
        let reach = Reach::new(window, trapped.sites());
        alone(window, &reach).then_some(Trap { trapped, reach, pending: None, saved: 0 })
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

/// Jumps until the end that are made one by one in a basin of so many states: as many as the state at the end costs,
/// which grows as the cube of their number, and the search.
fn few(states: usize) -> f64 {
    64.0 * states as f64 + 0.025 * (states as f64).powi(3)
}

/// The half-lattice point of a site.
fn point(window: &Window<u8>, site: usize) -> [isize; 3] {
    let [plane, row, _] = window.strides();
    bcc::point(window.coordinate([0; 3], [site / plane, site % plane / row, site % row]))
}

/// The squared distance of two points, in a closed window the shortest one across its faces.
fn square(window: &Window<u8>, one: [isize; 3], other: [isize; 3]) -> isize {
    let [layers, rows, columns] = window.shape().0.map(|extent| extent as isize);
    let extents = [layers, 2 * rows, 2 * columns];
    let apart = |axis: usize| {
        let straight = (one[axis] - other[axis]).abs();
        if window.is_closed() { straight.min(extents[axis] - straight) } else { straight }
    };
    (0..3).map(|axis| apart(axis).pow(2)).sum()
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
