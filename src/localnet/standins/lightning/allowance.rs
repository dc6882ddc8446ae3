//! Decrypt allowances: accounts at addresses made of a handle and whoever may read it.

use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;

use super::super::anchor::{self, Arguments};
use super::super::host::{Account, Host, Outcome, account, create_account, expect_key, signer};
use crate::programs::lightning::DECRYPT_ALLOWANCE_BYTES;
use crate::programs::{Programs, account_discriminator};

/// Where the account says whether the right is given; after it the bump seed.
const GRANTED: usize = 8;

/// Whether these are the bytes of a decrypt allowance that gives the right.
pub(in super::super) fn is_granted(bytes: &[u8]) -> bool {
    bytes.len() == DECRYPT_ALLOWANCE_BYTES && bytes.get(GRANTED) == Some(&1)
}

struct Request {
    handle: u128,
    granted: bool,
    payer: Pubkey,
    allowed: Pubkey,
    bump: u8,
    account: Account,
}

/// Accounts: the allowance, writable; who pays, writable and signing; whom it is for; the System program.
fn read(host: &dyn Host, arguments: &mut Arguments<'_>) -> Outcome<Request> {
    let (handle, granted, named) = (arguments.number()?, arguments.boolean()?, arguments.key()?);
    let allowance = account(host, 0)?;
    let payer = signer(host, 1)?;
    expect_key(host, 2, &named, anchor::WRONG_ADDRESS)?;
    expect_key(host, 3, &system_program::ID, anchor::WRONG_PROGRAM)?;
    if !allowance.is_writable || !host.account(1)?.is_writable {
        return Err(anchor::NOT_WRITABLE);
    }
    let (expected, bump) = host.programs().decrypt_allowance_with_bump(handle, &named);
    if allowance.key != expected {
        return Err(anchor::WRONG_SEEDS);
    }
    Ok(Request { handle, granted, payer, allowed: named, bump, account: allowance })
}

/// Gives (or takes) the right; creates the account at the signer's cost when it is not there, and costs nothing when
/// it is.
pub(super) fn allow(host: &mut dyn Host, arguments: &mut Arguments<'_>) -> Outcome {
    let request = read(host, arguments)?;
    let Programs { lightning, .. } = host.programs();
    if request.account.owner != lightning {
        let seeds: [&[u8]; 3] = [&request.handle.to_le_bytes(), request.allowed.as_ref(), &[request.bump]];
        create_account(host, &request.payer, &request.account, DECRYPT_ALLOWANCE_BYTES, &lightning, &seeds)?;
    }
    let mut bytes = account_discriminator("Allowance").to_vec();
    bytes.extend([u8::from(request.granted), request.bump]);
    host.write(0, &bytes)
}

/// Checks what `allow` checks and leaves nothing: the right ends with the transaction, and no plaintext can be asked
/// for within one.
pub(super) fn transient_allow(host: &mut dyn Host, arguments: &mut Arguments<'_>) -> Outcome {
    read(host, arguments).map(drop)
}

/// Gives back whether the second account may decrypt the handle.
pub(super) fn is_allowed(host: &mut dyn Host, arguments: &mut Arguments<'_>) -> Outcome {
    let handle = arguments.number()?;
    let (allowance, holder) = (account(host, 0)?, account(host, 1)?);
    let programs = host.programs();
    if allowance.key != programs.decrypt_allowance(handle, &holder.key) {
        return Err(anchor::WRONG_SEEDS);
    }
    let allowed = allowance.owner == programs.lightning && is_granted(&allowance.bytes);
    host.give_back(vec![u8::from(allowed)])
}
