//! S1 and S2: `/settle` deferred, durable before the answer, with nonces ordered by time; S1s and S2s with scattered ones.
//! Nothing is settled while it is measured: the triggers are out of reach, and what settling costs is S5.

use super::{Bench, Goals, Late, Pairs, echo_of};
use crate::{
    Outcome,
    bodies::{Nonces, Payments, Terms},
    report::Goal,
    seed,
    stage::{self, Stage},
};
use sotto::domain::clock::{Clock as _, SystemClock};

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

/// What a case goes over.
struct Load<'a> {
    file: &'a str,
    sessions: usize,
    /// Payments of each session that are in the table before.
    past: usize,
    nonces: Nonces,
}

/// One session, nonces as our clients make them.
pub async fn s1(bench: &mut Bench) -> Outcome<()> {
    one_session(bench, "S1", Nonces::Ordered, 45.0).await
}

/// One session, nonces as others make them.
pub async fn s1_scattered(bench: &mut Bench) -> Outcome<()> {
    one_session(bench, "S1s", Nonces::Scattered, 26.0).await
}

/// A thousand sessions, then with a million payments in the table; nonces as our clients make them.
pub async fn s2(bench: &mut Bench) -> Outcome<()> {
    many_sessions(bench, "S2", Nonces::Ordered, [45.0, 42.0]).await
}

/// A thousand sessions, then with a million payments in the table; nonces as others make them.
pub async fn s2_scattered(bench: &mut Bench) -> Outcome<()> {
    many_sessions(bench, "S2s", Nonces::Scattered, [24.0, 22.0]).await
}

async fn one_session(bench: &mut Bench, case: &str, nonces: Nonces, share: f64) -> Outcome<()> {
    let load = Load { file: &format!("{case}.db"), sessions: 1, past: 0, nonces };
    let (pairs, half) = measure(bench, &load).await?;
    bench.share(case, "", Goals { share, p99: Some(8.0) }, &pairs);
    bench.figure(case, "p99 at half load", "ms", Goal::AtMost(4.0), half.server);
    bench.figure(case, "p99 of echo at that rate", "ms", Goal::Beside, half.echo);
    Ok(())
}

async fn many_sessions(bench: &mut Bench, case: &str, nonces: Nonces, shares: [f64; 2]) -> Outcome<()> {
    let million = bench.sized(50, 1_000);
    for (past, what, share) in [(0, "", shares[0]), (million, "a million holds", shares[1])] {
        let load = Load { file: &format!("{case}-{past}.db"), sessions: 1_000, past, nonces };
        let (pairs, _) = measure(bench, &load).await?;
        bench.share(case, what, Goals { share, p99: None }, &pairs);
    }
    Ok(())
}

async fn measure(bench: &mut Bench, load: &Load<'_>) -> Outcome<(Pairs, Late)> {
    let stage = Stage::raise(bench.latency).await?;
    let merchant = stage::wallet().pubkey();
    let ledger = seed::open(&stage.file(load.file)).await?;
    let ids = seed::sessions(&ledger, &stage, merchant, load.sessions).await?;
    seed::past_payments(&ledger, &ids, load.past, load.nonces, SystemClock.now()).await?;
    drop(ledger);
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let server = stage.serve(load.file, &NEVER_DUE)?;
    let terms = Terms { asset: stage.mint()?, pay_to: merchant, amount: 1, deferred: true };
    let echo = echo_of(&server, "/settle", terms.body(&ids[0], "n-1"), stage.directory()).await?;
    let payments = |address| Payments::new(address, "/settle", &terms, ids.clone()).with(load.nonces);
    let pairs = bench.alternate(&echo, &server, CONNECTIONS, payments)?;
    let half = bench.half_load(&echo, &server, CONNECTIONS, pairs.rate() / 2.0, payments)?;
    // Killed, not stopped: what was answered has to be on disk by itself.
    server.process.kill()?;
    let totals = bench.audited(&server.ledger).await?;
    let answered = pairs.accepted + half.accepted + 1;
    bench.check(totals.held.get() >= answered, || {
        format!("{answered} payments of one base unit were answered and {} are held", totals.held)
    });
    Ok((pairs, half))
}
