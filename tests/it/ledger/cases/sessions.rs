//! Opening, confirming and ending sessions.

use crate::ledger::build::{
    CAP, END, NOW, amount, approve, held, key, opened, payment, session, session_id, session_with, settlement_id,
    signature, signed,
};
use solana_pubkey::Pubkey;
use sotto::{
    domain::{
        reason::{PayReason, SessionReason},
        session::{CapCheck, Session, SessionState},
        settlement::{Purpose, Subject},
    },
    ledger::{Held, Ledger, LedgerError, Opened, OpeningCount, Openings},
};

pub(crate) async fn a_session_comes_back_as_it_was_written(ledger: &dyn Ledger) {
    let mut written = session_with(1, |s| {
        s.intent.approved = Some(amount(CAP + 7));
        s.intent.session_key = Some(key(40, 4));
        "solana-devnet".clone_into(&mut s.intent.network);
        s.signed.signature = Some([41; 64]);
        s.signed.settle_signature = Some([42; 64]);
        s.created_at = 77;
    });
    assert_eq!(ledger.open_session(&written).await.ok(), Some(Opened::New(written.clone())));
    assert_eq!(ledger.session(written.id).await.ok(), Some(Some(written.clone())));

    let marked = ledger.mark_open(written.id, CapCheck::Verified, &approve(43), &[]).await.expect("opens");
    held(ledger, &payment(written.id, 1, 30)).await;
    written.state = SessionState::Open;
    written.cap_check = CapCheck::Verified;
    written.approve = Some(signature(43));
    assert_eq!(marked, written);
    written.held = amount(30);
    assert_eq!(ledger.session(written.id).await.ok(), Some(Some(written.clone())));
    let found = ledger.find_session(written.user(), &written.intent.nonce).await;
    assert_eq!(found.ok(), Some(Some(written)));
}

/// A session that the short message alone opens.
fn short(number: u32) -> Session {
    session_with(number, |s| {
        s.intent.session_key = Some(key(40, 4));
        s.signed.signature = None;
        s.signed.settle_signature = Some([42; 64]);
    })
}

pub(crate) async fn a_session_without_a_readable_signature_comes_back_so(ledger: &dyn Ledger) {
    let written = short(1);
    assert_eq!(ledger.open_session(&written).await.ok(), Some(Opened::New(written.clone())));
    assert_eq!(ledger.session(written.id).await.ok(), Some(Some(written)));
}

/// Guard: a trigger of the database, whatever the code does.
pub(crate) async fn the_short_message_alone_opens_with_an_approve_and_a_session_key_or_not_at_all(ledger: &dyn Ledger) {
    let bent: [fn(&mut Session); 3] =
        [|s| s.intent.session_key = None, |s| s.signed.settle_signature = None, |s| s.approve = Some(signature(9))];
    for bend in bent {
        let mut session = short(1);
        bend(&mut session);
        assert!(ledger.open_session(&session).await.is_err(), "{session:?}");
        assert_eq!(ledger.session(session.id).await.ok(), Some(None));
    }
}

pub(crate) async fn what_the_short_message_opened_is_found_again_with_the_readable_signature(ledger: &dyn Ledger) {
    let first = short(1);
    ledger.open_session(&first).await.expect("opens");
    for signed in [None, Some([41; 64])] {
        let mut again = short(1);
        (again.id, again.signed.signature) = (session_id(2), signed);
        assert_eq!(ledger.open_session(&again).await.ok(), Some(Opened::Existing(first.clone())));
    }
    let mut other = short(1);
    (other.id, other.signed.bytes) = (session_id(2), b"another intent".to_vec());
    assert_eq!(ledger.open_session(&other).await.ok(), Some(Opened::NonceReused));
}

pub(crate) async fn a_bare_session_comes_back_as_it_was_written(ledger: &dyn Ledger) {
    let written = session(1);
    ledger.open_session(&written).await.expect("opens");
    assert_eq!(ledger.session(written.id).await.ok(), Some(Some(written.clone())));
    assert_eq!(ledger.session(session_id(2)).await.ok(), Some(None));
    assert_eq!(ledger.find_session(written.user(), "another nonce").await.ok(), Some(None));
    assert_eq!(ledger.find_session(&key(1, 1), &written.intent.nonce).await.ok(), Some(None));
}

pub(crate) async fn a_repeated_opening_finds_its_session(ledger: &dyn Ledger) {
    let first = opened(ledger, 1).await;
    // A repeat comes with a fresh id and a later time: it is known by what was signed.
    let again = session_with(1, |s| {
        s.id = session_id(2);
        s.created_at = NOW + 9;
    });
    assert_eq!(ledger.open_session(&again).await.ok(), Some(Opened::Existing(first)));
    assert_eq!(ledger.session(session_id(2)).await.ok(), Some(None));
}

pub(crate) async fn a_nonce_opens_one_session_per_user(ledger: &dyn Ledger) {
    let first = opened(ledger, 1).await;
    let other_cap = session_with(1, |s| {
        s.id = session_id(2);
        s.intent.cap = amount(CAP + 1);
    });
    assert_eq!(ledger.open_session(&other_cap).await.ok(), Some(Opened::NonceReused));
    let other_signature = session_with(1, |s| s.signed.signature = Some([8; 64]));
    assert_eq!(ledger.open_session(&other_signature).await.ok(), Some(Opened::NonceReused));
    let other_user = session_with(2, |s| s.intent.nonce.clone_from(&first.intent.nonce));
    assert!(matches!(ledger.open_session(&other_user).await, Ok(Opened::New(_))));
    // An ended session keeps its nonce.
    ledger.revoke_sessions(first.user(), &first.intent.asset).await.expect("revokes");
    assert_eq!(ledger.open_session(&other_cap).await.ok(), Some(Opened::NonceReused));
}

pub(crate) async fn a_session_is_opened_fresh(ledger: &dyn Ledger) {
    for stale in [
        session_with(1, |s| s.state = SessionState::Open),
        session_with(1, |s| s.captured = amount(1)),
        session_with(1, |s| s.held = amount(1)),
    ] {
        assert!(matches!(ledger.open_session(&stale).await, Err(LedgerError::Inconsistent(_))));
    }
    assert_eq!(ledger.session(session_id(1)).await.ok(), Some(None));
}

pub(crate) async fn an_unbelievable_time_is_refused(ledger: &dyn Ledger) {
    let endless = session_with(1, |s| s.intent.expires_at = u64::MAX);
    assert!(matches!(ledger.open_session(&endless).await, Err(LedgerError::Inconsistent(_))));
    let last = session_with(1, |s| s.intent.expires_at = i64::MAX.unsigned_abs());
    assert!(matches!(ledger.open_session(&last).await, Ok(Opened::New(_))));
}

pub(crate) async fn opening_supersedes_only_what_lives(ledger: &dyn Ledger) {
    let (old, ended) = (opened(ledger, 1).await, opened(ledger, 2).await);
    ledger.revoke_sessions(ended.user(), &ended.intent.asset).await.expect("revokes");
    let (waiting, bystander) = (session(3), opened(ledger, 4).await);
    ledger.open_session(&waiting).await.expect("opens");
    held(ledger, &payment(old.id, 1, 10)).await;

    let new = session(5);
    ledger.open_session(&new).await.expect("opens");
    let superseded = [old.id, ended.id, waiting.id, new.id, session_id(99)];
    ledger.mark_open(new.id, CapCheck::Unverified, &approve(5), &superseded).await.expect("opens");

    let mut states = Vec::new();
    for id in [old.id, ended.id, waiting.id, bystander.id, new.id] {
        states.push(ledger.session(id).await.expect("reads").expect("is there").state);
    }
    let expected = [
        SessionState::Superseded,
        SessionState::Revoked,
        SessionState::Superseded,
        SessionState::Open,
        SessionState::Open,
    ];
    assert_eq!(states, expected);
    // What was accepted before stays held.
    assert_eq!(ledger.open_holds(old.id).await.ok(), Some(1));
    assert_eq!(ledger.session(old.id).await.expect("reads").expect("is there").held, amount(10));
}

pub(crate) async fn a_verified_cap_is_never_forgotten(ledger: &dyn Ledger) {
    let new = session(1);
    ledger.open_session(&new).await.expect("opens");
    let open = ledger.mark_open(new.id, CapCheck::Unverified, &approve(1), &[]).await.expect("opens");
    assert_eq!((open.state, open.cap_check), (SessionState::Open, CapCheck::Unverified));
    assert_eq!(ledger.unverified_sessions().await.ok(), Some(vec![open.clone()]));
    let other = opened(ledger, 2).await;
    // An open session learns its cap, and is opened no second time.
    ledger.verify_cap(new.id).await.expect("learns");
    let told = ledger.mark_open(new.id, CapCheck::Unverified, &approve(9), &[other.id]).await.expect("answers");
    assert_eq!((told.cap_check, told.approve), (CapCheck::Verified, Some(signature(1))));
    assert_eq!(ledger.session(other.id).await.ok().flatten().map(|s| s.state), Some(SessionState::Open));
    ledger.revoke_sessions(other.user(), &other.intent.asset).await.expect("revokes");
    ledger.verify_cap(other.id).await.expect("leaves it alone");
    assert_eq!(ledger.unverified_sessions().await.ok(), Some(vec![]));
}

pub(crate) async fn an_ended_session_is_not_opened_again(ledger: &dyn Ledger) {
    let revoked = opened(ledger, 1).await;
    ledger.revoke_sessions(revoked.user(), &revoked.intent.asset).await.expect("revokes");
    let marked = ledger.mark_open(revoked.id, CapCheck::Verified, &approve(7), &[]).await.expect("answers");
    assert_eq!((marked.state, marked.approve), (SessionState::Revoked, Some(signature(1))));
}

pub(crate) async fn only_an_unsure_session_is_rejected(ledger: &dyn Ledger) {
    let (opening, unverified, verified) = (session(1), session(2), opened(ledger, 3).await);
    ledger.open_session(&opening).await.expect("opens");
    ledger.open_session(&unverified).await.expect("opens");
    ledger.mark_open(unverified.id, CapCheck::Unverified, &approve(2), &[]).await.expect("opens");
    held(ledger, &payment(unverified.id, 1, 10)).await;
    for id in [opening.id, unverified.id, verified.id] {
        ledger.reject_session(id, SessionReason::CapMismatch).await.expect("answers");
        // A second reason does not replace the first.
        ledger.reject_session(id, SessionReason::DelegateMismatch).await.expect("answers");
    }
    let state = async |id| ledger.session(id).await.expect("reads").expect("is there").state;
    assert_eq!(state(opening.id).await, SessionState::Rejected(SessionReason::CapMismatch));
    assert_eq!(state(unverified.id).await, SessionState::Rejected(SessionReason::CapMismatch));
    assert_eq!(state(verified.id).await, SessionState::Open);
    assert_eq!(ledger.open_holds(unverified.id).await.ok(), Some(1), "what it holds is still settled");
}

pub(crate) async fn revoking_ends_the_live_sessions_of_one_user_and_asset(ledger: &dyn Ledger) {
    let first = opened(ledger, 1).await;
    let same = |number: u32| session_with(number, |s| s.intent.user = *first.user());
    let second = same(2);
    ledger.open_session(&second).await.expect("opens");
    let other_asset = session_with(3, |s| {
        s.intent.user = *first.user();
        s.intent.asset = key(50, 0);
    });
    ledger.open_session(&other_asset).await.expect("opens");
    let other_user = opened(ledger, 4).await;

    assert_eq!(ledger.revoke_sessions(first.user(), &first.intent.asset).await.ok(), Some(2));
    assert_eq!(ledger.revoke_sessions(first.user(), &first.intent.asset).await.ok(), Some(0));
    let state = async |id| ledger.session(id).await.expect("reads").expect("is there").state;
    assert_eq!(state(first.id).await, SessionState::Revoked);
    assert_eq!(state(second.id).await, SessionState::Revoked);
    assert_eq!(state(other_asset.id).await, SessionState::Opening);
    assert_eq!(state(other_user.id).await, SessionState::Open);
    assert_eq!(ledger.hold(&payment(first.id, 1, 1)).await.ok(), Some(Held::Refused(PayReason::SessionRevoked)));
}

pub(crate) async fn sessions_expire_when_they_stop_accepting(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    let opening = self::session(2);
    ledger.open_session(&opening).await.expect("opens");
    assert_eq!(ledger.expire_sessions(END - 1).await.ok(), Some(vec![]));
    let late = sotto::domain::hold::NewHold { now: END, ..payment(session.id, 1, 1) };
    assert_eq!(ledger.hold(&late).await.ok(), Some(Held::Refused(PayReason::SessionExpired)));
    assert_eq!(ledger.expire_sessions(END).await.ok(), Some(vec![session.id]));
    assert_eq!(ledger.expire_sessions(END).await.ok(), Some(vec![]));
    assert_eq!(ledger.session(session.id).await.ok().flatten().map(|s| s.state), Some(SessionState::Expired));
    assert_eq!(ledger.session(opening.id).await.ok().flatten().map(|s| s.state), Some(SessionState::Opening));
}

pub(crate) async fn live_and_opening_sessions_are_told_oldest_first(ledger: &dyn Ledger) {
    let first = opened(ledger, 9).await;
    let of_user = |number: u32| session_with(number, |s| s.intent.user = *first.user());
    let (second, ended, third) = (of_user(3), of_user(7), of_user(1));
    for session in [&second, &ended, &third] {
        ledger.open_session(session).await.expect("opens");
    }
    ledger.reject_session(ended.id, SessionReason::CapMismatch).await.expect("rejects");
    opened(ledger, 20).await;
    let live = ledger.live_sessions(first.user(), &first.intent.asset).await.expect("reads");
    assert_eq!(live.iter().map(|s| s.id).collect::<Vec<_>>(), [first.id, second.id, third.id]);
    assert_eq!(ledger.live_sessions(first.user(), &key(50, 0)).await.ok(), Some(vec![]));
    let opening = ledger.opening_sessions().await.expect("reads");
    assert_eq!(opening.iter().map(|s| s.id).collect::<Vec<_>>(), [second.id, third.id]);
}

pub(crate) async fn openings_are_counted_by_time_and_user(ledger: &dyn Ledger) {
    let first = session_with(1, |s| s.created_at = 100);
    let second = session_with(2, |s| {
        s.created_at = 200;
        s.intent.user = *first.user();
    });
    let other = session_with(3, |s| s.created_at = 200);
    for session in [&first, &second, &other] {
        ledger.open_session(session).await.expect("opens");
    }
    ledger.reject_session(second.id, SessionReason::CapMismatch).await.expect("rejects");
    let (user, merchant) = (*first.user(), first.intent.recipient);
    let counts = async |user: Pubkey, recipient: Pubkey, since| {
        let opened: Openings = ledger.opened_since(&user, &recipient, since, NOW).await.expect("counts");
        let Openings { by_user, for_recipient, by_all, .. } = opened;
        // Nobody here has credit.
        assert_eq!((opened.for_recipient_by_newcomers, opened.by_newcomers), (for_recipient, by_all));
        [by_user, for_recipient, by_all].map(|opened: OpeningCount| (opened.count, opened.first))
    };
    // The second came to nothing before anything was signed for it: it counts against its user only.
    assert_eq!(counts(user, merchant, 100).await, [(2, Some(100)), (1, Some(100)), (2, Some(100))]);
    assert_eq!(counts(user, second.intent.recipient, 101).await, [(1, Some(200)), (0, None), (1, Some(200))]);
    assert_eq!(counts(user, other.intent.recipient, 101).await, [(1, Some(200)), (1, Some(200)), (1, Some(200))]);
    assert_eq!(counts(user, merchant, 201).await, [(0, None); 3]);
    assert_eq!(counts(key(1, 1), key(1, 1), 0).await, [(0, None), (0, None), (2, Some(100))]);
    // Where something was signed it may have cost us.
    let signed_for = session_with(4, |s| s.created_at = 200);
    ledger.open_session(&signed_for).await.expect("opens");
    let approve = ledger
        .plan_other(settlement_id(4), Purpose::Approve, Subject::Session(signed_for.id), NOW)
        .await
        .expect("plans");
    signed(ledger, &approve, 1).await;
    ledger.reject_session(signed_for.id, SessionReason::ApproveSubmitFailed).await.expect("rejects");
    assert_eq!(counts(user, signed_for.intent.recipient, 101).await, [(1, Some(200)), (1, Some(200)), (2, Some(200))]);
}

pub(crate) async fn a_session_that_is_not_there_is_an_inconsistency(ledger: &dyn Ledger) {
    let nobody = session_id(1);
    assert!(matches!(
        ledger.mark_open(nobody, CapCheck::Verified, &approve(1), &[]).await,
        Err(LedgerError::Inconsistent(_))
    ));
    assert!(matches!(
        ledger.reject_session(nobody, SessionReason::CapMismatch).await,
        Err(LedgerError::Inconsistent(_))
    ));
}
