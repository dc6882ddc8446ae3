//! What was seen of an account before a transfer from it was made (`spec/settlement.md` §2).

use super::Purpose;
use solana_pubkey::Pubkey;

/// The handle of an account's balance, as a state of the chain showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenHandle {
    /// The handle.
    pub handle: u128,
    /// The slot of that state.
    pub slot: u64,
}

/// The account that an attempt moves tokens out of, as it was seen before the attempt's ciphertext existed, so that nobody
/// can have told us the handle which the attempt would make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The account.
    pub account: Pubkey,
    /// The newest handle of its balance that was known.
    pub before: SeenHandle,
}

/// What an attempt moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    /// No balance: an approve, an account, decrypt allowances.
    Nothing,
    /// The balance of an account; without a witness where nothing was known of it.
    Balance(Option<Witness>),
}

impl Moves {
    /// What an attempt for this purpose moves, with what was seen before it was made.
    pub const fn of(purpose: Purpose, witness: Option<Witness>) -> Self {
        if purpose.moves_balance() { Self::Balance(witness) } else { Self::Nothing }
    }

    /// What was seen of the account that it moves tokens out of.
    pub const fn witness(&self) -> Option<&Witness> {
        match self {
            Self::Balance(witness) => witness.as_ref(),
            Self::Nothing => None,
        }
    }
}
