//! Compensators of increments: the same mean as the increments in every state, and less noise.

use tessera::{
    dynamics::Until,
    lattice::{Lattice, Region, Shape, Tiling, Window},
    parallel::{Alone, exact_total},
    rng::{Purpose, Rng, stream},
    sampling::{Pair, PartialEvolution, PartialEvolutionInLanes, Surroundings},
    systems::{Alloy, CurieWeiss, Ising, LinearChain, PredatorPrey, System, alloy::AlloyParameters},
};

const TIMES: usize = 3;

fn rng(item: u64) -> Rng {
    stream(19, Purpose::Bench, [item, 0])
}

/// Mean and its standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

/// Increments and compensators must agree in their means, over `words` of pairs that are independent of each other.
/// Returns the ratio of their errors for each observable.
fn compare<T>(name: &str, words: &[Vec<Pair<T>>]) -> Vec<f64> {
    let mut noise = Vec::new();
    let observables = words[0][0].increment.len();
    for index in 0..observables {
        let of_word = |of: &dyn Fn(&Pair<T>) -> f64| -> Vec<f64> {
            words.iter().map(|pairs| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64).collect()
        };
        let compensator = |pair: &Pair<T>| pair.compensator.as_ref().expect("the law has a generator")[index];
        let (found, error) = mean(&of_word(&|pair| pair.increment[index] - compensator(pair)));
        assert!(found.abs() < 4.0 * error + 1e-12, "{name}, observable {index}: {found} +- {error}");
        let (expected, of_increment) = mean(&of_word(&|pair| pair.increment[index]));
        let (_, of_compensator) = mean(&of_word(&compensator));
        println!("{name} {index}: {expected:.6} +- {of_increment:.1e}, compensator +- {of_compensator:.1e}");
        noise.push(of_compensator / of_increment);
    }
    noise
}

/// Pairs of patches at random places of one state.
fn pairs<S: System>(
    system: &S,
    lattice: &Lattice<S::Site>,
    patch: usize,
    (surroundings, until): (Surroundings, Until),
    count: u64,
) -> Vec<Vec<Pair<S::Site>>> {
    let patch = S::shape(patch);
    let mut partial = PartialEvolution::new(system, lattice.shape, patch, surroundings, until).compensated(TIMES);
    let parts = system.moving_parts(lattice, patch);
    let pair = |item: u64| {
        let mut rng = rng(100 + item);
        if parts.is_empty() {
            let across = lattice.shape.0[2] / patch.0[2];
            let origin = [0, 0, (item as usize % across * patch.0[2]) as isize];
            partial.evolve(lattice, origin, &mut rng)
        } else {
            partial.evolve_part(lattice, &parts[item as usize % parts.len()], &mut rng)
        }
    };
    (0..count).map(pair).map(|pair| vec![pair.unwrap()]).collect()
}

#[test]
fn compensators_have_the_mean_of_the_increments() {
    for (name, surroundings) in [("ghost", Surroundings::Ghost), ("periodic", Surroundings::Periodic)] {
        for until in [Until::Time(1.5), Until::Events(40)] {
            let ising = Ising::new(2.5, 0.1);
            let lattice = ising.draw(Shape::plane(16, 16), Some(0.3), &mut rng(1));
            compare(&format!("ising {name} {until:?}"), &pairs(&ising, &lattice, 8, (surroundings, until), 4000));
        }
    }
    let spins = CurieWeiss::new(0.9, 0.05);
    let lattice = spins.draw(Shape::plane(16, 16), Some(-0.2), &mut rng(2));
    compare("curie_weiss", &pairs(&spins, &lattice, 8, (Surroundings::Ghost, Until::Time(2.0)), 4000));
    let prey = PredatorPrey::default();
    let lattice = prey.draw(Shape::chain(60), Some([0.5, 0.1]), &mut rng(3));
    compare("predator_prey", &pairs(&prey, &lattice, 12, (Surroundings::Ghost, Until::Time(0.5)), 1000));
    let chain = LinearChain::default();
    let lattice = Lattice::from_sites(Shape::chain(50), (0..50).map(|x| f64::from(x).sin()).collect());
    compare("linear_chain", &pairs(&chain, &lattice, 10, (Surroundings::Ghost, Until::Time(0.3)), 1000));
    let parameters =
        AlloyParameters { temperature: 1500.0.into(), sites_per_vacancy: 300, ..AlloyParameters::default() };
    let alloy = Alloy::try_from(parameters).unwrap();
    let lattice = alloy.draw(Alloy::shape(8), None, &mut rng(4));
    for until in [Until::Time(2.0), Until::Events(20)] {
        compare(&format!("alloy {until:?}"), &pairs(&alloy, &lattice, 4, (Surroundings::Ghost, until), 3000));
    }
}

/// In a buffer the pairs across the edge of a patch count half for each side, and so does what their events change: the
/// means agree over the patches of a tiling.
#[test]
fn compensators_in_lanes_and_buffers_have_the_mean_of_the_increments() {
    let ising = Ising::new(2.27, 0.0);
    let (shape, patch) = (Shape::plane(16, 16), Shape::plane(8, 8));
    let states: Vec<Lattice<i8>> = (0..64).map(|lane| ising.draw(shape, Some(0.4), &mut rng(200 + lane))).collect();
    let lanes: Vec<&[i8]> = states.iter().map(|state| &state.sites[..]).collect();
    for surroundings in [Surroundings::Ghost, Surroundings::Buffer(4)] {
        let one = PartialEvolution::new(&ising, shape, patch, surroundings, Until::Time(0.7)).compensated(TIMES);
        let mut partial = PartialEvolutionInLanes::<_, 1>::new(one).unwrap();
        let snapshots = partial.pack(shape, &lanes);
        let mut word = |item: u64| -> Vec<Pair<i8>> {
            let mut rng = rng(300 + item);
            let origins = [[0, 0, 0], [0, 8, 0], [0, 0, 8], [0, 8, 8]];
            origins.iter().flat_map(|&origin| partial.evolve(&snapshots, 64, origin, &mut rng).unwrap()).collect()
        };
        let words: Vec<Vec<Pair<i8>>> = (0..300).map(&mut word).collect();
        let noise = compare(&format!("lanes {surroundings:?}"), &words);
        assert!(noise[0] < 0.3, "the error of the magnetisation's compensator is {noise:?} of that of its increment");
    }
}

/// Over one step of the integrator the compensator is the drift, and the increment of a chain without noise.
#[test]
fn the_compensator_of_a_step_is_the_drift() {
    let chain = LinearChain { noise: 0.0, ..LinearChain::default() };
    let lattice = Lattice::from_sites(Shape::chain(50), (0..50).map(|x| f64::from(x).cos()).collect());
    for pair in pairs(&chain, &lattice, 10, (Surroundings::Ghost, Until::Time(chain.step)), 5).concat() {
        let compensator = pair.compensator.unwrap();
        assert!((pair.increment[0] - compensator[0]).abs() < 1e-12, "{} {}", pair.increment[0], compensator[0]);
    }
    // The whole chain: -gamma m + F / n.
    let chain = LinearChain::default();
    let mut window = Window::closed(lattice.shape, 1).bounded(tessera::lattice::Boundary::Mirrored);
    window.load(&lattice, [0; 3]);
    let found = LinearChain::GENERATOR.unwrap()(&chain, &window, Region::BOX);
    let sum: f64 = lattice.sites.iter().sum();
    assert!((found.drift[0] - (chain.force - chain.friction * sum)).abs() < 1e-9, "{found:?}");
}

/// What is known of a whole state, and the same added patch by patch, each half by one of two adders.
fn compare_whole<S: System>(system: &S, lattice: &Lattice<S::Site>, patch: usize, surroundings: Surroundings) {
    let (patch, until) = (S::shape(patch), Until::Time(0.1));
    let mut partial =
        PartialEvolution::new(system, lattice.shape, patch, surroundings, until).compensated(TIMES).with_library(true);
    let tiling = Tiling::new(lattice.shape, patch).unwrap();
    let expected = partial.of_whole(&lattice.sites);
    let mut sum = |patches: std::ops::Range<usize>| {
        let mut sums = partial.no_patches();
        patches.for_each(|patch| partial.add_patch(lattice, tiling.origin(patch), &mut sums));
        sums
    };
    let rounded = |sums| exact_total(&Alone, sums);
    let count = tiling.len();
    let all = sum(0..count).whole(lattice.shape.sites(), rounded);
    let (first, second) = (sum(0..count / 2), sum(count / 2..count));
    assert_eq!(second.merge(&first).whole(lattice.shape.sites(), rounded), all);
    for (found, expected) in [(all.drift, expected.drift), (all.library, expected.library)] {
        let (found, expected) = (found.unwrap(), expected.unwrap());
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-12 * (1.0 + expected.abs()), "{found:?}, {expected:?}");
        }
    }
}

#[test]
fn a_whole_state_is_the_sum_of_its_patches() {
    let ising = Ising::new(2.3, 0.1);
    let spins = ising.draw(Shape::plane(32, 32), Some(0.2), &mut rng(6));
    for surroundings in [Surroundings::Ghost, Surroundings::Buffer(2)] {
        compare_whole(&ising, &spins, 8, surroundings);
    }
    let wave = |x: usize| [1.0 + 0.3 * (x as f64).sin(), 0.8 + 0.2 * (x as f64 / 5.0).cos()];
    let fields = Lattice::from_sites(Shape::chain(200), (0..200).map(wave).collect());
    compare_whole(&PredatorPrey::default(), &fields, 40, Surroundings::Ghost);
    let chain = Lattice::from_sites(Shape::chain(50), (0..50).map(|x| f64::from(x).cos()).collect());
    compare_whole(&LinearChain::default(), &chain, 10, Surroundings::Ghost);
}

/// At infinite temperature every spin flips at rate 1/2: flips are a Poisson process of rate n / 2, and the mean
/// magnetisation decays as exp(-t).
#[test]
fn independent_spins_have_the_compensator_of_a_poisson_process() {
    let spins = CurieWeiss::new(1e12, 0.0);
    let (shape, start, time) = (Shape::plane(16, 16), 0.5, 1.3);
    let lattice = spins.draw(shape, Some(start), &mut rng(5));
    let mut window = Window::closed(shape, 0);
    window.load(&lattice, [0; 3]);
    let found = CurieWeiss::GENERATOR.unwrap()(&spins, &window, Region::BOX);
    assert!((found.rate - 128.0).abs() < 1e-6 && (found.drift[0] + 128.0).abs() < 1e-6, "{found:?}");
    let found = pairs(&spins, &lattice, 16, (Surroundings::Ghost, Until::Time(time)), 4000).concat();
    let (mean, error) = mean(&found.iter().map(|pair| pair.compensator.as_ref().unwrap()[0]).collect::<Vec<_>>());
    let exact = -start * (1.0 - (-time).exp());
    assert!((mean - exact).abs() < 4.0 * error, "{mean} +- {error}, exact {exact}");
}
