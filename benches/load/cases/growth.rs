//! G1: what a payment takes on disk, how a service starts beside ten million of them, and what moving them to the archive costs.

use super::{Bench, holds::NEVER_DUE};
use crate::{
    Outcome,
    bodies::Nonces,
    report::Goal,
    seed,
    stage::{self, Stage},
};
use sotto::{
    domain::clock::{Clock as _, DAY, SystemClock},
    ledger::Ledger as _,
};
use std::{
    path::{Path, PathBuf},
    time::Instant,
};

const FILE: &str = "g1.db";
/// Sessions among which the payments are divided.
const SESSIONS: usize = 1_000;
/// How long ago they were made: longer than payments stay in the ledger.
const AGO: u64 = 200 * DAY;

pub async fn g1(bench: &mut Bench) -> Outcome<()> {
    let stage = Stage::raise(bench.latency).await?;
    let merchant = stage::wallet().pubkey();
    let path = stage.file(FILE);
    let ledger = seed::open(&path).await?;
    let ids = seed::sessions(&ledger, &stage, merchant, SESSIONS).await?;
    let empty = size(&path)?;
    let each = bench.sized(50, 10_000);
    let count = count(SESSIONS * each);
    drop(ledger);
    seed::many_past_payments(&path, &ids, each, SystemClock.now() - AGO).await?;
    let full = size(&path)?;
    bench.figure(
        "G1",
        &format!("in the ledger, of {count}"),
        "bytes/payment",
        Goal::Beside,
        vec![(full - empty) / count],
    );
    let ready = starts(bench, &stage)?;
    bench.figure("G1", &format!("start to ready beside {count} payments"), "ms", Goal::AtMost(300.0), ready);

    let ledger = seed::open(&path).await?;
    for id in &ids {
        ledger.close_session(*id).await?;
    }
    // The newest rows of all stay in the ledger, and so do their session's.
    let last = seed::sessions(&ledger, &stage, merchant, 1).await?;
    seed::past_payments(&ledger, &last, 1, Nonces::Ordered, SystemClock.now()).await?;
    let began = Instant::now();
    let mut moved = 0;
    // The sessions were made just now.
    while let Some(archived) = ledger.archive_one(SystemClock.now() + DAY).await? {
        moved += archived.payments;
    }
    let took = began.elapsed().as_secs_f64();
    bench.check(moved == (SESSIONS * each) as u64, || format!("{moved} of {count} payments moved"));
    bench.figure("G1", "moved to the archive", "payments/s", Goal::Beside, vec![count / took]);
    drop(ledger);
    let archive = PathBuf::from(format!("{}.archive", path.display()));
    bench.figure("G1", "in the archive", "bytes/payment", Goal::Beside, vec![size(&archive)? / count]);
    let ready = starts(bench, &stage)?;
    bench.figure("G1", "start to ready once they have moved", "ms", Goal::AtMost(300.0), ready);
    bench.audited(&path).await.map(drop)
}

/// Milliseconds until a service on this ledger was ready, in each run.
fn starts(bench: &Bench, stage: &Stage) -> Outcome<Vec<f64>> {
    let mut ready = Vec::new();
    for _ in 0..bench.runs {
        let server = stage.serve(FILE, &NEVER_DUE)?;
        ready.push(server.process.ready_after.as_secs_f64() * 1_000.0);
        server.process.stop()?;
    }
    Ok(ready)
}

/// Bytes of a file that nobody has open, so that its log is in it.
fn size(path: &Path) -> Outcome<f64> {
    Ok(precise(std::fs::metadata(path)?.len()))
}

fn count(number: usize) -> f64 {
    precise(number as u64)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn precise(number: u64) -> f64 {
    number as f64
}
