//! Laws of the lattice and of the kernel, with known answers.

use rand::Rng as _;
use statrs::distribution::{ChiSquared, ContinuousCDF};
use tessera::{
    dynamics::{
        ClassedEvents, Dynamics, Elapsed, Events, EvolveError, Kmc, Law, LinearScan, RateClasses, Selector, Until,
    },
    lattice::{Boundary, Cover, Lattice, Region, Shape, Tiling, Window},
    parallel::{Alone, Sweeps},
    rng::{Purpose, Rng, stream},
    sampling::{LocalRelax, PartialEvolution, Surroundings, upsampling_factors},
    systems::{Ising, PredatorPrey, System, Tiles, Upsampling},
};

fn rng(item: u64) -> Rng {
    stream(7, Purpose::Bench, [item, 0])
}

fn closed(ising: &Ising, shape: Shape, start: Option<f64>, rng: &mut Rng) -> Window<i8> {
    let mut window = Window::closed(shape, 1);
    window.load(&ising.draw(shape, start, rng), [0; 3]);
    window
}

/// Probability of a chi-squared value at least this large.
fn chi_squared_tail(value: f64, freedom: usize) -> f64 {
    1.0 - ChiSquared::new(freedom as f64).unwrap().cdf(value)
}

/// Energy by definition: every pair once, each site with its right and lower neighbour.
fn energy(ising: &Ising, lattice: &Lattice<i8>) -> f64 {
    let [_, rows, columns] = lattice.shape.0;
    let mut energy = 0.0;
    for y in 0..rows as isize {
        for x in 0..columns as isize {
            let spin = f64::from(lattice.at([0, y, x]));
            let pairs = f64::from(lattice.at([0, y, x + 1])) + f64::from(lattice.at([0, y + 1, x]));
            energy -= spin * (pairs + ising.field);
        }
    }
    energy
}

fn lattice_of(window: &Window<i8>) -> Lattice<i8> {
    Lattice::from_sites(window.shape(), window.values_of(Region::BOX).collect())
}

#[test]
fn selection_in_classes_draws_from_the_rates_of_a_linear_scan() {
    let ising = Ising::new(2.27, 0.1);
    let mut random = rng(1);
    let window = closed(&ising, Shape::plane(5, 7), Some(0.2), &mut random);
    let mut classes = RateClasses::default();
    let mut scan = LinearScan::default();
    Selector::<Ising>::prepare(&mut classes, &ising, &window);
    Selector::<Ising>::prepare(&mut scan, &ising, &window);
    let total = Selector::<Ising>::total_rate(&mut classes);
    assert!((total - Selector::<Ising>::total_rate(&mut scan)).abs() < 1e-12 * total);
    let draws = 10_000_000;
    let mut counts = vec![0_u32; window.padded_sites()];
    for _ in 0..draws {
        counts[Selector::<Ising>::select(&classes, &mut random)] += 1;
    }
    let mut chi = 0.0;
    for site in window.sites_of(Region::BOX) {
        let expected = f64::from(draws) * ising.rate(&window, site) / total;
        chi += (f64::from(counts[site]) - expected).powi(2) / expected;
    }
    let tail = chi_squared_tail(chi, 34);
    assert!(tail > 1e-4, "chi-squared {chi} of 34 degrees of freedom has probability {tail}");

    // The reference itself, against the same rates.
    let mut reference = vec![0_u32; window.padded_sites()];
    for _ in 0..1_000_000 {
        reference[Selector::<Ising>::select(&scan, &mut random)] += 1;
    }
    let chi: f64 = window
        .sites_of(Region::BOX)
        .map(|site| {
            let expected = 1e6 * ising.rate(&window, site) / total;
            (f64::from(reference[site]) - expected).powi(2) / expected
        })
        .sum();
    assert!(chi_squared_tail(chi, 34) > 1e-4, "linear scan: chi-squared {chi}");
}

#[test]
fn classes_follow_the_rates_after_every_event() {
    let ising = Ising::new(3.0, -0.2);
    for open in [false, true] {
        let mut random = rng(2);
        let lattice = ising.draw(Shape::plane(10, 14), Some(0.0), &mut random);
        let shape = Shape::plane(5, 7);
        let mut window = if open { Window::open(shape, 1) } else { Window::closed(shape, 1) };
        window.load(&lattice, [0, 3, 9]);
        let offsets = window.offsets(&ising.stencil());
        let mut classes = RateClasses::default();
        Selector::<Ising>::prepare(&mut classes, &ising, &window);
        for _ in 0..500 {
            let total = Selector::<Ising>::total_rate(&mut classes);
            let by_definition: f64 = window.sites_of(Region::BOX).map(|site| ising.rate(&window, site)).sum();
            assert!((total - by_definition).abs() < 1e-9, "{total} in classes, {by_definition} by definition");
            let site = Selector::<Ising>::select(&classes, &mut random);
            assert_eq!(window.home(site), Some(site), "an event is inside the box");
            window.write(site, -window.values()[site]);
            for changed in offsets.iter().map(|&offset| site.wrapping_add_signed(offset)).chain([site]) {
                if let Some(home) = window.home(changed) {
                    Selector::<Ising>::refresh(&mut classes, &ising, &window, home);
                }
            }
        }
    }
}

#[test]
fn rates_obey_detailed_balance() {
    let ising = Ising::new(1.7, 0.3);
    let mut random = rng(3);
    for _ in 0..200 {
        let mut window = closed(&ising, Shape::plane(4, 5), None, &mut random);
        let before = energy(&ising, &lattice_of(&window));
        let site = window.sites_of(Region::BOX).nth(random.random_range(0..20)).unwrap();
        let forth = ising.rate(&window, site);
        for (site, value) in ising.outcome(&window, site, &mut random) {
            window.write(site, value);
        }
        let back = ising.rate(&window, site);
        let after = energy(&ising, &lattice_of(&window));
        let balance = forth / back / (-(after - before) / ising.temperature.value()).exp();
        assert!((balance - 1.0).abs() < 1e-10, "forth/back is {balance} times the Boltzmann ratio");
    }
}

/// Long-run fractions of time in every state agree with Boltzmann. The states of one chain are correlated, so many
/// independent chains each give one final state: exact chi-squared.
#[test]
fn long_runs_of_small_lattices_reach_boltzmann() {
    let ising = Ising::new(3.5, 0.15);
    for (rows, columns) in [(3, 4), (4, 4)] {
        let shape = Shape::plane(rows, columns);
        let sites = shape.sites();
        let state = |bits: usize| {
            Lattice::from_sites(shape, (0..sites).map(|site| if bits >> site & 1 == 1 { 1 } else { -1 }).collect())
        };
        let weights: Vec<f64> =
            (0..1 << sites).map(|bits| (-energy(&ising, &state(bits)) / ising.temperature.value()).exp()).collect();
        let partition: f64 = weights.iter().sum();
        let runs = 400_000;
        let mut counts = vec![0_u32; 1 << sites];
        let mut dynamics = Kmc::<RateClasses>::default();
        let mut random = rng(4 + rows as u64);
        let mut window = closed(&ising, shape, Some(0.0), &mut random);
        dynamics.evolve(&ising, &mut window, Until::Time(200.0), &mut random).unwrap();
        for _ in 0..runs {
            dynamics.evolve(&ising, &mut window, Until::Time(12.0), &mut random).unwrap();
            let bits = window
                .values_of(Region::BOX)
                .enumerate()
                .map(|(site, spin)| usize::from(spin > 0) << site)
                .sum::<usize>();
            counts[bits] += 1;
        }
        // States with few expected visits are lumped together, from the rarest up.
        let mut order: Vec<usize> = (0..1 << sites).collect();
        order.sort_by(|&a, &b| weights[a].total_cmp(&weights[b]));
        let (mut chi, mut cells, mut expected, mut seen) = (0.0, 0, 0.0, 0.0);
        for bits in order {
            expected += runs as f64 * weights[bits] / partition;
            seen += f64::from(counts[bits]);
            if expected >= 20.0 {
                chi += (seen - expected).powi(2) / expected;
                cells += 1;
                (expected, seen) = (0.0, 0.0);
            }
        }
        let tail = chi_squared_tail(chi, cells - 1);
        assert!(tail > 1e-4, "{rows} x {columns}: chi-squared {chi} over {cells} cells has probability {tail}");
        assert!(cells > 100, "the test needs many cells to mean something, not {cells}");
    }
}

/// Onsager's energy per site and Yang's magnetisation of the infinite lattice (h = 0); at T = 2 and 3 the finite-size
/// corrections of 64 x 64 are far below the statistical errors.
#[test]
fn energy_and_magnetisation_agree_with_onsager() {
    for temperature in [2.0_f64, 3.0] {
        let ising = Ising::new(temperature, 0.0);
        let beta = 1.0 / temperature;
        let modulus = 2.0 * (2.0 * beta).sinh() / (2.0 * beta).cosh().powi(2);
        // Complete elliptic integral of the first kind by the arithmetic-geometric mean.
        let (mut a, mut b) = (1.0_f64, (1.0 - modulus * modulus).sqrt());
        for _ in 0..40 {
            (a, b) = ((a + b) / 2.0, (a * b).sqrt());
        }
        let elliptic = std::f64::consts::PI / (2.0 * a);
        let bracket = 2.0 * (2.0 * beta).tanh().powi(2) - 1.0;
        let exact_energy = -(1.0 / (2.0 * beta).tanh()) * (1.0 + 2.0 / std::f64::consts::PI * bracket * elliptic);
        let exact_magnetisation =
            if temperature < 2.269 { (1.0 - (2.0 * beta).sinh().powi(-4)).powf(0.125) } else { 0.0 };

        let start = if temperature < 2.269 { Some(1.0) } else { Some(0.0) };
        let (mut energies, mut magnetisations) = (Vec::new(), Vec::new());
        for run in 0..16 {
            let mut random = rng(100 + run);
            let mut window = closed(&ising, Shape::plane(64, 64), start, &mut random);
            let mut dynamics = Kmc::<RateClasses>::default();
            dynamics.evolve(&ising, &mut window, Until::Time(100.0), &mut random).unwrap();
            let (mut energy_sum, mut magnetisation_sum) = (0.0, 0.0);
            for _ in 0..40 {
                dynamics.evolve(&ising, &mut window, Until::Time(5.0), &mut random).unwrap();
                let sums = ising.observe(&window, Region::BOX);
                magnetisation_sum += sums[0] / 4096.0 / 40.0;
                // Two pairs a site, of which the fraction rho differs.
                energy_sum += -2.0 * (1.0 - 2.0 * sums[1] / 4096.0) / 40.0;
            }
            energies.push(energy_sum);
            magnetisations.push(magnetisation_sum);
        }
        for (name, values, exact) in
            [("energy", energies, exact_energy), ("magnetisation", magnetisations, exact_magnetisation)]
        {
            let mean = values.iter().sum::<f64>() / 16.0;
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 15.0;
            let error = (variance / 16.0).sqrt();
            assert!((mean - exact).abs() < 4.0 * error, "T = {temperature}: {name} {mean} +- {error}, exact {exact}");
            assert!(error < 0.01, "T = {temperature}: {name} is too uncertain to test: {error}");
        }
    }
}

#[test]
fn waiting_times_are_exponential() {
    let ising = Ising::new(2.5, 0.1);
    let mut random = rng(5);
    let window = closed(&ising, Shape::plane(6, 5), Some(0.1), &mut random);
    let total: f64 = window.sites_of(Region::BOX).map(|site| ising.rate(&window, site)).sum();
    let mut dynamics = Kmc::<RateClasses>::default();
    let draws = 20_000;
    let mut times: Vec<f64> = (0..draws)
        .map(|_| dynamics.evolve(&ising, &mut window.clone(), Until::Events(1), &mut random).unwrap().time)
        .collect();
    times.sort_by(f64::total_cmp);
    let distance = times
        .iter()
        .enumerate()
        .map(|(below, time)| {
            let exact = 1.0 - (-total * time).exp();
            (exact - below as f64 / draws as f64).abs().max((exact - (below + 1) as f64 / draws as f64).abs())
        })
        .fold(0.0, f64::max);
    // Kolmogorov: P(sqrt(n) D > 2.2) = 1.3e-4.
    assert!(distance * (draws as f64).sqrt() < 2.2, "Kolmogorov-Smirnov distance {distance}");
}

#[test]
fn evolution_stops_where_it_was_told() {
    let ising = Ising::new(2.5, 0.0);
    let mut random = rng(6);
    let mut window = closed(&ising, Shape::plane(8, 8), Some(0.0), &mut random);
    let mut dynamics = Kmc::<RateClasses>::default();
    assert_eq!(dynamics.evolve(&ising, &mut window, Until::Events(17), &mut random).unwrap().events, 17);
    assert_eq!(dynamics.evolve(&ising, &mut window, Until::Time(0.75), &mut random).unwrap().time, 0.75);
    let frozen = Ising::new(1e-3, 0.0);
    let mut window = closed(&frozen, Shape::plane(8, 8), Some(1.0), &mut random);
    let stuck = dynamics.evolve(&frozen, &mut window, Until::Events(1), &mut random);
    assert_eq!(stuck, Err(EvolveError::Frozen { done: 0, wanted: 1 }));
    let waited = dynamics.evolve(&frozen, &mut window, Until::Time(2.0), &mut random);
    assert_eq!(waited, Ok(Elapsed { time: 2.0, events: 0 }));
}

#[test]
fn surroundings_of_an_open_window_never_change_and_its_box_does() {
    let ising = Ising::new(2.5, 0.0);
    let mut random = rng(8);
    let lattice = ising.draw(Shape::plane(10, 14), Some(0.0), &mut random);
    let mut window = Window::open(Shape::plane(5, 7), 2);
    window.load(&lattice, [0, -2, 11]);
    let before = window.clone();
    Kmc::<RateClasses>::default().evolve(&ising, &mut window, Until::Events(200), &mut random).unwrap();
    let inside: Vec<usize> = window.sites_of(Region::BOX).collect();
    let changed = |site: usize| window.values()[site] != before.values()[site];
    assert!((0..window.padded_sites()).filter(|site| !inside.contains(site)).all(|site| !changed(site)));
    assert!(inside.iter().any(|&site| changed(site)));
}

#[test]
fn windows_see_the_lattice_around_them_and_closed_windows_themselves() {
    let shape = Shape::plane(6, 9);
    let lattice = Lattice::from_sites(shape, (0..54).collect::<Vec<i32>>());
    let mut window = Window::open(Shape::plane(3, 4), 2);
    for origin in [[0, 0, 0], [0, 5, 7], [0, -1, -3]] {
        window.load(&lattice, origin);
        let seen: Vec<i32> = window.values_of(Region { margin: 2 }).collect();
        let expected: Vec<i32> = (-2..5)
            .flat_map(|y| (-2..6).map(move |x| (y, x)))
            .map(|(y, x)| lattice.at([0, origin[1] + y, origin[2] + x]))
            .collect();
        assert_eq!(seen, expected);
        let mut copy = Lattice::filled(shape, -1);
        window.store(&mut copy, origin, Region::BOX);
        for (site, &value) in copy.sites.iter().enumerate() {
            assert!(value == -1 || value == lattice.sites[site]);
        }
        assert_eq!(copy.sites.iter().filter(|value| **value >= 0).count(), 12);
    }
    let mut closed = Window::closed(shape, 2);
    closed.load(&lattice, [0; 3]);
    let corner = closed.sites_of(Region::BOX).next().unwrap();
    closed.write(corner, 99);
    let padded: Vec<i32> = closed.values_of(Region { margin: 2 }).collect();
    assert_eq!(padded.iter().filter(|value| **value == 99).count(), 4, "the corner has three copies");
    let mut cut = Window::closed(Shape::plane(3, 4), 1);
    cut.load(&lattice, [0, 1, 2]);
    let right_of_last = cut.values()[cut.sites_of(Region::BOX).nth(3).unwrap() + 1];
    assert_eq!(right_of_last, lattice.at([0, 1, 2]), "a closed cut is wrapped on itself");
}

#[test]
fn tiles_cover_once_and_colours_do_not_touch() {
    for (shape, tile) in [((12, 20), (4, 5)), ((12, 15), (4, 5)), ((4, 10), (4, 5)), ((20, 20), (4, 4))] {
        let (lattice, tile) = (Shape::plane(shape.0, shape.1), Shape::plane(tile.0, tile.1));
        let tiling = Tiling::new(lattice, tile).unwrap();
        let mut covered = Lattice::filled(lattice, 0);
        for colour in Cover::coloured(&tiling).groups() {
            let mut painted = Lattice::filled(lattice, 0);
            for placed in colour.windows() {
                let mut window = Window::<i32>::open(tile, 1);
                window.load(&painted, placed.origin);
                let around: i32 = window.values_of(Region { margin: 1 }).sum();
                assert_eq!(around, 0, "{lattice:?}: tile {} touches one of its colour", placed.index);
                painted.paste(placed.origin, tile, &vec![1; tile.sites()]);
            }
            covered.sites.iter_mut().zip(&painted.sites).for_each(|(sum, one)| *sum += one);
        }
        assert!(covered.sites.iter().all(|&times| times == 1));
    }
    assert!(Tiling::new(Shape::plane(10, 10), Shape::plane(4, 5)).is_none());
}

#[test]
fn overlapping_patches_cover_every_site_four_times_and_colours_stay_apart() {
    for (lattice, patch) in [((16, 24), (8, 8)), ((32, 32), (8, 8)), ((20, 12), (4, 4))] {
        let (lattice, patch) = (Shape::plane(lattice.0, lattice.1), Shape::plane(patch.0, patch.1));
        let mut covered = Lattice::filled(lattice, 0);
        for colour in Cover::overlapping(lattice, patch, Boundary::Periodic).groups() {
            let mut painted = Lattice::filled(lattice, 0);
            for placed in colour.windows() {
                let mut window = Window::<i32>::open(patch, 1);
                window.load(&painted, placed.origin);
                assert_eq!(
                    window.values_of(Region { margin: 1 }).sum::<i32>(),
                    0,
                    "{lattice:?}: patches of a colour touch"
                );
                painted.paste(placed.origin, patch, &vec![1; patch.sites()]);
            }
            covered.sites.iter_mut().zip(&painted.sites).for_each(|(sum, one)| *sum += one);
        }
        assert!(covered.sites.iter().all(|&times| times == 4));
    }
}

#[test]
fn the_mean_over_patches_is_the_whole() {
    let ising = Ising::new(2.5, 0.0);
    let shape = Shape::plane(12, 20);
    let lattice = ising.draw(shape, Some(0.1), &mut rng(9));
    let mut whole = Window::closed(shape, 1);
    whole.load(&lattice, [0; 3]);
    let sums = ising.observe(&whole, Region::BOX);
    let tiling = Tiling::new(shape, Shape::plane(4, 5)).unwrap();
    let mut window = Window::open(tiling.tile, 1);
    let mut over_patches = [0.0, 0.0];
    for number in 0..tiling.len() {
        window.load(&lattice, tiling.origin(number));
        let found = ising.observe(&window, Region::BOX);
        over_patches.iter_mut().zip(found).for_each(|(sum, value)| *sum += value);
    }
    assert_eq!(sums, over_patches);
    let energy_of_pairs = -2.0 * 240.0 * (1.0 - 2.0 * sums[1] / 240.0);
    assert!((energy(&ising, &lattice) - energy_of_pairs).abs() < 1e-9, "domain walls count the energy");
}

/// With fixed surroundings K times the change of the lattice is learned; it must be just that.
#[test]
fn the_increment_of_a_patch_is_the_change_of_the_lattice() {
    let ising = Ising::new(2.5, 0.1);
    let (shape, patch) = (Shape::plane(12, 20), Shape::plane(4, 10));
    let lattice = ising.draw(shape, Some(0.1), &mut rng(10));
    let observe = |lattice: &Lattice<i8>| {
        let mut window = Window::closed(shape, 1);
        window.load(lattice, [0; 3]);
        ising.observe(&window, Region::BOX)
    };
    let mut partial = PartialEvolution::new(&ising, shape, patch, Surroundings::Ghost, Until::Time(1.0));
    let pair = partial.evolve(&lattice, [0, 8, 10], &mut rng(11)).unwrap();
    let mut after = lattice.clone();
    after.paste([0, 8, 10], patch, &pair.after);
    for ((after, before), increment) in observe(&after).iter().zip(observe(&lattice)).zip(&pair.increment) {
        assert!(((after - before) / 40.0 - increment).abs() < 1e-12);
    }
    assert_ne!(pair.before, pair.after);
}

/// A patch as large as the lattice is the conventional method; a buffer leaves the patch itself whole.
#[test]
fn partial_evolution_keeps_its_promises_at_the_edges() {
    let ising = Ising::new(2.5, 0.1);
    let shape = Shape::plane(8, 12);
    let lattice = ising.draw(shape, Some(0.1), &mut rng(12));
    let mut whole = PartialEvolution::new(&ising, shape, shape, Surroundings::Ghost, Until::Time(2.0));
    let pair = whole.evolve(&lattice, [0; 3], &mut rng(13)).unwrap();
    let mut window = Window::closed(shape, 1);
    window.load(&lattice, [0; 3]);
    Kmc::<RateClasses>::default().evolve(&ising, &mut window, Until::Time(2.0), &mut rng(13)).unwrap();
    assert_eq!(pair.after, window.values_of(Region::BOX).collect::<Vec<_>>());
    let patch = Shape::plane(4, 6);
    let mut buffered = PartialEvolution::new(&ising, shape, patch, Surroundings::Buffer(2), Until::Time(1.0));
    let pair = buffered.evolve(&lattice, [0, 4, 6], &mut rng(14)).unwrap();
    let mut cut = Window::open(patch, 0);
    cut.load(&lattice, [0, 4, 6]);
    assert_eq!(pair.before, cut.values_of(Region::BOX).collect::<Vec<_>>());
    assert_eq!(pair.after.len(), 24);
}

#[test]
fn upsampling_replicates_and_relaxation_depends_only_on_its_streams() {
    let ising = Ising::new(2.5, 0.0);
    let small = ising.draw(Shape::plane(4, 6), Some(0.0), &mut rng(15));
    let large = ising.upsampling().upsample(&ising, std::slice::from_ref(&small), 3, &mut rng(16));
    for y in 0..12 {
        for x in 0..18 {
            assert_eq!(large.at([0, y, x]), small.at([0, y / 3, x / 3]));
        }
    }
    let relaxed = || {
        let mut lattice = large.clone();
        let mut relax = LocalRelax::<_, <Ising as System>::Dynamics>::new(&ising, Shape::plane(4, 6), Until::Time(0.5));
        relax.relax(&mut lattice, |patch| stream(3, Purpose::Relax, [0, patch])).unwrap();
        lattice
    };
    assert_eq!(relaxed(), relaxed());
    assert_ne!(relaxed(), large);
    assert_eq!(upsampling_factors(Shape::plane(16, 16), Shape::plane(96, 96)), Some(vec![2, 3]));
    assert_eq!(upsampling_factors(Shape::plane(16, 16), Shape::plane(80, 80)), None);
}

/// Sweeps approximate the serial kernel: the relaxation of the energy from a random state agrees within error.
#[test]
fn coloured_sweeps_relax_like_the_serial_kernel() {
    let ising = Ising::new(2.5, 0.0);
    let shape = Shape::plane(64, 64);
    let (mut serial, mut tiled) = (Vec::new(), Vec::new());
    for run in 0..48 {
        let start = ising.draw(shape, Some(0.0), &mut rng(200 + run));
        let mut window = Window::closed(shape, 1);
        window.load(&start, [0; 3]);
        Kmc::<RateClasses>::default().evolve(&ising, &mut window, Until::Time(2.0), &mut rng(300 + run)).unwrap();
        serial.push(ising.observe(&window, Region::BOX)[1] / 4096.0);
        let mut sweeps = Sweeps::<_, Kmc<RateClasses>>::new(&ising, shape, Shape::plane(16, 32), 0.05, &Alone).unwrap();
        sweeps.start(&Alone, |origin, shape| start.part(origin, shape));
        sweeps.advance(&ising, &Alone, (1, run), 0..40).unwrap();
        window.load(&sweeps.domain().gather(&Alone), [0; 3]);
        tiled.push(ising.observe(&window, Region::BOX)[1] / 4096.0);
    }
    let moments = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (
            mean,
            values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() * (values.len() - 1)) as f64,
        )
    };
    let ((a, variance_a), (b, variance_b)) = (moments(&serial), moments(&tiled));
    let error = (variance_a + variance_b).sqrt();
    assert!((a - b).abs() < 3.5 * error, "domain walls {a} serial, {b} tiled, error {error}");
    assert!(error < 0.002, "too uncertain to test: {error}");
}

#[test]
fn reach_covers_the_stencil() {
    let ising = Ising::new(1.0, 0.0);
    assert!(ising.stencil().reach() <= Ising::REACH);
    assert_eq!(ising.class_rate(0) + ising.class_rate(5), 1.0, "forth and back of Glauber rates add up to 1");
}

/// A mosaic uses each state of the pool once, shifted, so that sums over sites are those of the states together.
#[test]
fn a_mosaic_of_tiles_holds_each_state_of_its_pool_once() {
    let ising = Ising::new(2.5, 0.1);
    let small = Shape::plane(6, 4);
    let pool: Vec<_> = (0..9).map(|state| ising.draw(small, Some(state as f64 / 9.0), &mut rng(20 + state))).collect();
    let large = Tiles.upsample(&ising, &pool, 3, &mut rng(30));
    assert_eq!(large.shape, Shape::plane(18, 12));
    let ups = |sites: &[i8]| sites.iter().filter(|&&spin| spin > 0).count();
    let mut tile = Window::open(small, 0);
    let tiling = Tiling::new(large.shape, small).unwrap();
    let mut found: Vec<usize> = (0..9)
        .map(|index| {
            tile.load(&large, tiling.origin(index));
            ups(tile.values())
        })
        .collect();
    let mut expected: Vec<usize> = pool.iter().map(|state| ups(&state.sites)).collect();
    assert_ne!(found, expected, "the order is drawn");
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

/// Every other tile between mirrors lies the other way round, so that equal ends meet.
#[test]
fn tiles_between_mirrors_join() {
    let small = Lattice::from_sites(Shape([1, 1, 4]), [1.0, 2.0, 3.0, 4.0].map(|u| [u, -u]).to_vec());
    let system: PredatorPrey = serde_json::from_str("{}").expect("all keys have defaults");
    let large = Tiles.upsample(&system, &[small], 3, &mut stream(1, Purpose::Bench, [0, 0]));
    let prey: Vec<f64> = large.sites.iter().map(|site| site[0]).collect();
    assert_eq!(prey, [1.0, 2.0, 3.0, 4.0, 4.0, 3.0, 2.0, 1.0, 1.0, 2.0, 3.0, 4.0]);
}

/// Functions of the library are those of the observables' kind: their mean over patches is that of the lattice, and on a
/// closed chain the drift of the observables is linear in them.
#[test]
fn libraries_add_up_over_patches_and_give_the_drift() {
    let ising = Ising::new(2.3, 0.1);
    let (shape, patch) = (Shape::plane(12, 8), Shape::plane(3, 4));
    let lattice = ising.draw(shape, None, &mut rng(70));
    let whole = closed(&ising, shape, None, &mut rng(70));
    let mut total = vec![0.0; Ising::LIBRARY.len()];
    let mut window = Ising::open_window(patch, 1);
    for index in 0..Tiling::new(shape, patch).unwrap().len() {
        window.load(&lattice, Tiling::new(shape, patch).unwrap().origin(index));
        total.iter_mut().zip(ising.library(&window, Region::BOX)).for_each(|(sum, value)| *sum += value);
    }
    let expected = ising.library(&whole, Region::BOX);
    assert!(total.iter().zip(&expected).all(|(found, value)| (found - value).abs() < 1e-9), "{total:?} {expected:?}");
    // Of the classes and M: 1 = sum of the classes, M = up less down.
    let (sites, up) = (96.0, expected[4..9].iter().sum::<f64>());
    let down: Vec<f64> = [&expected[..4], &[sites - up - expected[..4].iter().sum::<f64>()]].concat();
    let flips = |counts: &[f64], spin: usize| -> f64 {
        counts.iter().enumerate().map(|(class, count)| count * ising.class_rate(5 * spin + class)).sum()
    };
    let drift = 2.0 * (flips(&down, 0) - flips(&expected[4..9], 1));
    let found = Ising::GENERATOR.unwrap()(&ising, &whole, Region::BOX).drift[0];
    assert!((drift - found).abs() < 1e-9, "{drift} {found}");

    let system: PredatorPrey = serde_json::from_str("{}").expect("all keys have defaults");
    let mut chain = PredatorPrey::closed_window(Shape([1, 1, 50]));
    chain.load(&system.draw(Shape([1, 1, 50]), None, &mut rng(71)), [0; 3]);
    let [observed, library] = [system.observe(&chain, Region::BOX), system.library(&chain, Region::BOX)];
    let drift = PredatorPrey::GENERATOR.unwrap()(&system, &chain, Region::BOX).drift;
    assert!((drift[0] - (observed[0] - library[0] - library[1])).abs() < 1e-9);
    assert!((drift[1] - 3.0 * (library[1] - 0.4 * observed[1])).abs() < 1e-9);
}

/// At the critical point, the exact one or the one that is assumed, a system of any size has the same temperature; above
/// it a smaller system is further away.
#[test]
fn rescaling_keeps_the_critical_point() {
    let at = |temperature: f64, critical: Option<f64>| {
        let ising = Ising { critical_temperature: critical, ..Ising::new(temperature, 0.0) };
        ising.rescaled(4.0).unwrap().temperature.value()
    };
    let exact = 2.269_185_314_213_022;
    assert!((at(exact, None) - exact).abs() < 1e-9 && (at(2.32, Some(2.32)) - 2.32).abs() < 1e-9);
    assert!(at(2.30, None) > 2.35 && at(2.30, Some(2.32)) < 2.25);
}
