//! Rows of channels and their vouchers.

use crate::ledger::rows::Place;
use crate::{
    domain::mpp::{
        channel::{Authorisation, Channel, ChannelState, ChannelTerms, EndReason, draw::DrawnVoucher},
        channel_id::PublicId,
        money::ChannelMoney,
    },
    ledger::LedgerError,
};

/// A row of `channels`, with that of `channel_sums` beside it.
pub(in crate::ledger) struct ChannelRow {
    pub(in crate::ledger) seq: i64,
    pub(in crate::ledger) id: Vec<u8>,
    pub(in crate::ledger) buyer: Vec<u8>,
    pub(in crate::ledger) seller: Vec<u8>,
    pub(in crate::ledger) mint: Vec<u8>,
    pub(in crate::ledger) account: Vec<u8>,
    pub(in crate::ledger) generation: i64,
    pub(in crate::ledger) signer: Vec<u8>,
    pub(in crate::ledger) program: Vec<u8>,
    pub(in crate::ledger) deposit: i64,
    pub(in crate::ledger) idle_timeout: i64,
    pub(in crate::ledger) opened_at: i64,
    pub(in crate::ledger) expires_at: i64,
    pub(in crate::ledger) certificate: Vec<u8>,
    pub(in crate::ledger) authorised: String,
    pub(in crate::ledger) state: String,
    pub(in crate::ledger) reason: Option<String>,
    pub(in crate::ledger) cumulative: i64,
    pub(in crate::ledger) settled: i64,
    pub(in crate::ledger) shortfall: i64,
    pub(in crate::ledger) sequence: i64,
    pub(in crate::ledger) active_at: i64,
    pub(in crate::ledger) owed_since: Option<i64>,
    pub(in crate::ledger) ended_at: Option<i64>,
    pub(in crate::ledger) refusals: i64,
    pub(in crate::ledger) parts: i64,
}

impl ChannelRow {
    /// The channel this row is.
    pub(in crate::ledger) fn into_channel(self) -> Result<Channel, LedgerError> {
        let at = Place { table: "channel_sums", row: self.seq };
        let deposit = at.amount("deposit", self.deposit)?;
        let [cumulative, settled] = [at.amount("cumulative", self.cumulative)?, at.amount("settled", self.settled)?];
        let state = ChannelState::from_word(&self.state).ok_or_else(|| at.wrong("state"))?;
        let reason = match &self.reason {
            Some(word) => Some(EndReason::from_word(word).ok_or_else(|| at.wrong("reason"))?),
            None => None,
        };
        Ok(Channel {
            state,
            reason,
            money: ChannelMoney::new(deposit, cumulative, settled).map_err(|_| at.wrong("settled"))?,
            shortfall: at.amount("shortfall", self.shortfall)?,
            sequence: at.count("sequence", self.sequence)?,
            active_at: at.count("active_at", self.active_at)?,
            owed_since: self.owed_since.map(|value| at.count("owed_since", value)).transpose()?,
            ended_at: self.ended_at.map(|value| at.count("ended_at", value)).transpose()?,
            refusals: at.number("refusals", self.refusals)?,
            parts: at.number("parts", self.parts)?,
            terms: self.into_terms()?,
        })
    }

    fn into_terms(self) -> Result<ChannelTerms, LedgerError> {
        let at = Place { table: "channels", row: self.seq };
        Ok(ChannelTerms {
            id: PublicId::from_bytes(at.bytes("id", &self.id)?),
            buyer: at.key("buyer", &self.buyer)?,
            seller: at.key("seller", &self.seller)?,
            mint: at.key("mint", &self.mint)?,
            account: at.key("account", &self.account)?,
            generation: at.number("generation", self.generation)?,
            signer: at.key("signer", &self.signer)?,
            program: at.key("program", &self.program)?,
            deposit: at.amount("deposit", self.deposit)?,
            idle_timeout: at.count("idle_timeout", self.idle_timeout)?,
            opened_at: at.count("opened_at", self.opened_at)?,
            expires_at: at.count("expires_at", self.expires_at)?,
            certificate: at.bytes("certificate", &self.certificate)?,
            authorised: Authorisation::from_word(&self.authorised).ok_or_else(|| at.wrong("authorised"))?,
        })
    }
}

/// A row of `vouchers`.
pub(in crate::ledger) struct VoucherRow {
    pub(in crate::ledger) sequence: i64,
    pub(in crate::ledger) cumulative: i64,
    pub(in crate::ledger) meter: String,
    pub(in crate::ledger) units: i64,
    pub(in crate::ledger) server_nonce: String,
}

impl VoucherRow {
    /// The voucher this row is.
    pub(in crate::ledger) fn into_voucher(self) -> Result<DrawnVoucher, LedgerError> {
        let at = Place { table: "vouchers", row: self.sequence };
        Ok(DrawnVoucher {
            sequence: at.count("sequence", self.sequence)?,
            cumulative: at.amount("cumulative", self.cumulative)?,
            meter: self.meter,
            units: at.count("units", self.units)?,
            server_nonce: self.server_nonce,
        })
    }
}
