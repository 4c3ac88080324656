//! Products of small matrices, and the other vector loops of a perceptron.
//!
//! [`matmul`] computes C = S + A B. B and C are row-major, A is row- or column-major. Operands are not packed, because
//! those of one training step are in the caches. A tile of 6 x 16 sums takes twelve vector registers and fills the two
//! multiply-add units of AVX2 processors (Goto and van de Geijn, ACM TOMS 34, 2008).

use bytemuck::cast;
use wide::f32x8;

/// Columns of a tile. The row length of every stored matrix is a multiple of it.
pub const LANES: usize = 16;
/// Rows of a tile.
const ROWS: usize = 6;

/// The left operand A.
#[derive(Clone, Copy)]
pub enum Left<'a> {
    /// Rows of this length, one after the other.
    Rows(&'a [f32], usize),
    /// Columns of this length, one after the other.
    Columns(&'a [f32], usize),
}

/// The matrix S to which the product is added.
#[derive(Clone, Copy)]
pub enum Addend<'a> {
    /// The present C.
    Itself,
    /// This row, for every row of C.
    Row(&'a [f32]),
}

/// `width` rounded up to whole tiles.
pub fn padded(width: usize) -> usize {
    width.next_multiple_of(LANES)
}

/// C = S + A B for A of `rows` x `inner`, B of `inner` x `columns` and C of `rows` x `columns`.
///
/// `columns` is a multiple of [`LANES`] and the row length of B and C. C does not change if `rows` or `inner` is 0.
///
/// # Panics
/// When a slice is too short, or `columns` is not a multiple of [`LANES`].
pub fn matmul(rows: usize, inner: usize, columns: usize, a: Left, b: &[f32], addend: Addend, c: &mut [f32]) {
    if rows == 0 || inner == 0 {
        return;
    }
    assert!(columns.is_multiple_of(LANES) && columns > 0 && b.len() >= inner * columns);
    for column in (0..columns).step_by(LANES) {
        let right = &b[column..(inner - 1) * columns + column + LANES];
        for row in (0..rows).step_by(ROWS) {
            let c = &mut c[row * columns + column..];
            match rows - row {
                1 => tile::<1>(row, a, (right, columns), (addend, column), c),
                2 => tile::<2>(row, a, (right, columns), (addend, column), c),
                3 => tile::<3>(row, a, (right, columns), (addend, column), c),
                4 => tile::<4>(row, a, (right, columns), (addend, column), c),
                5 => tile::<5>(row, a, (right, columns), (addend, column), c),
                _ => tile::<ROWS>(row, a, (right, columns), (addend, column), c),
            }
        }
    }
}

/// Computes the tile of C that starts at `c`. `b` starts at the first column of the tile in B, with rows of length
/// `columns`.
///
/// Plain loops keep the sums in registers. Closures over the sums (`array::map`) took three times as long
/// (docs/results/training.md).
fn tile<const HEIGHT: usize>(
    row: usize,
    a: Left,
    (b, columns): (&[f32], usize),
    (addend, column): (Addend, usize),
    c: &mut [f32],
) {
    let mut sums = [[f32x8::ZERO; 2]; HEIGHT];
    for (offset, sum) in sums.iter_mut().enumerate() {
        *sum = match addend {
            Addend::Itself => load(&c[offset * columns..]),
            Addend::Row(start) => load(&start[column..]),
        };
    }
    match a {
        Left::Rows(values, length) => {
            let inner = b.len().div_ceil(columns);
            let mut left: [&[f32]; HEIGHT] = [&[]; HEIGHT];
            for (offset, left) in left.iter_mut().enumerate() {
                *left = &values[(row + offset) * length..][..inner];
            }
            for (k, right) in (0..inner).zip(b.chunks(columns)) {
                let right = load(right);
                for (sum, left) in sums.iter_mut().zip(&left) {
                    *sum = multiply_add(left[k], right, *sum);
                }
            }
        }
        Left::Columns(values, length) => {
            let left = values[..b.len().div_ceil(columns) * length].chunks_exact(length);
            for (left, right) in left.zip(b.chunks(columns)) {
                let right = load(right);
                for (sum, left) in sums.iter_mut().zip(&left[row..][..HEIGHT]) {
                    *sum = multiply_add(*left, right, *sum);
                }
            }
        }
    }
    for (offset, sum) in sums.iter().enumerate() {
        c[offset * columns..][..LANES].copy_from_slice(&cast::<_, [f32; LANES]>(*sum));
    }
}

/// The first elements of a slice as vectors.
#[inline]
fn load(values: &[f32]) -> [f32x8; 2] {
    cast(*values.first_chunk::<LANES>().expect("one tile"))
}

/// `sum` plus `left` times `right`.
#[inline]
fn multiply_add(left: f32, right: [f32x8; 2], sum: [f32x8; 2]) -> [f32x8; 2] {
    let left = f32x8::splat(left);
    [left.mul_add(right[0], sum[0]), left.mul_add(right[1], sum[1])]
}

/// tanh of every element, with an error of about 3e-7. The length is a multiple of [`LANES`].
///
/// The ratio of polynomials in x^2 is that of Eigen (`generic_fast_tanh_float`, fitted on |x| < 7.9).
pub fn tanh(values: &mut [f32]) {
    const ODD: [f32; 7] = [
        -2.760_768_5e-16,
        2.000_188e-13,
        -8.604_672e-11,
        5.122_297_1e-8,
        1.485_722_4e-5,
        6.372_619_3e-4,
        4.893_524_6e-3,
    ];
    const EVEN: [f32; 4] = [1.198_258_4e-6, 1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3];
    let (vectors, rest) = values.as_chunks_mut::<8>();
    assert!(rest.is_empty());
    let polynomial = |terms: &[f32], square: f32x8| {
        terms[1..].iter().fold(f32x8::splat(terms[0]), |sum, &term| sum.mul_add(square, f32x8::splat(term)))
    };
    let end = f32x8::splat(7.905_311);
    for vector in vectors {
        let x = f32x8::from(*vector).clamp(-end, end);
        let square = x * x;
        *vector = (x * polynomial(&ODD, square) / polynomial(&EVEN, square)).to_array();
    }
}

/// Multiplies every slope by 1 - y^2, the derivative of y = tanh(x).
pub fn tanh_slope(slopes: &mut [f32], outputs: &[f32]) {
    slopes.iter_mut().zip(outputs).for_each(|(slope, y)| *slope *= 1.0 - y * y);
}

/// Adds all rows of `values` to `sums`, whose length is that of a row.
pub fn add_rows(sums: &mut [f32], values: &[f32]) {
    let width = sums.len();
    for (column, sums) in sums.chunks_exact_mut(LANES).enumerate() {
        let mut lanes = [0.0; LANES];
        for row in values.chunks_exact(width) {
            let row = &row[column * LANES..(column + 1) * LANES];
            lanes.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        sums.iter_mut().zip(lanes).for_each(|(sum, lane)| *sum += lane);
    }
}
