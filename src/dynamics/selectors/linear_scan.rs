//! The plainest selector: one pass over all rates, O(sites) a draw. It is the reference that the others are tested
//! against.

use super::Selector;
use crate::{
    dynamics::Events,
    lattice::{Region, Window},
    rng::Rng,
};
use rand::Rng as _;

/// All rates in a list.
#[derive(Clone, Debug, Default)]
pub struct LinearScan {
    sites: Vec<usize>,
    /// Rate by site number, 0 for the halo.
    rates: Vec<f64>,
}

impl<L: Events> Selector<L> for LinearScan {
    fn prepare(&mut self, law: &L, window: &Window<L::Site>) {
        self.sites = window.sites_of(Region::BOX).collect();
        self.rates = vec![0.0; window.padded_sites()];
        for &site in &self.sites {
            self.rates[site] = law.rate(window, site);
        }
    }

    fn total_rate(&mut self) -> f64 {
        self.rates.iter().sum()
    }

    fn select(&self, rng: &mut Rng) -> usize {
        let mut left = rng.random::<f64>() * self.rates.iter().sum::<f64>();
        let mut possible = self.sites.iter().copied().filter(|&site| self.rates[site] > 0.0);
        for site in possible.clone() {
            left -= self.rates[site];
            if left < 0.0 {
                return site;
            }
        }
        possible.next_back().expect("an event is drawn only when the total rate is above 0")
    }

    fn refresh(&mut self, law: &L, window: &Window<L::Site>, site: usize) {
        self.rates[site] = law.rate(window, site);
    }
}
