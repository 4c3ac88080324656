//! The order in which the windows of a group are dealt to the words of lanes.
//!
//! Ranks evolve a word that they share each for its own lanes, and for few lanes that takes as long as for all. So the
//! windows of a word lie together, in a box: dealt in rows across the whole lattice, they would lie on all ranks beside
//! one another.

use crate::lattice::Shape;

/// Box after box.
pub(super) struct Order {
    counts: Shape,
    /// Extents of a box of as many windows as a word has lanes.
    boxes: [usize; 3],
}

impl Order {
    /// For words of `lanes`, a power of two.
    pub fn new(counts: Shape, lanes: usize) -> Self {
        let axes: Vec<usize> = (0..3).rev().filter(|&axis| counts.0[axis] > 1).collect();
        let mut boxes = [1; 3];
        axes.iter().cycle().take(lanes.ilog2() as usize).for_each(|&axis| boxes[axis] *= 2);
        Self { counts, boxes }
    }

    /// The place of a window at this position of the group.
    pub fn place(&self, position: [usize; 3]) -> usize {
        let (mut extents, mut place) = (self.counts.0, 0);
        let mut within = [0; 3];
        for axis in 0..3 {
            let first = position[axis] / self.boxes[axis] * self.boxes[axis];
            // The boxes before along this axis are as wide as the group along the next ones.
            place += first * extents.iter().product::<usize>() / extents[axis];
            extents[axis] = self.boxes[axis].min(self.counts.0[axis] - first);
            within[axis] = (position[axis] - first) as isize;
        }
        place + Shape(extents).wrapped_index(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Every place is taken once, and the windows of a word fill a box: four ranks that share such a group share no word.
    #[test]
    fn windows_of_a_word_lie_in_a_box() {
        for (counts, lanes) in
            [([1, 45, 45], 512), ([3, 5, 7], 64), ([1, 1, 100], 64), ([1, 64, 64], 512), ([8, 8, 8], 64)]
        {
            let counts = Shape(counts);
            let order = Order::new(counts, lanes);
            let mut words: BTreeMap<usize, Vec<[usize; 3]>> = BTreeMap::new();
            let mut places = Vec::new();
            for position in (0..counts.sites()).map(|index| counts.coordinate(index)) {
                let place = order.place(position);
                places.push(place);
                words.entry(place / lanes).or_default().push(position);
            }
            places.sort_unstable();
            assert!(places.into_iter().eq(0..counts.sites()), "{counts:?}");
            if counts.sites().is_power_of_two() {
                let extent = |word: &[[usize; 3]], axis: usize| {
                    let along = || word.iter().map(|position| position[axis]);
                    along().max().unwrap() - along().min().unwrap() + 1
                };
                let box_of = |word: &Vec<[usize; 3]>| [0, 1, 2].map(|axis| extent(word, axis));
                assert!(words.values().all(|word| box_of(word) == order.boxes), "{counts:?}");
                let (least, most) =
                    (order.boxes.into_iter().filter(|&side| side > 1).min(), order.boxes.into_iter().max());
                assert!(most <= least.map(|least| 2 * least), "{:?} is no compact box", order.boxes);
            }
        }
    }
}
