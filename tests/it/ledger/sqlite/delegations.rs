//! What the schema keeps of delegations whatever a verb asks: what channels count on is not taken away at our cost.

use super::File;
use crate::ledger::{
    build::NOW,
    cases::delegations::{PLENTY, confirm, confirms, issues, lands, leave, plan, renewal},
};
use sotto::{
    domain::{
        clock::DAY,
        mpp::{
            choices::Backend,
            delegation::{GrantPlan, IssuePlan, IssuedKind},
        },
    },
    ledger::{DelegationLedger as _, OnboardRecorded, WasIssued},
};

impl File {
    /// What stands on every delegation from now on: live channels, reserved, owed, and settlements on their way.
    fn stands_on(&self, used: [i64; 4]) {
        let sql = "UPDATE delegation_use SET live = ?1, reserved = ?2, owed = ?3, in_flight = ?4";
        assert_eq!(self.raw().execute(sql, used).expect("writes"), 1);
    }
}

/// Guards: `issued::refused`, `onboardings::refused`. Looked at again in the record, because channels open in between.
#[tokio::test]
async fn what_channels_count_on_is_not_taken_away() {
    let file = File::new();
    let ledger = file.open().await;
    lands(&ledger, &plan(1, 1), 1).await;
    drop(ledger);
    file.stands_on([1, 500, 20, 0]);
    let ledger = file.open().await;
    assert_eq!(issues(&ledger, &leave(1, 2, "nonce-00", 1)).await, WasIssued::ChannelsOpen);
    assert_eq!(issues(&ledger, &renewal(1, 2, 1, 499)).await, WasIssued::NotCovered);
    assert_eq!(issues(&ledger, &renewal(1, 2, 1, 500)).await, WasIssued::Issued);
    drop(ledger);
    for used in [[1, 501, 0, 0], [1, 500, 0, 1]] {
        file.stands_on(used);
        let ledger = file.open().await;
        assert_eq!(confirms(&ledger, &confirm(2, PLENTY), 2, NOW).await, OnboardRecorded::NotCovered, "{used:?}");
    }
    file.stands_on([0, 0, 0, 0]);
    let ledger = file.open().await;
    assert_eq!(issues(&ledger, &leave(1, 3, "nonce-00", 1)).await, WasIssued::Issued);
    drop(ledger);
    for used in [[1, 0, 0, 0], [0, 0, 0, 1]] {
        file.stands_on(used);
        let ledger = file.open().await;
        assert_eq!(confirms(&ledger, &confirm(3, PLENTY), 3, NOW).await, OnboardRecorded::ChannelsOpen, "{used:?}");
    }
}

/// Guard: `DelegationUse::allows_renewal`. The old role of a Swig is gone before the new one acts.
#[tokio::test]
async fn a_swig_is_not_renewed_under_a_channel() {
    let file = File::new();
    let swig = |plan: IssuePlan| IssuePlan { backend: Backend::Swig, ..plan };
    let ledger = file.open().await;
    lands(&ledger, &swig(renewal(1, 1, 0, 900)), 1).await;
    let activate =
        IssuePlan { kind: IssuedKind::ActivateSessionKey, grant: Some(GrantPlan::Earlier(0)), ..swig(plan(1, 2)) };
    lands(&ledger, &activate, 2).await;
    drop(ledger);
    file.stands_on([1, 5, 0, 0]);
    let ledger = file.open().await;
    assert_eq!(issues(&ledger, &swig(renewal(1, 3, 1, 900))).await, WasIssued::NotCovered);
}

/// Guards: `issued_leaves_give_something_back`, `issued_swigs_are_lent_once`.
#[tokio::test]
async fn the_schema_pays_for_no_leave_of_nothing_and_for_one_swig() {
    let file = File::new();
    let ledger = file.open().await;
    let swig =
        |plan: IssuePlan| IssuePlan { backend: Backend::Swig, kind: IssuedKind::CreateSwig, grant: None, ..plan };
    assert_eq!(issues(&ledger, &plan(1, 1)).await, WasIssued::Issued);
    assert_eq!(issues(&ledger, &leave(1, 2, "nonce-00", 1)).await, WasIssued::Issued);
    lands(&ledger, &swig(plan(2, 3)), 3).await;
    assert_eq!(issues(&ledger, &swig(plan(2, 4))).await, WasIssued::Issued);
    drop(ledger);
    let raw = file.raw();
    for (kind, guard) in [("leave", "nothing that a leave would give back has landed"), ("create_swig", "is lent once")]
    {
        let sign = format!(
            "UPDATE issued_messages SET settlement = zeroblob(16), confirmed_at = 2000, caller = zeroblob(16), newcomer = 0 \
             WHERE kind = '{kind}' AND settlement IS NULL"
        );
        let refused = raw.execute_batch(&sign).expect_err(kind).to_string();
        assert!(refused.contains(guard), "{kind}: {refused}");
    }
}

/// Guard: `mpp_proofs_stay_while_they_may_prove`. Whoever asks for leaves for ever makes no table grow for ever.
#[tokio::test]
async fn a_used_proof_is_forgotten_once_it_has_long_proved_nothing() {
    let file = File::new();
    let ledger = file.open().await;
    lands(&ledger, &plan(1, 1), 1).await;
    for (number, now) in [(2, NOW), (3, NOW + DAY), (4, NOW + DAY + 1)] {
        let plan = IssuePlan { until: now + 60, ..leave(1, number, &format!("nonce-{number:02}"), 1) };
        assert_eq!(ledger.issue(&plan, now).await.expect("answers"), WasIssued::Issued);
    }
    drop(ledger);
    let kept = "SELECT group_concat(nonce) FROM (SELECT nonce FROM mpp_proofs ORDER BY nonce)";
    let kept: String = file.raw().query_row(kept, [], |row| row.get(0)).expect("reads");
    assert_eq!(kept, "nonce-03,nonce-04");
}

/// The schema itself, where a verb would forget to ask.
#[tokio::test]
async fn the_schema_refuses_what_no_verb_asks() {
    let file = File::new();
    let ledger = file.open().await;
    lands(&ledger, &plan(1, 1), 1).await;
    assert_eq!(issues(&ledger, &leave(1, 2, "nonce-00", 1)).await, WasIssued::Issued);
    drop(ledger);
    file.stands_on([1, 5, 5, 0]);
    let raw = file.raw();
    let sign = "UPDATE issued_messages SET settlement = zeroblob(16), confirmed_at = 2000, caller = zeroblob(16), newcomer = 0 \
        WHERE kind = 'leave'";
    for (sql, guard) in [
        (sign, "channels of this wallet hold something"),
        ("UPDATE issued_messages SET message = x'00' WHERE kind = 'leave'", "what was issued never changes"),
        ("DELETE FROM issued_messages WHERE settlement IS NOT NULL", "what was signed is never forgotten"),
        ("UPDATE issued_messages SET voided = 1 WHERE settlement IS NOT NULL", "CHECK constraint failed"),
        ("UPDATE delegations SET account = zeroblob(32)", "keeps its account"),
        ("UPDATE delegations SET buyer = zeroblob(32)", "the terms of a delegation never change"),
        ("UPDATE delegation_grants SET spend_limit = 5", "the terms of a grant never change"),
        ("DELETE FROM delegation_grants", "never forgotten"),
        ("UPDATE delegation_grants SET moved = spend_limit + 1", "CHECK constraint failed"),
        ("UPDATE delegation_use SET owed = reserved + 1", "CHECK constraint failed"),
        ("DELETE FROM delegation_use", "never forgotten"),
        ("DELETE FROM delegation_events", "only added"),
        ("UPDATE mpp_proofs SET act = zeroblob(32)", "used once"),
        ("DELETE FROM mpp_proofs", "remembered for a day"),
    ] {
        let refused = raw.execute_batch(sql).expect_err(sql).to_string();
        assert!(refused.contains(guard), "{sql}: {refused}");
    }
}
