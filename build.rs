//! Records the git revision for provenance and sets the run path, so that the binary starts without environment variables.

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    println!("cargo:rerun-if-env-changed=HDF5_DIR");
    let with = |feature: &str| env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    let folders = [("TORCH", "LIBTORCH"), ("HDF5", "HDF5_DIR")].into_iter().filter(|(feature, _)| with(feature));
    let folders = folders.filter_map(|(_, name)| env::var(name).ok());
    let libraries = folders.map(|folder| Path::new(&folder).join("lib").display().to_string());
    let libraries: Vec<String> = libraries.chain(with("MPI").then(mpi_libraries).into_iter().flatten()).collect();
    for folder in &libraries {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
    }
    // For programs that depend on this crate, as DEP_TESSERA_LIBRARIES.
    println!("cargo:LIBRARIES={}", libraries.join(":"));
    // A revision is only as good as its "-dirty": look again whenever a source changes.
    for source in ["src", "Cargo.toml", "Cargo.lock", ".git/HEAD", ".git/index"] {
        if Path::new(source).exists() {
            println!("cargo:rerun-if-changed={source}");
        }
    }
    println!("cargo:rustc-env=TESSERA_LIBTORCH={}", libtorch_version().unwrap_or_else(|| "of unknown version".into()));
    let revision = output("git", &["describe", "--always", "--dirty", "--abbrev=12"]);
    println!("cargo:rustc-env=TESSERA_REVISION={}", revision.unwrap_or_else(|| "unknown".into()));
}

/// The version that the headers of libtorch tell.
fn libtorch_version() -> Option<String> {
    let header = Path::new(&env::var_os("LIBTORCH")?).join("include/torch/headeronly/version.h");
    let text = std::fs::read_to_string(header).ok()?;
    let part = |name: &str| {
        let start = format!("#define TORCH_VERSION_{name} ");
        text.lines().find_map(|line| line.strip_prefix(start.as_str())).map(str::trim)
    };
    Some([part("MAJOR")?, part("MINOR")?, part("PATCH")?].join("."))
}

/// Where the MPI compiler wrapper finds its libraries: a module's MPI is not on the loader's path.
fn mpi_libraries() -> Vec<String> {
    let shown = output("mpicc", &["-show"]).unwrap_or_default();
    shown.split_whitespace().filter_map(|word| word.strip_prefix("-L")).map(str::to_owned).collect()
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
