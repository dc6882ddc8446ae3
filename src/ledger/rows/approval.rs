//! Rows of approvals.

use crate::ledger::rows::Place;
use crate::{
    domain::approval::{Approval, ApprovalState},
    ledger::LedgerError,
};

/// A row of `approvals`, with what the sessions on it add up to.
pub(in crate::ledger) struct ApprovalRow {
    pub(in crate::ledger) seq: i64,
    pub(in crate::ledger) user: Vec<u8>,
    pub(in crate::ledger) asset: Vec<u8>,
    pub(in crate::ledger) signature: Vec<u8>,
    pub(in crate::ledger) amount: Option<i64>,
    pub(in crate::ledger) claimed: Option<i64>,
    pub(in crate::ledger) handle: Option<[u8; 16]>,
    pub(in crate::ledger) seen_handle: Option<[u8; 16]>,
    pub(in crate::ledger) seen_slot: Option<i64>,
    pub(in crate::ledger) state: String,
    pub(in crate::ledger) complete: i64,
    /// The upper and the lower 32 bits of what is taken, each summed by itself: together they pass 63 bits.
    pub(in crate::ledger) taken: [i64; 2],
    pub(in crate::ledger) live: i64,
    pub(in crate::ledger) sessions: i64,
}

impl ApprovalRow {
    /// The approval this row is.
    pub(in crate::ledger) fn into_approval(self) -> Result<Approval, LedgerError> {
        let at = Place { table: "approvals", row: self.seq };
        let [high, low] = self.taken.map(i128::from);
        let taken = i64::try_from((high << 32) + low).map_err(|_| at.wrong("taken"))?;
        Ok(Approval {
            user: at.key("user", &self.user)?,
            asset: at.key("asset", &self.asset)?,
            signature: at.signature("signature", &self.signature)?,
            amount: self.amount.map(|amount| at.amount("amount", amount)).transpose()?,
            claimed: self.claimed.map(|claimed| at.amount("claimed", claimed)).transpose()?,
            handle: self.handle.map(u128::from_le_bytes),
            seen: self.seen_handle.map(u128::from_le_bytes),
            seen_slot: self.seen_slot.map(|slot| at.count("seen_slot", slot)).transpose()?,
            state: ApprovalState::from_word(&self.state).ok_or_else(|| at.wrong("state"))?,
            is_complete: at.flag("complete", self.complete)?,
            taken: at.amount("taken", taken)?,
            live: at.count("live", self.live)?,
            sessions: at.count("sessions", self.sessions)?,
        })
    }
}
