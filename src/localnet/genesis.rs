//! What a new network begins with: its hash, and accounts that no transaction made.

use solana_account::{Account, AccountSharedData};
use solana_hash::Hash;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer as _;

use super::{bank::Accounts, state::Identity};
use crate::programs::spl_token::TokenProgram;

/// Lamports the faucet starts with: half a billion SOL.
const FAUCET_LAMPORTS: u64 = 500_000_000_000_000_000;
/// The rent-exempt minimum of a mint, in lamports.
const MINT_LAMPORTS: u64 = 1_461_600;
/// Decimal places of cash, as of USDC.
pub const CASH_DECIMALS: u8 = 6;

/// The beginning of a network.
pub(super) struct Genesis {
    /// The genesis hash, which is the blockhash of slot 0.
    pub(super) hash: Hash,
    /// They are there in slot 0 already, so that every commitment sees them and no fork takes them back.
    pub(super) accounts: Accounts,
}

impl Genesis {
    /// The beginning of the network with this identity.
    pub(super) fn of(identity: &Identity) -> Self {
        let faucet = Keypair::new_from_array(identity.faucet).pubkey();
        let faucet = (faucet, AccountSharedData::new(FAUCET_LAMPORTS, 0, &Pubkey::default()));
        Self { hash: identity.genesis(), accounts: vec![faucet, cash_mint(identity)] }
    }
}

/// The address and the account of the cash mint, an SPL Token mint with nothing minted.
pub(super) fn cash_mint(identity: &Identity) -> (Pubkey, AccountSharedData) {
    let authority = Keypair::new_from_array(identity.authority).pubkey();
    let some = [&1_u32.to_le_bytes(), authority.as_ref()].concat();
    let (supply, is_initialised) = (0_u64.to_le_bytes(), 1);
    let bytes = [some.as_slice(), &supply, &[CASH_DECIMALS, is_initialised], &some].concat();
    let owner = TokenProgram::Token.address();
    let account = Account { lamports: MINT_LAMPORTS, data: bytes, owner, executable: false, rent_epoch: u64::MAX };
    (identity.cash_mint(), account.into())
}
