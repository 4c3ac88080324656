//! Standard errors of the direct simulation where trajectories from different starts share a word.

use ndarray::{Array2, Array3, Array4, s};
use std::collections::BTreeMap;
use tessera::{
    dynamics::{Dynamics, InLanes, Lanes, Until},
    evaluation::{Metrics, Symmetry},
    lattice::{Region, Shape, Window},
    rng::{Purpose, stream},
    scores::{
        self, Choices, Equilibrium, Evidence, Magnet, ModelKind, PairsEvidence, PublishedTestError, Score,
        TrustEvidence,
    },
    systems::{Ising, System},
};

const STARTS: usize = 32;
const WORDS: usize = 8;
const REPEATS: u64 = 200;
const SIDE: usize = 8;

/// The first two units of time, in which lanes are correlated most, from random states: a word of `STARTS` trajectories
/// for each number. `[start * word, record, observable]`.
fn truth(ising: &Ising, spread: f64, repeat: u64) -> Array3<f64> {
    let shape = Shape::plane(SIDE, SIDE);
    let law = InLanes::<_, 1>::new(ising).expect("two states");
    let mut found = Array3::zeros((STARTS * WORDS, 4, 2));
    for word in 0..WORDS {
        let mut rng = stream(repeat, Purpose::TruthEvolve, [word as u64, 0]);
        let states: Vec<_> = (0..STARTS)
            .map(|start| {
                let item = [(start * WORDS + word) as u64, repeat];
                ising.draw(shape, Some(spread * (0.9 - 0.02 * start as f64)), &mut stream(5, Purpose::TruthDraw, item))
            })
            .collect();
        let sites: Vec<&[i8]> = states.iter().map(|state| &state.sites[..]).collect();
        let mut window = Window::closed(shape, 1);
        window.load(&law.pack(shape, &sites), [0; 3]);
        for record in 0..4 {
            Lanes::default().evolve(&law, &mut window, Until::Time(0.5), &mut rng).expect("a time");
            let words: Vec<_> = window.values_of(Region::BOX).collect();
            for (start, state) in law.unpack(&words, STARTS).chunks_exact(shape.sites()).enumerate() {
                let mut whole = Window::closed(shape, 1);
                whole.load(&tessera::lattice::Lattice::from_sites(shape, state.to_vec()), [0; 3]);
                let observed = ising.observe(&whole, Region::BOX);
                for (component, sum) in observed.into_iter().enumerate() {
                    found[[start * WORDS + word, record, component]] = sum / shape.sites() as f64;
                }
            }
        }
    }
    found
}

/// With a prediction that is twice `mean` and has no noise, so that all errors are those of the truth.
fn evidence(truth: Array3<f64>, truth_word: Vec<usize>, mean: &Array2<f64>) -> Evidence {
    let (trajectories, records, components) = truth.dim();
    let model = Array4::from_shape_fn((1, trajectories, records, components), |(_, _, record, component)| {
        2.0 * mean[[record, component]]
    });
    Evidence {
        observables: Ising::OBSERVABLES,
        truth,
        truth_word,
        models: vec![(ModelKind::Ours, model)],
        regular: (0..records).collect(),
        sizes: Vec::new(),
        times: (0..records).map(|record| 0.5 * record as f64).collect(),
        least: ndarray::Array1::zeros(components),
        range: ndarray::Array1::ones(components),
        conditions: vec![2.27.into()],
        starts: STARTS,
        symmetries: Symmetry::group(&[], components),
        sites: SIDE * SIDE,
        pairs: PairsEvidence::default(),
        equations: Vec::new(),
        calibrations: Vec::new(),
        trust: TrustEvidence::default(),
        choices: Choices { seed: 1, equilibrium: 1.0, resamples: 50, discrepancy: false },
    }
}

fn metrics(truth: &Array3<f64>, truth_word: Vec<usize>, mean: &Array2<f64>) -> Metrics {
    let magnet: Box<dyn Score> = Box::new(Magnet { component: 0, temperature: 2.27, critical: None });
    let scores = [Box::new(Equilibrium) as Box<dyn Score>, Box::new(PublishedTestError), magnet];
    scores::metrics(&evidence(truth.clone(), truth_word, mean), &scores).expect("finite trajectories")
}

/// The scatter of 200 repeats is that which each of them states, for every kind of error over the truth. Errors that
/// took trajectories for independent would be too small where starts are alike, and too large where they are not.
#[test]
fn errors_of_the_direct_simulation_are_those_between_words() {
    let (alike, apart) = (over_repeats(0.0), over_repeats(1.0));
    assert!(alike > 2.0, "trajectories of a word are correlated: {alike}");
    assert!(apart < 0.6, "trajectories from different starts differ: {apart}");
}

/// Compares errors with the scatter, and returns the variance of the mean density of walls over that which independent
/// trajectories would have.
fn over_repeats(spread: f64) -> f64 {
    let ising = Ising::new(2.27, 0.0);
    let names = [
        "equilibrium_domain_wall_density_truth",
        "spread_domain_wall_density_truth",
        "equilibrium_magnetisation_truth",
        "absolute_magnetisation_truth",
        "susceptibility_truth",
        "wasserstein_1_domain_wall_density",
        "test_error",
    ];
    // Values, and squared errors over words and over trajectories.
    let mut all: BTreeMap<&str, Vec<[f64; 3]>> = BTreeMap::new();
    let mean = truth(&ising, spread, REPEATS).mean_axis(ndarray::Axis(0)).expect("trajectories");
    for repeat in 0..REPEATS {
        let truth = truth(&ising, spread, repeat);
        let words = metrics(&truth, (0..STARTS * WORDS).map(|trajectory| trajectory % WORDS).collect(), &mean);
        let alone = metrics(&truth, (0..STARTS * WORDS).collect(), &mean);
        for name in names {
            let [own, other] = [&words, &alone].map(|found| found.get(name).expect("it is scored"));
            assert!((own.value - other.value).abs() < 1e-9, "{name}: the value does not depend on words");
            let [over_words, over_trajectories] = [own, other].map(|metric| metric.std_error.expect("errors").powi(2));
            all.entry(name).or_default().push([own.value, over_words, over_trajectories]);
        }
    }
    let ratios = |name: &str| {
        let found = Array2::from(all[name].clone());
        let scatter = found.slice(s![.., 0]).var(1.0);
        [1, 2].map(|column| scatter / found.slice(s![.., column]).mean().expect("repeats"))
    };
    for name in names {
        let [words, trajectories] = ratios(name);
        println!("{name}: variance over that of words {words:.2}, of trajectories {trajectories:.2}");
        // A variance from 200 repeats is known to 10 %, that between 8 words to 4 %.
        assert!((words - 1.0).abs() < 0.4, "{name}: {words}");
    }
    ratios(names[0])[1]
}
