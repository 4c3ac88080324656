//! Theorem 1 of arXiv 2511.12842 for predators and prey: the conventional loss on evolutions of the whole lattice and
//! the modified loss on evolutions of one patch have the same minimisers when lambda = K.
//!
//! With a drift that is linear in its parameters and a constant diffusion the minimisers are known in closed form: the
//! drift is that of least squares, whatever lambda, and Sigma is the mean square residual over lambda dt.

use ndarray::{Array1, Array2};
use rand::Rng as _;
use rand_distr::{Distribution, StandardNormal};
use tch::{Device, Kind, Tensor};
use tessera::{
    dynamics::Until,
    lattice::{Lattice, Shape},
    learning::{Pairs, SdeInput, SdeModel, TrainInput, TrainingContext, fit},
    parallel::Alone,
    rng::{Purpose, Rng, stream},
    sampling::{PartialEvolution, Surroundings},
    systems::PredatorPrey,
};

const SITES: usize = 200;
const PATCHES: usize = 5;
const SAMPLES: u64 = 20_000;
/// Unit of the increments that the training sees.
const INCREMENT: f64 = 0.001;

/// Drift (b + A z, one row a component), its standard errors, and mean square residuals over dt; the pairs, states in
/// units of 0.05 about 0.5 and increments in units of 0.001.
struct Minimiser {
    pairs: Pairs,
    drift: [[f64; 3]; 2],
    errors: [[f64; 3]; 2],
    residuals: [[f64; 2]; 2],
}

/// Fields with means drawn from the range of the published starts, and a little roughness.
fn snapshot(rng: &mut Rng) -> Lattice<[f64; 2]> {
    let means: [f64; 2] = [rng.random_range(0.45..0.55), rng.random_range(0.45..0.55)];
    let rough = |mean: f64, rng: &mut Rng| {
        let normal: f64 = StandardNormal.sample(rng);
        mean + 0.01 * normal
    };
    let sites = (0..SITES).map(|_| [rough(means[0], rng), rough(means[1], rng)]).collect();
    Lattice::from_sites(Shape::chain(SITES), sites)
}

fn mean(lattice: &Lattice<[f64; 2]>) -> [f64; 2] {
    [0, 1].map(|field| lattice.sites.iter().map(|site| site[field]).sum::<f64>() / SITES as f64)
}

fn minimiser(patches: usize, seed: u64) -> Minimiser {
    let law = PredatorPrey::default();
    let (shape, patch) = (Shape::chain(SITES), Shape::chain(SITES / patches));
    let until = Until::Time(law.step);
    let mut partial = PartialEvolution::new(&law, shape, patch, Surroundings::Ghost, until);
    let mut rows: Vec<([f64; 3], Vec<f64>)> = Vec::new();
    for sample in 0..SAMPLES {
        let mut rng = stream(seed, Purpose::Bench, [sample, 0]);
        let lattice = snapshot(&mut rng);
        let origin = rng.random_range(0..patches) * SITES / patches;
        let pair = partial.evolve(&lattice, [0, 0, origin as isize], &mut rng).unwrap();
        let [u, v] = mean(&lattice);
        rows.push(([1.0, u - 0.5, v - 0.5], pair.increment.iter().map(|change| change / law.step).collect()));
    }
    let mut normal = [[0.0; 3]; 3];
    let mut right = [[0.0; 3]; 2];
    for (features, rates) in &rows {
        for (i, feature) in features.iter().enumerate() {
            (0..3).for_each(|j| normal[i][j] += feature * features[j]);
            (0..2).for_each(|component| right[component][i] += feature * rates[component]);
        }
    }
    let inverse = inverse(normal);
    let drift = right.map(|right| inverse.map(|row| (0..3).map(|j| row[j] * right[j]).sum()));
    let mut residuals = [[0.0; 2]; 2];
    for (features, rates) in &rows {
        let left: Vec<f64> =
            (0..2).map(|c| rates[c] - (0..3).map(|j| drift[c][j] * features[j]).sum::<f64>()).collect();
        (0..2).for_each(|i| (0..2).for_each(|j| residuals[i][j] += left[i] * left[j] / SAMPLES as f64 * law.step));
    }
    let error = |component: usize, i: usize| (residuals[component][component] / law.step * inverse[i][i]).sqrt();
    let pairs = Pairs {
        z: Array2::from_shape_fn((rows.len(), 2), |(row, component)| (rows[row].0[1 + component] / 0.05) as f32),
        increment: Array2::from_shape_fn((rows.len(), 2), |(row, component)| {
            (rows[row].1[component] * law.step / INCREMENT) as f32
        }),
        dt: Array1::from_elem(rows.len(), law.step as f32),
        trajectory: (0..rows.len() as u32).collect(),
        compensator: None,
        deviation: None,
        condition: None,
    };
    Minimiser { pairs, drift, errors: [0, 1].map(|component| [0, 1, 2].map(|i| error(component, i))), residuals }
}

/// By cofactors.
fn inverse(m: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let minor = |i: usize, j: usize| {
        let [a, b, c, d] = [(i + 1) % 3, (i + 2) % 3, (j + 1) % 3, (j + 2) % 3];
        m[a][c] * m[b][d] - m[a][d] * m[b][c]
    };
    let determinant: f64 = (0..3).map(|j| m[0][j] * minor(0, j)).sum();
    std::array::from_fn(|i| std::array::from_fn(|j| minor(j, i) / determinant))
}

#[test]
fn one_patch_teaches_the_drift_and_the_diffusion_of_the_whole_lattice() {
    let conventional = minimiser(1, 1);
    let modified = minimiser(PATCHES, 2);
    for component in 0..2 {
        for i in 0..3 {
            let (left, right) = (conventional.drift[component][i], modified.drift[component][i]);
            let error = conventional.errors[component][i].hypot(modified.errors[component][i]);
            assert!((left - right).abs() < 4.0 * error, "drift [{component}][{i}]: {left}, {right} +- {error}");
            assert!(error < 0.1, "too uncertain to test: {error}");
        }
    }
    // d mu_v / d v = a (u - b) = 0.3 at the centre, d mu_v / d u = a v = 1.5.
    assert!((modified.drift[1][1] - 1.5).abs() < 0.1 && (modified.drift[1][2] - 0.3).abs() < 0.1);
    let sampling = (2.0 / SAMPLES as f64).sqrt();
    for component in 0..2 {
        let (expected, found) =
            (conventional.residuals[component][component], modified.residuals[component][component]);
        assert!((found / expected / PATCHES as f64 - 1.0).abs() < 6.0 * sampling, "{found} is not K x {expected}");
        assert!((expected - 0.0004 / SITES as f64).abs() < 5.0 * sampling * expected, "sigma^2 / n, not {expected}");
    }
    let scale = modified.residuals[0][0];
    assert!(modified.residuals[0][1].abs() < 4.0 * scale / (SAMPLES as f64).sqrt(), "u and v are independent");

    // What the program's own training finds: Sigma of the conventional loss times K / lambda.
    for lambda in [1.0, PATCHES as f64, 20.0] {
        let model = SdeInput { diffusion: "constant".into(), ..SdeInput::default() };
        let input = TrainInput { epochs: 20, batch: 200, learning_rate: 0.01, decay: 0.75, ..TrainInput::default() };
        let run = TrainingContext::new(1, &Alone, Device::Cpu);
        let (model, _) = fit(&modified.pairs, lambda, &model, &input, &run, &mut |_| ()).unwrap();
        let factor = model.diffusion(&Tensor::zeros([1, 2], (Kind::Float, Device::Cpu)));
        for component in 0..2 {
            let row = (0..2).map(|column| factor.double_value(&[0, component as i64, column]) * INCREMENT);
            let found = row.map(|entry| entry.powi(2)).sum::<f64>();
            let expected = conventional.residuals[component][component] * PATCHES as f64 / lambda;
            let off = found / expected - 1.0;
            assert!(off.abs() < 6.0 * sampling, "lambda {lambda}: {found} is not K / lambda x {expected}");
        }
    }
}
