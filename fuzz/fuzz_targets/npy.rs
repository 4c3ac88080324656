//! One array of NumPy.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera::systems::alloy::barriers::arrays::Arrays;

fuzz_target!(|data: &[u8]| {
    let _ = Arrays::default().insert_npy("array", data);
});
