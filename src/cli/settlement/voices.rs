//! `sotto settlement voices`: how many RPC providers have to say that a transaction had no effect, for everybody who works on a
//! ledger.

use super::LedgerChoice;
use crate::{
    cli::{Global, error::CliError, output::say, runtime, wiring::WiringError},
    domain::{
        clock::{Clock as _, SystemClock},
        settlement::AbsenceVoices,
    },
    ledger,
};
use clap::Args;

/// Say how many RPC providers have to say that a transaction had no effect, before it is signed anew or given back
///
/// Every service on one ledger has to ask for the same number, so one whose configuration names more or fewer providers does
/// not start. Needs the ledger to itself: stop every service on it first.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sotto settlement voices 2   network.rpc_urls names two providers or more by now\n  \
                        sotto settlement voices 1   there is one again, which is then trusted with all money"
)]
pub(in crate::cli) struct Voices {
    /// 2, or 1 where one provider is configured
    #[arg(value_name = "COUNT", value_parser = count)]
    voices: AbsenceVoices,
    #[command(flatten)]
    ledger: LedgerChoice,
}

fn count(text: &str) -> Result<AbsenceVoices, String> {
    let voices = text.parse().ok().and_then(AbsenceVoices::from_count);
    voices.ok_or_else(|| "write 1 or 2".to_owned())
}

impl Voices {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let path = self.ledger.path(global)?;
        runtime()?.block_on(async {
            let ledger = ledger::open(&path).await?;
            ledger.change_voices(self.voices, SystemClock.now()).await.map_err(WiringError::from)?;
            say(format!("{} must say that a transaction had no effect", self.voices.count()))
        })
    }
}
