//! The soak: `cargo bench --bench soak -- --kills 500 [--faults] [--liar] [--thieves] [--json]`.
//!
//! A real facilitator, on a ledger on disk, is killed (`SIGKILL`) again and again at random moments while payers pay their
//! merchants through it, some payments repeated under the same nonce, some answered before they are settled. Each life
//! ends wherever the kill met it, at times before the process was even ready; the next one starts on the same ledger.
//! With `--faults` the chain is no better: answers are slow, sends are lost, forks take slots back. With `--liar` the facilitator
//! has two RPC endpoints, and the first lies about transactions from time to time (`liar.rs`). With `--thieves` some callers
//! pay with what they do not have (`thieves/`). Buyers of the Machine Payments Protocol charge and draw from channels beside all of
//! them (`mpp/`).
//!
//! What must hold, or the program fails: after every kill, the ledger's audit (which replays every event log against its
//! projection) and the sums of chain and payers against it (`sums.rs`); at the end, that nothing is lost, nothing happened
//! twice, nothing is held for ever (`books.rs`), what was told as proven has moved (`swag.rs`), and each seller has what vouchers and
//! charges say (`mpp/books.rs`).

#![expect(unreachable_pub, reason = "a program of its own: nothing imports it")]

mod books;
mod crowd;
mod dice;
mod fates;
mod liar;
mod mpp;
#[path = "../load/mpp_wallet.rs"]
mod mpp_wallet;
mod payment;
#[path = "../load/process.rs"]
#[expect(dead_code, reason = "what the load benchmark alone asks of a process")]
mod process;
mod report;
#[path = "../load/stage.rs"]
#[expect(dead_code, reason = "what the load benchmark alone asks of a stage")]
mod stage;
mod sums;
mod swag;
mod thieves;
mod transfers;
mod weather;

use books::Books;
use clap::{Parser, ValueEnum as _};
use crowd::{Crowd, Town};
use dice::Dice;
use liar::{Liar, Spans};
use mpp::Market;
use report::Report;
use sotto::domain::chance::{OsChance, draw};
use stage::{Server, Stage};
use std::{
    fs,
    process::{ExitCode, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use sums::Accounts;
use swag::Robbery;
use thieves::{Gang, Trick};
use tokio::task::block_in_place;
use transfers::Transfers;
use weather::Climate;

/// What a step comes to.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const LEDGER: &str = "soak.db";
/// Short, so that a life of the facilitator sees several.
const SLOT: Duration = Duration::from_millis(100);
/// What the network takes for an answer, in milliseconds.
const LATENCY: u64 = 5;
/// The longest life, from ready to killed, in milliseconds.
const LONGEST_LIFE: u64 = 1_200;
/// Of a hundred lives, so many end before the process is ready.
const STILLBORN: u64 = 15;
/// `thieves::GRANTS`.
const GRANTS: &str = "10";
type Setting<'a> = (&'a str, &'a str);

/// A facilitator that starts on an old ledger: promises go out soon, and callers are not kept for long. Where an endpoint lies,
/// some lives have websockets and others have none, so that nothing but answers tells of a landing.
fn settings<'a>(args: &'a Args, mpp: &'a [(&'static str, String)], liar: Option<&'a Liar>) -> Vec<Vec<Setting<'a>>> {
    let mut all = vec![
        ("settlement.answer_deadline_seconds", "5"),
        ("settlement.decrypt_allowance", args.allowances.as_str()),
        ("deferred.count", "20"),
        ("deferred.age_seconds", "1"),
        ("telemetry.log_filter", "warn"),
        // Limits that thieves try to use up, as they are shipped or wide enough for those who are honest here.
        ("limits.waiting_per_unproven_user", "24"),
        ("limits.unproven_grants_per_hour", GRANTS),
        ("deferred.promises_per_user_per_hour", "2000"),
        // Channels that lie still end within the run, and those that owe for long are settled in between.
        ("mpp.monitor_seconds", "1"),
        ("mpp.grace_seconds", "1"),
        ("mpp.max_owed_seconds", "60"),
    ];
    all.extend(mpp.iter().map(|(key, value)| (*key, value.as_str())));
    let Some(liar) = liar else { return vec![all] };
    let with = |websockets: &'a String| {
        let two = [("network.rpc_urls", liar.endpoints.as_str()), ("network.ws_urls", websockets.as_str())];
        [all.as_slice(), &two].concat()
    };
    liar.websockets.iter().map(with).collect()
}

/// Kill a facilitator again and again, and prove that no payment is lost or made twice
#[derive(Debug, Parser)]
#[command(name = "soak")]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
struct Args {
    /// How often it is killed
    #[arg(long, default_value_t = 100)]
    kills: u32,
    /// Let the chain misbehave too: latency, lost sends, 429, cut websockets, forks
    #[arg(long)]
    faults: bool,
    /// Let the first of two RPC endpoints lie: hide transactions, make up landings and errors, tell landings anew, say 429
    #[arg(long)]
    liar: bool,
    /// Let thieves pay beside the others; all kinds of them, or those that are named
    #[arg(long, value_enum, num_args = 0.., value_delimiter = ',')]
    thieves: Option<Vec<Trick>>,
    /// Beside a liar too, let the chain hide transactions at times: from both endpoints at once, which no voices can tell
    /// (`docs/TRUST.md`). Money may move twice then
    #[arg(long)]
    hiding: bool,
    /// When decrypt allowances are bought: idle, every, never (`settlement.decrypt_allowance`)
    #[arg(long, default_value = "idle", value_parser = ["idle", "every", "never"])]
    allowances: String,
    /// Whether a transfer lowers what its payer approved (documented) or only the delegate is compared (public)
    #[arg(long, default_value = "public", value_parser = ["public", "documented"])]
    delegation: String,
    /// Payers, each with a session and three callers
    #[arg(long, default_value_t = 6)]
    payers: usize,
    /// Merchants, among whom the payers are divided
    #[arg(long, default_value_t = 2)]
    merchants: usize,
    /// Buyers of the Machine Payments Protocol, each with a charge and two channels under way; every fourth moves the money away
    /// while channels are open, and every fourth takes the grant back
    #[arg(long, default_value_t = 6)]
    buyers: usize,
    /// Repeats the choices of an earlier run; how they meet the processes is never the same
    #[arg(long)]
    seed: Option<u64>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

impl Args {
    /// What thieves try; nothing without any.
    fn tricks(&self) -> Vec<Trick> {
        match self.thieves.as_deref() {
            None => Vec::new(),
            Some([]) => Trick::value_variants().to_vec(),
            Some(some) => some.to_vec(),
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| u64::from_le_bytes(draw(&OsChance)));
    eprintln!("soak: {} kills, seed {seed}", args.kills);
    let ran = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(soak(&args, seed)));
    match ran {
        Ok(report) => {
            println!("{}", if args.json { report.object().to_string() } else { report.table() });
            if report.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("soak: it could not be carried through: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn soak(args: &Args, seed: u64) -> Outcome<Report> {
    let mut stage = Stage::raise_with(LATENCY, SLOT, &args.delegation).await?;
    let mpp = mpp_wallet::settings(&mut stage).await?;
    let ran = live_and_die(args, seed, &stage, &mpp).await;
    if ran.as_ref().map_or(true, |report| !report.broken.is_empty()) {
        eprintln!("soak: what is left of it is kept in {}", stage.keep().display());
    }
    ran
}

async fn live_and_die(args: &Args, seed: u64, stage: &Stage, mpp: &[(&'static str, String)]) -> Outcome<Report> {
    let started = Instant::now();
    let mut dice = Dice::new(seed);
    let mut liar = if args.liar { Some(Liar::start(stage).await?) } else { None };
    let server = {
        let settings = settings(args, mpp, liar.as_ref());
        block_in_place(|| stage.serve(LEDGER, &settings[0]))?
    };
    let town = Town::settle_in(stage, &server, args.payers, args.merchants).await?;
    let mut crowd = Crowd::gather(stage, &town, server.address, &mut dice)?;
    let mut market = Market::gather(stage, crowd.counter.clone(), args.buyers, &mut dice).await?;
    let mut gang = match args.tricks() {
        tricks if tricks.is_empty() => None,
        tricks => {
            let debits = liar.as_ref().map(Liar::debits).unwrap_or_default();
            Some(Gang::gather(stage, (&town, &crowd), debits, &tricks, &mut dice).await?)
        }
    };
    if let Some(liar) = &mut liar {
        liar.let_loose(dice.child());
    }
    let climate = if args.liar && !args.hiding { Climate::Open } else { Climate::Whole };
    let weather = args.faults.then(|| weather::turn_bad(stage.rpc.clone(), climate, dice.child()));
    let mut report = Report::new(seed, args);
    let accounts = Arc::new(accounts(args, stage, &town, gang.as_ref()));
    let several = settings(args, mpp, liar.as_ref());
    let watch = market.watch();
    let mut lives =
        Lives { stage, settings: &several, crowd: &crowd, watch, accounts, audit: None, report: &mut report };
    let server = lives.all(args.kills, server, &mut dice).await?;
    if let Some(weather) = weather {
        report.storms = weather.end(stage).await?;
    }
    let mut hid_debits = Spans::default();
    if let Some(liar) = &mut liar {
        (report.lies, hid_debits) = liar.end().await;
    }
    eprintln!("soak: the last life goes on until everything is settled ...");
    let haul = match &mut gang {
        Some(gang) => gang.disperse().await,
        None => thieves::Haul::default(),
    };
    let payments = crowd.go_home().await;
    market.go_home().await;
    let robbery = gang.as_ref().map(|gang| Robbery { gang, haul: &haul, hid_debits: &hid_debits });
    let books = Books::new(stage, &town, &payments, robbery);
    books.until_settled(&server).await?;
    let server = market.resolve(stage, server, &settings(args, mpp, liar.as_ref())[0]).await?;
    crowd.moved_to(server.address);
    books.until_settled(&server).await?;
    market.ask_again().await;
    block_in_place(|| server.process.stop())?;
    report.mpp = market.close(&stage.file(LEDGER), &mut report.broken).await?;
    books.close(&mut report).await?;
    report.took = started.elapsed();
    Ok(report)
}

/// Whose money is watched.
fn accounts(args: &Args, stage: &Stage, town: &Town, gang: Option<&Gang>) -> Accounts {
    let stolen = gang.iter().flat_map(|gang| gang.purses.iter().cloned());
    Accounts {
        purses: town.purses().into_iter().chain(stolen).collect(),
        merchants: town.merchant_keys(),
        sponsors: stage.sponsors(),
        given: stage.purse,
        lowers: args.delegation == "documented",
    }
}

/// The facilitator's lives, one after the other.
struct Lives<'a> {
    stage: &'a Stage,
    /// What a life has one of.
    settings: &'a [Vec<Setting<'a>>],
    crowd: &'a Crowd,
    /// Of charges and channels.
    watch: mpp::Watch,
    accounts: Arc<Accounts>,
    audit: Option<tokio::task::JoinHandle<Outcome<Vec<String>>>>,
    report: &'a mut Report,
}

impl<'a> Lives<'a> {
    /// Kills the facilitator so many times; gives the one that lives on.
    async fn all(&mut self, kills: u32, first: Server, dice: &mut Dice) -> Outcome<Server> {
        let mut server = first;
        for number in 1..=kills {
            tokio::time::sleep(Duration::from_millis(dice.below(LONGEST_LIFE))).await;
            block_in_place(|| server.process.kill())?;
            self.examine(number).await?;
            while dice.below(100) < STILLBORN {
                let settings = self.life(dice);
                self.stillbirth(dice.below(150), settings).await?;
            }
            let settings = self.life(dice);
            server = block_in_place(|| self.stage.serve(LEDGER, settings))?;
            self.crowd.moved_to(server.address);
            self.report.kills += 1;
            self.report.ready_after.push(server.process.ready_after);
            if number % 10 == 0 {
                eprintln!("soak: {number} of {kills} kills, {} answers", self.crowd.answers());
            }
        }
        self.audited().await?;
        Ok(server)
    }

    /// A life that ends before the process is ready.
    async fn stillbirth(&mut self, after: u64, settings: &[Setting<'_>]) -> Outcome<()> {
        let mut command = self.stage.serve_command(LEDGER, settings);
        let log = fs::File::create(self.stage.file("stillborn.log"))?;
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        tokio::time::sleep(Duration::from_millis(after)).await;
        child.kill()?;
        block_in_place(|| child.wait())?;
        self.report.stillborn += 1;
        Ok(())
    }

    /// The settings of one life.
    fn life(&self, dice: &mut Dice) -> &'a [Setting<'a>] {
        let drawn = dice.below(self.settings.len() as u64);
        usize::try_from(drawn).ok().and_then(|drawn| self.settings.get(drawn)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Audits the ledger as the kill left it, and compares it with what the chain and the payers know by then: on a copy, so
    /// that the next life need not wait for it.
    async fn examine(&mut self, number: u32) -> Outcome<()> {
        self.audited().await?;
        let told = self.crowd.told(&self.accounts.merchants);
        let seen = self.accounts.look(self.stage, told).await?;
        let claims = self.watch.look().await?;
        let copy = self.stage.file("copy").join(LEDGER);
        books::copy_ledger(&self.stage.file(LEDGER), &copy)?;
        // Nobody signs anything now, so the copy knows every transaction that is on chain.
        let mut broken = Transfers::read(self.stage, &copy).await?.contradictions();
        let accounts = self.accounts.clone();
        self.audit = Some(tokio::spawn(async move {
            if let Err(error) = books::audit(&copy).await {
                broken.push(format!("the audit: {error}"));
            }
            broken.extend(accounts.compare(&copy, &seen)?);
            broken.extend(claims.compare(&copy)?);
            Ok(broken.into_iter().map(|what| format!("after kill {number}: {what}")).collect())
        }));
        Ok(())
    }

    async fn audited(&mut self) -> Outcome<()> {
        if let Some(audit) = self.audit.take() {
            self.report.broken.extend(audit.await??);
            self.report.audits += 1;
        }
        Ok(())
    }
}
