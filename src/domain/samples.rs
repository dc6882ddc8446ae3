//! Values for unit tests, of which each test says anew only what it is about.

use crate::domain::{
    amount::Amount,
    intent::Intent,
    session::{CapCheck, Session, SessionId, SessionState, SignedIntent},
};
use solana_pubkey::Pubkey;

/// So many base units.
pub(crate) fn amount(units: u64) -> Amount {
    Amount::new(units).expect("fits")
}

/// An open session with a verified cap of 1,000, from which nothing was paid.
pub(crate) fn session(number: u8) -> Session {
    let key = Pubkey::new_from_array([number; 32]);
    Session {
        id: SessionId::from_random_bytes([number; 16]),
        intent: Intent {
            approved: None,
            asset: key,
            cap: amount(1_000),
            expires_at: 1,
            network: String::new(),
            nonce: String::new(),
            recipient: key,
            spender: key,
            user: key,
            session_key: None,
        },
        signed: SignedIntent { bytes: Vec::new(), signature: Some([7; 64]), settle_signature: None },
        network: String::new(),
        state: SessionState::Open,
        cap_check: CapCheck::Verified,
        captured: Amount::ZERO,
        held: Amount::ZERO,
        approve: None,
        created_at: u64::from(number),
    }
}
