//! The second step of `/pay/settle`: what the payer has signed is recorded, sent, and answered for.
//!
//! The order is the promise. A repeat is recognised before anything else; then the transaction is compared with what was
//! offered, what it pays with what the request requires, so that nobody who relays it is told success for another's payment;
//! it is run once, and written with our signature in the one verb that uses the offer. Only then may anybody send it, and
//! whoever hangs up, it is driven to its end.

use super::{
    SinglePayments,
    answer::{SingleReceipt, standing},
    because, over_budget,
};
use crate::{
    chain::{
        LiveBlockhash,
        fees::ComputeBudget,
        inspect::{
            payers_transaction::PayersTransaction,
            single_payment::{InspectedSingle, SingleTemplate},
        },
    },
    domain::{
        amount::Amount,
        funding::FundingDemand,
        hold::ContentHash,
        reason::PayReason,
        settlement::{Attempt, Cost, Moves, Purpose},
        signed,
        single_payment::{
            Claimant, RecordedSingle, SingleCompletion, SingleKey, SingleOffer, SinglePlan, SingleRequirements,
        },
    },
    facilitator::{
        PayError, PayRefusal,
        locks::{in_flight_limits::SinglePermit, wait_quota::WaitPermit},
        settlement::sign::attempt,
    },
    ledger::{SinglePaid, Work},
};
use solana_pubkey::Pubkey;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

/// How many blocks a transaction has to have before it that is recorded, about ten seconds: with fewer it may die before it
/// lands, and costs its payer nothing while it is in the way of others until it is proved dead.
const LEAST_LIFE: u64 = 25;
/// How long a payment waits for its place among those in flight.
const PLACE_PATIENCE: Duration = Duration::from_secs(5);

const NO_PLACE: &str = "so many single payments of payers without credit are on their way; repeat shortly";
const NOTHING_OFFERED: &str =
    "it was not issued to this payer, its time is over, or it was used; begin again with `authorization`";

impl SinglePayments {
    /// Carries out a payment whose payer has signed what was issued; see [`crate::facilitator::Facilitator::pay_single`].
    pub(crate) async fn pay(self: &Arc<Self>, request: &SingleCompletion) -> Result<SingleReceipt, PayError> {
        let deadline = Instant::now() + self.core.settings.answer_deadline;
        let transaction = PayersTransaction::read(&request.transaction)
            .map_err(|refusal| because(PayReason::TransactionNotAllowed, refusal.to_string()))?;
        let signed = ContentHash(transaction.message_hash());
        let proof = proof(request, &transaction)?;
        if let Some(known) = self.core.ledger.find_single(&SingleKey::Signed(signed)).await? {
            return self.answer_repeat(known, request, proof, deadline).await;
        }
        if self.core.single_payment_instruction().is_none() {
            return Err(PayRefusal::new(PayReason::PayNotServed).into());
        }
        let (offer, inspected) = self.offered(&transaction).await?;
        check_authorization(request, &offer.payer, offer.content)?;
        check_required(&request.required, &offer.payer, (&offer.asset, &offer.recipient, offer.amount))?;
        self.refuse_in_dispute(&offer.payer)?;
        let Some(_permit) = self.permit(&offer.payer).await else {
            return Err(PayRefusal::new(PayReason::SessionBusy).of(&offer.payer).into());
        };
        let place = self.place(&offer.payer).await?;
        let life = self.run(&offer, &inspected).await?;
        let plan = self.plan(&offer, request, signed);
        match self.record(&offer, inspected, life, plan).await? {
            Taken::New(single, work) => self.carry(&offer, *single, (*work, place), deadline).await,
            Taken::Known(single) => self.answer_repeat(*single, request, proof, deadline).await,
        }
    }

    /// Answers a request for a payment that is recorded already. The bytes of its transaction are public, so who has nothing but
    /// them is told at once how it stands, and takes nobody's place; what they require is not compared, because the answer would
    /// tell whether they guessed the amount.
    async fn answer_repeat(
        &self,
        known: RecordedSingle,
        request: &SingleCompletion,
        proof: Proof,
        deadline: Instant,
    ) -> Result<SingleReceipt, PayError> {
        match proof {
            Proof::None => Err(standing(&known).into()),
            Proof::Authorization => {
                check_authorization(request, &known.payer, known.content)?;
                check_required(&request.required, &known.payer, (&known.asset, &known.recipient, known.amount))?;
                self.answer_prover(known, &request.required, deadline).await
            }
        }
    }

    /// A permit to wait for this payer's transfers.
    pub(super) async fn permit(&self, payer: &Pubkey) -> Option<WaitPermit<Pubkey>> {
        self.locks.waits.acquire(*payer, self.core.credit_of_payer(payer)).await
    }

    /// The place among single payments in flight that this payer needs, waited for before anything is recorded: what is recorded
    /// dies while it waits.
    async fn place(&self, payer: &Pubkey) -> Result<SinglePermit, PayError> {
        let credit = self.core.credit_of_payer(payer).await;
        let place = timeout(PLACE_PATIENCE, self.locks.in_flight.acquire_single(credit)).await;
        let again_in = Some(PLACE_PATIENCE.as_secs());
        place.map_err(|_| because(PayReason::Overloaded, NO_PLACE).of(payer).again_in(again_in).into())
    }

    /// The offer that this transaction is, with nothing but what wallets add.
    async fn offered(&self, transaction: &PayersTransaction) -> Result<(SingleOffer, InspectedSingle), PayError> {
        let not_issued = || because(PayReason::TransactionNotIssued, NOTHING_OFFERED);
        let payer = *transaction.payer().ok_or_else(not_issued)?;
        let our_keys = self.sponsor.fee_payers.all();
        let compute = ComputeBudget {
            units: self.core.settings.openings.max_approve_units,
            price: self.core.settings.transfers.max_priority_fee,
        };
        let mut differs = None;
        for offer in self.core.ledger.single_offers(&payer, self.core.clock.now()).await? {
            let template = SingleTemplate { issued: &offer.message, payer, our_keys: &our_keys, compute };
            match template.inspect(transaction) {
                Ok(inspected) => return Ok((offer, inspected)),
                Err(refusal) => differs = Some(refusal),
            }
        }
        let refusal = match differs {
            Some(refusal) => because(PayReason::TransactionNotAllowed, refusal.to_string()),
            None => not_issued(),
        };
        Err(refusal.of(&payer).into())
    }

    /// Runs the transaction before anything is written: what fails on chain costs us its fee. Gives how long it can land: as
    /// long as was told with the blockhash when it was offered, and not as long as one of now could.
    async fn run(&self, offer: &SingleOffer, inspected: &InspectedSingle) -> Result<LiveBlockhash, PayError> {
        let watched = [self.core.token_account(&offer.payer), self.core.token_account(&offer.recipient)];
        let over = || because(PayReason::TransactionNotIssued, NOTHING_OFFERED).of(&offer.payer);
        let last_valid_block_height = offer.last_valid_block_height;
        let as_of_now = self.core.chain.blockhash_life(inspected.blockhash()).await?.ok_or_else(over)?;
        if as_of_now.blocks_until(last_valid_block_height) < LEAST_LIFE {
            return Err(over().into());
        }
        let life = LiveBlockhash { last_valid_block_height, ..as_of_now };
        let simulation = self.core.chain.simulate(inspected.transaction(), &watched).await?;
        match simulation.error {
            None => Ok(life),
            Some(error) => Err(because(PayReason::SimulationFailed, error).of(&offer.payer).into()),
        }
    }

    /// What is to be recorded. A proof is demanded where the operator, the amount, the first step or this one demands one.
    fn plan(&self, offer: &SingleOffer, request: &SingleCompletion, signed: ContentHash) -> SinglePlan {
        let least = self.least_demand(offer.amount);
        let required = least.required || offer.proof_demanded || request.required.funding_required;
        // Not shorter than this request waits.
        let kept = self.core.settings.answer_deadline.as_secs().saturating_add(1);
        SinglePlan {
            offer: offer.id,
            settlement: self.core.next_settlement_id(),
            signed,
            demand: FundingDemand { required, ..least },
            kept_until: self.core.clock.now().saturating_add(kept),
        }
    }

    /// Adds our signature and writes everything in one verb. From then on the payment is one.
    async fn record(
        &self,
        offer: &SingleOffer,
        inspected: InspectedSingle,
        life: LiveBlockhash,
        plan: SinglePlan,
    ) -> Result<Taken, PayError> {
        let refuse = |reason| PayRefusal::new(reason).of(&offer.payer);
        let cost = Cost { fee: inspected.fee(), ..Cost::default() };
        let fee_payer = *inspected.fee_payer();
        // A key that was taken out of the configuration signs nothing more.
        let signer =
            self.sponsor.fee_payers.signer(&fee_payer).ok_or_else(|| refuse(PayReason::TransactionNotIssued))?;
        if !self.sponsor.fee_payers.can_pay(&fee_payer, cost.fee) {
            return Err(refuse(PayReason::InsufficientSponsorBalance).into());
        }
        let countersigned = inspected.countersign(&**signer).map_err(|error| PayError::Broken(Box::new(error)))?;
        // The ciphertext is older than what was seen, so this witness could be made up by whoever had it; but nothing is ever
        // signed anew on its word.
        let witness = self.core.witness(self.core.token_account(&offer.payer)).await;
        let moves = Moves::of(Purpose::SinglePayment, witness);
        let attempt = Attempt { moves, ..attempt(plan.settlement, 1, countersigned, life, cost) };
        match self.core.ledger.pay_single(&plan, attempt, self.core.clock.now()).await? {
            SinglePaid::Recorded(single, work) => {
                self.sponsor.fee_payers.charge(&fee_payer, cost.fee);
                Ok(Taken::New(single, work))
            }
            SinglePaid::Known(single) => Ok(Taken::Known(single)),
            SinglePaid::NotOffered => {
                Err(because(PayReason::TransactionNotIssued, NOTHING_OFFERED).of(&offer.payer).into())
            }
            SinglePaid::Refused(reason) => Err(refuse(reason).into()),
            SinglePaid::OverBudget(over) => Err(over_budget(&over).of(&offer.payer).into()),
        }
    }

    /// Has a recorded payment carried, and answers when it has landed or the caller's time is over.
    async fn carry(
        self: &Arc<Self>,
        offer: &SingleOffer,
        single: RecordedSingle,
        (work, place): (Work, SinglePermit),
        deadline: Instant,
    ) -> Result<SingleReceipt, PayError> {
        let accounts = [self.core.token_account(&offer.payer), self.core.token_account(&offer.recipient)];
        let (this, id) = (Arc::clone(self), single.settlement);
        let carried = self.core.tasks.spawn_detached(async move {
            // A background round that finds it unfinished leaves it to us.
            let _queued = this.settlements.queued.start(id);
            this.dispatch.carry_single(work, accounts, place).await;
        });
        // Whatever it came to, and whoever drove it, the ledger says.
        let _ = tokio::time::timeout_at(deadline, carried).await;
        let single = self.await_outcome(single, deadline).await?;
        self.answer(single, Claimant::Recorder, deadline).await
    }
}

/// What a request proves to know of its payment beyond the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// Nothing, or nothing that the chain does not show everybody.
    None,
    /// What the payer authorised, which stands in no transaction.
    Authorization,
}

/// What a request proves. Of a plain transfer nothing stands on chain that the payer signed in the first step; of one that
/// carries its message, the short text stands there for details that only payer and merchant have, and the long message stands
/// there itself: whoever has read it knows no more than everybody.
fn proof(request: &SingleCompletion, transaction: &PayersTransaction) -> Result<Proof, PayError> {
    let Some(payment) = &request.authorization else { return Ok(Proof::None) };
    if !signed::verify(&payment.payer, &payment.message, &payment.signature) {
        return Err(PayRefusal::new(PayReason::InvalidSignature).of(&payment.payer).into());
    }
    let is_public = !payment.is_short() && transaction.carries(&payment.message);
    Ok(if is_public { Proof::None } else { Proof::Authorization })
}

/// Refuses an authorisation of another payment than the transaction is.
fn check_authorization(request: &SingleCompletion, payer: &Pubkey, content: ContentHash) -> Result<(), PayError> {
    match &request.authorization {
        Some(payment) if payment.payer != *payer || payment.content != content => {
            let detail = "`authorization` is of another payment than `transaction`";
            Err(because(PayReason::MessageMismatch, detail).of(payer).into())
        }
        Some(_) | None => Ok(()),
    }
}

/// Refuses a transaction that pays something else than is required, whatever else may be said of it.
fn check_required(
    required: &SingleRequirements,
    payer: &Pubkey,
    (asset, recipient, amount): (&Pubkey, &Pubkey, Amount),
) -> Result<(), PayError> {
    let detail = "the transaction is another payment than `paymentRequirements` ask for";
    let checked = required.check(asset, recipient, amount);
    checked.map_err(|reason| because(reason, detail).of(payer).into())
}

/// What the verb that uses an offer found.
enum Taken {
    /// It is recorded now.
    New(Box<RecordedSingle>, Box<Work>),
    /// Another request was faster with the same bytes.
    Known(Box<RecordedSingle>),
}
