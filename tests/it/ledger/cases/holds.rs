//! Accepting payments, answering them once, and ending the wait for them.

use crate::ledger::build::{
    CAP, NOW, abandoned, amount, approve, content, held, hold_id, in_flight, landed, opened, payment, planned,
    recorded, refused, session, session_id, settlement_id, signature, signed,
};
use sotto::{
    domain::{
        amount::Amount,
        funding::Funding,
        hold::{Exposure, Hold, HoldState, NewHold, RecordedAnswer, RequestHash},
        reason::{PayReason, SessionReason},
        session::CapCheck,
    },
    ledger::{Carry, Deadline, Held, Ledger, LedgerError},
};

async fn find(ledger: &dyn Ledger, number: u32) -> Hold {
    ledger.find_hold(hold_id(number)).await.expect("reads").expect("is there")
}

pub(crate) async fn a_hold_comes_back_as_it_was_written(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    let new = NewHold { now: 777, ..payment(session.id, 1, 30) };
    let mut expected = Hold {
        id: new.id,
        session: session.id,
        nonce: Some("payment-1".to_owned()),
        content: content(1),
        amount: amount(30),
        spent_after: amount(30),
        remaining_after: amount(CAP - 30),
        state: HoldState::Waiting,
        told: false,
        deferred: false,
        returns: 0,
        accepted_at: 777,
        funding: Funding::Unproven,
    };
    assert_eq!(held(ledger, &new).await, expected);
    assert_eq!(find(ledger, 1).await, expected);
    assert_eq!(ledger.find_payment(session.id, "payment-1").await.ok(), Some(Some(expected.clone())));
    assert_eq!(ledger.find_payment(session.id, "payment-2").await.ok(), Some(None));
    assert_eq!(ledger.find_hold(hold_id(2)).await.ok(), Some(None));

    let settlement = planned(ledger, session.id, 5).await;
    expected.state = HoldState::Planned { settlement: settlement.id, signature: None };
    assert_eq!(find(ledger, 1).await, expected);
    let (settlement, _) = signed(ledger, &settlement, 6).await;
    expected.state = HoldState::Planned { settlement: settlement.id, signature: Some(signature(6)) };
    assert_eq!(find(ledger, 1).await, expected);
    ledger.record(&settlement, landed(), &[new.id], NOW).await.expect("records");
    expected.state = HoldState::Captured { settlement: settlement.id, signature: signature(6) };
    expected.told = true;
    assert_eq!(find(ledger, 1).await, expected);

    let mut without_nonce = NewHold { nonce: None, ..payment(session.id, 2, 1) };
    without_nonce.content = content(3);
    let hold = held(ledger, &without_nonce).await;
    assert_eq!((hold.nonce.clone(), hold.content), (None, content(3)));
    assert_eq!(find(ledger, 2).await, hold);
}

pub(crate) async fn each_hold_tells_what_was_spent_right_after_it(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 100)).await;
    recorded(ledger, &in_flight(ledger, session.id, 1).await, landed()).await;
    let second = held(ledger, &payment(session.id, 2, 50)).await;
    assert_eq!((second.spent_after, second.remaining_after), (amount(150), amount(CAP - 150)));
    ledger.end_wait(second.id, PayReason::SettlementExpired).await.expect("releases");
    let third = held(ledger, &payment(session.id, 3, 1)).await;
    assert_eq!((third.spent_after, third.remaining_after), (amount(101), amount(CAP - 101)));
}

pub(crate) async fn a_repeat_is_told_its_own_hold_even_when_nothing_more_is_accepted(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    let first = held(ledger, &payment(session.id, 1, CAP)).await;
    let repeat = NewHold { id: hold_id(9), ..payment(session.id, 1, CAP) };
    assert_eq!(ledger.hold(&repeat).await.ok(), Some(Held::Repeat(first.clone())), "although the cap is used up");
    ledger.revoke_sessions(session.user(), &session.intent.asset).await.expect("revokes");
    assert_eq!(ledger.hold(&repeat).await.ok(), Some(Held::Repeat(first)), "although the session has ended");
    ledger.end_wait(hold_id(1), PayReason::SettlementExpired).await.expect("releases");
    let Ok(Held::Repeat(final_answer)) = ledger.hold(&repeat).await else { panic!("a nonce has one answer for ever") };
    let released = HoldState::Released { reason: PayReason::SettlementExpired, signature: None };
    assert_eq!(final_answer.state, released);
    assert_eq!(ledger.find_hold(hold_id(9)).await.ok(), Some(None));
}

pub(crate) async fn a_nonce_names_one_content(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let other = NewHold { id: hold_id(2), content: content(2), ..payment(session.id, 1, 10) };
    assert_eq!(ledger.hold(&other).await.ok(), Some(Held::NonceConflict));
    assert_eq!(ledger.session(session.id).await.ok().flatten().map(|s| s.held), Some(amount(10)));
}

pub(crate) async fn the_same_nonce_in_another_session_is_another_payment(ledger: &dyn Ledger) {
    let (one, two) = (opened(ledger, 1).await, opened(ledger, 2).await);
    held(ledger, &payment(one.id, 1, 10)).await;
    held(ledger, &NewHold { id: hold_id(2), ..payment(two.id, 1, 10) }).await;
}

pub(crate) async fn without_a_nonce_every_request_is_a_payment(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    for number in 1..=3 {
        let same = NewHold { nonce: None, content: content(1), ..payment(session.id, number, 10) };
        held(ledger, &same).await;
    }
    assert_eq!(ledger.session(session.id).await.ok().flatten().map(|s| s.held), Some(amount(30)));
}

/// A request without a nonce whose content is always the same.
fn nameless(session: sotto::domain::session::SessionId, number: u32) -> NewHold {
    NewHold { nonce: None, content: content(1), ..payment(session, number, 10) }
}

pub(crate) async fn a_pending_answer_is_taken_over_once(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    let older = held(ledger, &nameless(session.id, 1)).await;
    held(ledger, &nameless(session.id, 2)).await;
    in_flight(ledger, session.id, 1).await;
    // Nobody was answered yet, so an equal request is a payment of its own.
    held(ledger, &nameless(session.id, 3)).await;
    for number in [2, 1] {
        assert!(matches!(
            ledger.end_wait(hold_id(number), PayReason::SettlementExpired).await,
            Ok(Deadline::Pending(_))
        ));
    }
    let other = NewHold { content: content(2), ..nameless(session.id, 4) };
    held(ledger, &other).await;
    let taken = async |number| match ledger.hold(&nameless(session.id, number)).await {
        Ok(Held::Repeat(hold)) => Some(hold.id),
        Ok(Held::New(_)) => None,
        other => panic!("{other:?}"),
    };
    assert_eq!(taken(5).await, Some(older.id), "the oldest first");
    assert_eq!(taken(6).await, Some(hold_id(2)));
    assert_eq!(taken(7).await, None, "each once");
    // The one who took it over was put off too: their answer can be taken over again.
    ledger.end_wait(older.id, PayReason::SettlementExpired).await.expect("answers");
    assert_eq!(taken(8).await, Some(older.id));
    assert_eq!(taken(9).await, None);
}

/// The caller who took it over hung up before they were told, and it is captured by then.
pub(crate) async fn what_was_captured_for_nobody_is_taken_over(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    let hold = held(ledger, &nameless(session.id, 1)).await;
    let settlement = in_flight(ledger, session.id, 1).await;
    recorded(ledger, &settlement, landed()).await;
    let ended = ledger.end_wait(hold.id, PayReason::SettlementExpired).await;
    assert!(matches!(ended, Ok(Deadline::Decided(_))), "{ended:?}");
    let again = ledger.hold(&nameless(session.id, 2)).await;
    assert!(matches!(&again, Ok(Held::Repeat(taken)) if taken.id == hold.id), "{again:?}");
}

pub(crate) async fn a_payment_with_a_nonce_is_never_taken_over(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &NewHold { nonce: Some("mine".to_owned()), ..nameless(session.id, 1) }).await;
    in_flight(ledger, session.id, 1).await;
    ledger.end_wait(hold_id(1), PayReason::SettlementExpired).await.expect("answers");
    held(ledger, &nameless(session.id, 2)).await;
}

pub(crate) async fn a_told_payment_is_never_taken_over(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &nameless(session.id, 1)).await;
    let settlement = in_flight(ledger, session.id, 1).await;
    ledger.end_wait(hold_id(1), PayReason::SettlementExpired).await.expect("answers");
    recorded(ledger, &settlement, landed()).await;
    assert_eq!(ledger.claim_success(hold_id(1), None).await.ok(), Some(true));
    held(ledger, &nameless(session.id, 2)).await;
}

pub(crate) async fn the_cap_is_kept_to_the_unit(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, CAP - 1)).await;
    let refused = Some(Held::Refused(PayReason::CapExceeded));
    assert_eq!(ledger.hold(&payment(session.id, 2, 2)).await.ok(), refused);
    assert_eq!(ledger.hold(&NewHold { amount: Amount::MAX, ..payment(session.id, 2, 2) }).await.ok(), refused);
    held(ledger, &payment(session.id, 2, 1)).await;
    assert_eq!(ledger.hold(&payment(session.id, 3, 1)).await.ok(), refused);
    // A refusal leaves no trace: the nonce is free, and so is the amount once it is given back.
    assert_eq!(ledger.find_payment(session.id, "payment-3").await.ok(), Some(None));
    ledger.end_wait(hold_id(2), PayReason::SettlementExpired).await.expect("releases");
    held(ledger, &payment(session.id, 3, 1)).await;
}

pub(crate) async fn an_unverified_cap_bounds_what_is_spent(ledger: &dyn Ledger) {
    let unsure = session(1);
    ledger.open_session(&unsure).await.expect("opens");
    ledger.mark_open(unsure.id, CapCheck::Unverified, &approve(1), &[]).await.expect("opens");
    let all = held(ledger, &payment(unsure.id, 1, 50)).await;
    assert_eq!(all.remaining_after, Amount::ZERO, "what can be paid, and not what is left of the cap");
    recorded(ledger, &in_flight(ledger, unsure.id, 1).await, landed()).await;
    assert_eq!(ledger.hold(&payment(unsure.id, 2, 1)).await.ok(), Some(Held::Refused(PayReason::CapUnverified)));
    ledger.verify_cap(unsure.id).await.expect("learns");
    held(ledger, &payment(unsure.id, 2, CAP - 50)).await;
}

pub(crate) async fn only_an_open_session_accepts(ledger: &dyn Ledger) {
    let nobody = ledger.hold(&payment(session_id(9), 1, 1)).await.ok();
    assert_eq!(nobody, Some(Held::Refused(PayReason::SessionNotFound)));
    let opening = session(1);
    ledger.open_session(&opening).await.expect("opens");
    let refused = Some(Held::Refused(PayReason::SessionNotOpen));
    assert_eq!(ledger.hold(&payment(opening.id, 1, 1)).await.ok(), refused);
    ledger.reject_session(opening.id, SessionReason::CapMismatch).await.expect("rejects");
    assert_eq!(ledger.hold(&payment(opening.id, 1, 1)).await.ok(), refused);
}

pub(crate) async fn nothing_is_held_for_nothing(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    assert_eq!(ledger.hold(&payment(session.id, 1, 0)).await.ok(), Some(Held::Refused(PayReason::InvalidAmount)));
    assert_eq!(ledger.find_hold(hold_id(1)).await.ok(), Some(None));
}

pub(crate) async fn an_uncovered_hold_is_released_at_its_deadline(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let ended = ledger.end_wait(hold_id(1), PayReason::SettlementExpired).await;
    assert_eq!(ended.ok(), Some(Deadline::Released));
    let hold = find(ledger, 1).await;
    assert_eq!(hold.state, HoldState::Released { reason: PayReason::SettlementExpired, signature: None });
    assert_eq!(ledger.session(session.id).await.ok().flatten().map(|s| s.held), Some(Amount::ZERO));
    let again = ledger.end_wait(hold_id(1), PayReason::InternalError).await;
    assert_eq!(again.ok(), Some(Deadline::Decided(hold)));
    let planned = ledger.plan_settlement(settlement_id(1), session.id, Carry::up_to(Amount::MAX), NOW).await;
    assert_eq!(planned.ok(), Some(None), "what was given back is never settled");
    let nobody = ledger.end_wait(hold_id(2), PayReason::SettlementExpired).await;
    assert!(matches!(nobody, Err(LedgerError::Inconsistent(_))));
}

pub(crate) async fn a_covered_hold_is_pending_at_its_deadline(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    in_flight(ledger, session.id, 1).await;
    let ended = ledger.end_wait(hold_id(1), PayReason::SettlementExpired).await;
    assert_eq!(ended.ok(), Some(Deadline::Pending(find(ledger, 1).await)));
    assert_eq!(ledger.session(session.id).await.ok().flatten().map(|s| s.held), Some(amount(10)));
}

pub(crate) async fn a_decided_hold_is_told_at_its_deadline(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    recorded(ledger, &in_flight(ledger, session.id, 1).await, landed()).await;
    held(ledger, &payment(session.id, 2, 10)).await;
    recorded(ledger, &in_flight(ledger, session.id, 2).await, refused()).await;
    for number in [1, 2] {
        let ended = ledger.end_wait(hold_id(number), PayReason::SettlementExpired).await;
        assert_eq!(ended.ok(), Some(Deadline::Decided(find(ledger, number).await)));
    }
}

pub(crate) async fn success_is_claimed_once(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    assert_eq!(ledger.claim_success(hold_id(1), None).await.ok(), Some(false), "waiting is no success");
    let settlement = in_flight(ledger, session.id, 1).await;
    assert_eq!(ledger.claim_success(hold_id(1), None).await.ok(), Some(false), "in flight is no success");
    recorded(ledger, &settlement, landed()).await;
    assert_eq!(ledger.claim_success(hold_id(1), None).await.ok(), Some(true));
    assert_eq!(ledger.claim_success(hold_id(1), None).await.ok(), Some(false));
    held(ledger, &payment(session.id, 2, 10)).await;
    recorded(ledger, &planned(ledger, session.id, 2).await, abandoned()).await;
    assert_eq!(ledger.claim_success(hold_id(2), None).await.ok(), Some(false), "given back is no success");
    assert_eq!(ledger.claim_success(hold_id(3), None).await.ok(), Some(false));
}

fn told(number: u8, told_at: u64, until: u64) -> RecordedAnswer {
    RecordedAnswer { request: RequestHash([number; 32]), told_at, until }
}

pub(crate) async fn a_success_is_recorded_with_what_it_was_told_to_or_never(ledger: &dyn Ledger) {
    let recorded_of = async |number| ledger.recorded_answer(hold_id(number)).await.expect("reads");
    let session = opened(ledger, 1).await;
    held(ledger, &NewHold { answer: Some(told(9, NOW, NOW + 60)), ..payment(session.id, 1, 10) }).await;
    held(ledger, &payment(session.id, 2, 10)).await;
    assert_eq!(
        ledger.claim_success(hold_id(1), Some(told(1, NOW, NOW + 60))).await.ok(),
        Some(false),
        "no success yet"
    );
    assert_eq!(recorded_of(1).await, None, "it is held, and nobody was told");
    recorded(ledger, &in_flight(ledger, session.id, 1).await, landed()).await;
    assert_eq!(ledger.claim_success(hold_id(1), Some(told(1, NOW, NOW + 60))).await.ok(), Some(true));
    assert_eq!(ledger.claim_success(hold_id(2), None).await.ok(), Some(true));
    for number in [1, 2] {
        let again = ledger.claim_success(hold_id(number), Some(told(2, NOW + 1, NOW + 90))).await;
        assert_eq!(again.ok(), Some(false), "whoever comes later changes nothing");
    }
    assert_eq!((recorded_of(1).await, recorded_of(2).await), (Some(told(1, NOW, NOW + 60)), None));
    // A promise is told with its row.
    let limits = Some(Exposure::shared(amount(CAP), amount(10 * CAP)));
    let promise = |number, answer| NewHold { deferred: limits, answer, ..payment(session.id, number, 10) };
    assert!(held(ledger, &promise(3, Some(told(3, NOW + 30, NOW + 90)))).await.told);
    assert!(held(ledger, &promise(4, None)).await.told);
    assert_eq!((recorded_of(3).await, recorded_of(4).await), (Some(told(3, NOW + 30, NOW + 90)), None));
    assert!(matches!(ledger.hold(&promise(4, Some(told(4, NOW, NOW + 90)))).await, Ok(Held::Repeat(_))));
    assert_eq!(recorded_of(4).await, None, "a repeat is told nothing for the first time");
    // What has ended is deleted when more is written.
    held(ledger, &promise(5, Some(told(5, NOW + 60, NOW + 99)))).await;
    assert_eq!((recorded_of(1).await, recorded_of(3).await), (None, Some(told(3, NOW + 30, NOW + 90))));
    assert_eq!(
        ledger.claim_success(hold_id(1), Some(told(1, NOW, NOW + 60))).await.ok(),
        Some(false),
        "and told no more"
    );
}

pub(crate) async fn abandoned_holds_are_released_by_age(ledger: &dyn Ledger) {
    let (one, two) = (opened(ledger, 1).await, opened(ledger, 2).await);
    held(ledger, &NewHold { now: 10, ..payment(one.id, 1, 1) }).await;
    planned(ledger, one.id, 1).await;
    held(ledger, &NewHold { now: 10, ..payment(one.id, 2, 2) }).await;
    held(ledger, &NewHold { now: 11, ..payment(two.id, 3, 3) }).await;
    held(ledger, &NewHold { now: 12, ..payment(two.id, 4, 4) }).await;
    assert_eq!(ledger.release_abandoned(12, PayReason::SettlementExpired).await.ok(), Some(2));
    assert_eq!(ledger.release_abandoned(12, PayReason::SettlementExpired).await.ok(), Some(0));
    let released = HoldState::Released { reason: PayReason::SettlementExpired, signature: None };
    assert_eq!((find(ledger, 2).await.state, find(ledger, 3).await.state), (released.clone(), released));
    assert_eq!(find(ledger, 4).await.state, HoldState::Waiting);
    assert!(matches!(find(ledger, 1).await.state, HoldState::Planned { .. }), "a covered hold is not given back");
    assert_eq!(ledger.session(one.id).await.ok().flatten().map(|s| s.held), Some(amount(1)));
    assert_eq!(ledger.session(two.id).await.ok().flatten().map(|s| s.held), Some(amount(4)));
}
