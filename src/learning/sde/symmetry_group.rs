//! The symmetry group of the law of latent states: g z = c + G (z - c) with signed permutations G about a centre c.
//!
//! Where images of evolutions are as likely as their originals, mu(g z) = G mu(z) and Sigma(g z) = G Sigma(z) G^T. The
//! means over the group, of G^-1 mu(g z) and of G^-1 Sigma(g z) G^-T, have these symmetries exactly. Where all G are
//! diagonal in the coordinates of the model, the mean of G^-1 L(g z) G has them too and replaces the factor of the mean
//! Sigma.

use crate::{
    evaluation::Symmetry,
    learning::sde::{Coordinates, Pairs, likelihood::Factor},
};
use ndarray::{Array2, ArrayView1, Axis};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// A finite group of symmetries of the latent state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct SymmetryGroup {
    /// All elements, identity first.
    pub elements: Vec<Symmetry>,
    /// What stays where it is, in physical units.
    pub centre: Vec<f64>,
}

/// A group in a model file. Older files hold one reflection.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Group { elements: Vec<Symmetry>, centre: Vec<f64> },
    Reflection { signs: Vec<f64>, centre: Vec<f64> },
}

impl From<Stored> for SymmetryGroup {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Group { elements, centre } => Self { elements, centre },
            Stored::Reflection { signs, centre } => {
                Self { elements: Symmetry::group(&[Symmetry::of_signs(&signs)], signs.len()), centre }
            }
        }
    }
}

impl SymmetryGroup {
    /// Every pair, followed by its images under the other elements.
    pub fn with_images(&self, pairs: &Pairs) -> Pairs {
        let Self { elements, centre } = self;
        let originals: Vec<usize> = (0..elements.len() * pairs.dt.len()).map(|row| row / elements.len()).collect();
        let mut all = pairs.rows(&originals);
        for (row, &own) in originals.iter().enumerate() {
            let Symmetry { permutation, signs } = &elements[row % elements.len()];
            for (component, (&from, sign)) in permutation.iter().zip(signs).enumerate() {
                let z = f64::from(pairs.z[[own, from]]);
                all.z[[row, component]] = (centre[component] + sign * (z - centre[from])) as f32;
                all.increment[[row, component]] = *sign as f32 * pairs.increment[[own, from]];
                if let (Some(all), Some(own_values)) = (&mut all.compensator, &pairs.compensator) {
                    all[[row, component]] = *sign as f32 * own_values[[own, from]];
                }
            }
        }
        all
    }

    /// Whether all images of states that the coordinates can describe are such states.
    pub(super) fn acts_on(&self, coordinates: &Coordinates) -> bool {
        let identity = Array2::<f64>::eye(coordinates.independent());
        let closed =
            |[map, inverse]: &[Array2<f64>; 2]| (map.dot(inverse) - &identity).iter().all(|error| error.abs() < 1e-6);
        self.maps(coordinates).iter().all(closed)
    }

    /// For each element, A of g x = c + (x - c) A for rows x of coordinates, and the inverse of A, `[r, r]`.
    fn maps(&self, coordinates: &Coordinates) -> Vec<[Array2<f64>; 2]> {
        let signs_alone = self.changes_signs_alone(coordinates);
        let map = |Symmetry { permutation, signs }: &Symmetry| {
            let size = signs.len();
            let map =
                Array2::from_shape_fn((size, size), |(from, to)| if permutation[to] == from { signs[to] } else { 0.0 });
            [map.view(), map.t()].map(|map| match signs_alone {
                true => map.to_owned(),
                false => coordinates.physical().dot(&map).dot(&coordinates.standard()),
            })
        };
        self.elements.iter().map(map).collect()
    }

    /// Whether all maps of coordinates are diagonal.
    fn changes_signs_alone(&self, coordinates: &Coordinates) -> bool {
        coordinates.is_by_component() && self.elements.iter().all(Symmetry::changes_signs_alone)
    }

    pub(super) fn tensors(&self, coordinates: &Coordinates, kind: Kind, device: Device) -> SymmetryGroupTensors {
        let tensor = |values: Vec<f64>| Tensor::from_slice(&values).to_kind(kind).to_device(device);
        let (size, order) = (coordinates.independent(), self.elements.len() as i64);
        let maps = self.maps(coordinates);
        let stacked = |which: usize| {
            let maps = maps.iter().flat_map(|both| both[which].iter().copied());
            tensor(maps.collect()).view([order, size as i64, size as i64])
        };
        let below: Vec<[usize; 2]> =
            (0..size).flat_map(|column| (column + 1..size).map(move |row| [row, column])).collect();
        let lower_signs = self.changes_signs_alone(coordinates).then(|| {
            let signs = self.elements.iter().map(|element| &element.signs);
            let signs = signs.flat_map(|signs| below.iter().map(|&[row, column]| signs[row] * signs[column]));
            tensor(signs.collect()).view([order, 1, below.len() as i64])
        });
        let below: Vec<i64> = below.iter().map(|[row, column]| (row * size + column) as i64).collect();
        let centre = coordinates.states(ArrayView1::from(&self.centre).insert_axis(Axis(0)));
        SymmetryGroupTensors {
            centre: tensor(centre.into_iter().collect()),
            maps: stacked(0),
            inverses: stacked(1),
            lower_signs,
            below: Tensor::from_slice(&below).to_device(device),
        }
    }
}

/// A group on the device, as it acts on rows of coordinates.
pub(super) struct SymmetryGroupTensors {
    pub(super) centre: Tensor,
    /// A of each element, `[elements, r, r]`.
    maps: Tensor,
    inverses: Tensor,
    /// Signs of L below the diagonal, `[elements, 1, r (r-1) / 2]`, for a group that changes signs alone.
    lower_signs: Option<Tensor>,
    /// Positions below the diagonal of an r x r matrix, by columns.
    below: Tensor,
}

impl SymmetryGroupTensors {
    /// Number of elements.
    pub fn order(&self) -> i64 {
        self.maps.size()[0]
    }

    /// Coordinates `[samples, r]`, followed by their images under one element after the other.
    pub fn images(&self, x: &Tensor) -> Tensor {
        let others = self.maps.narrow(0, 1, self.order() - 1);
        let images = &self.centre + (x - &self.centre).matmul(&others);
        Tensor::cat(&[x, &images.flatten(0, 1)], 0)
    }

    /// The symmetric means of drift and factor at [all images](Self::images).
    pub fn mean(&self, drift: &Tensor, factor: &Factor) -> (Tensor, Factor) {
        let drift = self.by_element(drift).matmul(&self.inverses);
        let factor = match &self.lower_signs {
            Some(signs) => Factor {
                diagonal: mean(&self.by_element(&factor.diagonal)),
                lower: factor.lower.as_ref().map(|lower| mean(&(self.by_element(lower) * signs))),
            },
            None => self.factor_of_mean(factor),
        };
        (mean(&drift), factor)
    }

    /// The Cholesky factor of the mean Sigma. States that diverge make it NaN, not an error.
    fn factor_of_mean(&self, factor: &Factor) -> Factor {
        let kind = factor.diagonal.kind();
        let transposed = self.by_element(&factor.matrix().to_kind(Kind::Double)).transpose(-2, -1);
        let transposed = transposed.matmul(&self.inverses.to_kind(Kind::Double).unsqueeze(1));
        let covariance = mean(&transposed.transpose(-2, -1).matmul(&transposed));
        let matrix = covariance.linalg_cholesky_ex(false, false).0.to_kind(kind);
        let lower = matrix.flatten(1, 2).index_select(1, &self.below);
        Factor { diagonal: matrix.diagonal(0, -2, -1), lower: Some(lower) }
    }

    /// `[elements samples, ..]` as `[elements, samples, ..]`.
    fn by_element(&self, values: &Tensor) -> Tensor {
        values.unflatten(0, [self.order(), values.size()[0] / self.order()])
    }
}

/// Mean over elements.
fn mean(values: &Tensor) -> Tensor {
    values.mean_dim(0, false, None::<Kind>)
}
