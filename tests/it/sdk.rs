//! The payer's SDK and the merchant's layer: against servers that answer as they should not, and all together.

mod bad_merchants;
mod browsers;
pub(crate) mod command_line;
mod counting;
mod fetch;
mod forged_refusals;
mod journey;
mod mpp_channels;
mod mpp_charges;
mod mpp_instances;
mod mpp_refusals;
mod mpp_sessions;
mod mpp_stores;
mod mpp_walls;
mod mpp_words;
mod node_answers;
mod opening;
mod paywall;
mod preparing;
mod prices;
mod revoking;
mod selling;
mod single_payments;
mod stand_in;
mod standing;
