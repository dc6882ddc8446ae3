//! V1: `/verify` of payments that nobody made, over a thousand sessions.

use super::{Bench, Goals, echo_of};
use crate::{
    Outcome,
    bodies::{Payments, Terms},
    report::{Goal, median},
    seed,
    stage::{self, Stage},
};

/// Shares at 32 and 256 connections, and the latency at half of the rate reached.
pub async fn v1(bench: &mut Bench) -> Outcome<()> {
    let stage = Stage::raise(bench.latency).await?;
    let merchant = stage::wallet().pubkey();
    let ledger = seed::open(&stage.file("v1.db")).await?;
    let sessions = seed::sessions(&ledger, &stage, merchant, 1_000).await?;
    drop(ledger);
    let sessions: Vec<String> = sessions.iter().map(ToString::to_string).collect();
    let server = stage.serve("v1.db", &[])?;
    let terms = Terms { asset: stage.mint()?, pay_to: merchant, amount: 10_000, deferred: false };
    let echo = echo_of(&server, "/verify", terms.body(&sessions[0], "n-1"), stage.directory()).await?;
    let payments = |address| Payments::new(address, "/verify", &terms, sessions.clone());
    let mut rate = 0.0;
    for connections in [32, 256] {
        let pairs = bench.alternate(&echo, &server, connections, payments)?;
        bench.share("V1", &format!("{connections} connections"), Goals { share: 62.0, p99: None }, &pairs);
        rate = if connections == 32 { pairs.rate() } else { rate };
    }
    let half = bench.half_load(&echo, &server, 32, rate / 2.0, payments)?;
    // Echo is what the machine and the generator take by themselves.
    let most = f64::max(4.0, 2.0 * median(&half.echo));
    bench.figure("V1", "p99 at half load", "ms", Goal::AtMost(most), half.server);
    bench.figure("V1", "p99 of echo at that rate", "ms", Goal::Beside, half.echo);
    server.process.stop()?;
    let totals = bench.audited(&server.ledger).await?;
    bench.check(totals.held.get() == 0, || "verify left a trace".to_owned());
    Ok(())
}
