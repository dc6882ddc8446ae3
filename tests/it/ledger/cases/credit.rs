//! What is spent for payers who have earned nothing yet, and how credit is earned.

use crate::ledger::build::{
    absent, amount, approve, attempt, held, key, payment, recorded, session_with, settlement_id, signature,
};
use sotto::{
    domain::{
        amount::Amount,
        budget::{Budgets, OverBudget, Part, Scope},
        clock::DAY,
        funding::NewBound,
        hold::NewHold,
        session::{CapCheck, Session},
        settlement::{Attempt, Cost, Event, Settlement},
    },
    ledger::{Carry, Ledger, Opened, Proved, Signed},
};

const COST: Cost = Cost { fee: 10_000, rent: 0, grant: 0 };
/// Room for two transactions and no third.
const TWO: u64 = 2 * COST.total() + 1;

/// A moment of this day since the epoch.
const fn on(day: u64) -> u64 {
    day * DAY + 60
}

async fn limit(ledger: &dyn Ledger, scope: Scope) {
    ledger.set_budgets(&Budgets::default().with(scope, Part::Total, TWO)).await.expect("sets");
}

/// An open session that lasts for a month.
async fn opened(ledger: &dyn Ledger, number: u32) -> Session {
    let session = session_with(number, |session| session.intent.expires_at = on(30));
    assert!(matches!(ledger.open_session(&session).await, Ok(Opened::New(_))));
    ledger.mark_open(session.id, CapCheck::Verified, &approve(number), &[]).await.expect("opens")
}

/// The payer proves more than they will pay.
async fn proves(ledger: &dyn Ledger, session: &Session, day: u64) {
    let bound = NewBound {
        user: *session.user(),
        asset: session.intent.asset,
        amount: amount(900),
        handle: u128::from(day) << 64 | 7,
        slot: 1_000 * day,
        anchor: Some(signature(900)),
        now: on(day),
    };
    assert!(matches!(ledger.prove_funding(&bound).await, Ok(Proved::Counts(_))));
}

/// Holds payment `number` at this moment, plans it and asks for its signature.
async fn signs(ledger: &dyn Ledger, session: &Session, number: u32, at: u64) -> Signed {
    held(ledger, &NewHold { now: at, ..payment(session.id, number, 1) }).await;
    let plan = ledger.plan_settlement(settlement_id(number), session.id, Carry::up_to(Amount::MAX), at).await;
    let settlement = plan.expect("plans").expect("something waits");
    let attempt = Attempt { cost: COST, ..attempt(&settlement, number) };
    ledger.record_signed(&settlement, attempt, at).await.expect("answers")
}

fn fits(signed: Signed) -> Settlement {
    signed.recorded().expect("is within every budget").0
}

fn over(signed: Signed) -> OverBudget {
    match signed {
        Signed::OverBudget(over) => over,
        Signed::Recorded { settlement, .. } => panic!("it was recorded: {settlement:?}"),
    }
}

/// A payment that lands on this day.
async fn pays(ledger: &dyn Ledger, session: &Session, number: u32, day: u64) {
    let mut settlement = fits(signs(ledger, session, number, on(day)).await);
    for event in [Event::Landed { slot: 1_000 * day + 1 }, Event::Finalised] {
        settlement = ledger.record(&settlement, event, &[], on(day)).await.expect("records");
    }
}

/// An open session whose payer has earned credit: proved payments landed on three days.
pub(crate) async fn earned(ledger: &dyn Ledger, number: u32) -> Session {
    let session = opened(ledger, number).await;
    for day in 1..=3 {
        proves(ledger, &session, day).await;
        pays(ledger, &session, 100 * number + u32::try_from(day).expect("is small"), day).await;
    }
    session
}

pub(crate) async fn a_payer_without_a_proof_has_a_small_start(ledger: &dyn Ledger) {
    let (session, stranger) = (opened(ledger, 1).await, opened(ledger, 2).await);
    limit(ledger, Scope::UnprovenUserHour).await;
    let first = fits(signs(ledger, &session, 1, on(1)).await);
    fits(signs(ledger, &session, 2, on(1)).await);
    let refused = over(signs(ledger, &session, 3, on(1)).await);
    assert_eq!((refused.scope, refused.fee_fits), (Scope::UnprovenUserHour, false));
    assert!(refused.retry_after.is_some_and(|seconds| seconds > 3_000));
    fits(signs(ledger, &stranger, 4, on(1)).await);
    proves(ledger, &session, 1).await;
    fits(signs(ledger, &session, 5, on(1)).await);
    recorded(ledger, &first, absent()).await;
    let work = ledger.load_work(settlement_id(3)).await.expect("reads").settlement;
    let again = Attempt { cost: COST, ..attempt(&work, 6) };
    fits(ledger.record_signed(&work, again, on(1)).await.expect("answers"));
}

pub(crate) async fn payers_without_credit_share_a_part_and_leave_the_rest_to_others(ledger: &dyn Ledger) {
    let regular = opened(ledger, 1).await;
    for (number, day) in [(11, 1), (12, 2), (13, 3)] {
        proves(ledger, &regular, day).await;
        pays(ledger, &regular, number, day).await;
    }
    let strangers = [opened(ledger, 2).await, opened(ledger, 3).await, opened(ledger, 4).await];
    assert!(strangers.iter().all(|session| session.user() != &key(1, 1)));
    for (scope, day) in [(Scope::NewcomersHour, 5), (Scope::NewcomersDay, 7)] {
        limit(ledger, scope).await;
        let number = |which: u32| u32::try_from(day).expect("is small") * 10 + which;
        fits(signs(ledger, &strangers[0], number(1), on(day)).await);
        fits(signs(ledger, &strangers[1], number(2), on(day)).await);
        assert_eq!(over(signs(ledger, &strangers[2], number(3), on(day)).await).scope, scope);
        proves(ledger, &strangers[2], day).await;
        assert_eq!(
            over(signs(ledger, &strangers[2], number(4), on(day)).await).scope,
            scope,
            "a proof alone is no credit"
        );
        fits(signs(ledger, &regular, number(5), on(day)).await);
    }
}

pub(crate) async fn credit_is_earned_on_three_days_by_what_is_proved(ledger: &dyn Ledger) {
    let [unproven, hasty, lately] = [opened(ledger, 1).await, opened(ledger, 2).await, opened(ledger, 3).await];
    for (day, number) in [(2, 20), (3, 30), (4, 40)] {
        pays(ledger, &unproven, number, day).await;
        proves(ledger, &lately, day).await;
        pays(ledger, &lately, number + 1, day).await;
    }
    proves(ledger, &hasty, 1).await;
    for number in 11..14 {
        pays(ledger, &hasty, number, 1).await;
    }
    limit(ledger, Scope::NewcomersHour).await;
    let later = on(4) + 7_200;
    for number in 51..53 {
        fits(signs(ledger, &opened(ledger, number).await, number, later).await);
    }
    for (session, number) in [(&unproven, 61), (&hasty, 62), (&lately, 63)] {
        assert_eq!(over(signs(ledger, session, number, later).await).scope, Scope::NewcomersHour);
    }
    let next_day = on(5);
    for number in 71..73 {
        fits(signs(ledger, &opened(ledger, number).await, number, next_day).await);
    }
    assert_eq!(over(signs(ledger, &unproven, 73, next_day).await).scope, Scope::NewcomersHour);
    fits(signs(ledger, &lately, 74, next_day).await);
}
