//! Single payments: what was offered is used once and before its end, and everything of a payment is written together.

use crate::ledger::build::{
    NOW, abandoned, absent, amount, attempt, content, key, recorded, refused, settlement_id, signature,
};
use sotto::{
    domain::{
        amount::Amount,
        budget::{Budgets, Part, Scope},
        funding::{Funding, FundingDemand, NewBound},
        reason::PayReason,
        settlement::{Attempt, Cost, Event, SingleId},
        single_payment::{
            CallerHash, Claimant, OfferLimits, RecordedSingle, SingleKey, SingleOffer, SinglePlan, SingleState,
        },
    },
    ledger::{Ledger, LedgerError, Offered, Proved, SingleClaim, SinglePaid, Work},
};
use uuid::Uuid;

/// How long an offer lives in these tests.
const LIFE: u64 = 120;

fn single_id(number: u32) -> SingleId {
    SingleId(Uuid::from_u128(u128::from(number) << 64 | 9))
}

/// An offer of its own payer, nonce and ciphertext.
pub(crate) fn offer(number: u32) -> SingleOffer {
    SingleOffer {
        id: single_id(number),
        payer: key(30, number),
        recipient: key(31, number),
        asset: key(20, 0),
        nonce: format!("nonce-{number}"),
        content: content(number),
        amount: amount(100),
        ciphertext: [key(32, number).to_bytes().as_slice(), &[0; 88]].concat(),
        message: vec![1, 2, 3],
        last_valid_block_height: 1_150,
        proof_demanded: false,
        caller: CallerHash::default(),
        issued_at: NOW,
        until: NOW + LIFE,
    }
}

pub(crate) async fn offered(ledger: &dyn Ledger, offer: &SingleOffer) {
    let issued = ledger.offer_single(offer, OfferLimits::DEFAULT, NOW).await;
    assert_eq!(issued.expect("answers"), Offered::Issued);
}

fn plan(number: u32) -> SinglePlan {
    SinglePlan {
        offer: single_id(number),
        settlement: settlement_id(number),
        signed: content(1_000 + number),
        demand: FundingDemand { required: false, max_age: 60, cap_binds: false },
        kept_until: NOW + 31,
    }
}

fn first_attempt(number: u32) -> Attempt {
    let settlement = sotto::domain::settlement::Settlement {
        id: settlement_id(number),
        purpose: sotto::domain::settlement::Purpose::SinglePayment,
        subject: sotto::domain::settlement::Subject::Single(single_id(number)),
        amount: amount(100),
        state: sotto::domain::settlement::State::Reserved,
        sequence: 1,
        attempts: 0,
        signature: None,
        landed_at: None,
        held: None,
    };
    Attempt { cost: Cost { fee: 15_000, rent: 0, grant: 0 }, ..attempt(&settlement, number) }
}

pub(crate) async fn pays(ledger: &dyn Ledger, number: u32, now: u64) -> SinglePaid {
    ledger.pay_single(&plan(number), first_attempt(number), now).await.expect("answers")
}

/// Offers and pays; gives the payment and its settlement in flight.
pub(crate) async fn paid(ledger: &dyn Ledger, number: u32) -> (RecordedSingle, Work) {
    offered(ledger, &offer(number)).await;
    match pays(ledger, number, NOW).await {
        SinglePaid::Recorded(single, work) => (*single, *work),
        other => panic!("not paid: {other:?}"),
    }
}

async fn found(ledger: &dyn Ledger, number: u32) -> RecordedSingle {
    let key = SingleKey::Signed(plan(number).signed);
    ledger.find_single(&key).await.expect("reads").expect("is there")
}

/// The payer of `number` proves a balance at this slot; gives what it is claimed for.
async fn proves(ledger: &dyn Ledger, number: u32, units: u64, slot: u64) -> u64 {
    let bound = NewBound {
        user: key(30, number),
        asset: key(20, 0),
        amount: amount(units),
        handle: u128::from(slot) << 64 | 7,
        slot,
        anchor: Some(signature(900)),
        now: NOW,
    };
    match ledger.prove_funding(&bound).await {
        Ok(Proved::Counts(source)) => source.bound.expect("is proved").claimed.get(),
        other => panic!("not proved: {other:?}"),
    }
}

async fn claimed(ledger: &dyn Ledger, number: u32) -> u64 {
    let source = ledger.source(&key(30, number), &key(20, 0)).await.expect("reads").expect("is there");
    source.bound.expect("is proved").claimed.get()
}

pub(crate) async fn a_single_payment_comes_back_as_it_was_written(ledger: &dyn Ledger) {
    let (single, work) = paid(ledger, 1).await;
    assert_eq!((single.state, single.funding, single.told), (SingleState::OnItsWay, Funding::Unproven, false));
    assert_eq!((single.transaction, single.amount), (signature(1), amount(100)));
    assert_eq!(work.attempt.as_ref().map(|attempt| attempt.get().clone()), Some(first_attempt(1)));
    let by_nonce = SingleKey::Nonce(key(30, 1), "nonce-1".to_owned());
    for by in [by_nonce, SingleKey::Ciphertext(offer(1).ciphertext)] {
        assert_eq!(ledger.find_single(&by).await.expect("reads"), Some(single.clone()));
    }
    assert_eq!(ledger.unfinished().await.expect("reads"), [work]);
    assert_eq!(ledger.single_offers(&key(30, 1), NOW).await.expect("reads"), [], "the offer is used");
}

pub(crate) async fn an_offer_is_used_once_and_before_its_end(ledger: &dyn Ledger) {
    offered(ledger, &offer(1)).await;
    assert_eq!(ledger.single_offers(&key(30, 1), NOW + LIFE - 1).await.expect("reads"), [offer(1)]);
    assert_eq!(ledger.single_offers(&key(30, 1), NOW + LIFE).await.expect("reads"), []);
    assert_eq!(pays(ledger, 1, NOW + LIFE).await, SinglePaid::NotOffered);
    assert_eq!(pays(ledger, 2, NOW).await, SinglePaid::NotOffered, "what was never offered");
    let SinglePaid::Recorded(single, _) = pays(ledger, 1, NOW).await else { panic!("is paid") };
    assert_eq!(pays(ledger, 1, NOW).await, SinglePaid::Known(single), "the same bytes again");
    let other = SinglePlan { signed: content(77), settlement: settlement_id(77), ..plan(1) };
    let again = ledger.pay_single(&other, first_attempt(77), NOW).await.expect("answers");
    assert_eq!(again, SinglePaid::NotOffered, "other bytes of the same offer");
}

pub(crate) async fn a_nonce_and_a_ciphertext_pay_once_for_ever(ledger: &dyn Ledger) {
    // Asked again, a message has another offer in place of the first.
    let twin = SingleOffer { id: single_id(2), message: vec![9], ..offer(1) };
    offered(ledger, &offer(1)).await;
    offered(ledger, &twin).await;
    assert_eq!(ledger.single_offers(&key(30, 1), NOW).await.expect("reads"), [twin]);
    let other = SingleOffer { ciphertext: offer(1).ciphertext, ..offer(3) };
    offered(ledger, &other).await;
    assert_eq!(pays(ledger, 1, NOW).await, SinglePaid::NotOffered);
    let SinglePaid::Recorded(single, work) = pays(ledger, 2, NOW).await else { panic!("is paid") };
    assert_eq!(pays(ledger, 3, NOW).await, SinglePaid::Refused(PayReason::CiphertextUsed));
    let again = SingleOffer { id: single_id(4), ..offer(1) };
    let asks =
        async |offer: &SingleOffer| ledger.offer_single(offer, OfferLimits::DEFAULT, NOW).await.expect("answers");
    assert_eq!(asks(&again).await, Offered::Known(single));
    let another = SingleOffer { ciphertext: offer(1).ciphertext, ..offer(5) };
    assert_eq!(asks(&another).await, Offered::CiphertextUsed);
    // Also when nothing came of it.
    let gone = recorded(ledger, &recorded(ledger, &work.settlement, absent()).await, abandoned()).await;
    assert!(gone.state.is_terminal());
    assert!(matches!(asks(&again).await, Offered::Known(single) if single.state != SingleState::OnItsWay));
    assert_eq!(asks(&another).await, Offered::CiphertextUsed);
}

pub(crate) async fn a_payer_has_so_many_offers_and_those_whose_time_is_over_are_forgotten(ledger: &dyn Ledger) {
    let limits = OfferLimits { of_payer: 2, in_all: 3, of_newcomers: 3 };
    let of = |number: u32, payer: u32| SingleOffer { payer: key(30, payer), ..offer(number) };
    let asked = async |offer: &SingleOffer, now: u64| ledger.offer_single(offer, limits, now).await.expect("answers");
    assert_eq!(asked(&of(1, 1), NOW).await, Offered::Issued);
    assert_eq!(asked(&of(2, 1), NOW + 5).await, Offered::Issued);
    assert_eq!(asked(&of(3, 1), NOW + 10).await, Offered::TooMany { again_in: LIFE - 10 }, "of one payer");
    let again = SingleOffer { id: single_id(9), issued_at: NOW + 10, ..of(2, 1) };
    assert_eq!(asked(&again, NOW + 10).await, Offered::Issued, "in place of the one that it replaces");
    assert_eq!(ledger.single_offers(&key(30, 1), NOW).await.expect("reads"), [of(1, 1), again]);
    assert_eq!(asked(&of(4, 2), NOW).await, Offered::Issued);
    let later = SingleOffer { until: NOW + 2 * LIFE, ..of(6, 3) };
    assert_eq!(asked(&later, NOW + LIFE).await, Offered::Issued);
    assert_eq!(ledger.single_offers(&key(30, 1), NOW).await.expect("reads"), [], "those whose time is over");
}

pub(crate) async fn whoever_fills_the_places_of_newcomers_loses_their_own(ledger: &dyn Ledger) {
    let limits = OfferLimits { of_payer: 4, in_all: 6, of_newcomers: 4 };
    let of = |number: u32, payer: u32, caller: u8| SingleOffer {
        payer: key(30, payer),
        caller: CallerHash([caller; 16]),
        issued_at: NOW + u64::from(number),
        ..offer(number)
    };
    let asks = async |offer: SingleOffer| {
        assert_eq!(ledger.offer_single(&offer, limits, NOW).await.expect("answers"), Offered::Issued);
    };
    let left = async |payer| ledger.single_offers(&key(30, payer), NOW).await.expect("reads").len();
    // One with two wallets fills them all; two others ask, from their own address and from the same one.
    for (number, payer) in [(1, 1), (2, 2), (3, 2), (4, 2)] {
        asks(of(number, payer, 1)).await;
    }
    asks(of(5, 5, 2)).await;
    assert_eq!((left(1).await, left(2).await, left(5).await), (1, 2, 1), "the oldest of the payer who has most");
    asks(of(6, 6, 1)).await;
    assert_eq!((left(1).await, left(2).await, left(6).await), (1, 1, 1));
    // However often they go on, with whatever wallets, whoever asked from elsewhere keeps what they were given.
    for number in 7..20 {
        asks(of(number, number, 1)).await;
        assert_eq!(left(5).await, 1, "{number}");
    }
    let paid = ledger.pay_single(&plan(5), first_attempt(5), NOW).await.expect("answers");
    assert!(matches!(paid, SinglePaid::Recorded(..)), "{paid:?}");
}

pub(crate) async fn an_address_that_speaks_for_many_keeps_what_may_be_about_to_be_signed(ledger: &dyn Ledger) {
    let limits = OfferLimits { of_payer: 4, in_all: 9, of_newcomers: 5 };
    let later = NOW + OfferLimits::SPARED;
    let asks = async |number: u32, caller: u8, now: u64| {
        let offer = SingleOffer { caller: CallerHash([caller; 16]), issued_at: now, ..offer(number) };
        assert_eq!(ledger.offer_single(&offer, limits, now).await.expect("answers"), Offered::Issued);
    };
    let left = async |payer| ledger.single_offers(&key(30, payer), NOW).await.expect("reads").len();
    for number in [1, 2] {
        asks(number, 1, NOW).await;
    }
    // A merchant who relays has most.
    for number in [3, 4, 5] {
        asks(number, 2, later).await;
    }
    asks(6, 3, later).await;
    assert_eq!((left(1).await, left(3).await), (0, 1), "one that nobody is about to sign goes first");
    asks(7, 4, later).await;
    assert_eq!((left(2).await, left(3).await), (1, 0), "the only one of its address goes last, however old");
}

pub(crate) async fn a_single_payment_lands_once_and_its_success_is_told_once(ledger: &dyn Ledger) {
    let (single, work) = paid(ledger, 1).await;
    let claims = async |claimant, now| ledger.claim_single(single.id, claimant, now).await.expect("answers");
    assert_eq!(claims(Claimant::Recorder, NOW).await, SingleClaim::Refused, "it has not landed");
    let landed = recorded(ledger, &work.settlement, Event::Landed { slot: 210 }).await;
    assert_eq!(found(ledger, 1).await.state, SingleState::Landed { slot: 210 });
    assert_eq!(claims(Claimant::Prover, NOW + 30).await, SingleClaim::Kept, "whoever recorded it is still there");
    assert!(!found(ledger, 1).await.told);
    assert_eq!(claims(Claimant::Recorder, NOW + 30).await, SingleClaim::Granted);
    for claimant in [Claimant::Recorder, Claimant::Prover] {
        assert_eq!(claims(claimant, NOW + 31).await, SingleClaim::Refused, "once");
    }
    assert!(found(ledger, 1).await.told);
    recorded(ledger, &landed, Event::Finalised).await;
    assert_eq!(ledger.totals(None).await.expect("adds up").single, amount(100));
    let lost = ledger.record(&work.settlement, Event::Landed { slot: 210 }, &[], NOW).await;
    assert!(matches!(lost, Err(LedgerError::LostRace)));
}

pub(crate) async fn a_success_that_its_request_never_heard_is_told_to_whoever_proves_to_know_the_payment(
    ledger: &dyn Ledger,
) {
    let (single, work) = paid(ledger, 1).await;
    recorded(ledger, &work.settlement, Event::Landed { slot: 210 }).await;
    let claims = async |now| ledger.claim_single(single.id, Claimant::Prover, now).await.expect("answers");
    assert_eq!(claims(NOW + 30).await, SingleClaim::Kept);
    assert_eq!(claims(NOW + 31).await, SingleClaim::Granted);
    assert_eq!(claims(NOW + 32).await, SingleClaim::Refused);
}

pub(crate) async fn a_single_payment_that_comes_to_nothing_says_why(ledger: &dyn Ledger) {
    let (_, work) = paid(ledger, 1).await;
    recorded(ledger, &work.settlement, refused()).await;
    assert_eq!(found(ledger, 1).await.state, SingleState::Released { reason: PayReason::OnchainTransferFailed });
    let (_, work) = paid(ledger, 2).await;
    recorded(ledger, &recorded(ledger, &work.settlement, absent()).await, abandoned()).await;
    assert_eq!(found(ledger, 2).await.state, SingleState::Released { reason: PayReason::SettlementExpired });
    assert_eq!(ledger.totals(None).await.expect("adds up").single, Amount::ZERO);
}

pub(crate) async fn a_single_payment_is_claimed_from_the_payers_proof_until_it_comes_to_nothing(ledger: &dyn Ledger) {
    assert_eq!(proves(ledger, 1, 150, 100).await, 0);
    let (single, work) = paid(ledger, 1).await;
    assert_eq!((single.funding, claimed(ledger, 1).await), (Funding::Proven, 100), "from the record on");
    ledger.audit().await.expect("consistent");
    // A second one passes the bound, and must not take what the first relies on.
    let second = SingleOffer { payer: key(30, 1), ..offer(2) };
    offered(ledger, &second).await;
    assert_eq!(pays(ledger, 2, NOW).await, SinglePaid::Refused(PayReason::InsufficientFunds));
    let landed = recorded(ledger, &work.settlement, Event::Landed { slot: 210 }).await;
    assert_eq!(claimed(ledger, 1).await, 100, "it landed after the proof");
    let SinglePaid::Recorded(second, other) = pays(ledger, 2, NOW).await else { panic!("is paid") };
    assert_eq!((second.funding, claimed(ledger, 1).await), (Funding::Short, 200));
    recorded(ledger, &other.settlement, refused()).await;
    assert_eq!(claimed(ledger, 1).await, 100, "it moved nothing");
    ledger.audit().await.expect("consistent");
    assert_eq!(proves(ledger, 1, 50, 220).await, 0, "a newer proof has seen the landing");
    let taken_back = recorded(ledger, &landed, Event::TakenBack).await;
    let source = ledger.source(&key(30, 1), &key(20, 0)).await.expect("reads").expect("is there");
    assert!(source.bound.is_some_and(|bound| bound.lost.is_some() && bound.claimed == amount(100)));
    recorded(ledger, &recorded(ledger, &taken_back, absent()).await, abandoned()).await;
    assert_eq!(claimed(ledger, 1).await, 0);
}

pub(crate) async fn a_proof_counts_what_is_in_flight_and_what_landed_later(ledger: &dyn Ledger) {
    let (_, work) = paid(ledger, 1).await;
    assert_eq!(proves(ledger, 1, 500, 205).await, 100, "it may land after the proof");
    let landed = recorded(ledger, &work.settlement, Event::Landed { slot: 205 }).await;
    assert_eq!(claimed(ledger, 1).await, 0, "the proof has seen it");
    recorded(ledger, &landed, Event::Finalised).await;
}

pub(crate) async fn a_newer_proof_leaves_a_single_payment_unproven_that_nobody_looked_at(ledger: &dyn Ledger) {
    proves(ledger, 1, 150, 100).await;
    let (_, work) = paid(ledger, 1).await;
    recorded(ledger, &work.settlement, Event::Landed { slot: 210 }).await;
    proves(ledger, 1, 50, 220).await;
    assert_eq!(found(ledger, 1).await.funding, Funding::Unproven);
}

pub(crate) async fn no_sum_of_a_payers_single_payments_passes_an_amount(ledger: &dyn Ledger) {
    let all = |number: u32| SingleOffer { amount: Amount::MAX, ..offer(number) };
    offered(ledger, &all(1)).await;
    offered(ledger, &SingleOffer { payer: key(30, 1), amount: Amount::ONE, ..offer(2) }).await;
    offered(ledger, &all(3)).await;
    let SinglePaid::Recorded(_, work) = pays(ledger, 1, NOW).await else { panic!("is paid") };
    let too_much = SinglePaid::Refused(PayReason::PerCallLimitExceeded);
    assert_eq!(pays(ledger, 2, NOW).await, too_much);
    assert_eq!(proves(ledger, 1, 5, 100).await, Amount::MAX.get(), "a proof adds them up all the same");
    ledger.audit().await.expect("consistent");
    let landed = recorded(ledger, &work.settlement, Event::Landed { slot: 210 }).await;
    assert_eq!(pays(ledger, 2, NOW).await, too_much);
    // Nobody else meets it. All together are added up beyond an amount, and not as one.
    let SinglePaid::Recorded(_, other) = pays(ledger, 3, NOW).await else { panic!("is paid") };
    recorded(ledger, &other.settlement, Event::Landed { slot: 211 }).await;
    assert!(matches!(ledger.totals(None).await, Err(LedgerError::Inconsistent(_))));
    let taken_back = recorded(ledger, &landed, Event::TakenBack).await;
    recorded(ledger, &recorded(ledger, &taken_back, absent()).await, abandoned()).await;
    assert!(matches!(pays(ledger, 2, NOW).await, SinglePaid::Recorded(..)), "what came to nothing adds nothing");
    ledger.audit().await.expect("consistent");
}

pub(crate) async fn a_budget_that_refuses_a_single_payment_leaves_its_offer(ledger: &dyn Ledger) {
    let small = Budgets::default().with(Scope::UnprovenUserHour, Part::Total, 14_999);
    ledger.set_budgets(&small).await.expect("sets");
    offered(ledger, &offer(1)).await;
    let over = pays(ledger, 1, NOW).await;
    assert!(matches!(over, SinglePaid::OverBudget(over) if over.scope == Scope::UnprovenUserHour), "{over:?}");
    assert_eq!(ledger.find_single(&SingleKey::Signed(plan(1).signed)).await.expect("reads"), None);
    assert_eq!(ledger.unfinished().await.expect("reads"), [], "no trace is left");
    ledger.set_budgets(&Budgets::default()).await.expect("sets");
    assert!(matches!(pays(ledger, 1, NOW).await, SinglePaid::Recorded(..)));
    let rows = ledger.spending(0).await.expect("reads");
    assert_eq!(
        rows.iter().map(|row| (row.recipient, row.reserved.fee)).collect::<Vec<_>>(),
        [(Some(key(31, 1)), 15_000)]
    );
}

pub(crate) async fn what_is_demanded_to_be_proved_is_decided_with_the_record(ledger: &dyn Ledger) {
    offered(ledger, &SingleOffer { proof_demanded: true, ..offer(1) }).await;
    let demanding = SinglePlan { demand: FundingDemand { required: true, ..plan(1).demand }, ..plan(1) };
    let pays = async || ledger.pay_single(&demanding, first_attempt(1), NOW).await.expect("answers");
    assert_eq!(pays().await, SinglePaid::Refused(PayReason::FundingUnproven));
    proves(ledger, 1, 99, 100).await;
    assert_eq!(pays().await, SinglePaid::Refused(PayReason::InsufficientFunds));
    proves(ledger, 1, 100, 101).await;
    let SinglePaid::Recorded(single, _) = pays().await else { panic!("is paid") };
    assert!(single.proof_demanded && single.funding == Funding::Proven);
}
