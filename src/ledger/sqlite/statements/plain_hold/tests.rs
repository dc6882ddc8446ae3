//! The shorter way to hold and the rule come to one result and write the same rows, whatever the session, its sums, its
//! merchant's and the limits.

use crate::{
    domain::{
        amount::Amount,
        funding::{Funding, FundingDemand},
        hold::{ContentHash, Exposure, HoldId, NewHold},
        samples::{self, amount},
        session::{CapCheck, Session, SessionId, SessionState},
    },
    ledger::{
        Held,
        rules::{SumsChange, accept::Accepted},
        sqlite::{
            migrate,
            statements::{holds, plain_hold, sessions},
        },
    },
};
use proptest::{
    prelude::{Just, Strategy, any, prop_oneof},
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};
use rusqlite::{Connection, params, types::Value};
use solana_pubkey::Pubkey;

const NOW: u64 = 1_000;
const CASES: u32 = 1_500;
/// Fewer that are plain would say little.
const FEWEST_PLAIN: u32 = 60;

/// What one case begins with.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
struct Scene {
    state: &'static str,
    verified: bool,
    expires_at: u64,
    cap: u64,
    /// Captured, held, deferred of what is held, and what other sessions of the merchant hold by promise.
    sums: [u64; 4],
    amount: u64,
    exposure: u64,
    deferred: Option<[u64; 2]>,
    nonce: Option<&'static str>,
    same_content: bool,
    /// Whether something is known of the payer's account, and whether proof is demanded.
    known: bool,
    required: bool,
}

/// Small numbers, so that limits are met often, and the largest ones.
fn units() -> impl Strategy<Value = u64> {
    let most = u64::try_from(i64::MAX).unwrap_or_default();
    prop_oneof![12 => 0_u64..40, 1 => Just(most), 1 => (most - 3)..=most]
}

fn scenes() -> impl Strategy<Value = Scene> {
    let states = prop_oneof![8 => Just("open"), 1 => Just("opening"), 1 => Just("closing"), 1 => Just("revoked"), 1 => Just("expired")];
    let terms = (states, any::<bool>(), 998_u64..1_010, units());
    let few = || prop_oneof![10 => 0_u64..15, 1 => units()];
    let sums = [few(), few(), few(), few()];
    let asked = (prop_oneof![4 => 0_u64..8, 1 => units()], units(), proptest::option::of([units(), units()]));
    let nonce = prop_oneof![1 => Just(None), 1 => Just(Some("used")), 6 => Just(Some("new"))];
    let others = (
        nonce,
        any::<bool>(),
        prop_oneof![6 => Just(false), 1 => Just(true)],
        prop_oneof![6 => Just(false), 1 => Just(true)],
    );
    (terms, sums, asked, others).prop_map(|(terms, sums, asked, others)| {
        let cap = terms.3.max(1);
        // What the tables would refuse is no scene.
        let captured = sums[0].min(cap);
        let held = sums[1].min(cap - captured);
        Scene {
            state: terms.0,
            verified: terms.1,
            expires_at: terms.2,
            cap,
            sums: [captured, held, sums[2].min(held), sums[3].min(i64::MAX.unsigned_abs() - cap)],
            amount: asked.0,
            exposure: asked.1,
            deferred: asked.2,
            nonce: others.0,
            same_content: others.1,
            known: others.2,
            required: others.3,
        }
    })
}

fn session(scene: &Scene) -> Session {
    let mut session = samples::session(20);
    session.id = SessionId::from_random_bytes([1; 16]);
    (session.intent.cap, session.intent.expires_at) = (amount(scene.cap), scene.expires_at);
    (session.intent.user, session.intent.recipient) =
        (Pubkey::new_from_array([2; 32]), Pubkey::new_from_array([3; 32]));
    (session.captured, session.held) = (Amount::ZERO, Amount::ZERO);
    session.state = if scene.state == "opening" { SessionState::Opening } else { SessionState::Open };
    session.cap_check = if scene.verified { CapCheck::Verified } else { CapCheck::Unverified };
    session.signed.bytes = session.intent.to_bytes();
    session
}

fn payment(scene: &Scene, number: u8, units: u64, nonce: Option<&str>) -> NewHold {
    let limits = |[session, merchant]: [u64; 2]| Exposure::shared(amount(session), amount(merchant));
    NewHold {
        id: HoldId::from_random_bytes([number; 16]),
        session: SessionId::from_random_bytes([1; 16]),
        nonce: nonce.map(str::to_owned),
        content: ContentHash([if scene.same_content { 8 } else { number }; 32]),
        amount: amount(units),
        unverified_exposure: amount(scene.exposure),
        deferred: scene.deferred.map(limits),
        funding: FundingDemand { required: scene.required, max_age: 60, cap_binds: false },
        answer: None,
        now: NOW,
    }
}

/// Writes the session, an earlier payment with a nonce, and the sums of the scene.
fn set(conn: &Connection, scene: &Scene) {
    let session = session(scene);
    sessions::insert(conn, &session, Amount::ZERO).expect("writes");
    let earlier = payment(scene, 7, 1, Some("used"));
    let accepted = Accepted {
        spent_after: amount(1),
        remaining_after: amount(scene.cap - 1),
        promised: false,
        funding: Funding::Unproven,
        sums: SumsChange::hold(amount(1)),
    };
    holds::insert(conn, &earlier, &accepted).expect("writes").expect("is new");
    let [captured, held, deferred, others] = scene.sums.map(|units| i64::try_from(units).expect("fits"));
    conn.execute(
        "UPDATE session_sums SET captured = ?1, held = ?2, deferred_held = ?3",
        params![captured, held, deferred],
    )
    .expect("writes");
    let merchant =
        "INSERT INTO merchant_exposure (recipient, asset, deferred_held) SELECT recipient, asset, ?1 FROM sessions";
    if deferred + others > 0 {
        conn.execute(merchant, [deferred.saturating_add(others)]).expect("writes");
    }
    if scene.state != "opening" && scene.state != "open" {
        conn.execute("UPDATE sessions SET state = ?1", [scene.state]).expect("writes");
    }
    if scene.known {
        let known =
            "INSERT INTO sources (user, asset, frozen, claimed, final) SELECT user, asset, 0, 0, 0 FROM sessions";
        conn.execute(known, []).expect("writes");
    }
}

/// Every row that a hold may touch.
fn rows(conn: &Connection) -> Vec<Vec<Value>> {
    let tables = ["sessions", "session_sums", "holds", "merchant_exposure", "sources", "session_events"];
    let mut found = Vec::new();
    for table in tables {
        let mut statement = conn.prepare(&format!("SELECT * FROM {table}")).expect("reads");
        let columns = statement.column_count();
        let read = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect()).expect("reads");
        found.extend(read.map(|row| row.expect("reads")));
    }
    found
}

/// What `write` answers and leaves; it is undone.
fn tried<T>(conn: &Connection, write: impl FnOnce(&Connection) -> T) -> (T, Vec<Vec<Value>>) {
    conn.execute_batch("SAVEPOINT tried").expect("begins");
    let answer = write(conn);
    let left = rows(conn);
    conn.execute_batch("ROLLBACK TO tried; RELEASE tried").expect("is undone");
    (answer, left)
}

#[tokio::test]
async fn a_plain_hold_is_what_the_rule_says_and_writes() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("ledger.db");
    let conn = Connection::open(&path).expect("makes a file");
    migrate::migrate(&path).await.expect("makes the tables");
    conn.execute_batch("PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON").expect("sets");
    let mut runner = TestRunner::new(Config::default());
    let mut plain = 0;
    for _ in 0..CASES {
        let scene = scenes().new_tree(&mut runner).expect("is made").current();
        conn.execute_batch("BEGIN").expect("begins");
        set(&conn, &scene);
        let new = payment(&scene, 8, scene.amount, scene.nonce);
        let before = rows(&conn);
        let (shorter, left) = tried(&conn, |conn| plain_hold::write(conn, &new));
        let (rule, expected) = tried(&conn, |conn| holds::hold_by_rule(conn, &new));
        match shorter.expect("answers") {
            Some(hold) => {
                plain += 1;
                assert_eq!(Some(Held::New(hold)), rule.ok(), "{scene:?}");
                assert_eq!(left, expected, "{scene:?}");
            }
            None => assert_eq!(left, before, "what is not plain has left something: {scene:?}"),
        }
        conn.execute_batch("ROLLBACK").expect("is undone");
    }
    assert!(plain >= FEWEST_PLAIN, "only {plain} of {CASES} scenes were plain");
}
