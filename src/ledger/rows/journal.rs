//! Rows of the settlements' journal: settlements, their attempts, their events.

use crate::ledger::rows::{Place, column};
use crate::{
    domain::{
        reason::PayReason,
        settlement::{
            AbsenceProof, Allowances, Attempt, Cost, Event, HeldBecause, Moves, Purpose, SeenHandle, Settlement,
            SettlementHeld, SettlementId, State, Subject, Witness,
        },
    },
    ledger::LedgerError,
};

/// A row of `settlements`.
pub(in crate::ledger) struct SettlementRow {
    pub(in crate::ledger) seq: i64,
    pub(in crate::ledger) id: Vec<u8>,
    pub(in crate::ledger) purpose: String,
    pub(in crate::ledger) subject_kind: String,
    pub(in crate::ledger) subject_id: Option<Vec<u8>>,
    pub(in crate::ledger) amount: i64,
    pub(in crate::ledger) state: String,
    pub(in crate::ledger) sequence: i64,
    pub(in crate::ledger) attempts: i64,
    pub(in crate::ledger) signature: Option<Vec<u8>>,
    pub(in crate::ledger) landed_at: Option<i64>,
    pub(in crate::ledger) held: Option<(String, i64)>,
}

impl SettlementRow {
    /// The settlement this row is.
    pub(in crate::ledger) fn into_settlement(self) -> Result<Settlement, LedgerError> {
        let at = Place { table: "settlements", row: self.seq };
        Ok(Settlement {
            id: SettlementId(at.uuid("id", &self.id)?),
            purpose: Purpose::from_word(&self.purpose).ok_or_else(|| at.wrong("purpose"))?,
            subject: Subject::of(&self.subject_kind, self.subject_id.map(|id| at.uuid("subject_id", &id)).transpose()?)
                .ok_or_else(|| at.wrong("subject_kind"))?,
            amount: at.amount("amount", self.amount)?,
            state: [State::Reserved, State::InFlight, State::Landed, State::Settled, State::Released]
                .into_iter()
                .find(|state| state.word() == self.state)
                .ok_or_else(|| at.wrong("state"))?,
            sequence: at.number("sequence", self.sequence)?,
            attempts: at.number("attempts", self.attempts)?,
            signature: at.maybe_signature("signature", self.signature.as_ref())?,
            landed_at: self.landed_at.map(|slot| at.count("slot", slot)).transpose()?,
            held: self.held.map(|(why, since)| held(at, &why, since)).transpose()?,
        })
    }
}

/// Why and since when a settlement is held, as a row of `held_settlements` says.
fn held(at: Place, why: &str, since: i64) -> Result<SettlementHeld, LedgerError> {
    let because = HeldBecause::from_word(why).ok_or_else(|| at.wrong("why"))?;
    Ok(SettlementHeld { because, since: at.count("since", since)? })
}

/// A row of `attempts`, with the rows of `attempt_seen` and `attempt_past` that belong to it.
pub(in crate::ledger) struct AttemptRow {
    pub(in crate::ledger) signature: Vec<u8>,
    pub(in crate::ledger) settlement: Vec<u8>,
    pub(in crate::ledger) number: i64,
    pub(in crate::ledger) wire: Vec<u8>,
    pub(in crate::ledger) last_valid_block_height: i64,
    pub(in crate::ledger) signed_at_slot: i64,
    pub(in crate::ledger) fee: i64,
    pub(in crate::ledger) rent: i64,
    pub(in crate::ledger) lamports_granted: i64,
    pub(in crate::ledger) bears_allowances: bool,
    pub(in crate::ledger) moves_balance: bool,
    pub(in crate::ledger) source: Option<Vec<u8>>,
    pub(in crate::ledger) handle_before: Option<Vec<u8>>,
    pub(in crate::ledger) handle_slot: Option<i64>,
    pub(in crate::ledger) delegated_before: Option<Vec<u8>>,
    pub(in crate::ledger) seen_by: Vec<String>,
    pub(in crate::ledger) past_at: Option<i64>,
}

impl AttemptRow {
    /// The attempt this row is.
    pub(in crate::ledger) fn into_attempt(self) -> Result<Attempt, LedgerError> {
        // The table has no row number; the attempt's own number is the next best pointer.
        let at = Place { table: "attempts", row: self.number };
        let moves = self.moves(at)?;
        Ok(Attempt {
            settlement: SettlementId(at.uuid("settlement", &self.settlement)?),
            number: at.number("number", self.number)?,
            signature: at.signature("signature", &self.signature)?,
            wire: self.wire,
            last_valid_block_height: at.count("last_valid_block_height", self.last_valid_block_height)?,
            signed_at_slot: at.count("signed_at_slot", self.signed_at_slot)?,
            cost: Cost {
                fee: at.count("fee", self.fee)?,
                rent: at.count("rent", self.rent)?,
                grant: at.count("lamports_granted", self.lamports_granted)?,
            },
            allowances: Allowances::from(self.bears_allowances),
            moves,
            seen_by: self.seen_by,
            past_at: self.past_at.map(|slot| at.count("slot", slot)).transpose()?,
        })
    }

    fn moves(&self, at: Place) -> Result<Moves, LedgerError> {
        let handle = |column: &str, bytes: &[u8]| at.bytes(column, bytes).map(u128::from_le_bytes);
        match (self.moves_balance, &self.source, &self.handle_before, self.handle_slot, &self.delegated_before) {
            (false, None, None, None, None) => Ok(Moves::Nothing),
            (true, None, None, None, None) => Ok(Moves::Balance(None)),
            (true, Some(source), Some(before), Some(slot), delegated) => Ok(Moves::Balance(Some(Witness {
                account: at.key("source", source)?,
                before: SeenHandle { handle: handle("handle_before", before)?, slot: at.count("handle_slot", slot)? },
                delegated: delegated.as_deref().map(|bytes| handle("delegated_before", bytes)).transpose()?,
            }))),
            _ => Err(at.wrong("source")),
        }
    }
}

/// A row of `settlement_events` without its key.
#[derive(Default)]
pub(in crate::ledger) struct EventRow {
    pub(in crate::ledger) sequence: i64,
    pub(in crate::ledger) event: String,
    pub(in crate::ledger) signature: Option<Vec<u8>>,
    pub(in crate::ledger) slot: Option<i64>,
    pub(in crate::ledger) reason: Option<String>,
    pub(in crate::ledger) finalised_height: Option<i64>,
    pub(in crate::ledger) first_available_block: Option<i64>,
}

impl EventRow {
    /// The row that says this event.
    pub(in crate::ledger) fn of(sequence: u32, event: &Event) -> Result<Self, LedgerError> {
        // A landing that an operator found is one that names its transaction.
        let word = if let Event::Found { .. } = event { "landed" } else { event.word() };
        let row = Self { sequence: sequence.into(), event: word.to_owned(), ..Self::default() };
        Ok(match event {
            Event::Found { signature, slot } => {
                Self { signature: Some(signature.as_ref().to_vec()), slot: Some(column("slot", *slot)?), ..row }
            }
            Event::Reserved | Event::Finalised | Event::TakenBack => row,
            Event::Signed { signature } => Self { signature: Some(signature.as_ref().to_vec()), ..row },
            Event::Landed { slot } | Event::Failed { slot } => Self { slot: Some(column("slot", *slot)?), ..row },
            Event::Refused { slot, reason } => {
                Self { slot: Some(column("slot", *slot)?), reason: Some(reason.word().to_owned()), ..row }
            }
            Event::Absent(proof) => Self {
                finalised_height: Some(column("finalised_height", proof.finalised_height)?),
                first_available_block: Some(column("first_available_block", proof.first_available_block)?),
                ..row
            },
            Event::Abandoned { reason } => Self { reason: Some(reason.word().to_owned()), ..row },
        })
    }

    /// The event this row says.
    pub(in crate::ledger) fn into_event(self) -> Result<Event, LedgerError> {
        let at = Place { table: "settlement_events", row: self.sequence };
        let number = |column: &str, value: Option<i64>| at.count(column, value.ok_or_else(|| at.wrong(column))?);
        let reason = || self.reason.as_deref().and_then(PayReason::from_word).ok_or_else(|| at.wrong("reason"));
        match self.event.as_str() {
            "reserved" => Ok(Event::Reserved),
            "signed" => {
                let bytes = self.signature.as_ref().ok_or_else(|| at.wrong("signature"))?;
                Ok(Event::Signed { signature: at.signature("signature", bytes)? })
            }
            "landed" => {
                let slot = number("slot", self.slot)?;
                match at.maybe_signature("signature", self.signature.as_ref())? {
                    Some(signature) => Ok(Event::Found { signature, slot }),
                    None => Ok(Event::Landed { slot }),
                }
            }
            "finalised" => Ok(Event::Finalised),
            "taken_back" => Ok(Event::TakenBack),
            "refused" => Ok(Event::Refused { slot: number("slot", self.slot)?, reason: reason()? }),
            "failed" => Ok(Event::Failed { slot: number("slot", self.slot)? }),
            "absent" => Ok(Event::Absent(AbsenceProof {
                finalised_height: number("finalised_height", self.finalised_height)?,
                first_available_block: number("first_available_block", self.first_available_block)?,
            })),
            "abandoned" => Ok(Event::Abandoned { reason: reason()? }),
            _ => Err(at.wrong("event")),
        }
    }
}
