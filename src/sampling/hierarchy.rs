//! Hierarchical upsampling: Upsample and LocalRelax, level by level (Algorithm 1).

use super::LocalRelax;
use crate::{
    dynamics::{EvolveError, InLanes, Lanes, Law, Until},
    lattice::{Lattice, Region, Shape},
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

/// As [`upsampled`], for many snapshots at once, a lane of a word each: `pools` holds one of each. `relax` is that of
/// the law in lanes. The random streams of LocalRelax are those of the first snapshot.
///
/// # Errors
/// When a patch cannot relax as far as asked.
pub fn upsampled_in_lanes<S: System, const W: usize>(
    (system, upsampling): (&S, &dyn Upsampling<S>),
    relax: &mut LocalRelax<InLanes<S, W>, Lanes>,
    factors: &[usize],
    (seed, snapshots): (u64, &[u64]),
    mut pools: Vec<Vec<Lattice<S::Site>>>,
) -> Result<Vec<Lattice<S::Site>>, EvolveError> {
    let law = relax.law();
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

/// Time for which blocks keep their majorities at each level of [`raised_compatibly`].
const BLOCK_SWEEPS: f64 = 4.0;

/// Raises states near a critical point, a lane of a word each, by one factor after the other (Ron, Swendsen and Brandt,
/// Phys. Rev. Lett. 89, 275701, 2002). The small ones are those of the law rescaled by the product of the factors. At
/// each level every site becomes a block; the level relaxes first with the majorities of its blocks fixed, then by
/// LocalRelax in patches of shape `patch`, under its own rescaled law.
///
/// # Errors
/// When a patch cannot relax as far as asked.
///
/// # Panics
/// When the system cannot be rescaled or has no lanes.
pub fn raised_compatibly<S: System, const W: usize>(
    system: &S,
    factors: &[usize],
    (patch, until): (Shape, Option<Until>),
    (seed, snapshots): (u64, &[u64]),
    small: &[Lattice<S::Site>],
) -> Result<Vec<Lattice<S::Site>>, EvolveError> {
    let lanes: Vec<&[S::Site]> = small.iter().map(|lattice| &lattice.sites[..]).collect();
    let known = "the input was checked: the system can be rescaled, and has lanes";
    let top = InLanes::<S, W>::new(system).expect(known);
    let mut words = top.pack(small[0].shape, &lanes);
    let mut left: usize = factors.iter().product();
    for (level, &factor) in (0_u64..).zip(factors) {
        left /= factor;
        let rescaled = if left == 1 { system.clone() } else { system.rescaled(left as f64).expect(known) };
        let law = InLanes::<S, W>::new(&rescaled).expect(known);
        let mut fine = words.replicated(factor);
        let mut window = InLanes::<S, W>::closed_window(fine.shape);
        window.load(&fine, [0; 3]);
        let mut rng = stream(seed, Purpose::Upsample, [snapshots[0], level]);
        Lanes::default().evolve_in_blocks(&law, &mut window, &words, BLOCK_SWEEPS, &mut rng);
        window.store(&mut fine, [0; 3], Region::BOX);
        let patch_stream = |index| stream(seed, Purpose::Relax, [snapshots[0], level << 32 | index]);
        LocalRelax::<_, Lanes>::new(&law, patch, until).relax(&mut fine, patch_stream)?;
        words = fine;
    }
    let sites = top.unpack(&words.sites, small.len());
    let states = sites.chunks_exact(words.shape.sites());
    Ok(states.map(|sites| Lattice::from_sites(words.shape, sites.to_vec())).collect())
}
