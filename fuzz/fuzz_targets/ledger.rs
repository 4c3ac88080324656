//! The ledger of a run directory.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::{path::Path, sync::LazyLock};
use tessera::{
    config::{self, Input},
    workflow::{Stage, ledger},
};

static INPUT: LazyLock<Input> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../inputs/quickstart.toml");
    config::load(&path, &[]).expect("a shipped input is valid").swap_remove(0).input
});

fuzz_target!(|data: &[u8]| {
    let folder = std::env::temp_dir().join(format!("tessera-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder of temporary files can be written");
    std::fs::write(folder.join("stages.json"), data).expect("the folder of temporary files can be written");
    for stage in Stage::ALL {
        let _ = ledger::complete(&folder, stage, &INPUT);
        let _ = ledger::hash_of_sources(&folder, stage);
    }
});
