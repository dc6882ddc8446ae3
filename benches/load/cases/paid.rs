//! S3 to S6: payments that are answered when their transfer has landed, what they cost and what they ask of the RPC.

use super::{Bench, accepted, holds::NEVER_DUE, opening::millis};
use crate::{
    Outcome,
    bodies::Payments,
    generator::{self, Plan, Shots},
    payers::Town,
    report::Goal,
    stage::Stage,
};
use sotto::ledger::Totals;
use std::time::{Duration, Instant};

/// What a call costs its payer, in base units.
const PRICE: u64 = 10;
/// Payers of S4.
const PAYERS: usize = 100;
/// How many calls of one payer are under way at once in S5.
const AT_ONCE: usize = 8;

/// What a load of paid calls came to.
#[derive(Clone)]
pub struct Measured {
    runs: Vec<Shots>,
    calls: u64,
    transfers: u64,
    lamports: u64,
    /// What the network was asked for, by method.
    asked: Vec<(String, u64)>,
    /// For so long.
    seconds: f64,
}

impl Measured {
    #[expect(clippy::cast_precision_loss, reason = "counts of one run")]
    fn per_call(&self) -> f64 {
        self.lamports as f64 / self.calls as f64
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of one run")]
    fn calls_per_transfer(&self) -> f64 {
        self.calls as f64 / self.transfers as f64
    }

    /// How many of these messages were sent.
    fn asked_for(&self, which: impl Fn(&str) -> bool) -> u64 {
        self.asked.iter().filter(|(method, _)| which(method)).map(|(_, count)| count).sum()
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of one run")]
    fn per_transfer(&self, count: u64) -> f64 {
        count as f64 / self.transfers as f64
    }
}

/// The load of one case.
struct Load<'a> {
    file: &'a str,
    payers: usize,
    connections: usize,
    deferred: bool,
    settings: &'a [(&'a str, &'a str)],
    runs: usize,
    measured: Duration,
}

/// One payer, one call after the other, nobody else.
pub async fn s3(bench: &mut Bench) -> Outcome<()> {
    let measured = Duration::from_secs(if bench.quick { 4 } else { 10 });
    let load = Load { payers: 1, connections: 1, ..Load::new("s3.db", bench, measured) };
    let came = fire(bench, &load).await?;
    let most = 400.0 + 2.0 * millis(bench.latency) + 20.0;
    let (p50, p99) = percentiles(&came);
    bench.figure("S3", "median of a paid call", "ms", Goal::AtMost(most), p50);
    bench.figure("S3", "p99", "ms", Goal::Beside, p99);
    Ok(())
}

/// A hundred payers, each with one call under way.
pub async fn s4(bench: &mut Bench) -> Outcome<()> {
    let came = steady(bench).await?;
    let rates = came.runs.iter().map(Shots::rate).collect();
    let (p50, p99) = percentiles(&came);
    bench.figure("S4", "paid calls", "1/s", Goal::AtLeast(100.0), rates);
    bench.figure("S4", "p50", "ms", Goal::Beside, p50);
    bench.figure("S4", "p99", "ms", Goal::AtMost(2_000.0), p99);
    Ok(())
}

/// What a call costs: S4, S4 with eight calls of each payer under way, and deferred.
pub async fn s5(bench: &mut Bench) -> Outcome<()> {
    let alone = steady(bench).await?;
    bench.figure("S5", "S4", "lamports/call", Goal::Beside, vec![alone.per_call()]);
    bench.figure("S5", "S4, calls per transfer", "calls", Goal::Beside, vec![alone.calls_per_transfer()]);
    let measured = Duration::from_secs(if bench.quick { 4 } else { 15 });
    let payers = bench.sized(10, PAYERS);
    let load = Load { payers, connections: payers * AT_ONCE, runs: 1, ..Load::new("s5.db", bench, measured) };
    let together = fire(bench, &load).await?;
    bench.figure("S5", "8 calls at once", "lamports/call", Goal::AtMost(2_500.0), vec![together.per_call()]);
    let calls = vec![together.calls_per_transfer()];
    bench.figure("S5", "8 calls at once, calls per transfer", "calls", Goal::Beside, calls);
    // Few payers, so that each reaches the count many times; the rest of the settings is out of reach.
    let due = |(key, value)| match key {
        "deferred.count" => (key, "200"),
        // What is left at the end is carried too, before the books are closed.
        "deferred.leave_within_seconds" => (key, "60"),
        _ => (key, value),
    };
    let settings: Vec<_> = NEVER_DUE.into_iter().map(due).collect();
    let load = Load {
        payers: 10,
        connections: 32,
        runs: 1,
        deferred: true,
        settings: &settings,
        ..Load::new("s5-deferred.db", bench, measured)
    };
    let deferred = fire(bench, &load).await?;
    bench.figure(
        "S5",
        "deferred, settled from 200 calls on",
        "lamports/call",
        Goal::AtMost(100.0),
        vec![deferred.per_call()],
    );
    let calls = vec![deferred.calls_per_transfer()];
    bench.figure("S5", "deferred, calls per transfer", "calls", Goal::Beside, calls);
    Ok(())
}

/// What a settlement asks of the RPC when nothing is unusual.
pub async fn s6(bench: &mut Bench) -> Outcome<()> {
    let came = steady(bench).await?;
    // Subscriptions and their ends are messages on a websocket that is open anyway.
    let pushed = came.asked_for(|method| method.starts_with("signature"));
    let (all, sends) = (came.asked_for(|_| true) - pushed, came.asked_for(|method| method == "sendTransaction"));
    let row = |requests| vec![came.per_transfer(requests)];
    bench.figure("S6", "all RPC requests over HTTP per settlement", "requests", Goal::Beside, row(all));
    bench.figure("S6", "of these, sends", "requests", Goal::AtMost(1.0), row(sends));
    #[expect(clippy::cast_precision_loss, reason = "counts of one run")]
    let shared = (all - sends) as f64 / came.seconds;
    bench.figure("S6", "shared by all settlements", "requests/s", Goal::Beside, vec![shared]);
    bench.figure("S6", "messages on the websocket per settlement", "messages", Goal::AtMost(2.0), row(pushed));
    Ok(())
}

fn percentiles(came: &Measured) -> (Vec<f64>, Vec<f64>) {
    let of = |share| came.runs.iter().map(|shots| shots.percentile(share)).collect();
    (of(0.5), of(0.99))
}

/// The load of S4, fired once for all cases that look at it.
async fn steady(bench: &mut Bench) -> Outcome<Measured> {
    if let Some(came) = &bench.steady {
        return Ok(came.clone());
    }
    let payers = bench.sized(10, PAYERS);
    let measured = Duration::from_secs(if bench.quick { 4 } else { 10 });
    let load = Load { payers, connections: payers, ..Load::new("s4.db", bench, measured) };
    let came = fire(bench, &load).await?;
    bench.steady = Some(came.clone());
    Ok(came)
}

impl<'a> Load<'a> {
    fn new(file: &'a str, bench: &Bench, measured: Duration) -> Self {
        Self { file, payers: 1, connections: 1, deferred: false, settings: &NEVER_DUE, runs: bench.runs, measured }
    }
}

/// Opens the sessions with one server and fires at a second one on the same ledger, so that the books tell what each
/// cost. Then holds the books against the chain.
async fn fire(bench: &mut Bench, load: &Load<'_>) -> Outcome<Measured> {
    let stage = Stage::raise(bench.latency).await?;
    let settings = load.settings;
    let first = stage.serve(load.file, settings)?;
    let town = Town::settle_in(&stage, &first, load.payers).await?;
    first.process.stop()?;
    let before = bench.audited(&first.ledger).await?;

    let server = stage.serve(load.file, settings)?;
    let terms = town.terms(&stage, PRICE, load.deferred)?;
    let warm_up = Duration::from_secs(2);
    let plan =
        Plan { address: server.address, connections: load.connections, warm_up, measured: load.measured, rate: None };
    let mut runs = Vec::new();
    stage.forget_requests().await?;
    let began = Instant::now();
    for _ in 0..load.runs {
        let mut payments = Payments::new(server.address, "/settle", &terms, town.sessions.clone());
        payments.own_session = true;
        let (shots, _) = generator::fire(plan, payments)?;
        accepted("the server", &shots)?;
        runs.push(shots);
    }
    let (asked, seconds) = (stage.requests().await?, began.elapsed().as_secs_f64());
    eprintln!("  asked of the network: {asked:?}");
    server.process.stop()?;
    let after = bench.audited(&server.ledger).await?;
    let calls: u64 = runs.iter().map(|shots| shots.accepted_in_all).sum();
    reconcile(bench, &stage, &town, &after, calls).await?;
    Ok(Measured {
        runs,
        calls,
        transfers: after.transfers - before.transfers,
        lamports: spent(&after) - spent(&before),
        asked,
        seconds,
    })
}

fn spent(totals: &Totals) -> u64 {
    totals.fees + totals.rent + totals.grants
}

/// The merchant has what was answered, and the facilitator has paid what it booked.
async fn reconcile(bench: &mut Bench, stage: &Stage, town: &Town, books: &Totals, calls: u64) -> Outcome<()> {
    let received = stage.balance(&town.merchant).await?;
    let answered = calls * PRICE;
    bench.check(received == books.captured.get(), || {
        format!("the merchant has {received} base units and the books say {}", books.captured)
    });
    bench.check(books.captured.get() >= answered, || {
        format!("{answered} base units were answered as paid and {} captured", books.captured)
    });
    let left = stage.lamports().await?;
    let paid = stage.purse - left;
    bench.check(paid == spent(books), || format!("{paid} lamports are gone and {} are booked", spent(books)));
    Ok(())
}
