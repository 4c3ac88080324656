//! Laws of the fields on a line: mirrors, the integrator, predator-prey and the linear chain.

use tessera::{
    dynamics::{DriftNoise, Dynamics, EvolveError, Langevin, Law, Until},
    lattice::{Boundary, Cover, Lattice, Region, Shape, Window},
    rng::{Purpose, Rng, stream},
    sampling::{LocalRelax, PartialEvolution, Surroundings},
    systems::{LinearChain, PredatorPrey, System},
};

fn rng(item: u64) -> Rng {
    stream(13, Purpose::Bench, [item, 0])
}

fn whole<L: Law>(lattice: &Lattice<L::Site>) -> Window<L::Site> {
    let mut window = L::closed_window(lattice.shape);
    window.load(lattice, [0; 3]);
    window
}

#[test]
fn halos_beyond_an_edge_are_mirror_images_that_follow_every_write() {
    let lattice = Lattice::from_sites(Shape::plane(4, 6), (0..24).collect());
    let image = |position: isize, extent: isize| match position {
        _ if position < 0 => -1 - position,
        _ if position >= extent => 2 * extent - 1 - position,
        _ => position,
    };
    for (shape, halo, origin) in [
        (Shape::plane(4, 6), 2, [0, 0, 0]),
        (Shape::plane(2, 3), 2, [0, 0, 0]),
        (Shape::plane(2, 3), 2, [0, 2, 3]),
        (Shape::plane(2, 2), 2, [0, 1, 3]),
        (Shape::plane(2, 2), 1, [0, 1, 2]),
    ] {
        let mut window = Window::open(shape, halo).bounded(Boundary::Mirrored);
        // A place elsewhere first: mirrors move with the window.
        window.load(&lattice, [0; 3]);
        window.load(&lattice, origin);
        let mut changed = lattice.clone();
        let (sites, all) = (window.sites_of(Region::BOX).collect::<Vec<_>>(), Region { margin: halo as isize });
        for (number, site) in sites.into_iter().enumerate() {
            let [_, y, x] = shape.coordinate(number);
            let place = (origin[1] as usize + y) * 6 + origin[2] as usize + x;
            assert_eq!(window.values()[site], lattice.sites[place]);
            window.write(site, 100 + place as i32);
            changed.sites[place] = 100 + place as i32;
        }
        let columns = shape.0[2] + 2 * halo;
        for (number, value) in window.values_of(all).enumerate() {
            let y = origin[1] + (number / columns) as isize - halo as isize;
            let x = origin[2] + (number % columns) as isize - halo as isize;
            assert_eq!(
                value,
                changed.at([0, image(y, 4), image(x, 6)]),
                "{shape:?} at {origin:?}: row {y}, column {x}"
            );
        }
        assert_eq!(window.own_sites_of(Region::BOX).count(), shape.sites());
    }
}

#[test]
fn overlapping_patches_end_at_the_mirrors() {
    let cover = Cover::overlapping(Shape::chain(40), Shape::chain(10), Boundary::Mirrored);
    let groups: Vec<Vec<_>> = cover.groups().map(|group| group.windows().collect()).collect();
    let mut starts: Vec<isize> = groups.iter().flatten().map(|placed| placed.origin[2]).collect();
    starts.sort_unstable();
    assert_eq!(starts, [0, 5, 10, 15, 20, 25, 30]);
    for group in groups {
        let places: Vec<isize> = group.iter().map(|placed| placed.origin[2]).collect();
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 15), "{places:?} do not keep apart");
    }
}

/// Without noise the chain is a linear system; its matrix exponential is the reference.
#[test]
fn the_chain_without_noise_follows_its_exact_solution() {
    let chain = LinearChain { noise: 0.0, step: 1e-4, ..LinearChain::default() };
    let sites = 7;
    let mut exact: Vec<f64> = vec![2.0; sites];
    // exp(A t) by many exact terms of its series over short spans.
    let rate = |x: &[f64], force: f64| -> Vec<f64> {
        (0..sites)
            .map(|i| {
                let left = x[i.saturating_sub(1)];
                let right = x[(i + 1).min(sites - 1)];
                -0.1 * x[i] + (left - 2.0 * x[i] + right) + if i == 0 { force } else { 0.0 }
            })
            .collect()
    };
    for _ in 0..20 {
        let mut term: Vec<f64> = rate(&exact, 15.0).iter().map(|value| value * 0.1).collect();
        let mut order = 1.0;
        for _ in 0..25 {
            exact.iter_mut().zip(&term).for_each(|(sum, term)| *sum += term);
            order += 1.0;
            term = rate(&term, 0.0).iter().map(|value| value * 0.1 / order).collect();
        }
    }
    let mut window = whole::<LinearChain>(&Lattice::filled(Shape::chain(sites), 2.0));
    Langevin::default().evolve(&chain, &mut window, Until::Time(2.0), &mut rng(1)).unwrap();
    for (found, exact) in window.values_of(Region::BOX).zip(exact) {
        assert!((found - exact).abs() < 2e-3, "{found} against {exact}");
    }
}

/// The mean displacement is an Ornstein-Uhlenbeck process: mean and variance at one time are known exactly, those of
/// the Euler-Maruyama scheme included.
#[test]
fn the_mean_displacement_of_the_chain_is_the_exact_process() {
    let chain = LinearChain::default();
    let (sites, steps, start, count) = (10, 500, 3.0, 4000);
    let mut kernel = Langevin::default();
    let found: Vec<f64> = (0..count)
        .map(|run| {
            let mut window = whole::<LinearChain>(&Lattice::filled(Shape::chain(sites), start));
            let until = Until::Time(f64::from(steps) * chain.step);
            kernel.evolve(&chain, &mut window, until, &mut rng(100 + run)).unwrap();
            chain.observe(&window, Region::BOX)[0] / sites as f64
        })
        .collect();
    let decay = (1.0 - chain.friction * chain.step).powi(steps);
    let rest = chain.force / sites as f64 / chain.friction;
    let mean = rest + (start - rest) * decay;
    let kept = (1.0 - chain.friction * chain.step).powi(2);
    let variance = chain.step / sites as f64 * (1.0 - kept.powi(steps)) / (1.0 - kept);
    let sample_mean = found.iter().sum::<f64>() / count as f64;
    let sample_variance = found.iter().map(|value| (value - sample_mean).powi(2)).sum::<f64>() / (count - 1) as f64;
    let error = (variance / count as f64).sqrt();
    assert!((sample_mean - mean).abs() < 4.0 * error, "mean {sample_mean}, exact {mean} +- {error}");
    let error = variance * (2.0 / count as f64).sqrt();
    assert!(
        (sample_variance - variance).abs() < 4.0 * error,
        "variance {sample_variance}, exact {variance} +- {error}"
    );
}

/// Over one step the neighbours do not matter: all patches together move the lattice as it moves as a whole.
#[test]
fn increments_of_all_patches_over_one_step_add_up_to_the_drift_of_the_whole() {
    fn check<S: System + DriftNoise>(quiet: &S, lattice: &Lattice<S::Site>, patch: usize) {
        let observe = |window: &Window<S::Site>| quiet.observe(window, Region::BOX);
        let mut window = whole::<S>(lattice);
        let before = observe(&window);
        let until = Until::Time(quiet.step());
        Langevin::default().evolve(quiet, &mut window, until, &mut rng(2)).unwrap();
        let after = observe(&window);
        let shape = lattice.shape;
        let mut partial = PartialEvolution::new(quiet, shape, Shape::chain(patch), Surroundings::Ghost, until);
        let patches = shape.sites() / patch;
        let mut sums = vec![0.0; before.len()];
        for number in 0..patches {
            let pair = partial.evolve(lattice, [0, 0, (number * patch) as isize], &mut rng(3)).unwrap();
            sums.iter_mut().zip(&pair.increment).for_each(|(sum, increment)| *sum += increment / patches as f64);
        }
        for component in 0..before.len() {
            let whole = (after[component] - before[component]) / shape.sites() as f64;
            assert!((sums[component] - whole).abs() < 1e-12, "{} in patches, {whole} as a whole", sums[component]);
        }
    }
    let prey = PredatorPrey { noise: [0.0; 2], ..PredatorPrey::default() };
    check(&prey, &prey.draw(Shape::chain(60), Some([0.5, 0.1]), &mut rng(4)), 12);
    let chain = LinearChain { noise: 0.0, ..LinearChain::default() };
    check(&chain, &Lattice::from_sites(Shape::chain(50), (0..50).map(|x| f64::from(x).sin()).collect()), 10);
}

/// A smooth predator wave between mirrors decays at the rate of the lattice Laplacian, and its mean stays.
#[test]
fn diffusion_damps_a_wave_at_the_rate_of_the_lattice() {
    let law = PredatorPrey { growth: 0.0, noise: [0.0; 2], step: 0.001, spacing: 0.5, ..PredatorPrey::default() };
    let wave = |site: usize| (std::f64::consts::PI * 2.0 * (site as f64 + 0.5) / 20.0).cos();
    let lattice = Lattice::from_sites(Shape::chain(20), (0..20).map(|site| [0.0, 1.0 + wave(site)]).collect());
    let mut window = whole::<PredatorPrey>(&lattice);
    Langevin::default().evolve(&law, &mut window, Until::Time(1.0), &mut rng(5)).unwrap();
    let rate = 2.0 * (1.0 - (std::f64::consts::PI * 2.0 / 20.0).cos()) / 0.25;
    let decay = (1.0 - rate * law.step).powi(1000);
    for (site, [_, v]) in window.values_of(Region::BOX).enumerate() {
        assert!((v - 1.0 - decay * wave(site)).abs() < 1e-9, "site {site}: {v}");
    }
}

#[test]
fn upsampling_interpolates_lines_exactly_and_keeps_the_mean() {
    let law = PredatorPrey::default();
    let coarse = Lattice::from_sites(Shape::chain(8), (0..8).map(|x| [f64::from(x), 7.0 - f64::from(x)]).collect());
    for factor in [2, 3] {
        let fine = law.upsampling().upsample(&law, std::slice::from_ref(&coarse), factor, &mut rng(6));
        let sites = 8 * factor;
        for site in factor..sites - factor {
            let position = (site as f64 + 0.5) / factor as f64 - 0.5;
            assert!(
                (fine.sites[site][0] - position).abs() < 1e-12 && (fine.sites[site][1] - 7.0 + position).abs() < 1e-12
            );
        }
        let mean = fine.sites.iter().map(|[u, _]| u).sum::<f64>() / sites as f64;
        assert!((mean - 3.5).abs() < 1e-12);
        assert_eq!(fine.sites[0][0], 0.0, "a mirror has no gradient");
    }
}

#[test]
fn unstable_steps_are_refused_with_the_largest_stable_one_and_do_explode() {
    let published = PredatorPrey { spacing: 1.0 / 200.0, ..PredatorPrey::default() };
    let message = published.check(&[]).unwrap_err();
    assert!(message.contains("largest stable step is 1.25e-5"), "{message}");
    assert!(PredatorPrey { step: published.largest_step(), ..published }.check(&[]).is_ok());
    assert!(LinearChain { step: 0.6, ..LinearChain::default() }.check(&[]).is_err());
    let explodes = |step: f64| {
        let law = PredatorPrey { step, growth: 0.0, ..PredatorPrey::default() };
        let mut window = whole::<PredatorPrey>(&law.draw(Shape::chain(40), Some([0.5, 0.1]), &mut rng(7)));
        Langevin::default().evolve(&law, &mut window, Until::Time(200.0 * step), &mut rng(8)).unwrap();
        window.values_of(Region::BOX).any(|[_, v]| !v.is_finite() || v.abs() > 1e3)
    };
    let largest = PredatorPrey::default().largest_step();
    assert!(!explodes(0.98 * largest) && explodes(1.1 * largest));
}

#[test]
fn times_that_are_no_whole_number_of_steps_are_refused() {
    let chain = LinearChain::default();
    let check = |until| <Langevin as Dynamics<LinearChain>>::check(&chain, until);
    assert_eq!(check(Until::Time(0.3)), Ok(()));
    assert_eq!(check(Until::Time(0.025)), Err(EvolveError::NotWhole { time: 0.025, step: 0.01, nearest: 0.03 }));
    assert!(matches!(check(Until::Time(0.001)), Err(EvolveError::NotWhole { nearest: 0.01, .. })));
    assert_eq!(check(Until::Events(5)), Err(EvolveError::NoEvents { step: 0.01 }));
}

#[test]
fn relaxation_of_fields_stays_between_the_mirrors() {
    let law = PredatorPrey::default();
    let start = law.draw(Shape::chain(40), Some([0.5, 0.1]), &mut rng(9));
    let relaxed = |until: Option<Until>| {
        let mut lattice = start.clone();
        let mut relax = LocalRelax::<_, <PredatorPrey as System>::Dynamics>::new(&law, Shape::chain(20), until);
        relax.relax(&mut lattice, |patch| stream(3, Purpose::Relax, [0, patch])).unwrap();
        lattice
    };
    assert_eq!(relaxed(None), start);
    let moved = relaxed(Some(Until::Time(0.1)));
    assert!(moved.sites.iter().zip(&start.sites).all(|(a, b)| a != b && (a[0] - b[0]).abs() < 0.1));
}
