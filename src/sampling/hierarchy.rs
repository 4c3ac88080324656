//! Hierarchical upsampling: Upsample and LocalRelax, level by level (Algorithm 1).

use super::LocalRelax;
use crate::{
    dynamics::{EvolveError, InLanes, Lanes},
    lattice::Lattice,
    rng::{Purpose, stream},
    systems::{System, Upsampling},
};

/// Upsamples a small snapshot, the first of its pool, by one factor after the other. `seen` is shown the lattice after
/// each Upsample and each LocalRelax. The random streams are those of (seed, snapshot).
///
/// # Errors
/// When a patch cannot relax as far as asked.
pub fn upsampled<S: System>(
    (system, upsampling): (&S, &dyn Upsampling<S>),
    relax: &mut LocalRelax<S, S::Dynamics>,
    factors: &[usize],
    (seed, snapshot): (u64, u64),
    mut pool: Vec<Lattice<S::Site>>,
    mut seen: impl FnMut(&'static str, &Lattice<S::Site>),
) -> Result<Lattice<S::Site>, EvolveError> {
    for (level, &factor) in (0_u64..).zip(factors) {
        let mut lattice =
            upsampling.upsample(system, &pool, factor, &mut stream(seed, Purpose::Upsample, [snapshot, level]));
        seen("Upsample", &lattice);
        relax.relax(&mut lattice, |patch| stream(seed, Purpose::Relax, [snapshot, level << 32 | patch]))?;
        seen("LocalRelax", &lattice);
        pool = vec![lattice];
    }
    Ok(pool.swap_remove(0))
}

/// As [`upsampled`], for many snapshots at once, a lane of a word each: `pools` holds one of each. `relax` is that of the
/// law in lanes. The random streams of LocalRelax are those of the first snapshot.
///
/// # Errors
/// When a patch cannot relax as far as asked.
pub fn upsampled_in_lanes<S: System, const W: usize>(
    (system, upsampling): (&S, &dyn Upsampling<S>),
    law: &InLanes<S, W>,
    relax: &mut LocalRelax<InLanes<S, W>, Lanes>,
    factors: &[usize],
    (seed, snapshots): (u64, &[u64]),
    mut pools: Vec<Vec<Lattice<S::Site>>>,
) -> Result<Vec<Lattice<S::Site>>, EvolveError> {
    for (level, &factor) in (0_u64..).zip(factors) {
        let raised = pools.iter().zip(snapshots).map(|(pool, &snapshot)| {
            let mut rng = stream(seed, Purpose::Upsample, [snapshot, level]);
            upsampling.upsample(system, pool, factor, &mut rng)
        });
        let raised: Vec<Lattice<S::Site>> = raised.collect();
        let shape = raised[0].shape;
        let lanes: Vec<&[S::Site]> = raised.iter().map(|lattice| &lattice.sites[..]).collect();
        let mut words = law.pack(shape, &lanes);
        relax.relax(&mut words, |patch| stream(seed, Purpose::Relax, [snapshots[0], level << 32 | patch]))?;
        let sites = law.unpack(&words.sites, raised.len());
        pools =
            sites.chunks_exact(shape.sites()).map(|sites| vec![Lattice::from_sites(shape, sites.to_vec())]).collect();
    }
    Ok(pools.into_iter().map(|mut pool| pool.swap_remove(0)).collect())
}
