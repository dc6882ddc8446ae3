//! V1: `/verify` of payments that nobody made, over a thousand sessions.

use super::{Bench, accepted, echo_of};
use crate::{
    Outcome,
    bodies::{Payments, Terms},
    generator,
    report::Goal,
    seed,
    stage::{self, Stage},
};
use std::net::SocketAddr;

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
    let payments = |address, run| Payments::new(address, "/verify", &terms, sessions.clone()).run(run);
    let mut rate = 0.0;
    for connections in [32, 256] {
        let pairs = bench.alternate(&echo, &server, connections, payments)?;
        bench.share("V1", &format!("{connections} connections"), 50.0, &pairs);
        rate = if connections == 32 { pairs.rate() } else { rate };
    }
    let (mut late, mut late_echo) = (Vec::new(), Vec::new());
    let echo: SocketAddr = echo.text("address")?.parse()?;
    for run in 0..bench.runs {
        // What echo takes at the same rate is what the machine and the generator take.
        for (address, p99) in [(echo, &mut late_echo), (server.address, &mut late)] {
            let half = generator::Plan { rate: Some(rate / 2.0), ..bench.plan(address, 32) };
            let (shots, _) = generator::fire(half, payments(address, u32::try_from(run)?))?;
            accepted("who is asked at half load", &shots)?;
            p99.push(shots.percentile(0.99));
        }
    }
    bench.figure("V1", "p99 at half load", "ms", Goal::AtMost(5.0), late);
    bench.figure("V1", "p99 of echo at that rate", "ms", Goal::Beside, late_echo);
    server.process.stop()?;
    let totals = bench.audited(&server.ledger).await?;
    bench.check(totals.held.get() == 0, || "verify left a trace".to_owned());
    Ok(())
}
