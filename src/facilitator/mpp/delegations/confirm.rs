//! Confirming: what a wallet has signed of what was issued is recorded, sent, and answered for.
//!
//! The order is the promise. The message is known by its hash before anything else is asked; then the wallet's signature, the
//! blockhash's life and a simulation; it is written with our signature in the one verb that uses it. Only then may anybody send
//! it, and whoever hangs up, it is driven to its end.

use super::{CallerPlace, Delegations, OnboardError, RefusedOnboarding, SentSignIn};
use crate::{
    chain::{
        LiveBlockhash,
        inspect::{issued::SignedIssue, payers_transaction::PayersTransaction},
        keys::{LocalSigner, Signer},
        transaction::SignedTransaction,
    },
    domain::{
        hold::ContentHash,
        mpp::delegation::{ConfirmPlan, IssuedKind, IssuedMessage, IssuedState},
        mpp::reason::OnboardReason,
        reason::PayReason,
        settlement::Cost,
    },
    facilitator::{delegated::roots, settlement::sign::attempt, sponsor::budget},
    ledger::{IssuedKey, OnboardRecorded, Work},
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::sync::Arc;

/// How many blocks a transaction has to have before it that is recorded, about ten seconds.
const LEAST_LIFE: u64 = 25;

/// What a wallet has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfirmRequest {
    /// The wallet.
    pub wallet: Pubkey,
    /// The signed transactions, each to be base64.
    pub transactions: Vec<String>,
}

/// How a delegation stands after a step of it has landed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// The session account, or the config account of the Swig.
    pub account: Pubkey,
    /// What has landed.
    pub kind: IssuedKind,
    /// Its transaction.
    pub transaction: Signature,
    /// Whether the delegation is active now.
    pub is_active: bool,
    /// The role's id, where there is one.
    pub role: Option<u32>,
    /// What may still move, in base units, where it is active.
    pub remaining: Option<u64>,
}

impl Delegations {
    /// Takes what a wallet has signed; see [`crate::facilitator::Facilitator::confirm_onboarding`].
    pub(crate) async fn confirm(
        self: &Arc<Self>,
        sent: &SentSignIn,
        request: &ConfirmRequest,
        from: &CallerPlace,
    ) -> Result<Confirmed, OnboardError> {
        let deadline = self.deadline();
        let grants = self.check_sign_in(sent, request.wallet, from)?;
        let (transaction, message) = self.issued(request).await?;
        let message = match message.state {
            IssuedState::Voided => {
                return Err(not_issued("Another transaction was issued to this wallet after it."));
            }
            IssuedState::Waiting => {
                if message.kind != IssuedKind::Leave {
                    self.check_clock()?;
                }
                let signed = SignedIssue::read(&transaction, &message.message, &message.buyer);
                let signed = signed.ok_or(OnboardReason::InvalidSignature)?;
                let life = self.life(&signed, &message).await?;
                self.run(&signed, &message).await?;
                match self.record(&message, signed, life, from).await? {
                    (message, Some(work)) => {
                        self.carry(work, deadline).await;
                        message
                    }
                    (known, None) => known,
                }
            }
            // The answer is on record, or will be.
            IssuedState::OnItsWay(_) | IssuedState::Landed(_) | IssuedState::Released(_) => message,
        };
        let confirmed = self.await_and_answer(message, deadline).await?;
        self.open_window(request.wallet, from, grants).await?;
        Ok(confirmed)
    }

    /// The issued message that the request's one transaction is.
    async fn issued(&self, request: &ConfirmRequest) -> Result<(PayersTransaction, IssuedMessage), OnboardError> {
        let [text] = request.transactions.as_slice() else {
            return Err(not_issued("One transaction is issued at a time: send that one."));
        };
        let transaction = PayersTransaction::read(text).map_err(|refusal| not_issued(refusal.to_string()))?;
        let key = IssuedKey::Hash(ContentHash(transaction.message_hash()));
        let message = self.shared.core.ledger.find_issued(&key).await?;
        let message = message.filter(|message| message.buyer == request.wallet);
        Ok((transaction, message.ok_or(OnboardReason::NotIssued)?))
    }

    /// How long the transaction can land: as long as was told with the blockhash when it was issued.
    async fn life(&self, signed: &SignedIssue, message: &IssuedMessage) -> Result<LiveBlockhash, OnboardError> {
        if message.until <= self.shared.core.clock.now() {
            return Err(OnboardReason::TxExpired.into());
        }
        let last_valid_block_height = message.last_valid_block_height;
        let as_of_now = self.shared.core.chain.blockhash_life(signed.blockhash()).await?;
        let as_of_now = as_of_now.ok_or(OnboardReason::TxExpired)?;
        if as_of_now.blocks_until(last_valid_block_height) < LEAST_LIFE {
            return Err(OnboardReason::TxExpired.into());
        }
        Ok(LiveBlockhash { last_valid_block_height, ..as_of_now })
    }

    /// Runs the transaction before anything is written: what fails on chain costs us its fee.
    async fn run(&self, signed: &SignedIssue, message: &IssuedMessage) -> Result<(), OnboardError> {
        let Some(error) = self.shared.core.chain.simulate(signed.transaction(), &[]).await?.error else {
            return Ok(());
        };
        if message.kind == IssuedKind::Leave {
            self.failed_leaves.note(message.buyer);
        }
        let detail = format!("The chain would refuse it: {error}");
        Err(RefusedOnboarding::because(OnboardReason::SimulationFailed, detail).into())
    }

    /// Adds our signatures and writes everything in one verb; without work it was recorded before.
    async fn record(
        &self,
        message: &IssuedMessage,
        signed: SignedIssue,
        life: LiveBlockhash,
        from: &CallerPlace,
    ) -> Result<(IssuedMessage, Option<Work>), OnboardError> {
        let core = &self.shared.core;
        let cost = Cost { fee: signed.fee(), rent: message.rent, grant: 0 };
        // What was issued has one.
        let fee_payer = *signed.fee_payer().ok_or(OnboardReason::NotIssued)?;
        if !self.shared.sponsor.fee_payers.can_pay(&fee_payer, cost.total()) {
            return Err(OnboardReason::InsufficientSponsorBalance.into());
        }
        let countersigned = self.countersign(signed, &fee_payer, &message.buyer)?;
        let plan = ConfirmPlan {
            message: message.id,
            settlement: core.next_settlement_id(),
            caller: self.caller_origin(from).caller,
            is_listed: self.is_listed(&message.buyer),
            limits: self.shared.settings.delegations.limits,
            caps: self.shared.settings.caps,
        };
        let attempt = attempt(plan.settlement, 1, countersigned, life, cost);
        let refuse = |reason, text: &str| Err(RefusedOnboarding::because(reason, text).into());
        match core.ledger.record_issued(&plan, attempt, core.clock.now()).await? {
            OnboardRecorded::Recorded(message, work) => {
                self.shared.sponsor.fee_payers.charge(&fee_payer, cost.total());
                Ok((*message, Some(*work)))
            }
            OnboardRecorded::Known(known) => Ok((*known, None)),
            OnboardRecorded::NotIssued => Err(OnboardReason::NotIssued.into()),
            OnboardRecorded::Voided => Err(not_issued("Another transaction was issued to this wallet after it.")),
            OnboardRecorded::Expired => Err(OnboardReason::TxExpired.into()),
            OnboardRecorded::OnItsWay => {
                refuse(OnboardReason::Pending, "Another transaction of this wallet is on its way; repeat.")
            }
            OnboardRecorded::ChannelsOpen => Err(OnboardReason::ChannelsOpen.into()),
            OnboardRecorded::NotCovered => refuse(
                OnboardReason::ChannelsOpen,
                "Channels of this wallet count on the grant that this one replaces.",
            ),
            OnboardRecorded::NothingGranted => Err(OnboardReason::RoleNotFound.into()),
            OnboardRecorded::Barred(bar) => Err(RefusedOnboarding::from(bar).into()),
            OnboardRecorded::OverBudget(over) => {
                let again_in = budget::again_in(&over);
                tracing::warn!(
                    scope = over.scope.word(),
                    reason = PayReason::word(over.scope.reason()),
                    "a budget is used up"
                );
                Err(RefusedOnboarding::from(OnboardReason::RentCap).again_in(again_in).into())
            }
        }
    }

    /// Adds the fee payer's signature and, where a session account is closed, that of the key that may.
    fn countersign(
        &self,
        signed: SignedIssue,
        fee_payer: &Pubkey,
        wallet: &Pubkey,
    ) -> Result<SignedTransaction, OnboardError> {
        let pays = self.shared.sponsor.fee_payers.signer(fee_payer).ok_or(OnboardReason::NotIssued)?;
        let closing = |root: &crate::domain::mpp::root::Root| LocalSigner::from(&root.rent_authority(self.chain_id()));
        let closing: Vec<LocalSigner> = roots(&self.shared.settings).map(closing).collect();
        let mut signers: Vec<&dyn Signer> = vec![&**pays];
        signers.extend(closing.iter().map(|signer| signer as &dyn Signer));
        signed.countersign(wallet, &signers).map_err(|error| OnboardError::Broken(Box::new(error)))
    }
}

fn not_issued(detail: impl Into<String>) -> OnboardError {
    RefusedOnboarding::because(OnboardReason::NotIssued, detail).into()
}
