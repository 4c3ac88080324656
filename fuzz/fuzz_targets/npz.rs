//! Arrays of NumPy in an archive.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera::systems::alloy::barriers::{arrays::Arrays, published::PublishedNetwork};

fuzz_target!(|data: &[u8]| {
    if let Ok(arrays) = Arrays::from_npz_bytes(data) {
        let _ = PublishedNetwork::new(&arrays);
    }
});
