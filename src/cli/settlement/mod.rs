//! `sotto settlement list|show|resolve`: settlements that are held, and what an operator says of them.

mod resolve;
mod voices;

use super::{
    Global,
    error::CliError,
    output::{json, say, table},
    warn,
};
use crate::{
    config::LedgerConfig,
    domain::{
        clock::UnixSeconds,
        settlement::{Attempt, Event, SettlementId},
    },
    ledger::{self, Recorded, SettlementRecord},
};
use clap::{Args, Subcommand};
pub(super) use resolve::NotWritten;
use serde_json::{Value, json};
use std::path::PathBuf;
use uuid::Uuid;

/// List settlements that are held, look at one, say what became of it
///
/// A settlement is held when its transaction can no longer land and nobody can prove that it never did: nothing is signed
/// anew and nothing is given back. The service asks again every minute; what it cannot find out an operator has to.
#[derive(Debug, Subcommand)]
pub(super) enum Settlement {
    List(List),
    Show(Show),
    Resolve(resolve::Resolve),
    Voices(voices::Voices),
}

impl Settlement {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        match self {
            Self::List(command) => command.run(global),
            Self::Show(command) => command.run(global),
            Self::Resolve(command) => command.run(global),
            Self::Voices(command) => command.run(global),
        }
    }
}

/// Where the ledger is, for commands that only read it.
#[derive(Debug, Args)]
struct LedgerChoice {
    /// The ledger's file (ledger.path)
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
}

impl LedgerChoice {
    fn path(&self, global: &Global) -> Result<PathBuf, CliError> {
        if let Some(path) = &self.ledger {
            return Ok(path.clone());
        }
        let (config, warnings) = global.layers(Vec::new()).extract(LedgerConfig::read)?;
        warn(&warnings);
        Ok(config.path)
    }
}

/// List the settlements that are held, oldest first
///
/// Reads the ledger beside a running service.
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    ledger: LedgerChoice,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl List {
    fn run(self, global: &Global) -> Result<(), CliError> {
        let held = ledger::look_at_held(self.ledger.path(global)?)?;
        if self.json {
            return json(&json!({ "held": held.iter().map(as_json).collect::<Vec<_>>() }));
        }
        if held.is_empty() {
            return say("no settlement is held");
        }
        let rows = held.iter().filter_map(|record| {
            let (settlement, held) = (&record.settlement, record.settlement.held?);
            Some([
                settlement.id.to_string(),
                settlement.purpose.word().to_owned(),
                settlement.amount.to_string(),
                settlement.state.word().to_owned(),
                settlement.attempts.to_string(),
                held.since.to_string(),
                held.because.word().to_owned(),
            ])
        });
        table(["settlement", "purpose", "base units", "state", "attempts", "since", "because"], rows)
    }
}

/// Show everything on record of one settlement: its attempts, what happened to it, what operators said
///
/// Reads the ledger beside a running service.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The settlement's id
    #[arg(value_name = "ID", value_parser = settlement_id)]
    id: SettlementId,
    #[command(flatten)]
    ledger: LedgerChoice,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Show {
    fn run(self, global: &Global) -> Result<(), CliError> {
        let found = ledger::look_at_settlement(self.ledger.path(global)?, self.id)?;
        let record = found.ok_or(NotWritten::Refused(ledger::NotResolved::Unknown))?;
        if self.json { json(&as_json(&record)) } else { tell_people(&record) }
    }
}

fn settlement_id(text: &str) -> Result<SettlementId, String> {
    Uuid::try_parse(text).map(SettlementId).map_err(|_| "write the id as `sotto settlement list` prints it".to_owned())
}

fn as_json(record: &SettlementRecord) -> Value {
    let SettlementRecord { settlement, planned_at, attempts, live, events, words } = record;
    let dated = |(at, words): &(UnixSeconds, String)| json!({ "at": at, "words": words });
    json!({
        "settlement": settlement.id.to_string(),
        "purpose": settlement.purpose.word(),
        "session": settlement.session().map(|session| session.to_string()),
        "amount": settlement.amount.to_string(),
        "state": settlement.state.word(),
        "plannedAt": planned_at,
        "held": settlement.held.map(|held| json!({
            "because": held.because.word(), "since": held.since, "explanation": held.because.explanation(),
        })),
        "attempts": attempts.iter().map(Recorded::get).map(|attempt| json!({
            "number": attempt.number,
            "signature": attempt.signature.to_string(),
            "live": *live == Some(attempt.signature),
            "signedAtSlot": attempt.signed_at_slot,
            "lastValidBlockHeight": attempt.last_valid_block_height,
            "source": attempt.moves.witness().map(|witness| witness.account.to_string()),
            "handleBefore": attempt.moves.witness().map(|witness| witness.before.handle.to_string()),
            "delegatedBefore": attempt.moves.witness().and_then(|witness| witness.delegated).map(|handle| handle.to_string()),
            "handleSlot": attempt.moves.witness().map(|witness| witness.before.slot),
            "seenBy": attempt.seen_by,
        })).collect::<Vec<_>>(),
        "events": events.iter().map(|(at, event)| event_as_json(*at, event)).collect::<Vec<_>>(),
        "words": words.iter().map(dated).collect::<Vec<_>>(),
    })
}

fn event_as_json(at: UnixSeconds, event: &Event) -> Value {
    let (signature, slot) = match event {
        Event::Signed { signature } => (Some(signature), None),
        Event::Found { signature, slot } => (Some(signature), Some(slot)),
        Event::Landed { slot } | Event::Refused { slot, .. } | Event::Failed { slot } => (None, Some(slot)),
        Event::Reserved | Event::Finalised | Event::TakenBack | Event::Absent(_) | Event::Abandoned { .. } => {
            (None, None)
        }
    };
    json!({ "at": at, "event": event.word(), "signature": signature.map(ToString::to_string), "slot": slot })
}

fn tell_people(record: &SettlementRecord) -> Result<(), CliError> {
    let SettlementRecord { settlement, attempts, live, events, words, .. } = record;
    say(format!("settlement  {}", settlement.id))?;
    say(format!("purpose     {}", settlement.purpose.word()))?;
    say(format!("base units  {}", settlement.amount))?;
    say(format!("state       {}", settlement.state.word()))?;
    match settlement.held {
        Some(held) => say(format!("held        since {}: {}", held.since, held.because.explanation()))?,
        None => say("held        no")?,
    }
    say("")?;
    let attempt = |attempt: &Attempt| {
        let is_live = if *live == Some(attempt.signature) { "open or landed" } else { "no effect" };
        let seen_by = if attempt.seen_by.is_empty() { "nobody".to_owned() } else { attempt.seen_by.join(" ") };
        [
            attempt.number.to_string(),
            attempt.signature.to_string(),
            is_live.to_owned(),
            attempt.last_valid_block_height.to_string(),
            seen_by,
        ]
    };
    let header = ["attempt", "signature", "is", "last valid height", "landing told by"];
    table(header, attempts.iter().map(|recorded| attempt(recorded.get())))?;
    say("")?;
    table(["at", "event"], events.iter().map(|(at, event)| [at.to_string(), event.word().to_owned()]))?;
    for (at, words) in words {
        say(format!("an operator said at {at}: {words}"))?;
    }
    Ok(())
}
