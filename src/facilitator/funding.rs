//! What one transfer of a session may carry, as far as its funding is known (`spec/settlement.md` §3, §5).

use crate::{
    domain::{amount::Amount, session::Session},
    facilitator::Facilitator,
};

/// How much of a session may be on its way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CarryLimit {
    /// The most one transfer carries, in base units.
    pub(super) most: Amount,
    /// How many transfers of the session may be in flight together, at least one.
    pub(super) window: usize,
}

impl Facilitator {
    /// The limit for the session's next transfer. A session that nothing proves funded carries little, one at a time, so
    /// that one short balance cannot turn many served calls into one transfer of zero.
    pub(super) const fn carry_limit(&self, _session: &Session) -> CarryLimit {
        CarryLimit { most: self.settings.unproven_exposure, window: 1 }
    }
}
