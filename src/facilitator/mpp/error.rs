//! Why a charge is not settled, and what its caller may know.

use crate::{
    domain::mpp::{charge::ChargeRefusal, reason::ChargeReason, spellings::Spellings},
    facilitator::FacilitatorError,
};
use solana_signature::Signature;

/// A charge that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedCharge {
    /// The word and the sentence.
    pub refusal: ChargeRefusal,
    /// The transaction, where one was recorded.
    pub signature: Option<Signature>,
    /// Seconds after which it may be worth coming back, where that is known.
    pub retry_after: Option<u64>,
    /// The network that is served, where another one was named.
    pub supported: Option<Spellings>,
}

/// Why preparing or settling a charge failed.
pub type ChargeError = FacilitatorError<RefusedCharge>;

impl RefusedCharge {
    /// A refusal whose sentence is the word's own meaning.
    pub fn new(reason: ChargeReason) -> Self {
        ChargeRefusal::from(reason).into()
    }

    /// A refusal with a more precise sentence.
    pub fn because(reason: ChargeReason, detail: impl Into<String>) -> Self {
        ChargeRefusal::because(reason, detail).into()
    }

    /// Another network than the one that is served was named.
    pub fn unsupported_network(served: &Spellings) -> Self {
        Self { supported: Some(served.clone()), ..Self::new(ChargeReason::UnsupportedNetwork) }
    }

    /// Names the transaction.
    #[must_use]
    pub fn of(self, signature: Signature) -> Self {
        Self { signature: Some(signature), ..self }
    }

    /// Says after how many seconds it may be worth coming back.
    #[must_use]
    pub fn again_in(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

impl From<ChargeRefusal> for RefusedCharge {
    fn from(refusal: ChargeRefusal) -> Self {
        Self { refusal, signature: None, retry_after: None, supported: None }
    }
}

impl From<RefusedCharge> for ChargeError {
    fn from(refused: RefusedCharge) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl From<ChargeRefusal> for ChargeError {
    fn from(refusal: ChargeRefusal) -> Self {
        RefusedCharge::from(refusal).into()
    }
}
