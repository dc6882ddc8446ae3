//! An intent that parses says the same after it was written anew, and no bytes make the parser panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sotto::domain::intent::Intent;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(intent) = Intent::parse(bytes) {
        assert_eq!(Intent::parse(&intent.to_bytes()), Ok(intent));
    }
});
