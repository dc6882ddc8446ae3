//! Spend approvals: one delegate per token account; a new one replaces the last.

use super::super::anchor::Arguments;
use super::super::host::{Host, Outcome, account, signer};
use super::accounts::{self, must_be_lightning, must_be_system, must_be_writable};
use super::encrypted::{EncryptedAmount, Lightning, must_have_remaining};

/// Accounts: source w, delegate, owner ws, Lightning, System; remaining: decrypt allowance w, delegate.
pub(super) fn approve(host: &mut dyn Host, arguments: &mut Arguments<'_>) -> Outcome {
    let amount = EncryptedAmount::read(arguments)?;
    set_delegate(host, &amount, 1)
}

/// As [`approve`], with the mint before the delegate and its decimals as an argument.
pub(super) fn approve_checked(host: &mut dyn Host, arguments: &mut Arguments<'_>) -> Outcome {
    let amount = EncryptedAmount::read(arguments)?;
    let decimals = arguments.byte()?;
    let source = accounts::token_account(host, 0)?;
    let mint = accounts::mint(host, 1)?;
    source.must_be_initialised()?;
    mint.must_be_initialised()?;
    source.must_be_of(&mint.key)?;
    mint.must_have_decimals(decimals)?;
    set_delegate(host, &amount, 2)
}

fn set_delegate(host: &mut dyn Host, amount: &EncryptedAmount, delegate_at: usize) -> Outcome {
    let mut source = accounts::token_account(host, 0)?;
    let delegate = account(host, delegate_at)?.key;
    let owner = signer(host, delegate_at + 1)?;
    must_be_lightning(host, delegate_at + 2)?;
    must_be_system(host, delegate_at + 3)?;
    source.must_be_writable()?;
    source.must_be_initialised()?;
    source.must_be_owned_by(&owner)?;
    must_be_writable(host, delegate_at + 1)?;
    let fixed = delegate_at + 4;
    must_have_remaining(host, fixed, 2)?;
    let mut lightning = Lightning { host, signer: owner };
    source.state.delegated_amount = lightning.new_euint128(amount)?;
    source.state.delegate = Some(delegate);
    lightning.allow(source.state.delegated_amount, &delegate, fixed)?;
    source.store(host)
}

/// Accounts: source w, owner ws, Lightning.
pub(super) fn revoke(host: &mut dyn Host, _: &mut Arguments<'_>) -> Outcome {
    let mut source = accounts::token_account(host, 0)?;
    let owner = signer(host, 1)?;
    must_be_lightning(host, 2)?;
    source.must_be_writable()?;
    source.must_be_initialised()?;
    source.must_be_owned_by(&owner)?;
    must_be_writable(host, 1)?;
    source.state.delegate = None;
    source.state.delegated_amount = Lightning { host, signer: owner }.zero()?;
    source.store(host)
}
