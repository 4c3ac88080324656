//! O(1) selection for laws whose rates take few values: the members of each class stand in a list.
//!
//! A class is drawn with probability (members x rate) / R, then a member uniformly. A site that changes class is
//! swapped out of one list and appended to another.

use super::Selector;
use crate::{
    dynamics::ClassedEvents,
    lattice::{Region, Window},
    rng::Rng,
};
use rand::Rng as _;

/// The most classes a law may have; also the class of sites that stand in no list.
const MOST: usize = 15;
/// A slot holds the class in its highest bits and the place within the class's list in the others.
const PLACE_BITS: u32 = 28;

/// The sites of a window, listed by class.
#[derive(Clone, Debug, Default)]
pub struct RateClasses {
    /// Room for the members of one class: the number of sites in the box.
    room: usize,
    rates: [f64; MOST + 1],
    counts: [u32; MOST + 1],
    /// Sums of the rates of the classes up to and including each.
    cumulative: [f64; MOST + 1],
    /// Class c holds `members[c * room..][..counts[c]]`.
    members: Vec<u32>,
    /// By site number.
    slots: Vec<u32>,
}

impl<L: ClassedEvents> Selector<L> for RateClasses {
    fn prepare(&mut self, law: &L, window: &Window<L::Site>) {
        const { assert!(L::CLASSES <= MOST) }
        self.room = window.shape().sites();
        assert!(
            self.room < 1 << PLACE_BITS,
            "a window has fewer than 2^{PLACE_BITS} sites: cut the lattice into tiles"
        );
        self.counts = Default::default();
        self.rates = std::array::from_fn(|class| if class < L::CLASSES { law.class_rate(class) } else { 0.0 });
        self.members.resize(L::CLASSES * self.room, 0);
        self.slots.resize(window.padded_sites(), 0);
        for (_, row) in window.rows(Region::BOX) {
            for site in row {
                self.insert(site, law.class(window, site));
            }
        }
    }

    fn total_rate(&mut self) -> f64 {
        let mut total = 0.0;
        for class in 0..L::CLASSES {
            total += f64::from(self.counts[class]) * self.rates[class];
            self.cumulative[class] = total;
        }
        total
    }

    fn select(&self, rng: &mut Rng) -> usize {
        let total = self.cumulative[L::CLASSES - 1];
        let drawn = (rng.random::<f64>() * total).min(total.next_down());
        let class = self.cumulative[..L::CLASSES - 1].iter().filter(|&&sum| sum <= drawn).count();
        let below = if class == 0 { 0.0 } else { self.cumulative[class - 1] };
        let member = ((drawn - below) / self.rates[class]) as usize;
        // Rounding may reach the end of the list.
        self.members[class * self.room + member.min(self.counts[class] as usize - 1)] as usize
    }

    fn refresh(&mut self, law: &L, window: &Window<L::Site>, site: usize) {
        let slot = self.slots[site];
        let (old, place) = ((slot >> PLACE_BITS) as usize, slot & ((1 << PLACE_BITS) - 1));
        let new = law.class(window, site);
        if old != new {
            self.remove(old, place);
            self.insert(site, new);
        }
    }
}

impl RateClasses {
    fn insert(&mut self, site: usize, class: usize) {
        let place = self.counts[class];
        self.counts[class] += 1;
        self.members[class * self.room + place as usize] = site as u32;
        self.slots[site] = (class as u32) << PLACE_BITS | place;
    }

    fn remove(&mut self, class: usize, place: u32) {
        self.counts[class] -= 1;
        let last = self.members[class * self.room + self.counts[class] as usize];
        self.members[class * self.room + place as usize] = last;
        self.slots[last as usize] = (class as u32) << PLACE_BITS | place;
    }
}
