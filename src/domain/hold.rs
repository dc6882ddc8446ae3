//! A hold: one accepted payment, durable before its caller is answered.

use crate::domain::{
    amount::Amount,
    clock::UnixSeconds,
    funding::{Funding, FundingDemand},
    reason::PayReason,
    session::{Delegation, SessionId},
    settlement::SettlementId,
};
use solana_signature::Signature;
use std::fmt;
use uuid::Uuid;

/// A hold's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HoldId(pub Uuid);

impl HoldId {
    /// An id from 16 random bytes.
    pub fn from_random_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// A version 7 UUID: ids of one process that are made one after the other stand one after the other, so that an
    /// index over them grows at its end. `count` is how many were made before, `random` tells processes apart.
    pub fn in_order(now: UnixSeconds, count: u32, random: [u8; 6]) -> Self {
        let milliseconds = now.saturating_mul(1_000).to_be_bytes();
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&milliseconds[2..]);
        // 12 bits beside the version, 20 bits after the variant.
        let [_, _, high, low] = (count >> 20).to_be_bytes();
        bytes[6..8].copy_from_slice(&[0x70 | high, low]);
        let rest = (count & 0xF_FFFF).to_be_bytes();
        bytes[8..11].copy_from_slice(&[
            0x80 | (rest[1] << 2) | (rest[2] >> 6),
            rest[2] << 2 | (rest[3] >> 6),
            rest[3] << 2,
        ]);
        bytes[10] |= random[0] & 3;
        bytes[11..].copy_from_slice(&random[1..]);
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl std::str::FromStr for HoldId {
    type Err = NotAHoldId;

    /// Reads the hyphenated lower-case form only, so that an id has one spelling.
    fn from_str(text: &str) -> Result<Self, NotAHoldId> {
        let id = Uuid::try_parse(text).map_err(|_| NotAHoldId)?;
        if id.hyphenated().to_string() == text { Ok(Self(id)) } else { Err(NotAHoldId) }
    }
}

/// The text is not a payment's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a payment's id")]
pub struct NotAHoldId;

/// SHA-256 over everything that makes a payment this payment (`spec/session.md` §3, Content).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentHash(pub [u8; 32]);

/// SHA-256 over the decoded payload and requirements of a request: equal requests, whatever their bytes, have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestHash(pub [u8; 32]);

/// To which requests a success is told again, and how long (`spec/session.md` §3, Idempotency; ADR 0065).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedAnswer {
    /// The request that was told the success and asked for it to be told again.
    pub request: RequestHash,
    /// When it was told.
    pub told_at: UnixSeconds,
    /// From this moment on it is not told again; later than `told_at`.
    pub until: UnixSeconds,
}

impl RecordedAnswer {
    /// Whether it is told to this request at this moment.
    pub fn is_for(&self, request: RequestHash, now: UnixSeconds) -> bool {
        self.request == request && now < self.until
    }
}

/// What has become of a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldState {
    /// Accepted; no settlement covers it yet.
    Waiting,
    /// Covered by a settlement whose outcome is not known.
    Planned {
        /// The settlement that covers it.
        settlement: SettlementId,
        /// The signature of its live attempt, once one is signed.
        signature: Option<Signature>,
    },
    /// The money moved.
    Captured {
        /// The settlement that covered it.
        settlement: SettlementId,
        /// The transaction that carried it.
        signature: Signature,
    },
    /// Given back, with proof that nothing moved.
    Released {
        /// Why, as its caller is told.
        reason: PayReason,
        /// The transaction that landed with an error, if one did.
        signature: Option<Signature>,
    },
}

/// Where a payment stands, in the words that its payer and merchant are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Accepted and durable; a transfer will carry it later.
    Held,
    /// A transfer that carries it is planned, signed or sent; its outcome is not known.
    Pending,
    /// A transfer has carried it.
    Captured,
    /// Given back before anything was promised: nothing was charged.
    Released,
    /// It was promised and no transfer could carry it: the merchant is not paid for it, and that is booked.
    Lost,
}

impl Standing {
    /// Every one of them.
    pub const ALL: [Self; 5] = [Self::Held, Self::Pending, Self::Captured, Self::Released, Self::Lost];

    /// The one of this word on the wire.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|standing| standing.word() == word)
    }

    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Pending => "pending",
            Self::Captured => "captured",
            Self::Released => "released",
            Self::Lost => "lost",
        }
    }
}

/// An accepted payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// The session it draws on.
    pub session: SessionId,
    /// The caller's idempotency key, if one was given.
    pub nonce: Option<String>,
    /// What the payment is.
    pub content: ContentHash,
    /// In base units.
    pub amount: Amount,
    /// `captured + held` right after this hold, under any concurrency.
    pub spent_after: Amount,
    /// What the session could still pay right after this hold: its bound ([`crate::domain::session::Session::bound`]) less
    /// `spent_after`.
    pub remaining_after: Amount,
    /// What has become of it.
    pub state: HoldState,
    /// Whether `success:true` has been handed to a caller: it is handed out once. From then on the payment is a promise:
    /// a settlement that comes to nothing does not release it.
    pub told: bool,
    /// Whether it was answered as held, before any transfer; then it is told from the start.
    pub deferred: bool,
    /// How many settlements came to nothing under it.
    pub returns: u32,
    /// When it was accepted.
    pub accepted_at: UnixSeconds,
    /// What was known of the payer's balance then; a proof that is lost before it lands takes it back to unproven.
    pub funding: Funding,
}

impl Hold {
    /// Where it stands, in the words that its payer and merchant are told.
    pub const fn standing(&self) -> Standing {
        match self.state {
            HoldState::Waiting => Standing::Held,
            HoldState::Planned { .. } => Standing::Pending,
            HoldState::Captured { .. } => Standing::Captured,
            HoldState::Released { .. } if self.told => Standing::Lost,
            HoldState::Released { .. } => Standing::Released,
        }
    }

    /// The transaction that carried it or may still carry it, or the one that landed with an error.
    pub const fn transaction(&self) -> Option<Signature> {
        match self.state {
            HoldState::Waiting => None,
            HoldState::Captured { signature, .. } => Some(signature),
            HoldState::Planned { signature, .. } | HoldState::Released { signature, .. } => signature,
        }
    }
}

/// The longest rest of a promised payment between two settlements, in seconds.
const LONGEST_REST: u64 = 300;

/// How long a promised payment rests after its `returns`-th settlement came to nothing, in seconds: doubled each time, up
/// to five minutes.
pub fn rest_after(returns: u32) -> u64 {
    1_u64.checked_shl(returns.saturating_sub(1)).map_or(LONGEST_REST, |rest| rest.clamp(1, LONGEST_REST))
}

/// How much may be held by promise at once, in base units. What would pass it is settled per call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// For one session.
    pub per_session: Amount,
    /// For all live sessions of one payer with one merchant.
    pub per_user: Amount,
    /// For one merchant and asset, all sessions together.
    pub per_merchant: Amount,
    /// As much for promises whose payers have not proved their balance: what is left above it is for those who have.
    pub unproven_per_merchant: Amount,
}

impl Exposure {
    /// Limits by which no payer takes more than a tenth of what a merchant may be exposed to (or what one session may be), and
    /// those who have proved nothing no more than half of it.
    pub fn shared(per_session: Amount, per_merchant: Amount) -> Self {
        let part = |of: u64| Amount::new(per_merchant.get() / of).unwrap_or_default();
        Self { per_session, per_user: part(10).max(per_session), per_merchant, unproven_per_merchant: part(2) }
    }
}

/// When a promise is given up whose payer's delegation stands: only after a settlement of it came to nothing, and then by
/// either limit of these two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GiveUp {
    /// After this many settlements that came to nothing for a reason that does not pass by itself.
    pub returns: u32,
    /// When the latest of them came to nothing for such a reason so long after the payment was accepted, in seconds: an
    /// old refusal, or our own balance, says nothing about what a settlement would come to now.
    pub age_seconds: u64,
    /// Where transfers lower the delegated amount, what an ended session was promised ends with the approve that backed it.
    pub delegation: Delegation,
}

/// A payment that asks to be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHold {
    /// The id it gets when it is new.
    pub id: HoldId,
    /// The session it draws on.
    pub session: SessionId,
    /// The caller's idempotency key.
    pub nonce: Option<String>,
    /// What the payment is.
    pub content: ContentHash,
    /// In base units.
    pub amount: Amount,
    /// The most a session with an unverified cap may spend in all.
    pub unverified_exposure: Amount,
    /// The caller is content with a hold; within these limits it is answered as held. `None` asks for a settlement.
    pub deferred: Option<Exposure>,
    /// What is asked of the payer's balance.
    pub funding: FundingDemand,
    /// To which repeats its answer is told again, if it is told with the hold.
    pub answer: Option<RecordedAnswer>,
    /// When it is asked.
    pub now: UnixSeconds,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_payer_takes_more_than_a_tenth_and_none_who_proves_nothing_more_than_half() {
        let amount = |units| Amount::new(units).expect("fits");
        let shared = Exposure::shared(amount(5), amount(100));
        assert_eq!([shared.per_user, shared.unproven_per_merchant], [amount(10), amount(50)]);
        assert_eq!(Exposure::shared(amount(5), amount(20)).per_user, amount(5), "one session may be filled");
    }

    #[test]
    fn rests_double_and_end_at_five_minutes() {
        let rests: Vec<u64> = (0..11).map(rest_after).collect();
        assert_eq!(rests, [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert_eq!(rest_after(u32::MAX), LONGEST_REST);
    }

    #[test]
    fn ids_of_one_process_stand_in_the_order_in_which_they_were_made() {
        let counts = [0, 1, 63, 64, 0x3FFF, 0x4000, 0xF_FFFF, 0x10_0000, 0x1000_0000, u32::MAX];
        let made: Vec<_> = counts
            .iter()
            .flat_map(|&count| [[0; 6], [0xFF; 6]].map(|random| HoldId::in_order(1_800_000_000, count, random)))
            .chain([HoldId::in_order(1_800_000_001, 0, [0; 6])])
            .collect();
        assert!(made.is_sorted() && made.windows(2).all(|two| two[0] != two[1]), "{made:?}");
        for id in made {
            assert_eq!((id.0.get_version_num(), id.0.get_variant()), (7, uuid::Variant::RFC4122));
        }
    }

    #[test]
    fn a_payments_id_has_one_spelling() {
        let id = HoldId::from_random_bytes([0xAB; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse::<HoldId>(), Err(NotAHoldId));
        assert_eq!(id.0.simple().to_string().parse::<HoldId>(), Err(NotAHoldId));
    }
}
