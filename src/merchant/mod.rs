//! The resource server's middleware: ask for a payment, settle it, serve.
//!
//! Promises: nothing is served unpaid (in the default flow a payment is settled before the handler runs), the price is
//! always the route's own offer and never the payer's copy of it, what the facilitator answers is believed only
//! where it agrees with what was asked, and no handler of what is sold sees a payment header.
//!
//! - [`price`]: what a route costs, and the requirements made of it.
//! - [`gate`]: what is sold, and for what. [`route`]: its methods and paths; [`sale`]: prices, also by a callback.
//! - [`quote`]: the protocol decision, pure: ask, or settle this.
//! - [`refusals`]: the words of what is answered in the place of a handler.
//! - [`bought`]: what a handler finds that was paid for. [`browser`]: what a person's browser is shown.
//! - [`facilitator`]: `/verify`, `/settle` and `/supported` over HTTP.
//! - [`receipts`]: proof that settlements moved money, by the merchant's own balance; [`chain`] is what it reads.
//! - [`verify_answer`]: whether the signed receipt of an answer may be believed, under a pinned key or one of `/supported`.
//! - [`layer`]: [`Paywall`], a tower layer for axum and anything else that speaks `http`. [`cors`]: which pages may pay. `nested`: one
//!   paywall around another. `service`: what all of them make of the service behind them.
//! - [`mpp`]: selling by the Machine Payments Protocol instead, or beside it.
//!
//! Replays: the facilitator answers `success:true` once per payment (`spec/session.md` §3), and this middleware does
//! not ask for `extra.idempotent`, so a header that is sent twice is served once.

mod answers;
pub mod bought;
pub mod browser;
pub mod chain;
pub mod cors;
pub mod facilitator;
pub mod gate;
pub mod layer;
pub mod mpp;
mod nested;
pub mod price;
pub mod quote;
pub mod receipts;
pub mod refusals;
pub mod route;
pub mod sale;
mod service;

pub use bought::{Authorized, Bought, Receipt};
pub use browser::Page;
pub use cors::Cors;
pub use facilitator::{FacilitatorClient, FacilitatorFault, Unserved};
pub use gate::{Gate, GateError};
pub use layer::{Flow, Paywall};
pub use price::{Offer, Price};
pub use quote::Asked;
pub use refusals::PaywallReason;
pub use route::RouteError;

pub use crate::{
    domain::signed_receipt::{ReceiptFault, ReceiptKey, ReceiptStatement},
    wire::signed_receipt::{AnswerReceiptFault, published_keys, verify_answer},
};
pub use sale::{NoPrice, Order};
