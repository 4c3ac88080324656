//! Glauber kernel with Criterion: accepted events at T = 2.27, in a closed window and through an open one.
//!
//! Peers on the same two-core machine class, for comparison: SPPARKS `solve_style tree` 1.4-1.6e6 events/s at 64 x 64
//! and 0.44e6 at 1024 x 1024; the method's published Python code 1.1e5 at 64 x 64. `tessera bench glauber` prints ours
//! at those sizes, tile by tile for the larger ones.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tessera::{
    dynamics::{Dynamics, Until},
    lattice::{Shape, Window},
    rng::{Purpose, stream},
    systems::{Ising, System},
};

const EVENTS: u64 = 20_000;

fn glauber(criterion: &mut Criterion) {
    let ising = Ising::new(2.27, 0.0);
    let mut group = criterion.benchmark_group("glauber");
    group.throughput(Throughput::Elements(EVENTS));
    for side in [16, 64, 256] {
        let shape = Shape::plane(side, side);
        let mut rng = stream(1, Purpose::Bench, [side as u64, 0]);
        let start = ising.draw(shape, Some(0.0), &mut rng);
        let closed = Window::closed(shape, 1);
        let open = Window::open(shape, 1);
        for (name, mut window) in [("closed", closed), ("open", open)] {
            window.load(&start, [0; 3]);
            let mut dynamics = <Ising as System>::Dynamics::default();
            let mut evolve =
                |until| dynamics.evolve(&ising, &mut window, until, &mut rng).expect("Ising spins always flip");
            evolve(Until::Time(20.0));
            group.bench_function(format!("{name} {side} x {side}"), |bencher| {
                bencher.iter(|| evolve(Until::Events(EVENTS)));
            });
        }
    }
}

criterion_group!(benches, glauber);
criterion_main!(benches);
