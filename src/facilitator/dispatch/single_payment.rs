//! Has a single payment carried: its transaction is signed by its payer and recorded, so that only its accounts and its place
//! among the transfers in flight are left to wait for.

use crate::{
    domain::settlement::Settlement,
    facilitator::{dispatch::Dispatch, locks::account_locks::Access, settlement::driver::Until},
    ledger::Work,
};
use solana_pubkey::Pubkey;
use std::sync::Arc;

impl Dispatch {
    /// Drives a recorded single payment until it has landed or come to nothing. It names no handles, so other transfers of its
    /// accounts go beside it, but none that does.
    pub(crate) async fn carry_single(self: &Arc<Self>, work: Work, [source, destination]: [Pubkey; 2]) -> Settlement {
        let permits = self.locks.in_flight.acquire_accounts(&source, &destination).await;
        let locked = self.locks.accounts.pair(source, destination, Access::Shared).await;
        let locked = locked.with_permit(self.locks.in_flight.acquire_global(permits).await);
        let _busy = self.locks.idle.mark_busy(locked.accounts());
        self.carry(work, Until::Landed, Some(locked)).await
    }
}
