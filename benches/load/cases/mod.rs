//! The cases of `spec/performance.md` and `spec/mpp.md` §19, and what they share.

mod growth;
mod holds;
mod memory;
mod mpp;
mod network;
mod opening;
mod paid;
mod recovery;
mod thieves;
mod verify;

use crate::{
    Outcome, echo,
    generator::{self, Plan, Shots, Source},
    process::Process,
    report::{Figure, Goal},
    seed,
    stage::Server,
};
use sotto::ledger::{Ledger as _, Totals, Upkeep as _};
use std::{net::SocketAddr, path::Path, pin::Pin, time::Duration};

/// Everything a case is told, and where its figures go.
pub struct Bench {
    pub quick: bool,
    /// Alternations.
    pub runs: usize,
    /// How long one run fires.
    pub measured: Duration,
    /// How long thieves are at work in T1.
    pub thieves: Duration,
    /// Milliseconds that the network takes for an answer.
    pub latency: u64,
    pub figures: Vec<Figure>,
    /// Invariants that broke.
    pub broken: Vec<String>,
    /// What S4 came to, for the cases that look at it again.
    pub steady: Option<paid::Measured>,
}

type Case = for<'a> fn(&'a mut Bench) -> Pin<Box<dyn Future<Output = Outcome<()>> + 'a>>;

/// All cases in the order in which they run.
pub const CASES: [(&str, Case); 19] = [
    ("V1", |bench| Box::pin(verify::v1(bench))),
    ("S1", |bench| Box::pin(holds::s1(bench))),
    ("S1s", |bench| Box::pin(holds::s1_scattered(bench))),
    ("S2", |bench| Box::pin(holds::s2(bench))),
    ("S2s", |bench| Box::pin(holds::s2_scattered(bench))),
    ("S3", |bench| Box::pin(paid::s3(bench))),
    ("S4", |bench| Box::pin(paid::s4(bench))),
    ("S5", |bench| Box::pin(paid::s5(bench))),
    ("S6", |bench| Box::pin(paid::s6(bench))),
    ("O1", |bench| Box::pin(opening::o1(bench))),
    ("M1", |bench| Box::pin(memory::m1(bench))),
    ("R1", |bench| Box::pin(recovery::r1(bench))),
    ("G1", |bench| Box::pin(growth::g1(bench))),
    ("N1", |bench| Box::pin(network::n1(bench))),
    ("T1", |bench| Box::pin(thieves::t1(bench))),
    ("V2", |bench| Box::pin(mpp::v2(bench))),
    ("C1", |bench| Box::pin(mpp::c1(bench))),
    ("C2", |bench| Box::pin(mpp::c2(bench))),
    ("M2", |bench| Box::pin(mpp::m2(bench))),
];

impl Bench {
    /// A smaller number in quick runs.
    pub fn sized(&self, quick: usize, full: usize) -> usize {
        if self.quick { quick } else { full }
    }

    pub fn figure(&mut self, case: &str, what: &str, unit: &'static str, goal: Goal, runs: Vec<f64>) {
        let figure = Figure::new(case, what, unit, goal, runs);
        eprintln!("  {case} {what}: {:.2} {unit}", figure.value());
        self.figures.push(figure);
    }

    /// Notes an invariant that does not hold.
    pub fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            let what = what();
            eprintln!("  BROKEN: {what}");
            self.broken.push(what);
        }
    }

    pub fn plan(&self, address: SocketAddr, connections: usize) -> Plan {
        let warm_up = if self.quick { 300 } else { 1_000 };
        Plan { address, connections, warm_up: Duration::from_millis(warm_up), measured: self.measured, rate: None }
    }

    /// Echo and server in turn with the same requests. Answers that are not accepted break the run: a rate of refusals
    /// is no rate.
    pub fn alternate<S: Source>(
        &mut self,
        echo: &Process,
        server: &Server,
        connections: usize,
        payments: impl Fn(SocketAddr) -> S,
    ) -> Outcome<Pairs> {
        let mut pairs = Pairs::default();
        let echo: SocketAddr = echo.text("address")?.parse()?;
        for _ in 0..self.runs {
            let (told, _) = generator::fire(self.plan(echo, connections), payments(echo))?;
            accepted("echo", &told)?;
            let before = server.process.processor_seconds()?;
            let (shots, _) = generator::fire(self.plan(server.address, connections), payments(server.address))?;
            accepted("the server", &shots)?;
            let seconds = server.process.processor_seconds()? - before;
            #[expect(clippy::cast_precision_loss, reason = "counts of one run")]
            pairs.processor_micros.push(seconds * 1e6 / shots.accepted_in_all as f64);
            pairs.accepted += shots.accepted_in_all;
            pairs.push(&told, &shots);
        }
        Ok(pairs)
    }

    /// The 99th percentiles of echo and server, in turn, at a fixed rate.
    pub fn half_load<S: Source>(
        &self,
        echo: &Process,
        server: &Server,
        connections: usize,
        rate: f64,
        payments: impl Fn(SocketAddr) -> S,
    ) -> Outcome<Late> {
        let mut late = Late::default();
        let echo: SocketAddr = echo.text("address")?.parse()?;
        for _ in 0..self.runs {
            for (address, p99) in [(echo, &mut late.echo), (server.address, &mut late.server)] {
                let plan = Plan { rate: Some(rate), ..self.plan(address, connections) };
                let (shots, _) = generator::fire(plan, payments(address))?;
                accepted("who is asked at half load", &shots)?;
                late.accepted += if address == server.address { shots.accepted_in_all } else { 0 };
                p99.push(shots.percentile(0.99));
            }
        }
        Ok(late)
    }

    /// The figures of one alternation: the share and the p99 against their goals, and the absolute ones beside it.
    pub fn share(&mut self, case: &str, what: &str, goals: Goals, pairs: &Pairs) {
        let name = |figure: &str| format!("{what}{}{figure}", if what.is_empty() { "" } else { ", " });
        self.figure(case, &name("share of echo"), "%", Goal::AtLeast(goals.share), pairs.shares());
        self.figure(case, &name("requests"), "1/s", Goal::Beside, pairs.server.clone());
        self.figure(case, &name("echo"), "1/s", Goal::Beside, pairs.echo.clone());
        self.figure(case, &name("p50"), "ms", Goal::Beside, pairs.p50.clone());
        let p99 = goals.p99.map_or(Goal::Beside, Goal::AtMost);
        self.figure(case, &name("p99"), "ms", p99, pairs.p99.clone());
        self.figure(case, &name("processor"), "us/request", Goal::Beside, pairs.processor_micros.clone());
    }

    /// Opens a ledger that no server has open any more and holds it against itself.
    pub async fn audited(&mut self, path: &Path) -> Outcome<Totals> {
        let ledger = seed::open(path).await?;
        if let Err(error) = ledger.audit().await {
            self.check(false, || format!("the ledger's audit: {error}"));
        }
        Ok(ledger.totals(None).await?)
    }
}

/// What one alternation has to reach.
#[derive(Clone, Copy, Debug)]
pub struct Goals {
    /// At least this share of echo, in per cent.
    pub share: f64,
    /// At most this at full load, in milliseconds, where there is a goal.
    pub p99: Option<f64>,
}

/// 99th percentiles at half load, in milliseconds, one for each run.
#[derive(Clone, Debug, Default)]
pub struct Late {
    pub echo: Vec<f64>,
    pub server: Vec<f64>,
    /// Accepted by the server in all runs, warm-ups included.
    pub accepted: u64,
}

/// Rates and latencies of alternating runs.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    echo: Vec<f64>,
    server: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    processor_micros: Vec<f64>,
    /// Accepted by the server in all runs, warm-ups included.
    pub accepted: u64,
}

impl Pairs {
    fn push(&mut self, echo: &Shots, server: &Shots) {
        self.echo.push(echo.rate());
        self.server.push(server.rate());
        self.p50.push(server.percentile(0.5));
        self.p99.push(server.percentile(0.99));
    }

    /// Per cent of the echo right before.
    pub fn shares(&self) -> Vec<f64> {
        self.server.iter().zip(&self.echo).map(|(server, echo)| 100.0 * server / echo).collect()
    }

    /// Requests per second, the median.
    pub fn rate(&self) -> f64 {
        crate::report::median(&self.server)
    }
}

/// Refuses a run in which something was not accepted.
pub fn accepted(who: &str, shots: &Shots) -> Outcome<()> {
    if shots.failed == 0 && shots.accepted > 0 {
        return Ok(());
    }
    let complaint = shots.complaint.clone().unwrap_or_default();
    Err(format!("{who} did not accept {} of {}: {complaint}", shots.failed, shots.failed + shots.accepted_in_all)
        .into())
}

/// One payment over a connection of its own: what the server answers, for echo to answer the same.
pub async fn answer_of(address: SocketAddr, path: &str, body: Vec<u8>) -> Outcome<Vec<u8>> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
    let url = format!("http://{address}{path}");
    let answer = http.post(url).header("content-type", "application/json").body(body).send().await?;
    Ok(answer.bytes().await?.to_vec())
}

/// Echo, answering what this server answers to this payment.
pub async fn echo_of(server: &Server, path: &str, body: Vec<u8>, directory: &Path) -> Outcome<Process> {
    let answer = answer_of(server.address, path, body).await?;
    let text = String::from_utf8_lossy(&answer);
    if !text.starts_with("{\"success\":true") && !text.starts_with("{\"isValid\":true") {
        return Err(format!("the server does not accept the payment: {text}").into());
    }
    echo::start(&answer, directory)
}
