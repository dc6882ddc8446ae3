//! Why the payer's side opens, shows, lists or closes no session, and revokes nothing.

use crate::{
    client::{
        approve::ApproveError, facilitator::FacilitatorError, rpc::RpcError, signed_opening::Opening,
        signer::SigningError, terms::TermsError,
    },
    wire::session::SessionRefusalBody,
};

/// Why no session was opened, shown, listed or closed, or no delegation taken back.
#[derive(Debug, thiserror::Error)]
pub enum SessionClientError {
    /// The options contradict each other.
    #[error("a session cannot be opened like this: {0}")]
    Options(&'static str),
    /// The facilitator gave no usable answer.
    #[error(transparent)]
    Facilitator(#[from] FacilitatorError),
    /// The facilitator's terms are not the payer's.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// The chain could not be asked.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// What the facilitator gave to be signed, or answered to it, is not the revoke that was asked for.
    #[error("the facilitator's answer is not this wallet's revoke: {0}")]
    Foreign(&'static str),
    /// Patience ended. The revoke may still land: [`SessionClient::finish_revoke`](crate::client::SessionClient::finish_revoke) goes on
    /// with the same one.
    #[error("the revoke was sent, and its outcome is not known")]
    RevokeUndecided {
        /// The last answer.
        #[source]
        last: Box<SessionClientError>,
    },
    /// No approve transaction.
    #[error(transparent)]
    Approve(#[from] ApproveError),
    /// Not signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The wallet returned something else than the transaction with its signature.
    #[error("the wallet did not sign the transaction as it was built: {0}")]
    Wallet(&'static str),
    /// The facilitator said no.
    #[error("the facilitator refused: {} ({})", .0.message, .0.error)]
    Refused(SessionRefusalBody),
    /// What came back is not the session that was asked for.
    #[error("the facilitator's session differs from what was asked for: {0}")]
    OtherSession(&'static str),
    /// The session that was opened has ended since: nothing can come of this opening any more.
    #[error("the session that this opened is {0} by now")]
    Ended(String),
    /// Patience ended. The approve may still land: [`SessionClient::finish`](crate::client::SessionClient::finish) goes on with the
    /// same opening.
    #[error("the session has not opened yet")]
    Unfinished {
        /// To go on with.
        opening: Box<Opening>,
        /// The last answer.
        #[source]
        last: Box<SessionClientError>,
    },
}
