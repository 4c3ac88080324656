//! Configurations of the alloy.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera::systems::alloy::configuration::from_xyz;

fuzz_target!(|text: &str| {
    let _ = from_xyz(text, None);
    let _ = from_xyz(text, Some(1));
});
