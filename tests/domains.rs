//! One lattice on several ranks: any number of ranks computes what one does, bit for bit, and nothing is lost at the
//! edges.

mod common;

use common::threads::on_ranks;
use tessera::{
    dynamics::{Dynamics, Elapsed, Events, Kmc, Langevin, Law, LinearScan, RateClasses, Until},
    lattice::{Boundary, Cover, Lattice, Region, Shape, Stencil, Window, bcc},
    parallel::{Alone, Decomposition, DecompositionError, Domain, Ranks, Sweeps, Workers, distinct, tiles_in_lanes},
    rng::{Purpose, Rng, stream},
    sampling::LocalRelax,
    systems::{Alloy, Ising, LinearChain, PredatorPrey, System, alloy::AlloyParameters},
};

/// Particles that hop along the last axis, one to a site: events write two sites, at tile edges the second in the halo.
#[derive(Clone)]
struct Hopping;

impl Law for Hopping {
    type Site = u8;
    const REACH: usize = 2;
    const SPREAD: usize = 1;

    fn stencil(&self) -> Stencil {
        Stencil(vec![[0, 0, -2], [0, 0, -1], [0, 0, 1], [0, 0, 2]])
    }
}

impl Events for Hopping {
    type Writes = [(usize, u8); 2];

    /// A particle hops to the right at rate 1, twice as fast when the site behind it is taken.
    fn rate(&self, window: &Window<u8>, site: usize) -> f64 {
        let values = window.values();
        let free = values[site] > 0 && values[site + 1] == 0;
        if free { 1.0 + f64::from(values[site - 1].min(1)) } else { 0.0 }
    }

    fn outcome(&self, window: &Window<u8>, site: usize, _rng: &mut Rng) -> Self::Writes {
        [(site, 0), (site + 1, window.values()[site])]
    }
}

#[test]
fn all_ranks_get_the_bytes_of_each_in_order_whatever_their_lengths() {
    let part = |rank: usize| vec![rank as u8; (rank * 3) % 5];
    let expected: Vec<_> = (0..5).map(part).collect();
    for found in on_ranks(5, |ranks| ranks.all_gather(&part(ranks.rank()))) {
        assert_eq!(found, expected);
    }
    let values = |rank: usize| [-0.0, f64::INFINITY, 0.1 * rank as f64, 1e-300, -7.0][rank];
    for found in on_ranks(5, |ranks| ranks.gather(values(ranks.rank()))) {
        assert_eq!(
            found.iter().map(|value| value.to_bits()).collect::<Vec<_>>(),
            (0..5).map(|rank| values(rank).to_bits()).collect::<Vec<_>>()
        );
    }
    for found in on_ranks(4, |ranks| distinct([3.0, -(ranks.rank() as f64), 3.0].into_iter(), ranks)) {
        assert_eq!(found, [-3.0, -2.0, -1.0, -0.0, 3.0]);
    }
}

/// The share of a rank of a whole lattice.
fn divided(decomposition: Decomposition, ranks: &dyn Ranks, halo: usize, whole: &Lattice<i8>) -> Domain<i8> {
    let mut domain = Domain::new(decomposition, ranks.rank(), halo);
    domain.fill(|origin, shape| Ok::<_, ()>(whole.part(origin, shape))).unwrap();
    domain.share_edges(ranks);
    domain
}

#[test]
fn blocks_are_whole_tiles_and_every_site_has_one_owner() {
    for (lattice, tile, ranks) in [
        (Shape([1, 24, 40]), Shape([1, 4, 5]), 1),
        (Shape([1, 24, 40]), Shape([1, 4, 5]), 7),
        (Shape([1, 24, 40]), Shape([1, 4, 5]), 9),
        (Shape([6, 8, 10]), Shape([2, 4, 2]), 12),
        (Shape::chain(60), Shape::chain(6), 4),
    ] {
        let decomposition = Decomposition::new(lattice, tile, ranks).unwrap();
        assert_eq!(decomposition.ranks(), ranks);
        let mut owners = Lattice::filled(lattice, usize::MAX);
        for rank in 0..ranks {
            let (origin, block) = decomposition.block(rank);
            let first = origin.map(|value| value as isize);
            assert!((0..3).all(|axis| block.0[axis].is_multiple_of(tile.0[axis]) && block.0[axis] > 0));
            owners.paste(first, block, &vec![rank; block.sites()]);
        }
        for (site, &owner) in owners.sites.iter().enumerate() {
            let coordinate = lattice.coordinate(site).map(|value| value as isize);
            assert_eq!(decomposition.owner(coordinate), owner, "{lattice:?} on {ranks} ranks, site {coordinate:?}");
        }
    }
}

#[test]
fn what_cannot_be_shared_out_is_refused_with_what_can() {
    let (lattice, tile) = (Shape::plane(16, 16), Shape::plane(8, 8));
    let error = Decomposition::new(lattice, tile, 7).unwrap_err();
    assert_eq!(error, DecompositionError::Ranks { ranks: 7, counts: vec![2, 2], nearest: 4 });
    assert!(error.to_string().contains("Use 4 ranks, or smaller tiles"), "{error}");
    assert!(Decomposition::new(lattice, Shape::plane(8, 7), 1).unwrap_err().to_string().contains("do not fit"));
    let thin = |tile| Sweeps::<_, Kmc<LinearScan>>::new(&Hopping, lattice, tile, 0.1, &Alone);
    assert!(matches!(thin(Shape::plane(1, 8)), Err(DecompositionError::Thin { least: 4, .. })));
    assert!(matches!(thin(Shape::plane(16, 8)), Err(DecompositionError::OneTile { .. })));
}

/// A way to divide a lattice, [`Sweeps::new`] or [`Sweeps::in_lanes`].
type Divide<L> =
    fn(&L, Shape, Shape, f64, &dyn Ranks) -> Result<Sweeps<L, <L as System>::Dynamics>, DecompositionError>;

/// The lattice after some sweeps, and how many events there were on all ranks.
fn swept<L: System>(
    law: &L,
    start: &Lattice<L::Site>,
    tile: Shape,
    ranks: usize,
    quantum: f64,
) -> (Lattice<L::Site>, u64) {
    swept_by(Sweeps::new, law, start, (tile, quantum), ranks)
}

fn swept_by<L: System>(
    divide: Divide<L>,
    law: &L,
    start: &Lattice<L::Site>,
    (tile, quantum): (Shape, f64),
    ranks: usize,
) -> (Lattice<L::Site>, u64) {
    let all = on_ranks(ranks, |ranks| {
        let mut sweeps = divide(law, start.shape, tile, quantum, ranks).unwrap();
        sweeps.start(ranks, |origin, shape| start.part(origin, shape));
        let first = sweeps.advance(law, ranks, (5, 2), 0..3).unwrap();
        let second = sweeps.advance(law, ranks, (5, 2), 3..6).unwrap();
        (sweeps.domain().gather(ranks), first.events + second.events)
    });
    let events = all.iter().map(|(_, events)| events).sum();
    assert!(all.iter().all(|(lattice, _)| *lattice == all[0].0), "ranks hold different lattices");
    (all[0].0.clone(), events)
}

#[test]
fn fields_between_mirrors_step_alike_on_any_number_of_ranks_and_as_one_window_without_noise() {
    let prey = PredatorPrey { noise: [0.02; 2], ..PredatorPrey::default() };
    let (shape, tile) = (Shape::chain(60), Shape::chain(5));
    let start = prey.draw(shape, Some([0.5, 0.1]), &mut stream(1, Purpose::Bench, [0, 3]));
    let one = swept(&prey, &start, tile, 1, prey.step);
    assert!(one.0 != start);
    for ranks in [2, 3, 4, 12] {
        assert_eq!(swept(&prey, &start, tile, ranks, prey.step), one, "{ranks} ranks");
    }
    let chain = LinearChain { noise: 0.0, ..LinearChain::default() };
    let bent = Lattice::from_sites(shape, (0..60).map(|x| f64::from(x).sin()).collect());
    let mut window = LinearChain::closed_window(shape);
    window.load(&bent, [0; 3]);
    Langevin::default()
        .evolve(&chain, &mut window, Until::Time(6.0 * chain.step), &mut stream(1, Purpose::Bench, [0, 4]))
        .unwrap();
    for ranks in [1, 3] {
        let (lattice, _) = swept(&chain, &bent, tile, ranks, chain.step);
        for (found, expected) in lattice.sites.iter().zip(window.values_of(Region::BOX)) {
            assert!((found - expected).abs() < 1e-12, "{ranks} ranks: {found}, not {expected}");
        }
    }
}

/// Vacancies cannot leave a tile, so tiles move: order sets in as fast as in the serial kernel, and no atom is lost.
#[test]
fn vacancies_wander_through_moving_tiles_alike_on_any_number_of_ranks() {
    let parameters =
        AlloyParameters { temperature: 2000.0.into(), sites_per_vacancy: 64, ..AlloyParameters::default() };
    let alloy = Alloy::try_from(parameters).unwrap();
    let (shape, tile) = (bcc::shape(8), bcc::shape(4));
    let start = alloy.draw(shape, Some(0.0), &mut stream(1, Purpose::Bench, [0, 5]));
    let one = swept(&alloy, &start, tile, 1, 4.0);
    assert!(one.1 > 50, "{} jumps", one.1);
    let census =
        |lattice: &Lattice<u8>| [0, 1, 2, 3].map(|species| lattice.sites.iter().filter(|&&s| s == species).count());
    assert_eq!(census(&one.0), census(&start));
    for ranks in [2, 4, 8] {
        assert!(swept(&alloy, &start, tile, ranks, 4.0) == one, "{ranks} ranks differ from one");
    }
    let order = |lattice: &Lattice<u8>| {
        let mut window = Window::closed(shape, Alloy::REACH);
        window.load(lattice, [0; 3]);
        alloy.observe(&window, Region::BOX)[4] / shape.sites() as f64
    };
    let runs = 24;
    let (mut serial, mut tiled) = (Vec::new(), Vec::new());
    for run in 0..runs {
        let start = alloy.draw(shape, Some(0.0), &mut stream(1, Purpose::Bench, [run, 6]));
        let mut window = Window::closed(shape, Alloy::REACH);
        window.load(&start, [0; 3]);
        let mut rng = stream(1, Purpose::Bench, [run, 7]);
        <Alloy as System>::Dynamics::default().evolve(&alloy, &mut window, Until::Time(160.0), &mut rng).unwrap();
        serial.push(order(&Lattice::from_sites(shape, window.values_of(Region::BOX).collect())));
        let mut sweeps = Sweeps::<_, <Alloy as System>::Dynamics>::new(&alloy, shape, tile, 2.0, &Alone).unwrap();
        sweeps.start(&Alone, |origin, shape| start.part(origin, shape));
        sweeps.advance(&alloy, &Alone, (6, run), 0..80).unwrap();
        tiled.push(order(&sweeps.domain().gather(&Alone)));
    }
    let moments = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        (mean, variance / (values.len() * (values.len() - 1)) as f64)
    };
    let ((a, variance_a), (b, variance_b)) = (moments(&serial), moments(&tiled));
    let error = (variance_a + variance_b).sqrt();
    eprintln!("order of Mo-Ta: {a} serial, {b} in tiles, error {error}");
    assert!(a > 5.0 * error, "no order has set in: {a} +- {error}");
    assert!((a - b).abs() < 3.5 * error, "order of Mo-Ta: {a} serial, {b} in tiles, error {error}");
}

#[test]
fn sweeps_of_spins_do_not_depend_on_the_number_of_ranks() {
    let ising = Ising::new(2.5, 0.1);
    for (shape, tile) in [((24, 40), (4, 8)), ((12, 20), (6, 5)), ((15, 12), (3, 6))] {
        let (shape, tile) = (Shape::plane(shape.0, shape.1), Shape::plane(tile.0, tile.1));
        let start = ising.draw(shape, Some(0.2), &mut stream(1, Purpose::Bench, [0, 0]));
        let one = swept(&ising, &start, tile, 1, 0.5);
        assert!(one.1 > 200 && one.0 != start, "{} events", one.1);
        for ranks in [2, 3, 4, 6] {
            assert_eq!(swept(&ising, &start, tile, ranks, 0.5), one, "{shape:?} in tiles of {tile:?} on {ranks} ranks");
        }
    }
}

/// Words of one element and of eight, one and two words of a colour, two and three colours along an axis.
#[test]
fn sweeps_in_lanes_depend_neither_on_ranks_nor_on_threads() {
    let ising = Ising::new(2.5, 0.1);
    for ((rows, columns), tile, count) in
        [((48, 80), (4, 8), 30), ((60, 72), (4, 4), 63), ((80, 64), (4, 4), 80), ((192, 192), (4, 4), 576)]
    {
        let (shape, tile) = (Shape::plane(rows, columns), Shape::plane(tile.0, tile.1));
        assert_eq!(tiles_in_lanes(&ising, shape, tile), Some(count));
        let start = ising.draw(shape, Some(0.2), &mut stream(1, Purpose::Bench, [0, 8]));
        let one = swept_by(Sweeps::in_lanes, &ising, &start, (tile, 0.5), 1);
        assert!(one.0 != start && one.0 != swept(&ising, &start, tile, 1, 0.5).0);
        for ranks in [2, 3, 4, 8] {
            assert!(swept_by(Sweeps::in_lanes, &ising, &start, (tile, 0.5), ranks) == one, "{shape:?}: {ranks} ranks");
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let threads = pool.install(|| {
            let mut sweeps =
                Sweeps::<_, <Ising as System>::Dynamics>::in_lanes(&ising, shape, tile, 0.5, &Alone).unwrap();
            sweeps.start(&Alone, |origin, shape| start.part(origin, shape));
            sweeps.advance(&ising, &Alone, (5, 2), 0..6).unwrap();
            sweeps.domain().gather(&Alone)
        });
        assert!(threads == one.0, "{shape:?}: 3 threads");
    }
}

#[test]
fn sweeps_in_lanes_need_two_states_and_many_tiles() {
    let plane = |side| Shape::plane(side, side);
    assert_eq!(tiles_in_lanes(&Ising::new(2.5, 0.0), plane(64), plane(8)), Some(16));
    assert_eq!(tiles_in_lanes(&Ising::new(2.5, 0.0), plane(48), plane(8)), None);
    assert_eq!(tiles_in_lanes(&Hopping, plane(640), plane(8)), None);
    assert_eq!(tiles_in_lanes(&LinearChain::default(), Shape::chain(640), Shape::chain(5)), None);
}

#[test]
fn events_that_write_beyond_their_tile_lose_nothing_on_any_number_of_ranks() {
    let (shape, tile) = (Shape::plane(12, 36), Shape::plane(4, 6));
    let mut start = Lattice::filled(shape, 0_u8);
    for (number, site) in start.sites.iter_mut().enumerate() {
        *site = if number % 3 == 0 { 1 + (number % 200) as u8 } else { 0 };
    }
    let census = |lattice: &Lattice<u8>| {
        let mut particles: Vec<u8> = lattice.sites.iter().copied().filter(|&site| site > 0).collect();
        particles.sort_unstable();
        particles
    };
    let run = |ranks| {
        on_ranks(ranks, |ranks| {
            let mut sweeps = Sweeps::<_, Kmc<LinearScan>>::new(&Hopping, shape, tile, 0.4, ranks).unwrap();
            sweeps.start(ranks, |origin, shape| start.part(origin, shape));
            let elapsed = sweeps.advance(&Hopping, ranks, (3, 1), 0..40).unwrap();
            (sweeps.domain().gather(ranks), elapsed)
        })
    };
    let one = run(1).remove(0);
    assert_eq!(census(&one.0), census(&start), "particles were lost or doubled");
    assert!(one.1.events > 1000 && (one.1.time - 16.0).abs() < 1e-9, "{:?}", one.1);
    for ranks in [2, 3, 4, 6, 9] {
        let all = run(ranks);
        assert!(all.iter().all(|(lattice, _)| *lattice == one.0), "{ranks} ranks differ from one");
        assert_eq!(all.iter().map(|(_, elapsed)| elapsed.events).sum::<u64>(), one.1.events);
    }
}

#[test]
fn local_relaxation_is_the_same_on_a_divided_lattice() {
    let ising = Ising::new(2.5, 0.1);
    let (shape, patch, until) = (Shape::plane(24, 40), Shape::plane(4, 8), Until::Time(0.7));
    let start = ising.draw(shape, Some(0.2), &mut stream(1, Purpose::Bench, [0, 1]));
    let patch_stream = |number| stream(4, Purpose::Relax, [9, number]);
    let mut serial = start.clone();
    let events = LocalRelax::<_, <Ising as System>::Dynamics>::new(&ising, patch, until)
        .relax(&mut serial, patch_stream)
        .unwrap()
        .events;
    for ranks in [1, 2, 3, 5, 6] {
        let all = on_ranks(ranks, |ranks| {
            let decomposition = Decomposition::new(shape, patch, ranks.size()).unwrap();
            let mut domain = divided(decomposition, ranks, 4 + 1, &start);
            let plan = domain.plan(&Cover::overlapping(shape, patch, Boundary::Periodic), 0);
            let workers = Workers::<Ising, Kmc<RateClasses>>::new(patch);
            let mut total = Elapsed::default();
            for group in 0..plan.groups() {
                total += domain.evolve(ranks, &ising, (&plan, group), &workers, until, patch_stream).unwrap();
            }
            (domain.gather(ranks), total.events)
        });
        assert!(all.iter().all(|(lattice, _)| *lattice == serial), "{ranks} ranks differ from the serial relaxation");
        assert_eq!(all.iter().map(|(_, events)| events).sum::<u64>(), events);
    }
}

#[test]
fn sums_over_tiles_are_those_of_the_whole_lattice_and_equal_on_any_number_of_ranks() {
    let ising = Ising::new(2.5, 0.1);
    let shape = Shape::plane(24, 40);
    let start = ising.draw(shape, Some(0.3), &mut stream(1, Purpose::Bench, [0, 2]));
    let mut whole = Window::closed(shape, 1);
    whole.load(&start, [0; 3]);
    let expected = ising.observe(&whole, Region::BOX);
    for ranks in [1, 4, 6] {
        let found = on_ranks(ranks, |ranks| {
            let decomposition = Decomposition::new(shape, Shape::plane(4, 8), ranks.size()).unwrap();
            let domain = divided(decomposition, ranks, 1, &start);
            domain.sum_over_tiles(ranks, (1, 2), |window| ising.observe(window, Region::BOX))
        });
        assert!(found.iter().all(|sums| *sums == expected), "{ranks} ranks: {found:?}, not {expected:?}");
    }
}

/// A rank's plan for a sweep, without the other ranks: messages, their bytes, and memory per site of its block.
fn cost(side: usize, ranks: usize, rank: usize) -> ([usize; 3], f64) {
    let (lattice, tile) = (Shape::plane(side, side), Shape::plane(64, 64));
    let decomposition = Decomposition::new(lattice, tile, ranks).unwrap();
    let cover = Cover::coloured(&decomposition.tiling);
    let domain = Domain::<i8>::new(decomposition, rank, 1);
    let plan = domain.plan(&cover, 0);
    (plan.messages(), plan.bytes() as f64 / domain.block().1.sites() as f64)
}

/// The cost of a rank is that of its block, however many ranks and sites there are: 10^12 sites on 10^4 ranks.
#[test]
fn a_rank_among_ten_thousand_sends_and_keeps_as_little_as_one_among_nine() {
    let few = [4, 8].map(|rank| cost(3 * 10_240, 9, rank));
    let many = [5050, 9999, 0, 99].map(|rank| cost(100 * 10_240, 10_000, rank));
    for (messages, memory) in few.into_iter().chain(many) {
        // Two of the four colours touch each of two sides, one each of two corners; the other side's colours mirror it.
        assert_eq!(messages, few[0].0);
        assert!(messages[0] == messages[1] && messages[0] <= 32, "{messages:?}");
        // Every site of the edge goes to one neighbour, those at corners to three.
        assert_eq!(messages[2], 4 * 10_240 + 4);
        assert!(memory < 0.05, "{memory} bytes a site");
    }
}

#[test]
fn blocks_are_as_square_as_the_ranks_allow() {
    let grid =
        |side: usize, ranks| Decomposition::new(Shape::plane(side, side), Shape::plane(64, 64), ranks).unwrap().grid;
    // Stripes would have the fewest sites in the largest block, by 1 %, and three times the surface.
    assert_eq!(grid(91 * 64, 32), [1, 4, 8]);
    assert_eq!(grid(128 * 64, 10_000), [1, 100, 100]);
    assert_eq!(grid(64 * 64, 2), [1, 1, 2]);
    let cube = Decomposition::new(Shape([64; 3]), Shape([8; 3]), 64).unwrap();
    assert_eq!(cube.grid, [4, 4, 4]);
}
