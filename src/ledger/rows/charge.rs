//! Rows of charges.

use crate::{
    domain::{
        mpp::recorded_charge::{ChargeClaimant, ChargeState, KeyHash, RecordedCharge, ToldCharge},
        reason::PayReason,
        settlement::{ChargeId, SettlementId, State},
        single_payment::CallerHash,
    },
    ledger::{LedgerError, rows::Place},
};

/// A row of `charges`, with the state of its settlement beside it.
pub(in crate::ledger) struct ChargeRow {
    pub(in crate::ledger) seq: i64,
    pub(in crate::ledger) id: Vec<u8>,
    pub(in crate::ledger) settlement: Vec<u8>,
    pub(in crate::ledger) signature: Vec<u8>,
    pub(in crate::ledger) payer: Vec<u8>,
    pub(in crate::ledger) recipient: Vec<u8>,
    pub(in crate::ledger) asset: Vec<u8>,
    pub(in crate::ledger) amount: i64,
    pub(in crate::ledger) destination: Vec<u8>,
    pub(in crate::ledger) fee_payer: Vec<u8>,
    pub(in crate::ledger) caller: Vec<u8>,
    pub(in crate::ledger) first_key: Option<Vec<u8>>,
    pub(in crate::ledger) told: i64,
    pub(in crate::ledger) told_key: Option<Vec<u8>>,
    pub(in crate::ledger) told_slot: Option<i64>,
    pub(in crate::ledger) landed_slot: Option<i64>,
    pub(in crate::ledger) landed_at: Option<i64>,
    pub(in crate::ledger) verified: i64,
    pub(in crate::ledger) reason: Option<String>,
    pub(in crate::ledger) state: String,
}

impl ChargeRow {
    /// The charge this row is.
    pub(in crate::ledger) fn into_charge(self) -> Result<RecordedCharge, LedgerError> {
        let at = Place { table: "charges", row: self.seq };
        let key = |column: &str, bytes: &Option<Vec<u8>>| {
            bytes.as_ref().map(|bytes| at.bytes(column, bytes).map(KeyHash)).transpose()
        };
        Ok(RecordedCharge {
            id: ChargeId(at.uuid("id", &self.id)?),
            settlement: SettlementId(at.uuid("settlement", &self.settlement)?),
            signature: at.signature("signature", &self.signature)?,
            payer: at.key("payer", &self.payer)?,
            recipient: at.key("recipient", &self.recipient)?,
            asset: at.key("asset", &self.asset)?,
            amount: at.amount("amount", self.amount)?,
            destination: at.key("destination", &self.destination)?,
            fee_payer: at.key("fee_payer", &self.fee_payer)?,
            first: ChargeClaimant {
                caller: CallerHash(at.bytes("caller", &self.caller)?),
                key: key("first_key", &self.first_key)?,
            },
            told: match (at.flag("told", self.told)?, self.told_slot) {
                (true, Some(slot)) => {
                    let key = key("told_key", &self.told_key)?;
                    Some(ToldCharge { key, slot: at.count("told_slot", slot)? })
                }
                (false, None) => None,
                _ => return Err(at.wrong("told")),
            },
            is_verified: at.flag("verified", self.verified)?,
            landed_at: self.landed_at.map(|seconds| at.count("landed_at", seconds)).transpose()?,
            state: self.state(at)?,
        })
    }

    fn state(&self, at: Place) -> Result<ChargeState, LedgerError> {
        let is = |state: State| self.state == state.word();
        // One that came to nothing may be found after all.
        if let Some(slot) = self.landed_slot {
            return Ok(ChargeState::Landed { slot: at.count("landed_slot", slot)? });
        }
        if is(State::Reserved) || is(State::InFlight) {
            return Ok(ChargeState::OnItsWay);
        }
        if !is(State::Released) {
            return Err(at.wrong("landed_slot"));
        }
        match self.reason.as_deref().and_then(PayReason::from_word).ok_or_else(|| at.wrong("reason"))? {
            PayReason::OnchainTransferFailed => Ok(ChargeState::Failed),
            _ => Ok(ChargeState::Expired),
        }
    }
}
