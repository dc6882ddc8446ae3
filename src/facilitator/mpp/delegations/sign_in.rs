//! Sign-ins of wallets: each is checked in the protocol's order, and its nonce is good for eight uses of one wallet.
//!
//! Nonces are kept in memory and bounded: a restart, another process or very many other nonces forget how often one was used, and
//! never that it is good for five minutes. None is ever logged.

use super::{Delegations, error::RefusedOnboarding};
use crate::{
    domain::mpp::{
        delegation::{CallerOrigin, OnboardWindow},
        reason::SiwxReason,
        siwx::{Proof, SignIn, SiwxTerms},
    },
    facilitator::WindowTrust,
    ledger::LedgerError,
};
use lru::LruCache;
use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;
use std::{
    net::IpAddr,
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};

/// Nonces remembered.
const NONCES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(65_535);
/// How often a nonce may be used.
const USES: u32 = 8;

/// A wallet's sign-in as it was sent; nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentSignIn {
    /// What was signed.
    pub sign_in: SignIn,
    /// By whom, the address says.
    pub signature: [u8; 64],
}

/// Where a request comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerPlace {
    /// The caller's address, where it is known.
    pub address: Option<IpAddr>,
    /// An IPv4 address or the /64 of an IPv6 address, as a number.
    pub prefix: Option<u128>,
    /// The page that has sent it; none outside browsers.
    pub origin: Option<String>,
    /// Whether it was forwarded by somebody who is not trusted to say for whom: then its address says nothing.
    pub forwarded: Forwarded,
}

/// Whether a request says that it was forwarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forwarded {
    /// It does not, or a trusted proxy says so.
    #[default]
    Believed,
    /// It does, and nobody knows whether it is true.
    NotBelieved,
}

/// Whether a sign-in gives its caller a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grants {
    /// It does: they used its nonce first.
    Window,
    /// It was used first from elsewhere: somebody may have stolen it.
    Nothing,
}

/// How often nonces were used.
pub(super) struct SignInNonces(Mutex<LruCache<[u8; 32], NonceUse>>);

/// A nonce that was used.
struct NonceUse {
    wallet: Pubkey,
    from: CallerOrigin,
    uses: u32,
}

impl Default for SignInNonces {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(NONCES)))
    }
}

impl SignInNonces {
    /// Counts one use of a nonce, for the wallet that used it first alone.
    fn take(&self, nonce: &str, wallet: Pubkey, from: CallerOrigin) -> Result<Grants, SiwxReason> {
        let key = Sha256::digest(nonce).into();
        let mut nonces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let used = nonces.get_or_insert_mut(key, || NonceUse { wallet, from, uses: 0 });
        if used.wallet != wallet || used.uses >= USES {
            return Err(SiwxReason::NonceExhausted);
        }
        used.uses += 1;
        Ok(if used.from == from { Grants::Window } else { Grants::Nothing })
    }
}

impl Delegations {
    /// Checks the sign-in of a request that names `wallet`, and counts its nonce.
    pub(super) fn check_sign_in(
        &self,
        sent: &SentSignIn,
        wallet: Pubkey,
        from: &CallerPlace,
    ) -> Result<Grants, RefusedOnboarding> {
        sent.sign_in.verify(&self.terms(wallet), &sent.signature)?;
        Ok(self.nonces.take(&sent.sign_in.nonce, wallet, self.caller_origin(from))?)
    }

    /// Checks the sign-in of a request that has to be a proof of this act. The ledger sees that it is used once.
    pub(super) fn check_proof(&self, sent: &SentSignIn, wallet: Pubkey, act: &Proof) -> Result<(), RefusedOnboarding> {
        Ok(sent.sign_in.verify_proof(act, &self.terms(wallet), &sent.signature)?)
    }

    fn terms(&self, wallet: Pubkey) -> SiwxTerms<'_> {
        let shared = &self.shared;
        SiwxTerms {
            hosts: &shared.settings.delegations.hosts,
            network: &shared.network,
            now: shared.core.clock.now_millis(),
            wallet,
        }
    }

    /// What the ledger keeps of where a request comes from: enough to tell two places apart.
    pub(crate) fn caller_origin(&self, from: &CallerPlace) -> CallerOrigin {
        let hash = |prefix: u128| {
            let hash = Sha256::new().chain_update(*self.caller_key).chain_update(prefix.to_be_bytes()).finalize();
            std::array::from_fn(|at| hash[at])
        };
        CallerOrigin {
            caller: from.prefix.map_or([0; 16], hash),
            origin: from.origin.as_ref().map_or([0; 32], |origin| Sha256::digest(origin).into()),
        }
    }

    /// Opens a window to where a sign-in came from, if one may be.
    pub(super) async fn open_window(
        &self,
        wallet: Pubkey,
        from: &CallerPlace,
        grants: Grants,
    ) -> Result<(), LedgerError> {
        if grants == Grants::Nothing || !self.is_told_apart(from) {
            return Ok(());
        }
        let now = self.shared.core.clock.now();
        let until = now.saturating_add(OnboardWindow::LIFE);
        let window = OnboardWindow { wallet, from: self.caller_origin(from), until };
        self.shared.core.ledger.open_window(&window, now).await
    }

    /// Whether a caller's address tells them from others: behind a proxy that nobody trusts all callers look alike.
    pub(crate) fn is_told_apart(&self, from: &CallerPlace) -> bool {
        let trust = self.shared.settings.delegations.windows;
        let by_address = from.address.is_some_and(|address| trust == WindowTrust::Every || is_public(address));
        by_address && from.forwarded == Forwarded::Believed
    }
}

/// Whether an address is one of the public internet.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let carriers = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            !(v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified() || carriers)
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Pubkey = Pubkey::new_from_array([1; 32]);
    const BOB: Pubkey = Pubkey::new_from_array([2; 32]);
    const HERE: CallerOrigin = CallerOrigin { caller: [1; 16], origin: [0; 32] };
    const THERE: CallerOrigin = CallerOrigin { caller: [2; 16], origin: [0; 32] };

    #[test]
    fn a_nonce_is_good_for_eight_uses_of_the_wallet_that_used_it_first() {
        let nonces = SignInNonces::default();
        for _ in 0..USES {
            assert_eq!(nonces.take("nonce-00", ALICE, HERE), Ok(Grants::Window));
        }
        assert_eq!(nonces.take("nonce-00", ALICE, HERE), Err(SiwxReason::NonceExhausted));
        assert_eq!(nonces.take("nonce-01", ALICE, HERE), Ok(Grants::Window));
        assert_eq!(nonces.take("nonce-01", BOB, HERE), Err(SiwxReason::NonceExhausted));
    }

    #[test]
    fn who_uses_a_nonce_from_elsewhere_gets_no_window_and_whoever_was_first_keeps_theirs() {
        let nonces = SignInNonces::default();
        assert_eq!(nonces.take("nonce-00", ALICE, HERE), Ok(Grants::Window));
        assert_eq!(nonces.take("nonce-00", ALICE, THERE), Ok(Grants::Nothing));
        let page = CallerOrigin { origin: [9; 32], ..HERE };
        assert_eq!(nonces.take("nonce-00", ALICE, page), Ok(Grants::Nothing));
        assert_eq!(nonces.take("nonce-00", ALICE, HERE), Ok(Grants::Window));
    }

    #[test]
    fn addresses_that_many_share_are_not_public() {
        for text in ["127.0.0.1", "10.1.2.3", "192.168.0.9", "172.16.0.1", "169.254.1.1", "100.64.0.1", "0.0.0.0"] {
            assert!(!is_public(text.parse().expect("an address")), "{text}");
        }
        for text in ["::1", "::", "fd00::1", "fe80::1", "::ffff:10.0.0.1"] {
            assert!(!is_public(text.parse().expect("an address")), "{text}");
        }
        for text in ["93.184.216.34", "100.128.0.1", "2606:2800::1", "::ffff:93.184.216.34"] {
            assert!(is_public(text.parse().expect("an address")), "{text}");
        }
    }
}
