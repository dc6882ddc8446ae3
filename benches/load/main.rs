//! The load benchmark: `cargo bench --bench load -- [--case S2] [--json] [--quick]`.
//!
//! Measures what `spec/performance.md` sets goals for: the cases, how many runs and what counts as an answer are in
//! `cases/`. Every rate is a share of "echo" (`echo.rs`) in the same run, alternating, because machines are shared and
//! noisy; absolute figures stand beside it and compare with nothing.
//!
//! A goal that is missed is printed as missed and is no failure. An invariant that breaks is one: what was answered and
//! is not in the ledger, a ledger whose audit fails, balances on chain that differ from the books.

#![expect(unreachable_pub, reason = "a program of its own: nothing imports it")]

mod bodies;
mod cases;
mod doors;
mod echo;
mod generator;
mod honest;
mod mpp_wallet;
mod payers;
mod penniless;
mod process;
mod report;
mod seed;
#[expect(dead_code, reason = "what the soak alone asks of a stage")]
mod stage;
mod vouchers;

use cases::{Bench, CASES};
use clap::Parser;
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// What a benchmark's step comes to.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measure a facilitator under load
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Args {
    /// Only this case (V1, S1, S1s, S2, S2s, S3 to S6, O1, M1, R1, G1, N1, T1, V2, C1, C2, M2); may be given several times
    #[arg(long = "case", value_name = "CASE")]
    cases: Vec<String>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Short runs, to see that everything works; the figures mean little
    #[arg(long)]
    quick: bool,
    /// How often each pair of runs alternates
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Seconds that each run of a rate fires
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Seconds that T1 has thieves; its goals are for 600
    #[arg(long, default_value_t = 30)]
    thieves_seconds: u64,
    /// Milliseconds that the network takes for each answer
    #[arg(long, default_value_t = 50)]
    latency: u64,
    /// Serve the bytes of this file and nothing else
    #[arg(long, hide = true)]
    echo: Option<PathBuf>,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(answer) = &args.echo {
        return told(echo::serve(answer));
    }
    told(run(&args))
}

fn told(outcome: Outcome<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (quick, runs) = (args.quick, if args.quick { args.runs.min(3) } else { args.runs });
    let measured = Duration::from_secs(if quick { 1 } else { args.seconds });
    let mut bench = Bench {
        quick,
        runs,
        measured,
        thieves: Duration::from_secs(if quick { 10 } else { args.thieves_seconds }),
        latency: args.latency,
        figures: Vec::new(),
        broken: Vec::new(),
        steady: None,
    };
    for (name, case) in CASES {
        if args.cases.is_empty() || args.cases.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)) {
            eprintln!("{name} ...");
            if let Err(error) = runtime.block_on(case(&mut bench)) {
                bench.broken.push(format!("{name}: {error}"));
            }
        }
    }
    if args.json {
        println!("{}", report::object(&bench.figures));
    } else {
        println!("{}", report::table(&bench.figures));
    }
    if bench.broken.is_empty() { Ok(()) } else { Err(bench.broken.join("\n").into()) }
}
