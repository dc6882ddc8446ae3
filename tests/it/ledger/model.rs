//! Random verbs in random order against a small model: after each of them the ledger is consistent and agrees.

mod agree;
mod verbs;

use super::build::{
    Fixture, NOW, abandoned, absent, amount, approve, failed, fixture, hold_id, landed, refused, session, session_id,
};
use crate::support::engine::each_engine;
use proptest::collection::vec;
use sotto::{
    domain::{
        amount::Amount,
        budget::{Budgets, Part, Scope},
        hold::{Exposure, GiveUp},
        reason::PayReason,
        session::{CapCheck, Delegation},
        settlement::{Event, State},
    },
    ledger::Ledger,
};

use proptest::prelude::*;

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

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    Waiting,
    Planned,
    Captured,
    Released,
}

#[derive(Debug, Default)]
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
const LIMITS: Exposure = Exposure {
    per_session: Amount::new(150).expect("fits"),
    per_user: Amount::new(200).expect("fits"),
    per_merchant: Amount::new(200).expect("fits"),
    unproven_per_merchant: Amount::new(200).expect("fits"),
};

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

    async fn act(&mut self, ledger: &dyn Ledger, what: Try) {
        match what {
            Try::Hold { session, nonce, content, units, deferred } => {
                let wanted = MHold { session, nonce, content, units, deferred, ..MHold::default() };
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
                    self.claim(ledger, index).await;
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
            Try::Revoke(number) => self.revoke(ledger, number).await,
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

    async fn claim(&mut self, ledger: &dyn Ledger, index: usize) {
        let claimed = ledger.claim_success(hold_id(u32::try_from(index).expect("small")), None).await;
        let hold = &mut self.holds[index];
        assert_eq!(claimed.ok(), Some(hold.fate == Fate::Captured && !hold.told));
        hold.told |= hold.fate == Fate::Captured;
    }

    async fn revoke(&mut self, ledger: &dyn Ledger, number: u32) {
        let of = session(number);
        let revoked = ledger.revoke_sessions(of.user(), &of.intent.asset).await.expect("answers");
        // A session that was closed has ended another way.
        let live = !self.revoked[number as usize] && !self.closed[number as usize];
        assert_eq!(revoked == 1, live);
        self.revoked[number as usize] |= live;
    }

    async fn give_up(&mut self, ledger: &dyn Ledger, session: u32, returns: u32) {
        let when = GiveUp { returns, age_seconds: u64::MAX, delegation: Delegation::Public };
        let lost = ledger.give_up(session_id(session), when).await.expect("answers");
        let least = if self.revoked[session as usize] { 0 } else { returns };
        let hopeless = |h: &&mut MHold| h.session == session && h.fate == Fate::Waiting && h.told && h.returns >= least;
        let given_up = self.holds.iter_mut().filter(hopeless).map(|hold| hold.fate = Fate::Released).count();
        assert_eq!(lost.len(), given_up);
    }

    async fn close(&mut self, ledger: &dyn Ledger, number: u32) {
        ledger.close_session(session_id(number)).await.expect("answers");
        self.closed[number as usize] |= !self.revoked[number as usize];
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
        ledger.mark_open(new.id, CapCheck::Verified, &approve(1_000_000 + number), &[]).await.expect("opens");
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
