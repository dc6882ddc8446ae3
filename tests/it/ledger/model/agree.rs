//! What ledger and model must agree on after each step.

use super::super::build::{hold_id, session_id};
use super::{Fate, Model};
use sotto::{
    domain::{hold::HoldState, session::SessionState, settlement::State},
    ledger::Ledger,
};

impl Model {
    /// Whether everything of a session is settled for good.
    fn is_settled(&self, session: u32) -> bool {
        self.held(session) == 0 && self.settlements.iter().all(|s| s.session != session || s.state.is_terminal())
    }

    /// Whether the ledger tells of every session and hold what the model does.
    pub(super) async fn agree(&self, ledger: &dyn Ledger) {
        ledger.audit().await.expect("consistent");
        for number in 0..2 {
            let session = ledger.session(session_id(number)).await.expect("reads").expect("is there");
            assert_eq!((session.held.get(), session.captured.get()), (self.held(number), self.captured(number)));
            assert!(session.spent() <= session.intent.cap);
            let expected = match (self.revoked[number as usize], self.closed[number as usize]) {
                (true, _) => SessionState::Revoked,
                (false, true) if self.is_settled(number) => SessionState::Closed,
                (false, true) => SessionState::Closing,
                (false, false) => SessionState::Open,
            };
            assert_eq!(session.state, expected);
            let open = self.holds.iter().filter(|h| h.session == number);
            let open = open.filter(|h| matches!(h.fate, Fate::Waiting | Fate::Planned)).count();
            assert_eq!(ledger.open_holds(session.id).await.ok(), Some(open as u64));
        }
        for (number, expected) in (0_u32..).zip(&self.holds) {
            let hold = ledger.find_hold(hold_id(number)).await.expect("reads").expect("is there");
            let fate = match hold.state {
                HoldState::Waiting => Fate::Waiting,
                HoldState::Planned { .. } => Fate::Planned,
                HoldState::Captured { .. } => Fate::Captured,
                HoldState::Released { .. } => Fate::Released,
            };
            assert_eq!((fate, hold.told), (expected.fate, expected.told), "hold {number}");
        }
        let landed = self.settlements.iter().filter(|s| matches!(s.state, State::Landed | State::Settled)).count();
        let totals = ledger.totals(None).await.expect("adds up");
        let lost = self.holds.iter().filter(|h| h.told && h.fate == Fate::Released).map(|h| h.units).sum::<u64>();
        assert_eq!((totals.transfers, totals.lost.get()), (landed as u64, lost));
        let unfinished = self.settlements.iter().filter(|s| !s.state.is_terminal()).count();
        assert_eq!(ledger.unfinished().await.ok().map(|work| work.len()), Some(unfinished));
        assert!(self.settlements.iter().all(|s| s.session < 2 && (s.attempts > 0 || s.state != State::Landed)));
    }
}
