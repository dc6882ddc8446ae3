//! The faucet of cash: plain tokens of the real SPL Token program, for what is paid in the open. Its mint is there from
//! genesis, as USDC is there for everybody who comes to a real network.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use solana_account::Account;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;
use solana_signature::Signature;
use solana_signer::Signer as _;
use solana_system_interface::instruction::transfer;

use super::{FaucetError, Purse};
use crate::{
    localnet::{
        genesis::{CASH_DECIMALS, cash_mint},
        network::Network,
        state::Identity,
    },
    programs::spl_token::{ASSOCIATED_TOKEN, TokenProgram, associated_account},
};

/// Instructions of the two programs: creating an account that may be there, and minting.
const CREATE_IDEMPOTENT: u8 = 1;
const MINT_TO_CHECKED: u8 = 14;

/// The faucet of cash on one network.
pub struct Cash {
    network: Network,
    purse: Purse,
    mint: Pubkey,
    gifts: AtomicU64,
}

impl Cash {
    /// Opens the faucet. A network that was kept in a file before there was cash gets the mint now.
    pub(in crate::localnet) fn open(network: &Network, identity: &Identity) -> Self {
        let (mint, account) = cash_mint(identity);
        if network.account(&mint).is_none() {
            network.put_account(mint, Account::from(account));
        }
        let purse = Purse::new(Arc::new(network.clone()), identity.authority);
        Self { network: network.clone(), purse, mint, gifts: AtomicU64::new(0) }
    }

    /// The mint.
    pub fn mint(&self) -> Pubkey {
        self.mint
    }

    /// The mint and freeze authority, for tests that freeze.
    pub fn authority(&self) -> &Keypair {
        self.purse.key()
    }

    /// The canonical token account of a wallet.
    pub fn account_of(&self, wallet: &Pubkey) -> Pubkey {
        associated_account(TokenProgram::Token, wallet, &self.mint)
    }

    /// Gives `units` base units to a wallet's canonical account, which is created when it is not there; zero makes an
    /// empty one. Gives the signature of the transaction that did it.
    ///
    /// # Errors
    /// When the transaction was refused or failed, as with a frozen account, or has not landed on a network that stands
    /// still.
    pub fn fund(&self, wallet: &Pubkey, units: u64) -> Result<Signature, FaucetError> {
        self.purse.fill()?;
        let authority = self.authority().pubkey();
        // A transfer of another amount each time makes equal gifts within one slot different transactions.
        let number = self.gifts.fetch_add(1, Ordering::Relaxed);
        let instructions = [
            self.create(wallet),
            self.mint_to(&self.account_of(wallet), units),
            transfer(&authority, &authority, number),
        ];
        let signature = self.purse.send(&instructions, &[])?;
        self.network.outcome(&signature).ok_or(FaucetError::NotLanded)??;
        Ok(signature)
    }

    fn create(&self, wallet: &Pubkey) -> Instruction {
        let token = TokenProgram::Token.address();
        let accounts = vec![
            AccountMeta::new(self.authority().pubkey(), true),
            AccountMeta::new(self.account_of(wallet), false),
            AccountMeta::new_readonly(*wallet, false),
            AccountMeta::new_readonly(self.mint, false),
            AccountMeta::new_readonly(system_program::ID, false),
            AccountMeta::new_readonly(token, false),
        ];
        Instruction { program_id: ASSOCIATED_TOKEN, accounts, data: vec![CREATE_IDEMPOTENT] }
    }

    fn mint_to(&self, account: &Pubkey, units: u64) -> Instruction {
        let accounts = vec![
            AccountMeta::new(self.mint, false),
            AccountMeta::new(*account, false),
            AccountMeta::new_readonly(self.authority().pubkey(), true),
        ];
        let input = [&[MINT_TO_CHECKED], units.to_le_bytes().as_slice(), &[CASH_DECIMALS]].concat();
        Instruction { program_id: TokenProgram::Token.address(), accounts, data: input }
    }
}
