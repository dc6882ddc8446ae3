//! An account that decodes is the same after it was encoded anew, and no bytes make the decoders panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sotto::programs::{
    account_discriminator,
    inco_token::{IncoAccount, IncoMint},
};

fuzz_target!(|bytes: &[u8]| {
    // As they are, and behind the discriminator that a fuzzer would need long to find.
    let account = [&account_discriminator("IncoAccount")[..], bytes].concat();
    for bytes in [bytes, &account] {
        if let Ok(account) = IncoAccount::decode(bytes) {
            assert_eq!(IncoAccount::decode(&account.encode()), Ok(account));
        }
    }
    let mint = [&account_discriminator("IncoMint")[..], bytes].concat();
    for bytes in [bytes, &mint] {
        if let Ok(mint) = IncoMint::decode(bytes) {
            assert_eq!(IncoMint::decode(&mint.encode()), Ok(mint));
        }
    }
});
