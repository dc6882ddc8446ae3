//! What is booked for signed attempts, and the limits it is held to.

use crate::ledger::build::{
    NOW, absent, amount, approve, attempt, failed, held, in_flight, key, landed, opened, payment, planned, recorded,
    refused, session_with, settlement_id, signature, signed,
};
use sotto::{
    domain::{
        budget::{BudgetSubject, Budgets, OverBudget, Part, Scope, Spending},
        funding::NewBound,
        session::{CapCheck, Session},
        settlement::{Attempt, Cost, Event, Purpose, Settlement, Subject},
    },
    ledger::{Ledger, LedgerError, Opened, OpeningCount, Proved, Signed},
};

/// What an attempt of these tests costs.
const COST: Cost = Cost { fee: 10_000, rent: 2_000_000, grant: 7 };
const TOTAL: u64 = COST.total();
/// A fee that is not worth counting.
const TINY: Cost = Cost { fee: 1, rent: 0, grant: 0 };

async fn limit(ledger: &dyn Ledger, scope: Scope, part: Part, lamports: u64) {
    ledger.set_budgets(&Budgets::default().with(scope, part, lamports)).await.expect("sets");
}

/// Holds, plans and signs payment `number` at `now`.
async fn sign_at(ledger: &dyn Ledger, session: &Session, number: u32, cost: Cost, now: u64) -> Signed {
    held(ledger, &payment(session.id, number, 1)).await;
    let settlement = planned(ledger, session.id, number).await;
    let attempt = Attempt { cost, ..attempt(&settlement, number) };
    ledger.record_signed(&settlement, attempt, now).await.expect("answers")
}

async fn sign(ledger: &dyn Ledger, session: &Session, number: u32) -> Signed {
    sign_at(ledger, session, number, COST, NOW).await
}

fn over(signed: Signed) -> OverBudget {
    match signed {
        Signed::OverBudget(over) => over,
        Signed::Recorded { settlement, .. } => panic!("it was recorded: {settlement:?}"),
    }
}

fn in_flight_of(signed: Signed) -> Settlement {
    signed.recorded().expect("is within the budget").0
}

/// How much more a subject may cost, by asking.
async fn headroom(ledger: &dyn Ledger, session: &Session) -> u64 {
    let fits = async |fee| {
        let cost = Cost { fee, ..Cost::default() };
        ledger.over_budget(&BudgetSubject::of(session), cost, NOW).await.expect("answers").is_none()
    };
    let (mut low, mut high) = (0, 100 * TOTAL);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if fits(middle).await { low = middle } else { high = middle - 1 }
    }
    low
}

pub(crate) async fn a_signed_attempt_counts_until_it_is_proved_dead(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    limit(ledger, Scope::Hour, Part::Total, 10 * TOTAL).await;
    let [one, two, three, four] = [1, 2, 3, 4].map(|number| (number, &session));
    let mut flying = Vec::new();
    for (number, session) in [one, two, three, four] {
        flying.push(in_flight_of(sign(ledger, session, number).await));
    }
    assert_eq!(headroom(ledger, &session).await, 6 * TOTAL, "in flight counts in full");
    recorded(ledger, &flying[0], absent()).await;
    assert_eq!(headroom(ledger, &session).await, 7 * TOTAL, "proved dead no longer counts");
    recorded(ledger, &flying[1], landed()).await;
    assert_eq!(headroom(ledger, &session).await, 7 * TOTAL, "landed goes on counting");
    recorded(ledger, &flying[2], refused()).await;
    recorded(ledger, &flying[3], failed()).await;
    assert_eq!(headroom(ledger, &session).await, 9 * TOTAL - 2 * COST.fee, "an error costs the fee alone");
    let again = signed(ledger, &ledger.load_work(flying[0].id).await.expect("reads").settlement, 5).await.0;
    recorded(ledger, &again, landed()).await;
    assert_eq!(headroom(ledger, &session).await, 8 * TOTAL - 2 * COST.fee);
}

pub(crate) async fn what_a_budget_refuses_leaves_no_trace_and_may_be_signed_later(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    limit(ledger, Scope::Hour, Part::Total, TOTAL - 1).await;
    held(ledger, &payment(session.id, 1, 1)).await;
    let settlement = planned(ledger, session.id, 1).await;
    let refused = ledger.record_signed(&settlement, attempt(&settlement, 1), NOW).await.expect("answers");
    let expected = OverBudget { scope: Scope::Hour, part: Part::Total, fee_fits: true, retry_after: None };
    assert_eq!(over(refused), expected);
    let work = ledger.load_work(settlement.id).await.expect("reads");
    assert_eq!((work.settlement, work.attempt), (settlement.clone(), None));
    assert_eq!(ledger.spending(0).await.ok(), Some(vec![]));
    let stale = Settlement { sequence: 9, ..settlement.clone() };
    let raced = ledger.record_signed(&stale, attempt(&stale, 1), NOW).await;
    assert!(matches!(raced, Err(LedgerError::LostRace)), "who lost the race is told that first");
    limit(ledger, Scope::Hour, Part::Total, TOTAL).await;
    signed(ledger, &settlement, 1).await;
    ledger.set_budgets(&Budgets::default()).await.expect("sets");
    in_flight_of(sign(ledger, &session, 2).await);
}

pub(crate) async fn drivers_that_sign_together_never_pass_a_limit_together(ledger: &dyn Ledger) {
    const FIT: usize = 5;
    let session = opened(ledger, 1).await;
    limit(ledger, Scope::MerchantHour, Part::Total, FIT as u64 * TOTAL).await;
    let mut plans = Vec::new();
    for number in 1..=20 {
        held(ledger, &payment(session.id, number, 1)).await;
        plans.push(planned(ledger, session.id, number).await);
    }
    let signing = (1..).zip(&plans).map(|(number, plan)| ledger.record_signed(plan, attempt(plan, number), NOW));
    let answers = futures_util::future::join_all(signing).await;
    let recorded = answers.into_iter().filter_map(|answer| answer.expect("answers").recorded()).count();
    assert_eq!(recorded, FIT);
    assert_eq!(headroom(ledger, &session).await, 0);
}

pub(crate) async fn each_scope_counts_its_own(ledger: &dyn Ledger) {
    let first = opened(ledger, 1).await;
    let same_user = session_with(2, |s| s.intent.user = *first.user());
    let same_merchant = session_with(3, |s| s.intent.recipient = first.intent.recipient);
    for session in [&same_user, &same_merchant] {
        ledger.open_session(session).await.expect("opens");
        ledger.mark_open(session.id, CapCheck::Verified, &approve(90), &[]).await.expect("opens");
    }
    let stranger = opened(ledger, 4).await;
    in_flight_of(sign(ledger, &first, 1).await);
    let sessions = [&first, &same_user, &same_merchant, &stranger];
    for (scope, counts) in [
        (Scope::Session, [true, false, false, false]),
        (Scope::UserHour, [true, true, false, false]),
        (Scope::UserDay, [true, true, false, false]),
        (Scope::MerchantHour, [true, false, true, false]),
        (Scope::Hour, [true; 4]),
        (Scope::Day, [true; 4]),
        (Scope::Settlement, [false; 4]),
    ] {
        limit(ledger, scope, Part::Total, TOTAL).await;
        let mut stopped = [false; 4];
        for (session, stopped) in sessions.iter().zip(&mut stopped) {
            let over = ledger.over_budget(&BudgetSubject::of(session), TINY, NOW).await.expect("answers");
            assert!(over.is_none_or(|over| over.scope == scope));
            *stopped = over.is_some();
        }
        assert_eq!(stopped, counts, "{scope:?}");
    }
    limit(ledger, Scope::Settlement, Part::Total, TOTAL + 1).await;
    let in_flight = in_flight_of(sign(ledger, &stranger, 2).await);
    let reserved = recorded(ledger, &in_flight, failed()).await;
    let again = ledger.record_signed(&reserved, attempt(&reserved, 3), NOW).await.expect("answers");
    assert_eq!(over(again).scope, Scope::Settlement, "all attempts of a settlement count together");
}

pub(crate) async fn rent_and_grants_have_limits_of_their_own(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    limit(ledger, Scope::Hour, Part::Rent, COST.rent).await;
    in_flight_of(sign(ledger, &session, 1).await);
    let second = over(sign(ledger, &session, 2).await);
    assert_eq!((second.part, second.fee_fits), (Part::Rent, true));
    assert!(second.retry_after.is_some());
    in_flight_of(sign_at(ledger, &session, 3, TINY, NOW).await);
    limit(ledger, Scope::UserDay, Part::Grant, COST.grant).await;
    assert_eq!(over(sign(ledger, &session, 4).await).part, Part::Grant);
    limit(ledger, Scope::Hour, Part::Fee, COST.fee).await;
    let fifth = over(sign(ledger, &session, 5).await);
    assert_eq!((fifth.part, fifth.fee_fits), (Part::Fee, false));
}

pub(crate) async fn what_was_spent_counts_for_an_hour_and_no_longer(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    limit(ledger, Scope::UserHour, Part::Total, TOTAL).await;
    let began = 36_000;
    in_flight_of(sign_at(ledger, &session, 1, COST, began).await);
    let refused = over(sign_at(ledger, &session, 2, COST, began + 10).await);
    assert_eq!(refused.retry_after, Some(3_600 + 300 - 10));
    over(sign_at(ledger, &session, 3, COST, began + 3_600).await);
    in_flight_of(sign_at(ledger, &session, 4, COST, began + 3_600 + 300).await);
    limit(ledger, Scope::Day, Part::Total, 2 * TOTAL).await;
    over(sign_at(ledger, &session, 5, COST, began + 86_400).await);
    in_flight_of(sign_at(ledger, &session, 6, COST, began + 86_400 + 3_600).await);
}

pub(crate) async fn a_landing_that_is_taken_back_counts_in_full_again(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    limit(ledger, Scope::Hour, Part::Total, 10 * TOTAL).await;
    let landing = recorded(ledger, &in_flight_of(sign(ledger, &session, 1).await), landed()).await;
    let back = recorded(ledger, &landing, Event::TakenBack).await;
    assert_eq!(headroom(ledger, &session).await, 9 * TOTAL);
    assert_eq!(ledger.totals(None).await.expect("adds up").fees, 0, "nothing is spent for now");
    recorded(ledger, &back, absent()).await;
    assert_eq!(headroom(ledger, &session).await, 10 * TOTAL);
}

pub(crate) async fn a_rent_that_is_an_upper_bound_is_corrected_once(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    let plan = ledger.plan_other(settlement_id(1), Purpose::CreateRecipient, Subject::Session(session.id), NOW).await;
    let creation = signed(ledger, &plan.expect("plans"), 1).await.0;
    held(ledger, &payment(session.id, 2, 1)).await;
    recorded(ledger, &in_flight(ledger, session.id, 2).await, landed()).await;
    let to_check = async || ledger.rents_to_check(None, 10).await.expect("reads");
    assert_eq!(to_check().await, [], "nothing of it has landed");
    ledger.correct_rent(&signature(1), 5).await.expect("does nothing");
    let landing = recorded(ledger, &creation, landed()).await;
    let waiting: Vec<_> = to_check().await.iter().map(|attempt| attempt.get().signature).collect();
    assert_eq!(waiting, [signature(1)], "a capture's allowances are what they are");
    assert_eq!(ledger.rents_to_check(Some(creation.id), 10).await.ok(), Some(vec![]), "nothing comes after it");
    assert_eq!(ledger.rents_to_check(Some(settlement_id(0)), 10).await.expect("reads").len(), 1);
    assert_eq!(ledger.rents_to_check(None, 0).await.ok(), Some(vec![]));
    ledger.correct_rent(&signature(1), 0).await.expect("corrects");
    assert_eq!(to_check().await, []);
    ledger.correct_rent(&signature(1), 5).await.expect("does nothing");
    ledger.correct_rent(&signature(2), 5).await.expect("does nothing");
    let totals = ledger.totals(None).await.expect("adds up");
    assert_eq!((totals.fees, totals.rent), (2 * COST.fee, COST.rent), "the creation found the account there");
    let back = recorded(ledger, &landing, Event::TakenBack).await;
    recorded(ledger, &back, landed()).await;
    assert_eq!(to_check().await.len(), 1, "it landed anew, so it is asked anew");
}

pub(crate) async fn spending_is_told_by_hour_purpose_and_merchant(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    let merchant = Some(session.intent.recipient);
    for (number, at) in [(1, 3_600), (2, 7_199), (3, 7_200), (4, 7_300)] {
        let settlement = in_flight_of(sign_at(ledger, &session, number, COST, at).await);
        match number {
            1 | 2 => recorded(ledger, &settlement, landed()).await,
            3 => recorded(ledger, &settlement, absent()).await,
            _ => continue,
        };
    }
    let probe = ledger.plan_other(settlement_id(9), Purpose::Probe, Subject::Own, NOW).await.expect("plans");
    signed(ledger, &probe, 9).await;
    let twice = Cost { fee: 20_000, rent: 4_000_000, grant: 14 };
    let (capture, nothing) = (Purpose::Capture, Cost::default());
    let row = |hour, purpose, recipient, landed, spent, reserved| Spending {
        hour,
        purpose,
        recipient,
        landed,
        spent,
        reserved,
    };
    let first = row(0, Purpose::Probe, None, 0, nothing, COST);
    let second = row(3_600, capture, merchant, 2, twice, nothing);
    let third = row(7_200, capture, merchant, 0, nothing, COST);
    assert_eq!(ledger.spending(0).await.ok(), Some(vec![first, second, third]));
    assert_eq!(ledger.spending(7_200).await.ok(), Some(vec![third]));
    assert_ne!(merchant, Some(key(0, 0)));
}

pub(crate) async fn grants_to_a_user_count_from_their_signing_until_they_are_proved_dead(ledger: &dyn Ledger) {
    let approve = async |number: u32, now: u64, grant: u64| {
        let session = session_with(number, |session| {
            session.intent.user = key(23, 1);
            session.created_at = now;
        });
        assert!(matches!(ledger.open_session(&session).await, Ok(Opened::New(_))));
        let planned =
            ledger.plan_other(settlement_id(number), Purpose::Approve, Subject::Session(session.id), now).await;
        let settlement = planned.expect("plans");
        let attempt = Attempt { cost: Cost { grant, ..TINY }, ..attempt(&settlement, number) };
        in_flight_of(ledger.record_signed(&settlement, attempt, now).await.expect("answers"))
    };
    let counted = async |since| ledger.granted_since(&key(23, 1), since).await.expect("counts");
    assert_eq!(counted(0).await, OpeningCount::default());
    approve(1, 50_000, 7).await;
    approve(2, 60_000, 0).await;
    let third = approve(3, 70_000, 7).await;
    assert_eq!(counted(0).await, OpeningCount { count: 2, first: Some(50_000) });
    assert_eq!(counted(50_001).await, OpeningCount { count: 1, first: Some(70_000) });
    recorded(ledger, &third, absent()).await;
    assert_eq!(counted(50_001).await, OpeningCount::default(), "it never landed");
    assert_eq!(ledger.granted_since(&key(23, 2), 0).await.expect("counts"), OpeningCount::default());
}

pub(crate) async fn a_grant_that_nothing_proved_counts_whatever_is_proved_later(ledger: &dyn Ledger) {
    let unproven = async |since| ledger.unproven_grants_since(since).await.expect("counts");
    let granted = async |number: u32, now: u64| {
        let session = session_with(number, |session| session.created_at = now);
        assert!(matches!(ledger.open_session(&session).await, Ok(Opened::New(_))));
        if number < 3 {
            ledger.mark_unproven_grant(session.id).await.expect("marks");
        }
        assert_eq!(unproven(now).await, OpeningCount::default(), "it is not booked yet");
        let subject = Subject::Session(session.id);
        let planned = ledger.plan_other(settlement_id(number), Purpose::Approve, subject, now).await;
        let settlement = planned.expect("plans");
        let attempt = Attempt { cost: Cost { grant: 7, ..TINY }, ..attempt(&settlement, number) };
        in_flight_of(ledger.record_signed(&settlement, attempt, now).await.expect("answers"));
        session
    };
    let first = granted(1, 50_000).await;
    granted(2, 60_000).await;
    granted(3, 70_000).await;
    assert_eq!(unproven(0).await, OpeningCount { count: 2, first: Some(50_000) }, "the third was proved");
    let bound = NewBound {
        user: *first.user(),
        asset: first.intent.asset,
        amount: amount(5),
        handle: 7,
        slot: 100,
        anchor: None,
        now: 80_000,
    };
    assert!(matches!(ledger.prove_funding(&bound).await, Ok(Proved::Counts(_))));
    assert_eq!(
        unproven(0).await,
        OpeningCount { count: 2, first: Some(50_000) },
        "what it proves later changes nothing"
    );
    assert_eq!(unproven(50_001).await, OpeningCount { count: 1, first: Some(60_000) });
}
