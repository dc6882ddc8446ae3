//! What callers ask of the Machine Payments Protocol; each is refused with `mpp_disabled` where it is not served.

use crate::{
    domain::{
        amount::Amount,
        mpp::{charge::ChargeAsset, reason::ChargeReason, spellings::Spellings},
    },
    facilitator::{ChargeError, Facilitator, PreparedCharge, RefusedCharge, mpp::Mpp},
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
        })
    }

    /// Tells a seller what a buyer's transaction has to be built with. `network` is the caller's spelling of it. Writes nothing, and
    /// asks the chain only where no fresh blockhash is at hand.
    ///
    /// Refuses with `unsupported_network`, `global_verify_cap_exceeded` and `insufficient_sponsor_balance`.
    pub async fn prepare_charge(&self, network: Option<&str>) -> Result<PreparedCharge, ChargeError> {
        self.mpp()?.charges.prepare(network).await
    }

    fn mpp(&self) -> Result<&Mpp, ChargeError> {
        self.mpp.as_ref().ok_or_else(|| RefusedCharge::new(ChargeReason::MppDisabled).into())
    }
}
