//! A charge that was recorded: known by its message for ever, and told as a success once (`spec/mpp.md` §2).

use crate::domain::{
    amount::Amount,
    clock::UnixSeconds,
    hold::ContentHash,
    mpp::caps::Sponsored,
    settlement::{ChargeId, SettlementId},
    single_payment::CallerHash,
};
use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

/// For how long after its landing a charge's success is kept for whoever asked first, in seconds: from then on its bytes are
/// public, and a stranger must not be told in a seller's place.
pub const KEPT_SECONDS: u64 = 120;

/// The hash of an idempotency key, which is never stored itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    /// The hash of a key as its seller wrote it.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key).into())
    }
}

/// Who asks for a charge: from where, and with which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChargeClaimant {
    /// From which address.
    pub caller: CallerHash,
    /// With which idempotency key.
    pub key: Option<KeyHash>,
}

/// What a buyer has signed, about to be recorded with our signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChargePlan {
    /// Its id.
    pub id: ChargeId,
    /// The settlement that carries it.
    pub settlement: SettlementId,
    /// SHA-256 over its message.
    pub message: ContentHash,
    /// The wallet that pays.
    pub payer: Pubkey,
    /// The wallet that is paid.
    pub recipient: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// In base units.
    pub amount: Amount,
    /// The token account that pays.
    pub source: Pubkey,
    /// The token account that is paid.
    pub destination: Pubkey,
    /// The first key of the message.
    pub fee_payer: Pubkey,
    /// What the source held, in base units, in this slot.
    pub held: (Amount, u64),
    /// Who asks for it.
    pub claimant: ChargeClaimant,
    /// Who is sponsored, within which caps.
    pub sponsored: Sponsored,
}

/// Where a charge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargeState {
    /// Its transaction is recorded, and may or may not have landed.
    OnItsWay,
    /// Its transaction has landed.
    Landed {
        /// The slot.
        slot: u64,
    },
    /// Its transaction landed with an error: nothing moved and nothing will.
    Failed,
    /// Its transaction is proved absent: nothing moved, and nothing will unless it is seen after all.
    Expired,
}

/// That a charge's success was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldCharge {
    /// To which key.
    pub key: Option<KeyHash>,
    /// With which slot.
    pub slot: u64,
}

/// A charge as the ledger has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedCharge {
    /// Its id.
    pub id: ChargeId,
    /// The settlement that carries it.
    pub settlement: SettlementId,
    /// Its transaction.
    pub signature: Signature,
    /// The wallet that pays.
    pub payer: Pubkey,
    /// The wallet that is paid.
    pub recipient: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// In base units.
    pub amount: Amount,
    /// The token account that is paid.
    pub destination: Pubkey,
    /// The first key of its message.
    pub fee_payer: Pubkey,
    /// Who asked first.
    pub first: ChargeClaimant,
    /// Whether its success was told.
    pub told: Option<ToldCharge>,
    /// Whether another reading has shown that the recipient has what was paid.
    pub is_verified: bool,
    /// When it landed, Unix seconds.
    pub landed_at: Option<UnixSeconds>,
    /// Where it stands.
    pub state: ChargeState,
}

impl RecordedCharge {
    /// Whether this claimant may be told its success, if nobody was: whoever asked first, by their address or key, and a while
    /// after the landing anybody.
    pub fn is_for(&self, claimant: &ChargeClaimant, now: UnixSeconds) -> bool {
        let is_first_key = claimant.key.is_some() && claimant.key == self.first.key;
        let is_public = self.landed_at.is_some_and(|at| now >= at.saturating_add(KEPT_SECONDS));
        is_first_key || claimant.caller == self.first.caller || is_public
    }

    /// The slot of the success that was told to this claimant's key, which is told again as it was.
    pub fn told_to(&self, claimant: &ChargeClaimant) -> Option<u64> {
        self.told.filter(|told| told.key.is_some() && told.key == claimant.key).map(|told| told.slot)
    }
}

/// How much was prepared and settled, for everybody or for few.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChargeStats {
    /// Preparations.
    pub prepared: DayCount,
    /// Charges that landed.
    pub landed: DayCount,
    /// Charges that came to nothing.
    pub failed: DayCount,
    /// The last that landed, the newest first.
    pub newest: Vec<RecordedCharge>,
}

/// A count, ever and on this UTC day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayCount {
    /// Ever.
    pub total: u64,
    /// On this day.
    pub today: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimant(caller: u8, key: Option<&str>) -> ChargeClaimant {
        ChargeClaimant { caller: CallerHash([caller; 16]), key: key.map(KeyHash::of) }
    }

    fn charge(first: ChargeClaimant) -> RecordedCharge {
        let key = Pubkey::new_from_array([1; 32]);
        RecordedCharge {
            id: ChargeId(uuid::Uuid::nil()),
            settlement: SettlementId(uuid::Uuid::nil()),
            signature: Signature::default(),
            payer: key,
            recipient: key,
            asset: key,
            amount: Amount::ZERO,
            destination: key,
            fee_payer: key,
            first,
            told: None,
            is_verified: false,
            landed_at: Some(1_000),
            state: ChargeState::Landed { slot: 7 },
        }
    }

    #[test]
    fn a_success_is_kept_for_whoever_asked_first_for_two_minutes() {
        let landed = charge(claimant(1, Some("first key of all")));
        for (caller, key, at, is_for) in [
            (1, None, 1_000, true),
            (2, Some("first key of all"), 1_000, true),
            (2, None, 1_119, false),
            (2, Some("another key of 16"), 1_119, false),
            (2, None, 1_120, true),
        ] {
            assert_eq!(landed.is_for(&claimant(caller, key), at), is_for, "{caller} {key:?} {at}");
        }
        let on_its_way = RecordedCharge { landed_at: None, ..charge(claimant(1, None)) };
        assert!(!on_its_way.is_for(&claimant(2, None), u64::MAX), "no key is nobody's key");
    }

    #[test]
    fn a_success_is_told_again_to_its_key_alone() {
        let told = |key: Option<&str>| Some(ToldCharge { key: key.map(KeyHash::of), slot: 7 });
        let charge = RecordedCharge { told: told(Some("key")), ..charge(claimant(1, None)) };
        assert_eq!(charge.told_to(&claimant(2, Some("key"))), Some(7));
        assert_eq!(charge.told_to(&claimant(1, Some("other"))), None);
        assert_eq!(charge.told_to(&claimant(1, None)), None);
        assert_eq!(RecordedCharge { told: told(None), ..charge }.told_to(&claimant(1, None)), None, "nor to no key");
    }
}
