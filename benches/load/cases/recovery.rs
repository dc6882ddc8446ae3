//! R1: a facilitator is killed with ten thousand promises that nothing has carried yet, and started again.

use super::{Bench, accepted, answer_of, holds::NEVER_DUE};
use crate::{
    Outcome,
    bodies::Payments,
    generator::{self, Plan},
    payers::Town,
    report::Goal,
    stage::Stage,
};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// How long anybody waits for the last settlement.
const PATIENCE: Duration = Duration::from_mins(2);

/// What one kill came to.
struct Recovery {
    held: u64,
    ready: f64,
    accepting: f64,
    slots: f64,
}

pub async fn r1(bench: &mut Bench) -> Outcome<()> {
    let mut came = Vec::new();
    for _ in 0..bench.runs {
        came.push(recover(bench).await?);
    }
    let least = came.iter().map(|run| run.held).min().unwrap_or(0);
    let each = |of: fn(&Recovery) -> f64| came.iter().map(of).collect();
    bench.figure("R1", "accepting again", "ms", Goal::AtMost(1_000.0), each(|run| run.accepting));
    bench.figure("R1", "of these, start to ready", "ms", Goal::Beside, each(|run| run.ready));
    bench.figure("R1", &format!("{least} holds settled"), "slots", Goal::AtMost(60.0), each(|run| run.slots));
    Ok(())
}

async fn recover(bench: &mut Bench) -> Outcome<Recovery> {
    let stage = Stage::raise(bench.latency).await?;
    let (payers, wanted) = (bench.sized(10, 100), bench.sized(500, 10_000));
    let first = stage.serve("r1.db", &NEVER_DUE)?;
    let town = Town::settle_in(&stage, &first, payers).await?;
    let terms = town.terms(&stage, 1, true)?;
    let address = first.address;
    let mut held = 0;
    // As many volleys as it takes; each leaves what it was answered behind.
    while held < wanted as u64 {
        let plan = Plan {
            address,
            connections: 32,
            warm_up: Duration::ZERO,
            measured: Duration::from_millis(100),
            rate: Some(20_000.0),
        };
        let payments = Payments::new(address, "/settle", &terms, town.sessions.clone());
        let (shots, _) = generator::fire(plan, payments)?;
        accepted("the server", &shots)?;
        held += shots.accepted_in_all;
    }
    first.process.kill()?;

    let (began, slot) = (Instant::now(), stage.slot_now().await?);
    // Everything is due at once then.
    let second = stage.serve("r1.db", &[("deferred.age_seconds", "1")])?;
    let answer = answer_of(second.address, "/settle", terms.body(&town.sessions[0], "n-after-the-kill")).await?;
    let accepting = began.elapsed().as_secs_f64() * 1_000.0;
    bench.check(answer.starts_with(b"{\"success\":true"), || "a payment after the restart is refused".to_owned());
    while unsettled(&second.ledger)? > 0 {
        if began.elapsed() > PATIENCE {
            bench.check(false, || "some holds were not settled in two minutes".to_owned());
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    #[expect(clippy::cast_precision_loss, reason = "a few slots")]
    let slots = (stage.slot_now().await? - slot) as f64;
    let ready = second.process.ready_after.as_secs_f64() * 1_000.0;
    second.process.stop()?;
    let totals = bench.audited(&second.ledger).await?;
    let received = stage.balance(&town.merchant).await?;
    bench.check(totals.captured.get() > held && received == totals.captured.get(), || {
        format!("{held} were promised, {} captured, {received} received", totals.captured)
    });
    Ok(Recovery { held, ready, accepting, slots })
}

/// Payments whose fate is open, as another process sees the ledger's file.
fn unsettled(ledger: &Path) -> Outcome<u64> {
    let conn = rusqlite::Connection::open_with_flags(ledger, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    conn.busy_timeout(Duration::from_secs(5))?;
    let sql = "SELECT count(*) FROM holds WHERE state IN ('waiting', 'planned')";
    Ok(conn.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
}
