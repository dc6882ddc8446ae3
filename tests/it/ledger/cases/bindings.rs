//! Which approve backs what of an account, when approves, transfers, forks and revokes cross each other.

use crate::ledger::{
    build::{
        CAP, NOW, amount, held, in_flight, landed, payment, recorded, refused, session_with, settlement_id, signature,
        signed,
    },
    cases::{
        approvals::{FIRST, asset, current, lands, of, on, opens, state, user},
        deferred::{NEVER, deferred},
    },
};
use sotto::{
    domain::{
        amount::Amount,
        approval::{Examination, LandedApprove},
        hold::{GiveUp, HoldState, Standing},
        reason::{PayReason, SessionReason},
        session::{CapCheck, Delegation, Session, SessionState},
        settlement::Event,
    },
    ledger::{Carry, Ledger, OpenedOnApproval},
};

/// Where transfers lower the delegated amount.
const LOWERED: GiveUp = GiveUp { delegation: Delegation::Documented, ..NEVER };

async fn taken(ledger: &dyn Ledger) -> Amount {
    current(ledger).await.taken
}

/// The number of the approve that backs a session.
async fn backs(ledger: &dyn Ledger, session: &Session, approve: u32) -> bool {
    let behind = ledger.approvals_of(&[session.id]).await.expect("reads").remove(0);
    behind.is_some_and(|approval| approval.signature == signature(approve))
}

async fn opening(ledger: &dyn Ledger, number: u32) -> Session {
    let session = session_with(number, |session| session.intent.user = user());
    ledger.open_session(&session).await.expect("writes");
    session
}

/// Guard: `taken_back`. What had landed before a session was bound to the approve is drawn from that one once a fork takes it back.
pub(crate) async fn a_capture_that_a_fork_takes_back_is_drawn_from_the_approve_that_stands(ledger: &dyn Ledger) {
    lands(ledger, &of(FIRST, 1_000)).await;
    let [older, newer] = [1, 2].map(|number| on(number, FIRST, 300, Some(1_000)));
    for session in [&older, &newer] {
        opens(ledger, session).await;
    }
    held(ledger, &payment(newer.id, 1, 100)).await;
    let before = recorded(ledger, &in_flight(ledger, newer.id, 1).await, landed()).await;
    lands(ledger, &of(501, 500)).await;
    assert_eq!(taken(ledger).await, amount(500), "200 are left of the newer one");
    held(ledger, &payment(newer.id, 2, 10)).await;
    let after = recorded(ledger, &in_flight(ledger, newer.id, 2).await, landed()).await;
    recorded(ledger, &after, Event::TakenBack).await;
    assert_eq!(taken(ledger).await, amount(500), "what it had captured since counts already");

    let back = recorded(ledger, &before, Event::TakenBack).await;
    assert_eq!(state(ledger, &older).await, SessionState::Superseded, "it does not fit any more");
    assert_eq!((state(ledger, &newer).await, taken(ledger).await), (SessionState::Open, amount(300)));
    recorded(ledger, &back, landed()).await;
    assert_eq!(taken(ledger).await, amount(300), "wherever it lands now");
}

/// Guard: `taken_back`, where nothing is left that could end.
pub(crate) async fn what_a_fork_takes_back_ends_the_session_that_it_no_longer_fits(ledger: &dyn Ledger) {
    lands(ledger, &of(FIRST, 1_000)).await;
    let session = opens(ledger, &on(1, FIRST, 300, Some(1_000))).await;
    held(ledger, &payment(session.id, 1, 100)).await;
    let before = recorded(ledger, &in_flight(ledger, session.id, 1).await, landed()).await;
    lands(ledger, &of(501, 200)).await;
    recorded(ledger, &before, Event::TakenBack).await;
    assert_eq!(state(ledger, &session).await, SessionState::Superseded);
    assert_eq!(taken(ledger).await, amount(100), "what it holds again");
}

/// Guard: the second round of `rebind`, and `Backing::Replaced`.
pub(crate) async fn promises_end_with_their_approve_where_transfers_lower_it_and_a_newer_one_does_not_cover_them(
    ledger: &dyn Ledger,
) {
    lands(ledger, &of(FIRST, 1_000)).await;
    let [older, newer] = [1, 2].map(|number| on(number, FIRST, 400, Some(1_000)));
    for session in [&older, &newer] {
        opens(ledger, session).await;
    }
    held(ledger, &deferred(older.id, 1, 350)).await;
    assert_eq!(ledger.give_up(older.id, LOWERED).await.ok(), Some(vec![]), "it is open");
    let told = ledger.land_approval(&user(), &asset(), &of(501, 750)).await.expect("lands");
    assert_eq!((told, state(ledger, &older).await), (vec![older.id], SessionState::Superseded));
    assert!(backs(ledger, &older, 501).await, "350 fit beside the 400 of the newer one");
    assert_eq!((taken(ledger).await, ledger.give_up(older.id, LOWERED).await.ok()), (amount(750), Some(vec![])));

    let told = ledger.land_approval(&user(), &asset(), &of(502, 749)).await.expect("lands");
    assert_eq!(told, [newer.id], "what is held goes first");
    assert!(backs(ledger, &older, 502).await && backs(ledger, &newer, 501).await);
    let told = ledger.land_approval(&user(), &asset(), &of(503, 349)).await.expect("lands");
    assert_eq!(told, [older.id], "a unit too little");
    assert_eq!(ledger.give_up(older.id, NEVER).await.ok(), Some(vec![]), "where each transfer moves what it says");
    let lost = ledger.give_up(older.id, LOWERED).await.expect("gives up");
    let reason = HoldState::Released { reason: PayReason::DelegationReplaced, signature: None };
    assert_eq!(lost.iter().map(|hold| (&hold.state, hold.standing())).collect::<Vec<_>>(), [(&reason, Standing::Lost)]);
    assert_eq!(ledger.lost(older.id).await.ok(), Some(amount(350)), "and it is booked");
    assert_eq!(ledger.give_up(older.id, LOWERED).await.ok(), Some(vec![]), "once");
}

/// Guard: `bind_what_is_carried`. A transfer that may be drawn from the new approve counts before the opening; what rests does not.
pub(crate) async fn what_a_transfer_carries_counts_before_the_opening_that_brings_an_approve(ledger: &dyn Ledger) {
    let first = opening(ledger, 1).await;
    ledger.mark_open(first.id, CapCheck::Verified, &of(FIRST, CAP), &[]).await.expect("opens");
    held(ledger, &deferred(first.id, 1, 30)).await;
    recorded(ledger, &in_flight(ledger, first.id, 1).await, refused()).await;
    lands(ledger, &of(501, 1)).await;
    assert_eq!(state(ledger, &first).await, SessionState::Superseded);
    let second = opening(ledger, 2).await;
    let opened = ledger.mark_open(second.id, CapCheck::Verified, &of(502, CAP), &[]).await.expect("opens");
    assert_eq!(
        (opened.state, taken(ledger).await),
        (SessionState::Open, amount(CAP)),
        "a promise that rests keeps none out"
    );

    let again = ledger.plan_settlement(settlement_id(2), first.id, Carry::up_to(Amount::MAX), NOW + 3_600).await;
    let carried = again.expect("plans").expect("has rested");
    let third = opening(ledger, 3).await;
    let refused = ledger.mark_open(third.id, CapCheck::Verified, &of(503, CAP + 29), &[]).await.expect("answers");
    assert_eq!(refused.state, SessionState::Rejected(SessionReason::ApprovalExhausted));
    assert!(backs(ledger, &first, 503).await, "the approve stands, and backs what is carried");
    assert_eq!(taken(ledger).await, amount(30), "the older live one does not fit beside it");
    recorded(ledger, &signed(ledger, &carried, 2).await.0, landed()).await;
    let fourth = opening(ledger, 4).await;
    let opened = ledger.mark_open(fourth.id, CapCheck::Verified, &of(504, CAP), &[]).await.expect("opens");
    assert_eq!(opened.state, SessionState::Open);
}

/// Guard: `drawn`. Where transfers lower what is delegated, those that landed in the slot of an approve or later have drawn from it,
/// whichever one they are counted on.
pub(crate) async fn what_was_drawn_from_an_approve_before_it_was_on_record_counts(ledger: &dyn Ledger) {
    lands(ledger, &of(FIRST, 1_000)).await;
    let [paid, live] = [1, 2].map(|number| on(number, FIRST, 300, Some(1_000)));
    for session in [&paid, &live] {
        opens(ledger, session).await;
    }
    held(ledger, &payment(paid.id, 1, 100)).await;
    // It lands in slot 210.
    recorded(ledger, &in_flight(ledger, paid.id, 1).await, landed()).await;
    ledger.close_session(paid.id).await.expect("closes");
    let asked = async |slot| ledger.may_have_moved_since(&user(), &asset(), slot).await.ok();
    assert_eq!((asked(209).await, asked(210).await), (Some(true), Some(false)));
    let lowered = |number, slot| LandedApprove { delegation: Delegation::Documented, slot, ..of(number, 400) };
    lands(ledger, &lowered(501, 211)).await;
    assert_eq!(current(ledger).await.free(), amount(100), "it landed later");
    lands(ledger, &lowered(502, 210)).await;
    assert_eq!((current(ledger).await.free(), taken(ledger).await), (Amount::ZERO, amount(400)));
    assert_eq!(state(ledger, &live).await, SessionState::Open, "300 of it are left, and no more");
    let refused = ledger.open_on_approval(&on(3, 502, 1, Some(400)), 16).await.expect("answers");
    assert_eq!(refused, OpenedOnApproval::Refused(SessionReason::ApprovalExhausted));
    lands(ledger, &LandedApprove { slot: 210, ..of(503, 400) }).await;
    assert_eq!(current(ledger).await.free(), amount(100), "where each transfer moves what it says, it was the other's");
}

/// Guard: `limit` in `rebind`. A session that has spent all of its cap needs nothing more, and still is bound to nothing unknown.
pub(crate) async fn an_approve_of_an_unknown_amount_takes_the_slot_beside_a_session_that_is_spent(ledger: &dyn Ledger) {
    lands(ledger, &of(FIRST, 1_000)).await;
    let spent = opens(ledger, &on(1, FIRST, 100, Some(1_000))).await;
    held(ledger, &payment(spent.id, 1, 100)).await;
    recorded(ledger, &in_flight(ledger, spent.id, 1).await, landed()).await;
    lands(ledger, &LandedApprove { amount: None, ..of(501, 1) }).await;
    assert_eq!(current(ledger).await.signature, signature(501));
    assert_eq!(state(ledger, &spent).await, SessionState::Superseded);
}

/// Guards: `record` goes on only, and keeps what it has found.
pub(crate) async fn what_was_examined_of_a_history_stays_examined(ledger: &dyn Ledger) {
    let approve = signature(FIRST);
    let found = async || ledger.examination(&user(), &asset(), &approve).await.expect("reads");
    let record = async |examined: Examination| {
        ledger.record_examination(&user(), &asset(), &approve, &examined).await.expect("writes");
    };
    assert_eq!(found().await, None);
    let begun = Examination::beginning(approve, 10);
    record(begun).await;
    assert_eq!(found().await, Some(begun), "of an approve that is not on record");
    let further = Examination {
        entry: signature(2),
        slot: 20,
        change: Some(signature(3)),
        own_slot: Some(15),
        read_at: Some(60),
    };
    record(further).await;
    record(begun).await;
    assert_eq!(found().await, Some(further), "one that knew less changes nothing");
    record(Examination { entry: signature(4), slot: 21, change: None, own_slot: None, read_at: None }).await;
    assert_eq!(found().await, Some(Examination { entry: signature(4), slot: 21, ..further }));
    assert_eq!(ledger.examination(&user(), &asset(), &signature(9)).await.ok(), Some(None), "another approve");
    // An amount that is not the approve's own is settled once the list was read late enough.
    lands(ledger, &LandedApprove { seen: 9, seen_slot: 28, ..of(FIRST, 100) }).await;
    let settled = async || {
        let seen = ledger.seen_delegations(&[user()], &asset()).await.expect("reads").remove(0);
        seen.expect("stands").is_settled
    };
    assert!(settled().await, "60 is 32 slots later");
    ledger.note_delegation(&user(), &asset(), &approve, (10, 29)).await.expect("notes");
    assert!(!settled().await);
    ledger.note_delegation(&user(), &asset(), &approve, (u128::from(FIRST), 30)).await.expect("notes");
    assert!(settled().await, "the approve's own");
}
