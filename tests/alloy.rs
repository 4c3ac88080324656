//! Laws of the NbMoTa alloy: geometry, barriers, kernel and order.

mod common;

use common::alloy::{naive_barriers, own_arrays, shared};
use ndarray::{Array2, Array4};
use ndarray_npy::NpzReader;
use rand::Rng as _;
use std::fs::File;
use tessera::{
    lattice::{
        Lattice, Region, Shape, Window,
        bcc::{self, NEIGHBOURS, Steps},
    },
    rng::{Purpose, Rng, stream},
    systems::alloy::{
        barriers::{self, Barriers},
        configuration,
        environment::{Environment, OFFSETS, SITES},
        network::Network,
        order::{PairCounts, atoms},
        weights::{Arrays, read_arrays},
    },
};

fn rng(item: u64) -> Rng {
    stream(11, Purpose::Bench, [item, 0])
}

fn closed(lattice: &Lattice<u8>) -> Window<u8> {
    let mut window = Window::closed(lattice.shape, 4);
    window.load(lattice, [0; 3]);
    window
}

#[test]
fn a_site_has_eight_neighbours_at_one_distance_and_points_are_inverted() {
    for site in [[0, 0, 0], [1, 0, 0], [4, 2, 3], [7, -1, 5]] {
        assert_eq!(bcc::coordinate(bcc::point(site)), Some(site));
        for offset in OFFSETS.iter() {
            let step = bcc::step(site[0].rem_euclid(2), *offset);
            let (from, to) = (bcc::point(site), bcc::point(std::array::from_fn(|axis| site[axis] + step[axis])));
            assert_eq!(std::array::from_fn(|axis| to[axis] - from[axis]), *offset);
        }
    }
    assert_eq!(bcc::coordinate([0, 1, 0]), None);
    assert_eq!(OFFSETS.len(), SITES);
    assert_eq!(bcc::within(3), NEIGHBOURS);
    let stencil = bcc::stencil(&OFFSETS);
    assert!(stencil.reach() <= 4);
    assert!(stencil.0.iter().all(|step| stencil.0.contains(&step.map(|value| -value))), "the stencil is symmetric");
}

#[test]
fn windows_see_the_species_that_lie_around_a_site() {
    let mut random = rng(1);
    let shape = Shape([12, 7, 9]);
    let sites = (0..shape.sites()).map(|_| random.random_range(0..4)).collect();
    let lattice = Lattice::from_sites(shape, sites);
    let mut open = Window::open(Shape([6, 3, 4]), 5);
    open.load(&lattice, [8, 5, 7]);
    for (window, origin) in [(closed(&lattice), [0, 0, 0]), (open, [8, 5, 7])] {
        let steps = Steps::new(&window, &OFFSETS);
        let extents = window.shape();
        for (number, site) in window.sites_of(Region::BOX).enumerate() {
            let place = extents.coordinate(number);
            let place: [isize; 3] = std::array::from_fn(|axis| place[axis] as isize + origin[axis]);
            let point = bcc::point(place);
            let seen = Environment::gather(&window, &steps, site);
            for (species, offset) in seen.0.iter().zip(OFFSETS.iter()) {
                let there = bcc::coordinate(std::array::from_fn(|axis| point[axis] + offset[axis])).unwrap();
                assert_eq!(*species, lattice.at(there));
            }
        }
    }
}

/// The 64 configurations of the shared folder: grids of half-lattice points, vacancies, barriers and order.
#[test]
fn published_network_gives_the_published_barriers_and_order() {
    let Some(folder) = shared() else { return };
    let mut file = NpzReader::new(File::open(folder.join("barrier_vectors.npz")).unwrap()).unwrap();
    let grids: Array4<i8> = file.by_name("grid").unwrap();
    let vacancies: Array2<i32> = file.by_name("vacancy").unwrap();
    let expected: Array2<f32> = file.by_name("barrier_eV").unwrap();
    let order: Array2<f64> = file.by_name("sro").unwrap();
    for name in ["nnk_weights.npz", "nnk_weights.npy"] {
        let network = barriers::load(folder.join(name).to_str().unwrap()).unwrap();
        let (mut worst, mut blocked) = (0.0_f32, 0);
        for number in 0..grids.dim().0 {
            let shape = bcc::shape(8);
            let value = |site| {
                let [i, j, k] = bcc::point(shape.coordinate(site).map(|value| value as isize));
                grids[[number, i as usize, j as usize, k as usize]] as u8
            };
            let window = closed(&Lattice::from_sites(shape, (0..shape.sites()).map(value).collect()));
            let place: [isize; 3] = std::array::from_fn(|axis| vacancies[[number, axis]] as isize);
            let index = shape.wrapped_index(bcc::coordinate(place).unwrap());
            let site = window.sites_of(Region::BOX).nth(index).unwrap();
            let found = network.barriers(&Environment::gather(&window, &Steps::new(&window, &OFFSETS), site));
            for (jump, found) in found.into_iter().enumerate() {
                let expected = expected[[number, jump]];
                blocked += usize::from(expected.is_infinite());
                assert_eq!(expected.is_infinite(), found.is_infinite());
                if expected.is_finite() {
                    worst = worst.max((found - expected).abs());
                }
            }
            let counts = PairCounts::all(&window, &Steps::new(&window, &NEIGHBOURS));
            for (found, expected) in counts.short_range_order(atoms(&window)).iter().zip(order.row(number)) {
                assert!((found - expected).abs() < 1e-9, "order {found}, expected {expected}");
            }
        }
        assert!(worst < 1e-5, "{name}: barriers differ by up to {worst} eV");
        assert!(blocked > 0, "some jumps lead to a vacancy");
    }
}

#[test]
fn network_agrees_with_its_definition_on_weights_of_our_own() {
    let arrays = own_arrays();
    let network = Network::new(&arrays).unwrap();
    let mut random = rng(2);
    for _ in 0..20 {
        let environment =
            Environment(std::array::from_fn(
                |_| if random.random::<f64>() < 0.03 { 0 } else { random.random_range(1..4) },
            ));
        let expected = naive_barriers(&arrays, &environment);
        let found = network.barriers(&environment);
        for (found, expected) in found.into_iter().zip(expected) {
            let same = found.is_infinite() && expected.is_infinite();
            assert!(same || (f64::from(found) - expected).abs() < 1e-5, "{found} eV, by definition {expected} eV");
        }
    }
}

/// Computed with NumPy from the same weights, for the environment whose species at site s is 1 + (5 s + s^2 / 7) mod 3.
#[test]
fn network_agrees_with_numbers_from_another_program() {
    const EXPECTED: [f32; 8] = [0.803283, 0.856345, 0.832712, 0.815510, 0.818021, 0.836644, 0.827180, 0.841723];
    let network = Network::new(&own_arrays()).unwrap();
    let environment = Environment(std::array::from_fn(|site| 1 + ((5 * site + site * site / 7) % 3) as u8));
    for (found, expected) in network.barriers(&environment).into_iter().zip(EXPECTED) {
        assert!((found - expected).abs() < 1e-5, "{found} eV, NumPy {expected} eV");
    }
}

#[test]
fn weights_of_a_wrong_shape_or_not_finite_are_refused() {
    let change = |name: &str, shape: &[usize], value: f32| -> String {
        let mut arrays = own_arrays();
        arrays.insert(name, shape, vec![value; shape.iter().product()]);
        Network::new(&arrays).unwrap_err().to_string()
    };
    assert!(change("layer1.weight", &[128, 64], 0.0).contains("layer1.weight with shape [128, 64]"));
    assert!(change("layer2.bias", &[128], f32::NAN).contains("not finite in layer2.bias"));
    assert!(change("layer3.bn_var", &[128], -1.0).contains("layer3, BatchNorm folded in"));
    assert!(Network::new(&Arrays::default()).unwrap_err().to_string().contains("layer0.weight with shape []"));
    assert!(barriers::load("model.txt").unwrap_err().to_string().contains("give \"builtin\""));
    assert!(barriers::load("absent.npz").unwrap_err().to_string().contains("cannot read"));
}

/// A file of `numpy.save` that holds the list [[[1], [2], [3]], [-0.5]] of float32 arrays as objects, protocols 3 and 4.
#[test]
fn pickled_lists_of_arrays_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for bytes in [&include_bytes!("data/list_3.npy")[..], &include_bytes!("data/list_4.npy")[..]] {
        let path = folder.path().join("list.npy");
        std::fs::write(&path, bytes).unwrap();
        let arrays = read_arrays(&path).unwrap();
        assert_eq!(arrays.get("output.weight", &[3, 1]).unwrap(), [1.0, 2.0, 3.0]);
        assert_eq!(arrays.get("output.bias", &[1]).unwrap(), [-0.5]);
        std::fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
        assert!(read_arrays(&path).unwrap_err().to_string().contains("ends early"));
    }
}

#[test]
fn configurations_are_read_as_they_were_written() {
    let mut random = rng(3);
    let shape = Shape([8, 5, 6]);
    let mut lattice = Lattice::from_sites(shape, (0..shape.sites()).map(|_| random.random_range(1..4)).collect());
    lattice.sites[17] = 0;
    let dump = configuration::to_dump(&lattice);
    let xyz = configuration::to_xyz(&lattice);
    assert_eq!(configuration::from_dump(&dump).unwrap(), lattice);
    assert_eq!(configuration::from_xyz(&xyz).unwrap(), lattice);
    let refused = |text: &str| configuration::from_dump(text).unwrap_err().to_string();
    assert!(refused(&dump.replacen("\n1 ", "\n1 7", 1)).contains("species 7"));
    assert!(refused(&dump.replace("0 16.2", "0 16.9")).contains("body-centred cubic"));
    assert!(refused(&dump.replace("id type x", "id kind x")).contains("lacks the column type"));
    assert!(refused(&dump[..dump.trim_end().rfind('\n').unwrap()]).contains("ends before its last atom"));
    assert!(configuration::from_xyz(&xyz.replacen("Nb", "Xx", 1)).unwrap_err().to_string().contains("species Xx"));
    let full = Lattice::filled(shape, 1);
    assert!(configuration::with_vacancy(full).unwrap_err().to_string().contains("no vacancy"));
    if let Some(folder) = shared() {
        let published = configuration::read(&folder.join("random_1024.dump")).unwrap();
        assert_eq!(published.shape, bcc::shape(8));
        assert_eq!(atoms(&closed(&published)), [341.0, 341.0, 342.0]);
    }
}
