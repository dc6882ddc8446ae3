//! What onboarding and leaving know of a wallet's delegation: the keys and addresses that it may stand on, and how it is read.

use super::{Delegations, OnboardError};
use crate::{
    domain::{
        key_pair::KeyPair,
        mpp::{
            delegation::{Delegation, GrantTerms},
            root::{Root, swig_id},
        },
    },
    facilitator::delegated::{SeenDelegation, roots},
    ledger::LedgerError,
    programs::delegation::{
        session_account::SessionAccount,
        swig::{RoleGrant, SwigAddresses},
    },
};
use solana_pubkey::Pubkey;
use std::slice;

impl Delegations {
    /// The key that may close a session account, if it is one of ours.
    pub(super) fn rent_authority(&self, authority: &Pubkey) -> Option<KeyPair> {
        let key = |root: &Root| root.rent_authority(self.chain_id());
        roots(&self.shared.settings).map(key).find(|key| key.public() == *authority)
    }

    /// The session account of a wallet.
    pub(super) fn session_account(&self, buyer: Pubkey) -> SessionAccount {
        self.token.session_account(buyer)
    }

    /// The addresses of a wallet's Swig at the id that anybody can derive.
    pub(super) fn plain_swig(&self, buyer: &Pubkey) -> SwigAddresses {
        SwigAddresses::of(swig_id(self.chain_id(), buyer))
    }

    /// Those at the id that nobody else can know.
    pub(super) fn salted_swig(&self, root: &Root, buyer: &Pubkey) -> SwigAddresses {
        SwigAddresses::of(root.salted_swig_id(self.chain_id(), buyer))
    }

    /// The addresses of the Swig that a delegation stands on.
    pub(super) fn swig_of(&self, delegation: &Delegation) -> Option<SwigAddresses> {
        self.shared.core.swig_of(&self.shared.settings, delegation)
    }

    /// A role that is granted on these terms.
    pub(super) fn role_grant(&self, terms: &GrantTerms) -> RoleGrant {
        self.token.role_grant(terms)
    }

    /// What an active delegation's accounts say, in a state that is not older than `at_least`; noted in the ledger. `None` of one
    /// that nothing was granted by.
    pub(crate) async fn read_now(
        &self,
        delegation: &Delegation,
        at_least: u64,
    ) -> Result<Option<SeenDelegation>, OnboardError> {
        let read = self.shared.core.read_delegations(slice::from_ref(delegation), at_least).await?;
        let Some(seen) = read.into_iter().next().flatten() else { return Ok(None) };
        self.note(delegation, &seen).await?;
        Ok(Some(seen))
    }

    /// Notes what was read of an active delegation.
    pub(crate) async fn note(&self, delegation: &Delegation, seen: &SeenDelegation) -> Result<(), LedgerError> {
        let Some(grant) = &delegation.grant else { return Ok(()) };
        let core = &self.shared.core;
        core.ledger
            .note_reading(delegation.id, &seen.to_note(grant.terms.generation, core.clock.now()), seen.role)
            .await
    }
}
