//! Rows of revokes that we pay for.

use crate::ledger::rows::Place;
use crate::{
    domain::{
        hold::ContentHash,
        revocation::{Revocation, RevocationState},
        settlement::{RevocationId, SettlementId, State},
    },
    ledger::LedgerError,
};

/// A row of `revocations`, with what its settlement tells beside it.
pub(in crate::ledger) struct RevocationRow {
    pub(in crate::ledger) seq: i64,
    pub(in crate::ledger) id: Vec<u8>,
    pub(in crate::ledger) settlement: Vec<u8>,
    pub(in crate::ledger) user: Vec<u8>,
    pub(in crate::ledger) asset: Vec<u8>,
    pub(in crate::ledger) signed: Vec<u8>,
    pub(in crate::ledger) state: String,
    pub(in crate::ledger) signature: Option<Vec<u8>>,
}

impl RevocationRow {
    /// The revoke this row is.
    pub(in crate::ledger) fn into_revocation(self) -> Result<Revocation, LedgerError> {
        let at = Place { table: "revocations", row: self.seq };
        let states = [State::Reserved, State::InFlight, State::Landed, State::Settled, State::Released];
        let state = states.iter().find(|state| state.word() == self.state).ok_or_else(|| at.wrong("settlement"))?;
        let transaction = at.maybe_signature("signature", self.signature.as_ref())?;
        Ok(Revocation {
            id: RevocationId(at.uuid("id", &self.id)?),
            settlement: SettlementId(at.uuid("settlement", &self.settlement)?),
            user: at.key("user", &self.user)?,
            asset: at.key("asset", &self.asset)?,
            signed: ContentHash(at.bytes("signed", &self.signed)?),
            state: RevocationState::of(state),
            // It is signed in the transaction that writes it.
            transaction: transaction.ok_or_else(|| at.wrong("settlement"))?,
        })
    }
}
