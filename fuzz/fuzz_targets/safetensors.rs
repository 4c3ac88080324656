//! Fitted models of barriers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;
use tessera::systems::alloy::barriers::{arrays::Arrays, fitted::OrbitModel};

fuzz_target!(|data: &[u8]| {
    if let Ok(arrays) = Arrays::from_safetensors(Path::new("fuzz"), data) {
        let _ = OrbitModel::new(&arrays);
    }
});
