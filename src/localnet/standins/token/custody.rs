//! Freezing, thawing and closing token accounts.
//!
//! The public source takes the authorities here as writable; this stand-in does not insist, since nothing is written
//! to them.

use super::super::anchor::{Arguments, refuse, require};
use super::super::host::{Host, Outcome, account, signer};
use super::accounts::{self, Loaded, must_be_writable};
use crate::programs::inco_token::{AccountState, IncoAccount, IncoTokenError};

/// Accounts: account w, mint, freeze authority s.
pub(super) fn freeze_account(host: &mut dyn Host, _: &mut Arguments<'_>) -> Outcome {
    change_state(host, AccountState::Initialised, AccountState::Frozen, IncoTokenError::UninitializedState)
}

/// Accounts: account w, mint, freeze authority s.
pub(super) fn thaw_account(host: &mut dyn Host, _: &mut Arguments<'_>) -> Outcome {
    change_state(host, AccountState::Frozen, AccountState::Initialised, IncoTokenError::InvalidState)
}

fn change_state(host: &mut dyn Host, from: AccountState, to: AccountState, otherwise: IncoTokenError) -> Outcome {
    let mut account = accounts::token_account(host, 0)?;
    let mint = accounts::mint(host, 1)?;
    let authority = signer(host, 2)?;
    account.must_be_writable()?;
    require(account.state.state == from, otherwise)?;
    account.must_be_of(&mint.key)?;
    mint.must_be_initialised()?;
    match mint.state.freeze_authority {
        None => return refuse(IncoTokenError::MintCannotFreeze),
        Some(expected) => require(expected == authority, IncoTokenError::OwnerMismatch)?,
    }
    account.state.state = to;
    account.store(host)
}

/// Accounts: account w, destination w, authority s, who is the owner or the close authority. The lamports go to the
/// destination, and whatever balance the account had is gone: nobody can look whether it was zero.
pub(super) fn close_account(host: &mut dyn Host, _: &mut Arguments<'_>) -> Outcome {
    let closing: Loaded<IncoAccount> = accounts::token_account(host, 0)?;
    account(host, 1)?;
    let authority = signer(host, 2)?;
    closing.must_be_writable()?;
    closing.must_be_initialised()?;
    must_be_writable(host, 1)?;
    let may_close = closing.state.owner == authority || closing.state.close_authority == Some(authority);
    require(may_close, IncoTokenError::OwnerMismatch)?;
    host.empty_into(0, 1)
}

/// Accounts: account w, owner s. Argument: the new close authority, if any.
pub(super) fn set_close_authority(host: &mut dyn Host, arguments: &mut Arguments<'_>) -> Outcome {
    let close_authority = arguments.option(Arguments::key)?;
    let mut account = accounts::token_account(host, 0)?;
    let owner = signer(host, 1)?;
    account.must_be_writable()?;
    account.must_be_initialised()?;
    account.must_be_owned_by(&owner)?;
    account.state.close_authority = close_authority;
    account.store(host)
}
