//! Rows of what is known of payers' token accounts.

use crate::ledger::rows::Place;
use crate::{
    domain::funding::{Bound, Lost, Seen, Source},
    ledger::LedgerError,
};

/// A row of `sources`, which have no number of their own.
pub(in crate::ledger) struct SourceRow {
    pub(in crate::ledger) user: Vec<u8>,
    pub(in crate::ledger) asset: Vec<u8>,
    pub(in crate::ledger) frozen: i64,
    pub(in crate::ledger) bound: Option<i64>,
    pub(in crate::ledger) handle: Option<Vec<u8>>,
    pub(in crate::ledger) slot: Option<i64>,
    pub(in crate::ledger) anchor: Option<Vec<u8>>,
    pub(in crate::ledger) proved_at: Option<i64>,
    pub(in crate::ledger) claimed: i64,
    pub(in crate::ledger) examined: Option<i64>,
    pub(in crate::ledger) is_final: i64,
    pub(in crate::ledger) looked_at: Option<i64>,
    pub(in crate::ledger) lost: Option<String>,
    pub(in crate::ledger) lost_slot: Option<i64>,
    pub(in crate::ledger) seen_handle: Option<Vec<u8>>,
    pub(in crate::ledger) seen_slot: Option<i64>,
    pub(in crate::ledger) ridden: i64,
    pub(in crate::ledger) seen_ridden: i64,
}

impl SourceRow {
    /// The source this row is.
    pub(in crate::ledger) fn into_source(self) -> Result<Source, LedgerError> {
        let at = Place { table: "sources", row: 0 };
        Ok(Source {
            user: at.key("user", &self.user)?,
            asset: at.key("asset", &self.asset)?,
            frozen: at.flag("frozen", self.frozen)?,
            bound: self.bound.map(|bound| self.bound(at, bound)).transpose()?,
        })
    }

    fn bound(&self, at: Place, bound: i64) -> Result<Bound, LedgerError> {
        let count = |column: &str, value: Option<i64>| at.count(column, value.ok_or_else(|| at.wrong(column))?);
        let lost = match (&self.lost, self.lost_slot) {
            (None, None) => None,
            (Some(word), Some(slot)) => {
                Some((Lost::from_word(word).ok_or_else(|| at.wrong("lost"))?, at.count("lost_slot", slot)?))
            }
            _ => return Err(at.wrong("lost")),
        };
        let handle = |column: &str, value: &[u8]| at.bytes(column, value).map(u128::from_le_bytes);
        let slot = count("slot", self.slot)?;
        Ok(Bound {
            amount: at.amount("bound", bound)?,
            handle: handle("handle", self.handle.as_deref().unwrap_or_default())?,
            slot,
            anchor: at.maybe_signature("anchor", self.anchor.as_ref())?,
            proved_at: count("proved_at", self.proved_at)?,
            claimed: at.amount("claimed", self.claimed)?,
            examined: count("examined", self.examined)?,
            is_final: at.flag("final", self.is_final)?,
            looked_at: count("looked_at", self.looked_at)?,
            seen: Seen {
                handle: self.seen_handle.as_deref().map(|value| handle("seen_handle", value)).transpose()?,
                slot: self.seen_slot.map_or(Ok(slot), |value| at.count("seen_slot", value))?,
                ridden: at.amount("seen_ridden", self.seen_ridden)?,
            },
            ridden: at.amount("ridden", self.ridden)?,
            lost,
        })
    }
}
