//! What other programs need of a finished file: units, meanings and provenance as attributes, and the names of the axes.
//!
//! The axes are dimension scales as netCDF-4 writes them, so that xarray, netCDF4 and h5netcdf show named dimensions.
//! One rank adds all this to the complete file: texts of variable length cannot be written in parallel.

use super::{Provenance, bits::Bits};
use hdf5::{
    Dataset, Extents, File, H5Type, Location, ObjectReference1,
    dataset::FillTime,
    types::{CompoundField, CompoundType, IntSize, TypeDescriptor, VarLenArray, VarLenUnicode},
};
use hdf5_sys::{
    h5a::{H5Aclose, H5Acreate2, H5Awrite},
    h5p::H5P_DEFAULT,
    h5s::{H5S_class_t::H5S_SCALAR, H5Sclose, H5Screate},
    h5t::{H5T_C_S1, H5T_str_t::H5T_STR_NULLTERM, H5Tclose, H5Tcopy, H5Tset_size, H5Tset_strpad},
};
use ndarray::Array1;
use std::{collections::HashMap, ffi::CString, mem::offset_of, path::Path};

/// A field that was declared.
struct Declared {
    name: String,
    axes: Vec<String>,
    extents: Vec<usize>,
    unit: String,
    meaning: String,
}

/// What is to be said of a file.
pub(super) struct Description {
    provenance: Provenance,
    fields: Vec<Declared>,
    /// Names along an axis.
    names: Vec<(String, Vec<String>)>,
    /// Fields that say what the items of an axis are.
    coordinates: Vec<String>,
}

/// An axis of a file: its name and its extent.
type Scale = (String, usize);

/// An entry of `REFERENCE_LIST`: a field along an axis, and which of its axes that is.
#[repr(C)]
#[derive(Clone, Copy)]
struct Use {
    dataset: ObjectReference1,
    dimension: u32,
    /// Zero, so that equal files have equal bytes.
    rest: u32,
}

// SAFETY: the descriptor lists both members at their places in a C structure.
unsafe impl H5Type for Use {
    fn type_descriptor() -> TypeDescriptor {
        let reference = ObjectReference1::type_descriptor();
        let fields = vec![
            CompoundField::new("dataset", reference, offset_of!(Self, dataset), 0),
            CompoundField::new("dimension", TypeDescriptor::Unsigned(IntSize::U4), offset_of!(Self, dimension), 1),
        ];
        TypeDescriptor::Compound(CompoundType { fields, size: size_of::<Self>() })
    }
}

impl Description {
    pub fn new(provenance: &Provenance) -> Self {
        let (fields, names, coordinates) = (Vec::new(), Vec::new(), Vec::new());
        Self { provenance: provenance.clone(), fields, names, coordinates }
    }

    /// [`Provenance::identity`].
    pub fn identity(&self) -> String {
        self.provenance.identity()
    }

    pub fn field(&mut self, field: &super::Field) {
        self.fields.push(Declared {
            name: field.name.into(),
            axes: field.axes.iter().map(|&axis| axis.into()).collect(),
            extents: field.extents.into(),
            unit: field.unit.into(),
            meaning: field.meaning.into(),
        });
    }

    pub fn names(&mut self, axis: &str, names: Vec<String>) {
        self.names.push((axis.into(), names));
    }

    pub fn coordinate(&mut self, field: &str) {
        self.coordinates.push(field.into());
    }

    /// Adds everything to a complete file. What an interrupted process added before is left as it is.
    pub fn complete(&self, path: &Path, bits: &HashMap<String, Bits>) -> hdf5::Result<()> {
        let file = File::open_rw(path)?;
        for (name, value) in self.provenance.entries() {
            match value.as_u64() {
                Some(number) => write(&file, name, &number)?,
                None => write_text(&file, name, value.as_str().unwrap_or_default())?,
            }
        }
        write_text(&file, "Conventions", "CF-1.11")?;
        if !self.coordinates.is_empty() {
            write_text(&file, "coordinates", &self.coordinates.join(" "))?;
        }
        for field in &self.fields {
            let dataset = file.dataset(&field.name)?;
            write_text(&dataset, "units", &field.unit)?;
            write_text(&dataset, "long_name", &field.meaning)?;
            if bits.contains_key(&field.name) {
                write_text(&dataset, "bit_order", Bits::ORDER)?;
            }
        }
        self.name_axes(&file)?;
        file.close()
    }

    /// Makes the dimension scales and attaches them to the fields.
    fn name_axes(&self, file: &File) -> hdf5::Result<()> {
        let mut uses: Vec<(Scale, Vec<Use>)> = Vec::new();
        for field in &self.fields {
            if self.scale_name(field, 0) == field.name && field.axes.len() == 1 {
                continue;
            }
            let mut scales = Vec::new();
            for (dimension, &extent) in field.extents.iter().enumerate() {
                let scale = (self.scale_name(field, dimension), extent);
                let entry = Use { dataset: file.reference(&field.name)?, dimension: dimension as u32, rest: 0 };
                match uses.iter_mut().find(|(known, _)| *known == scale) {
                    Some((_, entries)) => entries.push(entry),
                    None => uses.push((scale.clone(), vec![entry])),
                }
                self.make_scale(file, &scale)?;
                scales.push(VarLenArray::from_slice(&[file.reference::<ObjectReference1>(&scale.0)?]));
            }
            let dataset = file.dataset(&field.name)?;
            if dataset.attr("DIMENSION_LIST").is_err() {
                list(&dataset, "DIMENSION_LIST", scales)?;
            }
        }
        for ((scale, _), entries) in uses {
            let dataset = file.dataset(&scale)?;
            if dataset.attr("REFERENCE_LIST").is_err() {
                list(&dataset, "REFERENCE_LIST", entries)?;
            }
        }
        Ok(())
    }

    /// Name of the scale of an axis: that of the axis, unless a field or another extent has it.
    fn scale_name(&self, field: &Declared, dimension: usize) -> String {
        let (axis, extent) = (&field.axes[dimension], field.extents[dimension]);
        let along = |other: &Declared| other.axes.iter().position(|name| name == axis).map(|at| other.extents[at]);
        let first = self.fields.iter().find_map(along);
        let taken = self.fields.iter().any(|other| other.name == *axis && other.axes != [axis.clone()]);
        if taken || first != Some(extent) { format!("{axis}_of_{}", field.name) } else { axis.clone() }
    }

    /// Makes a scale of names, or one without values, unless a field is the scale.
    fn make_scale(&self, file: &File, (name, extent): &Scale) -> hdf5::Result<()> {
        let names = self.names.iter().find(|(axis, names)| axis == name && names.len() == *extent);
        let has_values = names.is_some() || self.fields.iter().any(|field| field.name == *name);
        if !file.link_exists(name) {
            match names {
                Some((_, names)) => {
                    let texts: Vec<VarLenUnicode> = names.iter().map(|name| text(name)).collect::<Result<_, _>>()?;
                    file.new_dataset_builder().with_data(&Array1::from(texts)).create(name.as_str())?;
                }
                None => {
                    file.new_dataset::<f32>().fill_time(FillTime::Never).shape(*extent).create(name.as_str())?;
                }
            }
        }
        let dataset = file.dataset(name)?;
        if dataset.attr("CLASS").is_err() {
            terminated_text(&dataset, "CLASS", "DIMENSION_SCALE")?;
            let without = format!("This is a netCDF dimension but not a netCDF variable.{extent:10}");
            terminated_text(&dataset, "NAME", if has_values { name } else { &without })?;
        }
        Ok(())
    }
}

fn text(text: &str) -> hdf5::Result<VarLenUnicode> {
    text.parse().map_err(|_| hdf5::Error::Internal(format!("the text {text:?} holds a zero")))
}

fn write_text(location: &Location, name: &str, value: &str) -> hdf5::Result<()> {
    write(location, name, &text(value)?)
}

fn write<T: H5Type>(location: &Location, name: &str, value: &T) -> hdf5::Result<()> {
    if location.attr(name).is_ok() {
        return Ok(());
    }
    location.new_attr::<T>().create(name)?.write_scalar(value)
}

fn list<T: H5Type>(dataset: &Dataset, name: &str, values: Vec<T>) -> hdf5::Result<()> {
    dataset.new_attr::<T>().shape(Extents::from(values.len())).create(name)?.write_raw(&values[..])
}

/// A text of fixed length that ends with a zero: the only kind that HDF5 takes for those of dimension scales.
fn terminated_text(dataset: &Dataset, name: &str, value: &str) -> hdf5::Result<()> {
    let strings = [name, value].map(CString::new);
    let [Ok(name), Ok(value)] = strings else { return Err(hdf5::Error::Internal("a text holds a zero".into())) };
    hdf5::sync::sync(|| {
        // SAFETY: the handles are made here and closed below, and the text is as long as its type says.
        let written = unsafe {
            let kind = H5Tcopy(*H5T_C_S1);
            let space = H5Screate(H5S_SCALAR);
            let sized =
                H5Tset_size(kind, value.as_bytes_with_nul().len()) >= 0 && H5Tset_strpad(kind, H5T_STR_NULLTERM) >= 0;
            let attribute = H5Acreate2(dataset.id(), name.as_ptr(), kind, space, H5P_DEFAULT, H5P_DEFAULT);
            let written = sized && attribute >= 0 && H5Awrite(attribute, kind, value.as_ptr().cast()) >= 0;
            H5Aclose(attribute);
            H5Sclose(space);
            H5Tclose(kind);
            written
        };
        let refused = || hdf5::Error::Internal(format!("HDF5 refused the attribute {}", name.to_string_lossy()));
        if written { Ok(()) } else { Err(refused()) }
    })
}
