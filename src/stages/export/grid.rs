//! States on a square lattice as XDMF: a text that describes the grids, and their values in a binary file beside it
//! (little-endian float32, one block a channel and frame).

use super::{Frames, create, unwritten};
use crate::{files::records::Recorded, learning::Feature, systems::System, workflow::StageError};
use hdf5::H5Type;
use std::{fmt::Write as _, io::Write as _, path::Path};

/// Writes `path` and `<path>.raw`. A site is a cell of edge 1.
pub(super) fn write<S: System<Site: H5Type, Feature: Feature>, K: Recorded>(
    frames: &Frames<K>,
    time_unit: &str,
    path: &Path,
) -> Result<(), StageError> {
    let raw = path.with_added_extension("raw");
    let name = raw.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut values = create(&raw)?;
    let [depth, rows, columns] = frames.shape.0;
    let mut text = format!(
        "<?xml version=\"1.0\"?>\n<Xdmf Version=\"3.0\">\n<Domain>\n<!-- times in {} -->\n<Grid Name=\"states\" \
         GridType=\"Collection\" CollectionType=\"Temporal\">\n",
        time_unit.replace("--", "-")
    );
    let mut offset = 0;
    for &(index, place) in &frames.indices {
        let frame = frames.read::<S::Site>(index, place)?;
        let time = frame.time.unwrap_or(index as f64);
        let _ = writeln!(
            text,
            "<Grid Name=\"frame {index}\" GridType=\"Uniform\">\n<Time Value=\"{time}\"/>\n<Topology \
             TopologyType=\"3DCoRectMesh\" Dimensions=\"{} {} {}\"/>\n<Geometry GeometryType=\"ORIGIN_DXDYDZ\">\n<DataItem \
             Format=\"XML\" Dimensions=\"3\">0 0 0</DataItem>\n<DataItem Format=\"XML\" Dimensions=\"3\">1 1 1</DataItem>\n\
             </Geometry>",
            depth + 1,
            rows + 1,
            columns + 1
        );
        let features: Vec<f32> =
            S::features(&frame.lattice.sites).into_iter().map(|feature| feature.value() as f32).collect();
        let sites = frame.lattice.sites.len();
        for (channel, block) in features.chunks_exact(sites).enumerate() {
            let bytes: Vec<u8> = block.iter().flat_map(|value| value.to_le_bytes()).collect();
            values.write_all(&bytes).map_err(unwritten(&raw))?;
            let _ = writeln!(
                text,
                "<Attribute Name=\"{}\" AttributeType=\"Scalar\" Center=\"Cell\">\n<DataItem Format=\"Binary\" \
                 NumberType=\"Float\" Precision=\"4\" Endian=\"Little\" Seek=\"{offset}\" Dimensions=\"{depth} {rows} \
                 {columns}\">{name}</DataItem>\n</Attribute>",
                channel_name::<S>(channel)
            );
            offset += bytes.len();
        }
        text += "</Grid>\n";
    }
    text += "</Grid>\n</Domain>\n</Xdmf>\n";
    values.flush().map_err(unwritten(&raw))?;
    std::fs::write(path, text).map_err(unwritten(path))
}

/// The name of a channel of the sites: that of its observable, where each channel has one.
fn channel_name<S: System>(channel: usize) -> String {
    match S::CHANNELS {
        1 => "state".into(),
        channels if channels == S::OBSERVABLES.len() => S::OBSERVABLES[channel].name.into(),
        _ => format!("channel {channel}"),
    }
}
