//! One delegate slot per token account: what a new approve has to be, and which other sessions it may still back
//! (`spec/session.md` §2, superseded). Which of them it really backs is decided with the row of the approval
//! ([`crate::ledger::ApprovalLedger::land_approval`]).

use crate::{
    domain::{
        amount::Amount,
        intent::Intent,
        reason::SessionReason,
        session::{Session, SessionState},
    },
    facilitator::sessions::Sessions,
    ledger::LedgerError,
};

impl Sessions {
    /// The other open sessions of the account of `session`.
    pub(crate) async fn others(&self, session: &Session) -> Result<Vec<Session>, LedgerError> {
        let live = self.core.ledger.live_sessions(session.user(), &session.intent.asset).await?;
        Ok(live.into_iter().filter(|other| other.id != session.id && other.state == SessionState::Open).collect())
    }
}

/// Whether an approve of `approved` is what its intent says: the total that it names, else the cap; beside `others` more than the
/// cap, because a client that keeps them open approves the sum.
pub(crate) fn check_approved(intent: &Intent, approved: Amount, others: &[Session]) -> Result<(), SessionReason> {
    match intent.approved {
        Some(said) if said == approved => Ok(()),
        Some(_) => Err(SessionReason::ApprovedMismatch),
        None if approved == intent.cap || (approved > intent.cap && !others.is_empty()) => Ok(()),
        None => Err(SessionReason::CapMismatch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::{self, amount};

    fn checked(cap: u64, said: Option<u64>, approved: u64, others: usize) -> Result<(), SessionReason> {
        let mut intent = samples::session(1).intent;
        (intent.cap, intent.approved) = (amount(cap), said.map(amount));
        let others: Vec<Session> = (0..others).map(|_| samples::session(2)).collect();
        check_approved(&intent, amount(approved), &others)
    }

    #[test]
    fn alone_an_approve_is_of_the_cap() {
        assert_eq!(checked(50, None, 50, 0), Ok(()));
        for wrong in [0, 49, 51] {
            assert_eq!(checked(50, None, wrong, 0), Err(SessionReason::CapMismatch));
        }
    }

    #[test]
    fn beside_others_it_may_be_more_and_never_less() {
        assert_eq!(checked(50, None, 160, 1), Ok(()));
        assert_eq!(checked(50, None, 49, 1), Err(SessionReason::CapMismatch));
    }

    #[test]
    fn a_total_that_is_named_is_the_amount_and_nothing_else() {
        assert_eq!(checked(50, Some(160), 160, 0), Ok(()));
        for wrong in [50, 159, 161] {
            assert_eq!(checked(50, Some(160), wrong, 1), Err(SessionReason::ApprovedMismatch));
        }
    }
}
