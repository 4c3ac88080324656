//! Every key of docs/input.md with bad values, for every system: no panic, no abort, no hang, and every refusal names
//! the key and the value.

use std::{collections::BTreeMap, path::Path};
use tessera::{config, stages};

/// Values of wrong types, signs and sizes.
const BAD: [&str; 22] = [
    "\"a\"",
    "true",
    "-1",
    "-0.1",
    "0",
    "0.0",
    "nan",
    "inf",
    "-inf",
    "1e18",
    "1000000000000000000",
    "9223372036854775807",
    "1e-300",
    "1e-45",
    "65536",
    "4000000000",
    "[]",
    "[1000000000]",
    "[nan, -1.0]",
    "{}",
    "\"\"",
    "1979-05-27",
];

/// Keys with their tables, as the document lists them.
fn keys() -> Vec<String> {
    let document = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/input.md")).unwrap();
    let (mut table, mut keys) = (String::new(), Vec::new());
    for line in document.lines() {
        if let Some(heading) = line.trim_start_matches('#').trim().strip_prefix("`[") {
            table = format!("{}.", heading.trim_end_matches("]`"));
        }
        if let Some(key) =
            line.strip_prefix("| `").and_then(|rest| rest.split('`').next()).filter(|key| !key.contains('"'))
        {
            keys.push(format!("{table}{key}"));
        }
    }
    for table in ["simulate.times", "truth.times"] {
        keys.extend(["first", "last", "count"].map(|key| format!("{table}.{key}")));
    }
    keys.push("upsample.relax.time".into());
    keys.extend(
        ["upsample.relax.events", "upsample.relax.age", "evolve.until.events", "evolve.until.time"].map(String::from),
    );
    keys.retain(|key| !key.starts_with("sweep") && key != "system.NAME.");
    keys
}

/// The override that sets a key, with the other entries of its table where these belong together.
fn setting(key: &str, value: &str) -> String {
    let (table, last) = key.rsplit_once('.').unwrap_or(("", key));
    match table {
        "upsample.relax" | "evolve.until" => format!("{table}={{ {last} = {value} }}"),
        "simulate.times" | "truth.times" => {
            let rest: Vec<&str> = [("first", "first = 0.1"), ("last", "last = 1.0"), ("count", "count = 3")]
                .into_iter()
                .filter_map(|(name, entry)| (name != last).then_some(entry))
                .collect();
            format!("{table}={{ {}, {last} = {value} }}", rest.join(", "))
        }
        _ => format!("{key}={value}"),
    }
}

/// Whether a message shows a value, in whatever form a number may have.
fn shows(message: &str, value: &str) -> bool {
    value.trim_matches(['"', '[', ']', '{', '}']).split(", ").any(|part| {
        let number = part.parse::<f64>().map_or(Vec::new(), |number| vec![format!("{number}"), format!("{number:?}")]);
        message.contains(part) || number.iter().any(|form| message.contains(form))
    })
}

#[test]
fn bad_values_of_every_key_are_refused_by_name_or_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, mut tried, mut silent) = (keys(), BTreeMap::new(), Vec::new());
    assert!(keys.len() > 80, "{} keys", keys.len());
    for system in ["ising", "curie_weiss", "predator_prey", "linear_chain", "alloy"] {
        let text = tessera::systems::REGISTRY.get(system).unwrap().template;
        let path = folder.path().join(format!("{system}.toml"));
        std::fs::write(&path, text).unwrap();
        let others = |key: &&String| !key.starts_with("system.") || key.starts_with(&format!("system.{system}."));
        for key in keys.iter().filter(others) {
            for value in BAD {
                // Without the sweep of some templates, so that the key is not swept.
                let set = ["sweep={}".to_owned(), setting(key, value)];
                let outcome = match config::load(&path, &set) {
                    Ok(points) => {
                        points.iter().for_each(|point| drop(stages::plan(&point.input, 2)));
                        "harmless"
                    }
                    Err(error) => {
                        let (error, name) = (error.to_string(), key.rsplit('.').next().unwrap());
                        if !error.contains(name) || !shows(&error, value) {
                            silent.push(format!("{system}: {key} = {value}: {error}"));
                        }
                        "refused"
                    }
                };
                *tried.entry(outcome).or_insert(0) += 1;
            }
        }
    }
    println!("{tried:?}");
    assert!(silent.is_empty(), "{} refusals do not name the key:\n{}", silent.len(), silent.join("\n"));
    assert!(tried["refused"] > 5000, "{tried:?}");
}
