//! Windows: for a while after a wallet has signed in, channels of it may be opened from there (`spec/mpp.md` §7).

use crate::domain::clock::UnixSeconds;
use solana_pubkey::Pubkey;

/// Where a request comes from, as far as the ledger keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallerOrigin {
    /// The caller's address by a keyed hash.
    pub caller: [u8; 16],
    /// The hash of the `Origin`, all zero where there is none.
    pub origin: [u8; 32],
}

/// A window that a wallet's sign-in gives to where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnboardWindow {
    /// The wallet.
    pub wallet: Pubkey,
    /// Where its caller is.
    pub from: CallerOrigin,
    /// When it closes, Unix seconds.
    pub until: UnixSeconds,
}

impl OnboardWindow {
    /// For how long it is open, in seconds.
    pub const LIFE: u64 = 15 * 60;
    /// How many channels may be opened by one.
    pub const OPENS: u32 = 8;
    /// How many of one wallet and place are kept: a sign-in gives eight.
    pub const KEPT: u32 = 8;
}
