//! What is known of a macroscopic observable, and how symmetries act on a set of them.

use serde::Serialize;

/// A macroscopic observable, intensive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Observable {
    /// Name in files and metrics.
    pub name: &'static str,
    /// Symbol in figures.
    pub symbol: &'static str,
    /// Physical unit, "1" when dimensionless.
    pub unit: &'static str,
    /// Whether training and the published scores scale it to [0, 1]; otherwise it is used as it is.
    pub scaled: bool,
}

/// An exact symmetry of a law, as it acts on the observables: the image of z is z'_i = `signs[i]` z_j, j = `permutation[i]`.
///
/// A flip of all spins changes the sign of the magnetisation; exchanging two colours of a Potts model exchanges their
/// fractions.
#[derive(Clone, Debug, PartialEq)]
pub struct Symmetry {
    /// The observable that each one becomes.
    pub permutation: Vec<usize>,
    /// 1 or -1 for each observable.
    pub signs: Vec<f64>,
}

impl Symmetry {
    /// A symmetry that changes signs only.
    pub fn of_signs(signs: &[f64]) -> Self {
        Self { permutation: (0..signs.len()).collect(), signs: signs.to_vec() }
    }

    /// A symmetry that exchanges observables only.
    pub fn of_permutation(permutation: &[usize]) -> Self {
        Self { permutation: permutation.to_vec(), signs: vec![1.0; permutation.len()] }
    }

    /// Whether no observable becomes another one.
    pub fn changes_signs_alone(&self) -> bool {
        self.permutation.iter().enumerate().all(|(to, &from)| to == from)
    }
}
