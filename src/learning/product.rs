//! Products of small matrices on the processor, without packing: the operands of one training step live in the caches.
//!
//! C += A B with B and C row by row and A of any strides. Tiles of 6 x 16 keep twelve vector registers of sums busy, the
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

/// C += A B for A of `rows` x `inner`, B of `inner` x `columns` and C of `rows` x `columns`; `columns` is a multiple of
/// [`LANES`] and the row length of both B and C.
///
/// # Panics
/// When a slice is too short, `columns` is no multiple of [`LANES`], or [`available`] is false.
pub fn multiply_add(rows: usize, inner: usize, columns: usize, a: Strided, b: &[f32], c: &mut [f32]) {
    if rows == 0 || inner == 0 {
        return;
    }
    assert!(columns.is_multiple_of(LANES) && b.len() >= inner * columns && c.len() >= rows * columns);
    assert!(a.values.len() > (rows - 1) * a.row + (inner - 1) * a.column && available());
    // SAFETY: the instructions are available and all extents were checked above.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        tiles(rows, inner, columns, a, b.as_ptr(), c.as_mut_ptr());
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn tiles(rows: usize, inner: usize, columns: usize, a: Strided, b: *const f32, c: *mut f32) {
    for column in (0..columns).step_by(LANES) {
        let mut row = 0;
        while row < rows {
            // SAFETY: row and column stay within the extents checked by the caller.
            unsafe {
                let (a_tile, b_tile) = (a.values.as_ptr().add(row * a.row), b.add(column));
                let c_tile = c.add(row * columns + column);
                match rows - row {
                    1 => tile::<1>(inner, columns, a_tile, a.row, a.column, b_tile, c_tile),
                    2 => tile::<2>(inner, columns, a_tile, a.row, a.column, b_tile, c_tile),
                    3 => tile::<3>(inner, columns, a_tile, a.row, a.column, b_tile, c_tile),
                    4 => tile::<4>(inner, columns, a_tile, a.row, a.column, b_tile, c_tile),
                    5 => tile::<5>(inner, columns, a_tile, a.row, a.column, b_tile, c_tile),
                    _ => tile::<ROWS>(inner, columns, a_tile, a.row, a.column, b_tile, c_tile),
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
    a: *const f32,
    a_row: usize,
    a_column: usize,
    b: *const f32,
    c: *mut f32,
) {
    use std::arch::x86_64::{
        _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    };
    // SAFETY: the caller guarantees HEIGHT rows and LANES columns from each pointer on.
    unsafe {
        let mut sums = [[_mm256_setzero_ps(); 2]; HEIGHT];
        for (row, sum) in sums.iter_mut().enumerate() {
            *sum = [_mm256_loadu_ps(c.add(row * columns)), _mm256_loadu_ps(c.add(row * columns + 8))];
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
