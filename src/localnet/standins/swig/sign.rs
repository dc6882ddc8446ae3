//! Calling other programs with the wallet's signature.

use solana_instruction::{AccountMeta, Instruction};
use solana_instruction_error::InstructionError;
use solana_pubkey::Pubkey;

use super::super::host::{Host, Outcome};
use super::{
    MALFORMED, NO_PERMISSION, NO_SUCH_ROLE, WALLET_SEED, account, authenticate, charge::Watch, fields::Fields, load,
    must_derive, role::Role,
};

/// The wallet, whose signature the calls use.
pub(super) const WALLET: usize = 1;

/// One call as it is written: accounts by their place in the instruction.
struct Call<'a> {
    program: u8,
    accounts: &'a [u8],
    input: &'a [u8],
}

/// What `SignV2` is given.
struct Signing<'a> {
    role: u32,
    calls: Vec<Call<'a>>,
    signer: u8,
}

impl<'a> Signing<'a> {
    fn read(fields: &mut Fields<'a>) -> Option<Self> {
        let (length, role) = (fields.length()?, fields.u32()?);
        let mut compact = Fields(fields.bytes(length)?);
        let count = compact.u8()?;
        let mut calls = Vec::new();
        for _ in 0..count {
            let (program, accounts) = (compact.u8()?, usize::from(compact.u8()?));
            let (accounts, input) = (compact.bytes(accounts)?, compact.length()?);
            calls.push(Call { program, accounts, input: compact.bytes(input)? });
        }
        let signer = fields.u8()?;
        compact.end(())?;
        fields.end(Self { role, calls, signer })
    }
}

/// Makes the calls of a role's key, and charges what they spent to the role's limits.
pub(super) fn sign(host: &mut dyn Host, fields: &mut Fields<'_>) -> Outcome {
    let Signing { role: id, calls, signer } = Signing::read(fields).ok_or(MALFORMED)?;
    // A program in between could have made the accounts look as they should.
    if host.depth() > 1 {
        return Err(InstructionError::CallDepth);
    }
    let (address, config) = load(host)?;
    let wallet = account(host, WALLET)?;
    let seeds: [&[u8]; 3] = [WALLET_SEED, address.as_ref(), &[config.wallet_bump]];
    must_derive(&wallet.key, &seeds)?;
    let role = config.role(id).ok_or(NO_SUCH_ROLE)?;
    authenticate(host, role, signer)?;
    let calls = calls.iter().map(|call| resolve(host, call, &wallet.key)).collect::<Outcome<Vec<_>>>()?;
    let watch = if role.is_unbounded() { None } else { Some(bounded(host, role, &calls, &wallet.key)?) };
    for call in &calls {
        host.call(call.clone(), &seeds)?;
    }
    match watch {
        Some(watch) => watch.charge(host, id, &calls),
        None => Ok(()),
    }
}

/// A call with its accounts; in it the wallet signs.
fn resolve(host: &dyn Host, call: &Call<'_>, wallet: &Pubkey) -> Outcome<Instruction> {
    let named = |index: &u8| {
        let named = account(host, usize::from(*index))?;
        let is_signer = named.is_signer || named.key == *wallet;
        Ok(AccountMeta { pubkey: named.key, is_signer, is_writable: named.is_writable })
    };
    let accounts = call.accounts.iter().map(named).collect::<Outcome<Vec<_>>>()?;
    let program_id = account(host, usize::from(call.program))?.key;
    Ok(Instruction { program_id, accounts, data: call.input.to_vec() })
}

/// Refuses programs that the role may not let use the wallet's signature; then watches what the calls will change.
fn bounded(host: &dyn Host, role: &Role, calls: &[Instruction], wallet: &Pubkey) -> Outcome<Watch> {
    let uses_signature = |call: &&Instruction| call.accounts.iter().any(|account| account.pubkey == *wallet);
    if calls.iter().filter(uses_signature).all(|call| role.may_call(&call.program_id)) {
        Watch::begin(host, wallet)
    } else {
        Err(NO_PERMISSION)
    }
}
