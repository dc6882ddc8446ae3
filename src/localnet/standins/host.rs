//! What the stand-in programs need from whatever runs them, so that their rules know no virtual machine.

use sha2::{Digest as _, Sha256};
use solana_instruction::Instruction;
use solana_instruction_error::InstructionError;
use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;
use solana_system_interface::instruction as system;

use super::{Rules, anchor};
use crate::programs::Programs;

/// What an instruction comes to.
pub(super) type Outcome<T = ()> = Result<T, InstructionError>;

/// An account as the instruction sees it when it asks.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) key: Pubkey,
    pub(super) owner: Pubkey,
    pub(super) lamports: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) is_signer: bool,
    pub(super) is_writable: bool,
}

impl Account {
    /// Whether nothing is allocated here yet; lamports may have been sent ahead by anyone.
    pub(super) fn is_vacant(&self) -> bool {
        self.owner == system_program::ID && self.bytes.is_empty()
    }
}

/// One running instruction of a stand-in, and the network it belongs to.
pub(super) trait Host {
    /// The addresses of both programs on this network.
    fn programs(&self) -> Programs;
    /// The rules of this transaction.
    fn rules(&self) -> Rules;
    /// Whose signature makes a plaintext believable on this network.
    fn attestation_key(&self) -> Pubkey;

    /// How deep the instruction stands: 1 for one of the transaction itself, more for one that a program called.
    fn depth(&self) -> usize;
    /// The slot in which the transaction runs.
    fn slot(&self) -> Outcome<u64>;
    /// The instruction's bytes, discriminator included.
    fn input(&self) -> Outcome<Vec<u8>>;
    /// How many accounts the instruction was given.
    fn account_count(&self) -> Outcome<usize>;
    /// An account as it is now.
    fn account(&self, index: usize) -> Outcome<Account>;
    /// Overwrites the front of an account's bytes.
    fn write(&mut self, index: usize, bytes: &[u8]) -> Outcome;
    /// Puts bytes in place of an account's, which may be fewer or more.
    fn replace(&mut self, index: usize, bytes: &[u8]) -> Outcome;
    /// Moves lamports of an account of the running program to another account.
    fn give(&mut self, from: usize, to: usize, lamports: u64) -> Outcome;
    /// Moves all lamports of one account to another.
    fn empty_into(&mut self, from: usize, to: usize) -> Outcome;
    /// Calls another program; `seeds` let one address of this program sign.
    fn call(&mut self, instruction: Instruction, seeds: &[&[u8]]) -> Outcome;
    /// What the last call gave back, and which program gave it.
    fn returned(&self) -> (Pubkey, Vec<u8>);
    /// Gives bytes back to the caller.
    fn give_back(&mut self, bytes: Vec<u8>) -> Outcome;
    /// The lamports an account of so many bytes needs.
    fn rent(&self, bytes: usize) -> Outcome<u64>;
    /// Writes a program log line.
    fn log(&self, line: &str);

    /// The amount in a ciphertext, or `None` when it is not for this network's key.
    fn decrypt(&self, ciphertext: &[u8]) -> Option<u128>;
    /// What a handle stands for, as far as anybody can know.
    fn plaintext(&self, handle: u128) -> Option<u128>;
    /// Whether this transaction, or one that has landed, has made the handle.
    fn is_made(&self, handle: u128) -> bool;
    /// Remembers what a new handle stands for.
    fn make(&mut self, handle: u128, plaintext: Option<u128>);
    /// Sixteen unpredictable bytes and the number of the draw, for `e_rand`.
    fn draw(&mut self) -> (u64, u128);
}

/// Creates an account of the running program at `account` (signing with `seeds` if it has no key of its own), paid by
/// `payer`. Lamports that somebody sent ahead do not get in the way: without this, one lamport would block an address.
pub(super) fn create_account(
    host: &mut dyn Host,
    payer: &Pubkey,
    account: &Account,
    size: usize,
    owner: &Pubkey,
    seeds: &[&[u8]],
) -> Outcome {
    let rent = host.rent(size)?;
    let space = u64::try_from(size).map_err(|_| InstructionError::InvalidArgument)?;
    if account.lamports == 0 || !account.is_vacant() {
        return host.call(system::create_account(payer, &account.key, rent, space, owner), seeds);
    }
    let missing = rent.saturating_sub(account.lamports);
    if missing > 0 {
        host.call(system::transfer(payer, &account.key, missing), &[])?;
    }
    host.call(system::allocate(&account.key, space), seeds)?;
    host.call(system::assign(&account.key, owner), seeds)
}

/// The key at `index`, which must have signed.
pub(super) fn signer(host: &dyn Host, index: usize) -> Outcome<Pubkey> {
    let account = account(host, index)?;
    if account.is_signer { Ok(account.key) } else { Err(anchor::NOT_A_SIGNER) }
}

/// The account at `index`; Anchor's own refusal when the list is too short.
pub(super) fn account(host: &dyn Host, index: usize) -> Outcome<Account> {
    if index < host.account_count()? { host.account(index) } else { Err(anchor::NOT_ENOUGH_ACCOUNTS) }
}

/// Refuses unless the account at `index` is `expected`.
pub(super) fn expect_key(host: &dyn Host, index: usize, expected: &Pubkey, refusal: InstructionError) -> Outcome {
    if account(host, index)?.key == *expected { Ok(()) } else { Err(refusal) }
}

/// Sixteen bytes of SHA-256 over the parts, as a handle: never 0, which means "not initialised".
pub(super) fn digest_to_handle(parts: &[&[u8]]) -> u128 {
    let digest = parts.iter().fold(Sha256::new(), Sha256::chain_update).finalize();
    let bytes = digest.first_chunk::<16>().copied().unwrap_or([1; 16]);
    u128::from_le_bytes(bytes).max(1)
}
