//! What a paywall answers by itself, beside 402: a closed list of words, each with its status and what can be done about it.
//! `docs/ERRORS.md` is written from it.

use http::StatusCode;

/// Why a paywall serves nothing, other than for want of a payment. Nothing is charged for it, but where it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaywallReason {
    /// Nothing is sold at this path.
    NotFound,
    /// The path is sold with other methods.
    MethodNotAllowed,
    /// The price is not known now.
    PriceUnknown,
    /// The facilitator asks to be left alone, or cannot know the outcome now.
    FacilitatorBusy,
    /// The facilitator gave no answer.
    FacilitatorUnavailable,
    /// The facilitator's answer is none, or contradicts the request.
    FacilitatorAnswerUnusable,
    /// Two paywalls sell the request, each on its own terms.
    PaywallsDiffer,
}

impl PaywallReason {
    /// All of them, in the order of the document.
    pub const ALL: [Self; 7] = [
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::PriceUnknown,
        Self::FacilitatorBusy,
        Self::FacilitatorUnavailable,
        Self::FacilitatorAnswerUnusable,
        Self::PaywallsDiffer,
    ];

    /// The word in `error`: a contract that is never renamed.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::PriceUnknown => "price_unknown",
            Self::FacilitatorBusy => "facilitator_busy",
            Self::FacilitatorUnavailable => "facilitator_unavailable",
            Self::FacilitatorAnswerUnusable => "facilitator_answer_unusable",
            Self::PaywallsDiffer => "paywalls_differ",
        }
    }

    /// The status that it is answered with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::PriceUnknown | Self::FacilitatorBusy | Self::FacilitatorUnavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::FacilitatorAnswerUnusable => StatusCode::BAD_GATEWAY,
            Self::PaywallsDiffer => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether the same request may succeed later.
    pub const fn retry(self) -> bool {
        match self {
            Self::NotFound | Self::MethodNotAllowed | Self::PaywallsDiffer => false,
            Self::PriceUnknown
            | Self::FacilitatorBusy
            | Self::FacilitatorUnavailable
            | Self::FacilitatorAnswerUnusable => true,
        }
    }

    /// What it means, in a sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::NotFound => {
                "Nothing is sold at this path, or it is sold under another spelling; nothing was charged."
            }
            Self::MethodNotAllowed => "The path is sold with other methods; nothing was charged.",
            Self::PriceUnknown => "The price is not known now; nothing was charged.",
            Self::FacilitatorBusy => "The facilitator is overloaded, or cannot know the outcome now.",
            Self::FacilitatorUnavailable => {
                "The facilitator gave no answer; a payment that was sent may still be settled."
            }
            Self::FacilitatorAnswerUnusable => {
                "The facilitator's answer cannot be believed; a payment that was sent may still be settled."
            }
            Self::PaywallsDiffer => {
                "Two paywalls of the merchant sell this request on different terms; what the outer one took is in the receipt."
            }
        }
    }

    /// What can be done about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::NotFound => "Check the path as the merchant publishes it, without a slash more or less.",
            Self::MethodNotAllowed => "Use a method of the `Allow` header.",
            Self::PriceUnknown => "Ask again after `Retry-After`.",
            Self::FacilitatorBusy => {
                "Send the same payment again after `Retry-After`; with a nonce it is charged once."
            }
            Self::FacilitatorUnavailable => "Send the same payment again; with a nonce it is charged once.",
            Self::FacilitatorAnswerUnusable => {
                "Send the same payment again; with a nonce it is charged once. The merchant finds the cause in the log."
            }
            Self::PaywallsDiffer => {
                "Nothing that a payer can do. The merchant takes one of the paywalls away, or has both sell on the same terms."
            }
        }
    }
}
