//! What is paid whatever is used up, and what is not paid for again and again (ADR 0062, 0063, 0064).

use super::{
    channels::{channel, close_id, drawn, ends, in_flight, lands, opened, opens, plan},
    delegations::{self, PLENTY, confirm, confirms, grants, issues, leave},
};
use crate::ledger::build::{NOW, amount, key, landed, recorded};
use sotto::{
    domain::{
        budget::{Budgets, Part, Scope},
        clock::DAY,
        mpp::{
            caps::{CapRow, Caps},
            channel::{
                ChannelState, EndReason,
                plan::{ChannelPlan, NotOpened},
            },
            choices::Backend,
            delegation::{ConfirmPlan, GrantPlan, IssuePlan, IssuedKind, OnboardBar},
            reason::ChargeReason,
        },
        settlement::{Event, Purpose, Settlement},
    },
    ledger::{ChannelOpened, Ledger, OnboardRecorded, WasIssued},
};

/// Nothing is left of these.
async fn used_up(ledger: &dyn Ledger, scopes: &[Scope]) {
    let none_left = scopes.iter().fold(Budgets::default(), |budgets, scope| budgets.with(*scope, Part::Total, 1));
    ledger.set_budgets(&none_left).await.expect("sets");
}

pub(crate) async fn a_debt_is_booked_and_no_budget_refuses_it(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    opened(ledger, 1, 1, 1_000).await;
    drawn(ledger, 1, 40).await.expect("drawn");
    used_up(ledger, &[Scope::NewcomersHour, Scope::NewcomersDay, Scope::Hour, Scope::Day]).await;
    let further = opens(ledger, &plan(1, 2, 1_000)).await;
    assert!(matches!(further, ChannelOpened::Refused(NotOpened::OverBudget(_))), "{further:?}");
    let (_, planned) = ends(ledger, 1, 1).await;
    lands(ledger, &planned.expect("planned"), 3_100).await;
    assert_eq!(channel(ledger, 1).await.state, ChannelState::Closed);
    let booked = ledger.spending(0).await.expect("reads");
    assert!(booked.iter().any(|row| row.purpose == Purpose::MppClose), "{booked:?}");
}

pub(crate) async fn a_known_wallet_onboards_when_strangers_have_used_up_their_budget(ledger: &dyn Ledger) {
    used_up(ledger, &[Scope::NewcomersHour, Scope::NewcomersDay]).await;
    assert_eq!(issues(ledger, &delegations::plan(1, 1)).await, WasIssued::Issued);
    let told = confirms(ledger, &confirm(1, PLENTY), 1, NOW).await;
    assert!(matches!(told, OnboardRecorded::OverBudget(_)), "{told:?}");
    let listed = ConfirmPlan { is_listed: true, ..confirm(1, PLENTY) };
    let told = confirms(ledger, &listed, 1, NOW).await;
    assert!(matches!(told, OnboardRecorded::Recorded(..)), "{told:?}");
}

pub(crate) async fn what_is_planned_counts_once_it_is_signed(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    opened(ledger, 1, 1, 1_000).await;
    drawn(ledger, 1, 40).await.expect("drawn");
    let planned = ends(ledger, 1, 1).await.1.expect("planned");
    let payer = |payer| CapRow { global: 0, seller: 0, payer };
    let capped = |number, settle, concurrency| {
        let mut capped: ChannelPlan = plan(1, number, 100);
        capped.sponsored.caps = Caps { settle, concurrency, ..capped.sponsored.caps };
        capped
    };
    let barred = async |plan: &ChannelPlan, reason| {
        let told = opens(ledger, plan).await;
        assert!(matches!(&told, ChannelOpened::Refused(NotOpened::Barred(bar)) if bar.reason == reason), "{told:?}");
    };
    // The grant and the anchor were signed, the settlement was not.
    let ChannelOpened::New(_, second) = opens(ledger, &capped(2, payer(3), payer(1))).await else { panic!("barred") };
    lands(ledger, &second, 3_002).await;
    barred(&capped(3, payer(3), payer(0)), ChargeReason::PayerSettleCap).await;
    let flying = in_flight(ledger, &planned, 3_100).await;
    barred(&capped(3, payer(4), payer(0)), ChargeReason::PayerSettleCap).await;
    barred(&capped(3, payer(5), payer(1)), ChargeReason::PayerConcurrencyCap).await;
    recorded(ledger, &flying, landed()).await;
    let ChannelOpened::New(..) = opens(ledger, &capped(3, payer(5), payer(1))).await else { panic!("barred") };
}

pub(crate) async fn a_leave_gives_something_back_and_is_paid_for_a_few_times_a_day(ledger: &dyn Ledger) {
    let leaves = |number: u32| leave(1, number, &format!("nonce-{number:02}"), 1);
    assert_eq!(issues(ledger, &delegations::plan(1, 1)).await, WasIssued::Issued);
    assert_eq!(issues(ledger, &leaves(2)).await, WasIssued::Issued);
    assert_eq!(confirms(ledger, &confirm(2, PLENTY), 2, NOW).await, OnboardRecorded::NothingGranted);
    let grant = Some(GrantPlan::New(delegations::terms(1, 1, 900)));
    delegations::lands(ledger, &IssuePlan { grant, ..delegations::plan(1, 3) }, 3).await;
    for number in 4..9 {
        delegations::lands(ledger, &leaves(number), number).await;
    }
    assert_eq!(issues(ledger, &leaves(9)).await, WasIssued::Issued);
    let bar = OnboardBar::Leaves { again_in: DAY - NOW % DAY };
    assert_eq!(confirms(ledger, &confirm(9, PLENTY), 9, NOW).await, OnboardRecorded::Barred(bar));
    // Of what all share they have used nothing: one onboarding has, and strangers have half.
    let global = |global| CapRow { global, seller: 0, payer: 0 };
    let caps = Caps { settle: global(4), concurrency: global(2), ..confirm(1, PLENTY).caps };
    assert_eq!(issues(ledger, &delegations::plan(2, 20)).await, WasIssued::Issued);
    let told = confirms(ledger, &ConfirmPlan { caps, ..confirm(20, PLENTY) }, 20, NOW).await;
    assert!(matches!(told, OnboardRecorded::Recorded(..)), "{told:?}");
}

pub(crate) async fn the_rent_of_a_swig_is_lent_once(ledger: &dyn Ledger) {
    let swig = |number| IssuePlan {
        backend: Backend::Swig,
        kind: IssuedKind::CreateSwig,
        grant: None,
        ..delegations::plan(1, number)
    };
    delegations::lands(ledger, &swig(1), 1).await;
    assert_eq!(issues(ledger, &swig(2)).await, WasIssued::Issued);
    let told = confirms(ledger, &confirm(2, PLENTY), 2, NOW).await;
    assert_eq!(told, OnboardRecorded::Barred(OnboardBar::SwigLent));
}

pub(crate) async fn an_ended_channel_is_paid_in_part_a_few_times_and_with_no_dust(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    opened(ledger, 1, 1, 1_000).await;
    drawn(ledger, 1, 400).await.expect("drawn");
    let account = key(43, 1);
    ledger.end_channels_of(&account, EndReason::Balance, NOW + 5).await.expect("answers");
    let shares = async |available, close| {
        let planned = ledger.plan_shares(&account, amount(available), vec![close_id(close)], amount(50), NOW).await;
        planned.expect("answers")
    };
    let finished = async |planned: &Settlement, number| {
        let settlement = lands(ledger, planned, number).await;
        recorded(ledger, &settlement, Event::Finalised).await;
    };
    assert_eq!(shares(49, 1).await, [], "it is not worth its fee");
    for part in 1..=3 {
        finished(&shares(50, part).await[0], 3_100 + part).await;
        assert_eq!(channel(ledger, 1).await.parts, part);
    }
    assert_eq!(shares(249, 4).await, [], "it has had its parts");
    let rest = shares(250, 4).await;
    assert_eq!(rest[0].amount, amount(250), "what pays everything always is");
    finished(&rest[0], 3_104).await;
    let closed = channel(ledger, 1).await;
    assert_eq!((closed.state, closed.money.settled, closed.parts), (ChannelState::Closed, amount(400), 3));
}
