//! What was seen of an account before a transfer from it was made (`spec/settlement.md` §2).

use super::Purpose;
use solana_pubkey::Pubkey;

/// How many voices have to say that a transaction has no effect before that is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbsenceVoices {
    /// The only one that is configured.
    One,
    /// Any two of those that are configured.
    Two,
}

impl AbsenceVoices {
    /// What so many configured voices allow.
    pub const fn of(configured: usize) -> Self {
        if configured < 2 { Self::One } else { Self::Two }
    }

    /// The number: 1 or 2.
    pub const fn count(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// The member with this number; none for any other number than 1 and 2.
    pub const fn from_count(count: u8) -> Option<Self> {
        match count {
            1 => Some(Self::One),
            2 => Some(Self::Two),
            _ => None,
        }
    }
}

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
    /// The handle of the amount delegated to us in the same state, where the attempt lowers that amount if it has an effect;
    /// none where it does not.
    pub delegated: Option<u128>,
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
