//! Who may know whom: the `use` lines of each module are read and compared with the table of the README.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Module, the modules of this crate that it may use, and the libraries that it must never see.
const RULES: &[(&str, &[&str], &[&str])] = &[
    ("rng", &[], &["mpi", "tch", "hdf5", "rayon", "clap"]),
    ("lattice", &[], &["mpi", "tch", "hdf5", "rayon", "clap"]),
    ("dynamics", &["lattice", "rng"], &["mpi", "tch", "hdf5", "rayon", "clap"]),
    ("systems", &["dynamics", "lattice", "rng"], &["mpi", "tch", "hdf5", "rayon", "clap"]),
    ("sampling", &["systems", "dynamics", "lattice", "rng"], &["mpi", "tch", "hdf5", "clap"]),
    ("parallel", &["lattice", "dynamics", "rng"], &["tch", "hdf5", "clap"]),
    ("dataset", &["parallel"], &["tch", "clap"]),
    ("learning", &["dataset", "parallel", "rng"], &["mpi", "hdf5", "clap"]),
    ("evaluation", &["rng"], &["mpi", "tch", "hdf5", "clap"]),
    ("report", &["evaluation"], &["mpi", "tch", "hdf5", "rayon", "clap"]),
    (
        "config",
        &["learning", "sampling", "systems", "dynamics", "lattice", "evaluation"],
        &["mpi", "tch", "hdf5", "rayon", "clap"],
    ),
];

fn files_of(module: &str) -> Vec<PathBuf> {
    fn collect(path: &Path, files: &mut Vec<PathBuf>) {
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                collect(&entry.unwrap().path(), files);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path.to_owned());
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for path in [root.join(module), root.join(format!("{module}.rs"))] {
        if path.exists() {
            collect(&path, &mut files);
        }
    }
    files
}

/// Modules named right after `crate::`, alone or in a braced list.
fn uses(text: &str) -> Vec<String> {
    let name = |part: &str| part.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for (place, _) in text.match_indices("crate::") {
        let rest = &text[place + "crate::".len()..];
        if !rest.starts_with('{') {
            found.push(name(rest));
            continue;
        }
        let mut depth = 0;
        let mut start = 1;
        for (at, character) in rest.char_indices() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if (character == ',' && depth == 1) || depth == 0 {
                found.push(name(&rest[start..at]));
                start = at + 1;
            }
            if depth == 0 {
                break;
            }
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

#[test]
fn modules_use_only_what_stands_below_them() {
    for (module, allowed, _) in RULES {
        let files = files_of(module);
        assert!(!files.is_empty(), "the module {module} has no files");
        for file in files {
            for used in uses(&fs::read_to_string(&file).unwrap()) {
                let ok = used == *module || allowed.contains(&used.as_str());
                assert!(ok, "{} uses {used}, which {module} may not know", file.display());
            }
        }
    }
}

#[test]
fn modules_never_see_libraries_that_are_not_theirs() {
    for (module, _, forbidden) in RULES {
        for file in files_of(module) {
            let text = fs::read_to_string(&file).unwrap();
            for library in *forbidden {
                let seen = text.contains(&format!("{library}::")) || text.contains(&format!("use {library};"));
                assert!(!seen, "{} sees the library {library}, which {module} must not", file.display());
            }
        }
    }
}

#[test]
fn the_module_list_is_in_dependency_order() {
    let library = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let order: Vec<&str> =
        library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    for (module, allowed, _) in RULES {
        let place = |name: &str| order.iter().position(|listed| *listed == name).unwrap();
        for used in *allowed {
            assert!(place(used) < place(module), "{used} must stand above {module} in lib.rs");
        }
    }
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let library = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    for module in library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')) {
        for file in files_of(module) {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            assert!(lines <= 400, "{} has {lines} lines: split it by concept", file.display());
        }
    }
}

#[test]
fn the_reader_of_use_lines_finds_nested_and_inline_uses() {
    let text = "use crate::{a::{B, C}, d, e::F};\nfn x() { crate::g::h() }";
    assert_eq!(uses(text), ["a", "d", "e", "g"]);
}
