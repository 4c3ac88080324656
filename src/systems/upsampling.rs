//! Upsample of Algorithm 1, which makes a large state from small ones before LocalRelax. A kind is a type that
//! implements [`Upsampling`]. Every system chooses one in [`System::upsampling`].

use super::System;
use crate::{
    lattice::{Boundary, Lattice, Tiling, Window},
    rng::Rng,
};
use bytemuck::Pod;
use rand::{Rng as _, seq::SliceRandom};

/// A way to make a large state from small ones.
pub trait Upsampling<S: System>: Send + Sync {
    /// A state `factor` times as long on each used axis. It is made from the first state of `pool`, or as a mosaic of
    /// all of them, which are near in time.
    fn upsample(&self, system: &S, pool: &[Lattice<S::Site>], factor: usize, rng: &mut Rng) -> Lattice<S::Site>;
}

/// Every site becomes a block of equal sites.
pub struct Replicate;

impl<S: System> Upsampling<S> for Replicate {
    fn upsample(&self, _: &S, pool: &[Lattice<S::Site>], factor: usize, _: &mut Rng) -> Lattice<S::Site> {
        pool[0].replicated(factor)
    }
}

/// A mosaic of small states: those of the pool once, in random order, before any is repeated. Where they have one age and
/// one start, so has the mosaic, but for its seams. Periodic ones are shifted at random; between mirrors every other one
/// is reflected, so that equal ends meet.
pub struct Tiles;

impl<S: System> Upsampling<S> for Tiles {
    fn upsample(&self, _: &S, pool: &[Lattice<S::Site>], factor: usize, rng: &mut Rng) -> Lattice<S::Site> {
        let small = pool[0].shape;
        let shape = small.scaled(factor);
        let tiling = Tiling::new(shape, small).expect("a whole number of tiles");
        let mut large = Lattice::filled(shape, S::Site::default());
        let mut tile = Window::open(small, 0);
        let mut order: Vec<usize> = Vec::new();
        for index in 0..tiling.len() {
            if order.is_empty() {
                order.extend(0..pool.len());
                order.shuffle(rng);
            }
            let state = &pool[order.pop().expect("a pool holds a state")];
            let origin = tiling.origin(index);
            if S::BOUNDARY == Boundary::Periodic {
                tile.load(state, small.0.map(|extent| rng.random_range(0..extent) as isize));
                large.paste(origin, small, tile.values());
            } else {
                large.paste(origin, small, &reflected(state, origin));
            }
        }
        large
    }
}

/// The sites of a state that lies at `origin` of a larger one, reflected along each axis on which its place is odd.
fn reflected<T: Copy>(state: &Lattice<T>, origin: [isize; 3]) -> Vec<T> {
    let shape = state.shape;
    let along = |axis: usize| {
        let extent = shape.0[axis] as isize;
        let odd = origin[axis] / extent % 2 == 1;
        (0..extent).map(move |at| if odd { extent - 1 - at } else { at })
    };
    let (rows, columns) = (|z| along(1).map(move |y| [z, y]), |[z, y]: [isize; 2]| along(2).map(move |x| [z, y, x]));
    along(0).flat_map(rows).flat_map(columns).map(|coordinate| state.at(coordinate)).collect()
}

/// Linear interpolation of fields of `f64` between the centres of the sites, with mirrors at the ends. Only the mirrors
/// change the mean.
pub struct Interpolate;

impl<S: System> Upsampling<S> for Interpolate {
    fn upsample(&self, _: &S, pool: &[Lattice<S::Site>], factor: usize, _: &mut Rng) -> Lattice<S::Site> {
        interpolated(&pool[0], factor)
    }
}

fn interpolated<T: Pod>(lattice: &Lattice<T>, factor: usize) -> Lattice<T> {
    let shape = lattice.shape.scaled(factor);
    let components = size_of::<T>() / size_of::<f64>();
    let coarse: &[f64] = bytemuck::cast_slice(&lattice.sites);
    let at =
        |site: isize, component: usize| coarse[lattice.shape.mirrored_index([0, 0, site]) * components + component];
    let mut fine = Vec::with_capacity(shape.sites() * components);
    for site in 0..shape.sites() {
        let position = (site as f64 + 0.5) / factor as f64 - 0.5;
        let (left, share) = (position.floor() as isize, position - position.floor());
        fine.extend((0..components).map(|c| (1.0 - share) * at(left, c) + share * at(left + 1, c)));
    }
    Lattice::from_sites(shape, bytemuck::cast_slice(&fine).to_vec())
}
