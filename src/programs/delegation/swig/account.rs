//! The config account: a head of fixed size, then roles back to back, each of which tells where it ends.

use super::{Action, ED25519, ED25519_SESSION};
use crate::programs::inco_token::DecodeError;
use solana_pubkey::Pubkey;

/// The first byte of a config account.
const DISCRIMINATOR: u8 = 1;
/// The bytes of the head, and of the head of a role.
const HEAD: usize = 48;
const ROLE_HEAD: usize = 16;

/// A config account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwigAccount {
    /// What its address is derived from.
    pub id: [u8; 32],
    /// The bump of its address.
    pub bump: u8,
    /// The bump of the wallet's address.
    pub wallet_bump: u8,
    /// The id that the next role gets; none is ever used again.
    pub role_counter: u32,
    /// Its roles, in their order.
    pub roles: Vec<SwigRole>,
}

/// A role: who acts, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwigRole {
    /// Its id; 0 is the root.
    pub id: u32,
    /// Who acts.
    pub authority: Authority,
    /// What they may do. Of two limits for one token the program looks at the first alone.
    pub actions: Vec<Action>,
}

/// Who acts as a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authority {
    /// One key.
    Ed25519(Pubkey),
    /// A root that lets a session key act until a slot.
    Ed25519Session {
        /// Who may start a session and prolong it.
        root: Pubkey,
        /// Who acts while it lasts.
        session_key: Pubkey,
        /// The longest session, in slots.
        max_length: u64,
        /// The last slot of the session; 0 before the first.
        expiry: u64,
    },
    /// An authority that we neither make nor read.
    Other {
        /// Its number.
        kind: u16,
        /// What it says.
        bytes: Vec<u8>,
    },
}

impl SwigAccount {
    /// Reads a config account. Bytes after the last role are legal: the program leaves them when roles go.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (head, tail) = bytes.split_first_chunk::<HEAD>().ok_or(DecodeError::Truncated)?;
        let mut head = Fields(head);
        if head.u8()? != DISCRIMINATOR {
            return Err(DecodeError::Discriminator);
        }
        let (bump, id) = (head.u8()?, head.take::<32>()?);
        let (count, role_counter, wallet_bump) = (head.u16()?, head.u32()?, head.u8()?);
        let mut roles = Vec::new();
        let mut start = 0;
        for _ in 0..count {
            let (role, end) = SwigRole::decode(tail, start)?;
            roles.push(role);
            start = end;
        }
        Ok(Self { id, bump, wallet_bump, role_counter, roles })
    }
}

impl SwigRole {
    /// Reads the role that begins at `start`, and tells where it ends.
    fn decode(roles: &[u8], start: usize) -> Result<(Self, usize), DecodeError> {
        let mut fields = Fields(roles.get(start..).ok_or(DecodeError::Truncated)?);
        let (kind, authority_length, count) = (fields.u16()?, fields.u16()?, fields.u16()?);
        let (_padding, id, boundary) = (fields.u16()?, fields.u32()?, fields.u32()?);
        let end = usize::try_from(boundary).map_err(|_| DecodeError::Value)?;
        let body = roles.get(start + ROLE_HEAD..end).ok_or(DecodeError::Truncated)?;
        let (authority, actions) =
            body.split_at_checked(usize::from(authority_length)).ok_or(DecodeError::Truncated)?;
        let (authority, actions) = (Authority::decode(kind, authority)?, Action::decode_all(actions, count)?);
        Ok((Self { id, authority, actions }, end))
    }
}

impl Authority {
    fn decode(kind: u16, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields(bytes);
        let authority = match kind {
            ED25519 => Self::Ed25519(fields.key()?),
            ED25519_SESSION => Self::Ed25519Session {
                root: fields.key()?,
                session_key: fields.key()?,
                max_length: fields.u64()?,
                expiry: fields.u64()?,
            },
            _ => return Ok(Self::Other { kind, bytes: bytes.to_vec() }),
        };
        if fields.0.is_empty() { Ok(authority) } else { Err(DecodeError::TooLong) }
    }
}

/// Fields in order.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, DecodeError> {
        self.take().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Result<u16, DecodeError> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, DecodeError> {
        self.take().map(u64::from_le_bytes)
    }

    fn key(&mut self) -> Result<Pubkey, DecodeError> {
        self.take().map(Pubkey::new_from_array)
    }
}
