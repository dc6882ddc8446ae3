//! The newest handles that were seen of each account's balance and of what it delegates, by whoever read the account: what an attempt's witness is taken
//! from, so that none is read for a payment (ADR 0057). Where it was not shown that a handle names what made it, only what final
//! states showed counts, and is read now and then (ADR 0058).

use crate::{chain::ChainAccount, domain::settlement::SeenHandle, programs::inco_token::IncoAccount};
use lru::LruCache;
use solana_pubkey::Pubkey;
use std::{
    num::NonZeroUsize,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// How many accounts are remembered, at about 200 bytes each; the longest not asked about is forgotten first.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(65_535);

/// What was seen of accounts, and what the probe has found out about handles.
#[derive(Default)]
pub(crate) struct KnownHandles {
    confirmed: Handles,
    /// Those that were read in final states.
    finalised: Handles,
    are_derived: AtomicBool,
    are_lowered: AtomicBool,
}

/// What the probe has found out about the handles of the deployed programs. All is taken for false before it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandleReport {
    /// A handle names everything that made it: the same operation on the same operands makes it again, and on others another one.
    /// So one that was seen in a state which a fork takes back never comes to mean something else.
    pub are_derived: bool,
    /// A transfer by the delegate gives the delegated amount another handle.
    pub are_lowered: bool,
}

/// What one state of the chain showed of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Of its balance.
    pub(crate) balance: SeenHandle,
    /// Whom it delegates to, and the handle of how much.
    pub(crate) delegated: Option<(Pubkey, u128)>,
}

impl KnownHandles {
    /// Remembers what a confirmed state of the chain showed; what is no token account is left out.
    pub(crate) fn saw(&self, slot: u64, token: &Pubkey, keys: &[Pubkey], accounts: &[Option<ChainAccount>]) {
        self.confirmed.saw(slot, token, keys, accounts);
    }

    /// Like [`KnownHandles::saw`], of a final state.
    pub(crate) fn saw_final(&self, slot: u64, token: &Pubkey, keys: &[Pubkey], accounts: &[Option<ChainAccount>]) {
        self.finalised.saw(slot, token, keys, accounts);
    }

    /// What the newest confirmed state showed of an account.
    pub(crate) fn newest(&self, key: &Pubkey) -> Option<Seen> {
        self.confirmed.newest(key)
    }

    /// What the newest final state that was read showed of an account.
    pub(crate) fn newest_final(&self, key: &Pubkey) -> Option<Seen> {
        self.finalised.newest(key)
    }

    /// Remembers what the probe has found out.
    pub(crate) fn probed(&self, report: HandleReport) {
        self.are_derived.store(report.are_derived, Ordering::Relaxed);
        self.are_lowered.store(report.are_lowered, Ordering::Relaxed);
    }

    /// Whether a handle names everything that made it, so that any state that showed it will do.
    pub(crate) fn are_derived(&self) -> bool {
        self.are_derived.load(Ordering::Relaxed)
    }

    /// Whether a transfer by the delegate was seen to give the delegated amount another handle.
    pub(crate) fn are_lowered(&self) -> bool {
        self.are_lowered.load(Ordering::Relaxed)
    }
}

/// The newest state that was seen of each account.
struct Handles(Mutex<LruCache<Pubkey, Seen>>);

impl Default for Handles {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(REMEMBERED)))
    }
}

impl Handles {
    fn saw(&self, slot: u64, token: &Pubkey, keys: &[Pubkey], accounts: &[Option<ChainAccount>]) {
        let mut known = self.lock();
        for (key, account) in keys.iter().zip(accounts) {
            let Some(account) = account.as_ref().filter(|account| account.owner == *token) else { continue };
            let Ok(decoded) = IncoAccount::decode(&account.data) else { continue };
            if known.peek(key).is_none_or(|newest| newest.balance.slot < slot) {
                let balance = SeenHandle { handle: decoded.amount, slot };
                let delegated = decoded.delegate.map(|delegate| (delegate, decoded.delegated_amount));
                known.put(*key, Seen { balance, delegated });
            }
        }
    }

    fn newest(&self, key: &Pubkey) -> Option<Seen> {
        self.lock().get(key).copied()
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<Pubkey, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::inco_token::AccountState;

    fn key(byte: u8) -> Pubkey {
        Pubkey::new_from_array([byte; 32])
    }

    fn account(owner: Pubkey, amount: u128) -> ChainAccount {
        let decoded = IncoAccount {
            mint: key(1),
            owner: key(2),
            amount,
            delegate: Some(key(7)),
            state: AccountState::Initialised,
            is_native: None,
            delegated_amount: amount + 50,
            close_authority: None,
        };
        ChainAccount { lamports: 1, owner, data: decoded.encode() }
    }

    #[test]
    fn the_newest_state_counts_and_only_of_token_accounts() {
        let (handles, token) = (KnownHandles::default(), key(9));
        let keys = [key(3), key(4), key(5)];
        handles.saw(10, &token, &keys, &[Some(account(token, 7)), Some(account(key(8), 7)), None]);
        handles.saw(9, &token, &keys, &[Some(account(token, 6)), None, None]);
        let seen = |handle, slot| Seen { balance: SeenHandle { handle, slot }, delegated: Some((key(7), handle + 50)) };
        assert_eq!(keys.map(|key| handles.newest(&key)), [Some(seen(7, 10)), None, None]);
        handles.saw(11, &token, &keys, &[Some(account(token, 8)), None, None]);
        assert_eq!(handles.newest(&keys[0]), Some(seen(8, 11)));
        assert_eq!(handles.newest_final(&keys[0]), None, "of final states nothing was told");
    }
}
