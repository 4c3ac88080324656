//! Fields of sites with two states: a bit a site, in the layout that [`crate::dataset`] describes.

use bytemuck::Pod;
use hdf5::{Dataset, H5Type};
use ndarray::{ArrayD, IxDyn};

/// How the sites of a field are packed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bits {
    /// The bytes of the lower and the upper state.
    states: [u8; 2],
    /// Sites of a row.
    columns: usize,
}

/// Bytes that hold this many sites of a row.
pub(super) fn bytes_of(columns: usize) -> usize {
    columns.div_ceil(8)
}

impl Bits {
    /// The order of bits in a byte.
    pub const ORDER: &str = "little";

    /// For rows of `columns` sites.
    ///
    /// # Panics
    /// When a site is not one byte.
    pub fn new<T: Pod>(states: [T; 2], columns: usize) -> Self {
        assert_eq!(size_of::<T>(), 1, "sites that become bits are bytes");
        Self { states: states.map(|state| bytemuck::bytes_of(&state)[0]), columns }
    }

    /// Writes the numbers among the attributes of a field.
    pub fn describe<T: H5Type>(dataset: &Dataset, states: &[T; 2], columns: usize) -> hdf5::Result<()> {
        dataset.new_attr::<u8>().create("bits")?.write_scalar(&1_u8)?;
        dataset.new_attr::<u64>().create("columns")?.write_scalar(&(columns as u64))?;
        dataset.new_attr::<T>().shape(2).create("states")?.write_raw(states)
    }

    /// How the sites of a field are packed; `None` for a field of whole values.
    ///
    /// # Errors
    /// When the attributes are not those of [`describe`](Self::describe), or `T` is no byte.
    pub fn of<T: H5Type + Pod>(dataset: &Dataset) -> hdf5::Result<Option<Self>> {
        if dataset.attr("bits").is_err() {
            return Ok(None);
        }
        let columns: u64 = dataset.attr("columns")?.read_scalar()?;
        let states = dataset.attr("states")?.read_raw::<T>()?;
        let bytes = dataset.shape().last().copied();
        match <[T; 2]>::try_from(states) {
            Ok(states) if size_of::<T>() == 1 && bytes == Some(bytes_of(columns as usize)) => {
                Ok(Some(Self::new(states, columns as usize)))
            }
            _ => Err(hdf5::Error::from("its sites are bits that this version cannot read")),
        }
    }

    /// The extents in bytes of a block of sites, and where it begins, if the block is one of whole bytes.
    pub fn block(self, first: &[usize], extents: &[usize]) -> hdf5::Result<[Vec<usize>; 2]> {
        let axis = extents.len().checked_sub(1).ok_or_else(|| hdf5::Error::from("sites have a last axis"))?;
        let (start, columns) = (first.get(axis).copied().unwrap_or(0), extents[axis]);
        if start % 8 != 0 || (columns % 8 != 0 && start + columns != self.columns) {
            let reason = format!("{columns} sites from {start} on of {} are not whole bytes", self.columns);
            return Err(hdf5::Error::Internal(reason));
        }
        let (mut first, mut extents) = (first.to_vec(), extents.to_vec());
        first.get_mut(axis).into_iter().for_each(|start| *start /= 8);
        extents[axis] = bytes_of(columns);
        Ok([first, extents])
    }

    /// Packs rows of `columns` sites.
    pub fn pack<T: Pod>(self, sites: &[T], columns: usize) -> Vec<u8> {
        let [_, upper] = self.states;
        let byte = |sites: &[u8]| sites.iter().rev().fold(0, |bits, &site| bits << 1 | u8::from(site == upper));
        let mut packed = Vec::with_capacity(sites.len() / columns.max(1) * bytes_of(columns));
        for row in bytemuck::cast_slice::<T, u8>(sites).chunks(columns.max(1)) {
            let (eights, rest) = row.as_chunks::<8>();
            packed.extend(eights.iter().map(|sites| byte(sites)));
            packed.extend((!rest.is_empty()).then(|| byte(rest)));
        }
        packed
    }

    /// The sites of an array of whole rows.
    pub fn unpacked<T: Pod>(self, packed: ArrayD<u8>) -> ArrayD<T> {
        let mut extents = packed.shape().to_vec();
        if let Some(last) = extents.last_mut() {
            *last = self.columns;
        }
        let (bytes, _) = packed.into_raw_vec_and_offset();
        ArrayD::from_shape_vec(IxDyn(&extents), self.unpack(&bytes)).expect("whole rows")
    }

    /// The sites of whole rows.
    ///
    /// # Panics
    /// When a site is not one byte.
    pub fn unpack<T: Pod>(self, packed: &[u8]) -> Vec<T> {
        let of_byte: [[u8; 8]; 256] = std::array::from_fn(|byte| std::array::from_fn(|x| self.states[byte >> x & 1]));
        let bytes = bytes_of(self.columns).max(1);
        let mut sites = vec![0; packed.len() / bytes * self.columns];
        for (row, sites) in packed.chunks_exact(bytes).zip(sites.chunks_exact_mut(self.columns.max(1))) {
            let (eights, rest) = sites.as_chunks_mut::<8>();
            eights.iter_mut().zip(row).for_each(|(sites, &byte)| *sites = of_byte[usize::from(byte)]);
            rest.copy_from_slice(&of_byte[usize::from(row[bytes - 1])][..rest.len()]);
        }
        bytemuck::allocation::cast_vec(sites)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        for columns in [1, 3, 7, 8, 9, 16, 61, 64] {
            let sites: Vec<i8> = (0..5 * columns).map(|site| if site * site % 11 % 3 == 0 { 1 } else { -1 }).collect();
            let bits = Bits::new([-1_i8, 1], columns);
            let packed = bits.pack(&sites, columns);
            assert_eq!(packed.len(), 5 * columns.div_ceil(8));
            assert_eq!(bits.unpack::<i8>(&packed), sites);
        }
        assert_eq!(Bits::new([0_u8, 7], 10).pack(&[7_u8, 0, 0, 0, 0, 0, 0, 7, 0, 7], 10), [0b1000_0001, 0b10]);
    }

    /// Ranks that shared a byte would lose each other's sites.
    #[test]
    fn blocks_of_broken_bytes_are_refused() {
        let bits = Bits::new([-1_i8, 1], 20);
        assert_eq!(bits.block(&[3, 8], &[1, 12]).unwrap(), [vec![3, 1], vec![1, 2]]);
        assert_eq!(bits.block(&[3], &[1, 20]).unwrap(), [vec![3], vec![1, 3]]);
        for (first, columns) in [(4, 8), (0, 4), (8, 4)] {
            assert!(bits.block(&[0, first], &[1, columns]).unwrap_err().to_string().contains("not whole bytes"));
        }
    }
}
