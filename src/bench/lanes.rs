//! Windows in the lanes of words.

use crate::{
    bench::{Measurement, fastest_on_core},
    dynamics::{Dynamics, Events, InLanes, Lanes, Law, Until, Word},
    lattice::{Lattice, Region, Shape, Tiling, Window},
    parallel::{Alone, Domain, Ranks, Sweeps},
    rng::{Purpose, stream},
    sampling::{LocalRelax, PartialEvolution, PartialEvolutionInLanes, Surroundings},
    systems::{Ising, System},
};
use rand::Rng as _;

/// Elements of a word: 256 lanes.
const WIDTH: usize = 4;

/// Accepted flips a second and core at T = 2.27 in equilibrium, and the time of LocalRelax and partial evolution of one
/// 64 x 64 snapshot.
pub fn lanes() -> Vec<Measurement> {
    let closed =
        [16, 64].map(|side| flips::<WIDTH>(&format!("{side} x {side}, closed"), Window::closed(plane(side), 1)));
    let open = flips::<WIDTH>("16 x 16, open", Window::open(plane(16), 1));
    let narrow = flips::<1>("64 x 64, closed", Window::closed(plane(64), 1));
    let sweeps = [1024, 4096].into_iter().flat_map(|side| [sweeps(side), trajectories(side)]);
    closed.into_iter().chain([open, narrow]).chain(sweeps).chain([relax_and_evolve()]).collect()
}

fn plane(side: usize) -> Shape {
    Shape::plane(side, side)
}

/// Flips of all lanes a second. Lanes do not count theirs: the number in a unit of time is that of the rejection-free
/// kernel at the same size.
fn flips<const W: usize>(name: &str, mut window: Window<Word<W>>) -> Measurement {
    let ising = Ising::new(2.27, 0.0);
    let (law, shape) = (InLanes::<_, W>::new(&ising).expect("two states"), window.shape());
    let start = ising.draw(shape, Some(0.0), &mut stream(1, Purpose::Bench, [5, 0]));
    let mut rng = stream(1, Purpose::Bench, [6, 0]);
    let (mut single, mut kernel) = (Window::closed(shape, 1), <Ising as System>::Dynamics::default());
    single.load(&start, [0; 3]);
    let mut events =
        |time| kernel.evolve(&ising, &mut single, Until::Time(time), &mut rng).expect("Ising spins always flip").events;
    events(100.0);
    let time = 4e6 / shape.sites() as f64;
    let flips = events(time) as f64 / time;
    let starts: Vec<&[i8]> = vec![&start.sites; Word::<W>::LANES];
    window.load(&law.pack(shape, &starts), [0; 3]);
    let (mut lanes, mut rng) = (Lanes::default(), stream(1, Purpose::Bench, [7, 0]));
    let mut evolve = |time| lanes.evolve(&law, &mut window, Until::Time(time), &mut rng).expect("a time");
    evolve(50.0);
    let time = 1e6 / shape.sites() as f64;
    let seconds = fastest_on_core(5, || {
        evolve(time);
    });
    let lanes = Word::<W>::LANES;
    Measurement::new(format!("glauber, {name}, {lanes} lanes"), flips * time * lanes as f64 / seconds, "flips/s")
}

/// Coloured sweeps of 256 trajectories, a lane each, over tiles of 64 x 64 on one thread, 10 units of time after random
/// states.
fn trajectories(side: usize) -> Measurement {
    let (ising, shape, tile) = (Ising::new(2.27, 0.0), plane(side), plane(64));
    let law = InLanes::<_, WIDTH>::new(&ising).expect("two states");
    let mut rng = stream(1, Purpose::Bench, [side as u64, 3]);
    // A random bit for each spin of each trajectory.
    let start = Lattice::from_sites(shape, (0..shape.sites()).map(|_| Word(rng.random())).collect());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread");
    let seconds = pool.install(|| {
        let mut sweeps = Sweeps::<_, Lanes>::new(&law, shape, tile, 1.0, &Alone).expect("64 divides the side");
        sweeps.start(&Alone, |origin, shape| start.part(origin, shape));
        drop(start);
        let mut next = 0;
        let mut advance = |count| {
            sweeps.advance(&law, &Alone, (1, 0), next..next + count).expect("a time");
            next += count;
        };
        advance(10);
        let seconds = fastest_on_core(5, || advance(1));
        let first = law.unpack(&sweeps.domain().sites(), 1);
        let mut window = Ising::closed_window(shape);
        window.load(&Lattice::from_sites(shape, first), [0; 3]);
        let flips: f64 = window.sites_of(Region::BOX).map(|site| ising.rate(&window, site)).sum();
        seconds / flips / Word::<WIDTH>::LANES as f64
    });
    let lanes = Word::<WIDTH>::LANES;
    let name = format!("glauber, {lanes} times {side} x {side}, tiles of 64 x 64, quantum 1");
    Measurement::new(name, 1.0 / seconds, "flips/s")
}

/// Coloured sweeps over tiles of 64 x 64 on one thread, 10 units of time after a random state.
fn sweeps(side: usize) -> Measurement {
    let (ising, shape, tile) = (Ising::new(2.27, 0.0), plane(side), plane(64));
    let start = ising.draw(shape, Some(0.0), &mut stream(1, Purpose::Bench, [side as u64, 1]));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread");
    let seconds = pool.install(|| {
        let mut sweeps = Sweeps::<_, <Ising as System>::Dynamics>::in_lanes(&ising, shape, tile, 1.0, &Alone)
            .expect("64 divides the side");
        sweeps.start(&Alone, |origin, shape| start.part(origin, shape));
        let mut next = 0;
        let mut advance = |count| {
            sweeps.advance(&ising, &Alone, (1, 0), next..next + count).expect("a time");
            next += count;
        };
        advance(10);
        let seconds = fastest_on_core(5, || advance(4)) / 4.0;
        seconds / flips_per_time(&ising, sweeps.domain(), &Alone)
    });
    let name = format!("glauber, {side} x {side}, tiles of 64 x 64, quantum 1, in lanes");
    Measurement::new(name, 1.0 / seconds, "flips/s")
}

/// Flips in a unit of time that the rejection-free kernel would make in the present state: the sum of its rates.
pub(super) fn flips_per_time(ising: &Ising, domain: &Domain<i8>, ranks: &dyn Ranks) -> f64 {
    let rate = |window: &Window<i8>| window.sites_of(Region::BOX).map(|site| ising.rate(window, site)).sum();
    domain.sum_over_tiles(ranks, (Ising::REACH, 1), |window| vec![rate(window)])[0]
}

/// LocalRelax for 8 units of time, and partial evolution of all 16 patches for 1, of 64 x 64 snapshots at T = 2.5, h =
/// 0.1.
fn relax_and_evolve() -> Measurement {
    let ising = Ising::new(2.5, 0.1);
    let (shape, patch) = (plane(64), plane(16));
    let law = InLanes::<_, WIDTH>::new(&ising).expect("two states");
    let draw = |item| ising.draw(plane(32), None, &mut stream(1, Purpose::Bench, [item, 2])).replicated(2);
    let snapshots: Vec<Lattice<i8>> = (0..256).map(draw).collect();
    let sites: Vec<&[i8]> = snapshots.iter().map(|snapshot| &snapshot.sites[..]).collect();
    let tiling = Tiling::new(shape, patch).expect("16 divides 64");
    let mut relax = LocalRelax::<_, Lanes>::new(&law, patch, Until::Time(8.0));
    let one = PartialEvolution::new(&ising, shape, patch, Surroundings::Ghost, Until::Time(1.0));
    let mut partial = PartialEvolutionInLanes::<_, 1>::new(one).expect("two states");
    let seconds = fastest_on_core(5, || {
        let mut words = law.pack(shape, &sites);
        relax.relax(&mut words, |patch| stream(1, Purpose::Relax, [0, patch])).expect("a time");
        let relaxed = law.unpack(&words.sites, sites.len());
        let relaxed: Vec<&[i8]> = relaxed.chunks_exact(shape.sites()).collect();
        for word in relaxed.chunks(64) {
            let snapshots = partial.pack(shape, word);
            for index in 0..tiling.len() {
                let mut rng = stream(1, Purpose::Partial, [0, index as u64]);
                partial.evolve(&snapshots, word.len(), tiling.origin(index), &mut rng).expect("a time");
            }
        }
    });
    let name = "LocalRelax 8 + 16 patches for 1, 64 x 64, in lanes";
    Measurement::new(name, 1e3 * seconds / snapshots.len() as f64, "ms/snapshot")
}
