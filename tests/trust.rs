//! How far a model can be trusted: error bands cover the truth as often as they say, held-out pairs are covered, and
//! steps beyond the data are counted.

mod common;
#[path = "common/ornstein_uhlenbeck.rs"]
mod ornstein_uhlenbeck;

use common::threads::on_ranks;
use ndarray::{Array2, Axis};
use ornstein_uhlenbeck::OrnsteinUhlenbeck;
use tch::Device;
use tessera::{
    learning::{
        DriftDraws, Pairs, Rollout, Sde, SdeInput, TrainInput, TrainingContext, calibration, divided, draws, fit,
        held_out, predict,
    },
    parallel::{Alone, Ranks},
};

const PROCESS: OrnsteinUhlenbeck = OrnsteinUhlenbeck { pairs: 4_000, factor: 4.0, misfit: 0.0 };

fn linear() -> (SdeInput, TrainInput) {
    let model = SdeInput { drift: "linear".into(), diffusion: "constant".into(), ..SdeInput::default() };
    let train = TrainInput {
        epochs: 3,
        batch: 200,
        learning_rate: 2e-2,
        decay: 0.4,
        refit: true,
        threads: 1,
        ..Default::default()
    };
    (model, train)
}

/// The 90 % band from the draws covers the mean of the process in 90 % of repeated trainings. With 16 repeats of two
/// components at three times each, 96 cases of which some 25 are independent, 75 to 100 % are covered.
#[test]
fn bands_of_repeated_trainings_cover_the_mean() {
    let (model, train) = linear();
    let covered: Vec<bool> = (0..16).flat_map(|seed| PROCESS.covered(&model, &train, seed)).collect();
    let share = covered.iter().filter(|covered| **covered).count() as f64 / covered.len() as f64;
    println!("{share} of {} cases", covered.len());
    assert!((0.75..=1.0).contains(&share), "the 90 % band covers {share}");
}

/// Pairs that come in equal copies say no more than one of each: with each set of copies as a cluster the band stays,
/// with each copy on its own it shrinks by the root of their number. Three ranks find the same draws as one.
#[test]
fn dependent_pairs_count_once_on_any_number_of_ranks() {
    const COPIES: usize = 9;
    let pairs = PROCESS.draw(1);
    let repeated = pairs.rows(&(0..COPIES * pairs.dt.len()).map(|row| row / COPIES).collect::<Vec<_>>());
    let (model, train) = linear();
    let spread = |pairs: &Pairs, cluster: fn(usize) -> u64, size: usize| {
        let found = on_ranks(size, |ranks| {
            let own: Vec<usize> = ranks.share(pairs.dt.len()).collect();
            let clusters: Vec<u64> = own.iter().map(|&row| cluster(row)).collect();
            let own = pairs.rows(&own);
            let sde =
                fit(&own, 4.0, &model, &train, &TrainingContext::new(1, ranks, Device::Cpu), &mut |_| ()).unwrap().0;
            let all: Vec<usize> = (0..own.dt.len()).collect();
            let draws = draws(&sde, (&own, &all, &clusters), (64, 7), ranks).unwrap().unwrap();
            (0..draws.len()).map(|draw| draws.model(&sde, draw).weights()[0]).collect::<Vec<f64>>()
        });
        assert!(found.iter().all(|rank| rank == &found[0]), "ranks hold different draws");
        found[0].clone()
    };
    let deviation = |values: &[f64]| tessera::evaluation::bootstrap::standard_deviation(values).unwrap();
    let single = spread(&pairs, |row| row as u64, 1);
    let together = deviation(&spread(&repeated, |row| (row / COPIES) as u64, 1));
    let apart = deviation(&spread(&repeated, |row| row as u64, 1));
    let expected = deviation(&single);
    println!("{expected} once, {together} in clusters, {apart} each on its own");
    assert!((together / expected - 1.0).abs() < 0.05, "{together} for {expected}");
    assert!((apart / expected * 3.0 - 1.0).abs() < 0.35, "{apart} for {expected} / 3");
    for (one, three) in single.iter().zip(spread(&pairs, |row| row as u64, 3)) {
        assert!((one - three).abs() < 0.02 * expected + 1e-4, "{one} on one rank, {three} on three");
    }
}

#[test]
fn draws_come_back_from_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("draws.safetensors");
    let (model, train) = linear();
    let (sde, found) = PROCESS.trained(&model, &train, 3);
    DriftDraws::save(Some(&found), &path).unwrap();
    let back = DriftDraws::load(&path).unwrap();
    assert_eq!(back.len(), found.len());
    let weights = |draws: &DriftDraws| draws.model(&sde, 2).weights();
    assert_eq!(weights(&back), weights(&found));
    assert_ne!(weights(&back), sde.weights());
    DriftDraws::save(None, &path).unwrap();
    assert!(DriftDraws::load(&path).unwrap().is_empty());
}

/// Increments of the process are covered; those with the same variance and long tails are not.
#[test]
fn held_out_pairs_show_noise_that_is_not_normal() {
    let (model, train) = linear();
    for (misfit, most) in [(0.0, 0.03), (0.9, 0.3)] {
        let process = OrnsteinUhlenbeck { pairs: 40_000, misfit, ..PROCESS };
        let pairs = process.draw(5);
        let run = TrainingContext::new(1, &Alone, Device::Cpu);
        let sde = fit(&pairs, 4.0, &model, &train, &run, &mut |_| ()).unwrap().0;
        let [trained, held] = divided(&pairs, &train, 1, &Alone).unwrap();
        assert_eq!(trained.len() + held.len(), pairs.dt.len());
        let found = held_out(&sde, &pairs.rows(&held), 4.0, &Alone).unwrap().unwrap();
        println!("{found:?}, variance {:?}", calibration(&sde, &pairs, 4.0, &Alone).unwrap().variance);
        assert_eq!(found.pairs, 4_000);
        assert!(found.distance.iter().all(|distance| *distance < most));
        assert!(misfit == 0.0 || found.distance.iter().all(|distance| *distance > 0.04), "{found:?}");
        assert!(misfit > 0.0 || found.within_90.iter().all(|share| (share - 0.9).abs() < 0.02), "{found:?}");
    }
    assert!(
        held_out(&PROCESS.trained(&model, &train, 1).0, &PROCESS.draw(1).rows(&[]), 4.0, &Alone).unwrap().is_none()
    );
}

#[test]
fn steps_beyond_the_data_are_counted() {
    let (model, train) = linear();
    let sde: Sde = PROCESS.trained(&model, &train, 3).0;
    let share = |start: f32, steps: usize| {
        let start = Array2::from_elem((50, 2), start);
        let mut rollout =
            Rollout::new(&sde, start.view(), 0.05, (1..=steps).map(|step| 0.05 * step as f64).collect(), 1, [0, 0])
                .unwrap();
        rollout.records(steps).unwrap();
        rollout.share_at_walls()
    };
    // The data reach from -1.5 to 2.5 and from -3 to 1; the first step from far away ends beyond.
    let far = share(9.0, 4);
    assert!(far.iter().all(|share| *share >= 0.25), "{far:?}");
    let near = share(0.0, 4);
    assert!(near.iter().all(|share| *share == 0.0), "{near:?}");
    let last = predict(&sde, Array2::from_elem((3, 2), 9.0).view(), 0.05, 1, 1, 1, [0, 0]).unwrap();
    // The walls hold the start: it is not thrown back onto the data at once.
    assert!(last.index_axis(Axis(0), 1).iter().all(|z| (3.0..9.0).contains(z)), "{last}");
}
