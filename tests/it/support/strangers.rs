//! What people do past the facilitator: strangers who send something, and owners who spend, burn, freeze or revoke.
//!
//! Each is a signed transaction, to be landed now ([`World::lands`]) or between a simulation and the landing of what was simulated
//! (`world.net.network().ambush(account, tx)`). The faucet pays the fees: wallets need no SOL.

use super::{Wallet, World};
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_message::{Message, VersionedMessage};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_signer::Signer as _;
use solana_transaction::versioned::VersionedTransaction;
use sotto::programs::{ciphertext::encrypt, discriminator, inco_token::Transfer};

impl World {
    /// A transfer by the source's owner, of zero or more; who owns `to` needs a token account.
    pub fn transfer_by_owner(&self, from: &Wallet, to: &Pubkey, units: u64) -> VersionedTransaction {
        let mint = self.faucet.mint();
        let transfer = Transfer {
            source: self.programs.token_account(&from.key(), &mint),
            destination: self.programs.token_account(to, &mint),
            authority: from.key(),
            ciphertext: self.encrypted(units),
            allowances: None,
        };
        self.by_owner(from, self.programs.transfer(&transfer))
    }

    /// A transfer to `to` by somebody new, who has just `units`.
    pub fn transfer_by_stranger(&self, to: &Pubkey, units: u64) -> VersionedTransaction {
        let stranger = self.stranger();
        self.faucet.fund(&stranger.key(), units).unwrap();
        self.transfer_by_owner(&stranger, to, units)
    }

    /// A burn by the account's owner.
    pub fn burn_by_owner(&self, owner: &Wallet, units: u64) -> VersionedTransaction {
        let ciphertext = self.encrypted(units);
        let length = u32::try_from(ciphertext.len()).unwrap().to_le_bytes();
        let data = [&discriminator("burn")[..], &length, &ciphertext, &[0]].concat();
        let accounts = vec![
            AccountMeta::new(self.programs.token_account(&owner.key(), &self.faucet.mint()), false),
            AccountMeta::new(self.faucet.mint(), false),
            AccountMeta::new(owner.key(), true),
            AccountMeta::new_readonly(self.programs.lightning, false),
            AccountMeta::new_readonly(solana_sdk_ids::system_program::ID, false),
        ];
        self.by_owner(owner, Instruction { program_id: self.programs.token, accounts, data })
    }

    /// The owner takes the delegation back.
    pub fn revoke_by_owner(&self, owner: &Wallet) -> VersionedTransaction {
        let account = self.programs.token_account(&owner.key(), &self.faucet.mint());
        self.by_owner(owner, self.programs.revoke(&account, &owner.key()))
    }

    /// The owner closes the account and takes what it holds in lamports.
    pub fn close_by_owner(&self, owner: &Wallet) -> VersionedTransaction {
        let account = self.programs.token_account(&owner.key(), &self.faucet.mint());
        self.by_owner(owner, self.programs.close_account(&account, &owner.key(), &owner.key()))
    }

    /// Somebody makes the account of a wallet that has none.
    pub fn create_by_anybody(&self, wallet: &Pubkey) -> VersionedTransaction {
        let payer = self.faucet.authority();
        let create = self.programs.create_idempotent(&payer.pubkey(), wallet, &self.faucet.mint());
        self.signed_by(&[payer], create)
    }

    /// The owner approves `units` to the facilitator, who is not given the right to decrypt them.
    pub fn approve_by_owner(&self, owner: &Wallet, units: u64) -> VersionedTransaction {
        let account = self.programs.token_account(&owner.key(), &self.faucet.mint());
        let ciphertext = self.encrypted(units);
        self.by_owner(owner, self.programs.approve(&account, &self.spender(), &owner.key(), &ciphertext, None))
    }

    /// The mint's authority freezes the wallet's account.
    pub fn freeze(&self, wallet: &Pubkey) -> VersionedTransaction {
        let (mint, authority) = (self.faucet.mint(), self.faucet.authority());
        let account = self.programs.token_account(wallet, &mint);
        self.signed_by(&[authority], self.programs.freeze_account(&account, &mint, &authority.pubkey()))
    }

    /// The mint's authority thaws it again.
    pub fn thaw(&self, wallet: &Pubkey) -> VersionedTransaction {
        let (mint, authority) = (self.faucet.mint(), self.faucet.authority());
        let account = self.programs.token_account(wallet, &mint);
        self.signed_by(&[authority], self.programs.thaw_account(&account, &mint, &authority.pubkey()))
    }

    /// Lands a transaction now, without an error.
    pub fn lands(&self, tx: VersionedTransaction) -> Signature {
        self.net.network().send(tx).unwrap()
    }

    /// The token account of a wallet.
    pub fn account_of(&self, wallet: &Pubkey) -> Pubkey {
        self.programs.token_account(wallet, &self.faucet.mint())
    }

    /// What a wallet really has: nobody on a real network could read it without a decrypt allowance.
    pub fn units(&self, wallet: &Wallet) -> u64 {
        let handle = self.token_account(&wallet.key()).unwrap().amount;
        let landed = self.net.network().stand_ins().vault().look_up(handle);
        landed.map_or(0, |landed| u64::try_from(landed.plaintext.unwrap()).unwrap())
    }

    fn encrypted(&self, units: u64) -> Vec<u8> {
        encrypt(&self.net.network().stand_ins().encryption_key(), units.into(), &*self.chance)
    }

    pub fn by_owner(&self, owner: &Wallet, instruction: Instruction) -> VersionedTransaction {
        let owner = Keypair::new_from_array(owner.seed());
        self.signed_by(&[self.faucet.authority(), &owner], instruction)
    }

    /// The first signer pays.
    fn signed_by(&self, signers: &[&Keypair], instruction: Instruction) -> VersionedTransaction {
        let blockhash = self.net.network().latest_blockhash();
        let message = Message::new_with_blockhash(&[instruction], Some(&signers[0].pubkey()), &blockhash);
        VersionedTransaction::try_new(VersionedMessage::Legacy(message), signers).unwrap()
    }
}
