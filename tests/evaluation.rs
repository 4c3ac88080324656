//! Scores against closed forms, hand-computed values and known sampling errors.

use ndarray::{Array2, Array3, arr2, s};
use rand::Rng as _;
use rand_distr::StandardNormal;
use tessera::evaluation::bootstrap::{Statistic, blocks, jackknife_variance, standard_error, stream_of};
use tessera::evaluation::criticality::{collapse_quality, criticality};
use tessera::evaluation::distributions::*;
use tessera::evaluation::fit::{polynomial_fit, power_law_fit};
use tessera::evaluation::mmd::{BANDWIDTHS, MmdAgainstTime, average, kernel, mmd_against_time, mmd_squared};
use tessera::evaluation::stationary::{MagnetPair, criticality_of_pairs};
use tessera::evaluation::trajectories::{mean_and_spread, noise_floor, relative_error, test_error};
use tessera::evaluation::{EvaluationError, Metric, Metrics};
use tessera::rng::{Purpose, Rng, stream};

fn source(item: u64) -> Rng {
    stream(11, Purpose::Bench, [item, 0])
}

fn gaussian(shape: (usize, usize, usize), mean: f64, deviation: f64, item: u64) -> Array3<f64> {
    let mut rng = source(item);
    Array3::from_shape_simple_fn(shape, || mean + deviation * rng.sample::<f64, _>(StandardNormal))
}

#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "found {found}, expected {expected} within {tolerance}");
}

#[test]
fn relative_error_is_the_hand_computed_one() {
    // Means over two trajectories: truth (1, 2), (3, 4); prediction (2, 2), (3, 6), times in rows.
    let ensemble = |values: [f64; 8]| Array3::from_shape_vec((2, 2, 2), values.to_vec()).unwrap();
    let truth = ensemble([0.0, 1.0, 2.0, 5.0, 2.0, 3.0, 4.0, 3.0]);
    let prediction = ensemble([2.0, 2.0, 3.0, 5.0, 2.0, 2.0, 3.0, 7.0]);
    let error = |components: &[usize]| relative_error(truth.view(), prediction.view(), components).unwrap().value;
    close(error(&[0, 1]), (1.0 + 0.0 + 0.0 + 4.0) / (1.0 + 4.0 + 9.0 + 16.0), 1e-14);
    close(error(&[0]), 1.0 / 10.0, 1e-14);
    close(error(&[1]), 4.0 / 20.0, 1e-14);
    let wrong = relative_error(truth.view(), prediction.slice(s![.., ..1, ..]), &[0]);
    assert!(matches!(wrong, Err(EvaluationError::Shape { .. })));
    let missing = relative_error(truth.view(), prediction.view(), &[2]);
    assert_eq!(missing, Err(EvaluationError::Component { component: 2, components: 2 }));
    let zero = Array3::zeros((2, 2, 2));
    assert_eq!(relative_error(zero.view(), truth.view(), &[0]), Err(EvaluationError::ZeroReference));
}

#[test]
fn diverged_trajectories_are_counted_and_left_out() {
    let truth = gaussian((6, 5, 2), 1.0, 0.1, 1);
    let mut prediction = gaussian((5, 5, 2), 1.0, 0.1, 2);
    let without = relative_error(truth.view(), prediction.slice(s![1.., .., ..]), &[0, 1]).unwrap();
    prediction[[0, 3, 1]] = f64::INFINITY;
    let with = relative_error(truth.view(), prediction.view(), &[0, 1]).unwrap();
    assert_eq!(with.value, without.value);
    assert_eq!((with.diverged.prediction, with.diverged.prediction_of, with.diverged.truth), (1, 5, 0));
    let summary = mean_and_spread(prediction.view());
    assert_eq!((summary.trajectories, summary.diverged), (4, 1));
    prediction.fill(f64::NAN);
    let all = test_error(&[(truth.view(), prediction.view())], &[0, 1, 2, 3, 4, 5], &[0], 20, 1).unwrap();
    assert!(all.error.value.is_nan() && all.error.std_error.is_none());
    assert_eq!((all.diverged.prediction, all.error.samples), (5, 0));
}

#[test]
fn equal_laws_have_an_error_at_the_noise_floor() {
    let errors: Vec<f64> = (0..60)
        .map(|item| {
            let (truth, prediction) =
                (gaussian((20, 30, 2), 1.0, 0.5, 100 + item), gaussian((10, 30, 2), 1.0, 0.5, 300 + item));
            relative_error(truth.view(), prediction.view(), &[0, 1]).unwrap().value
        })
        .collect();
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    // Exactly sigma^2 (1/20 + 1/10), but for the spread of the denominator.
    close(mean, 0.25 * 0.15, 0.003);
    let truth = gaussian((20, 300, 2), 1.0, 0.5, 7);
    let floor = noise_floor(truth.view(), 10, &[0, 1]).unwrap();
    close(floor, 0.25 * 0.15 / 1.0125, 0.002);
}

#[test]
fn test_error_averages_initial_conditions_and_its_error_is_the_scatter_of_repeats() {
    let words: Vec<usize> = (0..40).collect();
    let repeat = |item: u64| {
        let make = |mean: f64, item: u64| gaussian((20, 1, 1), mean, 0.2, item);
        let (a, b, c, d) = (make(1.0, item), make(1.3, item + 1), make(2.0, item + 2), make(2.3, item + 3));
        test_error(&[(a.view(), b.view()), (c.view(), d.view())], &words, &[0], 200, item).unwrap()
    };
    let one = repeat(0);
    close(one.error.value, (one.each[0] + one.each[1]) / 2.0, 1e-15);
    assert_eq!(one, repeat(0));
    let repeats: Vec<_> = (0..200).map(|index| repeat(1000 + 10 * index)).collect();
    let values: Vec<f64> = repeats.iter().map(|one| one.error.value).collect();
    let scatter = Metric::mean_of(&values, "1").std_error.unwrap() * (values.len() as f64).sqrt();
    let claimed = repeats.iter().map(|one| one.error.std_error.unwrap()).sum::<f64>() / repeats.len() as f64;
    close(claimed / scatter, 1.0, 0.2);
}

#[test]
fn bootstrap_and_jackknife_find_the_error_of_a_gaussian_mean() {
    let sample = gaussian((400, 1, 1), 0.0, 3.0, 4).into_raw_vec_and_offset().0;
    let mean_of = |weights: &[f64]| {
        sample.iter().zip(weights).map(|(value, weight)| value * weight).sum::<f64>() / weights.iter().sum::<f64>()
    };
    let mut rng = stream_of(Statistic::Other, 1);
    let error = standard_error(&[400], 2000, &mut rng, |weights| mean_of(&weights[0])).unwrap();
    close(error, 3.0 / 20.0, 0.012);
    let without = |left_out: usize| {
        let weights: Vec<f64> = (0..400).map(|index| f64::from(u8::from(index != left_out))).collect();
        mean_of(&weights)
    };
    let left_out: Vec<f64> = (0..400).map(without).collect();
    close(jackknife_variance(&left_out).sqrt(), Metric::mean_of(&sample, "1").std_error.unwrap(), 1e-12);
    assert_eq!(standard_error(&[1], 100, &mut rng, |_| 1.0), None);
    // Of few units too: the error of the mean of 1 and 3 is 1.
    let of_two = |weights: &[Vec<f64>]| (weights[0][0] + 3.0 * weights[0][1]) / weights[0].iter().sum::<f64>();
    close(standard_error(&[2], 2000, &mut rng, of_two).unwrap(), 1.0, 0.01);
}

#[test]
fn blocks_cut_each_trajectory_in_order() {
    let series = arr2(&[[1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0]]);
    assert_eq!(blocks(series.view(), 2), arr2(&[[1.0, 2.0], [3.0, 4.0], [6.0, 7.0], [8.0, 9.0]]));
    assert_eq!(blocks(series.view(), 6).nrows(), 0);
}

#[test]
fn distances_have_their_closed_forms() {
    close(wasserstein_1(&[0.0, 1.0, 3.0], &[5.0, 6.0, 8.0]).unwrap(), 5.0, 1e-14);
    close(wasserstein_1(&[0.0, 1.0], &[0.0, 0.0, 1.0, 1.0]).unwrap(), 0.0, 1e-14);
    // |F - G| is 1/2 on (0, 1) and 1/4 on (1, 2).
    close(wasserstein_1(&[0.0, 2.0], &[1.0, 1.0, 1.0, 2.0]).unwrap(), 0.5 + 0.25, 1e-14);
    close(kolmogorov_smirnov(&[0.0, 2.0], &[1.0, 1.0, 1.0, 2.0]).unwrap(), 0.5, 1e-14);
    close(kolmogorov_smirnov(&[1.0, 2.0, 3.0, 4.0], &[2.5, 3.0, 4.0, 5.0]).unwrap(), 0.5, 1e-14);
    close(kolmogorov_smirnov(&[3.0, 3.0], &[3.0]).unwrap(), 0.0, 0.0);
    // Two uniform laws on [0, 1] and [0, 2]: W1 = 1/2, KS = 1/2.
    let grid: Vec<f64> = (0..2000).map(|k| (f64::from(k) + 0.5) / 2000.0).collect();
    let wide: Vec<f64> = grid.iter().map(|x| 2.0 * x).collect();
    close(wasserstein_1(&grid, &wide).unwrap(), 0.5, 1e-3);
    close(kolmogorov_smirnov(&grid, &wide).unwrap(), 0.5, 1e-3);
    assert!(matches!(wasserstein_1(&[f64::NAN], &[1.0]), Err(EvaluationError::Value { .. })));
    assert!(wasserstein_1(&[], &[1.0]).is_err());
}

#[test]
fn the_error_of_a_distance_counts_trajectories_not_times() {
    // Each trajectory is one number repeated: 1000 times are worth one.
    let mut rng = source(5);
    let mut constant = |mean: f64| {
        let mut sample = Array2::zeros((25, 1000));
        for mut row in sample.outer_iter_mut() {
            row.fill(mean + rng.sample::<f64, _>(StandardNormal));
        }
        sample
    };
    let (truth, prediction) = (constant(0.0), constant(10.0));
    let found = distances(truth.view(), prediction.view(), "1", 400, 1).unwrap();
    close(found.wasserstein_1.value, 10.0, 1.2);
    close(found.wasserstein_1.std_error.unwrap(), (2.0_f64 / 25.0).sqrt(), 0.08);
    assert_eq!(found.kolmogorov_smirnov.value, 1.0);
    let mut broken = prediction.clone();
    broken[[3, 3]] = f64::NAN;
    assert_eq!(distances(truth.view(), broken.view(), "1", 2, 1).unwrap().diverged.prediction, 1);
}

#[test]
fn densities_hold_the_right_mass() {
    let sample = arr2(&[[0.0, 0.1, 0.5, 1.0], [0.9, 0.2, 0.6, 2.5]]);
    let found = density(sample.view(), &[0.0, 0.5, 1.0], 50, 1).unwrap();
    close(found.density[0], 3.0 / 8.0 / 0.5, 1e-14);
    close(found.density[1], 4.0 / 8.0 / 0.5, 1e-14);
    let edges = common_edges(&[sample.view()], 5).unwrap();
    assert_eq!((edges[0], edges[5], edges.len()), (0.0, 2.5, 6));
    let wild = arr2(&[[0.5, 1e30, f64::INFINITY, 0.0], [0.9, 0.2, 0.6, 2.0]]);
    let without_wild = common_edges(&[sample.view(), wild.view()], 5).unwrap();
    assert_eq!(without_wild, edges, "a trajectory that diverges does not stretch the bins");
    let all = density(sample.view(), &edges, 50, 1).unwrap();
    close(all.density.iter().map(|density| density * 0.5).sum::<f64>(), 1.0, 1e-12);
    assert_eq!(all.std_error.unwrap().len(), 5);
}

#[test]
fn reversals_need_a_passage_between_both_thresholds() {
    assert_eq!(reversals(&[0.5, 0.1, -0.1, 0.1, 0.5], 0.3), 0);
    assert_eq!(reversals(&[0.5, -0.1, -0.4, -0.6, 0.2, 0.3, -0.3], 0.3), 3);
    assert_eq!(reversals(&[1.0, 0.0, -1.0, 0.0, -1.0], 0.0), 1);
    let series = arr2(&[[0.5, -0.5, 0.5], [0.5, 0.5, 0.5]]);
    let rate = reversal_rate((series.view(), 1), 10.0, 0.3, "sweeps", 100, 1).unwrap();
    close(rate.value, 2.0 / 40.0, 1e-15);
    assert_eq!((rate.unit.as_str(), rate.samples), ("1/sweeps", 2));
    let none = reversal_rate((arr2(&[[0.5; 3]; 2]).view(), 1), 10.0, 0.3, "sweeps", 100, 1).unwrap();
    close(none.value, 0.0, 0.0);
    close(none.std_error.unwrap(), 1.0 / 40.0, 1e-15);
}

#[test]
fn the_kernel_is_the_mean_of_six_gaussians() {
    for squared in [0.0, 1e-3, 0.3, 2.0, 40.0, 1e4] {
        let direct: f64 = BANDWIDTHS.iter().map(|sigma| (-squared / (2.0 * sigma * sigma)).exp()).sum::<f64>() / 6.0;
        close(kernel(squared), direct, 1e-13);
    }
    assert_eq!(kernel(f64::INFINITY), 0.0);
    assert_eq!(kernel(f64::NAN), 0.0);
}

#[test]
fn mmd_is_the_hand_computed_one() {
    let (truth, prediction) = (arr2(&[[0.0, 0.0], [1.0, 0.0]]), arr2(&[[0.0, 2.0], [0.0, 0.0]]));
    let found = mmd_squared(truth.view(), prediction.view());
    let (k1, k4, k5) = (kernel(1.0), kernel(4.0), kernel(5.0));
    let cross = 2.0 * (k4 + 1.0 + k5 + k1) / 4.0;
    close(found.unbiased, k1 + k4 - cross, 1e-13);
    close(found.biased, (1.0 + k1) / 2.0 + (1.0 + k4) / 2.0 - cross, 1e-13);
}

#[test]
fn mmd_of_equal_laws_is_zero_within_its_error_and_of_different_laws_is_not() {
    let truth = gaussian((50, 8, 2), 0.0, 1.0, 21);
    let find = |mean: f64, item: u64| {
        mmd_against_time(truth.view(), gaussian((50, 8, 2), mean, 1.0, item).view(), &[0, 1]).unwrap()
    };
    let equal = find(0.0, 22);
    let error = equal.mean_unbiased.std_error.unwrap();
    close(equal.mean_unbiased.value, 0.0, 4.0 * error);
    assert!(error < 0.01, "{error}");
    assert!(equal.biased.iter().all(|&value| value > 0.0));
    assert!(equal.unbiased.iter().any(|&value| value < 0.0), "an unbiased estimate of zero has both signs");
    let shifted = find(1.0, 23);
    assert!(shifted.mean_unbiased.value > 10.0 * shifted.mean_unbiased.std_error.unwrap());
    close(shifted.mean_root.value, shifted.biased.iter().map(|square| square.sqrt()).sum::<f64>() / 8.0, 1e-13);
    let both = average(&[equal.mean_root.clone(), shifted.mean_root.clone()]);
    close(both.value, (equal.mean_root.value + shifted.mean_root.value) / 2.0, 1e-15);
}

#[test]
fn the_jackknife_error_of_mmd_is_the_scatter_of_repeats() {
    let repeats: Vec<_> = (0..80)
        .map(|item| {
            let (truth, prediction) =
                (gaussian((30, 1, 1), 0.0, 1.0, 1000 + item), gaussian((30, 1, 1), 0.8, 1.0, 2000 + item));
            mmd_against_time(truth.view(), prediction.view(), &[0]).unwrap()
        })
        .collect();
    for pick in [|one: &MmdAgainstTime| one.mean_unbiased.clone(), |one: &MmdAgainstTime| one.mean_root.clone()] {
        let metrics: Vec<Metric> = repeats.iter().map(pick).collect();
        let values: Vec<f64> = metrics.iter().map(|metric| metric.value).collect();
        let scatter = Metric::mean_of(&values, "1").std_error.unwrap() * 80.0_f64.sqrt();
        let claimed = metrics.iter().map(|metric| metric.std_error.unwrap()).sum::<f64>() / 80.0;
        close(claimed / scatter, 1.0, 0.3);
    }
}

#[test]
fn divergence_raises_the_discrepancy() {
    let truth = gaussian((20, 3, 1), 0.0, 1.0, 31);
    let mut prediction = gaussian((20, 3, 1), 0.0, 1.0, 32);
    let before = mmd_against_time(truth.view(), prediction.view(), &[0]).unwrap();
    prediction.slice_mut(s![..10, 2, 0]).fill(f64::NAN);
    let after = mmd_against_time(truth.view(), prediction.view(), &[0]).unwrap();
    assert_eq!(before.biased[0], after.biased[0]);
    assert!(after.unbiased[2] > before.unbiased[2] + 0.1);
    assert_eq!(after.diverged.prediction, 10);
}

#[test]
fn criticality_of_known_samples() {
    // Half the times at +m and half at -m: ordered, chi 0, U = 2/3.
    let ordered = Array2::from_shape_fn((4, 10), |(_, time)| if time % 2 == 0 { 0.5 } else { -0.5 });
    let found = criticality(ordered.view(), 256, 2.0, 0, 50, 1).unwrap();
    close(found.magnetisation.value, 0.5, 1e-14);
    close(found.susceptibility.value, 0.0, 1e-12);
    close(found.binder.value, 2.0 / 3.0, 1e-14);
    // |M| in {0.2, 0.6}: chi = 100/2.5 (0.2 - 0.16), U = 1 - 0.0656 / (3 * 0.04).
    let two = arr2(&[[0.2, -0.6, 0.6, -0.2]]);
    let found = criticality(two.view(), 100, 2.5, 2, 50, 1).unwrap();
    close(found.susceptibility.value, 40.0 * 0.04, 1e-12);
    close(found.binder.value, 1.0 - 0.0656 / 0.12, 1e-12);
    assert_eq!(found.binder.samples, 2);
    assert!(criticality(two.view(), 100, 0.0, 2, 50, 1).is_err());
    assert!(criticality(two.view(), 100, 1.0, 5, 50, 1).is_err());
}

#[test]
fn criticality_of_a_gaussian_within_its_errors() {
    let sample = gaussian((200, 50, 1), 0.0, 0.1, 41);
    let found = criticality(sample.slice(s![.., .., 0]), 64, 2.0, 0, 300, 1).unwrap();
    let within = |metric: &Metric, expected: f64| {
        let error = metric.std_error.unwrap();
        close(metric.value, expected, 4.0 * error);
        error
    };
    let half_width = within(&found.magnetisation, 0.1 * (2.0 / std::f64::consts::PI).sqrt());
    close(half_width, 0.1 * (1.0 - 2.0 / std::f64::consts::PI).sqrt() / 100.0, 1.2e-4);
    within(&found.susceptibility, 32.0 * 0.01 * (1.0 - 2.0 / std::f64::consts::PI));
    within(&found.binder, 0.0);
}

#[test]
fn fits_recover_exact_curves_and_claim_the_right_errors() {
    let x = [16.0, 32.0, 48.0, 64.0, 128.0];
    let y = x.map(|x: f64| 3.0 * x.powf(-0.125));
    let fit = power_law_fit(&x, &y, None).unwrap();
    close(fit.slope.0, -0.125, 1e-12);
    close(fit.intercept.0, 3.0_f64.ln(), 1e-12);
    let cubic: Vec<f64> = x.iter().map(|x| 1.0 - 2.0 * x + 0.01 * x * x * x).collect();
    let fit = polynomial_fit(&x, &cubic, None, 3).unwrap();
    close(fit.slope_at(20.0).0, -2.0 + 0.03 * 400.0, 1e-7);
    assert!(polynomial_fit(&x[..3], &cubic[..3], None, 3).is_err());
    assert!(polynomial_fit(&[1.0, 1.0], &[1.0, 2.0], None, 1).is_err());
    assert!(power_law_fit(&x, &[1.0, 2.0, -1.0, 1.0, 1.0], None).is_err());
    let errors = [0.05, 0.1, 0.2, 0.1, 0.3];
    let mut rng = source(51);
    let slopes: Vec<f64> = (0..2000)
        .map(|_| {
            let y: Vec<f64> =
                x.iter().zip(errors).map(|(x, error)| 2.0 * x + error * rng.sample::<f64, _>(StandardNormal)).collect();
            polynomial_fit(&x, &y, Some(&errors), 1).unwrap().slope_at(0.0).0
        })
        .collect();
    let claimed = polynomial_fit(&x, &x.map(|x| 2.0 * x), Some(&errors), 1).unwrap().slope_at(0.0).1;
    let scatter = Metric::mean_of(&slopes, "1").std_error.unwrap() * 2000.0_f64.sqrt();
    close(claimed / scatter, 1.0, 0.06);
}

#[test]
fn collapse_is_one_within_errors_and_large_for_wrong_exponents() {
    let mut rng = source(61);
    let mut quality = |shift: f64| {
        let curves: Vec<Vec<(f64, f64, f64)>> = (0..4)
            .map(|curve| {
                let point = |k: i32, noise: f64| {
                    let x = 0.1 * f64::from(k) + 0.013 * f64::from(curve);
                    (x, x.tanh() + shift * f64::from(curve) + 0.02 * noise, 0.02)
                };
                (-20..20).map(|k| point(k, rng.sample(StandardNormal))).collect()
            })
            .collect();
        collapse_quality(&curves)
    };
    close(quality(0.0), 1.0, 0.4);
    assert!(quality(0.05) > 3.0);
}

#[test]
fn metrics_keep_their_order_and_survive_json() {
    let mut metrics = Metrics::new();
    metrics.insert("test_error", Metric::new(8e-4, Some(3e-5), 140, "1"));
    metrics.insert("a_later_name", Metric::exact(f64::NAN, 3, "sweeps"));
    metrics.insert("test_error", Metric::new(9e-4, Some(f64::NAN), 140, "1"));
    let text = serde_json::to_string(&metrics).unwrap();
    assert_eq!(
        text,
        r#"{"test_error":{"value":0.0009,"std_error":null,"samples":140,"unit":"1"},"a_later_name":{"value":null,"std_error":null,"samples":3,"unit":"sweeps"}}"#
    );
    let back: Metrics = serde_json::from_str(&text).unwrap();
    assert_eq!(back.len(), 2);
    assert!(back.get("a_later_name").unwrap().value.is_nan());
    assert_eq!(back.get("test_error").unwrap().value, 9e-4);
}

/// A double well with detailed balance, M' = M + D (ln p)'(M) dt + sqrt(2 D dt) noise, from which few pairs are drawn
/// at states that are not its equilibrium: the pairs still imply the equilibrium.
#[test]
fn pairs_imply_the_equilibrium_whatever_their_states_are() {
    const PATCHES: usize = 4;
    let slope = |m: f64| 60.0 * m * (0.36 - m * m);
    let (rate, time) = (0.01, 0.05);
    let noise = gaussian((1_600_000, 1, 1), 0.0, 1.0, 8);
    let pairs = noise.iter().enumerate().map(|(number, noise)| {
        // Uniform in [-0.9, 0.9): the law has nearly nothing beyond.
        let magnetisation = -0.9 + 1.8 * (number as f64 * 0.618_033_988_75).fract();
        let spread = (2.0 * rate * time * PATCHES as f64).sqrt();
        let increment = rate * slope(magnetisation) * time + spread * noise;
        MagnetPair { magnetisation, increment, quiet: increment, time, word: number / 4000 }
    });
    let (sites, temperature) = (4096, 2.25);
    let found = criticality_of_pairs(pairs, PATCHES, true, sites, temperature).unwrap();
    let moment = |power: i32| {
        let weights = (-1000..=1000)
            .map(|step| f64::from(step) * 1e-3)
            .map(|m| (m.abs().powi(power), (60.0 * (0.18 * m * m - 0.25 * m.powi(4))).exp()));
        let (sum, total) = weights.fold((0.0, 0.0), |(sum, total), (m, p)| (sum + m * p, total + p));
        sum / total
    };
    // The rate has no formula here: passages of a trajectory are counted.
    let step = 0.01;
    let mut rng = source(9);
    let mut now = 0.0;
    let trajectory: Vec<f64> = (0..10_000_000)
        .map(|_| {
            now += rate * slope(now) * step + (2.0 * rate * step).sqrt() * rng.sample::<f64, _>(StandardNormal);
            now
        })
        .collect();
    let passages = reversals(&trajectory, 0.5 * moment(1)) as f64 / (trajectory.len() as f64 * step);
    let exact = [
        moment(1),
        sites as f64 / temperature * (moment(2) - moment(1).powi(2)),
        1.0 - moment(4) / (3.0 * moment(2).powi(2)),
        passages,
        // The least eigenvalue above 0 of the Fokker-Planck operator, by finite differences on 2000 points.
        0.013_041,
    ];
    for (metric, exact) in found.into_iter().zip(exact) {
        let error = metric.std_error.unwrap();
        assert!(error < 0.1 * exact, "{metric:?} says little");
        close(metric.value, exact, 3.0 * error);
    }
}
