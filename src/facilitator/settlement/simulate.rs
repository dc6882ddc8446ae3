//! A transfer in the making: what it will compute, and the handles that its decrypt allowances have to name.
//!
//! A simulation costs a round trip, so it is made only where something is to be learnt: before the first transfer of its
//! kind, after a session's transfer has failed, and wherever allowances are bought, because their accounts are derived
//! from handles that only running the transfer tells. In the steady state nothing is asked before a plain transfer is
//! sent.

use crate::{
    chain::{
        LiveBlockhash, Simulation,
        fees::{ComputeBudget, MAX_UNITS},
        policy::compute_limit,
        transaction::{
            self, Authorization, ConfidentialTransfer, SettleInstruction, SettlementParts, UnsignedTransaction,
        },
    },
    domain::{reason::PayReason, settlement::Allowances},
    facilitator::{error::SignFailure, settlement::Settlements, token_accounts::decoded},
    programs::{
        inco_token::{Allowance, Transfer},
        lightning::DECRYPT_ALLOWANCE_BYTES,
    },
};
use solana_pubkey::Pubkey;
use std::sync::atomic::{AtomicU32, Ordering};

/// Compute units that two decrypt allowances are expected to need beyond the plain transfer, before one was measured.
const ALLOWANCE_UNITS: u32 = 60_000;
/// Compute units assumed before the first measurement.
pub(crate) const UNMEASURED_UNITS: u32 = 300_000;

/// Compute units of the last measured transfer of each kind.
#[derive(Default)]
pub(crate) struct ComputeUnits {
    /// Zero before the first.
    measured: [AtomicU32; 4],
    /// Held by whoever measures a first transfer.
    first: tokio::sync::Mutex<()>,
}

impl ComputeUnits {
    fn cell(&self, instruction: SettleInstruction, allowances: Allowances) -> &AtomicU32 {
        let [plain, bearing, authorized, authorized_bearing] = &self.measured;
        match (instruction, allowances) {
            (SettleInstruction::Transfer, Allowances::NotBought) => plain,
            (SettleInstruction::Transfer, Allowances::Bought) => bearing,
            (SettleInstruction::TransferWithAuthorization, Allowances::NotBought) => authorized,
            (SettleInstruction::TransferWithAuthorization, Allowances::Bought) => authorized_bearing,
        }
    }

    fn get(&self, instruction: SettleInstruction, allowances: Allowances) -> Option<u32> {
        Some(self.cell(instruction, allowances).load(Ordering::Relaxed)).filter(|units| *units > 0)
    }

    fn set(&self, instruction: SettleInstruction, allowances: Allowances, units: u64) {
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        self.cell(instruction, allowances).store(units, Ordering::Relaxed);
    }
}

/// What one transfer's transaction is made of, while it is being made.
pub(crate) struct TransferDraft {
    pub(crate) fee_payer: Pubkey,
    pub(crate) instruction: SettleInstruction,
    /// What the payer signed; not part of a plain transfer.
    pub(crate) message: Vec<u8>,
    pub(crate) signature: [u8; 64],
    /// The wallets that own the source and the destination.
    pub(crate) owners: [Pubkey; 2],
    pub(crate) transfer: Transfer,
}

/// Why a draft was not measured.
pub(crate) enum NotSimulated {
    /// The chain would refuse it, with these words.
    WouldFail(String),
    /// It cannot be asked, or not built.
    Failed(SignFailure),
}

impl<E: Into<SignFailure>> From<E> for NotSimulated {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl TransferDraft {
    pub(crate) const fn allowances(&self) -> Allowances {
        if self.transfer.allowances.is_some() { Allowances::Bought } else { Allowances::NotBought }
    }
}

impl Settlements {
    /// Whether no transfer of this kind was simulated yet, so that its compute units are unknown.
    fn is_unmeasured(&self, draft: &TransferDraft) -> bool {
        self.units.get(draft.instruction, draft.allowances()).is_none()
    }

    /// Measures a first transfer of its kind once for all that are made at the same time: a crowd that comes right after a
    /// start costs one simulation.
    pub(crate) async fn simulate_first(
        &self,
        draft: &TransferDraft,
        blockhash: LiveBlockhash,
    ) -> Result<(), NotSimulated> {
        let first = self.units.first.try_lock();
        if first.is_err() {
            // Only until the other one is through, and whatever came of it: what is still unknown then, each asks for
            // itself and at once, so that nobody waits for the time-outs of a whole queue.
            drop(self.units.first.lock().await);
        }
        if self.is_unmeasured(draft) { self.simulate(draft, blockhash).await.map(drop) } else { Ok(()) }
    }

    /// Runs the draft as it stands: keeps its compute units, and tells the handles both accounts will have.
    pub(crate) async fn simulate(
        &self,
        draft: &TransferDraft,
        blockhash: LiveBlockhash,
    ) -> Result<[u128; 2], NotSimulated> {
        self.simulate_as(draft, draft.instruction, blockhash).await
    }

    async fn simulate_as(
        &self,
        draft: &TransferDraft,
        instruction: SettleInstruction,
        blockhash: LiveBlockhash,
    ) -> Result<[u128; 2], NotSimulated> {
        let compute = ComputeBudget { units: MAX_UNITS, price: 0 };
        let unsigned = self.parts(draft, instruction, compute).build(blockhash.hash)?;
        let watched = [draft.transfer.source, draft.transfer.destination];
        let simulation = self.core.chain.simulate(unsigned.transaction(), &watched).await?;
        if let Some(error) = simulation.error {
            return Err(NotSimulated::WouldFail(error));
        }
        self.units.set(instruction, draft.allowances(), simulation.units);
        let unreadable =
            || SignFailure::refused(PayReason::SimulationFailed, "a token account is missing or unreadable");
        Ok(handles(simulation).ok_or_else(unreadable)?)
    }

    /// Names the decrypt allowances of the handles that the draft will make.
    ///
    /// Leaves them out when the program takes the transfer without them and not with them.
    pub(crate) async fn name_allowances(
        &self,
        draft: &mut TransferDraft,
        blockhash: LiveBlockhash,
    ) -> Result<(), NotSimulated> {
        // Where it cannot be run without the accounts that the run is to tell, the plain transfer does the same
        // operations on the same inputs and so makes the same handles.
        let demanded = self.core.needs_allowances();
        let tells = if demanded { SettleInstruction::Transfer } else { draft.instruction };
        let handles = self.simulate_as(draft, tells, blockhash).await?;
        let [payer, payee] = draft.owners;
        let allowance = |handle, holder| Allowance::of(&self.core.settings.served.programs, handle, holder);
        draft.transfer.allowances = Some([allowance(handles[0], payer), allowance(handles[1], payee)]);
        if self.is_unmeasured(draft) {
            match self.simulate(draft, blockhash).await {
                Ok(_) => {}
                Err(NotSimulated::WouldFail(error)) if !demanded => {
                    tracing::warn!(error, "the token program grants no decrypt allowances; going without");
                    draft.transfer.allowances = None;
                }
                Err(unmeasured) => return Err(unmeasured),
            }
        }
        Ok(())
    }

    /// The transaction with what it may compute, and the rent of what it creates in lamports.
    pub(crate) async fn finish(
        &self,
        draft: &TransferDraft,
        blockhash: LiveBlockhash,
    ) -> Result<(UnsignedTransaction, u64), SignFailure> {
        let compute = self.compute(draft).await?;
        let rent = if draft.allowances().are_bought() {
            self.core.chain.rent(DECRYPT_ALLOWANCE_BYTES).await?.saturating_mul(2)
        } else {
            0
        };
        Ok((self.parts(draft, draft.instruction, compute).build(blockhash.hash)?, rent))
    }

    fn parts<'a>(
        &'a self,
        draft: &'a TransferDraft,
        instruction: SettleInstruction,
        compute: ComputeBudget,
    ) -> SettlementParts<'a> {
        let authorization =
            Authorization { owner: draft.owners[0], message: &draft.message, signature: &draft.signature };
        let (programs, transfer) = (&self.core.settings.served.programs, &draft.transfer);
        let transfer = ConfidentialTransfer { programs, instruction, authorization, transfer };
        SettlementParts { fee_payer: draft.fee_payer, transfer: transaction::Transfer::Confidential(transfer), compute }
    }

    /// Compute budget: measured units with a margin, and a capped fee per unit.
    async fn compute(&self, draft: &TransferDraft) -> Result<ComputeBudget, SignFailure> {
        let plain = || self.units.get(draft.instruction, Allowances::NotBought).unwrap_or(UNMEASURED_UNITS);
        let measured = match self.units.get(draft.instruction, draft.allowances()) {
            Some(units) => units,
            None if draft.allowances().are_bought() => plain().saturating_add(ALLOWANCE_UNITS),
            None => UNMEASURED_UNITS,
        };
        let units = compute_limit(measured, self.core.settings.transfers.compute_unit_margin);
        let price = match self.core.settings.transfers.max_priority_fee {
            0 => 0,
            // The merchant's account is what transfers compete for; asking for it alone, they share one answer.
            most => self.core.chain.priority_fee(&[draft.transfer.destination]).await?.min(most),
        };
        Ok(ComputeBudget { units, price })
    }
}

/// The amount handles that the two accounts of a simulated transfer will have.
pub(crate) fn handles(simulation: Simulation) -> Option<[u128; 2]> {
    let mut amounts = simulation.accounts.into_iter().map(|account| decoded(account).map(|decoded| decoded.amount));
    Some([amounts.next()??, amounts.next()??])
}
