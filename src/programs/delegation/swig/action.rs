//! What a role may do: a list of actions, each with a header that tells where it ends.

use crate::programs::inco_token::DecodeError;
use solana_pubkey::Pubkey;

/// The bytes of an action's header: permission, length, boundary.
const HEADER: usize = 8;
const PROGRAM: u16 = 3;
const TOKEN_LIMIT: u16 = 5;
const ALL: u16 = 7;
const TOKEN_DESTINATION_LIMIT: u16 = 18;

/// One permission of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Instructions of this program.
    Program(Pubkey),
    /// Transfers of this token.
    TokenLimit {
        /// The token.
        mint: Pubkey,
        /// How much may still move, in base units.
        remaining: u64,
    },
    /// Everything.
    All,
    /// Transfers of this token to this account.
    TokenDestinationLimit {
        /// The token.
        mint: Pubkey,
        /// The token account that is paid.
        destination: Pubkey,
        /// How much may still move, in base units.
        remaining: u64,
    },
    /// Something that we neither grant nor read.
    Other {
        /// Its number.
        permission: u16,
        /// What it says.
        bytes: Vec<u8>,
    },
}

impl Action {
    /// The bytes of several, in order.
    pub fn encode_all(actions: &[Self]) -> Vec<u8> {
        let mut all = Vec::new();
        for action in actions {
            let (permission, body) = action.parts();
            let end = all.len() + HEADER + body.len();
            all.extend(permission.to_le_bytes());
            // An action of ours has at most 72 bytes, and a role few actions.
            all.extend(u16::try_from(body.len()).unwrap_or(u16::MAX).to_le_bytes());
            all.extend(u32::try_from(end).unwrap_or(u32::MAX).to_le_bytes());
            all.extend(body);
        }
        all
    }

    /// Reads exactly `count` actions; refuses bytes that are left, and boundaries that are not where the next begins.
    pub fn decode_all(bytes: &[u8], count: u16) -> Result<Vec<Self>, DecodeError> {
        let mut actions = Vec::new();
        let mut rest = bytes;
        for _ in 0..count {
            let (header, behind) = rest.split_first_chunk::<HEADER>().ok_or(DecodeError::Truncated)?;
            let [p0, p1, l0, l1, boundary @ ..] = *header;
            let length = usize::from(u16::from_le_bytes([l0, l1]));
            let (body, behind) = behind.split_at_checked(length).ok_or(DecodeError::Truncated)?;
            if usize::try_from(u32::from_le_bytes(boundary)) != Ok(bytes.len() - behind.len()) {
                return Err(DecodeError::Value);
            }
            actions.push(Self::decode(u16::from_le_bytes([p0, p1]), body)?);
            rest = behind;
        }
        if rest.is_empty() { Ok(actions) } else { Err(DecodeError::TooLong) }
    }

    fn parts(&self) -> (u16, Vec<u8>) {
        match self {
            Self::Program(program) => (PROGRAM, program.to_bytes().to_vec()),
            Self::TokenLimit { mint, remaining } => {
                (TOKEN_LIMIT, [&mint.to_bytes()[..], &remaining.to_le_bytes()].concat())
            }
            Self::All => (ALL, Vec::new()),
            Self::TokenDestinationLimit { mint, destination, remaining } => {
                let body = [&mint.to_bytes()[..], &destination.to_bytes(), &remaining.to_le_bytes()].concat();
                (TOKEN_DESTINATION_LIMIT, body)
            }
            Self::Other { permission, bytes } => (*permission, bytes.clone()),
        }
    }

    fn decode(permission: u16, body: &[u8]) -> Result<Self, DecodeError> {
        let key = |at: usize| {
            let bytes: Option<[u8; 32]> = body.get(at..at + 32).and_then(|bytes| bytes.try_into().ok());
            bytes.map(Pubkey::new_from_array).ok_or(DecodeError::Truncated)
        };
        let number = |at: usize| {
            let bytes: Option<[u8; 8]> = body.get(at..).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u64::from_le_bytes).ok_or(DecodeError::Truncated)
        };
        match (permission, body.len()) {
            (PROGRAM, 32) => key(0).map(Self::Program),
            (TOKEN_LIMIT, 40) => Ok(Self::TokenLimit { mint: key(0)?, remaining: number(32)? }),
            (ALL, 0) => Ok(Self::All),
            (TOKEN_DESTINATION_LIMIT, 72) => {
                Ok(Self::TokenDestinationLimit { mint: key(0)?, destination: key(32)?, remaining: number(64)? })
            }
            (PROGRAM | TOKEN_LIMIT | ALL | TOKEN_DESTINATION_LIMIT, _) => Err(DecodeError::Value),
            _ => Ok(Self::Other { permission, bytes: body.to_vec() }),
        }
    }
}
