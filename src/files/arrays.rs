//! Flat lists and arrays: what files hold as blocks of many axes.

use ndarray::{Array, Array2, ArrayD, ArrayView, Dimension, IxDyn};

/// A flat list as an array.
///
/// # Panics
/// When the extents' product is not its length.
pub fn shaped<'v, T>(extents: &[usize], values: &'v [T]) -> ArrayView<'v, T, IxDyn> {
    ArrayView::from_shape(IxDyn(extents), values).expect("the extents' product is the number of values")
}

/// The elements of an array that was read from a file, without a copy.
pub fn raw<T, D: Dimension>(array: Array<T, D>) -> Vec<T> {
    debug_assert!(array.is_standard_layout());
    array.into_raw_vec_and_offset().0
}

/// One vector out of many, in order.
pub fn joined<T: Clone>(parts: impl IntoIterator<Item = impl AsRef<[T]>>) -> Vec<T> {
    let mut whole = Vec::new();
    for part in parts {
        whole.extend_from_slice(part.as_ref());
    }
    whole
}

/// All axes after the first as one.
pub fn flattened<T: Clone>(array: ArrayD<T>) -> Array2<T> {
    let items = array.shape().first().copied().unwrap_or(0);
    let rest = array.len() / items.max(1);
    array.into_shape_with_order((items, rest)).expect("the product of the extents is unchanged")
}
