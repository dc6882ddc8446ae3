//! Channels: who opens one, which vouchers it gives, and what is owed.

use super::delegations::{grants, grants_to, lands_later, leaves, renewal};
use crate::ledger::build::{NOW, amount, attempt, key, landed, recorded, settlement_id};
use sotto::{
    domain::{
        amount::Amount,
        budget::{Budgets, Part, Scope},
        mpp::{
            caps::{CapRow, Caps, Sponsored},
            channel::{
                Authorisation, Channel, ChannelState, ChannelTerms, EndReason,
                draw::{CreditLine, Draw, NotDrawn, VoucherLimits},
                plan::{ChannelLimits, ChannelPlan, NotOpened, Permission},
            },
            channel_id::PublicId,
            delegation::{CallerOrigin, OnboardWindow, UsedProof},
            money::{Reading, Role},
            reason::ChargeReason,
        },
        settlement::{Event, Purpose, Settlement, SettlementId, Subject},
    },
    ledger::{ChannelOpened, ChannelRecord, Drawn, Ledger, Signed},
};

/// What every account of these cases holds.
const RICH: Reading = Reading { role: Role::Live, balance: 10_000, remaining: 10_000 };
/// More than any case needs.
const PLENTY: ChannelLimits =
    ChannelLimits { of_buyer: 0, of_seller: 0, in_all: 0, window_deposits: Amount::MAX, unsettled_per_day: 0 };
const NO_CAP: CapRow = CapRow { global: 0, seller: 0, payer: 0 };
const NO_LIMITS: VoucherLimits = VoucherLimits { of_channel_per_second: 0, per_day: NO_CAP, credit_line: None };
const NO_CAPS: Caps = Caps { verify: NO_CAP, settle: NO_CAP, concurrency: NO_CAP, stranger_day_lamports: 0 };

pub(crate) fn channel_id(number: u8) -> PublicId {
    PublicId::from_bytes([number; 16])
}

/// The number of a channel's anchor among settlements, and of its other settlements from there on.
fn anchor(number: u8) -> SettlementId {
    settlement_id(1_000 + u32::from(number))
}
/// The settlement of a number that no onboarding has.
pub(crate) fn close_id(number: u32) -> SettlementId {
    settlement_id(2_000 + number)
}

/// A channel of a wallet by a proof of its own, under the grant that `grants` makes.
pub(crate) fn plan(wallet: u32, number: u8, deposit: u64) -> ChannelPlan {
    let proof = UsedProof { nonce: format!("nonce-of-{number:03}"), act: [number; 32] };
    ChannelPlan {
        terms: ChannelTerms {
            id: channel_id(number),
            buyer: key(41, wallet),
            seller: key(50, u32::from(number)),
            mint: key(42, 0),
            account: key(43, wallet),
            generation: 0,
            signer: key(51, u32::from(number)),
            program: key(52, 0),
            deposit: amount(deposit),
            idle_timeout: 100,
            opened_at: NOW,
            expires_at: NOW + 1_000,
            certificate: [8; 64],
            authorised: Authorisation::Proof,
        },
        anchor: anchor(number),
        permission: Permission::Proof(proof),
        reading: RICH,
        read_at: 50,
        limits: PLENTY,
        sponsored: Sponsored {
            payer: key(41, wallet),
            seller: None,
            payer_is_listed: false,
            seller_is_listed: false,
            lamports: 5_001,
            caps: NO_CAPS,
        },
    }
}

pub(crate) async fn opens(ledger: &dyn Ledger, plan: &ChannelPlan) -> ChannelOpened {
    ledger.open_channel(plan, NOW).await.expect("answers")
}

pub(super) async fn refused(ledger: &dyn Ledger, plan: &ChannelPlan) -> NotOpened {
    match opens(ledger, plan).await {
        ChannelOpened::Refused(why) => why,
        other => panic!("not refused: {other:?}"),
    }
}

pub(super) async fn record(ledger: &dyn Ledger, number: u8) -> ChannelRecord {
    ledger.find_channel(channel_id(number)).await.expect("reads").expect("is there")
}

pub(crate) async fn channel(ledger: &dyn Ledger, number: u8) -> Channel {
    record(ledger, number).await.channel
}

/// Signs a planned settlement and lands it.
pub(crate) async fn lands(ledger: &dyn Ledger, planned: &Settlement, number: u32) -> Settlement {
    recorded(ledger, &in_flight(ledger, planned, number).await, landed()).await
}

pub(crate) async fn in_flight(ledger: &dyn Ledger, planned: &Settlement, number: u32) -> Settlement {
    match ledger.record_signed(planned, attempt(planned, number), NOW).await.expect("records") {
        Signed::Recorded { settlement, .. } => settlement,
        Signed::OverBudget(over) => panic!("over budget: {over:?}"),
    }
}

/// Opens a channel whose anchor has landed.
pub(crate) async fn opened(ledger: &dyn Ledger, wallet: u32, number: u8, deposit: u64) -> Channel {
    match opens(ledger, &plan(wallet, number, deposit)).await {
        ChannelOpened::New(written, planned) => {
            assert_eq!(written.state, ChannelState::Opening);
            lands(ledger, &planned, 3_000 + u32::from(number)).await;
        }
        other => panic!("not opened: {other:?}"),
    }
    channel(ledger, number).await
}

fn draw(number: u8, cumulative: u64) -> Draw {
    Draw {
        channel: channel_id(number),
        cumulative: amount(cumulative),
        meter: "request".to_owned(),
        units: 1,
        server_nonce: format!("nonce-{cumulative}"),
    }
}

async fn drawn_with(
    ledger: &dyn Ledger,
    draw: &Draw,
    reading: Reading,
    limits: VoucherLimits,
) -> Result<u64, NotDrawn> {
    match ledger.draw_voucher(draw, Some(reading), limits, NOW).await.expect("answers") {
        Drawn::Given(_, voucher) => {
            assert!(voucher.answers(draw));
            Ok(voucher.sequence)
        }
        Drawn::Refused(why, _) => Err(why),
        Drawn::ReadingWanted => unreachable!("there is one"),
    }
}

pub(crate) async fn drawn(ledger: &dyn Ledger, number: u8, cumulative: u64) -> Result<u64, NotDrawn> {
    drawn_with(ledger, &draw(number, cumulative), RICH, NO_LIMITS).await
}

pub(crate) async fn ends(ledger: &dyn Ledger, number: u8, close: u32) -> (ChannelRecord, Option<Settlement>) {
    let ended = ledger.end_channel(channel_id(number), EndReason::Buyer, close_id(close), NOW + 60).await;
    ended.expect("answers").expect("is there")
}

/// What stands on a wallet's delegation: live channels, reserved, owed, settlements on their way, and what was moved.
pub(crate) async fn standing(ledger: &dyn Ledger, wallet: u32) -> (u64, u64, u64, u64, u64) {
    let found = super::delegations::delegation(ledger, wallet).await;
    let (used, grant) = (found.used, found.grant.expect("a grant"));
    (used.live, used.reserved.get(), used.owed.get(), used.in_flight, grant.moved.get())
}

pub(crate) async fn a_channel_lives_from_its_anchor_to_its_settlement(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    let planned = plan(1, 1, 1_000);
    let ChannelOpened::New(written, settlement) = opens(ledger, &planned).await else { panic!("not opened") };
    assert_eq!((&written.terms, written.state, written.sequence), (&planned.terms, ChannelState::Opening, 0));
    assert_eq!((settlement.purpose, settlement.subject), (Purpose::MppOpen, Subject::Channel(channel_id(1).into())));
    assert_eq!(standing(ledger, 1).await, (1, 1_000, 0, 0, 0), "reserved from the moment when it is written");
    assert_eq!(drawn(ledger, 1, 10).await, Err(NotDrawn::NotOpen));
    lands(ledger, &settlement, 3_001).await;
    assert_eq!(channel(ledger, 1).await.state, ChannelState::Open);
    assert!(record(ledger, 1).await.anchor.1.is_some());
    assert_eq!((drawn(ledger, 1, 10).await, drawn(ledger, 1, 35).await), (Ok(1), Ok(2)));
    assert_eq!(standing(ledger, 1).await, (1, 1_000, 35, 0, 0));
    let (closing, settlement) = ends(ledger, 1, 1).await;
    let settlement = settlement.expect("something is owed");
    assert_eq!((closing.channel.state, settlement.amount), (ChannelState::Closing, amount(35)));
    assert_eq!(closing.settling.map(|settling| settling.sequence), Some(2));
    assert_eq!(drawn(ledger, 1, 40).await, Err(NotDrawn::NotOpen));
    assert_eq!(standing(ledger, 1).await, (1, 1_000, 35, 1, 0));
    let settlement = lands(ledger, &settlement, 3_002).await;
    let closed = record(ledger, 1).await;
    let parts = closed.channel.money.closing();
    assert_eq!(closed.channel.state, ChannelState::Closed);
    assert_eq!([parts.amount_settled, parts.buyer_refund, parts.shortfall], [amount(35), amount(965), Amount::ZERO]);
    assert_eq!((closed.last_settled, closed.channel.duration(NOW + 999)), (settlement.signature, 60));
    assert_eq!(standing(ledger, 1).await, (0, 0, 0, 1, 35), "a renewal waits until it is final");
    recorded(ledger, &settlement, Event::Finalised).await;
    assert_eq!(standing(ledger, 1).await, (0, 0, 0, 0, 35));
    // What is asked for again after the close is answered as before.
    assert_eq!(drawn(ledger, 1, 35).await, Ok(2));
    assert_eq!(ends(ledger, 1, 2).await.0.channel, channel(ledger, 1).await);
}

pub(crate) async fn a_channel_that_drew_nothing_closes_without_a_settlement(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    opened(ledger, 1, 1, 1_000).await;
    let (closed, settlement) = ends(ledger, 1, 1).await;
    assert_eq!((closed.channel.state, settlement, closed.last_settled), (ChannelState::Closed, None, None));
    assert_eq!(closed.channel.money.closing().buyer_refund, amount(1_000));
    assert_eq!(standing(ledger, 1).await, (0, 0, 0, 0, 0));
}

pub(crate) async fn a_proof_opens_one_channel_and_a_window_as_many_as_it_has(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    opened(ledger, 1, 1, 1_000).await;
    assert_eq!(opens(ledger, &plan(1, 1, 1_000)).await, ChannelOpened::Known(Box::new(record(ledger, 1).await)));
    let mut other = plan(1, 2, 1_000);
    other.permission = Permission::Proof(UsedProof { nonce: "nonce-of-001".to_owned(), act: [9; 32] });
    assert_eq!(refused(ledger, &other).await, NotOpened::ProofUsed);
    let from = CallerOrigin { caller: [1; 16], origin: [2; 32] };
    other.permission = Permission::Window(from);
    assert_eq!(refused(ledger, &other).await, NotOpened::NotAuthorised);
    let window = OnboardWindow { wallet: key(41, 1), from, until: NOW + 900 };
    ledger.open_window(&window, NOW).await.expect("opens");
    let elsewhere = CallerOrigin { origin: [0; 32], ..from };
    other.permission = Permission::Window(elsewhere);
    assert_eq!(refused(ledger, &other).await, NotOpened::NotAuthorised, "another origin");
    other.permission = Permission::Window(from);
    other.limits.window_deposits = amount(999);
    assert_eq!(refused(ledger, &other).await, NotOpened::WindowSum);
    other.limits.window_deposits = amount(1_500);
    assert!(matches!(opens(ledger, &other).await, ChannelOpened::New(..)));
    let mut third = plan(1, 3, 501);
    (third.permission, third.limits.window_deposits) = (Permission::Window(from), amount(1_500));
    assert_eq!(refused(ledger, &third).await, NotOpened::WindowSum, "all that live count");
    third.limits = PLENTY;
    for number in 3..=9 {
        let mut next = plan(1, number, 1);
        next.permission = Permission::Window(from);
        assert!(matches!(opens(ledger, &next).await, ChannelOpened::New(..)), "{number}");
    }
    let mut ninth = plan(1, 10, 1);
    ninth.permission = Permission::Window(from);
    assert_eq!(refused(ledger, &ninth).await, NotOpened::NotAuthorised, "eight for a sign-in");
}

pub(crate) async fn a_deposit_fits_beside_what_is_reserved_or_is_refused(ledger: &dyn Ledger) {
    assert_eq!(refused(ledger, &plan(1, 1, 1)).await, NotOpened::NoDelegation);
    grants(ledger, 1, 5_000).await;
    let poor = Reading { balance: 2_000, ..RICH };
    let mut first = plan(1, 1, 1_500);
    first.reading = poor;
    assert!(matches!(opens(ledger, &first).await, ChannelOpened::New(..)));
    let mut second = plan(1, 2, 501);
    second.reading = poor;
    assert_eq!(refused(ledger, &second).await, NotOpened::InsufficientBalance);
    ledger.fail_channel(channel_id(1)).await.expect("answers");
    assert_eq!(channel(ledger, 1).await.state, ChannelState::Failed);
    assert!(matches!(opens(ledger, &second).await, ChannelOpened::New(..)), "what failed reserves nothing");
    // The anchor lands late, and changes nothing.
    let late = ledger.load_work(anchor(1)).await.expect("reads").settlement;
    lands(ledger, &late, 3_001).await;
    assert_eq!(channel(ledger, 1).await.state, ChannelState::Failed);
    let mut gone = plan(1, 3, 1);
    gone.reading = Reading { role: Role::Gone, ..RICH };
    assert_eq!(refused(ledger, &gone).await, NotOpened::InsufficientBalance);
    assert_eq!(ledger.fail_openings().await.expect("answers"), 1, "nobody waits after a start");
    assert_eq!(channel(ledger, 2).await.state, ChannelState::Failed);
}

pub(crate) async fn a_grant_that_names_a_seller_opens_channels_to_nobody_else(ledger: &dyn Ledger) {
    grants_to(ledger, 1, key(50, 1)).await;
    assert_eq!(refused(ledger, &plan(1, 2, 10)).await, NotOpened::OtherSeller);
    opened(ledger, 1, 1, 10).await;
}

pub(crate) async fn as_many_channels_live_as_there_may_be(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    grants(ledger, 2, 5_000).await;
    opened(ledger, 1, 1, 10).await;
    let limited = |number, limits| {
        let mut plan = plan(2, number, 10);
        plan.limits = limits;
        plan
    };
    assert_eq!(refused(ledger, &limited(2, ChannelLimits { in_all: 1, ..PLENTY })).await, NotOpened::InAll);
    let mut same_seller = limited(2, ChannelLimits { of_seller: 1, ..PLENTY });
    same_seller.terms.seller = key(50, 1);
    assert_eq!(refused(ledger, &same_seller).await, NotOpened::OfSeller);
    let shared = ChannelLimits { of_buyer: 1, of_seller: 0, in_all: 2, ..PLENTY };
    assert_eq!(refused(ledger, &limited(2, shared)).await, NotOpened::InAll, "half is for known wallets");
    let listed = |number, limits| {
        let mut plan = limited(number, limits);
        plan.sponsored.payer_is_listed = true;
        plan
    };
    assert!(matches!(opens(ledger, &listed(2, shared)).await, ChannelOpened::New(..)));
    assert_eq!(refused(ledger, &listed(3, ChannelLimits { in_all: 0, ..shared })).await, NotOpened::OfBuyer);
    ends(ledger, 1, 1).await;
    let mut again = plan(1, 4, 10);
    again.limits = ChannelLimits { unsettled_per_day: 1, ..PLENTY };
    assert_eq!(refused(ledger, &again).await, NotOpened::Unsettled);
    let next_day = ledger.open_channel(&again, NOW + 86_400).await.expect("answers");
    assert!(matches!(next_day, ChannelOpened::New(..)), "{next_day:?}");
    let same = opens(ledger, &again).await;
    assert!(matches!(same, ChannelOpened::Known(..)), "the same proof finds it: {same:?}");
}

pub(crate) async fn vouchers_rise_and_are_given_again_to_the_last_member(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    opened(ledger, 1, 1, 1_000).await;
    assert_eq!(drawn(ledger, 2, 1).await, Err(NotDrawn::NotFound));
    assert_eq!(drawn(ledger, 1, 100).await, Ok(1));
    assert_eq!(drawn(ledger, 1, 100).await, Ok(1), "the same again");
    let other = Draw { units: 2, ..draw(1, 100) };
    assert_eq!(drawn_with(ledger, &other, RICH, NO_LIMITS).await, Err(NotDrawn::Conflict));
    assert_eq!(drawn(ledger, 1, 99).await, Err(NotDrawn::NotMonotonic));
    assert_eq!(drawn(ledger, 1, 1_001).await, Err(NotDrawn::DepositExceeded));
    let poor = Reading { balance: 150, ..RICH };
    assert_eq!(drawn_with(ledger, &draw(1, 151), poor, NO_LIMITS).await, Err(NotDrawn::InsufficientBalance));
    assert_eq!(drawn_with(ledger, &draw(1, 150), poor, NO_LIMITS).await, Ok(2));
    let gone = Reading { role: Role::Gone, ..RICH };
    assert_eq!(drawn_with(ledger, &draw(1, 151), gone, NO_LIMITS).await, Err(NotDrawn::RoleGone));
    assert_eq!(drawn_with(ledger, &draw(1, 150), gone, NO_LIMITS).await, Ok(2), "what is durable is told");
    let rate = VoucherLimits { of_channel_per_second: 2, ..NO_LIMITS };
    assert_eq!(drawn_with(ledger, &draw(1, 151), RICH, rate).await, Err(NotDrawn::ChannelRate));
    let day = VoucherLimits { per_day: CapRow { payer: 2, ..NO_CAP }, ..NO_LIMITS };
    assert_eq!(drawn_with(ledger, &draw(1, 151), RICH, day).await, Err(NotDrawn::Capped(ChargeReason::PayerVerifyCap)));
    let line = VoucherLimits { credit_line: Some(CreditLine::new(amount(150), Amount::ONE)), ..NO_LIMITS };
    assert_eq!(drawn_with(ledger, &draw(1, 151), RICH, line).await, Err(NotDrawn::CreditLine));
    assert_eq!(channel(ledger, 1).await.sequence, 2);
}

pub(crate) async fn what_one_account_owes_counts_over_all_its_channels(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    opened(ledger, 1, 1, 1_000).await;
    opened(ledger, 1, 2, 1_000).await;
    let poor = Reading { balance: 150, ..RICH };
    assert_eq!(drawn_with(ledger, &draw(1, 100), poor, NO_LIMITS).await, Ok(1));
    assert_eq!(drawn_with(ledger, &draw(2, 51), poor, NO_LIMITS).await, Err(NotDrawn::InsufficientBalance));
    assert_eq!(drawn_with(ledger, &draw(2, 50), poor, NO_LIMITS).await, Ok(1));
    let day = VoucherLimits { per_day: CapRow { payer: 2, ..NO_CAP }, ..NO_LIMITS };
    assert_eq!(drawn_with(ledger, &draw(2, 60), RICH, day).await, Err(NotDrawn::Capped(ChargeReason::PayerVerifyCap)));
    ends(ledger, 1, 1).await;
    assert_eq!(
        drawn_with(ledger, &draw(2, 60), RICH, day).await,
        Err(NotDrawn::Capped(ChargeReason::PayerVerifyCap)),
        "ended ones count too"
    );
}

/// Guard: `verified` and `VoucherLimits::per_day`. What sellers and all together share is counted in the verb that draws.
pub(crate) async fn vouchers_are_counted_for_sellers_and_for_all_where_a_cap_asks(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    opened(ledger, 1, 1, 1_000).await;
    opened(ledger, 1, 2, 1_000).await;
    let capped = |cap| VoucherLimits { per_day: cap, ..NO_LIMITS };
    let refused = |reason| Err(NotDrawn::Capped(reason));
    let of_seller = capped(CapRow { seller: 4, ..NO_CAP });
    assert_eq!(drawn(ledger, 1, 10).await, Ok(1), "no cap, no count");
    for (sum, sequence) in [(20, 2), (30, 3)] {
        assert_eq!(drawn_with(ledger, &draw(1, sum), RICH, of_seller).await, Ok(sequence), "a stranger's half");
    }
    assert_eq!(drawn_with(ledger, &draw(1, 40), RICH, of_seller).await, refused(ChargeReason::SellerVerifyCap));
    assert_eq!(drawn_with(ledger, &draw(1, 30), RICH, of_seller).await, Ok(3), "what is durable is told");
    assert_eq!(drawn_with(ledger, &draw(2, 10), RICH, of_seller).await, Ok(1), "another seller's is another cap");
    let in_all = capped(CapRow { global: 8, ..NO_CAP });
    ledger.count_prepared(1, NOW).await.expect("counts");
    assert_eq!(drawn_with(ledger, &draw(2, 20), RICH, in_all).await, refused(ChargeReason::GlobalVerifyCap));
    let more = capped(CapRow { global: 10, ..NO_CAP });
    assert_eq!(drawn_with(ledger, &draw(2, 20), RICH, more).await, Ok(2));
    assert_eq!(drawn_with(ledger, &draw(2, 30), RICH, more).await, refused(ChargeReason::GlobalVerifyCap));
    let tomorrow = ledger.draw_voucher(&draw(2, 30), Some(RICH), more, NOW + 86_400).await.expect("answers");
    assert!(matches!(tomorrow, Drawn::Refused(NotDrawn::NotOpen, _)), "the day is not what ends it: {tomorrow:?}");
    assert_eq!(ledger.count_prepared(0, NOW + 86_400).await.expect("counts").all, 0);
}

/// Guard: `over_budget`. A budget that the anchor would pass is told before anything is written.
pub(crate) async fn an_opening_is_refused_by_the_budget_that_its_anchor_would_pass(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    ledger.set_budgets(&Budgets::default().with(Scope::UserHour, Part::Total, 5_000)).await.expect("sets");
    let told = refused(ledger, &plan(1, 1, 10)).await;
    assert!(matches!(told, NotOpened::OverBudget(over) if over.scope == Scope::UserHour), "{told:?}");
    assert!(ledger.find_channel(channel_id(1)).await.expect("reads").is_none());
    ledger.set_budgets(&Budgets::default()).await.expect("sets");
    opened(ledger, 1, 1, 10).await;
}

pub(crate) async fn nothing_opens_while_its_wallet_leaves(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    leaves(ledger, 1).await;
    assert_eq!(refused(ledger, &plan(1, 1, 10)).await, NotOpened::Leaving);
}

/// Guard: `channels_open_under_a_grant_that_stays`. A renewal was recorded because it covers what was reserved then.
pub(crate) async fn nothing_opens_while_its_wallet_renews(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    let renews = lands_later(ledger, &renewal(1, 200, 1, 1_000), 200).await;
    assert_eq!(refused(ledger, &plan(1, 1, 4_000)).await, NotOpened::Renewing);
    recorded(ledger, &renews, landed()).await;
    assert_eq!(refused(ledger, &plan(1, 1, 4_000)).await, NotOpened::NoDelegation, "that grant stands no more");
}
