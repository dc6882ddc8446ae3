//! Inco Lightning: decrypt allowances.
//!
//! A decrypt allowance is an account whose mere existence lets one address ask the Covalidator for the plaintext of
//! one handle (`spec/inco.md` §2). It is a right to read, never a right to spend.

use crate::programs::Programs;
use solana_pubkey::Pubkey;

/// The bytes a decrypt allowance account holds; its rent is paid once and never returned (`spec/inco.md` §2).
pub const DECRYPT_ALLOWANCE_BYTES: usize = 10;

impl Programs {
    /// The address of the decrypt allowance for `allowed` on `handle`.
    pub fn decrypt_allowance(&self, handle: u128, allowed: &Pubkey) -> Pubkey {
        self.decrypt_allowance_with_bump(handle, allowed).0
    }

    /// [`Programs::decrypt_allowance`] with the bump seed that the program signs its creation with.
    pub fn decrypt_allowance_with_bump(&self, handle: u128, allowed: &Pubkey) -> (Pubkey, u8) {
        Pubkey::find_program_address(&[&handle.to_le_bytes(), allowed.as_ref()], &self.lightning)
    }
}
