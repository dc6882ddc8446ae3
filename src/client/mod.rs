//! The payer's SDK: open a confidential session with one signature, pay per call without a prompt, read balances.
//!
//! Promises: nobody but the pinned facilitator is ever delegated to, nothing is signed that this module did not
//! build, a payment goes only to the session's recipient, only to allowed origins and never above the stated maximum
//! and every request is paid at most once, whatever the merchant says of the payment.
//!
//! - [`signer`]: who signs: a wallet behind [`PayerSigner`], or a [`LocalKey`].
//! - [`terms`]: what the facilitator's `/supported` must say, held against what the payer pinned.
//! - [`opening`]: what a session is opened for. [`session`]: [`SessionClient`]: open, show, resume, revoke, and pay once without a
//!   session. [`saved`]: [`OpenSession`] and its JSON.
//! - [`pay`]: the decision to pay a challenge, and the payment itself; pure. [`fetch`]: [`Payer`] over HTTP.
//!   [`receipt`]: whether a receipt is of the payment; [`verify_answer`]: whether the facilitator signed it.
//!   [`body`]: what merchants answer, read up to a limit.
//! - [`follow`]: what became of a payment, what happens to a session, and its close.
//! - [`funding`]: proofs of the balance, sent at the opening and whenever an answer asks for one.
//! - [`balance`]: confidential balances through the Covalidator; [`make_readable`] when the facilitator has to be asked.
//! - [`mpp`]: the buyer's side of the Machine Payments Protocol: charges and channels of plain tokens.
//! - [`rpc`]: the small part of Solana that a payer needs where the facilitator does not tell it: read and simulate, never send.

mod approve;
pub mod balance;
pub mod body;
mod error;
mod facilitator;
pub mod fetch;
pub mod follow;
pub mod funding;
pub mod mpp;
pub mod opening;
pub mod pay;
pub mod receipt;
mod refresh;
pub mod rpc;
pub mod saved;
pub mod session;
mod signed_opening;
pub mod signer;
pub mod terms;

pub use approve::{ApproveError, Grant};
pub use balance::{Balance, BalanceReader};
pub use body::{BodyError, BoundedBody};
pub use error::SessionClientError;
pub use facilitator::FacilitatorError;
pub use fetch::{Fetched, PayError, Payer};
pub use follow::{Fate, FollowError, Listener, News, close, fate, listen, payment};
pub use funding::{ProveError, Prover};
pub use opening::{ApprovalChoice, Authorization, OpenOptions, SessionKeyChoice};
pub use pay::{PayRefusal, Payment};
pub use receipt::{Difference, ReceiptMisfit};
pub use refresh::make_readable;
pub use rpc::{PayerRpc, RpcError, SolanaRpc};
pub use saved::{Authority, OpenSession, SavedError};
pub use session::{
    Delegation, SessionClient, SignedRevoke, SignedSingle, SingleError, SingleOptions, SingleReceipt, WalletList, show,
};
pub use signed_opening::Opening;
pub use signer::{LocalKey, PayerSigner, SigningError};
pub use terms::{FacilitatorPin, Settings, TermsError, Trust};

pub use crate::{
    domain::signed_receipt::{ReceiptFault, ReceiptKey, ReceiptStatement},
    wire::signed_receipt::{AnswerReceiptFault, published_keys, verify_answer},
};
