//! Delegations: what is issued, what its wallet signs of it, and how they stand after that.

use crate::ledger::build::{NOW, abandoned, absent, amount, attempt, key, landed, recorded, settlement_id, signature};
use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;
use sotto::{
    domain::{
        clock::DAY,
        hold::ContentHash,
        mpp::{
            caps::Caps,
            choices::Backend,
            delegation::{
                CallerOrigin, ConfirmPlan, Delegation, DelegationId, DelegationReading, DelegationStanding,
                DelegationState, GrantPlan, GrantTerms, IssuePlan, IssuedKind, IssuedMessage, IssuedState, OnboardBar,
                OnboardLimits, OnboardWindow, UsedProof,
            },
            money::{Reading, Role},
        },
        settlement::{Attempt, Cost, Event, IssuedId, Purpose, Settlement, State, Subject},
    },
    ledger::{DelegationKey, IssuedKey, Ledger, OnboardRecorded, SeenRole, WasIssued, Work},
};
use uuid::Uuid;

/// What onboarding costs in rent.
const RENT: u64 = 2_039_280;
/// More than any case needs.
pub(crate) const PLENTY: OnboardLimits = OnboardLimits {
    of_wallet_per_day: 0,
    of_caller_per_day: 0,
    per_hour: 0,
    rent_per_day: 1_000 * RENT,
    swig_rent_per_day: 1_000 * RENT,
};

fn issued_id(number: u32) -> IssuedId {
    IssuedId(Uuid::from_u128(u128::from(number) << 64 | 5))
}

fn delegation_id(wallet: u32) -> DelegationId {
    DelegationId(Uuid::from_u128(u128::from(wallet) << 64 | 6))
}

pub(crate) fn terms(wallet: u32, generation: u32, limit: u64) -> GrantTerms {
    let delegate = key(40, wallet * 1_000 + generation);
    GrantTerms { generation, delegate, limit: amount(limit), ttl: 3_600, seller: None }
}

/// The first message of a wallet: its session account and generation 0.
pub(crate) fn plan(wallet: u32, number: u32) -> IssuePlan {
    IssuePlan {
        id: issued_id(number),
        delegation: delegation_id(wallet),
        buyer: key(41, wallet),
        mint: key(42, 0),
        backend: Backend::SplDelegate,
        account: key(43, wallet),
        is_salted: false,
        kind: IssuedKind::CreateSessionAccount,
        grant: Some(GrantPlan::New(terms(wallet, 0, 1_000))),
        begins: true,
        message: format!("message {number}").into_bytes(),
        last_valid_block_height: 300,
        rent: RENT,
        until: NOW + 60,
        proof: None,
    }
}

/// A renewal of a wallet by this generation.
pub(crate) fn renewal(wallet: u32, number: u32, generation: u32, limit: u64) -> IssuePlan {
    let grant = Some(GrantPlan::New(terms(wallet, generation, limit)));
    IssuePlan { kind: IssuedKind::GrantRole, grant, ..plan(wallet, number) }
}

pub(crate) fn leave(wallet: u32, number: u32, nonce: &str, act: u8) -> IssuePlan {
    let proof = Some(UsedProof { nonce: nonce.to_owned(), act: [act; 32] });
    IssuePlan { kind: IssuedKind::Leave, grant: None, begins: false, proof, ..plan(wallet, number) }
}

pub(crate) async fn issues(ledger: &dyn Ledger, plan: &IssuePlan) -> WasIssued {
    ledger.issue(plan, NOW).await.expect("answers")
}

pub(super) async fn issued(ledger: &dyn Ledger, plan: &IssuePlan) {
    assert_eq!(issues(ledger, plan).await, WasIssued::Issued);
}

pub(crate) fn confirm(number: u32, limits: OnboardLimits) -> ConfirmPlan {
    ConfirmPlan {
        message: issued_id(number),
        settlement: settlement_id(number),
        caller: [7; 16],
        is_listed: false,
        limits,
        caps: Caps { stranger_day_lamports: 0, ..Caps::DEFAULT },
    }
}

fn first_attempt(number: u32) -> Attempt {
    let settlement = Settlement {
        id: settlement_id(number),
        purpose: Purpose::MppOnboard,
        subject: Subject::Issued(issued_id(number)),
        amount: amount(0),
        state: State::Reserved,
        sequence: 1,
        attempts: 0,
        signature: None,
        landed_at: None,
        held: None,
    };
    Attempt { cost: Cost { fee: 10_000, rent: RENT, grant: 0 }, ..attempt(&settlement, number) }
}

pub(crate) async fn confirms(ledger: &dyn Ledger, plan: &ConfirmPlan, number: u32, now: u64) -> OnboardRecorded {
    ledger.record_issued(plan, first_attempt(number), now).await.expect("answers")
}

/// Records what nothing bars.
pub(super) async fn confirmed(ledger: &dyn Ledger, number: u32) -> Work {
    match confirms(ledger, &confirm(number, PLENTY), number, NOW).await {
        OnboardRecorded::Recorded(_, work) => *work,
        other => panic!("not recorded: {other:?}"),
    }
}

/// Issues, records and lands.
pub(crate) async fn lands(ledger: &dyn Ledger, plan: &IssuePlan, number: u32) -> Settlement {
    let settlement = lands_later(ledger, plan, number).await;
    recorded(ledger, &settlement, landed()).await
}

/// Issues a message that its wallet has signed, and that is on its way.
pub(crate) async fn lands_later(ledger: &dyn Ledger, plan: &IssuePlan, number: u32) -> Settlement {
    issued(ledger, plan).await;
    confirmed(ledger, number).await.settlement
}

pub(crate) async fn delegation(ledger: &dyn Ledger, wallet: u32) -> Delegation {
    let key = DelegationKey::Buyer(key(41, wallet), key(42, 0));
    ledger.delegation(&key).await.expect("reads").expect("is there")
}

/// A delegation of a wallet with a grant of so much, of which nothing was moved.
pub(crate) async fn grants(ledger: &dyn Ledger, wallet: u32, limit: u64) {
    grants_on(ledger, wallet, terms(wallet, 0, limit)).await;
}

/// Grants a wallet's first generation, which pays one seller alone.
pub(crate) async fn grants_to(ledger: &dyn Ledger, wallet: u32, seller: Pubkey) {
    grants_on(ledger, wallet, GrantTerms { seller: Some(seller), ..terms(wallet, 0, 5_000) }).await;
}

async fn grants_on(ledger: &dyn Ledger, wallet: u32, terms: GrantTerms) {
    let grant = Some(GrantPlan::New(terms));
    let granted = lands(ledger, &IssuePlan { grant, ..plan(wallet, 100 + wallet) }, 100 + wallet).await;
    recorded(ledger, &granted, Event::Finalised).await;
}

/// Issues a wallet's leave.
pub(crate) async fn leaves(ledger: &dyn Ledger, wallet: u32) {
    issued(ledger, &leave(wallet, 500 + wallet, "nonce-of-leave", 1)).await;
}

async fn message(ledger: &dyn Ledger, number: u32) -> IssuedMessage {
    ledger.find_issued(&IssuedKey::Id(issued_id(number))).await.expect("reads").expect("is there")
}

pub(crate) async fn a_delegation_comes_back_as_it_was_granted(ledger: &dyn Ledger) {
    issued(ledger, &plan(1, 1)).await;
    let begun = delegation(ledger, 1).await;
    assert_eq!((begun.state, begun.grant, begun.next_generation), (DelegationState::Pending, None, 1));
    assert_eq!((begun.account, begun.backend, begun.is_salted), (key(43, 1), Backend::SplDelegate, false));
    let waiting = message(ledger, 1).await;
    let hash = ContentHash(Sha256::digest(b"message 1").into());
    assert_eq!((waiting.state, waiting.hash, waiting.generation), (IssuedState::Waiting, hash, Some(0)));
    assert_eq!(ledger.find_issued(&IssuedKey::Hash(hash)).await.expect("reads"), Some(waiting));
    let work = confirmed(ledger, 1).await;
    assert_eq!(work.settlement.subject, Subject::Issued(issued_id(1)));
    assert_eq!(work.attempt.as_ref().map(|attempt| attempt.get().clone()), Some(first_attempt(1)));
    assert_eq!(ledger.issued_on_its_way(begun.id).await.expect("reads"), Some(message(ledger, 1).await));
    assert_eq!(delegation(ledger, 1).await.state, DelegationState::Pending, "it has not landed");
    recorded(ledger, &work.settlement, landed()).await;
    let active = delegation(ledger, 1).await;
    let grant = active.grant.expect("a grant");
    assert_eq!((active.state, grant.terms), (DelegationState::Active, terms(1, 0, 1_000)));
    assert_eq!((grant.granted_at, grant.expires_at, active.remaining()), (NOW, NOW + 3_600, Some(amount(1_000))));
    assert_eq!(ledger.delegation(&DelegationKey::Id(active.id)).await.expect("reads"), Some(active));
    assert!(matches!(message(ledger, 1).await.state, IssuedState::Landed(of) if of.signature == signature(1)));
    // What was signed once is known for ever, whatever it is sent as.
    let again = confirms(ledger, &ConfirmPlan { settlement: settlement_id(2), ..confirm(1, PLENTY) }, 2, NOW).await;
    assert_eq!(again, OnboardRecorded::Known(Box::new(message(ledger, 1).await)));
}

pub(crate) async fn issuing_voids_what_was_not_signed_and_is_a_generation_of_its_own(ledger: &dyn Ledger) {
    issued(ledger, &plan(1, 1)).await;
    assert_eq!(issues(ledger, &plan(1, 2)).await, WasIssued::Raced, "the generation is taken");
    let next = IssuePlan { grant: Some(GrantPlan::New(terms(1, 1, 7))), ..plan(1, 2) };
    issued(ledger, &next).await;
    assert_eq!(message(ledger, 1).await.state, IssuedState::Voided);
    assert_eq!(confirms(ledger, &confirm(1, PLENTY), 1, NOW).await, OnboardRecorded::Voided);
    let issued_grants = ledger.grants_issued(delegation_id(1)).await.expect("reads");
    assert_eq!(issued_grants, [terms(1, 1, 7), terms(1, 0, 1_000)]);
    let keys = [key(99, 1), terms(1, 0, 1).delegate, terms(2, 0, 1).delegate];
    assert_eq!(ledger.delegates_among(&keys).await.expect("reads"), [terms(1, 0, 1).delegate]);
    assert_eq!(confirms(ledger, &confirm(9, PLENTY), 9, NOW).await, OnboardRecorded::NotIssued);
    assert_eq!(confirms(ledger, &confirm(2, PLENTY), 2, NOW + 60).await, OnboardRecorded::Expired);
    // Another wallet's are nothing to it.
    issued(ledger, &plan(2, 3)).await;
    confirmed(ledger, 2).await;
    // What is on its way keeps everything else from being issued and from being sent.
    assert_eq!(issues(ledger, &renewal(1, 4, 2, 9)).await, WasIssued::OnItsWay);
}

pub(crate) async fn what_a_fork_takes_back_was_not_granted(ledger: &dyn Ledger) {
    let first = lands(ledger, &plan(1, 1), 1).await;
    recorded(ledger, &first, Event::Finalised).await;
    let second = lands(ledger, &renewal(1, 2, 1, 500), 2).await;
    assert_eq!(delegation(ledger, 1).await.grant.map(|grant| grant.terms), Some(terms(1, 1, 500)));
    let taken = recorded(ledger, &second, Event::TakenBack).await;
    assert_eq!(delegation(ledger, 1).await.grant.map(|grant| grant.terms), Some(terms(1, 0, 1_000)));
    let gone = recorded(ledger, &taken, absent()).await;
    recorded(ledger, &gone, abandoned()).await;
    assert!(matches!(message(ledger, 2).await.state, IssuedState::Released(_)));
    assert_eq!(delegation(ledger, 1).await.standing(NOW), DelegationStanding::Active);
}

pub(crate) async fn a_leave_ends_a_delegation_and_its_proof_asks_once(ledger: &dyn Ledger) {
    lands(ledger, &plan(1, 1), 1).await;
    assert!(!ledger.is_leaving(delegation_id(1), NOW).await.expect("reads"));
    issued(ledger, &leave(1, 2, "nonce-00", 1)).await;
    assert!(ledger.is_leaving(delegation_id(1), NOW).await.expect("reads"));
    assert!(!ledger.is_leaving(delegation_id(1), NOW + 60).await.expect("reads"), "it cannot be signed any more");
    let repeated = issues(ledger, &leave(1, 3, "nonce-00", 1)).await;
    assert_eq!(repeated, WasIssued::Repeated(Box::new(message(ledger, 2).await)));
    assert_eq!(issues(ledger, &leave(1, 3, "nonce-00", 2)).await, WasIssued::ProofUsed);
    // The very same bytes, asked for by another proof: they are issued anew, and the first proof still finds them.
    let same = IssuePlan { message: b"message 2".to_vec(), until: NOW + 70, ..leave(1, 3, "nonce-01", 1) };
    issued(ledger, &same).await;
    assert_eq!(message(ledger, 2).await.until, NOW + 70);
    let repeated = issues(ledger, &leave(1, 3, "nonce-00", 1)).await;
    assert_eq!(repeated, WasIssued::Repeated(Box::new(message(ledger, 2).await)));
    let work = confirmed(ledger, 2).await;
    assert_eq!(work.settlement.purpose, Purpose::MppLeave);
    assert!(ledger.is_leaving(delegation_id(1), NOW + 60).await.expect("reads"), "it is on its way");
    recorded(ledger, &work.settlement, landed()).await;
    assert_eq!(issues(ledger, &IssuePlan { proof: None, ..same }).await, WasIssued::Raced, "it was signed");
    let left = delegation(ledger, 1).await;
    assert_eq!(
        (left.state, left.grant, left.standing(NOW)),
        (DelegationState::Left, None, DelegationStanding::Revoked)
    );
    // And begins again with a generation that was never granted.
    let again = IssuePlan { grant: Some(GrantPlan::New(terms(1, 1, 70))), ..plan(1, 4) };
    lands(ledger, &again, 4).await;
    assert_eq!(delegation(ledger, 1).await.grant.map(|grant| grant.terms.generation), Some(1));
}

pub(crate) async fn a_swig_is_active_after_its_last_round(ledger: &dyn Ledger) {
    let swig = |number, kind, grant| IssuePlan { backend: Backend::Swig, kind, grant, ..plan(1, number) };
    lands(ledger, &swig(1, IssuedKind::CreateSwig, None), 1).await;
    assert_eq!(delegation(ledger, 1).await.state, DelegationState::Pending);
    lands(ledger, &swig(2, IssuedKind::GrantRole, Some(GrantPlan::New(terms(1, 0, 900)))), 2).await;
    assert_eq!(delegation(ledger, 1).await.state, DelegationState::Pending);
    lands(ledger, &swig(3, IssuedKind::ActivateSessionKey, Some(GrantPlan::Earlier(0))), 3).await;
    assert_eq!(delegation(ledger, 1).await.grant.map(|grant| grant.terms), Some(terms(1, 0, 900)));
    let reading = DelegationReading {
        generation: 0,
        reading: Reading { role: Role::Live, balance: 5, remaining: u64::MAX },
        slot: 211,
        at: NOW,
    };
    let role = SeenRole { role: 4, expiry_slot: 9_000, expires_at: NOW + 77 };
    ledger.note_reading(delegation_id(1), &reading, Some(role)).await.expect("writes");
    let read = delegation(ledger, 1).await;
    let grant = read.grant.expect("a grant");
    assert_eq!((grant.role, grant.expiry_slot, grant.expires_at), (Some(4), Some(9_000), NOW + 77));
    let noted = read.reading.expect("was read").reading.remaining;
    assert_eq!(noted, i64::MAX.unsigned_abs(), "what is more than an amount counts as the largest");
    assert_eq!(read.remaining(), Some(amount(900)), "and no more is left than was granted");
    // A renewed role is of no use before its last round.
    lands(ledger, &swig(5, IssuedKind::GrantRole, Some(GrantPlan::New(terms(1, 1, 80)))), 5).await;
    assert_eq!(delegation(ledger, 1).await.standing(NOW), DelegationStanding::Pending);
}

pub(crate) async fn an_older_reading_tells_nothing(ledger: &dyn Ledger) {
    lands(ledger, &plan(1, 1), 1).await;
    let seen = |generation, slot, balance| DelegationReading {
        generation,
        reading: Reading { role: Role::Gone, balance, remaining: 3 },
        slot,
        at: NOW + slot,
    };
    for (reading, believed) in [
        (seen(0, 209, 1), None),
        (seen(1, 220, 2), None),
        (seen(0, 215, 3), Some(3)),
        (seen(0, 214, 4), Some(3)),
        (seen(0, 215, 5), Some(5)),
    ] {
        ledger.note_reading(delegation_id(1), &reading, None).await.expect("writes");
        assert_eq!(delegation(ledger, 1).await.reading.map(|read| read.reading.balance), believed, "{reading:?}");
    }
    assert_eq!(delegation(ledger, 1).await.standing(NOW), DelegationStanding::Revoked);
    lands(ledger, &renewal(1, 2, 1, 9), 2).await;
    assert_eq!(delegation(ledger, 1).await.reading, None, "it was of another grant");
}

pub(crate) async fn onboardings_are_counted_for_wallet_address_and_all(ledger: &dyn Ledger) {
    let two = OnboardLimits { of_wallet_per_day: 2, ..PLENTY };
    lands(ledger, &plan(1, 1), 1).await;
    lands(ledger, &renewal(1, 2, 1, 9), 2).await;
    issued(ledger, &renewal(1, 3, 2, 9)).await;
    let barred = |bar| OnboardRecorded::Barred(bar);
    let again_in = DAY - NOW % DAY;
    assert_eq!(confirms(ledger, &confirm(3, two), 3, NOW).await, barred(OnboardBar::Wallet { again_in }));
    let of_caller = OnboardLimits { of_caller_per_day: 2, ..PLENTY };
    issued(ledger, &plan(2, 4)).await;
    assert_eq!(confirms(ledger, &confirm(4, of_caller), 4, NOW).await, barred(OnboardBar::Caller { again_in }));
    let of_all = OnboardLimits { per_hour: 3, ..PLENTY };
    // Strangers have half of it, the operator's list all.
    let told = confirms(ledger, &confirm(4, of_all), 4, NOW).await;
    assert!(matches!(told, OnboardRecorded::Barred(OnboardBar::Everybody { again_in: 1.. })), "{told:?}");
    let listed = ConfirmPlan { is_listed: true, caller: [8; 16], ..confirm(4, of_all) };
    assert!(matches!(confirms(ledger, &listed, 4, NOW).await, OnboardRecorded::Recorded(..)));
    issued(ledger, &plan(3, 5)).await;
    let listed = ConfirmPlan { is_listed: true, ..confirm(5, of_all) };
    let told = confirms(ledger, &listed, 5, NOW).await;
    assert!(matches!(told, OnboardRecorded::Barred(OnboardBar::Everybody { .. })), "nor more than all: {told:?}");
}

pub(crate) async fn rents_of_a_day_are_bounded_and_strangers_take_half(ledger: &dyn Ledger) {
    let three = OnboardLimits { rent_per_day: 3 * RENT, ..PLENTY };
    lands(ledger, &plan(1, 1), 1).await;
    issued(ledger, &plan(2, 2)).await;
    let again_in = DAY - NOW % DAY;
    let told = confirms(ledger, &confirm(2, three), 2, NOW).await;
    assert_eq!(told, OnboardRecorded::Barred(OnboardBar::Rent { again_in }));
    for (wallet, number) in [(2, 2), (3, 3)] {
        issued(
            ledger,
            &IssuePlan {
                grant: Some(GrantPlan::New(terms(wallet, u32::from(wallet == 2), 5))),
                ..plan(wallet, number + 10)
            },
        )
        .await;
        let listed = ConfirmPlan { is_listed: true, ..confirm(number + 10, three) };
        assert!(matches!(confirms(ledger, &listed, number + 10, NOW).await, OnboardRecorded::Recorded(..)));
    }
    issued(ledger, &plan(4, 4)).await;
    let listed = ConfirmPlan { is_listed: true, ..confirm(4, three) };
    assert_eq!(confirms(ledger, &listed, 4, NOW).await, OnboardRecorded::Barred(OnboardBar::Rent { again_in }));
    // Swigs have a limit of their own.
    let none = OnboardLimits { swig_rent_per_day: 0, ..PLENTY };
    let swig = IssuePlan { backend: Backend::Swig, kind: IssuedKind::CreateSwig, grant: None, ..plan(5, 5) };
    issued(ledger, &swig).await;
    assert_eq!(
        confirms(ledger, &confirm(5, none), 5, NOW).await,
        OnboardRecorded::Barred(OnboardBar::Rent { again_in })
    );
}

pub(crate) async fn a_window_opens_so_many_channels_to_where_it_was_given(ledger: &dyn Ledger) {
    let wallet = key(41, 1);
    let from = CallerOrigin { caller: [1; 16], origin: [0; 32] };
    let window = OnboardWindow { wallet, from, until: NOW + OnboardWindow::LIFE };
    assert!(!ledger.take_window(&wallet, from, NOW).await.expect("answers"));
    ledger.open_window(&window, NOW).await.expect("writes");
    for other in [CallerOrigin { caller: [2; 16], ..from }, CallerOrigin { origin: [2; 32], ..from }] {
        assert!(!ledger.take_window(&wallet, other, NOW).await.expect("answers"));
    }
    assert!(!ledger.take_window(&key(41, 2), from, NOW).await.expect("answers"));
    assert!(!ledger.take_window(&wallet, from, window.until).await.expect("answers"), "it has closed");
    for _ in 0..OnboardWindow::OPENS {
        assert!(ledger.take_window(&wallet, from, NOW).await.expect("answers"));
    }
    assert!(!ledger.take_window(&wallet, from, NOW).await.expect("answers"), "it is used up");
    // However often a wallet signs in, so many are kept.
    for _ in 0..2 * OnboardWindow::KEPT {
        ledger.open_window(&window, NOW).await.expect("writes");
    }
    let mut opened = 0;
    while ledger.take_window(&wallet, from, NOW).await.expect("answers") {
        opened += 1;
    }
    assert_eq!(opened, OnboardWindow::KEPT * OnboardWindow::OPENS);
}
