//! Configurations are read as the formats define them, and what cannot be honoured is refused with its line.

use std::path::{Path, PathBuf};
use tessera::{
    lattice::{Lattice, Shape, bcc},
    systems::alloy::configuration::{self, Configuration, from_dump, from_xyz, read, to_dump, to_xyz},
};

/// Right answers, for a file of each folder: the state of `plain.dump`, or the words of a refusal.
const CASES: [(&str, Result<(), &[&str]>); 16] = [
    ("plain.dump", Ok(())),
    ("d03_scaled.dump", Ok(())),
    ("d06_unwrapped.dump", Ok(())),
    ("d08_triclinic_zero_tilt.dump", Ok(())),
    ("d11_element_other_order.dump", Ok(())),
    ("d12_element_only.dump", Ok(())),
    ("d13_two_frames.dump", Ok(())),
    ("d18_nonperiodic_z.dump", Err(&["line 5", "pp pp ff", "periodic"])),
    ("d24_count_smaller.dump", Err(&["line 10", "atoms follow, but the header of the frame announces"])),
    ("x01_plain.xyz", Ok(())),
    ("x02_pos_first.xyz", Ok(())),
    ("x04_other_vector_before_pos.xyz", Ok(())),
    ("x09_pbc_TTF.xyz", Err(&["line 2", "T T F", "periodic"])),
    ("x13_two_frames.xyz", Ok(())),
    ("x23_count_less.xyz", Err(&["announces too few atoms"])),
    ("x26_state_before_the_jump_first.xyz", Ok(())),
];

/// The folders with the cases, and the vacancies of `plain.dump` and of the state before its last jump.
fn folders() -> Vec<(PathBuf, [[isize; 3]; 2])> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = || root.join("../shared");
    let shared = std::env::var_os("TESSERA_SHARED").map_or_else(beside, PathBuf::from).join("data/cases");
    let mut folders = vec![(root.join("tests/data/cases"), [[3, 5, 7], [2, 4, 6]])];
    if shared.exists() {
        folders.push((shared, [[3, 15, 7], [2, 14, 6]]));
    } else {
        eprintln!("skipped: the cases are not in {}; set TESSERA_SHARED", shared.display());
    }
    folders
}

fn vacancies(lattice: &Lattice<u8>) -> Vec<[isize; 3]> {
    let sites = (0..lattice.shape.sites()).filter(|&site| lattice.sites[site] == 0);
    sites.map(|site| bcc::point(lattice.shape.coordinate(site).map(|value| value as isize))).collect()
}

#[test]
fn every_case_is_read_or_refused_as_its_format_says() {
    for (folder, [vacancy, before]) in folders() {
        let plain = read(&folder.join("plain.dump"), None).unwrap().lattice;
        assert_eq!(vacancies(&plain), [vacancy]);
        for (name, right) in CASES {
            let found = read(&folder.join(name), None);
            match (right, found) {
                (Err(words), Err(error)) => {
                    let error = error.to_string();
                    assert!(words.iter().all(|word| error.contains(word)), "{name}: {error}");
                }
                (Ok(()), Ok(found)) => {
                    let jumped = name.contains("before_the_jump");
                    assert_eq!(vacancies(&found.lattice), [if jumped { before } else { vacancy }], "{name}");
                    assert!(jumped || found.lattice == plain, "{name} differs from plain.dump");
                    let frames = if name.contains("two_frames") { 2 } else { 1 };
                    assert_eq!((found.frame, found.frames), (frames, frames), "{name}");
                }
                (_, found) => panic!("{name}: {found:?}"),
            }
        }
        for name in ["d13_two_frames.dump", "x13_two_frames.xyz"] {
            let first = read(&folder.join(name), Some(1)).unwrap();
            assert_eq!((first.frame, first.frames), (1, 2));
            assert_ne!(first.lattice, plain, "{name}");
            let error = read(&folder.join(name), Some(3)).unwrap_err().to_string();
            assert!(error.contains("has 2 frame(s)") && error.contains("from 1 to 2"), "{error}");
        }
    }
}

/// Random species on 4 x 5 x 6 cells with one vacancy.
fn state() -> Lattice<u8> {
    let shape = Shape([8, 5, 6]);
    let mut sites: Vec<u8> = (0..shape.sites()).map(|site| (site * site / 7 % 3) as u8 + 1).collect();
    sites[17] = 0;
    Lattice::from_sites(shape, sites)
}

type Reader = fn(&str, Option<usize>) -> Result<Configuration, configuration::ConfigurationError>;

#[test]
fn other_ways_to_write_a_state_are_read() {
    let state = state();
    let (dump, xyz) = (to_dump(&state), to_xyz(&state));
    let atoms_of = |text: &str, header: usize| text.lines().skip(header).map(str::to_owned).collect::<Vec<_>>();
    let scaled: Vec<String> = atoms_of(&dump, 9)
        .iter()
        .map(|line| {
            let words: Vec<f64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
            format!(
                "{} {} {} {} {}\n",
                words[0],
                words[1],
                words[2] / 12.96 - 2.0,
                words[3] / 16.2,
                words[4] / 19.44 + 1.0
            )
        })
        .collect();
    let named: Vec<String> = dump
        .lines()
        .map(|line| match line.split_once(' ') {
            Some((id, rest)) if id.parse::<u32>().is_ok() && rest.matches(' ').count() == 3 => {
                format!("{id} {}{}\n", ["Nb", "Mo", "Ta"][usize::from(rest.as_bytes()[0] - b'1')], &rest[1..])
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let head = dump.lines().take(8).collect::<Vec<_>>().join("\n");
    // One percent longer along z, and shifted.
    let strained: String = atoms_of(&xyz, 2)
        .iter()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let [x, y, z] = [1, 2, 3].map(|column| words[column].parse::<f64>().unwrap());
            format!("{} {} {} {}\n", words[0], x - 7.0, y + 0.5, 1.01 * z)
        })
        .collect();
    let [x, y, z] = vacancies(&state)[0].map(|half| half as f64 * 1.62);
    let with_vacancy = xyz.replacen("239\n", "240\n", 1) + &format!("X {x} {y} {z}\n");
    let ways: [(&str, String, Reader); 8] = [
        ("units and time", format!("ITEM: UNITS\nmetal\nITEM: TIME\n0.5\n{dump}"), from_dump),
        ("scaled and unwrapped", format!("{head}\nITEM: ATOMS id type xsu ys zsu \n{}", scaled.concat()), from_dump),
        ("names of types", named.concat(), from_dump),
        ("lists", xyz.replace("pbc=\"T T T\"", "pbc=[T, T, T] energy=-3.5 name='a b' flag config={1 2}"), from_xyz),
        ("no columns named", xyz.replace("Properties=species:S:1:pos:R:3 pbc=\"T T T\"", ""), from_xyz),
        ("an X", with_vacancy, from_xyz),
        (
            "strained, with an origin",
            format!(
                "239\nLattice=\"12.96 0 0 0 16.2 0 0 0 19.6344\" Origin=\"-7 0.5 0\" Properties=species:S:1:pos:R:3\n{strained}"
            ),
            from_xyz,
        ),
        ("two frames", format!("{}{xyz}", xyz.replace("Nb", "Ta")), from_xyz),
    ];
    for (way, text, read) in ways {
        assert_eq!(read(&text, None).unwrap_or_else(|error| panic!("{way}: {error}")).lattice, state, "{way}");
    }
}

#[test]
fn compressed_files_are_read_and_bombs_are_refused() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, parts: &[&[u8]]| {
        let path = folder.path().join(name);
        let file = std::fs::File::create(&path).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::best());
        parts.iter().for_each(|part| encoder.write_all(part).unwrap());
        encoder.finish().unwrap();
        path
    };
    assert_eq!(read(&write("a.dump.gz", &[to_dump(&state()).as_bytes()]), None).unwrap().lattice, state());
    assert_eq!(read(&write("a.xyz.gz", &[to_xyz(&state()).as_bytes()]), None).unwrap().lattice, state());
    let zeros = vec![b' '; 1 << 20];
    let error = read(&write("bomb.dump.gz", &[&zeros[..]; 64]), None).unwrap_err().to_string();
    assert!(error.contains("inflates to more than"), "{error}");
}

#[test]
fn what_cannot_be_honoured_is_refused_with_its_line() {
    let (dump, xyz) = (to_dump(&state()), to_xyz(&state()));
    let last = |text: &str| text[..text.trim_end().rfind('\n').unwrap()].to_owned();
    let cases: [(&str, String, Reader, &[&str]); 21] = [
        ("unknown type", dump.replacen("\n1 ", "\n1 7", 1), from_dump, &["line 10", "species 7"]),
        ("not cubic", dump.replace("0 16.2", "0 18.9"), from_dump, &["body-centred cubic"]),
        ("no type", dump.replace("id type x", "id kind x"), from_dump, &["line 9", "lacks the column type"]),
        ("cut", last(&dump), from_dump, &["238 atoms follow", "announces 239"]),
        ("cut within a number", dump[..dump.len() - 6].to_owned(), from_dump, &["line 248"]),
        ("open boundary", dump.replace("pp pp pp", "pp fs pp"), from_dump, &["line 5", "pp fs pp"]),
        ("no boundary", dump.replace(" pp pp pp", ""), from_dump, &["line 5", "add pp pp pp"]),
        (
            "tilted",
            dump.replace("pp pp pp\n0 12.96", "xy xz yz pp pp pp\n0 12.96 1.5"),
            from_dump,
            &["the tilt on line 6 is 1.5"],
        ),
        ("three vectors", dump.replace("pp pp pp", "abc origin"), from_dump, &["line 5", "triclinic/general"]),
        ("words before", format!("hello\n{dump}"), from_dump, &["line 1", "hello"]),
        ("a column twice", dump.replace("id type x y", "x type x y"), from_dump, &["line 9", "two columns x"]),
        ("empty", String::new(), from_dump, &["no frame"]),
        ("not a number", dump.replacen(" 0 0 0\n", " nan 0 0\n", 1), from_dump, &["not on a site"]),
        ("far away", dump.replacen(" 0 0 0\n", " 1e300 0 0\n", 1), from_dump, &["line 10", "not on a site"]),
        ("unknown element", xyz.replacen("Nb", "Xx", 1), from_xyz, &["species Xx"]),
        ("cut", last(&xyz), from_xyz, &["ends after 238 of the 239 atoms"]),
        ("no box", xyz.replace("Lattice", "lattice"), from_xyz, &["line 2", "lacks Lattice"]),
        ("tilted", xyz.replace("12.96 0 0", "12.96 1 0"), from_xyz, &["line 2", "diagonal"]),
        ("whole positions", xyz.replace("pos:R", "pos:I"), from_xyz, &["line 2", "pos:I:3"]),
        ("no position", xyz.replace("pos:R", "place:R"), from_xyz, &["line 2", "must name species:S:1 and pos:R:3"]),
        ("a lie about the atoms", xyz.replacen("239", "18446744073709551615", 1), from_xyz, &["ends after 239"]),
    ];
    for (case, text, read, words) in cases {
        let error = read(&text, None).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{case}: {error}");
    }
}

/// Boxes in which an atom would see itself.
#[test]
fn short_boxes_are_refused() {
    for cells in [[1, 4, 4], [2, 2, 2], [4, 4, 3]] {
        let shape = Shape([2 * cells[0], cells[1], cells[2]]);
        let mut lattice = Lattice::filled(shape, 2);
        lattice.sites[0] = 0;
        let error = from_dump(&to_dump(&lattice), None).unwrap_err().to_string();
        assert!(error.contains(&format!("{cells:?} cubic cells")) && error.contains("Repeat the box"), "{error}");
    }
    let shared = folders().into_iter().nth(1).map(|(folder, _)| folder.join("hostile"));
    for name in ["c_small2.dump", "c_thin144.dump"].iter().filter_map(|name| Some(shared.as_ref()?.join(name))) {
        assert!(read(&name, None).unwrap_err().to_string().contains("Repeat the box"));
    }
}
