//! Whose signature opens what is not public of a session.

use crate::{
    domain::{clock::UnixSeconds, session::Session, signed},
    facilitator::{ReadRequest, core::Core},
};
use solana_pubkey::Pubkey;

impl Core {
    /// Whether a request to read this session is signed by one of `signers`, and lately.
    pub(crate) fn is_signed_read(&self, session: &Session, read: &ReadRequest, signers: [Option<Pubkey>; 2]) -> bool {
        let message = signed::read_message(&session.id.to_string(), read.at);
        self.is_recent(read.at) && is_signed_by(signers, message.as_bytes(), &read.signature)
    }

    /// Whether a wallet signed `message` lately, at `at`.
    pub(crate) fn is_signed_lately(
        &self,
        wallet: &Pubkey,
        message: &str,
        at: UnixSeconds,
        signature: &[u8; 64],
    ) -> bool {
        self.is_recent(at) && signed::verify(wallet, message.as_bytes(), signature)
    }

    fn is_recent(&self, at: UnixSeconds) -> bool {
        self.clock.now().abs_diff(at) <= signed::READ_VALID_SECONDS
    }
}

/// The keys that speak for a session's payer: the session key where there is one, and the user.
pub(crate) fn payers_keys(session: &Session) -> [Option<Pubkey>; 2] {
    [session.intent.session_key, Some(session.intent.user)]
}

/// Whether one of `signers` signed `message`.
pub(crate) fn is_signed_by(signers: [Option<Pubkey>; 2], message: &[u8], signature: &[u8; 64]) -> bool {
    signers.iter().flatten().any(|key| signed::verify(key, message, signature))
}
