//! How a window of the alloy evolves: jump by jump, or, where vacancies flicker, escape by escape.

use super::{Alloy, VacancyKmc, traps};
use crate::{
    dynamics::{Dynamics, Elapsed, EvolveError, Pending, Until, advance},
    lattice::Window,
    rng::Rng,
};

impl Dynamics<Alloy> for VacancyKmc {
    fn evolve(
        &mut self,
        law: &Alloy,
        window: &mut Window<u8>,
        until: Until,
        rng: &mut Rng,
    ) -> Result<Elapsed, EvolveError> {
        self.prepare(law, window);
        match until {
            Until::Time(time) if law.escapes_basins() && self.remembers() => {
                traps::evolve(self, law, window, time, rng)
            }
            _ => advance(&mut Evolving { kernel: self, law, window }, until, rng),
        }
    }
}

struct Evolving<'a> {
    kernel: &'a mut VacancyKmc,
    law: &'a Alloy,
    window: &'a mut Window<u8>,
}

impl Pending for Evolving<'_> {
    fn total_rate(&mut self) -> f64 {
        self.kernel.total_rate()
    }

    fn happen(&mut self, rng: &mut Rng) {
        let (vacancy, jump) = self.kernel.draw(rng);
        self.kernel.jump(self.law, self.window, vacancy, jump);
    }
}
