//! Collective writes: all ranks of a file write their blocks of a field in one step, and MPI-IO merges them.
//!
//! The hdf5 crate writes independently of other ranks. Only this file calls the C library directly.

use hdf5::{Dataset, H5Type};
use hdf5_sys::{
    h5d::H5Dwrite,
    h5i::hid_t,
    h5p::{H5FD_mpio_xfer_t::H5FD_MPIO_COLLECTIVE, H5P_CLS_DATASET_XFER, H5Pclose, H5Pcreate, H5Pset_dxpl_mpio},
    h5s::{H5S_SELECT_SET, H5Sclose, H5Screate_simple, H5Sselect_hyperslab},
};
use std::ptr::null;

/// Writes `values` to the block of `extents` at `first`. Every rank of the file must call it for the same field.
///
/// # Errors
/// When the block does not lie within the field, `values` is not as long as it, or HDF5 refuses.
pub(super) fn write<T: H5Type>(
    dataset: &Dataset,
    first: &[usize],
    extents: &[usize],
    values: &[T],
) -> hdf5::Result<()> {
    let whole = dataset.shape();
    let axes = [first.len(), extents.len()] == [whole.len(); 2];
    let inside = || {
        let mut block = first.iter().zip(extents).zip(&whole);
        block.all(|((&first, &extent), &whole)| first.checked_add(extent).is_some_and(|end| end <= whole))
    };
    if !axes || !inside() || extents.iter().product::<usize>() != values.len() {
        let count = values.len();
        let reason = format!("{count} values are no block of {extents:?} at {first:?} in a field of extents {whole:?}");
        return Err(hdf5::Error::Internal(reason));
    }
    let [first, extents, whole] =
        [first, extents, &whole].map(|list| list.iter().map(|&value| value as u64).collect::<Vec<_>>());
    let datatype = hdf5::Datatype::from_type::<T>()?;
    let rank = extents.len() as i32;
    let failed = |step: &str| hdf5::Error::Internal(format!("HDF5 refused to {step} for a collective write"));
    let checked = |id: hid_t, step: &str| if id < 0 { Err(failed(step)) } else { Ok(id) };
    hdf5::sync::sync(|| {
        // SAFETY: the handles are made here and closed below. The checks above ensure the length of every list, a block
        // within the field, and as many values as the memory space has entries.
        unsafe {
            let file = checked(H5Screate_simple(rank, whole.as_ptr(), null()), "describe the file")?;
            let memory = checked(H5Screate_simple(rank, extents.as_ptr(), null()), "describe the block")?;
            let transfer = checked(H5Pcreate(*H5P_CLS_DATASET_XFER), "prepare")?;
            let selected = H5Sselect_hyperslab(file, H5S_SELECT_SET, first.as_ptr(), null(), extents.as_ptr(), null())
                >= 0
                && H5Pset_dxpl_mpio(transfer, H5FD_MPIO_COLLECTIVE) >= 0;
            let written =
                selected && H5Dwrite(dataset.id(), datatype.id(), memory, file, transfer, values.as_ptr().cast()) >= 0;
            H5Pclose(transfer);
            H5Sclose(memory);
            H5Sclose(file);
            if written { Ok(()) } else { Err(failed("write")) }
        }
    })
}
