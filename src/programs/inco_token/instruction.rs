//! The instructions of `IncoToken` that we build (`spec/inco.md` §4), and the signature check that goes before one.
//!
//! Allowances are optional everywhere: an instruction without them grants no decrypt allowance, and then no handle
//! has to be known in advance.

use crate::programs::{Programs, discriminator};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;
use solana_sdk_ids::{system_program, sysvar};

/// The only kind of ciphertext that Lightning takes.
const INPUT_TYPE: u8 = 0;

/// A decrypt allowance account and who it is for; [`Programs::decrypt_allowance`] derives the first from the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The decrypt allowance account.
    pub account: Pubkey,
    /// The key that may decrypt.
    pub holder: Pubkey,
}

impl Allowance {
    /// The one that lets `holder` decrypt `handle`.
    pub fn of(programs: &Programs, handle: u128, holder: Pubkey) -> Self {
        Self { account: programs.decrypt_allowance(handle, &holder), holder }
    }
}

/// A transfer between two token accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The token account that pays.
    pub source: Pubkey,
    /// The token account that is paid.
    pub destination: Pubkey,
    /// The signer: the source's owner or delegate. `transfer_with_authorization` calls it the payer.
    pub authority: Pubkey,
    /// The encrypted amount.
    pub ciphertext: Vec<u8>,
    /// For the new balances: of the source for its owner, then of the destination for its owner.
    pub allowances: Option<[Allowance; 2]>,
}

impl Programs {
    /// The token account of `wallet` for `mint`.
    pub fn token_account(&self, wallet: &Pubkey, mint: &Pubkey) -> Pubkey {
        Pubkey::find_program_address(&[wallet.as_ref(), self.token.as_ref(), mint.as_ref()], &self.token).0
    }

    /// Creates the token account of `wallet` unless it is there; `payer` pays the rent.
    ///
    /// Never send it for an account that is frozen or foreign: on a frozen one the program initialises again, which
    /// resets the balance (`spec/inco.md` §4).
    pub fn create_idempotent(&self, payer: &Pubkey, wallet: &Pubkey, mint: &Pubkey) -> Instruction {
        let accounts = vec![
            AccountMeta::new(*payer, true),
            AccountMeta::new(self.token_account(wallet, mint), false),
            AccountMeta::new_readonly(*wallet, false),
            AccountMeta::new_readonly(*mint, false),
            SYSTEM,
            self.lightning_account(),
        ];
        self.instruction("create_idempotent", accounts, &[])
    }

    /// Creates a mint at `mint`, which signs too.
    pub fn initialize_mint(
        &self,
        mint: &Pubkey,
        payer: &Pubkey,
        decimals: u8,
        mint_authority: &Pubkey,
        freeze_authority: Option<Pubkey>,
    ) -> Instruction {
        let accounts =
            vec![AccountMeta::new(*mint, true), AccountMeta::new(*payer, true), SYSTEM, self.lightning_account()];
        let mut arguments = vec![decimals];
        arguments.extend_from_slice(mint_authority.as_ref());
        arguments.push(u8::from(freeze_authority.is_some()));
        arguments.extend_from_slice(freeze_authority.as_ref().map(Pubkey::as_ref).unwrap_or_default());
        self.instruction("initialize_mint", accounts, &arguments)
    }

    /// Mints an encrypted amount into a token account; the allowance is for the account's new balance.
    pub fn mint_to(
        &self,
        mint: &Pubkey,
        account: &Pubkey,
        authority: &Pubkey,
        ciphertext: &[u8],
        allowance: Option<Allowance>,
    ) -> Instruction {
        let mut accounts =
            vec![AccountMeta::new(*mint, false), AccountMeta::new(*account, false), AccountMeta::new(*authority, true)];
        self.push_programs(&mut accounts, allowance.as_slice());
        self.instruction("mint_to", accounts, &encrypted_amount(ciphertext))
    }

    /// Gives `delegate` a spend approval over `source`; the allowance is for the approved amount.
    ///
    /// There is one delegate per token account: this replaces any other.
    pub fn approve(
        &self,
        source: &Pubkey,
        delegate: &Pubkey,
        owner: &Pubkey,
        ciphertext: &[u8],
        allowance: Option<Allowance>,
    ) -> Instruction {
        let mut accounts = vec![
            AccountMeta::new(*source, false),
            AccountMeta::new_readonly(*delegate, false),
            AccountMeta::new(*owner, true),
        ];
        self.push_programs(&mut accounts, allowance.as_slice());
        self.instruction("approve", accounts, &encrypted_amount(ciphertext))
    }

    /// [`Programs::approve`] that also names the mint and its decimals.
    #[expect(clippy::too_many_arguments, reason = "these are the instruction's accounts and arguments")]
    pub fn approve_checked(
        &self,
        source: &Pubkey,
        mint: &Pubkey,
        delegate: &Pubkey,
        owner: &Pubkey,
        ciphertext: &[u8],
        decimals: u8,
        allowance: Option<Allowance>,
    ) -> Instruction {
        let mut accounts = vec![
            AccountMeta::new(*source, false),
            AccountMeta::new_readonly(*mint, false),
            AccountMeta::new_readonly(*delegate, false),
            AccountMeta::new(*owner, true),
        ];
        self.push_programs(&mut accounts, allowance.as_slice());
        let mut arguments = encrypted_amount(ciphertext);
        arguments.push(decimals);
        self.instruction("approve_checked", accounts, &arguments)
    }

    /// Takes back the spend approval over `source`.
    pub fn revoke(&self, source: &Pubkey, owner: &Pubkey) -> Instruction {
        let accounts = vec![AccountMeta::new(*source, false), AccountMeta::new(*owner, true), self.lightning_account()];
        self.instruction("revoke", accounts, &[])
    }

    /// Moves an encrypted amount on the signature of the source's owner or delegate.
    pub fn transfer(&self, transfer: &Transfer) -> Instruction {
        let mut accounts = transfer.front();
        self.push_programs(&mut accounts, transfer.allowances.as_ref().map_or(&[], <[_; 2]>::as_slice));
        self.instruction("transfer", accounts, &encrypted_amount(&transfer.ciphertext))
    }

    /// Moves an encrypted amount on the strength of the source owner's signed message, which the instruction directly
    /// before must verify: see [`ed25519_verify`].
    pub fn transfer_with_authorization(&self, transfer: &Transfer) -> Instruction {
        // The interface asks for a payer that signs; Lightning's CPIs take it writable, so it is sent writable.
        let mut accounts = transfer.front();
        accounts.push(AccountMeta::new_readonly(sysvar::instructions::ID, false));
        self.push_programs(&mut accounts, transfer.allowances.as_ref().map_or(&[], <[_; 2]>::as_slice));
        self.instruction("transfer_with_authorization", accounts, &encrypted_amount(&transfer.ciphertext))
    }

    /// Freezes a token account.
    pub fn freeze_account(&self, account: &Pubkey, mint: &Pubkey, freeze_authority: &Pubkey) -> Instruction {
        self.instruction("freeze_account", freezing(account, mint, freeze_authority), &[])
    }

    /// Thaws a frozen token account.
    pub fn thaw_account(&self, account: &Pubkey, mint: &Pubkey, freeze_authority: &Pubkey) -> Instruction {
        self.instruction("thaw_account", freezing(account, mint, freeze_authority), &[])
    }

    /// Closes a token account; its lamports go to `destination`.
    pub fn close_account(&self, account: &Pubkey, destination: &Pubkey, authority: &Pubkey) -> Instruction {
        let accounts = vec![
            AccountMeta::new(*account, false),
            AccountMeta::new(*destination, false),
            AccountMeta::new_readonly(*authority, true),
        ];
        self.instruction("close_account", accounts, &[])
    }

    fn instruction(&self, name: &str, accounts: Vec<AccountMeta>, arguments: &[u8]) -> Instruction {
        let mut bytes = discriminator(name).to_vec();
        bytes.extend_from_slice(arguments);
        Instruction { program_id: self.token, accounts, data: bytes }
    }

    fn lightning_account(&self) -> AccountMeta {
        AccountMeta::new_readonly(self.lightning, false)
    }

    /// The end of every account list that moves encrypted amounts: Lightning, System, and the remaining accounts.
    fn push_programs(&self, accounts: &mut Vec<AccountMeta>, allowances: &[Allowance]) {
        accounts.extend([self.lightning_account(), SYSTEM]);
        for allowance in allowances {
            accounts.push(AccountMeta::new(allowance.account, false));
            accounts.push(AccountMeta::new_readonly(allowance.holder, false));
        }
    }
}

impl Transfer {
    fn front(&self) -> Vec<AccountMeta> {
        vec![
            AccountMeta::new(self.source, false),
            AccountMeta::new(self.destination, false),
            AccountMeta::new(self.authority, true),
        ]
    }
}

const SYSTEM: AccountMeta = AccountMeta { pubkey: system_program::ID, is_signer: false, is_writable: false };

fn freezing(account: &Pubkey, mint: &Pubkey, freeze_authority: &Pubkey) -> Vec<AccountMeta> {
    vec![
        AccountMeta::new(*account, false),
        AccountMeta::new_readonly(*mint, false),
        AccountMeta::new_readonly(*freeze_authority, true),
    ]
}

/// Borsh: the ciphertext as length-prefixed bytes, then the input type.
fn encrypted_amount(ciphertext: &[u8]) -> Vec<u8> {
    // A transaction has 1,232 bytes, so a length that does not fit never gets this far; saturating keeps it refused.
    let length = u32::try_from(ciphertext.len()).unwrap_or(u32::MAX);
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend_from_slice(ciphertext);
    bytes.push(INPUT_TYPE);
    bytes
}

/// Makes the Ed25519 program verify `signature` of `signer` over `message`, all three carried in the instruction.
///
/// `message` must be shorter than 65,536 bytes; a transaction holds at most 1,232.
pub fn ed25519_verify(signer: &Pubkey, message: &[u8], signature: &[u8; 64]) -> Instruction {
    solana_ed25519_program::new_ed25519_instruction_with_signature(message, signature, signer.as_array())
}
