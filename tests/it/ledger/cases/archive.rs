//! Payments of sessions that ended long ago move to the archive, and are told as before.

use super::history::story;
use crate::ledger::build::{
    NOW, amount, content, held, hold_id, in_flight, landed, opened, payment, recorded, session_id, settlement_id,
};
use sotto::{
    domain::{
        history::{Cursor, Position},
        hold::{HoldState, NewHold},
        reason::PayReason,
        session::SessionId,
        settlement::Event,
    },
    ledger::{Archived, Held, Ledger},
};

/// After everything that these tests do.
const LATER: u64 = NOW + 1;

/// Another session has the newest rows, which stay.
async fn others_go_on(ledger: &dyn Ledger, number: u32) {
    let other = opened(ledger, number).await.id;
    held(ledger, &payment(other, 1_000 + number, 1)).await;
}

/// Everything that can be asked of the payments with these numbers and the settlements with these, as text.
async fn told(ledger: &dyn Ledger, session: SessionId, payments: &[u32], settlements: &[u32]) -> Vec<String> {
    let mut told = Vec::new();
    for number in payments {
        told.push(format!("{:?}", ledger.find_hold(hold_id(*number)).await));
        told.push(format!("{:?}", ledger.find_payment(session, &format!("payment-{number}")).await));
        told.push(format!("{:?}", ledger.payment_times(hold_id(*number)).await));
        told.push(format!("{:?}", ledger.landed_slot(hold_id(*number)).await));
    }
    for number in settlements {
        told.push(format!("{:?}", ledger.holds_of(settlement_id(*number)).await));
    }
    let start = Cursor::from(Position { log: 0, holds: 0 });
    let history = ledger.history(session, start, 10_000).await.expect("reads");
    told.push(format!("{:?} {:?}", history.events, history.upto.position));
    told.push(format!("{:?}", ledger.newest_position(session).await));
    told.push(format!("{:?}", ledger.session(session).await));
    told.push(format!("{:?} {:?}", ledger.totals(Some(session)).await, ledger.totals(None).await));
    assert!(told.iter().all(|line| !line.contains("Err(")), "{told:#?}");
    told
}

pub(crate) async fn what_is_archived_is_told_as_before(ledger: &dyn Ledger) {
    let (session, _) = story(ledger).await;
    assert_eq!(ledger.archive_one(LATER).await.ok(), Some(None), "the newest rows are this session's");
    others_go_on(ledger, 3).await;
    let before = told(ledger, session, &[1, 2, 3, 4, 77], &[1, 2]).await;
    let moved = ledger.archive_one(LATER).await.expect("moves");
    assert_eq!(moved, Some(Archived { session, payments: 4 }));
    assert_eq!(told(ledger, session, &[1, 2, 3, 4, 77], &[1, 2]).await, before);
    ledger.audit().await.expect("is consistent");
    assert_eq!(ledger.archive_one(LATER).await.ok(), Some(None), "once");
}

pub(crate) async fn a_payment_of_an_archived_session_is_known_and_no_other_is_taken(ledger: &dyn Ledger) {
    let (session, _) = story(ledger).await;
    others_go_on(ledger, 3).await;
    assert!(ledger.archive_one(LATER).await.expect("moves").is_some());
    let known = ledger.hold(&payment(session, 3, 30)).await.expect("answers");
    assert!(matches!(&known, Held::Repeat(hold) if hold.id == hold_id(3)), "{known:?}");
    let other = NewHold { content: content(99), ..payment(session, 3, 30) };
    assert_eq!(ledger.hold(&other).await.expect("answers"), Held::NonceConflict, "another payment with its nonce");
    let new = ledger.hold(&payment(session, 99, 7)).await.expect("answers");
    assert_eq!(new, Held::Refused(PayReason::SessionNotOpen));
    let known = ledger.find_payment(session, "payment-3").await.expect("reads").expect("is there");
    assert!(matches!(known.state, HoldState::Captured { .. }), "{known:?}");
    assert!(!ledger.claim_success(hold_id(3), None).await.expect("answers"), "it is never told for the first time");
}

pub(crate) async fn what_lives_or_holds_or_is_recent_stays(ledger: &dyn Ledger) {
    let (open, holding) = (opened(ledger, 1).await.id, opened(ledger, 2).await.id);
    held(ledger, &payment(open, 1, 1)).await;
    held(ledger, &payment(holding, 2, 1)).await;
    let landed = recorded(ledger, &in_flight(ledger, holding, 1).await, landed()).await;
    ledger.close_session(holding).await.expect("closes");
    let (recent, _) = (opened(ledger, 4).await.id, opened(ledger, 5).await);
    held(ledger, &payment(recent, 4, 1)).await;
    ledger.end_wait(hold_id(4), PayReason::SettlementExpired).await.expect("releases");
    ledger.close_session(recent).await.expect("closes");
    others_go_on(ledger, 3).await;
    assert_eq!(ledger.archive_one(NOW).await.ok(), Some(None), "they were made and paid just now");
    assert_eq!(ledger.archive_one(LATER).await.ok(), Some(Some(Archived { session: recent, payments: 1 })));
    assert_eq!(ledger.archive_one(LATER).await.ok(), Some(None), "one is open, and one is not final");
    recorded(ledger, &landed, Event::Finalised).await;
    others_go_on(ledger, 6).await;
    assert_eq!(ledger.archive_one(LATER).await.ok(), Some(Some(Archived { session: holding, payments: 1 })));
    let open = ledger.session(session_id(1)).await.expect("reads").expect("is there");
    assert_eq!(open.held, amount(1));
}

pub(crate) async fn many_payments_of_one_settlement_move_in_pieces(ledger: &dyn Ledger) {
    const MANY: u32 = 600;
    let session = opened(ledger, 1).await.id;
    for number in 0..MANY {
        held(ledger, &payment(session, number, 1)).await;
    }
    let landed = recorded(ledger, &in_flight(ledger, session, 1).await, landed()).await;
    recorded(ledger, &landed, Event::Finalised).await;
    ledger.close_session(session).await.expect("closes");
    others_go_on(ledger, 3).await;
    let before = told(ledger, session, &[0, 511, 512, 599], &[1]).await;
    let moved = ledger.archive_one(LATER).await.expect("moves");
    assert_eq!(moved, Some(Archived { session, payments: MANY.into() }));
    assert_eq!(told(ledger, session, &[0, 511, 512, 599], &[1]).await, before);
}
