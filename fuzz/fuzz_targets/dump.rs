//! Configurations of the alloy.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera::systems::alloy::configuration::from_dump;

fuzz_target!(|text: &str| {
    let _ = from_dump(text, None);
    let _ = from_dump(text, Some(1));
});
