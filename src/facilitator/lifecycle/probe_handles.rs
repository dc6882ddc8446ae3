//! The probe of handles: what the witnesses of a transfer rely on (`chain::witness`, ADR 0058).
//!
//! Asked by simulation alone, on the probe's own accounts: the same transfer twice, the second time in a later slot, and one of
//! another ciphertext. Nothing waits for the answer; until it is there, and where it is no, a witness is read in a final state
//! and the delegated amount is none.

use crate::{
    chain::ChainAccount,
    facilitator::{
        Facilitator,
        known_handles::HandleReport,
        lifecycle::probe::{ProbeAccounts, ProbeError},
        token_accounts::decoded,
    },
};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// How often it is looked whether another slot has come, and how many times.
const NEXT_LOOK: Duration = Duration::from_millis(400);
const LOOKS: usize = 30;

/// The handles that a transfer would leave behind.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Left {
    /// Of the two balances.
    balances: [u128; 2],
    /// Of what the source delegates.
    delegated: u128,
}

impl Left {
    fn in_accounts(accounts: Vec<Option<ChainAccount>>) -> Option<Self> {
        let mut accounts = accounts.into_iter().map(decoded);
        let (source, destination) = (accounts.next()??, accounts.next()??);
        Some(Self { balances: [source.amount, destination.amount], delegated: source.delegated_amount })
    }

    /// Whether both balances have other handles.
    fn differs(&self, other: &Self) -> bool {
        self.balances.iter().zip(&other.balances).all(|(one, other)| one != other)
    }
}

/// What follows from the handles before, after a transfer, after the same one later, and after another one. Pure.
fn report(before: Left, [once, again, other]: [Left; 3]) -> HandleReport {
    let are_derived = once == again && once.differs(&before) && once.differs(&other);
    let is_new = |left: &Left| left.delegated != before.delegated;
    HandleReport { are_derived, are_lowered: are_derived && is_new(&once) && once.delegated != other.delegated }
}

impl Facilitator {
    /// Asks what handles are made from, preparing the probe's accounts first if they are missing. Takes as long as a slot.
    pub async fn probe_handles(self: &Arc<Self>) -> Result<HandleReport, ProbeError> {
        let accounts = self.probe_accounts();
        self.prepare_probe(&accounts).await?;
        let keys = [accounts.source, accounts.destination];
        let once = self.left_by(&accounts).await?;
        let (slot, read) = self.core.accounts_now(&keys, 0).await?;
        let before = Left::in_accounts(read).ok_or_else(unreadable)?;
        self.next_slot(slot).await?;
        // Of these accounts, with another ciphertext.
        let other = self.probe_accounts();
        let (again, other) = tokio::try_join!(self.left_by(&accounts), self.left_by(&other))?;
        Ok(report(before, [once, again, other]))
    }

    /// Remembers what is known of handles for later attempts.
    pub fn apply_handles(&self, report: HandleReport) {
        self.core.handles.probed(report);
    }

    async fn left_by(&self, accounts: &ProbeAccounts) -> Result<Left, ProbeError> {
        let simulation = self.ask_by_transfer(accounts).await?;
        Left::in_accounts(simulation.accounts).ok_or_else(unreadable)
    }

    /// Waits until blockhashes come from a later slot than this.
    async fn next_slot(&self, slot: u64) -> Result<(), ProbeError> {
        for _ in 0..LOOKS {
            if self.core.chain.latest_blockhash().await?.slot > slot {
                return Ok(());
            }
            sleep(NEXT_LOOK).await;
        }
        Err(ProbeError::NotPrepared("no other slot comes".to_owned()))
    }
}

fn unreadable() -> ProbeError {
    ProbeError::NotPrepared("what a transfer would leave behind cannot be read".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: Left = left(1, 2, 3);
    const ONCE: Left = left(11, 12, 13);
    const OTHER: Left = left(21, 22, 23);

    const fn left(source: u128, destination: u128, delegated: u128) -> Left {
        Left { balances: [source, destination], delegated }
    }

    fn told(are_derived: bool, are_lowered: bool) -> HandleReport {
        HandleReport { are_derived, are_lowered }
    }

    #[test]
    fn the_same_transfer_makes_the_same_handles_and_another_one_others() {
        assert_eq!(report(BEFORE, [ONCE, ONCE, OTHER]), told(true, true));
        assert_eq!(
            report(BEFORE, [ONCE, left(31, 12, 13), OTHER]),
            told(false, false),
            "a later slot made another one"
        );
        assert_eq!(
            report(BEFORE, [ONCE, ONCE, ONCE]),
            told(false, false),
            "what went in is not told from what came out"
        );
        assert_eq!(report(BEFORE, [ONCE, ONCE, left(21, 12, 23)]), told(false, false), "one of the two");
        assert_eq!(report(BEFORE, [BEFORE, BEFORE, OTHER]), told(false, false), "it moves nothing");
    }

    #[test]
    fn what_is_delegated_is_lowered_where_each_transfer_gives_it_another_handle() {
        let at = |delegated| Left { delegated, ..ONCE };
        assert_eq!(report(BEFORE, [at(3), at(3), Left { delegated: 3, ..OTHER }]), told(true, false), "it stays");
        assert_eq!(report(BEFORE, [ONCE, ONCE, Left { delegated: 13, ..OTHER }]), told(true, false), "always the same");
    }
}
