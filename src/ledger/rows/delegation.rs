//! Rows of delegations, of their grants and readings, and of issued messages.

use crate::ledger::rows::Place;
use crate::{
    domain::{
        hold::ContentHash,
        mpp::{
            choices::Backend,
            delegation::{
                Delegation, DelegationGrant, DelegationId, DelegationReading, DelegationState, DelegationUse,
                GrantTerms, IssuedKind, IssuedMessage, IssuedState, IssuedTransaction,
            },
            money::{Reading, Role},
        },
        settlement::{IssuedId, SettlementId, State},
    },
    ledger::LedgerError,
};

/// The words of what a reading says of a role.
const ROLES: [(Role, &str); 4] =
    [(Role::Live, "live"), (Role::Gone, "gone"), (Role::Frozen, "frozen"), (Role::Expired, "expired")];

/// The word of what a reading says of a role.
pub(in crate::ledger) fn role_word(role: Role) -> &'static str {
    ROLES.iter().find(|(known, _)| *known == role).map_or("gone", |(_, word)| word)
}

/// A row of `delegations`, with its current grant, what was last read for it, and what stands on it.
pub(in crate::ledger) struct DelegationRow {
    pub(in crate::ledger) seq: i64,
    pub(in crate::ledger) id: Vec<u8>,
    pub(in crate::ledger) buyer: Vec<u8>,
    pub(in crate::ledger) mint: Vec<u8>,
    pub(in crate::ledger) backend: String,
    pub(in crate::ledger) account: Vec<u8>,
    pub(in crate::ledger) salted: i64,
    pub(in crate::ledger) state: String,
    pub(in crate::ledger) next_generation: i64,
    pub(in crate::ledger) grant: Option<GrantRow>,
    pub(in crate::ledger) reading: Option<ReadingRow>,
    /// Live channels, and their settlements on their way.
    pub(in crate::ledger) counts: [i64; 2],
    /// What is reserved, and what is owed.
    pub(in crate::ledger) sums: [i64; 2],
}

/// A row of `delegation_grants`.
pub(in crate::ledger) struct GrantRow {
    pub(in crate::ledger) generation: i64,
    pub(in crate::ledger) delegate: Vec<u8>,
    pub(in crate::ledger) spend_limit: i64,
    pub(in crate::ledger) ttl: i64,
    pub(in crate::ledger) seller: Option<Vec<u8>>,
    pub(in crate::ledger) granted_at: Option<i64>,
    pub(in crate::ledger) expires_at: Option<i64>,
    pub(in crate::ledger) expiry_slot: Option<i64>,
    pub(in crate::ledger) role: Option<i64>,
    pub(in crate::ledger) moved: i64,
}

/// A row of `delegation_readings`.
pub(in crate::ledger) struct ReadingRow {
    pub(in crate::ledger) generation: i64,
    pub(in crate::ledger) role: String,
    pub(in crate::ledger) balance: i64,
    pub(in crate::ledger) remaining: i64,
    pub(in crate::ledger) slot: i64,
    pub(in crate::ledger) at: i64,
}

impl DelegationRow {
    /// The delegation this row is.
    pub(in crate::ledger) fn into_delegation(self) -> Result<Delegation, LedgerError> {
        let at = Place { table: "delegations", row: self.seq };
        let [live, in_flight] = self.counts;
        let [reserved, owed] = self.sums;
        Ok(Delegation {
            id: DelegationId(at.uuid("id", &self.id)?),
            buyer: at.key("buyer", &self.buyer)?,
            mint: at.key("mint", &self.mint)?,
            backend: Backend::from_word(&self.backend).ok_or_else(|| at.wrong("backend"))?,
            account: at.key("account", &self.account)?,
            is_salted: at.flag("salted", self.salted)?,
            state: DelegationState::from_word(&self.state).ok_or_else(|| at.wrong("state"))?,
            next_generation: at.number("next_generation", self.next_generation)?,
            grant: self.grant.map(|grant| grant.into_grant(self.seq)).transpose()?,
            reading: self.reading.map(|reading| reading.into_reading(self.seq)).transpose()?,
            used: DelegationUse {
                live: at.count("live", live)?,
                reserved: at.amount("reserved", reserved)?,
                owed: at.amount("owed", owed)?,
                in_flight: at.count("in_flight", in_flight)?,
            },
        })
    }
}

impl GrantRow {
    fn terms(&self, at: Place) -> Result<GrantTerms, LedgerError> {
        Ok(GrantTerms {
            generation: at.number("generation", self.generation)?,
            delegate: at.key("delegate", &self.delegate)?,
            limit: at.amount("spend_limit", self.spend_limit)?,
            ttl: at.count("ttl", self.ttl)?,
            seller: self.seller.as_ref().map(|seller| at.key("seller", seller)).transpose()?,
        })
    }

    /// What this row was issued on; `row` is its delegation's.
    pub(in crate::ledger) fn into_terms(self, row: i64) -> Result<GrantTerms, LedgerError> {
        self.terms(Place { table: "delegation_grants", row })
    }

    /// The grant this row is, of a delegation that is active; `row` is that one's.
    fn into_grant(self, row: i64) -> Result<DelegationGrant, LedgerError> {
        let at = Place { table: "delegation_grants", row };
        let time = |name: &str, value: Option<i64>| at.count(name, value.ok_or_else(|| at.wrong(name))?);
        Ok(DelegationGrant {
            terms: self.terms(at)?,
            granted_at: time("granted_at", self.granted_at)?,
            expires_at: time("expires_at", self.expires_at)?,
            expiry_slot: self.expiry_slot.map(|slot| at.count("expiry_slot", slot)).transpose()?,
            role: self.role.map(|role| at.number("role", role)).transpose()?,
            moved: at.amount("moved", self.moved)?,
        })
    }
}

impl ReadingRow {
    fn into_reading(self, row: i64) -> Result<DelegationReading, LedgerError> {
        let at = Place { table: "delegation_readings", row };
        let role = ROLES.iter().find(|(_, word)| *word == self.role).map(|(role, _)| *role);
        Ok(DelegationReading {
            generation: at.number("generation", self.generation)?,
            reading: Reading {
                role: role.ok_or_else(|| at.wrong("role"))?,
                balance: at.count("balance", self.balance)?,
                remaining: at.count("remaining", self.remaining)?,
            },
            slot: at.count("slot", self.slot)?,
            at: at.count("at", self.at)?,
        })
    }
}

/// A row of `issued_messages`, with its delegation's id and wallet and what its settlement tells.
pub(in crate::ledger) struct IssuedRow {
    pub(in crate::ledger) seq: i64,
    pub(in crate::ledger) id: Vec<u8>,
    pub(in crate::ledger) buyer: Vec<u8>,
    pub(in crate::ledger) delegation: Vec<u8>,
    pub(in crate::ledger) kind: String,
    pub(in crate::ledger) generation: Option<i64>,
    pub(in crate::ledger) message: Vec<u8>,
    pub(in crate::ledger) hash: Vec<u8>,
    pub(in crate::ledger) last_valid_block_height: i64,
    pub(in crate::ledger) rent: i64,
    pub(in crate::ledger) until: i64,
    pub(in crate::ledger) voided: i64,
    pub(in crate::ledger) settlement: Option<Vec<u8>>,
    pub(in crate::ledger) state: Option<String>,
    pub(in crate::ledger) signature: Option<Vec<u8>>,
}

impl IssuedRow {
    /// The message this row is.
    pub(in crate::ledger) fn into_message(self) -> Result<IssuedMessage, LedgerError> {
        let at = Place { table: "issued_messages", row: self.seq };
        Ok(IssuedMessage {
            id: IssuedId(at.uuid("id", &self.id)?),
            buyer: at.key("buyer", &self.buyer)?,
            delegation: DelegationId(at.uuid("delegation", &self.delegation)?),
            kind: IssuedKind::from_word(&self.kind).ok_or_else(|| at.wrong("kind"))?,
            generation: self.generation.map(|number| at.number("generation", number)).transpose()?,
            hash: ContentHash(at.bytes("hash", &self.hash)?),
            last_valid_block_height: at.count("last_valid_block_height", self.last_valid_block_height)?,
            rent: at.count("rent", self.rent)?,
            until: at.count("until", self.until)?,
            state: self.state(at)?,
            message: self.message,
        })
    }

    fn state(&self, at: Place) -> Result<IssuedState, LedgerError> {
        let Some(settlement) = &self.settlement else {
            let voided = at.flag("voided", self.voided)?;
            return Ok(if voided { IssuedState::Voided } else { IssuedState::Waiting });
        };
        let states = [State::Reserved, State::InFlight, State::Landed, State::Settled, State::Released];
        let state = states.iter().find(|state| Some(state.word()) == self.state.as_deref());
        let signature = at.maybe_signature("signature", self.signature.as_ref())?;
        let transaction = IssuedTransaction {
            settlement: SettlementId(at.uuid("settlement", settlement)?),
            // It is signed in the transaction that records it.
            signature: signature.ok_or_else(|| at.wrong("settlement"))?,
        };
        Ok(IssuedState::of(state.ok_or_else(|| at.wrong("settlement"))?, transaction))
    }
}
