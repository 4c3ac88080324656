use std::time::Instant;
use tessera::{dynamics::*, lattice::*, rng::*, sampling::*, systems::*};
fn main() {
    let ising = Ising { temperature: 2.27, field: 0.0 };
    for side in [64usize, 1024] {
        let shape = Shape::plane(side, side);
        let mut rng = stream(1, Purpose::Bench, [0, 0]);
        let lattice = ising.draw(shape, None, &mut rng);
        let mut w = Window::closed(shape, 1);
        w.load(&lattice, [0; 3]);
        let mut k = <Ising as System>::Dynamics::default();
        k.evolve(&ising, &mut w, Until::Time(20.0), &mut rng).unwrap();
        let t = Instant::now();
        let e = k.evolve(&ising, &mut w, Until::Events(10_000_000), &mut rng).unwrap();
        println!(
            "{side}: {:.3e} events/s; rate per site {}",
            1e7 / t.elapsed().as_secs_f64(),
            1e7 / e.time / shape.sites() as f64
        );
    }
    let ising = Ising { temperature: 2.5, field: 0.1 };
    let mut rng = stream(1, Purpose::Bench, [0, 0]);
    let small = ising.draw(Shape::plane(32, 32), Some(0.3), &mut rng);
    let big = small.replicated(2);
    let patch = Shape::plane(16, 16);
    let mut relax = LocalRelax::new(&ising, patch, Until::Events(256));
    let mut partial = PartialEvolution::new(&ising, big.shape, patch, Surroundings::Ghost, Until::Events(100));
    let t = Instant::now();
    for i in 0..400 {
        let mut x = big.clone();
        relax.relax(&mut x, |p| stream(1, Purpose::Relax, [i, p])).unwrap();
        partial.evolve(&x, [16, 16, 0].map(|v| v), &mut rng).unwrap();
    }
    println!("relax+partial {:.3} ms", t.elapsed().as_secs_f64() * 1e3 / 400.0);
    // tiled
    let ising = Ising { temperature: 2.27, field: 0.0 };
    for (tile, q) in [(64usize, 0.5), (64, 1.0), (32, 0.5), (32, 1.0), (128, 0.5)] {
        let shape = Shape::plane(1024, 1024);
        let mut lattice = ising.draw(shape, None, &mut rng);
        let tiling = Tiling::new(shape, Shape::plane(tile, tile)).unwrap();
        let mut w = Window::open(tiling.tile, 1);
        let mut k = <Ising as System>::Dynamics::default();
        let mut total = Elapsed::default();
        let mut t = Instant::now();
        for sweep in 0..60u64 {
            if sweep == 20 {
                t = Instant::now();
                total = Elapsed::default();
            }
            for n in tiling.colours().into_iter().flatten() {
                w.load(&lattice, tiling.origin(n));
                total += k
                    .evolve(&ising, &mut w, Until::Time(q), &mut stream(1, Purpose::SweepTile, [sweep, n as u64]))
                    .unwrap();
                w.store(&mut lattice, tiling.origin(n), Region::BOX);
            }
        }
        println!("tile {tile} quantum {q}: {:.3e} events/s", total.events as f64 / t.elapsed().as_secs_f64());
    }
}
