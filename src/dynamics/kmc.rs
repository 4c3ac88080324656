//! Continuous-time kinetic Monte Carlo without rejection (n-fold way; Bortz, Kalos and Lebowitz 1975).
//!
//! With total rate R = sum_i r_i the next event comes after a waiting time ~ Exp(R) and is event i with
//! probability r_i / R (Algorithm 2 of arXiv 2511.12842).

use super::{Dynamics, Elapsed, Events, EvolveError, Selector, Until};
use crate::{lattice::Window, rng::Rng};
use rand::Rng as _;
use rand_distr::Exp1;

/// Events that wait to happen.
pub trait Pending {
    /// R, the sum of all rates.
    fn total_rate(&mut self) -> f64;
    /// Draws an event with probability r_i / R and lets it happen. Only when the total rate is above 0.
    fn happen(&mut self, rng: &mut Rng);
}

/// Lets events happen one after the other.
///
/// # Errors
/// When the total rate falls to 0 before the number of events is reached, or is not finite.
pub fn advance(pending: &mut impl Pending, until: Until, rng: &mut Rng) -> Result<Elapsed, EvolveError> {
    let mut elapsed = Elapsed::default();
    loop {
        if let Until::Events(wanted) = until
            && elapsed.events >= wanted
        {
            return Ok(elapsed);
        }
        let total = pending.total_rate();
        if !total.is_finite() {
            return Err(EvolveError::BadRate { total });
        }
        if total <= 0.0 {
            return match until {
                Until::Time(time) => Ok(Elapsed { time, ..elapsed }),
                Until::Events(wanted) => Err(EvolveError::Frozen { done: elapsed.events, wanted }),
            };
        }
        let waiting = rng.sample::<f64, _>(Exp1) / total;
        if let Until::Time(time) = until
            && elapsed.time + waiting >= time
        {
            return Ok(Elapsed { time, ..elapsed });
        }
        pending.happen(rng);
        elapsed += Elapsed { time: waiting, events: 1 };
    }
}

/// Rejection-free kinetic Monte Carlo with the selector `S`.
#[derive(Clone, Debug, Default)]
pub struct Kmc<S> {
    selector: S,
    offsets: Vec<isize>,
}

impl<L: Events, S: Selector<L>> Dynamics<L> for Kmc<S> {
    fn evolve(
        &mut self,
        law: &L,
        window: &mut Window<L::Site>,
        until: Until,
        rng: &mut Rng,
    ) -> Result<Elapsed, EvolveError> {
        self.offsets = window.offsets(&law.stencil());
        self.selector.prepare(law, window);
        advance(&mut Selected { kmc: self, law, window }, until, rng)
    }
}

struct Selected<'a, L: Events, S> {
    kmc: &'a mut Kmc<S>,
    law: &'a L,
    window: &'a mut Window<L::Site>,
}

impl<L: Events, S: Selector<L>> Pending for Selected<'_, L, S> {
    fn total_rate(&mut self) -> f64 {
        self.kmc.selector.total_rate()
    }

    fn happen(&mut self, rng: &mut Rng) {
        let Self { kmc: Kmc { selector, offsets }, law, window } = self;
        let event = selector.select(rng);
        let writes = law.outcome(window, event, rng);
        for &(site, value) in writes.as_ref() {
            window.write(site, value);
        }
        for &(site, _) in writes.as_ref() {
            selector.refresh(law, window, site);
            for &offset in offsets.iter() {
                if let Some(neighbour) = window.home(site.wrapping_add_signed(offset)) {
                    selector.refresh(law, window, neighbour);
                }
            }
        }
    }
}
