//! What pairs hold beyond observables, for closure variables out of a system's library.

use crate::sums::ExactSum;

/// Functions of the library in a patch.
#[derive(Clone, Debug, PartialEq)]
pub struct LibraryChange {
    /// Means over the patch before its evolution.
    pub before: Vec<f64>,
    /// K times the change of the lattice's means.
    pub increment: Vec<f64>,
}

/// What is known of a whole state beyond its observables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WholeState {
    /// The drift of the observables, L z per site, where there are compensators.
    pub drift: Option<Vec<f64>>,
    /// The means of the functions of the library, if they are asked for.
    pub library: Option<Vec<f64>>,
}

/// What is known of some patches of a state, summed. Who adds which patch does not change a bit of the whole.
#[derive(Clone, Debug)]
pub struct WholeSums {
    /// As in [`WholeState`], times the sites.
    pub drift: Option<Vec<ExactSum>>,
    /// As in [`WholeState`], times the sites.
    pub library: Option<Vec<ExactSum>>,
}

impl WholeSums {
    /// Adds what is known of other patches.
    pub fn merge(mut self, other: &Self) -> Self {
        for (own, other) in [(&mut self.drift, &other.drift), (&mut self.library, &other.library)] {
            let both = own.iter_mut().flatten().zip(other.iter().flatten());
            both.for_each(|(own, other)| own.merge(other));
        }
        self
    }

    /// The state of this many sites, all of whose patches have been added. `total` rounds the sums, over ranks if
    /// these have added them.
    pub fn whole(self, sites: usize, total: impl Fn(Vec<ExactSum>) -> Vec<f64>) -> WholeState {
        let per_site = |sums| total(sums).into_iter().map(|sum| sum / sites as f64).collect();
        WholeState { drift: self.drift.map(per_site), library: self.library.map(per_site) }
    }
}
