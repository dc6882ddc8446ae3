//! The payer's SDK and the merchant's layer against servers that answer as they should not.

mod fetch;
mod opening;
mod paywall;
mod stand_in;
