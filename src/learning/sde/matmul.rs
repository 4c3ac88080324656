//! Products of small matrices on the processor, without packing: the operands of one training step live in the caches.
//!
//! C = S + A B with B and C row by row and A of any strides. Tiles of 6 x 16 keep twelve vector registers of sums busy, the
//! shape that fills the two multiply-add units of AVX2 processors (Goto and van de Geijn, ACM TOMS 34, 2008).

/// Columns of a tile; widths of stored matrices are multiples of it.
pub const LANES: usize = 16;
/// Rows of a tile.
const ROWS: usize = 6;

/// A matrix operand with strides.
#[derive(Clone, Copy)]
pub struct Strided<'a> {
    /// The elements.
    pub values: &'a [f32],
    /// Distance between rows.
    pub row: usize,
    /// Distance between columns.
    pub column: usize,
}

/// Whether this processor has the vector instructions that [`multiply_add`] is written for.
pub fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// `width` rounded up to whole tiles.
pub fn padded(width: usize) -> usize {
    width.next_multiple_of(LANES)
}

/// What a product is added to.
#[derive(Clone, Copy)]
pub enum Onto<'a> {
    /// What C holds.
    Itself,
    /// This row, below every row of C.
    Row(&'a [f32]),
}

/// C = S + A B for A of `rows` x `inner`, B of `inner` x `columns` and C of `rows` x `columns`, where S is what `onto`
/// says; `columns` is a multiple of [`LANES`] and the row length of both B and C.
///
/// # Panics
/// When a slice is too short, `columns` is no multiple of [`LANES`], or [`available`] is false.
pub fn multiply_add(rows: usize, inner: usize, columns: usize, a: Strided, b: &[f32], onto: Onto, c: &mut [f32]) {
    if rows == 0 || inner == 0 {
        return;
    }
    assert!(columns.is_multiple_of(LANES) && b.len() >= inner * columns && c.len() >= rows * columns);
    assert!(a.values.len() > (rows - 1) * a.row + (inner - 1) * a.column && available());
    if let Onto::Row(start) = onto {
        assert!(start.len() >= columns);
    }
    // SAFETY: the instructions are available and all extents were checked above.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        tiles(rows, inner, columns, a, b.as_ptr(), onto, c.as_mut_ptr());
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn tiles(rows: usize, inner: usize, columns: usize, a: Strided, b: *const f32, onto: Onto, c: *mut f32) {
    for column in (0..columns).step_by(LANES) {
        let mut row = 0;
        while row < rows {
            // SAFETY: row and column stay within the extents checked by the caller.
            unsafe {
                let left = (a.values.as_ptr().add(row * a.row), a.row, a.column);
                let b_tile = b.add(column);
                let c_tile = c.add(row * columns + column);
                let start = match onto {
                    Onto::Itself => (c_tile.cast_const(), columns),
                    Onto::Row(start) => (start.as_ptr().add(column), 0),
                };
                match rows - row {
                    1 => tile::<1>(inner, columns, left, b_tile, start, c_tile),
                    2 => tile::<2>(inner, columns, left, b_tile, start, c_tile),
                    3 => tile::<3>(inner, columns, left, b_tile, start, c_tile),
                    4 => tile::<4>(inner, columns, left, b_tile, start, c_tile),
                    5 => tile::<5>(inner, columns, left, b_tile, start, c_tile),
                    _ => tile::<ROWS>(inner, columns, left, b_tile, start, c_tile),
                }
            }
            row += ROWS;
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn tile<const HEIGHT: usize>(
    inner: usize,
    columns: usize,
    (a, a_row, a_column): (*const f32, usize, usize),
    b: *const f32,
    (start, start_row): (*const f32, usize),
    c: *mut f32,
) {
    use std::arch::x86_64::{
        _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    };
    // SAFETY: the caller guarantees HEIGHT rows and LANES columns from each pointer on.
    unsafe {
        let mut sums = [[_mm256_setzero_ps(); 2]; HEIGHT];
        for (row, sum) in sums.iter_mut().enumerate() {
            *sum = [_mm256_loadu_ps(start.add(row * start_row)), _mm256_loadu_ps(start.add(row * start_row + 8))];
        }
        for k in 0..inner {
            let right = b.add(k * columns);
            let right = [_mm256_loadu_ps(right), _mm256_loadu_ps(right.add(8))];
            let left = a.add(k * a_column);
            for (row, sum) in sums.iter_mut().enumerate() {
                let value = _mm256_broadcast_ss(&*left.add(row * a_row));
                *sum = [_mm256_fmadd_ps(value, right[0], sum[0]), _mm256_fmadd_ps(value, right[1], sum[1])];
            }
        }
        for (row, sum) in sums.iter().enumerate() {
            _mm256_storeu_ps(c.add(row * columns), sum[0]);
            _mm256_storeu_ps(c.add(row * columns + 8), sum[1]);
        }
    }
}

/// tanh of every element, to about 3e-7: the ratio of polynomials in x^2 that Eigen uses (fitted on |x| < 7.9).
pub fn tanh(values: &mut [f32]) {
    assert!(available());
    // SAFETY: the instructions are available.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        tanh_vectors(values);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn tanh_vectors(values: &mut [f32]) {
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
    for value in values {
        let x = value.clamp(-7.905_311, 7.905_311);
        let square = x * x;
        let odd = ODD[1..].iter().fold(ODD[0], |sum, &term| sum.mul_add(square, term));
        let even = EVEN[1..].iter().fold(EVEN[0], |sum, &term| sum.mul_add(square, term));
        *value = x * odd / even;
    }
}

/// Multiplies every slope by 1 - y^2, the derivative of y = tanh(x).
pub fn tanh_slope(slopes: &mut [f32], outputs: &[f32]) {
    assert!(available());
    // SAFETY: the instructions are available.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        tanh_slope_vectors(slopes, outputs);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn tanh_slope_vectors(slopes: &mut [f32], outputs: &[f32]) {
    slopes.iter_mut().zip(outputs).for_each(|(slope, y)| *slope *= 1.0 - y * y);
}

/// Adds all rows of `values` to `sums`, whose length is that of a row.
pub fn add_rows(sums: &mut [f32], values: &[f32]) {
    assert!(available());
    // SAFETY: the instructions are available.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        add_rows_vectors(sums, values);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn add_rows_vectors(sums: &mut [f32], values: &[f32]) {
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
