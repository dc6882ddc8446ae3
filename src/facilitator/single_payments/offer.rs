//! The first step of `/pay/settle`: the transaction of a checked payment, for its payer to sign.

use super::{
    SinglePayments, because,
    check::{Checked, paid_before},
    over_budget,
};
use crate::{
    chain::{
        LiveBlockhash,
        transaction::{Authorization, ConfidentialTransfer, UnsignedTransaction},
    },
    domain::{
        budget::BudgetSubject,
        reason::PayReason,
        settlement::SingleId,
        single_payment::{CallerHash, OfferLimits, SingleOffer, SinglePayment},
    },
    facilitator::{
        PayError, PayRefusal,
        error::SignFailure,
        funding::proof::Delegate,
        settlement::simulate::{NotSimulated, TransferDraft},
        sponsor::budget::NoFeePayer,
    },
    ledger::Offered,
    programs::{inco_token::Transfer, lightning::DECRYPT_ALLOWANCE_BYTES},
};
use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;

/// How long an offer lives, in seconds: about as long as its blockhash. Whichever ends first ends it.
const OFFER_LIFE: u64 = 120;
/// What a single payment may cost in fees before it is built, in lamports: two signatures and a verified one.
const USUAL_FEE: u64 = 15_000;

/// A transaction that waits for its payer's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedSingle {
    /// Its wire encoding, with empty signatures.
    pub wire: Vec<u8>,
}

impl SinglePayments {
    /// Checks a payment, makes its transaction, and remembers that it was issued.
    pub(crate) async fn offer(
        &self,
        payment: &SinglePayment,
        caller: Option<u128>,
    ) -> Result<UnsignedSingle, PayError> {
        let checked = self.check(payment).await?;
        self.refuse_in_dispute(&payment.payer)?;
        self.take_proof(payment).await?;
        let fee_payer = self.fee_payer(payment).await?;
        let blockhash = self.core.chain.latest_blockhash().await?;
        let unsigned = self.build(payment, &checked, fee_payer, blockhash).await?;
        let message = wincode::serialize(&unsigned.transaction().message).map_err(broken)?;
        let wire = wincode::serialize(unsigned.transaction()).map_err(broken)?;
        let now = self.core.clock.now();
        let offer = SingleOffer {
            id: SingleId(uuid::Builder::from_random_bytes(self.core.random_id()).into_uuid()),
            payer: payment.payer,
            recipient: payment.recipient,
            asset: payment.asset,
            nonce: payment.nonce.clone(),
            content: payment.content,
            amount: payment.amount,
            ciphertext: payment.ciphertext.clone(),
            message,
            last_valid_block_height: blockhash.last_valid_block_height,
            proof_demanded: payment.funding_required,
            caller: self.caller_hash(caller),
            issued_at: now,
            until: now.saturating_add(OFFER_LIFE),
        };
        match self.core.ledger.offer_single(&offer, OfferLimits::DEFAULT, now).await? {
            Offered::Issued => Ok(UnsignedSingle { wire }),
            Offered::Known(known) => Err(paid_before(&known, payment).into()),
            Offered::CiphertextUsed => Err(PayRefusal::new(PayReason::CiphertextUsed).of(&payment.payer).into()),
            Offered::TooMany { again_in } => {
                let detail =
                    "so many unsigned transactions are waiting for their payers; sign one, or wait until they end";
                Err(because(PayReason::TooManyRequests, detail).of(&payment.payer).again_in(Some(again_in)).into())
            }
        }
    }

    /// What the ledger keeps of an address for the life of an offer: enough to tell two apart.
    fn caller_hash(&self, caller: Option<u128>) -> CallerHash {
        let Some(caller) = caller else { return CallerHash::default() };
        let hash: [u8; 32] =
            Sha256::new().chain_update(self.callers).chain_update(caller.to_be_bytes()).finalize().into();
        let mut short = CallerHash::default();
        short.0.copy_from_slice(&hash[..16]);
        short
    }

    /// Takes the proof that comes with a payment. One that does not count leaves the payment unproven, which is refused only
    /// where a proof is demanded.
    async fn take_proof(&self, payment: &SinglePayment) -> Result<(), PayError> {
        let Some(proof) = &payment.funding else { return Ok(()) };
        let taken = match self.funding.check_proof(proof) {
            Ok(()) => self.funding.accept_proof(&payment.payer, proof, Delegate::MayBeAnybody).await,
            Err(refusal) => Err(refusal.into()),
        };
        if let Err(error) = taken {
            tracing::info!(?error, "a single payment's funding proof does not count");
        }
        if self.demand(payment).required { self.check_level(payment).await } else { Ok(()) }
    }

    /// Who pays the fee.
    async fn fee_payer(&self, payment: &SinglePayment) -> Result<Pubkey, PayError> {
        let subject = BudgetSubject { session: None, user: payment.payer, recipient: payment.recipient };
        self.sponsor.name_fee_payer(&subject, USUAL_FEE).await?.map_err(|none| match none {
            NoFeePayer::OverBudget(over) => over_budget(&over).of(&payment.payer).into(),
            NoFeePayer::NoFunds => PayRefusal::new(PayReason::InsufficientSponsorBalance).of(&payment.payer).into(),
        })
    }

    /// The transaction: the verified message and the transfer that relies on it, or the transfer alone.
    async fn build(
        &self,
        payment: &SinglePayment,
        checked: &Checked,
        fee_payer: Pubkey,
        blockhash: LiveBlockhash,
    ) -> Result<UnsignedTransaction, PayError> {
        let [source, destination] = self.accounts_of(payment);
        let mut draft = TransferDraft {
            fee_payer,
            instruction: checked.instruction,
            message: payment.message.clone(),
            signature: payment.signature,
            owners: [payment.payer, payment.recipient],
            transfer: Transfer {
                source,
                destination,
                authority: payment.payer,
                ciphertext: payment.ciphertext.clone(),
                allowances: None,
            },
        };
        if self.core.needs_allowances() {
            self.name_allowances(payment, checked, &mut draft, blockhash).await?;
        }
        let transfer = ConfidentialTransfer {
            programs: &self.core.settings.served.programs,
            instruction: draft.instruction,
            authorization: Authorization { owner: payment.payer, message: &draft.message, signature: &draft.signature },
            transfer: &draft.transfer,
        };
        let unsigned = UnsignedTransaction::new(&fee_payer, &transfer.instructions(), blockhash.hash);
        unsigned.map_err(|error| failed(payment, error.into()))
    }

    /// Names decrypt allowances, whose rent their signer pays: the payer. Only where the program takes no transfer without
    /// them, because one that names handles fails as soon as anybody moves either account first.
    async fn name_allowances(
        &self,
        payment: &SinglePayment,
        checked: &Checked,
        draft: &mut TransferDraft,
        blockhash: LiveBlockhash,
    ) -> Result<(), PayError> {
        let chain = &self.core.chain;
        let (allowance, wallet) = tokio::try_join!(chain.rent(DECRYPT_ALLOWANCE_BYTES), chain.rent(0))?;
        let needed = allowance.saturating_mul(2).saturating_add(wallet);
        if checked.wallet < needed {
            let detail = format!(
                "the token program has the payer pay for decrypt allowances: the wallet needs {needed} lamports"
            );
            return Err(because(PayReason::SourceNotReady, detail).of(&payment.payer).into());
        }
        match self.settlements.name_allowances(draft, blockhash).await {
            Ok(()) => Ok(()),
            Err(NotSimulated::WouldFail(error)) => {
                Err(because(PayReason::SimulationFailed, error).of(&payment.payer).into())
            }
            Err(NotSimulated::Failed(failure)) => Err(failed(payment, failure)),
        }
    }
}

fn failed(payment: &SinglePayment, failure: SignFailure) -> PayError {
    match failure {
        SignFailure::Refused { reason, detail } => because(reason, detail).of(&payment.payer).into(),
        SignFailure::Unavailable(error) => PayError::Unavailable { retry_after: 1, source: error.into() },
        SignFailure::Ledger(error) => error.into(),
    }
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> PayError {
    PayError::Broken(Box::new(error))
}
