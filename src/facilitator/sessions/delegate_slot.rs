//! One delegate slot per token account: what a new approve must cover, and which older sessions it leaves behind
//! (`spec/session.md` §2, superseded).

use crate::{
    domain::{
        amount::Amount,
        session::{Delegation, Session, SessionId, SessionState},
    },
    facilitator::{CapCheckPolicy, sessions::Sessions},
    ledger::LedgerError,
};

/// How a new approve fits the user's other sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Coverage {
    /// Whether the approved amount is what the intent (and the sessions it also has to cover) says.
    pub(crate) matches: bool,
    /// Whether it is at least what this session still needs.
    pub(crate) covers: bool,
    /// The sessions it no longer covers.
    pub(crate) superseded: Vec<SessionId>,
}

impl Sessions {
    pub(crate) async fn others(&self, session: &Session) -> Result<Vec<Session>, LedgerError> {
        let live = self.core.ledger.live_sessions(session.user(), &session.intent.asset).await?;
        Ok(live.into_iter().filter(|other| other.id != session.id && other.state == SessionState::Open).collect())
    }

    /// Reads the user's other sessions and fits them to the approved amount.
    pub(crate) async fn coverage_of_others(
        &self,
        new: &Session,
        approved: Option<Amount>,
    ) -> Result<Coverage, LedgerError> {
        let others = self.others(new).await?;
        let delegation = self.core.settings.transfers.delegation;
        let coverage = coverage(still_needed(new, delegation), approved, &others, delegation);
        // Without a check nobody will ever know the amount, so it cannot be said not to match.
        let unchecked = self.core.settings.openings.cap_check == CapCheckPolicy::Off;
        Ok(Coverage { matches: coverage.matches || unchecked, ..coverage })
    }
}

/// What one session still needs of the approve.
fn still_needed(session: &Session, delegation: Delegation) -> Amount {
    match delegation {
        Delegation::Documented => session.intent.cap.checked_sub(session.captured).unwrap_or_default(),
        Delegation::Public => session.intent.cap,
    }
}

/// `others` oldest first. An approve covers what the session needs and, if its client approved the sum, the others as
/// well; the oldest go first when it does not. An unknown amount covers the new session only.
pub(crate) fn coverage(
    needed: Amount,
    approved: Option<Amount>,
    others: &[Session],
    delegation: Delegation,
) -> Coverage {
    let Some(approved) = approved else {
        return Coverage { matches: true, covers: true, superseded: others.iter().map(|s| s.id).collect() };
    };
    let Some(mut headroom) = approved.checked_sub(needed) else {
        return Coverage { matches: false, covers: false, superseded: Vec::new() };
    };
    // Alone, the approve has to be exactly the cap; beside others it may be anything that also covers some of them.
    let matches = headroom == Amount::ZERO || !others.is_empty();
    let mut superseded = Vec::new();
    let mut covered = true;
    for session in others.iter().rev() {
        match headroom.checked_sub(still_needed(session, delegation)) {
            Some(left) if covered => headroom = left,
            // The oldest until it fits: nothing older than the first that does not coverage stays.
            _ => {
                covered = false;
                superseded.push(session.id);
            }
        }
    }
    superseded.reverse();
    Coverage { matches, covers: true, superseded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::{self, amount};

    fn session(n: u8, cap: u64, captured: u64) -> Session {
        let mut session = Session { captured: amount(captured), ..samples::session(n) };
        session.intent.cap = amount(cap);
        session
    }

    #[test]
    fn an_approve_of_exactly_the_cap_leaves_older_sessions_behind() {
        let old = session(1, 100, 0);
        let coverage = coverage(amount(50), Some(amount(50)), std::slice::from_ref(&old), Delegation::Public);
        assert_eq!(coverage, Coverage { matches: true, covers: true, superseded: vec![old.id] });
    }

    #[test]
    fn an_approve_of_the_sum_keeps_everybody() {
        let others = [session(1, 100, 40), session(2, 10, 0)];
        assert!(coverage(amount(50), Some(amount(160)), &others, Delegation::Public).superseded.is_empty());
        assert!(coverage(amount(50), Some(amount(120)), &others, Delegation::Documented).superseded.is_empty());
    }

    #[test]
    fn the_oldest_go_first_and_no_approve_backs_two_caps() {
        let others = [session(1, 100, 0), session(2, 10, 0)];
        assert_eq!(coverage(amount(50), Some(amount(65)), &others, Delegation::Public).superseded, vec![others[0].id]);
        assert_eq!(
            coverage(amount(50), Some(amount(55)), &others, Delegation::Public).superseded,
            vec![others[0].id, others[1].id]
        );
    }

    #[test]
    fn a_wrong_amount_does_not_match() {
        let (short, long) = (
            coverage(amount(50), Some(amount(49)), &[], Delegation::Public),
            coverage(amount(50), Some(amount(51)), &[], Delegation::Public),
        );
        assert!(!short.matches && !short.covers);
        assert!(!long.matches && long.covers);
        assert!(coverage(amount(50), Some(amount(50)), &[], Delegation::Public).matches);
    }

    #[test]
    fn an_unknown_amount_covers_the_new_session_only() {
        let old = session(1, 100, 0);
        assert_eq!(coverage(amount(50), None, std::slice::from_ref(&old), Delegation::Public).superseded, vec![old.id]);
    }
}
