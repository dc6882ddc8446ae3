//! A session: what the payer agreed to, what of it is used, and whether it still accepts payments.

use crate::domain::{
    amount::Amount,
    clock::UnixSeconds,
    intent::{Intent, IntentHash},
    reason::{PayReason, SessionReason},
};
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// A session's id: a random (version 4) UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(Uuid);

impl SessionId {
    /// An id from 16 random bytes.
    pub fn from_random_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// The id that was written as these 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// Its 16 bytes, as the ledger writes them.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    /// A short hash for logs: ids are bearer secrets for sessions without a session key (`spec/security.md` §1.4).
    pub fn log_hash(self) -> String {
        use sha2::Digest as _;
        hex::encode(&sha2::Sha256::digest(self.0.as_bytes())[..4])
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for SessionId {
    type Err = NotASessionId;

    /// Reads the hyphenated lower-case form only, so that an id has one spelling.
    fn from_str(text: &str) -> Result<Self, NotASessionId> {
        let id = Uuid::try_parse(text).map_err(|_| NotASessionId)?;
        if id.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text { Ok(Self(id)) } else { Err(NotASessionId) }
    }
}

/// The text is not a session id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a session id")]
pub struct NotASessionId;

/// Where a session stands (`spec/session.md` §2, States).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionState {
    /// The approve is not yet proved on chain; nothing is accepted.
    Opening,
    /// Accepts payments.
    Open,
    /// Past its expiration.
    Expired,
    /// Asked to close; what was accepted is being settled.
    Closing,
    /// Closed and settled.
    Closed,
    /// A newer approve took the token account's one delegate slot.
    Superseded,
    /// The delegate on chain is no longer us.
    Revoked,
    /// The approve never became what the intent says.
    Rejected(SessionReason),
}

impl SessionState {
    /// The word on the wire and in the ledger.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Open => "open",
            Self::Expired => "expired",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Superseded => "superseded",
            Self::Revoked => "revoked",
            Self::Rejected(_) => "rejected",
        }
    }

    /// The state that is written as this word; a rejection has a reason beside its word, so it has none here.
    pub fn from_word(word: &str) -> Option<Self> {
        let states =
            [Self::Opening, Self::Open, Self::Expired, Self::Closing, Self::Closed, Self::Superseded, Self::Revoked];
        states.into_iter().find(|state| state.word() == word)
    }

    /// Whether the session can become or is open.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Opening | Self::Open)
    }
}

/// What the token program does with the amount a payer approved; public material disagrees (`spec/inco.md` §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delegation {
    /// Nothing: only the delegate's identity is compared, as in the public source.
    #[default]
    Public,
    /// It moves at most that amount, which each transfer by the delegate lowers, as the published documents say.
    Documented,
}

impl Delegation {
    /// Whether each transfer by the delegate lowers the delegated amount, and so changes its handle.
    pub const fn is_lowered(self) -> bool {
        matches!(self, Self::Documented)
    }
}

/// Whether the amount approved on chain is known to be the cap of the intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapCheck {
    /// The Covalidator attested it.
    Verified,
    /// Not known yet (or never asked): a small exposure limit applies.
    Unverified,
}

/// The intent as it was signed, and what goes on chain in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIntent {
    /// The bytes that were signed, never a re-serialisation.
    pub bytes: Vec<u8>,
    /// The user's Ed25519 signature over `bytes`; none where they signed the short message alone (ADR 0055).
    pub signature: Option<[u8; 64]>,
    /// The user's signature over [`IntentHash::settle_message`], when given.
    pub settle_signature: Option<[u8; 64]>,
}

impl SignedIntent {
    /// The hash that later messages refer to.
    pub fn hash(&self) -> IntentHash {
        IntentHash::of(&self.bytes)
    }

    /// The message and signature that the Ed25519 instruction of every settlement carries: the short one when the
    /// user signed it (then the cap never appears on chain), else the intent itself.
    pub fn authorization(&self) -> (Vec<u8>, [u8; 64]) {
        match (self.settle_signature, self.signature) {
            (Some(signature), _) => (self.hash().settle_message().into_bytes(), signature),
            // Nothing is opened with neither, and zeros are nobody's signature.
            (None, signature) => (self.bytes.clone(), signature.unwrap_or([0; 64])),
        }
    }
}

/// A session as the ledger holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// What the payer agreed to; `intent.network` is the payer's spelling.
    pub intent: Intent,
    /// The signed bytes.
    pub signed: SignedIntent,
    /// The canonical network.
    pub network: String,
    /// Where it stands.
    pub state: SessionState,
    /// Whether the approved amount is known.
    pub cap_check: CapCheck,
    /// What settlements have captured, in base units.
    pub captured: Amount,
    /// What accepted, not yet captured payments hold, in base units.
    pub held: Amount,
    /// The approve transaction, once known.
    pub approve: Option<Signature>,
    /// When the row was written.
    pub created_at: UnixSeconds,
}

impl Session {
    /// The wallet that pays.
    pub fn user(&self) -> &Pubkey {
        &self.intent.user
    }

    /// `captured + held`: the wire's `spent`. The ledger's constraint keeps it at or below the cap.
    pub fn spent(&self) -> Amount {
        self.captured.checked_add(self.held).unwrap_or(Amount::MAX)
    }

    /// The most that may be spent in all: the cap or, while nobody knows the approved amount, `unverified_exposure` at most.
    pub fn bound(&self, unverified_exposure: Amount) -> Amount {
        match self.cap_check {
            CapCheck::Verified => self.intent.cap,
            CapCheck::Unverified => self.intent.cap.min(unverified_exposure),
        }
    }

    /// What may still be held now.
    pub fn remaining(&self, unverified_exposure: Amount) -> Amount {
        self.bound(unverified_exposure).checked_sub(self.spent()).unwrap_or(Amount::ZERO)
    }

    /// Whether a payment of `amount` may be held at `now`: open, not expired, within the cap and, while the approved
    /// amount is unverified, within `unverified_exposure` in all.
    pub fn may_hold(&self, amount: Amount, now: UnixSeconds, unverified_exposure: Amount) -> Result<(), PayReason> {
        match self.state {
            SessionState::Open => {}
            SessionState::Expired => return Err(PayReason::SessionExpired),
            SessionState::Revoked => return Err(PayReason::SessionRevoked),
            SessionState::Opening
            | SessionState::Closing
            | SessionState::Closed
            | SessionState::Superseded
            | SessionState::Rejected(_) => return Err(PayReason::SessionNotOpen),
        }
        if self.intent.expires_at <= now {
            return Err(PayReason::SessionExpired);
        }
        match self.spent().checked_add(amount) {
            Some(total) if total <= self.bound(unverified_exposure) => Ok(()),
            Some(total) if total <= self.intent.cap => Err(PayReason::CapUnverified),
            _ => Err(PayReason::CapExceeded),
        }
    }
}
