//! The faucets: mints whose authority is here, and money for whoever asks. [`Faucet`] gives the demo token, whose
//! balances are encrypted, [`Cash`] plain tokens.
//!
//! They send ordinary transactions to its own network, so that what they do goes through the path that everybody's
//! transactions go through. Their keys are worth nothing anywhere else.

mod cash;
mod purse;

use std::sync::{Arc, Mutex, PoisonError};

use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;
use solana_signature::Signature;
use solana_signer::{Signer as _, SignerError};
use solana_transaction_error::TransactionError;

pub use self::cash::Cash;
use self::purse::Purse;
pub use super::genesis::CASH_DECIMALS;
use super::local_chain::LocalChain;
use crate::domain::chance::Chance;
use crate::programs::ciphertext::{EncryptionKey, encrypt};
use crate::programs::inco_token::{AccountState, DecodeError, IncoAccount};
use crate::programs::{Programs, discriminator};

/// Decimal places of the demo token, as of the one on devnet.
pub const DEMO_DECIMALS: u8 = 6;

/// Why the faucet gave nothing, or less than was asked for.
#[derive(Debug, thiserror::Error)]
pub enum FaucetError {
    /// The network refused a transaction.
    #[error("the local network refused the faucet's transaction")]
    Refused(#[from] TransactionError),
    /// A transaction could not be signed.
    #[error("the faucet could not sign")]
    Sign(#[from] SignerError),
    /// A transaction was taken and changed nothing: it failed, or the node stands still.
    #[error("the local network took the faucet's transaction, which changed nothing (yet)")]
    NotLanded,
    /// The wallet's account is frozen; creating it again would reset its balance.
    #[error("the token account {0} is frozen")]
    Frozen(Pubkey),
    /// Something else stands at the account's address.
    #[error("the token account does not decode")]
    Account(#[from] DecodeError),
}

/// What a faucet is made of.
pub struct FaucetConfig {
    /// The programs' addresses.
    pub programs: Programs,
    /// The network's encryption key.
    pub encryption_key: EncryptionKey,
    /// The Ed25519 private key of the mint's address.
    pub mint: [u8; 32],
    /// The Ed25519 private key of the mint and freeze authority.
    pub authority: [u8; 32],
    /// Where encryption draws its randomness.
    pub chance: Arc<dyn Chance>,
}

/// The faucets of one network.
pub(super) struct Faucets {
    pub(super) demo: Faucet,
    pub(super) cash: Cash,
}

/// A faucet on one network.
pub struct Faucet {
    chain: Arc<dyn LocalChain>,
    programs: Programs,
    encryption_key: EncryptionKey,
    mint: Pubkey,
    purse: Purse,
    chance: Arc<dyn Chance>,
    /// One gift at a time: a decrypt allowance is for the balance that a gift leaves.
    turn: Mutex<()>,
}

impl Faucet {
    /// Opens the faucet: fills the authority's purse and creates the mint, unless a restored network has it already.
    pub fn open(chain: Arc<dyn LocalChain>, config: FaucetConfig) -> Result<Self, FaucetError> {
        let mint = Keypair::new_from_array(config.mint);
        let faucet = Self {
            purse: Purse::new(chain.clone(), config.authority),
            chain,
            programs: config.programs,
            encryption_key: config.encryption_key,
            mint: mint.pubkey(),
            chance: config.chance,
            turn: Mutex::new(()),
        };
        faucet.purse.fill()?;
        if !faucet.belongs_to(&faucet.mint, &faucet.programs.token) {
            let authority = faucet.authority().pubkey();
            let create =
                faucet.programs.initialize_mint(&faucet.mint, &authority, DEMO_DECIMALS, &authority, Some(authority));
            faucet.purse.send(&[create], &[&mint])?;
            faucet.must_belong_to(&faucet.mint, &faucet.programs.token)?;
        }
        Ok(faucet)
    }

    /// The demo token's mint.
    pub fn mint(&self) -> Pubkey {
        self.mint
    }

    /// The mint and freeze authority, for tests that freeze.
    pub fn authority(&self) -> &Keypair {
        self.purse.key()
    }

    /// Gives `units` base units to `wallet`, creating its token account when there is none, and lets the wallet
    /// decrypt its new balance. Gives the signature of the transaction that minted.
    ///
    /// Refuses a frozen account. When the wallet spends at the same moment, the decrypt allowance can be for a balance
    /// that is already history.
    pub fn fund(&self, wallet: &Pubkey, units: u64) -> Result<Signature, FaucetError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.purse.fill()?;
        let account = self.programs.token_account(wallet, &self.mint);
        let authority = self.authority().pubkey();
        let before = self.token_account(&account)?;
        let mut instructions = Vec::new();
        match &before {
            None => instructions.push(self.programs.create_idempotent(&authority, wallet, &self.mint)),
            Some(before) if before.state == AccountState::Frozen => return Err(FaucetError::Frozen(account)),
            Some(_) => {}
        }
        let ciphertext = encrypt(&self.encryption_key, units.into(), &*self.chance);
        instructions.push(self.programs.mint_to(&self.mint, &account, &authority, &ciphertext, None));
        let signature = self.purse.send(&instructions, &[])?;
        let after = self.token_account(&account)?.ok_or(FaucetError::NotLanded)?;
        if before.is_some_and(|before| before.amount == after.amount) {
            return Err(FaucetError::NotLanded);
        }
        self.let_decrypt(after.amount, wallet)?;
        Ok(signature)
    }

    fn token_account(&self, address: &Pubkey) -> Result<Option<IncoAccount>, FaucetError> {
        match self.chain.account(address) {
            Some(stored) if stored.owner == self.programs.token => Ok(Some(IncoAccount::decode(&stored.data)?)),
            _ => Ok(None),
        }
    }

    fn let_decrypt(&self, handle: u128, wallet: &Pubkey) -> Result<(), FaucetError> {
        let allowance = self.programs.decrypt_allowance(handle, wallet);
        if self.belongs_to(&allowance, &self.programs.lightning) {
            return Ok(());
        }
        let accounts = vec![
            AccountMeta::new(allowance, false),
            AccountMeta::new(self.authority().pubkey(), true),
            AccountMeta::new_readonly(*wallet, false),
            AccountMeta::new_readonly(system_program::ID, false),
        ];
        let arguments = [&discriminator("allow"), handle.to_le_bytes().as_slice(), &[1], wallet.as_ref()].concat();
        let allow = Instruction { program_id: self.programs.lightning, accounts, data: arguments };
        self.purse.send(&[allow], &[])?;
        self.must_belong_to(&allowance, &self.programs.lightning)
    }

    fn belongs_to(&self, address: &Pubkey, program: &Pubkey) -> bool {
        self.chain.account(address).is_some_and(|account| account.owner == *program)
    }

    fn must_belong_to(&self, address: &Pubkey, program: &Pubkey) -> Result<(), FaucetError> {
        if self.belongs_to(address, program) { Ok(()) } else { Err(FaucetError::NotLanded) }
    }
}
