//! Has a single payment carried: its transaction is signed by its payer and recorded, so that only its accounts and its place
//! among the transfers in flight are left to wait for.

use crate::{
    domain::settlement::Settlement,
    facilitator::{
        dispatch::Dispatch,
        locks::{account_locks::Access, in_flight_limits::SinglePermit},
        settlement::driver::Until,
    },
    ledger::Work,
};
use solana_pubkey::Pubkey;
use std::{pin::pin, sync::Arc};
use tokio::time::timeout;

impl Dispatch {
    /// Drives a recorded single payment until it has landed or come to nothing. It names no handles, so other transfers of its
    /// accounts go beside it, but none that does: for as long as it lands by its own, and no longer. Whoever signs a transfer
    /// that cannot land would else keep its recipient's balance unreadable.
    pub(crate) async fn carry_single(
        self: &Arc<Self>,
        work: Work,
        [source, destination]: [Pubkey; 2],
        _place: SinglePermit,
    ) -> Settlement {
        let permits = self.locks.in_flight.acquire_accounts(&source, &destination).await;
        let locked = self.locks.accounts.pair(source, destination, Access::Shared).await;
        let _permit = self.locks.in_flight.acquire_global(permits).await;
        let busy = self.locks.idle.mark_busy(locked.accounts());
        // The driver needs no lock: what is signed already is not made anew.
        let mut carried = pin!(self.carry(work, Until::Landed, None));
        if let Ok(settlement) = timeout(self.core.settings.dispatch.single_lock, &mut carried).await {
            return settlement;
        }
        drop((locked, busy));
        carried.await
    }
}
