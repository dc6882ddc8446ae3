//! Letting a session key act for a role, for a number of slots.

use solana_instruction_error::InstructionError;
use solana_pubkey::Pubkey;

use super::super::host::{Host, Outcome};
use super::{
    CONFIG, MALFORMED, NO_SUCH_ROLE, SESSION_TOO_LONG, fields::Fields, load, must_have_signed, role::Authority,
};

/// Sets the session key of a role and the slot until which it may sign. The role's root has to sign.
pub(super) fn create_session(host: &mut dyn Host, fields: &mut Fields<'_>) -> Outcome {
    let (id, duration, session_key, signer) = read(fields).ok_or(MALFORMED)?;
    let (_, mut config) = load(host)?;
    let role = config.role_mut(id).ok_or(NO_SUCH_ROLE)?;
    let Authority::Session { root, key, longest, expiry } = &mut role.authority else {
        return Err(InstructionError::InvalidArgument);
    };
    must_have_signed(host, signer, root)?;
    if duration > *longest {
        return Err(SESSION_TOO_LONG);
    }
    *key = session_key;
    *expiry = host.slot()?.checked_add(duration).ok_or(InstructionError::ArithmeticOverflow)?;
    host.write(CONFIG, &config.encode())
}

/// The role, the slots, the session key, and where the root signs.
fn read(fields: &mut Fields<'_>) -> Option<(u32, u64, Pubkey, u8)> {
    fields.bytes(2)?;
    let read = (fields.u32()?, fields.u64()?, fields.key()?, fields.u8()?);
    fields.end(read)
}
