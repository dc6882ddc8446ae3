//! Why an onboarding or a leave is refused, and what its caller may know.

use crate::{
    domain::mpp::{
        delegation::OnboardBar,
        reason::{ChargeReason, OnboardReason, SiwxReason},
    },
    facilitator::FacilitatorError,
};

/// The word of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnboardWord {
    /// The sign-in is refused.
    SignIn(SiwxReason),
    /// The request is.
    Request(OnboardReason),
    /// A cap on what is sponsored would be passed.
    Cap(ChargeReason),
    /// The protocol is not served.
    Disabled,
}

impl OnboardWord {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SignIn(reason) => reason.word(),
            Self::Request(reason) => reason.word(),
            Self::Cap(reason) => reason.word(),
            Self::Disabled => ChargeReason::MppDisabled.word(),
        }
    }

    /// What it means in general.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::SignIn(reason) => reason.meaning(),
            Self::Request(reason) => reason.meaning(),
            Self::Cap(reason) => reason.meaning(),
            Self::Disabled => ChargeReason::MppDisabled.meaning(),
        }
    }
}

/// An onboarding or a leave that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedOnboarding {
    /// The word.
    pub word: OnboardWord,
    /// A sentence that is safe to show.
    pub detail: String,
    /// Seconds after which it may be worth coming back, where that is known.
    pub retry_after: Option<u64>,
}

/// Why an onboarding or a leave failed.
pub type OnboardError = FacilitatorError<RefusedOnboarding>;

impl RefusedOnboarding {
    /// A refusal whose sentence is the word's own meaning.
    pub fn new(word: OnboardWord) -> Self {
        Self { word, detail: word.meaning().to_owned(), retry_after: None }
    }

    /// A refusal with a more precise sentence.
    pub fn because(reason: OnboardReason, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..Self::new(OnboardWord::Request(reason)) }
    }

    /// Says after how many seconds it may be worth coming back.
    #[must_use]
    pub fn again_in(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

impl From<OnboardReason> for RefusedOnboarding {
    fn from(reason: OnboardReason) -> Self {
        Self::new(OnboardWord::Request(reason))
    }
}

impl From<SiwxReason> for RefusedOnboarding {
    fn from(reason: SiwxReason) -> Self {
        Self::new(OnboardWord::SignIn(reason))
    }
}

impl From<OnboardBar> for RefusedOnboarding {
    fn from(bar: OnboardBar) -> Self {
        let word = match bar {
            OnboardBar::Wallet { .. } | OnboardBar::Caller { .. } | OnboardBar::Leaves { .. } => {
                OnboardWord::Request(OnboardReason::WalletCap)
            }
            OnboardBar::Everybody { .. } => OnboardWord::Request(OnboardReason::GlobalCap),
            OnboardBar::Rent { .. } | OnboardBar::SwigLent => OnboardWord::Request(OnboardReason::RentCap),
            OnboardBar::Cap(bar) => OnboardWord::Cap(bar.reason),
        };
        Self { detail: bar.explanation().to_owned(), retry_after: bar.again_in(), ..Self::new(word) }
    }
}

impl From<RefusedOnboarding> for OnboardError {
    fn from(refused: RefusedOnboarding) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl From<OnboardReason> for OnboardError {
    fn from(reason: OnboardReason) -> Self {
        RefusedOnboarding::from(reason).into()
    }
}
