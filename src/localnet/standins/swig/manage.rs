//! Making a wallet, and adding and removing roles.

use solana_instruction_error::InstructionError;
use solana_system_interface::instruction as system;

use super::super::host::{self, Host, Outcome};
use super::{
    CONFIG, CONFIG_SEED, FIRST_ROLE_MANAGES_NOTHING, MALFORMED, MAY_NOT_MANAGE, NO_SUCH_ROLE, ROOT_STAYS, SWIG,
    WALLET_SEED, account, authenticate,
    config::Config,
    fields::Fields,
    load, must_derive,
    role::{Action, Authority, Role, may_manage},
};

/// Who pays rent, and gets back what is no longer needed.
const PAYER: usize = 1;
/// The wallet, where one is made.
const WALLET: usize = 2;
/// The role that a wallet begins with.
const ROOT: u32 = 0;

/// What `CreateV1` is given.
struct Creation {
    bump: u8,
    wallet_bump: u8,
    id: [u8; 32],
    authority: Authority,
    actions: Vec<Action>,
}

impl Creation {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let (kind, length, bump, wallet_bump) = (fields.u16()?, fields.length()?, fields.u8()?, fields.u8()?);
        let (id, authority) = (fields.array()?, Authority::created(kind, fields.bytes(length)?)?);
        Some(Self { bump, wallet_bump, id, authority, actions: Action::decode_all(fields.0)? })
    }
}

/// Makes a wallet with its first role.
pub(super) fn create(host: &mut dyn Host, fields: &mut Fields<'_>) -> Outcome {
    let Creation { bump, wallet_bump, id, authority, actions } = Creation::read(fields).ok_or(MALFORMED)?;
    if !may_manage(&actions) {
        return Err(FIRST_ROLE_MANAGES_NOTHING);
    }
    let (config, payer, wallet) = (account(host, CONFIG)?, account(host, PAYER)?.key, account(host, WALLET)?);
    let seeds: [&[u8]; 3] = [CONFIG_SEED, &id, &[bump]];
    must_derive(&config.key, &seeds)?;
    must_derive(&wallet.key, &[WALLET_SEED, config.key.as_ref(), &[wallet_bump]])?;
    if !config.is_vacant() {
        return Err(InstructionError::AccountAlreadyInitialized);
    }
    let roles = vec![Role { id: ROOT, authority, actions }];
    let stored = Config { bump, id, next_role: ROOT + 1, wallet_bump, sub_accounts: 0, roles, tail: vec![] };
    let bytes = stored.encode();
    host::create_account(host, &payer, &config, bytes.len(), &SWIG, &seeds)?;
    host.write(CONFIG, &bytes)?;
    let missing = host.rent(0)?.saturating_sub(wallet.lamports);
    if missing == 0 { Ok(()) } else { host.call(system::transfer(&payer, &wallet.key, missing), &[]) }
}

/// What `AddAuthorityV1` is given.
struct Addition {
    acting: u32,
    authority: Authority,
    actions: Vec<Action>,
    signer: u8,
}

impl Addition {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let (authority, actions, kind) = (fields.length()?, fields.length()?, fields.u16()?);
        let count = usize::from(fields.u8()?);
        fields.bytes(3)?;
        let acting = fields.u32()?;
        let authority = Authority::created(kind, fields.bytes(authority)?)?;
        let actions = Action::decode_all(fields.bytes(actions)?).filter(|actions| actions.len() == count)?;
        let signer = fields.u8()?;
        fields.end(Self { acting, authority, actions, signer })
    }
}

/// Adds a role, under an id that no role had before.
pub(super) fn add_authority(host: &mut dyn Host, fields: &mut Fields<'_>) -> Outcome {
    let Addition { acting, authority, actions, signer } = Addition::read(fields).ok_or(MALFORMED)?;
    let (_, mut config) = load(host)?;
    let manages = authenticated(host, &config, acting, signer)?.manages_roles();
    if !manages {
        return Err(MAY_NOT_MANAGE);
    }
    let id = config.next_role;
    config.next_role = id.checked_add(1).ok_or(InstructionError::ArithmeticOverflow)?;
    config.roles.push(Role { id, authority, actions });
    store(host, config)
}

/// Removes a role. A role may remove itself; the first one stays.
pub(super) fn remove_authority(host: &mut dyn Host, fields: &mut Fields<'_>) -> Outcome {
    let (acting, target, signer) = read_removal(fields).ok_or(MALFORMED)?;
    let (_, mut config) = load(host)?;
    let manages = authenticated(host, &config, acting, signer)?.manages_roles();
    if !manages && acting != target {
        return Err(MAY_NOT_MANAGE);
    }
    if target == ROOT {
        return Err(ROOT_STAYS);
    }
    let position = config.roles.iter().position(|role| role.id == target).ok_or(NO_SUCH_ROLE)?;
    config.roles.remove(position);
    store(host, config)
}

/// The acting role, the role to remove, and where the acting role's key signs.
fn read_removal(fields: &mut Fields<'_>) -> Option<(u32, u32, u8)> {
    let payload = fields.u16()?;
    fields.bytes(4)?;
    let removal = (fields.u32()?, fields.u32()?, fields.u8()?);
    fields.end(removal).filter(|_| payload == 1)
}

/// The role of this id, whose key has signed.
fn authenticated<'a>(host: &dyn Host, config: &'a Config, id: u32, signer: u8) -> Outcome<&'a Role> {
    let role = config.role(id).ok_or(NO_SUCH_ROLE)?;
    authenticate(host, role, signer)?;
    Ok(role)
}

/// Writes the config with its new roles; the payer pays for what it grew and gets back what it shrank.
fn store(host: &mut dyn Host, mut config: Config) -> Outcome {
    config.tail.clear();
    let bytes = config.encode();
    let (stored, payer) = (account(host, CONFIG)?, account(host, PAYER)?.key);
    let (before, now) = (host.rent(stored.bytes.len())?, host.rent(bytes.len())?);
    let missing = now.saturating_sub(stored.lamports);
    if missing > 0 {
        host.call(system::transfer(&payer, &stored.key, missing), &[])?;
    }
    host.replace(CONFIG, &bytes)?;
    // What somebody sent to the config stays in it.
    let spare = before.saturating_sub(now).min(stored.lamports.saturating_sub(now));
    if spare == 0 { Ok(()) } else { host.give(CONFIG, PAYER, spare) }
}
