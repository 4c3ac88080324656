//! What is written is read. Starts MPI in this process, once: so there is one test, and it may not start mpirun.

use hdf5::types::VarLenUnicode;
use ndarray::{Array2, Array3, s};
use std::ops::Range;
use tessera::{
    dataset::{Field, Provenance, Reader, Writer},
    parallel::{Ranks, World},
};

#[test]
fn what_is_written_is_read_and_mpi_ends_with_its_last_communicator() {
    let world = World::start().expect("the only test here that starts MPI in this process");
    what_is_written_is_read(&world);
    sites_of_two_states_take_a_bit_each(&world);
    large_blocks_are_written_in_pieces(&world);
    lost_writes_of_an_unfinished_file_are_found(&world);
    a_collective_write_of_another_size_than_its_block_is_refused(&world);
    let (team, index) = world.team(1);
    drop(world);
    assert_eq!((index, team.all_gather(b"alive")), (0, vec![b"alive".to_vec()]));
    assert!(!mpi_has_ended());
    drop(team);
    assert!(mpi_has_ended());
}

fn mpi_has_ended() -> bool {
    let mut ended = 0;
    // SAFETY: MPI allows this call at any time, and writes one integer.
    unsafe { mpi::ffi::MPI_Finalized(&raw mut ended) };
    ended != 0
}

fn provenance() -> Provenance {
    Provenance {
        input: "a = \"b\"\n".repeat(300),
        stage: "test".into(),
        seed: 9,
        fingerprint: "f".repeat(64),
        sources: String::new(),
    }
}

fn a_collective_write_of_another_size_than_its_block_is_refused(world: &World) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.h5");
    let mut file = Writer::create(&path, world, &provenance()).unwrap();
    file.declare::<u16>(Field { name: "sites", axes: &["y", "x"], extents: &[3, 5], unit: "1", meaning: "numbers" })
        .unwrap();
    let values: Vec<u16> = (0..15).collect();
    for (first, extents, count) in [
        (&[0, 0][..], &[3, 5][..], 14),
        (&[0, 0], &[2, 5], 15),
        (&[1, 0], &[3, 5], 15),
        (&[0, usize::MAX], &[3, 5], 15),
        (&[0], &[15], 15),
        (&[0, 0], &[15], 15),
        (&[0, 0, 0], &[3, 5, 1], 15),
    ] {
        let error = file.write_together("sites", first, extents, &values[..count]).unwrap_err().to_string();
        assert!(error.contains("no block of") && error.contains("data.h5"), "{error}");
    }
    file.write_together("sites", &[1, 2], &[0, 3], &values[..0]).unwrap();
    file.write_together("sites", &[0, 0], &[3, 5], &values).unwrap();
    file.finish().unwrap();
    let written: Array2<u16> = Reader::open(&path).unwrap().read("sites").unwrap();
    assert_eq!(written.as_slice().unwrap(), values);
}

/// As blocks of more than 2 GiB, with a lower limit: `write_at` and `write_together` give the same file.
fn large_blocks_are_written_in_pieces(world: &World) {
    let folder = tempfile::tempdir().unwrap();
    let values = Array3::from_shape_fn((3, 4, 5), |(a, b, c)| (a * 20 + b * 5 + c) as u16);
    for (most, together) in [(1, false), (7, false), (40, false), (1, true), (7, true), (40, true)] {
        let path = folder.path().join(format!("{most}_{together}.h5"));
        let mut file = Writer::create(&path, world, &provenance()).unwrap().in_pieces_of(most);
        let extents = &[5, 4, 5][..];
        file.declare::<u16>(Field { name: "a", axes: &["z", "y", "x"], extents, unit: "1", meaning: "m" }).unwrap();
        if together {
            file.write_together("a", &[2, 0, 0], &[3, 4, 5], values.as_slice().unwrap()).unwrap();
            file.write_together("a", &[1, 2, 0], &[1, 2, 5], &(0..10).collect::<Vec<u16>>()).unwrap();
        } else {
            file.write("a", 2, values.view()).unwrap();
            file.write_at(
                "a",
                &[1, 2],
                Array3::from_shape_vec((1, 2, 5), (0..10).collect::<Vec<u16>>()).unwrap().view(),
            )
            .unwrap();
        }
        file.finish().unwrap();
        let read = Reader::open(&path).unwrap().read::<u16, ndarray::Ix3>("a").unwrap();
        assert_eq!(read.slice(s![2.., .., ..]), values);
        assert_eq!(read.slice(s![1, 2.., ..]).iter().copied().collect::<Vec<_>>(), (0..10).collect::<Vec<u16>>());
    }
}

/// Zeroed, flipped and cut data of marked items are pending again; a damaged log costs the items that it names.
fn lost_writes_of_an_unfinished_file_are_found(world: &World) {
    use std::os::unix::fs::FileExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.h5");
    let (partial, log) = (folder.path().join("data.h5.partial"), folder.path().join("data.h5.progress.0"));
    let open = || {
        let mut file = Writer::create(&path, world, &provenance()).unwrap();
        let extents = &[8, 1000][..];
        file.declare::<f64>(Field { name: "a", axes: &["item", "x"], extents, unit: "1", meaning: "m" }).unwrap();
        file
    };
    let row = |item: usize| Array2::from_elem((1, 1000), item as f64 + 0.5);
    let file = open();
    assert_eq!(file.pending(8).unwrap().len(), 8);
    for item in [0, 1, 2, 5] {
        file.write("a", item, row(item).view()).unwrap();
        file.mark(std::slice::from_ref(&(item..item + 1))).unwrap();
    }
    // Without a mark, as after a kill.
    file.write("a", 6, row(6).view()).unwrap();
    drop(file);
    assert_eq!(open().pending(8).unwrap(), [3, 4, 6, 7]);
    let whole = std::fs::read(&partial).unwrap();
    let find = |item: usize| {
        let bytes = (item as f64 + 0.5).to_le_bytes().repeat(1000);
        whole.windows(bytes.len()).position(|window| window == bytes).unwrap() as u64
    };
    let data = std::fs::File::options().write(true).open(&partial).unwrap();
    data.write_all_at(&[0; 4096], find(2)).unwrap();
    assert_eq!(open().pending(8).unwrap(), [2, 3, 4, 6, 7]);
    data.write_all_at(&[1], find(5) + 777).unwrap();
    assert_eq!(open().pending(8).unwrap(), [2, 3, 4, 5, 6, 7]);
    data.write_all_at(&whole, 0).unwrap();
    let lines = std::fs::read(&log).unwrap();
    std::fs::write(&log, &lines[..lines.len() - 200]).unwrap();
    assert_eq!(open().pending(8).unwrap(), [3, 4, 5, 6, 7], "a cut log");
    // Items that are computed again count, whatever an earlier line says.
    let file = open();
    file.pending(8).unwrap();
    for item in [3, 4, 5, 6, 7] {
        file.write("a", item, row(item).view()).unwrap();
        file.mark(std::slice::from_ref(&(item..item + 1))).unwrap();
    }
    assert!(file.pending(8).is_ok());
    file.finish().unwrap();
    let read = Reader::open(&path).unwrap().read::<f64, ndarray::Ix2>("a").unwrap();
    assert!((0..8).all(|item| read.row(item) == row(item).row(0)));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["data.h5"], "marks are removed");
}

fn what_is_written_is_read(world: &World) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.h5");
    let spins = Array3::from_shape_fn((5, 3, 4), |(a, b, c)| (a * 12 + b * 4 + c) as i8 - 30);
    let values = Array2::from_shape_fn((5, 2), |(a, b)| a as f64 - 0.1 * b as f64);
    let mut file = Writer::create(&path, world, &provenance()).unwrap();
    let field = |name, axes, extents| Field { name, axes, extents, unit: "J", meaning: "numbers" };
    file.declare::<i8>(field("spins", &["item", "y", "x"], &[5, 3, 4])).unwrap();
    file.declare::<f64>(field("values", &["item", "observable"], &[5, 2])).unwrap();
    // In pieces, the later one first, as ranks would.
    for items in [2..5, 0..2] {
        file.write("spins", items.start, spins.slice(s![items.clone(), .., ..])).unwrap();
        file.write("values", items.start, values.slice(s![items, ..])).unwrap();
    }
    assert!(file.write("nothing", 0, values.view()).is_err(), "an undeclared field is refused");
    assert!(!path.exists(), "a file has its name only when it is complete");
    file.finish().unwrap();
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.read::<i8, ndarray::Ix3>("spins").unwrap(), spins);
    assert_eq!(reader.read::<f64, ndarray::Ix2>("values").unwrap(), values);
    assert_eq!(reader.read_items::<i8>("spins", 1..3).unwrap(), spins.slice(s![1..3, .., ..]).into_dyn());
    let missing = reader.extents("absent").unwrap_err().to_string();
    assert!(missing.contains("cannot read absent") && missing.contains("data.h5"), "{missing}");
    drop(reader);
    axes_units_and_provenance_are_named(&path);

    // Files of another format are refused.
    let format = hdf5::File::open_rw(&path).unwrap().attr("format").unwrap();
    format.write_scalar(&1_u32).unwrap();
    drop(format);
    let refused = Reader::open(&path).err().unwrap().to_string();
    assert!(refused.contains("in file format 1. This version reads format 3. Choose a new --out"), "{refused}");
}

/// As other programs read them: texts of variable length, numbers as numbers, axes as dimension scales.
fn axes_units_and_provenance_are_named(path: &std::path::Path) {
    let file = hdf5::File::open(path).unwrap();
    let text = |place: &hdf5::Location, name: &str| {
        place.attr(name).unwrap().read_scalar::<VarLenUnicode>().unwrap().to_string()
    };
    assert_eq!(file.attr("seed").unwrap().read_scalar::<u64>().unwrap(), 9);
    assert_eq!(text(&file, "input"), provenance().input);
    let values = file.dataset("values").unwrap();
    assert_eq!([text(&values, "units"), text(&values, "long_name")], ["J", "numbers"]);
    for (axis, extent) in [("item", 5), ("y", 3), ("x", 4), ("observable", 2)] {
        let scale = file.dataset(axis).unwrap();
        assert_eq!(scale.shape(), [extent]);
        assert!(scale.attr("CLASS").is_ok() && scale.attr("REFERENCE_LIST").is_ok(), "{axis}");
    }
    assert_eq!(values.attr("DIMENSION_LIST").unwrap().shape(), [2]);
}

/// Rows of 20 sites in 3 bytes: whole rows, blocks of columns independently and together, and an unfinished file that
/// the next job resumes.
fn sites_of_two_states_take_a_bit_each(world: &World) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.h5");
    let spins = Array3::from_shape_fn((6, 4, 20), |(a, b, c)| if (a * a + 3 * b + c * c) % 7 < 3 { -1_i8 } else { 1 });
    let (extents, axes) = ([6, 4, 20], ["item", "y", "x"]);
    let field = Field { name: "spins", axes: &axes, extents: &extents, unit: "1", meaning: "spins" };
    let begin = || {
        let mut file = Writer::create(&path, world, &provenance()).unwrap();
        file.declare_bits(field, [-1_i8, 1]).unwrap();
        file
    };
    let file = begin();
    assert_eq!(file.pending(6).unwrap().len(), 6);
    file.write("spins", 1, spins.slice(s![1..3, .., ..])).unwrap();
    file.mark(std::slice::from_ref(&(1..3))).unwrap();
    file.write_at("spins", &[0, 0, 8], spins.slice(s![0..1, .., 8..])).unwrap();
    file.write_at("spins", &[0, 1, 0], spins.slice(s![0..1, 1.., ..8])).unwrap();
    file.write_at("spins", &[0, 0, 0], spins.slice(s![0..1, ..1, ..8])).unwrap();
    let broken = file.write_at("spins", &[0, 0, 4], spins.slice(s![0..1, .., 4..12])).unwrap_err().to_string();
    assert!(broken.contains("8 sites from 4 on of 20 are not whole bytes"), "{broken}");
    file.mark(std::slice::from_ref(&(0..1))).unwrap();
    // As after a kill.
    drop(file);

    let file = begin();
    assert!(file.resumed() && file.pending(6).unwrap() == [3, 4, 5]);
    let block = |items: Range<usize>, columns: Range<usize>| {
        spins.slice(s![items, .., columns]).iter().copied().collect::<Vec<i8>>()
    };
    file.write_together("spins", &[3, 0, 0], &[3, 4, 16], &block(3..6, 0..16)).unwrap();
    file.write_together("spins", &[3, 0, 16], &[3, 4, 4], &block(3..6, 16..20)).unwrap();
    file.finish().unwrap();
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.extents("spins").unwrap(), [6, 4, 3]);
    assert_eq!(reader.read_items::<i8>("spins", 0..6).unwrap(), spins.clone().into_dyn());
    assert_eq!(reader.read_items::<i8>("spins", 4..5).unwrap(), spins.slice(s![4..5, .., ..]).into_dyn());
    drop(reader);
    let attribute = |name| hdf5::File::open(&path).unwrap().dataset("spins").unwrap().attr(name).unwrap();
    assert_eq!(attribute("states").read_raw::<i8>().unwrap(), [-1, 1]);
    assert_eq!(attribute("columns").read_scalar::<u64>().unwrap(), 20);
}
