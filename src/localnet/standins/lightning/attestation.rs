//! Checking attested plaintexts on chain.

use solana_instruction_error::InstructionError;
use solana_sdk_ids::sysvar;

use super::super::anchor::{self, Arguments};
use super::super::host::{Host, Outcome, expect_key, signer};
use super::super::introspection::{Instructions, Verified};

/// Gives back the attestations that the transaction's Ed25519 instructions verified (as Borsh: key, signature,
/// message of each).
///
/// Accounts: the instructions sysvar; the signer, writable. Refuses a wrong count, a signature by anyone but the
/// Covalidator, and a message that is not the digest of the handle and plaintext at its position, where given.
pub(super) fn is_valid_signature(host: &mut dyn Host, arguments: &mut Arguments<'_>) -> Outcome {
    let count = usize::from(arguments.byte()?);
    let handles = arguments.option(Arguments::list)?;
    let plaintexts = arguments.option(Arguments::list)?;
    expect_key(host, 0, &sysvar::instructions::ID, anchor::WRONG_ADDRESS)?;
    signer(host, 1)?;
    let sysvar = host.account(0)?;
    let instructions = Instructions(&sysvar.bytes);
    let before = instructions.current().ok_or(InstructionError::InvalidAccountData)?;
    let attested: Vec<Verified> = (0..before).filter_map(|index| instructions.verified_by(index)).collect();
    let key = host.attestation_key();
    if attested.len() != count || attested.iter().any(|attestation| attestation.signer != key) {
        return Err(InstructionError::InvalidArgument);
    }
    if let (Some(handles), Some(plaintexts)) = (handles, plaintexts) {
        let expected = handles.iter().zip(&plaintexts).map(|(handle, plaintext)| digest(handle, plaintext));
        if handles.len() != count
            || plaintexts.len() != count
            || !expected.eq(attested.iter().map(|attestation| attestation.message.clone()))
        {
            return Err(InstructionError::InvalidArgument);
        }
    }
    host.give_back(encode(&attested)?)
}

/// The client sends the handle as the ASCII of its hex digits and the plaintext as 16 little-endian bytes, so the
/// attested digest is the hash of both as they are.
fn digest(handle: &[u8], plaintext: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha256::new().chain_update(handle).chain_update(plaintext).finalize().to_vec()
}

fn encode(attested: &[Verified]) -> Outcome<Vec<u8>> {
    let length = |length: usize| u32::try_from(length).map_err(|_| InstructionError::InvalidArgument);
    let mut bytes = length(attested.len())?.to_le_bytes().to_vec();
    for attestation in attested {
        bytes.extend_from_slice(attestation.signer.as_ref());
        bytes.extend_from_slice(&attestation.signature);
        bytes.extend_from_slice(&length(attestation.message.len())?.to_le_bytes());
        bytes.extend_from_slice(&attestation.message);
    }
    Ok(bytes)
}
