//! Initial states of the direct simulation, which predictions start from too, and shuffled snapshots.

use crate::{
    config::Input,
    lattice::{Lattice, Shape, Tiling},
    rng::{Purpose, Rng, stream},
    systems::{Composition, System, starts_of},
};

/// A random state, whole or in parts.
pub struct Start<T> {
    composition: Composition<T>,
    tiling: Tiling,
    shape: Shape,
    /// Seed and purpose of its random streams, and the index of the state.
    key: (u64, Purpose, u64),
    /// The stream of its parameters, with which a state of one tile goes on.
    rng: Rng,
}

impl<T: bytemuck::Pod + Default> Start<T> {
    /// The initial state of the trajectory of the direct simulation with this index, in tiles where it evolves in tiles.
    pub fn new<S: System<Site = T>>(input: &Input, system: &S, trajectory: usize) -> Self {
        let shape = input.truth_shape();
        Self::of_shape(input, system, trajectory, (shape, input.truth_tile().unwrap_or(shape)))
    }

    /// As [`new`](Self::new), for a lattice of another shape in tiles of another shape.
    pub fn of_shape<S: System<Site = T>>(input: &Input, system: &S, trajectory: usize, shapes: (Shape, Shape)) -> Self {
        let (condition, start) = input.truth_start(trajectory);
        let starts = starts_of::<S>(&input.truth.starts).expect("the input was checked");
        let key = (input.seed, Purpose::TruthDraw, trajectory as u64);
        Self::with(&system.at_condition(condition), Some(starts[start]), shapes, key)
    }

    /// The shuffled large snapshot with this index, in the tiles of LocalRelax.
    pub fn shuffled<S: System<Site = T>>(input: &Input, system: &S, snapshot: usize) -> Self {
        let key = (input.seed, Purpose::ShuffledDraw, snapshot as u64);
        Self::with(system, None, (input.large_shape(), input.relax_shape()), key)
    }

    fn with<S: System<Site = T>>(
        system: &S,
        start: Option<S::Start>,
        (shape, tile): (Shape, Shape),
        key: (u64, Purpose, u64),
    ) -> Self {
        let mut rng = stream(key.0, key.1, [key.2, 0]);
        let composition = system.composition(shape, start, &mut rng);
        let tiling = Tiling::new(shape, tile).expect("the input was checked: tiles cover the lattice");
        Self { composition, tiling, shape, key, rng }
    }

    /// The sites of a box of whole tiles, row-major, by its first site and its shape.
    pub fn part(&self, origin: [usize; 3], shape: Shape) -> Vec<T> {
        if self.tiling.len() == 1 {
            return self.composition.draw(self.shape, &mut self.rng.clone()).sites;
        }
        let (seed, purpose, state) = self.key;
        self.composition.draw_box(&self.tiling, (origin, shape), |part| stream(seed, purpose, [state, part]))
    }

    /// The whole state.
    pub fn whole(&self) -> Lattice<T> {
        Lattice::from_sites(self.shape, self.part([0; 3], self.shape))
    }
}
