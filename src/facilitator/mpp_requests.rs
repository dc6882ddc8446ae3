//! What callers ask of the Machine Payments Protocol; each is refused with `mpp_disabled` where it is not served.

mod channels;
mod delegations;

use crate::{
    domain::{
        amount::Amount,
        mpp::{
            charge::ChargeAsset, choices::StatsShown, reason::ChargeReason, recorded_charge::ChargeStats,
            spellings::Spellings,
        },
    },
    facilitator::{ChargeError, ChargeOrder, Facilitator, PreparedCharge, RefusedCharge, SettledCharge, mpp::Mpp},
    ledger::ChannelCounts,
    programs::delegation::swig,
};
use solana_pubkey::Pubkey;

/// Whose signatures count, and what is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MppKeys {
    /// The key that certifies channels.
    pub issuer: Pubkey,
    /// The network.
    pub network: Spellings,
    /// The token of a request that names none.
    pub asset: ChargeAsset,
    /// The keys that pay fees, in no order that matters.
    pub fee_payers: Vec<Pubkey>,
    /// The least amount of a charge, in base units.
    pub min_amount: Amount,
    /// The programs that may enforce what a buyer grants.
    pub channel_programs: Vec<Pubkey>,
    /// The least deposit of a channel, in base units.
    pub min_deposit: Amount,
}

/// How much was prepared and settled, and what of it everybody may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldStats {
    /// The counts, and the newest charges.
    pub stats: ChargeStats,
    /// The channels.
    pub channels: ChannelCounts,
    /// Whether the charges themselves may be told, and not only their counts.
    pub is_public: bool,
    /// The network, CAIP-2.
    pub chain_id: String,
}

impl Facilitator {
    /// Whether the Machine Payments Protocol is served.
    pub const fn serves_mpp(&self) -> bool {
        self.mpp.is_some()
    }

    /// Tells whose signatures count and what is taken; asks nobody.
    pub fn mpp_keys(&self) -> Result<MppKeys, ChargeError> {
        let shared = &self.mpp()?.shared;
        Ok(MppKeys {
            issuer: shared.issuer,
            network: shared.network.clone(),
            asset: shared.settings.offer.asset,
            fee_payers: shared.fee_payers(),
            min_amount: shared.settings.offer.min_amount,
            channel_programs: vec![shared.settings.offer.asset.token_program, swig::PROGRAM],
            min_deposit: shared.settings.channels.min_deposit,
        })
    }

    /// Tells a seller what a buyer's transaction has to be built with. `network` is the caller's spelling of it. Writes nothing, and
    /// asks the chain only where no fresh blockhash is at hand.
    ///
    /// Refuses with `unsupported_network`, `global_verify_cap_exceeded` and `insufficient_sponsor_balance`.
    pub async fn prepare_charge(&self, network: Option<&str>) -> Result<PreparedCharge, ChargeError> {
        self.mpp()?.charges.prepare(network).await
    }

    /// Settles a charge that its buyer has signed: answered when it has landed and, where several providers of the chain are
    /// configured, a second one has shown it. `caller` is the address that asks, an IPv4 address or the /64 of an IPv6 address as a
    /// number, where it is known.
    ///
    /// Its success is told once: to whoever asked first, or two minutes after its landing to the first who repeats it; and to the
    /// key that it was told to, again. Refuses with the words of [`ChargeReason`]; a refusal without a signature leaves no trace.
    pub async fn settle_charge(&self, order: &ChargeOrder, caller: Option<u128>) -> Result<SettledCharge, ChargeError> {
        self.mpp()?.charges.settle(order, caller).await
    }

    /// Tells how much was prepared and settled. Refuses with `mpp_disabled` where the operator tells nobody.
    pub async fn mpp_stats(&self) -> Result<ToldStats, ChargeError> {
        let mpp = self.mpp()?;
        Ok(ToldStats {
            stats: mpp.charges.stats().await?,
            channels: mpp.shared.core.ledger.channel_counts().await?,
            is_public: mpp.shared.settings.stats == StatsShown::Public,
            chain_id: mpp.shared.network.chain_id().to_owned(),
        })
    }

    fn mpp(&self) -> Result<&Mpp, ChargeError> {
        self.mpp.as_ref().ok_or_else(|| RefusedCharge::new(ChargeReason::MppDisabled).into())
    }
}
