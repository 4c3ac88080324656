//! The reversible drift: mu = -1/2 Sigma grad F + 1/2 div Sigma. Where the law of the sites keeps detailed balance, so
//! does an equation of this form, and its equilibrium is exp(-F) whatever Sigma is.
//!
//! F is a sum of products of Hermite polynomials He_k / sqrt(k!) of the coordinates, up to a total degree. Its weights
//! are linear in the force f = -1/2 grad F, so that at a given Sigma least squares find them.

use crate::learning::{
    sde::{Drift, Factor, InputWidth, SdeInput},
    train::parameters::{Layout, Start},
};
use tch::{Kind, Tensor};

/// Step of the differences that give div Sigma, in standard deviations of the states.
pub(super) const STEP: f64 = 0.02;

/// The potential F of a reversible drift.
pub struct ReversibleDrift {
    degree: i64,
    /// Degrees in each coordinate, of each term.
    terms: Vec<Vec<i64>>,
    position: usize,
}

impl ReversibleDrift {
    /// Adds the weights to `layout`.
    pub fn new(layout: &mut Layout, input: &SdeInput, width: InputWidth) -> Self {
        let degree = input.potential_degree as i64;
        let terms = terms(width.components as usize, degree);
        let position = layout.add("drift.potential", &[terms.len() as i64], Start::Constant(0.0));
        Self { degree, terms, position }
    }

    /// Position of the weights in the layout.
    pub fn position(&self) -> usize {
        self.position
    }

    /// F of states `[samples, d]`, `[samples]`, up to a constant.
    pub fn potential(&self, weights: &[Tensor], states: &Tensor) -> Tensor {
        self.products(&self.polynomials(states), None).matmul(&weights[self.position])
    }

    /// The derivatives of the forces at `states` by the weights, `[samples, d, weights]`.
    pub fn design(&self, states: &Tensor) -> Tensor {
        self.slopes(states) * -0.5
    }

    /// Derivatives of the terms, `[samples, d, terms]`.
    fn slopes(&self, states: &Tensor) -> Tensor {
        let polynomials = self.polynomials(states);
        let slopes: Vec<Tensor> =
            (0..states.size()[1]).map(|coordinate| self.products(&polynomials, Some(coordinate as usize))).collect();
        Tensor::stack(&slopes, 1)
    }

    /// He_k / sqrt(k!) of each coordinate, k from 0 to the degree: `[samples, d, degree + 1]`.
    fn polynomials(&self, states: &Tensor) -> Tensor {
        let mut values = vec![states.ones_like(), states.shallow_clone()];
        for k in 1..self.degree {
            let [before, last] = [&values[k as usize - 1], &values[k as usize]];
            values.push((states * last - before * (k as f64).sqrt()) / ((k + 1) as f64).sqrt());
        }
        Tensor::stack(&values, -1)
    }

    /// The terms, or their derivatives by one coordinate, `[samples, terms]`: He_k' = k He_(k-1).
    fn products(&self, polynomials: &Tensor, derivative: Option<usize>) -> Tensor {
        let of = |coordinate: usize| {
            let degrees = self.terms.iter().map(|term| term[coordinate]);
            let values = polynomials.select(1, coordinate as i64);
            let take =
                |degrees: Vec<i64>| values.index_select(1, &Tensor::from_slice(&degrees).to_device(values.device()));
            if derivative != Some(coordinate) {
                return take(degrees.collect());
            }
            let roots: Vec<f64> = degrees.clone().map(|degree| (degree as f64).sqrt()).collect();
            let roots = Tensor::from_slice(&roots).to_kind(values.kind()).to_device(values.device());
            take(degrees.map(|degree| (degree - 1).max(0)).collect()) * roots
        };
        (1..self.terms[0].len()).fold(of(0), |product, coordinate| product * of(coordinate))
    }
}

impl Drift for ReversibleDrift {
    /// The force f.
    fn forward(&self, weights: &[Tensor], states: &Tensor, _: Option<&Tensor>) -> Tensor {
        self.design(states).matmul(&weights[self.position])
    }

    fn as_reversible(&self) -> Option<&ReversibleDrift> {
        Some(self)
    }
}

/// All degrees in each of `size` coordinates with a sum of 1 to `degree`.
fn terms(size: usize, degree: i64) -> Vec<Vec<i64>> {
    let mut all: Vec<Vec<i64>> = vec![Vec::new()];
    for _ in 0..size {
        let longer = |term: &Vec<i64>| {
            let left = degree - term.iter().sum::<i64>();
            (0..=left).map(|next| [term.as_slice(), &[next]].concat()).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all.retain(|term| term.iter().sum::<i64>() > 0);
    all
}

/// Number of weights of a potential of `degree` in `size` coordinates, without conditions.
pub fn term_count(size: usize, degree: usize) -> f64 {
    (1..=size).map(|k| (degree + k) as f64 / k as f64).product::<f64>() - 1.0
}

/// 1/2 div Sigma by central differences, in the units of the networks, `[samples, d]`.
pub(super) fn half_divergence(states: &Tensor, lengths: &Tensor, factor_at: &dyn Fn(&Tensor) -> Factor) -> Tensor {
    let (samples, size) = (states.size()[0], states.size()[1]);
    let steps = Tensor::eye(size, (states.kind(), states.device())) * STEP;
    let steps = Tensor::cat(&[&steps, &-&steps], 0).unsqueeze(1);
    let root = factor_at(&(states.unsqueeze(0) + steps).flatten(0, 1)).matrix();
    let sigma = root.matmul(&root.transpose(1, 2)).view([2, size, samples, size, size]);
    let slope = (sigma.get(0) - sigma.get(1)) / (2.0 * STEP);
    // Of the derivative by coordinate j, column j.
    let columns = slope.diagonal(0, 0, 3);
    (columns * lengths).sum_dim_intlist(-1, false, None::<Kind>) * 0.5
}
