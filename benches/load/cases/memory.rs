//! M1: memory and start.

use super::{Bench, accepted, holds::NEVER_DUE};
use crate::{
    Outcome,
    bodies::{Payments, Terms},
    generator,
    report::Goal,
    seed,
    stage::{self, Stage},
};
use std::time::Duration;

pub async fn m1(bench: &mut Bench) -> Outcome<()> {
    let stage = Stage::raise(bench.latency).await?;
    let (mut idle, mut ready) = (Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        let server = stage.serve("idle.db", &NEVER_DUE)?;
        ready.push(server.process.ready_after.as_secs_f64() * 1_000.0);
        tokio::time::sleep(Duration::from_secs(1)).await;
        idle.push(server.process.resident()?.0);
        server.process.stop()?;
    }
    bench.figure("M1", "start to ready, empty", "ms", Goal::AtMost(300.0), ready);
    bench.figure("M1", "resident, idle", "MiB", Goal::AtMost(50.0), idle);

    let merchant = stage::wallet().pubkey();
    let ledger = seed::open(&stage.file("m1.db")).await?;
    let count = bench.sized(10_000, 100_000);
    let ids = seed::sessions(&ledger, &stage, merchant, count).await?;
    drop(ledger);
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let mut ready = Vec::new();
    for _ in 1..bench.runs {
        let server = stage.serve("m1.db", &NEVER_DUE)?;
        ready.push(server.process.ready_after.as_secs_f64() * 1_000.0);
        server.process.stop()?;
    }
    let server = stage.serve("m1.db", &NEVER_DUE)?;
    ready.push(server.process.ready_after.as_secs_f64() * 1_000.0);
    bench.figure("M1", &format!("start to ready, {count} sessions"), "ms", Goal::AtMost(300.0), ready);
    let terms = Terms { asset: stage.mint()?, pay_to: merchant, amount: 1, deferred: true };
    let mut resident = Vec::new();
    for _ in 0..bench.runs {
        let payments = Payments::new(server.address, "/settle", &terms, ids.clone());
        let (shots, _) = generator::fire(bench.plan(server.address, 128), payments)?;
        accepted("the server", &shots)?;
        resident.push(server.process.resident()?.0);
    }
    let highest = server.process.resident()?.1;
    bench.figure("M1", &format!("resident at S2 load, {count} sessions"), "MiB", Goal::AtMost(160.0), resident);
    bench.figure("M1", "highest", "MiB", Goal::Beside, vec![highest]);
    server.process.kill()?;
    bench.audited(&server.ledger).await.map(drop)
}
