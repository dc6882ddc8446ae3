//! Rows of single payments, and of what was offered for them.

use crate::ledger::rows::Place;
use crate::{
    domain::{
        funding::Funding,
        hold::ContentHash,
        reason::PayReason,
        settlement::{SettlementId, SingleId, State},
        single_payment::{CallerHash, RecordedSingle, SingleOffer, SingleState},
    },
    ledger::LedgerError,
};

/// A row of `pay_offers`, which have no number of their own.
pub(in crate::ledger) struct OfferRow {
    pub(in crate::ledger) id: Vec<u8>,
    pub(in crate::ledger) payer: Vec<u8>,
    pub(in crate::ledger) recipient: Vec<u8>,
    pub(in crate::ledger) asset: Vec<u8>,
    pub(in crate::ledger) nonce: String,
    pub(in crate::ledger) content: Vec<u8>,
    pub(in crate::ledger) amount: i64,
    pub(in crate::ledger) ciphertext: Vec<u8>,
    pub(in crate::ledger) message: Vec<u8>,
    pub(in crate::ledger) last_valid_block_height: i64,
    pub(in crate::ledger) proof_demanded: i64,
    pub(in crate::ledger) caller: Vec<u8>,
    pub(in crate::ledger) issued_at: i64,
    pub(in crate::ledger) until: i64,
}

impl OfferRow {
    /// The offer this row is.
    pub(in crate::ledger) fn into_offer(self) -> Result<SingleOffer, LedgerError> {
        let at = Place { table: "pay_offers", row: 0 };
        Ok(SingleOffer {
            id: SingleId(at.uuid("id", &self.id)?),
            payer: at.key("payer", &self.payer)?,
            recipient: at.key("recipient", &self.recipient)?,
            asset: at.key("asset", &self.asset)?,
            content: ContentHash(at.bytes("content", &self.content)?),
            amount: at.amount("amount", self.amount)?,
            last_valid_block_height: at.count("last_valid_block_height", self.last_valid_block_height)?,
            proof_demanded: at.flag("proof_demanded", self.proof_demanded)?,
            caller: CallerHash(at.bytes("caller", &self.caller)?),
            issued_at: at.count("issued_at", self.issued_at)?,
            until: at.count("until", self.until)?,
            nonce: self.nonce,
            ciphertext: self.ciphertext,
            message: self.message,
        })
    }
}

/// A row of `single_payments`, with what its settlement tells beside it.
pub(in crate::ledger) struct SingleRow {
    pub(in crate::ledger) seq: i64,
    pub(in crate::ledger) id: Vec<u8>,
    pub(in crate::ledger) settlement: Vec<u8>,
    pub(in crate::ledger) payer: Vec<u8>,
    pub(in crate::ledger) recipient: Vec<u8>,
    pub(in crate::ledger) asset: Vec<u8>,
    pub(in crate::ledger) amount: i64,
    pub(in crate::ledger) content: Vec<u8>,
    pub(in crate::ledger) signed: Vec<u8>,
    pub(in crate::ledger) funding: String,
    pub(in crate::ledger) proof_demanded: i64,
    pub(in crate::ledger) told: i64,
    pub(in crate::ledger) reason: Option<String>,
    pub(in crate::ledger) state: String,
    pub(in crate::ledger) signature: Option<Vec<u8>>,
    pub(in crate::ledger) landed_at: Option<i64>,
}

impl SingleRow {
    /// The payment this row is.
    pub(in crate::ledger) fn into_single(self) -> Result<RecordedSingle, LedgerError> {
        let at = Place { table: "single_payments", row: self.seq };
        let transaction = at.maybe_signature("signature", self.signature.as_ref())?;
        Ok(RecordedSingle {
            id: SingleId(at.uuid("id", &self.id)?),
            settlement: SettlementId(at.uuid("settlement", &self.settlement)?),
            payer: at.key("payer", &self.payer)?,
            recipient: at.key("recipient", &self.recipient)?,
            asset: at.key("asset", &self.asset)?,
            amount: at.amount("amount", self.amount)?,
            content: ContentHash(at.bytes("content", &self.content)?),
            signed: ContentHash(at.bytes("signed", &self.signed)?),
            funding: Funding::from_word(&self.funding).ok_or_else(|| at.wrong("funding"))?,
            proof_demanded: at.flag("proof_demanded", self.proof_demanded)?,
            told: at.flag("told", self.told)?,
            state: self.state(at)?,
            // It is signed in the transaction that writes it.
            transaction: transaction.ok_or_else(|| at.wrong("settlement"))?,
        })
    }

    fn state(&self, at: Place) -> Result<SingleState, LedgerError> {
        let is = |state: State| self.state == state.word();
        if is(State::Reserved) || is(State::InFlight) {
            return Ok(SingleState::OnItsWay);
        }
        if is(State::Landed) || is(State::Settled) {
            let slot = self.landed_at.ok_or_else(|| at.wrong("settlement"))?;
            return Ok(SingleState::Landed { slot: at.count("slot", slot)? });
        }
        let reason = self.reason.as_deref().and_then(PayReason::from_word).ok_or_else(|| at.wrong("reason"))?;
        Ok(SingleState::Released { reason })
    }
}
