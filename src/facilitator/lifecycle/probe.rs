//! The probe: does the deployed `transfer_with_authorization` do what we rely on? (`spec/inco.md` §4)
//!
//! Its source is not public and one deployment is reported to check the signature and move nothing. A user's
//! signature is published by every settlement, so an instruction that lets strangers spend it must never be used.
//! The probe asks by simulation, with real signatures, on two token accounts of its own: two wallets derived from the
//! spender's key, created once and journalled like everything we send.

use crate::{
    chain::{
        Simulation,
        fees::ComputeBudget,
        keys::{LocalSigner, Signer},
        transaction::{
            self, Authorization, ConfidentialTransfer, SettleInstruction, SettlementParts, UnsignedTransaction,
        },
    },
    domain::{
        intent::IntentHash,
        settlement::{Allowances, Cost, Purpose, Subject},
    },
    facilitator::{
        Facilitator,
        settlement::{sign::attempt, simulate::handles},
        token_accounts::decoded,
    },
    ledger::LedgerError,
    programs::{
        ciphertext,
        inco_token::{Allowance, IncoAccount, Transfer},
    },
};
use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;
use std::sync::Arc;

/// What the probe found out about `transfer_with_authorization`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent answers to four questions")]
pub struct ProbeReport {
    /// It accepts the delegate as payer.
    pub accepts_delegate: bool,
    /// It changes both amount handles, that is, it moves money.
    pub changes_handles: bool,
    /// It works without the four remaining accounts.
    pub works_without_allowances: bool,
    /// It refuses a payer who is neither owner nor delegate.
    pub refuses_strangers: bool,
}

/// How settlements may use `transfer_with_authorization`, by what the probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeVerdict {
    /// Use it.
    Usable,
    /// Use it, with decrypt allowances in every settlement.
    NeedsAllowances,
    /// Never publish a user's signature with it; the remedy is `settle_instruction = "transfer"`.
    Unusable(&'static str),
}

impl ProbeReport {
    /// Decides from the four answers whether, and how, settlements may use the instruction.
    pub const fn verdict(self) -> ProbeVerdict {
        if !self.accepts_delegate {
            return ProbeVerdict::Unusable("transfer_with_authorization does not accept the delegate as payer");
        }
        if !self.changes_handles {
            return ProbeVerdict::Unusable("transfer_with_authorization succeeds but moves nothing");
        }
        if !self.refuses_strangers {
            return ProbeVerdict::Unusable("transfer_with_authorization lets a stranger spend a published signature");
        }
        if self.works_without_allowances { ProbeVerdict::Usable } else { ProbeVerdict::NeedsAllowances }
    }
}

/// Why the probe has no report.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The chain or its accounts are not in a state to be asked.
    #[error("the probe cannot ask: {0}")]
    NotPrepared(String),
    /// A port failed.
    #[error("the probe cannot ask")]
    Port(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<crate::chain::ChainError> for ProbeError {
    fn from(error: crate::chain::ChainError) -> Self {
        Self::Port(Box::new(error))
    }
}

impl From<LedgerError> for ProbeError {
    fn from(error: LedgerError) -> Self {
        Self::Port(Box::new(error))
    }
}

impl From<crate::chain::transaction::TransactionError> for ProbeError {
    fn from(error: crate::chain::transaction::TransactionError) -> Self {
        Self::Port(Box::new(error))
    }
}

/// One question: who pays, by which instruction, with which remaining accounts.
struct Question {
    payer: Pubkey,
    instruction: SettleInstruction,
    allowances: Option<[Allowance; 2]>,
}

/// The probe's own wallets and the transfer between them.
pub(super) struct ProbeAccounts {
    pub(super) owner: LocalSigner,
    pub(super) receiver: LocalSigner,
    pub(super) source: Pubkey,
    pub(super) destination: Pubkey,
    /// Of zero; another one each time.
    pub(super) ciphertext: Vec<u8>,
}

impl Facilitator {
    /// Asks all four questions, preparing the probe's accounts first if they are missing. Two round trips where they are
    /// there and the plain transfer works, because a start waits for it.
    pub async fn probe(self: &Arc<Self>) -> Result<ProbeReport, ProbeError> {
        let accounts = self.probe_accounts();
        // The blockhash is only fetched early: a fault is told where it is needed.
        let (before, _) = tokio::join!(self.prepare_probe(&accounts), self.core.chain.latest_blockhash());
        let before = before?;
        let (spender, stranger) = (self.core.keys.spender.pubkey(), LocalSigner::generate(&*self.core.chance).pubkey());
        let (plain, strange) =
            tokio::try_join!(self.ask_plainly(&accounts, spender), self.ask_plainly(&accounts, stranger))?;
        // The stranger is asked about the way that worked, so that a refusal is about the stranger and nothing else.
        let works_without_allowances = plain.error.is_none();
        let (worked, strange) = if works_without_allowances {
            (plain, strange)
        } else {
            tokio::try_join!(
                self.ask_with_allowances(&accounts, spender),
                self.ask_with_allowances(&accounts, stranger)
            )?
        };
        Ok(ProbeReport {
            accepts_delegate: worked.error.is_none(),
            changes_handles: handles(worked).is_some_and(|after| after[0] != before[0] && after[1] != before[1]),
            works_without_allowances,
            refuses_strangers: strange.error.is_some(),
        })
    }

    /// Remembers what the probe found for later settlements.
    pub fn apply_probe(&self, verdict: ProbeVerdict) {
        self.core.remember_need(Allowances::from(verdict == ProbeVerdict::NeedsAllowances));
        if !matches!(verdict, ProbeVerdict::Unusable(_)) {
            self.core.trust_signed_instruction();
        }
    }

    /// Wallets that only the spender's key can derive: Ed25519 signatures are deterministic, so they are the same
    /// every time and need no storage.
    pub(super) fn probe_accounts(&self) -> ProbeAccounts {
        let wallet = |number: u8| {
            let signature = self.core.keys.spender.sign(&[b"sotto probe wallet ".as_slice(), &[number]].concat());
            LocalSigner::from_seed(&Sha256::digest(signature).into())
        };
        let (owner, receiver) = (wallet(1), wallet(2));
        ProbeAccounts {
            source: self.core.token_account(&owner.pubkey()),
            destination: self.core.token_account(&receiver.pubkey()),
            ciphertext: ciphertext::encrypt(&self.core.settings.served.encryption_key, 0, &*self.core.chance),
            owner,
            receiver,
        }
    }

    /// The accounts' handles; creates the accounts and the delegation when they are missing.
    pub(super) async fn prepare_probe(self: &Arc<Self>, accounts: &ProbeAccounts) -> Result<[u128; 2], ProbeError> {
        for _ in 0..2 {
            let read = self.core.chain.accounts(&[accounts.source, accounts.destination]).await?;
            let decoded: Vec<_> = read.into_iter().filter_map(decoded).collect();
            match decoded.as_slice() {
                [source, destination] if self.core.is_delegate(source) => {
                    return Ok([source.amount, destination.amount]);
                }
                _ => self.create_accounts(accounts).await?,
            }
        }
        Err(ProbeError::NotPrepared("the probe's accounts were created and are not there".to_owned()))
    }

    async fn create_accounts(self: &Arc<Self>, accounts: &ProbeAccounts) -> Result<(), ProbeError> {
        let (programs, asset) = (&self.core.settings.served.programs, &self.core.settings.served.asset);
        let (fee_payer, owner) = (self.core.keys.fee_payer.pubkey(), accounts.owner.pubkey());
        let instructions = [
            programs.create_idempotent(&fee_payer, &owner, asset),
            programs.create_idempotent(&fee_payer, &accounts.receiver.pubkey(), asset),
            programs.approve(&accounts.source, &self.core.keys.spender.pubkey(), &owner, &accounts.ciphertext, None),
        ];
        let blockhash = self.core.chain.latest_blockhash().await?;
        let unsigned = UnsignedTransaction::new(&fee_payer, &instructions, blockhash.hash)?;
        let rent = self.core.chain.rent(IncoAccount::SIZE).await?.saturating_mul(2);
        let cost = Cost { fee: unsigned.fee(), rent, grant: 0 };
        let signed = unsigned.sign(&[&*self.core.keys.fee_payer, &accounts.owner])?;
        let attempt = attempt(self.core.next_settlement_id(), 1, signed, blockhash, cost);
        let own = self.dispatch.send_own(attempt, Purpose::Probe, Subject::Own, None).await?;
        let why = match own.over {
            _ if own.is_done() => return Ok(()),
            Some(_) => "the budget does not allow the probe's accounts",
            None => "the probe's accounts could not be created",
        };
        Err(ProbeError::NotPrepared(why.to_owned()))
    }

    async fn ask_plainly(&self, accounts: &ProbeAccounts, payer: Pubkey) -> Result<Simulation, ProbeError> {
        let instruction = SettleInstruction::TransferWithAuthorization;
        self.ask(accounts, Question { payer, instruction, allowances: None }).await
    }

    /// Asks with the decrypt allowances that a plain transfer tells: it makes the same handles, even where the authorised
    /// one cannot be simulated without their accounts.
    async fn ask_with_allowances(&self, accounts: &ProbeAccounts, payer: Pubkey) -> Result<Simulation, ProbeError> {
        let plain = self.ask_by_transfer(accounts).await?;
        let error = plain.error.clone();
        let Some([source, destination]) = handles(plain) else {
            let why = error.unwrap_or_else(|| "the accounts are unreadable".to_owned());
            return Err(ProbeError::NotPrepared(format!("a plain transfer fails too: {why}")));
        };
        let allowance = |handle, holder| Allowance::of(&self.core.settings.served.programs, handle, holder);
        let allowances =
            [allowance(source, accounts.owner.pubkey()), allowance(destination, accounts.receiver.pubkey())];
        let instruction = SettleInstruction::TransferWithAuthorization;
        self.ask(accounts, Question { payer, instruction, allowances: Some(allowances) }).await
    }

    /// Asks what the delegate's plain transfer would do.
    pub(super) async fn ask_by_transfer(&self, accounts: &ProbeAccounts) -> Result<Simulation, ProbeError> {
        let payer = self.core.keys.spender.pubkey();
        self.ask(accounts, Question { payer, instruction: SettleInstruction::Transfer, allowances: None }).await
    }

    async fn ask(&self, accounts: &ProbeAccounts, question: Question) -> Result<Simulation, ProbeError> {
        let message = IntentHash::of(b"sotto probe").settle_message().into_bytes();
        let signature = accounts.owner.sign(&message);
        let transfer = Transfer {
            source: accounts.source,
            destination: accounts.destination,
            authority: question.payer,
            ciphertext: accounts.ciphertext.clone(),
            allowances: question.allowances,
        };
        let transfer = ConfidentialTransfer {
            programs: &self.core.settings.served.programs,
            instruction: question.instruction,
            authorization: Authorization { owner: accounts.owner.pubkey(), message: &message, signature: &signature },
            transfer: &transfer,
        };
        let parts = SettlementParts {
            fee_payer: self.core.keys.fee_payer.pubkey(),
            transfer: transaction::Transfer::Confidential(transfer),
            compute: ComputeBudget { units: crate::chain::fees::MAX_UNITS, price: 0 },
        };
        let unsigned = parts.build(self.core.chain.latest_blockhash().await?.hash)?;
        Ok(self.core.chain.simulate(unsigned.transaction(), &[accounts.source, accounts.destination]).await?)
    }
}
