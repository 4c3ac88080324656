//! Hierarchical upsampling: Upsample and LocalRelax, level by level (Algorithm 1).

use super::LocalRelax;
use crate::{
    dynamics::EvolveError,
    lattice::Lattice,
    rng::{Purpose, stream},
    systems::System,
};

/// Upsamples a small snapshot, the first of its pool, by one factor after the other. `seen` is shown the lattice after
/// each Upsample and each LocalRelax. The random streams are those of (seed, snapshot).
///
/// # Errors
/// When a patch cannot relax as far as asked.
pub fn upsampled<S: System>(
    system: &S,
    relax: &mut LocalRelax<S>,
    factors: &[usize],
    (seed, snapshot): (u64, u64),
    mut pool: Vec<Lattice<S::Site>>,
    mut seen: impl FnMut(&'static str, &Lattice<S::Site>),
) -> Result<Lattice<S::Site>, EvolveError> {
    for (level, &factor) in (0_u64..).zip(factors) {
        let mut lattice = system.upsampling().upsample(
            system,
            &pool,
            factor,
            &mut stream(seed, Purpose::Upsample, [snapshot, level]),
        );
        seen("Upsample", &lattice);
        relax.relax(&mut lattice, |patch| stream(seed, Purpose::Relax, [snapshot, level << 32 | patch]))?;
        seen("LocalRelax", &lattice);
        pool = vec![lattice];
    }
    Ok(pool.swap_remove(0))
}
