//! From a file and `--set key=value` to one typed input, or to the points of a `[sweep]`.

use super::{ConfigError, Input};
use crate::systems::SystemInput;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::path::Path;
use toml::{Table, Value};

/// One point of a sweep, or the only one of a plain input.
#[derive(Clone, Debug)]
pub struct Point {
    /// What the sweep set, as pairs of key and value; empty without a sweep.
    pub set: Vec<(String, Value)>,
    /// The input with that in place, checked.
    pub input: Input,
}

impl Point {
    /// What sets the point apart: `patch=16,temperature=2.5`.
    pub fn label(&self) -> String {
        let short = |key: &str| key.rsplit('.').next().unwrap_or(key).to_owned();
        let parts: Vec<String> = self.set.iter().map(|(key, value)| format!("{}={value}", short(key))).collect();
        let plain = |letter: char| letter.is_ascii_alphanumeric() || ".,+=-_".contains(letter);
        parts.join(",").chars().filter(|letter| plain(*letter)).collect()
    }

    /// Name of the point's folder: its label, or the beginning of that and a hash if it is long.
    pub fn folder(&self) -> String {
        let label = self.label();
        if label.len() <= LONGEST_LABEL {
            return label;
        }
        let hash = Sha256::digest(&label)[..4].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("{}-{hash}", &label[..LONGEST_LABEL - hash.len() - 1])
    }
}

/// The longest name of a point's folder.
const LONGEST_LABEL: usize = 80;

/// Reads an input, applies overrides, expands its sweep and checks every point. The points come in the order of the
/// lists, the first key of the sweep slowest; without `[sweep]` there is one point. Keys separated by commas vary
/// together: `"lattice.small, upsample.relax" = [[64, "none"], [16, { time = 8.0 }]]`.
///
/// # Errors
/// The first error in the input, with its line or override.
pub fn load(path: &Path, overrides: &[String]) -> Result<Vec<Point>, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let mut table: Table = toml::from_str(&text).map_err(|error| located(path, &text, &error))?;
    for entry in overrides {
        set(&mut table, entry)?;
    }
    let swept = table.remove("sweep");
    let whole_text = overrides.is_empty() && swept.is_none();
    let sweep = sweep_lists(swept)?;
    if let Some((key, entry)) = sweep
        .iter()
        .flat_map(|(key, _)| names(key))
        .find_map(|key| Some((key, overrides.iter().find(|entry| entry.split('=').next() == Some(key))?)))
    {
        let message = format!("{key} is swept by the input. Change the sweep instead: --set 'sweep.\"{key}\"=[...]'");
        return Err(ConfigError::Parse { location: format!("--set {entry}"), message });
    }
    let mut points = vec![(Vec::new(), table)];
    for (key, values) in sweep {
        points = points
            .into_iter()
            .flat_map(|(set, table)| {
                values.iter().map(move |value| (set.clone(), table.clone(), value.clone())).collect::<Vec<_>>()
            })
            .map(|(mut done, mut table, value)| {
                for (name, value) in together(&key, value)? {
                    insert(&mut table, name, value.clone())?;
                    done.push((name.to_owned(), value));
                }
                Ok((done, table))
            })
            .collect::<Result<_, ConfigError>>()?;
    }
    // The text as it stands is parsed where nothing was changed, because only text has lines to name.
    let points: Vec<Point> = points
        .into_iter()
        .map(|(set, table)| {
            let mut input = if whole_text {
                parse(&text).map_err(|error| located(path, &text, &error))?
            } else {
                let written = toml::to_string(&table).expect("what was read from TOML can be written as TOML");
                parse(&written).map_err(|error| {
                    let (location, line) = original_line(path, &text, &written, &error, overrides);
                    ConfigError::Parse { location, message: with_hint(error.message(), &line) }
                })?
            };
            input.choose_upsampling().and_then(|()| input.check()).map_err(|error| with_values(&error, &input))?;
            Ok(Point { set, input })
        })
        .collect::<Result<_, ConfigError>>()?;
    let mut labels: Vec<String> = points.iter().map(Point::label).collect();
    labels.sort_unstable();
    match labels.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(ConfigError::Physics(format!(
            "the input cannot be run: the sweep has two points named {}; remove one",
            pair[0]
        ))),
        None => Ok(points),
    }
}

/// Reads choices of another kind than an [`Input`], with overrides; all defaults without a file.
///
/// # Errors
/// The first error in the file or the overrides.
pub fn load_as<T: DeserializeOwned>(path: Option<&Path>, overrides: &[String]) -> Result<T, ConfigError> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })
    };
    let text = path.map(read).transpose()?.unwrap_or_default();
    let mut table: Table =
        toml::from_str(&text).map_err(|error| located(path.unwrap_or(Path::new("")), &text, &error))?;
    overrides.iter().try_for_each(|entry| set(&mut table, entry))?;
    let location = path.map_or("--set".into(), |path| format!("{} and --set", path.display()));
    let parsed = Value::Table(table).try_into();
    parsed.map_err(|error| ConfigError::Parse { location, message: with_hint(error.message(), "") })
}

/// An input from its text.
fn parse(text: &str) -> Result<Input, toml::de::Error> {
    toml::from_str(text).map_err(|error| SystemInput::find_fault(text).unwrap_or(error))
}

fn set(table: &mut Table, entry: &str) -> Result<(), ConfigError> {
    let refused = |message: String| ConfigError::Parse { location: format!("--set {entry}"), message };
    let (key, value) =
        entry.split_once('=').ok_or_else(|| refused("write it as key=value, for instance lattice.patch=32".into()))?;
    let value = toml::from_str::<Table>(&format!("value = {value}"))
        .ok()
        .and_then(|mut parsed| parsed.remove("value"))
        .unwrap_or_else(|| Value::String(value.to_owned()));
    insert(table, key.trim(), value)
}

fn insert(table: &mut Table, key: &str, value: Value) -> Result<(), ConfigError> {
    // A key of the sweep is one name, dots included: sweep."lattice.patch".
    let mut names: Vec<&str> = match key.strip_prefix("sweep.") {
        Some(swept) => vec!["sweep", swept.trim_matches('"')],
        None => key.split('.').collect(),
    };
    let last = names.pop().unwrap_or(key);
    let mut inner = table;
    for name in names {
        inner = inner.entry(name).or_insert_with(|| Value::Table(Table::new())).as_table_mut().ok_or_else(|| {
            ConfigError::Parse { location: key.to_owned(), message: format!("`{name}` is a value, not a table") }
        })?;
    }
    inner.insert(last.to_owned(), value);
    Ok(())
}

/// The keys that a key of the sweep names, separated by commas.
fn names(key: &str) -> impl Iterator<Item = &str> {
    key.split(',').map(str::trim)
}

/// A key of the sweep with its value; several keys with a value each when they change together.
fn together(key: &str, value: Value) -> Result<Vec<(&str, Value)>, ConfigError> {
    let keys: Vec<&str> = names(key).collect();
    match value {
        value if keys.len() == 1 => Ok(vec![(key, value)]),
        Value::Array(values) if values.len() == keys.len() => Ok(keys.into_iter().zip(values).collect()),
        value => Err(ConfigError::Parse {
            location: format!("sweep.\"{key}\""),
            message: format!("{value} is no list of {} values, one for each key that changes", keys.len()),
        }),
    }
}

fn sweep_lists(sweep: Option<Value>) -> Result<Vec<(String, Vec<Value>)>, ConfigError> {
    let refused = |location: String| ConfigError::Parse {
        location,
        message: "a sweep gives each key a list, for instance \"lattice.patch\" = [16, 32]".into(),
    };
    let Some(sweep) = sweep else { return Ok(Vec::new()) };
    let table = sweep.as_table().ok_or_else(|| refused("sweep".into()))?;
    table
        .iter()
        .map(|(key, values)| match values.as_array() {
            Some(values) if !values.is_empty() => Ok((key.clone(), values.clone())),
            _ => Err(refused(format!("sweep.\"{key}\""))),
        })
        .collect()
}

fn located(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    if of_whole(text, error) {
        return ConfigError::Parse { location: path.display().to_string(), message: error.message().to_owned() };
    }
    let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let content = text.lines().nth(line - 1).unwrap_or_default().trim();
    ConfigError::Parse {
        location: format!("{}, line {line}", path.display()),
        message: with_hint(error.message(), content),
    }
}

/// Whether an error is about no line: a table or key is missing that would stand outside all tables.
fn of_whole(text: &str, error: &toml::de::Error) -> bool {
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    error.message().starts_with("missing field") && !text[start..].starts_with('[')
}

/// The override, or the line of the user's own text, that a rewritten text's error is about.
fn original_line(
    path: &Path,
    text: &str,
    written: &str,
    error: &toml::de::Error,
    overrides: &[String],
) -> (String, String) {
    if of_whole(written, error) {
        return (path.display().to_string(), String::new());
    }
    let start = |offset: usize| written[..offset].rfind('\n').map_or(0, |newline| newline + 1);
    let content = error.span().and_then(|span| written[start(span.start)..].lines().next()).unwrap_or_default();
    let key = content.split('=').next().unwrap_or_default().trim();
    let before = error.span().map_or("", |span| &written[..start(span.start)]);
    let table = before.lines().rev().find_map(|line| line.strip_prefix('[')?.strip_suffix(']'));
    let full = table.map_or(key.to_owned(), |table| format!("{table}.{key}"));
    if let Some(entry) = overrides.iter().find(|entry| entry.split('=').next().is_some_and(|name| name.trim() == full))
    {
        return (format!("--set {entry}"), String::new());
    }
    let number =
        text.lines().position(|line| !key.is_empty() && line.split('=').next().is_some_and(|name| name.trim() == key));
    let location = match number {
        Some(number) => format!("{}, line {}", path.display(), number + 1),
        None => format!("{} with --set or [sweep]", path.display()),
    };
    (location, content.to_owned())
}

/// Adds the values of the keys that a complaint names, unless it shows them itself.
fn with_values(error: &ConfigError, input: &Input) -> ConfigError {
    fn flatten(prefix: &str, table: &Table, flat: &mut Vec<(String, String)>) {
        for (name, value) in table {
            match value {
                Value::Table(inner) => flatten(&format!("{prefix}{name}."), inner, flat),
                value => flat.push((format!("{prefix}{name}"), value.to_string())),
            }
        }
    }
    let (mut text, mut flat) = (error.to_string(), Vec::new());
    flatten("", &input.toml().parse().unwrap_or_default(), &mut flat);
    let table = |key: &str| key.rsplit_once('.').map_or(String::new(), |(table, _)| format!("[{table}]"));
    let named = |(key, value): &(String, String)| {
        let whole = table(key);
        (text.contains(key.as_str()) || !whole.is_empty() && text.contains(&whole)) && !text.contains(value.as_str())
    };
    let values: Vec<String> = flat.into_iter().filter(named).map(|(key, value)| format!("{key} = {value}")).collect();
    if !values.is_empty() {
        text = format!("{text} (now {})", values.join(", "));
    }
    ConfigError::Physics(text)
}

/// Adds the offending line and, to the complaint about an unknown key, the nearest valid key.
fn with_hint(message: &str, line: &str) -> String {
    let shown = if line.is_empty() { String::new() } else { format!(" (in `{line}`)") };
    let mut quoted = message.split('`').skip(1).step_by(2);
    let nearest = match quoted.next() {
        Some(unknown) if message.starts_with("unknown") => quoted
            .map(|valid| (strsim::damerau_levenshtein(unknown, valid), valid))
            .min()
            .map_or(String::new(), |(_, valid)| format!("; did you mean `{valid}`?")),
        _ => String::new(),
    };
    format!("{message}{shown}{nearest}")
}
