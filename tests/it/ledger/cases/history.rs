//! What happened to a session, in one order from which anybody can read on.

use crate::ledger::build::{
    NOW, amount, held, hold_id, in_flight, landed, opened, payment, planned, recorded, refused, session_id,
    settlement_id, signature,
};
use sotto::{
    domain::{
        history::{Cursor, Happened, PaymentTimes, Position, Progress},
        hold::{Exposure, GiveUp, NewHold},
        reason::PayReason,
        session::{Delegation, SessionId, SessionState},
        settlement::Event,
    },
    ledger::Ledger,
};

const START: Position = Position { log: 0, holds: 0 };

fn deferred(session: SessionId, number: u32, units: u64) -> NewHold {
    let limits = Exposure::shared(amount(1_000), amount(2_000));
    NewHold { deferred: Some(limits), ..payment(session, number, units) }
}

/// Everything after a position, read in pieces of `most`.
async fn told(ledger: &dyn Ledger, session: SessionId, after: Position, most: usize) -> Vec<Happened> {
    let (mut all, mut after) = (Vec::new(), Cursor::from(after));
    loop {
        let read = ledger.history(session, after, most).await.expect("reads");
        let done = read.events.len() < most;
        let last = read.events.last().filter(|_| !done).map(|(position, _)| *position);
        assert_eq!(last, (!done).then_some(read.upto.position));
        all.extend(read.events.into_iter().map(|(_, happened)| happened));
        after = read.upto;
        if done {
            return all;
        }
    }
}

fn accepted(number: u32, units: u64, deferred: bool) -> Happened {
    Happened::Accepted { payment: hold_id(number), amount: amount(units), deferred, at: NOW }
}

fn settlement(number: u32, progress: Progress, signed: bool, payments: &[u32], kept: &[u32]) -> Happened {
    Happened::Settlement {
        id: settlement_id(number),
        progress,
        transaction: signed.then(|| signature(number)),
        payments: payments.iter().map(|number| hold_id(*number)).collect(),
        kept: kept.iter().map(|number| hold_id(*number)).collect(),
        at: NOW,
    }
}

/// A session's whole story, and what is to be told of it.
pub(crate) async fn story(ledger: &dyn Ledger) -> (SessionId, Vec<Happened>) {
    let (session, other) = (opened(ledger, 1).await.id, opened(ledger, 2).await.id);
    held(ledger, &deferred(session, 1, 30)).await;
    held(ledger, &payment(other, 100, 1)).await;
    held(ledger, &payment(session, 2, 5)).await;
    recorded(ledger, &in_flight(ledger, session, 1).await, refused()).await;
    held(ledger, &payment(session, 3, 7)).await;
    let second = recorded(ledger, &in_flight(ledger, session, 2).await, landed()).await;
    let second = recorded(ledger, &second, Event::TakenBack).await;
    let second = recorded(ledger, &second, landed()).await;
    in_flight(ledger, other, 3).await;
    recorded(ledger, &second, Event::Finalised).await;
    held(ledger, &payment(session, 4, 2)).await;
    ledger.end_wait(hold_id(4), PayReason::SettlementExpired).await.expect("releases");
    ledger.close_session(session).await.expect("closes");
    ledger
        .give_up(session, GiveUp { returns: 1, age_seconds: u64::MAX, delegation: Delegation::Public })
        .await
        .expect("gives up");
    let failed = Progress::Failed(PayReason::OnchainTransferFailed);
    let ended =
        |number, lost, reason, transaction| Happened::Ended { payment: hold_id(number), lost, reason, transaction };
    let expected = vec![
        Happened::State(SessionState::Open),
        accepted(1, 30, true),
        accepted(2, 5, false),
        settlement(1, Progress::Signed, true, &[2, 1], &[]),
        settlement(1, failed, true, &[2], &[1]),
        accepted(3, 7, false),
        settlement(2, Progress::Signed, true, &[3], &[]),
        settlement(2, Progress::Landed, true, &[3], &[]),
        settlement(2, Progress::TakenBack, true, &[3], &[]),
        settlement(2, Progress::Landed, true, &[3], &[]),
        settlement(2, Progress::Final, true, &[3], &[]),
        accepted(4, 2, false),
        ended(4, false, PayReason::SettlementExpired, None),
        Happened::State(SessionState::Closing),
        ended(1, true, PayReason::OnchainTransferFailed, Some(signature(1))),
        Happened::State(SessionState::Closed),
    ];
    (session, expected)
}

pub(crate) async fn everything_that_happens_is_told_in_its_order(ledger: &dyn Ledger) {
    let (session, expected) = story(ledger).await;
    assert_eq!(told(ledger, session, START, 100).await, expected);
}

pub(crate) async fn a_listener_reads_on_from_any_position(ledger: &dyn Ledger) {
    let (session, expected) = story(ledger).await;
    for most in [1, 2, 3, 5] {
        assert_eq!(told(ledger, session, START, most).await, expected, "in pieces of {most}");
    }
    let all = ledger.history(session, START.into(), 100).await.expect("reads").events;
    for (index, (position, _)) in all.iter().enumerate() {
        assert_eq!(told(ledger, session, *position, 100).await, expected[index + 1..], "after {position:?}");
    }
}

pub(crate) async fn the_end_is_after_everything(ledger: &dyn Ledger) {
    assert_eq!(ledger.newest_position(session_id(1)).await.ok(), Some(START), "before there is such a session");
    let (session, expected) = story(ledger).await;
    let end = ledger.newest_position(session).await.expect("reads");
    assert_eq!(told(ledger, session, end, 10).await, []);
    let other = opened(ledger, 3).await.id;
    let begun = ledger.newest_position(other).await.expect("reads");
    held(ledger, &payment(other, 9, 1)).await;
    assert_eq!(told(ledger, other, begun, 10).await, [accepted(9, 1, false)]);
    assert_eq!(told(ledger, session, end, 10).await, [], "another session's story is not told");
    assert_eq!(ledger.newest_position(session).await.ok(), Some(end), "and does not move this one's end");
    let read = ledger.history(session, START.into(), 100).await.expect("reads");
    assert_eq!(
        (read.events.len(), read.upto.position),
        (expected.len(), end),
        "what was read to its end goes on from there"
    );
}

pub(crate) async fn a_payments_times_are_those_of_its_settlement(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await.id;
    held(ledger, &payment(session, 1, 30)).await;
    let times = async |number| ledger.payment_times(hold_id(number)).await.expect("reads");
    assert_eq!(times(1).await, PaymentTimes::default());
    let settlement = in_flight(ledger, session, 1).await;
    let settlement = ledger.record(&settlement, landed(), &[], NOW + 5).await.expect("lands");
    assert_eq!(times(1).await, PaymentTimes { captured_at: Some(NOW + 5), ..PaymentTimes::default() });
    let settlement = ledger.record(&settlement, Event::TakenBack, &[], NOW + 6).await.expect("forks");
    assert_eq!(times(1).await, PaymentTimes::default(), "it is not captured any more");
    let settlement = ledger.record(&settlement, landed(), &[], NOW + 7).await.expect("lands");
    ledger.record(&settlement, Event::Finalised, &[], NOW + 9).await.expect("is final");
    let expected = PaymentTimes { captured_at: Some(NOW + 7), settled_at: Some(NOW + 9), failed_at: None };
    assert_eq!(times(1).await, expected);
    held(ledger, &payment(session, 2, 30)).await;
    let settlement = planned(ledger, session, 2).await;
    ledger.record(&settlement, crate::ledger::build::abandoned(), &[], NOW + 11).await.expect("fails");
    assert_eq!(times(2).await, PaymentTimes { failed_at: Some(NOW + 11), ..PaymentTimes::default() });
}
