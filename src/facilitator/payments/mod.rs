//! Payments: take one, answer its caller.

pub(crate) mod place_hold;
pub(crate) mod settle;
pub(crate) mod verify;
