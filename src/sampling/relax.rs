//! LocalRelax: short local dynamics in overlapping patches removes what Upsample left behind (Algorithm 1).
//!
//! The patches have the size of the small system and a stride of half a patch. They relax colour by colour, each in
//! the fixed surroundings of the moment, so patches of one colour could relax in any order or at once.

use crate::{
    dynamics::{Dynamics, Elapsed, EvolveError, Law, Until},
    lattice::{Cover, Lattice, Region, Shape, Window},
    rng::Rng,
};

/// Relaxes large snapshots patch by patch. Holds the working memory of one thread.
pub struct LocalRelax<'a, L: Law, D> {
    law: &'a L,
    window: Window<L::Site>,
    dynamics: D,
    until: Option<Until>,
}

impl<'a, L: Law, D: Dynamics<L> + Default> LocalRelax<'a, L, D> {
    /// Relaxation of each patch of shape `patch` for `until`; nothing at all when that is `None`.
    pub fn new(law: &'a L, patch: Shape, until: impl Into<Option<Until>>) -> Self {
        Self { law, window: L::open_window(patch, L::REACH), dynamics: D::default(), until: until.into() }
    }

    /// The law.
    pub fn law(&self) -> &'a L {
        self.law
    }

    /// The same relaxation for another span.
    pub fn lasting(&mut self, until: Option<Until>) -> &mut Self {
        self.until = until;
        self
    }

    /// Relaxes all overlapping patches of `lattice`; `stream(p)` is the random stream of the patch with index p.
    ///
    /// # Errors
    /// When a patch cannot evolve as far as asked.
    pub fn relax(
        &mut self,
        lattice: &mut Lattice<L::Site>,
        stream: impl Fn(u64) -> Rng,
    ) -> Result<Elapsed, EvolveError> {
        let mut total = Elapsed::default();
        let Some(until) = self.until else { return Ok(total) };
        let patches = Cover::overlapping(lattice.shape, self.window.shape(), L::BOUNDARY);
        for patch in patches.groups().flat_map(|group| group.windows().collect::<Vec<_>>()) {
            self.window.load(lattice, patch.origin);
            let in_field = self.law.in_mean_field_of(lattice, &self.window);
            let law = in_field.as_ref().unwrap_or(self.law);
            total += self.dynamics.evolve(law, &mut self.window, until, &mut stream(patch.index))?;
            self.window.store(lattice, patch.origin, Region::BOX);
        }
        Ok(total)
    }
}
