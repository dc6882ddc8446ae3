//! Which recipients have a token account, as far as this process has seen.
//!
//! A transfer to an account that is not there fails, so payments for one are taken and signed under other rules
//! (ADR 0034). That an account is there is believed until a transfer fails, because looking
//! would cost each payment a request; that one is missing, or is no wallet's, only for a moment, because anybody may create it and
//! an owner may close what stands there.

use crate::programs::wallet::NotAWallet;
use solana_pubkey::Pubkey;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long it is believed that a recipient cannot be paid.
const MISSING_FOR: Duration = Duration::from_secs(1);
/// How many recipients are remembered before all are forgotten: each is looked at once more.
const REMEMBERED: usize = 65_536;

/// Whether a recipient can be paid, and has a token account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecipientAccount {
    /// Somebody made one.
    There,
    /// There is none.
    Missing,
    /// There may be one, and nobody has the key to it.
    NotAWallet(NotAWallet),
}

/// What was seen of recipients' accounts.
#[derive(Default)]
pub(crate) struct KnownRecipients(Mutex<HashMap<Pubkey, (RecipientAccount, Instant)>>);

impl KnownRecipients {
    fn lock(&self) -> MutexGuard<'_, HashMap<Pubkey, (RecipientAccount, Instant)>> {
        // Nothing panics while holding it; a poisoned map is still a map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what was just seen of a recipient's account.
    pub(crate) fn saw(&self, recipient: &Pubkey, account: RecipientAccount) {
        let mut known = self.lock();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(*recipient, (account, Instant::now()));
    }

    /// Forgets a recipient: a transfer to them has failed, and they may have closed their account.
    pub(crate) fn forget(&self, recipient: &Pubkey) {
        self.lock().remove(recipient);
    }

    /// What is believed of a recipient's account; none where it has to be read.
    pub(crate) fn known(&self, recipient: &Pubkey) -> Option<RecipientAccount> {
        self.known_at(recipient, Instant::now())
    }

    fn known_at(&self, recipient: &Pubkey, now: Instant) -> Option<RecipientAccount> {
        let (account, seen) = *self.lock().get(recipient)?;
        match account {
            RecipientAccount::There => Some(account),
            RecipientAccount::Missing | RecipientAccount::NotAWallet(_) => {
                (now < seen + MISSING_FOR).then_some(account)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_account_is_looked_for_again_and_one_that_is_there_is_not() {
        let (known, [one, other]) = (KnownRecipients::default(), [1, 2].map(|n| Pubkey::new_from_array([n; 32])));
        known.saw(&one, RecipientAccount::Missing);
        known.saw(&other, RecipientAccount::There);
        assert_eq!(known.known(&one), Some(RecipientAccount::Missing));
        let later = Instant::now() + MISSING_FOR;
        assert_eq!((known.known_at(&one, later), known.known_at(&other, later)), (None, Some(RecipientAccount::There)));
        known.forget(&other);
        assert_eq!(known.known(&other), None);
    }
}
