//! Revokes that we pay for: few, one at a time, and only of what no session needs.

use crate::ledger::build::{
    END, NOW, abandoned, absent, amount, approve, attempt, content, held, in_flight, key, landed, opened, payment,
    recorded, refused, session_with, settlement_id, signature,
};
use sotto::{
    domain::{
        approval::LandedApprove,
        budget::{Budgets, Part, Scope},
        clock::{DAY, HOUR},
        reason::SessionReason,
        revocation::{Revocation, RevocationBar, RevocationKey, RevocationLimits, RevocationPlan, RevocationState},
        session::{CapCheck, Session, SessionState},
        settlement::{Attempt, Cost, Event, Purpose, RevocationId, Settlement, State, Subject},
    },
    ledger::{Ledger, Opened, RevocationRecorded, Work},
};
use uuid::Uuid;

/// More than any case needs.
const PLENTY: RevocationLimits = RevocationLimits {
    of_user_per_day: 100,
    recorded_of_user_per_day: 100,
    in_flight: 100,
    of_newcomers_in_flight: 100,
    of_newcomers_per_hour: 100,
};

fn revocation_id(number: u32) -> RevocationId {
    RevocationId(Uuid::from_u128(u128::from(number) << 64 | 8))
}

/// A wallet whose one session is over.
async fn ended(ledger: &dyn Ledger, number: u32) -> Session {
    let session = opened(ledger, number).await;
    ledger.close_session(session.id).await.expect("closes")
}

fn plan(session: &Session, number: u32, limits: RevocationLimits) -> RevocationPlan {
    RevocationPlan {
        id: revocation_id(number),
        settlement: settlement_id(number),
        user: *session.user(),
        asset: session.intent.asset,
        signed: content(number),
        limits,
    }
}

fn first_attempt(number: u32) -> Attempt {
    let settlement = Settlement {
        id: settlement_id(number),
        purpose: Purpose::Revoke,
        subject: Subject::Revocation(revocation_id(number)),
        amount: amount(0),
        state: State::Reserved,
        sequence: 1,
        attempts: 0,
        signature: None,
        landed_at: None,
        held: None,
    };
    Attempt { cost: Cost { fee: 10_000, rent: 0, grant: 0 }, ..attempt(&settlement, number) }
}

async fn revokes(ledger: &dyn Ledger, plan: &RevocationPlan, number: u32, now: u64) -> RevocationRecorded {
    ledger.record_revocation(plan, first_attempt(number), now).await.expect("answers")
}

/// Records a revoke that nothing bars.
async fn revoked(ledger: &dyn Ledger, session: &Session, number: u32, now: u64) -> (Revocation, Work) {
    match revokes(ledger, &plan(session, number, PLENTY), number, now).await {
        RevocationRecorded::Recorded(revocation, work) => (*revocation, *work),
        other => panic!("not recorded: {other:?}"),
    }
}

async fn bar(ledger: &dyn Ledger, session: &Session, limits: RevocationLimits, now: u64) -> Option<RevocationBar> {
    let asked = ledger.revocation_bar(session.user(), &session.intent.asset, limits, now).await.expect("answers");
    if let Some(bar) = asked {
        let told = revokes(ledger, &plan(session, 999, limits), 999, now).await;
        assert_eq!(told, RevocationRecorded::Barred(bar), "what decides says the same");
    }
    asked
}

pub(crate) async fn a_revoke_comes_back_as_it_was_written(ledger: &dyn Ledger) {
    let session = ended(ledger, 1).await;
    let (revocation, work) = revoked(ledger, &session, 7, NOW).await;
    assert_eq!((revocation.state, revocation.transaction), (RevocationState::OnItsWay, signature(7)));
    assert_eq!((revocation.user, revocation.asset), (*session.user(), session.intent.asset));
    assert_eq!(work.settlement.subject, Subject::Revocation(revocation_id(7)));
    assert_eq!(work.attempt.as_ref().map(|attempt| attempt.get().clone()), Some(first_attempt(7)));
    for key in [RevocationKey::Id(revocation_id(7)), RevocationKey::Signed(content(7))] {
        assert_eq!(ledger.find_revocation(&key).await.expect("reads"), Some(revocation.clone()));
    }
    assert_eq!(ledger.find_revocation(&RevocationKey::Signed(content(8))).await.expect("reads"), None);
    assert_eq!(ledger.unfinished().await.expect("reads"), std::slice::from_ref(&work));
    // One signed message is one revoke, whatever it is sent as.
    let again = revokes(ledger, &RevocationPlan { signed: content(7), ..plan(&session, 8, PLENTY) }, 8, NOW).await;
    assert_eq!(again, RevocationRecorded::Known(Box::new(revocation)));
    let now = recorded(ledger, &work.settlement, landed()).await;
    let found = ledger.find_revocation(&RevocationKey::Signed(content(7))).await.expect("reads").expect("is there");
    assert_eq!((now.state, found.state), (State::Landed, RevocationState::Landed));
    let spent = ledger.spending(0).await.expect("reads");
    let [row] = spent.as_slice() else { panic!("{spent:?}") };
    assert_eq!((row.purpose, row.recipient, row.landed, row.spent.total()), (Purpose::Revoke, None, 1, 10_000));
}

pub(crate) async fn nothing_is_revoked_that_a_session_needs(ledger: &dyn Ledger) {
    let nobody = session_with(9, |_| ());
    assert_eq!(bar(ledger, &nobody, PLENTY, NOW).await, Some(RevocationBar::NoSession));
    // Opening, open, and closing with something held.
    let opening = session_with(1, |_| ());
    assert!(matches!(ledger.open_session(&opening).await, Ok(Opened::New(_))));
    assert_eq!(bar(ledger, &opening, PLENTY, NOW).await, Some(RevocationBar::InUse));
    ledger.reject_session(opening.id, SessionReason::CapMismatch).await.expect("rejects");
    assert_eq!(bar(ledger, &opening, PLENTY, NOW).await, None, "what came to nothing needs nothing");
    let open = opened(ledger, 2).await;
    assert_eq!(bar(ledger, &open, PLENTY, NOW).await, Some(RevocationBar::InUse));
    held(ledger, &payment(open.id, 1, 10)).await;
    ledger.close_session(open.id).await.expect("closes");
    assert_eq!(bar(ledger, &open, PLENTY, NOW).await, Some(RevocationBar::InUse), "it is closing");
    // Expired, and what was promised is still held.
    let expired = opened(ledger, 3).await;
    held(ledger, &payment(expired.id, 2, 10)).await;
    ledger.expire_sessions(END).await.expect("expires");
    assert_eq!(bar(ledger, &expired, PLENTY, NOW).await, Some(RevocationBar::InUse), "it holds something");
    // One that is over does not hide one that is not; another asset's is nothing to this one.
    let other = session_with(4, |session| {
        session.intent.user = *opening.user();
        session.intent.asset = key(20, 7);
    });
    assert!(matches!(ledger.open_session(&other).await, Ok(Opened::New(_))));
    assert_eq!(bar(ledger, &opening, PLENTY, NOW).await, None);
    assert_eq!(bar(ledger, &other, PLENTY, NOW).await, Some(RevocationBar::InUse));
}

pub(crate) async fn nothing_opens_while_a_revoke_is_on_its_way(ledger: &dyn Ledger) {
    let session = ended(ledger, 1).await;
    let (_, work) = revoked(ledger, &session, 1, NOW).await;
    assert_eq!(bar(ledger, &session, PLENTY, NOW).await, Some(RevocationBar::OnItsWay), "one at a time");
    let next = session_with(2, |next| next.intent.user = *session.user());
    let refused = ledger.open_session(&next).await.expect("answers");
    assert_eq!(refused, Opened::RevokeOnItsWay, "whatever lock was forgotten");
    let others = session_with(3, |_| ());
    assert!(matches!(ledger.open_session(&others).await, Ok(Opened::New(_))));
    recorded(ledger, &work.settlement, landed()).await;
    assert!(matches!(ledger.open_session(&next).await, Ok(Opened::New(_))));
    ledger.mark_open(next.id, CapCheck::Verified, &approve(90), &[]).await.expect("opens");
    assert_eq!(bar(ledger, &session, PLENTY, NOW).await, Some(RevocationBar::InUse));
}

pub(crate) async fn a_wallet_is_paid_one_revoke_a_day_and_none_that_cost_nothing(ledger: &dyn Ledger) {
    let once = RevocationLimits { of_user_per_day: 1, ..PLENTY };
    let session = ended(ledger, 1).await;
    let (_, work) = revoked(ledger, &session, 1, NOW).await;
    // Proved absent, it has cost nothing.
    let gone = recorded(ledger, &work.settlement, absent()).await;
    let gone = recorded(ledger, &gone, abandoned()).await;
    assert_eq!(gone.state, State::Released);
    assert_eq!(bar(ledger, &session, once, NOW).await, None);
    let (_, work) = revoked(ledger, &session, 2, NOW + 10).await;
    recorded(ledger, &work.settlement, refused()).await;
    // One that landed with an error has cost its fee.
    let again_in = DAY + 1;
    assert_eq!(bar(ledger, &session, once, NOW + 10).await, Some(RevocationBar::TooMany { again_in }));
    assert_eq!(bar(ledger, &session, once, NOW + 10 + again_in).await, None);
    let other = ended(ledger, 2).await;
    assert_eq!(bar(ledger, &other, once, NOW + 10).await, None, "another wallet's day is its own");
}

pub(crate) async fn revokes_that_come_to_nothing_are_few_a_day(ledger: &dyn Ledger) {
    let few = RevocationLimits { recorded_of_user_per_day: 3, ..PLENTY };
    let (session, other) = (ended(ledger, 1).await, ended(ledger, 2).await);
    for number in 1..=3 {
        assert_eq!(bar(ledger, &session, few, NOW + 10).await, None);
        let (_, work) = revoked(ledger, &session, number, NOW + u64::from(number)).await;
        let gone = recorded(ledger, &work.settlement, absent()).await;
        assert_eq!(recorded(ledger, &gone, abandoned()).await.state, State::Released);
    }
    let again_in = DAY + 1 - 9;
    assert_eq!(bar(ledger, &session, few, NOW + 10).await, Some(RevocationBar::TooMany { again_in }));
    assert_eq!(bar(ledger, &session, few, NOW + 10 + again_in).await, None);
    assert_eq!(bar(ledger, &other, few, NOW + 10).await, None, "another wallet's day is its own");
}

pub(crate) async fn nothing_is_revoked_before_what_landed_is_final(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let transfer = recorded(ledger, &in_flight(ledger, session.id, 1).await, landed()).await;
    // Closing it would wait.
    ledger.expire_sessions(END).await.expect("expires");
    let expired = ledger.session(session.id).await.expect("reads").expect("is there");
    assert_eq!((expired.state, expired.held), (SessionState::Expired, amount(0)));
    assert_eq!(bar(ledger, &session, PLENTY, NOW).await, Some(RevocationBar::NotFinal));
    let few = RevocationLimits { of_user_per_day: 0, ..PLENTY };
    let told = bar(ledger, &session, few, NOW).await;
    assert!(
        matches!(told, Some(RevocationBar::TooMany { .. })),
        "what finality would not change is told first: {told:?}"
    );
    recorded(ledger, &transfer, Event::Finalised).await;
    assert_eq!(bar(ledger, &session, PLENTY, NOW).await, None);
}

/// Guards: the slots in `revoked_by` and `standing`. An approve that landed after the revoke stands.
pub(crate) async fn a_revoke_that_is_final_late_takes_no_newer_approve_along(ledger: &dyn Ledger) {
    let session = ended(ledger, 1).await;
    let (user, asset) = (session.user(), &session.intent.asset);
    let standing = async || {
        let current = ledger.current_approval(user, asset).await.expect("reads");
        current.map(|approval| approval.signature)
    };
    for (number, landed_slot, stands) in [(1, 211, true), (2, 210, false)] {
        let (_, work) = revoked(ledger, &session, number, NOW).await;
        let settlement = recorded(ledger, &work.settlement, landed()).await;
        let newer = LandedApprove { slot: landed_slot, ..approve(900 + number) };
        ledger.land_approval(user, asset, &newer).await.expect("lands");
        // Told before it is final, too: on chain nobody may spend by the one that was revoked.
        let listed = ledger.standing_approvals(user).await.expect("reads");
        let listed: Vec<_> = listed.into_iter().map(|approval| approval.signature).collect();
        assert_eq!(listed, Vec::from_iter(stands.then_some(newer.signature)));
        assert_eq!(standing().await, Some(newer.signature), "a fork may take the revoke back");
        recorded(ledger, &settlement, Event::Finalised).await;
        assert_eq!(standing().await, stands.then_some(newer.signature), "landed in {landed_slot}, the revoke in 210");
    }
}

pub(crate) async fn strangers_leave_places_to_wallets_with_credit(ledger: &dyn Ledger) {
    let limits = RevocationLimits { in_flight: 3, of_newcomers_in_flight: 2, of_newcomers_per_hour: 2, ..PLENTY };
    let (honest, at) = (with_credit(ledger, 50).await, 40 * DAY);
    let [first, second, third, fourth] =
        [ended(ledger, 1).await, ended(ledger, 2).await, ended(ledger, 3).await, ended(ledger, 4).await];
    let (_, one) = revoked(ledger, &first, 1, at).await;
    let (_, two) = revoked(ledger, &second, 2, at + 5).await;
    let per_hour = RevocationLimits { of_newcomers_per_hour: 100, ..limits };
    assert!(
        matches!(bar(ledger, &third, per_hour, at + 5).await, Some(RevocationBar::TooMany { .. })),
        "two of them are on their way"
    );
    assert_eq!(bar(ledger, &honest, limits, at + 5).await, None, "the third place is for who has credit");
    for work in [one, two] {
        recorded(ledger, &work.settlement, landed()).await;
    }
    assert_eq!(bar(ledger, &third, per_hour, at + 5).await, None, "what has landed has left its place");
    let again_in = HOUR - 5 + 1;
    assert_eq!(bar(ledger, &fourth, limits, at + 5).await, Some(RevocationBar::TooMany { again_in }), "their hour");
    assert_eq!(bar(ledger, &honest, limits, at + 5).await, None);
    let (_, paid) = revoked(ledger, &honest, 3, at + 6).await;
    recorded(ledger, &paid.settlement, landed()).await;
}

pub(crate) async fn a_budget_that_strangers_used_up_pays_a_wallet_with_credit(ledger: &dyn Ledger) {
    let (honest, at) = (with_credit(ledger, 50).await, 40 * DAY);
    let [first, second] = [ended(ledger, 1).await, ended(ledger, 2).await];
    let budgets =
        Budgets::default().with(Scope::NewcomersHour, Part::Total, 15_000).with(Scope::Hour, Part::Total, 1_000_000);
    ledger.set_budgets(&budgets).await.expect("sets");
    revoked(ledger, &first, 1, at).await;
    let RevocationRecorded::OverBudget(over) = revokes(ledger, &plan(&second, 2, PLENTY), 2, at).await else {
        panic!("strangers' share is used up")
    };
    assert_eq!(over.scope, Scope::NewcomersHour);
    assert_eq!(ledger.find_revocation(&RevocationKey::Id(revocation_id(2))).await.expect("reads"), None, "no trace");
    revoked(ledger, &honest, 3, at).await;
}

/// A wallet whose proved payments landed on three days, and whose session is over.
async fn with_credit(ledger: &dyn Ledger, number: u32) -> Session {
    let session = super::credit::earned(ledger, number).await;
    ledger.close_session(session.id).await.expect("closes")
}
