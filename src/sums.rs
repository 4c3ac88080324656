//! Sums of floating-point numbers whose bits do not depend on the order of the terms, nor on who adds which.
//!
//! The sum is kept as a whole number in units of the smallest subnormal number, in digits of 32 bits (a superaccumulator,
//! Kulisch and Miranker, SIAM Rev. 28, 1, 1986), and rounded once.

/// An exact sum of finite numbers.
#[derive(Clone, Debug)]
pub struct ExactSum {
    /// Digit i counts 2^(32 i - 1074); of either sign, and beyond 32 bits until carried.
    digits: [i64; ExactSum::DIGITS],
    /// Terms since the last carry.
    terms: u32,
    /// The sum of what is not finite; 0 if nothing.
    other: f64,
}

/// Bits of a digit.
const BITS: usize = 32;
/// Terms after which digits are carried: each adds less than 2^32 to a digit.
const MOST_TERMS: u32 = 1 << 30;

impl Default for ExactSum {
    fn default() -> Self {
        Self { digits: [0; Self::DIGITS], terms: 0, other: 0.0 }
    }
}

impl ExactSum {
    /// Numbers in [`digits`](Self::digits): 2098 bits, room for carries, and what is not finite.
    pub const DIGITS: usize = 69;

    /// Adds a term.
    pub fn add(&mut self, value: f64) {
        if !value.is_finite() {
            self.other += value;
            return;
        }
        let bits = value.to_bits();
        let (exponent, fraction) = ((bits >> 52 & 0x7ff) as usize, bits & ((1 << 52) - 1));
        // A normal number is its fraction with a leading one, shifted by its exponent less 1.
        let (mantissa, shift) = if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        let wide = u128::from(mantissa) << (shift % BITS);
        for place in 0..3 {
            let digit = (wide >> (BITS * place)) as u32;
            let digit = if value.is_sign_negative() { -i64::from(digit) } else { i64::from(digit) };
            self.digits[shift / BITS + place] += digit;
        }
        self.terms += 1;
        if self.terms == MOST_TERMS {
            self.carry();
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        other.carry();
        self.carry();
        self.digits.iter_mut().zip(other.digits).for_each(|(digit, more)| *digit += more);
        self.other += other.other;
        self.terms = 1;
    }

    /// Brings all digits but the last into 0..2^32.
    fn carry(&mut self) {
        let mut carried = 0;
        for digit in &mut self.digits {
            let sum = *digit + carried;
            (*digit, carried) = (sum & ((1 << BITS) - 1), sum >> BITS);
        }
        if let Some(last) = self.digits.last_mut() {
            *last += carried << BITS;
        }
        self.terms = 0;
    }

    /// The sum as numbers that can be added over up to 2^20 ranks without rounding.
    pub fn digits(mut self) -> Vec<f64> {
        self.carry();
        let mut digits = self.digits.map(|digit| digit as f64).to_vec();
        digits[Self::DIGITS - 1] += self.other;
        digits
    }

    /// The sum, rounded to the nearest number.
    pub fn value(self) -> f64 {
        Self::rounded(&self.digits())
    }

    /// The sum of which these are the digits, or the sums of those of several ranks, rounded to the nearest number.
    ///
    /// # Panics
    /// When there are not as many as a sum has digits.
    pub fn rounded(digits: &[f64]) -> f64 {
        if let Some(other) = digits.last().filter(|last| !last.is_finite()) {
            return *other;
        }
        let mut sum = Self { digits: std::array::from_fn(|place| digits[place] as i64), terms: 0, other: 0.0 };
        sum.carry();
        let negative = sum.digits[Self::DIGITS - 1] < 0;
        if negative {
            sum.digits.iter_mut().for_each(|digit| *digit = -*digit);
            sum.carry();
        }
        let Some(top) = sum.digits.iter().rposition(|digit| *digit != 0) else { return 0.0 };
        // The leading 64 bits or more, and whether anything is left below them.
        let leading = (0..3).fold(0_u128, |bits, below| {
            bits << BITS | top.checked_sub(below).map_or(0, |place| sum.digits[place] as u128)
        });
        let rest = sum.digits[..top.saturating_sub(2)].iter().any(|digit| *digit != 0);
        // A last bit that stands for all that is left keeps a tie from being one.
        let magnitude = scaled(leading | u128::from(rest), top as i32 * BITS as i32 - 64 - 1074);
        if negative { -magnitude } else { magnitude }
    }
}

/// A whole number times a power of two, rounded once.
fn scaled(number: u128, power: i32) -> f64 {
    // Numbers near the smallest are exact: their lowest bits are 0.
    let (number, power) = if power < -1074 { (number >> (-1074 - power), -1074) } else { (number, power) };
    let half = power / 2;
    number as f64 * 2_f64.powi(half) * 2_f64.powi(power - half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use rand::{Rng as _, seq::SliceRandom};

    fn sum(values: &[f64]) -> f64 {
        let mut sum = ExactSum::default();
        values.iter().for_each(|value| sum.add(*value));
        sum.value()
    }

    #[test]
    fn sums_are_exact_where_a_plain_one_loses_all() {
        assert_eq!(sum(&[1e300, 1.0, -1e300]), 1.0);
        assert_eq!(sum(&[1.0, 2_f64.powi(-53), 2_f64.powi(-1074)]), 1.0 + f64::EPSILON);
        assert_eq!(sum(&[1.0, 2_f64.powi(-53)]), 1.0);
        assert_eq!(sum(&[-1.0, 2_f64.powi(-1074), 1.0]), 2_f64.powi(-1074));
        assert_eq!(sum(&[-3.0, 1e-3, 2.0, -1e-3]), -1.0);
        assert_eq!(sum(&[f64::MAX, f64::MAX, -f64::MAX]), f64::MAX);
        assert_eq!(sum(&[]), 0.0);
        assert!(sum(&[1.0, f64::NAN]).is_nan() && sum(&[1.0, f64::INFINITY]) == f64::INFINITY);
    }

    #[test]
    fn neither_order_nor_division_changes_a_bit() {
        let mut rng = stream(1, Purpose::Bench, [0, 60]);
        let term = |_| rng.random_range(-1.0..1.0) * 10_f64.powi(rng.random_range(-40..40));
        let mut values: Vec<f64> = (0..10_000).map(term).collect();
        let whole = sum(&values);
        values.shuffle(&mut stream(1, Purpose::Bench, [0, 61]));
        assert_eq!(sum(&values), whole);
        let mut digits = vec![0.0; ExactSum::DIGITS];
        for part in values.chunks(999) {
            let mut sums = [ExactSum::default(), ExactSum::default()];
            part.iter().enumerate().for_each(|(place, value)| sums[place % 2].add(*value));
            let [mut left, right] = sums;
            left.merge(&right);
            digits.iter_mut().zip(left.digits()).for_each(|(sum, digit)| *sum += digit);
        }
        assert_eq!(ExactSum::rounded(&digits), whole);
    }
}
