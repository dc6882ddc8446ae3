//! Rows as a database holds them, and the total conversions from and to domain values.
//!
//! Promises: a row that is not exactly what the domain allows is [`LedgerError::Inconsistent`] with its table, column
//! and row number (never a value: rows are confidential), so a damaged database is noticed where it is read. Both
//! engines fill these structs, so the rules stand here once.

mod approval;
mod channel;
mod charge;
mod delegation;
mod journal;
mod revocation;
mod single_payment;
mod source;
#[cfg(test)]
mod tests;

pub(super) use approval::ApprovalRow;
pub(super) use channel::{ChannelRow, VoucherRow};
pub(super) use charge::ChargeRow;
pub(super) use delegation::{DelegationRow, GrantRow, IssuedRow, ReadingRow, role_word};
pub(super) use journal::{AttemptRow, EventRow, SettlementRow};
pub(super) use revocation::RevocationRow;
pub(super) use single_payment::{OfferRow, SingleRow};
pub(super) use source::SourceRow;

use crate::{
    domain::{
        amount::Amount,
        funding::Funding,
        hold::{ContentHash, Hold, HoldId, HoldState},
        intent::Intent,
        reason::{PayReason, SessionReason},
        session::{CapCheck, Session, SessionId, SessionState, SignedIntent},
        settlement::SettlementId,
    },
    ledger::{LedgerError, Promised},
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use uuid::Uuid;

/// What `sessions.intent_signature` holds where the user signed the short message alone: the column is never empty, and no key
/// signs with zeros (migration 18).
pub(super) const NOT_SIGNED: [u8; 64] = [0; 64];

/// Where a value was read, for the error's text.
#[derive(Clone, Copy)]
struct Place {
    table: &'static str,
    row: i64,
}

impl Place {
    fn wrong(self, column: &str) -> LedgerError {
        LedgerError::Inconsistent(format!("{}.{column} of row {} is not what it must be", self.table, self.row))
    }

    fn bytes<const N: usize>(self, column: &str, value: &[u8]) -> Result<[u8; N], LedgerError> {
        value.try_into().map_err(|_| self.wrong(column))
    }

    fn key(self, column: &str, value: &[u8]) -> Result<Pubkey, LedgerError> {
        self.bytes(column, value).map(Pubkey::new_from_array)
    }

    fn signature(self, column: &str, value: &[u8]) -> Result<Signature, LedgerError> {
        self.bytes(column, value).map(|bytes: [u8; 64]| Signature::from(bytes))
    }

    fn maybe_signature(self, column: &str, value: Option<&Vec<u8>>) -> Result<Option<Signature>, LedgerError> {
        value.map(|bytes| self.signature(column, bytes)).transpose()
    }

    fn uuid(self, column: &str, value: &[u8]) -> Result<Uuid, LedgerError> {
        self.bytes(column, value).map(Uuid::from_bytes)
    }

    fn amount(self, column: &str, value: i64) -> Result<Amount, LedgerError> {
        Amount::try_from(value).map_err(|_| self.wrong(column))
    }

    fn count(self, column: &str, value: i64) -> Result<u64, LedgerError> {
        u64::try_from(value).map_err(|_| self.wrong(column))
    }

    fn number(self, column: &str, value: i64) -> Result<u32, LedgerError> {
        u32::try_from(value).map_err(|_| self.wrong(column))
    }

    fn flag(self, column: &str, value: i64) -> Result<bool, LedgerError> {
        match value {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.wrong(column)),
        }
    }

    fn session(self, column: &str, value: &[u8]) -> Result<SessionId, LedgerError> {
        self.bytes(column, value).map(SessionId::from_bytes)
    }
}

/// A count, slot, height or time as a column. Refuses what does not fit, which no honest value fails to do.
pub(super) fn column(name: &str, value: u64) -> Result<i64, LedgerError> {
    i64::try_from(value).map_err(|_| LedgerError::Inconsistent(format!("a value for {name} does not fit its column")))
}

/// A count, slot, height or time out of a column of `sponsored_lamports` or a sum over it.
pub(super) fn count(name: &str, value: i64) -> Result<u64, LedgerError> {
    u64::try_from(value).map_err(|_| LedgerError::Inconsistent(format!("a value of {name} is negative")))
}

/// A key out of a column.
pub(super) fn key(name: &str, value: &[u8]) -> Result<Pubkey, LedgerError> {
    let bytes: [u8; 32] =
        value.try_into().map_err(|_| LedgerError::Inconsistent(format!("a value of {name} is not a key")))?;
    Ok(Pubkey::new_from_array(bytes))
}

impl Promised {
    /// What a group of rows of `holds` adds up to.
    pub(super) fn read(
        session: [u8; 16],
        count: i64,
        amount: i64,
        oldest: Option<i64>,
        (resting, again_at): (i64, Option<i64>),
        accepting: bool,
    ) -> Result<Self, LedgerError> {
        let at = Place { table: "holds", row: 0 };
        Ok(Self {
            session: SessionId::from_bytes(session),
            count: at.count("session", count)?,
            amount: at.amount("amount", amount)?,
            oldest: oldest.map(|value| at.count("accepted_at", value)).transpose()?,
            resting: at.count("returns", resting)?,
            again_at: again_at.map(|value| at.count("not_before", value)).transpose()?,
            accepting,
        })
    }
}

/// A row of `sessions`.
pub(super) struct SessionRow {
    pub(super) seq: i64,
    pub(super) id: Vec<u8>,
    pub(super) user: Vec<u8>,
    pub(super) asset: Vec<u8>,
    pub(super) recipient: Vec<u8>,
    pub(super) spender: Vec<u8>,
    pub(super) session_key: Option<Vec<u8>>,
    pub(super) nonce: String,
    pub(super) cap: i64,
    pub(super) approved: Option<i64>,
    pub(super) expires_at: i64,
    pub(super) spelling: String,
    pub(super) network: String,
    pub(super) intent: Vec<u8>,
    pub(super) intent_signature: Vec<u8>,
    pub(super) settle_signature: Option<Vec<u8>>,
    pub(super) state: String,
    pub(super) rejected: Option<String>,
    pub(super) cap_verified: i64,
    pub(super) captured: i64,
    pub(super) held: i64,
    pub(super) approve: Option<Vec<u8>>,
    pub(super) created_at: i64,
}

impl SessionRow {
    /// The session this row is.
    pub(super) fn into_session(self) -> Result<Session, LedgerError> {
        let at = Place { table: "sessions", row: self.seq };
        let intent = Intent {
            approved: self.approved.map(|approved| at.amount("approved", approved)).transpose()?,
            asset: at.key("asset", &self.asset)?,
            cap: at.amount("cap", self.cap)?,
            expires_at: at.count("expires_at", self.expires_at)?,
            network: self.spelling,
            nonce: self.nonce,
            recipient: at.key("recipient", &self.recipient)?,
            spender: at.key("spender", &self.spender)?,
            user: at.key("user", &self.user)?,
            session_key: self.session_key.map(|key| at.key("session_key", &key)).transpose()?,
        };
        let signature = at.bytes("intent_signature", &self.intent_signature)?;
        let signed = SignedIntent {
            bytes: self.intent,
            signature: (signature != NOT_SIGNED).then_some(signature),
            settle_signature: self.settle_signature.map(|bytes| at.bytes("settle_signature", &bytes)).transpose()?,
        };
        if signed.signature.is_none() && signed.settle_signature.is_none() {
            return Err(at.wrong("settle_signature"));
        }
        Ok(Session {
            id: at.session("id", &self.id)?,
            intent,
            signed,
            network: self.network,
            state: session_state(&self.state, self.rejected.as_deref()).ok_or_else(|| at.wrong("state"))?,
            cap_check: if at.flag("cap_verified", self.cap_verified)? {
                CapCheck::Verified
            } else {
                CapCheck::Unverified
            },
            captured: at.amount("captured", self.captured)?,
            held: at.amount("held", self.held)?,
            approve: at.maybe_signature("approve", self.approve.as_ref())?,
            created_at: at.count("created_at", self.created_at)?,
        })
    }
}

/// The state that is written as this word, with the reason that only a rejected session has.
fn session_state(word: &str, rejected: Option<&str>) -> Option<SessionState> {
    if let Some(reason) = rejected {
        let state = SessionState::Rejected(SessionReason::from_word(reason)?);
        return (word == state.word()).then_some(state);
    }
    SessionState::from_word(word)
}

/// A row of `holds`, with the signature of its settlement's live attempt beside it.
pub(super) struct HoldRow {
    pub(super) seq: i64,
    pub(super) id: Vec<u8>,
    pub(super) session: Vec<u8>,
    pub(super) nonce: Option<String>,
    pub(super) content: Vec<u8>,
    pub(super) amount: i64,
    pub(super) spent_after: i64,
    pub(super) remaining_after: i64,
    pub(super) state: String,
    pub(super) settlement: Option<Vec<u8>>,
    pub(super) reason: Option<String>,
    pub(super) signature: Option<Vec<u8>>,
    pub(super) live_signature: Option<Vec<u8>>,
    pub(super) told: i64,
    pub(super) accepted_at: i64,
    pub(super) deferred: i64,
    pub(super) returns: i64,
    pub(super) funding: String,
}

impl HoldRow {
    /// The hold this row is.
    pub(super) fn into_hold(self) -> Result<Hold, LedgerError> {
        let at = Place { table: "holds", row: self.seq };
        Ok(Hold {
            id: HoldId(at.uuid("id", &self.id)?),
            session: at.session("session", &self.session)?,
            content: ContentHash(at.bytes("content", &self.content)?),
            amount: at.amount("amount", self.amount)?,
            spent_after: at.amount("spent_after", self.spent_after)?,
            remaining_after: at.amount("remaining_after", self.remaining_after)?,
            state: self.state(at)?,
            told: at.flag("told", self.told)?,
            deferred: at.flag("deferred", self.deferred)?,
            returns: at.number("returns", self.returns)?,
            accepted_at: at.count("accepted_at", self.accepted_at)?,
            funding: Funding::from_word(&self.funding).ok_or_else(|| at.wrong("funding"))?,
            nonce: self.nonce,
        })
    }

    fn state(&self, at: Place) -> Result<HoldState, LedgerError> {
        let settlement = || {
            let bytes = self.settlement.as_deref().ok_or_else(|| at.wrong("settlement"))?;
            at.uuid("settlement", bytes).map(SettlementId)
        };
        let live = at.maybe_signature("signature", self.live_signature.as_ref())?;
        match self.state.as_str() {
            "waiting" => Ok(HoldState::Waiting),
            "planned" => Ok(HoldState::Planned { settlement: settlement()?, signature: live }),
            "captured" => Ok(HoldState::Captured {
                settlement: settlement()?,
                signature: live.ok_or_else(|| at.wrong("settlement"))?,
            }),
            "released" => Ok(HoldState::Released {
                reason: self.reason.as_deref().and_then(PayReason::from_word).ok_or_else(|| at.wrong("reason"))?,
                signature: at.maybe_signature("signature", self.signature.as_ref())?,
            }),
            _ => Err(at.wrong("state")),
        }
    }
}
