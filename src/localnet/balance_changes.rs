//! What each landed transaction did to confidential balances. An explorer sees handles; this network has the amounts behind
//! them, and whoever audits a run compares them with what a ledger says of each transfer.

use std::collections::{HashMap, VecDeque};

use solana_account::{AccountSharedData, ReadableAccount as _};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

use super::bank::Run;
use crate::programs::inco_token::IncoAccount;

/// The balance of one token account before and after a transaction; 0 is the handle of a balance that was never set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BalanceChange {
    pub(super) owner: Pubkey,
    pub(super) mint: Pubkey,
    pub(super) before: u128,
    pub(super) after: u128,
}

/// The changes by transaction, of the newest transactions. Not part of a saved state: a network that starts again tells of
/// what lands from then on.
#[derive(Default)]
pub(super) struct BalanceChanges {
    by_transaction: HashMap<Signature, Vec<BalanceChange>>,
    /// Oldest first.
    order: VecDeque<Signature>,
}

impl BalanceChanges {
    /// Remembers what `run` changed, and forgets the oldest where more than `most` are remembered. A transaction that lands
    /// again after a fork is remembered as it landed last.
    pub(super) fn push(&mut self, signature: Signature, run: &Run, most: usize) {
        if self.by_transaction.insert(signature, changes(run)).is_none() {
            self.order.push_back(signature);
        }
        while self.order.len() > most {
            if let Some(oldest) = self.order.pop_front() {
                self.by_transaction.remove(&oldest);
            }
        }
    }

    /// What this transaction changed when it landed last; `None` where that is not remembered.
    pub(super) fn of(&self, signature: &Signature) -> Option<&[BalanceChange]> {
        self.by_transaction.get(signature).map(Vec::as_slice)
    }
}

fn changes(run: &Run) -> Vec<BalanceChange> {
    let pairs = run.before.iter().zip(&run.after);
    let change = |(before, after): (&Option<AccountSharedData>, &Option<AccountSharedData>)| {
        let (then, now) = (token_account(before.as_ref()), token_account(after.as_ref()));
        let account = now.as_ref().or(then.as_ref())?;
        let amount = |account: &Option<IncoAccount>| account.as_ref().map_or(0, |account| account.amount);
        let change =
            BalanceChange { owner: account.owner, mint: account.mint, before: amount(&then), after: amount(&now) };
        (change.before != change.after).then_some(change)
    };
    pairs.filter_map(change).collect()
}

fn token_account(account: Option<&AccountSharedData>) -> Option<IncoAccount> {
    IncoAccount::decode(account?.data()).ok()
}
