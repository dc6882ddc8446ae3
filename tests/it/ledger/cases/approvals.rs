//! Approvals: what sessions take together, whoever opens them and in whatever order.

use crate::ledger::build::{
    CAP, NOW, amount, approve, held, hold_id, in_flight, key, landed, opened, payment, recorded, session_id,
    session_with, settlement_id, signature, signed,
};
use solana_pubkey::Pubkey;
use sotto::{
    domain::{
        amount::Amount,
        approval::{Approval, ApprovalState, LandedApprove, SeenDelegation},
        reason::{PayReason, SessionReason},
        session::{CapCheck, Session, SessionState},
        settlement::{Purpose, Subject},
    },
    ledger::{Held, Ledger, OpenedOnApproval},
};

const MOST: u64 = 16;
/// The approve on which most of these sessions open.
pub(super) const FIRST: u32 = 500;

pub(super) fn user() -> Pubkey {
    key(23, 1)
}

pub(super) fn asset() -> Pubkey {
    key(20, 0)
}

/// An approve of so many units.
pub(super) fn of(number: u32, units: u64) -> LandedApprove {
    LandedApprove { amount: Some(amount(units)), ..approve(number) }
}

/// A session that names this approve and says what it is of.
pub(super) fn on(number: u32, approve: u32, cap: u64, approved: Option<u64>) -> Session {
    session_with(number, |session| {
        session.intent.user = user();
        (session.intent.cap, session.intent.approved) = (amount(cap), approved.map(amount));
        session.approve = Some(signature(approve));
    })
}

pub(super) async fn lands(ledger: &dyn Ledger, approve: &LandedApprove) {
    ledger.land_approval(&user(), &asset(), approve).await.expect("lands");
}

pub(super) async fn opens(ledger: &dyn Ledger, session: &Session) -> Session {
    match ledger.open_on_approval(session, MOST).await.expect("answers") {
        OpenedOnApproval::New(session) => session,
        other => panic!("not opened: {other:?}"),
    }
}

async fn is_refused(ledger: &dyn Ledger, session: &Session, reason: SessionReason) {
    let refused = ledger.open_on_approval(session, MOST).await.expect("answers");
    assert_eq!(refused, OpenedOnApproval::Refused(reason));
    let nonce = &session.intent.nonce;
    assert_eq!(ledger.find_session(session.user(), nonce).await.ok(), Some(None), "a refusal leaves no trace");
}

pub(super) async fn current(ledger: &dyn Ledger) -> Approval {
    ledger.current_approval(&user(), &asset()).await.expect("answers").expect("stands")
}

pub(super) async fn state(ledger: &dyn Ledger, session: &Session) -> SessionState {
    ledger.session(session.id).await.expect("answers").expect("is there").state
}

/// Captures a payment, and makes it final.
async fn pays(ledger: &dyn Ledger, session: &Session, number: u32, units: u64) {
    held(ledger, &payment(session.id, number, units)).await;
    let settlement = recorded(ledger, &in_flight(ledger, session.id, number).await, landed()).await;
    recorded(ledger, &settlement, sotto::domain::settlement::Event::Finalised).await;
}

/// Guard: ended sessions in `approval_use`. Ten sessions, each opened when the one before was spent and closed, in the archive
/// or not, take together what was approved once.
pub(crate) async fn sessions_one_after_the_other_take_no_more_than_was_approved(ledger: &dyn Ledger) {
    lands(ledger, &of(FIRST, 1_000)).await;
    let mut taken = 0;
    for number in 1..=10 {
        let session = on(number, FIRST, 300, Some(1_000));
        if taken + 300 > 1_000 {
            is_refused(ledger, &session, SessionReason::ApprovalExhausted).await;
            continue;
        }
        let session = opens(ledger, &session).await;
        pays(ledger, &session, number, 250).await;
        assert_eq!(current(ledger).await.taken, amount(taken + 300), "a live session takes its cap");
        ledger.close_session(session.id).await.expect("closes");
        taken += 250;
        assert_eq!(current(ledger).await.taken, amount(taken), "and an ended one what it has captured");
    }
    assert_eq!(taken, 750);
    let other = opened(ledger, 40).await;
    held(ledger, &payment(other.id, 400, 1)).await;
    while ledger.archive_one(NOW + 1).await.expect("moves").is_some() {}
    assert_eq!(current(ledger).await.taken, amount(750), "what is archived counts");
    is_refused(ledger, &on(11, FIRST, 251, Some(1_000)), SessionReason::ApprovalExhausted).await;
    opens(ledger, &on(12, FIRST, 250, Some(1_000))).await;
}

/// Guard: the sum in the transaction of `open_on_approval`.
pub(crate) async fn openings_that_come_together_are_judged_one_by_one(ledger: &dyn Ledger) {
    lands(ledger, &of(FIRST, 1_000)).await;
    let sessions: Vec<Session> = (1..=20).map(|number| on(number, FIRST, 90, Some(1_000))).collect();
    let answers =
        futures_util::future::join_all(sessions.iter().map(|session| ledger.open_on_approval(session, MOST))).await;
    let new = answers.iter().filter(|answer| matches!(answer, Ok(OpenedOnApproval::New(_)))).count();
    assert_eq!((new, current(ledger).await.taken), (11, amount(990)));
    // One of them again is the same session, with other content a nonce that was used.
    let again = ledger.open_on_approval(&sessions[0], MOST).await.expect("answers");
    assert!(matches!(again, OpenedOnApproval::Existing(known) if known.id == sessions[0].id));
    let other = Session { id: session_id(99), ..on(1, FIRST, 1, Some(1_000)) };
    assert_eq!(ledger.open_on_approval(&other, MOST).await.ok(), Some(OpenedOnApproval::NonceReused));
    // However much is free, so many live on one approve.
    lands(ledger, &of(FIRST + 1, 1_000_000)).await;
    for number in 31..=35 {
        opens(ledger, &on(number, FIRST + 1, 1, Some(1_000_000))).await;
    }
    is_refused(ledger, &on(36, FIRST + 1, 1, Some(1_000_000)), SessionReason::QuotaExceeded).await;
}

pub(crate) async fn an_approve_opens_one_session_where_the_intent_names_no_total(ledger: &dyn Ledger) {
    lands(ledger, &of(FIRST, 1_000)).await;
    is_refused(ledger, &on(1, FIRST, 999, None), SessionReason::CapMismatch).await;
    is_refused(ledger, &on(2, FIRST, 10, Some(999)), SessionReason::ApprovedMismatch).await;
    let session = opens(ledger, &on(3, FIRST, 1_000, None)).await;
    assert_eq!((session.state, session.cap_check), (SessionState::Open, CapCheck::Verified));
    ledger.close_session(session.id).await.expect("closes");
    is_refused(ledger, &on(4, FIRST, 1_000, None), SessionReason::ApproveUsed).await;
    is_refused(ledger, &on(5, 501, 1_000, Some(1_000)), SessionReason::ApproveStale).await;
}

/// Guard: `rebind`. What stays counts from what it had captured when the newer approve came.
pub(crate) async fn a_newer_approve_takes_what_it_backs_and_the_oldest_end(ledger: &dyn Ledger) {
    lands(ledger, &of(FIRST, 1_000)).await;
    let [oldest, older, newest] = [1, 2, 3].map(|number| on(number, FIRST, 300, Some(1_000)));
    for session in [&oldest, &older, &newest] {
        opens(ledger, session).await;
    }
    pays(ledger, &newest, 1, 100).await;
    // 200 for what is left of the newest, 300 for the next, and nothing for the oldest.
    let ended = ledger.land_approval(&user(), &asset(), &of(501, 799)).await.expect("lands");
    assert_eq!(ended, [oldest.id]);
    let standing = current(ledger).await;
    assert_eq!((standing.signature, standing.taken, standing.live), (signature(501), amount(500), 2));
    assert_eq!(state(ledger, &oldest).await, SessionState::Superseded);
    assert_eq!(ledger.land_approval(&user(), &asset(), &of(501, 799)).await.ok(), Some(vec![]), "once");
    // One that opens with an approve of its own takes the rest along in one transaction.
    let opening = session_with(4, |session| session.intent.user = user());
    ledger.open_session(&opening).await.expect("writes");
    ledger.mark_open(opening.id, CapCheck::Verified, &of(502, CAP + 200), &[]).await.expect("opens");
    assert_eq!(state(ledger, &older).await, SessionState::Superseded);
    assert_eq!((state(ledger, &newest).await, current(ledger).await.taken), (SessionState::Open, amount(CAP + 200)));
    is_refused(ledger, &on(5, 501, 1, Some(799)), SessionReason::ApproveStale).await;
}

/// Guard: the order in `rebind`: what was promised goes first, and what does not fit stays where it was backed.
pub(crate) async fn what_is_held_stays_with_the_approve_that_backed_it(ledger: &dyn Ledger) {
    lands(ledger, &of(FIRST, 1_000)).await;
    let [holds, live] = [1, 2].map(|number| on(number, FIRST, 400, Some(1_000)));
    for session in [&holds, &live] {
        opens(ledger, session).await;
    }
    held(ledger, &payment(holds.id, 1, 350)).await;
    ledger.close_session(holds.id).await.expect("closes");
    lands(ledger, &of(501, 400)).await;
    assert_eq!(current(ledger).await.taken, amount(400), "all of it is the live one's");
    assert_eq!(state(ledger, &live).await, SessionState::Open);
    let kept = ledger.approvals_of(&[holds.id, live.id]).await.expect("reads");
    let signatures: Vec<_> = kept.iter().flatten().map(|approval| approval.signature).collect();
    assert_eq!(signatures, [signature(FIRST), signature(501)]);
    assert_eq!(ledger.session(holds.id).await.ok().flatten().map(|session| session.held), Some(amount(350)));
}

/// Guard: `claimed`. Until the amount is known what the first session says bounds all, and afterwards who lied is out.
pub(crate) async fn an_approve_of_an_unknown_amount_is_what_its_first_session_says(ledger: &dyn Ledger) {
    lands(ledger, &LandedApprove { amount: None, ..approve(FIRST) }).await;
    let first = opens(ledger, &on(1, FIRST, 30, Some(100))).await;
    assert_eq!(first.cap_check, CapCheck::Unverified);
    is_refused(ledger, &on(2, FIRST, 30, Some(101)), SessionReason::ApprovedMismatch).await;
    is_refused(ledger, &on(3, FIRST, 71, Some(100)), SessionReason::ApprovalExhausted).await;
    let second = opens(ledger, &on(4, FIRST, 70, Some(100))).await;
    let learn = async |units| ledger.learn_approved(&user(), &asset(), &signature(FIRST), amount(units)).await;
    assert_eq!(learn(99).await.ok(), Some(vec![first.id, second.id]), "both said 100");
    for session in [&first, &second] {
        assert_eq!(state(ledger, session).await, SessionState::Rejected(SessionReason::CapMismatch));
    }
    assert_eq!(learn(99).await.ok(), Some(vec![]), "told once");
    assert!(learn(98).await.is_err(), "and no second amount");

    lands(ledger, &LandedApprove { amount: None, ..approve(501) }).await;
    let honest = opens(ledger, &on(5, 501, 30, Some(100))).await;
    let learnt = ledger.learn_approved(&user(), &asset(), &signature(501), amount(100)).await;
    assert_eq!(learnt.ok(), Some(vec![]));
    let verified = ledger.session(honest.id).await.ok().flatten().map(|session| session.cap_check);
    assert_eq!(verified, Some(CapCheck::Verified));
    opens(ledger, &on(6, 501, 70, Some(100))).await;
}

/// Guard: `UNVERIFIED_BESIDE`: an approve of one unit under two sessions loses no more than under one.
pub(crate) async fn unverified_sessions_of_one_approval_share_one_limit(ledger: &dyn Ledger) {
    lands(ledger, &LandedApprove { amount: None, ..approve(FIRST) }).await;
    let [one, two] = [1, 2].map(|number| on(number, FIRST, 400, Some(1_000)));
    for session in [&one, &two] {
        opens(ledger, session).await;
    }
    // 50 for both; with a nonce and without, which go different ways.
    held(ledger, &payment(one.id, 1, 30)).await;
    for nonce in [Some("another".to_owned()), None] {
        let more = sotto::domain::hold::NewHold { nonce, ..payment(two.id, 2, 21) };
        assert_eq!(ledger.hold(&more).await.ok(), Some(Held::Refused(PayReason::CapUnverified)));
    }
    assert_eq!(held(ledger, &payment(two.id, 3, 20)).await.remaining_after, Amount::ZERO);
    assert_eq!(ledger.hold(&payment(one.id, 4, 1)).await.ok(), Some(Held::Refused(PayReason::CapUnverified)));
    let beside = [ledger.unverified_beside(one.id).await, ledger.unverified_beside(two.id).await];
    assert_eq!(beside.map(Result::ok), [Some(amount(20)), Some(amount(30))]);
    let third = opened(ledger, 40).await;
    held(ledger, &payment(third.id, 5, 500)).await;
}

pub(crate) async fn a_revoked_or_replaced_approval_admits_nothing(ledger: &dyn Ledger) {
    lands(ledger, &of(FIRST, 1_000)).await;
    lands(ledger, &of(501, 1_000)).await;
    is_refused(ledger, &on(1, FIRST, 10, Some(1_000)), SessionReason::ApproveStale).await;
    let session = opens(ledger, &on(2, 501, 10, Some(1_000))).await;
    ledger.revoke_sessions(&user(), &asset()).await.expect("revokes");
    assert_eq!(state(ledger, &session).await, SessionState::Revoked);
    assert_eq!(ledger.current_approval(&user(), &asset()).await.ok(), Some(None));
    is_refused(ledger, &on(3, 501, 10, Some(1_000)), SessionReason::ApproveStale).await;
    assert_eq!(ledger.land_approval(&user(), &asset(), &of(501, 1_000)).await.ok(), Some(vec![]));
    is_refused(ledger, &on(4, 501, 10, Some(1_000)), SessionReason::ApproveStale).await;
    let behind = ledger.approvals_of(&[session.id]).await.expect("reads").remove(0).expect("was bound");
    assert_eq!((behind.state, behind.free()), (ApprovalState::Revoked, Amount::ZERO));
}

/// An opening whose approve has landed and that waits for its amount; meanwhile others name that approve.
pub(crate) async fn an_opening_whose_approve_others_have_used_up_is_rejected(ledger: &dyn Ledger) {
    let waits = session_with(1, |session| session.intent.user = user());
    ledger.open_session(&waits).await.expect("writes");
    lands(ledger, &of(FIRST, CAP)).await;
    opens(ledger, &on(2, FIRST, 1, Some(CAP))).await;
    let ended = ledger.mark_open(waits.id, CapCheck::Verified, &of(FIRST, CAP), &[]).await.expect("answers");
    assert_eq!(ended.state, SessionState::Rejected(SessionReason::ApproveUsed));
    // Of an approve that is more than its cap it takes its part.
    let waits = session_with(3, |session| session.intent.user = user());
    ledger.open_session(&waits).await.expect("writes");
    let opened = ledger.mark_open(waits.id, CapCheck::Verified, &of(501, CAP + 1), &[]).await.expect("answers");
    assert_eq!((opened.state, current(ledger).await.free()), (SessionState::Open, Amount::ZERO));
}

/// Guard: `may_have_been_used`. Sessions from before approvals were kept may have taken from whatever landed before them.
pub(crate) async fn what_may_have_been_used_before_is_known_by_name_time_and_handle(ledger: &dyn Ledger) {
    let unbound = on(1, 600, CAP, None);
    ledger.open_session(&unbound).await.expect("writes");
    let asks = async |number, landed_at| {
        ledger.may_have_been_used(&user(), &asset(), &approve(number), landed_at).await.expect("answers")
    };
    assert!(!asks(600, Some(NOW + 1)).await, "one that is opening has taken nothing");
    ledger.revoke_sessions(&user(), &asset()).await.expect("ends");
    assert!(asks(600, Some(NOW + 1)).await, "its name");
    assert!(asks(601, Some(NOW)).await, "it was opened since");
    assert!(asks(601, None).await, "nobody knows when it landed");
    assert!(!asks(601, Some(NOW + 1)).await);
    let other = ledger.may_have_been_used(&key(23, 9), &asset(), &approve(600), Some(NOW + 1)).await;
    assert_eq!(other.ok(), Some(false), "another wallet's");
}

pub(crate) async fn the_approvals_behind_sessions_are_told_at_once(ledger: &dyn Ledger) {
    lands(ledger, &of(FIRST, 1_000)).await;
    let [one, two] = [1, 2].map(|number| on(number, FIRST, 300, Some(1_000)));
    for session in [&one, &two] {
        opens(ledger, session).await;
    }
    let unbound = session_with(3, |_| ());
    ledger.open_session(&unbound).await.expect("writes");
    let told = ledger.approvals_of(&[one.id, unbound.id, two.id, session_id(77)]).await.expect("reads");
    let expected = Some(current(ledger).await);
    assert_eq!(told, [expected.clone(), None, expected.clone(), None]);
    assert_eq!(ledger.standing_approvals(&user()).await.ok(), Some(expected.into_iter().collect()));
    assert_eq!(ledger.standing_approvals(&key(23, 9)).await.ok(), Some(vec![]));
    let seen = async || ledger.seen_delegations(&[key(23, 9), user()], &asset()).await.expect("reads");
    let handle = u128::from(FIRST);
    let shown = |handle, slot, is_settled| {
        let (signature, slot) = (signature(FIRST), Some(slot));
        [None, Some(SeenDelegation { signature, handle: Some(handle), slot, is_settled })]
    };
    assert_eq!(seen().await, shown(handle, 1, true));
    ledger.note_delegation(&user(), &asset(), &signature(FIRST), (9, 20)).await.expect("notes");
    assert_eq!(seen().await, shown(9, 20, false), "another handle than its own");
    ledger.note_delegation(&user(), &asset(), &signature(FIRST), (8, 19)).await.expect("notes");
    assert_eq!(seen().await, shown(9, 20, false), "an older state");
    assert_eq!(current(ledger).await.seen_slot, Some(20));
    assert_eq!(current(ledger).await.handle, Some(handle), "what was approved stays what it was");
}

pub(crate) async fn the_handle_of_an_approve_is_remembered_once(ledger: &dyn Ledger) {
    let session = session_with(1, |session| session.intent.user = user());
    ledger.open_session(&session).await.expect("writes");
    assert_eq!(ledger.approve_handle(session.id).await.ok(), Some(None));
    ledger.record_approve_handle(session.id, 7).await.expect("records");
    ledger.record_approve_handle(session.id, 8).await.expect("records");
    assert_eq!(ledger.approve_handle(session.id).await.ok(), Some(Some(7)));
    let opening = async |handle| ledger.opening_by_approve(&user(), &asset(), handle).await.expect("answers");
    assert_eq!((opening(7).await, opening(8).await), (Some(session.id), None));
    ledger.mark_open(session.id, CapCheck::Verified, &approve(1), &[]).await.expect("opens");
    assert_eq!(opening(7).await, None, "only while it opens");
}

pub(crate) async fn what_changes_no_delegation_is_known(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 30)).await;
    in_flight(ledger, session.id, 1).await;
    let opening = session_with(2, |_| ());
    ledger.open_session(&opening).await.expect("writes");
    let planned = ledger.plan_other(settlement_id(2), Purpose::Approve, Subject::Session(opening.id), NOW).await;
    signed(ledger, &planned.expect("plans"), 2).await;
    let known = ledger.known_transfers(&[signature(1), signature(2), signature(77)]).await;
    assert_eq!(known.ok(), Some(vec![signature(1)]), "our own approve is an approve");
    assert_eq!(ledger.find_hold(hold_id(1)).await.ok().flatten().map(|hold| hold.amount), Some(amount(30)));
}
