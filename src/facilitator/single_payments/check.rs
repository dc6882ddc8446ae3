//! Everything that `/pay/verify` and the first step of `/pay/settle` check of a payer's signed message; leaves no trace.
//!
//! Promise: nobody finds out here which amount a ciphertext on chain holds. Whether one is ours for the amount that is stated
//! is computed only of one that no payment has used, and a payment is recorded before its ciphertext goes to the chain: so of
//! one that is published the answer is the same, in the same time, whatever amount is guessed.

use super::{SinglePayments, answer::standing, because};
use crate::{
    chain::{ChainAccount, transaction::SettleInstruction},
    domain::{
        amount::Amount,
        funding::{FundingDemand, Source},
        reason::{PayReason, SessionReason},
        signed,
        single_payment::{RecordedSingle, SingleKey, SinglePayment},
    },
    facilitator::{PayError, PayRefusal, token_accounts::decoded},
    programs::inco_token::AccountState,
};
use solana_pubkey::Pubkey;

/// What a checked payment may be made with.
pub(crate) struct Checked {
    /// The instruction that carries it.
    pub(super) instruction: SettleInstruction,
    /// What the payer's wallet has, in lamports.
    pub(super) wallet: u64,
}

impl SinglePayments {
    /// Refuses a payment that could not be made: what costs nothing first, and who asks too often before more is looked up than
    /// whether it was paid: a message that was is everybody's who was shown it, so what is answered to it counts for nobody.
    pub(crate) async fn check(&self, payment: &SinglePayment) -> Result<Checked, PayError> {
        let instruction = self.check_message(payment)?;
        let nonce = SingleKey::Nonce(payment.payer, payment.nonce.clone());
        if let Some(known) = self.core.ledger.find_single(&nonce).await? {
            return Err(paid_before(&known, payment).into());
        }
        let again_in = self.rate.take(&payment.payer, payment.content, self.core.clock.now()).err();
        if again_in.is_some() {
            return Err(PayRefusal::new(PayReason::TooManyRequests).of(&payment.payer).again_in(again_in).into());
        }
        let ciphertext = SingleKey::Ciphertext(payment.ciphertext.clone());
        if self.core.ledger.find_single(&ciphertext).await?.is_some() {
            return Err(PayRefusal::new(PayReason::CiphertextUsed).of(&payment.payer).into());
        }
        if !self.issued.issued(&payment.asset, payment.amount, &payment.ciphertext) {
            return Err(PayRefusal::new(PayReason::CiphertextNotOurs).of(&payment.payer).into());
        }
        let wallet = self.check_accounts(payment).await?;
        self.check_demand(payment).await?;
        Ok(Checked { instruction, wallet })
    }

    /// What the message alone tells.
    fn check_message(&self, payment: &SinglePayment) -> Result<SettleInstruction, PayError> {
        let refuse = |refusal: PayRefusal| Err(PayError::from(refusal.of(&payment.payer)));
        let Some(instruction) = self.core.single_payment_instruction() else {
            return refuse(PayRefusal::new(PayReason::PayNotServed));
        };
        if payment.asset != self.core.settings.served.asset {
            return refuse(PayRefusal::new(PayReason::AssetMismatch));
        }
        if !signed::verify(&payment.payer, &payment.message, &payment.signature) {
            return refuse(PayRefusal::new(PayReason::InvalidSignature));
        }
        let limits = &self.core.settings.payments;
        if let Err(reason) = limits.check(payment.amount) {
            let figures = limits.explain(reason, payment.amount);
            return refuse(because(reason, figures.unwrap_or_else(|| reason.meaning().to_owned())));
        }
        let ours = self.sponsor.fee_payers.all();
        // What is paid to a key that signs for everybody stands in an account that the same key can empty.
        if payment.recipient == payment.payer || ours.contains(&payment.recipient) || ours.contains(&payment.payer) {
            return refuse(because(PayReason::InvalidRecipient, "the recipient is the payer or this facilitator"));
        }
        let [source, destination] = self.accounts_of(payment);
        if payment.source.is_some_and(|named| named != source) {
            return refuse(because(PayReason::MessageMismatch, "`sourceAccount` is not the payer's token account"));
        }
        if payment.destination.is_some_and(|named| named != destination && named != payment.recipient) {
            return refuse(because(PayReason::RecipientMismatch, "the account to be paid is not the recipient's"));
        }
        Ok(instruction)
    }

    /// The payer's token account and the recipient's.
    pub(super) fn accounts_of(&self, payment: &SinglePayment) -> [Pubkey; 2] {
        [self.core.token_account(&payment.payer), self.core.token_account(&payment.recipient)]
    }

    /// Both token accounts are there and usable, and the recipient is a wallet; gives what the payer's wallet has, in lamports.
    async fn check_accounts(&self, payment: &SinglePayment) -> Result<u64, PayError> {
        let SinglePayment { payer, recipient, .. } = payment;
        let [source, destination] = self.accounts_of(payment);
        let keys = [source, destination, *payer, *recipient];
        let (_, [source, destination, wallet, merchant]) = self.core.these_now(keys, 0).await?;
        let refuse = |refusal: PayRefusal| PayError::from(refusal.of(payer));
        self.core
            .check_wallet(recipient, merchant.as_ref())
            .map_err(|why| refuse(because(PayReason::InvalidRecipient, format!("the recipient {why}"))))?;
        self.check_account(source.as_ref(), payer, PayReason::SourceNotReady).map_err(|no| refuse(*no))?;
        self.check_account(destination.as_ref(), recipient, PayReason::RecipientNotReady).map_err(|no| refuse(*no))?;
        Ok(wallet.map_or(0, |account| account.lamports))
    }

    fn check_account(
        &self,
        account: Option<&ChainAccount>,
        owner: &Pubkey,
        reason: PayReason,
    ) -> Result<(), Box<PayRefusal>> {
        let is_frozen = decoded(account.cloned()).is_some_and(|account| account.state == AccountState::Frozen);
        if is_frozen && reason == PayReason::SourceNotReady {
            return Err(Box::new(PayRefusal::new(PayReason::SourceFrozen)));
        }
        // The reason is replaced: the sentence is what says what is wrong with it.
        match self.core.usable(account, owner, SessionReason::SourceNotReady) {
            Ok(Some(_)) => Ok(()),
            Ok(None) if reason == PayReason::RecipientNotReady => Err(Box::new(because(
                reason,
                "the recipient has no token account, and none is created for a single payment",
            ))),
            Ok(None) => Err(Box::new(PayRefusal::new(reason))),
            Err(refusal) => Err(Box::new(because(reason, refusal.detail))),
        }
    }

    /// Refuses what is demanded to be proved and is not, where no proof comes with it.
    async fn check_demand(&self, payment: &SinglePayment) -> Result<(), PayError> {
        let demand = self.demand(payment);
        if !demand.required || payment.funding.is_some() {
            return Ok(());
        }
        self.check_level(payment).await
    }

    /// Refuses where the level of the payer's balance is not the demanded one.
    pub(super) async fn check_level(&self, payment: &SinglePayment) -> Result<(), PayError> {
        let demand = self.demand(payment);
        let source = self.core.ledger.source(&payment.payer, &payment.asset).await?;
        let source = source.unwrap_or_else(|| Source::unknown(payment.payer, payment.asset));
        let level = source.funding(payment.amount, self.core.clock.now(), demand.max_age);
        let admitted = demand.admit(level).map(drop);
        admitted.map_err(|reason| {
            let detail = "a proved balance has to cover it: send `fundingProof` with the authorization";
            because(reason, detail).of(&payment.payer).into()
        })
    }

    /// What is asked of the payer's balance: what is asked for the amount, or more where the request does.
    pub(super) fn demand(&self, payment: &SinglePayment) -> FundingDemand {
        let least = self.least_demand(payment.amount);
        FundingDemand { required: least.required || payment.funding_required, ..least }
    }

    /// What is asked for an amount, whatever the request asks: what the operator asks of all, and a proof where one transfer
    /// would carry more than it may unproven. A single payment is a transfer by itself.
    pub(super) fn least_demand(&self, amount: Amount) -> FundingDemand {
        let ours = self.core.demand();
        FundingDemand { required: ours.required || amount > self.core.settings.transfers.unproven_exposure, ..ours }
    }
}

/// What a message is told that was paid with before.
pub(super) fn paid_before(known: &RecordedSingle, payment: &SinglePayment) -> PayRefusal {
    if known.content != payment.content {
        return PayRefusal::new(PayReason::NonceConflict).of(&payment.payer);
    }
    standing(known)
}
