//! The stand-in for Swig, a wallet whose owner lets other keys spend within limits: the five instructions that MPP
//! channels use, with the layouts of `spec/mpp.md` §6.2 and the rules and error codes of its §6.3.
//!
//! It is written from that description and is evidence for our code, never for Swig. Actions that the description does
//! not have are stored and allow nothing; where it names no code for a refusal, one of the runtime's own is given.

mod charge;
mod config;
mod fields;
mod manage;
mod role;
mod session;
mod sign;
mod spending;

use solana_instruction_error::InstructionError::{self, Custom};
use solana_pubkey::Pubkey;

use self::{
    config::Config,
    fields::Fields,
    role::{Authority, Role},
};
use super::host::{Account, Host, Outcome};

/// Where Swig is deployed, and where its stand-in is on a local network.
pub const SWIG: Pubkey = Pubkey::from_str_const("swigypWHEksbC64pWKwah1WTeh9JXwx8H1rJHLdbQMB");

/// What a config's address is derived from, with the wallet's id.
const CONFIG_SEED: &[u8] = b"swig";
/// What a wallet's address is derived from, with its config's.
const WALLET_SEED: &[u8] = b"swig-wallet-address";

/// Where the config stands in every instruction.
const CONFIG: usize = 0;

/// The first role of a wallet could never manage its roles.
const FIRST_ROLE_MANAGES_NOTHING: InstructionError = Custom(7);
const NO_SUCH_ROLE: InstructionError = Custom(12);
/// A token account changed in more than its balance.
const CHANGED_UNEXPECTEDLY: InstructionError = Custom(43);
const WRONG_SIGNER: InstructionError = Custom(3005);
const NO_PERMISSION: InstructionError = Custom(3006);
const MAY_NOT_MANAGE: InstructionError = Custom(3010);
const LIMIT_EXHAUSTED: InstructionError = Custom(3011);
const ROOT_STAYS: InstructionError = Custom(3012);
const SESSION_EXPIRED: InstructionError = Custom(3014);
const SESSION_TOO_LONG: InstructionError = Custom(3022);
const DESTINATION_EXHAUSTED: InstructionError = Custom(3031);

/// Bytes of an instruction that do not decode.
const MALFORMED: InstructionError = InstructionError::InvalidInstructionData;

/// Runs one instruction of the stand-in.
pub(super) fn run(host: &mut dyn Host) -> Outcome {
    type Instruction = fn(&mut dyn Host, &mut Fields<'_>) -> Outcome;
    let input = host.input()?;
    let mut fields = Fields(&input);
    let (name, instruction): (_, Instruction) = match fields.u16() {
        Some(0) => ("create_v1", manage::create),
        Some(1) => ("add_authority_v1", manage::add_authority),
        Some(2) => ("remove_authority_v1", manage::remove_authority),
        Some(5) => ("create_session_v1", session::create_session),
        Some(11) => ("sign_v2", sign::sign),
        _ => return Err(MALFORMED),
    };
    host.log(&format!("Program log: Swig stand-in: {name}"));
    instruction(host, &mut fields)
}

/// The account at `index`.
fn account(host: &dyn Host, index: usize) -> Outcome<Account> {
    if index < host.account_count()? { host.account(index) } else { Err(InstructionError::MissingAccount) }
}

/// The config that the instruction is about: its address, and what it stores.
fn load(host: &dyn Host) -> Outcome<(Pubkey, Config)> {
    let stored = account(host, CONFIG)?;
    if stored.owner != SWIG {
        return Err(InstructionError::InvalidAccountOwner);
    }
    let config = Config::decode(&stored.bytes).ok_or(InstructionError::InvalidAccountData)?;
    Ok((stored.key, config))
}

/// Refuses unless the account at `index` is `key` and has signed.
fn must_have_signed(host: &dyn Host, index: u8, key: &Pubkey) -> Outcome {
    match account(host, usize::from(index)) {
        Ok(signer) if signer.is_signer && signer.key == *key => Ok(()),
        _ => Err(WRONG_SIGNER),
    }
}

/// Refuses unless the role's key has signed at `index`: of a session the session key, while the session lasts.
fn authenticate(host: &dyn Host, role: &Role, index: u8) -> Outcome {
    let key = match &role.authority {
        Authority::Session { expiry, .. } if host.slot()? > *expiry => return Err(SESSION_EXPIRED),
        Authority::Ed25519(key) | Authority::Session { key, .. } => key,
    };
    must_have_signed(host, index, key)
}

/// Refuses an address that does not follow from its seeds.
fn must_derive(address: &Pubkey, seeds: &[&[u8]]) -> Outcome {
    let is_derived = Pubkey::create_program_address(seeds, &SWIG).is_ok_and(|derived| derived == *address);
    if is_derived { Ok(()) } else { Err(InstructionError::InvalidSeeds) }
}
