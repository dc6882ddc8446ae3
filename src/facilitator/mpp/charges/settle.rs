//! A charge as its seller hands it on, from the first look at it to its answer.

use super::{Charges, answer::SettledCharge, turns::Place};
use crate::{
    chain::inspect::charge::{ChargePolicy, ChargeRequest, InspectedCharge, MAX_COMPUTE, ReceivedCharge},
    domain::{
        hold::ContentHash,
        mpp::{
            caps::{SponsorBar, Sponsored},
            charge::ChargeRefusal,
            reason::ChargeReason,
            recorded_charge::{ChargeClaimant, RecordedCharge},
        },
    },
    facilitator::mpp::{ChargeError, RefusedCharge},
};
use solana_pubkey::Pubkey;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::OwnedMutexGuard,
    time::{Instant, timeout_at},
};

/// The longest that a seller waits: the published client gives up five seconds later.
const LONGEST: Duration = Duration::from_secs(25);
/// When it may be worth coming back while too many landings are in dispute, in seconds.
const AFTER_DISPUTE: u64 = 30;

const MANY_WAIT: &str = "Enough requests wait for this transaction already; repeat the same request.";
const TAKES_LONG: &str = "An earlier request for this transaction is being worked on; repeat the same request.";

/// A charge as a request states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeOrder {
    /// The signed transaction, to be standard base64.
    pub transaction: String,
    /// The seller's wallet.
    pub recipient: Pubkey,
    /// To be base units.
    pub amount: String,
    /// The mint; that of prepare where there is none.
    pub asset: Option<Pubkey>,
    /// To be a spelling of the network.
    pub network: Option<String>,
    /// Drawn by the seller, so that a lost success can be told again.
    pub idempotency_key: Option<String>,
}

/// A request that is being answered.
#[derive(Clone, Copy)]
pub(super) struct Asking {
    pub(super) claimant: ChargeClaimant,
    pub(super) deadline: Instant,
}

impl Charges {
    /// Settles a charge; see [`crate::facilitator::Facilitator::settle_charge`].
    pub(crate) async fn settle(
        self: &Arc<Self>,
        order: &ChargeOrder,
        caller: Option<u128>,
    ) -> Result<SettledCharge, ChargeError> {
        let shared = &self.shared;
        shared.echo(order.network.as_deref()).map_err(|_| RefusedCharge::unsupported_network(&shared.network))?;
        let asking = Asking {
            claimant: self.claimant(caller, order.idempotency_key.as_deref()),
            deadline: Instant::now() + shared.core.settings.answer_deadline.min(LONGEST),
        };
        // Before the policy: a policy that changed since, or a fee payer that was retired, loses no answer.
        let mut delegates = Vec::new();
        if let Ok(received) = ReceivedCharge::read(&order.transaction) {
            let message = ContentHash(received.message_hash());
            let known = shared.core.ledger.find_charge(&message).await?;
            if let Some(known) = known.filter(|known| self.is_of(known, order)) {
                return self.answer_known(&known, message, asking).await;
            }
            delegates = shared.core.ledger.delegates_among(received.keys()).await?;
        }
        let inspected = self.inspect(order, delegates)?;
        let message = ContentHash(inspected.message_hash());
        let (_place, _turn) = self.turn(message, asking.deadline).await?;
        match shared.core.ledger.find_charge(&message).await? {
            // Whoever had the turn has recorded it.
            Some(known) => self.answer_in_turn(&known, message, asking).await,
            None => self.settle_new(inspected, message, asking).await,
        }
    }

    /// Whether a request asks for what was recorded.
    fn is_of(&self, known: &RecordedCharge, order: &ChargeOrder) -> bool {
        let asset = order.asset.unwrap_or(self.shared.settings.offer.asset.mint);
        // Amounts have one spelling.
        known.recipient == order.recipient && known.asset == asset && known.amount.to_string() == order.amount
    }

    /// Holds a request against the policy; asks nobody. `delegates` are keys of ours that it names and that buyers delegate to.
    fn inspect(&self, order: &ChargeOrder, delegates: Vec<Pubkey>) -> Result<InspectedCharge, ChargeRefusal> {
        let (fee_payers, mut our_keys) = (self.shared.fee_payers(), self.shared.our_keys());
        our_keys.extend(delegates);
        let policy = ChargePolicy {
            offer: &self.shared.settings.offer,
            fee_payers: &fee_payers,
            our_keys: &our_keys,
            compute: MAX_COMPUTE,
        };
        let request = ChargeRequest {
            transaction: &order.transaction,
            recipient: order.recipient,
            amount: &order.amount,
            asset: order.asset,
        };
        policy.inspect(&request)
    }

    /// Waits until no earlier request works on this message.
    pub(super) async fn turn(
        &self,
        message: ContentHash,
        deadline: Instant,
    ) -> Result<(Place<'_>, OwnedMutexGuard<()>), RefusedCharge> {
        let pending = |detail| RefusedCharge::because(ChargeReason::SettlementPending, detail);
        let place = self.turns.take(message).ok_or_else(|| pending(MANY_WAIT))?;
        let turn = timeout_at(deadline, place.turn()).await.map_err(|_| pending(TAKES_LONG))?;
        Ok((place, turn))
    }

    /// Takes a charge that is not recorded.
    async fn settle_new(
        self: &Arc<Self>,
        inspected: InspectedCharge,
        message: ContentHash,
        asking: Asking,
    ) -> Result<SettledCharge, ChargeError> {
        let core = &self.shared.core;
        let sponsored = self.sponsored(&inspected);
        if let Some(bar) = core.ledger.sponsor_bar(&sponsored, core.clock.now()).await? {
            return Err(barred(bar).into());
        }
        if self.shared.settlements.disputes().are_too_many() {
            let detail =
                "Endpoints of the chain contradict each other; nothing new is taken until the operator has looked.";
            return Err(RefusedCharge::because(ChargeReason::Unavailable, detail).again_in(AFTER_DISPUTE).into());
        }
        let life = self.check_blockhash(inspected.blockhash()).await?;
        let held = self.check_accounts(&inspected).await?;
        self.simulate(&inspected).await?;
        let (charge, work) = self.record(inspected, message, (held, life), (sponsored, asking.claimant)).await?;
        if let Some(work) = work {
            self.carry(work, asking.deadline).await;
        }
        self.answer_in_turn(&charge, message, asking).await
    }

    /// Who is sponsored by a charge.
    fn sponsored(&self, inspected: &InspectedCharge) -> Sponsored {
        let (payer, seller) = (*inspected.payer(), inspected.terms().recipient);
        let is_listed = |wallet: &Pubkey| self.shared.settings.known_wallets.contains(wallet);
        Sponsored {
            payer,
            seller: Some(seller),
            payer_is_listed: is_listed(&payer),
            seller_is_listed: is_listed(&seller),
            lamports: inspected.fee(),
            caps: self.shared.settings.caps,
        }
    }
}

/// A cap is used up.
pub(super) fn barred(bar: SponsorBar) -> RefusedCharge {
    RefusedCharge::new(bar.reason).again_in(bar.again_in)
}
