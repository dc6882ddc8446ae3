//! The verbs of the Machine Payments Protocol, which stand apart from those of sessions; one trait for each of its parts.

mod channels;
mod charges;
mod delegations;

pub use channels::{
    AccountStanding, ChannelCounts, ChannelLedger, ChannelOpened, ChannelRecord, ChannelRisks, ChannelSettling,
    ChannelTimes, Drawn,
};
pub use charges::{ChargeClaim, ChargeLedger, ChargeRecorded};
pub use delegations::{DelegationKey, DelegationLedger, IssuedKey, SeenRole};

use crate::{domain::clock::UnixSeconds, ledger::LedgerError};
use async_trait::async_trait;
use solana_pubkey::Pubkey;

/// Whether the root of this process is the one that this ledger's keys are derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuerClaim {
    /// It is, from now on if not before.
    Accepted,
    /// This issuer is in use, which neither the root nor one from before derives.
    Another(Pubkey),
}

/// The verbs that all of the protocol needs; [`super::Ledger`] has all others, and what they all promise.
#[async_trait]
pub trait MppLedger: ChannelLedger + ChargeLedger + DelegationLedger {
    /// Notes the issuer of this chain, which its root alone derives. Where another one is in use it takes its place only if that
    /// is among `previous`: whoever has those roots too can settle what stands on them.
    async fn claim_issuer(
        &self,
        chain_id: &str,
        issuer: &Pubkey,
        previous: &[Pubkey],
        now: UnixSeconds,
    ) -> Result<IssuerClaim, LedgerError>;
}
