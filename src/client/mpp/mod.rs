//! The buyer's side of the Machine Payments Protocol (`spec/mpp.md` §14): charges, and channels on a delegation.
//!
//! Promises: the wallet signs only what this module has compared with its own building of what was asked for, byte for byte but
//! for the order of accounts; tokens, their programs and decimals are the buyer's own list's and never a seller's or a
//! facilitator's; a charge is paid once a request; a seller's word names no facilitator; and what may have been granted, opened or
//! drawn is kept before it is sent, so that a lost answer is asked for again by the same request.
//!
//! - [`MppClient`]: HTTP with charges: on a 402 pay once, and ask once more. [`order`]: whether a challenge is paid, and its
//!   transaction; pure.
//! - [`MppSessionClient`]: onboard, open, draw vouchers, close, leave. [`SellerOffer`]: what a seller of a channel asks for.
//! - [`BuyerState`]: what of it has to outlive the process, and its JSON. [`StateFile`]: the file that only its owner reads.

mod charge;
mod http;
mod offer;
pub mod order;
mod session;
mod sign_in;
mod state;
mod state_file;
mod template;
mod transaction;
mod written;

pub use charge::{Bought, BuyError, ChargeEvent, ChargePayment, MppClient};
pub use http::MppRefusal;
pub use offer::{OfferFault, SellerOffer};
pub use order::{BuyerTerms, BuyerToken, OrderRefusal};
pub use session::{
    Closed, Drawn, MppSessionClient, MppSessionError, MppSessionEvent, OnboardOptions, Onboarded, OpenedChannel,
    Served, SessionTerms, Spending,
};
pub use state::{BuyerState, Draw, EndedChannel, KnownChannel, StateError};
pub use state_file::{StateFile, StateFileError};
pub use template::TemplateFault;
pub use transaction::WalletFault;
