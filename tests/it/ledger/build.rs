//! Sessions, payments and settlements to test with; every number makes a different one.

use crate::support::Engine;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use sotto::{
    domain::{
        amount::Amount,
        approval::LandedApprove,
        funding::FundingDemand,
        hold::{ContentHash, Hold, HoldId, NewHold},
        intent::Intent,
        reason::PayReason,
        session::{CapCheck, Delegation, Session, SessionId, SessionState, SignedIntent},
        settlement::{AbsenceProof, Allowances, Attempt, Cost, Event, MOST_ATTEMPTS, Moves, Settlement, SettlementId},
    },
    ledger::{Carry, Held, Ledger, Opened, Recorded},
};
use std::sync::Arc;

/// The time at which tests happen.
pub(crate) const NOW: u64 = 1_000;
/// The cap of every session.
pub(crate) const CAP: u64 = 1_000;
/// When every session ends.
pub(crate) const END: u64 = 5_000;

/// A ledger on a fresh database, and whatever keeps that database alive.
pub(crate) struct Fixture {
    pub(crate) ledger: Arc<dyn Ledger>,
    _directory: tempfile::TempDir,
}

/// A fixture on an engine.
pub(crate) async fn fixture(engine: Engine) -> Fixture {
    let directory = tempfile::tempdir().expect("a temporary directory");
    Fixture { ledger: engine.open(directory.path(), "ledger.db").await, _directory: directory }
}

pub(crate) fn amount(units: u64) -> Amount {
    Amount::new(units).expect("fits")
}

fn bytes(kind: u8, number: u32) -> [u8; 16] {
    let mut bytes = [kind; 16];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    bytes
}

pub(crate) fn session_id(number: u32) -> SessionId {
    SessionId::from_random_bytes(bytes(1, number))
}

pub(crate) fn hold_id(number: u32) -> HoldId {
    HoldId::from_random_bytes(bytes(2, number))
}

pub(crate) fn settlement_id(number: u32) -> SettlementId {
    SettlementId::from_random_bytes(bytes(3, number))
}

pub(crate) fn key(kind: u8, number: u32) -> Pubkey {
    let mut key = [kind; 32];
    key[28..].copy_from_slice(&number.to_be_bytes());
    Pubkey::new_from_array(key)
}

pub(crate) fn signature(number: u32) -> Signature {
    let mut signature = [9; 64];
    signature[60..].copy_from_slice(&number.to_be_bytes());
    Signature::from(signature)
}

/// An approve that has landed, with room for every session of its user.
pub(crate) fn approve(number: u32) -> LandedApprove {
    let handle = u128::from(number);
    LandedApprove {
        signature: signature(number),
        amount: Some(Amount::MAX),
        handle,
        seen: handle,
        seen_slot: 1,
        slot: 1,
        delegation: Delegation::Public,
    }
}

/// A session of its own user, as it is before it is opened.
pub(crate) fn session(number: u32) -> Session {
    session_with(number, |_| ())
}

/// A session that differs from the usual one.
pub(crate) fn session_with(number: u32, change: impl FnOnce(&mut Session)) -> Session {
    let intent = Intent {
        approved: None,
        asset: key(20, 0),
        cap: amount(CAP),
        expires_at: END,
        network: "solana:devnet".to_owned(),
        nonce: format!("intent-nonce-{number:08}"),
        recipient: key(21, number),
        spender: key(22, 0),
        user: key(23, number),
        session_key: None,
    };
    let mut session = Session {
        id: session_id(number),
        signed: SignedIntent { bytes: Vec::new(), signature: Some([7; 64]), settle_signature: None },
        intent,
        network: "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1".to_owned(),
        state: SessionState::Opening,
        cap_check: CapCheck::Unverified,
        captured: Amount::ZERO,
        held: Amount::ZERO,
        approve: None,
        created_at: NOW,
    };
    change(&mut session);
    session.signed.bytes = session.intent.to_bytes();
    session
}

/// Writes a session and opens it with a verified cap.
pub(crate) async fn opened(ledger: &dyn Ledger, number: u32) -> Session {
    let session = session(number);
    assert!(matches!(ledger.open_session(&session).await, Ok(Opened::New(_))));
    ledger.mark_open(session.id, CapCheck::Verified, &approve(number), &[]).await.expect("opens")
}

/// A payment with a nonce and content of its own.
pub(crate) fn payment(session: SessionId, number: u32, units: u64) -> NewHold {
    NewHold {
        id: hold_id(number),
        session,
        nonce: Some(format!("payment-{number}")),
        content: content(number),
        amount: amount(units),
        unverified_exposure: amount(50),
        deferred: None,
        funding: FundingDemand { required: false, max_age: 60, cap_binds: false },
        answer: None,
        now: NOW,
    }
}

pub(crate) fn content(number: u32) -> ContentHash {
    ContentHash(key(24, number).to_bytes())
}

/// Accepts a payment that must be new.
pub(crate) async fn held(ledger: &dyn Ledger, new: &NewHold) -> Hold {
    match ledger.hold(new).await {
        Ok(Held::New(hold)) => hold,
        other => panic!("not held: {other:?}"),
    }
}

pub(crate) fn attempt(settlement: &Settlement, number: u32) -> Attempt {
    Attempt {
        settlement: settlement.id,
        number: settlement.attempts + 1,
        signature: signature(number),
        wire: vec![1, 2, 3, 0, 255],
        last_valid_block_height: 300,
        signed_at_slot: 200,
        cost: Cost { fee: 10_000, rent: 2_000_000, grant: 7 },
        allowances: Allowances::NotBought,
        moves: Moves::of(settlement.purpose, None),
        seen_by: Vec::new(),
        past_at: None,
    }
}

pub(crate) async fn planned(ledger: &dyn Ledger, session: SessionId, number: u32) -> Settlement {
    let planned = ledger.plan_settlement(settlement_id(number), session, Carry::up_to(Amount::MAX), NOW).await;
    planned.expect("plans").expect("something waits")
}

pub(crate) async fn signed(
    ledger: &dyn Ledger,
    settlement: &Settlement,
    number: u32,
) -> (Settlement, Recorded<Attempt>) {
    let signed = ledger.record_signed(settlement, attempt(settlement, number), NOW).await.expect("records");
    signed.recorded().expect("is within every budget")
}

/// Plans everything that waits and signs it; settlement and signature get this number.
pub(crate) async fn in_flight(ledger: &dyn Ledger, session: SessionId, number: u32) -> Settlement {
    let settlement = planned(ledger, session, number).await;
    signed(ledger, &settlement, number).await.0
}

pub(crate) async fn recorded(ledger: &dyn Ledger, settlement: &Settlement, event: Event) -> Settlement {
    ledger.record(settlement, event, &[], NOW).await.expect("records")
}

/// One payment whose transfer has had all its attempts, each of which was proved absent; the last one has this signature.
pub(crate) async fn all_absent(ledger: &dyn Ledger, last: Signature) -> Settlement {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let mut settlement = planned(ledger, session.id, 1).await;
    for number in 1..=MOST_ATTEMPTS {
        let made = attempt(&settlement, number);
        let signature = if number == MOST_ATTEMPTS { last } else { made.signature };
        let signed = ledger.record_signed(&settlement, Attempt { signature, ..made }, NOW).await.expect("records");
        let (in_flight, _) = signed.recorded().expect("is within every budget");
        settlement = recorded(ledger, &in_flight, absent()).await;
    }
    settlement
}

pub(crate) fn landed() -> Event {
    Event::Landed { slot: 210 }
}

pub(crate) fn refused() -> Event {
    Event::Refused { slot: 211, reason: PayReason::OnchainTransferFailed }
}

pub(crate) fn failed() -> Event {
    Event::Failed { slot: 212 }
}

pub(crate) fn absent() -> Event {
    Event::Absent(AbsenceProof { finalised_height: 301, first_available_block: 100 })
}

pub(crate) fn abandoned() -> Event {
    Event::Abandoned { reason: PayReason::SettlementExpired }
}
