//! Weighted least-squares fits of polynomials, with the covariance of the coefficients.
//!
//! Minimises `sum_i ((y_i - p(x_i)) / sigma_i)^2`. With errors given, the covariance is that of the errors and
//! `chi_squared` judges the fit; without, all points weigh alike and the covariance is scaled by the scatter about the
//! fit.

use super::EvaluationError;

/// A number and its standard error.
pub type Estimate = (f64, f64);

/// A fitted polynomial `sum_k coefficients[k] (x - center)^k`.
#[derive(Clone, Debug, PartialEq)]
pub struct PolynomialFit {
    /// Mean of the abscissae, about which the polynomial is written.
    pub center: f64,
    /// Coefficients, lowest power first.
    pub coefficients: Vec<f64>,
    /// Covariance of the coefficients, row by row.
    pub covariance: Vec<Vec<f64>>,
    /// Sum of squared residuals, each over its variance (over 1 when no errors were given).
    pub chi_squared: f64,
    /// Points minus coefficients.
    pub degrees_of_freedom: usize,
}

impl PolynomialFit {
    /// Value at `x` and its standard error.
    pub fn value_at(&self, x: f64) -> Estimate {
        self.combine(|power| (x - self.center).powi(power))
    }

    /// First derivative at `x` and its standard error.
    pub fn slope_at(&self, x: f64) -> Estimate {
        let term = |power: i32| if power == 0 { 0.0 } else { power as f64 * (x - self.center).powi(power - 1) };
        self.combine(term)
    }

    fn combine(&self, weight: impl Fn(i32) -> f64) -> Estimate {
        let weights: Vec<f64> = (0..self.coefficients.len()).map(|power| weight(power as i32)).collect();
        let rows = self.covariance.iter().map(|row| row.iter().zip(&weights).map(|(a, b)| a * b).sum::<f64>());
        let variance: f64 = rows.zip(&weights).map(|(row, weight)| row * weight).sum();
        (self.coefficients.iter().zip(&weights).map(|(a, b)| a * b).sum(), variance.max(0.0).sqrt())
    }
}

/// Fits a polynomial of `degree` to points (x, y) with the standard `errors` of y, if known.
///
/// # Errors
/// When there are fewer distinct points than parameters, or a value or error is not finite.
pub fn polynomial_fit(
    x: &[f64],
    y: &[f64],
    errors: Option<&[f64]>,
    degree: usize,
) -> Result<PolynomialFit, EvaluationError> {
    let size = degree + 1;
    let too_few = EvaluationError::TooFewPoints { parameters: size, points: x.len().min(y.len()) };
    if x.len() < size || x.len() != y.len() || errors.is_some_and(|errors| errors.len() != x.len()) {
        return Err(too_few);
    }
    for (what, values) in [("x of a fit", x), ("y of a fit", y)] {
        if let Some(&value) = values.iter().find(|value| !value.is_finite()) {
            return Err(EvaluationError::Value { what, value });
        }
    }
    if let Some(&value) = errors.unwrap_or(&[]).iter().find(|error| !(error.is_finite() && **error > 0.0)) {
        return Err(EvaluationError::Value { what: "the list of standard errors of a fit", value });
    }
    let center = x.iter().sum::<f64>() / x.len() as f64;
    let weight = |index: usize| errors.map_or(1.0, |errors| errors[index].powi(-2));
    let power = |index: usize, power: usize| (x[index] - center).powi(power as i32);
    let sum = |term: &dyn Fn(usize) -> f64| (0..x.len()).map(|index| weight(index) * term(index)).sum::<f64>();
    let normal: Vec<Vec<f64>> =
        (0..size).map(|row| (0..size).map(|column| sum(&|index| power(index, row + column))).collect()).collect();
    let right: Vec<f64> = (0..size).map(|row| sum(&|index| power(index, row) * y[index])).collect();
    let mut covariance = inverse(normal).ok_or(too_few)?;
    let coefficients: Vec<f64> =
        covariance.iter().map(|row| row.iter().zip(&right).map(|(a, b)| a * b).sum()).collect();
    let fitted = |index: usize| coefficients.iter().enumerate().map(|(k, c)| c * power(index, k)).sum::<f64>();
    let chi_squared = sum(&|index| (y[index] - fitted(index)).powi(2));
    let degrees_of_freedom = x.len() - size;
    if errors.is_none() {
        let scatter = if degrees_of_freedom > 0 { chi_squared / degrees_of_freedom as f64 } else { f64::NAN };
        covariance.iter_mut().flatten().for_each(|entry| *entry *= scatter);
    }
    Ok(PolynomialFit { center, coefficients, covariance, chi_squared, degrees_of_freedom })
}

/// A power law `y = exp(intercept) x^slope` fitted on logarithms.
#[derive(Clone, Debug, PartialEq)]
pub struct PowerLaw {
    /// Exponent and its standard error.
    pub slope: Estimate,
    /// Logarithm of the prefactor (y at x = 1) and its standard error.
    pub intercept: Estimate,
    /// See [`PolynomialFit::chi_squared`].
    pub chi_squared: f64,
    /// Points minus two.
    pub degrees_of_freedom: usize,
}

/// Fits a power law to positive points; the error of ln y is `error / y`.
///
/// # Errors
/// As [`polynomial_fit`], and when a value is not above 0.
pub fn power_law_fit(x: &[f64], y: &[f64], errors: Option<&[f64]>) -> Result<PowerLaw, EvaluationError> {
    for (what, values) in [("x of a log-log fit", x), ("y of a log-log fit", y)] {
        if let Some(&value) = values.iter().find(|value| value.is_nan() || **value <= 0.0) {
            return Err(EvaluationError::Value { what, value });
        }
    }
    let logarithms = |values: &[f64]| values.iter().map(|value| value.ln()).collect::<Vec<_>>();
    let relative = errors.map(|errors| errors.iter().zip(y).map(|(error, y)| error / y).collect::<Vec<_>>());
    let fit = polynomial_fit(&logarithms(x), &logarithms(y), relative.as_deref(), 1)?;
    Ok(PowerLaw {
        slope: fit.slope_at(0.0),
        intercept: fit.value_at(0.0),
        chi_squared: fit.chi_squared,
        degrees_of_freedom: fit.degrees_of_freedom,
    })
}

/// Inverse by Gauss-Jordan elimination with row pivots; `None` for a singular matrix.
fn inverse(mut matrix: Vec<Vec<f64>>) -> Option<Vec<Vec<f64>>> {
    let size = matrix.len();
    let scale: Vec<f64> = (0..size).map(|k| matrix[k][k].sqrt().recip()).collect();
    for (row, line) in matrix.iter_mut().enumerate() {
        line.iter_mut().zip(&scale).for_each(|(entry, column)| *entry *= scale[row] * column);
        line.extend((0..size).map(|column| f64::from(u8::from(column == row))));
    }
    for column in 0..size {
        let pivot = (column..size).max_by(|&a, &b| matrix[a][column].abs().total_cmp(&matrix[b][column].abs()))?;
        matrix.swap(column, pivot);
        let lead = matrix[column][column];
        if lead.is_nan() || lead.abs() < 1e-13 {
            return None;
        }
        matrix[column].iter_mut().for_each(|entry| *entry /= lead);
        let pivot_row = matrix[column].clone();
        for line in matrix.iter_mut().enumerate().filter(|(row, _)| *row != column).map(|(_, line)| line) {
            let factor = line[column];
            line.iter_mut().zip(&pivot_row).for_each(|(entry, lead)| *entry -= factor * lead);
        }
    }
    let unscaled = |(row, line): (usize, Vec<f64>)| {
        line[size..].iter().zip(&scale).map(|(entry, column)| entry * scale[row] * column).collect()
    };
    Some(matrix.into_iter().enumerate().map(unscaled).collect())
}
