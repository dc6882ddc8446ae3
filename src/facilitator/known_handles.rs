//! The newest handle that was seen of each account's balance, by whoever read the account: what an attempt's witness is taken
//! from, so that none is read for a payment (ADR 0057).

use crate::{chain::ChainAccount, domain::settlement::SeenHandle, programs::inco_token::IncoAccount};
use lru::LruCache;
use solana_pubkey::Pubkey;
use std::{
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How many accounts are remembered, at about 150 bytes each; the longest not asked about is forgotten first.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(65_535);

/// What was seen of balances.
pub(crate) struct KnownHandles(Mutex<LruCache<Pubkey, SeenHandle>>);

impl Default for KnownHandles {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(REMEMBERED)))
    }
}

impl KnownHandles {
    /// Remembers what a state of the chain showed; what is no token account is left out.
    pub(crate) fn saw(&self, slot: u64, token: &Pubkey, keys: &[Pubkey], accounts: &[Option<ChainAccount>]) {
        let mut known = self.lock();
        for (key, account) in keys.iter().zip(accounts) {
            let Some(account) = account.as_ref().filter(|account| account.owner == *token) else { continue };
            let Ok(decoded) = IncoAccount::decode(&account.data) else { continue };
            if known.peek(key).is_none_or(|newest| newest.slot < slot) {
                known.put(*key, SeenHandle { handle: decoded.amount, slot });
            }
        }
    }

    /// The newest handle of an account's balance.
    pub(crate) fn newest(&self, key: &Pubkey) -> Option<SeenHandle> {
        self.lock().get(key).copied()
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<Pubkey, SeenHandle>> {
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
            delegate: None,
            state: AccountState::Initialised,
            is_native: None,
            delegated_amount: 0,
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
        assert_eq!(keys.map(|key| handles.newest(&key)), [Some(SeenHandle { handle: 7, slot: 10 }), None, None]);
        handles.saw(11, &token, &keys, &[Some(account(token, 8)), None, None]);
        assert_eq!(handles.newest(&keys[0]), Some(SeenHandle { handle: 8, slot: 11 }));
    }
}
