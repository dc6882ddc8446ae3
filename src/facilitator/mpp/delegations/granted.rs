//! A delegation of the ledger as its program sees it: the keys and addresses that it stands on, and what the chain says of it.

use super::{Delegations, OnboardError};
use crate::{
    chain::ChainAccount,
    domain::{
        key_pair::KeyPair,
        mpp::{
            choices::Backend,
            delegation::{Delegation, DelegationReading, GrantTerms},
            money::{self, Role},
            root::{Root, swig_id},
        },
    },
    ledger::{LedgerError, SeenRole},
    programs::{
        delegation::{
            Granted, GrantedReading,
            session_account::SessionAccount,
            swig::{RoleGrant, SwigAddresses},
        },
        wallet::AccountAtAddress,
    },
};
use solana_pubkey::Pubkey;
use std::iter::once;

/// The length of a slot, for when a Swig's role ends, in milliseconds; the truth is the slot.
const SLOT_MILLIS: u64 = 400;

impl Delegations {
    /// The root in use, and those before it.
    pub(super) fn roots(&self) -> impl Iterator<Item = &Root> {
        let roots = &self.shared.settings.roots;
        once(&roots.current).chain(&roots.previous)
    }

    /// The key of a grant, whichever root it is of; `None` where that root is not configured any more.
    pub(crate) fn delegate_key(&self, buyer: &Pubkey, terms: &GrantTerms) -> Option<KeyPair> {
        let key = |root: &Root| root.delegate_key(self.chain_id(), buyer, terms.generation);
        self.roots().map(key).find(|key| key.public() == terms.delegate)
    }

    /// The key that may close a session account, if it is one of ours.
    pub(super) fn rent_authority(&self, authority: &Pubkey) -> Option<KeyPair> {
        self.roots().map(|root| root.rent_authority(self.chain_id())).find(|key| key.public() == *authority)
    }

    /// The session account of a wallet.
    pub(super) fn session_account(&self, buyer: Pubkey) -> SessionAccount {
        let super::ServedToken { program, mint, decimals } = self.token;
        SessionAccount { program, mint, decimals, buyer }
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
        let salted = self.roots().map(|root| self.salted_swig(root, &delegation.buyer));
        once(self.plain_swig(&delegation.buyer)).chain(salted).find(|swig| swig.config.0 == delegation.account)
    }

    /// A role that is granted on these terms.
    pub(super) fn role_grant(&self, terms: &GrantTerms) -> RoleGrant {
        RoleGrant {
            delegate: terms.delegate,
            slots: money::slots(terms.ttl),
            program: self.token.program,
            mint: self.token.mint,
            decimals: self.token.decimals,
            limit: terms.limit.get(),
            seller: terms.seller,
        }
    }

    /// An active delegation as its program sees it; `None` of one that nothing was granted by.
    pub(crate) fn granted(&self, delegation: &Delegation) -> Option<Granted> {
        let terms = delegation.grant.as_ref()?.terms;
        Some(match delegation.backend {
            Backend::SplDelegate => {
                let account = self.session_account(delegation.buyer);
                Granted::SessionAccount { account, delegate: terms.delegate }
            }
            Backend::Swig => Granted::Swig {
                addresses: self.swig_of(delegation)?,
                buyer: delegation.buyer,
                grant: self.role_grant(&terms),
            },
        })
    }

    /// What an active delegation's accounts say, in a state that is not older than `at_least`; noted in the ledger. `None` of one
    /// that nothing was granted by.
    pub(crate) async fn read_now(
        &self,
        delegation: &Delegation,
        at_least: u64,
    ) -> Result<Option<GrantedReading>, OnboardError> {
        let Some(granted) = self.granted(delegation) else { return Ok(None) };
        let (slot, accounts) = self.shared.core.accounts_now(&granted.accounts(), at_least).await?;
        let read = read(&granted, slot, &accounts);
        self.note(delegation, slot, &read).await?;
        Ok(Some(read))
    }

    /// Notes what was read of an active delegation in this slot.
    pub(crate) async fn note(
        &self,
        delegation: &Delegation,
        slot: u64,
        read: &GrantedReading,
    ) -> Result<(), LedgerError> {
        let Some(grant) = &delegation.grant else { return Ok(()) };
        let now = self.shared.core.clock.now();
        let reading = DelegationReading { generation: grant.terms.generation, reading: read.reading, slot, at: now };
        let role = read.role.map(|role| SeenRole {
            role: role.id,
            expiry_slot: role.expiry,
            expires_at: now.saturating_add(role.expiry.saturating_sub(slot).saturating_mul(SLOT_MILLIS) / 1_000),
        });
        self.shared.core.ledger.note_reading(delegation.id, &reading, role).await
    }
}

/// How a granted delegation stands by its accounts as the chain has them.
pub(crate) fn read(granted: &Granted, slot: u64, accounts: &[Option<ChainAccount>]) -> GrantedReading {
    let seen: Vec<_> = accounts.iter().map(|account| account.as_ref().map(at_address)).collect();
    granted.read(slot, &seen)
}

/// An account as programs look at it.
pub(super) fn at_address(account: &ChainAccount) -> AccountAtAddress<'_> {
    AccountAtAddress { owner: &account.owner, data: &account.data }
}

/// Whether a reading lets anything be settled.
pub(super) fn is_live(read: &GrantedReading) -> bool {
    read.reading.role == Role::Live
}
