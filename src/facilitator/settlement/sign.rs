//! Building and signing one attempt: everything between "planned" and "recorded".
//!
//! Nothing here has a lasting effect: an attempt that is signed but not recorded was never sent.

use crate::{
    chain::{
        LiveBlockhash,
        fees::ComputeBudget,
        keys::Signer,
        transaction::{SignedTransaction, TransactionError, create_recipient, largest_settlement_size},
    },
    domain::{
        reason::{PayReason, SessionReason},
        session::Session,
        settlement::{Allowances, Attempt, Cost, Moves, Purpose, Settlement, SettlementId, State},
    },
    facilitator::{
        AllowancePolicy, SessionRefusal,
        error::SignFailure,
        locks::account_locks::Access,
        recipients::RecipientAccount,
        settlement::{
            Settlements,
            simulate::{NotSimulated, TransferDraft, UNMEASURED_UNITS},
        },
    },
    programs::{
        ciphertext,
        inco_token::{IncoAccount, Transfer},
    },
};
use solana_pubkey::Pubkey;

impl Settlements {
    /// Builds and signs the next attempt of a settlement.
    ///
    /// `access` tells whether anything else of ours moves its token accounts meanwhile.
    pub(crate) async fn sign(&self, settlement: &Settlement, access: Access) -> Result<Attempt, SignFailure> {
        if matches!(settlement.purpose, Purpose::MppOpen | Purpose::MppClose) {
            return self.sign_for_channel(settlement).await;
        }
        let session = match settlement.session() {
            Some(id) => self.core.ledger.session(id).await?,
            None => None,
        };
        let Some(session) = session else {
            return Err(SignFailure::refused(PayReason::InternalError, "the settlement's session is gone"));
        };
        match settlement.purpose {
            Purpose::Capture => {
                self.check_recipient(&session).await?;
                self.sign_capture(settlement, &session, access).await
            }
            Purpose::CreateRecipient => self.sign_creation(settlement, &session).await,
            // Their bytes are made where they are planned and cannot be made again.
            Purpose::Approve
            | Purpose::Probe
            | Purpose::Refresh
            | Purpose::SinglePayment
            | Purpose::Revoke
            | Purpose::MppCharge
            | Purpose::MppOnboard
            | Purpose::MppLeave
            | Purpose::MppOpen
            | Purpose::MppClose => {
                Err(SignFailure::refused(PayReason::InternalError, "this transaction cannot be signed anew"))
            }
        }
    }

    /// Refuses a transfer to an account that is not there: it would only cost a fee. While the account is being created it
    /// waits.
    async fn check_recipient(&self, session: &Session) -> Result<(), SignFailure> {
        let intent = &session.intent;
        // Only "there" is believed from memory: whoever owns it may have made it a moment ago.
        let is_there = self.core.recipients.known(&intent.recipient) == Some(RecipientAccount::There)
            || self.core.look_at_recipient(&intent.recipient).await? == RecipientAccount::There;
        if is_there {
            return Ok(());
        }
        match self.core.ledger.created_recipient(&intent.recipient, &intent.asset).await? {
            Some(creation) if creation.state != State::Settled => {
                Err(SignFailure::Unavailable("the recipient's account is being created".to_owned()))
            }
            Some(_) | None => Err(SignFailure::refused(PayReason::RecipientNotReady, "the recipient has no account")),
        }
    }

    /// Signs a capture. Only a first attempt buys decrypt allowances, and only while nothing else of ours moves the two
    /// accounts: one that failed with them goes on without, unless the program takes no transfer without.
    async fn sign_capture(
        &self,
        settlement: &Settlement,
        session: &Session,
        access: Access,
    ) -> Result<Attempt, SignFailure> {
        let blockhash = self.core.chain.latest_blockhash().await?;
        let (message, signature) = session.signed.authorization();
        // Before the ciphertext exists, so that nobody can have told us the handle that it will make.
        let witness = self.core.witness(self.core.token_account(session.user())).await;
        let payer =
            self.sponsor.choose_fee_payer(session, |payer| self.largest_size(session, &payer.pubkey()).is_ok())?;
        let mut draft = TransferDraft {
            fee_payer: payer.pubkey(),
            instruction: self.core.settle_instruction(),
            message,
            signature,
            owners: [*session.user(), session.intent.recipient],
            transfer: self.capture_transfer(settlement, session),
        };
        // A budget that rests may still pay the fee: then the balances stay unreadable for now.
        let may_buy = self.core.settings.transfers.decrypt_allowance == AllowancePolicy::Every
            || self.sponsor.may_buy_allowances(session);
        let measured =
            if self.core.needs_allowances() || (access == Access::Exclusive && may_buy && settlement.attempts == 0) {
                self.name_allowances(&mut draft, blockhash).await
            } else if self.distrusted.contains(session.id) {
                self.simulate(&draft, blockhash).await.map(drop)
            } else {
                self.simulate_first(&draft, blockhash).await
            };
        match measured {
            Ok(()) => {}
            Err(NotSimulated::WouldFail(error)) => return Err(self.explain_failure(session, error).await),
            Err(NotSimulated::Failed(failure)) => return Err(failure),
        }
        let attempt = self.sign_draft((settlement.id, settlement.attempts + 1), &draft, &*payer, blockhash).await?;
        Ok(Attempt { moves: Moves::of(settlement.purpose, witness), ..attempt })
    }

    /// Signs a transfer as it was drafted, and takes what it costs from the balances of the keys that pay.
    pub(crate) async fn sign_draft(
        &self,
        (id, number): (SettlementId, u32),
        draft: &TransferDraft,
        payer: &dyn Signer,
        blockhash: LiveBlockhash,
    ) -> Result<Attempt, SignFailure> {
        let (unsigned, rent) = self.finish(draft, blockhash).await?;
        let cost = Cost { fee: unsigned.fee(), rent, grant: 0 };
        let signed = unsigned.sign(&[&*self.core.keys.spender, payer])?;
        self.sponsor.charge_capture(&payer.pubkey(), cost.fee, cost.rent)?;
        let allowances = draft.allowances();
        Ok(Attempt { allowances, ..attempt(id, number, signed, blockhash, cost) })
    }

    fn capture_transfer(&self, settlement: &Settlement, session: &Session) -> Transfer {
        let amount = u128::from(settlement.amount.get());
        Transfer {
            source: self.core.token_account(session.user()),
            destination: self.core.token_account(&session.intent.recipient),
            authority: self.core.keys.spender.pubkey(),
            ciphertext: ciphertext::encrypt(&self.core.settings.served.encryption_key, amount, &*self.core.chance),
            allowances: None,
        }
    }

    fn largest_size(&self, session: &Session, fee_payer: &Pubkey) -> Result<usize, TransactionError> {
        let spender = self.core.keys.spender.pubkey();
        let (message, _) = session.signed.authorization();
        let digits = session.intent.cap.to_string().len();
        let settings = &self.core.settings;
        largest_settlement_size(
            &settings.served.programs,
            &spender,
            fee_payer,
            settings.transfers.settle_instruction.longest(),
            &message,
            digits,
        )
    }

    async fn sign_creation(&self, settlement: &Settlement, session: &Session) -> Result<Attempt, SignFailure> {
        // Looked at again before every attempt: on an account that is frozen by now the instruction would start it anew.
        let account = self.core.token_account(&session.intent.recipient);
        if self.core.is_made(&account).await? {
            return Err(SignFailure::refused(PayReason::InternalError, "the account is there by now"));
        }
        let payer = self.sponsor.choose_fee_payer(session, |_| true)?;
        let id = (settlement.id, settlement.attempts + 1);
        let attempt = self.sign_account(id, &session.intent.recipient, &*payer).await?;
        self.sponsor.charge(&payer.pubkey(), attempt.cost.total())?;
        Ok(attempt)
    }

    /// Signs the making of a wallet's token account at the cost of `payer`.
    pub(crate) async fn sign_account(
        &self,
        (id, number): (SettlementId, u32),
        wallet: &Pubkey,
        payer: &dyn Signer,
    ) -> Result<Attempt, SignFailure> {
        let blockhash = self.core.chain.latest_blockhash().await?;
        let (programs, asset) = (&self.core.settings.served.programs, &self.core.settings.served.asset);
        let compute = ComputeBudget { units: UNMEASURED_UNITS, price: 0 };
        let unsigned = create_recipient(programs, &payer.pubkey(), wallet, asset, compute, blockhash.hash)?;
        let cost = Cost { fee: unsigned.fee(), rent: self.core.chain.rent(IncoAccount::SIZE).await?, grant: 0 };
        let signed = unsigned.sign(&[payer])?;
        Ok(attempt(id, number, signed, blockhash, cost))
    }

    /// Refuses a session whose largest settlement could not be built: the whole cap, with decrypt allowances.
    pub(crate) fn check_size(&self, session: &Session) -> Result<(), SessionRefusal> {
        // Where a second signature does not fit, the spender pays the fee.
        let payers = [self.core.keys.fee_payer.pubkey(), self.core.keys.spender.pubkey()];
        match self.largest_size(session, &payers[0]).or_else(|_| self.largest_size(session, &payers[1])) {
            Ok(_) => Ok(()),
            Err(error) => Err(SessionRefusal::because(
                SessionReason::TransactionTooLarge,
                format!("{error}; sign the short settleMessage, or the network's short name"),
            )),
        }
    }
}

/// An attempt that moves no balance and buys no decrypt allowances.
pub(crate) fn attempt(
    settlement: SettlementId,
    number: u32,
    signed: SignedTransaction,
    blockhash: LiveBlockhash,
    cost: Cost,
) -> Attempt {
    Attempt {
        settlement,
        number,
        signature: signed.signature,
        wire: signed.wire,
        last_valid_block_height: blockhash.last_valid_block_height,
        signed_at_slot: blockhash.slot,
        cost,
        allowances: Allowances::NotBought,
        moves: Moves::Nothing,
        seen_by: Vec::new(),
    }
}
