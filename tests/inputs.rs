//! Every input that ships parses; bad input is refused with a sentence that helps.

mod common;

use common::{SMALL, succeeds, tessera};
use std::path::Path;
use tessera::{
    config::{EvaluateInput, TrainSection},
    learning::ClosureInput,
};

#[test]
fn every_shipped_input_is_valid() {
    let mut checked = 0;
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("inputs")).unwrap() {
        let path = entry.unwrap().path();
        let text = succeeds(0, &["check", path.to_str().unwrap()]);
        assert!(text.contains("the input is valid") && text.contains("patches K"), "{text}");
        checked += 1;
    }
    assert!(checked >= 8);
}

#[test]
fn the_printed_input_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.toml");
    for system in ["alloy", "predator_prey", "curie_weiss", "linear_chain", "ising"] {
        std::fs::write(&path, succeeds(0, &["new", system])).unwrap();
        succeeds(0, &["check", path.to_str().unwrap()]);
    }
}

/// Every key that an input may have, read from the structs that refuse others, and every default value of theirs.
#[test]
fn every_key_is_explained_with_its_default() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(root.join("docs/input.md")).unwrap();
    let mut keys = 0;
    for file in ["config", "learning/train/input", "learning/sde/mod", "learning/closure/mod"]
        .map(String::from)
        .into_iter()
        .chain(
            ["ising", "curie_weiss", "predator_prey", "linear_chain", "alloy/mod"]
                .map(|system| format!("systems/{system}")),
        )
    {
        let source = std::fs::read_to_string(root.join("src").join(file).with_extension("rs")).unwrap();
        for part in source.split("deny_unknown_fields").skip(1) {
            let body = part.split("\n}").next().unwrap();
            for field in body.lines().filter_map(|line| line.strip_prefix("    pub ")) {
                let key = field.split(':').next().unwrap();
                let places = ["`", "`[", "."].map(|before| format!("{before}{key}"));
                assert!(places.iter().any(|place| document.contains(place)), "{key} is not explained");
                keys += 1;
            }
        }
    }
    assert!(keys > 80, "{keys} keys");
    let train = toml::Table::try_from(TrainSection::default()).unwrap();
    for (heading, table) in [
        ("## `[closure]`", toml::Table::try_from(ClosureInput::default()).unwrap()),
        ("### `[train.model]`", train["model"].as_table().unwrap().clone()),
        ("### `[train.fit]`", train["fit"].as_table().unwrap().clone()),
        ("## `[train]`", train),
        ("## `[evaluate]`", toml::Table::try_from(EvaluateInput::default()).unwrap()),
    ] {
        let section = document.split(heading).nth(1).unwrap().split("\n#").next().unwrap();
        for (key, value) in table.iter().filter(|(_, value)| !value.is_table()) {
            let row = section
                .lines()
                .find(|line| line.starts_with(&format!("| `{key}` |")))
                .unwrap_or_else(|| panic!("{key}"));
            let default = row.split('|').nth(2).unwrap().trim();
            let read: toml::Table = format!("value = {default}").parse().unwrap_or_else(|_| panic!("{row}"));
            assert_eq!(&read["value"], value, "{row}");
        }
    }
}

/// What is wrong with the input, the change that makes it so, and what the message must contain.
const BAD: &[(&str, &str, &[&str])] = &[
    ("field = 0.1", "feild = 0.1", &["line 5", "`feild`", "did you mean `field`?"]),
    ("[simulate]", "[simulat]", &["line 9", "did you mean `simulate`?"]),
    ("temperature = 2.5", "temperature = -2.5", &["system.ising.temperature is -2.5", "above 0"]),
    ("temperature = 2.5", "temperature = [2.5, 0.0]", &["system.ising.temperature is 0", "above 0"]),
    ("temperature = 2.5", "temperature = []", &["system.ising.temperature is an empty list"]),
    ("temperature = 2.5", "temperature = \"hot\"", &["line 4", "a number or a list of numbers"]),
    ("large = 16", "large = 20", &["lattice.large is 20"]),
    ("large = 16", "large = 40", &["lattice.large is 40", "twos and threes"]),
    ("patch = 8\nlarge = 16", "patch = 5\nlarge = 10", &["side (5) must be even"]),
    ("patch = 8\nlarge = 16", "patch = 7\nlarge = 16", &["multiple of lattice.patch = 7"]),
    ("records = 6", "records = 6\nside = 12", &["truth.side is 12"]),
    ("records = 6", "records = 6\nunseen = [3.0]", &["truth.unseen names 3", "add it to their list"]),
    ("records = 6", "records = 6\nside = 32\ntile = 32", &["truth.tile is 32"]),
    ("trajectories = 12", "trajectories = 0", &["simulate.trajectories"]),
    ("relax = { time = 0.5 }", "relax = { time = 0.0 }", &["upsample.relax.time is 0"]),
    ("step = 0.5", "step = 0.3", &["truth.interval = 1", "predict.step = 0.3"]),
    ("patches = 2", "patches = 0", &["evolve.patches"]),
    ("until = { time = 0.5 }", "until = { time = 0.5 }\nsurroundings = { buffer = 5 }", &["buffer of 5", "at most 4"]),
    ("batch = 64", "batch = 0", &["batch"]),
    ("variables = 1", "channels = [0]", &["closure.channels"]),
    ("starts = [-0.5, 0.5]", "starts = [-0.5, 5.0]", &["truth.starts holds 5"]),
    ("seeds = [1, 2]", "seeds = [2, 2]", &["train.seeds names a seed twice"]),
    ("seeds = [1, 2]", "seeds = [1, 2]\nmirrored = true", &["train.mirrored is set"]),
    ("seeds = [1, 2]", "seeds = [1, 2]\nclock = true", &["train.clock is set", "dynamic exponent"]),
    (
        "seeds = [1, 2]",
        "seeds = [1, 2]\nmodel = { drift = \"reversible\" }",
        &["\"reversible\"", "closure.observables = 1"],
    ),
    ("variables = 1", "observables = 1", &["closure.observables leaves", "closure.variables = 0"]),
    ("variables = 1", "variables = 0\nobservables = 3", &["closure.observables is 3", "from 1 to 2"]),
    ("seeds = [1, 2]", "seeds = [1, 2, 3, 4, 5, 6, 7]\ndisjoint = true", &["train.disjoint deals 12"]),
    ("batch = 64", "batch = 64\ndecay = 1.5", &["decay = 1.5", "it must be above 0 and at most 1"]),
    ("batch = 64", "batch = 64\nlearning_rate_minimum = nan", &["learning_rate_minimum = NaN", "at least 0"]),
    ("batch = 64", "batch = 64\nlearning_rate = -0.1", &["learning_rate = -0.1", "it must be above 0"]),
    ("batch = 64", "batch = 64\nweight_decay = -1.0", &["weight_decay = -1"]),
    ("epochs = 2", "epochs = 0", &["epochs = 0"]),
    (
        "seeds = [1, 2]",
        "seeds = [1, 2]\nmodel.drift = \"onsagr\"",
        &["line 24", "unknown variant `onsagr`, expected one of `mlp`", "did you mean `onsager`?"],
    ),
    (
        "seeds = [1, 2]",
        "seeds = [1, 2]\nmodel.diffusion = \"none\"",
        &["line 24", "expected one of `full`, `diagonal`"],
    ),
    ("relax = { time = 0.5 }", "relax = { events = 0 }", &["upsample.relax.events is 0", "none"]),
    ("records = 6", "records = 6\nside = 0", &["truth.side is 0"]),
    ("records = 6", "records = 6\ntile = 1", &["truth.tile is 1", "at least 2"]),
    ("temperature = 2.5", "temperature = [2.5, 3.0, 2.5]", &["2.5 twice"]),
    (
        "trajectories = 3\ninterval = 1.0\nrecords = 6\n[evaluate]",
        "trajectories = 1\ninterval = 1.0\nrecords = 6\n[evaluate]\ndiscrepancy = true",
        &["two halves of the truth"],
    ),
    ("variables = 1", "functions = [\"plaquettes\"]", &["closure.functions", "closure.encoder = \"library\""]),
    (
        "variables = 1",
        "encoder = \"library\"\nfunctions = [\"q4\"]",
        &["closure.functions has \"q4\"", "this system has"],
    ),
    ("trajectories = 12", "trajectories = 12\nfirst = -1.0", &["simulate.first is -1"]),
    ("trajectories = 12", "trajectories = 9000000000000000000", &["training pairs"]),
    ("large = 16", "large = 4294967296", &["lattice.large is 4294967296"]),
    ("large = 16", "large = 16\nsmall = 3", &["side (3)"]),
    ("seed = 3", "seed = ", &["line 2"]),
];

#[test]
fn bad_inputs_are_refused_with_the_place_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    for (good, bad, expected) in BAD {
        assert!(SMALL.contains(good), "{good} is not in the small input");
        let path = folder.path().join("bad.toml");
        std::fs::write(&path, SMALL.replacen(good, bad, 1)).unwrap();
        let output = tessera(0, &["check", path.to_str().unwrap()]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{bad}: {error}");
        for part in *expected {
            assert!(error.contains(part), "{bad}: {part:?} is missing in {error:?}");
        }
    }
}

#[test]
fn bad_overrides_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let input = common::small_input(folder.path());
    for (set, expected) in [
        ("lattice.path=4", "did you mean `patch`?"),
        ("lattice.patch=\"a\"", "--set lattice.patch=\"a\": invalid type"),
        ("nonsense", "key=value"),
        ("sweep.seed=[1, 1]", "two points named seed=1"),
        ("sweep.\"seed, lattice.patch\"=[[1, 8], [2]]", "no list of 2 values"),
    ] {
        let output = tessera(0, &["check", &input, "--set", set]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{set}: {error}");
        assert!(error.contains(expected), "{set}: {error}");
    }
}

#[test]
fn keys_of_a_sweep_change_together() {
    let folder = tempfile::tempdir().unwrap();
    let input = common::small_input(folder.path());
    let sweep = "sweep.\"lattice.patch, upsample.relax\"=[[8, \"none\"], [4, { time = 1.0 }]]";
    let text = succeeds(0, &["check", &input, "--set", sweep]);
    assert!(text.contains("point patch=8,relax=none") && text.contains("point patch=4,relax=time=1.0"), "{text}");
    assert!(text.contains("no relaxation") && text.contains("relaxes for time 1"), "{text}");
}

#[test]
fn a_missing_input_and_an_unwritable_folder_are_refused_on_all_ranks() {
    let output = tessera(2, &["run", "no-such-input.toml"]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot read the input no-such-input.toml"));
    let folder = tempfile::tempdir().unwrap();
    let input = common::small_input(folder.path());
    let output = tessera(2, &["simulate", &input, "--out", "/dev/null/run"]);
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("cannot create the folder /dev/null/run"), "{error}");
}

/// Shuffled spins have a domain wall at every other pair or so; those of a later first snapshot have relaxed.
#[test]
fn the_first_snapshot_may_be_a_later_one() {
    let folder = tempfile::tempdir().unwrap();
    let input = common::small_input(folder.path());
    let read = |name: &str, first: &str| -> (Vec<f64>, f64) {
        let out = folder.path().join(name);
        let set = format!("simulate.first={first}");
        succeeds(0, &["simulate", &input, "--out", out.to_str().unwrap(), "--set", &set, "simulate.trajectories=60"]);
        let file = hdf5::File::open(out.join("small.h5")).unwrap();
        let observables = file.dataset("observables").unwrap().read_dyn::<f64>().unwrap();
        let walls = observables.index_axis(ndarray::Axis(1), 0).index_axis(ndarray::Axis(1), 1).mean().unwrap();
        (file.dataset("time").unwrap().read_raw().unwrap(), walls)
    };
    let (times, shuffled) = read("now", "0.0");
    assert_eq!(times, [0.0, 2.0, 4.0, 6.0, 8.0]);
    let (times, relaxed) = read("later", "30.0");
    assert_eq!(times, [30.0, 32.0, 34.0, 36.0, 38.0]);
    assert!(relaxed < 0.75 * shuffled, "domain-wall density {shuffled} at once, {relaxed} later");
}

/// The quickstart's states are mosaics; near T_c blocks are; without upsampling there is no choice.
#[test]
fn the_kind_of_upsampling_is_chosen_by_the_correlation_length() {
    let folder = tempfile::tempdir().unwrap();
    let input = common::small_input(folder.path());
    let auto = ["upsample.kind=auto", "upsample.relax=auto", "simulate.group=4"];
    let chosen = |more: &[&str]| succeeds(0, &[&["check", &input, "--set"], &auto[..], more].concat());
    for (more, kind, why) in [
        (&["lattice.small=16", "lattice.patch=16", "lattice.large=64"][..], "tiles (auto)", "below 0.2"),
        (&["system.ising.temperature=2.27", "system.ising.field=0.0"], "compatible (auto)", "not below 0.2"),
        (&["lattice.small=16"], "direct (auto)", "as large as"),
    ] {
        let text = chosen(more);
        assert!(text.contains(kind) && text.contains(why), "{kind}, {why}: {text}");
    }
}

/// Early records lie between the regular ones, in the order of time; the regular ones are known, for the scores that see
/// these alone.
#[test]
fn truth_and_prediction_have_early_records() {
    let folder = tempfile::tempdir().unwrap();
    let input = common::small_input(folder.path());
    let run = |name: &str, more: &[&str]| {
        let out = folder.path().join(name);
        succeeds(0, &[&["run", &input, "--out", out.to_str().unwrap(), "--set"], more].concat());
        out
    };
    let set = "truth.times={ first = 0.25, last = 2.0, count = 4 }";
    for (name, more, expected) in [
        ("exact", &[set][..], &[0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0][..]),
        ("tiles", &[set, "truth.tile=8", "truth.quantum=0.5"], &[0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0]),
    ] {
        let out = run(name, more);
        for file in ["truth.h5", "prediction.h5"] {
            let file = hdf5::File::open(out.join(file)).unwrap();
            let times = file.dataset("time").unwrap().read_raw::<f64>().unwrap();
            let close = |(found, expected): (&f64, &f64)| (found - expected).abs() < 1e-9;
            assert!(times.len() == expected.len() && times.iter().zip(expected).all(close), "{times:?}");
        }
        let truth = hdf5::File::open(out.join("truth.h5")).unwrap();
        let magnetisation = truth.dataset("observables").unwrap().read_dyn::<f64>().unwrap();
        assert_eq!(magnetisation.shape()[..2], [6, expected.len()]);
        assert!(magnetisation.iter().all(|value| value.is_finite()));
    }
    let loaded = &tessera::config::load(Path::new(&input), &[set.into()]).unwrap()[0].input;
    assert_eq!(loaded.regular_records(), [0, 3, 4, 5, 6, 7]);
}
