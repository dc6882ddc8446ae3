//! The verbs of a payment, tried on the ledger and the model alike.

use super::super::build::{NOW, amount, attempt, content, hold_id, session_id, settlement_id};
use super::{CAP, COST, FEE, Fate, LIMITS, MHold, MSettlement, Model};
use sotto::{
    domain::{
        funding::FundingDemand,
        hold::{NewHold, rest_after},
        reason::PayReason,
        settlement::{Event, State, apply},
    },
    ledger::{Carry, Deadline, Held, Ledger, LedgerError},
};

impl Model {
    pub(super) async fn hold(&mut self, ledger: &dyn Ledger, wanted: MHold) {
        let id = u32::try_from(self.holds.len()).expect("small");
        let new = NewHold {
            id: hold_id(id),
            session: session_id(wanted.session),
            nonce: wanted.nonce.map(|nonce| nonce.to_string()),
            content: content(wanted.content.into()),
            amount: amount(wanted.units),
            unverified_exposure: amount(0),
            deferred: wanted.deferred.then_some(LIMITS),
            funding: FundingDemand { required: false, max_age: 60, cap_binds: false },
            answer: None,
            now: NOW,
        };
        let answer = ledger.hold(&new).await.expect("answers");
        let index_of = |hold: &sotto::domain::hold::Hold| (0..id).position(|n| hold_id(n) == hold.id);
        let earlier = self.holds.iter().position(|h| match wanted.nonce {
            Some(nonce) => h.session == wanted.session && h.nonce == Some(nonce),
            None => {
                h.session == wanted.session && h.nonce.is_none() && h.content == wanted.content && h.pending && !h.told
            }
        });
        if let Some(earlier) = earlier {
            if self.holds[earlier].content != wanted.content {
                assert_eq!(answer, Held::NonceConflict);
                return;
            }
            let Held::Repeat(hold) = answer else { panic!("{answer:?} is no repeat") };
            assert_eq!(index_of(&hold), Some(earlier));
            if wanted.nonce.is_none() {
                self.holds[earlier].pending = false;
            }
            return;
        }
        let spent = self.held(wanted.session) + self.captured(wanted.session);
        let refusal = if wanted.units == 0 {
            Some(PayReason::InvalidAmount)
        } else if self.revoked[wanted.session as usize] {
            Some(PayReason::SessionRevoked)
        } else if self.closed[wanted.session as usize] {
            Some(PayReason::SessionNotOpen)
        } else if spent + wanted.units > CAP {
            Some(PayReason::CapExceeded)
        } else {
            None
        };
        if let Some(reason) = refusal {
            assert_eq!(answer, Held::Refused(reason));
            return;
        }
        let Held::New(hold) = answer else { panic!("{answer:?} is not new") };
        assert_eq!(hold.spent_after.get(), spent + wanted.units);
        // Both sessions pay one merchant.
        let exposed = |of: Option<u32>| self.exposed(of) + wanted.units;
        let promised = wanted.deferred
            && exposed(Some(wanted.session)) <= LIMITS.per_session.get()
            && exposed(None) <= LIMITS.per_merchant.get();
        assert_eq!((hold.deferred, hold.told), (promised, promised));
        self.holds.push(MHold { told: promised, deferred: promised, ..wanted });
    }

    pub(super) async fn plan(&mut self, ledger: &dyn Ledger, session: u32, most: u64) {
        let number = u32::try_from(self.settlements.len()).expect("small");
        let planned = ledger
            .plan_settlement(settlement_id(number), session_id(session), Carry::up_to(amount(most)), self.now)
            .await;
        let planned = planned.expect("answers");
        let (mut sum, now) = (0, self.now);
        let waiting = |h: &&mut MHold| h.session == session && h.fate == Fate::Waiting && h.not_before <= now;
        for hold in self.holds.iter_mut().filter(waiting) {
            if sum > 0 && sum + hold.units > most {
                break;
            }
            sum += hold.units;
            hold.fate = Fate::Planned;
            hold.settlement = Some(self.settlements.len());
        }
        assert_eq!(planned.map_or(0, |settlement| settlement.amount.get()), sum);
        if sum > 0 {
            self.settlements.push(MSettlement { session, state: State::Reserved, attempts: 0 });
        }
    }

    pub(super) async fn sign(&mut self, ledger: &dyn Ledger, index: usize) {
        let id = settlement_id(u32::try_from(index).expect("small"));
        let seen = ledger.load_work(id).await.expect("reads").settlement;
        self.signatures += 1;
        let answer = ledger.record_signed(&seen, attempt(&seen, self.signatures), NOW).await;
        let of = &mut self.settlements[index];
        if of.state == State::Reserved {
            let fits = self.limit.is_none_or(|limit| self.booked + COST <= limit);
            assert_eq!(answer.expect("answers").recorded().is_some(), fits, "{} of {:?}", self.booked, self.limit);
            if !fits {
                return;
            }
            self.booked += COST;
            of.state = State::InFlight;
            of.attempts += 1;
        } else {
            assert!(matches!(answer, Err(LedgerError::Inconsistent(_))));
        }
    }

    pub(super) async fn record(&mut self, ledger: &dyn Ledger, index: usize, event: &Event, tell: Option<usize>) {
        let id = settlement_id(u32::try_from(index).expect("small"));
        let seen = ledger.load_work(id).await.expect("reads").settlement;
        let told: Vec<_> = tell.map(|hold| hold_id(u32::try_from(hold).expect("small"))).into_iter().collect();
        let answer = ledger.record(&seen, event.clone(), &told, self.now).await;
        let Ok(state) = apply(Some(self.settlements[index].state.clone()), event) else {
            assert!(matches!(answer, Err(LedgerError::Inconsistent(_))));
            return;
        };
        assert_eq!(answer.expect("can follow").state, state);
        self.settlements[index].state = state;
        match event {
            Event::Refused { .. } | Event::Failed { .. } => self.booked -= COST - FEE,
            Event::Absent(_) => self.booked -= COST,
            _ => {}
        }
        let fate = match event {
            Event::Landed { .. } => Fate::Captured,
            Event::TakenBack => Fate::Planned,
            Event::Refused { .. } | Event::Abandoned { .. } => Fate::Released,
            _ => return,
        };
        for (number, hold) in self.holds.iter_mut().enumerate().filter(|(_, h)| h.settlement == Some(index)) {
            if fate == Fate::Released && hold.told {
                // Said once is promised: it waits again, after a rest.
                (hold.fate, hold.settlement, hold.returns) = (Fate::Waiting, None, hold.returns + 1);
                hold.not_before = self.now + rest_after(hold.returns);
                continue;
            }
            hold.fate = fate;
            hold.told |= fate == Fate::Captured && tell == Some(number);
        }
    }

    pub(super) async fn end_wait(&mut self, ledger: &dyn Ledger, index: usize) {
        let id = hold_id(u32::try_from(index).expect("small"));
        let answer = ledger.end_wait(id, PayReason::SettlementExpired).await.expect("answers");
        let hold = &mut self.holds[index];
        match hold.fate {
            Fate::Waiting if !hold.told => {
                assert_eq!(answer, Deadline::Released);
                hold.fate = Fate::Released;
            }
            Fate::Waiting | Fate::Planned => {
                assert!(matches!(answer, Deadline::Pending(_)));
                hold.pending = true;
            }
            Fate::Captured | Fate::Released => assert!(matches!(answer, Deadline::Decided(_))),
        }
    }
}
