//! What the database itself keeps of providers' and operators' words: nothing of it changes, and what was proved absent lives
//! again by an operator's word alone (ADR 0057).

use super::{
    super::build::{NOW, held, in_flight, opened, payment, signature},
    File,
};
use sotto::{
    domain::settlement::{AbsenceProof, HeldBecause, Resolution, Verdict},
    ledger::{OperatorLedger as _, Resolved, SeenLanding},
};

/// Guards: `recorded_answers_come_with_the_success` and `recorded_answers_never_change`.
#[tokio::test]
async fn an_answer_is_recorded_with_its_success_and_never_changes() {
    let file = File::new();
    let ledger = file.open().await;
    let session = opened(&ledger, 1).await.id;
    held(&ledger, &payment(session, 1, 10)).await;
    drop(ledger);
    let conn = file.raw();
    let record = "INSERT INTO recorded_answers SELECT id, zeroblob(32), 1, 2 FROM holds";
    let refused = conn.execute(record, []).expect_err("nobody was told").to_string();
    assert!(refused.contains("recorded with its success"), "{refused}");
    conn.execute("UPDATE holds SET told = 1", []).expect("tells");
    conn.execute(record, []).expect("records");
    let refused = conn.execute("UPDATE recorded_answers SET answer_until = 3", []).expect_err("it stays").to_string();
    assert!(refused.contains("never changes"), "{refused}");
    let never = "INSERT INTO recorded_answers SELECT randomblob(16), zeroblob(32), 1, 2";
    assert!(conn.execute(never, []).is_err(), "of no payment");
}

#[tokio::test]
async fn words_of_providers_and_operators_never_change() {
    let file = File::new();
    let ledger = file.open().await;
    let session = opened(&ledger, 1).await.id;
    held(&ledger, &payment(session, 1, 10)).await;
    let settlement = in_flight(&ledger, session, 1).await;
    ledger.note_held(&settlement, HeldBecause::Moved, NOW).await.expect("notes");
    let seen = SeenLanding { signature: signature(1), voice: "a.example".to_owned(), slot: 210 };
    ledger.note_seen(&[seen], NOW).await.expect("notes");
    ledger.note_past(&signature(1), 400, NOW).await.expect("notes");
    let verdict = Verdict::Absent(AbsenceProof { finalised_height: 301, first_available_block: 200 });
    let resolution = Resolution { settlement: settlement.id, verdict, words: "an archive node".to_owned() };
    assert!(matches!(ledger.resolve(&resolution, NOW).await, Ok(Resolved::Written(_))));
    drop(ledger);
    let conn = file.raw();
    for (forbidden, words) in [
        ("UPDATE held_settlements SET since = 0", "held_settlements is append-only"),
        ("DELETE FROM held_settlements", "held_settlements is append-only"),
        ("UPDATE resolutions SET words = 'others'", "resolutions is append-only"),
        ("DELETE FROM resolutions", "resolutions is append-only"),
        ("UPDATE attempt_seen SET slot = 0", "attempt_seen is append-only"),
        ("DELETE FROM attempt_seen", "attempt_seen is append-only"),
        ("UPDATE attempt_past SET slot = 0", "attempt_past is append-only"),
        ("DELETE FROM attempt_past", "attempt_past is append-only"),
        ("UPDATE attempts SET handle_slot = 1", "before an attempt was signed never changes"),
        ("UPDATE attempts SET live = 1", "a dead attempt never lives again"),
        ("UPDATE sponsored_lamports SET state = 'spent'", "a void booking stays void"),
        (
            "INSERT INTO settlement_events (settlement, sequence, event, signature, slot, at) \
             SELECT settlement, 99, 'landed', signature, 9, 1 FROM attempts",
            "nobody has found this transaction",
        ),
        (
            "INSERT INTO resolutions (settlement, sequence, transaction_found, words, at) \
             SELECT settlement, 1, NULL, ' ', 1 FROM attempts",
            "absence_is_said_in_words",
        ),
    ] {
        let refused = conn.execute(forbidden, []).map_err(|error| error.to_string());
        assert!(matches!(&refused, Err(told) if told.contains(words)), "{forbidden}: {refused:?}");
    }
}
