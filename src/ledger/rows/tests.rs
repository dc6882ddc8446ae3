//! Every column of every row, damaged: named, never believed, never a panic.

use super::*;
use crate::domain::settlement::Event;

fn session() -> SessionRow {
    SessionRow {
        seq: 5,
        id: vec![1; 16],
        user: vec![2; 32],
        asset: vec![3; 32],
        recipient: vec![4; 32],
        spender: vec![5; 32],
        session_key: Some(vec![6; 32]),
        nonce: "nonce".to_owned(),
        cap: 10,
        expires_at: 20,
        spelling: "solana:devnet".to_owned(),
        network: "solana:x".to_owned(),
        intent: vec![7],
        intent_signature: vec![8; 64],
        settle_signature: Some(vec![9; 64]),
        state: "rejected".to_owned(),
        rejected: Some("cap_mismatch".to_owned()),
        cap_verified: 1,
        captured: 3,
        held: 4,
        approve: Some(vec![10; 64]),
        created_at: 30,
        approved: Some(i64::MAX),
    }
}

fn hold() -> HoldRow {
    HoldRow {
        seq: 6,
        id: vec![1; 16],
        session: vec![2; 16],
        nonce: None,
        content: vec![3; 32],
        amount: 1,
        spent_after: 2,
        remaining_after: 3,
        state: "captured".to_owned(),
        settlement: Some(vec![4; 16]),
        reason: None,
        signature: None,
        live_signature: Some(vec![5; 64]),
        told: 1,
        accepted_at: 7,
        deferred: 0,
        returns: 0,
        funding: "proven".to_owned(),
    }
}

fn settlement() -> SettlementRow {
    SettlementRow {
        seq: 7,
        id: vec![1; 16],
        purpose: "capture".to_owned(),
        subject_kind: "session".to_owned(),
        subject_id: Some(vec![2; 16]),
        amount: 1,
        state: "landed".to_owned(),
        sequence: 3,
        attempts: 1,
        signature: Some(vec![3; 64]),
        landed_at: Some(40),
        held: Some(("moved".to_owned(), 50)),
    }
}

fn attempt() -> AttemptRow {
    AttemptRow {
        signature: vec![1; 64],
        settlement: vec![2; 16],
        number: 8,
        wire: vec![3],
        last_valid_block_height: 4,
        signed_at_slot: 5,
        fee: 6,
        rent: 7,
        lamports_granted: 8,
        bears_allowances: false,
        moves_balance: true,
        source: Some(vec![9; 32]),
        handle_before: Some(vec![10; 16]),
        handle_slot: Some(11),
        delegated_before: Some(vec![12; 16]),
        seen_by: vec!["rpc.example".to_owned()],
        past_at: Some(77),
    }
}

fn event(word: &str) -> EventRow {
    EventRow {
        sequence: 9,
        event: word.to_owned(),
        signature: Some(vec![1; 64]),
        slot: Some(2),
        reason: Some("internal_error".to_owned()),
        finalised_height: Some(3),
        first_available_block: Some(4),
    }
}

/// Damages a row in each of the ways and expects the error that names the column.
macro_rules! damaged {
    ($row:ident, $into:ident, $table:literal, $number:literal, $($field:ident = $value:expr => $column:literal,)*) => {
        assert!($row().$into().is_ok(), "undamaged it is fine");
        $(
            let mut row = $row();
            row.$field = $value;
            let told = row.$into().expect_err(stringify!($field)).to_string();
            let expected = concat!($table, ".", $column, " of row ", $number, " is not what it must be");
            assert_eq!(told, format!("the ledger is inconsistent: {expected}"));
        )*
    };
}

#[test]
fn a_damaged_session_is_named_by_column() {
    damaged!(session, into_session, "sessions", "5",
        id = vec![1; 15] => "id",
        user = vec![] => "user",
        asset = vec![3; 33] => "asset",
        recipient = vec![4; 31] => "recipient",
        spender = vec![5; 64] => "spender",
        session_key = Some(vec![]) => "session_key",
        cap = -1 => "cap",
        expires_at = -1 => "expires_at",
        intent_signature = vec![8; 63] => "intent_signature",
        settle_signature = Some(vec![9; 65]) => "settle_signature",
        state = "open".to_owned() => "state",
        state = "unheard of".to_owned() => "state",
        rejected = None => "state",
        rejected = Some("unheard of".to_owned()) => "state",
        cap_verified = 2 => "cap_verified",
        captured = i64::MIN => "captured",
        held = -4 => "held",
        approve = Some(vec![1]) => "approve",
        created_at = -30 => "created_at",
        approved = Some(-1) => "approved",
    );
}

#[test]
fn a_session_has_one_signature_or_the_other() {
    let short = SessionRow { intent_signature: NOT_SIGNED.to_vec(), ..session() };
    assert_eq!(short.into_session().expect("is whole").signed.signature, None);
    let neither = SessionRow { intent_signature: NOT_SIGNED.to_vec(), settle_signature: None, ..session() };
    let told = neither.into_session().expect_err("nobody has signed it").to_string();
    assert!(told.contains("sessions.settle_signature of row 5"), "{told}");
}

#[test]
fn a_damaged_hold_is_named_by_column() {
    damaged!(hold, into_hold, "holds", "6",
        id = vec![] => "id",
        session = vec![2; 17] => "session",
        content = vec![3; 31] => "content",
        amount = -1 => "amount",
        spent_after = -1 => "spent_after",
        remaining_after = -1 => "remaining_after",
        state = "lost".to_owned() => "state",
        state = "released".to_owned() => "reason",
        settlement = None => "settlement",
        settlement = Some(vec![4; 15]) => "settlement",
        live_signature = None => "settlement",
        live_signature = Some(vec![5; 63]) => "signature",
        told = 7 => "told",
        accepted_at = -1 => "accepted_at",
    );
}

#[test]
fn a_damaged_settlement_or_attempt_is_named_by_column() {
    damaged!(settlement, into_settlement, "settlements", "7",
        id = vec![] => "id",
        purpose = "theft".to_owned() => "purpose",
        subject_kind = "theft".to_owned() => "subject_kind",
        subject_kind = "own".to_owned() => "subject_kind",
        subject_id = None => "subject_kind",
        subject_id = Some(vec![]) => "subject_id",
        amount = -1 => "amount",
        state = "lost".to_owned() => "state",
        sequence = i64::MAX => "sequence",
        attempts = -1 => "attempts",
        signature = Some(vec![3; 65]) => "signature",
        held = Some(("weather".to_owned(), 50)) => "why",
        held = Some(("moved".to_owned(), -1)) => "since",
    );
    damaged!(attempt, into_attempt, "attempts", "8",
        signature = vec![] => "signature",
        settlement = vec![] => "settlement",
        last_valid_block_height = -1 => "last_valid_block_height",
        signed_at_slot = -1 => "signed_at_slot",
        fee = -1 => "fee",
        rent = -1 => "rent",
        lamports_granted = -1 => "lamports_granted",
        moves_balance = false => "source",
        source = None => "source",
        source = Some(vec![9; 31]) => "source",
        handle_before = Some(vec![10; 15]) => "handle_before",
        handle_slot = Some(-1) => "handle_slot",
        delegated_before = Some(vec![12; 17]) => "delegated_before",
    );
}

#[test]
fn a_damaged_event_is_named_by_column() {
    type Damage = fn(&mut EventRow);
    let cases: [(&str, Damage, &str); 10] = [
        ("unheard of", |_| (), "event"),
        ("signed", |row| row.signature = None, "signature"),
        ("signed", |row| row.signature = Some(vec![1]), "signature"),
        ("landed", |row| row.slot = None, "slot"),
        ("landed", |row| row.slot = Some(-1), "slot"),
        ("refused", |row| row.reason = None, "reason"),
        ("failed", |row| row.slot = None, "slot"),
        ("abandoned", |row| row.reason = Some("unheard of".to_owned()), "reason"),
        ("absent", |row| row.finalised_height = None, "finalised_height"),
        ("absent", |row| row.first_available_block = Some(-1), "first_available_block"),
    ];
    for (word, damage, column) in cases {
        let mut row = event(word);
        damage(&mut row);
        let told = row.into_event().expect_err(word).to_string();
        assert!(told.contains(&format!("settlement_events.{column} of row 9")), "{told}");
    }
}

#[test]
fn every_event_is_read_as_it_was_written() {
    let proof = crate::domain::settlement::AbsenceProof { finalised_height: 11, first_available_block: 12 };
    for event in [
        Event::Reserved,
        Event::Signed { signature: Signature::from([13; 64]) },
        Event::Landed { slot: 14 },
        Event::Found { signature: Signature::from([17; 64]), slot: 18 },
        Event::Finalised,
        Event::TakenBack,
        Event::Refused { slot: 15, reason: PayReason::OnchainTransferFailed },
        Event::Failed { slot: 16 },
        Event::Absent(proof),
        Event::Abandoned { reason: PayReason::SimulationFailed },
    ] {
        let row = EventRow::of(3, &event).expect("fits");
        assert_eq!(row.sequence, 3);
        assert_eq!(row.into_event().ok(), Some(event));
    }
    assert!(EventRow::of(1, &Event::Landed { slot: u64::MAX }).is_err(), "what does not fit is not bent");
}

#[test]
fn every_state_of_a_session_is_read_as_it_was_written() {
    let rejected = SessionReason::ALL.iter().map(|reason| SessionState::Rejected(*reason));
    let others = [
        SessionState::Opening,
        SessionState::Open,
        SessionState::Expired,
        SessionState::Closing,
        SessionState::Closed,
        SessionState::Superseded,
        SessionState::Revoked,
    ];
    for state in rejected.chain(others) {
        let reason = if let SessionState::Rejected(reason) = state { Some(reason.word()) } else { None };
        assert_eq!(session_state(state.word(), reason), Some(state));
    }
    assert_eq!(session_state("rejected", None), None);
}
