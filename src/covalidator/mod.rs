//! The Covalidator: the TEE service that decrypts handles for those who hold a decrypt allowance
//! (`spec/inco.md` §7). Every answer is checked against the pinned attestation key before anybody sees it.
//!
//! - [`Covalidator`] is the port; [`HttpCovalidator`] is its client over HTTP.
//! - [`RequestSigner`] proves who asks; [`WalletSigner`] does so with an Ed25519 key.

mod http;
mod signer;

pub use http::{HttpCovalidator, SetupError, attested};
pub use signer::WalletSigner;

use crate::{
    domain::unreachable::known_cause,
    programs::{attestation::attestation_digest, inco_token::ed25519_verify},
};
use async_trait::async_trait;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

/// A plaintext that the pinned attestation key vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestedValue {
    /// The handle that was asked for.
    pub handle: u128,
    /// What it decrypts to, in base units for amounts.
    pub plaintext: u128,
    /// The attestation: Ed25519 over the digest of handle and plaintext.
    pub signature: [u8; 64],
}

impl AttestedValue {
    /// An Ed25519 instruction with which a program can check the same attestation on chain.
    ///
    /// `attestation_key` is the key the value was verified with.
    pub fn instruction(&self, attestation_key: &Pubkey) -> Instruction {
        ed25519_verify(attestation_key, &attestation_digest(self.handle, self.plaintext), &self.signature)
    }
}

/// Why a handle was not decrypted.
#[derive(Debug, thiserror::Error)]
pub enum CovalidatorError {
    /// `address` holds no decrypt allowance for the handle: final until one is granted.
    #[error("{address} holds no decrypt allowance for this handle")]
    NotAllowed {
        /// The key that asked.
        address: Pubkey,
    },
    /// The Covalidator has not seen the handle yet (it lags the chain) and the deadline passed.
    #[error("the Covalidator does not know this handle yet")]
    Behind,
    /// No usable answer before the deadline.
    #[error("the Covalidator is unavailable{}", because(.0.as_deref()))]
    Unavailable(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// The answer's signature, handle or form is wrong: an attack or a fault, never a reason to ask again.
    #[error("the Covalidator's answer does not verify: {0}")]
    Untrustworthy(&'static str),
}

/// Why there was no answer, where an error tells.
fn because(source: Option<&(dyn std::error::Error + Send + Sync + 'static)>) -> String {
    source.and_then(|source| known_cause(source)).map(|cause| format!(": {cause}")).unwrap_or_default()
}

/// Something that can sign a decrypt request: the spender, a wallet, a session helper.
pub trait RequestSigner: Send + Sync {
    /// The address whose decrypt allowance is used.
    fn address(&self) -> Pubkey;
    /// Ed25519 over `message`.
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

/// The decrypt service.
#[async_trait]
pub trait Covalidator: Send + Sync + 'static {
    /// Whether the pinned attestation key vouches that `handle` decrypts to `plaintext`; asks nobody.
    fn attests(&self, handle: u128, plaintext: u128, signature: &[u8; 64]) -> bool;

    /// Decrypts `handle` on behalf of `signer`, retrying while the Covalidator lags, until `patience` has passed.
    async fn decrypt(
        &self,
        handle: u128,
        signer: &dyn RequestSigner,
        patience: std::time::Duration,
    ) -> Result<AttestedValue, CovalidatorError>;
}
