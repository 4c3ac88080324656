//! Laws of the NbMoTa alloy: geometry, barriers, kernel and order.

#[path = "common/published.rs"]
mod published;

use ndarray::{Array2, Array4};
use ndarray_npy::NpzReader;
use published::{naive_barriers, own_arrays, shared};
use rand::Rng as _;
use statrs::distribution::{ChiSquared, ContinuousCDF};
use std::{fs::File, sync::Arc};
use tessera::{
    dynamics::{Dynamics, SumTree, Until},
    lattice::{
        Lattice, Region, Shape, Tiling, Window,
        bcc::{self, NEIGHBOURS, Steps},
    },
    rng::{Purpose, Rng, stream},
    sampling::{PartialEvolution, Surroundings},
    systems::{
        Condition, System,
        alloy::{
            ATTEMPT_RATE, Alloy, AlloyParameters, BOLTZMANN, VacancyKmc,
            barriers::{
                self, Barriers, arrays::Arrays, balance::SHELLS, fitted::OrbitModel, published::PublishedNetwork,
            },
            configuration,
            environment::{Environment, JUMPS, OFFSETS, OPERATIONS, REACH, SITES, Sight, position},
            order::{PairCounts, atoms},
            samples::{compare, environments},
        },
    },
};

fn rng(item: u64) -> Rng {
    stream(11, Purpose::Bench, [item, 0])
}

fn closed(lattice: &Lattice<u8>) -> Window<u8> {
    let mut window = Window::closed(lattice.shape, 4);
    window.load(lattice, [0; 3]);
    window
}

#[test]
fn a_site_has_eight_neighbours_at_one_distance_and_points_are_inverted() {
    for site in [[0, 0, 0], [1, 0, 0], [4, 2, 3], [7, -1, 5]] {
        assert_eq!(bcc::coordinate(bcc::point(site)), Some(site));
        for offset in OFFSETS.iter() {
            let step = bcc::step(site[0].rem_euclid(2), *offset);
            let (from, to) = (bcc::point(site), bcc::point(std::array::from_fn(|axis| site[axis] + step[axis])));
            assert_eq!(std::array::from_fn(|axis| to[axis] - from[axis]), *offset);
        }
    }
    assert_eq!(bcc::coordinate([0, 1, 0]), None);
    assert_eq!(OFFSETS.len(), SITES);
    assert_eq!(bcc::within(3), NEIGHBOURS);
    let stencil = bcc::stencil(&OFFSETS);
    assert!(stencil.reach() <= 4);
    assert!(stencil.0.iter().all(|step| stencil.0.contains(&step.map(|value| -value))), "the stencil is symmetric");
}

#[test]
fn windows_see_the_species_that_lie_around_a_site() {
    let mut random = rng(1);
    let shape = Shape([12, 7, 9]);
    let sites = (0..shape.sites()).map(|_| random.random_range(0..4)).collect();
    let lattice = Lattice::from_sites(shape, sites);
    let mut open = Window::open(Shape([6, 3, 4]), REACH);
    open.load(&lattice, [8, 5, 7]);
    for (window, origin) in [(closed(&lattice), [0, 0, 0]), (open, [8, 5, 7])] {
        let sight = Sight::new(&window);
        let extents = window.shape();
        for (number, site) in window.sites_of(Region::BOX).enumerate() {
            let place = extents.coordinate(number);
            let place: [isize; 3] = std::array::from_fn(|axis| place[axis] as isize + origin[axis]);
            let point = bcc::point(place);
            let seen = Environment::gather(&window, &sight, site);
            for (species, offset) in seen.0.iter().zip(OFFSETS.iter()) {
                let there = bcc::coordinate(std::array::from_fn(|axis| point[axis] + offset[axis])).unwrap();
                assert_eq!(*species, lattice.at(there));
            }
        }
    }
}

/// The 64 configurations of the shared folder: grids of half-lattice points, vacancies, barriers and order.
#[test]
fn published_network_gives_the_published_barriers_and_order() {
    let Some(folder) = shared() else { return };
    let mut file = NpzReader::new(File::open(folder.join("barrier_vectors.npz")).unwrap()).unwrap();
    let grids: Array4<i8> = file.by_name("grid").unwrap();
    let vacancies: Array2<i32> = file.by_name("vacancy").unwrap();
    let expected: Array2<f32> = file.by_name("barrier_eV").unwrap();
    let order: Array2<f64> = file.by_name("sro").unwrap();
    let network = barriers::load(folder.join("nnk_weights.npz").to_str().unwrap()).unwrap();
    let (mut worst, mut blocked) = (0.0_f32, 0);
    for number in 0..grids.dim().0 {
        let shape = bcc::shape(8);
        let value = |site| {
            let [i, j, k] = bcc::point(shape.coordinate(site).map(|value| value as isize));
            grids[[number, i as usize, j as usize, k as usize]] as u8
        };
        let window = closed(&Lattice::from_sites(shape, (0..shape.sites()).map(value).collect()));
        let place: [isize; 3] = std::array::from_fn(|axis| vacancies[[number, axis]] as isize);
        let index = shape.wrapped_index(bcc::coordinate(place).unwrap());
        let site = window.sites_of(Region::BOX).nth(index).unwrap();
        let found = network.barriers(&Environment::gather(&window, &Sight::new(&window), site));
        for (jump, found) in found.into_iter().enumerate() {
            let expected = expected[[number, jump]];
            blocked += usize::from(expected.is_infinite());
            assert_eq!(expected.is_infinite(), found.is_infinite());
            if expected.is_finite() {
                worst = worst.max((found - expected).abs());
            }
        }
        let counts = PairCounts::all(&window, &Steps::new(&window, &NEIGHBOURS));
        for (found, expected) in counts.short_range_order(atoms(&window)).iter().zip(order.row(number)) {
            assert!((found - expected).abs() < 1e-9, "order {found}, expected {expected}");
        }
    }
    assert!(worst < 1e-5, "barriers differ by up to {worst} eV");
    assert!(blocked > 0, "some jumps lead to a vacancy");
}

#[test]
fn network_agrees_with_its_definition_on_weights_of_our_own() {
    let arrays = own_arrays();
    let network = PublishedNetwork::new(&arrays).unwrap();
    let mut random = rng(2);
    for _ in 0..20 {
        let environment =
            Environment(std::array::from_fn(
                |_| if random.random::<f64>() < 0.03 { 0 } else { random.random_range(1..4) },
            ));
        let expected = naive_barriers(&arrays, &environment);
        let found = network.barriers(&environment);
        for (found, expected) in found.into_iter().zip(expected) {
            let same = found.is_infinite() && expected.is_infinite();
            assert!(same || (f64::from(found) - expected).abs() < 1e-5, "{found} eV, by definition {expected} eV");
        }
    }
}

/// Computed with NumPy from the same weights, for the environment whose species at site s is 1 + (5 s + s^2 / 7) mod 3.
#[test]
fn network_agrees_with_numbers_from_another_program() {
    const EXPECTED: [f32; 8] = [0.803283, 0.856345, 0.832712, 0.815510, 0.818021, 0.836644, 0.827180, 0.841723];
    let network = PublishedNetwork::new(&own_arrays()).unwrap();
    let environment = Environment(std::array::from_fn(|site| 1 + ((5 * site + site * site / 7) % 3) as u8));
    for (found, expected) in network.barriers(&environment).into_iter().zip(EXPECTED) {
        assert!((found - expected).abs() < 1e-5, "{found} eV, NumPy {expected} eV");
    }
}

#[test]
fn weights_of_a_wrong_shape_or_not_finite_are_refused() {
    let change = |name: &str, shape: &[usize], value: f32| -> String {
        let mut arrays = own_arrays();
        arrays.insert(name, shape, vec![value; shape.iter().product()]);
        PublishedNetwork::new(&arrays).unwrap_err().to_string()
    };
    assert!(change("layer1.weight", &[128, 64], 0.0).contains("layer1.weight with shape [128, 64]"));
    assert!(change("layer2.bias", &[128], f32::NAN).contains("not finite in layer2.bias"));
    assert!(change("layer3.bn_var", &[128], -1.0).contains("layer3, BatchNorm folded in"));
    assert!(PublishedNetwork::new(&Arrays::default()).unwrap_err().to_string().contains("layer0.weight with shape []"));
    assert!(barriers::load("model.txt").unwrap_err().to_string().contains("Give \"builtin\""));
    assert!(barriers::load("nnk_weights.npy").unwrap_err().to_string().contains("jobs/nnk_to_npz.py"));
    assert!(barriers::load("absent.npz").unwrap_err().to_string().contains("cannot read"));
}

#[test]
fn configurations_are_read_as_they_were_written() {
    let mut random = rng(3);
    let shape = Shape([8, 5, 6]);
    let mut lattice = Lattice::from_sites(shape, (0..shape.sites()).map(|_| random.random_range(1..4)).collect());
    lattice.sites[17] = 0;
    for (text, back) in [
        (configuration::to_dump(&lattice), configuration::from_dump as fn(&str, Option<usize>) -> _),
        (configuration::to_xyz(&lattice), configuration::from_xyz),
    ] {
        let read = back(&text, None).unwrap();
        assert_eq!((read.lattice, read.frame, read.frames), (lattice.clone(), 1, 1));
    }
    let full = Lattice::filled(shape, 1);
    assert!(configuration::with_vacancy(full).unwrap_err().to_string().contains("no vacancy"));
    if let Some(folder) = shared() {
        let published = configuration::read(&folder.join("random_1024.dump"), None).unwrap().lattice;
        assert_eq!(published.shape, bcc::shape(8));
        assert_eq!(atoms(&closed(&published)), [341.0, 341.0, 342.0]);
    }
}

/// Every jump has the same barrier.
#[derive(Debug)]
struct Constant(f32);

impl Barriers for Constant {
    fn heights(&self, _environment: &Environment) -> [f32; JUMPS] {
        [self.0; JUMPS]
    }
}

/// Energies in eV of nearest-neighbour pairs.
const ENERGIES: [[f64; 4]; 4] =
    [[0.0; 4], [0.0, 0.02, -0.03, 0.01], [0.0, -0.03, 0.04, -0.06], [0.0, 0.01, -0.06, 0.0]];

/// The barrier over the mean of the energies before and after the jump: 1 eV + dE / 2.
#[derive(Debug)]
struct PairEnergy;

impl Barriers for PairEnergy {
    fn heights(&self, environment: &Environment) -> [f32; JUMPS] {
        let turned = environment.turned();
        std::array::from_fn(|jump| {
            let species = |offset: [isize; 3]| match offset {
                [0, 0, 0] => 0,
                _ => usize::from(turned[position(offset)][jump]),
            };
            let atom = species([1, 1, 1]);
            let bonds = |from: [isize; 3]| -> f64 {
                let around = NEIGHBOURS.map(|step| std::array::from_fn(|axis| from[axis] + step[axis]));
                around.into_iter().filter(|&place| place != [1, 1, 1]).map(|place| ENERGIES[atom][species(place)]).sum()
            };
            (1.0 + 0.5 * (bonds([0, 0, 0]) - bonds([1, 1, 1]))) as f32
        })
    }
}

fn alloy(barriers: impl Barriers + 'static, temperature: f64, sites_per_vacancy: usize) -> Alloy {
    let parameters = AlloyParameters {
        temperature: temperature.into(),
        sites_per_vacancy,
        reference_barrier: 1.0.into(),
        ..AlloyParameters::default()
    };
    Alloy::with_barriers(parameters, Arc::new(barriers))
}

fn lattice_of(window: &Window<u8>) -> Lattice<u8> {
    Lattice::from_sites(window.shape(), window.values_of(Region::BOX).collect())
}

fn pairs(window: &Window<u8>) -> PairCounts {
    PairCounts::all(window, &Steps::new(window, &NEIGHBOURS))
}

#[test]
fn species_are_conserved_and_the_halo_repeats_the_box() {
    let alloy = alloy(PublishedNetwork::new(&own_arrays()).unwrap(), 2000.0, 64);
    let mut random = rng(4);
    let mut window = closed(&alloy.draw(Shape([12, 5, 7]), None, &mut random));
    let mut kernel = VacancyKmc::default();
    let species = atoms(&window);
    assert_eq!(species.iter().sum::<f64>(), 420.0 - 7.0);
    for _ in 0..20 {
        kernel.evolve(&alloy, &mut window, Until::Events(50), &mut random).unwrap();
        assert_eq!(species, atoms(&window));
    }
    let closed_again = closed(&lattice_of(&window));
    assert_eq!(window.values(), closed_again.values(), "the halo repeats the box");
    let (asked, remembered) = kernel.remembered();
    assert!(remembered > 0 && remembered < asked);
}

#[test]
fn in_an_open_window_vacancies_stay_inside_and_the_surroundings_stay_fixed() {
    let alloy = alloy(PairEnergy, 1500.0, 40);
    let mut random = rng(5);
    let lattice = alloy.draw(Shape([16, 9, 10]), None, &mut random);
    let mut window = Window::open(Shape([6, 4, 5]), 4);
    let origin = [12, 6, 8];
    window.load(&lattice, origin);
    let mut kernel = VacancyKmc::default();
    let mut after = lattice.clone();
    kernel.evolve(&alloy, &mut window, Until::Events(2000), &mut random).unwrap();
    window.store(&mut after, origin, Region::BOX);
    assert_ne!(after, lattice);
    assert_eq!(atoms(&closed(&after)), atoms(&closed(&lattice)));
    let mut outside = after.clone();
    let mut original = Window::open(Shape([6, 4, 5]), 0);
    original.load(&lattice, origin);
    original.store(&mut outside, origin, Region::BOX);
    assert_eq!(outside, lattice);
}

#[test]
fn a_remembering_kernel_draws_the_same_events_and_rates_are_those_of_the_definition() {
    let alloy = alloy(PublishedNetwork::new(&own_arrays()).unwrap(), 1000.0, 50);
    let start = alloy.draw(Shape([10, 6, 5]), None, &mut rng(6));
    let run = |mut kernel: VacancyKmc| {
        let (mut window, mut random) = (closed(&start), rng(7));
        let elapsed = kernel.evolve(&alloy, &mut window, Until::Events(3000), &mut random).unwrap();
        let sight = Sight::new(&window);
        for (site, rates) in kernel.rates() {
            let environment = Environment::gather(&window, &sight, site);
            let expected = alloy.barriers().barriers(&environment).map(|barrier| alloy.rate(barrier));
            assert_eq!(rates, expected, "rates are refreshed wherever a jump is seen");
        }
        (lattice_of(&window), elapsed)
    };
    assert_eq!(run(VacancyKmc::default()), run(VacancyKmc::forgetful()));
}

/// In a pure metal a vacancy sees the same everywhere, but at the edge of an open window it may not jump everywhere.
#[test]
fn a_remembering_kernel_knows_the_edge_of_an_open_window() {
    let alloy = alloy(PairEnergy, 1000.0, 50);
    let mut lattice = Lattice::filled(Shape([16, 9, 10]), 1);
    let shape = Shape([6, 4, 5]);
    lattice.paste([6, 4, 5], Shape([1, 1, 1]), &[0]);
    let run = |mut kernel: VacancyKmc| {
        let (mut window, mut after, mut random) = (Window::open(shape, REACH), lattice.clone(), rng(12));
        window.load(&lattice, [4, 2, 2]);
        let mut path = Vec::new();
        for _ in 0..200 {
            kernel.evolve(&alloy, &mut window, Until::Events(20), &mut random).unwrap();
            path.extend(kernel.rates());
        }
        window.store(&mut after, [4, 2, 2], Region::BOX);
        (after, path)
    };
    let (after, path) = run(VacancyKmc::default());
    let at_edge = path.iter().filter(|(_, rates)| rates.contains(&0.0)).count();
    assert!((20..180).contains(&at_edge), "{at_edge} of 200 at the edge");
    assert_eq!((after, path), run(VacancyKmc::forgetful()));
}

#[test]
fn events_are_drawn_with_the_probability_of_their_rates() {
    let alloy = alloy(PairEnergy, 900.0, 64);
    let shape = Shape([8, 5, 6]);
    let start = closed(&alloy.draw(shape, None, &mut rng(8)));
    let mut kernel = VacancyKmc::default();
    let mut random = rng(9);
    kernel.evolve(&alloy, &mut start.clone(), Until::Events(0), &mut random).unwrap();
    let events: Vec<(usize, f64)> = kernel.rates().flat_map(|(site, rates)| rates.map(|rate| (site, rate))).collect();
    let total: f64 = events.iter().map(|(_, rate)| rate).sum();
    let steps = Steps::new(&start, &NEIGHBOURS);
    let mut counts = vec![0.0; events.len()];
    let draws = 50_000;
    for _ in 0..draws {
        let mut window = start.clone();
        kernel.evolve(&alloy, &mut window, Until::Events(1), &mut random).unwrap();
        let filled = |&(site, _): &(usize, f64)| window.values()[site] != 0;
        let number = events.iter().position(filled).unwrap();
        let site = events[number].0;
        let to = |jump| start.home(steps.along(site, jump)).unwrap();
        counts
            [number + (0..8).find(|&jump| start.values()[to(jump)] != 0 && window.values()[to(jump)] == 0).unwrap()] +=
            1.0;
    }
    let chi: f64 = events
        .iter()
        .zip(&counts)
        .filter(|((_, rate), _)| *rate > 0.0)
        .map(|((_, rate), count)| {
            let expected = f64::from(draws) * rate / total;
            (count - expected).powi(2) / expected
        })
        .sum();
    let freedom = events.iter().filter(|(_, rate)| *rate > 0.0).count() - 1;
    let tail = 1.0 - ChiSquared::new(freedom as f64).unwrap().cdf(chi);
    assert!(tail > 1e-4, "chi-squared {chi} of {freedom} degrees of freedom has probability {tail}");
}

#[test]
fn the_sum_tree_draws_from_the_rates_of_a_linear_scan() {
    let rates = [0.0, 3.0, 0.5, 0.0, 1e-3, 2.0, 0.0];
    let mut tree = SumTree::default();
    tree.fill([1.0; 7].into_iter());
    for (leaf, rate) in rates.into_iter().enumerate() {
        tree.set(leaf, rate);
    }
    let (total, draws) = (rates.iter().sum::<f64>(), 400_000);
    assert_eq!(tree.total(), total);
    let (mut counts, mut random) = ([0.0; 7], rng(10));
    for _ in 0..draws {
        let (leaf, left) = tree.draw(&mut random);
        assert!((0.0..rates[leaf]).contains(&left));
        counts[leaf] += 1.0;
    }
    for (count, rate) in counts.into_iter().zip(rates) {
        let expected = f64::from(draws) * rate / total;
        assert!((count - expected).abs() <= 5.0 * expected.sqrt(), "{count} draws of {expected} expected");
    }
}

/// A vacancy walks at random: <R^2> = 24 r t half lattice constants squared. An atom goes back more often than not:
/// <R^2> = 3 f a jump with f = 0.7272 (Compaan and Haven, Trans. Faraday Soc. 52, 786, 1956).
#[test]
fn with_one_barrier_vacancy_and_atoms_diffuse_as_theory_says_for_bcc() {
    let alloy = alloy(Constant(1.0), 1000.0, 1024);
    let shape = bcc::shape(8);
    let (runs, jumps) = (24, 25_000);
    let (mut squares, mut time, mut tracers) = (0.0, 0.0, 0.0);
    for run in 0..runs {
        let mut random = rng(100 + run);
        let mut window = closed(&alloy.draw(shape, None, &mut random));
        let steps = Steps::new(&window, &NEIGHBOURS);
        let mut kernel = VacancyKmc::default();
        kernel.evolve(&alloy, &mut window, Until::Events(0), &mut random).unwrap();
        let mut site = kernel.rates().next().unwrap().0;
        let mut walked = [0_i64; 3];
        let mut displacements = vec![[0_i32; 3]; window.padded_sites()];
        for _ in 0..jumps {
            time += kernel.evolve(&alloy, &mut window, Until::Events(1), &mut random).unwrap().time;
            let next = kernel.rates().next().unwrap().0;
            let jump = (0..8).find(|&jump| window.home(steps.along(site, jump)) == Some(next)).unwrap();
            let mut atom = displacements[next];
            for axis in 0..3 {
                walked[axis] += NEIGHBOURS[jump][axis] as i64;
                atom[axis] -= NEIGHBOURS[jump][axis] as i32;
            }
            displacements[site] = atom;
            displacements[next] = [0; 3];
            site = next;
        }
        squares += walked.iter().map(|&value| (value * value) as f64).sum::<f64>();
        tracers += displacements.iter().flatten().map(|&value| f64::from(value * value)).sum::<f64>();
    }
    let all = (runs * jumps) as f64;
    let mean_rate = all / (8.0 * time);
    assert!((mean_rate - 1.0).abs() < 5.0 / all.sqrt(), "rate of a jump {mean_rate}");
    let spread = (2.0 / 3.0 / runs as f64).sqrt();
    assert!((squares / (24.0 * time) - 1.0).abs() < 4.0 * spread, "<R^2> / 24 r t = {}", squares / (24.0 * time));
    let correlation = tracers / (3.0 * all);
    assert!((correlation - 0.7272).abs() < 0.03, "correlation factor {correlation}");
}

/// Exchanges of any two sites, accepted by Metropolis' rule, on plain half-lattice coordinates.
fn metropolis(lattice: &Lattice<u8>, temperature: f64, samples: usize, random: &mut Rng) -> Vec<[f64; 6]> {
    let mut lattice = lattice.clone();
    let sites = lattice.shape.sites();
    let around: Vec<[usize; 8]> = (0..sites)
        .map(|site| {
            let point = bcc::point(lattice.shape.coordinate(site).map(|value| value as isize));
            NEIGHBOURS.map(|step| {
                let there = bcc::coordinate(std::array::from_fn(|axis| point[axis] + step[axis])).unwrap();
                lattice.shape.wrapped_index(there)
            })
        })
        .collect();
    let energy = |species: &[u8], site: usize| -> f64 {
        around[site].iter().map(|&other| ENERGIES[usize::from(species[site])][usize::from(species[other])]).sum()
    };
    let mut found = Vec::new();
    for sample in 0..samples {
        for _ in 0..20 * sites {
            let [a, b] = [0, 1].map(|_| random.random_range(0..sites));
            let before = energy(&lattice.sites, a) + energy(&lattice.sites, b);
            lattice.sites.swap(a, b);
            // A bond between the two is counted twice before and after: it does not change.
            let change = energy(&lattice.sites, a) + energy(&lattice.sites, b) - before;
            if random.random::<f64>() >= (-change / (BOLTZMANN * temperature)).exp() {
                lattice.sites.swap(a, b);
            }
        }
        if sample >= samples / 10 {
            let window = closed(&lattice);
            found.push(pairs(&window).short_range_order(atoms(&window)));
        }
    }
    found
}

/// Mean and standard error from twenty blocks.
fn mean(samples: &[[f64; 6]], pair: usize) -> (f64, f64) {
    let length = samples.len() / 20;
    let blocks: Vec<f64> = samples
        .chunks_exact(length)
        .map(|block| block.iter().map(|order| order[pair]).sum::<f64>() / length as f64)
        .collect();
    let mean = blocks.iter().sum::<f64>() / blocks.len() as f64;
    let square = blocks.iter().map(|block| (block - mean).powi(2)).sum::<f64>();
    (mean, (square / (blocks.len() * (blocks.len() - 1)) as f64).sqrt())
}

#[test]
fn a_known_hamiltonian_is_sampled_as_metropolis_samples_it() {
    let temperature = 800.0;
    let alloy = alloy(PairEnergy, temperature, 64);
    let mut random = rng(12);
    let start = alloy.draw(bcc::shape(4), None, &mut random);
    let expected = metropolis(&start, temperature, 1500, &mut random);
    let mut window = closed(&start);
    let mut kernel = VacancyKmc::default();
    let mut found = Vec::new();
    for sample in 0..2000 {
        kernel.evolve(&alloy, &mut window, Until::Time(60.0), &mut random).unwrap();
        if sample >= 200 {
            found.push(pairs(&window).short_range_order(atoms(&window)));
        }
    }
    let mut ordered = 0.0_f64;
    for pair in 0..6 {
        let ((found, error), (expected, other)) = (mean(&found, pair), mean(&expected, pair));
        let both = error.hypot(other);
        assert!(
            both < 0.05 && (found - expected).abs() < 5.0 * both,
            "pair {pair}: {found} against {expected} +- {both}"
        );
        ordered = ordered.max(expected.abs());
    }
    assert!(ordered > 0.5, "the energies order the alloy: at most {ordered}");
}

#[test]
fn observables_of_patches_average_to_those_of_the_whole() {
    let alloy = alloy(Constant(1.0), 1000.0, 64);
    let mut random = rng(13);
    let small = alloy.draw(bcc::shape(4), None, &mut random);
    let large = alloy.upsampling().upsample(&alloy, std::slice::from_ref(&small), 2, &mut random);
    assert_eq!(atoms(&closed(&large)), atoms(&closed(&small)).map(|count| 8.0 * count));
    let whole = alloy.observe(&closed(&large), Region::BOX);
    let order = pairs(&closed(&large)).short_range_order(atoms(&closed(&large)));
    for (sum, order) in whole.iter().zip(order) {
        assert!((sum / large.shape.sites() as f64 - order).abs() < 1e-9, "the density is that of whole blocks");
    }
    let of_tile = pairs(&closed(&small)).short_range_order(atoms(&closed(&small)));
    for (large, small) in order.iter().zip(of_tile) {
        assert!((large - small).abs() < 1e-9, "tiles of one state meet without seams");
    }
    let tiling = Tiling::new(large.shape, small.shape).unwrap();
    let mut window = Window::open(small.shape, 4);
    let mut sums = [0.0; 6];
    for number in 0..tiling.len() {
        window.load(&large, tiling.origin(number));
        sums.iter_mut().zip(alloy.observe(&window, Region::BOX)).for_each(|(sum, part)| *sum += part);
    }
    for (sum, whole) in sums.iter().zip(whole) {
        assert!((sum - whole).abs() < 1e-6);
    }
}

/// Nothing that a vacancy does is counted twice or left out, also where windows overlap and hold several vacancies.
#[test]
fn increments_of_all_vacancies_add_up_to_the_change_of_the_lattice() {
    let alloy = alloy(PairEnergy, 1000.0, 300);
    let (shape, patch) = (bcc::shape(10), bcc::shape(5));
    let lattice = alloy.draw(shape, None, &mut rng(21));
    let parts = alloy.moving_parts(&lattice, patch);
    assert_eq!(Some(parts.len()), alloy.moving_part_count(shape.sites()));
    assert_eq!(parts.len(), 7);
    let mut together = lattice.clone();
    let mut partial = PartialEvolution::new(&alloy, shape, patch, Surroundings::Ghost, Until::Events(1));
    let mut increments = [0.0; 6];
    for (number, part) in (0..).zip(&parts) {
        assert_eq!(part.origin[0].rem_euclid(2), 0);
        let pair = partial.evolve_part(&lattice, part, &mut rng(30 + number)).unwrap();
        let changed = (0..patch.sites()).filter(|&site| pair.before[site] != pair.after[site]);
        for site in changed {
            let place = patch.coordinate(site).map(|value| value as isize);
            let place = shape.wrapped_index(std::array::from_fn(|axis| place[axis] + part.origin[axis]));
            together.sites[place] = pair.after[site];
        }
        increments.iter_mut().zip(&pair.increment).for_each(|(sum, increment)| *sum += increment);
    }
    assert_eq!(lattice.sites.iter().zip(&together.sites).filter(|(before, after)| before != after).count(), 14);
    let (before, after) =
        (alloy.observe(&closed(&lattice), Region::BOX), alloy.observe(&closed(&together), Region::BOX));
    for ((before, after), sum) in before.iter().zip(&after).zip(&increments) {
        let change = (after - before) / shape.sites() as f64;
        assert!((change - sum / parts.len() as f64).abs() < 1e-12, "{change} against {sum} / {}", parts.len());
    }
    assert!(increments.iter().any(|sum| sum.abs() > 1e-3));
}

/// Windows have their vacancies at their centres, wherever those lie in the lattice.
#[test]
fn domains_in_a_window_as_large_as_the_lattice_are_those_of_the_lattice() {
    let alloy = alloy(Constant(0.3), 1000.0, 128);
    let shape = bcc::shape(8);
    let lattice = alloy.draw(shape, Some(0.5), &mut rng(24));
    let mut partial =
        PartialEvolution::new(&alloy, shape, shape, Surroundings::Ghost, Until::Events(300)).with_library(true);
    let parts = alloy.moving_parts(&lattice, shape);
    let before = partial.of_whole(&lattice.sites).library.unwrap();
    assert!(before.iter().all(|&mean| mean > 0.01), "{before:?}");
    for (number, part) in (0..).zip(&parts) {
        let pair = partial.evolve_part(&lattice, part, &mut rng(70 + number)).unwrap();
        let change = pair.library.unwrap();
        let mut after = lattice.clone();
        after.paste(part.origin, shape, &pair.after);
        let after = partial.of_whole(&after.sites).library.unwrap();
        for (index, (before, after)) in before.iter().zip(&after).enumerate() {
            assert!((change.before[index] - before).abs() < 1e-12, "{change:?}, {before}");
            let found = change.increment[index] / parts.len() as f64;
            assert!((found - (after - before)).abs() < 1e-12, "{found}, {before}, {after}");
        }
    }
}

#[test]
fn a_vacancy_that_jumps_alone_leaves_the_others_where_they_are() {
    let alloy = alloy(Constant(0.3), 1000.0, 64);
    let (shape, patch) = (bcc::shape(8), bcc::shape(4));
    let lattice = alloy.draw(shape, None, &mut rng(22));
    let mut partial = PartialEvolution::new(&alloy, shape, patch, Surroundings::Ghost, Until::Events(200));
    for (number, part) in (0..).zip(alloy.moving_parts(&lattice, patch)) {
        let pair = partial.evolve_part(&lattice, &part, &mut rng(50 + number)).unwrap();
        let empty = |sites: &[u8]| (0..sites.len()).filter(|&site| sites[site] == 0).collect::<Vec<_>>();
        let (before, after) = (empty(&pair.before), empty(&pair.after));
        assert_eq!((before.len(), pair.elapsed.events), (after.len(), 200));
        let gone: Vec<_> = before.iter().filter(|site| !after.contains(site)).collect();
        assert!(gone.len() <= 1, "only one vacancy has left its place: {gone:?}");
        let layer = 4 + usize::from((part.origin[0] + 4) % 2 != 0);
        assert!(gone.iter().all(|&&site| patch.coordinate(site)[0].abs_diff(layer) <= 1), "it was at the centre");
    }
}

#[test]
fn upsampling_draws_from_its_pool_and_restores_the_composition() {
    let few = alloy(Constant(1.0), 1000.0, 250);
    let pool: Vec<_> = (0..3).map(|number| few.draw(bcc::shape(5), None, &mut rng(60 + number))).collect();
    let sparse = alloy(Constant(1.0), 1000.0, 300);
    let large = sparse.upsampling().upsample(&sparse, &pool[..1], 3, &mut rng(63));
    let counts =
        |lattice: &Lattice<u8>| [0, 1, 2, 3].map(|kind| lattice.sites.iter().filter(|site| **site == kind).count());
    assert_eq!(counts(&pool[0])[0], 1);
    assert_eq!(counts(&large), sparse.counts(6750));
    assert!(sparse.counts(6750)[0] < 27, "some of the tiles' vacancies must be filled");
    let changed =
        |other: &Lattice<u8>| large.sites.iter().zip(&other.sites).filter(|(one, other)| one != other).count();
    assert!(
        changed(&few.upsampling().upsample(&few, &pool[..1], 3, &mut rng(63))) <= 20,
        "only what is too much is relabelled"
    );
    let mosaic = few.upsampling().upsample(&few, &pool, 3, &mut rng(63));
    assert_eq!(counts(&mosaic), few.counts(6750));
    assert!(changed(&mosaic) > 1000, "the tiles come from several states");
}

#[test]
fn counts_follow_the_composition_and_order_fills_the_sublattices() {
    let alloy = Alloy::try_from(AlloyParameters::default()).unwrap();
    assert_eq!(alloy.counts(1024), [1, 341, 341, 341]);
    assert_eq!(alloy.counts(8192), [8, 2728, 2728, 2728]);
    let ordered = closed(&alloy.draw(bcc::shape(8), Some(1.0), &mut rng(14)));
    let order = pairs(&ordered).short_range_order(atoms(&ordered));
    assert!(order[3] < -2.5 && order[4] > 2.5, "B2 order has few Mo-Mo and many Mo-Ta neighbours: {order:?}");
}

/// Each member of a family has a unit of time of its own; rates a second are those of the barrier alone.
#[test]
fn members_of_a_family_jump_at_the_rate_of_their_temperature_in_units_of_their_own() {
    let temperatures = [2000.0, 700.0, 300.0];
    let family = |reference: Condition| {
        Alloy::with_barriers(
            AlloyParameters {
                temperature: Condition(temperatures.to_vec()),
                reference_barrier: reference,
                ..AlloyParameters::default()
            },
            Arc::new(PairEnergy),
        )
    };
    let units = Condition(vec![1.9, 1.74, 1.38]);
    let (own, common) = (family(units.clone()), family(1.5.into()));
    own.check(&[]).unwrap();
    for (number, temperature) in temperatures.into_iter().enumerate() {
        let expected = ATTEMPT_RATE * (-1.25 / (BOLTZMANN * temperature)).exp();
        for member in [own.at_condition(number), common.at_condition(number)] {
            let found = member.rate(1.25) / member.seconds().unwrap();
            assert!((found / expected - 1.0).abs() < 1e-6, "{temperature} K: {found} a second, not {expected}");
        }
        assert_eq!(own.at_condition(number).parameters().reference_barrier, units.at_conditions(&[number]));
    }
    let short = family(Condition(vec![1.9, 1.7])).check(&[]).unwrap_err();
    assert!(short.contains("lists 2 numbers") && short.contains("temperature lists 3"), "{short}");
    assert!(family(Condition(vec![1.9, f64::NAN, 1.7])).check(&[]).unwrap_err().contains("NaN"));
}

#[test]
fn a_frozen_alloy_says_so() {
    let alloy = alloy(Constant(f32::INFINITY), 1000.0, 1024);
    let mut window = closed(&alloy.draw(bcc::shape(8), None, &mut rng(15)));
    let error = VacancyKmc::default().evolve(&alloy, &mut window, Until::Events(1), &mut rng(16)).unwrap_err();
    assert!(error.to_string().contains("every event in the window has rate zero"));
}

/// A network is not symmetric; its mean over the operations that keep the jump is.
#[test]
fn symmetrised_barriers_keep_the_symmetry_that_a_network_lacks() {
    let network = PublishedNetwork::new(&own_arrays()).unwrap();
    let mut rng = rng(31);
    let environment = Environment(std::array::from_fn(|_| rng.random_range(1..4)));
    let (plain, mean) = (network.heights(&environment), network.symmetrised(&environment));
    let mut apart = 0.0_f32;
    for operation in OPERATIONS.iter() {
        let moved = Environment(std::array::from_fn(|site| environment.0[operation[site]]));
        for jump in [0, 7] {
            apart = apart.max((network.heights(&moved)[jump] - plain[jump]).abs());
            let [before, after] = [mean[jump], network.symmetrised(&moved)[jump]];
            assert!((before - after).abs() < 1e-4 * before.abs().max(1.0), "{before} eV, {after} eV");
        }
    }
    assert!(apart > 1e-2, "the network's barriers differ by {apart} eV only");
}

/// The fitted model against the published network where it is there; else only that it keeps the symmetry of the jump.
#[test]
fn built_in_barriers_keep_the_symmetry_and_are_close_to_the_published_ones() {
    let builtin = barriers::load("builtin").unwrap();
    let random_environments = environments(&builtin, 60, 5, 0).unwrap();
    for (_, environment) in &random_environments {
        let barriers = builtin.barriers(environment);
        for operation in OPERATIONS.iter() {
            let moved = builtin.barriers(&Environment(std::array::from_fn(|site| environment.0[operation[site]])));
            for jump in [0, 7] {
                let [before, after] = [barriers[jump], moved[jump]];
                assert!(before == after || (before - after).abs() < 1e-5, "{before} eV, {after} eV");
            }
        }
    }
    let Some(folder) = shared() else { return };
    let network = barriers::load(folder.join("nnk_weights.npz").to_str().unwrap()).unwrap();
    let rows = compare(builtin.as_ref(), network.as_ref(), &environments(&network, 400, 5, 1 << 40).unwrap());
    let (_, mean, rms, spread) = rows[0].1.summary();
    assert!(rms <= 0.025 && mean.abs() < 0.003 && spread > 0.2, "rms error {rms} eV, mean error {mean} eV");
}

/// Forward and backward barriers of a jump differ by the change of the energy of all pairs, whatever else is around.
#[test]
fn balanced_barriers_differ_by_the_change_of_the_energy() {
    let model = OrbitModel::balanced().unwrap();
    let interactions = model.interactions().expect("the balanced model has interactions").clone();
    let alloy =
        Alloy::with_barriers(AlloyParameters { sites_per_vacancy: 64, ..AlloyParameters::default() }, Arc::new(model));
    let mut window = closed(&alloy.draw(bcc::shape(6), None, &mut rng(21)));
    let seen = Steps::new(&window, &OFFSETS);
    let energy = |window: &Window<u8>| -> f64 {
        let pair = |site: usize, other: usize, offset: &[isize; 3]| {
            let square: isize = offset.iter().map(|value| value * value).sum();
            let shell = SHELLS.iter().position(|shell| *shell == square)?;
            Some(f64::from(interactions.energy(shell, [window.values()[site], window.values()[other]])) / 2.0)
        };
        let pairs = |site: usize| {
            seen.from(site).zip(OFFSETS.iter()).filter_map(move |(other, offset)| pair(site, other, offset))
        };
        window.sites_of(Region::BOX).flat_map(pairs).sum()
    };
    let (mut changed, mut rng) = (0.0_f64, rng(22));
    for _ in 0..200 {
        let empty: Vec<usize> = window.sites_of(Region::BOX).filter(|&site| window.values()[site] == 0).collect();
        let from = empty[rng.random_range(0..empty.len())];
        let jump = rng.random_range(0..JUMPS);
        let to = window.home(Steps::new(&window, &NEIGHBOURS).along(from, jump)).unwrap();
        let species = window.values()[to];
        if species == 0 {
            continue;
        }
        let barrier = |window: &Window<u8>, site, jump: usize| {
            f64::from(alloy.barriers().barriers(&Environment::gather(window, &Sight::new(window), site))[jump])
        };
        let before = (barrier(&window, from, jump), energy(&window));
        window.write(from, species);
        window.write(to, 0);
        let after = (barrier(&window, to, JUMPS - 1 - jump), energy(&window));
        let (difference, change) = (before.0 - after.0, after.1 - before.1);
        assert!((difference - change).abs() < 1e-4, "barriers differ by {difference} eV, energies by {change} eV");
        changed += change.abs();
    }
    assert!(changed / 200.0 > 0.01, "energies change by {} eV only", changed / 200.0);
}

/// Files that lie about their size, or inflate to far more than they hold.
#[test]
fn hostile_arrays_are_refused_without_their_memory() {
    use std::io::Write as _;
    let npz = |name: &str, content: &[u8], compressed: bool| {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let method = if compressed { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        archive.start_file(name, options).unwrap();
        archive.write_all(content).unwrap();
        archive.finish().unwrap().into_inner()
    };
    let npy = |kind: &str, shape: &str, values: &[u8]| {
        let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
        header += &" ".repeat(63 - (10 + header.len()) % 64);
        header.push('\n');
        [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), values].concat()
    };
    let refused = |bytes: &[u8]| Arrays::from_npz_bytes(bytes).unwrap_err();
    let good = Arrays::from_npz_bytes(&npz("a.npy", &npy("<f4", "(2,)", &[0; 8]), true)).unwrap();
    assert_eq!(good.get("a", &[2]).unwrap(), [0.0; 2]);
    assert!(refused(&npz("a.npy", &npy("<f4", "(100000000000,)", &[0; 8]), false)).contains("a: "));
    assert!(refused(&npz("a.npy", &npy("<f4", "(4294967296, 4294967296)", &[0; 8]), false)).contains("a: "));
    assert!(refused(&npz("a.npy", &vec![0; 64 << 20], true)).contains("inflates to more than"));
    for kind in ["<f8", "<i8", ">f4", "|O"] {
        let error = refused(&npz("layer0.weight.npy", &npy(kind, "(1,)", &[0; 8]), false));
        assert!(error.contains("layer0.weight") && error.contains("astype(\"float32\")"), "{error}");
    }
    assert!(!refused(b"PK\x05\x06").is_empty());
    // Found by fuzzing: a header of 4 GB.
    let long = b"\x93NUMPY\x02\0\xff\xff\xff\xff{'descr'";
    assert!(Arrays::default().insert_npy("a", long).unwrap_err().contains("claims 4294967295 bytes"));
    if let Some(folder) = shared() {
        let hostile = folder.join("../cases/hostile/npz_shape_lie_1e11.npz");
        assert!(Arrays::from_npz(&hostile).is_err());
        let pickle = folder.join("../cases/hostile/pickle_laughs24.npy");
        assert!(barriers::load(pickle.to_str().unwrap()).unwrap_err().to_string().contains("nnk_to_npz.py"));
    }
}
