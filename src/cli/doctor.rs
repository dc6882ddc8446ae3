//! `sotto doctor`: whether everything the configuration names is there and is what it should be.

mod examine;
mod mpp;

use super::{
    Global,
    error::CliError,
    output::{json, table},
    runtime, start, start_logs, warn,
};
use crate::{
    config::Config,
    facilitator::{CopyOutcome, CopyReport, HandleReport, ProbeReport, ProbeVerdict, UsedIn},
};
use clap::Args;
use examine::Finding;

/// Ask everything the configuration names whether it is there and is what it should be
///
/// RPC and genesis hash, the fee payer's balance, the programs' and the mint's accounts, the Covalidator, what the Machine
/// Payments Protocol needs where it is served, and the ledger with an audit of every session and settlement in it. Changes
/// nothing, except that an older ledger is brought up to date. Exits with 1 when something is wrong.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sotto doctor\n  sotto doctor --probe   also before trusting a newly deployed token program\n  \
                        sotto doctor --json"
)]
pub(super) struct Doctor {
    /// Also ask the token program, by simulation, what settlements and secrecy rely on
    ///
    /// Needs the ledger to itself (stop the service first) and creates two small token accounts of our own the first
    /// time (about 5000000 lamports of rent). Unfinished settlements in the ledger are picked up as `serve` does.
    #[arg(long)]
    probe: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let (config, warnings) = global.layers(Vec::new()).config()?;
        warn(&warnings);
        start_logs(&config.telemetry)?;
        let findings = runtime()?.block_on(self.examine(&config));
        self.tell(&findings)?;
        if findings.iter().all(|finding| finding.ok) { Ok(()) } else { Err(CliError::Unwell) }
    }

    async fn examine(&self, config: &Config) -> Vec<Finding> {
        let mut findings = examine::examine(config).await;
        if self.probe {
            findings.extend(probe(config).await);
        }
        findings
    }

    fn tell(&self, findings: &[Finding]) -> Result<(), CliError> {
        if self.json {
            let well = findings.iter().all(|finding| finding.ok);
            return json(&serde_json::json!({ "ok": well, "findings": findings }));
        }
        let verdict = |ok: bool| if ok { "ok" } else { "WRONG" }.to_owned();
        let rows = findings.iter().map(|f| [f.subject.to_owned(), verdict(f.ok), f.detail.clone()]);
        table(["what", "is", "because"], rows)
    }
}

async fn probe(config: &Config) -> Vec<Finding> {
    let service = match start::assemble(config).await {
        Ok(service) => service,
        Err(error) => return vec![Finding::failed("probe", &error)],
    };
    let mut findings = match service.facilitator.probe().await {
        Ok(report) => judge(report),
        Err(error) => vec![Finding::failed("probe", &error)],
    };
    findings.push(match service.facilitator.probe_handles().await {
        Ok(report) => judge_handles(report),
        // Where plain transfers cannot be simulated nothing is wrong with those that are used.
        Err(error) => Finding::well("probe of handles", format!("not known, and taken for no: {error}")),
    });
    findings.push(match service.facilitator.probe_copies().await {
        Ok(report) => judge_copies(&report),
        // Nothing that is used depends on it.
        Err(error) => Finding::well(COPIES, format!("could not be asked, so take them for taken: {error}")),
    });
    service.facilitator.stop().await;
    service.chain.shutdown().await;
    findings
}

/// Neither answer is wrong: what is no only costs a reading now and then, or a witness.
fn judge_handles(report: HandleReport) -> Finding {
    let detail = format!(
        "name what made them: {}; a delegate's transfer lowers what is delegated: {}",
        answer(report.are_derived),
        answer(report.are_lowered)
    );
    Finding::well("probe of handles", detail)
}

const COPIES: &str = "copied ciphertexts";

/// No answer is wrong, because nothing here changes it: it is for those who rely on amounts being secret.
fn judge_copies(CopyReport { used_in, outcome }: &CopyReport) -> Finding {
    let asked = match used_in {
        UsedIn::LandedTransaction => "one that has landed",
        UsedIn::SameTransaction => "one of the same transaction, because none is found that has landed",
    };
    let detail = match outcome {
        CopyOutcome::SameHandle => {
            format!(
                "taken from another wallet, with the same handle: whoever copies one can decrypt its amount (asked of {asked})"
            )
        }
        CopyOutcome::AnotherHandle => format!(
            "taken from another wallet, with another handle: whether its amount can be decrypted by it is not known, so take it for \
             yes (asked of {asked})"
        ),
        CopyOutcome::Refused(error) => format!("refused from another wallet: {error} (asked of {asked})"),
    };
    Finding::well(COPIES, detail)
}

const fn answer(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

fn judge(report: ProbeReport) -> Vec<Finding> {
    let detail = format!(
        "moves money: {}; accepts the delegate: {}; refuses strangers: {}; works without decrypt allowances: {}",
        answer(report.changes_handles),
        answer(report.accepts_delegate),
        answer(report.refuses_strangers),
        answer(report.works_without_allowances)
    );
    let verdict = match report.verdict() {
        ProbeVerdict::Usable => Finding::well("probe verdict", "transfer_with_authorization can be used"),
        ProbeVerdict::NeedsAllowances => {
            Finding::well("probe verdict", "usable with settlement.decrypt_allowance = \"every\"")
        }
        ProbeVerdict::Unusable(why) => Finding::wrong(
            "probe verdict",
            format!("{why}; set settlement.settle_instruction = \"transfer\" or \"auto\""),
        ),
    };
    vec![Finding::well("probe", detail), verdict]
}
