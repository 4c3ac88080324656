//! The lattice kernels.

use crate::{
    bench::{Measurement, fastest_on_core},
    dynamics::{Dynamics, Elapsed, Until},
    lattice::{Lattice, Shape, Tiling, Window},
    parallel::{Alone, Sweeps},
    rng::{Purpose, stream},
    sampling::{LocalRelax, PartialEvolution, Surroundings},
    systems::{Ising, System},
};

/// Glauber events a second and core at T = 2.27, after relaxation from a random state.
pub fn glauber() -> Vec<Measurement> {
    let ising = Ising::new(2.27, 0.0);
    let mut all = Vec::new();
    for side in [16, 64, 256] {
        let (mut window, mut dynamics) = (closed(&ising, side), <Ising as System>::Dynamics::default());
        let mut rng = stream(1, Purpose::Bench, [side as u64, 0]);
        let mut evolve =
            |until| dynamics.evolve(&ising, &mut window, until, &mut rng).expect("Ising spins always flip");
        evolve(Until::Time(20.0));
        let events = 2_000_000;
        let seconds = fastest_on_core(5, || {
            evolve(Until::Events(events));
        });
        all.push(Measurement::new(format!("glauber, {side} x {side}, exact"), events as f64 / seconds, "events/s"));
    }
    for (side, quantum) in [(1024, 0.5), (1024, 1.0), (4096, 1.0)] {
        all.push(tiled(&ising, side, quantum));
    }
    all
}

/// Coloured sweeps over tiles of 64 x 64 on one thread.
fn tiled(ising: &Ising, side: usize, quantum: f64) -> Measurement {
    let shape = Shape::plane(side, side);
    let lattice = ising.draw(shape, Some(0.0), &mut stream(1, Purpose::Bench, [side as u64, 1]));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread");
    let mut sweeps = Sweeps::<_, <Ising as System>::Dynamics>::new(ising, shape, Shape::plane(64, 64), quantum, &Alone)
        .expect("64 divides the side");
    sweeps.start(&Alone, |origin, shape| lattice.part(origin, shape));
    let mut next = 0;
    let mut advance = |count| -> Elapsed {
        let first = next;
        next += count;
        pool.install(|| sweeps.advance(ising, &Alone, (1, 0), first..next)).expect("Ising spins always flip")
    };
    advance((10.0 / quantum) as u64);
    let mut events = 0;
    let count = (5.0 / quantum) as u64;
    let repeats = if side > 1024 { 1 } else { 3 };
    let seconds = pool.install(|| fastest_on_core(repeats, || events = advance(count).events));
    let name = format!("glauber, {side} x {side}, tiles of 64 x 64, quantum {quantum}");
    Measurement::new(name, events as f64 / seconds, "events/s")
}

/// LocalRelax (stride half a patch of 16 x 16, 256 events a patch) and partial evolution (256 events) of one
/// 64 x 64 snapshot at T = 2.5, h = 0.1.
pub fn relax() -> Vec<Measurement> {
    let ising = Ising::new(2.5, 0.1);
    let (shape, patch) = (Shape::plane(64, 64), Shape::plane(16, 16));
    let snapshots: Vec<Lattice<i8>> = (0..100)
        .map(|item| ising.draw(Shape::plane(32, 32), None, &mut stream(1, Purpose::Bench, [item, 2])).replicated(2))
        .collect();
    let tiling = Tiling::new(shape, patch).expect("16 divides 64");
    let mut relax = LocalRelax::<_, <Ising as System>::Dynamics>::new(&ising, patch, Until::Events(256));
    let mut partial = PartialEvolution::new(&ising, shape, patch, Surroundings::Ghost, Until::Events(256));
    let seconds = fastest_on_core(5, || {
        for (snapshot, item) in snapshots.iter().zip(0_u64..) {
            let mut lattice = snapshot.clone();
            let origin = tiling.origin(item as usize % tiling.len());
            relax
                .relax(&mut lattice, |number| stream(1, Purpose::Relax, [item, number]))
                .expect("Ising spins always flip");
            partial
                .evolve(&lattice, origin, &mut stream(1, Purpose::Partial, [item, 0]))
                .expect("Ising spins always flip");
        }
    });
    let name = "LocalRelax + partial evolution, 64 x 64, patch 16 x 16";
    vec![Measurement::new(name, 1e3 * seconds / snapshots.len() as f64, "ms/snapshot")]
}

fn closed(ising: &Ising, side: usize) -> Window<i8> {
    let shape = Shape::plane(side, side);
    let mut window = Window::closed(shape, 1);
    window.load(&ising.draw(shape, Some(0.0), &mut stream(1, Purpose::Bench, [side as u64, 3])), [0; 3]);
    window
}
