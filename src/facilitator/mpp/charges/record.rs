//! A charge is written with our signature, and carried from then on.

use super::{
    Charges,
    check::{SET_ASIDE, SHORT, SeenBalance, refuse},
    settle::barred,
};
use crate::{
    chain::{LiveBlockhash, inspect::charge::InspectedCharge},
    domain::{
        budget::OverBudget,
        hold::ContentHash,
        mpp::{
            caps::{Sponsored, fee_cap},
            reason::ChargeReason,
            recorded_charge::{ChargeClaimant, ChargePlan, RecordedCharge},
        },
        settlement::{ChargeId, Cost},
    },
    facilitator::{
        mpp::{ChargeError, RefusedCharge},
        settlement::{driver::Until, sign::attempt},
        sponsor::budget::again_in,
    },
    ledger::{ChargeRecorded, Work},
};
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

impl Charges {
    /// Adds our signature and writes everything in one verb; without work it was recorded before. From then on the charge is one.
    pub(super) async fn record(
        &self,
        inspected: InspectedCharge,
        message: ContentHash,
        (held, life): (SeenBalance, LiveBlockhash),
        (sponsored, claimant): (Sponsored, ChargeClaimant),
    ) -> Result<(RecordedCharge, Option<Work>), ChargeError> {
        let (core, sponsor) = (&self.shared.core, &self.shared.sponsor);
        let (fee, fee_payer) = (inspected.fee(), *inspected.fee_payer());
        let no_funds = || RefusedCharge::new(ChargeReason::InsufficientSponsorBalance);
        let signer = sponsor.fee_payers.signer(&fee_payer).ok_or_else(no_funds)?;
        if !sponsor.fee_payers.can_pay(&fee_payer, fee) {
            return Err(no_funds().into());
        }
        let terms = *inspected.terms();
        let plan = ChargePlan {
            id: ChargeId(uuid::Builder::from_random_bytes(core.random_id()).into_uuid()),
            settlement: core.next_settlement_id(),
            message,
            payer: *inspected.payer(),
            recipient: terms.recipient,
            asset: terms.asset.mint,
            amount: terms.amount,
            source: *inspected.source(),
            destination: *inspected.destination(),
            fee_payer,
            held,
            claimant,
            sponsored,
        };
        let signed = inspected.countersign(&**signer).map_err(|error| ChargeError::Broken(Box::new(error)))?;
        let attempt = attempt(plan.settlement, 1, signed, life, Cost { fee, ..Cost::default() });
        match core.ledger.record_charge(&plan, attempt, core.clock.now()).await? {
            ChargeRecorded::Recorded(charge, work) => {
                sponsor.fee_payers.charge(&fee_payer, fee);
                Ok((*charge, Some(*work)))
            }
            ChargeRecorded::Known(known) => Ok((*known, None)),
            ChargeRecorded::Barred(bar) => Err(barred(bar).into()),
            ChargeRecorded::BacksChannels => Err(refuse(SET_ASIDE).into()),
            ChargeRecorded::Overdrawn => Err(refuse(SHORT).into()),
            ChargeRecorded::OverBudget(over) => Err(over_budget(&over).into()),
        }
    }

    /// Has a recorded charge carried, and waits until it has landed or come to nothing, or the caller's time is over.
    pub(super) async fn carry(self: &Arc<Self>, work: Work, deadline: Instant) {
        let (this, id) = (Arc::clone(self), work.settlement.id);
        let carried = self.shared.core.tasks.spawn_detached(async move {
            // A background round that finds it unfinished leaves it to us.
            let _queued = this.shared.settlements.queued.start(id);
            this.shared.dispatch.carry(work, Until::Landed, None).await;
        });
        // Whatever it came to, and whoever drove it, the ledger says.
        let _ = timeout_at(deadline, carried).await;
    }
}

/// A budget is used up.
fn over_budget(over: &OverBudget) -> RefusedCharge {
    RefusedCharge::new(fee_cap(over.scope)).again_in(again_in(over))
}
