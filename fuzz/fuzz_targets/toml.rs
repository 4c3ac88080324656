//! Inputs: what is accepted has a plan.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera::{config, stages};

fuzz_target!(|text: &str| {
    let path = std::env::temp_dir().join(format!("tessera-fuzz-{}.toml", std::process::id()));
    std::fs::write(&path, text).expect("the folder of temporary files can be written");
    for point in config::load(&path, &[]).unwrap_or_default() {
        let _ = stages::plan(&point.input, 2);
    }
});
