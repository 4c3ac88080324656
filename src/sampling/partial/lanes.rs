//! Partial evolution of many snapshots at once.

use super::{Pair, PartialEvolution, spans};
use crate::{
    dynamics::{Dynamics, Elapsed, EvolveError, InLanes, Lanes, Word},
    lattice::{Lattice, Shape, Window},
    rng::Rng,
    sampling::WholeState,
    systems::System,
};

/// Evolves the same patch of many snapshots at once, each in a lane of a word. Holds the working memory of one thread.
pub struct PartialEvolutionInLanes<'a, S: System, const W: usize> {
    one: PartialEvolution<'a, S>,
    law: InLanes<S, W>,
    window: Window<Word<W>>,
    lanes: Lanes,
}

impl<'a, S: System, const W: usize> PartialEvolutionInLanes<'a, S, W> {
    /// What evolves one snapshot, for many, if the law is one for lanes.
    pub fn new(one: PartialEvolution<'a, S>) -> Option<Self> {
        let law = InLanes::new(one.system)?;
        Some(Self { window: one.patch_window.window::<InLanes<S, W>>(), one, law, lanes: Lanes::default() })
    }

    /// As [`PartialEvolution::of_whole`].
    pub fn of_whole(&mut self, snapshot: &[S::Site]) -> WholeState {
        self.one.of_whole(snapshot)
    }

    /// The snapshots in the lanes of words.
    pub fn pack(&self, shape: Shape, snapshots: &[&[S::Site]]) -> Lattice<Word<W>> {
        self.law.pack(shape, snapshots)
    }

    /// Evolves the patch whose first site is `origin` in the first `count` lanes of `snapshots`: a pair for each.
    ///
    /// # Errors
    /// When the patch cannot evolve as far as asked.
    pub fn evolve(
        &mut self,
        snapshots: &Lattice<Word<W>>,
        count: usize,
        origin: [isize; 3],
        rng: &mut Rng,
    ) -> Result<Vec<Pair<S::Site>>, EvolveError> {
        self.window.load(snapshots, self.one.patch_window.origin(origin));
        let before = self.law.unpack(self.window.values(), count);
        let sites = self.window.padded_sites();
        let mut compensators = vec![self.one.compensator(); count];
        let mut elapsed = Elapsed::default();
        for (part, until) in spans(self.one.until, None, self.one.times, rng).into_iter().enumerate() {
            if part > 0 {
                let lanes = self.law.unpack(self.window.values(), count);
                for (lane, compensator) in lanes.chunks_exact(sites).zip(&mut compensators) {
                    self.one.window.fill(lane);
                    self.one.look(self.one.system, compensator);
                }
            }
            if let Some(until) = until {
                elapsed += self.lanes.evolve(&self.law, &mut self.window, until, rng)?;
            }
        }
        let after = self.law.unpack(self.window.values(), count);
        let mut pairs = Vec::with_capacity(count);
        for ((before, after), compensator) in
            before.chunks_exact(sites).zip(after.chunks_exact(sites)).zip(compensators)
        {
            self.one.window.fill(before);
            let before = self.one.before(self.one.system);
            self.one.window.fill(after);
            pairs.push(self.one.pair(before, elapsed, compensator));
        }
        Ok(pairs)
    }
}
