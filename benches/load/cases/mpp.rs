//! V2, C1, C2 and M2: vouchers, charges and preparations of the Machine Payments Protocol, and the memory of its channels.

use super::{Bench, Goals, accepted, answer_of, opening::millis};
use crate::{
    Outcome, echo, generator, mpp_wallet,
    report::Goal,
    stage::{self, Server, Stage},
    vouchers::{self, Preparations, Vouchers},
};
use serde_json::json;
use solana_pubkey::Pubkey;
use std::{path::Path, time::Duration};

const CONNECTIONS: usize = 128;
/// Buyers of V2 and M2, each with its share of the channels.
const BUYERS: usize = 50;

/// A stage that serves the protocol, and a seller on it.
struct Market {
    stage: Stage,
    settings: Vec<(&'static str, String)>,
    seller: Pubkey,
}

impl Market {
    async fn raise(bench: &Bench) -> Outcome<Self> {
        let mut stage = Stage::raise(bench.latency).await?;
        let settings = mpp_wallet::settings(&mut stage).await?;
        let seller = stage::wallet().pubkey();
        stage.ask("localnet_fundToken", json!([seller.to_string(), 0])).await?;
        Ok(Self { stage, settings, seller })
    }

    fn serve(&self, file: &str) -> Outcome<Server> {
        let settings: Vec<_> = self.settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
        self.stage.serve(file, &settings)
    }

    /// So many open channels in a ledger of this name, whose facilitator has stopped; gives their secrets.
    async fn channels(&self, file: &str, buyers: usize, count: usize) -> Outcome<Vec<String>> {
        let server = self.serve(file)?;
        let each = count.div_ceil(buyers);
        let wallets = vouchers::buyers(&self.stage, &server, buyers).await?;
        server.process.stop()?;
        vouchers::channels(&self.stage, file, &wallets, self.seller, each).await
    }
}

/// Vouchers of a thousand channels, each durable before it is answered.
pub async fn v2(bench: &mut Bench) -> Outcome<()> {
    let market = Market::raise(bench).await?;
    let secrets = market.channels("v2.db", BUYERS.min(bench.sized(5, BUYERS)), 1_000).await?;
    let server = market.serve("v2.db")?;
    let channels = vouchers::drawn(secrets);
    // The first voucher of a channel, so that the loads go on from there.
    let first = vouchers::body(&channels[0].0, 1_000_000);
    let answer = answer_of(server.address, "/mpp/session/voucher", first.into_bytes()).await?;
    if !answer.starts_with(b"{\"success\":true") {
        return Err(format!("no voucher is given: {}", String::from_utf8_lossy(&answer)).into());
    }
    let echo = echo::start(&answer, market.stage.directory())?;
    let load = |address| Vouchers::new(address, &channels, CONNECTIONS);
    let pairs = bench.alternate(&echo, &server, CONNECTIONS, load)?;
    let half = bench.half_load(&echo, &server, CONNECTIONS, pairs.rate() / 2.0, load)?;
    bench.share("V2", "", Goals { share: 35.0, p99: None }, &pairs);
    bench.figure("V2", "p99 at half load", "ms", Goal::AtMost(5.0), half.server);
    bench.figure("V2", "p99 of echo at that rate", "ms", Goal::Beside, half.echo);
    // Killed, not stopped: what was answered has to be on disk by itself.
    server.process.kill()?;
    let given = vouchers_of(&server.ledger)?;
    let answered = pairs.accepted + half.accepted + 1;
    bench.check(given >= answered, || format!("{answered} vouchers were answered and {given} are in the ledger"));
    bench.audited(&server.ledger).await.map(drop)
}

/// A charge, from `/mpp/settle` to its success.
pub async fn c1(bench: &mut Bench) -> Outcome<()> {
    let market = Market::raise(bench).await?;
    let server = market.serve("c1.db")?;
    let (wallet, http) = (stage::wallet(), reqwest::Client::builder().timeout(Duration::from_mins(1)).build()?);
    market.stage.ask("localnet_fundToken", json!([wallet.pubkey().to_string(), 1_000_000_000])).await?;
    let mut times = Vec::new();
    for _ in 0..bench.sized(5, 40) {
        let took = vouchers::charge_once(&http, &server, &wallet, &market.seller).await?;
        times.push(took.as_secs_f64() * 1_000.0);
    }
    let most = market.stage.slot.as_secs_f64() * 1_000.0 + 2.0 * millis(market.stage.latency) + 20.0;
    bench.figure("C1", "settle a charge", "ms", Goal::AtMost(most), times);
    server.process.stop()?;
    bench.audited(&server.ledger).await.map(drop)
}

/// `/mpp/prepare`, which asks nobody.
pub async fn c2(bench: &mut Bench) -> Outcome<()> {
    let market = Market::raise(bench).await?;
    let server = market.serve("c2.db")?;
    let answer = answer_of(server.address, "/mpp/prepare", b"{}".to_vec()).await?;
    let echo = echo::start(&answer, market.stage.directory())?;
    let pairs = bench.alternate(&echo, &server, CONNECTIONS, Preparations)?;
    bench.share("C2", "", Goals { share: 50.0, p99: None }, &pairs);
    server.process.kill()?;
    bench.audited(&server.ledger).await.map(drop)
}

/// What a hundred thousand open channels take, after each was drawn from.
pub async fn m2(bench: &mut Bench) -> Outcome<()> {
    let market = Market::raise(bench).await?;
    let idle = market.serve("idle.db")?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let rest = idle.process.resident()?.0;
    idle.process.stop()?;
    let count = bench.sized(2_000, 100_000);
    let secrets = market.channels("m2.db", BUYERS.min(bench.sized(5, BUYERS)), count).await?;
    let channels = vouchers::drawn(secrets);
    let server = market.serve("m2.db")?;
    let mut above = Vec::new();
    for _ in 0..bench.runs {
        let load = Vouchers::new(server.address, &channels, CONNECTIONS);
        let (shots, _) = generator::fire(bench.plan(server.address, CONNECTIONS), load)?;
        accepted("the server", &shots)?;
        above.push(server.process.resident()?.0 - rest);
    }
    bench.figure("M2", &format!("{count} channels, above idle"), "MiB", Goal::AtMost(100.0), above);
    bench.figure("M2", "idle", "MiB", Goal::Beside, vec![rest]);
    bench.figure("M2", "highest", "MiB", Goal::Beside, vec![server.process.resident()?.1]);
    server.process.kill()?;
    bench.audited(&server.ledger).await.map(drop)
}

fn vouchers_of(ledger: &Path) -> Outcome<u64> {
    let reader = rusqlite::Connection::open(ledger)?;
    Ok(reader.query_row("SELECT count(*) FROM vouchers", [], |row| row.get::<_, i64>(0))?.unsigned_abs())
}
