//! Minting and burning.

use solana_pubkey::Pubkey;

use super::super::anchor::{Arguments, refuse, require};
use super::super::host::{Host, Outcome, signer};
use super::accounts::{self, Loaded, must_be_lightning, must_be_system, must_be_writable};
use super::encrypted::{EncryptedAmount, Lightning};
use super::transfer::spendable;
use crate::programs::inco_token::{IncoAccount, IncoMint, IncoTokenError};

/// The accounts before the remaining ones, of every instruction here.
const FIXED: usize = 5;

/// Accounts: mint w, account w, mint authority ws, Lightning, System; remaining: decrypt allowance w, owner.
pub(super) fn mint_to(host: &mut dyn Host, arguments: &mut Arguments<'_>) -> Outcome {
    let amount = EncryptedAmount::read(arguments)?;
    mint_amount(host, &amount, None)
}

/// As [`mint_to`], with the mint's decimals.
pub(super) fn mint_to_checked(host: &mut dyn Host, arguments: &mut Arguments<'_>) -> Outcome {
    let amount = EncryptedAmount::read(arguments)?;
    let decimals = arguments.byte()?;
    mint_amount(host, &amount, Some(decimals))
}

fn mint_amount(host: &mut dyn Host, amount: &EncryptedAmount, decimals: Option<u8>) -> Outcome {
    let mint = accounts::mint(host, 0)?;
    let account = accounts::token_account(host, 1)?;
    let (mut account, mut mint, authority) = checked(host, account, mint)?;
    if let Some(decimals) = decimals {
        mint.must_have_decimals(decimals)?;
    }
    match mint.state.mint_authority {
        None => return refuse(IncoTokenError::FixedSupply),
        Some(expected) => require(expected == authority, IncoTokenError::OwnerMismatch)?,
    }
    let mut lightning = Lightning { host, signer: authority };
    let amount = lightning.new_euint128(amount)?;
    mint.state.supply = lightning.add(mint.state.supply, amount)?;
    account.state.amount = lightning.add(account.state.amount, amount)?;
    lightning.allow(account.state.amount, &account.state.owner, FIXED)?;
    mint.store(host)?;
    account.store(host)
}

/// Accounts: account w, mint w, authority ws, Lightning, System; remaining: decrypt allowance w, owner. The authority
/// is the owner or the delegate; a short balance burns zero and succeeds.
pub(super) fn burn(host: &mut dyn Host, arguments: &mut Arguments<'_>) -> Outcome {
    let amount = EncryptedAmount::read(arguments)?;
    burn_amount(host, &amount, None)
}

/// As [`burn`], with the mint's decimals.
pub(super) fn burn_checked(host: &mut dyn Host, arguments: &mut Arguments<'_>) -> Outcome {
    let amount = EncryptedAmount::read(arguments)?;
    let decimals = arguments.byte()?;
    burn_amount(host, &amount, Some(decimals))
}

fn burn_amount(host: &mut dyn Host, amount: &EncryptedAmount, decimals: Option<u8>) -> Outcome {
    let account = accounts::token_account(host, 0)?;
    let mint = accounts::mint(host, 1)?;
    let (mut account, mut mint, authority) = checked(host, account, mint)?;
    if let Some(decimals) = decimals {
        mint.must_have_decimals(decimals)?;
    }
    let by_delegate = account.is_delegated_to(&authority)?;
    let capped = by_delegate.then_some(host.rules().delegation);
    let mut lightning = Lightning { host, signer: authority };
    let burnt = spendable(&mut lightning, &mut account.state, amount, capped)?;
    account.state.amount = lightning.sub(account.state.amount, burnt)?;
    mint.state.supply = lightning.sub(mint.state.supply, burnt)?;
    lightning.allow(account.state.amount, &account.state.owner, FIXED)?;
    mint.store(host)?;
    account.store(host)
}

type Checked = (Loaded<IncoAccount>, Loaded<IncoMint>, Pubkey);

fn checked(host: &dyn Host, account: Loaded<IncoAccount>, mint: Loaded<IncoMint>) -> Outcome<Checked> {
    let authority = signer(host, 2)?;
    must_be_lightning(host, 3)?;
    must_be_system(host, 4)?;
    mint.must_be_writable()?;
    account.must_be_writable()?;
    must_be_writable(host, 2)?;
    mint.must_be_initialised()?;
    account.must_be_initialised()?;
    account.must_be_of(&mint.key)?;
    Ok((account, mint, authority))
}
