//! The ledger's verbs on a real disk: each is durable when it answers, so one alone costs a flush, and many share one.

use criterion::Criterion;
use futures_util::future::join_all;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use sotto::{
    domain::{
        amount::Amount,
        approval::LandedApprove,
        hold::{ContentHash, HoldId, NewHold},
        intent::Intent,
        session::{CapCheck, Delegation, Session, SessionId, SessionState, SignedIntent},
        settlement::SettlementId,
    },
    ledger::{Carry, Ledger as _, LedgerOptions, SqliteLedger},
};
use std::{
    hint::black_box,
    sync::atomic::{AtomicU32, Ordering},
};

/// Holds that arrive together.
const TOGETHER: u32 = 64;
const NOW: u64 = 1_800_000_000;

struct Bench {
    runtime: tokio::runtime::Runtime,
    ledger: SqliteLedger,
    session: SessionId,
    made: AtomicU32,
    _directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let path = directory.path().join("ledger.db");
        let ledger = runtime.block_on(SqliteLedger::open(&path, &LedgerOptions::default())).expect("opens");
        let session = session();
        runtime.block_on(async {
            ledger.open_session(&session).await.expect("is written");
            let (signature, amount) = (Signature::from([1; 64]), Some(session.intent.cap));
            let approve = LandedApprove {
                signature,
                amount,
                handle: 1,
                seen: 1,
                seen_slot: 0,
                slot: 0,
                delegation: Delegation::default(),
            };
            ledger.mark_open(session.id, CapCheck::Verified, &approve, &[]).await.expect("opens");
        });
        Self { runtime, ledger, session: session.id, made: AtomicU32::new(0), _directory: directory }
    }

    fn payment(&self) -> NewHold {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let scattered = u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        NewHold {
            id: HoldId::in_order(NOW, number, [0; 6]),
            session: self.session,
            nonce: Some(format!("{scattered:016x}")),
            content: ContentHash([7; 32]),
            amount: Amount::new(1).unwrap_or_default(),
            unverified_exposure: Amount::ZERO,
            deferred: None,
            funding: sotto::domain::funding::FundingDemand { required: false, max_age: 60, cap_binds: false },
            answer: None,
            now: NOW,
        }
    }
}

fn session() -> Session {
    let key = |n| Pubkey::new_from_array([n; 32]);
    let intent = Intent {
        approved: None,
        asset: key(1),
        cap: Amount::MAX,
        expires_at: NOW + 1,
        network: "solana:devnet".to_owned(),
        nonce: "000102030405060708090a0b0c0d0e0f".to_owned(),
        recipient: key(2),
        spender: key(3),
        user: key(4),
        session_key: None,
    };
    Session {
        id: SessionId::from_random_bytes([5; 16]),
        signed: SignedIntent { bytes: intent.to_bytes(), signature: Some([7; 64]), settle_signature: None },
        intent,
        network: "solana:devnet".to_owned(),
        state: SessionState::Opening,
        cap_check: CapCheck::Unverified,
        captured: Amount::ZERO,
        held: Amount::ZERO,
        approve: None,
        created_at: NOW,
    }
}

/// Reads, holds and plans.
pub(crate) fn verbs(c: &mut Criterion) {
    let bench = Bench::new();
    let Bench { runtime, ledger, session, .. } = &bench;
    c.bench_function("ledger: read a session that is kept", |b| {
        b.iter(|| runtime.block_on(ledger.session(black_box(*session))).expect("answers"));
    });
    c.bench_function("ledger: look a nonce up", |b| {
        b.iter(|| runtime.block_on(ledger.find_payment(*session, black_box("never seen"))).expect("answers"));
    });
    c.bench_function("ledger: hold, alone", |b| {
        b.iter(|| runtime.block_on(ledger.hold(&bench.payment())).expect("holds"));
    });
    c.bench_function("ledger: 64 holds together", |b| {
        b.iter(|| {
            let payments: Vec<_> = (0..TOGETHER).map(|_| bench.payment()).collect();
            runtime.block_on(join_all(payments.iter().map(|payment| ledger.hold(payment))))
        });
    });
    c.bench_function("ledger: hold and plan a settlement", |b| {
        b.iter(|| {
            runtime.block_on(async {
                ledger.hold(&bench.payment()).await.expect("holds");
                let number = bench.made.fetch_add(1, Ordering::Relaxed).to_le_bytes();
                let id =
                    SettlementId::from_random_bytes([number, number, number, number].concat().try_into().expect("16"));
                ledger.plan_settlement(id, *session, Carry::up_to(Amount::MAX), NOW).await.expect("plans")
            })
        });
    });
}
