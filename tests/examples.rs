//! The examples of the library run.

use std::{path::Path, process::Command};

/// What an example prints. A run of this test alone has not built it.
fn output(name: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_tessera")).with_file_name("examples").join(name);
    if !program.exists() {
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        let built = Command::new(env!("CARGO")).args(["build", "--profile", profile, "--example", name]).status();
        assert!(built.is_ok_and(|status| status.success()), "the example {name} does not build");
    }
    let output = Command::new(&program).output().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn glauber_relaxes_towards_the_field() {
    let text = output("glauber");
    let magnetisation: Vec<f64> =
        text.lines().map(|line| line.split_whitespace().nth(1).unwrap().parse().unwrap()).collect();
    assert_eq!(magnetisation.len(), 11);
    assert_eq!(magnetisation[0], -0.5);
    assert!(magnetisation[10] > 0.4, "{magnetisation:?}");
}

/// Over a total time of 5000, a drift is known to 0.6 / sqrt(5000 var(z)) = 0.007; the noise of 50 000 pairs to 0.3 %.
#[test]
fn learn_ou_finds_the_equation() {
    let text = output("learn_ou");
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().skip(1).map(|number| number.parse().unwrap()).collect())
        .collect();
    assert_eq!(rows.len(), 8);
    for row in rows {
        assert!((row[0] - row[1]).abs() < 0.03, "learned {} for {}: {text}", row[0], row[1]);
    }
}

#[test]
fn the_readme_shows_the_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let [readme, example] =
        ["README.md", "examples/glauber.rs"].map(|file| std::fs::read_to_string(root.join(file)).unwrap());
    let (_, code) = example.split_once("\n\n").unwrap();
    assert!(readme.contains(code.trim_end()), "README.md shows another examples/glauber.rs");
    assert!(readme.lines().count() <= 120, "README.md has at most 120 lines");
}
