//! Planning settlements and recording what becomes of them.

use crate::ledger::build::{
    CAP, NOW, abandoned, absent, amount, attempt, failed, held, hold_id, in_flight, landed, opened, payment, planned,
    recorded, refused, settlement_id, signature, signed,
};
use sotto::{
    domain::{
        amount::Amount,
        hold::HoldState,
        reason::PayReason,
        session::SessionId,
        settlement::{Event, Purpose, Settlement, SettlementId, State, Subject},
    },
    ledger::{Carry, LastTransfer, Ledger, LedgerError, Totals, Work},
};

/// Captured and held, as the session's row tells.
async fn money(ledger: &dyn Ledger, session: SessionId) -> (u64, u64) {
    let session = ledger.session(session).await.expect("reads").expect("is there");
    (session.captured.get(), session.held.get())
}

async fn spent(ledger: &dyn Ledger) -> (u64, u64, u64) {
    let Totals { fees, rent, grants, .. } = ledger.totals(None).await.expect("adds up");
    (fees, rent, grants)
}

async fn state_of(ledger: &dyn Ledger, number: u32) -> HoldState {
    ledger.find_hold(hold_id(number)).await.expect("reads").expect("is there").state
}

fn is_lost<T>(result: Result<T, LedgerError>) -> bool {
    matches!(result.err(), Some(LedgerError::LostRace))
}

fn is_inconsistent<T>(result: Result<T, LedgerError>) -> bool {
    matches!(result.err(), Some(LedgerError::Inconsistent(_)))
}

pub(crate) async fn a_plan_takes_the_oldest_that_fit_and_at_least_one(ledger: &dyn Ledger) {
    let (session, other) = (opened(ledger, 1).await, opened(ledger, 2).await);
    for (number, units) in [(1, 100), (2, 10), (3, 50), (4, 1)] {
        held(ledger, &payment(session.id, number, units)).await;
    }
    held(ledger, &payment(other.id, 5, 1)).await;
    let plan = async |number, most| {
        let planned = ledger.plan_settlement(settlement_id(number), session.id, Carry::up_to(amount(most)), NOW).await;
        let settlement = planned.expect("plans").expect("something waits");
        let holds = ledger.holds_of(settlement.id).await.expect("reads");
        (settlement.amount.get(), holds.into_iter().map(|hold| hold.id).collect::<Vec<_>>())
    };
    assert_eq!(plan(1, 20).await, (100, vec![hold_id(1)]), "one that is too large goes alone");
    assert_eq!(plan(2, 59).await, (10, vec![hold_id(2)]), "a smaller one does not overtake");
    assert_eq!(plan(3, 51).await, (51, vec![hold_id(3), hold_id(4)]));
    let settlement = ledger.load_work(settlement_id(3)).await.expect("reads").settlement;
    let expected = Settlement {
        id: settlement_id(3),
        purpose: Purpose::Capture,
        subject: Subject::Session(session.id),
        amount: amount(51),
        state: State::Reserved,
        sequence: 1,
        attempts: 0,
        signature: None,
        landed_at: None,
        held: None,
    };
    assert_eq!(settlement, expected);
    assert_eq!(money(ledger, session.id).await, (0, 161));
    assert_eq!(state_of(ledger, 5).await, HoldState::Waiting, "other sessions are not touched");
}

pub(crate) async fn nothing_waiting_is_no_plan(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    let plan = async || ledger.plan_settlement(settlement_id(1), session.id, Carry::up_to(Amount::MAX), NOW).await.ok();
    assert_eq!(plan().await, Some(None));
    held(ledger, &payment(session.id, 1, 1)).await;
    assert!(plan().await.flatten().is_some());
    assert_eq!(plan().await, Some(None), "what is covered is not covered again");
}

pub(crate) async fn a_payment_lands_and_is_settled(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    held(ledger, &payment(session.id, 2, 20)).await;
    let settlement = planned(ledger, session.id, 1).await;
    let sent = attempt(&settlement, 7);
    let (settlement, recorded_attempt) =
        ledger.record_signed(&settlement, sent.clone(), NOW).await.expect("records").recorded().expect("unbounded");
    assert_eq!(recorded_attempt.get(), &sent);
    assert_eq!((settlement.sequence, settlement.attempts, settlement.signature), (2, 1, Some(signature(7))));
    let work = Work { settlement: settlement.clone(), attempt: Some(recorded_attempt) };
    assert_eq!(ledger.load_work(settlement.id).await.ok(), Some(work), "as it was recorded");
    assert_eq!(spent(ledger).await, (0, 0, 0), "nothing is spent before it lands");

    let settlement = recorded(ledger, &settlement, landed()).await;
    assert_eq!((settlement.sequence, settlement.state.clone()), (3, State::Landed));
    assert_eq!(money(ledger, session.id).await, (30, 0));
    assert_eq!(spent(ledger).await, (10_000, 2_000_000, 7));
    let settlement = recorded(ledger, &settlement, Event::Finalised).await;
    assert_eq!((settlement.sequence, settlement.state.clone()), (4, State::Settled));
    let captured = HoldState::Captured { settlement: settlement.id, signature: signature(7) };
    assert_eq!((state_of(ledger, 1).await, state_of(ledger, 2).await), (captured.clone(), captured));
    let work = ledger.load_work(settlement.id).await.expect("reads");
    assert_eq!(work.settlement, settlement);
    assert_eq!(work.attempt.map(|attempt| attempt.get().clone()), Some(sent));
}

pub(crate) async fn a_refused_transfer_gives_everything_back_but_the_fee(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, CAP)).await;
    let settlement = recorded(ledger, &in_flight(ledger, session.id, 1).await, refused()).await;
    assert_eq!(settlement.state, State::Released);
    let released = HoldState::Released { reason: PayReason::OnchainTransferFailed, signature: Some(signature(1)) };
    assert_eq!(state_of(ledger, 1).await, released);
    assert_eq!(money(ledger, session.id).await, (0, 0));
    assert_eq!(spent(ledger).await, (10_000, 0, 0));
    assert_eq!(ledger.load_work(settlement.id).await.ok().map(|work| work.attempt), Some(None));
    assert_eq!(ledger.holds_of(settlement.id).await.ok().map(|holds| holds.len()), Some(1));
    held(ledger, &payment(session.id, 2, CAP)).await;
}

pub(crate) async fn an_abandoned_settlement_gives_everything_back(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let settlement = recorded(ledger, &planned(ledger, session.id, 1).await, abandoned()).await;
    assert_eq!(settlement.state, State::Released);
    let released = HoldState::Released { reason: PayReason::SettlementExpired, signature: None };
    assert_eq!(state_of(ledger, 1).await, released);
    assert_eq!(money(ledger, session.id).await, (0, 0));
    assert_eq!(spent(ledger).await, (0, 0, 0));
}

pub(crate) async fn an_absent_attempt_is_followed_by_another(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let settlement = recorded(ledger, &in_flight(ledger, session.id, 1).await, absent()).await;
    assert_eq!((settlement.state.clone(), settlement.attempts), (State::Reserved, 1));
    assert_eq!(settlement.signature, Some(signature(1)), "the last one");
    assert_eq!(ledger.load_work(settlement.id).await.ok().map(|work| work.attempt), Some(None));
    let unsigned = HoldState::Planned { settlement: settlement.id, signature: None };
    assert_eq!(state_of(ledger, 1).await, unsigned);
    assert_eq!(money(ledger, session.id).await, (0, 10), "still held");
    let (settlement, second) = signed(ledger, &settlement, 2).await;
    assert_eq!(second.get().number, 2);
    recorded(ledger, &settlement, landed()).await;
    let captured = HoldState::Captured { settlement: settlement.id, signature: signature(2) };
    assert_eq!(state_of(ledger, 1).await, captured);
    assert_eq!(spent(ledger).await.0, 10_000, "only what landed cost anything");
}

pub(crate) async fn a_failed_attempt_costs_its_fee_and_is_followed_by_another(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let settlement = recorded(ledger, &in_flight(ledger, session.id, 1).await, failed()).await;
    assert_eq!((settlement.state.clone(), settlement.attempts), (State::Reserved, 1));
    assert_eq!(ledger.load_work(settlement.id).await.ok().map(|work| work.attempt), Some(None));
    assert_eq!(money(ledger, session.id).await, (0, 10), "still held");
    assert_eq!(spent(ledger).await, (10_000, 0, 0), "a failed transaction costs its fee");
    let (settlement, _) = signed(ledger, &settlement, 2).await;
    recorded(ledger, &settlement, landed()).await;
    assert_eq!(money(ledger, session.id).await, (10, 0));
    assert_eq!(spent(ledger).await.0, 20_000);
}

pub(crate) async fn a_fork_takes_a_landing_back_and_it_lands_again(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let settlement = in_flight(ledger, session.id, 1).await;
    let settlement = ledger.record(&settlement, landed(), &[hold_id(1)], NOW).await.expect("records");
    let settlement = recorded(ledger, &settlement, Event::TakenBack).await;
    assert_eq!(settlement.state, State::InFlight);
    assert_eq!(money(ledger, session.id).await, (0, 10));
    let hold = ledger.find_hold(hold_id(1)).await.expect("reads").expect("is there");
    let in_flight = HoldState::Planned { settlement: settlement.id, signature: Some(signature(1)) };
    assert_eq!((hold.state, hold.told), (in_flight, true), "what was told stays told");
    assert!(ledger.load_work(settlement.id).await.expect("reads").attempt.is_some(), "it may be sent again");
    recorded(ledger, &settlement, landed()).await;
    assert_eq!(money(ledger, session.id).await, (10, 0));
    assert_eq!(spent(ledger).await, (10_000, 2_000_000, 7), "booked once");
    assert_eq!(ledger.claim_success(hold_id(1), None).await.ok(), Some(false), "told once");
}

pub(crate) async fn a_landing_that_is_gone_for_good_cost_nothing(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let settlement = recorded(ledger, &in_flight(ledger, session.id, 1).await, landed()).await;
    let settlement = recorded(ledger, &settlement, Event::TakenBack).await;
    let settlement = recorded(ledger, &settlement, absent()).await;
    assert_eq!(spent(ledger).await, (0, 0, 0));
    let settlement = signed(ledger, &settlement, 2).await.0;
    recorded(ledger, &settlement, landed()).await;
    assert_eq!(spent(ledger).await, (10_000, 2_000_000, 7));
    assert_eq!(money(ledger, session.id).await, (10, 0));
}

pub(crate) async fn a_landing_that_becomes_an_error_costs_its_fee(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let settlement = in_flight(ledger, session.id, 1).await;
    let settlement = ledger.record(&settlement, landed(), &[hold_id(1)], NOW).await.expect("records");
    let settlement = recorded(ledger, &settlement, Event::TakenBack).await;
    recorded(ledger, &settlement, refused()).await;
    assert_eq!(spent(ledger).await, (10_000, 0, 0));
    // Success was said for it, so it is not given back but tried again.
    assert_eq!(money(ledger, session.id).await, (0, 10));
}

pub(crate) async fn of_two_drivers_one_loses(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let seen = planned(ledger, session.id, 1).await;
    let (first, second) = tokio::join!(
        ledger.record_signed(&seen, attempt(&seen, 1), NOW),
        ledger.record_signed(&seen, attempt(&seen, 2), NOW),
    );
    assert_eq!([first.is_ok(), second.is_ok()].into_iter().filter(|won| *won).count(), 1);
    assert!(is_lost(first) || is_lost(second));
    let now = ledger.load_work(seen.id).await.expect("reads").settlement;
    assert_eq!((now.sequence, now.attempts), (2, 1));
    assert!(is_lost(ledger.record(&seen, abandoned(), &[], NOW).await), "an old view moves nothing");
    let (one, two) = tokio::join!(ledger.record(&now, landed(), &[], NOW), ledger.record(&now, absent(), &[], NOW));
    assert!(one.is_ok() != two.is_ok() && (is_lost(one) || is_lost(two)));
}

pub(crate) async fn events_that_cannot_follow_are_refused(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let reserved = planned(ledger, session.id, 1).await;
    for event in [Event::Reserved, landed(), Event::Finalised, Event::TakenBack, refused(), absent()] {
        assert!(is_inconsistent(ledger.record(&reserved, event, &[], NOW).await));
    }
    let alone = Event::Signed { signature: signature(1) };
    assert!(is_inconsistent(ledger.record(&reserved, alone, &[], NOW).await), "a signature without its bytes");
    assert_eq!(ledger.load_work(reserved.id).await.ok().map(|work| work.settlement), Some(reserved));
    assert_eq!(money(ledger, session.id).await, (0, 10));
}

pub(crate) async fn a_finished_settlement_takes_no_event(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let landed = recorded(ledger, &in_flight(ledger, session.id, 1).await, self::landed()).await;
    let settled = recorded(ledger, &landed, Event::Finalised).await;
    held(ledger, &payment(session.id, 2, 10)).await;
    let released = recorded(ledger, &planned(ledger, session.id, 2).await, abandoned()).await;
    for finished in [settled, released] {
        for event in [Event::TakenBack, self::landed(), refused(), absent(), abandoned(), Event::Finalised] {
            assert!(is_inconsistent(ledger.record(&finished, event, &[], NOW).await));
        }
        let next = attempt(&finished, 9);
        assert!(is_inconsistent(ledger.record_signed(&finished, next, NOW).await));
    }
    assert_eq!(money(ledger, session.id).await, (10, 0));
}

pub(crate) async fn an_attempt_is_the_next_of_its_settlement(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let settlement = planned(ledger, session.id, 1).await;
    let mut foreign = attempt(&settlement, 1);
    foreign.settlement = settlement_id(2);
    assert!(is_inconsistent(ledger.record_signed(&settlement, foreign, NOW).await));
    let mut late = attempt(&settlement, 1);
    late.number = 2;
    assert!(is_inconsistent(ledger.record_signed(&settlement, late, NOW).await));
    let mut huge = attempt(&settlement, 1);
    huge.wire = vec![0; 1_233];
    assert!(is_inconsistent(ledger.record_signed(&settlement, huge, NOW).await));
    let untouched = ledger.load_work(settlement.id).await.expect("reads");
    assert_eq!((untouched.settlement.clone(), untouched.attempt), (settlement.clone(), None));
    signed(ledger, &settlement, 1).await;
}

pub(crate) async fn one_signature_names_one_attempt(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    in_flight(ledger, session.id, 1).await;
    held(ledger, &payment(session.id, 2, 10)).await;
    let second = planned(ledger, session.id, 2).await;
    assert!(is_inconsistent(ledger.record_signed(&second, attempt(&second, 1), NOW).await));
    signed(ledger, &second, 2).await;
}

pub(crate) async fn other_purposes_carry_no_holds(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let create = ledger.plan_other(settlement_id(1), Purpose::CreateRecipient, Subject::Session(session.id), NOW).await;
    let create = create.expect("plans");
    assert_eq!((create.amount, create.subject), (Amount::ZERO, Subject::Session(session.id)));
    let create = signed(ledger, &create, 1).await.0;
    recorded(ledger, &recorded(ledger, &create, landed()).await, Event::Finalised).await;
    assert_eq!(money(ledger, session.id).await, (0, 10), "it moves no money");
    assert_eq!(spent(ledger).await, (10_000, 2_000_000, 7), "but it costs");
    let probe = ledger.plan_other(settlement_id(2), Purpose::Probe, Subject::Own, NOW).await.expect("plans");
    assert_eq!(probe.subject, Subject::Own);
    recorded(ledger, &probe, abandoned()).await;
    let unowned = ledger.plan_other(settlement_id(3), Purpose::Approve, Subject::Own, NOW).await;
    assert!(is_inconsistent(unowned));
    let capture = ledger.plan_other(settlement_id(3), Purpose::Capture, Subject::Session(session.id), NOW).await;
    assert!(is_inconsistent(capture));
    let nobody = crate::ledger::build::session_id(77);
    assert!(is_inconsistent(
        ledger.plan_other(settlement_id(3), Purpose::Approve, Subject::Session(nobody), NOW).await
    ));
    assert!(is_inconsistent(ledger.load_work(settlement_id(3)).await), "nothing was left behind");
}

pub(crate) async fn a_session_has_one_approve_that_may_have_an_effect(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    let plan = async |number| {
        ledger.plan_other(settlement_id(number), Purpose::Approve, Subject::Session(session.id), NOW).await
    };
    let id_of = async || -> Option<SettlementId> {
        ledger.approve_of(session.id).await.expect("reads").map(|work| work.settlement.id)
    };
    assert_eq!(id_of().await, None);
    let (one, two) = tokio::join!(plan(1), plan(2));
    assert!(one.is_ok() != two.is_ok());
    let first = one.or(two).expect("one of them");
    assert!(is_lost(plan(3).await));
    let first = signed(ledger, &first, 1).await.0;
    assert!(is_lost(plan(3).await));
    recorded(ledger, &first, refused()).await;
    assert_eq!(id_of().await, Some(first.id), "what became of it can still be asked");
    let second = plan(3).await.expect("the first had no effect");
    assert_eq!(id_of().await, Some(second.id));
    let landed = recorded(ledger, &signed(ledger, &second, 2).await.0, landed()).await;
    recorded(ledger, &landed, Event::Finalised).await;
    assert!(is_lost(plan(4).await));
    let work = ledger.approve_of(session.id).await.expect("reads").expect("is there");
    assert_eq!(work.attempt.map(|attempt| attempt.get().signature), Some(signature(2)));
}

pub(crate) async fn only_waiting_callers_of_the_settlement_are_told(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    for number in [1, 2] {
        held(ledger, &payment(session.id, number, 10)).await;
    }
    let settlement = in_flight(ledger, session.id, 1).await;
    held(ledger, &payment(session.id, 3, 10)).await;
    let waiting = [hold_id(1), hold_id(3), hold_id(99)];
    ledger.record(&settlement, landed(), &waiting, NOW).await.expect("records");
    let mut told = Vec::new();
    for number in [1, 2, 3] {
        told.push(ledger.find_hold(hold_id(number)).await.expect("reads").expect("is there").told);
    }
    assert_eq!(told, [true, false, false]);
    assert_eq!(ledger.claim_success(hold_id(1), None).await.ok(), Some(false));
    assert_eq!(ledger.claim_success(hold_id(2), None).await.ok(), Some(true));
}

pub(crate) async fn a_settlement_that_is_not_there_is_an_inconsistency(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let mut nobody = planned(ledger, session.id, 1).await;
    nobody.id = settlement_id(9);
    assert!(is_inconsistent(ledger.load_work(nobody.id).await));
    assert!(is_inconsistent(ledger.record(&nobody, abandoned(), &[], NOW).await));
    assert!(is_inconsistent(ledger.record_signed(&nobody, attempt(&nobody, 1), NOW).await));
    assert_eq!(ledger.holds_of(nobody.id).await.ok(), Some(vec![]));
}

pub(crate) async fn what_moved_lately_is_told_with_what_was_bought(ledger: &dyn Ledger) {
    let (plain, buyer, quiet) = (opened(ledger, 1).await, opened(ledger, 2).await, opened(ledger, 3).await);
    let lands = async |session, number, rent, at| {
        held(ledger, &payment(session, number, 10)).await;
        let settlement = planned(ledger, session, number).await;
        let mut made = attempt(&settlement, number);
        made.cost.rent = rent;
        let (settlement, _) =
            ledger.record_signed(&settlement, made, at).await.expect("records").recorded().expect("fits");
        ledger.record(&settlement, landed(), &[], at).await.expect("records");
    };
    lands(plain.id, 1, 0, NOW).await;
    lands(plain.id, 2, 0, NOW + 5).await;
    lands(buyer.id, 3, 7, NOW + 6).await;
    lands(buyer.id, 4, 0, NOW + 8).await;
    let refresh =
        ledger.plan_other(settlement_id(5), Purpose::Refresh, Subject::Session(plain.id), NOW).await.expect("plans");
    let (refresh, _) =
        ledger.record_signed(&refresh, attempt(&refresh, 5), NOW + 9).await.expect("records").recorded().expect("fits");
    ledger.record(&refresh, landed(), &[], NOW + 9).await.expect("records");
    let refresh =
        ledger.plan_other(settlement_id(6), Purpose::Refresh, Subject::Session(quiet.id), NOW).await.expect("plans");
    let (refresh, _) =
        ledger.record_signed(&refresh, attempt(&refresh, 6), NOW + 9).await.expect("records").recorded().expect("fits");
    ledger.record(&refresh, landed(), &[], NOW + 9).await.expect("records");

    let told = async |since| {
        let mut told = ledger.transfers_since(since).await.expect("reads");
        told.sort_unstable_by_key(|last| last.session);
        told
    };
    let last = |session, moved, bought| LastTransfer { session, moved, bought };
    let plain_last = last(plain.id, NOW + 5, Some(NOW + 9));
    assert_eq!(told(NOW).await, [plain_last, last(buyer.id, NOW + 8, Some(NOW + 6))], "refreshes move nothing");
    assert_eq!(told(NOW + 7).await, [last(buyer.id, NOW + 8, None)]);
    assert_eq!(told(NOW + 9).await, []);
}
