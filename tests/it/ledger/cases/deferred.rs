//! Promised payments: answered with their row, kept when a settlement comes to nothing, bounded, and lost only in the
//! open.

use crate::ledger::build::{
    CAP, NOW, abandoned, absent, amount, approve, held, hold_id, in_flight, landed, opened, payment, planned, recorded,
    refused, session, session_with, settlement_id, signature, signed,
};
use sotto::{
    domain::{
        amount::Amount,
        funding::NewBound,
        hold::{Exposure, GiveUp, Hold, HoldState, NewHold, Standing},
        reason::PayReason,
        session::{CapCheck, Delegation, SessionId, SessionState},
        settlement::Event,
    },
    ledger::{Carry, Deadline, Held, Ledger, Promised},
};

/// Limits that nothing here reaches, unless a case says otherwise.
const WIDE: (u64, u64) = (CAP, 10 * CAP);

#[expect(clippy::unnecessary_wraps, reason = "as the hold asks for it")]
fn within(per_session: u64, per_merchant: u64) -> Option<Exposure> {
    let (per_session, per_merchant) = (amount(per_session), amount(per_merchant));
    Some(Exposure { per_session, per_user: per_merchant, per_merchant, unproven_per_merchant: per_merchant })
}

pub(crate) fn deferred(session: SessionId, number: u32, units: u64) -> NewHold {
    NewHold { deferred: within(WIDE.0, WIDE.1), ..payment(session, number, units) }
}

async fn find(ledger: &dyn Ledger, number: u32) -> Hold {
    ledger.find_hold(hold_id(number)).await.expect("reads").expect("is there")
}

async fn held_units(ledger: &dyn Ledger, session: SessionId) -> u64 {
    ledger.session(session).await.expect("reads").expect("is there").held.get()
}

async fn state(ledger: &dyn Ledger, session: SessionId) -> SessionState {
    ledger.session(session).await.expect("reads").expect("is there").state
}

pub(crate) const NEVER: GiveUp = GiveUp { returns: u32::MAX, age_seconds: u64::MAX, delegation: Delegation::Public };

pub(crate) async fn a_promise_is_told_with_its_row(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    let hold = held(ledger, &deferred(session.id, 1, 30)).await;
    assert!(hold.told && hold.deferred);
    assert_eq!((hold.standing(), hold.returns), (Standing::Held, 0));
    assert_eq!(find(ledger, 1).await, hold, "as it was answered");
    let repeat = NewHold { id: hold_id(9), ..payment(session.id, 1, 30) };
    assert_eq!(ledger.hold(&repeat).await.ok(), Some(Held::Repeat(hold)), "whether it is deferred is not its content");
    assert_eq!(ledger.claim_success(hold_id(1), None).await.ok(), Some(false), "success was handed out");
    let settlement = in_flight(ledger, session.id, 1).await;
    recorded(ledger, &settlement, landed()).await;
    assert_eq!(ledger.claim_success(hold_id(1), None).await.ok(), Some(false), "and is not handed out again");
    assert_eq!(find(ledger, 1).await.standing(), Standing::Captured);
}

pub(crate) async fn a_promise_is_not_released_by_any_wait(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &deferred(session.id, 1, 30)).await;
    held(ledger, &payment(session.id, 2, 5)).await;
    let ended = ledger.end_wait(hold_id(1), PayReason::SettlementExpired).await;
    assert!(matches!(ended, Ok(Deadline::Pending(_))), "{ended:?}");
    assert_eq!(ledger.release_abandoned(NOW + 1, PayReason::SettlementExpired).await.ok(), Some(1), "the other one");
    assert_eq!(find(ledger, 1).await.state, HoldState::Waiting);
    assert_eq!(held_units(ledger, session.id).await, 30);
    assert_eq!(ledger.waiting_sessions().await.ok(), Some(vec![]), "nobody asked to settle it at once");
}

pub(crate) async fn promises_are_taken_along_and_go_alone_only_when_they_may(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await.id;
    let along = Carry { promises_alone: false, ..Carry::up_to(Amount::MAX) };
    let plan = async |number, carry| ledger.plan_settlement(settlement_id(number), session, carry, NOW).await.ok();
    held(ledger, &deferred(session, 1, 30)).await;
    assert_eq!(plan(1, along).await, Some(None), "nobody waits for it");
    held(ledger, &payment(session, 2, 5)).await;
    held(ledger, &deferred(session, 3, 7)).await;
    assert_eq!(plan(1, along).await.flatten().map(|planned| planned.amount), Some(amount(42)), "all of them");
    held(ledger, &deferred(session, 4, 8)).await;
    assert_eq!(plan(2, along).await, Some(None), "the payment is on its way");
    let alone = plan(2, Carry::up_to(Amount::MAX)).await.flatten();
    assert_eq!(alone.map(|planned| planned.amount), Some(amount(8)));
}

pub(crate) async fn a_settlement_that_comes_to_nothing_keeps_its_promises(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &deferred(session.id, 1, 30)).await;
    held(ledger, &payment(session.id, 2, 5)).await;
    held(ledger, &deferred(session.id, 3, 7)).await;
    let settlement = in_flight(ledger, session.id, 1).await;
    assert_eq!(settlement.amount, amount(42), "they share one transfer");
    recorded(ledger, &settlement, refused()).await;
    assert_eq!(held_units(ledger, session.id).await, 37);
    let given_back = HoldState::Released { reason: PayReason::OnchainTransferFailed, signature: Some(signature(1)) };
    assert_eq!(find(ledger, 2).await.state, given_back);
    for number in [1, 3] {
        let hold = find(ledger, number).await;
        assert_eq!((hold.state, hold.returns), (HoldState::Waiting, 1));
    }
    assert_eq!(ledger.holds_of(settlement.id).await.ok().map(|holds| holds.len()), Some(1));
    ledger.audit().await.expect("what came back left a trace");

    let resting = ledger.plan_settlement(settlement_id(2), session.id, Carry::up_to(Amount::MAX), NOW).await;
    assert_eq!(resting.ok(), Some(None), "they rest first");
    let again = ledger.plan_settlement(settlement_id(2), session.id, Carry::up_to(Amount::MAX), NOW + 1).await;
    let again = again.expect("plans").expect("they are tried again");
    assert_eq!(again.amount, amount(37));
    recorded(ledger, &again, abandoned()).await;
    assert_eq!(find(ledger, 1).await.returns, 2);
    let third = ledger.plan_settlement(settlement_id(3), session.id, Carry::up_to(Amount::MAX), NOW + 2).await;
    let third = third.expect("plans").expect("longer rests, counted from when it came back");
    recorded(ledger, &signed(ledger, &third, 3).await.0, landed()).await;
    assert_eq!(find(ledger, 1).await.state, HoldState::Captured { settlement: third.id, signature: signature(3) });
    assert_eq!(held_units(ledger, session.id).await, 0);
}

pub(crate) async fn a_told_payment_that_a_fork_undid_is_a_promise_too(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 30)).await;
    held(ledger, &payment(session.id, 2, 5)).await;
    let settlement = in_flight(ledger, session.id, 1).await;
    let settlement = ledger.record(&settlement, landed(), &[hold_id(1)], NOW).await.expect("records");
    let settlement = recorded(ledger, &settlement, Event::TakenBack).await;
    recorded(ledger, &settlement, refused()).await;
    let (told, untold) = (find(ledger, 1).await, find(ledger, 2).await);
    assert_eq!((told.state.clone(), told.deferred), (HoldState::Waiting, false), "success was said: it is kept");
    assert_eq!(untold.standing(), Standing::Released);
    assert_eq!(ledger.promised(None).await.map(|promised| promised.len()).ok(), Some(1));
}

pub(crate) async fn what_waits_by_promise_is_told_by_session(ledger: &dyn Ledger) {
    let (one, two) = (opened(ledger, 1).await.id, opened(ledger, 2).await.id);
    held(ledger, &NewHold { now: 20, ..deferred(two, 1, 1) }).await;
    held(ledger, &NewHold { now: 10, ..deferred(one, 2, 3) }).await;
    held(ledger, &NewHold { now: 30, ..deferred(one, 3, 4) }).await;
    held(ledger, &NewHold { now: 5, ..payment(one, 4, 100) }).await;
    let of = |session, count, units, oldest| Promised {
        session,
        count,
        amount: amount(units),
        oldest: Some(oldest),
        resting: 0,
        again_at: None,
        accepting: true,
    };
    assert_eq!(ledger.promised(None).await.ok(), Some(vec![of(two, 1, 1, 20), of(one, 2, 7, 10)]));
    assert_eq!(ledger.promised(Some(one)).await.ok(), Some(vec![of(one, 2, 7, 10)]));
    let settlement = ledger.plan_settlement(settlement_id(1), one, Carry::up_to(amount(3)), NOW).await.expect("plans");
    recorded(ledger, &settlement.expect("the oldest"), abandoned()).await;
    let came_back = Promised {
        count: 1,
        amount: amount(4),
        oldest: Some(30),
        resting: 1,
        again_at: Some(NOW + 1),
        ..of(one, 0, 0, 0)
    };
    assert_eq!(ledger.promised(Some(one)).await.ok(), Some(vec![came_back]), "what rests counts for itself");
    ledger.close_session(one).await.expect("closes");
    assert_eq!(ledger.promised(Some(one)).await.ok(), Some(vec![Promised { accepting: false, ..came_back }]));
}

pub(crate) async fn a_session_promises_up_to_its_limit(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    let new = |number, units| NewHold { deferred: within(50, 1_000), ..payment(session.id, number, units) };
    assert!(held(ledger, &new(1, 30)).await.deferred);
    assert!(held(ledger, &new(2, 20)).await.deferred);
    let beyond = held(ledger, &new(3, 1)).await;
    assert!(!beyond.deferred && !beyond.told, "held all the same, and settled per call");
    assert!(!held(ledger, &new(4, 51)).await.deferred, "more than the limit never fits");
    assert_eq!(held_units(ledger, session.id).await, 102);
    ledger.audit().await.expect("the sums are those of the holds");
    let settlement = recorded(ledger, &in_flight(ledger, session.id, 1).await, landed()).await;
    assert!(held(ledger, &new(5, 50)).await.deferred, "what is captured makes room");
    recorded(ledger, &settlement, Event::TakenBack).await;
    assert!(!held(ledger, &new(6, 1)).await.deferred, "and what a fork takes back takes it away");
}

pub(crate) async fn a_merchants_sessions_share_one_limit(ledger: &dyn Ledger) {
    let mut sessions = Vec::new();
    for number in 1..=2 {
        let new = session_with(number, |s| s.intent.recipient = session(1).intent.recipient);
        ledger.open_session(&new).await.expect("opens");
        ledger.mark_open(new.id, CapCheck::Verified, &approve(number), &[]).await.expect("opens");
        sessions.push(new.id);
    }
    let new = |of, number, units| NewHold { deferred: within(1_000, 100), ..payment(of, number, units) };
    assert!(held(ledger, &new(sessions[0], 1, 60)).await.deferred);
    assert!(!held(ledger, &new(sessions[1], 2, 41)).await.deferred);
    assert!(held(ledger, &new(sessions[1], 3, 40)).await.deferred);
    let elsewhere = opened(ledger, 3).await;
    assert!(held(ledger, &new(elsewhere.id, 4, 100)).await.deferred, "another merchant has limits of their own");
    let none = NewHold { deferred: within(0, 0), ..payment(elsewhere.id, 5, 1) };
    assert!(!held(ledger, &none).await.deferred, "zero defers nothing");
    recorded(ledger, &in_flight(ledger, sessions[0], 1).await, landed()).await;
    assert!(held(ledger, &new(sessions[1], 6, 60)).await.deferred, "capturing one makes room for the other");
    recorded(ledger, &in_flight(ledger, sessions[1], 2).await, refused()).await;
    assert!(!held(ledger, &new(sessions[0], 7, 1)).await.deferred, "what came back is still promised");
}

/// Guards: `Held::payer` and the limit of what nothing proves in `promise::fits`.
pub(crate) async fn a_payer_and_those_who_prove_nothing_leave_the_rest_to_others(ledger: &dyn Ledger) {
    let (merchant, payer) = (session(1).intent.recipient, session(1).intent.user);
    let mut sessions = Vec::new();
    for (number, user) in [(1, payer), (2, payer), (3, session(3).intent.user)] {
        let new = session_with(number, |s| (s.intent.recipient, s.intent.user) = (merchant, user));
        ledger.open_session(&new).await.expect("opens");
        sessions.push(ledger.mark_open(new.id, CapCheck::Verified, &approve(number), &[]).await.expect("opens"));
    }
    let limits = Exposure {
        per_session: amount(100),
        per_user: amount(50),
        per_merchant: amount(100),
        unproven_per_merchant: amount(70),
    };
    let promised = async |of: usize, number, units| {
        let new = NewHold { deferred: Some(limits), ..payment(sessions[of].id, number, units) };
        held(ledger, &new).await.deferred
    };
    assert!(promised(0, 1, 40).await);
    assert!(!promised(1, 2, 11).await, "one payer's sessions share a limit");
    assert!(promised(1, 3, 10).await);
    assert!(!promised(2, 4, 21).await, "what nothing proves ends at its own limit");
    assert!(promised(2, 5, 20).await);
    let proof = NewBound {
        user: *sessions[2].user(),
        asset: sessions[2].intent.asset,
        amount: amount(1_000),
        handle: 7,
        slot: 300,
        anchor: None,
        now: NOW,
    };
    ledger.prove_funding(&proof).await.expect("proves");
    assert!(!promised(2, 6, 31).await, "all together have one");
    assert!(promised(2, 7, 30).await, "what is left is for who has proved the money");
}

pub(crate) async fn a_promise_is_given_up_by_attempts_or_age_and_its_loss_is_booked(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &NewHold { now: 10, ..deferred(session.id, 1, 30) }).await;
    held(ledger, &NewHold { now: 900, ..deferred(session.id, 2, 5) }).await;
    // The first is as old as that when its settlement fails, the second is not.
    let old = GiveUp { age_seconds: NOW - 10, ..NEVER };
    assert_eq!(ledger.give_up(session.id, old).await.ok(), Some(vec![]), "never before it was tried");
    recorded(ledger, &in_flight(ledger, session.id, 1).await, refused()).await;
    held(ledger, &NewHold { now: 5, ..deferred(session.id, 3, 2) }).await;
    assert_eq!(ledger.give_up(session.id, NEVER).await.ok(), Some(vec![]));
    let lost = ledger.give_up(session.id, old).await.expect("gives up");
    let reason = HoldState::Released { reason: PayReason::OnchainTransferFailed, signature: Some(signature(1)) };
    assert_eq!(lost, [find(ledger, 1).await]);
    assert_eq!((lost[0].state.clone(), lost[0].standing()), (reason, Standing::Lost));
    assert_eq!(held_units(ledger, session.id).await, 7);
    assert_eq!(ledger.totals(Some(session.id)).await.ok().map(|totals| totals.lost), Some(amount(30)));
    assert_eq!(ledger.lost(session.id).await.ok(), Some(amount(30)));

    let tired = GiveUp { returns: 1, ..NEVER };
    let lost = ledger.give_up(session.id, tired).await.expect("gives up");
    assert_eq!(lost.iter().map(|hold| hold.id).collect::<Vec<_>>(), [hold_id(2)], "what was not tried is kept");
    assert_eq!(ledger.totals(None).await.ok().map(|totals| (totals.lost, totals.held)), Some((amount(35), amount(2))));
    let repeat = NewHold { id: hold_id(9), ..deferred(session.id, 1, 30) };
    assert!(matches!(ledger.hold(&repeat).await, Ok(Held::Repeat(hold)) if hold.standing() == Standing::Lost));
}

pub(crate) async fn a_promise_is_not_given_up_for_what_passes_by_itself(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &NewHold { now: 10, ..deferred(session.id, 1, 30) }).await;
    let used_up = Event::Abandoned { reason: PayReason::GlobalSettleCapExceeded };
    recorded(ledger, &planned(ledger, session.id, 1).await, used_up).await;
    let impatient = GiveUp { returns: 1, age_seconds: 0, delegation: Delegation::Public };
    assert_eq!(ledger.give_up(session.id, impatient).await.ok(), Some(vec![]), "a budget of ours is used up");
    let again = ledger.plan_settlement(settlement_id(2), session.id, Carry::up_to(Amount::MAX), NOW + 1).await;
    recorded(ledger, &again.expect("plans").expect("rested"), abandoned()).await;
    assert_eq!(
        ledger.give_up(session.id, GiveUp { returns: 2, ..NEVER }).await.ok(),
        Some(vec![]),
        "one of two counts"
    );
    assert_eq!(ledger.give_up(session.id, impatient).await.map(|lost| lost.len()).ok(), Some(1));
}

/// Guard: the age limit asks what the latest settlement came to, and when.
pub(crate) async fn a_promise_our_own_purse_delayed_is_tried_once_more_before_it_is_lost(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &NewHold { now: NOW, ..deferred(session.id, 1, 30) }).await;
    let by_age = GiveUp { age_seconds: 100, ..NEVER };
    let comes_to_nothing = async |number: u32, at: u64, end: Event| {
        let planned = ledger.plan_settlement(settlement_id(number), session.id, Carry::up_to(Amount::MAX), at).await;
        let settlement = planned.expect("plans").expect("has rested");
        ledger.record(&settlement, end, &[], at).await.expect("is recorded");
    };
    // Refused once while it was young; since then only our own budget held it up.
    comes_to_nothing(1, NOW, abandoned()).await;
    assert_eq!(ledger.give_up(session.id, by_age).await.ok(), Some(vec![]), "it is young");
    let used_up = Event::Abandoned { reason: PayReason::GlobalSettleCapExceeded };
    comes_to_nothing(2, NOW + 90, used_up.clone()).await;
    comes_to_nothing(3, NOW + 150, used_up).await;
    assert_eq!(ledger.give_up(session.id, by_age).await.ok(), Some(vec![]), "the latest says nothing against it");
    comes_to_nothing(4, NOW + 200, abandoned()).await;
    let lost = ledger.give_up(session.id, by_age).await.expect("gives up");
    assert_eq!(lost.iter().map(|hold| hold.id).collect::<Vec<_>>(), [hold_id(1)], "tried once more for real");
}

/// Guard: the same, for a refusal that is older than the limit: after an outage the promise is tried before it is lost.
pub(crate) async fn an_old_promise_is_not_given_up_for_an_old_refusal(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &NewHold { now: NOW - 50, ..deferred(session.id, 1, 30) }).await;
    recorded(ledger, &planned(ledger, session.id, 1).await, abandoned()).await;
    assert_eq!(ledger.give_up(session.id, GiveUp { age_seconds: 51, ..NEVER }).await.ok(), Some(vec![]));
    assert_eq!(
        ledger.give_up(session.id, GiveUp { age_seconds: 50, ..NEVER }).await.map(|lost| lost.len()).ok(),
        Some(1)
    );
}

/// Guard: `promise::ending`. What was not tried and what rests is lost alike, and frees what its merchant may be promised.
pub(crate) async fn the_promises_of_a_revoked_session_are_given_up_whether_tried_or_not(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    let new = |number, units| NewHold { deferred: within(CAP, 40), ..payment(session.id, number, units) };
    held(ledger, &new(1, 20)).await;
    recorded(ledger, &in_flight(ledger, session.id, 1).await, refused()).await;
    held(ledger, &new(2, 15)).await;
    // A caller who waits for a transfer was promised nothing.
    held(ledger, &payment(session.id, 3, 5)).await;
    assert_eq!(ledger.give_up(session.id, NEVER).await.ok(), Some(vec![]), "the delegation stands");
    ledger.revoke_sessions(session.user(), &session.intent.asset).await.expect("revokes");
    let lost = ledger.give_up(session.id, NEVER).await.expect("gives up");
    let revoked = |signature| HoldState::Released { reason: PayReason::SessionRevoked, signature };
    let ends: Vec<_> = lost.iter().map(|hold| (hold.id, hold.state.clone(), hold.standing())).collect();
    let first = (hold_id(1), revoked(Some(signature(1))), Standing::Lost);
    assert_eq!(ends, [first, (hold_id(2), revoked(None), Standing::Lost)]);
    assert_eq!((held_units(ledger, session.id).await, ledger.lost(session.id).await.ok()), (5, Some(amount(35))));
    assert_eq!(ledger.give_up(session.id, NEVER).await.ok(), Some(vec![]), "once");
    let other = session_with(2, |other| other.intent.recipient = session.intent.recipient);
    ledger.open_session(&other).await.expect("opens");
    ledger.mark_open(other.id, CapCheck::Verified, &approve(2), &[]).await.expect("opens");
    let wide = NewHold { deferred: within(CAP, 40), ..payment(other.id, 4, 40) };
    assert!(held(ledger, &wide).await.deferred, "all of it may be promised to the merchant again");
}

/// Guard: `promise::given_up`, where the session had ended before its payer revoked.
pub(crate) async fn a_promise_whose_settlement_found_the_delegation_gone_is_given_up(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &deferred(session.id, 1, 30)).await;
    ledger.close_session(session.id).await.expect("closes");
    let gone = Event::Abandoned { reason: PayReason::SessionRevoked };
    recorded(ledger, &planned(ledger, session.id, 1).await, gone).await;
    assert_eq!(ledger.give_up(session.id, NEVER).await.map(|lost| lost.len()).ok(), Some(1));
    assert_eq!(state(ledger, session.id).await, SessionState::Closed);
}

pub(crate) async fn a_closing_session_closes_when_the_last_is_final(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &deferred(session.id, 1, 30)).await;
    let closing = ledger.close_session(session.id).await.expect("closes");
    assert_eq!(closing.state, SessionState::Closing);
    assert_eq!(
        ledger.hold(&deferred(session.id, 2, 1)).await.ok(),
        Some(Held::Refused(PayReason::SessionNotOpen)),
        "nothing more is accepted"
    );
    let settlement = recorded(ledger, &in_flight(ledger, session.id, 1).await, landed()).await;
    assert_eq!(state(ledger, session.id).await, SessionState::Closing, "a fork may still take it back");
    let settlement = recorded(ledger, &settlement, Event::TakenBack).await;
    let settlement = recorded(ledger, &settlement, absent()).await;
    let settlement = recorded(ledger, &signed(ledger, &settlement, 2).await.0, landed()).await;
    recorded(ledger, &settlement, Event::Finalised).await;
    assert_eq!(state(ledger, session.id).await, SessionState::Closed);
    assert_eq!(ledger.close_session(session.id).await.expect("again").state, SessionState::Closed);
}

pub(crate) async fn a_session_closes_at_once_when_nothing_is_left(ledger: &dyn Ledger) {
    let (idle, revoked, giving_up, waiting) =
        (opened(ledger, 1).await, opened(ledger, 2).await, opened(ledger, 3).await, opened(ledger, 4).await);
    assert_eq!(ledger.close_session(idle.id).await.expect("closes").state, SessionState::Closed);
    ledger.revoke_sessions(revoked.user(), &revoked.intent.asset).await.expect("revokes");
    assert_eq!(ledger.close_session(revoked.id).await.expect("is left alone").state, SessionState::Revoked);

    held(ledger, &deferred(giving_up.id, 1, 30)).await;
    ledger.close_session(giving_up.id).await.expect("closes");
    recorded(ledger, &planned(ledger, giving_up.id, 1).await, abandoned()).await;
    assert_eq!(state(ledger, giving_up.id).await, SessionState::Closing, "it is still promised");
    ledger.give_up(giving_up.id, GiveUp { returns: 1, ..NEVER }).await.expect("gives up");
    assert_eq!(state(ledger, giving_up.id).await, SessionState::Closed, "with the last promise given up");

    held(ledger, &payment(waiting.id, 2, 30)).await;
    ledger.close_session(waiting.id).await.expect("closes");
    ledger.end_wait(hold_id(2), PayReason::SettlementExpired).await.expect("releases");
    assert_eq!(state(ledger, waiting.id).await, SessionState::Closed, "with the last hold released");
}
