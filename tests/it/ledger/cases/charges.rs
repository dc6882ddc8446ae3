//! Charges: a message is one for ever, its success is told once, and who is sponsored is counted (`spec/mpp.md` §2, §10).

use super::{channels, delegations};
use crate::ledger::build::{
    NOW, abandoned, absent, amount, attempt, content, key, landed, recorded, refused, settlement_id, signature,
};
use sotto::{
    domain::{
        budget::{Budgets, Part, Scope},
        clock::DAY,
        mpp::{
            caps::{CapRow, Caps, SponsorBar, Sponsored},
            channel::plan::NotOpened,
            reason::ChargeReason,
            recorded_charge::{ChargeClaimant, ChargePlan, ChargeState, KEPT_SECONDS, KeyHash, RecordedCharge},
        },
        settlement::{Attempt, ChargeId, Cost, Event, Purpose, Settlement, State, Subject},
        single_payment::CallerHash,
    },
    ledger::{ChannelOpened, ChargeClaim, ChargeRecorded, IssuerClaim, Ledger, Work},
};
use uuid::Uuid;

/// What one of these costs, in lamports.
const FEE: u64 = 10_001;
/// No caps at all.
const NONE: Caps = Caps {
    verify: CapRow { global: 0, seller: 0, payer: 0 },
    settle: CapRow { global: 0, seller: 0, payer: 0 },
    concurrency: CapRow { global: 0, seller: 0, payer: 0 },
    stranger_day_lamports: 0,
};

fn charge_id(number: u32) -> ChargeId {
    ChargeId(Uuid::from_u128(u128::from(number) << 64 | 5))
}

fn claimant(caller: u8, key: Option<&str>) -> ChargeClaimant {
    ChargeClaimant { caller: CallerHash([caller; 16]), key: key.map(KeyHash::of) }
}

/// A charge of 100 units between these two, from an account that holds 1,000.
fn plan_of(number: u32, payer: u32, seller: u32, caps: Caps) -> ChargePlan {
    let (payer, recipient) = (key(40, payer), key(41, seller));
    ChargePlan {
        id: charge_id(number),
        settlement: settlement_id(number),
        message: content(number),
        payer,
        recipient,
        asset: key(20, 0),
        amount: amount(100),
        source: payer,
        destination: recipient,
        fee_payer: key(43, 0),
        held: (amount(1_000), 50),
        claimant: claimant(1, Some("the first key of all")),
        sponsored: Sponsored {
            payer,
            seller: Some(recipient),
            payer_is_listed: false,
            seller_is_listed: false,
            lamports: FEE,
            caps,
        },
    }
}

fn plan(number: u32) -> ChargePlan {
    plan_of(number, number, number, NONE)
}

fn first_attempt(plan: &ChargePlan, number: u32) -> Attempt {
    let settlement = Settlement {
        id: plan.settlement,
        purpose: Purpose::MppCharge,
        subject: Subject::Charge(plan.id),
        amount: plan.amount,
        state: State::Reserved,
        sequence: 1,
        attempts: 0,
        signature: None,
        landed_at: None,
        held: None,
    };
    Attempt { cost: Cost { fee: FEE, rent: 0, grant: 0 }, ..attempt(&settlement, number) }
}

async fn tries(ledger: &dyn Ledger, plan: &ChargePlan, number: u32, now: u64) -> ChargeRecorded {
    ledger.record_charge(plan, first_attempt(plan, number), now).await.expect("answers")
}

async fn charged_at(ledger: &dyn Ledger, plan: &ChargePlan, number: u32, now: u64) -> (RecordedCharge, Work) {
    match tries(ledger, plan, number, now).await {
        ChargeRecorded::Recorded(charge, work) => (*charge, *work),
        other => panic!("not recorded: {other:?}"),
    }
}

async fn charged(ledger: &dyn Ledger, number: u32) -> (RecordedCharge, Work) {
    charged_at(ledger, &plan(number), number, NOW).await
}

async fn found(ledger: &dyn Ledger, number: u32) -> RecordedCharge {
    ledger.find_charge(&content(number)).await.expect("reads").expect("is there")
}

/// The word of the cap that bars it.
async fn barred(ledger: &dyn Ledger, plan: &ChargePlan, number: u32, now: u64) -> ChargeReason {
    let told = ledger.sponsor_bar(&plan.sponsored, now).await.expect("answers");
    let recorded = tries(ledger, plan, number, now).await;
    let ChargeRecorded::Barred(bar) = recorded else { panic!("not barred: {recorded:?}") };
    assert_eq!(told, Some(bar), "what is asked before is what decides");
    assert!(bar.again_in > 0);
    bar.reason
}

pub(crate) async fn a_charge_comes_back_as_it_was_written(ledger: &dyn Ledger) {
    let (charge, work) = charged(ledger, 1).await;
    let plan = plan(1);
    assert_eq!((charge.state, charge.told, charge.is_verified), (ChargeState::OnItsWay, None, false));
    assert_eq!((charge.payer, charge.recipient, charge.amount), (plan.payer, plan.recipient, plan.amount));
    assert_eq!((charge.signature, charge.first, charge.fee_payer), (signature(1), plan.claimant, plan.fee_payer));
    assert_eq!((work.settlement.purpose, work.settlement.subject), (Purpose::MppCharge, Subject::Charge(plan.id)));
    assert_eq!(found(ledger, 1).await, charge);
    let spent = ledger.spending(0).await.expect("reads");
    assert_eq!((spent[0].purpose, spent[0].recipient), (Purpose::MppCharge, Some(plan.recipient)));
    assert_eq!(spent[0].reserved.total(), FEE);
}

pub(crate) async fn a_message_is_a_charge_once_for_ever(ledger: &dyn Ledger) {
    let (charge, work) = charged(ledger, 1).await;
    recorded(ledger, &work.settlement, landed()).await;
    let again = ChargePlan { id: charge_id(2), settlement: settlement_id(2), ..plan(1) };
    match tries(ledger, &again, 2, NOW + 1).await {
        ChargeRecorded::Known(known) => assert_eq!(known.id, charge.id),
        other => panic!("twice: {other:?}"),
    }
    assert_eq!(ledger.unfinished().await.expect("reads").len(), 1);
}

pub(crate) async fn a_success_is_told_once_and_to_its_key_again(ledger: &dyn Ledger) {
    let (charge, work) = charged(ledger, 1).await;
    let claims =
        async |claimant: ChargeClaimant, now| ledger.claim_charge(charge.id, &claimant, now).await.expect("answers");
    let (first, stranger) = (claimant(1, None), claimant(9, Some("a stranger's own key")));
    assert_eq!(claims(first, NOW).await, ChargeClaim::NotLanded);
    recorded(ledger, &work.settlement, landed()).await;
    assert_eq!(claims(stranger, NOW).await, ChargeClaim::Kept);
    assert_eq!(claims(claimant(9, None), NOW + KEPT_SECONDS - 1).await, ChargeClaim::Kept);
    let keyed = claimant(8, Some("the first key of all"));
    let ChargeClaim::Granted { slot } = claims(keyed, NOW).await else { panic!("its key comes from anywhere") };
    assert_eq!(found(ledger, 1).await.told.expect("is told").slot, slot);
    assert_eq!(claims(keyed, NOW + DAY).await, ChargeClaim::Granted { slot }, "again");
    for other in [first, stranger, claimant(9, None)] {
        assert_eq!(claims(other, NOW + DAY).await, ChargeClaim::Told);
    }
}

pub(crate) async fn two_minutes_after_its_landing_a_success_is_for_anybody(ledger: &dyn Ledger) {
    let (charge, work) = charged(ledger, 1).await;
    recorded(ledger, &work.settlement, landed()).await;
    let anybody = claimant(9, None);
    let claim = ledger.claim_charge(charge.id, &anybody, NOW + KEPT_SECONDS).await.expect("answers");
    assert!(matches!(claim, ChargeClaim::Granted { .. }), "{claim:?}");
    // Who had no key is told to no key again.
    let again = ledger.claim_charge(charge.id, &anybody, NOW + KEPT_SECONDS).await.expect("answers");
    assert_eq!(again, ChargeClaim::Told);
}

pub(crate) async fn what_came_to_nothing_says_why_and_may_be_found_after_all(ledger: &dyn Ledger) {
    let (first, second) = (charged(ledger, 1).await, charged(ledger, 2).await);
    recorded(ledger, &first.1.settlement, refused()).await;
    assert_eq!(found(ledger, 1).await.state, ChargeState::Failed);
    let settlement = recorded(ledger, &second.1.settlement, absent()).await;
    assert_eq!(found(ledger, 2).await.state, ChargeState::OnItsWay, "not before it is given up");
    recorded(ledger, &settlement, abandoned()).await;
    assert_eq!(found(ledger, 2).await.state, ChargeState::Expired);
    let stats = ledger.charge_stats(5, NOW).await.expect("reads");
    assert_eq!((stats.landed.total, stats.failed.total, stats.newest.len()), (0, 2, 0));

    let landed = ChargeState::Landed { slot: 77 };
    for _ in 0..2 {
        ledger.find_expired_charge(second.0.id, 77, NOW + 5).await.expect("writes");
    }
    assert_eq!((found(ledger, 2).await.state, found(ledger, 2).await.landed_at), (landed, Some(NOW + 5)));
    let stats = ledger.charge_stats(5, NOW + 5).await.expect("reads");
    assert_eq!((stats.landed.total, stats.failed.total, stats.newest.len()), (1, 1, 1), "counted once");
}

pub(crate) async fn a_fork_takes_a_landing_back_with_what_follows_from_it(ledger: &dyn Ledger) {
    let (charge, work) = charged(ledger, 1).await;
    let settlement = recorded(ledger, &work.settlement, landed()).await;
    let ChargeState::Landed { slot } = found(ledger, 1).await.state else { panic!("it landed") };
    ledger.verify_charge(charge.id, slot + 1).await.expect("writes");
    assert!(!found(ledger, 1).await.is_verified, "another slot than it stands in");
    assert_eq!(ledger.unverified_charges(9).await.expect("reads").len(), 1);
    ledger.verify_charge(charge.id, slot).await.expect("writes");
    assert!(found(ledger, 1).await.is_verified && ledger.unverified_charges(9).await.expect("reads").is_empty());
    let settlement = recorded(ledger, &settlement, Event::TakenBack).await;
    let back = found(ledger, 1).await;
    assert_eq!((back.state, back.is_verified, back.landed_at), (ChargeState::OnItsWay, false, None));
    assert_eq!(ledger.charge_stats(5, NOW).await.expect("reads").landed.total, 0);
    let settlement = recorded(ledger, &settlement, landed()).await;
    recorded(ledger, &settlement, Event::Finalised).await;
    assert_eq!(ledger.charge_stats(5, NOW).await.expect("reads").landed.total, 1);
}

pub(crate) async fn what_is_in_flight_is_taken_from_its_source(ledger: &dyn Ledger) {
    let of = |number| ChargePlan { held: (amount(250), 50), ..plan_of(number, 1, number, NONE) };
    let (_, first) = charged_at(ledger, &of(1), 1, NOW).await;
    charged_at(ledger, &of(2), 2, NOW).await;
    assert_eq!(tries(ledger, &of(3), 3, NOW).await, ChargeRecorded::Overdrawn);
    assert_eq!(ledger.taken_from(&of(1).source, 50).await.expect("reads"), amount(200));
    // It landed behind the slot that the account was read in: the reading does not show it.
    let slot = recorded(ledger, &first.settlement, landed()).await.landed_at.expect("it landed");
    assert_eq!(ledger.taken_from(&of(1).source, slot - 1).await.expect("reads"), amount(200));
    assert_eq!(ledger.taken_from(&of(1).source, slot).await.expect("reads"), amount(100));
    let read_later = ChargePlan { held: (amount(250), slot), ..of(3) };
    charged_at(ledger, &read_later, 3, NOW).await;
}

pub(crate) async fn each_cap_has_its_word_and_the_first_is_named(ledger: &dyn Ledger) {
    let row = |global, seller, payer| CapRow { global, seller, payer };
    // Strangers have half of what is shared.
    let settle = Caps { settle: row(4, 4, 1), ..NONE };
    charged_at(ledger, &plan_of(1, 1, 1, settle), 1, NOW).await;
    assert_eq!(barred(ledger, &plan_of(2, 1, 2, settle), 2, NOW).await, ChargeReason::PayerSettleCap);
    charged_at(ledger, &plan_of(2, 2, 1, settle), 2, NOW).await;
    assert_eq!(barred(ledger, &plan_of(3, 3, 3, settle), 3, NOW).await, ChargeReason::GlobalSettleCap);
    let mut known = plan_of(3, 3, 3, settle);
    known.sponsored.payer_is_listed = true;
    charged_at(ledger, &known, 3, NOW).await;
    assert_eq!(barred(ledger, &plan_of(4, 4, 4, settle), 4, NOW).await, ChargeReason::GlobalSettleCap);
    charged_at(ledger, &plan_of(4, 4, 4, settle), 4, NOW + DAY).await;

    let concurrency = |global, seller, payer| Caps { concurrency: row(global, seller, payer), ..NONE };
    for (caps, payer, seller, reason) in [
        (concurrency(8, 0, 0), 9, 9, ChargeReason::GlobalConcurrencyCap),
        (concurrency(0, 4, 0), 9, 1, ChargeReason::SellerConcurrencyCap),
        (concurrency(0, 0, 1), 1, 9, ChargeReason::PayerConcurrencyCap),
    ] {
        let expected = if reason == ChargeReason::GlobalConcurrencyCap { concurrency(6, 0, 0) } else { caps };
        assert_eq!(barred(ledger, &plan_of(9, payer, seller, expected), 9, NOW).await, reason);
    }
    charged_at(ledger, &plan_of(9, 9, 9, concurrency(8, 4, 2)), 9, NOW).await;
}

pub(crate) async fn a_seller_is_counted_by_what_paid_them_and_a_fork_counts_nothing(ledger: &dyn Ledger) {
    let caps = Caps { settle: CapRow { global: 0, seller: 2, payer: 0 }, ..NONE };
    let (_, work) = charged_at(ledger, &plan_of(1, 1, 1, caps), 1, NOW).await;
    charged_at(ledger, &plan_of(2, 2, 1, caps), 2, NOW).await;
    let settlement = recorded(ledger, &work.settlement, landed()).await;
    assert_eq!(barred(ledger, &plan_of(3, 3, 1, caps), 3, NOW).await, ChargeReason::SellerSettleCap);
    charged_at(ledger, &plan_of(4, 4, 2, caps), 4, NOW).await;
    recorded(ledger, &settlement, Event::TakenBack).await;
    charged_at(ledger, &plan_of(3, 3, 1, caps), 3, NOW).await;
}

pub(crate) async fn what_a_stranger_costs_in_a_day_is_bounded_until_they_pay_a_known_seller(ledger: &dyn Ledger) {
    let caps = |most| Caps { stranger_day_lamports: most, ..NONE };
    let of = |number, most| ChargePlan { held: (amount(100_000), 50), ..plan_of(number, 1, number, caps(most)) };
    let mut first = ChargePlan { amount: amount(900), ..of(1, 2 * FEE) };
    first.sponsored.seller_is_listed = true;
    let (_, work) = charged_at(ledger, &first, 1, NOW).await;
    charged_at(ledger, &of(2, 2 * FEE), 2, NOW).await;
    assert_eq!(barred(ledger, &of(3, 2 * FEE), 3, NOW).await, ChargeReason::PayerFeeCap);
    assert_eq!(barred(ledger, &of(3, 3 * FEE - 900), 3, NOW).await, ChargeReason::PayerFeeCap);
    recorded(ledger, &work.settlement, landed()).await;
    // A lamport for each unit that a known seller was paid.
    charged_at(ledger, &of(3, 3 * FEE - 900), 3, NOW).await;
    assert_eq!(barred(ledger, &of(4, 2 * FEE), 4, NOW).await, ChargeReason::PayerFeeCap);
    charged_at(ledger, &of(4, 2 * FEE), 4, NOW + DAY).await;
}

/// A second wallet of the payer's own is paid on as many days as it likes.
pub(crate) async fn who_is_paid_on_many_days_is_no_known_seller(ledger: &dyn Ledger) {
    let caps = |most| Caps { stranger_day_lamports: most, ..NONE };
    for day in 0..4 {
        let number = day + 1;
        let (_, work) = charged_at(ledger, &plan_of(number, number, 9, NONE), number, NOW + u64::from(day) * DAY).await;
        recorded(ledger, &work.settlement, landed()).await;
    }
    let now = NOW + 4 * DAY;
    let (_, work) = charged_at(ledger, &plan_of(11, 11, 9, caps(FEE)), 11, now).await;
    recorded(ledger, &work.settlement, landed()).await;
    let again = ChargePlan { held: (amount(1_000), 60), ..plan_of(12, 11, 9, caps(2 * FEE - 100)) };
    assert_eq!(barred(ledger, &again, 12, now).await, ChargeReason::PayerFeeCap);
}

pub(crate) async fn a_wallet_is_known_by_landings_on_three_days_the_first_three_days_ago(ledger: &dyn Ledger) {
    let caps = Caps { stranger_day_lamports: FEE - 1, ..NONE };
    for day in 0..3 {
        let at = NOW + u64::from(day) * DAY;
        assert_eq!(barred(ledger, &plan_of(99, 1, 1, caps), 99, at).await, ChargeReason::PayerFeeCap, "day {day}");
        let (_, work) = charged_at(ledger, &plan_of(day + 1, 1, 1, NONE), day + 1, at).await;
        recorded(ledger, &work.settlement, landed()).await;
        // What somebody pays to themselves says nothing.
        let own = ChargePlan { destination: key(44, day), recipient: key(40, 2), ..plan_of(day + 10, 2, 2, NONE) };
        let own = ChargePlan { sponsored: Sponsored { seller: Some(own.recipient), ..own.sponsored }, ..own };
        let (_, work) = charged_at(ledger, &own, day + 10, at).await;
        recorded(ledger, &work.settlement, landed()).await;
    }
    let at = NOW + 3 * DAY;
    assert_eq!(barred(ledger, &plan_of(98, 2, 2, caps), 98, at).await, ChargeReason::PayerFeeCap);
    charged_at(ledger, &plan_of(99, 1, 1, caps), 99, at).await;
}

pub(crate) async fn a_payer_whose_transactions_fail_is_not_sponsored_for_an_hour(ledger: &dyn Ledger) {
    for number in 1..=3 {
        let (_, work) = charged_at(ledger, &plan_of(number, 1, number, NONE), number, NOW).await;
        recorded(ledger, &work.settlement, refused()).await;
    }
    assert_eq!(barred(ledger, &plan_of(4, 1, 4, NONE), 4, NOW + 10).await, ChargeReason::PayerSettleCap);
    let bar = ledger.sponsor_bar(&plan_of(4, 1, 4, NONE).sponsored, NOW + 10).await.expect("answers");
    assert_eq!(bar, Some(SponsorBar { reason: ChargeReason::PayerSettleCap, again_in: 3_590 }));
    charged_at(ledger, &plan_of(5, 2, 1, NONE), 5, NOW + 10).await;
    charged_at(ledger, &plan_of(4, 1, 4, NONE), 4, NOW + 3_600).await;
}

pub(crate) async fn a_budget_refuses_a_charge_and_leaves_nothing(ledger: &dyn Ledger) {
    ledger.set_budgets(&Budgets::default().with(Scope::UserHour, Part::Total, FEE - 1)).await.expect("sets");
    let refused = tries(ledger, &plan(1), 1, NOW).await;
    assert!(matches!(&refused, ChargeRecorded::OverBudget(over) if over.scope == Scope::UserHour), "{refused:?}");
    assert_eq!(ledger.find_charge(&content(1)).await.expect("reads"), None);
    ledger.set_budgets(&Budgets::default()).await.expect("sets");
    charged(ledger, 1).await;
}

/// Guard: `backs_channels` and `taken_from` in `open`. What one account holds is set aside once: for channels or for a charge.
pub(crate) async fn an_account_backs_channels_or_pays_charges(ledger: &dyn Ledger) {
    delegations::grants(ledger, 1, 50_000).await;
    let from = |number| ChargePlan { source: key(43, 1), held: (amount(10_000), 50), ..plan(number) };
    let (_, work) = charged_at(ledger, &from(1), 1, NOW).await;
    let refused = channels::opens(ledger, &channels::plan(1, 1, 9_901)).await;
    assert!(matches!(refused, ChannelOpened::Refused(NotOpened::InsufficientBalance)), "100 are on their way");
    channels::opened(ledger, 1, 1, 9_900).await;
    let told = tries(ledger, &from(2), 2, NOW).await;
    assert_eq!(told, ChargeRecorded::BacksChannels);
    assert!(ledger.find_charge(&content(2)).await.expect("reads").is_none());
    recorded(ledger, &work.settlement, landed()).await;
    assert_eq!(channels::drawn(ledger, 1, 40).await, Ok(1));
    let (_, planned) = channels::ends(ledger, 1, 1).await;
    let settled = channels::lands(ledger, &planned.expect("something is owed"), 4_001).await;
    assert_eq!(
        tries(ledger, &from(2), 2, NOW).await,
        ChargeRecorded::BacksChannels,
        "a fork could bring the debt back"
    );
    recorded(ledger, &settled, Event::Finalised).await;
    charged_at(ledger, &from(2), 2, NOW).await;
}

pub(crate) async fn preparations_are_counted_by_the_day(ledger: &dyn Ledger) {
    let counts = async |more, now| ledger.count_prepared(more, now).await.expect("counts");
    assert_eq!((counts(0, NOW).await, counts(3, NOW).await, counts(2, NOW).await), (0, 3, 5));
    assert_eq!((counts(0, NOW).await, counts(0, NOW + DAY).await, counts(1, NOW + DAY).await), (5, 0, 1));
    let stats = ledger.charge_stats(0, NOW + DAY).await.expect("reads");
    assert_eq!((stats.prepared.total, stats.prepared.today), (6, 1));
}

pub(crate) async fn an_issuer_stays_unless_its_successor_knows_it(ledger: &dyn Ledger) {
    let [old, new, other] = [1, 2, 3].map(|number| key(50, number));
    let claims = async |chain: &str, issuer, previous: &[_]| {
        ledger.claim_issuer(chain, issuer, previous, NOW).await.expect("answers")
    };
    assert_eq!(claims("solana:a", &old, &[]).await, IssuerClaim::Accepted);
    assert_eq!(claims("solana:a", &old, &[]).await, IssuerClaim::Accepted);
    assert_eq!(claims("solana:a", &new, &[other]).await, IssuerClaim::Another(old));
    assert_eq!(claims("solana:b", &new, &[]).await, IssuerClaim::Accepted, "each chain has its own");
    assert_eq!(claims("solana:a", &new, &[other, old]).await, IssuerClaim::Accepted);
    assert_eq!(claims("solana:a", &old, &[]).await, IssuerClaim::Another(new), "and it is the one in use now");
}
