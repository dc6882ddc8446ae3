//! O1: `POST /sessions`, the full path: checks, the approve on chain, proof of the delegated amount.

use super::Bench;
use crate::{
    Outcome, payers,
    report::Goal,
    stage::{self, Stage},
};

pub async fn o1(bench: &mut Bench) -> Outcome<()> {
    let stage = Stage::raise(bench.latency).await?;
    let server = stage.serve("o1.db", &[])?;
    let merchant = stage::wallet();
    stage.fund(&merchant.pubkey(), 0).await?;
    let mut times = Vec::new();
    for _ in 0..bench.sized(3, 10) {
        times.push(payers::open_once(&stage, &server, &merchant).await?.as_secs_f64() * 1_000.0);
    }
    let most = 2.0 * stage.slot.as_secs_f64() * 1_000.0 + 4.0 * millis(stage.latency);
    bench.figure("O1", "open a session", "ms", Goal::AtMost(most), times);
    server.process.stop()?;
    bench.audited(&server.ledger).await.map(drop)
}

/// As a figure.
pub fn millis(latency: u64) -> f64 {
    f64::from(u32::try_from(latency).unwrap_or(u32::MAX))
}
