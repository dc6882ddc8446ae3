//! Proofs of a balance under random verbs, beside a model of the chain: what a proof that counts leaves over is never more
//! than what is really there and not promised away.

use super::build::{
    Fixture, NOW, absent, amount, approve, attempt, content, fixture, hold_id, recorded, session, session_id,
    session_with, settlement_id,
};
use crate::support::engine::each_engine;
use proptest::{collection::vec, prelude::*};
use sotto::{
    domain::{
        funding::{Bound, Examined, Funding, FundingDemand, Look, Lost, NewBound},
        hold::{HoldState, NewHold},
        reason::PayReason,
        session::CapCheck,
        settlement::{Event, State},
    },
    ledger::{Carry, Held, Ledger, Proved},
};

/// What is tried; numbers choose among what is there.
#[derive(Clone, Copy, Debug)]
enum Try {
    Hold {
        session: u32,
        units: u64,
        required: bool,
    },
    /// Everything that waits in a session is planned and signed.
    Send(u32),
    /// The chain executes what was sent.
    Execute(usize),
    /// A fork takes it back.
    Fork(usize),
    /// What the chain shows of a settlement is recorded; of one that it does not show, that it never will.
    Observe(usize),
    Deposit(u64),
    /// The owner takes something out directly.
    Debit(u64),
    Prove,
    Look,
    Freeze(bool),
}

fn tries() -> impl Strategy<Value = Try> {
    let session = 0..2_u32;
    prop_oneof![
        6 => (session.clone(), 1..60_u64, any::<bool>())
            .prop_map(|(session, units, required)| Try::Hold { session, units, required }),
        4 => session.prop_map(Try::Send),
        5 => any::<usize>().prop_map(Try::Execute),
        2 => any::<usize>().prop_map(Try::Fork),
        5 => any::<usize>().prop_map(Try::Observe),
        1 => (0..40_u64).prop_map(Try::Deposit),
        1 => (1..60_u64).prop_map(Try::Debit),
        3 => Just(Try::Prove),
        3 => Just(Try::Look),
        1 => any::<bool>().prop_map(Try::Freeze),
    ]
}

struct Transfer {
    units: u64,
    /// Where it stands on the chain, and whether it moved anything: a short balance moves zero.
    executed: Option<(u64, bool)>,
    /// The slot that the ledger was told.
    told: Option<u64>,
    dead: bool,
}

struct Chain {
    slot: u64,
    balance: u64,
    /// The slot of the owner's last debit.
    debited: u64,
    transfers: Vec<Transfer>,
    holds: u32,
    signatures: u32,
}

impl Chain {
    fn choose(&self, number: usize) -> Option<usize> {
        (!self.transfers.is_empty()).then(|| number % self.transfers.len())
    }

    async fn act(&mut self, ledger: &dyn Ledger, what: Try) {
        self.slot += 1;
        match what {
            Try::Hold { session, units, required } => self.hold(ledger, session, units, required).await,
            Try::Send(session) => self.send(ledger, session).await,
            Try::Execute(number) => {
                let Some(index) = self.choose(number) else { return };
                let (slot, balance, transfer) = (self.slot, &mut self.balance, &mut self.transfers[index]);
                if transfer.executed.is_none() && !transfer.dead {
                    let moves = *balance >= transfer.units;
                    *balance -= if moves { transfer.units } else { 0 };
                    transfer.executed = Some((slot, moves));
                }
            }
            Try::Fork(number) => {
                let Some(index) = self.choose(number) else { return };
                let transfer = &mut self.transfers[index];
                if let Some((_, moved)) = transfer.executed.take() {
                    self.balance += if moved { transfer.units } else { 0 };
                }
            }
            Try::Observe(number) => {
                if let Some(index) = self.choose(number) {
                    self.observe(ledger, index).await;
                }
            }
            Try::Deposit(units) => self.balance += units,
            Try::Debit(units) if units <= self.balance => {
                self.balance -= units;
                self.debited = self.slot;
            }
            Try::Debit(_) => {}
            Try::Prove => self.prove(ledger).await,
            Try::Look => self.look(ledger).await,
            Try::Freeze(frozen) => {
                let of = session(0);
                let look = Look { user: *of.user(), asset: of.intent.asset, frozen: Some(frozen), examined: None };
                ledger.record_looks(&[look], NOW).await.expect("records");
            }
        }
    }

    async fn hold(&mut self, ledger: &dyn Ledger, session: u32, units: u64, required: bool) {
        self.holds += 1;
        let new = NewHold {
            id: hold_id(self.holds),
            session: session_id(session),
            nonce: Some(self.holds.to_string()),
            content: content(self.holds),
            amount: amount(units),
            unverified_exposure: amount(0),
            deferred: None,
            funding: FundingDemand { required, max_age: 60, cap_binds: true },
            answer: None,
            now: NOW,
        };
        let (counts, frozen) = (self.counting(ledger).await, self.is_frozen(ledger).await);
        let relied = self.is_relied_upon(ledger).await;
        let passes = self.bound(ledger).await.is_some_and(|bound| bound.lost.is_none() && !bound.covers(amount(units)));
        let covers = counts.is_some_and(|bound| bound.covers(amount(units)));
        let held = ledger.hold(&new).await.expect("answers");
        if let Held::Refused(PayReason::CapExceeded) = held {
            return;
        }
        let expected = match (counts, covers) {
            (None, _) => Funding::Unproven,
            (Some(_), true) => Funding::Proven,
            (Some(_), false) => Funding::Short,
        };
        match held {
            Held::Refused(reason) if frozen => assert_eq!(reason, PayReason::SourceFrozen),
            Held::Refused(reason) if relied && passes => assert_eq!(reason, PayReason::InsufficientFunds),
            Held::Refused(reason) => {
                let refusal = if expected == Funding::Unproven {
                    PayReason::FundingUnproven
                } else {
                    PayReason::InsufficientFunds
                };
                assert!(required && expected != Funding::Proven && reason == refusal, "{reason:?} for {expected:?}");
            }
            Held::New(hold) => {
                assert!(!frozen && hold.funding == expected && (!required || covers) && !(relied && passes));
            }
            other => panic!("{other:?}"),
        }
    }

    async fn send(&mut self, ledger: &dyn Ledger, session: u32) {
        let id = settlement_id(u32::try_from(self.transfers.len()).expect("small"));
        let planned =
            ledger.plan_settlement(id, session_id(session), Carry::up_to(amount(1_000)), NOW).await.expect("answers");
        let Some(planned) = planned else { return };
        self.signatures += 1;
        let signed = ledger.record_signed(&planned, attempt(&planned, self.signatures), NOW).await.expect("answers");
        assert!(signed.recorded().is_some());
        self.transfers.push(Transfer { units: planned.amount.get(), executed: None, told: None, dead: false });
    }

    /// Does what the driver does.
    async fn observe(&mut self, ledger: &dyn Ledger, index: usize) {
        let id = settlement_id(u32::try_from(index).expect("small"));
        let mut now = ledger.load_work(id).await.expect("reads").settlement;
        let transfer = &mut self.transfers[index];
        let moved = transfer.executed.is_none_or(|(slot, _)| !now.stands_at(slot));
        if now.state == State::Landed && moved {
            now = recorded(ledger, &now, Event::TakenBack).await;
            transfer.told = None;
        }
        match (&now.state, transfer.executed) {
            (State::InFlight, Some((slot, _))) => {
                recorded(ledger, &now, Event::Landed { slot }).await;
                transfer.told = Some(slot);
            }
            (State::InFlight, None) => {
                let back = recorded(ledger, &now, absent()).await;
                recorded(ledger, &back, Event::Abandoned { reason: PayReason::SettlementExpired }).await;
                transfer.dead = true;
            }
            _ => {}
        }
    }

    async fn prove(&mut self, ledger: &dyn Ledger) {
        let of = session(0);
        let new = NewBound {
            user: *of.user(),
            asset: of.intent.asset,
            amount: amount(self.balance),
            handle: u128::from(self.slot) + 1,
            slot: self.slot,
            anchor: None,
            now: NOW,
        };
        let proved = ledger.prove_funding(&new).await.expect("answers");
        assert!(matches!(proved, Proved::Counts(_)), "it is the newest there is: {proved:?}");
    }

    /// Finds the owner's debits, as the monitor does.
    async fn look(&mut self, ledger: &dyn Ledger) {
        let Some(bound) = self.bound(ledger).await else { return };
        let lost = (self.debited > bound.slot).then_some((Lost::OwnerSigned, self.debited));
        let clean = lost.map_or(self.slot, |(_, slot)| slot - 1);
        let (handle, ridden) = (None, bound.ridden);
        let examined = Examined { of: bound.slot, up_to: self.slot, is_final: true, lost, clean, handle, ridden };
        let (of, frozen) = (session(0), None);
        let look = Look { user: *of.user(), asset: of.intent.asset, frozen, examined: Some(examined) };
        ledger.record_looks(&[look], NOW).await.expect("records");
    }

    async fn is_frozen(&self, ledger: &dyn Ledger) -> bool {
        let of = session(0);
        ledger.source(of.user(), &of.intent.asset).await.expect("reads").is_some_and(|source| source.frozen)
    }

    async fn bound(&self, ledger: &dyn Ledger) -> Option<Bound> {
        let of = session(0);
        ledger.source(of.user(), &of.intent.asset).await.expect("reads")?.bound
    }

    /// Whether a payment that was accepted as proven has not been captured.
    async fn is_relied_upon(&self, ledger: &dyn Ledger) -> bool {
        for number in 1..=self.holds {
            let hold = ledger.find_hold(hold_id(number)).await.expect("reads");
            let open = |state: &HoldState| matches!(state, HoldState::Waiting | HoldState::Planned { .. });
            if hold.is_some_and(|hold| hold.funding == Funding::Proven && open(&hold.state)) {
                return true;
            }
        }
        false
    }

    async fn counting(&self, ledger: &dyn Ledger) -> Option<Bound> {
        let of = session(0);
        let source = ledger.source(of.user(), &of.intent.asset).await.expect("reads")?;
        source.counting(NOW, 60).copied()
    }

    async fn agree(&self, ledger: &dyn Ledger) {
        ledger.audit().await.expect("consistent");
        if self.is_relied_upon(ledger).await {
            let bound = self.bound(ledger).await.expect("proven by a bound");
            assert!(bound.lost.is_none() && bound.claimed <= bound.amount, "promised more than was proved: {bound:?}");
        }
        // What nobody has looked at yet may be wrong for so long.
        let seen =
            |transfer: &Transfer| transfer.told.is_none() || transfer.told == transfer.executed.map(|(slot, _)| slot);
        let Some(bound) = self.counting(ledger).await else { return };
        if self.debited > bound.slot || !self.transfers.iter().all(seen) {
            return;
        }
        let held = ledger.totals(None).await.expect("adds up").held.get();
        let executed: u64 =
            self.transfers.iter().filter(|t| t.told.is_none() && t.executed.is_some()).map(|t| t.units).sum();
        let (left, promised) = (bound.amount.get().saturating_sub(bound.claimed.get()), held - executed);
        assert!(
            left == 0 || left + promised <= self.balance,
            "{left} left and {promised} promised of {}",
            self.balance
        );
    }
}

async fn run(fixture: Fixture, tries: Vec<Try>) {
    let ledger = fixture.ledger.as_ref();
    for number in 0..2 {
        let new = session_with(number, |other| other.intent.user = *session(0).user());
        ledger.open_session(&new).await.expect("opens");
        ledger.mark_open(new.id, CapCheck::Verified, &approve(1_000_000 + number), &[]).await.expect("opens");
    }
    let mut chain = Chain { slot: 100, balance: 150, debited: 0, transfers: Vec::new(), holds: 0, signatures: 0 };
    for what in tries {
        chain.act(ledger, what).await;
        chain.agree(ledger).await;
    }
}

macro_rules! on {
    ($name:ident, $engine:expr,) => {
        mod $name {
            use super::*;

            proptest! {
                #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

                #[test]
                fn what_a_proof_leaves_over_is_really_there_in_any_order_of_verbs(tries in vec(tries(), 1..60)) {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                    runtime.block_on(async { run(fixture($engine).await, tries).await });
                }
            }
        }
    };
}

each_engine!(on);
