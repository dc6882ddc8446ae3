//! Creating mints and token accounts.

use solana_pubkey::Pubkey;

use super::super::anchor::{self, Arguments};
use super::super::host::{Host, Outcome, account, create_account, signer};
use super::accounts::{self, must_be_lightning, must_be_system, must_be_writable};
use super::encrypted::Lightning;
use crate::programs::inco_token::{AccountState, IncoAccount, IncoMint};

/// Accounts: mint ws, payer ws, System, Lightning.
pub(super) fn initialize_mint(host: &mut dyn Host, arguments: &mut Arguments<'_>) -> Outcome {
    let (decimals, mint_authority) = (arguments.byte()?, arguments.key()?);
    let freeze_authority = arguments.option(Arguments::key)?;
    signer(host, 0)?;
    let payer = signer(host, 1)?;
    must_be_system(host, 2)?;
    must_be_lightning(host, 3)?;
    must_be_writable(host, 0)?;
    must_be_writable(host, 1)?;
    let (mint, program) = (host.account(0)?, host.programs().token);
    create_account(host, &payer, &mint, IncoMint::SIZE, &program, &[])?;
    let supply = Lightning { host, signer: payer }.zero()?;
    let mint =
        IncoMint { mint_authority: Some(mint_authority), supply, decimals, is_initialized: true, freeze_authority };
    host.write(0, &mint.encode())
}

/// Accounts: account ws, mint, owner, payer ws, System, Lightning.
pub(super) fn initialize_account(host: &mut dyn Host, _: &mut Arguments<'_>) -> Outcome {
    signer(host, 0)?;
    let mint = accounts::mint(host, 1)?;
    let owner = account(host, 2)?.key;
    let payer = signer(host, 3)?;
    must_be_system(host, 4)?;
    must_be_lightning(host, 5)?;
    must_be_writable(host, 0)?;
    mint.must_be_initialised()?;
    must_be_writable(host, 3)?;
    let (account, program) = (host.account(0)?, host.programs().token);
    create_account(host, &payer, &account, IncoAccount::SIZE, &program, &[])?;
    initialise(host, 0, &mint.key, &owner, payer)
}

/// Accounts: payer ws, associated w, wallet, mint, System, Lightning. Refuses an account that exists.
pub(super) fn create(host: &mut dyn Host, _: &mut Arguments<'_>) -> Outcome {
    let associated = associated(host)?;
    associated.allocate(host)?;
    initialise(host, 1, &associated.mint, &associated.wallet, associated.payer)
}

/// As [`create`], and an account that exists is left alone **if it is in the initialised state**. A frozen one is
/// initialised again: that resets its balance and unfreezes it, as in the public source.
pub(super) fn create_idempotent(host: &mut dyn Host, _: &mut Arguments<'_>) -> Outcome {
    let associated = associated(host)?;
    if host.account(1)?.is_vacant() {
        associated.allocate(host)?;
    } else if accounts::token_account(host, 1)?.state.state == AccountState::Initialised {
        return Ok(());
    }
    initialise(host, 1, &associated.mint, &associated.wallet, associated.payer)
}

struct Associated {
    payer: Pubkey,
    wallet: Pubkey,
    mint: Pubkey,
    bump: u8,
}

fn associated(host: &dyn Host) -> Outcome<Associated> {
    let payer = signer(host, 0)?;
    let (address, wallet) = (account(host, 1)?.key, account(host, 2)?.key);
    let mint = accounts::mint(host, 3)?;
    must_be_system(host, 4)?;
    must_be_lightning(host, 5)?;
    must_be_writable(host, 0)?;
    must_be_writable(host, 1)?;
    mint.must_be_initialised()?;
    let program = host.programs().token;
    let seeds: [&[u8]; 3] = [wallet.as_ref(), program.as_ref(), mint.key.as_ref()];
    let (expected, bump) = Pubkey::find_program_address(&seeds, &program);
    if address != expected {
        return Err(anchor::WRONG_SEEDS);
    }
    Ok(Associated { payer, wallet, mint: mint.key, bump })
}

impl Associated {
    fn allocate(&self, host: &mut dyn Host) -> Outcome {
        let (account, program) = (host.account(1)?, host.programs().token);
        let seeds: [&[u8]; 4] = [self.wallet.as_ref(), program.as_ref(), self.mint.as_ref(), &[self.bump]];
        create_account(host, &self.payer, &account, IncoAccount::SIZE, &program, &seeds)
    }
}

fn initialise(host: &mut dyn Host, index: usize, mint: &Pubkey, owner: &Pubkey, payer: Pubkey) -> Outcome {
    let mut lightning = Lightning { host, signer: payer };
    let (amount, delegated_amount) = (lightning.zero()?, lightning.zero()?);
    let account = IncoAccount {
        mint: *mint,
        owner: *owner,
        amount,
        delegate: None,
        state: AccountState::Initialised,
        is_native: None,
        delegated_amount,
        close_authority: None,
    };
    host.write(index, &account.encode())
}
