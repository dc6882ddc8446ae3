//! Reading, checking and writing the program's own accounts.

use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;

use super::super::anchor::{self, require};
use super::super::host::{Account, Host, Outcome, account, expect_key};
use crate::programs::inco_token::{AccountState, DecodeError, IncoAccount, IncoMint, IncoTokenError};

/// A decoded account and where it stands in the instruction's list.
pub(super) struct Loaded<T> {
    pub(super) index: usize,
    pub(super) key: Pubkey,
    pub(super) is_writable: bool,
    pub(super) state: T,
}

/// The token account at `index`.
pub(super) fn token_account(host: &dyn Host, index: usize) -> Outcome<Loaded<IncoAccount>> {
    load(host, index, IncoAccount::decode)
}

/// The mint at `index`.
pub(super) fn mint(host: &dyn Host, index: usize) -> Outcome<Loaded<IncoMint>> {
    load(host, index, IncoMint::decode)
}

fn load<T>(host: &dyn Host, index: usize, decode: fn(&[u8]) -> Result<T, DecodeError>) -> Outcome<Loaded<T>> {
    let Account { key, owner, lamports, bytes, is_writable, .. } = account(host, index)?;
    if owner == system_program::ID && lamports == 0 {
        return Err(anchor::NOT_INITIALIZED);
    }
    if owner != host.programs().token {
        return Err(anchor::WRONG_OWNER);
    }
    if bytes.len() < 8 {
        return Err(anchor::NO_DISCRIMINATOR);
    }
    let state = decode(&bytes).map_err(|error| match error {
        DecodeError::Discriminator => anchor::WRONG_DISCRIMINATOR,
        DecodeError::Truncated | DecodeError::TooLong | DecodeError::Value => anchor::BAD_ACCOUNT,
    })?;
    Ok(Loaded { index, key, is_writable, state })
}

impl<T> Loaded<T> {
    /// Refuses an account that was not sent writable.
    pub(super) fn must_be_writable(&self) -> Outcome {
        if self.is_writable { Ok(()) } else { Err(anchor::NOT_WRITABLE) }
    }
}

impl Loaded<IncoAccount> {
    /// Refuses whatever is not in the initialised state; a frozen account is refused with the same code, because the
    /// program asks for this state before it asks whether the account is frozen.
    pub(super) fn must_be_initialised(&self) -> Outcome {
        require(self.state.state == AccountState::Initialised, IncoTokenError::UninitializedState)
    }

    /// Refuses an uninitialised and, with a code of its own, a frozen account.
    pub(super) fn must_move(&self) -> Outcome {
        require(self.state.state != AccountState::Uninitialised, IncoTokenError::UninitializedState)?;
        require(self.state.state != AccountState::Frozen, IncoTokenError::AccountFrozen)
    }

    /// Refuses an account of another mint.
    pub(super) fn must_be_of(&self, mint: &Pubkey) -> Outcome {
        require(self.state.mint == *mint, IncoTokenError::MintMismatch)
    }

    /// Refuses everybody but the owner.
    pub(super) fn must_be_owned_by(&self, owner: &Pubkey) -> Outcome {
        require(self.state.owner == *owner, IncoTokenError::OwnerMismatch)
    }

    /// Whether `spender` acts as the delegate; refuses whoever is neither owner nor delegate.
    pub(super) fn is_delegated_to(&self, spender: &Pubkey) -> Outcome<bool> {
        if self.state.owner == *spender {
            return Ok(false);
        }
        require(self.state.delegate == Some(*spender), IncoTokenError::OwnerMismatch)?;
        Ok(true)
    }

    /// Writes the account back.
    pub(super) fn store(&self, host: &mut dyn Host) -> Outcome {
        host.write(self.index, &self.state.encode())
    }
}

impl Loaded<IncoMint> {
    /// Refuses a mint that was not initialised.
    pub(super) fn must_be_initialised(&self) -> Outcome {
        require(self.state.is_initialized, IncoTokenError::UninitializedState)
    }

    /// Refuses other decimals than the mint's.
    pub(super) fn must_have_decimals(&self, decimals: u8) -> Outcome {
        require(self.state.decimals == decimals, IncoTokenError::MintDecimalsMismatch)
    }

    /// Writes the mint back.
    pub(super) fn store(&self, host: &mut dyn Host) -> Outcome {
        host.write(self.index, &self.state.encode())
    }
}

/// Refuses unless Lightning stands at `index`.
pub(super) fn must_be_lightning(host: &dyn Host, index: usize) -> Outcome {
    let lightning = host.programs().lightning;
    expect_key(host, index, &lightning, anchor::WRONG_ADDRESS)
}

/// Refuses unless the System program stands at `index`.
pub(super) fn must_be_system(host: &dyn Host, index: usize) -> Outcome {
    expect_key(host, index, &system_program::ID, anchor::WRONG_PROGRAM)
}

/// Refuses unless the account at `index` was sent writable.
pub(super) fn must_be_writable(host: &dyn Host, index: usize) -> Outcome {
    if account(host, index)?.is_writable { Ok(()) } else { Err(anchor::NOT_WRITABLE) }
}
