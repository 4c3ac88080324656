//! Heat bath that keeps the majority of every block of sites (Ron, Swendsen and Brandt, Phys. Rev. Lett. 89, 275701,
//! 2002).
//!
//! A state of the fine lattice weighs its weight under the law, times a factor for each block: 1 if the majority of its
//! sites has the state b of the coarse site, 1/2 at a tie, 0 otherwise. An attempt leaves the upper state with
//! probability p w / (p w + (1 - p) w'), where p is that of the law and w, w' are the factors with the site in its
//! upper and lower state. Only two neighbourhoods of a block change p: with B - 1 other sites, those in which the site
//! decides the majority or a tie.

use super::{Attempts, InLanes, Law, NEIGHBOURS, Threshold, Word, at_least, attempts_of, random::Columns};
use crate::{
    dynamics::Lanes,
    lattice::{Lattice, Window},
    rng::Rng,
};
use rand::Rng as _;

/// Neighbours of a free site, two ties with each number of neighbours, two decided sites.
const MASKS: usize = NEIGHBOURS + 2 * (NEIGHBOURS + 1) + 2;

impl Lanes {
    /// Evolves all lanes of a closed `window` for `time` under the law with the majority of each block fixed. `coarse`
    /// holds the sites of the blocks; it is smaller by a whole factor on both used axes of a plane.
    ///
    /// # Panics
    /// When the window is no closed plane, or the blocks do not cover it.
    pub fn evolve_in_blocks<L: Law, const W: usize>(
        &mut self,
        law: &InLanes<L, W>,
        window: &mut Window<Word<W>>,
        coarse: &Lattice<Word<W>>,
        time: f64,
        rng: &mut Rng,
    ) {
        let [depth, rows, columns] = window.shape().0;
        let factor = columns / coarse.shape.0[2];
        assert!(
            depth == 1 && window.is_closed() && coarse.shape.scaled(factor) == window.shape(),
            "blocks cover a plane"
        );
        let offsets: [isize; NEIGHBOURS] = window.offsets(&law.stencil).try_into().expect("`new` has counted them");
        let first = window.site_at([0; 3]);
        let stride = window.strides()[1];
        let masks = |values: &[Word<W>], site: usize| {
            let (row, column) = ((site - first) / stride, (site - first) % stride);
            let (top, left) = (row / factor * factor, column / factor * factor);
            let up = at_least(offsets.map(|offset| values[site.wrapping_add_signed(offset)]));
            let block = coarse.sites[row / factor * (columns / factor) + column / factor];
            let sites =
                (0..factor * factor).map(|index| first + (top + index / factor) * stride + left + index % factor);
            let others = sites.filter(|&other| other != site).map(|other| values[other]);
            masks(up, block, decided(others, factor * factor))
        };
        debug_assert_eq!(rows % factor, 0);
        let threshold = threshold(&law.heat_bath.upper);
        self.list(window);
        let attempts = attempts_of(time, self.sites.len(), rng);
        let (key, places, random) = (rng.random(), Columns::new(rng), Columns::new(rng));
        let (sites, threshold) = (&self.sites[..], &threshold);
        pulp::Arch::new().dispatch(Attempts { sites, window, threshold, masks, attempts, key, places, random });
    }
}

/// The lanes in which the other sites of a block of `size` leave the majority to one site: those in which its upper
/// state makes at least a tie and its lower one does not, and those in which its lower state makes a tie and its upper
/// one a majority. The second are none for odd blocks, and the first are then decided either way.
fn decided<const W: usize>(others: impl Iterator<Item = Word<W>>, size: usize) -> [Word<W>; 2] {
    let mut count = [Word::ZERO; 4];
    for mut carry in others {
        for digit in &mut count {
            (*digit, carry) = (*digit ^ carry, *digit & carry);
        }
    }
    let equals = |number: usize| {
        let digits = count.iter().enumerate();
        digits.fold(!Word::ZERO, |all, (index, digit)| all & if number >> index & 1 == 1 { *digit } else { !*digit })
    };
    if size % 2 == 1 { [equals(size / 2); 2] } else { [equals(size / 2 - 1), equals(size / 2)] }
}

/// With the block up: at the first neighbourhood the site must be up, at the second down costs a factor 1/2. With the
/// block down the two change places.
fn masks<const W: usize>(up: [Word<W>; NEIGHBOURS], block: Word<W>, [low, high]: [Word<W>; 2]) -> [Word<W>; MASKS] {
    let (must_rise, must_fall) = (block & low, !block & high);
    // In an odd block both neighbourhoods are one, and the site is decided.
    let ties = !(must_rise | must_fall);
    let (likes_up, likes_down) = (block & high & ties, !block & low & ties);
    let free = ties & !(likes_up | likes_down);
    let mut all = [Word::ZERO; MASKS];
    for (index, up) in up.into_iter().enumerate() {
        all[index] = free & up;
        all[NEIGHBOURS + 1 + index] = likes_up & up;
        all[2 * NEIGHBOURS + 2 + index] = likes_down & up;
    }
    all[NEIGHBOURS] = likes_up;
    all[2 * NEIGHBOURS + 1] = likes_down;
    all[MASKS - 2] = must_rise;
    all[MASKS - 1] = must_fall;
    all
}

/// The probabilities of [`masks`], each as a change from that of a free site without neighbours.
fn threshold(upper: &[f64; NEIGHBOURS + 1]) -> Threshold<MASKS> {
    let whole = |p: f64| (p * 2_f64.powi(64)) as u64;
    let free = upper.map(whole);
    let likes_up = upper.map(|p| whole(p / (p + 0.5 * (1.0 - p))));
    let likes_down = upper.map(|p| whole(0.5 * p / (0.5 * p + 1.0 - p)));
    let mut change = [0; MASKS];
    for k in 0..NEIGHBOURS {
        change[k] = free[k] ^ free[k + 1];
        change[NEIGHBOURS + 1 + k] = likes_up[k] ^ likes_up[k + 1];
        change[2 * NEIGHBOURS + 2 + k] = likes_down[k] ^ likes_down[k + 1];
    }
    change[NEIGHBOURS] = free[0] ^ likes_up[0];
    change[2 * NEIGHBOURS + 1] = free[0] ^ likes_down[0];
    change[MASKS - 2] = free[0] ^ u64::MAX;
    change[MASKS - 1] = free[0];
    Threshold::new(free[0], change)
}
