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
    /// An endpoint has it, and it can still be taken back.
    #[error(
        "nothing is written: RPC endpoint {endpoint} shows {signature} and does not call it final yet; wait a minute"
    )]
    NotFinal {
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
        let Some(signature) = self.landed else { return Ok(without_effect(chain, record).await?) };
        let attempt = record.attempts.iter().map(Recorded::get).find(|attempt| attempt.signature == signature);
        let attempt = attempt.ok_or(NotWritten::Refused(NotResolved::NoAttempt))?;
        let slot = landed(&chain.told_by_each(attempt).await, &signature, self.slot)?;
        Ok(Verdict::Landed { signature, slot })
    }
}

/// The slot in which a transaction landed that an operator found: one that can still be taken back has not landed for good.
fn landed(told: &[EndpointWord], signature: &Signature, said: Option<u64>) -> Result<u64, NotWritten> {
    let (mut slot, mut open) = (None, None);
    for EndpointWord { endpoint, word, .. } in told {
        match word {
            Word::Failed { .. } => return Err(NotWritten::Failed { endpoint: *endpoint, signature: *signature }),
            Word::Landed { slot: told, finalised: true } => slot = slot.or(Some(*told)),
            Word::Landed { .. } => open = open.or(Some(*endpoint)),
            Word::Absent(_) | Word::TooEarly | Word::Past { .. } | Word::Silent => {}
        }
    }
    match (slot, open) {
        (None, Some(endpoint)) => Err(NotWritten::NotFinal { endpoint, signature: *signature }),
        (told, _) => said.or(told).ok_or(NotWritten::WhichSlot(*signature)),
    }
}

/// How an attempt came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// It is not there and can no longer land.
    Absent(AbsenceProof),
    /// It is there, with an error that is final.
    Failed {
        /// The slot it landed in.
        slot: u64,
    },
}

/// That no endpoint has an effect of any of the attempts, and that none can have one any more.
async fn without_effect(chain: &SolanaChain, record: &SettlementRecord) -> Result<Verdict, NotWritten> {
    let mut ended = Vec::with_capacity(record.attempts.len());
    for attempt in record.attempts.iter().map(Recorded::get) {
        ended.push((attempt.signature, end(&chain.told_by_each(attempt).await, attempt)?));
    }
    all_ended(&ended, record.live.as_ref()).ok_or(NotWritten::Refused(NotResolved::NotHeld))
}

/// What follows for the settlement: its live attempt failed, or all of them are absent. Nothing where there is none.
fn all_ended(ended: &[(Signature, Ended)], live: Option<&Signature>) -> Option<Verdict> {
    let failed = |(_, end): &(Signature, Ended)| match end {
        Ended::Failed { slot } => Some(Verdict::Failed { slot: *slot }),
        Ended::Absent(_) => None,
    };
    let absences = ended.iter().filter_map(|(_, end)| match end {
        Ended::Absent(proof) => Some(*proof),
        Ended::Failed { .. } => None,
    });
    let weaker = |one: AbsenceProof, other: AbsenceProof| AbsenceProof {
        finalised_height: one.finalised_height.min(other.finalised_height),
        first_available_block: one.first_available_block.max(other.first_available_block),
    };
    let of_live = ended.iter().find(|(signature, _)| Some(signature) == live).and_then(failed);
    of_live.or_else(|| absences.reduce(weaker).map(Verdict::Absent)).or_else(|| ended.last().and_then(failed))
}

fn end(told: &[EndpointWord], attempt: &Attempt) -> Result<Ended, NotWritten> {
    let signature = attempt.signature;
    let (mut past, mut failed) = (None, None);
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
            // Landed once it cannot land again, and with an error it moved nothing.
            Word::Failed { slot, finalised: true } => failed = failed.or(Some(*slot)),
            Word::Failed { .. } | Word::TooEarly | Word::Silent => {}
        }
    }
    let failed = failed.map(|slot| Ended::Failed { slot });
    failed.or(past.map(Ended::Absent)).ok_or(NotWritten::MayLand(signature))
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
            past_at: None,
        }
    }

    fn told(words: &[Word]) -> Vec<EndpointWord> {
        let word = |(endpoint, word): (usize, &Word)| EndpointWord { endpoint, word: *word };
        (1..).zip(words).map(word).collect()
    }

    const PROOF: AbsenceProof = AbsenceProof { finalised_height: 301, first_available_block: 3 };

    #[test]
    fn what_an_endpoint_shows_is_not_absent_and_what_may_land_neither() {
        let of = |words: &[Word]| end(&told(words), &attempt());
        let landed = Word::Landed { slot: 7, finalised: false };
        assert!(matches!(of(&[Word::Absent(PROOF), landed]), Err(NotWritten::Shown { endpoint: 2, .. })));
        assert!(matches!(of(&[Word::TooEarly, Word::Silent]), Err(NotWritten::MayLand(_))));
        assert!(matches!(of(&[]), Err(NotWritten::MayLand(_))));
        assert_eq!(of(&[Word::Silent, Word::Absent(PROOF)]).ok(), Some(Ended::Absent(PROOF)));
        let vouched = Ended::Absent(AbsenceProof { finalised_height: 305, first_available_block: 200 });
        assert_eq!(of(&[Word::Past { finalised_height: 305 }]).ok(), Some(vouched), "it has forgotten that time");
    }

    #[test]
    fn what_failed_for_good_is_over_and_what_may_be_taken_back_is_not() {
        let of = |words: &[Word]| end(&told(words), &attempt());
        let failed = |finalised| Word::Failed { slot: 7, finalised };
        assert_eq!(of(&[failed(true)]).ok(), Some(Ended::Failed { slot: 7 }));
        assert_eq!(of(&[Word::Absent(PROOF), failed(true)]).ok(), Some(Ended::Failed { slot: 7 }));
        assert!(matches!(of(&[failed(false)]), Err(NotWritten::MayLand(_))));
        let landed = Word::Landed { slot: 7, finalised: true };
        assert!(matches!(of(&[failed(true), landed]), Err(NotWritten::Shown { endpoint: 2, .. })));
    }

    #[test]
    fn the_live_attempt_says_how_a_settlement_ends_and_the_others_have_to_be_over() {
        let [first, second] = [1, 2].map(|byte| Signature::from([byte; 64]));
        let (absent, failed) = (Ended::Absent(PROOF), Ended::Failed { slot: 7 });
        let lower = Ended::Absent(AbsenceProof { finalised_height: 300, first_available_block: 9 });
        let of = |ends: [Ended; 2], live: Option<&Signature>| all_ended(&[(first, ends[0]), (second, ends[1])], live);
        assert_eq!(of([absent, failed], Some(&second)), Some(Verdict::Failed { slot: 7 }));
        assert_eq!(of([failed, absent], Some(&second)), Some(Verdict::Absent(PROOF)));
        let both = AbsenceProof { finalised_height: 300, first_available_block: 9 };
        assert_eq!(of([absent, lower], Some(&second)), Some(Verdict::Absent(both)));
        assert_eq!(of([failed, failed], None), Some(Verdict::Failed { slot: 7 }));
        assert_eq!(all_ended(&[], None), None, "nothing was ever signed");
    }

    #[test]
    fn a_landing_has_the_slot_that_an_endpoint_or_the_operator_tells() {
        let signature = attempt().signature;
        let of = |words: &[Word], said| landed(&told(words), &signature, said);
        let shown = |finalised| Word::Landed { slot: 7, finalised };
        assert_eq!(of(&[Word::Absent(PROOF), shown(true)], None).ok(), Some(7));
        assert_eq!(of(&[Word::Absent(PROOF)], Some(9)).ok(), Some(9));
        assert!(matches!(of(&[Word::Absent(PROOF)], None), Err(NotWritten::WhichSlot(_))));
        let failed = Word::Failed { slot: 7, finalised: false };
        assert!(matches!(of(&[failed], Some(9)), Err(NotWritten::Failed { endpoint: 1, .. })));
        assert!(matches!(of(&[shown(false)], Some(9)), Err(NotWritten::NotFinal { endpoint: 1, .. })), "not for good");
        assert_eq!(of(&[shown(false), shown(true)], None).ok(), Some(7), "one of them calls it final");
    }
}
