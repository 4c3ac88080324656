//! Laws of the Curie-Weiss model: a patch feels all spins of the system, not only those of its window.

use statrs::distribution::{ChiSquared, ContinuousCDF};
use tessera::{
    dynamics::{Dynamics, Events, Kmc, Law, Selector, Until},
    lattice::{Lattice, Region, Shape, Window},
    rng::{Purpose, Rng, stream},
    sampling::{PartialEvolution, Surroundings},
    systems::{CurieWeiss, System, UpBeforeDown},
};

fn rng(item: u64) -> Rng {
    stream(11, Purpose::Bench, [item, 0])
}

fn whole(lattice: &Lattice<i8>) -> Window<i8> {
    let mut window = Window::closed(lattice.shape, CurieWeiss::REACH);
    window.load(lattice, [0; 3]);
    window
}

/// H by definition, the sum over ordered pairs without i = j.
fn energy(lattice: &Lattice<i8>, field: f64) -> f64 {
    let spins: Vec<f64> = lattice.sites.iter().map(|&spin| f64::from(spin)).collect();
    let sum: f64 = spins.iter().sum();
    let count = spins.len() as f64;
    -(sum * sum - count) / (2.0 * count) - field * sum
}

#[test]
fn rates_obey_detailed_balance_with_the_energy() {
    let (temperature, field) = (1.1, 0.1);
    let law = CurieWeiss::new(temperature, field);
    for (case, start) in [-0.6, 0.0, 0.4].into_iter().enumerate() {
        let mut lattice = law.draw(Shape::plane(5, 7), Some(start), &mut rng(case as u64));
        for site in 0..35 {
            let (before, forth) = (energy(&lattice, field), law.rate(&whole(&lattice), site));
            lattice.sites[site] *= -1;
            let (after, back) = (energy(&lattice, field), law.rate(&whole(&lattice), site));
            lattice.sites[site] *= -1;
            assert!(((forth / back).ln() + (after - before) / temperature).abs() < 1e-12);
        }
    }
}

#[test]
fn lists_follow_the_rates_after_every_flip_and_draw_from_them() {
    let law = CurieWeiss::new(0.9, -0.2);
    let mut random = rng(10);
    let mut window = whole(&law.draw(Shape::plane(5, 7), Some(0.2), &mut random));
    let mut lists = UpBeforeDown::default();
    lists.prepare(&law, &window);
    for _ in 0..500 {
        let by_definition: f64 = window.sites_of(Region::BOX).map(|site| law.rate(&window, site)).sum();
        assert!((lists.total_rate() - by_definition).abs() < 1e-10);
        let site = lists.select(&mut random);
        window.write(site, -window.values()[site]);
        lists.refresh(&law, &window, site);
    }
    let (draws, total) = (1_000_000, lists.total_rate());
    let mut counts = vec![0_u32; window.padded_sites()];
    (0..draws).for_each(|_| counts[lists.select(&mut random)] += 1);
    let chi: f64 = window
        .sites_of(Region::BOX)
        .map(|site| {
            let expected = f64::from(draws) * law.rate(&window, site) / total;
            (f64::from(counts[site]) - expected).powi(2) / expected
        })
        .sum();
    let tail = 1.0 - ChiSquared::new(34.0).unwrap().cdf(chi);
    assert!(tail > 1e-4, "chi-squared {chi} of 34 degrees of freedom has probability {tail}");
}

#[test]
fn a_patch_has_the_rates_that_its_spins_have_in_the_whole_system() {
    let law = CurieWeiss::new(1.1, 0.1);
    let lattice = law.draw(Shape::plane(6, 10), Some(0.3), &mut rng(20));
    let system = whole(&lattice);
    let mut patch = Window::open(Shape::plane(3, 5), CurieWeiss::REACH);
    patch.load(&lattice, [0, 3, 5]);
    let in_field = law.in_mean_field_of(&lattice, &patch).unwrap();
    for (place, site) in patch.sites_of(Region::BOX).enumerate() {
        let there = (3 + place / 5) * 10 + 5 + place % 5;
        assert_eq!(in_field.rate(&patch, site), law.rate(&system, there));
    }
    let alone = law.rate(&patch, 0);
    assert!((alone - in_field.rate(&patch, 0)).abs() > 1e-3, "a patch on its own has other rates");
}

#[test]
fn a_patch_as_large_as_the_system_evolves_like_the_system() {
    let law = CurieWeiss::new(1.1, 0.1);
    let shape = Shape::plane(6, 10);
    let lattice = law.draw(shape, Some(0.3), &mut rng(30));
    for surroundings in [Surroundings::Ghost, Surroundings::Periodic] {
        let mut partial = PartialEvolution::new(&law, shape, shape, surroundings, Until::Time(3.0));
        let pair = partial.evolve(&lattice, [0; 3], &mut rng(31)).unwrap();
        let mut window = whole(&lattice);
        Kmc::<UpBeforeDown>::default().evolve(&law, &mut window, Until::Time(3.0), &mut rng(31)).unwrap();
        assert_eq!(pair.after, window.values_of(Region::BOX).collect::<Vec<_>>());
        assert_ne!(pair.after, pair.before);
    }
}

/// The equilibrium of 12 spins by enumeration: P(M) ~ binomial(12, up) exp(-H / T).
#[test]
fn long_runs_visit_the_boltzmann_distribution() {
    let (temperature, field, spins) = (1.1, 0.1, 12);
    let law = CurieWeiss::new(temperature, field);
    let mut binomial = 1.0;
    let mut weights = Vec::new();
    for up in 0..=spins {
        let sum = f64::from(2 * up - spins);
        weights.push(binomial * ((sum * sum / f64::from(2 * spins) + field * sum) / temperature).exp());
        binomial *= f64::from(spins - up) / f64::from(up + 1);
    }
    let total: f64 = weights.iter().sum();
    let exact: f64 =
        (0..=spins).zip(&weights).map(|(up, weight)| f64::from(2 * up - spins) * weight / total).sum::<f64>();
    let mut window = whole(&law.draw(Shape::plane(3, 4), Some(0.0), &mut rng(40)));
    let (mut kernel, mut random) = (Kmc::<UpBeforeDown>::default(), rng(41));
    let blocks: Vec<f64> = (0..100)
        .map(|_| {
            let records = 2000;
            (0..records)
                .map(|_| {
                    kernel.evolve(&law, &mut window, Until::Time(2.0), &mut random).unwrap();
                    law.observe(&window, Region::BOX)[0]
                })
                .sum::<f64>()
                / f64::from(records)
        })
        .collect();
    let mean = blocks.iter().sum::<f64>() / 100.0;
    let error = (blocks.iter().map(|block| (block - mean).powi(2)).sum::<f64>() / (100.0 * 99.0)).sqrt();
    assert!((mean - exact).abs() < 4.0 * error, "mean sum of spins {mean} +- {error}, exact {exact}");
    assert!(error < 0.05, "too uncertain to test: {error}");
}
