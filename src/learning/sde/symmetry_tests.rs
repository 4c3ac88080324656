//! Models that are symmetric under a group, and its images of pairs.

use crate::{
    evaluation::Symmetry,
    learning::{
        Pairs, Sde, SdeInput, SdeModel, SymmetryGroup,
        sde::{Networks, Scales},
        train::parameters::Parameters,
    },
    parallel::Alone,
    rng::{Purpose, stream},
};
use ndarray::{Array1, Array2};
use rand::Rng as _;
use std::sync::Arc;
use tch::{Device, Kind, Tensor};

fn group(generators: &[Symmetry]) -> SymmetryGroup {
    SymmetryGroup { elements: Symmetry::group(generators, 3), centre: vec![0.0; 3] }
}

/// A random model of three components, their increments linearly `dependent` or not, and states that it describes.
fn model(group: &SymmetryGroup, dependent: bool, diffusion: &str, kind: Kind) -> (Sde, Tensor) {
    let mut rng = stream(1, Purpose::Bench, [0, 0]);
    let mut draw = |sum: f32| {
        let mut free = Array2::from_shape_simple_fn((40, 3), || rng.random::<f32>() - 0.3);
        let last = sum - &free.column(0) - free.column(1);
        if dependent {
            free.column_mut(2).assign(&last);
        }
        free
    };
    let (z, increment) = (draw(1.0), draw(0.0));
    let pairs = Pairs {
        z,
        increment,
        compensator: None,
        deviation: None,
        dt: Array1::ones(40),
        trajectory: Array1::zeros(40),
        condition: None,
    };
    let pairs = group.with_images(&pairs);
    let scales = Scales::over(&Alone, &pairs, 4.0).unwrap();
    assert_eq!(scales.independent(), if dependent { 2 } else { 3 });
    let input = SdeInput { diffusion: diffusion.into(), ..SdeInput::default() };
    let (networks, layout) = Networks::new(&input, scales.independent(), 0).unwrap();
    let parameters = Parameters::draw(layout, 5, 0, kind, Device::Cpu);
    let states: Vec<f32> = pairs.z.iter().copied().collect();
    (Sde::new(input, scales, Arc::new(networks), parameters), Tensor::from_slice(&states).view([-1, 3]))
}

/// The largest differences mu(g z) - G mu(z) and Sigma(g z) - G Sigma(z) G^T over elements and states.
fn asymmetry(model: &Sde, group: &SymmetryGroup, z: &Tensor) -> f64 {
    let fields = |z: &Tensor| {
        let factor = model.diffusion(z);
        (model.drift(z), factor.matmul(&factor.transpose(-2, -1)))
    };
    let (drift, covariance) = fields(z);
    let of_element = |Symmetry { permutation, signs }: &Symmetry| {
        let from: Vec<i64> = permutation.iter().map(|&from| from as i64).collect();
        let (from, signs) = (Tensor::from_slice(&from), Tensor::from_slice(signs));
        let image = |values: &Tensor| values.index_select(-1, &from) * &signs;
        let (found_drift, found_covariance) = fields(&image(&z.to_kind(Kind::Double)));
        let covariance = image(&image(&covariance).transpose(-2, -1));
        let difference = |found: Tensor, expected: Tensor| (found - expected).abs().max().double_value(&[]);
        difference(found_drift, image(&drift)).max(difference(found_covariance, covariance))
    };
    group.elements.iter().map(of_element).fold(0.0, f64::max)
}

#[test]
fn symmetric_models_commute_with_their_group() {
    let swap = Symmetry::of_permutation(&[1, 0, 2]);
    let cycle = Symmetry::of_permutation(&[1, 2, 0]);
    let quarter_turn = Symmetry { permutation: vec![1, 0, 2], signs: vec![-1.0, 1.0, 1.0] };
    let signs = [Symmetry::of_signs(&[-1.0, 1.0, 1.0]), Symmetry::of_signs(&[1.0, -1.0, -1.0])];
    let groups = [
        (group(&[swap.clone(), cycle]), true),
        (group(&[swap]), true),
        (group(&[quarter_turn]), false),
        (group(&signs), false),
    ];
    for (group, keeps_the_sum) in groups {
        for dependent in [false, true].into_iter().filter(|dependent| keeps_the_sum || !dependent) {
            for (diffusion, kind) in [("full", Kind::Double), ("full", Kind::Float), ("diagonal", Kind::Double)] {
                let case = format!("{} elements, {dependent}, {diffusion}, {kind:?}", group.elements.len());
                let (plain, z) = model(&group, dependent, diffusion, kind);
                let found = asymmetry(&plain, &group, &z);
                assert!(found > 1e-2, "{case}: a random model is off by {found} alone");
                let found = asymmetry(&plain.symmetric(group.clone()).unwrap(), &group, &z);
                assert!(found < if kind == Kind::Double { 1e-12 } else { 1e-5 }, "{case}: off by {found}");
            }
        }
    }
}

/// z_3 = 1 - z_1 - z_2 does not hold for images that change the sign of z_1 alone.
#[test]
fn images_that_the_coordinates_cannot_describe_are_refused() {
    let (plain, _) = model(&group(&[]), true, "full", Kind::Double);
    assert!(plain.symmetric(group(&[Symmetry::of_signs(&[-1.0, 1.0, 1.0])])).is_err());
}

/// Models of one reflection are those of files older than groups, bit by bit.
#[test]
fn a_reflection_takes_the_mean_of_both_factors() {
    for kind in [Kind::Float, Kind::Double] {
        let group = group(&[Symmetry::of_signs(&[-1.0, 1.0, 1.0])]);
        let (plain, z) = model(&group, false, "full", kind);
        let x = plain.map().states(&z).to_kind(kind);
        let tensors = group.tensors(plain.coordinates(), kind, Device::Cpu);
        let row = |signs: [f64; 3]| Tensor::from_slice(&signs).to_kind(kind);
        let (signs, lower_signs) = (row([-1.0, 1.0, 1.0]), row([-1.0, -1.0, 1.0]));
        let image = &tensors.centre + (&x - &tensors.centre) * &signs;
        assert_eq!(tensors.images(&x), Tensor::cat(&[&x, &image], 0));
        let (drift, factor) = plain.fields(&tensors.images(&x));
        let mean = |values: &Tensor, signs: &Tensor| {
            let halves = values.chunk(2, 0);
            (&halves[0] + &halves[1] * signs) / 2.0
        };
        let (found_drift, found) = tensors.mean(&drift, &factor);
        assert_eq!(found_drift, mean(&drift, &signs));
        assert_eq!(found.diagonal, mean(&factor.diagonal, &row([1.0; 3])));
        assert_eq!(found.lower.unwrap(), mean(&factor.lower.unwrap(), &lower_signs));
    }
}

#[test]
fn states_that_diverge_have_no_noise_but_are_no_error() {
    let group = group(&[Symmetry::of_permutation(&[1, 0, 2])]);
    let (plain, z) = model(&group, false, "full", Kind::Float);
    let model = plain.symmetric(group).unwrap();
    let lost = Tensor::cat(&[z.narrow(0, 0, 1), z.narrow(0, 1, 1) * f64::NAN], 0);
    let finite = model.diffusion(&lost).isfinite().flatten(1, 2);
    assert!(finite.get(0).all().int64_value(&[]) == 1 && finite.get(1).all().int64_value(&[]) == 0);
}

#[test]
fn a_file_with_one_reflection_is_read_as_a_group() {
    let stored = r#"{"signs": [-1.0, 1.0, 1.0], "centre": [0.0, 0.0, 0.0]}"#;
    let expected = group(&[Symmetry::of_signs(&[-1.0, 1.0, 1.0])]);
    assert_eq!(serde_json::from_str::<SymmetryGroup>(stored).unwrap(), expected);
    let stored = serde_json::to_string(&expected).unwrap();
    assert_eq!(serde_json::from_str::<SymmetryGroup>(&stored).unwrap(), expected);
}
