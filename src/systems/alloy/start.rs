//! Initial configurations of given composition and order.
//!
//! At order 1 there is B2 order: Mo fills the sublattice of the even layers first, and Ta that of the odd layers. A share
//! 1 - order of the atoms, each drawn on its own, is then shuffled over their sites. Within a sublattice every arrangement
//! is as likely as any other, so that numbers of each species on either sublattice are all that has to be drawn.

use super::Alloy;
use crate::{
    lattice::Shape,
    rng::Rng,
    systems::composition::{Composition, drawn_of, drawn_of_each},
};
use rand::distr::Distribution;
use rand_distr::Binomial;

/// Species in the order in which they fill the sites: Mo, Nb, Ta.
const FILLING: [usize; 3] = [2, 1, 3];

/// What a configuration of this shape and degree of order (0 to 1) consists of.
pub fn composition(alloy: &Alloy, shape: Shape, order: f64, rng: &mut Rng) -> Composition<u8> {
    let counts = alloy.counts(shape.sites()).map(|count| count as u64);
    let (all, even) = (shape.sites() as u64, (shape.0[0].div_ceil(2) * shape.0[1] * shape.0[2]) as u64);
    let vacancies = drawn_of(all, counts[0], even, rng);
    let atoms = FILLING.map(|species| counts[species]);
    let mut room = even - vacancies;
    let on_even = atoms.map(|count| {
        let placed = count.min(room);
        room -= placed;
        placed
    });
    let on_odd: [u64; 3] = std::array::from_fn(|species| atoms[species] - on_even[species]);
    let loose = [on_even, on_odd].map(|counts| counts.map(|count| loosened(count, 1.0 - order, rng)));
    let pool: [u64; 3] = std::array::from_fn(|species| loose[0][species] + loose[1][species]);
    let back = drawn_of_each(&pool, loose[0].iter().sum(), rng);
    let settled = |fixed: u64, loose: u64, back: u64| fixed - loose + back;
    let even_atoms = (0..3).map(|species| settled(on_even[species], loose[0][species], back[species]));
    let odd_atoms = (0..3).map(|species| settled(on_odd[species], loose[1][species], pool[species] - back[species]));
    let states = std::iter::once(0).chain(FILLING).map(|species| species as u8).collect();
    let counts = vec![
        std::iter::once(vacancies).chain(even_atoms).collect(),
        std::iter::once(counts[0] - vacancies).chain(odd_atoms).collect(),
    ];
    Composition::Mixed { states, counts }
}

/// How many of `count` atoms are loose, each with this probability.
fn loosened(count: u64, probability: f64, rng: &mut Rng) -> u64 {
    let binomial = Binomial::new(count, probability.clamp(0.0, 1.0));
    binomial.expect("a probability from 0 to 1").sample(rng)
}
