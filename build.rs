//! Records the git revision for provenance and sets the run path, so that the binary starts without environment variables.

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    println!("cargo:rerun-if-env-changed=HDF5_DIR");
    for folder in ["LIBTORCH", "HDF5_DIR"].iter().filter_map(|name| env::var(name).ok()) {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", Path::new(&folder).join("lib").display());
    }
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/refs/heads");
    let revision = Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=12"])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map_or_else(|| "unknown".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    println!("cargo:rustc-env=TESSERA_REVISION={revision}");
}
