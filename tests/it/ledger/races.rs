//! Many at once: the rules hold in whatever order the verbs arrive.

use super::build::{
    CAP, NOW, amount, approve, content, fixture, held, hold_id, in_flight, key, landed, opened, payment, recorded,
    session_with, settlement_id,
};
use crate::support::{
    Engine,
    engine::{cases, each_engine},
};
use futures_util::future::join_all;
use sotto::{
    domain::{
        amount::Amount,
        approval::LandedApprove,
        hold::{HoldState, NewHold},
        reason::{PayReason, SessionReason},
    },
    ledger::{Carry, Deadline, Held, Ledger, OpenedOnApproval},
};
use std::{collections::BTreeSet, sync::Arc};

each_engine! { cases
    no_crowd_passes_a_cap,
    no_crowd_of_openings_takes_more_than_was_approved,
    one_nonce_asked_by_many_is_one_payment,
    one_pending_answer_is_taken_over_by_one_of_many,
    success_is_told_to_one_of_many,
    a_hold_is_planned_once_or_released_never_both,
}

/// Runs one verb many times on as many tasks and threads, and gathers the answers.
async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    ledger: &Arc<dyn Ledger>,
    numbers: std::ops::Range<u32>,
    verb: impl Fn(Arc<dyn Ledger>, u32) -> F,
) -> Vec<T> {
    let tasks: Vec<_> = numbers.map(|number| tokio::spawn(verb(Arc::clone(ledger), number))).collect();
    join_all(tasks).await.into_iter().map(|answer| answer.expect("no panic")).collect()
}

async fn no_crowd_passes_a_cap(engine: Engine) {
    let fixture = fixture(engine).await;
    let ledger = &fixture.ledger;
    let session = opened(ledger.as_ref(), 1).await.id;
    let answers = at_once(ledger, 0..400, move |ledger, number| async move {
        ledger.hold(&payment(session, number, 7)).await.expect("answers")
    })
    .await;
    let mut spent = BTreeSet::new();
    for answer in answers {
        match answer {
            Held::New(hold) => assert!(spent.insert(hold.spent_after.get()), "two holds saw the same sum"),
            other => assert_eq!(other, Held::Refused(PayReason::CapExceeded)),
        }
    }
    assert_eq!(spent, (1..=CAP / 7).map(|n| n * 7).collect(), "every sum on the way was told once");
    ledger.audit().await.expect("consistent");
}

/// As on two instances, which share no lock: each task is one, and the ledger alone decides.
async fn no_crowd_of_openings_takes_more_than_was_approved(engine: Engine) {
    let fixture = fixture(engine).await;
    let ledger = &fixture.ledger;
    let user = key(23, 1);
    let approve = LandedApprove { amount: Amount::new(100), ..approve(500) };
    ledger.land_approval(&user, &key(20, 0), &approve).await.expect("lands");
    let answers = at_once(ledger, 0..40, move |ledger, number| async move {
        let session = session_with(number, |session| {
            session.intent.user = user;
            (session.intent.cap, session.intent.approved) = (amount(7), Some(amount(100)));
            session.approve = Some(approve.signature);
        });
        ledger.open_on_approval(&session, 1_000).await.expect("answers")
    })
    .await;
    let refused = OpenedOnApproval::Refused(SessionReason::ApprovalExhausted);
    assert_eq!(answers.iter().filter(|answer| **answer == refused).count(), 40 - 14);
    let standing = ledger.current_approval(&user, &key(20, 0)).await.expect("answers").expect("stands");
    assert_eq!((standing.live, standing.taken), (14, amount(98)));
    ledger.audit().await.expect("consistent");
}

async fn one_nonce_asked_by_many_is_one_payment(engine: Engine) {
    let fixture = fixture(engine).await;
    let ledger = &fixture.ledger;
    let session = opened(ledger.as_ref(), 1).await.id;
    let answers = at_once(ledger, 0..60, move |ledger, number| async move {
        let same = NewHold { id: hold_id(number), ..payment(session, 1, 10) };
        ledger.hold(&same).await.expect("answers")
    })
    .await;
    let new = answers.iter().filter(|answer| matches!(answer, Held::New(_))).count();
    let ids: BTreeSet<_> = answers
        .iter()
        .map(|answer| match answer {
            Held::New(hold) | Held::Repeat(hold) => hold.id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!((new, ids.len()), (1, 1));
    ledger.audit().await.expect("consistent");
}

async fn one_pending_answer_is_taken_over_by_one_of_many(engine: Engine) {
    let fixture = fixture(engine).await;
    let ledger = &fixture.ledger;
    let session = opened(ledger.as_ref(), 1).await.id;
    let nameless = move |number| NewHold { nonce: None, content: content(1), ..payment(session, number, 1) };
    held(ledger.as_ref(), &nameless(1)).await;
    in_flight(ledger.as_ref(), session, 1).await;
    ledger.end_wait(hold_id(1), PayReason::SettlementExpired).await.expect("answers");
    let answers =
        at_once(
            ledger,
            10..50,
            move |ledger, number| async move { ledger.hold(&nameless(number)).await.expect("answers") },
        )
        .await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Held::Repeat(_))).count(), 1);
    ledger.audit().await.expect("consistent");
}

async fn success_is_told_to_one_of_many(engine: Engine) {
    let fixture = fixture(engine).await;
    let ledger = &fixture.ledger;
    let session = opened(ledger.as_ref(), 1).await.id;
    held(ledger.as_ref(), &payment(session, 1, 1)).await;
    let settlement = in_flight(ledger.as_ref(), session, 1).await;
    recorded(ledger.as_ref(), &settlement, landed()).await;
    let claims = at_once(ledger, 0..40, |ledger, _| async move { ledger.claim_success(hold_id(1), None).await }).await;
    assert_eq!(claims.iter().filter(|claim| matches!(claim, Ok(true))).count(), 1);
}

async fn a_hold_is_planned_once_or_released_never_both(engine: Engine) {
    let fixture = fixture(engine).await;
    let ledger = &fixture.ledger;
    let session = opened(ledger.as_ref(), 1).await.id;
    for number in 0..60 {
        held(ledger.as_ref(), &payment(session, number, 1)).await;
    }
    let plans = at_once(ledger, 0..20, move |ledger, number| async move {
        ledger.plan_settlement(settlement_id(number), session, Carry::up_to(amount(4)), NOW).await.expect("answers")
    });
    let ends = at_once(ledger, 0..60, |ledger, number| async move {
        ledger.end_wait(hold_id(number), PayReason::SettlementExpired).await.expect("answers")
    });
    let (plans, ends) = tokio::join!(plans, ends);
    let released = ends.iter().filter(|end| matches!(end, Deadline::Released)).count();
    for (number, end) in (0..).zip(ends) {
        let hold = ledger.find_hold(hold_id(number)).await.expect("reads").expect("is there");
        match (end, hold.state) {
            (Deadline::Released, HoldState::Released { .. }) | (Deadline::Pending(_), HoldState::Planned { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    let covered: u64 = plans.iter().flatten().map(|settlement| settlement.amount.get()).sum();
    assert_eq!(covered + released as u64, 60);
    assert_eq!(ledger.session(session).await.ok().flatten().map(|s| s.held.get()), Some(covered));
    assert_eq!(ledger.waiting_sessions().await.ok(), Some(vec![]));
    assert!(ledger.totals(None).await.is_ok_and(|totals| totals.captured == Amount::ZERO));
    ledger.audit().await.expect("consistent");
}
