//! Settlement: carry one settlement to finality.

pub(crate) mod driver;
pub(crate) mod finality;
pub(crate) mod observe;
pub(crate) mod record;
pub(crate) mod refused_transfer;
pub(crate) mod sign;
pub(crate) mod simulate;
pub(crate) mod waiters;
