//! Delegations: a wallet grants us what its channels are settled from, by messages that we issue, and takes it back
//! (`spec/mpp.md` §4-§6, ADR 0063).
//!
//! Owns how often sign-ins were used and which leaves failed for dust; everything else is in the ledger. Issues messages, takes
//! back exactly those, and has them carried by [`super::super::dispatch`].
//!
//! Promises: nothing is co-signed but a message that was issued to its wallet, byte for byte, once; while one is on its way
//! nothing else of the wallet is issued; a renewal leaves what channels count on; and what enforces a delegation is behind one
//! seam ([`crate::programs::delegation::Granted`] to read and settle, [`rounds`] to describe what is signed next).

mod carry;
mod confirm;
pub(crate) mod error;
mod granted;
mod issue;
mod leave;
pub(crate) mod onboard;
mod rounds;
mod session_account_round;
pub(crate) mod sign_in;
pub(crate) mod status;
mod swig_round;

use crate::{
    domain::{mpp::reason::OnboardReason, settlement::IssuedId},
    facilitator::{
        delegated::ServedToken,
        mpp::{
            MppShared,
            clock::{AFTER_CLOCK, APART},
        },
    },
    programs::spl_token::TokenProgram,
};
pub use confirm::{ConfirmRequest, Confirmed};
pub use error::{OnboardError, OnboardWord, RefusedOnboarding};
use lru::LruCache;
pub use onboard::{GrantOffer, OnboardAnswer, OnboardRequest, ReadyDelegation, ToSign};
use sign_in::SignInNonces;
pub use sign_in::{CallerPlace, Forwarded, SentSignIn};
use solana_pubkey::Pubkey;
pub use status::DelegationStatus;
use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use zeroize::Zeroizing;

/// Wallets remembered whose leave failed.
const FAILED_LEAVES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);
/// How long an answer takes at most: the published client gives up after 30 seconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(25);

/// Takes and gives back delegations.
pub(crate) struct Delegations {
    shared: Arc<MppShared>,
    token: ServedToken,
    nonces: SignInNonces,
    caller_key: Zeroizing<[u8; 32]>,
    failed_leaves: FailedLeaves,
}

impl Delegations {
    pub(crate) fn new(shared: Arc<MppShared>) -> Self {
        let asset = shared.settings.offer.asset;
        // The start has read the mint of one of them.
        let program = TokenProgram::at(&asset.token_program).unwrap_or(TokenProgram::Token);
        let token = ServedToken { program, mint: asset.mint, decimals: asset.decimals };
        let caller_key = shared.settings.roots.current.caller_key(shared.network.chain_id());
        Self { shared, token, nonces: SignInNonces::default(), caller_key, failed_leaves: FailedLeaves::default() }
    }

    fn chain_id(&self) -> &str {
        self.shared.network.chain_id()
    }

    /// Refuses while our clock and the chain's are apart: when a grant ends hangs on it.
    fn check_clock(&self) -> Result<(), OnboardError> {
        if !self.shared.are_clocks_apart() {
            return Ok(());
        }
        Err(RefusedOnboarding::because(OnboardReason::Unavailable, APART).again_in(AFTER_CLOCK).into())
    }

    /// When whoever asks now has to be answered.
    fn deadline(&self) -> tokio::time::Instant {
        tokio::time::Instant::now() + ANSWER_WITHIN.min(self.shared.core.settings.answer_deadline)
    }

    fn next_issued_id(&self) -> IssuedId {
        IssuedId(uuid::Builder::from_random_bytes(self.shared.core.random_id()).into_uuid())
    }
}

/// Wallets whose leave came to nothing: a stranger may have put dust into the account in between, which then cannot be closed.
struct FailedLeaves(Mutex<LruCache<Pubkey, ()>>);

impl Default for FailedLeaves {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(FAILED_LEAVES)))
    }
}

impl FailedLeaves {
    fn note(&self, wallet: Pubkey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(wallet, ());
    }

    fn contains(&self, wallet: &Pubkey) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(wallet)
    }

    fn forget(&self, wallet: &Pubkey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop(wallet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leave_that_failed_is_remembered_until_one_succeeds() {
        let (failed, wallet) = (FailedLeaves::default(), Pubkey::new_from_array([1; 32]));
        assert!(!failed.contains(&wallet));
        failed.note(wallet);
        assert!(failed.contains(&wallet) && !failed.contains(&Pubkey::new_from_array([2; 32])));
        failed.forget(&wallet);
        assert!(!failed.contains(&wallet));
    }
}
