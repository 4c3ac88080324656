//! Who may know whom: the `use` lines of each module are compared with the table of docs/architecture.md.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Longest file and longest function, in lines.
const LONGEST_FILE: usize = 400;
const LONGEST_FUNCTION: usize = 60;
/// Types and names of the systems of this crate.
const SYSTEMS: [&str; 6] = ["Ising", "CurieWeiss", "PredatorPrey", "LinearChain", "Alloy", "alloy::"];

/// One row of the table.
struct Rule {
    module: String,
    allowed: Vec<String>,
    /// Whether it may use all modules above it.
    uses_all: bool,
    forbidden: Vec<String>,
    names_systems: bool,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Modules in the order of lib.rs.
fn order() -> Vec<String> {
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let module =
        |line: &str| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';').map(str::to_owned);
    library.lines().filter_map(module).collect()
}

fn rules() -> Vec<Rule> {
    let document = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let order = order();
    let list = |cell: &str| -> Vec<String> {
        cell.split(',').map(str::trim).filter(|name| !["", "-"].contains(name)).map(str::to_owned).collect()
    };
    let rows = document.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let module = cells[1].trim_matches('`').to_owned();
        let above = order.iter().take_while(|name| **name != module).cloned();
        let uses_all = cells[3] == "all of the above";
        let allowed = if uses_all { above.collect() } else { list(cells[3]) };
        Rule { module, allowed, uses_all, forbidden: list(cells[4]), names_systems: cells[5] == "yes" }
    })
    .collect()
}

fn files_of(module: &str) -> Vec<PathBuf> {
    fn collect(path: &Path, files: &mut Vec<PathBuf>) {
        if path.is_dir() {
            fs::read_dir(path).unwrap().for_each(|entry| collect(&entry.unwrap().path(), files));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path.to_owned());
        }
    }
    let mut files = Vec::new();
    for path in [root().join("src").join(module), root().join(format!("src/{module}.rs"))] {
        if path.exists() {
            collect(&path, &mut files);
        }
    }
    assert!(!files.is_empty(), "the module {module} has no files");
    files
}

/// A file without comments and without its tests.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    code.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Every path after `crate::` in a text, lists in braces taken apart.
fn paths(text: &str) -> Vec<Vec<String>> {
    fn expand(text: &str, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
        let (mut path, mut name, mut at) = (before.to_vec(), String::new(), 0);
        while let Some(character) = text[at..].chars().next() {
            at += character.len_utf8();
            match character {
                c if c.is_alphanumeric() || c == '_' || c == '*' => name.push(c),
                ':' if text[at..].starts_with(':') && !name.is_empty() => {
                    at += 1;
                    path.push(std::mem::take(&mut name));
                }
                '{' if name.is_empty() => {
                    loop {
                        at += text[at..].len() - text[at..].trim_start().len();
                        at += expand(&text[at..], &path, found);
                        at += text[at..].len() - text[at..].trim_start().len();
                        match text[at..].chars().next() {
                            Some(',') => at += 1,
                            Some('}') => break,
                            _ => break,
                        }
                    }
                    return at + 1;
                }
                _ => {
                    at -= character.len_utf8();
                    break;
                }
            }
        }
        if !name.is_empty() {
            path.push(name);
        }
        if path.len() > before.len() {
            // "a as b" names a.
            if text[at..].starts_with(" as ") {
                at += text[at..].find([',', '}', ';']).unwrap_or(0);
            }
            found.push(path);
        }
        at
    }
    let mut found = Vec::new();
    for (place, _) in text.match_indices("crate::") {
        expand(&text[place + "crate::".len()..], &[], &mut found);
    }
    found.iter_mut().for_each(|path| path.retain(|name| name != "self"));
    found.retain(|path| !path.is_empty());
    found
}

#[test]
fn every_module_has_its_row_and_uses_only_what_stands_above_it() {
    let (rules, order) = (rules(), order());
    let listed: Vec<&String> = rules.iter().map(|rule| &rule.module).collect();
    assert_eq!(
        listed,
        order.iter().collect::<Vec<_>>(),
        "docs/architecture.md lists the modules of lib.rs in their order"
    );
    for rule in &rules {
        let place = |name: &String| order.iter().position(|module| module == name).unwrap();
        for used in &rule.allowed {
            assert!(place(used) < place(&rule.module), "{used} must stand above {}", rule.module);
        }
        let mut unused = if rule.uses_all { Vec::new() } else { rule.allowed.clone() };
        for file in files_of(&rule.module) {
            for path in paths(&code(&file)).iter().filter(|path| order.contains(&path[0])) {
                let allowed = path[0] == rule.module || rule.allowed.contains(&path[0]);
                assert!(allowed, "{} uses {}, which {} may not know", file.display(), path.join("::"), rule.module);
                unused.retain(|name| *name != path[0]);
            }
        }
        assert!(unused.is_empty(), "{} does not use {unused:?}: take them out of its row", rule.module);
    }
}

#[test]
fn modules_never_see_libraries_that_are_not_theirs() {
    for rule in rules() {
        for file in files_of(&rule.module) {
            let text = code(&file);
            for library in &rule.forbidden {
                let seen = text.lines().any(|line| {
                    line.match_indices(&format!("{library}::"))
                        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
                });
                assert!(!seen, "{} sees the library {library}, which {} must not", file.display(), rule.module);
            }
        }
    }
}

#[test]
fn systems_are_named_where_they_live_alone() {
    for rule in rules().iter().filter(|rule| !rule.names_systems) {
        for file in files_of(&rule.module) {
            let text = code(&file);
            let named = SYSTEMS.iter().find(|name| text.contains(*name));
            assert_eq!(named, None, "{} names a system", file.display());
        }
    }
}

/// Circles of files within the crate: who takes names from whom, names of re-exports followed to the file that defines
/// them.
#[test]
fn no_file_uses_itself_through_others() {
    let files: Vec<PathBuf> = order().iter().flat_map(|module| files_of(module)).collect();
    let module_of = |file: &Path| -> Vec<String> {
        let relative = file.strip_prefix(root().join("src")).unwrap().with_extension("");
        let mut path: Vec<String> = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        path.retain(|part| part != "mod");
        path
    };
    let texts: BTreeMap<&PathBuf, String> = files.iter().map(|file| (file, code(file))).collect();
    let by_module: BTreeMap<Vec<String>, &PathBuf> = files.iter().map(|file| (module_of(file), file)).collect();
    let defines = |file: &PathBuf, name: &str| {
        let kinds = ["struct", "enum", "trait", "fn", "type", "const", "static"];
        kinds.iter().any(|kind| {
            texts[file].match_indices(&format!("{kind} {name}")).any(|(at, found)| {
                let next = texts[file][at + found.len()..].chars().next();
                !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
            })
        })
    };
    // The file that a path names something of; that of a folder's mod.rs only hands names on.
    let target = |path: &[String]| -> Option<&PathBuf> {
        let length = (1..=path.len()).rev().find(|&length| by_module.contains_key(&path[..length]))?;
        let file = by_module[&path[..length]];
        let name = path.get(length)?;
        if !file.ends_with("mod.rs") || defines(file, name) {
            return Some(file);
        }
        let mut inside = files.iter().filter(|one| module_of(one).starts_with(&path[..length]) && defines(one, name));
        inside.next().filter(|_| inside.next().is_none())
    };
    let mut uses: BTreeMap<&PathBuf, BTreeSet<&PathBuf>> = BTreeMap::new();
    for file in &files {
        let mut parent = module_of(file);
        if !file.ends_with("mod.rs") {
            parent.pop();
        }
        let text =
            texts[file].replace("super::", &format!("crate::{}::", parent.join("::"))).replace("crate::::", "crate::");
        let found = paths(&text);
        let found =
            found.iter().filter_map(|path| target(path)).filter(|used| *used != file && !used.ends_with("mod.rs"));
        uses.insert(file, found.collect());
    }
    // What is left when files that use nothing left, or that nothing left uses, are taken away again and again lies in
    // circles.
    loop {
        let used: BTreeSet<&PathBuf> = uses.values().flatten().copied().collect();
        let left: Vec<&PathBuf> = uses.keys().copied().collect();
        uses.retain(|file, uses| used.contains(file) && uses.iter().any(|one| left.contains(one)));
        if uses.len() == left.len() {
            break;
        }
    }
    assert!(uses.is_empty(), "circles of files: {:#?}", uses.keys().collect::<Vec<_>>());
}

#[test]
fn files_and_functions_are_short() {
    for file in order().iter().flat_map(|module| files_of(module)) {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() <= LONGEST_FILE, "{} has {} lines: split it by concept", file.display(), lines.len());
        for (start, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let words: Vec<&str> = line.trim_start().split(' ').take(4).collect();
            let Some(at) = words.iter().position(|word| *word == "fn") else { continue };
            if !words[..at].iter().all(|word| ["pub", "pub(crate)", "pub(super)", "const", "unsafe"].contains(word)) {
                continue;
            }
            let end = format!("{}}}", " ".repeat(indent));
            let length = lines[start..].iter().position(|line| **line == *end).map_or(1, |length| length + 1);
            let one_line = line.trim_end().ends_with('}') || line.trim_end().ends_with(';');
            assert!(one_line || length <= LONGEST_FUNCTION, "{}:{}: {length} lines: {line}", file.display(), start + 1);
        }
    }
}

#[test]
fn the_reader_of_paths_finds_nested_and_inline_ones() {
    let text = "use crate::{a::{B, C as D}, d, e::{self, F}};\nfn x() { crate::g::h(1) }";
    let found: Vec<String> = paths(text).iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["a::B", "a::C", "d", "e", "e::F", "g::h"]);
}
