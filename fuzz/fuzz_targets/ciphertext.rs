//! No bytes make the decryption panic, and an altered ciphertext is never taken for another amount.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sotto::{
    domain::chance::SeededChance,
    programs::ciphertext::{DecryptionKey, decrypt, encrypt},
};

fuzz_target!(|bytes: &[u8]| {
    let Ok(key) = DecryptionKey::from_bytes(&[0x11; 32]) else { return };
    let _ = decrypt(&key, bytes);
    // The fuzzer's bytes laid over an honest ciphertext get past the length and the point.
    let honest = encrypt(&key.public(), 1_000_000, &SeededChance::new(1));
    let altered: Vec<u8> =
        honest.iter().enumerate().map(|(at, byte)| byte ^ bytes.get(at).copied().unwrap_or(0)).collect();
    if let Ok(amount) = decrypt(&key, &altered) {
        assert_eq!(amount, 1_000_000);
    }
});
