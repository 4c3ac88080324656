//! The lanes of a word against exact enumeration, exact values and the rejection-free kernel.

use statrs::distribution::{ChiSquared, ContinuousCDF};
use tessera::{
    dynamics::{Dynamics, EvolveError, InLanes, Lanes, Until, Word},
    lattice::{Lattice, Region, Shape, Window},
    rng::{Purpose, Rng, stream},
    sampling::raised_compatibly,
    systems::{Ising, System},
};

fn law<const W: usize>(ising: &Ising) -> InLanes<Ising, W> {
    InLanes::new(ising).expect("spins with Glauber rates")
}

fn rng(first: u64, second: u64) -> Rng {
    stream(16, Purpose::Bench, [first, second])
}

fn drawn(shape: Shape, start: f64, lanes: std::ops::Range<u64>) -> Vec<Lattice<i8>> {
    lanes.map(|lane| Ising::new(2.5, 0.0).draw(shape, Some(start), &mut rng(lane, 0))).collect()
}

/// Fills a window with these states, a lane each, the first site of the box at `origin`.
fn load<const W: usize>(
    law: &InLanes<Ising, W>,
    window: &mut Window<Word<W>>,
    states: &[Lattice<i8>],
    origin: [isize; 3],
) {
    let lanes: Vec<&[i8]> = states.iter().map(|state| &state.sites[..]).collect();
    window.load(&law.pack(states[0].shape, &lanes), origin);
}

/// The states of the box, a list for each lane.
fn states<const W: usize>(law: &InLanes<Ising, W>, window: &Window<Word<W>>, count: usize) -> Vec<Vec<i8>> {
    let words = window.cut(Region::BOX);
    law.unpack(&words, count).chunks(words.len()).map(<[i8]>::to_vec).collect()
}

/// M and rho of a closed state.
fn observed(shape: Shape, state: &[i8]) -> [f64; 2] {
    let mut window = Window::closed(shape, 1);
    window.load(&Lattice::from_sites(shape, state.to_vec()), [0; 3]);
    let sums = Ising::new(2.5, 0.0).observe(&window, Region::BOX);
    [sums[0], sums[1]].map(|sum| sum / shape.sites() as f64)
}

/// Mean and squared standard error of each component.
fn mean(values: &[[f64; 2]]) -> [(f64, f64); 2] {
    let n = values.len() as f64;
    std::array::from_fn(|component| {
        let mean = values.iter().map(|value| value[component]).sum::<f64>() / n;
        (mean, values.iter().map(|value| (value[component] - mean).powi(2)).sum::<f64>() / (n * (n - 1.0)))
    })
}

fn within(what: &str, (ours, error): (f64, f64), (theirs, their_error): (f64, f64)) {
    let sigma = (error + their_error).sqrt();
    assert!((ours - theirs).abs() < 4.0 * sigma, "{what}: {ours} in lanes, {theirs} else, standard error {sigma}");
}

/// P(state) ~ exp(-H / T): all states of 3 x 4 and 4 x 4 spins, counted over lanes and times.
#[test]
fn lanes_sample_the_canonical_ensemble() {
    let ising = Ising::new(2.5, 0.1);
    for shape in [Shape::plane(3, 4), Shape::plane(4, 4)] {
        let (n, law) = (shape.sites(), law::<4>(&ising));
        let (mut window, mut kernel, mut rng) =
            (Window::closed(shape, 1), Lanes::default(), rng(1, shape.sites() as u64));
        load(&law, &mut window, &drawn(shape, 0.0, 0..256), [0; 3]);
        let mut counts = vec![0.0; 1 << n];
        let samples = 4000;
        for sample in 0..samples {
            let time = if sample == 0 { 50.0 } else { 12.0 };
            kernel.evolve(&law, &mut window, Until::Time(time), &mut rng).expect("a time");
            for state in states(&law, &window, 256) {
                counts[state.iter().enumerate().map(|(site, &spin)| usize::from(spin > 0) << site).sum::<usize>()] +=
                    1.0;
            }
        }
        let weights: Vec<f64> = (0..1 << n).map(|state| (-energy(shape, state, 0.1) / 2.5).exp()).collect();
        let scale = 256.0 * f64::from(samples) / weights.iter().sum::<f64>();
        let p = chi_squared(&counts, &weights, scale);
        assert!(p > 1e-3 && p < 1.0 - 1e-6, "{shape:?}: p = {p}");
    }
}

/// Probability of counts as far from what `weights` times `scale` expect. Rare states count together.
fn chi_squared(counts: &[f64], weights: &[f64], scale: f64) -> f64 {
    let (mut cells, mut rare) = (Vec::new(), (0.0, 0.0));
    for (&count, weight) in counts.iter().zip(weights) {
        match weight * scale {
            expected if expected > 20.0 => cells.push((count, expected)),
            expected => rare = (rare.0 + count, rare.1 + expected),
        }
    }
    cells.extend((rare.1 > 0.0).then_some(rare));
    let chi: f64 = cells.iter().map(|(count, expected)| (count - expected).powi(2) / expected).sum();
    1.0 - ChiSquared::new(cells.len() as f64 - 1.0).expect("several cells").cdf(chi)
}

fn energy(shape: Shape, state: usize, field: f64) -> f64 {
    let [_, rows, columns] = shape.0;
    let up = |row: usize, column: usize| state >> (row % rows * columns + column % columns) & 1 == 1;
    let spin = |row: usize, column: usize| if up(row, column) { 1.0 } else { -1.0 };
    let sites = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    sites.map(|(r, c)| -spin(r, c) * (spin(r + 1, c) + spin(r, c + 1) + field)).sum()
}

/// M(t) and rho(t) as those of the rejection-free kernel, with and without a field. Errors are over words.
#[test]
fn lanes_relax_as_the_rejection_free_kernel_does() {
    let (shape, times) = (Shape::plane(16, 16), [1.0, 1.0, 3.0, 5.0]);
    for field in [0.0, 0.1] {
        let ising = Ising::new(2.27, field);
        let law = law::<1>(&ising);
        let (mut words, mut single) = (vec![Vec::new(); 4], vec![Vec::new(); 4]);
        let (mut lanes, mut kernel) = (Lanes::default(), <Ising as System>::Dynamics::default());
        for word in 0..150 {
            let starts = drawn(shape, 0.4, 64 * word..64 * word + 64);
            let (mut window, mut stream) = (Window::closed(shape, 1), rng(2, word));
            load(&law, &mut window, &starts, [0; 3]);
            for (time, means) in times.iter().zip(&mut words) {
                lanes.evolve(&law, &mut window, Until::Time(*time), &mut stream).expect("a time");
                let found: Vec<_> = states(&law, &window, 64).iter().map(|state| observed(shape, state)).collect();
                means.push(mean(&found).map(|(mean, _)| mean));
            }
            for (start, index) in starts.iter().zip(0..20) {
                let (mut window, mut stream) = (Window::closed(shape, 1), rng(3, 64 * word + index));
                window.load(start, [0; 3]);
                for (time, found) in times.iter().zip(&mut single) {
                    kernel.evolve(&ising, &mut window, Until::Time(*time), &mut stream).expect("spins flip");
                    found.push(observed(shape, &window.cut(Region::BOX)));
                }
            }
        }
        for (index, (words, single)) in words.iter().zip(&single).enumerate() {
            for (component, (ours, theirs)) in mean(words).into_iter().zip(mean(single)).enumerate() {
                within(&format!("component {component} at record {index}, field {field}"), ours, theirs);
            }
        }
    }
}

/// The halo of an open window is held fixed, and the sites near it feel it as those of the rejection-free kernel do.
#[test]
fn lanes_of_open_windows_feel_their_surroundings() {
    let ising = Ising::new(2.27, 0.0);
    let (law, whole, shape) = (law::<1>(&ising), Shape::plane(16, 16), Shape::plane(6, 8));
    let surroundings = drawn(whole, 0.6, 0..1);
    let copies = vec![surroundings[0].clone(); 64];
    let (mut words, mut single) = (Vec::new(), Vec::new());
    let (mut lanes, mut kernel) = (Lanes::default(), <Ising as System>::Dynamics::default());
    for word in 0..200 {
        let mut window = Window::open(shape, 1);
        load(&law, &mut window, &copies, [0, 5, 0]);
        let before = window.values().to_vec();
        lanes.evolve(&law, &mut window, Until::Time(20.0), &mut rng(4, word)).expect("a time");
        let edge = window.sites_of(Region { margin: 1 }).filter(|&site| window.home(site).is_none());
        assert!(edge.into_iter().all(|site| window.values()[site] == before[site]), "the halo changed");
        let found: Vec<_> = states(&law, &window, 64).iter().map(|state| middle(state, shape)).collect();
        words.push(mean(&found).map(|(mean, _)| mean));
        for index in 0..20 {
            let mut window = Window::open(shape, 1);
            window.load(&surroundings[0], [0, 5, 0]);
            let mut stream = rng(5, 64 * word + index);
            kernel.evolve(&ising, &mut window, Until::Time(20.0), &mut stream).expect("spins flip");
            single.push(middle(&window.cut(Region::BOX), shape));
        }
    }
    for (component, (ours, theirs)) in mean(&words).into_iter().zip(mean(&single)).enumerate() {
        within(&format!("component {component}"), ours, theirs);
    }
}

/// Magnetisation, and the spin in the first corner.
fn middle(state: &[i8], shape: Shape) -> [f64; 2] {
    [state.iter().map(|&spin| f64::from(spin)).sum::<f64>() / shape.sites() as f64, f64::from(state[0])]
}

/// A lane depends on its own sites alone: not on the width of the word, nor on what other lanes hold.
#[test]
fn a_lane_is_the_same_in_any_company() {
    let (ising, shape) = (Ising::new(2.27, 0.0), Shape::plane(12, 10));
    let starts = drawn(shape, 0.2, 0..256);
    fn evolved<const W: usize>(ising: &Ising, starts: &[Lattice<i8>]) -> Vec<Vec<i8>> {
        let law = law::<W>(ising);
        let mut window = Window::closed(starts[0].shape, 1);
        load(&law, &mut window, starts, [0; 3]);
        Lanes::default().evolve(&law, &mut window, Until::Time(30.0), &mut rng(6, 0)).expect("a time");
        states(&law, &window, starts.len())
    }
    let all = evolved::<4>(&ising, &starts);
    assert_eq!(evolved::<8>(&ising, &starts), all);
    assert_eq!(evolved::<4>(&ising, &starts[..100]), all[..100]);
    assert_eq!(evolved::<1>(&ising, &starts[..64]), all[..64]);
    assert_eq!(evolved::<2>(&ising, &starts[..7]), all[..7]);
    let mut others = drawn(shape, -0.9, 300..364);
    others[63] = starts[63].clone();
    assert_eq!(evolved::<1>(&ising, &others)[63], all[63]);
}

/// What the lanes of a word share makes them correlated: a standard error over lanes would be too small for rho at
/// short times, and the one over words is right. 200 repeats of the mean of 8 words.
#[test]
fn standard_errors_belong_to_words() {
    let (ising, shape) = (Ising::new(2.27, 0.0), Shape::plane(8, 8));
    let law = law::<4>(&ising);
    let start = vec![drawn(shape, 0.0, 0..1).remove(0); 256];
    let mut kernel = Lanes::default();
    let (mut means, mut over_words, mut over_lanes) = (Vec::new(), 0.0, 0.0);
    for repeat in 0..200 {
        let (mut words, mut lanes) = (Vec::new(), Vec::new());
        for word in 0..8 {
            let mut window = Window::closed(shape, 1);
            load(&law, &mut window, &start, [0; 3]);
            kernel.evolve(&law, &mut window, Until::Time(1.0), &mut rng(7, 8 * repeat + word)).expect("a time");
            let found: Vec<_> = states(&law, &window, 256).iter().map(|state| observed(shape, state)).collect();
            words.push(mean(&found).map(|(mean, _)| mean));
            lanes.extend(found);
        }
        means.push(mean(&words).map(|(mean, _)| mean));
        over_words += mean(&words)[1].1 / 200.0;
        over_lanes += mean(&lanes)[1].1 / 200.0;
    }
    let true_variance = mean(&means)[1].1 * 200.0;
    println!(
        "variance of rho over that of words: {}, of lanes: {}",
        true_variance / over_words,
        true_variance / over_lanes
    );
    // A variance from 200 repeats is known to 10 %.
    assert!((true_variance / over_words - 1.0).abs() < 0.4, "words: {true_variance} against {over_words}");
    assert!(true_variance / over_lanes > 2.0, "lanes: {true_variance} against {over_lanes}");
}

/// Energy and magnetisation of a large lattice at equilibrium: Onsager (1944) and Yang (1952).
#[test]
fn lanes_have_the_exact_energy_and_magnetisation() {
    let (temperature, shape) = (2.0, Shape::plane(64, 64));
    let ising = Ising::new(temperature, 0.0);
    let law = law::<1>(&ising);
    let words: Vec<_> = (0..8)
        .map(|word| {
            let (mut window, mut kernel, mut rng) = (Window::closed(shape, 1), Lanes::default(), rng(8, word));
            load(&law, &mut window, &drawn(shape, 1.0, 0..64), [0; 3]);
            kernel.evolve(&law, &mut window, Until::Time(200.0), &mut rng).expect("a time");
            let found: Vec<_> = states(&law, &window, 64).iter().map(|state| observed(shape, state)).collect();
            mean(&found).map(|(mean, _)| mean)
        })
        .collect();
    let [magnetisation, walls] = mean(&words);
    let exact = (1.0 - (2.0 / temperature).sinh().powi(-4)).powf(0.125);
    within("M", magnetisation, (exact, 0.0));
    // u = -1.745565 at T = 2, and u = -2 (1 - 2 rho).
    within("rho", walls, (0.5 * (1.0 - 1.745_565 / 2.0), 0.0));
}

/// Events are not counted lane by lane, so a word cannot stop after a number of them.
#[test]
fn a_word_stops_at_a_time() {
    let ising = Ising::new(2.27, 0.0);
    let mut window = Window::closed(Shape::plane(4, 4), 1);
    let stopped = Lanes::default().evolve(&law::<1>(&ising), &mut window, Until::Events(3), &mut rng(9, 0));
    assert_eq!(stopped, Err(EvolveError::CountedInLanes));
}

/// With the majorities of its blocks fixed, a state has the weight of the law times a factor for each block: all states
/// of 4 x 4 spins under two coarse states, in blocks of 2 x 2.
#[test]
fn block_sweeps_sample_the_states_that_agree_with_their_blocks() {
    let (ising, shape) = (Ising::new(2.5, 0.1), Shape::plane(4, 4));
    let law = law::<4>(&ising);
    for coarse in [[1, -1, -1, -1], [1, 1, -1, 1]] {
        let coarse = Lattice::from_sites(Shape::plane(2, 2), coarse.to_vec());
        let lanes: Vec<&[i8]> = vec![&coarse.sites; 256];
        let blocks = law.pack(coarse.shape, &lanes);
        let (mut window, mut kernel, mut rng) = (Window::closed(shape, 1), Lanes::default(), rng(10, 0));
        window.load(&blocks.replicated(2), [0; 3]);
        let weights: Vec<f64> = (0..1 << 16)
            .map(|state: usize| {
                let factors = (0..4).map(|block: usize| {
                    let sites = (0..4).map(|site| (block / 2 * 2 + site / 2) * 4 + block % 2 * 2 + site % 2);
                    let up = sites.filter(|site| state >> site & 1 == 1).count();
                    let agree = if coarse.sites[block] > 0 { up } else { 4 - up };
                    [0.0, 0.0, 0.5, 1.0, 1.0][agree]
                });
                factors.product::<f64>() * (-energy(shape, state, 0.1) / 2.5).exp()
            })
            .collect();
        let mut counts = vec![0.0; 1 << 16];
        let samples = 1500;
        for sample in 0..samples {
            let time = if sample == 0 { 50.0 } else { 12.0 };
            kernel.evolve_in_blocks(&law, &mut window, &blocks, time, &mut rng);
            for state in states(&law, &window, 256) {
                counts[state.iter().enumerate().map(|(site, &spin)| usize::from(spin > 0) << site).sum::<usize>()] +=
                    1.0;
            }
        }
        assert!(counts.iter().zip(&weights).all(|(count, weight)| *count == 0.0 || *weight > 0.0), "a forbidden state");
        let scale = 256.0 * f64::from(samples) / weights.iter().sum::<f64>();
        let p = chi_squared(&counts, &weights, scale);
        assert!(p > 1e-3 && p < 1.0 - 1e-6, "{:?}: p = {p}", coarse.sites);
    }
}

/// Blocks of 3 x 3 keep their majorities.
#[test]
fn block_sweeps_keep_odd_majorities() {
    let (ising, coarse) = (Ising::new(2.27, 0.0), drawn(Shape::plane(4, 5), 0.1, 0..64));
    let law = law::<1>(&ising);
    let lanes: Vec<&[i8]> = coarse.iter().map(|state| &state.sites[..]).collect();
    let blocks = law.pack(coarse[0].shape, &lanes);
    let shape = Shape::plane(12, 15);
    let mut window = Window::closed(shape, 1);
    window.load(&blocks.replicated(3), [0; 3]);
    Lanes::default().evolve_in_blocks(&law, &mut window, &blocks, 20.0, &mut rng(11, 0));
    let mut changed = 0;
    for (state, coarse) in states(&law, &window, 64).iter().zip(&coarse) {
        for (block, &spin) in coarse.sites.iter().enumerate() {
            let sites = (0..9).map(|site| (block / 5 * 3 + site / 3) * 15 + block % 5 * 3 + site % 3);
            let sum: i32 = sites.map(|site| i32::from(state[site])).sum();
            assert_eq!(sum.signum(), i32::from(spin));
            changed += usize::from(sum.abs() < 9);
        }
    }
    assert!(changed > 200, "blocks hardly change: {changed}");
}

/// The law of a smaller system at equal scaling variables: T_16 = 2.194 for L = 64 at T = 2.25; T_c stays.
#[test]
fn rescaling_keeps_the_scaling_variables() {
    let at = |temperature: f64, ratio| Ising::new(temperature, 0.1).rescaled(ratio).expect("a critical point");
    assert!((at(2.25, 4.0).temperature.value() - 2.194).abs() < 5e-4);
    assert!((at(2.269_185_314_213_022, 8.0).temperature.value() - 2.269_185_314_213_022).abs() < 1e-12);
    assert!((at(2.4, 1.0).temperature.value() - 2.4).abs() < 1e-12);
    assert!((at(2.25, 4.0).field - 0.1 * 4.0_f64.powf(1.875)).abs() < 1e-12);
}

/// States of 16 x 16 raised to 64 x 64 at T = 2.25 have the magnetisation of direct simulation, <|M|> = 0.678 and
/// chi = 25.7 (Wolff clusters). Raised at one temperature by blocks of equal spins they would have 0.645 and 44.
#[test]
fn compatibly_raised_states_are_those_of_the_large_system() {
    let (ising, small, large) = (Ising::new(2.25, 0.0), Shape::plane(16, 16), Shape::plane(64, 64));
    let rescaled = ising.rescaled(4.0).expect("a critical point");
    let law = law::<4>(&rescaled);
    let mut magnetisations = Vec::new();
    for word in 0..8 {
        let (mut window, mut rng) = (Window::closed(small, 1), rng(12, word));
        load(&law, &mut window, &drawn(small, 0.0, 256 * word..256 * word + 256), [0; 3]);
        Lanes::default().evolve(&law, &mut window, Until::Time(600.0), &mut rng).expect("a time");
        let states: Vec<_> =
            states(&law, &window, 256).into_iter().map(|sites| Lattice::from_sites(small, sites)).collect();
        let relax = (small, Some(Until::Time(1.5)));
        let raised = raised_compatibly::<_, 4>(&ising, &[2, 2], relax, (1, &[word]), &states).expect("a time");
        magnetisations.extend(raised.iter().map(|state| observed(large, &state.sites)[0]));
    }
    let absolute: Vec<_> = magnetisations.iter().map(|m| [m.abs(), m * m]).collect();
    let [(mean_absolute, error), (mean_square, _)] = mean(&absolute);
    within("<|M|>", (mean_absolute, error), (0.678, 0.001_f64.powi(2)));
    let chi = 4096.0 / 2.25 * (mean_square - mean_absolute * mean_absolute);
    assert!((chi - 25.7).abs() < 4.0, "chi = {chi}");
}
