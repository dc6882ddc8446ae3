//! Random verbs in random order against a small model: after each of them the ledger is consistent and agrees.

use super::build::{
    Fixture, NOW, abandoned, absent, amount, attempt, content, failed, fixture, hold_id, landed, refused, session,
    session_id, settlement_id, signature,
};
use crate::support::engine::each_engine;
use proptest::{collection::vec, prelude::*};
use sotto::{
    domain::{
        amount::Amount,
        budget::{Budgets, Part, Scope},
        funding::FundingDemand,
        hold::{Exposure, GiveUp, HoldState, NewHold, rest_after},
        reason::PayReason,
        session::{CapCheck, SessionState},
        settlement::{Event, State, apply},
    },
    ledger::{Carry, Deadline, Held, Ledger, LedgerError},
};

/// What is tried. Numbers choose among what is there, so that most tries meet something.
#[derive(Clone, Copy, Debug)]
enum Try {
    Hold { session: u32, nonce: Option<u8>, content: u8, units: u64, deferred: bool },
    EndWait(usize),
    Claim(usize),
    Plan { session: u32, most: u64 },
    Sign(usize),
    Record { settlement: usize, event: u8, tell: usize },
    Revoke(u32),
    Wait(u64),
    GiveUp { session: u32, returns: u32 },
    Close(u32),
    ReleaseAbandoned,
    Limit(u64),
}

fn tries() -> impl Strategy<Value = Try> {
    let session = 0..2_u32;
    prop_oneof![
        6 => (session.clone(), proptest::option::of(0..6_u8), 0..2_u8, 0..120_u64, any::<bool>())
            .prop_map(|(session, nonce, content, units, deferred)| Try::Hold { session, nonce, content, units, deferred }),
        2 => any::<usize>().prop_map(Try::EndWait),
        2 => any::<usize>().prop_map(Try::Claim),
        4 => (session.clone(), 0..300_u64).prop_map(|(session, most)| Try::Plan { session, most }),
        4 => any::<usize>().prop_map(Try::Sign),
        9 => (any::<usize>(), 0..7_u8, any::<usize>())
            .prop_map(|(settlement, event, tell)| Try::Record { settlement, event, tell }),
        1 => session.clone().prop_map(Try::Revoke),
        2 => (0..4_u64).prop_map(Try::Wait),
        1 => (session.clone(), 1..4_u32).prop_map(|(session, returns)| Try::GiveUp { session, returns }),
        1 => session.prop_map(Try::Close),
        1 => Just(Try::ReleaseAbandoned),
        1 => (0..4_u64).prop_map(Try::Limit),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Waiting,
    Planned,
    Captured,
    Released,
}

#[derive(Debug)]
struct MHold {
    session: u32,
    nonce: Option<u8>,
    content: u8,
    units: u64,
    fate: Fate,
    settlement: Option<usize>,
    told: bool,
    pending: bool,
    deferred: bool,
    returns: u32,
    not_before: u64,
}

struct MSettlement {
    session: u32,
    state: State,
    /// The number of its last attempt's signature.
    attempts: u32,
}

const CAP: u64 = 400;
const LIMITS: Exposure =
    Exposure { per_session: Amount::new(150).expect("fits"), per_merchant: Amount::new(200).expect("fits") };

#[derive(Default)]
struct Model {
    revoked: [bool; 2],
    closed: [bool; 2],
    holds: Vec<MHold>,
    settlements: Vec<MSettlement>,
    signatures: u32,
    now: u64,
    /// Lamports that are booked, and the most that may be.
    booked: u64,
    limit: Option<u64>,
}

/// What each attempt costs, and what remains of it when it lands with an error.
const COST: u64 = 10_000 + 2_000_000 + 7;
const FEE: u64 = 10_000;

impl Model {
    fn sum(&self, session: u32, fates: &[Fate]) -> u64 {
        self.holds.iter().filter(|h| h.session == session && fates.contains(&h.fate)).map(|h| h.units).sum()
    }

    fn held(&self, session: u32) -> u64 {
        self.sum(session, &[Fate::Waiting, Fate::Planned])
    }

    /// What is held by promise, in one session or in both.
    fn exposed(&self, session: Option<u32>) -> u64 {
        let of = self.holds.iter().filter(|h| h.deferred && session.is_none_or(|session| session == h.session));
        of.filter(|h| matches!(h.fate, Fate::Waiting | Fate::Planned)).map(|h| h.units).sum()
    }

    fn captured(&self, session: u32) -> u64 {
        self.sum(session, &[Fate::Captured])
    }

    /// The index that a number chooses; none while there is nothing to choose from.
    fn choose<T>(from: &[T], number: usize) -> Option<usize> {
        (!from.is_empty()).then(|| number % from.len())
    }

    async fn hold(&mut self, ledger: &dyn Ledger, wanted: MHold) {
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

    async fn plan(&mut self, ledger: &dyn Ledger, session: u32, most: u64) {
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

    async fn sign(&mut self, ledger: &dyn Ledger, index: usize) {
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

    async fn record(&mut self, ledger: &dyn Ledger, index: usize, event: &Event, tell: Option<usize>) {
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

    async fn end_wait(&mut self, ledger: &dyn Ledger, index: usize) {
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

    async fn act(&mut self, ledger: &dyn Ledger, what: Try) {
        match what {
            Try::Hold { session, nonce, content, units, deferred } => {
                let (fate, settlement, told, pending) = (Fate::Waiting, None, false, false);
                let (returns, not_before) = (0, 0);
                let wanted = MHold {
                    session,
                    nonce,
                    content,
                    units,
                    fate,
                    settlement,
                    told,
                    pending,
                    deferred,
                    returns,
                    not_before,
                };
                self.hold(ledger, wanted).await;
            }
            Try::Wait(seconds) => self.now += seconds,
            Try::GiveUp { session, returns } => self.give_up(ledger, session, returns).await,
            Try::Close(number) => self.close(ledger, number).await,
            Try::Plan { session, most } => self.plan(ledger, session, most).await,
            Try::EndWait(number) => {
                if let Some(index) = Self::choose(&self.holds, number) {
                    self.end_wait(ledger, index).await;
                }
            }
            Try::Claim(number) => {
                if let Some(index) = Self::choose(&self.holds, number) {
                    let claimed = ledger.claim_success(hold_id(u32::try_from(index).expect("small"))).await;
                    let hold = &mut self.holds[index];
                    assert_eq!(claimed.ok(), Some(hold.fate == Fate::Captured && !hold.told));
                    hold.told |= hold.fate == Fate::Captured;
                }
            }
            Try::Sign(number) => {
                if let Some(index) = Self::choose(&self.settlements, number) {
                    self.sign(ledger, index).await;
                }
            }
            Try::Record { settlement, event, tell } => {
                if let Some(index) = Self::choose(&self.settlements, settlement) {
                    let events =
                        [landed(), Event::Finalised, Event::TakenBack, refused(), absent(), abandoned(), failed()];
                    let tell = Self::choose(&self.holds, tell);
                    self.record(ledger, index, &events[usize::from(event)], tell).await;
                }
            }
            Try::Revoke(number) => {
                let of = session(number);
                let revoked = ledger.revoke_sessions(of.user(), &of.intent.asset).await.expect("answers");
                // A session that was closed has ended another way.
                let live = !self.revoked[number as usize] && !self.closed[number as usize];
                assert_eq!(revoked == 1, live);
                self.revoked[number as usize] |= live;
            }
            Try::Limit(attempts) => {
                let limit = attempts * COST;
                let budgets = Budgets::default().with(Scope::Hour, Part::Total, limit);
                ledger.set_budgets(&budgets).await.expect("sets");
                self.limit = Some(limit);
            }
            Try::ReleaseAbandoned => {
                let reason = PayReason::SettlementExpired;
                let released = ledger.release_abandoned(NOW + 1, reason).await.expect("answers");
                let waiting = self.holds.iter_mut().filter(|hold| hold.fate == Fate::Waiting && !hold.told);
                assert_eq!(released, waiting.map(|hold| hold.fate = Fate::Released).count() as u64);
            }
        }
    }

    async fn give_up(&mut self, ledger: &dyn Ledger, session: u32, returns: u32) {
        let when = GiveUp { returns, age_seconds: u64::MAX };
        let lost = ledger.give_up(session_id(session), when).await.expect("answers");
        let hopeless =
            |h: &&mut MHold| h.session == session && h.fate == Fate::Waiting && h.told && h.returns >= returns;
        let given_up = self.holds.iter_mut().filter(hopeless).map(|hold| hold.fate = Fate::Released).count();
        assert_eq!(lost.len(), given_up);
    }

    async fn close(&mut self, ledger: &dyn Ledger, number: u32) {
        ledger.close_session(session_id(number)).await.expect("answers");
        self.closed[number as usize] |= !self.revoked[number as usize];
    }

    /// Whether everything of a session is settled for good.
    fn is_settled(&self, session: u32) -> bool {
        self.held(session) == 0 && self.settlements.iter().all(|s| s.session != session || s.state.is_terminal())
    }

    /// Whether the ledger tells of every session and hold what the model does.
    async fn agree(&self, ledger: &dyn Ledger) {
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

async fn run(fixture: Fixture, tries: Vec<Try>) {
    let ledger = fixture.ledger.as_ref();
    for number in 0..2 {
        let new = super::build::session_with(number, |s| {
            s.intent.cap = amount(CAP);
            s.intent.recipient = session(0).intent.recipient;
        });
        ledger.open_session(&new).await.expect("opens");
        ledger.mark_open(new.id, CapCheck::Verified, signature(1_000_000 + number), &[]).await.expect("opens");
    }
    let mut model = Model { now: NOW, ..Model::default() };
    for what in tries {
        model.act(ledger, what).await;
        model.agree(ledger).await;
    }
}

macro_rules! on {
    ($name:ident, $engine:expr,) => {
        mod $name {
            use super::*;

            proptest! {
                #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

                #[test]
                fn any_order_of_verbs_keeps_the_ledger_and_the_model_in_agreement(tries in vec(tries(), 1..60)) {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                    runtime.block_on(async { run(fixture($engine).await, tries).await });
                }
            }
        }
    };
}

each_engine!(on);
