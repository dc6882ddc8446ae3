//! S1 and S2: `/settle` deferred, durable before the answer. Nothing is settled while it is measured: the triggers are
//! out of reach, and what settling costs is S5.

use super::{Bench, Pairs, echo_of};
use crate::{
    Outcome,
    bodies::{Payments, Terms},
    seed,
    stage::{self, Stage},
};

/// Connections of these cases; `spec/group-commit.md` measured the same.
const CONNECTIONS: usize = 128;
/// Triggers and exposure out of reach.
pub const NEVER_DUE: [(&str, &str); 6] = [
    ("deferred.amount", "1000000"),
    ("deferred.count", "1000000"),
    ("deferred.age_seconds", "86400"),
    ("deferred.session_exposure", "1000000"),
    ("deferred.merchant_exposure", "1000000"),
    ("deferred.leave_within_seconds", "0"),
];

/// One session.
pub async fn s1(bench: &mut Bench) -> Outcome<()> {
    let pairs = measure(bench, "s1.db", 1, 0).await?;
    bench.share("S1", "", 35.0, &pairs);
    Ok(())
}

/// A thousand sessions; then with a million payments in the table.
pub async fn s2(bench: &mut Bench) -> Outcome<()> {
    let pairs = measure(bench, "s2.db", 1_000, 0).await?;
    bench.share("S2", "", 35.0, &pairs);
    let each = bench.sized(50, 1_000);
    let pairs = measure(bench, "s2-million.db", 1_000, each).await?;
    bench.share("S2", "a million holds", 25.0, &pairs);
    Ok(())
}

async fn measure(bench: &mut Bench, file: &str, sessions: usize, past: usize) -> Outcome<Pairs> {
    let stage = Stage::raise(bench.latency).await?;
    let merchant = stage::wallet().pubkey();
    let ledger = seed::open(&stage.file(file)).await?;
    let ids = seed::sessions(&ledger, &stage, merchant, sessions).await?;
    seed::past_payments(&ledger, &ids, past).await?;
    drop(ledger);
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let server = stage.serve(file, &NEVER_DUE)?;
    let terms = Terms { asset: stage.mint()?, pay_to: merchant, amount: 1, deferred: true };
    let echo = echo_of(&server, "/settle", terms.body(&ids[0], "n-1"), stage.directory()).await?;
    let payments = |address, run| Payments::new(address, "/settle", &terms, ids.clone()).run(run + 1);
    let pairs = bench.alternate(&echo, &server, CONNECTIONS, payments)?;
    // Killed, not stopped: what was answered has to be on disk by itself.
    server.process.kill()?;
    let totals = bench.audited(&server.ledger).await?;
    let answered = pairs.accepted + 1;
    bench.check(totals.held.get() >= answered, || {
        format!("{answered} payments of one base unit were answered and {} are held", totals.held)
    });
    Ok(pairs)
}
