//! Building and signing one attempt: everything between "planned" and "recorded".
//!
//! Nothing here has a lasting effect: an attempt that is signed but not recorded was never sent.

use crate::{
    chain::{
        ChainError, LiveBlockhash,
        fees::{ComputeBudget, MAX_UNITS},
        transaction::{
            Authorization, SettleInstruction, SettlementParts, SignedTransaction, TransactionError, create_recipient,
            largest_settlement_size,
        },
    },
    domain::{
        reason::{OpenReason, PayReason},
        session::Session,
        settlement::{Attempt, Cost, Purpose, Settlement},
    },
    facilitator::{AllowancePolicy, Facilitator, OpenRefusal},
    ledger::LedgerError,
    programs::{
        ciphertext,
        inco_token::{Allowance, IncoAccount, Transfer},
        lightning::DECRYPT_ALLOWANCE_BYTES,
    },
};
use solana_pubkey::Pubkey;
use std::sync::atomic::Ordering;

/// Why an attempt could not be made.
pub(super) enum SignFailure {
    /// The transfer cannot work: a known no.
    Refused {
        /// What callers are told.
        reason: PayReason,
        /// For the operator's log.
        detail: String,
    },
    /// The chain does not answer; try again.
    Unavailable(String),
    /// The ledger failed.
    Ledger(LedgerError),
}

impl SignFailure {
    pub(super) fn refused(reason: PayReason, detail: impl Into<String>) -> Self {
        Self::Refused { reason, detail: detail.into() }
    }
}

impl From<LedgerError> for SignFailure {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<ChainError> for SignFailure {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Refused(detail) => Self::refused(PayReason::SimulationFailed, detail),
            ChainError::Unavailable { .. } | ChainError::Inconsistent(_) => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<TransactionError> for SignFailure {
    fn from(error: TransactionError) -> Self {
        let reason = match error {
            TransactionError::TooLarge { .. } => PayReason::TransactionTooLarge,
            TransactionError::Uncompilable | TransactionError::MissingSigner(_) => PayReason::InternalError,
        };
        Self::refused(reason, error.to_string())
    }
}

/// Compute units an allowance-bearing transfer may need beyond the measured plain one: two account creations.
const ALLOWANCE_UNITS: u32 = 60_000;
/// Compute units assumed before the first measurement.
const UNMEASURED_UNITS: u32 = 300_000;

impl Facilitator {
    /// Builds and signs the next attempt of a settlement.
    pub(super) async fn sign(&self, settlement: &Settlement) -> Result<Attempt, SignFailure> {
        let session = match settlement.session {
            Some(id) => self.ledger.session(id).await?,
            None => None,
        };
        let Some(session) = session else {
            return Err(SignFailure::refused(PayReason::InternalError, "the settlement's session is gone"));
        };
        match settlement.purpose {
            Purpose::Capture => self.sign_capture(settlement, &session).await,
            Purpose::CreateRecipient => self.sign_creation(settlement, &session).await,
            // Their bytes are made where they are planned and cannot be made again.
            Purpose::Approve | Purpose::Probe | Purpose::Refresh => {
                Err(SignFailure::refused(PayReason::InternalError, "this transaction cannot be signed anew"))
            }
        }
    }

    async fn sign_capture(&self, settlement: &Settlement, session: &Session) -> Result<Attempt, SignFailure> {
        let blockhash = self.chain.latest_blockhash().await?;
        let (message, signature) = session.signed.authorization();
        let payer = self.afford(session, |payer| self.largest_size(session, &payer.pubkey()).is_ok())?;
        let mut capture = Capture {
            fee_payer: payer.pubkey(),
            message,
            signature,
            owner: *session.user(),
            transfer: self.capture_transfer(settlement, session),
            compute: ComputeBudget { units: UNMEASURED_UNITS, price: 0 },
        };
        let mut rent = 0;
        let buys = self.settings.decrypt_allowance == AllowancePolicy::Every;
        let asks = self.measured_units.load(Ordering::Relaxed) == 0 || self.distrusted.contains(session.id);
        if buys || asks {
            let allowances = self.measure(&capture, session, blockhash).await?;
            if buys {
                capture.transfer.allowances = Some(allowances);
                rent = self.chain.rent(DECRYPT_ALLOWANCE_BYTES).await?.saturating_mul(2);
            }
        }
        capture.compute = self.compute(&capture).await?;
        let unsigned = self.parts(&capture).build(blockhash.hash)?;
        let fee = unsigned.fee();
        let signed = unsigned.sign(&[&*self.keys.spender, &*payer])?;
        self.charge_capture(&payer.pubkey(), fee, rent)?;
        Ok(attempt(settlement, signed, blockhash, Cost { fee, rent, grant: 0 }))
    }

    fn capture_transfer(&self, settlement: &Settlement, session: &Session) -> Transfer {
        let amount = u128::from(settlement.amount.get());
        Transfer {
            source: self.token_account(session.user()),
            destination: self.token_account(&session.intent.recipient),
            authority: self.keys.spender.pubkey(),
            ciphertext: ciphertext::encrypt(&self.settings.encryption_key, amount, &*self.chance),
            allowances: None,
        }
    }

    fn parts<'a>(&'a self, capture: &'a Capture) -> SettlementParts<'a> {
        SettlementParts {
            programs: &self.settings.programs,
            fee_payer: capture.fee_payer,
            instruction: self.settings.settle_instruction,
            authorization: Authorization {
                owner: capture.owner,
                message: &capture.message,
                signature: &capture.signature,
            },
            transfer: &capture.transfer,
            compute: capture.compute,
        }
    }

    fn largest_size(&self, session: &Session, fee_payer: &Pubkey) -> Result<usize, TransactionError> {
        let spender = self.keys.spender.pubkey();
        let (message, _) = session.signed.authorization();
        let digits = session.intent.cap.to_string().len();
        let settings = &self.settings;
        largest_settlement_size(&settings.programs, &spender, fee_payer, settings.settle_instruction, &message, digits)
    }

    /// Simulates the transfer without allowances: tells whether it works, what it costs in compute units, and the
    /// handles both accounts will have, from which the allowance accounts are derived.
    async fn measure(
        &self,
        capture: &Capture,
        session: &Session,
        blockhash: LiveBlockhash,
    ) -> Result<[Allowance; 2], SignFailure> {
        let mut parts = self.parts(capture);
        if self.needs_allowances.load(Ordering::Relaxed) {
            // It cannot be simulated without the accounts that the simulation is to tell; the plain transfer does the
            // same operations on the same inputs and so makes the same handles.
            parts.instruction = SettleInstruction::Transfer;
        }
        let unsigned = parts.build(blockhash.hash)?;
        let watched = [capture.transfer.source, capture.transfer.destination];
        let simulation = self.chain.simulate(unsigned.transaction(), &watched).await?;
        if let Some(error) = simulation.error {
            return Err(self.explain_failure(session, error).await);
        }
        self.measured_units.store(u32::try_from(simulation.units).unwrap_or(u32::MAX), Ordering::Relaxed);
        let mut accounts = simulation.accounts.into_iter();
        let mut allowance = |holder: &Pubkey| {
            let after = accounts.next().flatten().and_then(|account| IncoAccount::decode(&account.data).ok());
            let after = after.ok_or_else(|| {
                SignFailure::refused(PayReason::SimulationFailed, "a token account is missing or unreadable")
            })?;
            let account = self.settings.programs.decrypt_allowance(after.amount, holder);
            Ok::<_, SignFailure>(Allowance { account, holder: *holder })
        };
        Ok([allowance(session.user())?, allowance(&session.intent.recipient)?])
    }

    /// Compute budget: measured units with a margin, and a capped fee per unit.
    async fn compute(&self, capture: &Capture) -> Result<ComputeBudget, SignFailure> {
        let measured = match self.measured_units.load(Ordering::Relaxed) {
            0 => UNMEASURED_UNITS,
            units => units,
        };
        let margin = measured.saturating_mul(self.settings.compute_unit_margin) / 100;
        let allowances = if capture.transfer.allowances.is_some() { ALLOWANCE_UNITS } else { 0 };
        let units = measured.saturating_add(margin).saturating_add(allowances).min(MAX_UNITS);
        let price = match self.settings.max_priority_fee {
            0 => 0,
            most => {
                let writable = [capture.transfer.source, capture.transfer.destination];
                self.chain.priority_fee(&writable).await?.min(most)
            }
        };
        Ok(ComputeBudget { units, price })
    }

    async fn sign_creation(&self, settlement: &Settlement, session: &Session) -> Result<Attempt, SignFailure> {
        // Looked at again before every attempt: on an account that is frozen by now the instruction would start it anew.
        let account = self.token_account(&session.intent.recipient);
        if self.chain.accounts(&[account]).await?.into_iter().flatten().any(|account| !account.data.is_empty()) {
            return Err(SignFailure::refused(PayReason::InternalError, "the account is there by now"));
        }
        let blockhash = self.chain.latest_blockhash().await?;
        let settings = &self.settings;
        let payer = self.afford(session, |_| true)?;
        let unsigned = create_recipient(
            &settings.programs,
            &payer.pubkey(),
            &session.intent.recipient,
            &settings.asset,
            ComputeBudget { units: UNMEASURED_UNITS, price: 0 },
            blockhash.hash,
        )?;
        let cost = Cost { fee: unsigned.fee(), rent: self.chain.rent(IncoAccount::SIZE).await?, grant: 0 };
        let signed = unsigned.sign(&[&*payer])?;
        self.charge(&payer.pubkey(), cost.total())?;
        Ok(attempt(settlement, signed, blockhash, cost))
    }

    /// Refuses a session whose largest settlement could not be built: the whole cap, with decrypt allowances.
    pub(super) fn check_size(&self, session: &Session) -> Result<(), OpenRefusal> {
        // Where a second signature does not fit, the spender pays the fee.
        let payers = [self.keys.fee_payer.pubkey(), self.keys.spender.pubkey()];
        match self.largest_size(session, &payers[0]).or_else(|_| self.largest_size(session, &payers[1])) {
            Ok(_) => Ok(()),
            Err(error) => Err(OpenRefusal::because(
                OpenReason::TransactionTooLarge,
                format!("{error}; sign the short settleMessage, or the network's short name"),
            )),
        }
    }
}

/// What one capture's transaction is made of, while it is being made.
struct Capture {
    fee_payer: Pubkey,
    message: Vec<u8>,
    signature: [u8; 64],
    owner: Pubkey,
    transfer: Transfer,
    compute: ComputeBudget,
}

fn attempt(settlement: &Settlement, signed: SignedTransaction, blockhash: LiveBlockhash, cost: Cost) -> Attempt {
    Attempt {
        settlement: settlement.id,
        number: settlement.attempts + 1,
        signature: signed.signature,
        wire: signed.wire,
        last_valid_block_height: blockhash.last_valid_block_height,
        signed_at_slot: blockhash.slot,
        cost,
        bears_allowances: false,
    }
}
