//! `sotto settlement resolve`: what an operator found out about a settlement is written, unless an endpoint contradicts it.

use super::{as_json, settlement_id};
use crate::{
    chain::{EndpointWord, Word, rpc::SolanaChain},
    cli::{
        Global,
        error::CliError,
        output::{json, say},
        reach::{Trouble, reach},
        runtime, start_logs, warn, wiring,
    },
    config::Config,
    domain::{
        clock::{Clock as _, SystemClock},
        settlement::{AbsenceProof, Attempt, Resolution, SettlementId, Verdict},
    },
    ledger::{self, Ledger, NotResolved, Recorded, Resolved, SettlementRecord},
};
use clap::Args;
use solana_signature::Signature;
use wiring::WiringError;

/// Say what became of a settlement that is held, after you looked its transactions up yourself
///
/// Needs the ledger to itself: stop the service first, and start it again afterwards. The configured RPC endpoints are asked
/// once more, and what contradicts one of them is refused. Your words are kept with the settlement for ever.
#[derive(Debug, Args)]
#[command(
    group = clap::ArgGroup::new("verdict").required(true).args(["landed", "absent"]),
    after_help = "Examples:\n  sotto settlement resolve ID --landed SIGNATURE\n  sotto settlement resolve ID --absent \\\n    \
                  --i-looked-at \"explorer.solana.com and our archive node, 2026-11-30\""
)]
pub(in crate::cli) struct Resolve {
    /// The settlement's id
    #[arg(value_name = "ID", value_parser = settlement_id)]
    id: SettlementId,
    /// This attempt of it is on the chain, without an error and final: the settlement is settled
    #[arg(long, value_name = "SIGNATURE")]
    landed: Option<Signature>,
    /// The slot it landed in, where no configured endpoint knows the transaction
    #[arg(long, value_name = "SLOT", requires = "landed")]
    slot: Option<u64>,
    /// None of its attempts is on the chain: what is still wanted is signed anew, the rest is given back
    #[arg(long, requires = "words")]
    absent: bool,
    /// Where you looked, in your words
    #[arg(long = "i-looked-at", id = "words", value_name = "TEXT", value_parser = words)]
    words: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn words(text: &str) -> Result<String, String> {
    let (text, most) = (text.trim(), Resolution::MOST_WORDS);
    if text.is_empty() || text.chars().count() > most {
        return Err(format!("say where you looked, in 1 to {most} characters"));
    }
    Ok(text.to_owned())
}

/// Why an operator's word is not written.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum NotWritten {
    /// The ledger refuses it.
    #[error(transparent)]
    Refused(#[from] NotResolved),
    /// An endpoint has it.
    #[error("nothing is written: RPC endpoint {endpoint} shows {signature} on the chain")]
    Shown {
        /// Its place in `network.rpc_urls`, 1 for the first.
        endpoint: usize,
        /// The transaction.
        signature: Signature,
    },
    /// An endpoint says that it landed with an error.
    #[error("nothing is written: RPC endpoint {endpoint} shows that {signature} failed")]
    Failed {
        /// Its place in `network.rpc_urls`, 1 for the first.
        endpoint: usize,
        /// The transaction.
        signature: Signature,
    },
    /// No endpoint says that its time is over.
    #[error("nothing is written: no RPC endpoint says that {0} can no longer land")]
    MayLand(Signature),
    /// Nobody has it, so nobody tells where it landed.
    #[error("no configured RPC endpoint knows {0}; say in which slot it landed, as in --slot 123456789")]
    WhichSlot(Signature),
}

impl Resolve {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let (config, warnings) = global.layers(Vec::new()).config()?;
        warn(&warnings);
        start_logs(&config.telemetry)?;
        runtime()?.block_on(self.resolve(&config))
    }

    async fn resolve(self, config: &Config) -> Result<(), CliError> {
        let ledger = ledger::open(&config.ledger.path).await?;
        let chain = wiring::connect(config).map_err(WiringError::from)?;
        reach(&chain, &config.network.name, Trouble::IsTold).await?;
        let record = self.record(&*ledger).await?.ok_or(NotWritten::Refused(NotResolved::Unknown))?;
        let verdict = self.verdict(&chain, &record).await;
        chain.shutdown().await;
        let words = self.words.clone().unwrap_or_default();
        let resolution = Resolution { settlement: self.id, verdict: verdict?, words };
        let resolved = ledger.resolve(&resolution, SystemClock.now()).await.map_err(WiringError::from)?;
        if let Resolved::Refused(refused) = resolved {
            return Err(NotWritten::Refused(refused).into());
        }
        let Some(record) = self.record(&*ledger).await? else { return Ok(()) };
        if self.json { json(&as_json(&record)) } else { say(format!("it is {} now", record.settlement.state.word())) }
    }

    async fn record(&self, ledger: &dyn Ledger) -> Result<Option<SettlementRecord>, CliError> {
        Ok(ledger.settlement_record(self.id).await.map_err(WiringError::from)?)
    }

    async fn verdict(&self, chain: &SolanaChain, record: &SettlementRecord) -> Result<Verdict, CliError> {
        let attempts: Vec<&Attempt> = record.attempts.iter().map(Recorded::get).collect();
        let Some(signature) = self.landed else { return Ok(Verdict::Absent(absent(chain, &attempts).await?)) };
        let attempt = attempts.into_iter().find(|attempt| attempt.signature == signature);
        let attempt = attempt.ok_or(NotWritten::Refused(NotResolved::NoAttempt))?;
        let slot = landed(&chain.told_by_each(attempt).await, &signature, self.slot)?;
        Ok(Verdict::Landed { signature, slot })
    }
}

/// The slot in which a transaction landed that an operator found.
fn landed(told: &[EndpointWord], signature: &Signature, said: Option<u64>) -> Result<u64, NotWritten> {
    let mut slot = said;
    for EndpointWord { endpoint, word, .. } in told {
        match word {
            Word::Failed => return Err(NotWritten::Failed { endpoint: *endpoint, signature: *signature }),
            Word::Landed { slot: told } => slot = slot.or(Some(*told)),
            Word::Absent(_) | Word::TooEarly | Word::Past { .. } | Word::Silent => {}
        }
    }
    slot.ok_or(NotWritten::WhichSlot(*signature))
}

/// That no endpoint has any of the attempts, and that each can no longer land.
async fn absent(chain: &SolanaChain, attempts: &[&Attempt]) -> Result<AbsenceProof, NotWritten> {
    let mut proof = AbsenceProof { finalised_height: u64::MAX, first_available_block: 0 };
    for attempt in attempts {
        let one = absence(&chain.told_by_each(attempt).await, attempt)?;
        proof.finalised_height = proof.finalised_height.min(one.finalised_height);
        proof.first_available_block = proof.first_available_block.max(one.first_available_block);
    }
    if attempts.is_empty() { Err(NotResolved::NotHeld.into()) } else { Ok(proof) }
}

fn absence(told: &[EndpointWord], attempt: &Attempt) -> Result<AbsenceProof, NotWritten> {
    let signature = attempt.signature;
    let mut past: Option<AbsenceProof> = None;
    for EndpointWord { endpoint, word, .. } in told {
        match word {
            Word::Landed { .. } => return Err(NotWritten::Shown { endpoint: *endpoint, signature }),
            Word::Absent(proof) => past = past.or(Some(*proof)),
            // The operator vouches for a history that begins before the signing.
            Word::Past { finalised_height } => {
                past = past.or(Some(AbsenceProof {
                    finalised_height: *finalised_height,
                    first_available_block: attempt.signed_at_slot,
                }));
            }
            // One that failed moved nothing.
            Word::Failed | Word::TooEarly | Word::Silent => {}
        }
    }
    past.ok_or(NotWritten::MayLand(signature))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settlement::{Allowances, Cost, Moves};

    fn attempt() -> Attempt {
        Attempt {
            settlement: SettlementId::from_random_bytes([1; 16]),
            number: 1,
            signature: Signature::from([1; 64]),
            wire: vec![1],
            last_valid_block_height: 300,
            signed_at_slot: 200,
            cost: Cost::default(),
            allowances: Allowances::NotBought,
            moves: Moves::Nothing,
            seen_by: Vec::new(),
        }
    }

    fn told(words: &[Word]) -> Vec<EndpointWord> {
        let word = |(endpoint, word): (usize, &Word)| EndpointWord { endpoint, word: *word };
        (1..).zip(words).map(word).collect()
    }

    const PROOF: AbsenceProof = AbsenceProof { finalised_height: 301, first_available_block: 3 };

    #[test]
    fn what_an_endpoint_shows_is_not_absent_and_what_may_land_neither() {
        let of = |words: &[Word]| absence(&told(words), &attempt());
        let landed = Word::Landed { slot: 7 };
        assert!(matches!(of(&[Word::Absent(PROOF), landed]), Err(NotWritten::Shown { endpoint: 2, .. })));
        assert!(matches!(of(&[Word::TooEarly, Word::Silent]), Err(NotWritten::MayLand(_))));
        assert!(matches!(of(&[]), Err(NotWritten::MayLand(_))));
        assert_eq!(of(&[Word::Silent, Word::Absent(PROOF)]).ok(), Some(PROOF));
        let vouched = AbsenceProof { finalised_height: 305, first_available_block: 200 };
        assert_eq!(of(&[Word::Past { finalised_height: 305 }]).ok(), Some(vouched), "it has forgotten that time");
    }

    #[test]
    fn a_landing_has_the_slot_that_an_endpoint_or_the_operator_tells() {
        let signature = attempt().signature;
        let of = |words: &[Word], said| landed(&told(words), &signature, said);
        assert_eq!(of(&[Word::Absent(PROOF), Word::Landed { slot: 7 }], None).ok(), Some(7));
        assert_eq!(of(&[Word::Absent(PROOF)], Some(9)).ok(), Some(9));
        assert!(matches!(of(&[Word::Absent(PROOF)], None), Err(NotWritten::WhichSlot(_))));
        assert!(matches!(of(&[Word::Failed], Some(9)), Err(NotWritten::Failed { endpoint: 1, .. })));
    }
}
