//! A role: whose signature it takes, and what it may do (`spec/mpp.md` §6.2).

use solana_pubkey::Pubkey;

use super::fields::Fields;

/// Bytes of a role before its authority.
const ROLE_HEADER: usize = 16;
/// Bytes of an action before its terms.
const ACTION_HEADER: usize = 8;

const ED25519: u16 = 1;
const ED25519_SESSION: u16 = 2;

const PROGRAM: u16 = 3;
const TOKEN_LIMIT: u16 = 5;
const ALL: u16 = 7;
const MANAGE_AUTHORITY: u16 = 8;
const TOKEN_DESTINATION_LIMIT: u16 = 18;

/// One role of a wallet.
#[derive(Clone, Debug)]
pub(super) struct Role {
    pub(super) id: u32,
    pub(super) authority: Authority,
    pub(super) actions: Vec<Action>,
}

impl Role {
    /// Reads the role that begins `begin` bytes behind the first one; gives it and where it ends.
    pub(super) fn decode(fields: &mut Fields<'_>, begin: usize) -> Option<(Self, usize)> {
        let (kind, authority, count) = (fields.u16()?, fields.length()?, fields.length()?);
        fields.bytes(2)?;
        let (id, end) = (fields.u32()?, usize::try_from(fields.u32()?).ok()?);
        let actions = end.checked_sub(begin)?.checked_sub(ROLE_HEADER)?.checked_sub(authority)?;
        let authority = Authority::stored(kind, fields.bytes(authority)?)?;
        let actions = Action::decode_all(fields.bytes(actions)?)?;
        (actions.len() == count).then_some((Self { id, authority, actions }, end))
    }

    /// Appends the role to those before it.
    pub(super) fn append_to(&self, roles: &mut Vec<u8>) {
        let (kind, authority) = self.authority.encode();
        let actions = Action::encode_all(&self.actions);
        let end = roles.len() + ROLE_HEADER + authority.len() + actions.len();
        roles.extend(kind.to_le_bytes());
        roles.extend(short(authority.len()).to_le_bytes());
        roles.extend(short(self.actions.len()).to_le_bytes());
        roles.extend([0; 2]);
        roles.extend(self.id.to_le_bytes());
        roles.extend(long(end).to_le_bytes());
        roles.extend(authority);
        roles.extend(actions);
    }

    /// Whether it may do everything.
    pub(super) fn is_unbounded(&self) -> bool {
        self.actions.iter().any(|action| matches!(action, Action::All))
    }

    /// Whether it may add and remove roles.
    pub(super) fn manages_roles(&self) -> bool {
        may_manage(&self.actions)
    }

    /// Whether it may let `program` use the wallet's signature.
    pub(super) fn may_call(&self, program: &Pubkey) -> bool {
        self.actions.iter().any(|action| matches!(action, Action::Program(allowed) if allowed == program))
    }
}

/// Whether these actions allow to add and remove roles.
pub(super) fn may_manage(actions: &[Action]) -> bool {
    actions.iter().any(|action| matches!(action, Action::All | Action::ManageAuthority))
}

/// Whose signature a role takes.
#[derive(Clone, Debug)]
pub(super) enum Authority {
    /// One key's.
    Ed25519(Pubkey),
    /// A session key's until a slot has passed; the root may set both again.
    Session { root: Pubkey, key: Pubkey, longest: u64, expiry: u64 },
}

impl Authority {
    /// Reads what a new role is created with: a session's expiry is not in it and is 0.
    pub(super) fn created(kind: u16, bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let authority = match kind {
            ED25519 => Self::Ed25519(fields.key()?),
            ED25519_SESSION => {
                Self::Session { root: fields.key()?, key: fields.key()?, longest: fields.u64()?, expiry: 0 }
            }
            _ => return None,
        };
        fields.end(authority)
    }

    fn stored(kind: u16, bytes: &[u8]) -> Option<Self> {
        if kind != ED25519_SESSION {
            return Self::created(kind, bytes);
        }
        let mut fields = Fields(bytes);
        let (root, key, longest, expiry) = (fields.key()?, fields.key()?, fields.u64()?, fields.u64()?);
        fields.end(Self::Session { root, key, longest, expiry })
    }

    /// Its number and its bytes.
    fn encode(&self) -> (u16, Vec<u8>) {
        match self {
            Self::Ed25519(key) => (ED25519, key.to_bytes().to_vec()),
            Self::Session { root, key, longest, expiry } => {
                let parts = [root.as_ref(), key.as_ref(), &longest.to_le_bytes(), &expiry.to_le_bytes()];
                (ED25519_SESSION, parts.concat())
            }
        }
    }
}

/// One thing that a role may do.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// Let a program use the wallet's signature.
    Program(Pubkey),
    /// Spend a token, in base units.
    TokenLimit { mint: Pubkey, remaining: u64 },
    /// Everything.
    All,
    /// Add and remove roles.
    ManageAuthority,
    /// Spend a token to one token account, in base units.
    DestinationLimit { mint: Pubkey, destination: Pubkey, remaining: u64 },
    /// Something that the stand-in stores and gives no effect.
    Other { permission: u16, terms: Vec<u8> },
}

impl Action {
    /// Reads actions until the bytes end.
    pub(super) fn decode_all(bytes: &[u8]) -> Option<Vec<Self>> {
        let mut fields = Fields(bytes);
        let (mut actions, mut end) = (Vec::new(), 0);
        while !fields.0.is_empty() {
            let (permission, length, boundary) = (fields.u16()?, fields.length()?, fields.u32()?);
            end += ACTION_HEADER + length;
            actions.push(Self::decode(permission, fields.bytes(length)?).filter(|_| long(end) == boundary)?);
        }
        Some(actions)
    }

    fn decode(permission: u16, terms: &[u8]) -> Option<Self> {
        let mut fields = Fields(terms);
        let action = match permission {
            PROGRAM => Self::Program(fields.key()?),
            TOKEN_LIMIT => Self::TokenLimit { mint: fields.key()?, remaining: fields.u64()? },
            ALL => Self::All,
            MANAGE_AUTHORITY => Self::ManageAuthority,
            TOKEN_DESTINATION_LIMIT => {
                let (mint, destination, remaining) = (fields.key()?, fields.key()?, fields.u64()?);
                Self::DestinationLimit { mint, destination, remaining }
            }
            _ => return Some(Self::Other { permission, terms: terms.to_vec() }),
        };
        fields.end(action)
    }

    fn encode_all(actions: &[Self]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for action in actions {
            let (permission, terms) = action.encode();
            let end = bytes.len() + ACTION_HEADER + terms.len();
            bytes.extend(permission.to_le_bytes());
            bytes.extend(short(terms.len()).to_le_bytes());
            bytes.extend(long(end).to_le_bytes());
            bytes.extend(terms);
        }
        bytes
    }

    /// Its number and its terms.
    fn encode(&self) -> (u16, Vec<u8>) {
        match self {
            Self::Program(program) => (PROGRAM, program.to_bytes().to_vec()),
            Self::TokenLimit { mint, remaining } => (TOKEN_LIMIT, [mint.as_ref(), &remaining.to_le_bytes()].concat()),
            Self::All => (ALL, vec![]),
            Self::ManageAuthority => (MANAGE_AUTHORITY, vec![]),
            Self::DestinationLimit { mint, destination, remaining } => {
                let terms = [mint.as_ref(), destination.as_ref(), &remaining.to_le_bytes()];
                (TOKEN_DESTINATION_LIMIT, terms.concat())
            }
            Self::Other { permission, terms } => (*permission, terms.clone()),
        }
    }
}

/// A length in two bytes. A transaction has no room for one that does not fit.
pub(super) fn short(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// A length in four bytes.
fn long(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
